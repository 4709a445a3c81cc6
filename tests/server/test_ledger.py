"""What each key has cost today, and who is told."""

from __future__ import annotations

import pytest

from vivavoce.server.admission import Refused
from vivavoce.server.ledger import Ledger

NOON = 1_800_000_000 // 86_400 * 86_400 + 43_200


class Clock:
    def __init__(self) -> None:
        self.now = float(NOON)

    def __call__(self) -> float:
        return self.now


def test_keys_are_charged_each_for_itself() -> None:
    ledger = Ledger(1.0, Clock())
    ledger.charge("ann", 0.25)
    ledger.charge("ann", 0.25)
    ledger.charge("bob", 0.125)
    assert [ledger.spent_usd(key) for key in ("ann", "bob", "eve")] == [0.5, 0.125, 0.0]


def test_every_session_of_a_key_is_told_once_when_its_money_is_used_up() -> None:
    ledger, told = Ledger(1.0, Clock()), []
    for key, name in (("ann", "a1"), ("ann", "a2"), ("bob", "b1")):
        ledger.enter(key, lambda message, name=name: told.append((name, message)))
    ledger.charge("ann", 0.5)
    assert told == []
    ledger.charge("ann", 0.5)
    text = "The budget of this API key for today, $1, is used up. It begins anew at midnight (UTC)."
    assert sorted(told) == [("a1", text), ("a2", text)]
    ledger.charge("ann", 0.5)
    assert len(told) == 2


def test_who_has_left_is_not_told() -> None:
    ledger, told = Ledger(1.0, Clock()), []
    leave = ledger.enter("ann", told.append)
    stay = ledger.enter("ann", told.append)
    leave()
    leave()
    stay()
    ledger.charge("ann", 2.0)
    assert told == []
    assert ledger._open == {}


def test_a_key_without_money_is_refused_until_midnight() -> None:
    clock = Clock()
    ledger = Ledger(1.0, clock)
    ledger.check("ann")
    ledger.charge("ann", 1.5)
    ledger.check("bob")
    with pytest.raises(Refused) as caught:
        ledger.check("ann")
    assert caught.value.status == 429
    assert caught.value.headers == {"Retry-After": "43200"}
    assert b'"type":"insufficient_quota"' in caught.value.body
    assert b'"code":"insufficient_quota"' in caught.value.body
    clock.now += 43_199
    with pytest.raises(Refused):
        ledger.check("ann")
    clock.now += 1
    ledger.check("ann")
    assert ledger.spent_usd("ann") == 0.0


def test_a_session_over_midnight_is_told_by_what_the_new_day_cost() -> None:
    clock, told = Clock(), []
    ledger = Ledger(1.0, clock)
    ledger.enter("ann", told.append)
    ledger.charge("ann", 0.75)
    clock.now += 43_200
    ledger.charge("ann", 0.75)
    assert told == []
    ledger.charge("ann", 0.75)
    assert len(told) == 1


def test_without_a_budget_nothing_is_refused() -> None:
    ledger, told = Ledger(0.0, Clock()), []
    ledger.enter("ann", told.append)
    ledger.charge("ann", 1e6)
    ledger.check("ann")
    assert (told, ledger.spent_usd("ann")) == ([], 1e6)
