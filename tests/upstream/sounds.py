"""Audio as far as the stand-in needs it: how long it is, how loud, and a voice of tones."""

from __future__ import annotations

import functools
import math
from array import array

FORMATS = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}
"""Bytes in a millisecond of each format."""
LOUD = 1000
"""The amplitude, of 32767, above which audio counts as speech."""
_AMPLITUDE = 8000


def ulaw_amplitude(code: int) -> int:
    """Return the amplitude of a byte of G.711 mu-law."""
    code = ~code & 0xFF
    return ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84


def alaw_amplitude(code: int) -> int:
    """Return the amplitude of a byte of G.711 A-law."""
    code ^= 0x55
    exponent, mantissa = (code & 0x70) >> 4, (code & 0x0F) << 4
    return mantissa + 8 if exponent == 0 else (mantissa + 0x108) << (exponent - 1)


# Bytes by their amplitude in steps of 256: the loudest byte of a frame is then found by `max`.
_STEPS = {
    "audio/pcmu": bytes(min(ulaw_amplitude(code) >> 7, 255) for code in range(256)),
    "audio/pcma": bytes(min(alaw_amplitude(code) >> 7, 255) for code in range(256)),
}


def is_loud(audio: bytes, kind: str) -> bool:
    """Return whether there is speech in a frame of a format."""
    if not audio:
        return False
    if kind != "audio/pcm":
        return max(audio.translate(_STEPS[kind])) > LOUD >> 7
    samples = memoryview(audio)[: len(audio) & ~1].cast("h")[::4].tolist()
    return max(samples) > LOUD or min(samples) < -LOUD


@functools.lru_cache(maxsize=256)
def word(letters: int, ms: int, kind: str) -> bytes:
    """Return the sound of a word: a tone whose pitch tells how many letters it has."""
    rate_hz = 24_000 if kind == "audio/pcm" else 8000
    step = 2 * math.pi * (200 + 20 * letters) / rate_hz
    samples = [round(_AMPLITUDE * math.sin(step * index)) for index in range(rate_hz * ms // 1000)]
    if kind == "audio/pcm":
        return array("h", samples).tobytes()
    amplitude, flip = (ulaw_amplitude, 0x80) if kind == "audio/pcmu" else (alaw_amplitude, 0x80)
    codes = [(min(range(128, 256), key=lambda code: abs(amplitude(code) - size))) for size in range(0, _AMPLITUDE, 64)]
    # Codes from 128 on are the positive half of both laws.
    return bytes(codes[min(abs(one) >> 6, len(codes) - 1)] ^ (flip if one < 0 else 0) for one in samples)
