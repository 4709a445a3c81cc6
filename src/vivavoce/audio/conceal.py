"""Concealment of lost speech where the codec has none (G.711, G.722): the last pitch period goes on and fades.

After ITU-T G.711 appendix I, but without its delay of 3.75 ms: what was heard has been passed on already, so the seam
at the start is closed by bending the repetition instead of overlapping it.  Sound without a pitch is repeated in longer
pieces, for short ones would lend it one.  After 60 ms nothing is left: more would deceive a listener who is a model.
Called by telephone legs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Concealment"]

_Samples = npt.NDArray[np.float64]

_HIGHEST_PITCH_HZ, _LOWEST_PITCH_HZ = 400, 66
_MATCHED_SECONDS = 0.02
"""How much of what was heard last is compared with what came before."""
_VOICED = 0.5
"""Correlation from which on there is a pitch."""
_ABOUT_AS_LIKE = 0.9
_STEADY_SECONDS, _FADED_SECONDS = 0.01, 0.06
"""Until when the repetition keeps its level, and from when on it is silent."""
_SEAM_SECONDS = 0.004
_LONGEST_SEAM_SECONDS = 0.01
_FULL_SCALE = 32_767


class Concealment:
    """One stream of s16le mono PCM in which there are holes."""

    def __init__(self, rate_hz: int) -> None:
        """Begin with nothing heard, of which the continuation is silence."""
        self._rate_hz = rate_hz
        self._shortest = rate_hz // _HIGHEST_PITCH_HZ
        self._longest = rate_hz // _LOWEST_PITCH_HZ
        self._matched = int(_MATCHED_SECONDS * rate_hz)
        self._kept_bytes = 2 * (self._matched + self._longest)
        self._heard = bytes(self._kept_bytes)
        self._loop: _Samples | None = None
        self._concealed = 0

    def hear(self, pcm: bytes) -> bytes:
        """Take sound that came, and return it, led into from what was concealed if something was.

        Raises:
            ValueError: `pcm` is not whole samples.
        """
        if len(pcm) % 2:
            raise ValueError("PCM of 16 bits has an odd number of bytes")
        if self._loop is not None and pcm:
            pcm = self._led_into(pcm)
            self._loop = None
            self._concealed = 0
        self._heard = pcm[-self._kept_bytes :] if len(pcm) >= self._kept_bytes else self._heard[len(pcm) :] + pcm
        return pcm

    def conceal(self, samples: int) -> bytes:
        """Return so many samples in place of lost ones, going on from whatever was returned before."""
        if self._loop is None:
            self._loop = self._repeated()
        return _to_pcm(self._continued(samples))

    def _continued(self, samples: int) -> _Samples:
        assert self._loop is not None
        positions = np.arange(self._concealed, self._concealed + samples)
        self._concealed += samples
        steady, faded = _STEADY_SECONDS * self._rate_hz, _FADED_SECONDS * self._rate_hz
        level = np.clip((faded - positions) / (faded - steady), 0.0, 1.0)
        # The first round bends from the last sample heard to the repetition, which begins a period before it.
        seam = max(1, int(_SEAM_SECONDS * self._rate_hz))
        bend = self._step * np.clip(1 - (positions + 1) / seam, 0.0, 1.0)
        continued: _Samples = (self._loop[positions % len(self._loop)] + bend) * level
        return continued

    def _repeated(self) -> _Samples:
        """Return the piece of what was heard that is to be repeated."""
        heard = np.frombuffer(self._heard, "<i2").astype(np.float64)
        last = heard[-self._matched :]
        # One row for each lag, the shortest first.
        windows = np.lib.stride_tricks.sliding_window_view(heard, self._matched)
        lags = np.arange(self._shortest, self._longest + 1)
        before = windows[len(heard) - self._matched - lags]
        powers = np.einsum("ij,ij->i", before, before)
        likeness = (before @ last) / np.sqrt(powers * (last @ last) + 1.0)
        best = float(likeness.max())
        period = self._longest
        if best >= _VOICED:
            # Of peaks about as high the first is the pitch, the others are its multiples.
            at = int(np.argmax(likeness >= _ABOUT_AS_LIKE * best))
            while at + 1 < len(lags) and likeness[at + 1] >= likeness[at]:
                at += 1
            period = int(lags[at])
        loop: _Samples = heard[-period:].copy()
        self._step = float(heard[-1] - heard[-period - 1])
        # Where the repetition begins anew it would step by as much.
        seam = min(period, max(1, int(_SEAM_SECONDS * self._rate_hz)))
        loop[-seam:] -= self._step * np.arange(1, seam + 1) / seam
        return loop

    _step = 0.0
    """What lies between the last sample heard and the one a period before it."""

    def _led_into(self, pcm: bytes) -> bytes:
        """Return sound that came after a hole, faded in over what would have been concealed."""
        came = np.frombuffer(pcm, "<i2").astype(np.float64)
        longer = 0.4 * max(0.0, self._concealed / self._rate_hz - _STEADY_SECONDS)
        seconds = min(_LONGEST_SEAM_SECONDS, _SEAM_SECONDS + longer)
        seam = min(len(came), int(seconds * self._rate_hz))
        rising = np.arange(1, seam + 1) / (seam + 1)
        came[:seam] = came[:seam] * rising + self._continued(seam) * (1 - rising)
        return _to_pcm(came)


def _to_pcm(samples: _Samples) -> bytes:
    return np.clip(np.rint(samples), -_FULL_SCALE - 1, _FULL_SCALE).astype("<i2").tobytes()
