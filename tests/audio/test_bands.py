"""Levels of bands: where a tone lies, how loud it is, and that the sample rate does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from vivavoce.audio import bands


def tone(hz: float, rate_hz: int, amplitude: float = 0.5, seconds: float = 0.2) -> bytes:
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return np.rint(amplitude * 32767 * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()


def test_there_is_a_row_for_every_10_ms_that_20_ms_begin_with() -> None:
    assert bands.levels(bytes(2 * 16_000), 16_000).shape == (99, bands.COUNT)
    assert bands.levels(bytes(2 * 319), 16_000).shape == (0, bands.COUNT)
    assert bands.hops(320, 16_000) == 1


def test_silence_is_at_the_floor() -> None:
    assert bands.levels(bytes(6400), 16_000).max() == bands.FLOOR_DB


def test_a_tone_is_loudest_in_its_own_band_and_twice_as_loud_by_6_db() -> None:
    soft, loud = (bands.levels(tone(1000, 16_000, a), 16_000).mean(axis=0) for a in (0.25, 0.5))
    assert soft.argmax() == loud.argmax()
    assert loud.max() - soft.max() == pytest.approx(6.02, abs=0.1)
    assert bands.levels(tone(3000, 16_000), 16_000).mean(axis=0).argmax() > loud.argmax()


@pytest.mark.parametrize("rate_hz", [8000, 24_000])
def test_a_tone_is_as_loud_at_any_rate(rate_hz: int) -> None:
    ours, theirs = (bands.levels(tone(1000, rate, 0.5), rate).mean(axis=0) for rate in (16_000, rate_hz))
    assert ours.argmax() == theirs.argmax()
    assert theirs.max() == pytest.approx(ours.max(), abs=3)


def test_what_a_rate_cannot_carry_is_silent() -> None:
    assert bands.levels(tone(1000, 8000), 8000)[:, -2:].max() < -60
