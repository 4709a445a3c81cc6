"""How loud a sound is in each of some bands of frequency, every 10 ms: what both ears and models of ears look at.

Called where sounds are compared (`engines.echoes`) or judged (`engines.claims`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.float32]
"""Decibels, of a row for each 10 ms and a column for each band."""

HOP_MS = 10
WINDOW_MS = 20
COUNT = 16
"""Bands, as wide as the ear's: a semitone at the top, 150 Hz at the bottom."""
LOW_HZ, HIGH_HZ = 120.0, 7000.0
FLOOR_DB = -90.0
"""Quieter than the noise of 16 bits."""


@lru_cache(maxsize=8)
def _layout(rate_hz: int) -> tuple[int, int, int, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return for a sample rate the hop, the window, the transform's size, the window's shape and the bands' weights."""
    hop, window = rate_hz * HOP_MS // 1000, rate_hz * WINDOW_MS // 1000
    size = 1 << (window - 1).bit_length()
    mel = np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), COUNT + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    rising = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    weights = np.clip(np.minimum(rising, falling), 0, None)
    shape = np.hanning(window).astype(np.float32)
    # A sine of full scale is 0 dB in its band, whatever the rate.
    scale = 4 / shape.sum() ** 2
    return hop, window, size, shape, (weights * scale).astype(np.float32)


def _mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def hops(n_samples: int, rate_hz: int) -> int:
    """Return how many rows `levels` makes of so many samples."""
    hop, window, *_ = _layout(rate_hz)
    return max(0, (n_samples - window) // hop + 1)


def levels(pcm: bytes, rate_hz: int) -> Levels:
    """Return the levels in s16le PCM; the first row is of its first 20 ms.

    Bands above half of the sample rate are silent.
    """
    hop, window, size, shape, weights = _layout(rate_hz)
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    count = hops(len(samples), rate_hz)
    if count == 0:
        return np.zeros((0, COUNT), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[: (count - 1) * hop + 1 : hop]
    spectrum = np.fft.rfft(frames * shape, size)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ weights
    out: Levels = np.maximum(10 * np.log10(power + 1e-12), FLOOR_DB).astype(np.float32)
    return out
