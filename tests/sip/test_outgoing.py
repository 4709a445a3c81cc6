"""Calls that go out: an agent against a peer that says what the test says."""

from __future__ import annotations

import pytest

from signallers import ANSWER, OFFER, PLAIN, Peer
from vivavoce.sip import effects as ef
from vivavoce.sip.digest import Account
from vivavoce.sip.effects import Hop, Resolve
from vivavoce.sip.errors import MalformedMessage, UnwritableMessage
from vivavoce.sip.message import Headers, Request
from vivavoce.sip.offers import CallStateError
from vivavoce.sip.terms import Terms

CHALLENGE = 'WWW-Authenticate: Digest realm="pbx", nonce="abc", algorithm=MD5, qop="auth"'
ACCOUNT = Account("me", "secret", frozenset({"10.0.0.9"}))


def dialled(peer: Peer, **more: object) -> str:
    """Dial the peer; the INVITE is its last message."""
    return peer.dial(**more)


def request_of(peer: Peer, method: str) -> Request:
    return next(each for each in reversed(peer.messages) if isinstance(each, Request) and each.method == method)


def test_a_call_is_answered_and_hung_up_by_the_called_party() -> None:
    peer = Peer()
    call = dialled(peer)
    assert peer.respond(100) == []
    assert peer.respond(180) == ["Progressed 180"]
    assert peer.respond(200, body=ANSWER) == ["> ACK 1", "Answered answer"]
    invite = request_of(peer, "INVITE")
    peer.call_id = invite.headers.get("Call-ID") or ""
    peer.to_tag = "1tag1"
    assert peer.request("BYE") == ["> 200 BYE 1", "CallEnded hung up"]
    assert call not in peer.agent.calls


def test_the_invite_says_all_that_it_has_to() -> None:
    peer = Peer(terms=Terms(user_agent="vivavoce"))
    further = Headers.of(("P-Asserted-Identity", "<sip:+49@x>"))
    peer.dial("sip:bob@10.0.0.9;user=phone", display="Ann", headers=further)
    invite = peer.messages[-1]
    assert isinstance(invite, Request)
    assert invite.uri == "sip:bob@10.0.0.9;user=phone"
    assert invite.headers.fields == (
        ("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1branch1;rport"),
        ("Max-Forwards", "70"),
        ("From", '"Ann" <sip:me@10.0.0.1>;tag=1tag1'),
        ("To", "<sip:bob@10.0.0.9;user=phone>"),
        ("Call-ID", "1callid1"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:me@10.0.0.1>"),
        ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"),
        ("Supported", "100rel, timer, replaces, norefersub"),
        ("User-Agent", "vivavoce"),
        ("Content-Type", "application/sdp"),
        ("P-Asserted-Identity", "<sip:+49@x>"),
        ("Session-Expires", "1800"),
        ("Min-SE", "90"),
        ("Content-Length", "5"),
    )


def test_a_header_cannot_smuggle_another_in() -> None:
    peer = Peer()
    with pytest.raises(UnwritableMessage):
        peer.dial(headers=Headers.of(("X-Note", "a\r\nRoute: <sip:evil>")))
    with pytest.raises(MalformedMessage):
        peer.dial("mailto:bob@10.0.0.9")
    with pytest.raises(MalformedMessage):
        peer.dial("sip:bob@10.0.0.9;transport=tcp")
    assert peer.agent.calls == ()
    assert peer.agent.deadline is None


def test_early_media_is_told_and_the_2xx_may_come_without_an_answer() -> None:
    peer = Peer()
    dialled(peer)
    assert peer.respond(183, body=ANSWER) == ["Progressed 183 answer"]
    assert peer.respond(200) == ["> ACK 1", "Answered"]


def test_a_2xx_that_comes_again_is_acknowledged_again() -> None:
    peer = Peer()
    dialled(peer)
    peer.respond(200, body=ANSWER)
    invite = request_of(peer, "INVITE")
    assert peer.respond(200, body=ANSWER, to=invite) == ["> ACK 1"]


def test_the_first_of_two_telephones_that_answer_gets_the_call() -> None:
    peer = Peer()
    dialled(peer)
    assert peer.respond(180, tag="one") == ["Progressed 180"]
    assert peer.respond(180, tag="two") == ["Progressed 180"]
    assert peer.respond(200, body=ANSWER, tag="two") == ["> ACK 1", "Answered answer"]
    invite = request_of(peer, "INVITE")
    assert peer.respond(200, body=ANSWER, tag="one", to=invite) == ["> ACK 1", "> BYE 2"]
    assert "tag=one" in (peer.messages[-1].headers.get("To") or "")
    assert peer.respond(200, body=ANSWER, tag="one", to=invite) == ["> ACK 1"]
    assert peer.respond(200, to=request_of(peer, "BYE")) == []
    assert len(peer.agent.calls) == 1


def test_a_refusal_is_told_with_its_words() -> None:
    peer = Peer()
    dialled(peer)
    assert peer.respond(486, 'Reason: Q.850;cause=17;text="User busy"') == [
        "> ACK 1",
        "CallEnded rejected 486 User busy",
    ]
    assert peer.agent.calls == ()


def test_a_redirection_is_told_and_not_followed() -> None:
    peer = Peer()
    dialled(peer)
    peer.respond(302)
    assert peer.me.last(ef.CallEnded).contacts == ("sip:peer@10.0.0.9",)


def test_nobody_answers_the_invite_at_all() -> None:
    peer = Peer()
    dialled(peer)
    out = peer.wait(33)
    assert [at for at, _ in out] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32.0]
    assert out[-1][1] == ["CallEnded no answer 408"]
    assert peer.agent.calls == ()


def test_a_call_that_rings_too_long_is_taken_back() -> None:
    peer = Peer(terms=Terms(session_seconds=0, ring_seconds=60))
    dialled(peer)
    peer.respond(180)
    assert peer.wait(60)[-1] == (60.0, ["CallEnded no answer 408", "> CANCEL 1"])


def test_a_call_is_taken_back_while_it_rings() -> None:
    peer = Peer()
    call = dialled(peer)
    peer.respond(180)
    assert peer.do("hang_up", call) == ["CallEnded ended here", "> CANCEL 1"]
    invite, cancel = request_of(peer, "INVITE"), request_of(peer, "CANCEL")
    assert cancel.headers.get("Via") == invite.headers.get("Via")
    assert peer.respond(200, to=cancel) == []
    assert peer.respond(487, to=invite) == ["> ACK 1"]
    assert peer.agent.calls == ()
    with pytest.raises(CallStateError):
        peer.do("hang_up", call)


def test_a_call_is_taken_back_only_when_the_other_side_has_shown_that_it_has_it() -> None:
    peer = Peer()
    call = dialled(peer)
    assert peer.do("hang_up", call) == ["CallEnded ended here"]
    invite = request_of(peer, "INVITE")
    assert peer.respond(100, to=invite) == ["> CANCEL 1"]
    assert peer.respond(180, to=invite) == []


def test_an_answer_that_crosses_the_cancel_is_confirmed_and_ended() -> None:
    peer = Peer()
    call = dialled(peer)
    peer.respond(180)
    peer.do("hang_up", call)
    invite = request_of(peer, "INVITE")
    assert peer.respond(200, body=ANSWER, to=invite) == ["> ACK 1", "> BYE 2"]
    assert peer.respond(200, to=request_of(peer, "BYE")) == []
    assert peer.agent.calls == ()


def test_a_cancelled_call_that_is_never_answered_is_forgotten() -> None:
    peer = Peer()
    call = dialled(peer)
    peer.respond(180)
    peer.do("hang_up", call)
    peer.respond(200, to=request_of(peer, "CANCEL"))
    peer.wait(40)
    assert peer.agent.calls == ()
    assert peer.agent.deadline is None


def test_a_challenge_is_answered_with_the_password() -> None:
    peer = Peer(accounts=(ACCOUNT,))
    dialled(peer)
    assert peer.respond(401, CHALLENGE) == ["> ACK 1", "> INVITE 2 [offer]"]
    again = request_of(peer, "INVITE")
    assert 'username="me"' in (again.headers.get("Authorization") or "")
    assert peer.respond(200, body=ANSWER) == ["> ACK 2", "Answered answer"]
    assert request_of(peer, "ACK").headers.get("Authorization") == again.headers.get("Authorization")


def test_a_wrong_password_is_tried_once() -> None:
    peer = Peer(accounts=(ACCOUNT,))
    dialled(peer)
    peer.respond(407, CHALLENGE.replace("WWW", "Proxy").replace("Proxy-Authenticate", "Proxy-Authenticate"))
    assert peer.respond(407, CHALLENGE.replace("WWW", "Proxy")) == ["> ACK 2", "CallEnded rejected 407 Whatever"]


def test_a_password_is_shown_to_its_own_host_only() -> None:
    peer = Peer(host="10.0.0.8", accounts=(ACCOUNT,))
    peer.dial("sip:peer@10.0.0.8")
    assert peer.respond(401, CHALLENGE) == ["> ACK 1", "CallEnded rejected 401 Whatever"]


def test_a_bye_that_is_challenged_is_sent_again() -> None:
    peer = Peer(accounts=(ACCOUNT,))
    call = dialled(peer)
    peer.respond(200, body=ANSWER)
    peer.do("hang_up", call)
    assert peer.respond(401, CHALLENGE) == ["> BYE 3"]
    peer.respond(200)
    assert peer.agent.calls == ()


def test_a_session_interval_that_is_too_small_is_raised() -> None:
    peer = Peer(terms=Terms(session_seconds=600))
    dialled(peer)
    assert peer.respond(422, "Min-SE: 900") == ["> ACK 1", "> INVITE 2 [offer]"]
    assert request_of(peer, "INVITE").headers.get("Session-Expires") == "900"
    assert peer.respond(422, "Min-SE: 900") == ["> ACK 2", "CallEnded rejected 422 Whatever"]


def test_a_name_is_looked_up_and_the_next_place_tried_when_one_fails() -> None:
    peer = Peer()
    peer.dial("sip:bob@example.com")
    lookup = Resolve("example.com", None, None, False)
    assert peer.me.events == [lookup]
    first, second = Hop("udp", "10.0.0.2", 5060), Hop("udp", "10.0.0.3", 5070)
    out = peer.take(peer.agent.resolved(lookup, (first, second), 0.0))
    assert (out, peer.last_hop) == (["> INVITE 1 [offer]"], first)
    assert peer.respond(503) == ["> ACK 1", "> INVITE 1 [offer]"]
    assert peer.last_hop == second
    branches = {each.headers.get("Via") for each in peer.messages if getattr(each, "method", "") == "INVITE"}
    assert len(branches) == 2
    assert peer.respond(503) == ["> ACK 1", "CallEnded rejected 503 Whatever"]


def test_a_place_that_cannot_be_reached_is_followed_by_the_next() -> None:
    peer = Peer()
    peer.dial("sip:bob@example.com")
    first, second = Hop("udp", "10.0.0.2", 5060), Hop("udp", "10.0.0.3", 5060)
    lookup = Resolve("example.com", None, None, False)
    peer.take(peer.agent.resolved(lookup, (first, second), 0.0))
    assert peer.take(peer.agent.unreachable(first, 1.0)) == ["> INVITE 1 [offer]"]
    assert peer.take(peer.agent.unreachable(second, 2.0)) == ["CallEnded unreachable 503"]


def test_a_name_that_nobody_knows_ends_the_call() -> None:
    peer = Peer()
    peer.dial("sip:bob@nowhere.example")
    assert peer.take(peer.agent.resolved(Resolve("nowhere.example", None, None, False), (), 0.0)) == [
        "CallEnded unreachable 503"
    ]


def test_a_call_is_taken_back_before_its_name_is_known() -> None:
    peer = Peer()
    call = peer.dial("sip:bob@example.com")
    assert peer.do("hang_up", call) == ["CallEnded ended here"]
    lookup = Resolve("example.com", None, None, False)
    assert peer.take(peer.agent.resolved(lookup, (Hop("udp", "10.0.0.2", 5060),), 0.0)) == []
    assert peer.agent.calls == ()


def test_the_proxy_on_the_way_gets_the_call() -> None:
    peer = Peer()
    peer.dial("sip:bob@example.com", route=("sip:10.0.0.8:5080;lr",))
    assert peer.last_hop == Hop("udp", "10.0.0.8", 5080)
    assert peer.messages[-1].headers.all("Route") == ("<sip:10.0.0.8:5080;lr>",)


def test_the_record_route_of_the_answer_is_followed_backwards() -> None:
    peer = Peer()
    dialled(peer)
    peer.respond(200, "Record-Route: <sip:10.0.0.7;lr>", "Record-Route: <sip:10.0.0.8;lr>", body=ANSWER)
    ack = request_of(peer, "ACK")
    assert ack.headers.all("Route") == ("<sip:10.0.0.8;lr>", "<sip:10.0.0.7;lr>")
    assert peer.last_hop == Hop("udp", "10.0.0.8", 5060)


def test_a_response_to_nothing_is_dropped() -> None:
    peer = Peer()
    dialled(peer)
    invite = request_of(peer, "INVITE")
    strange = invite.headers.replaced("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKstrange")
    assert peer.respond(200, to=Request("INVITE", invite.uri, strange)) == []


def test_an_answer_without_a_usable_contact_still_makes_a_call() -> None:
    peer = Peer(terms=PLAIN)
    dialled(peer)
    assert peer.respond(200, body=OFFER, has_contact=False) == ["> ACK 1", "Answered offer"]
    assert request_of(peer, "ACK").uri == "sip:peer@10.0.0.9"


def test_a_request_that_overtakes_its_dialog_waits_to_come_again() -> None:
    peer = Peer()
    dialled(peer)
    peer.call_id, peer.to_tag = "1callid1", "1tag1"
    assert peer.request("UPDATE") == []
    invite = request_of(peer, "INVITE")
    peer.respond(200, body=ANSWER, to=invite)
    assert peer.request("UPDATE", number=1) == ["> 200 UPDATE 1"]


def test_an_early_dialog_may_be_updated_but_not_ended_by_the_called_party() -> None:
    peer = Peer()
    dialled(peer)
    peer.respond(183, body=ANSWER)
    peer.call_id, peer.to_tag = "1callid1", "1tag1"
    assert peer.request("UPDATE") == ["> 200 UPDATE 1"]
    assert peer.request("INVITE", body=OFFER) == ["> 491 INVITE 2"]
    assert peer.request("BYE") == ["> 481 BYE 3"]
    assert len(peer.agent.calls) == 1


def test_a_call_that_is_ended_late_counts_on_from_what_was_said_early() -> None:
    peer = Peer()
    call = dialled(peer)
    peer.respond(183, "Require: 100rel", "RSeq: 1", body=ANSWER)
    peer.respond(200)
    peer.do("hang_up", call)
    assert peer.respond(200, body=ANSWER, to=request_of(peer, "INVITE")) == ["> ACK 1", "> BYE 3"]


def test_a_place_that_says_nothing_is_followed_by_the_next_after_five_seconds() -> None:
    peer = Peer()
    peer.dial("sip:bob@example.com")
    first, second = Hop("udp", "10.0.0.2", 5060), Hop("udp", "10.0.0.3", 5060)
    peer.take(peer.agent.resolved(Resolve("example.com", None, None, False), (first, second), 0.0))
    assert [at for at, _ in peer.wait(5)] == [0.5, 1.5, 3.5, 5.0]
    assert peer.last_hop == second
    assert peer.wait(32.1)[-1] == (32.0, ["CallEnded no answer 408"])


def test_a_place_that_works_on_it_is_waited_for() -> None:
    peer = Peer()
    peer.dial("sip:bob@example.com")
    first, second = Hop("udp", "10.0.0.2", 5060), Hop("udp", "10.0.0.3", 5060)
    peer.take(peer.agent.resolved(Resolve("example.com", None, None, False), (first, second), 0.0))
    peer.respond(100)
    assert peer.wait(60) == []


def test_an_offer_in_an_early_dialog_is_answered() -> None:
    peer = Peer()
    call = dialled(peer)
    with pytest.raises(CallStateError):
        peer.do("answer", call, ANSWER)
    with pytest.raises(CallStateError):
        peer.do("offer", call, OFFER)
    with pytest.raises(CallStateError):
        peer.do("accept", call, ANSWER)
    peer.respond(183, body=ANSWER)
    peer.call_id, peer.to_tag = "1callid1", "1tag1"
    assert peer.request("UPDATE", body=OFFER) == ["OfferReceived offer"]
    assert peer.do("answer", call, ANSWER) == ["> 200 UPDATE 1 [answer]"]


def test_a_telephone_that_answered_too_late_may_hang_up_too() -> None:
    peer = Peer()
    dialled(peer)
    invite = request_of(peer, "INVITE")
    peer.respond(200, body=ANSWER, tag="two")
    peer.respond(200, body=ANSWER, tag="peer", to=invite)
    peer.call_id, peer.to_tag = "1callid1", "1tag1"
    assert peer.request("BYE") == ["> 200 BYE 1"]
    assert peer.request("INFO") == ["> 481 INFO 2"]
    assert len(peer.agent.calls) == 1


def test_a_call_that_was_taken_back_too_late_is_forgotten_though_nobody_answers_its_bye() -> None:
    peer = Peer()
    call = dialled(peer)
    peer.respond(180)
    peer.do("hang_up", call)
    peer.respond(200, body=ANSWER, to=request_of(peer, "INVITE"))
    peer.wait(80)
    assert peer.agent.calls == ()
    assert peer.agent.deadline is None


def test_the_ack_waits_for_the_name_in_the_contact() -> None:
    peer = Peer()
    dialled(peer)
    told = peer.respond(200, "Contact: <sip:peer@phone.example.com>", body=ANSWER, has_contact=False)
    assert told == ["Resolve phone.example.com", "Answered answer"]
    lookup = Resolve("phone.example.com", None, None, False)
    assert peer.take(peer.agent.resolved(lookup, (Hop("udp", "10.0.0.9", 5060),), 0.0)) == ["> ACK 1"]


def test_a_redirection_to_nowhere_is_still_a_redirection() -> None:
    peer = Peer()
    dialled(peer)
    assert peer.respond(302, "Contact: *", has_contact=False) == ["> ACK 1", "CallEnded rejected 302 Whatever"]


def test_nobody_takes_more_forks_than_a_switchboard_has() -> None:
    peer = Peer()
    dialled(peer)
    told = [peer.respond(180, tag=f"fork{number}") for number in range(20)]
    assert [len(each) for each in told] == [1] * 16 + [0] * 4
