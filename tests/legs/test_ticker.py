"""The clock of all calls, on an event loop whose time is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from vivavoce.legs.ticker import Ticker


class Clock:
    """An event loop as far as the ticker knows one."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, callback: Callable[[], None]) -> Any:
        entry = (at, callback)
        self.timers.append(entry)

        class Handle:
            def cancel(handle) -> None:
                if entry in self.timers:
                    self.timers.remove(entry)

        return Handle()

    def run_until(self, end: float, late: float = 0.0) -> None:
        while self.timers and min(self.timers)[0] <= end:
            at, callback = self.timers.pop(self.timers.index(min(self.timers, key=lambda timer: timer[0])))
            self.now = max(self.now, at + late)
            callback()
        self.now = max(self.now, end)


class Party:
    def __init__(self, error: Exception | None = None) -> None:
        self.at: list[float] = []
        self.error = error
        self.failed: list[Exception] = []

    def tick(self, now: float) -> None:
        self.at.append(now)
        if self.error is not None:
            raise self.error

    def fail(self, error: Exception) -> None:
        self.failed.append(error)


def made(clock: Clock) -> Ticker:
    return Ticker(cast("asyncio.AbstractEventLoop", clock))


def test_a_party_is_ticked_every_20_ms_and_never_drifts() -> None:
    clock, party = Clock(), Party()
    ticker = made(clock)
    ticker.join(party)
    clock.run_until(160.0, late=0.003)
    assert len(party.at) == 3001
    assert party.at[-1] == pytest.approx(160.003, abs=0.01)


def test_what_was_missed_is_made_up_for() -> None:
    clock, party = Clock(), Party()
    ticker = made(clock)
    ticker.join(party)
    clock.run_until(100.05)
    clock.now = 100.15
    clock.run_until(101.0)
    assert len(party.at) == 51
    assert ticker.skipped == 0


def test_after_a_long_standstill_nothing_is_made_up_for() -> None:
    clock, party = Clock(), Party()
    ticker = made(clock)
    ticker.join(party)
    clock.run_until(100.05)
    clock.now = 103.0
    clock.run_until(103.5)
    assert len(party.at) < 35
    assert ticker.skipped > 140


def test_many_parties_are_spread_over_the_20_ms() -> None:
    clock = Clock()
    ticker = made(clock)
    parties = [Party() for _ in range(64)]
    for party in parties:
        ticker.join(party)
    clock.run_until(101.0)
    starts = sorted({round((party.at[-1] * 1000) % 20) for party in parties})
    assert starts == [0, 5, 10, 15]
    assert {len(party.at) for party in parties} == {50, 51}


def test_a_party_that_raises_ends_alone() -> None:
    clock, bad, good = Clock(), Party(ValueError("no")), Party()
    ticker = made(clock)
    ticker.join(bad)
    ticker.join(good)
    clock.run_until(100.01)
    assert [str(error) for error in bad.failed] == ["no"]
    assert len(good.at) == 1


def test_nothing_wakes_the_process_when_all_have_left() -> None:
    clock, party = Clock(), Party()
    ticker = made(clock)
    ticker.join(party)
    ticker.leave(party)
    ticker.leave(party)
    assert (clock.timers, len(ticker)) == ([], 0)
    ticker.join(party)
    assert len(clock.timers) == 1
