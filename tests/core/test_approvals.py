"""Calls of remote tools that the application has to approve: asked for, decided, run or refused."""

from __future__ import annotations

from typing import Any

from playbook import NOTHING, Playbook, function
from vivavoce.core import reports as rp
from vivavoce.core.items import FunctionCall, FunctionCallOutput, McpTool
from vivavoce.core.service import Abilities, Service

SHOP = {
    "type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp",
    "require_approval": {"never": {"tool_names": ["look"]}},
}  # fmt: skip
R = "resp_1"


def asked(**response: Any) -> Playbook:
    play = Playbook(service=Service(Abilities(calls_mcp=True)))
    play.update(tools=[SHOP, function("cook")])
    play.report(rp.ToolsListed("item_1", (McpTool("look"), McpTool("buy"))))
    play.client("response.create", response=response or None)
    return play


def wish(play: Playbook, arguments: str = "{}", response_id: str = R) -> None:
    assert play.report(rp.Called(response_id, "buy")) == NOTHING
    assert play.report(rp.Argued(response_id, arguments)) == NOTHING


def decide(play: Playbook, request: str, approve: bool, **fields: Any) -> list[str]:
    item = {"type": "mcp_approval_response", "approval_request_id": request, "approve": approve, **fields}
    return play.client("conversation.item.create", item=item)


def test_a_call_that_needs_approval_is_asked_for_and_ends_the_response() -> None:
    play = asked()
    wish(play, '{"n":1}')
    assert play.report(rp.Answered(R)) == [
        'response.output_item.added resp_1 0 item_2 shop.buy({"n":1})?',
        'conversation.item.added item_2 shop.buy({"n":1})? after item_1',
        'response.output_item.done resp_1 0 item_2 shop.buy({"n":1})?',
        'conversation.item.done item_2 shop.buy({"n":1})? after item_1',
        "response.done resp_1 completed",
        "rate_limits.updated",
    ]


def test_an_approved_call_runs_in_a_response_of_its_own_which_goes_on() -> None:
    play = asked()
    wish(play, '{"n":1}')
    play.report(rp.Answered(R))
    assert decide(play, "item_2", True) == [
        "conversation.item.added item_3 yes to item_2 after item_2",
        "conversation.item.done item_3 yes to item_2 after item_2",
        "response.created resp_2 in_progress",
        "rate_limits.updated early",
        "response.output_item.added resp_2 0 item_4 shop.buy() =None",
        "conversation.item.added item_4 shop.buy() =None after item_3",
        'response.mcp_call_arguments.delta item_4 {"n":1}',
        'response.mcp_call_arguments.done item_4 {"n":1}',
        "response.mcp_call.in_progress item_4",
        'CallTool item_4 shop.buy({"n":1})',
    ]
    assert play.item("item_4").approval_request_id == "item_2"
    assert play.report(rp.ToolReturned("item_4", "bought"))[-1] == "Answer resp_2"
    assert play.prompt.items == (
        FunctionCall("item_4", "item_4", "buy", '{"n":1}'),
        FunctionCallOutput("item_4_output", "item_4", "bought"),
    )


def test_a_refused_call_is_told_to_the_brain_in_the_next_response() -> None:
    play = asked()
    wish(play)
    play.report(rp.Answered(R))
    assert decide(play, "item_2", False, reason="Not today.") == [
        "conversation.item.added item_3 no to item_2 after item_2",
        "conversation.item.done item_3 no to item_2 after item_2",
    ]
    assert play.client("response.create")[-1] == "Answer resp_2"
    assert play.prompt.items[-1] == FunctionCallOutput(
        "item_2_output", "item_2", "The user refused this call. Not today."
    )


def test_the_requests_of_one_response_are_run_when_all_are_decided() -> None:
    play = asked()
    wish(play, '{"n":1}')
    wish(play, '{"n":2}')
    wish(play, '{"n":3}')
    play.report(rp.Answered(R))
    assert len(decide(play, "item_2", True)) == 2
    assert len(decide(play, "item_3", False)) == 2
    assert [line for line in decide(play, "item_4", True) if line.startswith("CallTool")] == [
        'CallTool item_8 shop.buy({"n":1})',
        'CallTool item_9 shop.buy({"n":3})',
    ]


def test_a_call_that_runs_at_once_beside_a_request_does_so_before_the_response_ends() -> None:
    play = asked()
    play.report(rp.Called(R, "look"))
    wish(play)
    assert play.report(rp.Answered(R))[-1] == "CallTool item_2 shop.look({})"
    lines = play.report(rp.ToolReturned("item_2", "two"))
    assert lines[3] == "response.output_item.added resp_1 1 item_3 shop.buy({})?"
    assert lines[-2:] == ["response.done resp_1 completed", "rate_limits.updated"]


def test_a_decision_during_another_response_waits_for_its_end() -> None:
    play = asked()
    wish(play)
    play.report(rp.Answered(R))
    play.client("response.create")
    assert len(decide(play, "item_2", True)) == 2
    assert "CallTool item_4 shop.buy({})" in play.report(rp.Answered("resp_2"))


def test_a_response_that_the_client_asks_for_runs_what_was_approved_meanwhile() -> None:
    play = asked()
    wish(play)
    wish(play)
    play.report(rp.Answered(R))
    decide(play, "item_2", True)
    assert play.client("response.create")[-1] == "CallTool item_5 shop.buy({})"
    play.report(rp.ToolReturned("item_5", "bought"))
    outputs = [item.output for item in play.prompt.items if isinstance(item, FunctionCallOutput)]
    assert outputs == ["The user has not approved this call yet.", "bought"]


def test_functions_beside_a_request_are_waited_for() -> None:
    play = asked()
    play.report(rp.Called(R, "cook", "call_c"))
    wish(play)
    play.report(rp.Answered(R))
    assert len(decide(play, "item_3", True)) == 2
    play.client("conversation.item.create", item={"type": "function_call_output", "call_id": "call_c", "output": "ok"})
    assert play.client("response.create")[-1].startswith("CallTool")


def test_an_approval_out_of_band_goes_on_out_of_band() -> None:
    play = asked(conversation="none", metadata={"topic": "x"}, input=[])
    wish(play)
    play.report(rp.Answered(R))
    lines = decide(play, "item_2", True)
    assert lines[-1] == "CallTool item_4 shop.buy({})"
    assert not [line for line in lines if line.startswith("conversation.item.added item_4")]
    assert play.report(rp.ToolReturned("item_4", "bought"))[-1] == "Answer resp_2"
    assert [type(item) for item in play.prompt.items] == [FunctionCall, FunctionCallOutput]
    play.report(rp.Answered("resp_2"))
    assert play.messages()[0]["response"]["metadata"] == {"topic": "x"}


def test_a_decision_about_nothing_or_about_what_is_decided_is_refused() -> None:
    play = asked()
    wish(play)
    play.report(rp.Answered(R))
    assert decide(play, "item_1", True) == ["error invalid_value item.approval_request_id"]
    assert decide(play, "nowhere", False) == ["error invalid_value item.approval_request_id"]
    assert len(decide(play, "item_2", False)) == 2
    assert decide(play, "item_2", True) == ["error invalid_value item.approval_request_id"]
    assert "decided before" in play.error.message


def test_a_request_that_was_deleted_cannot_be_approved() -> None:
    play = asked()
    wish(play)
    play.report(rp.Answered(R))
    play.client("conversation.item.delete", item_id="item_2")
    assert decide(play, "item_2", True) == ["error invalid_value item.approval_request_id"]


def test_a_conversation_that_is_brought_along_may_have_had_all_of_it() -> None:
    play = Playbook()
    call = {"server_label": "shop", "name": "buy", "arguments": "{}"}
    for item in (
        {"type": "mcp_list_tools", "server_label": "shop", "tools": [{"name": "buy", "input_schema": {}}]},
        {"type": "mcp_approval_request", "id": "wish", **call},
        {"type": "mcp_approval_response", "approval_request_id": "wish", "approve": True},
        {"type": "mcp_call", **call, "approval_request_id": "wish", "output": "bought"},
        {"type": "mcp_call", **call, "output": None, "error": {"type": "http_error", "code": 500, "message": "broken"}},
    ):
        lines = play.client("conversation.item.create", item=item)
        assert [line.split(" ")[0] for line in lines] == ["conversation.item.added", "conversation.item.done"]
    play.client("response.create")
    outputs = [item.output for item in play.prompt.items if isinstance(item, FunctionCallOutput)]
    assert outputs == ["bought", "The call failed: broken"]
