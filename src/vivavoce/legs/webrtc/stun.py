"""STUN (RFC 8489) as connectivity checks use it: binding requests and their answers, signed with a short-term password.

Pure: bytes in, values out.  Not a client for STUN servers and not TURN.  Called by `port`, which finds whose request
it is, and by `ice`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import socket
from struct import Struct, pack, unpack_from

import msgspec

__all__ = [
    "ERROR",
    "ERROR_CODE",
    "ICE_CONTROLLED",
    "ICE_CONTROLLING",
    "PRIORITY",
    "REQUEST",
    "RESPONSE",
    "USERNAME",
    "USE_CANDIDATE",
    "XOR_MAPPED_ADDRESS",
    "Message",
    "build",
    "pack_address",
    "parse",
    "unpack_address",
]

REQUEST, INDICATION, RESPONSE, ERROR = 0x0001, 0x0011, 0x0101, 0x0111
"""Kinds of binding messages: class and method as they stand in the first two bytes."""

USERNAME, MESSAGE_INTEGRITY, ERROR_CODE = 0x0006, 0x0008, 0x0009
XOR_MAPPED_ADDRESS, PRIORITY, USE_CANDIDATE = 0x0020, 0x0024, 0x0025
FINGERPRINT, ICE_CONTROLLED, ICE_CONTROLLING = 0x8028, 0x8029, 0x802A

_HEADER = Struct("!HHI12s")
_ATTRIBUTE = Struct("!HH")
_COOKIE = 0x2112A442
_COOKIE_BYTES = _COOKIE.to_bytes(4, "big")
_HEADER_BYTES = 20
_INTEGRITY_BYTES = 24
_FINGERPRINT_BYTES = 8
_FINGERPRINT_XOR = 0x5354554E
_MOST_ATTRIBUTES = 32
_KINDS = frozenset((REQUEST, INDICATION, RESPONSE, ERROR))


class Message(msgspec.Struct, frozen=True):
    """A binding message."""

    kind: int
    """`REQUEST`, `INDICATION`, `RESPONSE` or `ERROR`."""
    transaction_id: bytes
    """Twelve bytes that an answer repeats."""
    attributes: dict[int, bytes]
    """Values by type, the first of each type; none of those that stand behind the signature."""
    signed: bytes
    """What the signature covers, with the length that it was made with; empty if there is no signature."""

    @property
    def username(self) -> str:
        """Both user name fragments, the receiver's first; empty if there are none."""
        return self.attributes.get(USERNAME, b"").decode("utf-8", "replace")

    def number(self, attribute: int) -> int | None:
        """Return an attribute of four or eight bytes as a number, or None if it is not there."""
        value = self.attributes.get(attribute)
        return None if value is None else int.from_bytes(value, "big")

    def is_signed_with(self, password: bytes) -> bool:
        """Return whether the message was signed with a password; False without a signature."""
        if not self.signed:
            return False
        return hmac.compare_digest(
            hmac.new(password, self.signed, hashlib.sha1).digest(), self.attributes[MESSAGE_INTEGRITY]
        )


def parse(data: bytes) -> Message | None:
    """Return the binding message that a datagram holds, or None if it is none or contradicts itself."""
    size = len(data)
    if size < _HEADER_BYTES or size % 4:
        return None
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if kind not in _KINDS or cookie != _COOKIE or length != size - _HEADER_BYTES:
        return None
    attributes: dict[int, bytes] = {}
    signed = b""
    at = _HEADER_BYTES
    for _ in range(_MOST_ATTRIBUTES):
        if at == size:
            return Message(kind, transaction_id, attributes, signed)
        attribute, length = _ATTRIBUTE.unpack_from(data, at)
        end = at + 4 + length
        if end > size:
            return None
        if attribute == FINGERPRINT:
            if length != 4 or end != size or unpack_from("!I", data, at + 4)[0] != _fingerprint(data[:at]):
                return None
        elif not signed:
            attributes.setdefault(attribute, data[at + 4 : end])
            if attribute == MESSAGE_INTEGRITY:
                if length != 20:
                    return None
                signed = _with_length(data[:at], at - _HEADER_BYTES + _INTEGRITY_BYTES)
        at = end + -length % 4
    return None


def build(kind: int, transaction_id: bytes, attributes: list[tuple[int, bytes]], password: bytes) -> bytes:
    """Return the bytes of a message, signed with a password and with a fingerprint."""
    parts = [_ATTRIBUTE.pack(attribute, len(value)) + value + bytes(-len(value) % 4) for attribute, value in attributes]
    data = _HEADER.pack(kind, 0, _COOKIE, transaction_id) + b"".join(parts)
    data = _with_length(data, len(data) - _HEADER_BYTES + _INTEGRITY_BYTES)
    data += _ATTRIBUTE.pack(MESSAGE_INTEGRITY, 20) + hmac.new(password, data, hashlib.sha1).digest()
    data = _with_length(data, len(data) - _HEADER_BYTES + _FINGERPRINT_BYTES)
    return data + _ATTRIBUTE.pack(FINGERPRINT, 4) + pack("!I", _crc(data))


def _with_length(data: bytes, length: int) -> bytes:
    return data[:2] + pack("!H", length) + data[4:]


def _crc(data: bytes) -> int:
    return binascii.crc32(data) ^ _FINGERPRINT_XOR


def _fingerprint(before: bytes) -> int:
    """Return the fingerprint that belongs behind the bytes before it."""
    return _crc(_with_length(before, len(before) - _HEADER_BYTES + _FINGERPRINT_BYTES))


def pack_address(host: str, port: int, transaction_id: bytes) -> bytes:
    """Return the value of an `XOR_MAPPED_ADDRESS` for an address without a scope."""
    is_v6 = ":" in host
    packed = socket.inet_pton(socket.AF_INET6 if is_v6 else socket.AF_INET, host)
    mask = _COOKIE_BYTES + transaction_id
    masked = bytes(a ^ b for a, b in zip(packed, mask, strict=False))
    return pack("!BBH", 0, 2 if is_v6 else 1, port ^ (_COOKIE >> 16)) + masked


def unpack_address(value: bytes, transaction_id: bytes) -> tuple[str, int] | None:
    """Return the host and port in an `XOR_MAPPED_ADDRESS`, or None if it is none."""
    if (len(value), value[1:2]) not in ((8, b"\x01"), (20, b"\x02")):
        return None
    mask = _COOKIE_BYTES + transaction_id
    packed = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    family = socket.AF_INET if len(value) == 8 else socket.AF_INET6
    return socket.inet_ntop(family, packed), int.from_bytes(value[2:4], "big") ^ (_COOKIE >> 16)
