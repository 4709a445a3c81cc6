"""Connections to upstreams that are opened ahead of need, so that a session begins without a handshake.

A *shelf* holds those that are alike: to one upstream, at one address, with the same headers.  What an upstream says on
a connection that waits (`session.created`) is kept on it for whoever takes it.  A connection waits for a minute at the
most, and is replaced while it can still be taken.  Called by `server.linking` in place of dialling; `switchboard` makes
it and closes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from ..legs.line import LineError
from ..routing import Upstream
from .linking import Wire

__all__ = ["Fate", "Opener", "Pool", "Pooled"]

_log = logging.getLogger("vivavoce.relay")

_MAX_AGE_SECONDS = 60.0
"""How long a connection may wait: long enough to be worth its handshake, and shorter than what networks forget."""
_SESSION_SHARE = 0.1
"""Of an upstream's session limit, what may have gone by before a session is used."""
_LEAST_AGE_SECONDS = 3.0
"""Where connections may wait for less than this, keeping them open costs more handshakes than it saves."""
_FRESH_SHARE = 0.8
"""Of the time for which a connection may wait, that after which another is opened in its place."""
_IDLE_SECONDS = 600.0
"""How long connections are kept ready for that nobody has asked for."""
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 60.0
_MOST_FAILURES = 4
"""After so many in a row nothing more is tried ahead of need, unless the operator named the model."""
_PATIENCE_SECONDS = 5.0
"""How long is waited where an upstream is not well, or too many connections wait already."""
_PERSONAL_HEADERS = frozenset({"openai-safety-identifier"})
"""Headers that name one user, whose next session is unlikely to come before its connection would be too old."""


Fate = Literal["opened", "failed", "used", "missed", "expired", "lost"]
"""What becomes of a connection: opened ahead of need, or not to be had; taken, or not in time, or lost while it waited.
`missed` is a session that none was ready for, so that it dialled."""


class Pooled(Wire, Protocol):
    """A connection that can wait."""

    @property
    def is_open(self) -> bool:
        """Whether it can still be used, as far as is known."""
        ...

    @property
    def opened_at(self) -> float:
        """When it was opened, by the clock of the loop."""
        ...


class Opener(Protocol):
    """Opens a connection to an upstream."""

    async def __call__(
        self,
        upstream: Upstream,
        address: str,
        headers: dict[str, str],
        lost: Callable[[Any], None] | None = None,
    ) -> Pooled:
        """Dial an address with headers; `lost` is called with the connection when that is gone.

        Raises:
            LineError: it cannot be reached, or does not let us in.
        """
        ...


class Pool:
    """The connections of a process that wait."""

    def __init__(
        self,
        dial: Opener,
        *,
        is_available: Callable[[str], bool] = lambda _name: True,
        told: Callable[[str, int], object] = lambda _name, _ready: None,
        counted: Callable[[str, Fate], object] = lambda _name, _fate: None,
        max_connections: int = 1024,
    ) -> None:
        """Begin with none.

        Args:
            dial: opens a connection.
            is_available: whether an upstream is well, by its name; for one that is not, none are opened.
            told: takes the name of an upstream and how many connections to it are ready, whenever that changes.
            counted: takes the name of an upstream and what became of one of its connections.
            max_connections: how many may wait or be opened at a time, to all upstreams together.
        """
        self._dial = dial
        self._is_available = is_available
        self._told = told
        self._counted = counted
        self._max_connections = max_connections
        self._shelves: dict[object, _Shelf] = {}
        self._openings: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self.counts: dict[str, Counter[Fate]] = {}
        """What has become of connections so far, by the name of the upstream."""

    def ready(self, name: str) -> int:
        """Return how many connections to an upstream wait."""
        return sum(len(shelf.waiting) for shelf in self._shelves.values() if shelf.upstream.name == name)

    async def take(self, upstream: Upstream, address: str, headers: dict[str, str]) -> Pooled:
        """Return a connection to an upstream that is ready, or dial; from then on some are kept ready for the next.

        Raises:
            LineError: none was ready, and it cannot be reached, or does not let us in.
        """
        shelf = self._shelf(upstream, address, headers)
        if shelf is None:
            return await self._dial(upstream, address, headers)
        connection = shelf.take(self._loop.time())
        self._count(shelf, "missed" if connection is None else "used")
        if connection is not None:
            self._tell(shelf)
        else:
            connection = await self._dial(upstream, address, headers)
            shelf.retry_at = self._loop.time()
        shelf.used_at = self._loop.time()
        shelf.failures = 0
        self._keep(shelf)
        return connection

    def warm(self, upstream: Upstream, address: str, headers: dict[str, str]) -> None:
        """Keep connections ready from now on, whether or not anybody has asked for them."""
        shelf = self._shelf(upstream, address, headers)
        if shelf is not None:
            shelf.is_warm = True
            self._keep(shelf)

    async def close(self) -> None:
        """Close what waits and open no more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for shelf in list(self._shelves.values()):
            self._give_up(shelf)
        for opening in self._openings:
            opening.cancel()
        await asyncio.gather(*self._openings, return_exceptions=True)

    # ------------------------------------------------------------------------------------------------------ inside

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def _shelf(self, upstream: Upstream, address: str, headers: Mapping[str, str]) -> _Shelf | None:
        """Return where connections of a kind wait; None where none do."""
        age = _max_age(upstream)
        if not upstream.pool or age < _LEAST_AGE_SECONDS or self._is_closed:
            return None
        if not _PERSONAL_HEADERS.isdisjoint(name.lower() for name in headers):
            return None
        key = (upstream.name, address, frozenset(headers.items()))
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = _Shelf(key, upstream, address, dict(headers), age, self._loop.time())
        return shelf

    def _keep(self, shelf: _Shelf) -> None:
        """Have as many connections ready as are wanted, now and later."""
        if self._is_closed:
            return
        self._shelves[shelf.key] = shelf
        self._tend(shelf)
        self._arm()

    def _look(self) -> None:
        """Do what has become due."""
        self._timer = None
        for shelf in list(self._shelves.values()):
            self._tend(shelf)
        self._arm()

    def _tend(self, shelf: _Shelf) -> None:
        now = self._loop.time()
        expired = shelf.drop_expired(now)
        for connection in expired:
            self._count(shelf, "expired")
            connection.close(1000, "")
        if expired:
            shelf.failures = 0
            self._tell(shelf)
        if not shelf.is_warm and now >= shelf.used_at + _IDLE_SECONDS:
            self._give_up(shelf)
            return
        if now < shelf.retry_at:
            return
        missing = shelf.missing(now)
        if missing and not self._is_available(shelf.upstream.name):
            shelf.retry_at = now + _PATIENCE_SECONDS
            return
        for _ in range(missing):
            if not self._make_room(shelf):
                shelf.retry_at = now + _PATIENCE_SECONDS
                return
            shelf.openings += 1
            opening = self._loop.create_task(self._open(shelf))
            self._openings.add(opening)
            opening.add_done_callback(self._openings.discard)

    async def _open(self, shelf: _Shelf) -> None:
        try:
            connection = await self._dial(
                shelf.upstream, shelf.address, shelf.headers, lost=lambda connection: self._lost(shelf, connection)
            )
        except LineError as error:
            self._count(shelf, "failed")
            self._put_off(shelf)
            _log.info("upstream %s: no connection could be opened ahead of need: %s", shelf.upstream.name, error)
        else:
            self._count(shelf, "opened")
            if not connection.is_open:
                self._count(shelf, "lost")
                self._put_off(shelf)
            elif self._shelves.get(shelf.key) is shelf:
                shelf.waiting.append(connection)
                self._tell(shelf)
            else:
                connection.close(1000, "")
        finally:
            shelf.openings -= 1
        self._arm()

    def _lost(self, shelf: _Shelf, connection: Pooled) -> None:
        if connection not in shelf.waiting:
            return
        shelf.waiting.remove(connection)
        self._count(shelf, "lost")
        # One that is let in and then closed, again and again, is not to be asked again and again.
        self._put_off(shelf)
        self._tell(shelf)
        self._arm()

    def _put_off(self, shelf: _Shelf) -> None:
        """Wait before the next try, or make none before somebody asks again: clients may ask for any model."""
        shelf.put_off(self._loop.time())
        if shelf.failures >= _MOST_FAILURES and not shelf.is_warm:
            self._give_up(shelf)

    def _make_room(self, shelf: _Shelf) -> bool:
        """Return whether one more may be opened; if need be, those that were wanted longest ago make room."""
        while sum(each.held for each in self._shelves.values()) >= self._max_connections:
            others = [each for each in self._shelves.values() if each is not shelf and not each.is_warm and each.held]
            if not others:
                return False
            self._give_up(min(others, key=lambda each: each.used_at))
        return True

    def _give_up(self, shelf: _Shelf) -> None:
        self._shelves.pop(shelf.key, None)
        waiting, shelf.waiting = shelf.waiting, []
        for connection in waiting:
            connection.close(1000, "")
        if waiting:
            self._tell(shelf)

    def _arm(self) -> None:
        """Look again when something becomes due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = min((shelf.due(self._loop.time()) for shelf in self._shelves.values()), default=None)
        if due is not None and not self._is_closed:
            self._timer = self._loop.call_at(due, self._look)

    def _count(self, shelf: _Shelf, fate: Fate) -> None:
        self.counts.setdefault(shelf.upstream.name, Counter())[fate] += 1
        self._counted(shelf.upstream.name, fate)

    def _tell(self, shelf: _Shelf) -> None:
        self._told(shelf.upstream.name, self.ready(shelf.upstream.name))


class _Shelf:
    """Connections that are alike."""

    def __init__(
        self, key: object, upstream: Upstream, address: str, headers: dict[str, str], max_age: float, now: float
    ) -> None:
        self.key = key
        self.upstream = upstream
        self.address = address
        self.headers = headers
        self.used_at = now
        """When somebody asked for one last."""
        self.is_warm = False
        """Whether some are kept ready although nobody asks."""
        self.waiting: list[Pooled] = []
        """Those that are ready, the oldest first."""
        self.openings = 0
        """Those that are being opened."""
        self.failures = 0
        """How often in a row it went wrong."""
        self.retry_at = now
        """When another may be opened."""
        self._max_age = max_age

    @property
    def held(self) -> int:
        """How many there are, or will be."""
        return len(self.waiting) + self.openings

    def missing(self, now: float) -> int:
        """Return how many are to be opened."""
        fresh = sum(now < each.opened_at + _FRESH_SHARE * self._max_age for each in self.waiting)
        return max(0, self.upstream.pool - fresh - self.openings)

    def take(self, now: float) -> Pooled | None:
        """Return the oldest that can still be used."""
        for connection in tuple(self.waiting):
            if connection.is_open and now < connection.opened_at + self._max_age:
                self.waiting.remove(connection)
                return connection
        return None

    def drop_expired(self, now: float) -> list[Pooled]:
        """Return those that have waited too long; they do so no more."""
        expired = [each for each in self.waiting if now >= each.opened_at + self._max_age]
        for connection in expired:
            self.waiting.remove(connection)
        return expired

    def put_off(self, now: float) -> None:
        """Wait after a failure, for longer after each."""
        self.retry_at = now + min(_LAST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2**self.failures)
        self.failures = min(self.failures + 1, 30)

    def due(self, now: float) -> float:
        """Return when something is to be done about it."""
        ages = (_FRESH_SHARE * self._max_age, self._max_age)
        times = [each.opened_at + age for each in self.waiting for age in ages]
        due = [time for time in times if time > now]
        if not self.is_warm:
            due.append(self.used_at + _IDLE_SECONDS)
        if self.missing(now):
            due.append(self.retry_at)
        return max(now, min(due)) if due else now + _MAX_AGE_SECONDS


def _max_age(upstream: Upstream) -> float:
    """Return how long a connection to an upstream may wait; its session's time is running already."""
    limit = upstream.session_seconds
    return min(_MAX_AGE_SECONDS, _SESSION_SHARE * limit) if limit else _MAX_AGE_SECONDS
