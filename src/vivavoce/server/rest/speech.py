"""`POST /v1/audio/speech`: a text spoken, sent while it is being made."""

from __future__ import annotations

import base64
import functools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from ...audio.wav import stream_header
from ...core.errors import ProtocolError
from ...core.money import of_speech
from ...core.settings import VOICES
from ...core.states import Usage
from ...core.usage import output_audio_tokens, text_tokens
from ...dialects import schema as s
from ...engines.media import RATE_HZ
from ...engines.reading import read_aloud
from .desk import Desk, Ticket, checked, event, events, told
from .http import Answer, Asked, Streamed, begun, key_id_of, read_json
from .till import charged

TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""The formats that speech comes in, and what HTTP calls them."""
SPEECH_VOICES = {"nova": "coral", "onyx": "cedar", "fable": "ballad"}
"""Voices of this endpoint alone, and those of the protocol that are most like them."""
_BYTES_A_CHARACTER = 12
"""What JSON needs at most: two escapes of six for what lies beyond the basic plane."""
_BODY_BYTES = 1 << 16


class Order(msgspec.Struct, frozen=True):
    """What is to be spoken, and how."""

    model: str
    """What it is priced by."""
    text: str
    voice: str
    """The synthesiser's name of it."""
    format: str
    """One of `TYPES`."""
    speed: float
    is_events: bool
    """Whether the sound is wanted in server-sent events."""
    instructions: str
    """How it should be spoken; counted, and left to synthesisers that can act."""


def order_of(body: dict[str, Any], most_characters: int) -> Order:
    """Return what a request asks for.

    Raises:
        ProtocolError: it cannot be had.
    """
    found = checked(
        body,
        {
            "model": s.name,
            "input": s.name,
            "voice": _voice,
            "instructions": s.text,
            "response_format": s.choice(*TYPES),
            "speed": s.number(0.25, 4.0),
            "stream_format": s.choice("audio", "sse"),
        },
        required=("model", "input", "voice"),
    )
    text: str = found["input"]
    if len(text) > most_characters:
        raise ProtocolError(
            "string_above_max_length",
            f"Invalid 'input': string too long. Expected at most {most_characters} characters, but got {len(text)}.",
            "input",
        )
    return Order(
        found["model"],
        text,
        found["voice"],
        found.get("response_format", "mp3"),
        found.get("speed", 1.0),
        found.get("stream_format") == "sse",
        found.get("instructions", ""),
    )


def _voice(value: Any, path: str) -> str:
    """Accept the name of a voice, or the id of a voice of one's own as an object."""
    if isinstance(value, dict):
        return str(s.fields({"id": s.name}, ("id",))(value, path)["id"])
    name = str(s.choice(*VOICES, *SPEECH_VOICES)(value, path))
    return SPEECH_VOICES.get(name, name)


async def create_speech(desk: Desk, request: Asked) -> Answer:
    """Answer a request for speech.

    Raises:
        Refused: it cannot be answered.
    """
    ticket = desk.take(key_id_of(request))
    try:
        limits = desk.limits
        most_bytes = limits.max_input_characters * _BYTES_A_CHARACTER + _BODY_BYTES
        body = await read_json(request, most_bytes, limits.message_seconds)
        with told():
            order = order_of(body, limits.max_input_characters)
            pieces = _answer(desk, order, ticket)
            first = await begun(request, pieces)
    except BaseException:
        ticket.give_back()
        raise
    media_type = "text/event-stream" if order.is_events else TYPES[order.format]
    return Streamed(first, pieces, media_type=media_type, stall_seconds=limits.message_seconds, done=ticket.give_back)


class _Reading:
    """A text that is being read aloud, and how long that has taken so far."""

    def __init__(self, desk: Desk, order: Order) -> None:
        self._tts = desk.tts
        self._order = order
        self.spoken_ms = 0
        """How much sound has been made."""

    async def sound(self) -> AsyncGenerator[bytes, None]:
        """Yield the sound as it is made."""
        order, n_bytes = self._order, 0
        async with aclosing(read_aloud(self._tts, order.text, order.voice, order.speed)) as pieces:
            async for piece in pieces:
                n_bytes += len(piece)
                self.spoken_ms = n_bytes // 2 * 1000 // RATE_HZ
                yield piece

    @property
    def usage(self) -> Usage:
        """What it took so far, in tokens."""
        given = text_tokens(self._order.text) + text_tokens(self._order.instructions)
        return Usage(input_text_tokens=given, output_audio_tokens=output_audio_tokens(self.spoken_ms))

    def charge(self, ticket: Ticket) -> None:
        """Charge what was read."""
        price = functools.partial(of_speech, len(self._order.text), self.spoken_ms / 1000, self.usage)
        ticket.charge(price, self._order.model)


def _answer(desk: Desk, order: Order, ticket: Ticket) -> AsyncGenerator[bytes, None]:
    """Return the pieces of the body that was ordered."""
    reading = _Reading(desk, order)
    pack = _packed(desk, order.format, reading.sound())
    if order.is_events:
        return events(charged(_events(pack, reading), functools.partial(reading.charge, ticket)))
    return charged(pack, functools.partial(reading.charge, ticket))


def _packed(desk: Desk, kind: str, pcm: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Return the pieces of a file of `kind` with this sound."""
    match kind:
        case "pcm":
            return pcm
        case "wav":
            return _wav(pcm)
        case _:
            return desk.media.encode(kind, pcm)


async def _wav(pcm: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pcm) as pieces:
        header = stream_header(RATE_HZ)
        async for piece in pieces:
            yield header + piece
            header = b""
        if header:
            yield header


async def _events(file: AsyncGenerator[bytes, None], reading: _Reading) -> AsyncGenerator[bytes, None]:
    """Yield the file that was ordered in server-sent events, and at the end what it took."""
    async with aclosing(file) as pieces:
        async for piece in pieces:
            if piece:
                yield event({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
    given, made = reading.usage.input_tokens, reading.usage.output_tokens
    usage = {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}
    yield event({"type": "speech.audio.done", "usage": usage})
