"""Levels, gain and silence of s16le mono PCM.  Called by meters, by prompts that are mixed, by tests."""

from __future__ import annotations

from math import log10

import numpy as np

SILENT_DBFS = -100.0
"""The level of digital silence, and the lowest that is told: below the -90 dB of the smallest step."""
_FULL_SCALE = 32_768


def level_dbfs(pcm: bytes) -> float:
    """Return the level (root mean square) in dB below full scale: a full-scale sine has -3.01, silence `SILENT_DBFS`.

    Raises:
        ValueError: `pcm` is not whole samples.
    """
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    power = float(samples @ samples) / max(1, len(samples))
    return max(SILENT_DBFS, 10 * log10(power / _FULL_SCALE**2)) if power else SILENT_DBFS


def amplify(pcm: bytes, gain_db: float) -> bytes:
    """Return `pcm` louder or softer; what exceeds full scale is clipped.

    Raises:
        ValueError: `pcm` is not whole samples.
    """
    if gain_db == 0:
        return pcm
    samples = np.frombuffer(pcm, "<i2") * 10 ** (gain_db / 20)
    return np.clip(np.rint(samples), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2").tobytes()


def silence(duration_ms: int, rate_hz: int) -> bytes:
    """Return digital silence, rounded to whole samples."""
    return bytes(2 * round(duration_ms * rate_hz / 1000))


def duration_ms(pcm: bytes, rate_hz: int) -> int:
    """Return how long `pcm` lasts, in whole milliseconds, rounded down."""
    return len(pcm) // 2 * 1000 // rate_hz
