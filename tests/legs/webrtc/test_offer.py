"""What is made of browsers' offers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers import CHROMIUM, FINGERPRINT, FIREFOX, PASSWORD, UFRAG, with_video_first
from vivavoce.legs.webrtc.ice import Credentials
from vivavoce.legs.webrtc.offer import Candidate, Codec, Fingerprint, OfferError, parse, parse_candidate


def test_chromium_is_understood() -> None:
    offer = parse(CHROMIUM)
    assert (offer.audio, offer.application, offer.bundle, offer.is_lite) == (0, 1, ("0", "1"), False)
    assert offer.codec == Codec(111, "opus", 48_000)
    assert offer.digits == (Codec(110, "telephone-event", 48_000),)
    assert offer.transport.credentials == Credentials(UFRAG, PASSWORD)
    assert offer.transport.fingerprints == (Fingerprint("sha-256", FINGERPRINT),)
    assert offer.sections[1].max_message_bytes == 262_144


def test_firefox_is_understood_and_its_keys_have_another_clock() -> None:
    offer = parse(FIREFOX)
    assert (offer.codec, offer.digits) == (Codec(109, "opus", 48_000), ())
    assert offer.transport.fingerprints == (Fingerprint("sha-256", FINGERPRINT),)


def test_without_opus_it_is_g711_and_its_keys() -> None:
    offer = parse(CHROMIUM.replace("opus/48000/2", "speex/32000"))
    assert offer.codec == Codec(0, "pcmu", 8000)
    assert offer.digits == (Codec(126, "telephone-event", 8000),)


def test_static_payload_types_need_no_description() -> None:
    offer = parse(CHROMIUM.replace("111 63 9 0 8 13 110 126", "8").replace("a=rtpmap:8 PCMA/8000\n", ""))
    assert offer.codec == Codec(8, "pcma", 8000)


def test_cameras_are_passed_over_even_where_they_come_first() -> None:
    offer = parse(with_video_first(CHROMIUM))
    assert [section.kind for section in offer.sections] == ["video", "audio", "application"]
    assert (offer.audio, offer.application) == (1, 2)


def test_sections_that_were_taken_back_are_not_accepted_unless_they_live_in_the_bundle() -> None:
    gone = CHROMIUM.replace("m=application 9", "m=application 0")
    assert parse(gone).application is None
    assert parse(gone.replace("a=sctp-port", "a=bundle-only\na=sctp-port")).application == 1


def test_a_data_channel_with_a_transport_of_its_own_is_not_accepted() -> None:
    assert parse(CHROMIUM.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0")).application is None


def test_a_data_channel_alone_is_accepted() -> None:
    offer = parse(CHROMIUM.replace("m=audio 9", "m=audio 0"))
    assert (offer.audio, offer.application, offer.transport.kind) == (None, 1, "application")


def test_old_data_channels_tell_their_port_in_the_first_line() -> None:
    section = parse(CHROMIUM.replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5001")).sections[1]
    assert (section.is_legacy_sctp, section.sctp_port) == (True, 5001)


def test_a_party_that_does_not_say_takes_messages_of_64_kib() -> None:
    offer = parse(CHROMIUM.replace("a=max-message-size:262144\n", ""))
    assert offer.sections[1].max_message_bytes == 65_536


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("candidate:1 1 udp 2122260223 192.0.2.4 50000 typ host", Candidate("192.0.2.4", 50_000)),
        ("a=candidate:1 1 UDP 1 2001:db8::1 9 typ host", Candidate("2001:db8::1", 9)),
        ("candidate:2 1 udp 2113937151 9b36eaac.local 56545 typ host", Candidate("9b36eaac.local", 56_545)),
        ("candidate:3 1 tcp 1518280447 192.0.2.4 9 typ host tcptype active", None),
        ("candidate:1 1 udp 1 192.0.2.4 70000 typ host", None),
        ("candidate:", None),
        ("", None),
    ],
)
def test_candidates(line: str, found: Candidate | None) -> None:
    assert parse_candidate(line) == found


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        ("", "no SDP"),
        ("hello", "no SDP"),
        ("v=0\n", "no m-line"),
        ("v=0\nm=audio\n", "m-line that cannot be read"),
        ("v=0\nm=audio x UDP/TLS/RTP/SAVPF 0\n", "m-line that cannot be read"),
        ("v=0\n" + "a" * 200_000, "longer than"),
        ("v=0\n" + "m=audio 9 RTP/AVP 0\n" * 65, "more than 64"),
        (CHROMIUM.replace("m=audio 9", "m=audio 0").replace("m=application 9", "m=application 0"), "neither audio"),
        (CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP").replace("UDP/DTLS", "TCP/DTLS"), "not secured"),
        (CHROMIUM.replace("a=ice-pwd", "a=x"), "a=ice-ufrag"),
        (CHROMIUM.replace(PASSWORD, "short"), "a=ice-ufrag"),
        (CHROMIUM.replace("a=fingerprint:sha-256", "a=fingerprint:md5"), "a=fingerprint"),
        (CHROMIUM.replace("a=setup:actpass", "a=setup:holdconn"), "a=setup:holdconn"),
        (CHROMIUM[: CHROMIUM.index("m=application")].replace("a=rtcp-mux\n", ""), "a=rtcp-mux"),
        (
            CHROMIUM[: CHROMIUM.index("m=application")].replace("111 63 9 0 8 13 110 126", "9 13"),
            "none of the codecs",
        ),
    ],
)
def test_what_cannot_be_answered_is_told(offer: str, why: str) -> None:
    with pytest.raises(OfferError, match=why):
        parse(offer)


@given(st.lists(st.tuples(st.integers(0, len(CHROMIUM)), st.integers(0, 40), st.text(max_size=12)), max_size=8))
def test_damaged_offers_are_read_or_refused(cuts: list[tuple[int, int, str]]) -> None:
    text = CHROMIUM
    for at, length, instead in cuts:
        text = text[:at] + instead + text[at + length :]
    try:
        parse(text)
    except OfferError:
        pass
