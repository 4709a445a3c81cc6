"""Words that are told while they are said."""

from __future__ import annotations

from typing import Any

from relay.stage import Stage, added, append, kinds

TRANSCRIPTION = {"kind": "transcription"}


def overheard(item_id: str, delta: str) -> dict[str, Any]:
    name = "conversation.item.input_audio_transcription.delta"
    return {"type": name, "event_id": "e", "item_id": item_id, "content_index": 0, "delta": delta}


def lost(stage: Stage, **fields: Any) -> None:
    stage.loses()
    stage.opens(2, **fields)


def test_words_are_told_once_by_whichever_upstreams() -> None:
    stage = Stage(**TRANSCRIPTION).live(turn_detection=None)
    stage.client(append(100))
    assert stage.upstream(overheard("item_1", "Good "), overheard("item_1", "mor")) != []
    lost(stage, turn_detection=None)
    assert kinds(stage.to_link(2)) == ["input_audio_buffer.append"]
    assert stage.upstream(overheard("item_x", "Goo"), link=2) == []
    assert stage.upstream(overheard("item_x", "d morn"), link=2) == [overheard("item_1", "n")]
    assert stage.upstream(overheard("item_x", "ing"), link=2) == [overheard("item_1", "ing")]
    stage.client({"type": "input_audio_buffer.commit"})
    committed = {"type": "input_audio_buffer.committed", "event_id": "e", "previous_item_id": None}
    assert stage.upstream(committed | {"item_id": "item_x"}, link=2) == [committed | {"item_id": "item_1"}]


def test_a_turn_of_which_the_next_upstream_tells_only_its_end_keeps_its_name() -> None:
    stage = Stage(**TRANSCRIPTION).live(turn_detection=None)
    stage.client(append(100))
    stage.upstream(overheard("item_1", "Good "))
    lost(stage, turn_detection=None)
    stage.client({"type": "input_audio_buffer.commit"})
    committed = {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "item_x"}
    assert [event["item_id"] for event in stage.upstream(committed, link=2)] == ["item_1"]
    # The next turn is another one.
    stage.client(append(100))
    assert stage.upstream(overheard("item_y", "Hello"), link=2) == [overheard("item_y", "Hello")]


def test_a_turn_that_nobody_has_ended_is_not_broken_by_a_renewal() -> None:
    stage = Stage(**TRANSCRIPTION).live(turn_detection=None)
    stage.client(append(100))
    stage.upstream(overheard("item_1", "Good "))
    stage.waits(55.2)
    stage.opens(2, turn_detection=None)
    assert stage.hung_up == []
    stage.client({"type": "input_audio_buffer.commit"})
    stage.upstream({"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "item_1"})
    assert stage.hung_up == [1]


def test_a_turn_that_was_not_written_down_is_by_the_next_upstream() -> None:
    stage = Stage(**TRANSCRIPTION).live()
    heard = {"turn_detection": None, "transcription": {"model": "m"}}
    stage.client({"type": "session.update", "session": {"type": "transcription", "audio": {"input": heard}}})
    stage.upstream({"type": "session.updated", "event_id": "e", "session": {"audio": {"input": heard}}})
    stage.client(append(100), {"type": "input_audio_buffer.commit"})
    item = {"id": "item_1", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    committed = {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "item_1"}
    stage.upstream(committed, *added(item, None), overheard("item_1", "Good "))
    stage.client(append(200))
    stage.loses()
    assert stage.to_client == []
    stage.opens(2)
    assert kinds(stage.to_link(2)) == [
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.append",
    ]
    done = {"type": "conversation.item.input_audio_transcription.completed", "event_id": "e", "content_index": 0}
    shown = stage.upstream(
        committed | {"item_id": "item_x"},
        *added(item | {"id": "item_x"}, None),
        overheard("item_x", "Good day"),
        done | {"item_id": "item_x", "transcript": "Good day"},
        link=2,
    )
    assert shown == [overheard("item_1", "day"), done | {"item_id": "item_1", "transcript": "Good day"}]
    stage.client({"type": "input_audio_buffer.commit"})
    assert kinds(stage.upstream(committed | {"item_id": "item_y"}, link=2)) == ["input_audio_buffer.committed"]
