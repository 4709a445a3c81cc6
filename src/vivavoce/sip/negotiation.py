"""Offer and answer as a machine: what two telephones agree to send each other; RFC 3264, 6337 and 4568.

    stable --offer()--> offered --receive_answer()--> stable      ours, in an INVITE, an UPDATE, or a 2xx
    stable --answer(offer)--> stable                                theirs
    offered --withdraw()--> stable                                  ours was refused: all is as it was before

One machine lives as long as its call.  It knows addresses, ports and keys as values; who owns the sockets gives them.
An offer or answer that fails changes nothing of what was agreed on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from .codecs import G722, OPUS, PCMA, PCMU, Codec, Format, Keys, formats_of, keys_of
from .direction import Direction, both, direction_of, mirrored, spoken_direction
from .errors import MalformedMessage, OfferRefused
from .lexing import number
from .places import address_of, rtcp_of
from .sdes import SUITES, Crypto, Suite, parse_crypto
from .sdp import Description, MediaSection, Origin, parse_description

__all__ = ["MediaTerms", "Negotiation", "Place", "Security", "Stream"]

Security: TypeAlias = Literal["never", "allow", "require"]

_PLAIN = ("RTP/AVP", "RTP/AVPF")
_SECURE = ("RTP/SAVP", "RTP/SAVPF")
_LONGEST_KEY_NUMBER = "0-15"
"""The sixteen keys; the seventeenth of RFC 4733 is a hook."""


class MediaTerms(msgspec.Struct, frozen=True):
    """What a line takes part in."""

    codecs: tuple[Codec, ...] = (OPUS, G722, PCMU, PCMA)
    """The codecs, the preferred one first."""
    security: Security = "allow"
    """Whether audio is encrypted: never, where the other side asks for it, or always."""
    has_keys: bool = True
    """Whether telephone keys are spoken."""
    has_comfort_noise: bool = False
    """Whether the other side may stop sending while its user is silent."""
    has_rtcp_mux: bool = True
    """Whether reports may come on the port of the audio, where that is offered."""
    ptime_ms: int = 20
    """How much audio goes into a packet."""


class Place(msgspec.Struct, frozen=True):
    """Where this side receives."""

    address: str
    """The address that others reach it under, IPv6 without brackets."""
    port: int
    """The port of the audio; reports come on the next one, or on this one where that was agreed on."""


class Stream(msgspec.Struct, frozen=True):
    """What was agreed on."""

    address: str
    """Where the other side receives, an IP address; nothing is sent there while `is_held`."""
    port: int
    """The port of its audio."""
    rtcp_address: str
    """Where it receives reports."""
    rtcp_port: int
    """The port of its reports; with `rtcp_mux` that of its audio."""
    rtcp_mux: bool
    """Whether reports come and go with the audio."""
    format: Format
    """How audio is sent to it."""
    formats: tuple[Format, ...]
    """How audio may come from it, under the payload types that it sends."""
    keys: Keys | None
    """How telephone keys are sent to it, None where it takes none this way."""
    keys_in: Keys | None
    """How telephone keys come from it."""
    direction: Direction
    """Who speaks, as this side sees it."""
    ptime_ms: int
    """How much audio goes into a packet sent to it."""
    peer_ptime_ms: int | None
    """How much audio it asks for in a packet, which is likely what it sends."""
    local_key: Crypto | None
    """What this side encrypts with, None for plain audio."""
    remote_key: Crypto | None
    """What the other side encrypts with, None for plain audio."""

    @property
    def is_held(self) -> bool:
        """Tell whether the other side does not want to hear anything."""
        return self.direction in ("recvonly", "inactive")

    @property
    def listens(self) -> bool:
        """Tell whether anything is to be heard of the other side."""
        return self.direction in ("sendrecv", "recvonly")


class _Accepted(msgspec.Struct, frozen=True):
    """The section of an offer that an answer accepts."""

    section: MediaSection
    format: Format
    crypto: Crypto | None


class _Offered(msgspec.Struct, frozen=True):
    """An offer of ours and what its answer is read by."""

    section: MediaSection
    formats: tuple[Format, ...]
    cryptos: tuple[Crypto, ...]
    mux: bool


class Negotiation:
    """What one call's two sides have agreed on, and what is being asked."""

    def __init__(self, terms: MediaTerms, place: Place, session_id: int, new_key: Callable[[], bytes]) -> None:
        self._terms = terms
        self._place = place
        self._session_id = session_id
        self._new_key = new_key
        self._version = 0
        self._last = b""
        """What we said last, whose version goes on when something else is said."""
        self._keys: dict[Suite, bytes] = {}
        self._slots: tuple[MediaSection | None, ...] = (None,)
        """The sections of the call in their order: None is the audio, others were refused and stay so."""
        self._types: dict[str, int] = {}
        """Payload types by `rtpmap`, which mean one thing for the whole call."""
        self._protocol: str | None = None
        """How the audio is carried, once that was agreed on."""
        self._offered: _Offered | None = None
        """What we offered last."""
        self._agreed: _Offered | None = None
        """What we said when something was agreed on last, which refreshes of the call offer again."""
        self._is_waiting = False
        self.direction: Direction = "sendrecv"
        """What this side wants: `sendonly` holds the other side, which may hear music then."""
        self.stream: Stream | None = None
        """What was agreed on last, None before."""

    @property
    def is_offering(self) -> bool:
        """Tell whether an offer of ours waits for its answer, so that one of theirs has to wait (491)."""
        return self._is_waiting

    def offer(self) -> bytes:
        """Make an offer: of everything at first, and later of everything again in the places it had.

        Raises:
            OfferRefused: where one is waiting already.
        """
        if self._is_waiting:
            raise OfferRefused("an offer is waiting for its answer", status=491)
        formats = tuple([Format(self._payload_type(codec), codec) for codec in self._codecs()])
        protocol = self._protocol or (_SECURE[0] if self._terms.security == "require" else _PLAIN[0])
        is_secure = protocol in _SECURE or (self.stream is not None and self.stream.local_key is not None)
        cryptos = [Crypto(tag, suite, self._key(suite)) for tag, suite in enumerate(SUITES, 1)] if is_secure else []
        mux = self.stream is not None and self.stream.rtcp_mux
        section = self._section(formats, protocol, self.direction, tuple(cryptos), mux=mux)
        self._offered = _Offered(section, formats, tuple(cryptos), mux)
        self._is_waiting = True
        return self._write([section if slot is None else slot for slot in self._slots])

    def withdraw(self) -> None:
        """Learn that the offer was refused, or that nobody will answer it."""
        self._is_waiting = False

    def receive_answer(self, answer: bytes) -> Stream:
        """Take the answer to our offer, or to what we said last: after a provisional answer, or when that was repeated.

        Raises:
            MalformedMessage: where it is no description.
            OfferRefused: where it is no answer to the offer, or accepts nothing of it.
        """
        offered = self._offered if self._is_waiting else self._agreed
        if offered is None:
            raise OfferRefused("there is no offer that this could answer")
        # Only a first answer may be provisional: within a call even one that cannot be used is the last.
        self._is_waiting = self.stream is None
        description = parse_description(answer)
        at = next((at for at, slot in enumerate(self._slots) if slot is None), 0)
        if at >= len(description.media):
            raise OfferRefused("the answer has fewer media than the offer")
        section = description.media[at]
        if section.kind != "audio" or not section.port:
            raise OfferRefused("the answer takes no audio", warning=304)
        if section.protocol not in _PLAIN + _SECURE:
            raise OfferRefused("the answer has another transport than the offer", warning=302)
        formats = formats_of(section)
        mine = {item.codec.name: item for item in offered.formats}
        usable = [item for item in formats if item.codec.name in mine]
        if not usable:
            raise OfferRefused("the answer takes none of the codecs", warning=305)
        local, remote = self._answered_keys(offered, section)
        incoming = [msgspec.structs.replace(item, fmtp=()) for item in offered.formats]
        incoming += [item for item in usable if item.payload_type not in {one.payload_type for one in incoming}]
        wanted = direction_of(offered.section.attributes, ())
        direction = both(wanted, mirrored(spoken_direction(description, section)))
        mux = offered.mux and section.get("rtcp-mux") is not None
        agreed = (usable[0], tuple(incoming))
        stream = self._stream(description, section, agreed, direction, (local, remote), mux=mux)
        keys_in = None if stream.keys is None else keys_of(offered.section, stream.keys.clock_hz)
        self._is_waiting, self._agreed = False, offered
        self._protocol = section.protocol
        self.stream = msgspec.structs.replace(stream, keys_in=keys_in)
        self._remember(usable)
        return self.stream

    def answer(self, offer: bytes) -> tuple[bytes, Stream]:
        """Answer an offer; return the answer, and what was agreed on by it.

        Raises:
            MalformedMessage: where it is no description.
            OfferRefused: where no call can be made of it, with the status and warning to refuse it with; 491 where
                an offer of ours is waiting.
        """
        if self._is_waiting:
            raise OfferRefused("an offer is waiting for its answer", status=491)
        description = parse_description(offer)
        accepted = self._choose(description)
        section, chosen, crypto = accepted.section, accepted.format, accepted.crypto
        local = None if crypto is None else Crypto(crypto.tag, crypto.suite, self._key(crypto.suite))
        direction = both(self.direction, mirrored(spoken_direction(description, section)))
        mux = self._terms.has_rtcp_mux and section.get("rtcp-mux") is not None
        stream = self._stream(description, section, (chosen, (chosen,)), direction, (local, crypto), mux=mux)
        mine = self._section(
            (chosen,), section.protocol, direction, () if local is None else (local,),
            mux=mux, theirs=section,
        )  # fmt: skip
        self._slots = tuple([None if other is section else other.refused() for other in description.media])
        self._agreed = _Offered(mine, (chosen,), () if local is None else (local,), mux)
        self._protocol = section.protocol
        self.stream = stream
        self._remember([chosen])
        return self._write([mine if slot is None else slot for slot in self._slots]), stream

    def _choose(self, description: Description) -> _Accepted:
        """Return the section of an offer that is accepted: the first one, but encrypted ones before plain ones."""
        refusals: list[OfferRefused] = []
        found: list[_Accepted] = []
        for section in description.media:
            if section.kind != "audio" or not section.port:
                continue
            try:
                found.append(self._accept(description, section))
            except OfferRefused as refusal:
                refusals.append(refusal)
        if not found:
            raise refusals[0] if refusals else OfferRefused("no audio is offered", warning=304)
        return next((item for item in found if item.crypto is not None), found[0])

    def _accept(self, description: Description, section: MediaSection) -> _Accepted:
        """Accept a section of an offer, with a key where it is to be encrypted, or say why not."""
        if section.protocol not in _PLAIN + _SECURE:
            raise OfferRefused(f"audio is not carried by {section.protocol} here", warning=302)
        chosen = _preferred(formats_of(section), self._terms.codecs)
        if chosen is None:
            raise OfferRefused("none of the codecs is spoken here", warning=305)
        address_of(description, section)
        cryptos = [crypto for line in section.all("crypto") if (crypto := parse_crypto(line)) is not None]
        if section.protocol in _SECURE and self._terms.security == "never":
            raise OfferRefused("audio is not encrypted here")
        if section.protocol in _SECURE and not cryptos:
            raise OfferRefused("none of the keys can be used: two suites are spoken here, without MKI")
        if self._terms.security == "require" and not cryptos:
            raise OfferRefused("audio has to be encrypted here")
        # Some offer keys with plain audio and encrypt where the answer has one too.
        return _Accepted(section, chosen, cryptos[0] if cryptos and self._terms.security != "never" else None)

    def _answered_keys(self, offered: _Offered, section: MediaSection) -> tuple[Crypto | None, Crypto | None]:
        """Return our key and theirs, as the answer chose them."""
        if not offered.cryptos:
            if section.protocol in _SECURE:
                raise OfferRefused("the answer is encrypted and the offer was not")
            return None, None
        for line in section.all("crypto"):
            remote = parse_crypto(line)
            local = next((one for one in offered.cryptos if remote is not None and one.tag == remote.tag), None)
            if remote is not None and local is not None and local.suite == remote.suite:
                return local, remote
        raise OfferRefused("the answer takes none of the keys")

    def _stream(
        self,
        description: Description,
        section: MediaSection,
        agreed: tuple[Format, tuple[Format, ...]],
        direction: Direction,
        cryptos: tuple[Crypto | None, Crypto | None],
        *,
        mux: bool,
    ) -> Stream:
        """Return what follows from the other side's section: how it is sent to, and how it sends."""
        chosen, incoming = agreed
        address = address_of(description, section)
        rtcp_address, rtcp_port = rtcp_of(section, address)
        keys = keys_of(section, chosen.codec.clock_hz) if self._terms.has_keys else None
        longest_ms = _milliseconds(section.get("maxptime"))
        return Stream(
            address=address,
            port=section.port,
            rtcp_address=address if mux else rtcp_address,
            rtcp_port=section.port if mux else rtcp_port,
            rtcp_mux=mux,
            format=chosen,
            formats=incoming,
            keys=keys,
            keys_in=keys,
            direction=direction,
            # Shorter packets than ours are all that a peer can need.
            ptime_ms=10 if longest_ms is not None and 10 <= longest_ms < self._terms.ptime_ms else self._terms.ptime_ms,
            peer_ptime_ms=_milliseconds(section.get("ptime")),
            local_key=cryptos[0],
            remote_key=cryptos[1],
        )

    def _section(
        self,
        formats: tuple[Format, ...],
        protocol: str,
        direction: Direction,
        cryptos: tuple[Crypto, ...],
        *,
        mux: bool,
        theirs: MediaSection | None = None,
    ) -> MediaSection:
        """Return our audio as a section: for an offer, or for an answer to theirs."""
        types = [str(item.payload_type) for item in formats]
        attributes: list[tuple[str, str]] = []
        for item in formats:
            attributes.append(("rtpmap", f"{item.payload_type} {item.codec.rtpmap}"))
            if item.codec.fmtp:
                attributes.append(("fmtp", f"{item.payload_type} {item.codec.fmtp}"))
        for keys in self._keys_for(formats, theirs):
            types.append(str(keys.payload_type))
            attributes.append(("rtpmap", f"{keys.payload_type} telephone-event/{keys.clock_hz}"))
            attributes.append(("fmtp", f"{keys.payload_type} {_LONGEST_KEY_NUMBER}"))
        is_narrow = any(item.codec in (PCMU, PCMA) for item in formats)
        if self._terms.has_comfort_noise and is_narrow and (theirs is None or "13" in theirs.formats):
            types.append("13")
            attributes.append(("rtpmap", "13 CN/8000"))
        attributes.append(("ptime", str(self._terms.ptime_ms)))
        attributes += [("crypto", str(crypto)) for crypto in cryptos]
        if mux:
            attributes.append(("rtcp-mux", ""))
        attributes.append((direction, ""))
        return MediaSection("audio", self._place.port, protocol, tuple(types), None, tuple(attributes))

    def _keys_for(self, formats: tuple[Format, ...], theirs: MediaSection | None) -> list[Keys]:
        """Return the telephone keys of a section: theirs in an answer, in an offer one for each clock of the audio."""
        if not self._terms.has_keys:
            return []
        if theirs is not None:
            keys = keys_of(theirs, formats[0].codec.clock_hz)
            return [] if keys is None else [keys]
        clocks = sorted({item.codec.clock_hz for item in formats})
        taken = {item.payload_type for item in formats}
        found: list[Keys] = []
        for clock_hz in clocks:
            first = self._types.get(f"telephone-event/{clock_hz}", 101)
            found.append(Keys(_free(first, taken), clock_hz))
            taken.add(found[-1].payload_type)
        return found

    def _codecs(self) -> tuple[Codec, ...]:
        """Return the codecs in the order they are offered in: the one in use stays the first."""
        if self.stream is None:
            return self._terms.codecs
        used = self.stream.format.codec
        return (used, *[codec for codec in self._terms.codecs if codec != used])

    def _payload_type(self, codec: Codec) -> int:
        """Return a codec's payload type in our offers: the one that it has in this call already, or its own."""
        known = self._types.get(codec.rtpmap)
        if known is not None or codec.payload_type < 96:
            return codec.payload_type if known is None else known
        return _free(codec.payload_type, set(self._types.values()))

    def _remember(self, formats: list[Format]) -> None:
        """Keep what payload types mean, for the offers to come."""
        for item in formats:
            self._types[item.codec.rtpmap] = item.payload_type
        if self.stream is not None and self.stream.keys is not None:
            self._types[f"telephone-event/{self.stream.keys.clock_hz}"] = self.stream.keys.payload_type

    def _key(self, suite: Suite) -> bytes:
        """Return our key for a suite, which stays for the call."""
        if suite not in self._keys:
            self._keys[suite] = self._new_key()
        return self._keys[suite]

    def _write(self, sections: list[MediaSection]) -> bytes:
        """Write a description, with the next version where it differs from the last one."""
        origin = Origin(str(self._session_id), str(self._version), address=self._place.address)
        written = bytes(Description(origin, tuple(sections), self._place.address))
        if written != self._last:
            self._version += 1
            origin = msgspec.structs.replace(origin, version=str(self._version))
            written = bytes(Description(origin, tuple(sections), self._place.address))
        self._last = written
        return written


def _free(first: int, taken: set[int]) -> int:
    """Return a payload type that means nothing else, the wished one where that is free."""
    candidates: list[int] = [first, *range(96, 128)]
    return next(value for value in candidates if value not in taken)


def _preferred(formats: tuple[Format, ...], codecs: tuple[Codec, ...]) -> Format | None:
    """Return the one of the offered formats that this side likes best."""
    by_name = {item.codec.name: item for item in reversed(formats)}
    return next((by_name[codec.name] for codec in codecs if codec.name in by_name), None)


def _milliseconds(text: str | None) -> int | None:
    """Return a time that an attribute names, which some write with a fraction; None where it names none."""
    try:
        return None if text is None else number(text.partition(".")[0], 1000)
    except MalformedMessage:
        return None
