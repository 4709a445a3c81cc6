"""Noise goes, speech stays, and not a sample is lost, whatever is changed on the way."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.engines.denoise import DELAY_SAMPLES, RATE_HZ, Denoiser, Denoising

NEAR = Denoising("near_field")
FAR = Denoising("far_field")
OFF = Denoising()
Samples = npt.NDArray[np.float64]


def pcm(samples: Samples) -> bytes:
    return np.clip(np.rint(samples), -32_768, 32_767).astype("<i2").tobytes()


def samples(audio: bytes) -> Samples:
    return np.frombuffer(audio, "<i2").astype(np.float64)


def noise(seconds: float, level: float = 500.0, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).normal(0.0, level, int(seconds * RATE_HZ))


def voice(seconds: float, level: float = 6000.0) -> Samples:
    """A sound like a vowel: harmonics of 120 Hz that swell four times a second."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return level * np.sin(4 * np.pi * t) ** 2 * sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 12))


def cleaned(audio: bytes, denoising: Denoising, before: bytes = b"", step: int = 1024) -> bytes:
    denoiser = Denoiser(denoising)
    denoiser.learn(before)
    return b"".join([*(denoiser.push(audio[i : i + step]) for i in range(0, len(audio), step)), denoiser.flush()])


def decibels(a: Samples, b: Samples) -> float:
    return float(10 * np.log10(np.mean(a**2) / np.mean(b**2)))


@pytest.mark.parametrize(("denoising", "least"), [(NEAR, 7), (FAR, 7)])
def test_steady_noise_is_lowered(denoising: Denoising, least: float) -> None:
    audio = noise(3.0)
    out = samples(cleaned(pcm(audio), denoising, before=pcm(noise(1.0, seed=2))))
    assert decibels(audio[RATE_HZ:], out[RATE_HZ:]) > least


def test_speech_in_noise_comes_nearer_to_what_it_was() -> None:
    clean, noisy = voice(4.0), voice(4.0) + noise(4.0)
    out = samples(cleaned(pcm(noisy), NEAR, before=pcm(noise(1.0, seed=2))))
    assert decibels(noisy - clean, out - clean) > 5


def test_clean_speech_stays_as_it_is() -> None:
    clean = voice(4.0)
    out = samples(cleaned(pcm(clean), NEAR, before=pcm(noise(1.0, level=3.0))))
    assert decibels(clean, out - clean) > 25


def test_noise_that_grows_during_speech_is_followed() -> None:
    loud = voice(8.0) + noise(8.0, 1500.0)
    out = samples(cleaned(pcm(loud), NEAR, before=pcm(noise(1.0, 50.0, seed=2))))
    before, after = (
        decibels((out - voice(8.0))[part], voice(8.0)[part]) for part in (slice(0, RATE_HZ), slice(-RATE_HZ, None))
    )
    assert after < before - 5


def test_the_level_of_far_speech_is_raised_and_that_of_near_speech_kept() -> None:
    quiet = pcm(voice(6.0, 200.0))
    last = slice(-RATE_HZ, None)
    assert 8 < decibels(samples(cleaned(quiet, FAR))[last], samples(quiet)[last]) < 25
    assert abs(decibels(samples(cleaned(quiet, NEAR))[last], samples(quiet)[last])) < 1


def test_loud_far_speech_is_not_driven_into_clipping() -> None:
    loud = pcm(voice(4.0, 12_000.0))
    assert np.abs(samples(cleaned(loud, FAR))).max() < 32_000


def test_strength_scales_the_effect() -> None:
    audio = pcm(noise(3.0))
    before = pcm(noise(1.0, seed=2))
    left = [
        decibels(samples(cleaned(audio, Denoising("near_field", strength), before)), samples(audio))
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert left[0] == 0
    assert all(weaker - stronger > 1 for weaker, stronger in pairwise(left))


@pytest.mark.parametrize("denoising", [OFF, Denoising("near_field", 0.0), Denoising("far_field", 0.0)])
def test_without_strength_or_mode_audio_passes_bit_for_bit(denoising: Denoising) -> None:
    audio = pcm(noise(1.0))
    denoiser = Denoiser(denoising)
    assert [denoiser.push(audio), denoiser.flush()] == [audio, b""]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=12))
def test_how_audio_is_cut_changes_nothing(lengths: list[int]) -> None:
    audio = pcm(voice(1.0) + noise(1.0))
    denoiser, out, at = Denoiser(FAR), [], 0
    for length in lengths:
        out.append(denoiser.push(audio[at : at + 2 * length]))
        at += 2 * length
    out += [denoiser.push(audio[at:]), denoiser.flush()]
    assert b"".join(out) == cleaned(audio, FAR, step=len(audio))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 900), st.sampled_from([NEAR, FAR, OFF, Denoising("near_field", 0.4)]))))
def test_changes_on_the_way_neither_lose_nor_repeat_a_sample(changes: list[tuple[int, Denoising]]) -> None:
    denoiser, given_samples, out = Denoiser(OFF), 0, []
    for length, denoising in changes:
        out += [denoiser.configure(denoising), denoiser.push(pcm(voice(1.0)[:length]))]
        given_samples += length
        inside = given_samples - len(b"".join(out)) // 2
        assert 0 <= inside < 2 * DELAY_SAMPLES
    out.append(denoiser.flush())
    assert len(b"".join(out)) == 2 * given_samples


def test_nothing_moves_in_time() -> None:
    click = np.zeros(RATE_HZ)
    click[5_000] = 20_000.0
    out = samples(cleaned(pcm(click), NEAR, before=pcm(noise(1.0, 2.0))))
    assert np.abs(out).argmax() == 5_000


def test_digital_silence_before_speech_is_not_taken_for_the_noise() -> None:
    audio = voice(2.0) + noise(2.0)
    mixed = np.concatenate((np.zeros(RATE_HZ), noise(1.0, seed=2)))
    assert cleaned(pcm(audio), NEAR, before=pcm(mixed)) != cleaned(pcm(audio), NEAR)
    assert np.isfinite(samples(cleaned(pcm(audio), NEAR, before=bytes(32_000)))).all()
