"""Changing the sample rate of many streams at once, 20 ms of each: what `resample` does to one, in one matrix product.

The same filter, with the same delay, in single precision, which is 60 dB better than 16 bits.  A stream is a row; rows
rest while nothing is pushed to them.  Called by the telephone's media engine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .resample import filter_of

__all__ = ["BatchResampler"]

_Samples = npt.NDArray[np.float32]


class BatchResampler:
    """Many streams of mono PCM on their way from one sample rate to another, a frame of 20 ms of each at a time."""

    def __init__(self, from_hz: int, to_hz: int, rows: int) -> None:
        """Begin with `rows` streams of silence.

        Raises:
            ValueError: a rate is out of range, or 20 ms of it are not whole periods of the filter.
        """
        f = filter_of(from_hz, to_hz)
        self.frame_in = from_hz // 50
        """Samples of a frame that is pushed."""
        self.frame_out = to_hz // 50
        """Samples of a frame that comes out."""
        self.delay_samples = f.delay_out
        """How many output samples later than its input a sound comes out."""
        if from_hz % 50 or to_hz % 50 or self.frame_in % f.row_in:
            raise ValueError(f"20 ms cannot be brought from {from_hz} to {to_hz} Hz in whole rows")
        self._history = f.history
        self._pieces = self.frame_in // f.row_in
        self._step = f.row_in
        self._bands = np.ascontiguousarray(f.weights.astype(np.float32))
        self._held = np.zeros((rows, f.history), np.float32)

    def clear(self, row: int) -> None:
        """Begin the stream of a row anew."""
        self._held[row] = 0

    def push(self, rows: npt.NDArray[np.intp], frames: npt.NDArray[np.number]) -> _Samples:
        """Take a frame for each of `rows`, no row twice, and return a frame of each, neither rounded nor clipped."""
        count = len(rows)
        line = np.empty((count, self._history + self.frame_in), np.float32)
        line[:, : self._history] = self._held[rows]
        line[:, self._history :] = frames
        self._held[rows] = line[:, self.frame_in :]
        width = self._history + self._step
        strides = (line.strides[0], self._step * line.itemsize, line.itemsize)
        windows = np.lib.stride_tricks.as_strided(line, (count, self._pieces, width), strides)
        out: _Samples = (windows.reshape(count * self._pieces, width) @ self._bands).reshape(count, self.frame_out)
        return out
