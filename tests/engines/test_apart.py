"""Work that blocks has a thread of its own, and never more of them than it may."""

from __future__ import annotations

import asyncio
import threading

import pytest

from vivavoce.engines.apart import Chores, Crowded, apart


def test_work_is_done_on_a_daemon_thread_of_its_own() -> None:
    found = apart("work", threading.current_thread).result(5)
    assert (found.name, found.daemon) == ("vivavoce-work", True)
    assert found is not apart("work", threading.current_thread).result(5)


def test_a_failure_is_raised_where_it_is_waited_for() -> None:
    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError):
        apart("work", fail).result(5)


async def test_who_gives_up_does_not_take_the_work_back() -> None:
    go, chores = threading.Event(), Chores("work", 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await chores.do(go.wait)
    with pytest.raises(Crowded):
        await chores.do(go.wait)
    go.set()
    async with asyncio.timeout(5):
        while True:
            try:
                assert await chores.do(lambda: "done") == "done"
            except Crowded:
                await asyncio.sleep(0)
            else:
                break


async def test_as_many_as_may_be_are_done_at_the_same_time() -> None:
    both, chores = threading.Barrier(2), Chores("work", 2)
    async with asyncio.timeout(5):
        assert sorted(await asyncio.gather(*(chores.do(lambda: both.wait(5)) for _ in range(2)))) == [0, 1]
