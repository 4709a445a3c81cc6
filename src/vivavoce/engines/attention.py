"""What else is heard while an answer plays: whether it is the answer itself, and whether the user claims the turn.

It is awake only while something is played, and looks closely only at frames in which somebody speaks, so that it costs
nothing otherwise.  One for each session that asks for it; called on the canal's thread (`engines.canal`).
"""

from __future__ import annotations

import numpy as np

from ..audio import bands
from ..core.formats import TICKS_PER_MS, AudioFormat
from .claims import FIRST_FRAME, LAST_FRAME, ROWS, claims
from .echoes import LAG_MS, ROW_TICKS, SOONER_MS, Output, likeness
from .pcm import RATE_HZ

_COMPARED_ROWS = 46
"""What is compared with the output: 0.46 s."""
_HOP_BYTES = bands.HOP_MS * RATE_HZ // 1000 * 2
_KEPT_BYTES = (ROWS + bands.WINDOW_MS // bands.HOP_MS) * _HOP_BYTES
"""What all rows can be made of."""
_NOTICED = 0.3
"""Probability of speech from which a frame is looked at: a soft syllable does not interrupt a judgement."""
_PAUSE_FRAMES = 5
"""Frames without speech after which speech begins anew."""
_FRAME_MS = 32
_LIKE = 0.6
"""Likeness from which it is looked at more closely."""
_ENOUGH_ROWS = 16
"""Of speech (160 ms) to be compared without the silence before it."""
_SEARCH_FRAMES = 4
"""All delays are searched once in so many frames, and in the others those near the last one: a way that the sound takes
does not change, and the search is most of the cost."""
_NEAR_ROWS = 3
_FRESH_FRAMES = 32
"""Frames of speech (1 s) after which every second one is judged: by then most is decided."""


class Attention:
    """The attention of one session."""

    def __init__(self) -> None:
        self._output = Output()
        self._pcm = bytearray()
        """What the next rows are made of."""
        self._rows = np.full((ROWS, bands.COUNT), bands.FLOOR_DB, np.float32)
        self._speech_frames = 0
        """Since speech began, short pauses included; 0 while nobody speaks."""
        self._quiet_frames = 0
        self._claim: float | None = None
        self._delay = 0
        """Rows from the earliest place that is searched to where the sound was found last."""
        self._like = 0.0

    def expect_echo(self, audio: bytes, format: AudioFormat, at: int) -> None:  # noqa: A002
        """Learn what is played from a tick on."""
        self._output.add(audio, format, at)

    def judge(self, frame: bytes, end: int, probability: float) -> tuple[float, float | None]:
        """Return the likeness to the output, and the claim, of the frame of 16 kHz audio that ends at a tick."""
        if end > self._output.end:
            self._output.forget(end)
            self._pcm.clear()
            self._rows[:] = bands.FLOOR_DB
            self._speech_frames = 0
            return 0.0, None
        self._take(frame)
        if probability < _NOTICED:
            self._quiet_frames += 1
            if self._quiet_frames >= _PAUSE_FRAMES:
                self._speech_frames = 0
            if self._speech_frames == 0:
                return 0.0, None
            self._speech_frames += 1
            self._look()
            return 0.0, self._claims()
        self._look()
        self._quiet_frames = 0
        self._speech_frames += 1
        if self._speech_frames < _FRESH_FRAMES or self._speech_frames % 2 == 0:
            self._like = self._likeness(end)
        return self._like, self._claims()

    def _claims(self) -> float | None:
        """Return how much the sound claims the turn: what ends soon does so in how it ends, too."""
        if self._speech_frames < FIRST_FRAME:
            return None
        if self._speech_frames <= LAST_FRAME:
            self._claim = claims().judge(self._rows, self._speech_frames)
        return self._claim

    def _take(self, frame: bytes) -> None:
        """Keep a frame until somebody speaks, or for as long as it could matter then."""
        self._pcm += frame
        spare_hops = (len(self._pcm) - _KEPT_BYTES) // _HOP_BYTES
        if spare_hops > 0:
            del self._pcm[: spare_hops * _HOP_BYTES]

    def _look(self) -> None:
        """Work out the rows that are complete."""
        new = bands.levels(bytes(self._pcm), RATE_HZ)
        self._rows = np.concatenate([self._rows, new])[-ROWS:]
        del self._pcm[: len(new) * _HOP_BYTES]

    def _likeness(self, end: int) -> float:
        first = end - (_COMPARED_ROWS + 1) * ROW_TICKS - LAG_MS * TICKS_PER_MS
        self._output.forget(first)
        played = self._output.levels(first, end + SOONER_MS * TICKS_PER_MS)
        if played.max() <= bands.FLOOR_DB + 1:
            return 0.0
        is_search = self._speech_frames <= 2 or self._speech_frames % _SEARCH_FRAMES == 0
        skipped = 0 if is_search else max(0, self._delay - _NEAR_ROWS)
        if not is_search:
            played = played[skipped : skipped + _COMPARED_ROWS + 2 * _NEAR_ROWS]
        found, row = likeness(self._rows[-_COMPARED_ROWS:], played)
        self._delay = skipped + row
        spoken = self._speech_frames * _FRAME_MS // bands.HOP_MS
        if found >= _LIKE and _ENOUGH_ROWS <= spoken < _COMPARED_ROWS:
            # Whoever begins to speak where the answer does is like it in just that.
            found = min(found, likeness(self._rows[-spoken:], played[_COMPARED_ROWS - spoken :])[0])
        return found
