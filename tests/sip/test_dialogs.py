"""The way between two ends, their order, and how both change."""

from __future__ import annotations

from signallers import ANSWER, HELD, HOLD, Peer
from vivavoce.sip.effects import Hop
from vivavoce.sip.message import Request

NAT = "10.0.0.66"


def test_requests_to_a_caller_behind_a_nat_go_where_its_own_came_from() -> None:
    peer = Peer(host=NAT, port=61000)
    peer.place = "192.168.0.4:5060"
    call = peer.invite()
    peer.do("accept", call, ANSWER)
    assert peer.last_hop == Hop("udp", NAT, 61000)
    peer.learn_tag()
    peer.request("ACK", number=1)
    peer.do("offer", call, HOLD)
    assert peer.last_hop == Hop("udp", NAT, 61000)


def test_a_caller_behind_a_nat_that_moves_is_followed() -> None:
    peer = Peer(transport="tcp", port=50000)
    call = peer.call()
    peer.source = Hop("tcp", "10.0.0.9", 50001)
    peer.request("UPDATE")
    peer.do("hang_up", call)
    assert peer.last_hop == Hop("tcp", "10.0.0.9", 50001)


def test_a_caller_that_is_reachable_is_called_at_its_contact() -> None:
    peer = Peer()
    call = peer.invite("Contact: <sip:peer@10.0.0.12:5090>")
    peer.do("accept", call, ANSWER)
    peer.learn_tag()
    peer.request("ACK", number=1)
    peer.do("hang_up", call)
    assert peer.last_hop == Hop("udp", "10.0.0.12", 5090)


def test_a_name_in_a_contact_is_looked_up_for_each_request_once() -> None:
    peer = Peer()
    call = peer.invite("Contact: <sip:peer@phone.example.com>")
    peer.do("accept", call, ANSWER)
    peer.learn_tag()
    peer.request("ACK", number=1)
    assert peer.do("offer", call, HOLD) == ["Resolve phone.example.com"]
    lookup = peer.me.events[-1]
    hop = Hop("udp", "10.0.0.13", 5060)
    assert peer.take(peer.agent.resolved(lookup, (hop,), 0.0)) == ["> INVITE 1 [hold]"]
    assert peer.respond(200, body=HELD) == ["> ACK 1", "AnswerReceived held"]


def test_requests_of_this_side_count_up() -> None:
    peer = Peer()
    call = peer.call()
    assert peer.do("inform", call, "application/dtmf-relay", b"Signal=1") == ["> INFO 1 [Signal=1]"]
    assert peer.do("inform", call, "application/dtmf-relay", b"Signal=2") == ["> INFO 2 [Signal=2]"]
    assert peer.do("hang_up", call) == ["> BYE 3", "CallEnded ended here"]


def test_requests_within_a_call_say_who_sends_them_and_to_whom() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("hang_up", call)
    bye = peer.messages[-1]
    assert isinstance(bye, Request)
    assert bye.uri == "sip:peer@10.0.0.9:5060"
    assert bye.headers.without("Via").fields == (
        ("Max-Forwards", "70"),
        ("From", "<sip:me@10.0.0.1>;tag=1tag1"),
        ("To", "<sip:peer@10.0.0.9>;tag=peer"),
        ("Call-ID", "call@peer"),
        ("CSeq", "1 BYE"),
        ("Content-Length", "0"),
    )
