"""What the session process and the media process say to each other, and how it is written.

Each message is MessagePack behind four bytes of length, on a stream socket.  Calls are numbered by the session process,
each number used once.  Sound is s16le mono at 24 kHz, towards the caller in whole frames of 20 ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Literal

import msgspec

__all__ = [
    "FRAME_BYTES",
    "MOST_AHEAD",
    "MOST_CLIP_BYTES",
    "CallOrder",
    "Clear",
    "ClipEnded",
    "Close",
    "Closed",
    "CodecName",
    "Connected",
    "Direct",
    "Duck",
    "Failed",
    "Inbox",
    "LoadClip",
    "Measured",
    "Monitor",
    "Open",
    "Opened",
    "Order",
    "PlayClip",
    "PlayFrames",
    "Prepare",
    "Press",
    "Pressed",
    "Secret",
    "StopClip",
    "Tick",
    "decode_order",
    "decode_tick",
    "encode",
]

FRAME_BYTES = 960
"""20 ms of sound."""
MOST_AHEAD = 100
"""Frames of a call's speech that the media process holds: two seconds, which the session process may be busy for."""
MOST_CLIP_BYTES = 48 << 20
"""Of all clips together: more than a quarter of an hour."""
_MOST_BYTES = 64 << 20
_LENGTH = Struct("!I")

CodecName = Literal["opus", "g722", "pcmu", "pcma"]


class Secret(msgspec.Struct, frozen=True, array_like=True):
    """How one direction is encrypted (RFC 4568)."""

    suite: str
    """`AES_CM_128_HMAC_SHA1_80` or `AES_CM_128_HMAC_SHA1_32`."""
    key: bytes
    """Master key and salt, 30 bytes."""


# ------------------------------------------------------------------------------------------- to the media process


class Prepare(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Load what codecs and encryption need, which takes longer than a tick, before there are calls."""

    codecs: tuple[CodecName, ...]


class Open(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Take a pair of ports for a call."""

    call: int
    host: str
    """Address to bind, IPv4 or IPv6."""
    ports: tuple[int, int]
    """The first and the last port that may be taken."""


class Direct(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Exchange sound with a party as agreed; told again after each new offer and answer."""

    call: int
    host: str
    """Its IP address."""
    port: int
    codec: CodecName
    payload_type: int
    keys_type: int | None
    """Payload type of telephone events; None where they were not agreed on."""
    keys_clock_hz: int
    noise_type: int | None
    """Payload type of comfort noise, 13 where it was agreed on."""
    sends: bool
    """Whether the party wants to hear us: not while it has us on hold without music."""
    receives: bool
    """Whether we want to hear it."""
    rtcp_port: int
    """Where its reports go: `port` where both share one."""
    sending: Secret | None
    """How what we send is encrypted."""
    receiving: Secret | None
    """How what comes is encrypted."""
    timeout_seconds: float
    """After so long without a packet the party is gone, unless it is on hold; 0 for never."""
    also_types: tuple[int, ...] = ()
    """Other payload types under which it may send that codec: those that it was offered."""
    also_keys_type: int | None = None
    """Another payload type under which it may send telephone events."""


class PlayFrames(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Play whole frames, after those that wait; at most `MOST_AHEAD` may be unplayed."""

    call: int
    pcm: bytes


class Clear(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Forget the frames that wait."""

    call: int
    number: int
    """Counts clearings: what ticks tell of frames of before is of no more interest."""


class Duck(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Play what the session says at another volume."""

    call: int
    gain: float


class LoadClip(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Keep a piece of sound under a name, for all calls; empty sound forgets it."""

    name: str
    pcm: bytes


class PlayClip(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Play a clip instead of another one."""

    call: int
    name: str
    is_looped: bool


class StopClip(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Stop the clip that plays, without telling that it ended."""

    call: int


class Press(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Press keys, one after the other, while the speech waits."""

    call: int
    keys: str
    duration_ms: int


class Monitor(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Tell what leaves for the party, or no more, as at the beginning."""

    call: int
    is_on: bool


class Close(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """End a call's media."""

    call: int


CallOrder = Open | Direct | PlayFrames | Clear | Duck | PlayClip | StopClip | Press | Monitor | Close
Order = CallOrder | LoadClip | Prepare

# -------------------------------------------------------------------------------------------- from the media process


class Opened(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A call has its ports: this one for sound, the next one for reports."""

    call: int
    port: int


class Failed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """An order could not be carried out, and the call's media is gone."""

    call: int
    reason: str


class Connected(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The first packet of the party came."""

    call: int


class Pressed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The party pressed a key."""

    call: int
    key: str


class ClipEnded(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A clip was played to its end, or a looped one gave way to speech."""

    call: int
    name: str


class Closed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The party is gone."""

    call: int
    reason: str


class Measured(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """How well a call is heard; told every few seconds and when it ends."""

    call: int
    received: int
    """Packets."""
    lost: int
    """Packets of theirs that never came."""
    late: int
    """Packets that came too late."""
    concealed_ms: float
    jitter_ms: float
    sent: int
    """Packets."""
    peer_loss: float | None
    """Share of our packets that they lost lately, as they say."""
    peer_jitter_ms: float | None
    round_trip_ms: float | None
    opinion: float
    """Mean opinion score of what we hear, estimated."""


Happening = Opened | Failed | Connected | Pressed | ClipEnded | Closed | Measured


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """What 20 ms brought, of all calls."""

    heard: list[tuple[int, bytes]]
    """Sound of each call, of any length."""
    played: list[tuple[int, int, int]]
    """Calls, their last `Clear.number`, and how many frames they have played since then in all."""
    happenings: list[Happening]
    left: list[tuple[int, bytes]] = []
    """What has left for each party, a frame each; nothing in silence, nor for calls that are not monitored."""


_encoder = msgspec.msgpack.Encoder()
_order = msgspec.msgpack.Decoder(Order)
_tick = msgspec.msgpack.Decoder(Tick)


def encode(message: Order | Tick) -> bytes:
    """Return the bytes of a message."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def decode_order(body: bytes) -> Order:
    """Return the order in a message.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    order: Order = _order.decode(body)
    return order


def decode_tick(body: bytes) -> Tick:
    """Return the tick in a message.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _tick.decode(body)


class Inbox:
    """Bytes as they come, and the messages in them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held = bytearray()

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Take bytes and yield each message that they complete; to be read to its end.

        Raises:
            ValueError: a message is longer than any.
        """
        self._held += data
        at = 0
        while len(self._held) - at >= _LENGTH.size:
            length = _LENGTH.unpack_from(self._held, at)[0]
            if length > _MOST_BYTES:
                raise ValueError(f"a message of {length} bytes is longer than any")
            end = at + _LENGTH.size + length
            if end > len(self._held):
                break
            yield bytes(self._held[at + _LENGTH.size : end])
            at = end
        del self._held[:at]
