"""The rules of every connection: each is broken once, and told once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import samples
from check.strings import SESSION
from vivavoce.check.standing import MOST_BYTES, RULES, Ledger, Watch, usage_problems

USAGE: dict[str, Any] = {
    "total_tokens": 30, "input_tokens": 20, "output_tokens": 10,
    "input_token_details": {"text_tokens": 12, "audio_tokens": 8, "cached_tokens": 5},
    "output_token_details": {"text_tokens": 4, "audio_tokens": 6},
}  # fmt: skip

OF_ONE_SHAPE = [path for path in samples.samples() if samples.read(path)[0]["shape"]]


def told(*messages: Any) -> dict[str, str]:
    """What is told of a connection that begins as it has to and goes on with these messages."""
    ledger = Ledger()
    watch = Watch("ga", ledger, "a.case")
    first = {"type": "session.created", "event_id": "event_0", "session": SESSION}
    for number, message in enumerate((first, *messages)):
        if isinstance(message, dict):
            message = json.dumps({"event_id": f"event_{number}", **message})
        watch.see(message)
    return {rule: told.removeprefix("a.case: ") for rule in RULES if (told := ledger.told(rule))}


def test_nothing_is_told_where_all_is_well() -> None:
    assert told({"type": "session.updated", "session": SESSION}) == {}


@pytest.mark.parametrize("path", OF_ONE_SHAPE, ids=lambda path: path.stem)
def test_recorded_sessions_keep_all_rules(path: Path) -> None:
    lines = samples.read(path)
    ledger = Ledger()
    watch = Watch(lines[0]["shape"], ledger, "a.case")
    for event in samples.server_events(lines):
        watch.see(json.dumps(event))
    assert {rule: told for rule in RULES if (told := ledger.told(rule))} == {}
    assert ledger.heard == len(samples.server_events(lines))


@pytest.mark.parametrize(
    ("message", "rule", "why"),
    [
        ("pong", "always.json", "'pong' is not JSON (JSON is malformed: invalid character (byte 0))"),
        ("[]", "always.json", "'[]' has no type"),
        (b"{}", "always.json", "a binary frame of 2 bytes"),
        ({"type": "response.thinking"}, "always.vocabulary", "response.thinking"),
        ({"type": "input_audio_buffer.cleared", "event_id": "event_0"}, "always.event-id",
         "input_audio_buffer.cleared has the event_id 'event_0'"),
        ({"type": "conversation.item.deleted"}, "always.fields", "conversation.item.deleted: 'item_id' is missing"),
        ({"type": "session.created", "session": SESSION}, "always.order.session",
         "session.created comes first and once; event 2 was "
         "{'event_id': 'event_1', 'type': 'session.created'}"),
    ],
)  # fmt: skip
def test_a_breach_is_told_with_its_rule(message: Any, rule: str, why: str) -> None:
    assert told(message) == {rule: why}


def test_a_message_of_a_megabyte_is_too_long() -> None:
    filler = "x" * MOST_BYTES
    assert list(told({"type": "input_audio_buffer.cleared", "filler": filler})) == ["always.frame-size"]


def test_playback_is_not_told_over_a_websocket() -> None:
    assert "always.no-playback-events" in told({"type": "output_audio_buffer.cleared", "response_id": "resp_1"})


def test_a_breach_is_told_three_times_and_then_counted() -> None:
    ledger = Ledger()
    for number in range(10):
        ledger.note("always.json", f"breach {number}")
    assert ledger.told("always.json") == "breach 0; breach 1; breach 2 (and 7 more)"


def test_a_session_that_is_refused_may_begin_with_the_reason() -> None:
    ledger = Ledger()
    watch = Watch("ga", ledger, "a.case")
    error = {"type": "invalid_request_error", "code": "x", "message": "No.", "param": None, "event_id": None}
    watch.see(json.dumps({"type": "error", "event_id": "event_1", "error": error}))
    assert not [rule for rule in RULES if ledger.told(rule)]


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({}, 0),
        ({"total_tokens": 31}, 1),
        ({"input_tokens": 21, "total_tokens": 31}, 1),
        ({"output_token_details": {"text_tokens": 4, "audio_tokens": 7}}, 1),
        ({"input_token_details": {"text_tokens": 12, "audio_tokens": 8, "cached_tokens": 21}}, 1),
        ({"input_token_details": {"text_tokens": 2, "audio_tokens": 8, "image_tokens": 10, "cached_tokens": 0}}, 0),
    ],
)
def test_usage_adds_up(change: dict[str, Any], count: int) -> None:
    assert len(usage_problems({**USAGE, **change})) == count


def test_no_usage_is_no_problem() -> None:
    assert usage_problems(None) == []
