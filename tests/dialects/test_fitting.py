"""Messages that are too long for the channel that they go by."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from playbook import CountedIds
from vivavoce.dialects.fitting import fitted


def frame(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "event_id": "event_s", **fields}).encode()


def test_what_fits_is_left_as_it_is() -> None:
    assert fitted(b'{"type": "x"}', 100, CountedIds()) == (b'{"type": "x"}',)


@pytest.mark.parametrize("character", ["a", "é", "😀", "\u0001", '"'])
def test_a_long_text_is_told_in_pieces_that_fit_and_make_it_up(character: str) -> None:
    text = character * 5000
    pieces = fitted(frame("response.output_text.delta", item_id="i", delta=text), 4096, CountedIds())
    assert all(len(piece) <= 4096 for piece in pieces)
    events = [json.loads(piece) for piece in pieces]
    assert "".join(event["delta"] for event in events) == text
    assert {event["item_id"] for event in events} == {"i"}
    assert len({event["event_id"] for event in events}) == len(events)


def test_audio_inside_an_item_is_left_out_where_it_does_not_fit() -> None:
    content = [{"type": "input_audio", "audio": "A" * 9000, "transcript": "hello"}, {"type": "input_text", "text": "x"}]
    (found,) = fitted(frame("conversation.item.retrieved", item={"id": "i", "content": content}), 4096, CountedIds())
    assert json.loads(found)["item"]["content"] == [
        {"type": "input_audio", "transcript": "hello"},
        {"type": "input_text", "text": "x"},
    ]


def test_what_cannot_be_shortened_is_an_error_that_names_it() -> None:
    (found,) = fitted(frame("session.updated", session={"instructions": "z" * 9000}), 4096, CountedIds())
    error = msgspec.json.decode(found)["error"]
    assert error["code"] == "event_too_large"
    assert "'session.updated'" in error["message"]
    assert "4096" in error["message"]
