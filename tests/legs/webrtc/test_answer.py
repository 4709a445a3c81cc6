"""What offers are answered."""

from __future__ import annotations

import aiortc.sdp
import pytest

from offers import CHROMIUM, FIREFOX, with_video_first
from vivavoce.legs.webrtc.answer import Answer, build
from vivavoce.legs.webrtc.ice import Credentials
from vivavoce.legs.webrtc.offer import Fingerprint, parse

ANSWER = Answer(
    session_id=7,
    version=1,
    addresses=(("203.0.113.7", 3478), ("2001:db8::7", 3478)),
    credentials=Credentials("abcd", "p" * 24),
    fingerprint=Fingerprint("sha-256", "AB:CD"),
    setup="active",
    ssrc=99,
    cname="name",
    max_message_bytes=262_144,
)


def test_chromium_is_answered_line_by_line() -> None:
    transport = [
        "a=ice-ufrag:abcd",
        "a=ice-pwd:" + "p" * 24,
        "a=fingerprint:sha-256 AB:CD",
        "a=setup:active",
        "a=candidate:1 1 udp 2130706431 203.0.113.7 3478 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::7 3478 typ host",
        "a=end-of-candidates",
    ]
    assert build(parse(CHROMIUM), ANSWER).split("\r\n") == [
        "v=0",
        "o=- 7 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=msid-semantic: WMS *",
        "m=audio 3478 UDP/TLS/RTP/SAVPF 111 110",
        "c=IN IP4 203.0.113.7",
        "a=mid:0",
        *transport,
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1;stereo=0;sprop-stereo=0",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:110 0-15",
        "a=ptime:20",
        "a=maxptime:120",
        "a=msid:name name-audio",
        "a=ssrc:99 cname:name",
        "m=application 3478 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 203.0.113.7",
        "a=mid:1",
        *transport,
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "",
    ]


def test_cameras_are_refused_and_leave_the_bundle() -> None:
    lines = build(parse(with_video_first(CHROMIUM)), ANSWER).split("\r\n")
    assert "a=group:BUNDLE 0 1" in lines
    at = lines.index("m=video 0 UDP/TLS/RTP/SAVPF 96 97")
    refused = ["c=IN IP4 0.0.0.0", "a=mid:2", "a=inactive"]
    assert lines[at + 1 : at + 5] == [*refused, "m=audio 3478 UDP/TLS/RTP/SAVPF 111 110"]


@pytest.mark.parametrize(
    ("offered", "answered", "names_a_stream"),
    [("sendonly", "recvonly", False), ("recvonly", "sendonly", True), ("inactive", "inactive", False)],
)
def test_directions_are_turned_round(offered: str, answered: str, names_a_stream: bool) -> None:
    lines = build(parse(CHROMIUM.replace("a=sendrecv", f"a={offered}")), ANSWER).split("\r\n")
    assert f"a={answered}" in lines
    assert any(line.startswith("a=msid:") for line in lines) == names_a_stream


@pytest.mark.parametrize("offer", [CHROMIUM, FIREFOX, with_video_first(FIREFOX)])
def test_another_implementation_reads_the_answer(offer: str) -> None:
    read = aiortc.sdp.SessionDescription.parse(build(parse(offer), ANSWER))
    assert [media.kind for media in read.media] == [section.kind for section in parse(offer).sections]
    audio = next(media for media in read.media if media.kind == "audio")
    assert (audio.port, audio.ice.usernameFragment, audio.dtls.role) == (3478, "abcd", "client")
    assert len(audio.ice_candidates) == 2
    assert audio.ice_candidates_complete
