"""Looking into a frame without reading it: its type, where its audio stands, another name in the type's place.

Frames of audio come a hundred times a second and are only passed on, so nothing here builds objects.  Called by
`relay.session` for every frame.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pybase64

from .terms import Object

AUDIO = b'"audio"'
DELTA = b'"delta"'

_head = re.compile(rb'\s*\{\s*"type"\s*:\s*"([a-z0-9_.]+)"').match
_item = re.compile(rb'"item_id"\s*:\s*"([^"\\]*)"').search
_NEAR = 400
"""Within so many bytes every implementation writes the ids of a delta; behind them stands its audio."""


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.json.Decoder(_Typed).decode
_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def kind(frame: bytes) -> bytes:
    """Return the type of an event; empty for what is no event."""
    found = _head(frame)
    if found is not None:
        return found[1]
    try:
        return _typed(frame).type.encode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return b""


def renamed(frame: bytes, name: bytes) -> bytes:
    """Return the frame with another type, everything else as it is."""
    found = _head(frame)
    if found is None:
        event = _any(frame)
        event["type"] = name.decode()
        return _encode(event)
    start, end = found.span(1)
    return b"%b%b%b" % (frame[:start], name, frame[end:])


def base64_span(frame: bytes, key: bytes) -> tuple[int, int]:
    """Return where the base64 text behind `AUDIO` or `DELTA` begins and ends; twice the same where there is none."""
    at = frame.find(key, 0, _NEAR)
    if at < 0:
        # From behind: the key is never inside base64.
        at = frame.rfind(key)
        if at < 0:
            return (0, 0)
    start = frame.find(b'"', at + len(key)) + 1
    end = frame.find(b'"', start) if start else 0
    return (start, end) if end > 0 else (0, 0)


def base64_bytes(frame: bytes, key: bytes) -> int:
    """Return how many bytes the base64 text behind a key stands for."""
    start, end = base64_span(frame, key)
    if end - start < 4:
        return 0
    length = (end - start) * 3 // 4
    return length - frame.count(b"=", end - 2, end)


def item_id(frame: bytes) -> str:
    """Return the id of the item that a delta belongs to; empty where none is found."""
    found = _item(frame, 0, _NEAR) or _item(frame)
    return found[1].decode() if found else ""


def parse(frame: bytes) -> Object | None:
    """Return the event of a frame; None for what is no JSON object."""
    try:
        event = _any(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def at(value: Any, path: tuple[str, ...]) -> Any:
    """Return what stands at a path in an object; None where it ends before."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def written(event: object) -> bytes:
    """Return an event as a frame."""
    return _encode(event)


def audio(frame: bytes, key: bytes = AUDIO) -> bytes:
    """Return the audio behind a key; empty where there is none that can be read."""
    start, end = base64_span(frame, key)
    return decoded(frame[start:end].replace(b"\\/", b"/"))


def with_audio(frame: bytes, pcm: bytes, key: bytes = AUDIO) -> bytes:
    """Return the frame with other audio behind a key, which is there."""
    start, end = base64_span(frame, key)
    return b"%b%b%b" % (frame[:start], pybase64.b64encode(pcm), frame[end:])


def decoded(text: Any) -> bytes:
    """Return what base64 stands for; nothing where it is none."""
    try:
        return pybase64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        return b""


def encoded(pcm: bytes) -> str:
    """Return audio as it stands in events."""
    return pybase64.b64encode(pcm).decode()


def joined(frames: list[bytes]) -> str:
    """Return the audio of several appends as one base64 text; what cannot be read is left out."""
    return encoded(b"".join(map(audio, frames)))
