"""The messages of the small protocol, read and written; `dialects.conversation` knows what is meant by them.

What is read is checked whole, by the rules and with the error texts of the Realtime protocol; fields are named as the
client knows them.  Audio and words go from one side to the other as the JSON strings that they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import msgspec
import pybase64

from ..core.errors import ProtocolError
from . import codec, ga, paths
from . import schema as s

SAMPLE_RATES_HZ = (16_000, 24_000)
CANCELLING, ASKING = "conversation_cancel", "conversation_ask"
"""The ids of events whose refusal is not the client's affair, or not always."""

# ------------------------------------------------------------------------------------------------ what a client says


class Audio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """More audio of the user."""

    type: str
    audio: str
    """Base64 of whole samples."""


class Text(msgspec.Struct, frozen=True):
    """A typed message."""

    text: str


class Configure(msgspec.Struct, frozen=True):
    """Settings to change."""

    config: dict[str, Any]
    """Checked, but as they were written."""


class Interrupt(msgspec.Struct, frozen=True):
    """The answer is to stop."""

    played_ms: int | None = None
    """What the listener heard of it; None where the client does not say."""


Message = Audio | Text | Configure | Interrupt


def _audio(value: Any, path: str) -> str:
    try:
        size = len(pybase64.b64decode(s.text(value, path), validate=True))
    except (ValueError, UnicodeError):
        raise ProtocolError("invalid_value", f"Invalid '{path}': this is no base64.", path) from None
    if size % 2:
        raise ProtocolError("invalid_value", f"Invalid '{path}': {size} bytes are no whole samples of PCM16.", path)
    return str(value)


def _sample_rate(value: Any, path: str) -> int:
    rate = s.integer(1)(value, path)
    if rate not in SAMPLE_RATES_HZ:
        raise s.invalid_choice(path, rate, tuple(str(known) for known in SAMPLE_RATES_HZ))
    return int(rate)


def _modalities(value: Any, path: str) -> list[str]:
    found = ga.modalities_list(value, path)
    if not found:
        text = f"Invalid '{path}': [] leaves no way to answer. Supported are ['text'] and ['text', 'audio']."
        raise ProtocolError("invalid_value", text, path)
    return ["audio"] if "audio" in found else ["text"]


def _turn_detection(value: Any, path: str) -> Any:
    if value is None:
        text = f"Invalid '{path}': it cannot be turned off, as no message of this protocol ends a turn."
        raise ProtocolError("invalid_value", text, path)
    ga.turn_detection(value, path)
    return value


def _transcription(value: Any, path: str) -> Any:
    ga.transcription(value, path)
    return value


def temperature(value: Any, path: str) -> float:
    """Accept a temperature, as the beta shape does."""
    return float(s.number(0.0, 2.0)(value, path))


_CONFIG = s.fields(
    {
        "sample_rate": _sample_rate,
        "instructions": s.text,
        "voice": s.name,
        "modalities": _modalities,
        "turn_detection": _turn_detection,
        "input_audio_transcription": _transcription,
        "temperature": temperature,
        "language": s.name,
    }
)


def _config(value: Any, path: str) -> dict[str, Any]:
    found: dict[str, Any] = _CONFIG(value, path)
    if "language" in found and found.get("input_audio_transcription", {}) is None:
        text = f"Invalid '{path}.language': it is that of the transcription, which is turned off."
        raise ProtocolError("invalid_value", text, f"{path}.language")
    return found


_TEXT = s.fields({"type": s.text, "text": s.name}, ("text",))
_AUDIO = s.fields({"type": s.text, "audio": _audio}, ("audio",))
_CONFIGURE = s.fields({"type": s.text, "config": _config}, ("config",))
_INTERRUPT = s.fields({"type": s.text, "played_ms": s.nullable(s.integer(0))})
_TYPES = ("audio", "text", "config", "interrupt")

_read_audio = msgspec.json.Decoder(Audio).decode


def read(data: bytes) -> Message:
    """Return the message of one frame.

    Raises:
        ProtocolError: it is none.
    """
    try:
        message = _read_audio(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _read_slowly(codec.parse(data))
    if message.type != "audio":
        return _read_slowly(codec.parse(data))
    _audio(message.audio, "audio")
    return message


def _read_slowly(value: dict[str, Any]) -> Message:
    match value.get("type"):
        case None:
            raise s.missing("type")
        case "audio":
            return Audio("audio", _AUDIO(value, "")["audio"])
        case "text":
            return Text(_TEXT(value, "")["text"])
        case "config":
            return Configure(_CONFIGURE(value, "")["config"])
        case "interrupt":
            return Interrupt(_INTERRUPT(value, "").get("played_ms"))
        case str(kind):
            raise s.invalid_choice("type", kind, _TYPES)
        case other:
            raise s.invalid_type("type", "string", other)


# ----------------------------------------------------------------------------------------------- for the session


def frame(kind: str, **fields: Any) -> bytes:
    """Return a GA client event."""
    return codec.encode({"type": kind, **fields})


def append(message: Audio) -> tuple[bytes, ...]:
    """Return what appends audio."""
    return (b'{"type":"input_audio_buffer.append","audio":"' + message.audio.encode() + b'"}',)


def session_update(config: dict[str, Any], model: str | None) -> bytes:
    """Return what changes the settings.

    Args:
        config: the change.
        model: what is to transcribe where a language alone turns transcription on; None where it is on.
    """
    session: dict[str, Any] = {"type": "realtime"}
    session |= {key: config[key] for key in ("instructions", "temperature") if key in config}
    heard: dict[str, Any] = {}
    spoken: dict[str, Any] = {}
    if "modalities" in config:
        session["output_modalities"] = config["modalities"]
    if "sample_rate" in config:
        heard["format"] = spoken["format"] = {"type": "audio/pcm", "rate": config["sample_rate"]}
    if "voice" in config:
        spoken["voice"] = config["voice"]
    if "turn_detection" in config:
        heard["turn_detection"] = config["turn_detection"]
    if "input_audio_transcription" in config:
        heard["transcription"] = config["input_audio_transcription"]
    if "language" in config:
        given = heard.get("transcription") or ({"model": model} if model else {})
        heard["transcription"] = given | {"language": config["language"]}
    audio = {side: fields for side, fields in (("input", heard), ("output", spoken)) if fields}
    return frame("session.update", session=session | ({"audio": audio} if audio else {}))


# -------------------------------------------------------------------------------------------- what a session says


class Delta(msgspec.Struct, frozen=True):
    """What is read of every event, and all that is read of one that comes often."""

    type: str
    delta: msgspec.Raw = msgspec.Raw(b'""')
    """As the JSON string that it is."""
    response_id: Any = None
    item_id: Any = None
    content_index: Any = None

    @property
    def audio_bytes(self) -> int:
        """How many bytes the base64 stands for."""
        text = bytes(self.delta).strip(b'"')
        return len(text) // 4 * 3 - text[-2:].count(b"=")


_read_delta = msgspec.json.Decoder(Delta).decode


_read_event = msgspec.json.Decoder(dict[str, Any]).decode


def peek(data: bytes) -> Delta | None:
    """Return the type of a GA server event and what is read of its delta; None for what is no event."""
    try:
        delta = _read_delta(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if b"\\/" in bytes(delta.delta):
        # Some servers escape the slashes of base64.
        delta = msgspec.structs.replace(delta, delta=msgspec.Raw(bytes(delta.delta).replace(b"\\/", b"/")))
    return delta


def event(data: bytes) -> dict[str, Any]:
    """Return the whole of an event that was peeked at."""
    return _read_event(data)


def object_of(event: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a field that is an object; an empty one for any other."""
    found = event.get(key)
    return found if isinstance(found, dict) else {}


def text_of(event: dict[str, Any], key: str) -> str:
    """Return a field that is a text; an empty one for any other."""
    found = event.get(key)
    return found if isinstance(found, str) else ""


# ----------------------------------------------------------------------------------------------- for the client

_of_a_session = re.compile(r"(?<![\w.])session\.(?=[a-z])")
SPEECH_STARTED = b'{"type":"speech_started"}'
SPEECH_STOPPED = b'{"type":"speech_stopped"}'


def spliced(head: bytes, value: msgspec.Raw) -> bytes:
    """Return a message that ends with a value of another."""
    return head + bytes(value) + b"}"


def session_ready(session: dict[str, Any], rate_hz: int) -> bytes:
    """Return the first message of a conversation."""
    output = object_of(object_of(session, "audio"), "output")
    return codec.encode(
        {
            "type": "session_ready",
            "message": f"Connected to {session.get('model') or 'vivavoce'}",
            "session_id": session.get("id"),
            "sample_rate": rate_hz,
            "voice": output.get("voice"),
        }
    )


def response_done(response: dict[str, Any], latency_ms: int | None) -> tuple[bytes, ...]:
    """Return what tells the end of an answer, and why it failed if it did."""
    status = response.get("status") or "completed"
    done = {
        "type": "response_done",
        "message": f"AI response {status}",
        "status": status,
        "usage": response.get("usage"),
        "latency_ms": latency_ms,
    }
    if status != "failed":
        return (codec.encode(done),)
    cause = object_of(object_of(response, "status_details"), "error")
    code = cause.get("code") or cause.get("type") or "response_failed"
    return (error(str(code), str(cause.get("message") or "The answer failed.")), codec.encode(done))


def user_transcript(text: str, logprobs: Iterable[Any] | None = None) -> bytes:
    """Return what tells the words of the user.

    Args:
        text: all of them so far.
        logprobs: how certain each is, none where nobody says; None while more may come.
    """
    message: dict[str, Any] = {"type": "user_transcript", "text": text, "final": logprobs is not None}
    certain = [sure for sure in map(_certainty, logprobs or ()) if sure is not None]
    if certain:
        message["confidence"] = round(sum(certain) / len(certain), 3)
    return codec.encode(message)


def _certainty(token: Any) -> float | None:
    """Return how certain a token is; None of marks of punctuation, which always are."""
    match token:
        case {"token": str(text), "logprob": int() | float() as logprob} if any(map(str.isalnum, text)):
            return math.exp(min(0.0, logprob))
        case _:
            return None


def error(code: str, text: str, param: str | None = None) -> bytes:
    """Return what tells of a mistake; the field that it is about is named as the client knows it."""
    named, text = _own(param or ""), _own(text)
    if named and named not in text:
        text = f"{named}: {text}"
    return codec.encode({"type": "error", "code": code, "message": text})


def _own(text: str) -> str:
    """Return a text in which the settings of a GA session have the names of the small protocol."""
    return _of_a_session.sub("config.", paths.flat(text))
