"""How long a remote server is waited for, whatever it is that does not come; what it says is asked in tests/interop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from vivavoce.core.reports import ToolFailed, ToolsUnavailable
from vivavoce.core.settings import McpServer
from vivavoce.engines import mcp
from vivavoce.engines.mcp import TIMED_OUT, Bounds, RemoteToolbox

SHOP = McpServer("shop", "https://shop.example/mcp", authorization="a-secret")
BOUNDS = Bounds(list_seconds=0.2, call_seconds=0.2)


class Stuck:
    """Blocks whatever thread calls it until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    made = Stuck()
    yield made
    made.over.set()


async def asked(box: RemoteToolbox) -> tuple[str, int | None]:
    """Ask for the tools, which cannot be had; returns why, having seen that it came in time."""
    began = monotonic()
    failed = await box.list_tools("item_1", SHOP)
    assert monotonic() - began < BOUNDS.list_seconds + 1.0
    assert isinstance(failed, ToolsUnavailable)
    return failed.fault.message, failed.fault.code


async def test_a_name_server_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, stuck: Stuck
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", stuck)
    box = RemoteToolbox(bounds=BOUNDS)
    for _ in range(3):
        assert await asked(box) == ("The MCP server did not answer within 0.2 seconds.", TIMED_OUT)
    await box.close()


async def test_a_library_that_is_still_being_imported_is_not_waited_for_beyond_the_bound(
    monkeypatch: pytest.MonkeyPatch, stuck: Stuck
) -> None:
    loading = mcp.apart("mcp", stuck)
    monkeypatch.setattr(mcp, "_library", lambda: loading)
    box = RemoteToolbox(bounds=BOUNDS)
    assert (await asked(box))[1] == TIMED_OUT
    failed = await box.call_tool("item_2", SHOP, "look", "{}")
    assert isinstance(failed, ToolFailed)
    assert failed.fault.code == TIMED_OUT
    await box.close()


async def test_threads_that_are_busy_with_something_else_keep_no_server_from_being_asked(
    monkeypatch: pytest.MonkeyPatch, stuck: Stuck
) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(64):
        loop.run_in_executor(None, stuck).add_done_callback(lambda done: done.exception())
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("127.0.0.1", 443))])
    mcp._library.cache_clear()
    box = RemoteToolbox(bounds=Bounds(list_seconds=20.0))
    failed = await box.list_tools("item_1", SHOP)
    assert isinstance(failed, ToolsUnavailable)
    assert "may not be reached" in failed.fault.message
    await box.close()
    stuck.over.set()  # the loop waits for its threads


async def test_what_turns_back_slowly_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    take_your_time, turned_back = asyncio.Event(), asyncio.Event()

    async def slow(line: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await take_your_time.wait()
            turned_back.set()

    monkeypatch.setattr(mcp._Line, "list_tools", slow)
    box = RemoteToolbox(bounds=BOUNDS)
    assert (await asked(box))[1] == TIMED_OUT
    assert not turned_back.is_set()
    take_your_time.set()
    await box.close()
    assert turned_back.is_set(), "the connections are closed when all has ended"


async def test_whoever_waits_for_a_connection_that_another_gave_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    opening = asyncio.Event()

    async def never(self: Any) -> Any:
        opening.set()
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(mcp._Line, "_opened", mcp.contextlib.asynccontextmanager(never))
    box = RemoteToolbox(bounds=Bounds(list_seconds=20.0))
    waiting = asyncio.create_task(box.list_tools("item_1", SHOP))
    await opening.wait()
    (line,) = box._lines.values()
    line.give_up_connecting()
    failed = await waiting
    assert isinstance(failed, ToolsUnavailable)
    assert failed.fault.message == "The connection to the MCP server was given up."
    await box.close()


async def test_an_errand_that_is_dropped_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def endless(line: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(mcp._Line, "list_tools", endless)
    box = RemoteToolbox(bounds=Bounds(list_seconds=20.0))
    waiting = asyncio.create_task(box.list_tools("item_1", SHOP))
    await begun.wait()
    waiting.cancel()
    await asyncio.wait((waiting,))
    assert waiting.cancelled()
    await box.close()
    assert not box._left


async def test_why_tools_cannot_be_had_is_logged_without_secrets(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", nobody)
    box = RemoteToolbox()
    with caplog.at_level("WARNING", "vivavoce.mcp"):
        assert isinstance(await box.list_tools("item_1", SHOP), ToolsUnavailable)
    assert caplog.messages == [
        "MCP server 'shop' does not tell its tools: The MCP server cannot be reached: its name has no address."
    ]
    assert "a-secret" not in caplog.text
    await box.close()


async def test_who_leaves_says_no_goodbye_to_a_server_that_never_answered(
    monkeypatch: pytest.MonkeyPatch, stuck: Stuck
) -> None:
    loop, asked_for = asyncio.get_running_loop(), asyncio.Event()

    def resolve(*_: Any, **__: Any) -> Any:
        loop.call_soon_threadsafe(asked_for.set)
        return stuck()

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    box = RemoteToolbox(bounds=Bounds(list_seconds=20.0))
    waiting = asyncio.create_task(box.list_tools("item_1", SHOP))
    await asked_for.wait()
    began = monotonic()
    await box.close()
    assert monotonic() - began < mcp._CLOSE_SECONDS
    failed = await waiting
    assert isinstance(failed, ToolsUnavailable)
    assert failed.fault.message == "The connection to the MCP server was given up."
