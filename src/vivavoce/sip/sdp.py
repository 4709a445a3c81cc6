"""Session descriptions as values: read what telephones write, and write what they read; RFC 8866.

What matters to a call is read strictly; what is odd but harmless (missing `s=` and `t=`, line ends of one character,
lines nobody knows) is let pass.  What a description means is the business of `negotiation`.
"""

from __future__ import annotations

import re

import msgspec

from .errors import MalformedMessage, UnwritableMessage
from .lexing import number
from .uri import parse_host, parse_ipv6

__all__ = ["MAX_DESCRIPTION_BYTES", "Attributes", "Description", "MediaSection", "Origin", "parse_description"]

MAX_DESCRIPTION_BYTES = 16_384
"""How long a description may be."""

_MAX_LINES = 512
_MAX_SECTIONS = 16
_MAX_FORMATS = 128

_LINE_END = re.compile(r"\r\n|\n|\r")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-./^_`{|}~")

Attributes = tuple[tuple[str, str], ...]
"""Names in lower case and values, which are empty for those that are only names."""


class Origin(msgspec.Struct, frozen=True):
    """Who made a description, and which version of it this is."""

    session_id: str = "0"
    """Names the session."""
    version: str = "0"
    """Grows with every change."""
    username: str = "-"
    """Who; nobody says."""
    address: str = "0.0.0.0"
    """On which machine."""

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {_format_address(self.address)}"


class MediaSection(msgspec.Struct, frozen=True):
    """One `m=` line and all that belongs to it."""

    kind: str
    """`audio`, `video`, `image` and others."""
    port: int
    """Where it is received; 0 refuses it."""
    protocol: str
    """How it is carried, such as `RTP/AVP`."""
    formats: tuple[str, ...]
    """Payload types, or for other protocols whatever they have, the preferred one first."""
    connection: str | None = None
    """The address of this section, None where that of the whole description holds."""
    attributes: Attributes = ()
    """What is said of it, in order."""

    def get(self, name: str) -> str | None:
        """Return an attribute's first value, empty where it is only a name; None where it is not there."""
        return next((value for key, value in self.attributes if key == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of an attribute."""
        return tuple([value for key, value in self.attributes if key == name])

    def by_format(self, name: str) -> dict[str, str]:
        """Return what an attribute such as `rtpmap` says of each format; the first word counts."""
        pairs = [value.split(None, 1) for value in self.all(name)]
        found: dict[str, str] = {}
        for pair in pairs:
            if len(pair) == 2:
                found.setdefault(pair[0], pair[1].strip())
        return found

    def refused(self) -> MediaSection:
        """Return the section as an answer refuses it."""
        return MediaSection(self.kind, 0, self.protocol, self.formats)


class Description(msgspec.Struct, frozen=True):
    """A whole session description; `bytes` writes it."""

    origin: Origin
    """Who made it."""
    media: tuple[MediaSection, ...] = ()
    """Its sections, in the order that both sides keep for the whole call."""
    connection: str | None = None
    """The address of all sections that have none of their own."""
    attributes: Attributes = ()
    """What is said of all sections."""

    def get(self, name: str) -> str | None:
        """Return an attribute's first value, empty where it is only a name; None where it is not there."""
        return next((value for key, value in self.attributes if key == name), None)

    def __bytes__(self) -> bytes:
        lines = ["v=0", f"o={self.origin}", "s=-"]
        if self.connection is not None:
            lines.append(f"c={_format_address(self.connection)}")
        lines += ["t=0 0", *_format_attributes(self.attributes)]
        for section in self.media:
            lines.append(f"m={section.kind} {section.port} {section.protocol} {' '.join(section.formats)}")
            if section.connection is not None:
                lines.append(f"c={_format_address(section.connection)}")
            lines += _format_attributes(section.attributes)
        text = "\n".join(lines)
        if text.count("\n") != len(lines) - 1 or "\r" in text or "\0" in text:
            raise UnwritableMessage("a session description holds a line break where it may not")
        return (text.replace("\n", "\r\n") + "\r\n").encode("utf-8", "replace")


def _format_attributes(attributes: Attributes) -> list[str]:
    """Write attributes."""
    return [f"a={name}:{value}" if value else f"a={name}" for name, value in attributes]


def _format_address(address: str) -> str:
    """Write an address with its kind."""
    return f"IN {'IP6' if ':' in address else 'IP4'} {address}"


def parse_description(data: bytes) -> Description:
    """Read a session description.

    Raises:
        MalformedMessage: where it is none; the message names the line by its letter.
    """
    if len(data) > MAX_DESCRIPTION_BYTES:
        raise MalformedMessage("the session description is too long", status=413)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = [line for line in _LINE_END.split(text, _MAX_LINES) if line.strip()]
    if not lines or lines[0].strip() != "v=0":
        raise MalformedMessage("the session description does not begin with v=0")
    if len(lines) > _MAX_LINES or _CONTROL.search(text):
        raise MalformedMessage("the session description has too many lines or control characters")
    heads = [at for at, line in enumerate(lines) if line.startswith("m=")]
    if len(heads) > _MAX_SECTIONS:
        raise MalformedMessage("the session description has too many media")
    ends = [*heads, len(lines)][1:]
    sections = [_parse_section(lines[start:end]) for start, end in zip(heads, ends, strict=True)]
    origin, connection, attributes = _parse_session(lines[1 : heads[0] if heads else len(lines)])
    return Description(origin, tuple(sections), connection, attributes)


def _parse_session(lines: list[str]) -> tuple[Origin, str | None, Attributes]:
    """Read what stands before the first section; what says nothing to a telephone is left out."""
    origin = Origin()
    for line in lines:
        if line.startswith("o="):
            words = line[2:].split()
            if len(words) != 6:
                raise MalformedMessage("the o= line of the session description is not six words")
            origin = Origin(words[1], words[2], words[0], words[5])
    connection, attributes = _parse_common(lines)
    return origin, connection, attributes


def _parse_common(lines: list[str]) -> tuple[str | None, Attributes]:
    """Read the address and the attributes, which a session and a section both may have."""
    connection: str | None = None
    attributes: list[tuple[str, str]] = []
    for line in lines:
        if line[1:2] != "=":
            raise MalformedMessage("a line of the session description is no letter and an equals sign")
        if line[0] == "c":
            connection = _parse_connection(line[2:])
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            attributes.append((name.strip().lower(), value.strip()))
    return connection, tuple(attributes)


def _parse_connection(text: str) -> str:
    """Read `IN IP4 address`; addresses for many listeners are no place to send a call to."""
    words = text.split()
    if len(words) != 3 or words[0].upper() != "IN" or words[1].upper() not in ("IP4", "IP6"):
        raise MalformedMessage("a c= line of the session description is no address")
    if "/" in words[2]:
        raise MalformedMessage("a c= line of the session description is for many listeners")
    return parse_ipv6(words[2]) if ":" in words[2] else parse_host(words[2])


def _parse_section(lines: list[str]) -> MediaSection:
    """Read an `m=` line and those that follow it."""
    words = lines[0][2:].split(None, _MAX_FORMATS + 3)
    if len(words) < 4 or len(words) > _MAX_FORMATS + 3 or not all(map(_WORD.issuperset, words)):
        raise MalformedMessage("an m= line of the session description is not a kind, a port, a protocol and formats")
    # A number of ports, which no telephone uses, may follow the first one.
    port = number(words[1].partition("/")[0], 65535)
    connection, attributes = _parse_common(lines[1:])
    return MediaSection(words[0].lower(), port, words[2].upper(), tuple(words[3:]), connection, attributes)
