"""What of a conversation a model is told when its context is too small for all of it."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import Playbook, function, user
from vivavoce.core import reports as rp
from vivavoce.core.context import Window
from vivavoce.core.effects import Prompt
from vivavoce.core.errors import ProtocolError
from vivavoce.core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputText,
    Item,
    Message,
    OutputAudio,
)
from vivavoce.core.service import Abilities, Service
from vivavoce.core.settings import Tool

HUNDRED = "x" * 384
"""96 tokens of text, with what a message takes besides 100."""


def text(id_: str) -> Message:
    return Message(id_, "user", (InputText(HUNDRED),))


def call(call_id: str) -> FunctionCall:
    return FunctionCall(f"do_{call_id}", call_id, "", HUNDRED)


def output(call_id: str) -> FunctionCallOutput:
    return FunctionCallOutput(f"did_{call_id}", call_id, HUNDRED)


def prompt(*items: Item | str, **fields: Any) -> Prompt:
    made = tuple(text(item) if isinstance(item, str) else item for item in items)
    return Prompt("resp", "sess", "m", fields.pop("instructions", ""), made, (0.0,) * len(made), 0.0, **fields)


def kept(window: Window, asked: Prompt, truncation: Any = "auto", **fields: bool) -> list[str]:
    fitted = window.fit(asked, truncation, is_whole=fields.pop("is_whole", True), **fields)
    assert len(fitted.said_at) == len(fitted.items)
    return [item.id for item in fitted.items]


def test_what_fits_is_told() -> None:
    assert kept(Window(1000), prompt(*"abcdefg")) == list("abcdefg")


def test_the_oldest_items_that_do_not_fit_are_left_out() -> None:
    # A quarter of the context is for the answer.
    assert kept(Window(1000), prompt(*"abcdefgh")) == list("bcdefgh")


@pytest.mark.parametrize(("most", "left"), [(None, 7), (100, 9), (400, 6), (900, 5)])
def test_an_answer_is_given_the_room_that_it_may_take_but_half_of_it_at_most(most: int | None, left: int) -> None:
    assert len(kept(Window(1000), prompt(*"abcdefghij", max_output_tokens=most))) == left


def test_a_large_context_keeps_no_more_free_than_an_answer_ever_takes() -> None:
    assert len(kept(Window(4 * 4096), prompt(*(str(n) for n in range(200))))) == 122
    assert len(kept(Window(128_000), prompt(*(str(n) for n in range(2000))))) == 1239


def test_instructions_and_tools_are_never_left_out() -> None:
    asked = prompt(*"abcdefgh", instructions=HUNDRED, tools=(Tool(HUNDRED, HUNDRED, {}),))
    fitted = Window(1000).fit(asked, "auto", is_whole=True)
    assert [item.id for item in fitted.items] == list("efgh")
    assert (fitted.instructions, fitted.tools) == (asked.instructions, asked.tools)


def test_a_call_goes_together_with_its_output() -> None:
    assert kept(Window(1000), prompt(call("1"), "b", "c", output("1"), *"defg")) == list("bcdefg")


def test_calls_made_at_once_go_each_for_itself() -> None:
    items = (call("1"), call("2"), output("1"), output("2"), *"bcde")
    assert kept(Window(1000), prompt(*items)) == ["do_2", "did_2", *"bcde"]


def test_an_output_whose_call_is_gone_goes_alone() -> None:
    assert kept(Window(1000), prompt(output("1"), *"abcdefg")) == list("abcdefg")


def test_the_newest_item_stays_whatever_its_size() -> None:
    long = Message("long", "user", (InputText(HUNDRED * 20),))
    assert kept(Window(1000), prompt(*"abc", long)) == ["long"]
    huge = FunctionCallOutput("did_1", "1", HUNDRED * 20)
    assert kept(Window(1000), prompt("a", call("1"), "b", huge)) == ["do_1", "did_1"]


def test_sound_counts_by_its_length_and_by_its_words_where_they_are_more() -> None:
    second = InputAudio(bytes(48_000), heard="one")
    spoken = [Message(str(n), "user", (second,) * 9) for n in range(10)]
    assert len(kept(Window(1000), prompt(*spoken))) == 7, "ninety tokens and four"
    short = [Message(str(n), "user", (InputAudio(bytes(480), heard=HUNDRED),)) for n in range(10)]
    assert len(kept(Window(1000), prompt(*short))) == 7
    dropped = [Message(str(n), "user", (InputAudio(b"", heard="one", dropped_ms=9000),)) for n in range(10)]
    assert len(kept(Window(1000), prompt(*dropped))) == 7
    said = [Message(str(n), "assistant", (OutputAudio("one", audio_ms=4500),)) for n in range(10)]
    assert len(kept(Window(1000), prompt(*said))) == 7


def test_disabled_makes_an_error_of_what_does_not_fit() -> None:
    window = Window(1000)
    assert kept(window, prompt(*"abcdefg"), "disabled") == list("abcdefg")
    with pytest.raises(ProtocolError) as caught:
        kept(window, prompt(*"abcdefgh"), "disabled")
    assert caught.value.code == "context_length_exceeded"
    assert "about 800 tokens is longer than the 750 tokens" in caught.value.message


def test_a_retention_ratio_leaves_out_more_at_once_and_then_nothing_for_a_while() -> None:
    window, half = Window(1000), {"type": "retention_ratio", "retention_ratio": 0.5}
    assert kept(window, prompt(*"abcdefg"), half) == list("abcdefg")
    assert kept(window, prompt(*"abcdefgh"), half) == list("fgh")
    assert kept(window, prompt(*"abcdefghijkl"), half) == list("fghijkl"), "the beginning is the same"
    assert kept(window, prompt(*"abcdefghijklm"), half) == list("klm")


def test_a_limit_of_its_own_counts_what_stands_behind_the_instructions() -> None:
    limits = {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 500}}
    asked = prompt(*"abcdef", instructions=HUNDRED)
    assert kept(Window(100_000), asked, limits) == list("cdef")
    assert len(kept(Window(1000), prompt(*"abcdefghij"), {**limits, "token_limits": {"post_instructions": 9999}})) == 6
    assert kept(Window(100_000), asked, {**limits, "token_limits": None}) == list("abcdef")


def test_what_was_left_out_comes_back_when_the_client_wants_it_otherwise() -> None:
    window, half = Window(1000), {"type": "retention_ratio", "retention_ratio": 0.5}
    assert kept(window, prompt(*"abcdefgh"), half) == list("fgh")
    assert kept(window, prompt(*"abcdefgh")) == list("bcdefgh")


def test_a_summary_put_in_front_is_told_although_it_is_older() -> None:
    window, half = Window(1000), {"type": "retention_ratio", "retention_ratio": 0.5}
    kept(window, prompt(*"abcdefgh"), half)
    assert kept(window, prompt("summary", *"abcdefgh"), half) == ["summary", *"fgh"]


def test_items_chosen_for_one_response_are_told_though_they_were_left_out() -> None:
    window, half = Window(1000), {"type": "retention_ratio", "retention_ratio": 0.5}
    kept(window, prompt(*"abcdefgh"), half)
    assert kept(window, prompt(*"ab"), half, is_whole=False) == list("ab")
    assert kept(window, prompt(*"abcdefghi"), half) == list("fghi")


def test_a_refused_prompt_is_halved_once_and_so_are_later_ones() -> None:
    window = Window(100_000)
    assert kept(window, prompt(*"abcdefgh")) == list("abcdefgh")
    assert kept(window, prompt(*"abcdefgh"), was_refused=True) == list("efgh")
    assert kept(window, prompt(*"abcdefghi")) == list("fghi")
    with pytest.raises(ProtocolError) as caught:
        kept(window, prompt("a"), was_refused=True)
    assert caught.value.code == "context_length_exceeded"


# ------------------------------------------------------------------------------------------------- in a session


def small(**update: Any) -> Playbook:
    service = Service(Abilities(context_tokens=1000))
    return Playbook(service=service, update=update or None)


def told(play: Playbook) -> list[str]:
    return [item.id for item in play.prompt.items]


def test_items_left_out_stay_in_the_conversation_and_nobody_is_told() -> None:
    play = small()
    for _ in range(8):
        play.add_text(HUNDRED)
    assert play.client("response.create") == [
        "response.created resp_1 in_progress", "rate_limits.updated early", "Answer resp_1",
    ]  # fmt: skip
    assert told(play) == [f"item_{n}" for n in range(2, 9)]
    assert len(play.ids) == 8


def test_a_response_fails_where_truncation_is_disabled() -> None:
    play = small(truncation="disabled")
    for _ in range(8):
        play.add_text(HUNDRED)
    assert play.client("response.create") == [
        "response.created resp_1 in_progress", "rate_limits.updated early",
        "response.done resp_1 failed context_length_exceeded", "rate_limits.updated",
    ]  # fmt: skip
    error = play.messages()[-2]["response"]["status_details"]["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded")
    play.client("conversation.item.delete", item_id="item_1")
    assert play.client("response.create")[-1] == "Answer resp_2"


def refuse(play: Playbook, response_id: str) -> list[str]:
    return play.report(rp.Broke(response_id, "context_length_exceeded", "The prompt is too long."))


def test_a_model_that_finds_a_prompt_too_long_is_asked_once_more_with_half_of_it() -> None:
    play = Playbook()
    for _ in range(8):
        play.add_text(HUNDRED)
    response = play.respond()
    assert refuse(play, response) == [f"Answer {response}"]
    assert told(play) == ["item_5", "item_6", "item_7", "item_8"]
    usage = play.report(rp.Answered(response)) and play.messages()[0]["response"]["usage"]
    assert usage["input_tokens"] == 4 * 96, "what was refused is not counted"
    play.add_text(HUNDRED)
    response = play.respond()
    assert told(play) == ["item_6", "item_7", "item_8", "item_9"], "the session has learned it"
    refuse(play, response)
    assert told(play) == ["item_8", "item_9"]
    assert refuse(play, response) == [
        "response.done resp_2 failed context_length_exceeded", "rate_limits.updated",
    ]  # fmt: skip
    error = play.messages()[0]["response"]["status_details"]["error"]
    assert (error["type"], error["message"]) == ("invalid_request_error", "The prompt is too long.")


@pytest.mark.parametrize("truncation", ["disabled", "auto"])
def test_what_cannot_be_shortened_fails_at_once(truncation: str) -> None:
    play = Playbook(update={"truncation": truncation})
    play.add_text()
    assert refuse(play, play.respond())[0] == "response.done resp_1 failed context_length_exceeded"


def test_a_call_and_its_output_are_left_out_wherever_they_stand() -> None:
    play = small(tools=[function()])
    play.client("conversation.item.create", item={
        "type": "function_call", "call_id": "c", "name": "look_up", "arguments": "{}"})  # fmt: skip
    for _ in range(7):
        play.add_text(HUNDRED)
    play.client("conversation.item.create", previous_item_id="item_3", item={
        "type": "function_call_output", "call_id": "c", "output": HUNDRED})  # fmt: skip
    play.client("conversation.item.create", item=user("Well?"))
    play.respond()
    assert told(play) == [*(f"item_{n}" for n in range(2, 9)), "item_10"]
