"""Asking trunks whether they are there."""

from __future__ import annotations

from signallers import Peer, Wire
from vivavoce.sip.terms import Terms


def test_a_probe_tells_a_living_trunk_from_a_dead_one() -> None:
    wire = Wire()
    alice, _ = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    alice.do("probe", "trunk", "sip:10.0.0.2")
    wire.run(1)
    assert alice.news == ["Probed True 200"]
    alice.do("probe", "other", "sip:10.0.0.3")
    wire.run(40)
    assert alice.news[-1] == "Probed 408"


def test_a_trunk_that_says_503_is_of_no_use_and_one_that_says_404_is() -> None:
    peer = Peer(terms=Terms())
    peer.do("probe", "trunk", "sip:10.0.0.9")
    assert peer.respond(503) == ["Probed 503"]
    peer.do("probe", "trunk", "sip:10.0.0.9")
    assert peer.respond(404) == ["Probed True 404"]


def test_a_trunk_that_is_being_asked_is_not_asked_again() -> None:
    peer = Peer()
    assert peer.do("probe", "trunk", "sip:10.0.0.9") == ["> OPTIONS 1"]
    assert peer.do("probe", "trunk", "sip:10.0.0.9") == []
