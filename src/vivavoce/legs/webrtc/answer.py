"""The answer to an offer: SDP that accepts its audio and its data channel and refuses the rest.

Pure.  Called by `peer`.
"""

from __future__ import annotations

import msgspec

from .ice import Credentials
from .offer import Codec, Direction, Fingerprint, Offer, Section

__all__ = ["Answer", "answered_direction", "build"]

_HOST_PREFERENCE = 126 << 24
_COMPONENT_RTP = 1
_REVERSED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What this side says of itself."""

    session_id: int
    """Stays the same for a call."""
    version: int
    """Grows with each answer of a call."""
    addresses: tuple[tuple[str, int], ...]
    """Hosts and ports that lead here, the best first."""
    credentials: Credentials
    """Of this side's ICE."""
    fingerprint: Fingerprint
    """Of this side's certificate."""
    setup: str
    """`active` or `passive`."""
    ssrc: int
    """Of the stream that is sent."""
    cname: str
    """Name of its source."""
    max_message_bytes: int
    """The longest message that is taken over a data channel."""


def answered_direction(offered: Direction) -> Direction:
    """Return which way audio goes, as this side sees it: whatever the party wants."""
    return _REVERSED[offered]


def build(offer: Offer, answer: Answer) -> str:
    """Return the answer's text."""
    accepted = [index for index in (offer.audio, offer.application) if index is not None]
    mids = [offer.sections[index].mid for index in sorted(accepted) if offer.sections[index].mid in offer.bundle]
    lines = [
        "v=0",
        f"o=- {answer.session_id} {answer.version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        *([f"a=group:BUNDLE {' '.join(mids)}"] if mids else []),
        "a=msid-semantic: WMS *",
    ]
    for index, section in enumerate(offer.sections):
        if index == offer.audio:
            lines += _audio(offer, section, answer)
        elif index == offer.application:
            lines += _application(section, answer)
        else:
            lines += _refused(section)
    return "\r\n".join(lines) + "\r\n"


def _audio(offer: Offer, section: Section, answer: Answer) -> list[str]:
    codecs = [offer.codec, *offer.digits]
    direction = answered_direction(section.direction)
    lines = [
        *_media("audio", section.profile, " ".join(str(codec.payload_type) for codec in codecs), section, answer),
        f"a={direction}",
        "a=rtcp-mux",
        *(line for codec in codecs for line in _codec(codec)),
        "a=ptime:20",
        "a=maxptime:120",
    ]
    if direction in ("sendrecv", "sendonly"):
        # Pages play `event.streams[0]`: without a stream's name it would be undefined there.
        lines += [f"a=msid:{answer.cname} {answer.cname}-audio", f"a=ssrc:{answer.ssrc} cname:{answer.cname}"]
    return lines


def _codec(codec: Codec) -> list[str]:
    number = codec.payload_type
    if codec.name == "opus":
        # Browsers send copies of packets against loss only to those who ask for them.
        return [
            f"a=rtpmap:{number} opus/48000/2",
            f"a=fmtp:{number} minptime=10;useinbandfec=1;stereo=0;sprop-stereo=0",
        ]
    if codec.name == "telephone-event":
        return [f"a=rtpmap:{number} telephone-event/{codec.clock_hz}", f"a=fmtp:{number} 0-15"]
    return [f"a=rtpmap:{number} {codec.name.upper()}/{codec.clock_hz}"]


def _application(section: Section, answer: Answer) -> list[str]:
    lines = _media("application", section.profile, section.formats, section, answer)
    if section.is_legacy_sctp:
        lines.append(f"a=sctpmap:{section.sctp_port} webrtc-datachannel 65535")
    else:
        lines.append("a=sctp-port:5000")
    return [*lines, f"a=max-message-size:{answer.max_message_bytes}"]


def _media(kind: str, profile: str, formats: str, section: Section, answer: Answer) -> list[str]:
    """Return the m-line of an accepted section and how it is reached."""
    host, port = answer.addresses[0]
    return [
        f"m={kind} {port} {profile} {formats}",
        f"c=IN {_family(host)} {host}",
        *([f"a=mid:{section.mid}"] if section.mid else []),
        f"a=ice-ufrag:{answer.credentials.ufrag}",
        f"a=ice-pwd:{answer.credentials.password}",
        f"a=fingerprint:{answer.fingerprint.algorithm} {answer.fingerprint.value}",
        f"a=setup:{answer.setup}",
        *(
            f"a=candidate:{index + 1} {_COMPONENT_RTP} udp {_priority(index)} {host} {port} typ host"
            for index, (host, port) in enumerate(answer.addresses)
        ),
        "a=end-of-candidates",
    ]


def _refused(section: Section) -> list[str]:
    return [
        f"m={section.kind} 0 {section.profile} {section.formats}",
        "c=IN IP4 0.0.0.0",
        *([f"a=mid:{section.mid}"] if section.mid else []),
        "a=inactive",
    ]


def _family(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


def _priority(index: int) -> int:
    """Return the priority of the candidate that comes so many after the best (RFC 8445 section 5.1.2.1)."""
    return _HOST_PREFERENCE | (65535 - index) << 8 | (256 - _COMPONENT_RTP)
