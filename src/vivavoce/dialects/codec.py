"""Frames: JSON in, client events out; server events in, JSON out.  The hot ones take a short cut.

The append is the only client event that comes fifty times a second, and the audio delta the only server event of that
kind: the first is read in one pass without building a dict, the second is assembled around its base64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
import pybase64

from ..core import events as ev
from ..core.errors import ProtocolError
from . import common
from . import schema as s

Reader = Callable[[dict[str, Any]], ev.ClientEvent]

_encode = msgspec.json.Encoder().encode
_any = msgspec.json.Decoder().decode


MAX_DEPTH = 64
"""Objects and arrays inside one another; schemas of functions, the deepest thing there is, stay far below."""
MAX_VALUES = 1_000_000
"""Commas and opening brackets in one message: each may stand for a value, which takes far more memory than its text."""


class _Append(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    audio: str
    event_id: Annotated[str, msgspec.Meta(max_length=common.MAX_ID)] | None = None


_append = msgspec.json.Decoder(_Append).decode
APPEND = "input_audio_buffer.append"
_AUDIO_PARAM = "audio.audio"
"""How the protocol names the audio of an append in its errors."""


def decode(data: bytes | str, readers: Mapping[str, Reader], append_name: str = APPEND) -> ev.ClientEvent:
    """Return the client event of one frame, by readers that call the append of audio so.

    Raises:
        ProtocolError: it is none; `event_id` is set where it could be read.
    """
    try:
        append = _append(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _decode_slowly(data, readers)
    if append.type != append_name:
        return _decode_slowly(data, readers)
    try:
        audio = common.base64_bytes(append.audio, _AUDIO_PARAM)
    except ProtocolError as mistake:
        mistake.event_id = append.event_id
        raise
    return ev.InputAudioBufferAppend(event_id=append.event_id, audio=audio)


def parse(data: bytes | str) -> dict[str, Any]:
    """Return the object of one frame, unchecked but of bounded depth and size.

    Raises:
        ProtocolError: it is no JSON object, or one that no client has reason to send.
    """
    try:
        text = data.encode() if isinstance(data, str) else data
        if len(text) > MAX_VALUES and sum(map(text.count, (b",", b"[", b"{"))) > MAX_VALUES:
            raise ProtocolError("invalid_event", f"The event has more than {MAX_VALUES} values.")
        value = _any(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ProtocolError("invalid_event", "The event could not be parsed as JSON.") from None
    if not isinstance(value, dict):
        raise ProtocolError("invalid_event", "The event must be a JSON object.")
    if is_too_deep(value):
        raise ProtocolError("invalid_event", f"The event is nested more than {MAX_DEPTH} levels deep.")
    return value


def is_too_deep(value: dict[str, Any]) -> bool:
    """Return whether objects and arrays stand inside one another more than `MAX_DEPTH` times."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inside: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                inside += node.values()
            elif isinstance(node, list):
                inside += node
        if not inside:
            return False
        level = inside
    return True


def _decode_slowly(data: bytes | str, readers: Mapping[str, Reader]) -> ev.ClientEvent:
    value = parse(data)
    event_id = value.get("event_id")
    try:
        kind = value.get("type")
        if kind is None:
            raise ProtocolError("invalid_event", "The 'type' field is missing.")
        if not isinstance(kind, str):
            raise s.invalid_type("type", "string", kind)
        reader = readers.get(kind)
        if reader is None:
            raise s.invalid_choice("type", kind, tuple(readers))
        return reader(value)
    except ProtocolError as mistake:
        mistake.event_id = event_id if isinstance(event_id, str) else None
        raise


def reader(checks: Mapping[str, s.Check], required: tuple[str, ...], make: Callable[..., ev.ClientEvent]) -> Reader:
    """Return the reader of an event of these fields, which `make` is called with."""
    check = s.fields({"type": s.text, "event_id": common.optional_ident, **checks}, required)

    def read(value: dict[str, Any]) -> ev.ClientEvent:
        found = check(value, "")
        del found["type"]
        return make(**found)

    return read


READERS: dict[str, Reader] = {
    APPEND: reader(
        {"audio": lambda value, path: common.base64_bytes(s.text(value, path), _AUDIO_PARAM)},
        ("audio",),
        ev.InputAudioBufferAppend,
    ),
    "input_audio_buffer.commit": reader({}, (), ev.InputAudioBufferCommit),
    "input_audio_buffer.clear": reader({}, (), ev.InputAudioBufferClear),
    "output_audio_buffer.clear": reader({}, (), ev.OutputAudioBufferClear),
    "conversation.item.create": reader(
        {"item": common.item, "previous_item_id": common.optional_ident}, ("item",), ev.ConversationItemCreate
    ),
    "conversation.item.retrieve": reader({"item_id": common.ident}, ("item_id",), ev.ConversationItemRetrieve),
    "conversation.item.delete": reader({"item_id": common.ident}, ("item_id",), ev.ConversationItemDelete),
    "conversation.item.truncate": reader(
        {"item_id": common.ident, "content_index": s.integer(0), "audio_end_ms": s.integer(0)},
        ("item_id", "content_index", "audio_end_ms"),
        ev.ConversationItemTruncate,
    ),
    "response.cancel": reader({"response_id": common.optional_ident}, (), ev.ResponseCancel),
}
"""Readers of the events that both shapes spell alike."""


def encode(message: Any) -> bytes:
    """Return a message as one JSON frame.

    Engines may hand over text that a Unicode encoding does not have: half of a pair of surrogates, where a stream was
    cut inside a character.  It is shown as U+FFFD.
    """
    try:
        return _encode(message)
    except UnicodeEncodeError:
        return _encode(_mended(msgspec.to_builtins(message)))


def _mended(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case dict():
            return {_mended(key): _mended(element) for key, element in value.items()}
        case list():
            return [_mended(element) for element in value]
        case _:
            return value


def encode_audio(event: ev.AudioDelta, kind: bytes) -> bytes:
    """Return an audio delta as one JSON frame, its parts joined around the base64."""
    return b"".join(
        (
            b'{"type":"',
            kind,
            b'","event_id":"',
            event.event_id.encode(),
            b'","response_id":"',
            event.response_id.encode(),
            b'","item_id":"',
            event.item_id.encode(),
            b'","output_index":%d,"content_index":%d,"delta":"' % (event.output_index, event.content_index),
            pybase64.b64encode(event.delta),
            b'"}',
        )
    )
