"""Timers: how long SIP waits for what (RFC 3261 table 4), and which of many waits is over first.

Called by everything here that waits; knows no clock.
"""

from __future__ import annotations

import heapq

import msgspec

__all__ = ["DEFAULT_TIMERS", "Agenda", "Timers"]


class Timers(msgspec.Struct, frozen=True):
    """The three times that all others are made of, in seconds."""

    t1: float = 0.5
    """The round trip that is assumed: the first wait before anything is sent again."""
    t2: float = 4.0
    """The longest wait before anything but an INVITE is sent again."""
    t4: float = 5.0
    """How long the network may hold a message back."""
    failover: float = 5.0
    """How long a place that says nothing is waited for when there is another to try."""
    trying: float = 0.2
    """How long a request may go without any answer before it is told that somebody works on it."""

    @property
    def patience(self) -> float:
        """How long is waited for the other side: 64 times T1."""
        return 64 * self.t1


DEFAULT_TIMERS = Timers()
"""The times of RFC 3261."""

_STALE_AT_LEAST = 64
"""Dead entries are swept out only when there are more of them than this and than live ones."""


class Agenda:
    """When each of many things is due; setting a time again replaces it."""

    def __init__(self) -> None:
        """Begin with nothing due."""
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, key: str, due: float | None) -> None:
        """Say when a thing is due; None for never."""
        if self._due.get(key) == due:
            return
        if due is None:
            del self._due[key]
        else:
            self._due[key] = due
            heapq.heappush(self._heap, (due, key))
        if len(self._heap) > 2 * len(self._due) + _STALE_AT_LEAST:
            self._heap = [(at, name) for name, at in self._due.items()]
            heapq.heapify(self._heap)

    @property
    def deadline(self) -> float | None:
        """When the first thing is due; None while nothing is."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def take(self, now: float) -> str | None:
        """Return a thing that is due and forget it; None when there is none."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return None
        _, key = heapq.heappop(self._heap)
        del self._due[key]
        return key
