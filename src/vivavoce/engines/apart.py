"""Work that blocks, apart from all other: each piece has a daemon thread of its own for as long as it takes.

The event loop's own threads are few, and shared: one lookup of a name that nobody answers for would keep another, or a
file, waiting for half a minute.  Nor may such a thread keep the process from ending.  Called by `engines.guard` and
`engines.mcp`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


def apart(name: str, work: Callable[[], T]) -> Future[T]:
    """Begin a piece of work on a thread of that name, and return what is to come of it."""
    result: Future[T] = Future()
    # It runs from now on, so that whoever waits for it may give up but not take it back.
    result.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            result.set_exception(error)

    threading.Thread(target=run, name=f"vivavoce-{name}", daemon=True).start()
    return result


class Crowded(OSError):
    """There is as much to wait for already as may be."""


class Chores:
    """Pieces of work of one kind, of which only so many may be under way at the same time."""

    def __init__(self, name: str, most: int) -> None:
        """Begin with none; a piece that nobody waits for any more counts until it has ended."""
        self._name = name
        self._most = most
        self._running: set[Future[Any]] = set()

    async def do(self, work: Callable[[], T]) -> T:
        """Do a piece of work.

        Raises:
            Crowded: too many are under way.
        """
        self._running = {one for one in self._running if not one.done()}
        if len(self._running) >= self._most:
            raise Crowded(f"{self._most} are under way")
        result = apart(self._name, work)
        self._running.add(result)
        return await asyncio.wrap_future(result)
