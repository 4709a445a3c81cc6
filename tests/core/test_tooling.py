"""Which remote servers are asked for their tools, what a brain is offered of them, and what it is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from playbook import NOTHING, Playbook, function
from vivavoce.core import effects as ef
from vivavoce.core import reports as rp
from vivavoce.core.conversation import Entry
from vivavoce.core.items import (
    FunctionCall,
    FunctionCallOutput,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpFault,
    McpListTools,
    McpTool,
)
from vivavoce.core.service import Abilities, Service
from vivavoce.core.settings import McpServer, ToolFilter
from vivavoce.core.tooling import KEPT_LISTS, Target, as_told, needs_approval, offered_names

SERVICE = Service(Abilities(calls_mcp=True))
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
LOOK = McpTool("look", SCHEMA, "Looks.", {"readOnlyHint": True})
BUY = McpTool("buy", {"type": "object"})


def server(label: str = "shop", **fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": label, "server_url": f"https://{label}.example/mcp", **fields}


def session(*tools: dict[str, Any]) -> Playbook:
    play = Playbook(service=SERVICE)
    play.update(tools=list(tools))
    return play


def listed(*tools: McpTool, item_id: str = "item_1") -> rp.ToolsListed:
    return rp.ToolsListed(item_id, tools)


def offered(play: Playbook, **response: Any) -> list[str]:
    """The names of what the brain is offered in a response of its own."""
    play.client("response.create", response={"conversation": "none", **response})
    return [tool.name for tool in play.prompt.tools]


def test_a_server_that_the_session_names_is_asked_for_its_tools() -> None:
    play = Playbook(service=SERVICE)
    assert play.update(tools=[server()]) == [
        "session.updated",
        "conversation.item.added item_1 shop[] after None",
        "mcp_list_tools.in_progress item_1",
        "ListTools item_1 shop",
    ]
    assert play.report(listed(LOOK, BUY)) == [
        "mcp_list_tools.completed item_1",
        "conversation.item.done item_1 shop[look buy] after None",
        "Expect",
    ]


def test_a_server_is_asked_once_however_often_it_is_named() -> None:
    play = session(server())
    assert play.update(tools=[server()]) == ["session.updated"]
    play.report(listed(LOOK))
    assert play.update(tools=[server(allowed_tools=["buy"])]) == ["session.updated", "Expect"]
    assert play.update(tools=[]) == ["session.updated"]
    assert play.update(tools=[server()]) == ["session.updated", "Expect"]


def phrases(effects: list[Any]) -> list[tuple[str, ...]]:
    """The phrases of each vocabulary that the ears are told to expect."""
    return [effect.vocabulary.phrases for effect in effects if isinstance(effect, ef.Expect)]


def test_the_ears_expect_the_names_and_values_of_tools_that_were_listed() -> None:
    play = session(server(allowed_tools=["look", "pick"]), function("cook"))
    assert phrases(play.last) == [("cook",)]
    pick = McpTool("pick", {"properties": {"colour": {"enum": ["dark_red", "blue"]}}}, "Picks.")
    play.report(listed(LOOK, BUY, pick))
    assert phrases(play.last) == [("cook", "look", "pick", "dark red", "blue")]
    play.update(tools=[server(allowed_tools=["look"])])
    assert phrases(play.last) == [("look",)]
    play.update(voice="ash")
    assert phrases(play.last) == []


def test_audio_is_understood_with_the_tools_that_were_listed() -> None:
    play = session(server())
    play.report(listed(LOOK))
    play.update(audio={"input": {"turn_detection": None}})
    play.append(200)
    (begun,) = (effect for effect in play.last if isinstance(effect, ef.Transcribe))
    assert begun.vocabulary == ef.Vocabulary((), ("look",))
    spoken = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}
    play.client("conversation.item.create", item=spoken)
    (asked,) = (effect for effect in play.last if isinstance(effect, ef.Recognise))
    assert asked.vocabulary.phrases == ("look",)
    play.client("response.create", response={"conversation": "none", "input": [spoken]})
    (asked,) = (effect for effect in play.last if isinstance(effect, ef.Recognise))
    assert asked.vocabulary.phrases == ("look",)


def test_other_credentials_make_it_another_server() -> None:
    play = session(server(authorization="one"))
    assert "ListTools item_2 shop" in play.update(tools=[server(authorization="two")])
    assert "ListTools item_3 shop" in play.update(tools=[server(authorization="two", headers={"x-team": "a"})])


FAILED = rp.ToolsUnavailable("item_1", McpFault("http_error", "The MCP server answered with HTTP 500.", 500))


def test_a_server_that_cannot_be_asked_is_told_of_and_asked_again_when_it_is_named_again() -> None:
    play = session(server())
    assert play.report(FAILED) == ["mcp_list_tools.failed item_1", "conversation.item.done item_1 shop[] after None"]
    assert play.update(instructions="Be brief.") == ["session.updated", "Expect"]
    assert play.update(tools=[server()]) == [
        "session.updated",
        "conversation.item.added item_2 shop[] after item_1",
        "mcp_list_tools.in_progress item_2",
        "ListTools item_2 shop",
    ]


def test_answers_do_not_wait_for_a_server_that_has_just_failed() -> None:
    play = session(server())
    play.now = 10.0
    play.report(FAILED)
    asked = []
    for now in (11.0, 39.9, 40.0):
        play.now = now
        lines = play.client("response.create")
        asked.append("ListTools item_2 shop" in lines)
        if not asked[-1]:
            assert lines[-1] == f"Answer resp_{len(asked)}"
            play.report(rp.Answered(f"resp_{len(asked)}"))
    assert asked == [False, False, True]
    assert play.report(listed(LOOK, item_id="item_2"))[-1] == "Answer resp_3"
    assert [tool.name for tool in play.prompt.tools] == ["look"]


def test_a_server_that_keeps_failing_is_left_alone_for_longer_and_longer() -> None:
    play = session(server())
    waits = []
    for number in range(1, 8):
        play.report(msgspec.structs.replace(FAILED, item_id=f"item_{number}"))
        failed_at, lines = play.now, NOTHING
        while f"ListTools item_{number + 1} shop" not in lines:
            play.now += 10.0
            lines = play.client("response.create")
            play.client("response.cancel")
        waits.append(play.now - failed_at)
    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_a_server_that_answers_again_has_a_clean_slate() -> None:
    play = session(server())
    play.report(FAILED)
    play.update(tools=[server()])
    play.report(listed(LOOK, item_id="item_2"))
    assert offered(play) == ["look"]
    assert play.session._tooling._outages == {}


def test_outages_are_remembered_in_bounded_number() -> None:
    play = session()
    for number in range(KEPT_LISTS + 5):
        play.update(tools=[server(authorization=f"key {number}")])
        play.report(msgspec.structs.replace(FAILED, item_id=f"item_{number + 1}"))
    assert len(play.session._tooling._outages) == KEPT_LISTS


def test_late_and_unknown_lists_are_ignored() -> None:
    play = session(server())
    play.report(listed(LOOK))
    assert play.report(listed(BUY)) == NOTHING
    assert play.report(listed(BUY, item_id="item_9")) == NOTHING
    assert play.report(rp.ToolsUnavailable("item_1", McpFault("protocol_error", "late"))) == NOTHING
    assert offered(play) == ["look"]


def test_a_list_that_was_deleted_meanwhile_is_done_all_the_same() -> None:
    play = session(server())
    play.client("conversation.item.delete", item_id="item_1")
    assert play.report(listed(LOOK)) == [
        "mcp_list_tools.completed item_1",
        "conversation.item.done item_1 shop[look] after None",
        "Expect",
    ]
    assert play.ids == []


def test_a_session_that_ends_waits_for_no_server() -> None:
    play = session(server("one"), server("two"))
    play.report(listed(LOOK))
    lines = play.time(3600.0)
    assert lines[1:4] == [
        "DropTool item_2",
        "mcp_list_tools.failed item_2",
        "conversation.item.done item_2 two[] after item_1",
    ]


def test_an_answer_waits_for_the_lists_of_its_servers() -> None:
    play = session(server("one"), server("two"))
    assert play.client("response.create") == ["response.created resp_1 in_progress", "rate_limits.updated early"]
    assert "Answer resp_1" not in play.report(listed(LOOK))
    assert play.report(rp.ToolsUnavailable("item_2", McpFault("http_error", "gone")))[-1] == "Answer resp_1"
    assert [tool.name for tool in play.prompt.tools] == ["look"]


def test_an_answer_that_brings_a_server_has_it_asked_first() -> None:
    play = Playbook(service=SERVICE)
    assert play.client("response.create", response={"tools": [server()]}) == [
        "conversation.item.added item_1 shop[] after None",
        "mcp_list_tools.in_progress item_1",
        "ListTools item_1 shop",
        "response.created resp_1 in_progress",
        "rate_limits.updated early",
    ]
    assert play.report(listed(LOOK))[-1] == "Answer resp_1"
    play.report(rp.Answered("resp_1"))
    assert offered(play) == [], "it was for that answer alone"


def test_an_answer_without_servers_waits_for_none() -> None:
    play = session(server())
    assert play.client("response.create", response={"tools": []})[-1] == "Answer resp_1"


def test_servers_without_credentials_of_the_server_are_refused_where_none_can_be_reached() -> None:
    play = Playbook()
    assert play.update(tools=[server()]) == ["error invalid_value session.tools"]
    assert play.client("response.create", response={"tools": [server()]}) == ["error invalid_value response.tools"]


def test_only_allowed_tools_are_shown_and_offered() -> None:
    play = session(server(allowed_tools=["buy"]))
    assert play.report(listed(LOOK, BUY))[1] == "conversation.item.done item_1 shop[buy] after None"
    assert offered(play) == ["buy"]
    play.update(tools=[server(allowed_tools={"read_only": True})])
    assert offered(play) == ["look"]
    play.update(tools=[server(allowed_tools={"tool_names": ["buy"], "read_only": True})])
    assert offered(play) == []
    play.update(tools=[server(allowed_tools=[])])
    assert offered(play) == []


def test_functions_come_first_and_keep_their_names() -> None:
    play = session(server("one"), function("look"), server("two"), function("cook"))
    play.report(listed(LOOK, BUY))
    play.report(listed(BUY, item_id="item_2"))
    assert offered(play) == ["look", "cook", "one_look", "one_buy", "two_buy"]
    assert play.prompt.tools[2].parameters == SCHEMA


def test_names_are_told_apart_whatever_servers_call_their_tools() -> None:
    one, two = McpServer("my shop", "https://one.example"), McpServer("my/shop", "https://two.example")
    targets = [Target(one, "a.b", False), Target(two, "a.b", False), Target(one, "a/b", False), Target(one, "", False)]
    assert offered_names([], targets) == ["my_shop_a_b", "my_shop_a_b_2", "my_shop_a_b_3", "tool"]
    long = [Target(one, "n" * 128, False)]
    assert offered_names([], long) == ["n" * 64]
    (name,) = offered_names(["n" * 64, f"my_shop_{'n' * 56}"], long)
    assert name == f"my_shop_{'n' * 52}_2"


def test_none_offers_nothing() -> None:
    play = session(server(), function())
    play.report(listed(LOOK))
    assert offered(play, tool_choice="none") == []
    assert play.prompt.tool_choice == "none"


def test_a_server_can_be_demanded_or_one_of_its_tools() -> None:
    play = session(server("one"), server("two"), function("cook"))
    play.report(listed(LOOK, BUY))
    play.report(listed(BUY, item_id="item_2"))
    assert offered(play, tool_choice={"type": "mcp", "server_label": "one"}) == ["look", "one_buy"]
    assert play.prompt.tool_choice == "required"
    assert offered(play, tool_choice={"type": "mcp", "server_label": "two", "name": "buy"}) == ["two_buy"]
    assert play.prompt.tool_choice == {"type": "function", "name": "two_buy"}


@pytest.mark.parametrize("choice", [{"type": "mcp", "server_label": "two"}, {"type": "function", "name": "look"}])
def test_what_is_not_there_cannot_be_demanded(choice: dict[str, Any]) -> None:
    play = session(server())
    assert play.update(tool_choice=choice) == ["error invalid_value session.tool_choice"]
    assert play.client("response.create", response={"tool_choice": choice}) == [
        "error invalid_value response.tool_choice"
    ]


def test_an_answer_that_must_call_a_server_that_failed_is_told_why_it_cannot() -> None:
    play = session(server())
    play.report(FAILED)
    play.client("response.create", response={"tool_choice": {"type": "mcp", "server_label": "shop"}})
    error = play.messages()[-2]["response"]["status_details"]["error"]
    assert error["message"] == (
        "MCP server 'shop' has no tools that may be used. The MCP server answered with HTTP 500."
    )


def test_an_answer_fails_when_the_tool_that_it_must_call_turns_out_not_to_be_there() -> None:
    play = session(server())
    play.client("response.create", response={"tool_choice": {"type": "mcp", "server_label": "shop", "name": "sell"}})
    assert play.report(listed(LOOK))[2:] == [
        "Expect",
        "response.done resp_1 failed mcp_tool_unavailable",
        "rate_limits.updated",
    ]
    assert "'sell'" in play.messages()[2]["response"]["status_details"]["error"]["message"]


@pytest.mark.parametrize(
    ("always", "never", "asks"),
    [
        (None, None, (True, True)),
        (None, ToolFilter(), (False, False)),
        (None, ToolFilter(("look",)), (False, True)),
        (None, ToolFilter(read_only=True), (False, True)),
        (ToolFilter(("look",)), None, (True, True)),
        (ToolFilter(("look",)), ToolFilter(), (True, False)),
        (ToolFilter(), ToolFilter(), (True, True)),
    ],
)
def test_in_doubt_calls_have_to_be_approved(
    always: ToolFilter | None, never: ToolFilter | None, asks: tuple[bool, bool]
) -> None:
    there = McpServer("shop", "https://shop.example", always_ask=always, never_ask=never)
    assert (needs_approval(there, LOOK), needs_approval(there, BUY)) == asks


def test_brains_are_told_of_remote_calls_as_of_functions() -> None:
    there = McpServer("shop", "https://shop.example")
    fault = McpFault("tool_execution_error", "Sold out.")
    items = [
        McpListTools("l", "shop", (LOOK,)),
        McpCall("a", "shop", "look", "{}", None, "two", None),
        McpCall("b", "shop", "buy", "{}", "r", None, fault),
        McpApprovalRequest("r", "shop", "buy", "{}"),
        McpApprovalResponse("y", "r", True),
        McpApprovalRequest("s", "shop", "buy", '{"n":2}'),
        McpApprovalResponse("z", "s", False, "Too dear."),
        McpApprovalRequest("t", "other", "a.b", "{}"),
        McpCall("c", "shop", "look", "{}"),
    ]
    told = as_told([Entry(item, 1.5) for item in items], {"shop_look": Target(there, "look", False)})
    assert [entry.item for entry in told] == [
        FunctionCall("a", "a", "shop_look", "{}"),
        FunctionCallOutput("a_output", "a", "two"),
        FunctionCall("b", "b", "buy", "{}"),
        FunctionCallOutput("b_output", "b", "The call failed: Sold out."),
        FunctionCall("s", "s", "buy", '{"n":2}'),
        FunctionCallOutput("s_output", "s", "The user refused this call. Too dear."),
        FunctionCall("t", "t", "a_b", "{}"),
        FunctionCallOutput("t_output", "t", "The user has not approved this call yet."),
        FunctionCall("c", "c", "shop_look", "{}"),
        FunctionCallOutput("c_output", "c", "The call did not return."),
    ]
    assert {entry.said_at for entry in told} == {1.5}


def test_settings_that_change_for_ever_fill_nothing() -> None:
    play = Playbook(service=SERVICE)
    for number in range(100):
        play.update(tools=[server(f"s{number}")])
        play.report(listed(LOOK, item_id=f"item_{number + 1}"))
    assert len(play.session._tooling._lists) <= 65
    assert offered(play) == ["look"]


def test_no_credential_shows_in_a_traceback() -> None:
    play = session(server(authorization="geheim", headers={"x-key": "geheim"}))
    assert "geheim" not in repr(play.last)
