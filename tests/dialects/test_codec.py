"""Frames: what is no event is told in the protocol's words, and what is none too large is taken."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from vivavoce.core import events as ev
from vivavoce.core.errors import ProtocolError
from vivavoce.dialects import codec
from vivavoce.dialects.beta import Beta
from vivavoce.dialects.ga import READERS, Ga


def refused(data: bytes | str) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        codec.decode(data, READERS)
    return caught.value


def told(data: bytes | str) -> tuple[str, str, str | None, str | None]:
    mistake = refused(data)
    return mistake.code, mistake.message, mistake.param, mistake.event_id


@pytest.mark.parametrize(
    "data",
    [
        b"", b" ", b"{", b"nonsense", b"\xff\xfe", b'{"type":"\xff"}', b'{"type":"x"} more', b'{"type":NaN}',
        b'{"type":"x","n":Infinity}', b'{"type":"x","n":1e999}', b'{"type":"\\ud800"}', b'{"type":"x","s":"\\udfff"}',
        b'{"type":"x","n":' + b"9" * 5000 + b"}", b"[" * 200_000, b'{"a":' * 5000,
    ],
    ids=lambda data: repr(data[:24]),
)  # fmt: skip
def test_what_is_no_json_is_told(data: bytes) -> None:
    assert told(data) == ("invalid_event", "The event could not be parsed as JSON.", None, None)


@pytest.mark.parametrize("data", [b"[]", b"null", b"5", b'"type"', b"true"])
def test_what_is_no_object_is_told(data: bytes) -> None:
    assert told(data) == ("invalid_event", "The event must be a JSON object.", None, None)


@pytest.mark.parametrize("data", [b"{}", b'{"type":null}'])
def test_an_event_without_a_type_is_told(data: bytes) -> None:
    assert told(data) == ("invalid_event", "The 'type' field is missing.", None, None)


def test_an_unknown_type_is_told_with_those_there_are() -> None:
    code, message, param, event_id = told(b'{"type":"response.speak","event_id":"e1"}')
    assert (code, param, event_id) == ("invalid_value", "type", "e1")
    assert message.startswith("Invalid value: 'response.speak'. Supported values are: 'session.update', ")
    assert message.endswith("'response.cancel', and 'response.create'.")
    assert told(b'{"type":5}')[0] == "invalid_type"


def test_the_clients_event_id_comes_back_where_it_can_be_read() -> None:
    assert refused(b'{"type":"x","event_id":"e1"}').event_id == "e1"
    assert refused(b'{"type":"x","event_id":5}').event_id is None
    assert refused(b'{"type":"input_audio_buffer.append","audio":"%","event_id":"e1"}').event_id == "e1"
    assert refused(b'{"type":"input_audio_buffer.commit","event_id":5}').code == "invalid_type"
    long = json.dumps({"type": "input_audio_buffer.append", "audio": "", "event_id": "e" * 513}).encode()
    assert refused(long).param == "event_id"


def test_an_append_is_read_in_one_pass_whatever_the_order_of_its_fields() -> None:
    expected = ev.InputAudioBufferAppend(event_id="e", audio=b"\0\1\2")
    for data in (
        b'{"type":"input_audio_buffer.append","audio":"AAEC","event_id":"e"}',
        b'{"event_id":"e", "audio":"AAEC", "type":"input_audio_buffer.append"}',
    ):
        assert codec.decode(data, READERS) == expected
        assert codec.decode(data.decode(), READERS) == expected
    assert codec.decode(b'{"type":"input_audio_buffer.append","audio":"","event_id":null}', READERS) == (
        ev.InputAudioBufferAppend(audio=b"")
    )


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({}, "missing_required_parameter", "audio"),
        ({"audio": None}, "invalid_type", "audio"),
        ({"audio": 5}, "invalid_type", "audio"),
        ({"audio": "AAA"}, "invalid_value", "audio.audio"),
        ({"audio": "", "rate": 8000}, "unknown_parameter", "rate"),
    ],
)
def test_an_append_that_is_wrong_is_refused(fields: dict[str, Any], code: str, param: str) -> None:
    mistake = refused(json.dumps({"type": "input_audio_buffer.append", **fields}).encode())
    assert (mistake.code, mistake.param) == (code, param)


def test_of_a_field_given_twice_the_last_counts() -> None:
    data = b'{"type":"response.cancel","response_id":"a","response_id":"b"}'
    assert codec.decode(data, READERS) == ev.ResponseCancel(response_id="b")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "input_audio_buffer.commit"}, ev.InputAudioBufferCommit()),
        ({"type": "input_audio_buffer.clear", "event_id": ""}, ev.InputAudioBufferClear()),
        ({"type": "output_audio_buffer.clear", "event_id": "e"}, ev.OutputAudioBufferClear(event_id="e")),
        ({"type": "conversation.item.retrieve", "item_id": "i"}, ev.ConversationItemRetrieve(item_id="i")),
        ({"type": "conversation.item.delete", "item_id": "i"}, ev.ConversationItemDelete(item_id="i")),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 1500.0},
            ev.ConversationItemTruncate(item_id="i", content_index=0, audio_end_ms=1500),
        ),
        ({"type": "response.cancel"}, ev.ResponseCancel()),
        ({"type": "response.cancel", "response_id": None}, ev.ResponseCancel()),
        ({"type": "response.create"}, ev.ResponseCreate(response={})),
        ({"type": "response.create", "response": None}, ev.ResponseCreate(response={})),
    ],
)
@pytest.mark.parametrize("dialect", [Ga(), Beta()])
def test_events_that_both_shapes_spell_alike(dialect: Ga | Beta, fields: dict[str, Any], expected: Any) -> None:
    assert dialect.decode(json.dumps(fields).encode()) == expected


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
        ({"type": "conversation.item.create", "item": None}, "invalid_type", "item"),
        ({"type": "conversation.item.delete"}, "missing_required_parameter", "item_id"),
        ({"type": "conversation.item.retrieve", "item_id": None}, "invalid_type", "item_id"),
        ({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0}, "missing_required_parameter",
         "audio_end_ms"),
        ({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": -1},
         "invalid_value", "audio_end_ms"),
        ({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 1.5},
         "invalid_type", "audio_end_ms"),
        ({"type": "conversation.item.truncate", "item_id": "i", "content_index": "0", "audio_end_ms": 1},
         "invalid_type", "content_index"),
        ({"type": "input_audio_buffer.commit", "now": True}, "unknown_parameter", "now"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "response.create", "response": []}, "invalid_type", "response"),
        ({"type": "response.cancel", "response_id": 5}, "invalid_type", "response_id"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", [Ga(), Beta()])
def test_events_that_are_wrong_in_both_shapes(
    dialect: Ga | Beta, fields: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(ProtocolError) as caught:
        dialect.decode(json.dumps({**fields, "event_id": "e"}).encode())
    assert (caught.value.code, caught.value.param, caught.value.event_id) == (code, param, "e")


def nested(levels: int) -> bytes:
    """An event that is so many levels deep, itself included."""
    inner = b'{"a":' * (levels - 2) + b"1" + b"}" * (levels - 2)
    return b'{"type":"session.update","session":' + inner + b"}"


def test_an_event_that_is_nested_too_deeply_is_refused_before_anything_descends_into_it() -> None:
    assert refused(nested(codec.MAX_DEPTH)).code == "missing_required_parameter"
    assert told(nested(codec.MAX_DEPTH + 1)) == (
        "invalid_event", f"The event is nested more than {codec.MAX_DEPTH} levels deep.", None, None,
    )  # fmt: skip
    assert refused(nested(900)).code == "invalid_event"


def test_an_event_of_millions_of_values_is_refused_before_they_are_made() -> None:
    many = b'{"type":"x","a":[' + b"[]," * codec.MAX_VALUES + b"0]}"
    assert told(many)[1] == "The event has more than 1000000 values."
    assert codec.decode(b'{"type":"input_audio_buffer.append","audio":"' + b"A" * 8_000_000 + b'"}', READERS) == (
        ev.InputAudioBufferAppend(audio=bytes(6_000_000))
    )


def test_long_text_is_no_matter() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x y " * 1_000_000}]}
    event = codec.decode(json.dumps({"type": "conversation.item.create", "item": item}).encode(), READERS)
    assert isinstance(event, ev.ConversationItemCreate)


def test_audio_deltas_are_written_as_any_other_event_would_be() -> None:
    event = ev.AudioDelta("event_1", "resp_1", "item_1", 2, 0, b"\0\1\2\3")
    assert msgspec.json.decode(codec.encode_audio(event, b"response.output_audio.delta")) == {
        "type": "response.output_audio.delta", "event_id": "event_1", "response_id": "resp_1", "item_id": "item_1",
        "output_index": 2, "content_index": 0, "delta": "AAECAw==",
    }  # fmt: skip


def test_text_that_no_encoding_has_is_mended_on_its_way_out() -> None:
    torn = {"half": "a\ud83d", "whole": "\ud83d\ude00", "list": ["\ude00"], "k\ud800": 1, "n": None, "f": 1.5}
    assert json.loads(codec.encode(torn)) == {
        "half": "a�", "whole": "😀", "list": ["�"], "k�": 1, "n": None, "f": 1.5,
    }  # fmt: skip
    event = ev.TranscriptDelta("event_1", "resp_1", "item_1", 0, 0, "x\ud800")
    assert json.loads(Ga().encode(event)[0])["delta"] == "x�"
