from __future__ import annotations

import json

import pytest

from vivavoce.server.admission import Refused
from vivavoce.server.arrivals import Arrivals, place_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("peer", "place"),
    [
        ("192.0.2.7:5000", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6:5000", "2001:db8:1:2::"),
        ("[2001:db8:1:2::9]:5000", "2001:db8:1:2::"),
        ("::1:5000", "::"),
        ("::ffff:192.0.2.7:5000", "192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_a_place_is_an_address_or_a_network_of_one_customer(peer: str, place: str) -> None:
    assert place_of(peer) == place


def test_more_from_one_address_than_may_begin_in_a_minute_are_told_when_to_come_back() -> None:
    clock = Clock()
    arrivals = Arrivals(6, clock)
    for port in range(6):
        arrivals.check_place(f"192.0.2.7:{port}")
    arrivals.check_place("192.0.2.8:1")
    with pytest.raises(Refused) as raised:
        arrivals.check_place("192.0.2.7:7")
    assert (raised.value.status, raised.value.headers) == (429, {"Retry-After": "10"})
    error = json.loads(raised.value.body)["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "from this address" in error["message"]
    clock.now = 10.0
    arrivals.check_place("192.0.2.7:7")


def test_a_key_is_counted_wherever_it_is_used() -> None:
    arrivals = Arrivals(1, Clock())
    arrivals.check_key("0a1b2c3d")
    with pytest.raises(Refused, match="with this key"):
        arrivals.check_key("0a1b2c3d")
    arrivals.check_key("4e5f6a7b")


def test_where_there_are_no_keys_none_is_counted() -> None:
    arrivals = Arrivals(1, Clock())
    for _ in range(9):
        arrivals.check_key("")


def test_no_bound_is_none() -> None:
    arrivals = Arrivals(0, Clock())
    for _ in range(999):
        arrivals.check_place("192.0.2.7:1")
        arrivals.check_key("0a1b2c3d")
