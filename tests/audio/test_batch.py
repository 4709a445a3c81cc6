import numpy as np
import pytest

from vivavoce.audio.batch import BatchResampler
from vivavoce.audio.resample import Resampler

PAIRS = [(8000, 24_000), (24_000, 8000), (16_000, 24_000), (24_000, 16_000)]


def streams(count, samples, seed=3):
    return np.random.default_rng(seed).integers(-30_000, 30_000, (count, samples)).astype("<i2")


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_every_stream_comes_out_as_it_would_alone(from_hz, to_hz):
    frame = from_hz // 50
    speech = streams(5, 20 * frame)
    batch = BatchResampler(from_hz, to_hz, 8)
    rows = np.array([6, 0, 3, 2, 7])
    out = np.concatenate([batch.push(rows, speech[:, at : at + frame]) for at in range(0, 20 * frame, frame)], axis=1)
    for stream, heard in zip(speech, out, strict=True):
        alone = Resampler(from_hz, to_hz)
        expected = np.frombuffer(alone.push(stream.tobytes()) + alone.flush(), "<i2")[: len(heard)]
        heard = np.clip(heard, -32_768, 32_767)
        assert np.abs(heard - expected).max() <= 0.52
    assert batch.delay_samples == Resampler(from_hz, to_hz).delay_samples


def test_rows_rest_and_begin_anew_by_themselves():
    batch = BatchResampler(8000, 24_000, 3)
    speech = streams(1, 480)[0].reshape(3, 160)
    together = [batch.push(np.array([0, 1]), np.stack([frame, frame])) for frame in speech[:2]]
    late = batch.push(np.array([2]), speech[:1])
    np.testing.assert_allclose(late[0], together[0][0], atol=0.01)
    batch.clear(0)
    third = batch.push(np.array([0, 1]), np.stack([speech[0], speech[2]]))
    np.testing.assert_allclose(third[0], together[0][0], atol=0.01)
    alone = BatchResampler(8000, 24_000, 1)
    expected = [alone.push(np.array([0]), frame[None]) for frame in speech]
    np.testing.assert_allclose(third[1], expected[2][0], atol=0.01)


def test_rates_without_whole_rows_in_20_ms_are_refused():
    with pytest.raises(ValueError, match="11025"):
        BatchResampler(11_025, 24_000, 1)
