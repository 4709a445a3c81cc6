"""The codecs of telephones, by what session descriptions say of them: names, payload types, clocks, parameters."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from .errors import MalformedMessage
from .lexing import number
from .sdp import Attributes, MediaSection

__all__ = [
    "ALL", "G722", "OPUS", "PCMA", "PCMU", "Codec", "CodecName", "Format", "Keys", "formats_of", "keys_of",
    "parse_fmtp",
]  # fmt: skip

CodecName: TypeAlias = Literal["opus", "G722", "PCMU", "PCMA"]


class Codec(msgspec.Struct, frozen=True):
    """A codec as RTP carries it."""

    name: CodecName
    """Its name, as it is registered."""
    clock_hz: int
    """How fast the timestamps of its packets count; for G.722 not its sample rate, by a mistake that was kept."""
    payload_type: int
    """Its payload type where nothing else was agreed on; those below 96 are its own everywhere."""
    channels: int = 1
    """What the description says; Opus says two whatever it holds."""
    fmtp: str = ""
    """What is asked of whoever sends it here."""

    @property
    def rtpmap(self) -> str:
        """How a description writes it."""
        return f"{self.name}/{self.clock_hz}" + (f"/{self.channels}" if self.channels > 1 else "")


OPUS = Codec("opus", 48_000, 96, 2, "maxplaybackrate=24000;sprop-maxcapturerate=24000;stereo=0;useinbandfec=1;usedtx=0")
G722 = Codec("G722", 8000, 9)
PCMU = Codec("PCMU", 8000, 0)
PCMA = Codec("PCMA", 8000, 8)

ALL = (OPUS, G722, PCMU, PCMA)
"""All codecs, the best first."""

_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000", "13": "CN/8000"}
_BY_NAME = {codec.name.lower(): codec for codec in ALL}


class Format(msgspec.Struct, frozen=True):
    """A codec under the payload type that it has in one description."""

    payload_type: int
    """0 to 127."""
    codec: Codec
    """The codec."""
    fmtp: Attributes = ()
    """What the peer asks for, such as `useinbandfec` for Opus; names in lower case."""


class Keys(msgspec.Struct, frozen=True):
    """Telephone keys under the payload type that they have in one description (RFC 4733)."""

    payload_type: int
    """0 to 127."""
    clock_hz: int
    """How fast their timestamps count, which ought to be that of the audio beside them."""


def _entries(section: MediaSection) -> list[tuple[int, str, int]]:
    """Return payload type, lower-case name and clock of each format that says what it is."""
    said = section.by_format("rtpmap")
    entries: list[tuple[int, str, int]] = []
    for payload_type in section.formats:
        name, _, rest = said.get(payload_type, _STATIC.get(payload_type, "")).partition("/")
        try:
            entries.append((number(payload_type, 127), name.strip().lower(), number(rest.partition("/")[0].strip())))
        except MalformedMessage:
            continue
    return entries


def formats_of(section: MediaSection) -> tuple[Format, ...]:
    """Return the codecs of a section that are spoken here, in the section's order."""
    asked = section.by_format("fmtp")
    formats: list[Format] = []
    for payload_type, name, clock_hz in _entries(section):
        codec = _BY_NAME.get(name)
        # Some write the sample rate of G.722, which is not its clock.
        if codec is None or (clock_hz != codec.clock_hz and (codec, clock_hz) != (G722, 16_000)):
            continue
        formats.append(Format(payload_type, codec, parse_fmtp(asked.get(str(payload_type), ""))))
    return tuple(formats)


def keys_of(section: MediaSection, clock_hz: int) -> Keys | None:
    """Return the telephone keys of a section, best those with the clock of the audio; None where it has none."""
    found = [Keys(pt, clock) for pt, name, clock in _entries(section) if name == "telephone-event" and clock]
    return next((keys for keys in found if keys.clock_hz == clock_hz), found[0] if found else None)


def parse_fmtp(text: str) -> Attributes:
    """Read what is asked of a format: `name=value; name=value`."""
    pairs = [item.partition("=") for item in text.split(";") if item.strip()]
    return tuple([(name.strip().lower(), value.strip()) for name, _, value in pairs])
