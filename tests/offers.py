"""Offers as browsers make them, shortened where lines repeat."""

from __future__ import annotations

UFRAG, PASSWORD = "4ZcD", "2/1muCWoOi3uLifh0NuRHlxz"
FINGERPRINT = ":".join(f"{each:02X}" for each in range(32))

_TRANSPORT = f"""a=ice-ufrag:{UFRAG}
a=ice-pwd:{PASSWORD}
a=ice-options:trickle
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
"""

CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS 8a4c3b1e
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
{_TRANSPORT}a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:8a4c3b1e 5c7dd9a0
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1001 cname:JmXQ
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
{_TRANSPORT}a=mid:1
a=sctp-port:5000
a=max-message-size:262144
"""
"""Chromium, with a microphone and a data channel."""

FIREFOX = f"""v=0
o=mozilla...THIS_IS_SDPARTA-99.0 5223456 0 IN IP4 0.0.0.0
s=-
t=0 0
a=fingerprint:sha-256 {FINGERPRINT}
a=group:BUNDLE 0 1
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 0.0.0.0
a=sendrecv
a=ice-pwd:{PASSWORD}
a=ice-ufrag:{UFRAG}
a=mid:0
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=setup:actpass
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=sendrecv
a=ice-pwd:{PASSWORD}
a=ice-ufrag:{UFRAG}
a=mid:1
a=setup:actpass
a=sctp-port:5000
a=max-message-size:1073741823
"""
"""Firefox, which tells its certificate once for all sections."""

VIDEO = f"""m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 0.0.0.0
{_TRANSPORT}a=mid:2
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
"""
"""A camera's section, as Chromium adds it."""


def with_video_first(offer: str) -> str:
    """Return an offer whose bundle begins with a camera."""
    return offer.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 2 0 1").replace("m=audio", VIDEO + "m=audio", 1)
