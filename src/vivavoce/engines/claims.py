"""Whether a sound is like somebody who takes the turn, or like an assent, a cough, laughter: judged while it begins.

A small convolutional network over the levels of the sound from just before its beginning on, trained on synthetic
voices and synthetic noises (`bench/_claims.py`).  It knows the sounds of the few words that people assent and command
with, but no words as such: those come later, from the recogniser.  Called by `engines.attention`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from io import BytesIO

import numpy as np
import numpy.typing as npt

from ..audio import bands

FRAME_MS = 32
"""The step of time at which sounds are judged: the voice model's."""
FIRST_FRAME, LAST_FRAME = 3, 20
"""Frames since speech began, from the first that can be judged to the last that tells more: 96 and 640 ms."""
LEAD_MS = 64
"""Before the first frame of speech: soft consonants begin sooner than the voice model notices."""
ROWS = (LAST_FRAME * FRAME_MS + LEAD_MS) // bands.HOP_MS
"""Of levels that are looked at."""
SLOT_ROWS = 2
SLOTS = 30
"""Of 20 ms each: the beginning of a sound, 600 ms."""
TO_COME_DB = -200.0
"""Level of the slots whose time has not come."""
RANGE_DB = 40.0
"""Below the loudest by so much, levels are noise."""
KERNEL_SLOTS, KERNEL_BANDS = 5, 5
"""What one place of the first layer sees: 100 ms, a third of the spectrum."""
STRIDE = 2
"""Slots between two places; bands have one each, of which every two neighbours are one to the next layer, for voices
differ in length of throat."""
Array = npt.NDArray[np.float32]
_STEPS: Array = np.eye(LAST_FRAME, dtype=np.float32)


class Claims:
    """The network."""

    def __init__(self, weights: dict[str, Array]) -> None:
        """Make it of `shift`, `scale` (one for each band), `kernel`, `kernel_bias`, `hidden`, `hidden_bias`, `out` and
        `out_bias`."""
        self._weights = {name: value.astype(np.float32) for name, value in weights.items()}

    def judge(self, levels: bands.Levels, frames: int) -> float:
        """Return how much a sound claims the turn, 0 to 1.

        Args:
            levels: of the sound and of what was before it, up to now; rows before the last `ROWS` do not matter.
            frames: for how many frames there has been speech, from `FIRST_FRAME` to `LAST_FRAME`.
        """
        return float(self.score(slots(levels, frames)[None], np.array([frames]))[0])

    def score(self, seen: Array, frames: npt.NDArray[np.int_]) -> Array:
        """Return the claims of several sounds: what `slots` made of them, and for how many frames each has lasted."""
        weights = self._weights
        places = windows((near(seen) - weights["shift"]) / weights["scale"])
        active = np.maximum(0.0, pooled(places @ weights["kernel"] + weights["kernel_bias"]))
        active = np.concatenate([active.reshape(len(seen), -1), steps(frames)], axis=1)
        active = np.maximum(0.0, active @ weights["hidden"] + weights["hidden_bias"])
        out: Array = 1 / (1 + np.exp(-(active @ weights["out"] + weights["out_bias"])))
        return out


def slots(levels: bands.Levels, frames: int) -> Array:
    """Return the levels from the beginning of the sound on, slot by slot, about the loudest one."""
    count = (frames * FRAME_MS + LEAD_MS) // bands.HOP_MS - 1
    rows = levels[-count:]
    rows = rows[: min(len(rows) // SLOT_ROWS, SLOTS) * SLOT_ROWS]
    out = np.full((SLOTS, bands.COUNT), TO_COME_DB, np.float32)
    if len(rows):
        found = rows.reshape(-1, SLOT_ROWS, bands.COUNT).mean(axis=1)
        out[: len(found)] = found - found.max()
    return out


def near(seen: Array) -> Array:
    """Return levels as the network takes them: 1 for the loudest, 0 for noise and for what has not come."""
    out: Array = np.clip(seen / RANGE_DB + 1, 0, 1)
    return out


def windows(seen: Array) -> Array:
    """Return what each place sees: sounds, places in time, bands, levels."""
    found = np.lib.stride_tricks.sliding_window_view(seen, (KERNEL_SLOTS, KERNEL_BANDS), axis=(1, 2))[:, ::STRIDE]
    out: Array = found.reshape(*found.shape[:3], KERNEL_SLOTS * KERNEL_BANDS)
    return out


def pooled(found: Array) -> Array:
    """Return the stronger of every two neighbouring bands."""
    out: Array = np.maximum(found[:, :, 0::2], found[:, :, 1::2])
    return out


def steps(frames: npt.NDArray[np.int_]) -> Array:
    """Return how long sounds have lasted, as the network takes it."""
    out: Array = _STEPS[np.minimum(frames, LAST_FRAME) - 1]
    return out


@lru_cache(maxsize=1)
def claims() -> Claims:
    """Return the network that comes with this package."""
    data = (files(__package__) / "claims.npz").read_bytes()
    with np.load(BytesIO(data)) as found:
        return Claims({name: found[name] for name in found.files})
