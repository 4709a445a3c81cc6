"""The cepstral mean of an utterance as it is heard.

The acoustic model expects features with the mean of the whole utterance taken away.  A stream has no whole: the library
takes a constant instead, which fits neither a quiet microphone nor a telephone, and doubles the errors.  Here the mean
of what was heard so far, drawn towards that of ordinary speech, is told to the library every 100 ms.
"""

from __future__ import annotations

import ctypes
from typing import Any

from .library import Library

_SIZE = 13
"""Cepstral coefficients of a frame."""
_ORDINARY = (50.6, 3.2, 4.3, 19.1, -3.1, 2.0, 1.4, -3.5, -1.3, -2.3, 4.5, 1.3, 1.9)
"""The mean over synthetic voices and human ones at ordinary levels."""
_ORDINARY_FRAMES = 50
"""How many frames of the utterance that mean weighs."""
_MAX_FRAMES = 128
_PAUSE_FRAMES = 10
_PAUSE_BELOW = 12.0
"""A frame belongs to a pause when its energy lies so far below the mean: 10 is the factor e in amplitude."""


class MeanTracker:
    """A front end of its own, which hears the same audio as the search."""

    def __init__(self, lib: Library, decoder: Any) -> None:
        import numpy as np

        self._c, self._np = lib.c, np
        self._config = lib.c.ps_get_config(decoder)
        self._frames = np.zeros((_MAX_FRAMES, _SIZE), np.float32)
        self._rows = (self._frames.ctypes.data + self._frames.strides[0] * np.arange(_MAX_FRAMES)).astype(np.uintp)
        self._front_end: Any = None
        self._last: Any = self._frames[:0, 0]
        self.begin()

    def begin(self) -> None:
        """Forget what was heard; the front end is a new one, since its estimate of noise outlasts utterances."""
        self.close()
        self._front_end = self._c.fe_init_auto_r(self._config)
        self._c.fe_start_utt(self._front_end)
        self._sum = self._np.array(_ORDINARY) * _ORDINARY_FRAMES
        self._count = _ORDINARY_FRAMES
        self._last = self._frames[:0, 0]

    def hear(self, pcm: bytes) -> None:
        """Take s16le mono 16 kHz, at most a second at once."""
        address = ctypes.c_void_p(ctypes.cast(ctypes.c_char_p(pcm), ctypes.c_void_p).value)
        left, made = ctypes.c_size_t(len(pcm) // 2), ctypes.c_int32(_MAX_FRAMES)
        self._c.fe_process_frames(
            self._front_end, ctypes.byref(address), ctypes.byref(left), self._rows.ctypes.data, ctypes.byref(made)
        )
        frames = self._frames[: made.value]
        # The library too leaves out frames without energy.
        heard = frames[frames[:, 0] >= 0]
        self._sum += heard.sum(0, dtype=self._np.float64)
        self._count += len(heard)
        self._last = self._np.concatenate((self._last, frames[:, 0]))[-_PAUSE_FRAMES:]

    @property
    def is_pause(self) -> bool:
        """Whether the last 100 ms were far quieter than the rest."""
        return len(self._last) == _PAUSE_FRAMES and bool(self._last.max() < self._sum[0] / self._count - _PAUSE_BELOW)

    @property
    def estimate(self) -> bytes:
        """The mean as the library reads it."""
        return ",".join(f"{value:.3f}" for value in self._sum / self._count).encode()

    def close(self) -> None:
        """Free the front end."""
        if self._front_end is not None:
            self._c.fe_free(self._front_end)
            self._front_end = None
