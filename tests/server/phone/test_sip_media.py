"""What the media process is told of an agreement."""

from __future__ import annotations

import base64

import pytest

from vivavoce.legs.phone import wire
from vivavoce.server.phone.sip_media import directed
from vivavoce.sip.negotiation import MediaTerms, Negotiation, Place

KEY = base64.b64encode(bytes(range(30))).decode()


def told(*lines: str) -> wire.Direct:
    call = Negotiation(MediaTerms(), Place("192.0.2.1", 20_000), 1, lambda: bytes(30))
    head = "v=0\r\nc=IN IP4 192.0.2.9\r\n"
    _, stream = call.answer((head + "".join(f"{line}\r\n" for line in lines)).encode())
    return directed(3, stream, 60.0)


def test_an_agreement_is_told_with_its_codec_and_keys() -> None:
    assert told("m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000") == wire.Direct(
        call=3,
        host="192.0.2.9",
        port=4000,
        codec="pcma",
        payload_type=8,
        keys_type=101,
        keys_clock_hz=8000,
        noise_type=13,
        sends=True,
        receives=True,
        rtcp_port=4001,
        sending=None,
        receiving=None,
        timeout_seconds=60.0,
        also_keys_type=101,
    )


def test_encryption_is_told_with_both_keys() -> None:
    order = told("m=audio 4000 RTP/SAVP 0", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")
    assert order.sending == wire.Secret("AES_CM_128_HMAC_SHA1_80", bytes(30))
    assert order.receiving == wire.Secret("AES_CM_128_HMAC_SHA1_80", bytes(range(30)))


@pytest.mark.parametrize(
    ("way", "sends", "receives"), [("sendonly", False, True), ("recvonly", True, False), ("inactive", False, False)]
)
def test_silence_ends_no_call_that_is_held(way: str, sends: bool, receives: bool) -> None:
    order = told("m=audio 4000 RTP/AVP 0", f"a={way}")
    assert (order.sends, order.receives, order.timeout_seconds) == (sends, receives, 0)
