"""Words that are told while they are said."""

from __future__ import annotations

from typing import Any

from relay.stage import Stage, append, kinds

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
