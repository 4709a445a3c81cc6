"""Media streams in JSON over a WebSocket: Twilio's, and those of others that follow it more or less.

    in     start {call, format, parameters}   media {payload}   dtmf {digit}   stop
    out    media {payload}   clear

Audio is base64.  What is not known is ignored, for providers add to their messages.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from .spelling import Began, Coding, Ended, Heard, Message, Sound, StreamError, Told, digit

__all__ = ["FreeSwitch", "Plivo", "Telnyx", "Twilio"]

MAX_SECONDS = 60
"""The longest piece of audio in one message."""
_CODINGS: Mapping[str, Coding] = {
    "audio/x-mulaw": "ulaw",
    "pcmu": "ulaw",
    "mulaw": "ulaw",
    "ulaw": "ulaw",
    "audio/x-alaw": "alaw",
    "pcma": "alaw",
    "alaw": "alaw",
    "audio/x-l16": "linear",
    "audio/x-raw": "linear",
    "l16": "linear",
}
_RATES = (8_000, 16_000, 24_000)
_AHEAD = 5
"""Numbers for which a piece that is missing is waited for."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(table: Mapping[str, Any], *names: str) -> str:
    """Return the first text that stands under one of some names."""
    return next(
        (str(table[name]) for name in names if isinstance(table.get(name), str | int) and table[name] != ""), ""
    )


def _sound(format: Mapping[str, Any]) -> Sound:  # noqa: A002 - the wire name
    encoding = _first(format, "encoding") or "audio/x-mulaw"
    rate_text = _first(format, "sampleRate", "sample_rate") or "8000"
    coding = _CODINGS.get(encoding.lower().partition(";")[0])
    if coding is None:
        raise StreamError(f"audio in {encoding[:40]!r} is not understood; G.711 and linear PCM are")
    if not rate_text.isdecimal() or int(rate_text) not in _RATES:
        raise StreamError(f"audio at {rate_text[:10]} Hz is not understood; 8000, 16000 and 24000 are")
    return Sound(coding, int(rate_text))


def _payload(media: Mapping[str, Any]) -> bytes:
    payload = media.get("payload")
    if not isinstance(payload, str) or len(payload) > MAX_SECONDS * 64_000:
        raise StreamError("a media message has no payload, or one that is too long")
    try:
        return b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise StreamError("a payload is not base64") from None


def _read(message: Message) -> dict[str, Any]:
    if isinstance(message, bytes):
        raise StreamError("this stream has text messages only")
    try:
        return _decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise StreamError("a message is not a JSON object") from None


def _text(value: Any) -> str:
    return _encode(value).decode()


class _Ordered:
    """Puts pieces of audio into the order of their numbers, as far as it is not too late."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._waiting: dict[int, bytes] = {}

    def take(self, number: int | None, audio: bytes) -> Iterable[bytes]:
        """Return what can be heard now that this piece is here."""
        if number is None:
            return (audio,)
        if self._next is None:
            self._next = number
        if number < self._next:
            # Late, or the numbers have begun anew.
            if self._next - number <= _AHEAD:
                return ()
            self._waiting.clear()
            self._next = number
        self._waiting[number] = audio
        if len(self._waiting) > _AHEAD:
            self._next = min(self._waiting)
        out = []
        while (piece := self._waiting.pop(self._next, None)) is not None:
            out.append(piece)
            self._next += 1
        return out


class _JsonStream:
    """What these spellings share."""

    road = "twilio"
    lead_frames = 5

    def __init__(self) -> None:
        self._stream_id = ""
        self._says = Sound()
        self._ordered = _Ordered()

    def read(self, message: Message) -> Sequence[Told]:
        """Return what a message means."""
        event = _read(message)
        match event.get("event"):
            case "start":
                return self._start(event)
            case "media":
                return self._media(_object(event.get("media")))
            case "dtmf":
                return digit(_object(event.get("dtmf")).get("digit", ""))
            case "stop":
                return [Ended("the caller hung up")]
            case "error":
                return [Ended(f"the provider tells of an error: {_text(event)[:200]}")]
        return []

    def opening(self) -> Sequence[Message]:
        """Return what is said at once: nothing."""
        return ()

    def hang_up(self) -> Sequence[Message]:
        """Return what ends the call: closing the connection does."""
        return ()

    def _start(self, event: Mapping[str, Any]) -> Sequence[Told]:
        start = _object(event.get("start"))
        given = {**start, **_object(start.get("customParameters")), **_object(start.get("custom_parameters"))}
        ids = {**start, **{name: value for name, value in event.items() if name != "start"}}
        self._stream_id = _first(ids, "streamSid", "stream_sid", "streamId", "stream_id")
        hears = _sound(_object(start.get("mediaFormat")) or _object(start.get("media_format")))
        self._says = hears
        call = _first(start, "callSid", "call_sid", "call_control_id", "callId", "call_id") or self._stream_id
        caller, called = _first(given, "caller", "from", "From"), _first(given, "called", "to", "To")
        return [Began(call, caller, called, hears, self._says, _first(given, "token"))]

    def _media(self, media: Mapping[str, Any]) -> Sequence[Told]:
        if str(media.get("track", "inbound")) not in ("inbound", "inbound_track"):
            return []
        number = _first(media, "chunk")
        return [
            Heard(one)
            for one in self._ordered.take(
                int(number) if number[:18].isdecimal() and len(number) <= 18 else None, _payload(media)
            )
        ]


class Twilio(_JsonStream):
    """Twilio Media Streams, as SignalWire, Exotel and others speak them too."""

    def audio(self, audio: bytes) -> Message:
        """Return the message that plays coded audio."""
        media = {"payload": b64encode(audio).decode()}
        # Exotel spells the stream's name with an underscore, and ignores the other.
        return _text({"event": "media", "streamSid": self._stream_id, "stream_sid": self._stream_id, "media": media})

    def clear(self) -> Sequence[Message]:
        """Return what has the other side forget what waits."""
        return (_text({"event": "clear", "streamSid": self._stream_id, "stream_sid": self._stream_id}),)


class Telnyx(_JsonStream):
    """Telnyx media streaming in both directions (`stream_bidirectional_mode` set to `rtp`)."""

    road = "telnyx"

    def audio(self, audio: bytes) -> Message:
        """Return the message that plays coded audio."""
        return _text({"event": "media", "media": {"payload": b64encode(audio).decode()}})

    def clear(self) -> Sequence[Message]:
        """Return what has the other side forget what waits."""
        return (_text({"event": "clear"}),)


class Plivo(_JsonStream):
    """Plivo audio streaming in both directions."""

    road = "plivo"

    def audio(self, audio: bytes) -> Message:
        """Return the message that plays coded audio."""
        kind = {"ulaw": "audio/x-mulaw", "alaw": "audio/x-alaw", "linear": "audio/x-l16"}[self._says.coding]
        media = {"contentType": kind, "sampleRate": self._says.rate_hz, "payload": b64encode(audio).decode()}
        return _text({"event": "playAudio", "media": media})

    def clear(self) -> Sequence[Message]:
        """Return what has the other side forget what waits."""
        return (_text({"event": "clearAudio", "streamId": self._stream_id}),)


class FreeSwitch:
    """FreeSWITCH's audio streams in both directions: `mod_audio_fork`, and `mod_audio_stream` from 1.0.3 on.

    Linear audio goes both ways in binary messages.  There is no message that begins a call: the first text, or else
    the first audio, does.  The address says at which rate audio comes.
    """

    road = "freeswitch"
    lead_frames = 5

    def __init__(self, rate_hz: int = 8_000, called: str = "") -> None:
        """Begin a stream.

        Args:
            rate_hz: of the audio both ways.
            called: which number was called, where the stream does not say.

        Raises:
            StreamError: there is no such rate.
        """
        if rate_hz not in _RATES:
            raise StreamError(f"audio at {rate_hz} Hz is not understood; 8000, 16000 and 24000 are")
        self._sound = Sound("linear", rate_hz)
        self._called = called
        self._has_begun = False

    def read(self, message: Message) -> Sequence[Told]:
        """Return what a message means."""
        told: list[Told] = []
        metadata: Mapping[str, Any] = {}
        if isinstance(message, str):
            try:
                metadata = _read(message)
            except StreamError:
                metadata = {}  # dialplans may say anything
        if not self._has_begun:
            self._has_begun = True
            call = _first(metadata, "uuid", "callSid", "call_id", "callId")
            caller, called = _first(metadata, "from", "caller"), _first(metadata, "to", "called") or self._called
            told.append(Began(call, caller, called, self._sound, self._sound, _first(metadata, "token")))
        if isinstance(message, bytes):
            return [*told, Heard(message[: len(message) & ~1])]
        if "dtmf" in (metadata.get("event"), metadata.get("type")):
            return told + digit(metadata.get("digit", metadata.get("dtmf", "")))
        return told

    def opening(self) -> Sequence[Message]:
        """Return what is said at once: nothing."""
        return ()

    def audio(self, audio: bytes) -> Message:
        """Return the message that plays coded audio."""
        return audio

    def clear(self) -> Sequence[Message]:
        """Return what has the other side forget what waits."""
        return (_text({"type": "killAudio"}),)

    def hang_up(self) -> Sequence[Message]:
        """Return what ends the call, where the module knows it."""
        return (_text({"type": "disconnect"}),)
