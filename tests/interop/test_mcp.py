"""Remote tools of a real MCP server in a child process, by themselves and through the whole product."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import order
from interop import environments, model_server, servers
from vivavoce.core.items import McpFault
from vivavoce.core.reports import ToolFailed, ToolReturned, ToolsListed, ToolsUnavailable
from vivavoce.core.settings import McpServer
from vivavoce.engines.mcp import Bounds, RemoteToolbox

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
LOCAL = (("127.0.0.1", None),)
TRANSPORTS = ["streamable", "stateless", "sse"]
TOKEN = "mcp-token-0123456789"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def shop(transport: str = "streamable", token: str = "", port: int = 0) -> Iterator[McpServer]:
    """The server, where it is reached."""
    port = port or free_port()
    command = [sys.executable, str(HERE / "mcp_server.py"), str(port), transport, *([token] if token else [])]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield McpServer("shop", f"http://127.0.0.1:{port}/{'sse' if transport == 'sse' else 'mcp'}")
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def toolbox(**bounds: float) -> Any:
    made = RemoteToolbox(LOCAL, Bounds(**bounds))
    try:
        yield made
    finally:
        await made.close()


async def listed(box: RemoteToolbox, server: McpServer) -> list[str]:
    found = await box.list_tools("i", server)
    assert isinstance(found, ToolsListed), found
    return [tool.name for tool in found.tools]


async def fault(box: RemoteToolbox, server: McpServer, name: str, arguments: str = "{}") -> McpFault:
    failed = await box.call_tool("i", server, name, arguments)
    assert isinstance(failed, ToolFailed), failed
    return failed.fault


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_tools_are_listed_and_called_over_every_transport(transport: str) -> None:
    with shop(transport) as server:
        async with toolbox() as box:
            found = await box.list_tools("i", server)
            assert isinstance(found, ToolsListed)
            price = found.tools[0]
            assert (price.name, price.description) == ("price", "Tell what an article costs.")
            assert price.annotations == {"readOnlyHint": True}
            assert price.input_schema["properties"] == {"article": {"title": "Article", "type": "string"}}
            for name, arguments, output in (
                ("price", '{"article":"pen"}', "A pen costs three euros."),
                ("add", '{"a":1,"b":2}', "3"),
                ("picture", "", "(image of type image/png, which cannot be shown)"),
            ):
                assert await box.call_tool("i", server, name, arguments) == ToolReturned("i", output)
            measured = await box.call_tool("i", server, "measure", "{}")
            assert isinstance(measured, ToolReturned)
            assert json.loads(measured.output) == {"length": 3}
            much = await box.call_tool("i", server, "much", "{}")
            assert isinstance(much, ToolReturned)
            assert len(much.output) < 66_000
            assert much.output.endswith("(Cut off here: the whole result has 100000 characters.)")


async def test_several_tools_run_at_the_same_time() -> None:
    with shop() as server:
        async with toolbox() as box:
            await listed(box, server)
            began = time.monotonic()
            calls = [box.call_tool(str(n), server, "wait", '{"seconds":1}') for n in range(5)]
            assert all(isinstance(one, ToolReturned) for one in await asyncio.gather(*calls))
            assert time.monotonic() - began < 4


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_failures_are_told_for_what_they_are(transport: str) -> None:
    with shop(transport) as server:
        async with toolbox() as box:
            await listed(box, server)
            failed = await fault(box, server, "fail", '{"word":"pens"}')
            assert failed.type == "tool_execution_error"
            assert "fail" in failed.message
            assert (await fault(box, server, "add", '{"a":"x"}')).type == "tool_execution_error"
            assert (await fault(box, server, "nothing")).type == "protocol_error"
            assert (await fault(box, server, "add", "no")).code == -32602


async def test_a_tool_that_takes_too_long_is_given_up_and_the_next_one_works() -> None:
    with shop() as server:
        async with toolbox(call_seconds=1.0) as box:
            await listed(box, server)
            failed = await fault(box, server, "wait", '{"seconds":30}')
            assert (failed.type, failed.code) == ("protocol_error", -32001)
            assert "1 seconds" in failed.message
            assert isinstance(await box.call_tool("i", server, "add", '{"a":1,"b":2}'), ToolReturned)


async def test_a_call_that_is_dropped_is_cancelled_at_the_server() -> None:
    with shop() as server:
        async with toolbox() as box:
            await listed(box, server)
            waiting = asyncio.create_task(box.call_tool("i", server, "wait", '{"seconds":30}'))
            await asyncio.sleep(1)
            waiting.cancel()
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                told = await box.call_tool("i", server, "started", "{}")
                if told == ToolReturned("i", "wait cancelled"):
                    return
                await asyncio.sleep(0.1)
            pytest.fail(f"the server was told {told}")


async def test_a_tool_that_changed_under_its_name_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivavoce.engines.mcp._FRESH_SECONDS", 0.0)
    with shop() as server:
        async with toolbox() as box:
            await listed(box, server)
            await box.call_tool("i", server, "change", "{}")
            failed = await fault(box, server, "price", '{"article":"pen","bank_account":"1"}')
            assert "has changed" in failed.message
            await listed(box, server)
            assert isinstance(
                await box.call_tool("i", server, "price", '{"article":"pen","bank_account":"1"}'), ToolReturned
            ), "what is listed anew is agreed anew"


async def test_a_server_that_dies_is_told_of_and_found_again_once_it_is_back() -> None:
    port = free_port()
    with shop(port=port) as server:
        async with toolbox() as box:
            await listed(box, server)
            assert (await fault(box, server, "die")).type == "protocol_error"
            gone = await fault(box, server, "add", '{"a":1,"b":2}')
            assert "cannot be reached" in gone.message
            with shop(port=port):
                assert await box.call_tool("i", server, "add", '{"a":1,"b":2}') == ToolReturned("i", "3")


async def test_a_server_that_was_started_anew_is_asked_again_without_a_word() -> None:
    port = free_port()
    async with toolbox() as box:
        with shop(port=port) as server:
            await listed(box, server)
        with shop(port=port):
            assert await box.call_tool("i", server, "add", '{"a":1,"b":2}') == ToolReturned("i", "3")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_server_may_want_a_token(transport: str) -> None:
    with shop(transport, TOKEN) as server:
        async with toolbox() as box:
            known = McpServer("shop", server.url, authorization=TOKEN)
            assert "price" in await listed(box, known)
            by_header = McpServer("shop", server.url, headers={"Authorization": f"Bearer {TOKEN}"})
            assert "price" in await listed(box, by_header)
            for stranger in (server, McpServer("shop", server.url, authorization="mcp-wrong-token")):
                refused = await box.list_tools("i", stranger)
                assert isinstance(refused, ToolsUnavailable)
                assert (refused.fault.type, refused.fault.code) == ("http_error", 401)
                assert "mcp-wrong-token" not in refused.fault.message


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "0.0.0.0"]
)
async def test_a_private_address_is_refused_however_it_is_written(host: str) -> None:
    with shop() as server:
        port = server.url.rpartition(":")[2].partition("/")[0]
        box = RemoteToolbox()
        for scheme in ("http", "https"):
            refused = await box.list_tools("i", McpServer("shop", f"{scheme}://{host}:{port}/mcp"))
            assert isinstance(refused, ToolsUnavailable)
            assert "may" in refused.fault.message, refused
        await box.close()


INITIALIZED = {
    "jsonrpc": "2.0", "id": 1,
    "result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "n", "version": "1"}},
}  # fmt: skip
"""What a server says to be connected to."""


def wedged(at: str) -> Any:
    """Serve connections that get so far and no further."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = re.search(r"content-length: (\d+)", head)
                asked = json.loads(await reader.readexactly(int(length[1]))) if length else {}
                answer = reply(head, asked)
                if answer is None:
                    await reader.read()  # until the client is gone
                    break
                writer.write(answer)
        writer.close()

    def reply(head: str, asked: dict[str, Any]) -> bytes | None:
        method = asked.get("method")
        if at == "older":
            return b"HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n" if head.startswith("post") else None
        if at == "discovery" or method == "tools/list" or head.startswith("get"):
            return None
        if method == "initialize":
            body = json.dumps(INITIALIZED | {"id": asked["id"]}).encode()
        elif method == "server/discover":
            error = {"code": -32601, "message": "unknown"}
            body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode()
        else:  # a notification: whoever sends another waits behind it
            return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n" if "initialized" in str(method) else None
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    return serve


@pytest.mark.parametrize("at", ["discovery", "older", "list"])
async def test_a_server_that_says_no_more_is_given_up_in_time_however_far_it_came(at: str) -> None:
    deaf = await asyncio.start_server(wedged(at), "127.0.0.1", 0)
    port = deaf.sockets[0].getsockname()[1]
    async with toolbox(list_seconds=0.5) as box:
        for _ in range(3):
            began = time.monotonic()
            refused = await box.list_tools("i", McpServer("deaf", f"http://127.0.0.1:{port}/mcp"))
            assert time.monotonic() - began < 1.5
            assert isinstance(refused, ToolsUnavailable)
            assert refused.fault.code == -32001, refused.fault
    deaf.close()


# --------------------------------------------------------------------------------------------- the whole product


def talks(
    folder: Path, said: list[str], tool: dict[str, Any], *, approve: bool = True, allowed: str = "127.0.0.1",
    client: tuple[str, str] = ("openai", "mcp_client.py"), **job: Any
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """Have an SDK in Python hold talks with the product; returns what responses made, and what the model was asked."""
    with model_server.running() as (url, asked):
        environment = {"VIVAVOCE_LLM_URL": url, "VIVAVOCE_ALLOW_PRIVATE": allowed, "VIVAVOCE_JOURNAL": "journal"}
        with servers.running(folder, tls=False, environment=environment) as server:
            recording, results = folder / "events.jsonl", folder / "results.json"
            given = {
                "http_url": server.http_url, "ws_url": server.ws_url, "key": servers.KEY, "talks": said, "tool": tool,
                "approve": approve, "listed": "mcp_list_tools.completed", "recording": str(recording),
                "results": str(results), **job,
            }  # fmt: skip
            environment_name, file = client
            program = [str(environments.python(environment_name)), str(HERE / "python" / file), json.dumps(given)]
            outside = {name: value for name, value in os.environ.items() if not name.startswith("VIVAVOCE_")}
            outside["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
            ran = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False, env=outside)
            assert ran.returncode == 0, f"{ran.stderr}\n{server.log.read_text(encoding='utf-8')}"
    judge(recording)
    journals = "".join(path.read_text(encoding="utf-8") for path in (folder / "journal").glob("*.jsonl"))
    assert journals
    assert TOKEN not in journals + (folder / "server.log").read_text(encoding="utf-8")
    return json.loads(results.read_text(encoding="utf-8")), asked


def judge(recording: Path) -> None:
    """Check every event against the protocol's order and the SDK's own types."""
    lines = [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines()]
    for number in {line["connection"] for line in lines}:
        order.check([line["event"] for line in lines if line["connection"] == number], "ga")
    validator = [str(environments.python("openai")), str(HERE / "python" / "validate.py"), "ga", str(recording)]
    told = subprocess.run(validator, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(told.stdout) == []


def tool_of(server: McpServer, **fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": "shop", "server_url": server.url, "authorization": TOKEN, **fields}


def test_tools_are_called_within_answers(tmp_path: Path) -> None:
    with shop(token=TOKEN) as server:
        said = ['use price {"article":"pen"}', 'use add {"a":1,"b":2} and use price {"article":"cup"}', "use fail {}"]
        (one, two, three), asked = talks(tmp_path, said, tool_of(server, require_approval="never"))
    assert [item["type"] for item in one] == ["mcp_list_tools", "mcp_call", "message"]
    assert [tool["name"] for tool in one[0]["tools"]][:2] == ["price", "add"]
    assert one[1]["output"] == "A pen costs three euros."
    assert "A pen costs three euros." in one[2]["content"][0]["text"]
    assert [item.get("output") for item in two[1:3]] == ["3", "A cup costs three euros."]
    assert two[3]["content"][0]["text"] == "I was told: 3 / A cup costs three euros."
    assert three[1]["error"]["type"] == "tool_execution_error"
    assert "The call failed" in three[2]["content"][0]["text"]
    assert [tool["function"]["name"] for tool in asked[0]["tools"]][:2] == ["price", "add"]


def test_calls_wait_for_approval(tmp_path: Path) -> None:
    with shop(token=TOKEN) as server:
        (made,), _ = talks(tmp_path, ['use price {"article":"pen"}'], tool_of(server))
    assert [item["type"] for item in made] == ["mcp_list_tools", "mcp_approval_request", "mcp_call", "message"]
    assert made[2]["approval_request_id"] == made[1]["id"]
    assert "three euros" in made[3]["content"][0]["text"]


def test_refused_calls_are_not_made(tmp_path: Path) -> None:
    with shop(token=TOKEN) as server:
        (made,), _ = talks(tmp_path, ['use price {"article":"pen"}'], tool_of(server), approve=False)
    assert [item["type"] for item in made] == ["mcp_list_tools", "mcp_approval_request", "message"]
    assert "refused" in made[2]["content"][0]["text"]


def test_a_server_at_a_private_address_is_refused_and_the_talk_goes_on(tmp_path: Path) -> None:
    with shop(token=TOKEN) as server:
        tool = tool_of(server, require_approval="never")
        (made,), asked = talks(tmp_path, ["hello"], tool, allowed="elsewhere.example", listed="mcp_list_tools.failed")
    assert [item["type"] for item in made] == ["mcp_list_tools", "message"]
    assert made[0]["tools"] == []
    assert "tools" not in asked[0]


def test_openai_agents_python_lives_with_remote_tools(tmp_path: Path) -> None:
    with shop(token=TOKEN) as server:
        said = ['use price {"article":"pen"}', "use fail {}"]
        tool = tool_of(server, require_approval="never")
        (one, two), asked = talks(tmp_path, said, tool, client=("openai-agents", "mcp_agents_client.py"))
    assert [item["type"] for item in one] == ["mcp_call", "message"]
    assert "three euros" in one[1]["content"][0]["text"]
    assert two[0]["error"]["type"] == "tool_execution_error"
    assert len(asked) == 4


def agents_talks(folder: Path, said: list[str], server: McpServer, **job: Any) -> tuple[list[Any], list[Any]]:
    """Have @openai/agents hold talks with the product; returns what it came to know, and what the model was asked."""
    with model_server.running() as (url, asked):
        environment = {"VIVAVOCE_LLM_URL": url, "VIVAVOCE_ALLOW_PRIVATE": "127.0.0.1"}
        with servers.running(folder, tls=False, environment=environment) as product:
            recording, results = folder / "events.jsonl", folder / "results.json"
            given = {
                "ws_url": product.ws_url, "key": servers.KEY, "talks": said, "tool": tool_of(server), "patience": 30,
                "model": "gpt-realtime", "instructions": "Be brief.", "recording": str(recording),
                "results": str(results), **job,
            }  # fmt: skip
            project = environments.NODE_PROJECT
            recorder = (project / "recorder.mjs").as_uri()
            program = [str(environments.node()), "--import", recorder, str(project / "mcp_client.mjs")]
            outside = {name: value for name, value in os.environ.items() if not name.startswith("VIVAVOCE_")}
            outside["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
            ran = subprocess.run(
                [*program, json.dumps(given)], capture_output=True, text=True, timeout=120, check=False, env=outside
            )
            assert ran.returncode == 0, f"{ran.stderr}\n{product.log.read_text(encoding='utf-8')}"
    judge(recording)
    found = json.loads(results.read_text(encoding="utf-8"))
    failures = [told["failure"] for told in found.values() if "failure" in told]
    assert not failures, failures[0]
    return [found[text] for text in said], asked


def test_openai_agents_tells_what_remote_tools_said_once(tmp_path: Path) -> None:
    with shop(token=TOKEN) as server:
        said = ['use price {"article":"pen"}', 'use add {"a":1,"b":2} and use price {"article":"cup"}', "use fail {}"]
        (one, two, three), asked = agents_talks(tmp_path, said, server, approve=None, responses=2)
    assert one["tools"][:2] == ["price", "add"]
    assert [(call["name"], call["status"], call["output"]) for call in one["calls"]] == [
        ("price", "completed", "A pen costs three euros.")
    ]
    assert one["history"] == ["message", "mcp_call", "message"]
    assert one["told"] == ["I was told: A pen costs three euros."]
    assert [call["output"] for call in two["calls"]] == ["3", "A cup costs three euros."]
    assert two["told"] == ["I was told: 3 / A cup costs three euros."]
    assert "The call failed" in three["told"][0]
    # The SDK asks for an answer after each call, which it has by then: that comes to an empty response, and no prompt.
    assert [talk["statuses"] for talk in (one, two, three)] == [["completed", "completed"]] * 3
    assert len(asked) == 6


@pytest.mark.parametrize("approve", [True, False])
def test_openai_agents_decides_about_calls(approve: bool, tmp_path: Path) -> None:
    with shop(token=TOKEN) as server:
        responses = 3 if approve else 1
        (made,), _ = agents_talks(
            tmp_path, ['use price {"article":"pen"}'], server, approve=approve, responses=responses
        )
    assert made["approvals"] == 1
    assert [call["output"] for call in made["calls"]] == (["A pen costs three euros."] if approve else [])
    assert made["told"] == (["I was told: A pen costs three euros."] if approve else [])
