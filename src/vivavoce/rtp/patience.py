"""Patience: how long a hole in a stream is waited for, learnt from how late packets came.  Part of `reception`."""

from __future__ import annotations

from collections import deque
from math import exp

__all__ = ["Patience"]

_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.04, 0.2
"""Two packets overtake one now and then on any network; beyond 200 ms an answer is worth more than 20 ms of speech."""
_MARGIN = 1.25
"""How much longer than the latest packet lately it waits."""
_FORGET_SECONDS = 10.0
"""The time in which what was measured loses two thirds of its weight."""
_REMEMBERED_HOLES = 16


class Patience:
    """How late packets come that were overtaken."""

    def __init__(self) -> None:
        """Begin without experience, with 40 ms."""
        self._latest = 0.0
        self._learnt_at = 0.0
        self._holes: deque[tuple[int, int, float]] = deque(maxlen=_REMEMBERED_HOLES)

    def seconds(self, now: float) -> float:
        """Return how long a hole waits."""
        if not self._latest:
            return _SHORTEST_SECONDS
        return min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, _MARGIN * self._faded(now)))

    def _faded(self, now: float) -> float:
        return self._latest * exp(min(0.0, (self._learnt_at - now) / _FORGET_SECONDS))

    def learn(self, lateness: float, now: float) -> None:
        """Learn that a packet came so much later than the first that overtook it."""
        # What came too late for any patience is no reason to have more.
        if lateness <= _LONGEST_SECONDS and lateness >= self._faded(now):
            self._latest, self._learnt_at = lateness, now

    def give_up(self, first: int, end: int, since: float) -> None:
        """Learn that the packets from `first` up to but not including `end` are waited for no longer."""
        self._holes.append((first, end, since))

    def learn_late(self, number: int, now: float) -> None:
        """Learn that a packet came that had been given up."""
        for first, end, since in self._holes:
            if first <= number < end:
                self.learn(now - since, now)
                return
