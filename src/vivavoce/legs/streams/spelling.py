"""What providers and PBXs say on a media stream, and what they are told: one vocabulary, spelt by each in its own way.

A spelling is pure: messages in, what they mean out.  Held by `stream`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

__all__ = ["Began", "Coding", "Ended", "Heard", "Message", "Pressed", "Sound", "Spelling", "StreamError", "Told"]

Message = str | bytes
"""A text message or a binary one."""

Coding = Literal["ulaw", "alaw", "linear"]


class StreamError(ValueError):
    """What came is not what this spelling allows; the message says why."""


class Sound(msgspec.Struct, frozen=True):
    """How audio is coded: mono, little-endian where it is linear."""

    coding: Coding = "ulaw"
    rate_hz: int = 8_000


class Began(msgspec.Struct, frozen=True):
    """The stream of a call begins."""

    call: str
    """The provider's name for it."""
    caller: str = ""
    called: str = ""
    hears: Sound = Sound()
    """How what comes is coded."""
    says: Sound = Sound()
    """How what goes is coded."""
    token: str = ""
    """What lets it in, where the stream itself carries that."""


class Heard(msgspec.Struct, frozen=True):
    """The caller's audio."""

    audio: bytes


class Pressed(msgspec.Struct, frozen=True):
    """The caller pressed a key."""

    digit: str


class Ended(msgspec.Struct, frozen=True):
    """The call is over."""

    reason: str


Told = Began | Heard | Pressed | Ended


class Spelling(Protocol):
    """How one provider spells a stream."""

    road: str
    """What it is called in records and metrics."""
    lead_frames: int
    """Frames of 20 ms that may be sent before their time, against the unevenness of networks."""

    def read(self, message: Message) -> Sequence[Told]:
        """Return what a message means; nothing for what may be ignored.

        Raises:
            StreamError: it is none of this spelling.
        """
        ...

    def opening(self) -> Sequence[Message]:
        """Return what is said as soon as the call is taken."""
        ...

    def audio(self, audio: bytes) -> Message:
        """Return the message that plays coded audio."""
        ...

    def clear(self) -> Sequence[Message]:
        """Return what has the other side forget the audio that waits there."""
        ...

    def hang_up(self) -> Sequence[Message]:
        """Return what ends the call; closing the connection follows."""
        ...


KEYS = frozenset("0123456789*#ABCD")


def digit(value: object) -> list[Told]:
    """Return a key that was pressed; nothing for what is none."""
    text = str(value).upper()
    return [Pressed(text)] if text in KEYS else []
