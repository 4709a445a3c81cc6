"""Telephone keys as RTP events (RFC 4733): which keys were pressed, and the packets that press one.

An event is told again and again while it lasts, and its end three times, all with the timestamp at which it began; so a
key is known by the first of its packets that comes, and the others are the same key.  The payload type and the clock
are whatever was agreed on.  Not for tones within the sound (`audio`) nor for keys in SIP.  Called by legs.
"""

from __future__ import annotations

from struct import Struct

import msgspec

from .packet import Packet, signed_32

__all__ = ["KEYS", "Event", "Keys", "build", "parse", "press"]

KEYS = "0123456789*#ABCD"
"""The keys by their event numbers (RFC 4733 section 3.2)."""

_EVENT = Struct("!BBH")
_END, _VOLUME = 0x80, 0x3F
_LONGEST = 0xFFFF
_LEVEL = 10
"""dB below full scale, as most telephones tell; it matters where a gateway makes a tone of it."""
_ENDS = 3
"""The end is sent so often, because nothing else would make up for its loss."""
_TOLERANCE_SECONDS = 0.1
"""How far a timestamp may be from where an event that goes on would put it."""


class Event(msgspec.Struct, frozen=True):
    """The payload of one packet."""

    code: int
    """Which key: an index of `KEYS`; more are defined, which are no keys."""
    is_end: bool
    """The key has been released."""
    volume_db: int
    """How many dB below full scale its tone is, 0 to 63."""
    duration: int
    """For how long it has been pressed, in ticks of the agreed clock."""


def parse(payload: bytes) -> Event | None:
    """Return the event of a payload, or None if there is none."""
    if len(payload) < _EVENT.size:
        return None
    code, second, duration = _EVENT.unpack_from(payload)
    return Event(code, second >= _END, second & _VOLUME, duration)


def build(event: Event) -> bytes:
    """Return the payload of an event."""
    return _EVENT.pack(event.code, event.volume_db | (_END if event.is_end else 0), min(event.duration, _LONGEST))


def press(key: str, clock_hz: int, *, duration_ms: int = 160, packet_ms: int = 20) -> list[Event]:
    """Return the events that press and release a key, one for each packet in turn.

    All are sent with the timestamp of the first, which has the marker; sound goes on after the last of them.

    Raises:
        ValueError: there is no such key, or it is pressed for no time or for longer than one event can tell.
    """
    code = KEYS.find(key.upper()) if len(key) == 1 else -1
    if code < 0:
        raise ValueError(f"a telephone has no key {key!r}: its keys are {KEYS}")
    step = clock_hz * packet_ms // 1000
    count = -(-duration_ms // packet_ms)
    if not 0 < count * step <= _LONGEST:
        raise ValueError(f"a key cannot be pressed for {duration_ms} ms")
    durations = [step * n for n in range(1, count + 1)]
    going_on = [Event(code, False, _LEVEL, duration) for duration in durations[:-1]]
    return going_on + [Event(code, True, _LEVEL, durations[-1])] * _ENDS


class Keys:
    """The keys that one party presses."""

    def __init__(self, clock_hz: int) -> None:
        """Begin with none pressed; `clock_hz` is that of the events, 8000 unless agreed otherwise."""
        self._tolerance = int(_TOLERANCE_SECONDS * clock_hz)
        self._ssrc: int | None = None
        self._timestamp = 0
        self._last: Event | None = None

    def receive(self, packet: Packet) -> str | None:
        """Take a packet of events and return the key that it is the first to tell of, if it is."""
        event = parse(packet.payload)
        if event is None or event.code >= len(KEYS):
            return None
        is_known = False
        if self._last is not None and packet.ssrc == self._ssrc:
            age = signed_32(packet.timestamp - self._timestamp)
            if age < 0:
                return None  # of a key before the last one
            is_known = age == 0 or (self._goes_on(self._last, event, age) and not packet.marker)
        if not (is_known and self._last is not None and self._last.is_end):
            self._last = event
        self._ssrc, self._timestamp = packet.ssrc, packet.timestamp
        return None if is_known else KEYS[event.code]

    def _goes_on(self, last: Event, event: Event, age: int) -> bool:
        """Return whether an event with a later timestamp is the same key, still pressed.

        So it is after the longest duration that an event can tell (RFC 4733 section 2.5.1.3), and with senders that
        wrongly tell the time of each packet.
        """
        return not last.is_end and event.code == last.code and age <= last.duration + self._tolerance
