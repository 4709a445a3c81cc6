"""Noise reduction: steady noise is taken out of speech before it is recognised.

A spectral gain after Wiener: the noise in each of 257 bands is followed by how likely the band holds speech
(Gerkmann and Hendriks, 2012), the speech by decision-directed estimates (Ephraim and Malah, 1984), and a band keeps the
power that speech is expected to have in it.  The root of Wiener's gain suits the recogniser better than log-spectral
amplitudes do, which please the ear: what it compares are the logarithms of powers.  `bench/noise.py` measures it.

Called by `engines.intake`.  Voice activity is judged on the audio as it came, and tells nothing here: to learn the
noise where nobody speaks left a quarter more words wrong in pink noise than to follow it band by band.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

RATE_HZ = 16_000
HOP_SAMPLES = 256
WINDOW_SAMPLES = 2 * HOP_SAMPLES
DELAY_SAMPLES = HOP_SAMPLES
"""How long audio stays inside, besides what is less than a hop."""

_WINDOW = np.sqrt(np.hanning(WINDOW_SAMPLES + 1)[:WINDOW_SAMPLES])
_WEAKEST = 1.0
"""The least power of a band, in squared steps of 16 bits: below that is the rounding."""

# How the noise is followed.
_SPEECH_RATIO = 10**1.5
"""Signal to noise ratio that a band with speech in it is taken to have: 15 dB, as published."""
_NOISE_KEPT = 0.8
"""Share of the noise estimate that outlasts a hop where speech is possible."""
_STUCK = 0.99
"""A band that seems to hold speech for longer than speech does holds more noise than was thought."""

# How the speech is estimated.
_DIRECTED = 0.96
"""Weight of the last hop's estimate: less of it makes tones of noise, more of it smears onsets."""


class Denoising(msgspec.Struct, frozen=True):
    """How audio is to be cleaned."""

    mode: str | None = None
    """`near_field`, `far_field`, or None to leave it as it is."""
    strength: float = 1.0
    """From 0, which changes nothing, to 1."""

    @property
    def is_off(self) -> bool:
        """Whether audio stays as it is, bit for bit."""
        return self.mode is None or self.strength <= 0.0


class _Mode(msgspec.Struct, frozen=True):
    """What distinguishes one mode from the other."""

    least_ratio: float
    """The least signal to noise ratio that a band is taken to have, which is also the least power that it keeps."""
    loudness: tuple[float, float] | None
    """Root mean squares between which speech is brought; None to leave its level alone.  Within them it stays too: the
    recogniser follows a steady level by itself, and takes a change for one of the sound."""


_MODES = {
    # A microphone before the mouth: 15 dB are taken, and the noise that is left hides what the gain does to it.
    "near_field": _Mode(least_ratio=10**-1.5, loudness=None),
    # One across the room: 20 dB, and speech comes at any level.
    "far_field": _Mode(least_ratio=10**-2.0, loudness=(1_000.0, 8_000.0)),
}
_MOST_GAIN = 16.0
"""Of the gain control: 24 dB."""
_GAIN_PACE = 0.03
"""Share of the way to the wanted gain that is gone in a hop: half of it in a third of a second."""
_LOUD_RATIO = 4.0
"""A hop tells the level of speech when it is so many times stronger than the noise."""
_LOUD_HOPS = 20
"""Such hops (a third of a second) that have to be heard before the level is believed."""
_LEVEL_RISES, _LEVEL_FALLS = 0.1, 0.01
"""Shares of a hop's power that enter the level: the loud parts of speech make it."""


class Denoiser:
    """One stream of s16le mono PCM at 16 kHz on its way to the recogniser.

    As many samples come out as go in, the last of them at `flush`, whatever is changed on the way.  What comes out
    depends on the audio and on where it was changed alone, not on how it was cut.
    """

    def __init__(self, denoising: Denoising) -> None:
        self._denoising = denoising
        self._noise: _Floats | None = None
        self._presence: _Floats = np.zeros(HOP_SAMPLES + 1)
        """How constantly each band has seemed to hold speech."""
        self._level = 0.0
        """The power of speech where it is loud."""
        self._loud_hops = 0
        self._gain = 1.0
        self._begin()

    def _begin(self) -> None:
        self._held: _Floats = np.zeros(HOP_SAMPLES)
        """The last hop and what has come after it."""
        self._overlap: _Floats = np.zeros(HOP_SAMPLES)
        self._speech: _Floats | None = None
        """The power of speech in the last hop."""
        self._to_skip = HOP_SAMPLES
        """Samples of what lies before the beginning."""

    def configure(self, denoising: Denoising) -> bytes:
        """Go on otherwise; return the audio that was still to be cleaned by the former setting, if any."""
        rest = self.flush() if denoising.is_off and not self._denoising.is_off else b""
        self._denoising = denoising
        return rest

    def learn(self, pcm: bytes) -> None:
        """Take audio from before the beginning, of which nothing comes out, to know the noise.

        There may be speech in it: its quieter half is taken.
        """
        samples = np.frombuffer(pcm, "<i2").astype(np.float64)
        if self._denoising.is_off or len(samples) < 4 * WINDOW_SAMPLES:
            return
        power = _power(_spectra(samples))
        totals = power.sum(1)
        # What is digital silence is no sample of the noise.
        order = [i for i in np.argsort(totals, kind="stable") if totals[i] > len(power[i]) * _WEAKEST]
        if order:
            self._noise = np.maximum(power[order[: (len(order) + 1) // 2]].mean(0), _WEAKEST)

    def push(self, pcm: bytes) -> bytes:
        """Take any number of samples and return those that are clean."""
        if self._denoising.is_off:
            return pcm
        self._held = np.concatenate((self._held, np.frombuffer(pcm, "<i2")))
        return self._ready()

    def flush(self) -> bytes:
        """Return what is still inside, and begin anew with the noise that is known."""
        rest = len(self._held) - self._to_skip
        out = b""
        if not self._denoising.is_off and rest > 0:
            self._held = np.concatenate((self._held, np.zeros(WINDOW_SAMPLES)))
            out = self._ready()[: 2 * rest]
        self._begin()
        return out

    def _ready(self) -> bytes:
        """Return the samples that are complete."""
        if len(self._held) < WINDOW_SAMPLES:
            return b""
        spectra = _spectra(self._held)
        power = _power(spectra)
        for i in range(len(spectra)):
            spectra[i] *= self._gains(power[i])
        hops = np.fft.irfft(spectra, WINDOW_SAMPLES) * _WINDOW
        self._held = self._held[len(hops) * HOP_SAMPLES :]
        out = hops[:, :HOP_SAMPLES]
        out[0] += self._overlap
        out[1:] += hops[:-1, HOP_SAMPLES:]
        self._overlap = hops[-1, HOP_SAMPLES:].copy()
        clean: _Floats = out.ravel()[self._to_skip :]
        self._to_skip = max(0, self._to_skip - out.size)
        return np.clip(np.rint(clean), -32_768, 32_767).astype("<i2").tobytes()

    def _gains(self, power: _Floats) -> _Floats:
        """Return the gain of each band for a hop of such powers."""
        mode = _MODES[self._denoising.mode or "near_field"]
        noise = self._noise = self._followed(power)
        before = self._speech if self._speech is not None else noise * mode.least_ratio
        ratio = (_DIRECTED * before + (1 - _DIRECTED) * np.maximum(power - noise, 0.0)) / noise
        ratio = np.maximum(ratio, mode.least_ratio)
        squared = ratio / (1.0 + ratio)
        self._speech = squared * power
        gains: _Floats = np.sqrt(squared)
        if mode.loudness is not None:
            gains *= self._controlled(mode.loudness, float(self._speech.sum()), float(noise.sum()))
        return gains if self._denoising.strength >= 1.0 else gains**self._denoising.strength

    def _followed(self, power: _Floats) -> _Floats:
        """Return the noise of each band by what is known so far."""
        noise = self._noise
        if noise is None:
            return np.maximum(power, _WEAKEST)
        exponent = np.minimum(power / noise * (_SPEECH_RATIO / (1 + _SPEECH_RATIO)), 100.0)
        speech = 1.0 / (1.0 + (1.0 + _SPEECH_RATIO) * np.exp(-exponent))
        self._presence = 0.9 * self._presence + 0.1 * speech
        speech = np.where(self._presence > _STUCK, np.minimum(speech, _STUCK), speech)
        now = speech * noise + (1.0 - speech) * power
        return np.maximum(_NOISE_KEPT * noise + (1 - _NOISE_KEPT) * now, _WEAKEST)

    def _controlled(self, wanted: tuple[float, float], speech: float, noise: float) -> float:
        """Return the gain that brings speech to a wanted level."""
        if speech > _LOUD_RATIO * noise:
            pace = _LEVEL_RISES if speech > self._level else _LEVEL_FALLS
            self._level += pace * (speech - self._level)
            self._loud_hops += 1
        if self._loud_hops > _LOUD_HOPS:
            # The powers are those of one half of the spectrum, of a window of which half the power is left.
            loudness = (4 * self._level) ** 0.5 / WINDOW_SAMPLES
            gain = min(max(loudness, wanted[0]), wanted[1]) / loudness
            self._gain += _GAIN_PACE * (min(max(gain, 1.0 / _MOST_GAIN), _MOST_GAIN) - self._gain)
        return self._gain


def _spectra(samples: _Floats) -> npt.NDArray[np.complex128]:
    """Return the spectra of all whole windows, a hop apart."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)[::HOP_SAMPLES]
    return np.fft.rfft(windows * _WINDOW)


def _power(spectra: npt.NDArray[np.complex128]) -> _Floats:
    power: _Floats = spectra.real**2 + spectra.imag**2
    return power
