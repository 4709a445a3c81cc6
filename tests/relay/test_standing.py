"""Where a conversation stands."""

from __future__ import annotations

from typing import Any

from relay.stage import Stage, added, answer_begins, answer_ends, append, kinds

TURN: list[dict[str, Any]] = [
    {"type": "input_audio_buffer.speech_started", "event_id": "e", "item_id": "item_1", "audio_start_ms": 0},
    {"type": "input_audio_buffer.speech_stopped", "event_id": "e", "item_id": "item_1", "audio_end_ms": 1000},
    {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "item_1", "previous_item_id": None},
]


def apart(events: list[dict[str, Any]], conversation_id: str | None = None) -> list[dict[str, Any]]:
    """Return events of a response as of one in another conversation, or in none."""
    return [
        event | {"response": event["response"] | {"conversation_id": conversation_id}} if "response" in event else event
        for event in events
        if not event["type"].startswith("conversation.item.")
    ]


def spoken_to(**terms: Any) -> Stage:
    """Return a stage whose upstream has made a turn."""
    stage = Stage(**terms).live()
    stage.client(*[append(100)] * 10)
    stage.upstream(*TURN)
    return stage


def test_nobody_owes_an_answer_in_a_transcription_session() -> None:
    stage = spoken_to(kind="transcription")
    stage.loses()
    stage.opens(2)
    assert "response.create" not in kinds(stage.to_link(2))


def test_a_transcription_session_is_told_no_items() -> None:
    stage = spoken_to(kind="transcription")
    item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    stage.upstream(*added(item, None))
    stage.loses()
    stage.opens(2)
    assert stage.to_link(2) == []


def test_an_answer_apart_is_not_the_one_that_is_owed() -> None:
    stage = spoken_to()
    stage.client({"type": "response.create", "response": {"conversation": "none"}})
    stage.upstream(*apart([*answer_begins(), *answer_ends()]))
    stage.loses()
    stage.opens(2)
    (asked,) = [event for event in stage.to_link(2) if event["type"] == "response.create"]
    assert "response" not in asked


def test_an_answer_apart_does_not_keep_the_server_from_owing_one() -> None:
    stage = Stage().live()
    stage.client(*[append(100)] * 10, {"type": "response.create", "response": {"conversation": "none"}})
    stage.upstream(*apart(answer_begins()), *TURN)
    stage.loses()
    stage.opens(2)
    assert kinds(stage.to_link(2))[-1] == "response.create"


def test_an_answer_that_never_came_is_not_asked_for_much_later() -> None:
    stage = spoken_to()
    stage.upstream({"type": "rate_limits.updated", "event_id": "e", "rate_limits": []})
    stage.now = 50.0
    stage.upstream({"type": "input_audio_buffer.cleared", "event_id": "e"})
    stage.waits(55.2)
    stage.opens(2)
    assert "response.create" not in kinds(stage.to_link(2))
    assert stage.hung_up == [1]


def test_the_conversation_keeps_its_name() -> None:
    stage = Stage().live()
    for link, theirs in ((1, "conv_1"), (2, "conv_2")):
        shown = stage.upstream(*apart([*answer_begins(), *answer_ends()], theirs), link=link)
        assert {event["response"]["conversation_id"] for event in shown if "response" in event} == {"conv_1"}
        stage.loses(link)
        stage.opens(link + 1)
