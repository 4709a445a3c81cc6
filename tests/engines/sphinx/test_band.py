import numpy as np
import pytest

from vivavoce.engines.sphinx.band import BLOCK_SAMPLES, BandFiller

RATE_HZ = 16_000


def tones(*parts: tuple[float, float], seconds: float = 1.0) -> bytes:
    """Return tones of (hertz, amplitude)."""
    t = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    return np.rint(sum(a * np.sin(2 * np.pi * hz * t) for hz, a in parts)).astype("<i2").tobytes()


def power(pcm: bytes, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(np.frombuffer(pcm, "<i2").astype(float))) ** 2
    hz = np.fft.rfftfreq(len(pcm) // 2, 1 / RATE_HZ)
    return float(spectrum[(hz >= low) & (hz < high)].sum())


def filled(pcm: bytes, chunk: int) -> bytes:
    band = BandFiller()
    band.begin(pcm[:25_600])
    return b"".join(band.push(pcm[i : i + chunk]) for i in range(0, len(pcm), chunk)) + band.flush()


NARROW = tones((500, 5000), (2500, 2000), (3100, 1000))
WIDE = tones((500, 5000), (2500, 2000), (6000, 1000))


def test_wide_band_audio_passes_unchanged() -> None:
    assert filled(WIDE, 640) == WIDE


@pytest.mark.parametrize(
    "pcm", [bytes(32_000), b"", bytes(2), tones((300, 8000))], ids=["silence", "none", "one", "low"]
)
def test_audio_that_does_not_tell_its_band_passes_unchanged(pcm: bytes) -> None:
    assert filled(pcm, 640) == pcm


def test_narrow_band_audio_is_filled_above_and_kept_below() -> None:
    out = filled(NARROW, 640)
    assert len(out) == len(NARROW)
    assert power(out, 4_300, 7_900) > 0.5 * power(NARROW, 2_000, 4_000)
    assert power(out, 0, 3_500) == pytest.approx(power(NARROW, 0, 3_500), rel=0.05)


def test_the_noise_falls_silent_with_the_speech() -> None:
    out = filled(NARROW[:16_000] + bytes(16_000), 640)
    assert power(out[18_000:], 0, 8_000) == 0


@pytest.mark.parametrize("chunk", [2, 2 * BLOCK_SAMPLES, 1026, 32_000])
def test_cutting_changes_nothing(chunk: int) -> None:
    assert filled(NARROW, chunk) == filled(NARROW, 640)
