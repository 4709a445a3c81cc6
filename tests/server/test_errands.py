"""What a call has fetched from remote servers."""

from __future__ import annotations

import asyncio
from typing import Any

from callers import Desk, StringToolbox, settle
from vivavoce.core import reports as rp
from vivavoce.core.effects import CallTool, ListTools
from vivavoce.core.items import McpFault
from vivavoce.core.settings import McpServer
from vivavoce.server.errands import Errands

SHOP = {
    "type": "mcp", "server_label": "shop", "server_url": "https://shop.example", "require_approval": "never",
}  # fmt: skip


async def shopping(desk: Desk) -> str:
    """Have the client name a server, and the brain call a tool of it; returns the response's id."""
    desk.client("session.update", session={"type": "realtime", "tools": [SHOP]})
    await settle()
    response = await desk.ask()
    desk.brain.say(rp.Called(response, "look"))
    desk.brain.say(rp.Argued(response, '{"q":1}'))
    desk.brain.say(rp.Answered(response))
    desk.brain.queue(response).put_nowait(None)
    await settle()
    desk.leg.types()
    return response


async def test_tools_are_listed_called_and_told_of() -> None:
    async with Desk().at_work() as desk:
        response = await shopping(desk)
        assert desk.toolbox.called == [("look", '{"q":1}')]
        desk.toolbox.give("look", "two")
        await settle()
        assert desk.leg.types() == [
            "response.mcp_call.completed", "response.output_item.done", "conversation.item.done",
        ]  # fmt: skip
        assert [prompt.response_id for prompt in desk.brain.prompts] == [response, response]
    assert desk.toolbox.is_closed


async def test_a_tool_that_fails_is_told_of_and_the_brain_goes_on() -> None:
    async with Desk().at_work() as desk:
        await shopping(desk)
        desk.toolbox.give("look", McpFault("http_error", "It answers with HTTP 500.", 500))
        await settle()
        assert desk.leg.types()[0] == "response.mcp_call.failed"
        assert len(desk.brain.prompts) == 2


async def test_an_errand_that_is_not_wanted_any_more_is_dropped() -> None:
    async with Desk().at_work() as desk:
        await shopping(desk)
        desk.client("response.cancel")
        await settle()
        assert desk.toolbox.cancelled == ["look"]
        desk.toolbox.give("look", "late")
        await settle()
        assert "response.mcp_call.completed" not in desk.leg.types()


async def test_a_client_that_hangs_up_leaves_no_errand_behind() -> None:
    async with Desk().at_work() as desk:
        await shopping(desk)
    assert desk.toolbox.cancelled == ["look"]
    assert desk.toolbox.is_closed


async def test_a_bug_in_a_toolbox_ends_the_call() -> None:
    async with Desk().at_work() as desk:
        await shopping(desk)
        desk.toolbox.give("look", ZeroDivisionError("a bug"))
        await settle()
        assert desk.leg.closed == (1011, "internal error")


async def test_without_a_toolbox_everything_fails_at_once() -> None:
    told: list[Any] = []
    errands = Errands(None, told.append)
    server = McpServer("shop", "https://shop.example")
    async with asyncio.TaskGroup() as group:
        errands.run(ListTools("a", server), group)
        errands.run(CallTool("b", server, "look", "{}"), group)
    await errands.close()
    assert [type(report) for report in told] == [rp.ToolsUnavailable, rp.ToolFailed]


async def test_only_the_errand_that_is_meant_is_dropped() -> None:
    told: list[Any] = []
    toolbox = StringToolbox()
    errands = Errands(toolbox, told.append)
    server = McpServer("shop", "https://shop.example")
    async with asyncio.TaskGroup() as group:
        for item_id, name in (("a", "look"), ("b", "buy")):
            errands.run(CallTool(item_id, server, name, "{}"), group)
        await settle()
        errands.drop("a")
        errands.drop("nobody")
        toolbox.give("buy", "bought")
    assert told == [rp.ToolReturned("b", "bought")]
