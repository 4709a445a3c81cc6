"""Provisional answers that arrive (100rel), both ways."""

from __future__ import annotations

from signallers import ANSWER, HELD, HOLD, OFFER, Peer
from vivavoce.sip import effects as ef
from vivavoce.sip.message import Request

REQUIRED = ("Supported: 100rel", "Require: 100rel")


def rack(peer: Peer) -> str:
    last = next(each for each in reversed(peer.messages) if "RSeq" in each.headers)
    return f"RAck: {last.headers.get('RSeq')} 1 INVITE"


def test_ringing_is_told_until_it_is_confirmed_where_the_caller_wants_that() -> None:
    peer = Peer()
    call = peer.invite(*REQUIRED)
    assert peer.do("ring", call) == ["> 180 INVITE 1"]
    assert peer.messages[-1].headers.get("Require") == "100rel"
    assert peer.wait(2) == [(0.5, ["> 180 INVITE 1"]), (1.5, ["> 180 INVITE 1"])]
    peer.learn_tag()
    assert peer.request("PRACK", rack(peer)) == ["> 200 PRACK 2"]
    assert peer.wait(10) == []
    assert peer.do("accept", call, ANSWER) == ["> 200 INVITE 1 [answer]"]


def test_the_answer_waits_for_the_confirmation() -> None:
    peer = Peer()
    call = peer.invite(*REQUIRED)
    peer.do("ring", call)
    peer.learn_tag()
    assert peer.do("accept", call, ANSWER) == []
    assert peer.request("PRACK", rack(peer)) == ["> 200 PRACK 2", "> 200 INVITE 1 [answer]"]


def test_early_media_is_sent_reliably_where_it_can_be_and_not_repeated_in_the_answer() -> None:
    peer = Peer()
    call = peer.invite("Supported: 100rel")
    assert peer.do("ring", call, status=183, sdp=ANSWER) == ["> 183 INVITE 1 [answer]"]
    assert "RSeq" in peer.messages[-1].headers
    peer.learn_tag()
    peer.request("PRACK", rack(peer))
    assert peer.do("accept", call, ANSWER) == ["> 200 INVITE 1"]


def test_early_media_for_a_caller_without_100rel_is_repeated_in_the_answer() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("ring", call, status=183, sdp=ANSWER)
    assert "RSeq" not in peer.messages[-1].headers
    assert peer.do("accept", call, ANSWER) == ["> 200 INVITE 1 [answer]"]


def test_two_provisional_answers_go_out_one_after_the_other() -> None:
    peer = Peer()
    call = peer.invite(*REQUIRED)
    peer.do("ring", call)
    peer.learn_tag()
    assert peer.do("ring", call, status=183, sdp=ANSWER) == []
    first = rack(peer)
    assert peer.request("PRACK", first) == ["> 200 PRACK 2", "> 183 INVITE 1 [answer]"]
    assert peer.request("PRACK", first) == ["> 481 PRACK 3"]
    assert peer.request("PRACK", rack(peer)) == ["> 200 PRACK 4"]


def test_a_prack_that_makes_no_sense_is_refused() -> None:
    peer = Peer()
    call = peer.invite(*REQUIRED)
    peer.do("ring", call)
    peer.learn_tag()
    assert peer.request("PRACK", "RAck: nonsense") == ["> 400 PRACK 2"]
    assert peer.request("PRACK", "RAck: 1 9 INVITE") == ["> 481 PRACK 3"]


def test_a_call_whose_ringing_nobody_confirms_is_refused_after_64_times_t1() -> None:
    peer = Peer()
    call = peer.invite(*REQUIRED)
    peer.do("ring", call)
    out = peer.wait(32.1)
    assert [at for at, _ in out] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32.0]
    assert out[-1][1] == ["> 504 INVITE 1", "CallEnded lost 504"]


def test_a_late_offer_in_a_provisional_answer_is_answered_by_prack() -> None:
    peer = Peer()
    peer.request("INVITE", *REQUIRED)
    call = peer.me.last(ef.Invited).call
    peer.do("ring", call, status=183, sdp=OFFER)
    peer.learn_tag()
    assert peer.request("PRACK", rack(peer), body=ANSWER) == ["> 200 PRACK 2", "AnswerReceived answer"]
    assert peer.do("accept", call, OFFER) == ["> 200 INVITE 1"]


def test_a_prack_may_bring_a_new_offer() -> None:
    peer = Peer()
    call = peer.invite(*REQUIRED)
    peer.do("ring", call, status=183, sdp=ANSWER)
    peer.learn_tag()
    assert peer.request("PRACK", rack(peer), body=HOLD) == ["OfferReceived hold"]
    assert peer.do("answer", call, HELD) == ["> 200 PRACK 2 [held]"]


def test_this_side_confirms_each_provisional_answer_once() -> None:
    peer = Peer()
    peer.dial()
    invite = peer.messages[0]
    assert isinstance(invite, Request)
    ringing = ("Require: 100rel", "RSeq: 7")
    assert peer.respond(183, *ringing, body=ANSWER) == ["> PRACK 2", "Progressed 183 answer"]
    prack = peer.messages[-1]
    assert prack.headers.get("RAck") == "7 1 INVITE"
    assert peer.respond(183, *ringing, body=ANSWER, to=invite) == []
    assert isinstance(prack, Request)
    assert peer.respond(200, to=prack) == []
    assert peer.respond(180, "Require: 100rel", "RSeq: 9", to=invite) == []
    assert peer.respond(180, "Require: 100rel", "RSeq: 8", to=invite) == ["> PRACK 3", "Progressed 180"]
    assert peer.respond(200, to=invite) == ["> ACK 1", "Answered"]
