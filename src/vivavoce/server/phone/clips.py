"""The sounds of manners: each spoken by the server's own synthesiser, or read from a WAV file, once, before any call.

So they are there when nothing else is: while a session is being made, and when nobody answers any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing

from ...audio.resample import resample
from ...audio.wav import WavError, read_wav
from ...core.errors import ConfigError, EngineError
from ...engines.api import Tts
from ...legs.media import RATE_HZ
from ...telephony import VOICES, Number
from .manners import Clip

__all__ = ["Clips", "load_clips"]

Clips = Mapping[Clip, bytes]
"""The sounds of one number: s16le mono at `legs.media.RATE_HZ`."""

MAX_SECONDS = 300
"""Of one clip; music is played again after it."""
_SPOKEN = ("greeting", "filler", "apology", "presence", "farewell", "message")


async def load_clips(numbers: Iterable[Number], tts: Tts) -> dict[str, Clips]:
    """Return the sounds of numbers by their names.

    Args:
        numbers: what answers calls.
        tts: speaks the texts.

    Raises:
        ConfigError: a file cannot be used; the message names it.
        EngineError: a text cannot be spoken.
    """
    spoken: dict[tuple[str, str, str], bytes] = {}
    read: dict[str, bytes] = {}
    out: dict[str, Clips] = {}
    for number in numbers:
        clips: dict[Clip, bytes] = {}
        for clip, (text, file) in _sources(number).items():
            if file:
                if file not in read:
                    read[file] = _of_file(f"[number.{number.name}]: '{clip}_wav'", file)
                clips[clip] = read[file]
            elif text.strip():
                key = (text, VOICES.get(number.voice, number.voice), number.language)
                if key not in spoken:
                    spoken[key] = await _spoken(tts, *key)
                clips[clip] = spoken[key]
        out[number.name] = clips
    return out


def _sources(number: Number) -> dict[Clip, tuple[str, str]]:
    """Return the text and the file of each clip of a number; empty for none."""
    manner = number.manner
    found = {clip: (getattr(manner, clip), getattr(manner, f"{clip}_wav")) for clip in _SPOKEN}
    found["hold"] = ("", manner.hold_wav)
    is_told = number.recording.is_on and number.recording.consent == "spoken"
    found["notice"] = (number.recording.notice if is_told else "", "")
    return found


def _of_file(where: str, file: str) -> bytes:
    try:
        wav = read_wav(file)
    except OSError as error:
        raise ConfigError(f"{where}: cannot read {file}: {error.strerror}") from error
    except WavError as error:
        raise ConfigError(f"{where}: {file}: {error}") from error
    return resample(wav.pcm[: MAX_SECONDS * 2 * wav.rate_hz], wav.rate_hz, RATE_HZ)


async def _spoken(tts: Tts, text: str, voice: str, language: str) -> bytes:
    pieces: list[bytes] = []
    most, size = MAX_SECONDS * 2 * RATE_HZ, 0
    async with aclosing(tts.speak(text, voice, 1.0, language)) as speech:
        async for piece in speech:
            pieces.append(piece.pcm)
            size += len(piece.pcm)
            if size >= most:
                break
    if not size:
        raise EngineError(f"Nothing could be made of the text {text[:40]!r}.")
    pcm = b"".join(pieces)[:most]
    return pcm if tts.rate_hz == RATE_HZ else resample(pcm, tts.rate_hz, RATE_HZ)
