"""How like a sound is to what was played shortly before: whether a microphone hears the loudspeaker.

Compared is how the levels of some bands move, not the waves: that survives loudspeakers, rooms, codecs, telephone bands
and clocks that differ, and costs little.  The delay is not known and is searched for, from none to 0.6 s.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ..audio import bands
from ..core.formats import TICKS_PER_MS, AudioFormat
from .pcm import to_pcm

LAG_MS = 600
"""The longest way from the estimated playback to the microphone: networks, buffers and air."""
SOONER_MS = 40
"""How much sooner than estimated it may play: the estimate has the network's own variation in it."""
WINDOW_MS = 400
"""Of sound that is compared: three syllables."""
_AHEAD_ROWS = 32
"""Rows that are worked out before they are asked for: a few at once cost hardly more than one."""
ROW_TICKS = bands.HOP_MS * TICKS_PER_MS
_UNEVEN_TICKS = 200 * TICKS_PER_MS
"""By how much a piece may seem to play sooner than the one before it: times are known as evenly as a client sends."""
_RANGE_DB = 35.0
"""Below the loudest by so much, levels are noise."""
_MOVES_DB = 3.0
"""A band whose level moves by less tells little: it is silent, or out of the loudspeaker's band."""


class Output:
    """What is played to one user, as far as it may still be heard.

    Its levels stand on rows of 10 ms of the audio clock, and each is worked out once, when it is first asked for.
    """

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, bytes, AudioFormat]] = deque()
        self._rows = np.zeros((0, bands.COUNT), np.float32)
        self._first_row = 0

    @property
    def end(self) -> int:
        """Tick after which nothing of it can be heard any more."""
        if not self._pieces:
            return 0
        return self._ends(self._pieces[-1]) + (LAG_MS + WINDOW_MS) * TICKS_PER_MS

    def add(self, audio: bytes, format: AudioFormat, at: int) -> None:  # noqa: A002
        """Learn what is played from a tick on, instead of anything that was to be played later."""
        while self._pieces and self._pieces[-1][0] > at + _UNEVEN_TICKS:
            # The answer that it belonged to was given up.
            self._pieces.pop()
        self._pieces.append((at, audio, format))
        # What was worked out near its beginning was worked out without it.
        known = max(0, at // ROW_TICKS - 2 - self._first_row)
        self._rows = self._rows[:known]

    def forget(self, before: int) -> None:
        """Let go of what was played before a tick."""
        while self._pieces and self._ends(self._pieces[0]) <= before:
            self._pieces.popleft()

    def levels(self, start: int, end: int) -> bands.Levels:
        """Return the levels of what was played between two ticks: a row for each 10 ms."""
        first, last = start // ROW_TICKS, end // ROW_TICKS
        known_to = self._first_row + len(self._rows)
        if not self._first_row <= first <= known_to:
            self._rows, self._first_row, known_to = self._rows[:0], first, first
        if last > known_to:
            made = self._made(known_to, last + _AHEAD_ROWS)
            self._rows = np.concatenate([self._rows[first - self._first_row :], made])
            self._first_row = first
        return self._rows[first - self._first_row : last - self._first_row]

    def _made(self, first: int, last: int) -> bands.Levels:
        """Work out some rows."""
        out = np.full((last - first, bands.COUNT), bands.FLOOR_DB, np.float32)
        # The last row needs 10 ms more than its own.
        for at, pcm, rate_hz in self._stretches(first * ROW_TICKS, (last + 1) * ROW_TICKS):
            rows = bands.levels(pcm, rate_hz)
            row = round(at / ROW_TICKS) - first
            rows = rows[: len(out) - row]
            out[row : row + len(rows)] = rows
        return out

    def _stretches(self, start: int, end: int) -> list[tuple[int, bytes, int]]:
        """Return what was played between two ticks, pieces that follow one another as one: a level needs 20 ms."""
        found: list[tuple[int, bytes, int]] = []
        until = -1
        for piece in self._pieces:
            at, audio, format_ = piece
            if at >= end + _UNEVEN_TICKS:
                # A brain may be minutes ahead of what is heard.
                break
            first, last = max(start, at), min(end, self._ends(piece))
            if first >= last:
                continue
            pcm = to_pcm(audio[format_.bytes_for_ticks(first - at) : format_.bytes_for_ticks(last - at)], format_)
            if found and found[-1][2] == format_.rate and abs(until - first) <= TICKS_PER_MS:
                found[-1] = (found[-1][0], found[-1][1] + pcm, format_.rate)
            else:
                found.append((first, pcm, format_.rate))
            until = last
        return found

    @staticmethod
    def _ends(piece: tuple[int, bytes, AudioFormat]) -> int:
        at, audio, format_ = piece
        return at + format_.ticks(len(audio))


def likeness(heard: bands.Levels, played: bands.Levels) -> tuple[float, int]:
    """Return how alike what is heard is to some stretch of what was played, 0 to 1, and the row where that begins.

    Every band is compared about its own mean, so that no loudness and no colour of a room matters; bands count by how
    much they move.
    """
    count = len(played) - len(heard) + 1
    if len(heard) < 8 or count < 1:
        return 0.0, 0
    ours = np.maximum(heard, heard.max() - _RANGE_DB)
    ours -= ours.mean(axis=0)
    weights = np.minimum(1.0, ours.std(axis=0) / _MOVES_DB)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.maximum(played, played.max() - _RANGE_DB), len(heard), axis=0
    )  # lags, bands, rows
    # Sums over rows and bands are matrix products, which take a tenth of the time of a loop over lags.
    theirs = np.ascontiguousarray(windows - windows.mean(axis=2, keepdims=True)).reshape(count, -1)
    products = theirs @ (ours * weights).T.ravel()
    sizes = (theirs**2) @ np.repeat(weights, len(heard)) * (ours**2 * weights).sum()
    scores = products / np.sqrt(np.maximum(sizes, 1e-6))
    best = int(scores.argmax())
    return max(0.0, float(scores[best])), best
