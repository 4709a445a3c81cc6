"""The timer of a session."""

from __future__ import annotations

import asyncio

from callers import settle
from vivavoce.server.alarm import Alarm


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.deadline: float | None = 1e6
        self.rung: list[float] = []
        self.alarm = Alarm(lambda: self.deadline, lambda: self.now, self.ring)

    def ring(self) -> None:
        self.rung.append(self.now)
        self.deadline = None


async def test_it_rings_when_the_deadline_has_passed_and_ends_with_the_last() -> None:
    world = World()
    world.now = 1e6
    await world.alarm.run()
    assert world.rung == [1e6]


async def test_a_deadline_that_moves_nearer_is_kept() -> None:
    world = World()
    run = asyncio.ensure_future(world.alarm.run())
    await settle()
    world.deadline = world.now = 5.0
    world.alarm.reconsider()
    await run
    assert world.rung == [5.0]


async def test_one_that_moves_away_wakes_nobody() -> None:
    world = World()
    run = asyncio.ensure_future(world.alarm.run())
    await settle()
    world.deadline = 2e6
    world.alarm.reconsider()
    await settle()
    assert not run.done()
    run.cancel()


async def test_a_wait_ends_with_its_time_or_when_the_deadline_moves() -> None:
    world = World()
    await asyncio.wait_for(world.alarm.wait(0.0), 10)
    world.deadline = 1.0
    world.alarm.reconsider()
    await asyncio.wait_for(world.alarm.wait(1e6), 10)


async def test_released_it_holds_and_tells_nobody() -> None:
    world = World()
    world.alarm.release()
    world.now = 2e6
    await world.alarm.run()
    assert world.rung == []
