from __future__ import annotations

import asyncio

import pytest

from vivavoce.cli.together import together, within
from vivavoce.legs.line import LineError


async def wait(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("stopped")


async def fail() -> None:
    raise ValueError("no")


async def end() -> None:
    return None


async def test_a_failure_comes_out_as_it_is_and_stops_the_others() -> None:
    ended: list[str] = []
    with pytest.raises(ValueError, match="no"):
        await together(wait(ended), fail())
    assert ended == ["stopped"]


async def test_all_are_waited_for() -> None:
    await together(end(), end())


async def test_the_first_to_end_can_end_them_all() -> None:
    ended: list[str] = []
    await together(wait(ended), end(), until_first=True)
    assert ended == ["stopped"]


async def test_stopping_it_stops_them_all() -> None:
    ended: list[str] = []
    task = asyncio.ensure_future(together(wait(ended), wait(ended)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["stopped", "stopped"]


async def test_what_takes_too_long_is_named() -> None:
    with pytest.raises(LineError, match="waited 0 s for the moon"):
        await within(0, asyncio.Event().wait(), "the moon")
