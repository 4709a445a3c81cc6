"""One response: every added gets its done, whatever ends it, and nothing comes twice."""

from __future__ import annotations

import pytest

from playbook import CountedIds, kinds, line
from vivavoce.core import events as ev
from vivavoce.core.conversation import Conversation
from vivavoce.core.effects import Send
from vivavoce.core.formats import PCMU
from vivavoce.core.items import FunctionCall, Message, OutputAudio, WordMark
from vivavoce.core.reports import Argued, Called, Said
from vivavoce.core.response import MAX_DELTA_BYTES, Response
from vivavoce.core.settings import Settings, for_response
from vivavoce.core.states import StatusDetails, Usage

CANCELLED = StatusDetails("cancelled", "client_cancelled")


def response(conversation: Conversation | None = None, **settings: object) -> Response:
    return Response("resp_1", for_response(Settings(), settings), conversation, None, CountedIds())


def lines(events: list[ev.ServerEvent]) -> list[str]:
    return [line(Send(event)) for event in events]


def finish(made: Response, status: str = "completed", details: StatusDetails | None = None) -> list[str]:
    return lines(made.finish(status, details, lambda output: Usage()))


def test_nothing_said_is_no_item() -> None:
    made = response()
    assert made.say(Said("resp_1"), 0.0) == []
    assert finish(made) == ["response.done resp_1 completed"]
    assert made.is_done


def test_a_written_answer_takes_no_audio() -> None:
    made = response(output_modalities=("text",))
    assert made.say(Said("resp_1", "", bytes(96)), 0.0) == []
    assert kinds(lines(made.say(Said("resp_1", "x", bytes(96)), 0.0)))[-1] == "response.output_text.delta"
    assert not made.is_audible


def test_a_message_after_a_call_is_a_new_one() -> None:
    made = response()
    made.say(Said("resp_1", "a"), 0.0)
    made.call(Called("resp_1", "f", "call_x"), 0.0)
    assert lines(made.say(Said("resp_1", "b"), 0.0)) == [
        "response.function_call_arguments.done item_2 f {}",
        "response.output_item.done resp_1 1 item_2 f({}) completed",
        "response.output_item.added resp_1 2 item_3 assistant in_progress",
        "response.content_part.added item_3 0 ''",
        "response.output_audio_transcript.delta item_3 b",
    ]
    finish(made)
    assert [item.id for item in made.output] == ["item_1", "item_2", "item_3"]


def test_calls_come_one_after_another_with_their_own_ids() -> None:
    made = response()
    made.call(Called("resp_1", "f", "call_x"), 0.0)
    made.argue(Argued("resp_1", '{"a":1}'))
    made.call(Called("resp_1", "g"), 0.0)
    finish(made)
    assert made.output == (
        FunctionCall("item_1", "call_x", "f", '{"a":1}'),
        FunctionCall("item_2", "call_1", "g", "{}"),
    )


def test_arguments_without_a_call_belong_to_nothing() -> None:
    made = response()
    assert made.argue(Argued("resp_1", "{")) == []
    made.say(Said("resp_1", "a"), 0.0)
    assert made.argue(Argued("resp_1", "{")) == []
    made.call(Called("resp_1", "f"), 0.0)
    assert made.argue(Argued("resp_1", "")) == []


def test_a_call_that_was_cut_off_never_looks_ready_to_run() -> None:
    made = response()
    made.call(Called("resp_1", "f"), 0.0)
    made.argue(Argued("resp_1", '{"city": "Par'))
    assert finish(made, "cancelled", CANCELLED) == [
        'response.output_item.done resp_1 0 item_1 f({"city": "Par) incomplete',
        "response.done resp_1 cancelled client_cancelled",
    ]


def test_words_are_kept_with_the_message_they_belong_to() -> None:
    conversation = Conversation("conv_1", max_items=10, max_audio_bytes=1000)
    made = response(conversation, output_format=PCMU)
    made.say(Said("resp_1", "one ", bytes(80), (WordMark(8, 3),)), 5.0)
    made.say(Said("resp_1", "two", bytes(80), (WordMark(18, 7),)), 6.0)
    made.call(Called("resp_1", "f"), 7.0)
    made.say(Said("resp_1", "three", bytes(80), (WordMark(9, 5),)), 8.0)
    finish(made)
    first, _, last = (entry.item for entry in conversation.entries)
    assert isinstance(first, Message)
    assert isinstance(last, Message)
    assert first.content == (OutputAudio("one two", bytes(160), PCMU, 20, (WordMark(8, 3), WordMark(18, 7))),)
    assert last.content == (OutputAudio("three", bytes(80), PCMU, 10, (WordMark(9, 5),)),)
    assert [entry.said_at for entry in conversation.entries] == [5.0, 7.0, 8.0]


def test_much_audio_at_once_goes_out_in_frames_that_clients_take() -> None:
    made = response()
    audio = bytes(range(256)) * 6000
    deltas = [event.delta for event in made.say(Said("resp_1", "x", audio), 0.0) if isinstance(event, ev.AudioDelta)]
    assert [len(delta) for delta in deltas] == [MAX_DELTA_BYTES, MAX_DELTA_BYTES, len(audio) - 2 * MAX_DELTA_BYTES]
    assert b"".join(deltas) == audio


@pytest.mark.parametrize(
    ("said", "tokens"),
    [(Said("r", "abcd"), 1), (Said("r", "abcde"), 2), (Said("r", "", bytes(48 * 50)), 1), (Said("r", "é", b""), 1)],
)
def test_the_limit_of_tokens_counts_words_and_audio(said: Said, tokens: int) -> None:
    made = response(max_output_tokens=tokens)
    assert not made.is_over_limit
    made.say(said, 0.0)
    assert made.is_over_limit
    more = response(max_output_tokens=tokens + 1)
    more.say(said, 0.0)
    assert not more.is_over_limit


def test_small_pieces_of_audio_cost_what_they_cost_at_once() -> None:
    made = response(max_output_tokens=3)
    for _ in range(100):
        made.say(Said("r", "", bytes(48)), 0.0)
    assert not made.is_over_limit
    made.say(Said("r", "", bytes(48)), 0.0)
    assert made.is_over_limit


def test_arguments_count_as_tokens_too() -> None:
    made = response(max_output_tokens=2)
    made.call(Called("r", "f"), 0.0)
    made.argue(Argued("r", "12345678"))
    assert made.is_over_limit


def test_a_response_without_a_limit_is_never_over_it() -> None:
    made = response(max_output_tokens=None)
    made.say(Said("r", "x" * 100_000, bytes(100_000)), 0.0)
    assert not made.is_over_limit
