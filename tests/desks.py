"""The REST endpoints without sockets and models: an application at a desk whose engines tests pull the strings of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
from fastapi import FastAPI

from callers import StringBrain, StringEars
from vivavoce.config import Access, Limits, Secret
from vivavoce.core.errors import EngineError
from vivavoce.engines.api import Hearing, Llm, Speech
from vivavoce.engines.registry import Engines
from vivavoce.server.admission import Admission
from vivavoce.server.app import create_app
from vivavoce.server.rest.desk import Desk
from vivavoce.server.rest.routes import rest_router

KEY = "sk-one"
WORD_MS = 100


class WordTts:
    """Speaks each word for 100 ms at a constant level; the word `wait` waits for the test and `break` fails."""

    rate_hz = 24_000

    def __init__(self) -> None:
        self.told: list[tuple[str, str, float]] = []
        self.go_on = asyncio.Event()
        self.speaking = 0

    async def speak(self, text: str, voice: str, speed: float) -> AsyncGenerator[Speech, None]:
        self.told.append((text, voice, speed))
        self.speaking += 1
        try:
            for word in text.split():
                if word.startswith("wait"):
                    await self.go_on.wait()
                if word.startswith("break"):
                    raise EngineError("the voice broke")
                yield Speech(b"\x00\x10" * (24 * WORD_MS))
        finally:
            self.speaking -= 1

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


class Office:
    """An application, its desk and what it works with."""

    def __init__(
        self,
        *,
        hearing: Hearing | None = None,
        llm: Llm | None = None,
        limits: Limits | None = None,
        missing: tuple[str, ...] = (),
        keys: tuple[str, ...] = (),
    ) -> None:
        self.tts = WordTts()
        engines = Engines(hearing or StringEars(), StringBrain(), ("strings",), llm, self.tts)  # type: ignore[arg-type]
        self.desk = Desk(engines, limits or Limits(), lambda: missing)
        access = Access(api_keys=tuple(Secret(key) for key in keys))
        admission = Admission(access, 10)
        self.app: FastAPI = create_app(access, admission, lambda: missing)
        self.app.include_router(rest_router(self.desk, admission))

    async def ask(self, path: str, body: Any = None, **request: Any) -> httpx.Response:
        """The whole answer to a request."""
        if body is not None:
            request["json"] = body
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            return await client.post(path, **request)

    def visit(self, path: str, body: Any) -> Visit:
        """A request whose client sees every piece come, and may leave."""
        return Visit(self.app, path, json.dumps(body).encode())


class Visit:
    """One request, as a server would pass it to the application."""

    def __init__(self, app: FastAPI, path: str, body: bytes) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False
        self.may_send = asyncio.Event()
        """Cleared by a client that takes nothing."""
        self.may_send.set()
        self._is_gone = asyncio.Event()
        self._request: list[bytes] = [body]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost:8000"), (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 5000),
            "server": ("localhost", 8000),
        }
        self.running = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._request:
            return {"type": "http.request", "body": self._request.pop(), "more_body": False}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.may_send.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]
            self.is_complete = not message.get("more_body", False)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when something has become true; nothing here takes long."""
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - there is nobody to tell of it
                await asyncio.sleep(0)

    async def leave(self) -> None:
        """Be gone, and return when the application is done."""
        self._is_gone.set()
        async with asyncio.timeout(5):
            await asyncio.gather(self.running, return_exceptions=True)


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error that a response tells, in OpenAI's shape."""
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def events_of(body: bytes) -> list[Any]:
    """The events of a stream: JSON, or the text of the last one."""
    blocks = body.decode().strip().split("\n\n")
    lines = [line.removeprefix("data: ") for block in blocks for line in block.splitlines() if line.startswith("data")]
    return [json.loads(line) if line.startswith("{") else line for line in lines]
