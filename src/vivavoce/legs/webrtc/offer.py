"""A browser's offer (SDP, RFC 8866, as RFC 9429 uses it): read into what matters to a voice call.

Pure.  Reading is lenient where pages differ and strict where nothing could come of it: everything unknown is passed
over, and what cannot be answered is told in words.  `answer` writes what is said to it.  Called by `peer`.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from ...core.errors import VivavoceError
from .ice import Credentials

__all__ = [
    "Candidate",
    "Codec",
    "Direction",
    "Fingerprint",
    "Offer",
    "OfferError",
    "Section",
    "parse",
    "parse_candidate",
]

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
"""Which way audio goes, as the side that says it sees it."""

_DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")
_LONGEST_BYTES = 200_000
"""Browsers' offers take 2 to 10 kB."""
_MOST_SECTIONS = 64
_MOST_CANDIDATES = 64
_SECURED = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP")
_CHANNELS = ("UDP/DTLS/SCTP", "DTLS/SCTP")
_DIGESTS = ("sha-256", "sha-384", "sha-512")
_UFRAG = re.compile(r"[A-Za-z0-9+/_-]{4,256}")  # - and _ are not allowed, but some send them
_PASSWORD = re.compile(r"[A-Za-z0-9+/_-]{22,256}")
_DEFAULT_MESSAGE_BYTES = 65_536
"""What a party takes that does not say (RFC 8841 section 6.1)."""
_STATIC = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000)}
"""Payload types that need no description (RFC 3551)."""
_FAMILIES = {"opus": 48_000, "pcmu": 8000, "pcma": 8000}
"""The codecs that are understood, the best first, with their RTP clocks."""


class OfferError(VivavoceError):
    """An offer that cannot be answered; the message says why, for people to read."""


class Codec(msgspec.Struct, frozen=True):
    """One payload type of a section."""

    payload_type: int
    """Its number in RTP packets."""
    name: str
    """`opus`, `pcmu`, `telephone-event`, ..., in lower case."""
    clock_hz: int
    """Ticks of its timestamps in a second."""


class Fingerprint(msgspec.Struct, frozen=True):
    """What the party's certificate must hash to."""

    algorithm: str
    """`sha-256`, `sha-384` or `sha-512`."""
    value: str
    """Two capital hexadecimal digits for each byte, with colons between."""


class Candidate(msgspec.Struct, frozen=True):
    """An address the party may be at."""

    host: str
    """An IP address or a name."""
    port: int
    """The UDP port."""


class Section(msgspec.Struct, frozen=True):
    """One m-line and what belongs to it."""

    kind: str
    """`audio`, `video`, `application` or another."""
    profile: str
    """The transport, as the answer repeats it."""
    formats: str
    """What stands behind it, as a refusal repeats it."""
    mid: str
    """The name of the section; empty if it has none."""
    is_offered: bool
    """Port 0 takes a section back, unless it lives in the bundle alone."""
    direction: Direction
    """As the party sees it."""
    codecs: tuple[Codec, ...]
    """In the order of preference."""
    credentials: Credentials | None
    """Of its ICE; None if neither the section nor the session tells."""
    fingerprints: tuple[Fingerprint, ...]
    """Of the party's certificate, in every algorithm that is known here."""
    setup: str
    """`actpass`, `active` or `passive`: who begins DTLS."""
    candidates: tuple[Candidate, ...]
    """UDP alone."""
    has_rtcp_mux: bool
    """RTP and RTCP share a port."""
    sctp_port: int
    """Of the data channels."""
    is_legacy_sctp: bool
    """The port stands in the m-line, as before RFC 8841."""
    max_message_bytes: int
    """The longest message the party takes over a data channel; 0 for any."""


class Offer(msgspec.Struct, frozen=True):
    """An offer as far as it can be answered."""

    sections: tuple[Section, ...]
    """All of them, in their order, for the answer has as many."""
    audio: int | None
    """Index of the section that is accepted for audio."""
    application: int | None
    """Index of the section that is accepted for data channels."""
    bundle: tuple[str, ...]
    """Mids that share one transport."""
    is_lite: bool
    """The party answers checks but makes none."""
    codec: Codec
    """What both sides talk in; Opus at 48 kHz where there is no audio."""
    digits: tuple[Codec, ...]
    """Telephone events of the same clock."""

    @property
    def transport(self) -> Section:
        """The section whose ICE and DTLS all accepted ones use."""
        index = self.audio if self.audio is not None else self.application
        assert index is not None
        return self.sections[index]


class _Attributes(msgspec.Struct):
    """What the lines of one section, or of the session, say."""

    media: str = ""
    values: dict[str, list[str]] = {}

    def first(self, name: str, otherwise: str = "") -> str:
        return self.values[name][0] if self.values.get(name) else otherwise


def parse(text: str) -> Offer:
    """Return what an offer says.

    Raises:
        OfferError: it is none, or nothing in it can be accepted.
    """
    session, parts = _lines(text)
    sections = tuple(_section(part, session) for part in parts)
    bundle = _bundle(session, sections)
    audio = _first(sections, "audio", bundle)
    application = _first(sections, "application", bundle)
    if audio is None and application is None:
        raise OfferError(_why_nothing(sections))
    if audio is not None and application is not None:
        mids = {sections[audio].mid, sections[application].mid}
        if not mids <= set(bundle):
            application = None
    index = audio if audio is not None else application
    assert index is not None
    _check_transport(sections[index])
    codec = Codec(111, "opus", 48_000) if audio is None else _codec(sections[audio])
    assert codec is not None
    digits = (
        ()
        if audio is None
        else tuple(
            each
            for each in sections[audio].codecs
            if each.name == "telephone-event" and each.clock_hz == codec.clock_hz
        )
    )
    is_lite = "ice-lite" in session.values
    return Offer(sections, audio, application, bundle, is_lite, codec, digits)


def _lines(text: str) -> tuple[_Attributes, list[_Attributes]]:
    if len(text) > _LONGEST_BYTES:
        raise OfferError(f"the offer is longer than {_LONGEST_BYTES} characters")
    session = _Attributes(values={})
    parts: list[_Attributes] = []
    lines = [line for line in text.replace("\r", "\n").split("\n") if line]
    if not lines or lines[0].strip() != "v=0":
        raise OfferError("the offer is no SDP: it does not begin with v=0")
    for line in lines:
        kind, _, value = line.partition("=")
        if kind == "m":
            if len(parts) >= _MOST_SECTIONS:
                raise OfferError(f"the offer has more than {_MOST_SECTIONS} m-lines")
            parts.append(_Attributes(value, {}))
        elif kind == "a":
            name, _, value = value.partition(":")
            (parts[-1] if parts else session).values.setdefault(name, []).append(value.strip())
    if not parts:
        raise OfferError("the offer has no m-line")
    return session, parts


def _section(part: _Attributes, session: _Attributes) -> Section:
    fields = part.media.split()
    if len(fields) < 4 or not fields[1].partition("/")[0].isdecimal():
        raise OfferError(f"the offer has an m-line that cannot be read: m={part.media[:80]}")
    kind, port, profile, *formats = fields
    ufrag = part.first("ice-ufrag", session.first("ice-ufrag"))
    password = part.first("ice-pwd", session.first("ice-pwd"))
    has_credentials = _UFRAG.fullmatch(ufrag) and _PASSWORD.fullmatch(password)
    values = part.values
    candidates = [parse_candidate(value) for value in values.get("candidate", ())[:_MOST_CANDIDATES]]
    is_legacy = profile == "DTLS/SCTP" and formats[0].isdecimal()
    limit = part.first("max-message-size")
    return Section(
        kind=kind,
        profile=profile,
        formats=" ".join(formats),
        mid=part.first("mid"),
        is_offered=port.partition("/")[0] != "0" or "bundle-only" in values,
        direction=_direction(part, session),
        codecs=_codecs(formats, part) if kind == "audio" else (),
        credentials=Credentials(ufrag, password) if has_credentials else None,
        fingerprints=_fingerprints(values.get("fingerprint") or session.values.get("fingerprint", [])),
        setup=part.first("setup", session.first("setup", "actpass")),
        candidates=tuple(each for each in candidates if each is not None),
        has_rtcp_mux="rtcp-mux" in values,
        sctp_port=_number(formats[0] if is_legacy else part.first("sctp-port"), 5000, 65535),
        is_legacy_sctp=is_legacy,
        max_message_bytes=_number(limit, _DEFAULT_MESSAGE_BYTES, 1 << 31),
    )


def _number(text: str, otherwise: int, most: int) -> int:
    return min(int(text), most) if text.isdecimal() and len(text) < 20 else otherwise


def _direction(part: _Attributes, session: _Attributes) -> Direction:
    for attributes in (part, session):
        for direction in _DIRECTIONS:
            if direction in attributes.values:
                return direction
    return "sendrecv"


def _codecs(formats: list[str], part: _Attributes) -> tuple[Codec, ...]:
    described: dict[int, tuple[str, int]] = dict(_STATIC)
    for value in part.values.get("rtpmap", ()):
        number, _, encoding = value.partition(" ")
        name, clock, *_ = [*encoding.strip().split("/"), ""]
        if number.isdecimal() and clock.isdecimal() and len(number) < 4 and len(clock) < 7:
            described[int(number)] = (name, int(clock))
    numbers = [int(each) for each in formats if each.isdecimal() and len(each) < 4 and int(each) < 128]
    return tuple(Codec(each, described[each][0].lower(), described[each][1]) for each in numbers if each in described)


def _fingerprints(values: list[str]) -> tuple[Fingerprint, ...]:
    pairs = [value.partition(" ") for value in values]
    return tuple(Fingerprint(a.lower(), b.strip().upper()) for a, _, b in pairs if a.lower() in _DIGESTS)


def parse_candidate(text: str) -> Candidate | None:
    """Return the address in a candidate line, with or without its name, or None if it is not one of UDP."""
    fields = text.strip().removeprefix("a=").removeprefix("candidate:").split()
    if len(fields) < 8 or fields[2].lower() != "udp" or not fields[5].isdecimal() or len(fields[5]) > 5:
        return None
    port = int(fields[5])
    return Candidate(fields[4], port) if 0 < port < 65536 else None


def _bundle(session: _Attributes, sections: tuple[Section, ...]) -> tuple[str, ...]:
    """Return the mids of the first group that shares a transport."""
    known = {section.mid for section in sections if section.mid}
    for group in session.values.get("group", ()):
        semantics, *mids = group.split() or [""]
        if semantics == "BUNDLE":
            return tuple(mid for mid in mids if mid in known)
    return ()


def _first(sections: tuple[Section, ...], kind: str, bundle: tuple[str, ...]) -> int | None:
    """Return the first section of a kind that can be accepted; one in the bundle if there is one."""
    usable = [index for index, section in enumerate(sections) if section.kind == kind and _is_usable(section)]
    bundled = [index for index in usable if sections[index].mid in bundle]
    return next(iter(bundled or usable), None)


def _is_usable(section: Section) -> bool:
    if not section.is_offered or section.credentials is None or not section.fingerprints:
        return False
    if section.kind == "application":
        return section.profile in _CHANNELS
    return section.profile in _SECURED and section.has_rtcp_mux and _codec(section) is not None


def _codec(section: Section) -> Codec | None:
    for family, clock_hz in _FAMILIES.items():
        for codec in section.codecs:
            if (codec.name, codec.clock_hz) == (family, clock_hz):
                return codec
    return None


def _check_transport(section: Section) -> None:
    if section.setup not in ("actpass", "active", "passive"):
        raise OfferError(f"a=setup:{section.setup[:40]} is none of actpass, active and passive")


def _why_nothing(sections: tuple[Section, ...]) -> str:
    """Return what is wrong with the section that comes closest."""
    section = next((each for each in sections if each.kind == "audio" and each.is_offered), None)
    if section is None:
        return "the offer has neither audio nor a data channel"
    if section.profile not in _SECURED:
        return f"audio over {section.profile[:40]} is not secured: DTLS-SRTP is needed"
    if section.credentials is None:
        return "the offer lacks a valid a=ice-ufrag or a=ice-pwd"
    if not section.fingerprints:
        return f"the offer lacks an a=fingerprint in one of {', '.join(_DIGESTS)}"
    if not section.has_rtcp_mux:
        return "the offer lacks a=rtcp-mux: RTP and RTCP share a port here"
    return "the offer has none of the codecs opus, PCMU and PCMA"
