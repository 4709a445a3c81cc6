"""The clock of calls: every 20 ms each of them sends its frame and looks after its timers.

One timer of the event loop serves all.  Many calls are spread over the 20 ms, so that what comes in meanwhile does not
wait for all of them; the schedule is absolute, so that nothing drifts.  Called by `webrtc.port` and `streams.stream`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["TICK_S", "Party", "Ticker"]

TICK_S = 0.02
"""The time between two ticks of a party."""
_SLOTS = 4
_SLOT_S = TICK_S / _SLOTS
_FULL = 16
"""So many calls take a millisecond or two; only more than that are spread, for each slot in use wakes the process."""
_MOST_BEHIND_S = 0.2
"""A process that stood still for longer does not make up for it: whoever listens has heard the gap already."""


class Party(Protocol):
    """What ticks."""

    def tick(self, now: float) -> None:
        """Do what is due in these 20 ms."""
        ...

    def fail(self, error: Exception) -> None:
        """Learn that `tick` has raised, and end."""
        ...


class Ticker:
    """Calls each of its parties every 20 ms, as long as it has any."""

    def __init__(self, loop: asyncio.AbstractEventLoop, before: Callable[[], None] = lambda: None) -> None:
        """Tick nobody yet; `before` is called before each round."""
        self._loop = loop
        self._before = before
        self._slots: list[dict[Party, None]] = [{} for _ in range(_SLOTS)]
        self._timer: asyncio.TimerHandle | None = None
        self._origin = 0.0
        self._step = 0
        self.skipped = 0
        """How many ticks were left out because the process had stood still."""

    def __len__(self) -> int:
        return sum(map(len, self._slots))

    def join(self, party: Party) -> None:
        """Tick a party from now on."""
        slot = next((slot for slot in self._slots if len(slot) < _FULL), None)
        (min(self._slots, key=len) if slot is None else slot)[party] = None
        if self._timer is None:
            self._origin, self._step = self._loop.time(), 0
            self._arm()

    def leave(self, party: Party) -> None:
        """Tick a party no more; does nothing if it is not ticked."""
        for slot in self._slots:
            slot.pop(party, None)
        if self._timer is not None and not any(self._slots):
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        while not self._slots[self._step % _SLOTS]:
            self._step += 1
        self._timer = self._loop.call_at(self._origin + self._step * _SLOT_S, self._run)

    def _run(self) -> None:
        self._timer = None
        self._before()
        now = self._loop.time()
        behind = now - (self._origin + self._step * _SLOT_S)
        if behind > _MOST_BEHIND_S:
            rounds = int(behind / TICK_S)
            self._step += rounds * _SLOTS
            self.skipped += rounds
        while self._origin + self._step * _SLOT_S <= now:
            for party in tuple(self._slots[self._step % _SLOTS]):
                try:
                    party.tick(now)
                except Exception as error:  # noqa: BLE001 - one call's fault must not silence the others
                    party.fail(error)
            self._step += 1
        if any(self._slots):
            self._arm()
