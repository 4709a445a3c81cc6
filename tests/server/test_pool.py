from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sockets import ClockLoop, run, settle
from vivavoce.legs import LegOwner
from vivavoce.legs.line import LineError
from vivavoce.routing import Upstream
from vivavoce.server.pool import Pool

ADDRESS = "ws://h/v1/realtime?model=m"
HEADERS = {"Authorization": "Bearer k"}
UPSTREAM = Upstream(name="one", url="ws://h/v1", pool=2)


class Connection:
    """A connection that waits, as far as a pool knows one."""

    def __init__(self, number: int, lost: Callable[[Any], None] | None) -> None:
        self.number = number
        self.is_open = True
        self.opened_at = asyncio.get_running_loop().time()
        self.ending: tuple[int, str] | None = None
        self._lost = lost

    def attach(self, owner: LegOwner) -> None:
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        raise NotImplementedError

    pause_reading = resume_reading = lambda self: None

    def close(self, code: int, reason: str) -> None:
        self.ending = (code, reason)
        self.end()

    def end(self) -> None:
        """Be gone."""
        self.is_open = False
        if self._lost is not None:
            asyncio.get_running_loop().call_soon(self._lost, self)


class Upstreams:
    """Dials, and remembers what came of it."""

    def __init__(self) -> None:
        self.dialled: list[Connection] = []
        self.attempts: list[tuple[float, str, str]] = []
        self.refuses = False
        self.drops = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def dial(
        self,
        upstream: Upstream,
        address: str,
        headers: dict[str, str],
        lost: Callable[[Any], None] | None = None,
    ) -> Connection:
        self.attempts.append((asyncio.get_running_loop().time(), upstream.name, address))
        await self.may_answer.wait()
        if self.refuses:
            raise LineError("cannot reach h: connection refused", again=True)
        connection = Connection(len(self.dialled), lost)
        self.dialled.append(connection)
        if self.drops:
            connection.end()
        return connection

    @property
    def open(self) -> list[int]:
        """The numbers of the connections that are open."""
        return [each.number for each in self.dialled if each.is_open]

    def times(self) -> list[float]:
        """When each attempt began."""
        return [round(time, 1) for time, _, _ in self.attempts]


def pooled(test: Callable[[ClockLoop, Pool, Upstreams], Coroutine[Any, Any, None]], **options: Any) -> None:
    """Run a test with a pool, which leaves nothing open."""

    async def whole(loop: ClockLoop) -> None:
        upstreams = Upstreams()
        pool = Pool(upstreams.dial, **options)
        await test(loop, pool, upstreams)
        await pool.close()
        await settle()
        assert pool.ready("one") == 0

    run(whole)


def counted(pool: Pool, name: str = "one") -> dict[str, int]:
    """Return what has been counted, but for what has not happened."""
    return dict(pool.counts[name])


def test_the_first_use_dials_and_the_next_ones_find_connections_ready() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        first = await pool.take(UPSTREAM, ADDRESS, HEADERS)
        assert first is upstreams.dialled[0]
        await settle()
        assert pool.ready("one") == 2
        await loop.pass_time(1)
        second = await pool.take(UPSTREAM, ADDRESS, HEADERS)
        third = await pool.take(UPSTREAM, ADDRESS, dict(HEADERS))
        assert [second, third] == upstreams.dialled[1:3]
        assert pool.ready("one") == 0
        await settle()
        assert pool.ready("one") == 2
        assert upstreams.times() == [0, 0, 0, 1, 1]
        assert counted(pool) == {"opened": 4, "used": 2, "missed": 1}

    pooled(test)


def test_nobody_waits_for_connections_that_are_being_opened() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        upstreams.may_answer.clear()
        await settle()
        assert len(upstreams.attempts) == 3
        taking = loop.create_task(pool.take(UPSTREAM, ADDRESS, HEADERS))
        await settle()
        assert len(upstreams.attempts) == 4
        upstreams.may_answer.set()
        await taking
        await settle()
        assert pool.ready("one") == 2
        assert len(upstreams.attempts) == 4

    pooled(test)


@pytest.mark.parametrize(
    ("address", "headers"),
    [("ws://h/other", HEADERS), (ADDRESS, {}), (ADDRESS, {"Authorization": "Bearer other"})],
)
def test_what_differs_waits_apart(address: str, headers: dict[str, str]) -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        await settle()
        assert await pool.take(UPSTREAM, address, headers) is upstreams.dialled[3]
        assert counted(pool)["missed"] == 2

    pooled(test)


def test_connections_that_become_too_old_are_replaced_before_they_are_closed() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        await loop.pass_time(47.5)
        assert upstreams.open == [0, 1, 2]
        await loop.pass_time(1)
        assert upstreams.open == [0, 1, 2, 3, 4]
        await loop.pass_time(11)
        assert upstreams.open == [0, 1, 2, 3, 4]
        await loop.pass_time(1)
        assert upstreams.open == [0, 3, 4]
        assert upstreams.dialled[1].ending == (1000, "")
        assert counted(pool) == {"opened": 4, "missed": 1, "expired": 2}
        assert await pool.take(UPSTREAM, ADDRESS, HEADERS) is upstreams.dialled[3]

    pooled(test)


@pytest.mark.parametrize(
    ("session_seconds", "age"), [(3600.0, 60.0), (1800.0, 60.0), (300.0, 30.0), (60.0, 6.0), (0.0, 60.0)]
)
def test_no_connection_waits_for_more_than_a_minute_or_a_tenth_of_a_session(session_seconds: float, age: float) -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        upstream = Upstream(name="one", url="ws://h", pool=1, session_seconds=session_seconds)
        await pool.take(upstream, ADDRESS, HEADERS)
        await settle()
        for _ in range(40):
            await loop.pass_time(age / 10)
            assert all(loop.time() - each.opened_at <= age for each in upstreams.dialled[1:] if each.is_open)
            assert pool.ready("one")

    pooled(test)


@pytest.mark.parametrize(
    ("upstream", "headers"),
    [
        (Upstream(name="one", url="ws://h", pool=0), HEADERS),
        (Upstream(name="one", url="ws://h", session_seconds=20), HEADERS),
        (UPSTREAM, {"OpenAI-Safety-Identifier": "user-1"}),
    ],
)
def test_what_would_be_too_old_when_it_is_wanted_is_not_opened_ahead(
    upstream: Upstream, headers: dict[str, str]
) -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        for number in range(2):
            assert await pool.take(upstream, ADDRESS, headers) is upstreams.dialled[number]
            await loop.pass_time(1)
        pool.warm(upstream, ADDRESS, headers)
        await settle()
        assert len(upstreams.attempts) == 2

    pooled(test)


def test_connections_that_end_while_they_wait_are_replaced_later_and_later() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        upstream = Upstream(name="one", url="ws://h", pool=1)
        await pool.take(upstream, ADDRESS, HEADERS)
        upstreams.drops = True
        pool.warm(upstream, ADDRESS, HEADERS)
        await settle()
        await loop.pass_time(130)
        assert upstreams.times() == [0, 0, 1, 3, 7, 15, 31, 63, 123]
        assert pool.ready("one") == 0
        assert counted(pool) == {"opened": 8, "lost": 8, "missed": 1}
        upstreams.drops = False
        await pool.take(upstream, ADDRESS, HEADERS)
        await settle()
        assert pool.ready("one") == 1
        upstreams.dialled[-1].end()
        await settle()
        assert pool.ready("one") == 0
        await loop.pass_time(1.25)
        assert pool.ready("one") == 1

    pooled(test)


def test_for_a_model_that_only_a_client_has_named_no_connection_is_tried_for_ever() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        upstream = Upstream(name="one", url="ws://h", pool=1)
        await pool.take(upstream, ADDRESS, HEADERS)
        upstreams.drops = True
        await settle()
        await loop.pass_time(130)
        assert upstreams.times() == [0, 0, 1, 3, 7]
        upstreams.drops = False
        await pool.take(upstream, ADDRESS, HEADERS)
        await settle()
        assert pool.ready("one") == 1

    pooled(test)


def test_a_connection_that_has_just_ended_is_not_handed_out() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        await settle()
        upstreams.dialled[1].end()
        assert await pool.take(UPSTREAM, ADDRESS, HEADERS) is upstreams.dialled[2]

    pooled(test)


def test_an_upstream_that_cannot_be_reached_is_asked_later_and_later() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        upstream = Upstream(name="one", url="ws://h", pool=1)
        upstreams.refuses = True
        pool.warm(upstream, ADDRESS, HEADERS)
        await settle()
        await loop.pass_time(130)
        assert upstreams.times() == [0, 1, 3, 7, 15, 31, 63, 123]
        assert counted(pool) == {"failed": 8}
        with pytest.raises(LineError):
            await pool.take(upstream, ADDRESS, HEADERS)
        upstreams.refuses = False
        await loop.pass_time(60)
        assert pool.ready("one") == 1

    pooled(test)


def test_nothing_is_opened_ahead_for_an_upstream_that_cannot_be_had() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        upstreams.refuses = True
        with pytest.raises(LineError):
            await pool.take(UPSTREAM, ADDRESS, HEADERS)
        await loop.pass_time(60)
        assert upstreams.times() == [0]

    pooled(test)


def test_nothing_is_opened_ahead_for_an_upstream_that_is_not_well() -> None:
    ill = {"one"}

    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        pool.warm(UPSTREAM, ADDRESS, HEADERS)
        await loop.pass_time(30)
        assert upstreams.attempts == []
        ill.clear()
        await loop.pass_time(5)
        assert pool.ready("one") == 2

    pooled(test, is_available=lambda name: name not in ill)


def test_connections_that_nobody_asks_for_are_given_up() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        other = Upstream(name="other", url="ws://o", pool=1)
        pool.warm(other, "ws://o/", {})
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        await loop.pass_time(599)
        assert pool.ready("one") == 2
        await loop.pass_time(2)
        assert pool.ready("one") == 0
        attempts = [attempt for attempt in upstreams.attempts if attempt[1] == "one"]
        await loop.pass_time(300)
        assert [attempt for attempt in upstreams.attempts if attempt[1] == "one"] == attempts
        assert pool.ready("other") == 1

    pooled(test)


def test_no_more_wait_than_are_allowed_and_those_longest_unused_make_room() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        pool.warm(Upstream(name="warm", url="ws://w", pool=1), "ws://w/", {})
        await settle()
        for number in range(4):
            await loop.pass_time(1)
            await pool.take(UPSTREAM, f"ws://h/{number}", {})
            await settle()
        assert (pool.ready("one"), pool.ready("warm")) == (4, 1)
        missed = counted(pool)["missed"]
        await pool.take(UPSTREAM, "ws://h/3", {})
        await pool.take(UPSTREAM, "ws://h/2", {})
        await settle()
        assert counted(pool)["missed"] == missed
        await pool.take(UPSTREAM, "ws://h/0", {})
        assert counted(pool)["missed"] == missed + 1
        await settle()
        assert pool.ready("one") <= 4

    pooled(test, max_connections=5)


def test_where_there_is_no_room_it_is_looked_for_again() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        pool.warm(Upstream(name="warm", url="ws://w", pool=3), "ws://w/", {})
        await settle()
        await pool.take(UPSTREAM, ADDRESS, {})
        await loop.pass_time(20)
        assert (pool.ready("one"), pool.ready("warm")) == (0, 3)
        assert len(upstreams.attempts) == 4

    pooled(test, max_connections=3)


def test_how_many_are_ready_is_told() -> None:
    told: list[tuple[str, int]] = []

    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        await settle()
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        await settle()
        upstreams.dialled[2].end()
        await settle()
        assert told == [("one", 1), ("one", 2), ("one", 1), ("one", 2), ("one", 1)]
        told.clear()

    pooled(test, told=lambda name, ready: told.append((name, ready)))
    assert told == [("one", 0)]


def test_what_becomes_of_connections_is_told() -> None:
    told: list[tuple[str, str]] = []

    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        await pool.take(Upstream(name="one", url="ws://h", pool=1), ADDRESS, HEADERS)
        await settle()
        await pool.take(Upstream(name="one", url="ws://h", pool=1), ADDRESS, HEADERS)
        assert told == [("one", "missed"), ("one", "opened"), ("one", "used")]
        assert dict(pool.counts["one"]) == {"missed": 1, "opened": 1, "used": 1}

    pooled(test, counted=lambda name, fate: told.append((name, fate)))


def test_a_pool_that_is_closed_dials_and_keeps_nothing() -> None:
    async def test(loop: ClockLoop, pool: Pool, upstreams: Upstreams) -> None:
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        await settle()
        await pool.take(UPSTREAM, ADDRESS, HEADERS)
        upstreams.may_answer.clear()
        await settle()
        await pool.close()
        upstreams.may_answer.set()
        await settle()
        assert upstreams.open == [0, 1]
        assert await pool.take(UPSTREAM, ADDRESS, HEADERS) is upstreams.dialled[3]
        pool.warm(UPSTREAM, ADDRESS, HEADERS)
        await loop.pass_time(100)
        assert upstreams.open == [0, 1, 3]

    pooled(test)
