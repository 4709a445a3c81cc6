"""Requests that are paid for."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from desks import NOON
from vivavoce.core.service import Rate
from vivavoce.server.admission import Refused
from vivavoce.server.ledger import Ledger
from vivavoce.server.rest.till import Till, charged

RATES = {"big": Rate(minute=0.25), "bigger": Rate(minute=0.5)}


def minute(rate: Rate) -> float:
    return rate.minute


def test_a_charge_goes_to_the_key_and_to_what_counts() -> None:
    ledger, told = Ledger(0.0, lambda: NOON), []
    till = Till(RATES, ledger, told.append)
    till.charge("ann", minute, "big")
    till.charge("ann", minute, "big-2026-01-01")
    till.charge("bob", minute, "unlisted", "bigger", "big")
    till.charge("bob", minute, "unlisted")
    assert [ledger.spent_usd(key) for key in ("ann", "bob")] == [0.5, 0.5]
    assert told == [0.25, 0.25, 0.5]


def test_a_key_whose_money_is_used_up_is_refused() -> None:
    till = Till(RATES, Ledger(0.25, lambda: NOON))
    till.check("ann")
    till.charge("ann", minute, "big")
    till.check("bob")
    with pytest.raises(Refused, match="budget of this API key"):
        till.check("ann")


def test_without_prices_and_ledger_everything_is_free() -> None:
    till = Till()
    till.check("ann")
    till.charge("ann", minute, "big")
    assert not till.has_price("big")
    assert Till(RATES).has_price("unlisted", "big")


async def pieces(*made: object) -> AsyncGenerator[object, None]:
    for one in made:
        if isinstance(one, Exception):
            raise one
        yield one


async def test_what_is_complete_is_charged_once() -> None:
    charges: list[str] = []
    assert [one async for one in charged(pieces(1, 2), lambda: charges.append("x"))] == [1, 2]
    assert [one async for one in charged(pieces(), lambda: charges.append("y"))] == []
    assert charges == ["x", "y"]


async def test_what_fails_is_not_charged() -> None:
    charges: list[str] = []
    with pytest.raises(ValueError, match="broken"):
        _ = [one async for one in charged(pieces(1, ValueError("broken")), lambda: charges.append("x"))]
    assert charges == []


async def test_who_leaves_is_charged_once_something_was_made() -> None:
    charges: list[str] = []
    left = charged(pieces(1, 2), lambda: charges.append("x"))
    assert await anext(left) == 1
    await left.aclose()
    await charged(pieces(1), lambda: charges.append("y")).aclose()
    assert charges == ["x"]
