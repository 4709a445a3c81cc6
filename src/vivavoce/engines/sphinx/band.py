"""What a telephone leaves out of speech, put back roughly.

The acoustic model knows speech up to 6.8 kHz.  Audio that was 8 kHz once has nothing above 4, which to the model is the
deepest silence in half of its bands, and half of the words are lost.  So noise is filled in there, as loud as the band
below makes likely: hissing sounds hiss again, and less than half of the errors remain.
"""

from __future__ import annotations

from typing import Any

RATE_HZ = 16_000
BLOCK_SAMPLES = 160
"""Audio is filled in blocks of 10 ms, counted from the start of the utterance, so that its cutting changes nothing."""
_BLOCK_BYTES = 2 * BLOCK_SAMPLES
_BAND_HZ = (2_000, 4_000)
"""The band whose level the noise takes."""
_REACH = 64
"""Samples on either side that the filter of that band uses; with half a block, it stays within the neighbours."""
_GAIN = 1.4
"""How loud the noise is over that band: from 1 to 3 times matters little."""
_NARROW_BELOW = 3e-3
"""Energy above the telephone's band over that in its upper half.  Microphones leave -19 dB and more there, the rounding
of 16 bits -47 and less."""
_NOISE_SEED = 4_000


class BandFiller:
    """One utterance's audio on its way to the recogniser: wide-band audio unchanged, narrow-band audio filled."""

    def __init__(self) -> None:
        import numpy as np

        self._np = np
        self._noise = _high_noise(np)
        self._filter = _band_pass(np)
        self._smooth = np.full(BLOCK_SAMPLES, 1 / BLOCK_SAMPLES)
        self.begin(b"")

    def begin(self, first: bytes) -> None:
        """Begin an utterance whose `first` audio (s16le mono 16 kHz) tells how wide its band is."""
        self.is_narrow = _is_narrow(self._np, first)
        self._before = self._np.zeros(BLOCK_SAMPLES)
        self._rest = b""
        self._position = 0

    def push(self, pcm: bytes) -> bytes:
        """Return the audio to recognise, up to 20 ms of it later than it came."""
        if not self.is_narrow:
            return pcm
        held = self._rest + pcm
        out = []
        at = 0
        # A block waits for the one after it.
        while len(held) - at >= 2 * _BLOCK_BYTES:
            out.append(self._filled(held[at : at + 2 * _BLOCK_BYTES]))
            at += _BLOCK_BYTES
        self._rest = held[at:]
        return b"".join(out)

    def flush(self) -> bytes:
        """Return what is left of the utterance."""
        rest, self._rest = self._rest, b""
        return rest

    def _filled(self, pcm: bytes) -> bytes:
        """Return the first of two blocks with noise in it."""
        np = self._np
        samples = np.frombuffer(pcm, "<i2").astype(np.float64)
        block = samples[:BLOCK_SAMPLES]
        around = np.concatenate((self._before, samples))
        self._before = block
        band = np.convolve(around, self._filter, "same")
        power = np.convolve(band * band, self._smooth, "same")[BLOCK_SAMPLES : 2 * BLOCK_SAMPLES]
        noise = self._noise[self._position : self._position + BLOCK_SAMPLES]
        self._position = (self._position + BLOCK_SAMPLES) % len(self._noise)
        filled = block + _GAIN * np.sqrt(power) * noise
        out: bytes = np.clip(np.rint(filled), -32_768, 32_767).astype("<i2").tobytes()
        return out


def _band_pass(np: Any) -> Any:
    """Return the taps of a filter that lets the band through."""
    n = np.arange(-_REACH, _REACH + 1)
    low, high = (hz * 2 / RATE_HZ for hz in _BAND_HZ)
    return (high * np.sinc(high * n) - low * np.sinc(low * n)) * np.hamming(len(n))


def _high_noise(np: Any) -> Any:
    """Return a second of noise from 4 kHz up, of mean square one, which can be repeated."""
    spectrum = np.fft.rfft(np.random.Generator(np.random.PCG64(_NOISE_SEED)).normal(0.0, 1.0, RATE_HZ))
    spectrum[:4_000] = 0.0
    noise = np.fft.irfft(spectrum)
    return noise / np.sqrt(np.mean(noise**2))


def _is_narrow(np: Any, pcm: bytes) -> bool:
    """Return whether audio has something below 4 kHz and all but nothing above."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    if len(samples) < 2 * BLOCK_SAMPLES:
        return False
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    upper = power[(hz >= 2_000) & (hz < 3_600)].sum()
    above = power[(hz >= 4_300) & (hz < 7_500)].sum()
    # Silence and the rounding of quiet tones say nothing.
    return bool(upper > len(samples) ** 2 and above < _NARROW_BELOW * upper)
