"""Keys for SRTP in session descriptions: `a=crypto` lines; RFC 4568.

Two suites are spoken, without master key identifiers: what asks for them is not accepted, as if it were not there.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal, TypeAlias

import msgspec

from .errors import MalformedMessage
from .lexing import number

__all__ = ["KEY_BYTES", "SUITES", "Crypto", "Suite", "parse_crypto"]

Suite: TypeAlias = Literal["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]

SUITES: tuple[Suite, ...] = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""What is spoken here, the one with the longer proof first."""

KEY_BYTES = 30
"""A master key of 16 bytes and a salt of 14, which both suites have."""

_HARMLESS = ("wsh=",)
"""Session parameters that ask for nothing: how large a window against replays the peer has."""


class Crypto(msgspec.Struct, frozen=True):
    """One offered or accepted key; `str` writes its line without the name."""

    tag: int
    """Names the line, so that an answer can say which one it takes."""
    suite: Suite
    """How packets are encrypted and proved."""
    key: bytes
    """Master key and salt of whoever wrote the line, for what it sends."""

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"

    def __repr__(self) -> str:
        return f"Crypto(tag={self.tag}, suite={self.suite!r})"


def parse_crypto(text: str) -> Crypto | None:
    """Read the value of an `a=crypto` line, or return None where it is nothing that is spoken here."""
    words = text.split()
    if len(words) < 3 or not all(word.lower().startswith(_HARMLESS) for word in words[3:]):
        return None
    suite = next((known for known in SUITES if known.lower() == words[1].lower()), None)
    method, _, inline = words[2].partition(":")
    encoded, *rest = inline.split("|")
    # After the key may come how long it lives, and then which of several it is, with a colon.
    if suite is None or method.lower() != "inline" or any(":" in part for part in rest) or ";" in inline:
        return None
    try:
        # Some leave the padding out.
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        tag = number(words[0], 999_999_999)
    except (binascii.Error, ValueError, MalformedMessage):
        return None
    return Crypto(tag, suite, key) if len(key) == KEY_BYTES else None
