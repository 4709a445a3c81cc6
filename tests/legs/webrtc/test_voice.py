"""Both voices of a call, and what two such ends tell each other of them."""

from __future__ import annotations

import pytest

from browsers import Owner
from offers import CHROMIUM
from vivavoce.legs.webrtc.offer import parse
from vivavoce.legs.webrtc.quality import Quality
from vivavoce.legs.webrtc.settings import WebrtcSettings
from vivavoce.legs.webrtc.voice import Voice
from vivavoce.rtp import rtcp

SPEECH = bytes(range(256)) * 75


def made(ssrc: int, direction: str = "sendrecv") -> Voice:
    voice = Voice(parse(CHROMIUM), WebrtcSettings(), ssrc, f"name {ssrc}")
    voice.direction = direction  # type: ignore[assignment]
    return voice


def test_before_anything_has_come_nothing_is_known() -> None:
    assert made(1).quality(None) == Quality()
    assert made(1).quality(0.04) == Quality(round_trip_ms=40.0)


def test_what_one_says_the_other_hears_and_reports() -> None:
    near, far = made(1), made(2)
    near_owner, far_owner = Owner(), Owner()
    near.out.play("item_1", SPEECH)
    near.out.end_item("item_1")
    now = 0.0
    for number in range(100):
        now = number / 50
        packet, reply = near.next_packet(near_owner), far.next_packet(far_owner)
        if number % 10 != 9:
            far.receive(packet, far_owner, now)
        near.receive(reply, near_owner, now)
        far.receive_time(far_owner, now)
        if number % 50 == 25:
            far.receive_reports(near.report(now), now)
            near.receive_reports(far.report(now), now + 0.05)
    assert near_owner.told == [("started", "item_1"), ("played", "item_1")]
    assert len(far_owner.heard) == pytest.approx(2 * 48_000, rel=0.05)
    near_told, far_told = near.quality(None), far.quality(None)
    assert far_told.loss_ratio == pytest.approx(0.1, abs=0.02)
    assert far_told.packets_received == 90
    assert far_told.concealed_ms == pytest.approx(200, abs=25)
    assert near_told.loss_ratio == 0.0
    assert near_told.remote_loss_ratio == pytest.approx(0.1, abs=0.03)
    assert near_told.round_trip_ms == pytest.approx(50, abs=1)
    assert near_told.packets_sent == 100


def test_a_party_that_does_not_want_to_hear_is_told_of_no_stream() -> None:
    voice = made(1, "recvonly")
    assert not voice.is_sending
    voice.next_packet(Owner())
    reports = rtcp.parse(voice.report(1.0, leaves=True))
    assert reports is not None
    assert [type(report).__name__ for report in reports] == ["ReceiverReport", "Description", "Goodbye"]


def test_nonsense_reports_are_passed_over() -> None:
    voice = made(1)
    voice.receive_reports(b"\x80\xc8\0\1abcd", 1.0)
    assert voice.quality(None) == Quality()
