"""Whether a sound is like somebody who takes the turn, or like an assent, a cough, laughter: judged in its first 0.4 s.

A small network over the levels of the last 0.4 s, trained on synthetic voices and synthetic noises
(`bench/_claims.py`).  It knows no words: those come later, from the recogniser.  Called by `engines.attention`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from io import BytesIO

import numpy as np
import numpy.typing as npt

from ..audio import bands

WINDOW_MS = 400
_SLOT_MS = 20
_RANGE_DB = 40.0
"""Below the loudest by so much, levels are noise."""
INPUTS = WINDOW_MS // _SLOT_MS * bands.COUNT + 1
"""Levels, slot by slot, and for how long there has been speech."""
_Array = npt.NDArray[np.float32]


class Claims:
    """The network."""

    def __init__(self, weights: dict[str, _Array]) -> None:
        """Make it of `shift`, `scale` (inputs), `hidden`, `hidden_bias`, `out` and `out_bias`."""
        self._hidden = (weights["hidden"] / weights["scale"][:, None]).astype(np.float32)
        self._bias = (weights["hidden_bias"] - weights["shift"] @ self._hidden).astype(np.float32)
        self._out, self._out_bias = weights["out"], float(weights["out_bias"][0])

    def judge(self, levels: bands.Levels, speech_ms: float) -> float:
        """Return how much the sound that ends with `levels` claims the turn, 0 to 1."""
        return self.score(inputs(levels, speech_ms))

    def score(self, seen: _Array) -> float:
        """Return what the network makes of its inputs."""
        z = np.maximum(0.0, seen @ self._hidden + self._bias) @ self._out + self._out_bias
        return float(1 / (1 + np.exp(-z)))


def inputs(levels: bands.Levels, speech_ms: float) -> _Array:
    """Return what the network sees: levels about the loudest one, so that no loudness matters."""
    rows = WINDOW_MS // bands.HOP_MS
    levels = levels[-rows:]
    if len(levels) < rows:
        missing = np.full((rows - len(levels), bands.COUNT), bands.FLOOR_DB, np.float32)
        levels = np.concatenate([missing, levels])
    slots = levels.reshape(-1, _SLOT_MS // bands.HOP_MS, bands.COUNT).mean(axis=1)
    near = np.clip((slots - slots.max()) / _RANGE_DB + 1, 0, 1).ravel()
    return np.append(near, min(1.0, speech_ms / 1000)).astype(np.float32)


@lru_cache(maxsize=1)
def claims() -> Claims:
    """Return the network that comes with this package."""
    data = (files(__package__) / "claims.npz").read_bytes()
    with np.load(BytesIO(data)) as found:
        return Claims({name: found[name].astype(np.float32) for name in found.files})
