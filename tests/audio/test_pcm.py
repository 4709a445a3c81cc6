import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.pcm import SILENT_DBFS, amplify, duration_ms, level_dbfs, silence


def sine(amplitude):
    return np.rint(amplitude * np.sin(np.arange(24_000) * 2 * np.pi / 240)).astype("<i2").tobytes()


def test_a_full_scale_sine_is_three_decibels_below_full_scale():
    assert level_dbfs(sine(32_767)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(sine(3277)) == pytest.approx(-23.01, abs=0.02)


def test_silence_and_nothing_have_the_lowest_level():
    assert level_dbfs(silence(20, 24_000)) == SILENT_DBFS
    assert level_dbfs(b"") == SILENT_DBFS


@settings(deadline=None)
@given(st.floats(-40, 12))
def test_gain_moves_the_level_by_as_many_decibels(gain_db):
    pcm = sine(6000)
    assert level_dbfs(amplify(pcm, gain_db)) == pytest.approx(level_dbfs(pcm) + gain_db, abs=0.1)


def test_too_much_gain_clips_and_never_wraps():
    samples = np.frombuffer(amplify(sine(30_000), 40), "<i2")
    original = np.frombuffer(sine(30_000), "<i2")

    assert samples.max() == 32_767
    assert samples.min() == -32_768
    assert (np.sign(samples) == np.sign(original)).all()


def test_no_gain_changes_nothing():
    assert amplify(sine(1000), 0) == sine(1000)


def test_silence_lasts_as_long_as_asked():
    assert silence(20, 8000) == bytes(320)
    assert duration_ms(silence(20, 11_025), 11_025) in (19, 20)
    assert duration_ms(bytes(2 * 24_001), 24_000) == 1000


def test_half_samples_are_refused():
    for function in (level_dbfs, lambda pcm: amplify(pcm, 6)):
        with pytest.raises(ValueError, match="multiple"):
            function(b"\0\0\0")
