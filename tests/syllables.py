"""Sound that moves as speech does, for tests that compare sounds."""

from __future__ import annotations

from typing import Any

import numpy as np


def talk(seed: int, seconds: float = 3.0, rate_hz: int = 24_000) -> Any:
    """Syllables of noise: each with a pitch, a colour and a loudness of its own, with pauses between some."""
    random = np.random.default_rng(seed)
    pieces = []
    while sum(map(len, pieces)) < seconds * rate_hz:
        count = int(random.uniform(0.06, 0.2) * rate_hz)
        t = np.arange(count) / rate_hz
        tones = sum(random.random() * np.sin(2 * np.pi * f * t) for f in random.uniform(150, 3300, 6))
        pieces += [0.05 * tones * np.hanning(count), np.zeros(int(random.choice([0, 0, 0.08]) * rate_hz))]
    return np.concatenate(pieces)[: int(seconds * rate_hz)]


def pcm(sound: Any) -> bytes:
    return np.rint(sound * 32767).astype("<i2").tobytes()
