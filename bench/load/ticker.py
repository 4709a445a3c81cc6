"""Audio in real time for all sessions of a server under test, stamped as `load.c` says."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

FRAME_MS = 20
BYTES_PER_MS = 48
SLOTS = 20
"""Sessions are spoken to in so many groups a frame, as they would be had they begun at different times."""
STAMP = struct.Struct("<QQQ")

_took_ns: deque[int] = deque(maxlen=1000)
"""How long the latest frames of clients took to arrive; each is told to some client once."""


def note_arrival(audio: bytes) -> None:
    """Read the stamp of a frame that has just arrived, if it carries one."""
    sent = int.from_bytes(audio[:8], "little")
    took = time.monotonic_ns() - sent
    if sent and 0 < took < 10**10:
        _took_ns.append(took)


class Sink(Protocol):
    """Takes frames, as a queue does."""

    def put_nowait(self, frame: bytes) -> None: ...


class Ticker:
    """One timer for all sessions, which gives each a frame of 20 ms, or of another length, as often."""

    def __init__(self, frame_ms: int = FRAME_MS) -> None:
        self._slots: list[set[Sink]] = [set() for _ in range(SLOTS)]
        self._frame_seconds = frame_ms / 1000
        self._rest = bytes(frame_ms * BYTES_PER_MS - STAMP.size)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0
        self._due = 0.0

    def join(self, sink: Sink) -> Callable[[], None]:
        """Begin to give frames to a sink, until what is returned is called."""
        slot = min(self._slots, key=len)
        slot.add(sink)
        if self._timer is None:
            self._due = self._loop.time()
            self._arm()
        return lambda: slot.discard(sink)

    def _arm(self) -> None:
        """Wait for the next slot that anyone is in."""
        self._timer = None
        for step in range(1, SLOTS + 1):
            if self._slots[(self._next + step) % SLOTS]:
                self._next += step
                self._due += step * self._frame_seconds / SLOTS
                self._timer = self._loop.call_at(self._due, self._tick)
                return

    def _tick(self) -> None:
        for sink in tuple(self._slots[self._next % SLOTS]):
            took = _took_ns.popleft() if _took_ns else 0
            sink.put_nowait(STAMP.pack(time.monotonic_ns(), took, 0) + self._rest)
        self._arm()
