"""Asterisk's two media streams: its WebSocket channel, and AudioSocket over TCP.

The WebSocket channel carries audio in binary messages and control in text, as words or, since 20.18, 22.8 and 23.2, as
JSON; whichever it is spoken to in, it is answered in.  AudioSocket has a type, a length of two bytes and a payload.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .spelling import Began, Ended, Heard, Message, Sound, StreamError, Told, digit

__all__ = ["AsteriskWebSocket", "AudioSocket", "AudioSocketReader"]

_FORMATS: Mapping[str, Sound] = {
    "ulaw": Sound("ulaw"),
    "alaw": Sound("alaw"),
    "slin": Sound("linear", 8_000),
    "slin16": Sound("linear", 16_000),
    "slin24": Sound("linear", 24_000),
}
_SLIN = {0x10: 8_000, 0x12: 16_000, 0x13: 24_000}
_HANGUP, _UUID, _DTMF, _ERROR = 0x00, 0x01, 0x03, 0xFF
_HEAD = struct.Struct(">BH")

_encode = msgspec.json.Encoder().encode


class AsteriskWebSocket:
    """`chan_websocket` of Asterisk 20.16, 21.11, 22.6, 23 and later."""

    road = "asterisk"
    lead_frames = 5

    def __init__(self, called: str = "") -> None:
        """Begin a stream.

        Args:
            called: which number was called, where the channel does not say.
        """
        self._called = called
        self._is_json = False

    def read(self, message: Message) -> Sequence[Told]:
        """Return what a message means."""
        if isinstance(message, bytes):
            return [Heard(message)]
        event, fields = self._event(message)
        match event:
            case "MEDIA_START":
                return [self._began(fields)]
            case "DTMF_END":
                return digit(fields.get("digit", ""))
            case "HANGUP" | "MEDIA_END":
                return [Ended("the caller hung up")]
            case "ERROR":
                return [Ended(f"Asterisk tells of an error: {message[:200]}")]
        return []

    def opening(self) -> Sequence[Message]:
        """Return what is said at once: the call is answered."""
        return (self._command("ANSWER"),)

    def audio(self, audio: bytes) -> Message:
        """Return the message that plays coded audio."""
        return audio

    def clear(self) -> Sequence[Message]:
        """Return what has the other side forget what waits."""
        return (self._command("FLUSH_MEDIA"),)

    def hang_up(self) -> Sequence[Message]:
        """Return what ends the call."""
        return (self._command("HANGUP"),)

    def _event(self, text: str) -> tuple[str, Mapping[str, Any]]:
        if text.lstrip().startswith("{"):
            try:
                fields = msgspec.json.decode(text, type=dict[str, Any])
            except (msgspec.MsgspecError, ValueError, RecursionError):
                raise StreamError("a message is not a JSON object") from None
            self._is_json = True
            return str(fields.get("event", "")), fields
        words = text.split()
        return (words[0] if words else ""), dict(word.split(":", 1) for word in words[1:] if ":" in word)

    def _began(self, fields: Mapping[str, Any]) -> Began:
        name = str(fields.get("format", "ulaw"))
        sound = _FORMATS.get(name)
        if sound is None:
            raise StreamError(f"audio in {name[:20]!r} is not understood; {', '.join(_FORMATS)} are")
        variables = fields.get("channel_variables")
        given = variables if isinstance(variables, Mapping) else {}
        caller = str(given.get("CALLERID(num)", fields.get("caller", "")))
        called = str(given.get("DIALED_NUMBER", fields.get("called", ""))) or self._called
        call = str(fields.get("connection_id", fields.get("channel", "")))
        return Began(call, caller, called, sound, sound, str(given.get("token", "")))

    def _command(self, name: str) -> str:
        return _encode({"command": name}).decode() if self._is_json else name


class AudioSocketReader:
    """Cuts what comes over an AudioSocket into its messages, each with its head."""

    def __init__(self) -> None:
        self._rest = b""

    def push(self, data: bytes) -> list[bytes]:
        """Return the messages that this completes."""
        data = self._rest + data
        out, at = [], 0
        while at + _HEAD.size <= len(data):
            _, length = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + length
            if end > len(data):
                break
            out.append(data[at:end])
            at = end
        self._rest = data[at:]
        return out


class AudioSocket:
    """AudioSocket, of Asterisk 18 and later: linear audio, usually at 8 kHz, and nothing may be queued ahead."""

    road = "audiosocket"
    lead_frames = 0

    def __init__(self) -> None:
        self._kind = 0x10
        self._call: str | None = None
        self._has_begun = False

    def read(self, message: Message) -> Sequence[Told]:
        """Return what one whole message means."""
        if isinstance(message, str) or len(message) < _HEAD.size:
            raise StreamError("this is no message of an AudioSocket")
        kind, _ = _HEAD.unpack_from(message)
        payload = message[_HEAD.size :]
        if kind == _UUID:
            if len(payload) != 16:
                raise StreamError("the name of a call has 16 bytes")
            self._call = str(uuid.UUID(bytes=payload))
            return []
        if self._call is None:
            raise StreamError("the first message has to name the call")
        if kind in _SLIN:
            return [*self._begin(kind), Heard(payload[: len(payload) & ~1])]
        if kind == _DTMF:
            return [*self._begin(self._kind), *digit(payload[:1].decode("ascii", "replace"))]
        if kind == _HANGUP:
            return [Ended("the caller hung up")]
        if kind == _ERROR:
            return [Ended(f"Asterisk tells of error {payload[:1].hex() or '?'}")]
        return []

    def _begin(self, kind: int) -> list[Told]:
        """Return the beginning of the call, which its first audio tells of, for that tells its rate."""
        if self._has_begun:
            return []
        self._has_begun, self._kind = True, kind
        sound = Sound("linear", _SLIN[kind])
        name = self._call or ""
        # Its name is all that it says of itself, so numbers may be found by it.
        return [Began(name, called=name, hears=sound, says=sound)]

    def opening(self) -> Sequence[Message]:
        """Return what is said at once: nothing."""
        return ()

    def audio(self, audio: bytes) -> Message:
        """Return the message that plays coded audio."""
        return _HEAD.pack(self._kind, len(audio)) + audio

    def clear(self) -> Sequence[Message]:
        """Return what has the other side forget what waits: nothing ever does."""
        return ()

    def hang_up(self) -> Sequence[Message]:
        """Return what ends the call."""
        return (_HEAD.pack(_HANGUP, 0),)
