"""The checker of orders must itself catch what it is for: each broken rule is shown to it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from vivavoce.check import order

Event = dict[str, Any]
Recording = list[Event]

SPOKEN = {"response_id": "resp_1", "item_id": "item_2", "output_index": 0, "content_index": 0}
CALLED = {"response_id": "resp_1", "item_id": "item_3", "output_index": 1}
USER = {"id": "item_1", "type": "message", "role": "user", "status": "completed", "content": []}
ANSWER = {"id": "item_2", "type": "message", "role": "assistant", "status": "completed", "content": [{}]}
CALL = {"id": "item_3", "type": "function_call", "status": "completed", "arguments": "{}", "name": "f"}


def in_progress(item: Event) -> Event:
    empty = {"content": []} if "content" in item else {"arguments": ""}
    return {**item, **empty, "status": "in_progress"}


def recording() -> Recording:
    """A spoken turn that is answered by a spoken message and a call, in the GA shape."""
    events = [
        {"type": "session.created", "session": {}},
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, "item_id": "item_1"},
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, "item_id": "item_1"},
        {"type": "input_audio_buffer.committed", "previous_item_id": None, "item_id": "item_1"},
        {"type": "conversation.item.added", "previous_item_id": None, "item": USER},
        {"type": "conversation.item.done", "previous_item_id": None, "item": USER},
        {"type": "response.created", "response": response("in_progress", [])},
        {"type": "response.output_item.added", **SPOKEN, "item": in_progress(ANSWER)},
        {"type": "conversation.item.added", "previous_item_id": "item_1", "item": in_progress(ANSWER)},
        {"type": "response.content_part.added", **SPOKEN, "part": {"type": "audio", "transcript": ""}},
        {"type": "response.output_audio_transcript.delta", **SPOKEN, "delta": "Well, "},
        {"type": "response.output_audio.delta", **SPOKEN, "delta": "AAAA"},
        {"type": "response.output_audio_transcript.delta", **SPOKEN, "delta": "yes."},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1",
            "content_index": 0,
            "transcript": "so",
        },
        {"type": "response.output_audio.done", **SPOKEN},
        {"type": "response.output_audio_transcript.done", **SPOKEN, "transcript": "Well, yes."},
        {"type": "response.content_part.done", **SPOKEN, "part": {"type": "audio", "transcript": "Well, yes."}},
        {"type": "response.output_item.done", **SPOKEN, "item": ANSWER},
        {"type": "conversation.item.done", "previous_item_id": "item_1", "item": ANSWER},
        {"type": "response.output_item.added", **CALLED, "item": in_progress(CALL)},
        {"type": "conversation.item.added", "previous_item_id": "item_2", "item": in_progress(CALL)},
        {"type": "response.function_call_arguments.delta", **CALLED, "delta": "{}"},
        {"type": "response.function_call_arguments.done", **CALLED, "arguments": "{}"},
        {"type": "response.output_item.done", **CALLED, "item": CALL},
        {"type": "conversation.item.done", "previous_item_id": "item_2", "item": CALL},
        {"type": "response.done", "response": response("completed", [ANSWER, CALL])},
        {"type": "rate_limits.updated", "rate_limits": []},
        {"type": "conversation.item.truncated", "item_id": "item_2", "content_index": 0, "audio_end_ms": 5},
        {"type": "conversation.item.deleted", "item_id": "item_1"},
    ]
    return [{**copy.deepcopy(event), "event_id": f"event_{index}"} for index, event in enumerate(events)]


def response(status: str, output: Recording) -> Event:
    details = None if status in ("in_progress", "completed") else {"type": status}
    return {
        "id": "resp_1",
        "status": status,
        "conversation_id": "conv_1",
        "output": output,
        "status_details": details,
    }


def in_beta(events: Recording) -> Recording:
    """The same in the beta shape."""
    spelled = {ga: beta for beta, ga in order.BETA_TO_GA.items() if not beta.startswith("transcription")}
    limits = next(event for event in events if event["type"] == "rate_limits.updated")
    out = []
    for event in events:
        if event["type"] not in ("conversation.item.done", "rate_limits.updated"):
            out.append({**event, "type": spelled.get(event["type"], event["type"])})
        if event["type"] == "session.created":
            out.append({"type": "conversation.created", "event_id": "event_c", "conversation": {}})
        if event["type"] == "response.created":
            out.append(limits)
    return out


def index_of(events: Recording, kind: str, nth: int = 0) -> int:
    return [index for index, event in enumerate(events) if event["type"] == kind][nth]


def drop(kind: str, nth: int = 0) -> Callable[[Recording], None]:
    return lambda events: events.__delitem__(index_of(events, kind, nth))


def repeat(kind: str, nth: int = 0) -> Callable[[Recording], None]:
    def change(events: Recording) -> None:
        index = index_of(events, kind, nth)
        events.insert(index + 1, {**events[index], "event_id": "event_again"})

    return change


def move(kind: str, *, behind: str, nth: int = 0) -> Callable[[Recording], None]:
    def change(events: Recording) -> None:
        event = events.pop(index_of(events, kind, nth))
        events.insert(index_of(events, behind) + 1, event)

    return change


def put(kind: str, **fields: Any) -> Callable[[Recording], None]:
    return lambda events: events[index_of(events, kind)].update(fields)


GA_DAMAGE = {
    "session.created comes first": drop("session.created"),
    "first and once": repeat("session.created"),
    "event ids are unique": put("response.created", event_id="event_0"),
    "speech_started and speech_stopped alternate": drop("input_audio_buffer.speech_started"),
    "speech stops before it is committed": drop("input_audio_buffer.speech_stopped"),
    "names the item": put("input_audio_buffer.speech_stopped", item_id="item_9"),
    "speech stops after it starts": put("input_audio_buffer.speech_stopped", audio_end_ms=50),
    "a committed item enters": move("response.created", behind="input_audio_buffer.committed"),
    "is done at once": drop("conversation.item.done"),
    "previous item is in the conversation": put("conversation.item.added", previous_item_id="item_9"),
    "a transcription ends after its item": move(
        "conversation.item.input_audio_transcription.completed", behind="session.created"
    ),
    "nothing follows the end of a transcription": repeat("conversation.item.input_audio_transcription.completed"),
    "a response is created before": drop("response.created"),
    "a response is created once": repeat("response.created"),
    "every response is done": lambda events: events.__delitem__(slice(25, None)),
    "shows the items that were done": put("response.done", response=response("completed", [ANSWER])),
    "has status details": put("response.done", response={**response("failed", [ANSWER, CALL]), "status_details": None}),
    "tell of the status": put(
        "response.done", response={**response("failed", [ANSWER, CALL]), "status_details": {"type": "cancelled"}}
    ),
    "nothing of a response follows": move("response.output_audio.delta", behind="response.done"),
    "rate_limits.updated follows": move("rate_limits.updated", behind="response.created"),
    "do not interleave": move("response.output_item.added", behind="response.content_part.added", nth=1),
    "output indexes count": put("response.output_item.added", output_index=1),
    "enters the conversation before its content": drop("conversation.item.added", 1),
    "come between its added and its done": put("response.content_part.added", item_id="item_9"),
    "content_part.done comes before output_item.done": move(
        "response.content_part.done", behind="response.output_item.done"
    ),
    "events of an item come before its done": repeat("response.output_item.done"),
    "comes after the end of its last item": drop("conversation.item.done", 2),
    "content comes between": drop("response.content_part.added"),
    "parts of an item do not interleave": repeat("response.content_part.added"),
    "after the done of each": drop("response.output_audio.done"),
    "no content follows its done": move("response.output_audio.delta", behind="response.output_audio.done"),
    "those of the deltas": drop("response.output_audio_transcript.delta"),
    "the words that were told": put("response.content_part.done", part={"type": "audio", "transcript": "No."}),
    "arguments.done comes before": drop("response.function_call_arguments.done"),
    "no arguments follow their done": move(
        "response.function_call_arguments.delta", behind="response.function_call_arguments.done"
    ),
    "the item is in the conversation": put("conversation.item.truncated", item_id="item_9"),
    "what is deleted": put("conversation.item.deleted", item_id="item_9"),
    "not spelled in the ga shape": put("response.output_audio.delta", type="response.audio.delta"),
    "of the protocol": put("response.output_audio.delta", type="response.sound"),
}
BETA_DAMAGE = {
    "conversation.created comes second": drop("conversation.created"),
    "directly follows its response": move("rate_limits.updated", behind="response.output_item.added"),
    "before its content": move("conversation.item.created", behind="response.content_part.added", nth=1),
    "not spelled in the beta shape": put("response.audio.delta", type="response.output_audio.delta"),
}


def test_a_turn_in_the_ga_shape_is_in_order() -> None:
    order.check(recording(), "ga")


def test_a_turn_in_the_beta_shape_is_in_order() -> None:
    assert order.shape_of(in_beta(recording())) == "beta"
    order.check(in_beta(recording()))


def test_an_out_of_band_response_leaves_the_conversation_alone() -> None:
    events = [event for event in recording() if not event["type"].startswith("conversation.item.")][:-1]
    events = [event for event in events if not event["type"].startswith("input_audio_buffer.")]
    for event in events:
        if "response" in event:
            event["response"]["conversation_id"] = None
    order.check(events)


def test_a_cut_recording_may_leave_things_open() -> None:
    order.check(recording()[:12], complete=False)


@pytest.mark.parametrize("rule", GA_DAMAGE)
def test_a_broken_ga_rule_is_found(rule: str) -> None:
    events = recording()
    GA_DAMAGE[rule](events)
    with pytest.raises(order.OrderError, match=rule):
        order.check(events, "ga")


@pytest.mark.parametrize("rule", BETA_DAMAGE)
def test_a_broken_beta_rule_is_found(rule: str) -> None:
    events = in_beta(recording())
    BETA_DAMAGE[rule](events)
    with pytest.raises(order.OrderError, match=rule):
        order.check(events, "beta")
