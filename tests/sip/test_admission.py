"""Who may do what, by address and by number."""

from __future__ import annotations

import pytest

from vivavoce.sip.admission import Admission, Rules


def test_sources_are_told_apart_by_their_networks() -> None:
    admission = Admission(Rules(known=("10.0.0.0/8", "2001:db8::/32", "192.0.2.7"), challenged=("192.0.2.0/24",)))
    hosts = ["10.1.2.3", "2001:db8::5", "192.0.2.7", "192.0.2.8", "::ffff:10.0.0.1", "198.51.100.1", "nonsense"]
    assert [admission.standing(host) for host in hosts] == [
        "known", "known", "known", "challenged", "known", "unknown", "unknown",
    ]  # fmt: skip
    admission.trust(frozenset({"198.51.100.1"}))
    assert admission.standing("198.51.100.1") == "known"


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        Admission(Rules(known=("10.0.0.0/99",)))


def test_each_source_is_counted_by_itself() -> None:
    admission = Admission(Rules(known=("10.0.0.0/8",), messages_per_second=2, messages_burst=2))
    assert [admission.may_send("10.0.0.1", 0.0) for _ in range(3)] == [True, True, False]
    assert admission.may_send("10.0.0.2", 0.0)
    assert [admission.may_send("10.0.0.1", 0.5) for _ in range(2)] == [True, False]


def test_unknown_sources_are_read_less() -> None:
    admission = Admission(Rules(unknown_per_second=1, unknown_burst=1))
    assert [admission.may_send("198.51.100.1", 0.0) for _ in range(2)] == [True, False]
    admission.trust(frozenset({"198.51.100.1"}))
    assert [admission.may_send("198.51.100.1", 0.0) for _ in range(2)] == [True, True]


def test_very_many_sources_take_no_more_room_than_ten_thousand() -> None:
    admission = Admission(Rules())
    for number in range(10_500):
        admission.may_send(f"192.0.{number // 256}.{number % 256}", 0.0)
    assert len(admission._buckets) <= 10_000
    assert len(admission._standings) <= 10_000


def test_calls_are_counted_together() -> None:
    admission = Admission(Rules(max_calls=3, invites_per_second=1, invites_burst=2))
    assert [admission.may_call(0, 0.0) for _ in range(3)] == [True, True, False]
    assert admission.may_call(3, 5.0) is False
    assert admission.may_call(2, 5.0) is True
