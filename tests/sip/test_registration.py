"""Registrations: taken, renewed, refused, taken back."""

from __future__ import annotations

import msgspec

from signallers import Peer
from vivavoce.sip.admission import Rules
from vivavoce.sip.digest import Account
from vivavoce.sip.effects import Hop, Resolve
from vivavoce.sip.message import Request
from vivavoce.sip.registration import Membership

LINE = Membership("pbx", "sip:10.0.0.9", "sip:100@10.0.0.9", "sip:100@10.0.0.1", keep_alive_seconds=0)
ACCOUNT = Account("100", "secret", frozenset({"10.0.0.9"}))
CHALLENGE = 'WWW-Authenticate: Digest realm="pbx", nonce="abc", algorithm=SHA-256, qop="auth"'


def registering(line: Membership = LINE, **more: object) -> Peer:
    peer = Peer(accounts=(ACCOUNT,), **more)
    peer.do("register", line)
    return peer


def last(peer: Peer) -> Request:
    message = peer.messages[-1]
    assert isinstance(message, Request)
    return message


def test_a_registration_is_taken_and_renewed_before_its_end() -> None:
    peer = registering()
    request = last(peer)
    assert (request.method, request.uri) == ("REGISTER", "sip:10.0.0.9")
    assert request.headers.get("To") == "<sip:100@10.0.0.9>"
    assert request.headers.get("Contact") == "<sip:100@10.0.0.1>;expires=600"
    assert peer.respond(200, "Expires: 300") == ["Registered 300"]
    # 32 s before its end, and up to a tenth of it earlier by chance.
    assert peer.wait(300)[0] == (253.0, ["> REGISTER 2"])
    assert last(peer).headers.get("Call-ID") == request.headers.get("Call-ID")


def test_the_expiry_of_the_own_contact_counts() -> None:
    peer = registering()
    contacts = "Contact: <sip:100@10.0.0.5>;expires=5, <sip:100@10.0.0.1>;expires=120"
    assert peer.respond(200, contacts, has_contact=False) == ["Registered 120"]


def test_a_challenge_is_answered_and_the_next_request_needs_none() -> None:
    peer = registering()
    assert peer.respond(401, CHALLENGE) == ["> REGISTER 2"]
    assert peer.respond(200, "Expires: 100") == ["Registered 100"]
    peer.wait(70)
    assert "nc=00000002" in (last(peer).headers.get("Authorization") or "")


def test_a_wrong_password_stops_it() -> None:
    peer = registering()
    peer.respond(401, CHALLENGE)
    assert peer.respond(401, CHALLENGE) == ["RegistrationFailed 401 Whatever"]
    assert peer.wait(4000) == []


def test_an_interval_that_is_too_brief_is_raised() -> None:
    peer = registering()
    assert peer.respond(423, "Min-Expires: 1800") == ["> REGISTER 2"]
    assert last(peer).headers.get("Expires") == "1800"


def test_a_registrar_that_is_away_is_asked_again_at_growing_waits() -> None:
    peer = registering()
    out = peer.wait(32.1)
    assert out[-1] == (32.0, ["RegistrationFailed 408 22.5"])
    assert peer.wait(23)[0] == (22.4, ["> REGISTER 2"])
    assert peer.respond(503) == ["RegistrationFailed 503 Whatever 45.0"]
    peer.wait(45.1)
    assert peer.respond(503, "Retry-After: 600") == ["RegistrationFailed 503 Whatever 600"]


def test_the_next_registrar_is_asked_when_one_is_away() -> None:
    peer = Peer(accounts=(ACCOUNT,))
    peer.do("register", Membership("pbx", "sip:pbx.example.com", "sip:100@pbx.example.com", "sip:100@10.0.0.1"))
    hops = (Hop("udp", "10.0.0.2", 5060), Hop("udp", "10.0.0.3", 5060))
    lookup = Resolve("pbx.example.com", None, None, False)
    assert peer.take(peer.agent.resolved(lookup, hops, 0.0)) == ["> REGISTER 1"]
    # There is another place: nobody waits for the first until the end.
    assert peer.wait(5.1)[-1] == (5.0, ["> REGISTER 1"])
    assert peer.last_hop == hops[1]
    assert peer.respond(200, "Expires: 600") == ["Registered 600"]


def test_it_is_renewed_at_once_when_the_network_is_back() -> None:
    peer = registering()
    peer.respond(200, "Expires: 600")
    assert peer.do("register_again") == ["> REGISTER 2"]
    assert peer.do("register_again") == []


def test_it_is_taken_back() -> None:
    peer = registering()
    peer.respond(200, "Expires: 600")
    assert peer.do("unregister", "pbx") == ["> REGISTER 2"]
    assert last(peer).headers.get("Expires") == "0"
    assert peer.respond(200) == ["Registered"]
    assert peer.wait(4000) == []


def test_calls_from_the_registrar_are_let_in_though_its_address_is_not_listed() -> None:
    peer = Peer(rules=Rules(), accounts=(ACCOUNT,))
    assert peer.request("INVITE", body=b"offer") == []
    peer.do("register", LINE)
    assert peer.respond(200, "Expires: 600") == ["Registered 600"]
    assert peer.request("INVITE", body=b"offer") == ["Invited sip:me@10.0.0.1 offer"]


def test_the_way_back_through_a_nat_is_kept_open() -> None:
    peer = registering(msgspec.structs.replace(LINE, keep_alive_seconds=25.0))
    peer.respond(200, "Expires: 600")
    assert peer.wait(60) == [(25.0, ["> nothing"]), (50.0, ["> nothing"])]
    assert peer.last_hop == Hop("udp", "10.0.0.9", 5060)
    peer.do("unregister", "pbx")
    peer.respond(200)
    assert peer.wait(60) == []


def test_calls_from_another_address_of_the_registrar_are_let_in() -> None:
    peer = Peer(host="10.0.0.3", rules=Rules())
    peer.do("register", Membership("pbx", "sip:pbx.example.com", "sip:100@pbx.example.com", "sip:100@10.0.0.1"))
    hops = (Hop("udp", "10.0.0.3", 5060), Hop("udp", "10.0.0.4", 5060))
    peer.take(peer.agent.resolved(Resolve("pbx.example.com", None, None, False), hops, 0.0))
    peer.respond(200, "Expires: 600")
    peer.source = hops[1]
    assert peer.request("INVITE", body=b"offer") == ["Invited sip:me@10.0.0.1 offer"]


def test_a_lost_connection_is_registered_anew() -> None:
    peer = Peer(accounts=(ACCOUNT,), transport="tcp")
    line = msgspec.structs.replace(LINE, registrar="sip:10.0.0.9;transport=tcp")
    peer.do("register", line)
    peer.respond(200, "Expires: 600")
    hop = Hop("tcp", "10.0.0.9", 5060)
    assert peer.take(peer.agent.unreachable(hop, 1.0)) == ["> REGISTER 2"]
    assert peer.take(peer.agent.unreachable(hop, 2.0)) == ["RegistrationFailed 503 22.5"]


def test_headers_that_make_no_sense_are_left_out() -> None:
    peer = registering()
    assert peer.respond(423, "Min-Expires: soon") == ["RegistrationFailed 423 Whatever 22.5"]
    peer.wait(22.6)
    assert peer.respond(500, "Retry-After: later") == ["RegistrationFailed 500 Whatever 45.0"]
    peer.wait(45.1)
    assert peer.respond(200, "Contact: <sip:100@10.0.0.1>;expires=x", has_contact=False) == ["Registered 600"]


def test_a_registration_is_taken_back_though_the_registrar_is_away() -> None:
    peer = registering()
    assert peer.do("unregister", "pbx") == ["> REGISTER 2"]
    assert peer.wait(33)[-1] == (32.0, ["Registered"])
    assert peer.do("unregister", "pbx") == []
