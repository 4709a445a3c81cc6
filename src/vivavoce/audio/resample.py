"""Changing the sample rate of PCM: a streaming polyphase FIR filter.

Outputs leave as soon as the input that they need has come, so the only delay is the filter's own (24 samples of the
lower rate).  The band up to 0.9 of the lower Nyquist frequency passes within 0.1 dB, and what the rate change adds to
that band is below -80 dB.  Called wherever two rates meet: ears, cascade, legs, files.

The sums are exact.  Samples are whole numbers of 16 bits and the filter's coefficients are whole numbers of 33, so
every partial sum fits the 53 bits of a float64, in whichever order a matrix product adds it up.  That makes the output
the same, bit for bit, however the input is cut.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float64]

_DELAY = 24
"""Half of the filter's length in samples of the lower rate: 3 ms at 8 kHz, 1.1 ms at 22,050 Hz."""
_CUTOFF = 0.981
"""Middle of the transition band over the lower Nyquist frequency."""
_KAISER_BETA = 8.2
"""Stop band below -83 dB, from 1.1 of the lower Nyquist frequency on."""
_SCALE = 2.0**32
"""The coefficients are whole multiples of one over this."""
_LARGEST_TERM = 1000
"""A ratio of greater terms is replaced by its nearest neighbour, which is off by less than 1 in a million."""
_LARGEST_PRODUCT = 200_000
"""Multiplications in one matrix product: few enough that no BLAS starts threads for them."""
_SLOWEST_HZ, _FASTEST_HZ = 1_000, 768_000


class Filter(msgspec.Struct, frozen=True):
    """A rate change of `up` / `down`, laid out to produce whole rows of output by one matrix product.

    A row takes `row_in` samples and makes `row_out`; `bands[:, j]` weighs the `history` samples before the row and
    the row itself for the row's output `j`.
    """

    up: int
    down: int
    row_in: int
    row_out: int
    history: int
    delay_out: int
    """Group delay, in output samples."""
    bands: _Array
    """What the inputs weigh, as whole multiples of 1 / 2**32."""

    @property
    def weights(self) -> _Array:
        """What the inputs weigh, as they are."""
        return self.bands / _SCALE


def _ratio(from_hz: int, to_hz: int) -> Fraction:
    """Return output samples per input sample in terms small enough to tabulate."""
    for rate in (from_hz, to_hz):
        if not _SLOWEST_HZ <= rate <= _FASTEST_HZ:
            raise ValueError(f"a sample rate of {rate} Hz is outside {_SLOWEST_HZ} to {_FASTEST_HZ} Hz")
    low, high = sorted((from_hz, to_hz))
    small = Fraction(low, high).limit_denominator(_LARGEST_TERM)
    return small if from_hz >= to_hz else 1 / small


def _row_length(from_hz: int, down: int) -> int:
    """Return how many inputs a row takes: whole periods that 20 ms are made of, or else one period."""
    frame = from_hz // 50
    choices = [n for n in range(down, 65, down) if frame % n == 0]
    return min(choices, key=lambda n: abs(n - 40), default=down * max(1, 40 // down))


@lru_cache(maxsize=32)
def filter_of(from_hz: int, to_hz: int) -> Filter:
    """Return the filter of a rate change (at most 2.5 MB, between 11,025 and 16,000 Hz; kept for the process)."""
    ratio = _ratio(from_hz, to_hz)
    up, down = ratio.numerator, ratio.denominator
    # Half a length in steps of the common rate, made a multiple of `down` so that the delay is whole output samples.
    half = down * round(_DELAY * max(up, down) / down)
    k = np.arange(-half, half + 1)
    cutoff = _CUTOFF / max(up, down)
    taps = np.sinc(cutoff * k) * np.kaiser(2 * half + 1, _KAISER_BETA)
    for phase in range(up):
        taps[phase::up] /= taps[phase::up].sum()  # each phase passes 0 Hz at exactly 0 dB
    taps = np.rint(taps * _SCALE)
    history = 2 * half // up
    row_in = _row_length(from_hz, down)
    row_out = row_in * up // down
    # Output j stands at j * down on the common grid and weighs input n, which stands at n * up, by taps[the distance].
    distance = np.arange(row_out)[None, :] * down - (np.arange(history + row_in)[:, None] - history) * up
    inside = (distance >= 0) & (distance <= 2 * half)
    bands = np.where(inside, taps[np.clip(distance, 0, 2 * half)], 0.0)
    return Filter(up, down, row_in, row_out, history, half // down, bands)


class Resampler:
    """One stream of s16le mono PCM on its way from one sample rate to another."""

    def __init__(self, from_hz: int, to_hz: int, *, trim_start: bool = False) -> None:
        """Begin a stream; `trim_start` leaves out the filter's delay, so that output and input begin together.

        Raises:
            ValueError: a rate is outside 1000 to 768,000 Hz.
        """
        self._filter = filter_of(from_hz, to_hz)
        self._is_identity = self._filter.up == self._filter.down
        self._trim = trim_start and not self._is_identity
        self._begin()

    def _begin(self) -> None:
        self._row: _Array = np.zeros(self._filter.history)
        """The history of the current row and the row as far as it has come."""
        self._given = 0
        """Outputs of the current row that were already given."""
        self._to_skip = self._filter.delay_out if self._trim else 0
        self._heard_any = False

    @property
    def delay_samples(self) -> int:
        """How many output samples later than its input a sound comes out; 0 if the start is trimmed."""
        return 0 if self._trim or self._is_identity else self._filter.delay_out

    def push(self, pcm: bytes) -> bytes:
        """Take any number of samples and return all output that they complete, perhaps none.

        Raises:
            ValueError: `pcm` is not whole samples.
        """
        samples = np.frombuffer(pcm, "<i2")
        if self._is_identity or not len(samples):
            return bytes(pcm)
        self._heard_any = True
        return self._skipped(_to_pcm(self._filtered(samples)))

    def flush(self) -> bytes:
        """Return the rest that the filter still holds, and begin a new stream.

        All output together then lasts as long as the input, plus `delay_samples`.
        """
        rest = b""
        if self._heard_any:
            f = self._filter
            silence = np.zeros(-(-f.delay_out * f.down // f.up) + 1, np.int16)
            rest = self._skipped(_to_pcm(self._filtered(silence)[: f.delay_out]))
        self._begin()
        return rest

    def _skipped(self, pcm: bytes) -> bytes:
        """Return `pcm` without what belongs to the delay at the start."""
        if not self._to_skip:
            return pcm
        skip = min(self._to_skip, len(pcm) // 2)
        self._to_skip -= skip
        return pcm[2 * skip :]

    def _filtered(self, samples: npt.NDArray[np.int16]) -> _Array:
        """Return the outputs that `samples` complete: whole rows at once, then the begun row as far as it goes."""
        f = self._filter
        held: _Array = np.concatenate((self._row, samples), dtype=np.float64)
        parts = []
        rows = (len(held) - f.history) // f.row_in
        if rows:
            parts.append(_rows(held, rows, f)[self._given :])
            held = held[rows * f.row_in :]
            self._given = 0
        # Output j needs the inputs up to j * down / up, rounded down.
        ready = -(-(len(held) - f.history) * f.up // f.down)
        if ready > self._given:
            parts.append(held @ f.bands[: len(held), self._given : ready])
            self._given = ready
        self._row = held
        return parts[0] if len(parts) == 1 else np.concatenate((*parts, np.empty(0)))


def _rows(held: _Array, rows: int, f: Filter) -> _Array:
    """Return the outputs of `rows` whole rows, the first of which begins after the history in `held`."""
    width = f.history + f.row_in
    windows = np.lib.stride_tricks.as_strided(held, (rows, width), (f.row_in * held.itemsize, held.itemsize))
    step = max(1, _LARGEST_PRODUCT // f.bands.size)
    return np.concatenate([(windows[i : i + step].copy() @ f.bands).ravel() for i in range(0, rows, step)])


def _to_pcm(sums: _Array) -> bytes:
    """Return sums of samples times coefficients as s16le, rounded and clipped."""
    return np.clip(np.rint(sums / _SCALE), -32_768, 32_767).astype("<i2").tobytes()


def resample(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """Return whole s16le mono audio at another rate: as long as before, and nothing moved.

    Raises:
        ValueError: `pcm` is not whole samples, or a rate is outside 1000 to 768,000 Hz.
    """
    if len(pcm) % 2:
        raise ValueError("PCM of 16 bits has an odd number of bytes")
    resampler = Resampler(from_hz, to_hz, trim_start=True)
    pieces = [resampler.push(pcm[i : i + 65_536]) for i in range(0, len(pcm), 65_536)]
    return b"".join((*pieces, resampler.flush()))
