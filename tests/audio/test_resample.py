import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.resample import Resampler, resample

RATES = (8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)
PAIRS = tuple(itertools.permutations(RATES, 2))


def tone(hz, rate, samples, amplitude=16_000):
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / rate)).astype("<i2").tobytes()


def noise(samples, seed=7):
    return np.random.default_rng(seed).integers(-32_768, 32_767, samples, dtype=np.int16).astype("<i2").tobytes()


def settled(pcm):
    """The samples without the ends, where the filter starts and stops."""
    return np.frombuffer(pcm, "<i2").astype(float)[600:-600]


def fitted(samples, hz, rate):
    """The amplitude of a tone in `samples`, and what is left beside it (root mean square)."""
    t = np.arange(len(samples)) / rate
    basis = np.stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)], 1)
    weights = np.linalg.lstsq(basis, samples)[0]
    return np.hypot(*weights), np.sqrt(((samples - basis @ weights) ** 2).mean())


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_tone_in_the_pass_band_keeps_its_level_and_gains_no_image(from_hz, to_hz):
    nyquist = min(from_hz, to_hz) / 2
    for share in (0.02, 0.5, 0.9):
        out = settled(resample(tone(share * nyquist, from_hz, from_hz // 4), from_hz, to_hz))
        amplitude, rest = fitted(out, share * nyquist, to_hz)

        assert abs(20 * np.log10(amplitude / 16_000)) < 0.1
        assert 20 * np.log10(rest / (16_000 / np.sqrt(2))) < -80


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if pair[1] <= pair[0] / 1.3])
def test_a_tone_that_would_fold_into_the_pass_band_is_gone(from_hz, to_hz):
    for share in (1.1, 1.2):
        out = settled(resample(tone(share * to_hz / 2, from_hz, from_hz // 4), from_hz, to_hz))

        assert 20 * np.log10(max(out.std(), 1e-9) / (16_000 / np.sqrt(2))) < -80


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(PAIRS),
    st.lists(st.one_of(st.sampled_from([0, 1, 2, 160, 441, 480]), st.integers(0, 700)), max_size=12),
    st.booleans(),
)
def test_output_does_not_depend_on_how_the_input_is_cut(pair, lengths, trim):
    pcm = noise(sum(lengths))
    whole = Resampler(*pair, trim_start=trim)
    cut = Resampler(*pair, trim_start=trim)
    pieces, at = [], 0
    for length in lengths:
        pieces.append(cut.push(pcm[2 * at : 2 * (at + length)]))
        at += length

    assert b"".join(pieces) == whole.push(pcm)
    assert cut.flush() == whole.flush()


@pytest.mark.parametrize(("from_hz", "to_hz"), [*PAIRS, (16_000, 16_000), (22_255, 24_000), (96_000, 8000)])
def test_output_lasts_as_long_as_input(from_hz, to_hz):
    resampler = Resampler(from_hz, to_hz)
    out = resampler.push(noise(5000))

    exact = 5000 * to_hz / from_hz
    assert exact - 0.01 <= len(out) // 2 <= exact + 1
    assert len(out + resampler.flush()) // 2 == len(out) // 2 + resampler.delay_samples
    assert len(resample(noise(5000), from_hz, to_hz)) == len(out)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_sound_comes_out_as_late_as_the_delay_says(from_hz, to_hz):
    at = 4000
    pcm = np.zeros(2 * at, "<i2")
    pcm[at] = 30_000
    streamed = np.frombuffer(Resampler(from_hz, to_hz).push(pcm.tobytes()), "<i2")
    trimmed = np.frombuffer(resample(pcm.tobytes(), from_hz, to_hz), "<i2")

    assert abs(int(np.argmax(streamed)) - Resampler(from_hz, to_hz).delay_samples - at * to_hz / from_hz) <= 1
    assert abs(int(np.argmax(trimmed)) - at * to_hz / from_hz) <= 1
    assert Resampler(from_hz, to_hz).delay_samples / to_hz <= 25 / min(from_hz, to_hz)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_output_leaves_with_the_sample_that_completes_it(from_hz, to_hz):
    resampler = Resampler(from_hz, to_hz)
    given_samples = 0
    for heard in range(1, 400):
        given_samples += len(resampler.push(b"\1\0")) // 2
        assert given_samples == -(-heard * to_hz // from_hz)


def test_a_constant_stays_the_same_constant():
    for pair in PAIRS:
        out = settled(resample(np.full(9000, 12_345, "<i2").tobytes(), *pair))
        assert set(out) == {12_345.0}


def test_the_loudest_input_is_clipped_not_wrapped():
    square = np.where(np.arange(4000) % 100 < 50, 32_767, -32_768).astype("<i2")
    out = np.frombuffer(resample(square.tobytes(), 8000, 24_000), "<i2")

    assert out.max() == 32_767
    assert out.min() == -32_768
    jumps = np.abs(np.diff(out.astype(int)))
    assert jumps.max() < 40_000


def test_after_flush_a_new_stream_begins():
    resampler = Resampler(22_050, 24_000)
    first = resampler.push(noise(700)) + resampler.flush()

    assert resampler.push(noise(700)) + resampler.flush() == first


def test_flush_of_nothing_is_nothing():
    assert Resampler(8000, 24_000).flush() == b""
    assert resample(b"", 8000, 24_000) == b""
    assert Resampler(24_000, 24_000).delay_samples == 0


def test_half_samples_and_impossible_rates_are_refused():
    with pytest.raises(ValueError, match="multiple"):
        Resampler(8000, 24_000).push(b"\0")
    with pytest.raises(ValueError, match="odd"):
        resample(b"\0\0\0", 8000, 24_000)
    with pytest.raises(ValueError, match="0 Hz"):
        Resampler(0, 24_000)
