"""Transfers, asked for by either side."""

from __future__ import annotations

import pytest

from signallers import ANSWER, OFFER, Peer, Wire
from vivavoce.sip import effects as ef
from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.message import Request
from vivavoce.sip.offers import CallStateError

TO = "Refer-To: <sip:other@10.0.0.7>"


def notice(peer: Peer, line: str, state: str = "active;expires=60") -> list[str]:
    fields = ("Event: refer", f"Subscription-State: {state}")
    return peer.request("NOTIFY", *fields, body=line.encode() + b"\r\n", kind="message/sipfrag;version=2.0")


def last_notify(peer: Peer) -> tuple[str, str, bytes]:
    notify = next(each for each in reversed(peer.messages) if isinstance(each, Request) and each.method == "NOTIFY")
    return notify.headers.get("Event") or "", notify.headers.get("Subscription-State") or "", notify.body


def test_a_transfer_that_the_other_side_asks_for_is_followed_and_reported() -> None:
    peer = Peer()
    call = peer.call()
    assert peer.request("REFER", TO, "Referred-By: <sip:peer@x>") == [
        "TransferRequested 1transfer1 sip:other@10.0.0.7 <sip:peer@x>"
    ]
    assert peer.do("follow", call, "1transfer1") == ["> 202 REFER 2", "> NOTIFY 1 [SIP/2.0 100 Trying\r\n]"]
    assert last_notify(peer) == ("refer", "active;expires=180", b"SIP/2.0 100 Trying\r\n")
    peer.respond(200)
    assert peer.do("report", call, "1transfer1", 180) == ["> NOTIFY 2 [SIP/2.0 180 Ringing\r\n]"]
    peer.respond(200)
    assert peer.do("report", call, "1transfer1", 200) == ["> NOTIFY 3 [SIP/2.0 200 OK\r\n]"]
    assert last_notify(peer)[1] == "terminated;reason=noresource"
    assert peer.do("report", call, "1transfer1", 200) == []


def test_a_second_transfer_is_told_from_the_first_by_its_number() -> None:
    peer = Peer()
    call = peer.call()
    peer.request("REFER", TO)
    assert peer.do("decline", call, "1transfer1") == ["> 603 REFER 2"]
    peer.request("REFER", TO)
    peer.do("follow", call, "1transfer2")
    assert last_notify(peer)[0] == "refer;id=3"


def test_who_wants_no_reports_gets_none() -> None:
    peer = Peer()
    call = peer.call()
    peer.request("REFER", TO, "Refer-Sub: false", "Supported: norefersub")
    assert peer.do("follow", call, "1transfer1") == ["> 202 REFER 2"]
    assert peer.messages[-1].headers.get("Refer-Sub") == "false"
    assert peer.do("report", call, "1transfer1", 200) == []


def test_a_transfer_without_a_target_is_refused() -> None:
    peer = Peer()
    peer.call()
    assert peer.request("REFER") == ["> 400 REFER 2"]
    assert peer.request("REFER", "Refer-To: <sip:a@b;method=BYE>") == ["> 603 REFER 3"]


def test_what_is_not_asked_cannot_be_followed() -> None:
    peer = Peer()
    call = peer.call()
    with pytest.raises(CallStateError):
        peer.do("follow", call, "1transfer9")


def test_the_replaces_of_an_attended_transfer_is_told() -> None:
    peer = Peer()
    peer.call()
    told = peer.request("REFER", "Refer-To: <sip:other@10.0.0.7?Replaces=abc%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>")
    assert told == ["TransferRequested 1transfer1 sip:other@10.0.0.7 abc@x;to-tag=1;from-tag=2"]


def test_the_call_that_is_dialled_for_a_transfer_reports_by_itself() -> None:
    wire = Wire()
    alice, bob, carol = (wire.agent(f"10.0.0.{n}") for n in (1, 2, 3))
    call = alice.dial("sip:bob@10.0.0.2")
    wire.run(0.05)
    theirs = bob.last(ef.Invited).call
    bob.do("accept", theirs, ANSWER)
    wire.run(0.1)
    alice.do("refer", call, "sip:carol@10.0.0.3")
    wire.run(0.1)
    asked = bob.last(ef.TransferRequested)
    bob.do("follow", theirs, asked.transfer)
    bob.dial(asked.target, transfer=(theirs, asked.transfer))
    wire.run(0.1)
    third = carol.last(ef.Invited).call
    carol.do("ring", third)
    wire.run(0.1)
    carol.do("accept", third, ANSWER)
    wire.run(0.1)
    assert alice.news[-3:] == ["Transferred 100", "Transferred 180", "Transferred 200 True"]
    alice.do("hang_up", call)
    wire.run(1)
    assert bob.news[-1] == "CallEnded hung up"
    assert len(bob.agent.calls) == 1


def test_an_attended_transfer_replaces_the_call_it_names() -> None:
    """Alice talks to Bob and to Carol, and connects them: Bob's new call takes the place of Carol's with Alice."""
    wire = Wire()
    alice, bob, carol = (wire.agent(f"10.0.0.{n}") for n in (1, 2, 3))
    for phone in (bob, carol):

        def accept(event: ef.Event, phone: object = phone) -> None:
            if isinstance(event, ef.Invited):
                (bob if phone is bob else carol).do("accept", event.call, ANSWER)

        phone.on_news = accept
    first, second = alice.dial("sip:bob@10.0.0.2"), alice.dial("sip:carol@10.0.0.3")
    wire.run(0.2)
    alice.do("refer", first, alice.agent.target_of(second), replacing=second)
    wire.run(0.1)
    asked = bob.last(ef.TransferRequested)
    theirs = bob.events[0].call
    bob.do("follow", theirs, asked.transfer)
    bob.dial(asked.target, OFFER, replaces=asked.replaces, transfer=(theirs, asked.transfer))
    wire.run(1)
    assert carol.news == [
        "Invited sip:carol@10.0.0.3 offer",
        "Answered",
        f"Invited sip:carol@10.0.0.3 offer {carol.events[0].call}",
        "CallEnded replaced",
        "Answered",
    ]
    assert alice.news[-2:] == ["CallEnded hung up", "Transferred 200 True"]


def test_a_replaces_that_names_no_call_is_refused() -> None:
    peer = Peer()
    peer.call()
    peer.to_tag, peer.call_id = "", "another"
    assert peer.request("INVITE", "Replaces: x;to-tag=1;from-tag=2", body=OFFER) == ["> 481 INVITE 2"]


def test_this_side_asks_for_a_transfer_and_hears_how_it_goes() -> None:
    peer = Peer()
    call = peer.call()
    assert peer.do("refer", call, "sip:other@10.0.0.7") == ["> REFER 1"]
    refer = peer.messages[-1]
    assert refer.headers.get("Refer-To") == "<sip:other@10.0.0.7>"
    assert refer.headers.get("Referred-By") == "<sip:me@10.0.0.1>"
    with pytest.raises(CallStateError):
        peer.do("refer", call, "sip:other@10.0.0.7")
    assert peer.respond(202) == []
    assert notice(peer, "SIP/2.0 100 Trying") == ["> 200 NOTIFY 2", "Transferred 100"]
    assert notice(peer, "SIP/2.0 486 Busy", "terminated;reason=noresource") == [
        "> 200 NOTIFY 3",
        "Transferred 486 True",
    ]
    assert notice(peer, "SIP/2.0 200 OK") == ["> 481 NOTIFY 4"]


def test_a_transfer_that_is_refused_is_told() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("refer", call, "sip:other@10.0.0.7")
    assert peer.respond(603) == ["Transferred 603 True"]


def test_a_transfer_of_which_nothing_is_heard_is_given_up() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("refer", call, "sip:other@10.0.0.7")
    peer.respond(202)
    assert peer.wait(181) == [(180.0, ["Transferred 408 True"])]


def test_a_transfer_leads_to_a_sip_address() -> None:
    peer = Peer()
    call = peer.call()
    with pytest.raises(MalformedMessage):
        peer.do("refer", call, "no address")


def test_events_that_nobody_asked_for_are_refused() -> None:
    peer = Peer()
    peer.call()
    told = peer.request("NOTIFY", "Event: presence", "Subscription-State: active")
    assert told == ["> 489 NOTIFY 2"]


def test_a_transfer_that_nobody_answers_is_told() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("refer", call, "sip:other@10.0.0.7")
    assert peer.wait(32.1)[-1] == (32.0, ["Transferred 408 True"])


def test_a_transfer_that_is_done_in_silence_is_over_when_it_is_accepted() -> None:
    peer = Peer()
    call = peer.call()
    peer.do("refer", call, "sip:other@10.0.0.7")
    assert peer.respond(202, "Refer-Sub: false") == ["Transferred 202 True"]


def test_a_transfer_that_nobody_has_decided_on_ends_with_the_call() -> None:
    peer = Peer()
    peer.call()
    peer.request("REFER", TO)
    assert peer.request("BYE") == ["> 200 BYE 3", "> 487 REFER 2", "CallEnded hung up"]
    assert peer.agent.calls == ()


def test_a_call_that_failed_is_reported_to_whom_wanted_it() -> None:
    peer = Peer()
    call = peer.call()
    peer.request("REFER", TO)
    peer.do("follow", call, "1transfer1")
    peer.respond(200)
    third = peer.dial("sip:other@10.0.0.9", transfer=(call, "1transfer1"))
    assert peer.respond(486) == ["> ACK 1", "CallEnded rejected 486 Whatever", "> NOTIFY 2 [SIP/2.0 486 Busy Here\r\n]"]
    assert third not in peer.agent.calls
