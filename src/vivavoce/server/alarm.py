"""The one timer of a session at work: it rings when the session's deadline has passed, wherever that moves meanwhile.

Called by `server.call` and `server.relaying`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

__all__ = ["Alarm"]


class Alarm:
    """Waits for the deadline of one session."""

    def __init__(
        self, deadline: Callable[[], float | None], now: Callable[[], float], ring: Callable[[], object]
    ) -> None:
        """Make an alarm that is not set.

        Args:
            deadline: returns when it is to ring, in the session's time; None once it never will.
            now: returns the session's time.
            ring: called when the deadline has passed; it moves the deadline, or does away with it.
        """
        self._deadline = deadline
        self._now = now
        self._ring = ring
        self._waits_until = math.inf
        self._sooner = asyncio.Event()
        """Set when the deadline has moved to before the moment that is waited for."""

    def reconsider(self) -> None:
        """Learn that the deadline may have moved."""
        deadline = self._deadline()
        if deadline is not None and deadline < self._waits_until:
            self._sooner.set()

    async def run(self) -> None:
        """Ring at each deadline, until there is none."""
        while (deadline := self._deadline()) is not None:
            self._waits_until = deadline
            self._sooner.clear()
            if (now := self._now()) < deadline:
                await self.wait(deadline - now)
            else:
                self._ring()

    def release(self) -> None:
        """Let go of the session, which holds this: nothing is to wait for the garbage collector."""
        self._deadline = self._ring = _never
        self._now = _no_time

    async def wait(self, seconds: float) -> None:
        """Wait for so long, or until the deadline has moved to before then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                await self._sooner.wait()


def _never() -> None:
    return None


def _no_time() -> float:
    return math.inf
