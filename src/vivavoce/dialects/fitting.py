"""Messages that are too long for the channel that they go by.  Called by `server.live`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

__all__ = ["fitted"]

_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def fitted(frame: bytes, most_bytes: int, new_id: Callable[[str], str]) -> Sequence[bytes]:
    """Return what a party is told whose channel takes messages of so many bytes at most.

    A long text delta is told in pieces.  Audio and pictures inside items are left out, as they are where an item is
    added: it can be retrieved over a WebSocket.  What is too long even so becomes an `error` that names it.
    """
    if len(frame) <= most_bytes:
        return (frame,)
    event = _object(frame)
    delta = event.get("delta")
    if isinstance(delta, str):
        step = max(1, (most_bytes - 1024) // 6)  # no character takes more than six bytes in JSON
        pieces = [delta[at : at + step] for at in range(0, len(delta), step)]
        split = [_encode(event | {"delta": piece, "event_id": new_id("event")}) for piece in pieces]
        if all(len(piece) <= most_bytes for piece in split):
            return split
    shortened = _encode(_without_bulk(event))
    if len(shortened) <= most_bytes:
        return (shortened,)
    message = (
        f"An event '{str(event.get('type'))[:64]}' of {len(frame)} bytes exceeds the {most_bytes} bytes that this "
        "connection takes in one message. It can be had over a WebSocket with this call's call_id."
    )
    mistake = {"type": "server_error", "code": "event_too_large", "message": message, "param": None, "event_id": None}
    return (_encode({"type": "error", "event_id": new_id("event"), "error": mistake}),)


_BULKY = frozenset(("audio", "image_url"))


def _without_bulk(value: Any) -> Any:
    """Return an event without the texts of audio and pictures in it."""
    if isinstance(value, dict):
        return {
            key: _without_bulk(field)
            for key, field in value.items()
            if not (key in _BULKY and isinstance(field, str) and len(field) > 1024)
        }
    return [_without_bulk(element) for element in value] if isinstance(value, list) else value
