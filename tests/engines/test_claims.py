"""What the network that judges sounds under an answer sees, and what it makes of that."""

from __future__ import annotations

import numpy as np
import pytest

from syllables import pcm, talk
from vivavoce.audio import bands
from vivavoce.engines.claims import (
    FIRST_FRAME,
    FRAME_MS,
    KERNEL_BANDS,
    KERNEL_SLOTS,
    LAST_FRAME,
    LEAD_MS,
    ROWS,
    SLOTS,
    STRIDE,
    TO_COME_DB,
    Claims,
    claims,
    near,
    slots,
)


def levels(loudness: float = 1.0) -> bands.Levels:
    return bands.levels(pcm(loudness * talk(3, 1.0, 16_000)), 16_000)[-ROWS:]


def test_a_sound_is_seen_from_just_before_it_began() -> None:
    rows = np.full((ROWS, bands.COUNT), -60, np.float32)
    frames = 5
    began = ROWS - frames * FRAME_MS // bands.HOP_MS
    rows[began:] = -20
    seen = slots(rows, frames)
    assert seen.shape == (SLOTS, bands.COUNT)
    first_loud = int(np.flatnonzero(seen[:, 0] == 0)[0])
    assert abs(first_loud * 20 - LEAD_MS) <= 20
    assert seen[0, 0] == -40
    heard = (frames * FRAME_MS + LEAD_MS) // 20 - 1
    assert set(seen[heard + 1 :].ravel()) == {TO_COME_DB}


def test_more_than_the_beginning_is_not_seen() -> None:
    seen = slots(levels(), LAST_FRAME)
    assert (seen > TO_COME_DB).all()
    assert slots(levels()[-10:], LAST_FRAME).shape == seen.shape, "less than was asked for is no mistake"
    assert set(slots(levels()[:0], 3).ravel()) == {TO_COME_DB}


@pytest.mark.parametrize("frames", [FIRST_FRAME, 10, LAST_FRAME])
def test_a_claim_is_a_probability_and_does_not_depend_on_loudness(frames: int) -> None:
    found = claims().judge(levels(), frames)
    assert 0.0 <= found <= 1.0
    assert claims().judge(levels(0.2), frames) == pytest.approx(found, abs=0.02)


def test_the_network_looks_at_every_place_and_takes_the_stronger_of_two_bands() -> None:
    random = np.random.default_rng(1)
    times, places = (SLOTS - KERNEL_SLOTS) // STRIDE + 1, bands.COUNT - KERNEL_BANDS + 1
    weights = {
        "shift": random.random(bands.COUNT), "scale": random.random(bands.COUNT) + 0.5,
        "kernel": random.standard_normal((KERNEL_SLOTS * KERNEL_BANDS, 2)), "kernel_bias": random.standard_normal(2),
        "hidden": random.standard_normal((times * places // 2 * 2 + LAST_FRAME, 3)) / 10,
        "hidden_bias": random.standard_normal(3), "out": random.standard_normal(3), "out_bias": np.array([0.2]),
    }  # fmt: skip
    frames = 9
    seen = slots(levels(), frames)
    picture = (near(seen) - weights["shift"]) / weights["scale"]
    active = []
    for time in range(times):
        for place in range(0, places, 2):
            patches = [
                picture[time * STRIDE : time * STRIDE + KERNEL_SLOTS, band : band + KERNEL_BANDS].ravel()
                for band in (place, place + 1)
            ]
            both = np.array([patch @ weights["kernel"] for patch in patches]) + weights["kernel_bias"]
            active += list(np.maximum(0, both.max(axis=0)))
    step = np.zeros(LAST_FRAME)
    step[frames - 1] = 1
    hidden = np.maximum(0, np.concatenate([active, step]) @ weights["hidden"] + weights["hidden_bias"])
    expected = 1 / (1 + np.exp(-(hidden @ weights["out"] + 0.2)))
    assert Claims(weights).judge(levels(), frames) == pytest.approx(expected, rel=1e-3)
