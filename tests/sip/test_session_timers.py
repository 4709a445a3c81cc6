"""Session timers: who refreshes when, and what happens when nobody does."""

from __future__ import annotations

from signallers import ANSWER, Peer
from vivavoce.sip import effects as ef
from vivavoce.sip.message import Request
from vivavoce.sip.terms import Terms

TIMED = Terms()
UPDATING = "Allow: INVITE, ACK, BYE, UPDATE"


def answered(peer: Peer, *fields: str) -> str:
    return peer.call("Supported: timer", *fields)


def test_the_called_side_refreshes_by_update_at_half_the_interval() -> None:
    peer = Peer(terms=TIMED)
    answered(peer, "Session-Expires: 90;refresher=uas", "Min-SE: 90", UPDATING)
    accepted = next(each for each in reversed(peer.messages) if not isinstance(each, Request))
    assert accepted.headers.get("Session-Expires") == "90;refresher=uas"
    assert "Require" not in accepted.headers
    assert peer.wait(45.1) == [(45.0, ["> UPDATE 1"])]
    update = peer.messages[-1]
    assert update.headers.get("Session-Expires") == "90;refresher=uac"
    peer.respond(200, "Session-Expires: 90;refresher=uac")
    assert peer.wait(44.8) == []
    assert peer.wait(0.2)[0][1] == ["> UPDATE 2"]


def test_it_refreshes_by_reinvite_with_the_same_description_where_update_is_not_understood() -> None:
    peer = Peer(terms=TIMED)
    answered(peer, "Session-Expires: 90;refresher=uas")
    assert peer.wait(45.1) == [(45.0, ["> INVITE 1 [answer]"])]
    assert peer.respond(200, "Session-Expires: 90;refresher=uac", body=ANSWER) == ["> ACK 1", "AnswerReceived answer"]


def test_the_caller_refreshes_where_it_wants_to_and_the_call_ends_when_it_does_not() -> None:
    peer = Peer(terms=TIMED)
    answered(peer, "Session-Expires: 90;refresher=uac")
    accepted = next(each for each in reversed(peer.messages) if not isinstance(each, Request))
    assert accepted.headers.get("Session-Expires") == "90;refresher=uac"
    assert accepted.headers.get("Require") == "timer"
    peer.wait(40)
    assert peer.request("UPDATE", "Supported: timer", "Session-Expires: 90;refresher=uac") == ["> 200 UPDATE 2"]
    assert peer.wait(60.1) == [(60.0, ["> BYE 1", "CallEnded expired"])]


def test_a_refresh_that_fails_ends_the_call_before_its_time() -> None:
    peer = Peer(terms=TIMED)
    answered(peer, "Session-Expires: 180;refresher=uas", UPDATING)
    assert peer.wait(90)[-1] == (90.0, ["> UPDATE 1"])
    assert peer.respond(500) == []
    assert peer.wait(58.1) == [(58.0, ["> BYE 2", "CallEnded expired"])]


def test_an_interval_that_is_too_short_is_refused() -> None:
    peer = Peer(terms=TIMED)
    assert peer.request("INVITE", "Supported: timer", "Session-Expires: 30") == ["> 422 INVITE 1"]
    assert peer.messages[-1].headers.get("Min-SE") == "90"
    assert peer.agent.calls == ()


def test_a_caller_who_knows_timers_gets_one_by_this_sides_wish() -> None:
    peer = Peer(terms=TIMED)
    answered(peer)
    accepted = next(each for each in reversed(peer.messages) if not isinstance(each, Request))
    assert accepted.headers.get("Session-Expires") == "1800;refresher=uac"


def test_a_caller_who_knows_no_timers_gets_none() -> None:
    peer = Peer(terms=TIMED)
    peer.call()
    accepted = next(each for each in reversed(peer.messages) if not isinstance(each, Request))
    assert "Session-Expires" not in accepted.headers
    assert peer.wait(10000) == []


def test_an_outgoing_call_is_refreshed_by_whom_the_answer_says() -> None:
    peer = Peer(terms=TIMED)
    peer.dial()
    peer.respond(200, "Session-Expires: 600;refresher=uac", "Allow: UPDATE", "Require: timer", body=ANSWER)
    assert peer.wait(300.1) == [(300.0, ["> UPDATE 2"])]


def test_an_answer_that_says_nothing_of_timers_means_none() -> None:
    peer = Peer(terms=TIMED)
    peer.dial()
    peer.respond(200, body=ANSWER)
    assert peer.wait(10000) == []


def test_an_answer_that_makes_the_called_side_refresh_is_watched() -> None:
    peer = Peer(terms=TIMED)
    peer.dial()
    peer.respond(200, "Session-Expires: 300;refresher=uas", body=ANSWER)
    assert peer.wait(270) == [(268.0, ["> BYE 2", "CallEnded expired"]), (268.5, ["> BYE 2"]), (269.5, ["> BYE 2"])]
    assert peer.me.last(ef.CallEnded).reason == "expired"
