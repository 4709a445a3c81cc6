"""Frames: JSON in, client events out; server events in, JSON out.  The hot ones take a short cut.

The append is the only client event that comes fifty times a second, and the audio delta the only server event of that
kind: the first is read in one pass without building a dict, the second is assembled around its base64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pybase64

from ..core import events as ev
from ..core.errors import ProtocolError
from . import common
from . import schema as s

Reader = Callable[[dict[str, Any]], ev.ClientEvent]

_encode = msgspec.json.Encoder().encode
_any = msgspec.json.Decoder().decode


class _Append(msgspec.Struct):
    type: str
    audio: str
    event_id: str | None = None


_append = msgspec.json.Decoder(_Append).decode
_AUDIO_PARAM = "audio.audio"
"""How the protocol names the audio of an append in its errors."""


def decode(data: bytes | str, readers: Mapping[str, Reader]) -> ev.ClientEvent:
    """Return the client event of one frame.

    Raises:
        ProtocolError: it is none; `event_id` is set where it could be read.
    """
    try:
        append = _append(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _decode_slowly(data, readers)
    if append.type != "input_audio_buffer.append":
        return _decode_slowly(data, readers)
    try:
        audio = common.base64_bytes(append.audio, _AUDIO_PARAM)
    except ProtocolError as mistake:
        mistake.event_id = append.event_id
        raise
    return ev.InputAudioBufferAppend(event_id=append.event_id, audio=audio)


def _decode_slowly(data: bytes | str, readers: Mapping[str, Reader]) -> ev.ClientEvent:
    try:
        value = _any(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ProtocolError("invalid_event", "The event could not be parsed as JSON.") from None
    if not isinstance(value, dict):
        raise ProtocolError("invalid_event", "The event must be a JSON object.")
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
    "input_audio_buffer.append": reader(
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


def encode(message: dict[str, Any]) -> bytes:
    """Return a message as one JSON frame."""
    return _encode(message)


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
