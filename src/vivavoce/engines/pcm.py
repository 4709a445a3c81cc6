"""PCM as the ears have it: s16le mono at 16 kHz, and how other audio becomes PCM.  Called by all parts of hearing."""

from __future__ import annotations

from ..audio import g711
from ..core.formats import TICKS_PER_SECOND, AudioFormat

RATE_HZ = 16_000
TICKS = TICKS_PER_SECOND // RATE_HZ
"""Ticks of one sample here."""


def to_pcm(audio: bytes, format: AudioFormat) -> bytes:  # noqa: A002
    """Return audio of a session as s16le PCM at its own rate."""
    match format.type:
        case "audio/pcmu":
            return g711.ulaw_to_pcm(audio)
        case "audio/pcma":
            return g711.alaw_to_pcm(audio)
        case _:
            return audio
