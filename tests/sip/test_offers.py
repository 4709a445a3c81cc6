"""Offers within calls, both ways, and what happens when they meet."""

from __future__ import annotations

import pytest

from signallers import ANSWER, HELD, HOLD, OFFER, Peer, Wire
from vivavoce.sip import effects as ef
from vivavoce.sip.digest import Account
from vivavoce.sip.message import Request, Response
from vivavoce.sip.offers import CallStateError, sdp_of
from vivavoce.sip.terms import Terms


def reinvite(peer: Peer, body: bytes = HOLD, *fields: str) -> list[str]:
    return peer.request("INVITE", *fields, body=body)


def test_a_caller_holds_and_resumes() -> None:
    peer = Peer()
    call = peer.call()
    assert reinvite(peer) == ["OfferReceived hold"]
    assert peer.do("answer", call, HELD) == ["> 200 INVITE 2 [held]"]
    assert peer.request("ACK", number=2) == []
    assert reinvite(peer, OFFER) == ["OfferReceived offer"]
    assert peer.do("answer", call, ANSWER) == ["> 200 INVITE 3 [answer]"]
    assert peer.request("ACK", number=3) == []
    assert peer.wait(60) == []


def test_an_offer_by_update_is_answered_at_once() -> None:
    peer = Peer()
    call = peer.call()
    assert peer.request("UPDATE", body=HOLD) == ["OfferReceived hold"]
    assert peer.do("answer", call, HELD) == ["> 200 UPDATE 2 [held]"]
    assert peer.wait(5) == []


def test_an_update_without_an_offer_is_only_confirmed() -> None:
    peer = Peer()
    peer.call()
    assert peer.request("UPDATE") == ["> 200 UPDATE 2"]


def test_an_offer_that_is_refused_leaves_the_call_as_it_was() -> None:
    peer = Peer()
    call = peer.call()
    reinvite(peer)
    assert peer.do("refuse", call) == ["> 488 INVITE 2"]
    with pytest.raises(CallStateError):
        peer.do("refuse", call)
    peer.request("ACK", number=2, branch=f"z9hG4bKpeer{peer.branch}")
    assert peer.agent.calls == (call,)


def test_a_reinvite_without_an_offer_is_offered_something() -> None:
    peer = Peer()
    call = peer.call()
    assert reinvite(peer, b"") == ["OfferReceived"]
    assert peer.do("answer", call, OFFER) == ["> 200 INVITE 2 [offer]"]
    assert peer.request("ACK", number=2, body=ANSWER) == ["AnswerReceived answer"]


def test_a_second_offer_before_the_first_is_answered_is_refused_for_now() -> None:
    peer = Peer()
    peer.call()
    reinvite(peer)
    assert peer.request("UPDATE", body=HOLD) == ["> 500 UPDATE 3"]
    assert peer.messages[-1].headers.get("Retry-After") == "5"


def test_the_2xx_to_a_reinvite_is_sent_again_until_the_ack() -> None:
    peer = Peer()
    call = peer.call()
    reinvite(peer)
    peer.do("answer", call, HELD)
    assert peer.wait(2) == [(0.5, ["> 200 INVITE 2 [held]"]), (1.5, ["> 200 INVITE 2 [held]"])]
    peer.request("ACK", number=2)
    assert peer.wait(40) == []


def test_this_side_offers_and_is_answered() -> None:
    peer = Peer()
    call = peer.call()
    assert peer.do("offer", call, HOLD) == ["> INVITE 1 [hold]"]
    assert peer.respond(100) == []
    assert peer.respond(200, body=HELD) == ["> ACK 1", "AnswerReceived held"]
    invite = next(each for each in peer.messages if isinstance(each, Request) and each.method == "INVITE")
    assert peer.respond(200, body=HELD, to=invite) == ["> ACK 1"]


def test_an_offer_of_this_side_that_is_refused_is_told() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("offer", call, HOLD)
    assert peer.respond(488) == ["> ACK 1", "OfferDeclined 488"]
    assert peer.agent.calls == (call,)


def test_offers_that_are_made_quickly_go_out_one_after_the_other() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("offer", call, HOLD)
    assert peer.do("offer", call, b"second") == []
    assert peer.do("offer", call, b"third") == []
    assert peer.respond(200, body=HELD) == ["> ACK 1", "AnswerReceived held", "> INVITE 2 [third]"]


def test_an_offer_waits_until_the_call_is_confirmed() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("accept", call, ANSWER)
    peer.learn_tag()
    assert peer.do("offer", call, HOLD) == []
    assert peer.request("ACK", number=1) == ["> INVITE 1 [hold]", "Answered"]


def test_an_offer_that_meets_another_is_made_again_after_a_wait_by_chance() -> None:
    # This side did not choose the Call-ID: 0 to 2 s, here by a chance of one half.
    peer = Peer()
    call = peer.call()
    peer.do("offer", call, HOLD)
    assert reinvite(peer) == ["> 491 INVITE 2"]
    peer.request("ACK", number=2, branch=f"z9hG4bKpeer{peer.branch}")
    assert peer.respond(491, to=_invite(peer)) == ["> ACK 1"]
    assert peer.wait(3)[0] == (1.0, ["> INVITE 2 [hold]"])


def test_who_chose_the_call_id_waits_longer() -> None:
    peer = Peer()
    call = peer.dial()
    peer.respond(200, body=ANSWER)
    peer.do("offer", call, HOLD)
    assert peer.respond(491) == ["> ACK 2"]
    assert peer.wait(3.1)[0] == (3.05, ["> INVITE 3 [hold]"])


def test_offers_that_meet_for_ever_are_given_up() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("offer", call, HOLD)
    for _ in range(5):
        peer.respond(491)
        peer.wait(1.01)
    assert peer.respond(491)[-1] == "OfferDeclined 491"


def test_two_agents_that_hold_at_once_both_get_through() -> None:
    wire = Wire()
    alice, bob = wire.agent("10.0.0.1", chance=lambda: 0.9), wire.agent("10.0.0.2", chance=lambda: 0.1)
    call = alice.dial("sip:bob@10.0.0.2")
    wire.run(0.05)
    theirs = bob.last(ef.Invited).call
    bob.do("accept", theirs, ANSWER)
    wire.run(0.1)
    for phone, name in ((alice, call), (bob, theirs)):

        def answer(event: ef.Event, phone: object = phone, name: str = name) -> None:
            if isinstance(event, ef.OfferReceived):
                (alice if phone is alice else bob).do("answer", name, HELD)

        phone.on_news = answer
    alice.do("offer", call, HOLD)
    bob.do("offer", theirs, b"other")
    wire.run(6)
    assert alice.news[-2:] == ["OfferReceived other", "AnswerReceived held"]
    assert bob.news[-2:] == ["AnswerReceived held", "OfferReceived hold"]
    assert wire.log.count("1>2 491 INVITE 1") == wire.log.count("2>1 491 INVITE 2") == 1


def test_a_call_that_the_other_side_has_forgotten_ends() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("offer", call, HOLD)
    assert peer.respond(481) == ["> ACK 1", "> BYE 2", "CallEnded lost 481"]


def test_an_offer_that_nobody_answers_ends_the_call() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("offer", call, HOLD)
    assert peer.wait(32.1)[-1] == (32.0, ["> BYE 2", "CallEnded lost 408"])


def test_an_offer_that_is_open_when_the_call_ends_is_answered() -> None:
    peer = Peer()
    peer.call()
    reinvite(peer)
    assert peer.request("BYE") == ["> 200 BYE 3", "> 487 INVITE 2", "CallEnded hung up"]


def test_a_new_target_is_taken_from_a_reinvite() -> None:
    peer = Peer()
    call = peer.call()
    reinvite(peer, HOLD, "Contact: <sip:moved@10.0.0.6>")
    peer.do("answer", call, HELD)
    peer.request("ACK", number=2)
    peer.do("hang_up", call)
    assert _last_request(peer).uri == "sip:moved@10.0.0.6"


def test_a_session_description_is_found_among_the_parts_of_a_body() -> None:
    body = (
        b"--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--x\r\nContent-Type: application/isup\r\n\r\n"
        b"\x01\x02\r\n--x--\r\n"
    )
    headers = Response(200).headers.added("Content-Type", 'multipart/mixed; boundary="x"')
    assert sdp_of(Response(200, "", headers, body)) == b"v=0\r\n"
    assert sdp_of(Response(200, "", headers, b"--x--")) is None
    assert sdp_of(Response(200, "", headers.replaced("Content-Type", "text/plain"), b"v=0")) is None


def _invite(peer: Peer) -> Request:
    return next(each for each in reversed(peer.messages) if isinstance(each, Request) and each.method == "INVITE")


def _last_request(peer: Peer) -> Request:
    return next(each for each in reversed(peer.messages) if isinstance(each, Request))


CHALLENGE = 'WWW-Authenticate: Digest realm="pbx", nonce="abc", algorithm=MD5, qop="auth"'


def test_an_offer_that_is_challenged_is_made_again_with_the_password() -> None:
    peer = Peer(accounts=(Account("me", "secret", frozenset({"10.0.0.9"})),))
    call = peer.call()
    peer.do("offer", call, HOLD)
    assert peer.respond(401, CHALLENGE) == ["> ACK 1", "> INVITE 2 [hold]"]
    assert peer.respond(200, body=HELD) == ["> ACK 2", "AnswerReceived held"]
    peer.do("refer", call, "sip:other@10.0.0.7")
    assert peer.respond(407, CHALLENGE.replace("WWW", "Proxy")) == ["> REFER 4"]
    assert peer.respond(603) == ["Transferred 603 True"]


def test_an_interval_that_is_too_small_within_a_call() -> None:
    peer = Peer(terms=Terms(session_seconds=600))
    call = peer.call("Supported: timer")
    assert peer.request("UPDATE", "Supported: timer", "Session-Expires: 20") == ["> 422 UPDATE 2"]
    peer.do("offer", call, HOLD)
    assert peer.respond(422, "Min-SE: 900") == ["> ACK 1", "> INVITE 2 [hold]"]
    assert _last_request(peer).headers.get("Min-SE") == "900"


def test_an_answer_without_a_description_is_none() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("offer", call, HOLD)
    assert peer.respond(200) == ["> ACK 1", "OfferDeclined 488"]
