"""Calls that come in: an agent against a peer that says what the test says, one whole list of effects at a time."""

from __future__ import annotations

import pytest

from signallers import ANSWER, OFFER, Peer
from vivavoce.sip import effects as ef
from vivavoce.sip.errors import UnwritableMessage
from vivavoce.sip.message import Response
from vivavoce.sip.offers import CallStateError
from vivavoce.sip.terms import Terms

INVITED = "Invited sip:me@10.0.0.1 offer"


def test_a_call_rings_is_answered_and_hung_up_by_the_caller() -> None:
    peer = Peer()
    assert peer.request("INVITE", body=OFFER) == [INVITED]
    call = peer.me.last(ef.Invited).call
    assert peer.do("ring", call) == ["> 180 INVITE 1"]
    assert peer.do("accept", call, ANSWER) == ["> 200 INVITE 1 [answer]"]
    peer.learn_tag()
    assert peer.request("ACK", number=1) == ["Answered"]
    assert peer.request("BYE") == ["> 200 BYE 2", "CallEnded hung up"]
    assert peer.agent.calls == ()


def test_the_2xx_is_sent_again_until_its_ack_and_then_the_call_is_given_up() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("accept", call, ANSWER)
    again = [(at, ["> 200 INVITE 1 [answer]"]) for at in (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)]
    assert peer.wait(32.1) == [*again, (32.0, ["> BYE 1", "CallEnded unacknowledged"])]
    peer.respond(200)
    peer.wait(40)
    assert peer.agent.calls == ()
    assert peer.agent.deadline is None


def test_the_2xx_is_sent_again_on_a_connection_too() -> None:
    peer = Peer(transport="tcp")
    call = peer.invite()
    peer.do("accept", call, ANSWER)
    assert peer.wait(2) == [(0.5, ["> 200 INVITE 1 [answer]"]), (1.5, ["> 200 INVITE 1 [answer]"])]


def test_an_invite_that_comes_three_times_is_one_call() -> None:
    peer = Peer()
    assert peer.request("INVITE", body=OFFER) == [INVITED]
    for _ in range(2):
        assert peer.request("INVITE", body=OFFER, number=1, branch="z9hG4bKpeer1") == []
    peer.do("ring", peer.me.last(ef.Invited).call)
    assert peer.request("INVITE", body=OFFER, number=1, branch="z9hG4bKpeer1") == ["> 180 INVITE 1"]
    assert len(peer.agent.calls) == 1


def test_100_is_said_after_200_ms_without_another_word() -> None:
    peer = Peer()
    peer.invite()
    assert peer.wait(1) == [(0.2, ["> 100 INVITE 1"])]


def test_an_invite_that_came_by_another_way_is_refused_as_merged() -> None:
    peer = Peer()
    peer.invite()
    peer.number = 0
    assert peer.request("INVITE", body=OFFER) == ["> 482 INVITE 1"]
    assert len(peer.agent.calls) == 1


def test_a_caller_who_gives_up_while_it_rings() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("ring", call)
    assert peer.request("CANCEL", branch="z9hG4bKpeer1", number=1) == [
        "> 200 CANCEL 1",
        "> 487 INVITE 1",
        "CallEnded cancelled 487",
    ]
    assert peer.request("CANCEL", branch="z9hG4bKpeer1", number=1) == ["> 200 CANCEL 1"]
    assert peer.request("ACK", number=1) == []
    assert peer.agent.calls == ()
    assert peer.wait(40) == []
    assert peer.agent.deadline is None


def test_a_call_that_was_answered_elsewhere_is_told_from_one_that_was_given_up() -> None:
    peer = Peer()
    peer.invite()
    reason = 'Reason: SIP;cause=200;text="Call completed elsewhere"'
    assert peer.request("CANCEL", reason, branch="z9hG4bKpeer1", number=1)[2:] == [
        "CallEnded answered elsewhere 487 Call completed elsewhere"
    ]


def test_a_cancel_that_crosses_the_answer_changes_nothing() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("accept", call, ANSWER)
    assert peer.request("CANCEL", branch="z9hG4bKpeer1", number=1) == ["> 200 CANCEL 1"]
    assert peer.agent.calls == (call,)


def test_a_cancel_of_nothing_is_told_so() -> None:
    peer = Peer()
    assert peer.request("CANCEL", branch="z9hG4bKnothing", number=1) == ["> 481 CANCEL 1"]


def test_a_caller_without_magic_cookie_is_matched_by_the_rest() -> None:
    peer = Peer()
    assert peer.request("INVITE", body=OFFER, branch="1") == [INVITED]
    assert peer.request("INVITE", body=OFFER, branch="1", number=1) == []
    call = peer.me.last(ef.Invited).call
    assert peer.do("reject", call, 486) == ["> 486 INVITE 1", "CallEnded ended here 486"]
    peer.learn_tag()
    assert peer.request("ACK", branch="1", number=1) == []
    # A refusal that is confirmed is not sent again.
    assert peer.wait(40) == []


def test_a_refused_call_is_refused_until_the_ack() -> None:
    peer = Peer()
    call = peer.invite()
    assert peer.do("reject", call, 603, reason="Not now") == ["> 603 INVITE 1", "CallEnded ended here 603"]
    assert peer.wait(1) == [(0.5, ["> 603 INVITE 1"])]
    last = peer.messages[-1]
    assert isinstance(last, Response)
    assert last.reason == "Not now"
    peer.request("ACK", number=1, branch="z9hG4bKpeer1")
    assert peer.wait(40) == []


def test_a_call_can_be_sent_elsewhere() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("reject", call, 302, contacts=("sip:other@10.0.0.7",))
    assert peer.messages[-1].headers.get("Contact") == "<sip:other@10.0.0.7>"


def test_a_call_that_nobody_answers_ends() -> None:
    peer = Peer(terms=Terms(session_seconds=0, ring_seconds=30))
    call = peer.invite()
    peer.do("ring", call)
    assert peer.wait(30) == [(30.0, ["> 480 INVITE 1", "CallEnded no answer 480"])]


def test_a_caller_may_say_how_long_it_waits() -> None:
    peer = Peer()
    call = peer.invite("Expires: 5")
    peer.do("ring", call)
    assert peer.wait(6) == [(5.0, ["> 480 INVITE 1", "CallEnded no answer 480"]), (5.5, ["> 480 INVITE 1"])]


def test_a_late_offer_is_answered_in_the_ack() -> None:
    peer = Peer()
    assert peer.request("INVITE") == ["Invited sip:me@10.0.0.1"]
    call = peer.me.last(ef.Invited).call
    assert peer.do("accept", call, OFFER) == ["> 200 INVITE 1 [offer]"]
    peer.learn_tag()
    assert peer.request("ACK", number=1, body=ANSWER) == ["AnswerReceived answer", "Answered"]


def test_a_late_offer_that_is_never_answered_is_told() -> None:
    peer = Peer()
    peer.request("INVITE")
    call = peer.me.last(ef.Invited).call
    peer.do("accept", call, OFFER)
    peer.learn_tag()
    assert peer.request("ACK", number=1) == ["OfferDeclined 488", "Answered"]


def test_hanging_up_waits_for_the_ack() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("accept", call, ANSWER)
    peer.learn_tag()
    assert peer.do("hang_up", call) == ["CallEnded ended here"]
    assert peer.wait(0.6) == [(0.5, ["> 200 INVITE 1 [answer]"])]
    assert peer.request("ACK", number=1) == ["> BYE 1"]
    assert peer.respond(200) == []
    assert peer.agent.calls == ()


def test_hanging_up_without_any_ack_ends_after_64_times_t1() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("accept", call, ANSWER)
    peer.do("hang_up", call)
    assert peer.wait(32.1)[-1] == (32.0, ["> BYE 1"])


def test_the_caller_may_hang_up_before_the_answer_by_bye() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("ring", call)
    peer.learn_tag()
    assert peer.request("BYE") == ["> 487 INVITE 1", "> 200 BYE 2", "CallEnded hung up"]
    assert peer.agent.calls == ()


def test_two_byes_that_cross_are_both_answered() -> None:
    peer = Peer()
    call = peer.call()
    assert peer.do("hang_up", call) == ["> BYE 1", "CallEnded ended here"]
    assert peer.request("BYE") == ["> 200 BYE 2"]
    assert peer.respond(200) == []
    assert peer.agent.calls == ()


def test_a_bye_that_nobody_answers_ends_after_64_times_t1() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("hang_up", call)
    times = [at for at, _ in peer.wait(40)]
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert peer.agent.calls == ()
    assert peer.agent.deadline is None


def test_a_bye_out_of_order_does_not_end_the_call() -> None:
    peer = Peer()
    call = peer.call()
    assert peer.request("BYE", number=1) == ["> 500 BYE 1"]
    assert peer.agent.calls == (call,)


def test_a_request_with_a_strange_tag_is_told_that_there_is_no_such_call() -> None:
    peer = Peer()
    peer.call()
    peer.to_tag = "strange"
    assert peer.request("BYE") == ["> 481 BYE 2"]
    peer.learn_tag()


def test_a_request_with_another_caller_tag_is_not_of_the_call() -> None:
    peer = Peer()
    call = peer.call()
    peer.call_id = "other"
    assert peer.request("BYE") == ["> 481 BYE 2"]
    assert peer.agent.calls == (call,)


def test_keys_come_by_info() -> None:
    peer = Peer()
    peer.call()
    body = b"Signal=5\r\nDuration=160\r\n"
    assert peer.request("INFO", body=body, kind="application/dtmf-relay") == ["> 200 INFO 2", "DigitPressed 5 160"]
    assert peer.request("INFO", body=b"#", kind="application/dtmf") == ["> 200 INFO 3", "DigitPressed #"]
    assert peer.request("INFO", body=b"Signal=10", kind="application/dtmf-relay") == ["> 200 INFO 4", "DigitPressed *"]
    assert peer.request("INFO", body=b"Signal=x", kind="application/dtmf-relay") == ["> 200 INFO 5"]
    assert peer.request("INFO") == ["> 200 INFO 6"]
    told = peer.request("INFO", body=b"<x/>", kind="application/media_control+xml")
    assert told == ["> 200 INFO 7", "InfoReceived application/media_control+xml <x/>"]


def test_options_and_strange_methods_within_a_call() -> None:
    peer = Peer()
    peer.call()
    assert peer.request("OPTIONS") == ["> 200 OPTIONS 2"]
    assert peer.request("MESSAGE", body=b"hi", kind="text/plain") == ["> 405 MESSAGE 3"]


def test_commands_that_a_call_cannot_follow_change_nothing() -> None:
    peer = Peer()
    call = peer.invite()
    with pytest.raises(CallStateError):
        peer.do("offer", call, OFFER)
    with pytest.raises(CallStateError):
        peer.do("answer", call, ANSWER)
    with pytest.raises(CallStateError):
        peer.do("reject", call, 200)
    with pytest.raises(CallStateError):
        peer.do("ring", call, status=200)
    with pytest.raises(CallStateError):
        peer.do("hang_up", "nobody")
    peer.do("accept", call, ANSWER)
    with pytest.raises(CallStateError):
        peer.do("accept", call, ANSWER)
    with pytest.raises(CallStateError):
        peer.do("ring", call)
    assert peer.agent.calls == (call,)


def test_a_reason_cannot_smuggle_a_header_in() -> None:
    peer = Peer()
    call = peer.invite()
    with pytest.raises(UnwritableMessage):
        peer.do("reject", call, 486, reason="Busy\r\nX-Evil: 1")


def test_the_answer_goes_where_the_request_came_from() -> None:
    peer = Peer(port=40000)
    peer.invite()
    peer.wait(0.3)
    assert peer.last_hop == ef.Hop("udp", "10.0.0.9", 40000)
    assert "rport=40000" in (peer.messages[-1].headers.get("Via") or "")


def test_requests_of_this_side_go_to_the_contact_or_through_the_nat() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("hang_up", call)
    assert peer.last_hop == ef.Hop("udp", "10.0.0.9", 5060)


def test_the_record_route_is_repeated_and_followed() -> None:
    peer = Peer()
    call = peer.invite("Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>")
    peer.do("accept", call, ANSWER)
    assert peer.messages[-1].headers.all("Record-Route") == ("<sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>",)
    peer.learn_tag()
    peer.request("ACK", number=1)
    peer.do("hang_up", call)
    assert peer.last_hop == ef.Hop("udp", "10.0.0.8", 5060)
    assert peer.messages[-1].headers.all("Route") == ("<sip:10.0.0.8;lr>", "<sip:10.0.0.7;lr>")


def test_a_strict_router_gets_its_own_address_as_the_target() -> None:
    peer = Peer()
    call = peer.invite("Record-Route: <sip:10.0.0.8>, <sip:10.0.0.7;lr>")
    peer.do("accept", call, ANSWER)
    peer.learn_tag()
    peer.request("ACK", number=1)
    peer.do("hang_up", call)
    bye = peer.messages[-1]
    assert getattr(bye, "uri", "") == "sip:10.0.0.8"
    assert bye.headers.all("Route") == ("<sip:10.0.0.7;lr>", "<sip:peer@10.0.0.9:5060>")
    assert peer.last_hop == ef.Hop("udp", "10.0.0.8", 5060)


def test_the_other_side_may_become_somebody_else() -> None:
    peer = Peer()
    peer.call()
    identity = "P-Asserted-Identity: <sip:carol@x>"
    assert peer.request("UPDATE", identity) == ["Identified <sip:carol@x>", "> 200 UPDATE 2"]
    assert peer.request("UPDATE", identity) == ["> 200 UPDATE 3"]


def test_a_call_that_is_being_left_takes_nothing_but_its_end() -> None:
    peer = Peer()
    call = peer.invite()
    peer.do("accept", call, ANSWER)
    peer.learn_tag()
    peer.do("hang_up", call)
    assert peer.request("INFO") == ["> 481 INFO 2"]
    assert peer.request("BYE") == ["> 200 BYE 3"]
    assert peer.agent.calls == ()
    assert peer.request("INFO") == ["> 481 INFO 4"]


def test_what_is_required_within_a_call_and_not_understood_is_named() -> None:
    peer = Peer()
    peer.call()
    assert peer.request("INFO", "Require: magic") == ["> 420 INFO 2"]
