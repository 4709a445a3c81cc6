"""Remote tools called within an answer: their order on the wire, rounds, failures and ends."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import NOTHING, Playbook, function, kinds
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.items import FunctionCall, FunctionCallOutput, McpFault, McpTool
from vivavoce.core.remote import MAX_CALLS, MAX_ROUNDS
from vivavoce.core.service import Abilities, Service

SHOP = {
    "type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp", "require_approval": "never",
}  # fmt: skip
R = "resp_1"
BROKEN = McpFault("http_error", "It answers with HTTP 500.", 500)


def asked(**session: Any) -> Playbook:
    """A session whose brain was asked for an answer, with two remote tools and a function; items count from 2."""
    play = Playbook(service=Service(Abilities(calls_mcp=True)))
    play.update(**{"tools": [SHOP, function("cook")], **session})
    play.report(rp.ToolsListed("item_1", (McpTool("look"), McpTool("buy"))))
    play.client("response.create")
    return play


def calls(play: Playbook, name: str, arguments: str = "{}") -> list[str]:
    return play.report(rp.Called(R, name)) + play.report(rp.Argued(R, arguments))


def test_a_remote_tool_is_called_and_the_brain_asked_again_within_one_response() -> None:
    play = asked()
    assert play.report(rp.Called(R, "look")) == [
        "response.output_item.added resp_1 0 item_2 shop.look() =None",
        "conversation.item.added item_2 shop.look() =None after item_1",
    ]
    assert play.report(rp.Argued(R, '{"q":')) == ['response.mcp_call_arguments.delta item_2 {"q":']
    assert play.report(rp.Argued(R, "1}")) == ["response.mcp_call_arguments.delta item_2 1}"]
    assert play.report(rp.Answered(R)) == [
        'response.mcp_call_arguments.done item_2 {"q":1}',
        "response.mcp_call.in_progress item_2",
        'CallTool item_2 shop.look({"q":1})',
    ]
    assert play.report(rp.ToolReturned("item_2", "two left")) == [
        "response.mcp_call.completed item_2",
        'response.output_item.done resp_1 0 item_2 shop.look({"q":1}) =two left',
        'conversation.item.done item_2 shop.look({"q":1}) =two left after item_1',
        "Answer resp_1",
    ]
    assert play.prompt.items == (
        FunctionCall("item_2", "item_2", "look", '{"q":1}'),
        FunctionCallOutput("item_2_output", "item_2", "two left"),
    )
    assert "response.done resp_1 completed" in play.report(rp.Answered(R))


def test_calls_of_one_answer_run_together_and_are_told_one_after_the_other() -> None:
    play = asked()
    calls(play, "look", '{"a":1}')
    assert calls(play, "buy", '{"b":2}') == NOTHING
    assert play.report(rp.Answered(R))[-2:] == [
        'CallTool item_2 shop.look({"a":1})',
        'CallTool item_3 shop.buy({"b":2})',
    ]
    assert play.report(rp.ToolReturned("item_3", "bought")) == NOTHING
    assert play.report(rp.ToolFailed("item_2", BROKEN)) == [
        "response.mcp_call.failed item_2",
        'response.output_item.done resp_1 0 item_2 shop.look({"a":1}) !http_error',
        'conversation.item.done item_2 shop.look({"a":1}) !http_error after item_1',
        "response.output_item.added resp_1 1 item_3 shop.buy() =None",
        "conversation.item.added item_3 shop.buy() =None after item_2",
        'response.mcp_call_arguments.delta item_3 {"b":2}',
        'response.mcp_call_arguments.done item_3 {"b":2}',
        "response.mcp_call.in_progress item_3",
        "response.mcp_call.completed item_3",
        'response.output_item.done resp_1 1 item_3 shop.buy({"b":2}) =bought',
        'conversation.item.done item_3 shop.buy({"b":2}) =bought after item_2',
        "Answer resp_1",
    ]


def test_what_is_said_before_a_call_comes_before_it_and_what_is_said_after_it_after_it() -> None:
    play = asked(output_modalities=["text"])
    play.report(rp.Said(R, "Let me see. "))
    calls(play, "look")
    assert play.report(rp.Said(R, "One ")) == NOTHING
    assert play.report(rp.Said(R, "moment.")) == NOTHING
    play.report(rp.Answered(R))
    lines = play.report(rp.ToolReturned("item_3", "two"))
    assert kinds(lines) == [
        "response.mcp_call.completed", "response.output_item.done", "conversation.item.done",
        "response.output_item.added", "conversation.item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.delta", "Answer",
    ]  # fmt: skip
    assert play.report(rp.Said(R, "Two are left."))[0] == "response.output_text.delta item_4 Two are left."


def test_a_call_without_arguments_has_an_empty_object() -> None:
    play = asked()
    play.report(rp.Called(R, "look"))
    assert play.report(rp.Answered(R)) == [
        "response.mcp_call_arguments.done item_2 {}",
        "response.mcp_call.in_progress item_2",
        "CallTool item_2 shop.look({})",
    ]


def test_functions_beside_remote_calls_end_the_response_when_those_have_returned() -> None:
    play = asked()
    calls(play, "look")
    assert calls(play, "cook", '{"n":1}') == NOTHING
    play.report(rp.Answered(R))
    assert play.report(rp.ToolReturned("item_2", "two"))[3:] == [
        "response.output_item.added resp_1 1 item_3 cook() in_progress",
        "conversation.item.added item_3 cook() in_progress after item_2",
        'response.function_call_arguments.delta item_3 {"n":1}',
        'response.function_call_arguments.done item_3 cook {"n":1}',
        'response.output_item.done resp_1 1 item_3 cook({"n":1}) completed',
        'conversation.item.done item_3 cook({"n":1}) completed after item_2',
        "response.done resp_1 completed",
        "rate_limits.updated",
    ]
    play.client("response.create")
    told = [item for item in play.prompt.items if isinstance(item, FunctionCall | FunctionCallOutput)]
    assert [item.call_id for item in told] == ["item_2", "item_2", "call_1"]


def test_a_function_called_before_a_remote_tool_ends_the_response_as_well() -> None:
    play = asked()
    calls(play, "cook")
    calls(play, "look")
    play.report(rp.Answered(R))
    assert play.report(rp.ToolReturned("item_3", "two"))[-2:] == [
        "response.done resp_1 completed",
        "rate_limits.updated",
    ]


def test_a_brain_that_never_stops_calling_is_stopped() -> None:
    play = asked()
    for number in range(MAX_ROUNDS):
        calls(play, "look")
        play.report(rp.Answered(R))
        lines = play.report(rp.ToolReturned(f"item_{number + 2}", "again"))
        assert (lines[-1] == "Answer resp_1") == (number + 1 < MAX_ROUNDS)
    assert lines[-2:] == ["response.done resp_1 failed too_many_tool_calls", "rate_limits.updated"]


def test_only_so_many_calls_run_at_a_time() -> None:
    play = asked()
    for _ in range(MAX_CALLS + 1):
        calls(play, "look")
    assert len([line for line in play.report(rp.Answered(R)) if line.startswith("CallTool")]) == MAX_CALLS
    lines: list[str] = []
    for number in range(MAX_CALLS):
        lines += play.report(rp.ToolReturned(f"item_{number + 2}", "ok"))
    assert [line for line in lines if line.startswith("response.output_item.done")][-1].endswith("!protocol_error")
    assert lines[-1] == "Answer resp_1"


def test_without_parallel_calls_only_the_first_is_made() -> None:
    play = asked(parallel_tool_calls=False)
    assert not play.prompt.parallel_tool_calls
    calls(play, "look")
    assert calls(play, "buy") == NOTHING
    assert calls(play, "cook") == NOTHING
    assert [line for line in play.report(rp.Answered(R)) if line.startswith("CallTool")] == [
        "CallTool item_2 shop.look({})"
    ]
    play.report(rp.ToolReturned("item_2", "two"))
    assert calls(play, "buy")[0] == "response.output_item.added resp_1 1 item_3 shop.buy() =None", "the next round"


def test_without_parallel_calls_only_the_first_function_is_called() -> None:
    play = asked(parallel_tool_calls=False)
    assert len(calls(play, "cook")) == 3
    assert calls(play, "cook") == NOTHING
    assert kinds(play.report(rp.Said(R, "Done.")))[:3] == [
        "response.function_call_arguments.done", "response.output_item.done", "conversation.item.done",
    ]  # fmt: skip


def test_a_brain_that_may_call_nothing_calls_nothing() -> None:
    play = asked(tool_choice="none")
    assert calls(play, "look") + calls(play, "cook") == NOTHING
    assert play.report(rp.Answered(R)) == ["response.done resp_1 completed", "rate_limits.updated"]


def test_a_call_that_was_demanded_is_not_demanded_again() -> None:
    play = asked(tool_choice="required")
    assert play.prompt.tool_choice == "required"
    calls(play, "look")
    play.report(rp.Answered(R))
    play.report(rp.ToolReturned("item_2", "two"))
    assert play.prompt.tool_choice == "auto"


def test_an_answer_that_is_cancelled_gives_its_calls_up_and_tells_of_all_that_began() -> None:
    play = asked()
    calls(play, "look")
    calls(play, "buy")
    calls(play, "buy", '{"n":2}')
    play.report(rp.Answered(R))
    play.report(rp.ToolReturned("item_3", "bought"))
    lines = play.client("response.cancel")
    assert lines[:4] == ["Abandon resp_1", "ClearPlayout", "DropTool item_2", "DropTool item_4"]
    assert lines[4] == "response.mcp_call.failed item_2"
    assert [line for line in lines if line.startswith("response.output_item.done")] == [
        "response.output_item.done resp_1 0 item_2 shop.look({}) !tool_execution_error",
        "response.output_item.done resp_1 1 item_3 shop.buy({}) =bought",
        'response.output_item.done resp_1 2 item_4 shop.buy({"n":2}) !tool_execution_error',
    ]
    assert lines[-2:] == ["response.done resp_1 cancelled client_cancelled", "rate_limits.updated"]
    assert play.report(rp.ToolReturned("item_2", "late")) == NOTHING


def test_a_call_whose_arguments_are_still_written_is_not_run_when_the_answer_ends() -> None:
    play = asked()
    play.report(rp.Called(R, "look"))
    play.report(rp.Argued(R, '{"q'))
    assert play.client("response.cancel") == [
        "Abandon resp_1",
        "ClearPlayout",
        'response.output_item.done resp_1 0 item_2 shop.look({"q) =None',
        'conversation.item.done item_2 shop.look({"q) =None after item_1',
        "response.done resp_1 cancelled client_cancelled",
        "rate_limits.updated",
    ]


@pytest.mark.parametrize("report", [rp.Broke(R, "llm_error", "broken"), rp.Answered(R, "max_output_tokens")])
def test_a_call_of_an_answer_that_ends_badly_is_not_run(report: rp.Report) -> None:
    play = asked()
    calls(play, "look")
    assert not [line for line in play.report(report) if "CallTool" in line or "in_progress" in line]
    assert isinstance(play.sent(ev.ResponseDone), ev.ResponseDone)


def test_the_users_voice_ends_calls_as_it_ends_speech() -> None:
    play = asked()
    calls(play, "look")
    play.report(rp.Answered(R))
    lines = play.speak()
    assert "DropTool item_2" in lines
    assert "response.done resp_1 cancelled turn_detected" in lines


def test_a_session_that_ends_gives_its_calls_up() -> None:
    play = asked()
    calls(play, "look")
    play.report(rp.Answered(R))
    assert "DropTool item_2" in play.time(3600.0)


def test_arguments_count_towards_the_limit() -> None:
    play = asked(max_output_tokens=4)
    play.report(rp.Called(R, "look"))
    lines = play.report(rp.Argued(R, '{"question": "what is it?"}'))
    assert lines[0].startswith("response.mcp_call_arguments.delta")
    assert lines[-2:] == ["response.done resp_1 incomplete max_output_tokens", "rate_limits.updated"]


def test_every_round_is_paid_for() -> None:
    play = asked()
    calls(play, "look")
    play.report(rp.Answered(R, spent=rp.Spent(100, 10, 50)))
    play.report(rp.ToolReturned("item_2", "two"))
    play.report(rp.Answered(R, spent=rp.Spent(120, 5, 100)))
    usage = play.sent(ev.ResponseDone).response.usage
    assert (usage.input_text_tokens, usage.output_text_tokens, usage.cached_tokens) == (220, 15, 150)


def test_an_answer_out_of_band_calls_tools_beside_the_conversation() -> None:
    play = asked()
    play.client("response.create", response={"conversation": "none", "input": []})
    assert play.report(rp.Called("resp_2", "look")) == ["response.output_item.added resp_2 0 item_2 shop.look() =None"]
    play.report(rp.Answered("resp_2"))
    assert play.report(rp.ToolReturned("item_2", "two"))[-1] == "Answer resp_2"
    assert [type(item) for item in play.prompt.items] == [FunctionCall, FunctionCallOutput]
    assert play.ids == ["item_1"]


def test_the_wire_has_what_strict_clients_insist_on() -> None:
    play = asked()
    play.report(rp.Called(R, "look"))
    added = play.messages()[0]["item"]
    assert added == {
        "id": "item_2", "type": "mcp_call", "server_label": "shop", "name": "look", "arguments": "", "output": None,
        "error": None,
    }  # fmt: skip
    play.report(rp.Argued(R, "{}"))
    assert play.messages()[0]["obfuscation"] == ""
    play.report(rp.Answered(R))
    play.report(rp.ToolFailed("item_2", McpFault("tool_execution_error", "Sold out.")))
    assert play.messages()[1]["item"]["error"] == {"type": "tool_execution_error", "message": "Sold out."}
    assert play.messages()[1]["item"]["output"] is None


def test_the_beta_shape_tells_nothing_of_remote_tools() -> None:
    play = Playbook(shape="beta", service=Service(Abilities(calls_mcp=True)))
    told: list[Any] = []

    def after(_: Any) -> list[str]:
        told.extend(play.messages())
        return [message["type"] for message in play.messages()]

    assert after(play.update(tools=[SHOP])) == ["session.updated"]
    assert after(play.report(rp.ToolsListed("item_1", (McpTool("look"),)))) == []
    after(play.add_text())
    assert told[-1]["previous_item_id"] is None
    after(play.client("response.create"))
    assert after(play.report(rp.Called(R, "look"))) == []
    assert after(play.report(rp.Answered(R))) == []
    assert after(play.report(rp.ToolReturned("item_3", "two"))) == []
    after(play.report(rp.Said(R, "Two.")))
    (added,) = [message for message in told if message["type"] == "conversation.item.created"][1:]
    assert added["previous_item_id"] == "item_2"
    after(play.report(rp.Answered(R)))
    (done,) = [message for message in told if message["type"] == "response.done"]
    assert [item["type"] for item in done["response"]["output"]] == ["message"]
