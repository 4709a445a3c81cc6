"""RTCP (RFC 3550 section 6, RFC 4585): reports and their bytes.

Compound packets are read as they are sent today: reduced-size ones (RFC 5506) too, and kinds nobody here needs are
passed over.  What the reports say of a call is worked out in `reporting`.  Called by it and by legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct, pack, unpack_from

import msgspec

from .packet import signed_16

__all__ = [
    "Block",
    "Description",
    "Goodbye",
    "Nack",
    "PictureLoss",
    "ReceiverReport",
    "Report",
    "SenderReport",
    "build",
    "parse",
]

_HEAD = Struct("!BBH")
_BLOCK = Struct("!IB3sIIII")
_SENDER = Struct("!IQIII")
_VERSION, _PADDING, _COUNT = 0x80, 0x20, 0x1F
_CNAME = 1
_GENERIC_NACK, _PLI = 1, 1
_MOST_BLOCKS = 31
_MOST_LOST, _LEAST_LOST = 0x7F_FFFF, -0x80_0000


class _Kind(IntEnum):
    """Packet types (RFC 3550 section 12.1, RFC 4585 section 9)."""

    SENDER = 200
    RECEIVER = 201
    DESCRIPTION = 202
    GOODBYE = 203
    TRANSPORT_FEEDBACK = 205
    PAYLOAD_FEEDBACK = 206


_KINDS = frozenset(_Kind)


class Block(msgspec.Struct, frozen=True):
    """What one party says of one stream that it receives."""

    ssrc: int
    """The stream it is about."""
    fraction_lost: int
    """Packets lost since the last report, in 256ths."""
    lost: int
    """Packets lost since the beginning; negative where more came than were sent, as duplicates do."""
    highest_sequence: int
    """The highest number that came, and in the upper 16 bits how often numbers wrapped."""
    jitter_ticks: int
    """Interarrival jitter in ticks of the stream's clock."""
    last_report: int
    """The middle 32 bits of the time in the last sender report that came; 0 for none."""
    delay: int
    """How long ago that report came, in 65,536ths of a second."""


class SenderReport(msgspec.Struct, frozen=True):
    """What a party that sends says of its stream."""

    ssrc: int
    """Its stream."""
    ntp: int
    """When it says so: seconds since 1900 times 2**32, on a clock of its own."""
    timestamp: int
    """The same moment on the stream's clock."""
    packets: int
    """Packets sent."""
    octets: int
    """Bytes of payload sent."""
    blocks: tuple[Block, ...] = ()
    """What it receives."""


class ReceiverReport(msgspec.Struct, frozen=True):
    """What a party that sends nothing says of the streams that it receives."""

    ssrc: int
    """Who says so."""
    blocks: tuple[Block, ...] = ()
    """What it receives."""


class Description(msgspec.Struct, frozen=True):
    """The lasting name of a party's stream (SDES CNAME)."""

    ssrc: int
    """The stream."""
    cname: str
    """The name, the same for all streams of the party."""


class Goodbye(msgspec.Struct, frozen=True):
    """Some streams end."""

    ssrcs: tuple[int, ...]
    """Which."""
    reason: str = ""
    """Why, for people to read."""


class Nack(msgspec.Struct, frozen=True):
    """Packets that are asked for again (RFC 4585 section 6.2.1)."""

    ssrc: int
    """Who asks."""
    media_ssrc: int
    """Of which stream."""
    sequences: tuple[int, ...]
    """Their numbers, in their order."""


class PictureLoss(msgspec.Struct, frozen=True):
    """A whole picture is asked for (RFC 4585 section 6.3.1)."""

    ssrc: int
    """Who asks."""
    media_ssrc: int
    """Of which stream."""


Report = SenderReport | ReceiverReport | Description | Goodbye | Nack | PictureLoss


def parse(data: bytes) -> tuple[Report, ...] | None:
    """Return the reports of a datagram, or None if it is not RTCP or contradicts itself."""
    reports: list[Report] = []
    at = 0
    while at < len(data):
        if at + _HEAD.size > len(data):
            return None
        first, kind, words = _HEAD.unpack_from(data, at)
        end = at + 4 * (words + 1)
        if first & 0xC0 != _VERSION or end > len(data):
            return None
        body = data[at + _HEAD.size : end]
        if first & _PADDING:
            if end != len(data) or not body or not 0 < body[-1] <= len(body):
                return None
            body = body[: -body[-1]]
        found = _parsed(kind, first & _COUNT, body)
        if found is None:
            return None
        reports += found
        at = end
    return tuple(reports) if at else None


def _parsed(kind: int, count: int, body: bytes) -> Sequence[Report] | None:
    """Return the reports in the body of one packet, none if it is of no interest; None if it contradicts itself."""
    match kind:
        case _Kind.SENDER if len(body) >= _SENDER.size + count * _BLOCK.size:
            ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
            return [SenderReport(ssrc, ntp, timestamp, packets, octets, _blocks(body, _SENDER.size, count))]
        case _Kind.RECEIVER if len(body) >= 4 + count * _BLOCK.size:
            return [ReceiverReport(unpack_from("!I", body)[0], _blocks(body, 4, count))]
        case _Kind.DESCRIPTION:
            return _descriptions(body, count)
        case _Kind.GOODBYE if len(body) >= 4 * count:
            reason = body[4 * count + 1 :][: body[4 * count]] if len(body) > 4 * count else b""
            return [Goodbye(unpack_from(f"!{count}I", body), reason.decode(errors="replace"))]
        case _Kind.TRANSPORT_FEEDBACK if len(body) >= 8:
            ssrc, media_ssrc = unpack_from("!II", body)
            return [Nack(ssrc, media_ssrc, _sequences(body[8:]))] if count == _GENERIC_NACK else []
        case _Kind.PAYLOAD_FEEDBACK if len(body) >= 8:
            ssrc, media_ssrc = unpack_from("!II", body)
            return [PictureLoss(ssrc, media_ssrc)] if count == _PLI else []
    # One of these that came so far is too short.
    return None if kind in _KINDS else []


def _blocks(body: bytes, at: int, count: int) -> tuple[Block, ...]:
    blocks = []
    for ssrc, fraction, lost, *rest in _BLOCK.iter_unpack(body[at : at + count * _BLOCK.size]):
        blocks.append(Block(ssrc, fraction, int.from_bytes(lost, "big", signed=True), *rest))
    return tuple(blocks)


def _sequences(body: bytes) -> tuple[int, ...]:
    """Return the numbers of a generic NACK: each entry has one, and a bit for each of the 16 after it."""
    found = []
    for at in range(0, len(body) - 3, 4):
        first, mask = unpack_from("!HH", body, at)
        found.append(first)
        found += [first + bit + 1 & 0xFFFF for bit in range(16) if mask >> bit & 1]
    return tuple(found)


def _descriptions(body: bytes, count: int) -> list[Report] | None:
    """Return the names in a source description (RFC 3550 section 6.5); what else it tells is passed over."""
    found: list[Report] = []
    at = 0
    for _ in range(count):
        if at + 4 > len(body):
            return None
        ssrc = unpack_from("!I", body, at)[0]
        at += 4
        while at < len(body) and body[at]:
            if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
                return None
            text = body[at + 2 : at + 2 + body[at + 1]]
            if body[at] == _CNAME:
                found.append(Description(ssrc, text.decode(errors="replace")))
            at += 2 + len(text)
        at = (at // 4 + 1) * 4  # a chunk ends with at least one zero, at a multiple of four
    return found


def build(reports: Sequence[Report]) -> bytes:
    """Return one datagram with all reports, in their order.

    Raises:
        ValueError: a report has more than 31 blocks or streams.
        struct.error: a number does not fit its field.
    """
    return b"".join(_built(report) for report in reports)


def _built(report: Report) -> bytes:
    match report:
        case SenderReport(ssrc, ntp, timestamp, packets, octets, blocks):
            head = _SENDER.pack(ssrc, ntp, timestamp, packets & 0xFFFF_FFFF, octets & 0xFFFF_FFFF)
            return _packet(_Kind.SENDER, len(blocks), head + _block_bytes(blocks))
        case ReceiverReport(ssrc, blocks):
            return _packet(_Kind.RECEIVER, len(blocks), pack("!I", ssrc) + _block_bytes(blocks))
        case Description(ssrc, cname):
            text = cname.encode()[:255]
            chunk = pack("!IBB", ssrc, _CNAME, len(text)) + text + b"\0"
            return _packet(_Kind.DESCRIPTION, 1, chunk)
        case Goodbye(ssrcs, reason):
            text = reason.encode()[:255]
            why = bytes([len(text)]) + text if text else b""
            return _packet(_Kind.GOODBYE, len(ssrcs), pack(f"!{len(ssrcs)}I", *ssrcs) + why)
        case Nack(ssrc, media_ssrc, sequences):
            return _packet(
                _Kind.TRANSPORT_FEEDBACK, _GENERIC_NACK, pack("!II", ssrc, media_ssrc) + _sequence_bytes(sequences)
            )
        case PictureLoss(ssrc, media_ssrc):
            return _packet(_Kind.PAYLOAD_FEEDBACK, _PLI, pack("!II", ssrc, media_ssrc))


def _packet(kind: _Kind, count: int, body: bytes) -> bytes:
    if count > _MOST_BLOCKS:
        raise ValueError(f"a report of RTCP has at most {_MOST_BLOCKS} parts, not {count}")
    body += bytes(-len(body) % 4)
    return _HEAD.pack(_VERSION | count, kind, len(body) // 4) + body


def _block_bytes(blocks: Sequence[Block]) -> bytes:
    parts = []
    for block in blocks:
        lost = max(_LEAST_LOST, min(_MOST_LOST, block.lost)).to_bytes(3, "big", signed=True)
        numbers = (block.highest_sequence, block.jitter_ticks, block.last_report, block.delay)
        parts.append(_BLOCK.pack(block.ssrc, block.fraction_lost, lost, *numbers))
    return b"".join(parts)


def _sequence_bytes(sequences: Sequence[int]) -> bytes:
    parts: list[bytes] = []
    first, mask = None, 0
    for sequence in sequences:
        ahead = None if first is None else signed_16(sequence - first)
        if ahead is not None and 0 < ahead <= 16:
            mask |= 1 << (ahead - 1)
            continue
        if first is not None:
            parts.append(pack("!HH", first, mask))
        first, mask = sequence, 0
    if first is not None:
        parts.append(pack("!HH", first, mask))
    return b"".join(parts)
