"""What is made of requests that belong to no call: let in, refused without state, or never answered."""

from __future__ import annotations

import pytest

from signallers import ANSWER, OFFER, Peer, Wire
from vivavoce.sip import effects as ef
from vivavoce.sip.admission import Rules
from vivavoce.sip.digest import Account, Challenge
from vivavoce.sip.terms import Terms

NOBODY = Rules()
ASKED = Rules(challenged=("0.0.0.0/0",))


def test_unknown_sources_get_no_answer_at_all() -> None:
    peer = Peer(rules=NOBODY)
    for method in ("OPTIONS", "INVITE", "REGISTER", "BYE", "CANCEL", "NOTIFY", "FOO"):
        assert peer.request(method) == []
    assert peer.raw(b"INVITE sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9\r\n\r\n") == []
    peer.to_tag = "guessed"
    assert peer.request("BYE") == []
    assert (peer.agent.calls, peer.agent.deadline) == ((), None)


def test_a_bye_from_elsewhere_still_ends_its_call() -> None:
    peer = Peer(rules=Rules(known=("10.0.0.9",)))
    peer.call()
    peer.source = ef.Hop("udp", "192.168.0.1", 5060)
    assert peer.request("BYE") == ["> 200 BYE 2", "CallEnded hung up"]


@pytest.mark.parametrize("digests", [("SHA-256", "MD5"), ("MD5",)])
def test_passwords_are_asked_for_in_the_ways_that_the_terms_say(digests: tuple[str, ...]) -> None:
    peer = Peer(rules=ASKED, terms=Terms(digests=digests))
    peer.request("INVITE", body=OFFER)
    challenges = peer.messages[0].headers.all("WWW-Authenticate")
    assert [Challenge.parse(each).algorithm for each in challenges] == list(digests)


def test_options_are_answered_without_state() -> None:
    peer = Peer()
    assert peer.request("OPTIONS") == ["> 200 OPTIONS 1"]
    headers = peer.messages[-1].headers
    assert headers.get("Allow") == "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"
    assert headers.get("Accept") == "application/sdp"
    assert "Server" not in headers
    assert peer.agent.deadline is None


def test_the_same_request_gets_the_same_tag() -> None:
    peer = Peer()
    peer.request("OPTIONS")
    peer.request("OPTIONS", number=1, branch="z9hG4bKpeer1")
    first, second = [each.headers.get("To") for each in peer.messages]
    assert first == second


def test_methods_that_are_not_for_a_telephone() -> None:
    peer = Peer()
    assert peer.request("REGISTER") == ["> 405 REGISTER 1"]
    assert peer.request("MESSAGE") == ["> 405 MESSAGE 2"]
    assert peer.request("FOO") == ["> 501 FOO 3"]
    assert peer.request("BYE") == ["> 481 BYE 4"]


def test_what_is_required_and_not_understood_is_named() -> None:
    peer = Peer()
    assert peer.request("INVITE", "Require: 100rel, magic", body=OFFER) == ["> 420 INVITE 1"]
    assert peer.messages[-1].headers.get("Unsupported") == "magic"


def test_bodies_that_are_no_session_descriptions_are_refused() -> None:
    peer = Peer()
    assert peer.request("INVITE", body=b"<x/>", kind="application/xml") == ["> 415 INVITE 1"]
    assert peer.messages[-1].headers.get("Accept") == "application/sdp"


def test_addresses_of_other_schemes_are_refused() -> None:
    peer = Peer()
    assert peer.request("INVITE", body=OFFER, uri="urn:service:sos") == ["> 416 INVITE 1"]


def test_too_many_hops_are_refused_and_a_missing_contact_is_not() -> None:
    peer = Peer()
    raw = (
        b"INVITE sip:me@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKx\r\nMax-Forwards: 0\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:me@10.0.0.1>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
        b"Contact: <sip:a@b>\r\nContent-Length: 0\r\n\r\n"
    )
    assert peer.raw(raw) == ["> 483 INVITE 1"]
    without = raw.replace(b"Contact: <sip:a@b>\r\n", b"").replace(b"Max-Forwards: 0", b"Max-Forwards: 9")
    assert peer.raw(without) == ["Invited sip:me@10.0.0.1"]


def test_malformed_requests_are_told_why() -> None:
    peer = Peer()
    raw = (
        b"INVITE sip:me@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKx\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:me@10.0.0.1>\r\nCall-ID: x\r\nCSeq: zero INVITE\r\n\r\n"
    )
    (told,) = peer.agent.receive_datagram(raw, peer.source, 0.0)
    assert isinstance(told, ef.Send)
    assert told.data.startswith(b"SIP/2.0 400 CSeq: ")
    assert peer.raw(b"\r\n\r\n") == []
    assert peer.raw(b"hello") == []


def test_when_it_is_full_callers_are_told_when_to_come_back() -> None:
    peer = Peer(rules=Rules(known=("10.0.0.0/8",), max_calls=1, retry_after_seconds=30))
    peer.invite()
    peer.call_id = "second"
    assert peer.request("INVITE", body=OFFER) == ["> 503 INVITE 2"]
    assert peer.messages[-1].headers.get("Retry-After") == "30"
    assert len(peer.agent.calls) == 1


def test_calls_that_come_too_fast_are_refused() -> None:
    peer = Peer(rules=Rules(known=("10.0.0.0/8",), invites_per_second=1, invites_burst=2))
    told = []
    for number in range(4):
        peer.call_id = f"call{number}"
        told += peer.request("INVITE", body=OFFER)
    assert [each.split(" sip")[0] for each in told] == ["Invited", "Invited", "> 503 INVITE 3", "> 503 INVITE 4"]
    peer.wait(1)
    peer.call_id = "later"
    assert peer.request("INVITE", body=OFFER) == ["Invited sip:me@10.0.0.1 offer"]


def test_a_flood_of_one_source_is_not_read() -> None:
    peer = Peer(rules=Rules(known=("10.0.0.0/8",), messages_per_second=1, messages_burst=3))
    told = [peer.request("OPTIONS") for _ in range(5)]
    assert [len(each) for each in told] == [1, 1, 1, 0, 0]


def test_callers_who_have_to_show_a_password_do() -> None:
    wire = Wire()
    alice = wire.agent("10.0.0.1", accounts=(Account("ann", "secret", frozenset({"10.0.0.2"})),))
    bob = wire.agent("10.0.0.2", rules=ASKED, passwords={"ann": "secret"})
    call = alice.dial("sip:bob@10.0.0.2")
    wire.run(0.5)
    assert wire.log == [
        "1>2 INVITE 1 [offer]",
        "2>1 401 INVITE 1",
        "1>2 ACK 1",
        "1>2 INVITE 2 [offer]",
        "2>1 100 INVITE 2",
    ]
    invited = bob.last(ef.Invited)
    assert invited.identity == "ann"
    bob.do("accept", invited.call, ANSWER)
    wire.run(0.5)
    alice.do("hang_up", call)
    wire.run(1)
    assert bob.news[-1] == "CallEnded hung up"


@pytest.mark.parametrize(
    "account", [Account("ann", "wrong", frozenset({"10.0.0.2"})), Account("eve", "secret", frozenset({"10.0.0.2"}))]
)
def test_wrong_passwords_and_unknown_users_are_answered_alike_and_leave_nothing(account: Account) -> None:
    wire = Wire()
    alice = wire.agent("10.0.0.1", accounts=(account,))
    bob = wire.agent("10.0.0.2", rules=ASKED, passwords={"ann": "secret"})
    alice.dial("sip:bob@10.0.0.2")
    wire.run(1)
    assert alice.news == ["CallEnded rejected 401 Unauthorized"]
    assert (bob.news, bob.agent.calls, bob.agent.deadline) == ([], (), None)


def test_a_trunk_that_was_dialled_may_answer_as_often_as_it_has_to() -> None:
    peer = Peer(rules=Rules(unknown_per_second=1, unknown_burst=1))
    for _ in range(30):
        peer.dial()
        assert peer.respond(180) == ["Progressed 180"]
    assert peer.request("OPTIONS") == []
