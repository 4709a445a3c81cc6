"""RTP packets (RFC 3550 section 5.1) and their bytes.

Not a socket and not SRTP: what is read here is already in the clear.  A packet comes for every 20 ms of every call, so
reading and writing are one `struct` call each.  Called by whoever receives and sends media, and by `reception`.
"""

from __future__ import annotations

from struct import Struct

import msgspec

__all__ = ["HEADER_BYTES", "Packet", "build", "header", "is_rtcp", "is_rtp", "parse", "signed_16", "signed_32"]

HEADER_BYTES = 12
"""Bytes of a header without contributors and extensions, as `header` writes it."""

_HEADER = Struct("!BBHII")
_EXTENSION = Struct("!HH")
_VERSION, _VERSION_MASK = 0x80, 0xC0
_PADDING, _EXTENDED, _CONTRIBUTORS = 0x20, 0x10, 0x0F
_MARKER = 0x80
_FIRST_RTCP, _LAST_RTCP = 192, 223
"""Packet types of RTCP, as they stand in the second byte where both share a port (RFC 5761 section 4)."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One RTP packet; contributors, header extensions and padding are left out."""

    payload_type: int
    """What the payload is: 0 to 127, as the offer and answer agreed."""
    marker: bool
    """The first packet after a silence, for audio; the first of a key, for telephone events."""
    sequence: int
    """Number of the packet, 16 bits that wrap."""
    timestamp: int
    """First sampling instant of the payload in ticks of the payload's clock, 32 bits that wrap."""
    ssrc: int
    """Which stream it belongs to."""
    payload: bytes
    """The sound itself, coded; may be empty."""


def is_rtp(data: bytes) -> bool:
    """Return whether a datagram of a shared port can only be RTP or RTCP (RFC 7983)."""
    return len(data) >= 8 and data[0] & _VERSION_MASK == _VERSION


def is_rtcp(data: bytes) -> bool:
    """Return whether a datagram that `is_rtp` carries reports, not media."""
    return len(data) >= 8 and data[0] & _VERSION_MASK == _VERSION and _FIRST_RTCP <= data[1] <= _LAST_RTCP


def parse(data: bytes) -> Packet | None:
    """Return the packet that a datagram holds, or None if it is not one of RTP version 2 or contradicts itself."""
    if len(data) < HEADER_BYTES:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    begin, end = HEADER_BYTES, len(data)
    if first != _VERSION:
        if first & _VERSION_MASK != _VERSION:
            return None
        begin += 4 * (first & _CONTRIBUTORS)
        if first & _EXTENDED:
            if begin + _EXTENSION.size > end:
                return None
            begin += _EXTENSION.size + 4 * _EXTENSION.unpack_from(data, begin)[1]
        if first & _PADDING:
            if not data[-1]:
                return None
            end -= data[-1]
        if begin > end:
            return None
    return Packet(second & 0x7F, second >= _MARKER, sequence, timestamp, ssrc, bytes(data[begin:end]))


def header(payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int) -> bytes:
    """Return the 12 bytes that stand before a payload; sequence and timestamp wrap by themselves.

    Raises:
        struct.error: `payload_type` or `ssrc` does not fit its field.
    """
    second = payload_type | _MARKER if marker else payload_type
    return _HEADER.pack(_VERSION, second, sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc)


def build(packet: Packet) -> bytes:
    """Return the bytes of a packet: what `parse` makes of them is the packet."""
    return header(packet.payload_type, packet.marker, packet.sequence, packet.timestamp, packet.ssrc) + packet.payload


def signed_16(difference: int) -> int:
    """Return how far one sequence number is ahead of another, given their difference: -32768 to 32767."""
    return (difference + 0x8000 & 0xFFFF) - 0x8000


def signed_32(difference: int) -> int:
    """Return how far one timestamp is ahead of another, given their difference: -2**31 to 2**31 - 1."""
    return (difference + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
