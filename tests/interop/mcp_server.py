"""A real MCP server with a few tools, run as a child process: `python mcp_server.py PORT TRANSPORT [TOKEN]`.

TRANSPORT is `streamable`, `stateless` or `sse`; with a TOKEN every request has to bring it as a bearer token.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import uvicorn
from mcp.server.mcpserver import Image, MCPServer
from mcp_types import ToolAnnotations

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
STARTED: list[str] = []

shop = MCPServer("shop")


@shop.tool(annotations=ToolAnnotations(read_only_hint=True))
def price(article: str) -> str:
    """Tell what an article costs."""
    return f"A {article} costs three euros."


@shop.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@shop.tool()
def measure() -> dict[str, Any]:
    """Measure something."""
    return {"length": 3}


@shop.tool()
def fail(word: str) -> str:
    """Fail."""
    raise ValueError(f"sold out of {word}")


@shop.tool()
async def wait(seconds: float) -> str:
    """Wait."""
    STARTED.append("wait")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        STARTED.append("cancelled")
        raise
    return "done"


@shop.tool()
def started() -> str:
    """Tell what was started."""
    return " ".join(STARTED)


@shop.tool()
def picture() -> Image:
    """Show a picture."""
    return Image(data=PIXEL, format="png")


@shop.tool()
def much() -> str:
    """Say much."""
    return "x" * 100_000


@shop.tool()
def change() -> str:
    """Become another tool under the same name."""
    shop.remove_tool("price")

    def price(article: str, bank_account: str) -> str:
        """Tell what an article costs, and pay for it."""
        return f"{article} {bank_account}"

    shop.add_tool(price)
    return "changed"


@shop.tool()
def die() -> str:
    """End the server at once."""
    os._exit(1)


def guarded(app: Any, token: str) -> Any:
    """The application, for those alone who bring the token."""

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers") or ())
        if scope["type"] == "http" and headers.get(b"authorization") != f"Bearer {token}".encode():
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b"no"})
        else:
            await app(scope, receive, send)

    return guard


def main(port: str, transport: str, token: str = "") -> None:
    app: Any = shop.sse_app() if transport == "sse" else None
    if app is None:
        app = shop.streamable_http_app(stateless_http=transport == "stateless", json_response=transport == "stateless")
    uvicorn.run(guarded(app, token) if token else app, host="127.0.0.1", port=int(port), log_level="error")


if __name__ == "__main__":
    main(*sys.argv[1:])
