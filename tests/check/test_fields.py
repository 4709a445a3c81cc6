"""The table of fields says of each event what it lacks, and nothing of events that are as they have to be."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import samples
from vivavoce.check.fields import BETA_OBJECTS, EVENTS, GA_OBJECTS, OBJECTS, problems
from vivavoce.check.order import KNOWN, TRANSLATION

Json = dict[str, Any]
EXTENSIONS = {"input_audio_buffer.voice_probability", "output_audio_buffer.ducked", "output_audio_buffer.restored"}
"""Events that a server may have besides, for clients that ask for them."""
DELTA: Json = {
    "type": "response.output_audio.delta", "event_id": "event_1", "response_id": "resp_1", "item_id": "item_1",
    "output_index": 0, "content_index": 0, "delta": "AAAA",
}  # fmt: skip
MESSAGE: Json = {
    "id": "item_1", "type": "message", "role": "user", "status": "completed",
    "content": [{"type": "input_audio", "transcript": None}],
}  # fmt: skip
ADDED: Json = {"type": "conversation.item.added", "event_id": "event_1", "previous_item_id": None, "item": MESSAGE}
CALL: Json = {
    "id": "item_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "f", "arguments": "",
}  # fmt: skip

OF_ONE_SHAPE = [path for path in samples.samples() if samples.read(path)[0]["shape"]]


def test_the_table_has_every_event_of_the_protocol() -> None:
    assert EVENTS.keys() <= KNOWN | TRANSLATION
    assert (KNOWN | TRANSLATION) - EVENTS.keys() <= EXTENSIONS


def test_every_word_of_the_table_is_a_type() -> None:
    named = {field.partition(":")[2] for fields in (*EVENTS.values(), *OBJECTS.values()) for field in fields.split()}
    named |= {f.partition(":")[2] for fields in (*GA_OBJECTS.values(), *BETA_OBJECTS.values()) for f in fields.split()}
    words = {name.strip("~[]") for name in named if "=" not in name}
    plain = {"str", "int", "num", "bool", "any", "object", "b64", "int/inf"}
    objects = {name.split()[0] for name in (*OBJECTS, *GA_OBJECTS, *BETA_OBJECTS)}
    assert words - plain <= objects


def with_value(event: Json, path: str, value: Any = ...) -> Json:
    event = copy.deepcopy(event)
    *above, last = path.split(".")
    place: Any = event
    for step in above:
        place = place[int(step) if step.isdigit() else step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return event


@pytest.mark.parametrize("event", [DELTA, ADDED, {**ADDED, "item": CALL}, {**ADDED, "added": "later"}])
def test_an_event_with_all_its_fields_is_well(event: Json) -> None:
    assert problems(event, "ga") == []


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (with_value(DELTA, "event_id"), "'event_id' is missing"),
        (with_value(DELTA, "item_id"), "'item_id' is missing"),
        (with_value(DELTA, "output_index", "0"), "'output_index' is '0', not of type int"),
        (with_value(DELTA, "output_index", True), "'output_index' is True, not of type int"),
        (with_value(DELTA, "delta", "AAA"), "'delta' is not base64"),
        (with_value(DELTA, "delta", None), "'delta' is null, which it must not be"),
        (with_value(ADDED, "previous_item_id"), "'previous_item_id' is missing"),
        (with_value(ADDED, "item.role", "narrator"), "'item.role' is 'narrator', not one of system, user, assistant"),
        (with_value(ADDED, "item.status", None), "'item.status' is null, where it must be left out"),
        (with_value(ADDED, "item.call_id", None), "'item.call_id' is null, where it must be left out"),
        (with_value(ADDED, "item.type", "note"), "'item.type' is 'note', which is no type of item"),
        (with_value(ADDED, "item.content", {}), "'item.content' is {}, not an array"),
        (with_value(ADDED, "item.content.0.transcript"), "'item.content[0].transcript' is missing"),
        (with_value(ADDED, "item.content.0.audio", "AA=="), "only a retrieved item may"),
        ({**ADDED, "item": with_value(CALL, "arguments", None)}, "'item.arguments' is null"),
        ({**ADDED, "item": "item_1"}, "'item' is 'item_1', not an object"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(event: Json, told: str) -> None:
    found = problems(event, "ga")
    assert any(told in problem for problem in found), found


def test_a_retrieved_item_may_have_audio() -> None:
    event = with_value(ADDED, "item.content.0.audio", "AA==") | {"type": "conversation.item.retrieved"}
    assert problems(event, "ga") == []


def test_items_of_the_beta_carry_their_object() -> None:
    event = {**ADDED, "type": "conversation.item.created"}
    assert problems(event, "beta") == ["'item.object' is missing"]
    assert problems(with_value(event, "item.object", "realtime.item"), "beta") == []


def test_an_mcp_call_may_have_null_output() -> None:
    call = {"id": "mcp_1", "type": "mcp_call", "server_label": "a", "name": "f", "arguments": "{}", "output": None}
    assert problems({**ADDED, "item": {**call, "error": None}}, "ga") == []


@pytest.mark.parametrize("path", OF_ONE_SHAPE, ids=lambda path: path.stem)
def test_recorded_sessions_have_all_their_fields(path: Path) -> None:
    lines = samples.read(path)
    shape = lines[0]["shape"]
    assert not {event["type"]: found for event in samples.server_events(lines) if (found := problems(event, shape))}
