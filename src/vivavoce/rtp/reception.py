"""Reception: one party's packets become its sound in the right order, with what is missing named.

Who listens is a model, not an ear.  An ear needs an even flow, so buffers for ears hold everything back and stretch or
drop sound to stay at their depth.  A model takes sound at any pace, so here

- nothing is held back while packets come in their order;
- a hole waits as long as packets have come late lately, and is then concealed; what comes later still is dropped;
- when nothing comes at all, silence goes on in real time, so that turns can end; what was only held up on its way is
  heard nevertheless when it comes, in one go, so that a stall costs no word and leaves no delay behind;
- time without packets (the sender transmits nothing while it is silent) is told from loss by the sequence numbers, and
  silence that was given while waiting is not given again.

It decodes nothing: it says what to do with a decoder, step by step, in `clock_ticks` of the payload's clock.  It has no
clock of its own: `now` is in seconds of any clock that does not jump.  What a packet may cost is bounded, whatever its
numbers claim.  Called by legs, for each packet and for each tick of 20 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from heapq import heappop, heappush

import msgspec

from .packet import Packet, signed_16, signed_32
from .patience import Patience

__all__ = ["Conceal", "Play", "Reception", "Recover", "Silence", "Statistics", "Step"]

_STALL_SECONDS = 0.2
"""Silence is given when nothing has come for so long, and then for all of that time at once."""
_MOST_HELD = 100
"""Packets that wait behind a hole; with one more the hole is given up."""
_MOST_BYTES = 8_192
"""Larger payloads are no speech: Opus takes 1275 bytes for 20 ms at the very most."""
_LONGEST_PACKET_SECONDS = 0.2
_MOST_AHEAD, _MOST_BEHIND = 1_000, 200
"""Packets by which a number may differ from the expected one before it is taken for another stream's."""
_SEEN_BITS = (1 << _MOST_BEHIND) - 1
_NEAR_STRANGER = 10
"""How near two packets that fit nothing must be to each other to begin a new stream."""
_OLDEST_SECONDS = 20.0
"""How far back a late packet's timestamp may lie."""
_EARLY_SECONDS = 0.5
"""How much sooner than any packet before one may come: beyond that it is the timestamps that jumped."""
_LONGEST_CONCEALED_SECONDS = 0.2
"""After so much of concealment a decoder has nothing left to go on."""
_FIRST_CREDIT_SECONDS, _MOST_CREDIT_SECONDS, _CREDIT_RATE = 2.0, 60.0, 1.25
"""How much more sound than time may come: a second of time allows 1.25 of sound, and a stall all that it held up."""


class Play(msgspec.Struct, frozen=True, gc=False):
    """Decode a payload."""

    payload: bytes
    """What to decode."""
    payload_type: int
    """With which decoder, where several were agreed on."""


class Recover(msgspec.Struct, frozen=True, gc=False):
    """Decode the copy of a lost packet that the next one may carry; the next one itself follows as `Play`."""

    payload: bytes
    """The payload of the packet after the lost one."""
    clock_ticks: int
    """How long the lost one was."""


class Conceal(msgspec.Struct, frozen=True, gc=False):
    """Fill in for lost sound."""

    clock_ticks: int
    """How much of it."""


class Silence(msgspec.Struct, frozen=True, gc=False):
    """Let time go on in which nothing was sent, or in which nothing came."""

    clock_ticks: int
    """How much of it."""
    noise_dbov: int | None
    """The level of noise that the sender asked for in its place (RFC 3389), 0 to -127; None where it did not."""


Step = Play | Recover | Conceal | Silence


class Statistics(msgspec.Struct):
    """What has come so far, of all streams together; times in milliseconds."""

    received: int = 0
    """Packets of the stream, late ones and duplicates included."""
    expected: int = 0
    """Packets that have or should have come, by their numbers."""
    lost: int = 0
    """Packets that were given up."""
    late: int = 0
    """Packets that came after they had been given up."""
    duplicates: int = 0
    """Packets that came again."""
    reordered: int = 0
    """Packets that were overtaken, yet came in time."""
    damaged: int = 0
    """Packets whose payload cannot be sound."""
    excess: int = 0
    """Packets that were dropped because far more sound came than time passed."""
    restarts: int = 0
    """Times at which another stream began."""
    stalls: int = 0
    """Times at which nothing came for longer than 200 ms."""
    recovered: int = 0
    """Lost packets for which the next one was there to be asked for a copy."""
    concealed_ms: float = 0.0
    """Sound that was filled in for, recovered or not."""
    silence_ms: float = 0.0
    """Silence that was given."""
    jitter_ms: float = 0.0
    """Interarrival jitter of RFC 3550."""
    wait_ms: float = 0.0
    """How long a hole waits just now."""

    @property
    def lost_for_good(self) -> int:
        """Packets that have not come to this day."""
        return self.lost - self.late


class Reception:
    """The jitter buffer of one party."""

    def __init__(
        self,
        clock_hz: int,
        ticks: Callable[[bytes], int],
        *,
        recovers: bool = False,
        silent_types: Collection[int] = (),
        noise_type: int | None = None,
    ) -> None:
        """Wait for a stream.

        Args:
            clock_hz: ticks of a second in timestamps: 48,000 for Opus, 8000 for G.711 and G.722.
            ticks: how long a payload lasts; 0 for one that is damaged.  `rtp.ticks` has them.
            recovers: lost packets may be copied in the one that follows, as with Opus.
            silent_types: payload types that take a number but are no sound, as telephone events.
            noise_type: the payload type of comfort noise, 13 with telephones.
        """
        self._clock_hz = clock_hz
        self._ticks = ticks
        self._recovers = recovers
        self._silent_types = frozenset(silent_types)
        self._noise_type = noise_type
        self._count = Statistics()
        self._patience = Patience()
        self._credit = _FIRST_CREDIT_SECONDS * clock_hz
        self._credit_rate = _CREDIT_RATE * clock_hz
        self._longest = _LONGEST_PACKET_SECONDS * clock_hz
        self._most_credit = _MOST_CREDIT_SECONDS * clock_hz
        self._now: float | None = None
        self._stranger: Packet | None = None
        self._ssrc: int | None = None
        # Sound: until where it was given, and since when none has come.
        self._until = 0
        self._sounded_at = 0.0
        self._filled = 0
        self._noise: int | None = None
        self._length = clock_hz // 50
        self._begin_numbers(0)

    def _begin_numbers(self, sequence: int) -> None:
        """Expect a stream from a number on."""
        self._next = sequence
        self._base = self._highest = sequence - 1
        self._seen = 0
        """Which of the packets before `_next` have come, the lowest bit for the one right before it."""
        self._held: dict[int, tuple[Packet, float]] = {}
        self._order: list[int] = []
        self._missing = 0
        """Packets given up since the last that had sound."""
        self._transit: float | None = None
        self._position = 0
        self._lead = float("-inf")
        """The earliest that any packet came: its position in the stream minus its time, in ticks."""

    # -- what comes

    def receive(self, packet: Packet, now: float) -> list[Step]:
        """Take a packet and return what is to be heard now."""
        self._pass_time(now)
        if packet.ssrc != self._ssrc:
            return self._meet(packet, now)
        offset = signed_16(packet.sequence - self._next)
        if offset and not self._fits(offset, packet.timestamp):
            return self._meet(packet, now)
        self._stranger = None
        count = self._count
        count.received += 1
        number = self._next + offset
        if number > self._highest:
            count.expected += number - self._highest
            self._highest = number
            self._measure(packet, now)
        if offset < 0:
            self._drop(number, now)
            return []
        if not offset and not self._held:
            return self._take(packet, now, 0)
        if number in self._held:
            count.duplicates += 1
            return []
        if number < self._highest:
            count.reordered += 1
            overtaken_at = next(arrived for other, (_, arrived) in self._held.items() if other > number)
            self._patience.learn(now - overtaken_at, now)
        self._held[number] = (packet, now)
        heappush(self._order, number)
        return self._release(now)

    def receive_time(self, now: float) -> list[Step]:
        """Learn what time it is and return what is to be heard now; with each tick of 20 ms, or at `deadline`."""
        self._pass_time(now)
        if self._held:
            return self._release(now)
        if now - self._sounded_at < self._patience_for_sound:
            return []
        step = self._clock_hz // 100
        due = (int((now - self._sounded_at) * self._clock_hz) - self._filled) // step * step
        if due <= 0:
            return []
        if not self._filled and self._ssrc is not None:
            self._count.stalls += 1
        self._filled += due
        return [self._silence(due)]

    @property
    def deadline(self) -> float | None:
        """When there will be something to hear without a packet; None before the first call."""
        if self._now is None:
            return None
        if self._held:
            return self._held_since + self._patience.seconds(self._now)
        return self._sounded_at + max(self._patience_for_sound, self._filled / self._clock_hz + 0.01)

    @property
    def _patience_for_sound(self) -> float:
        """How long silence waits for sound that may be late; before the first packet there is none."""
        return 0.0 if self._ssrc is None else _STALL_SECONDS

    @property
    def statistics(self) -> Statistics:
        """What has come so far, as a copy."""
        wait = self._patience.seconds(self._now or 0.0)
        return msgspec.structs.replace(self._count, wait_ms=1000 * wait)

    @property
    def ssrc(self) -> int | None:
        """The stream that is heard; None before the first packet."""
        return self._ssrc

    @property
    def extended_sequence(self) -> int:
        """The highest number that came, with how often numbers have wrapped in its upper half, as reports tell it."""
        return self._highest & 0xFFFF_FFFF

    def _pass_time(self, now: float) -> None:
        """Allow as much sound as time has passed; the first call begins to count."""
        if self._now is None:
            self._sounded_at = now
        elif now > self._now:
            credit = self._credit + (now - self._now) * self._credit_rate
            self._credit = credit if credit < self._most_credit else self._most_credit
        self._now = now

    # -- which stream

    def _fits(self, offset: int, timestamp: int) -> bool:
        """Return whether a packet that is not the next one belongs to the stream all the same."""
        if offset > 0:
            return offset <= _MOST_AHEAD
        # A sender that began to count anew has numbers that were there before, with times that were not.
        age = signed_32(timestamp - self._until)
        return offset >= -_MOST_BEHIND and -_OLDEST_SECONDS * self._clock_hz < age <= 0

    def _meet(self, packet: Packet, now: float) -> list[Step]:
        """Take a packet that fits nothing: the first of all, or one of two that show that another stream has begun.

        A single one may be a stray, and must not cost the stream that is heard.
        """
        if self._ssrc is None:
            self._begin(packet)
            return self.receive(packet, now)
        stranger = self._stranger
        if stranger is None or stranger.ssrc != packet.ssrc:
            self._stranger = packet
            return []
        ahead = signed_16(packet.sequence - stranger.sequence)
        if not 0 < ahead <= _NEAR_STRANGER:
            self._stranger = packet
            return []
        steps: list[Step] = []
        while self._held:
            steps += self._release_first(now)
        self._count.restarts += 1
        self._begin(stranger)
        return [*steps, *self.receive(stranger, now), *self.receive(packet, now)]

    def _begin(self, packet: Packet) -> None:
        self._stranger = None
        self._ssrc = packet.ssrc
        self._until = packet.timestamp
        self._begin_numbers(packet.sequence)

    # -- in which order

    @property
    def _held_since(self) -> float:
        """When the first of the packets that wait came, and the hole before them was seen."""
        return next(iter(self._held.values()))[1]

    def _release(self, now: float) -> list[Step]:
        """Let go of what need not wait any more."""
        steps: list[Step] = []
        while self._held:
            is_due = (
                self._order[0] == self._next
                or len(self._held) > _MOST_HELD
                or now - self._held_since >= self._patience.seconds(now)
            )
            if not is_due:
                break
            steps += self._release_first(now)
        return steps

    def _release_first(self, now: float) -> list[Step]:
        since = self._held_since
        number = heappop(self._order)
        packet, arrived = self._held.pop(number)
        lost = number - self._next
        if lost:
            self._count.lost += lost
            self._patience.give_up(self._next, number, since)
        return self._take(packet, arrived, lost)

    def _drop(self, number: int, now: float) -> None:
        """Count a packet whose time is over, and learn from how late it came."""
        bit = 1 << (self._next - 1 - number)
        if self._seen & bit or number <= self._base:
            self._count.duplicates += self._seen & bit > 0
            return
        self._seen |= bit
        self._count.late += 1
        self._patience.learn_late(number, now)

    def _measure(self, packet: Packet, now: float) -> None:
        """Update the jitter by RFC 3550 section 6.4.1, from packets that came in their order."""
        if packet.payload_type in self._silent_types:
            return  # its timestamp stands still
        transit = now * self._clock_hz - packet.timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < _OLDEST_SECONDS * self._clock_hz:  # else the timestamps wrapped or jumped
                jitter = self._count.jitter_ms
                self._count.jitter_ms = jitter + (1000 * difference / self._clock_hz - jitter) / 16
        self._transit = transit

    # -- what is heard

    def _take(self, packet: Packet, arrived: float, lost: int) -> list[Step]:
        """Take the next packet in order, before which so many were lost."""
        self._next += lost + 1
        self._seen = (self._seen << (lost + 1) | 1) & _SEEN_BITS
        self._missing += lost
        if packet.payload_type in self._silent_types:
            return []
        payload, ticks = packet.payload, 0
        is_noise = packet.payload_type == self._noise_type
        if not is_noise:
            ticks = self._ticks(payload) if len(payload) <= _MOST_BYTES else 0
            if not 0 < ticks <= self._longest:
                self._count.damaged += 1
                self._missing += len(payload) > 0  # an empty one only keeps a way through the network open
                return []
        gap = signed_32(packet.timestamp - self._until) if packet.timestamp != self._until else 0
        steps: list[Step] = self._bridge(packet, gap, arrived) if gap > 0 else []
        self._noise = -(payload[0] & 0x7F) if is_noise and payload else None
        self._until = packet.timestamp + ticks & 0xFFFF_FFFF
        self._missing = self._filled = 0
        if arrived > self._sounded_at:
            self._sounded_at = arrived
        if ticks:
            self._length = ticks
            lead = self._position - arrived * self._clock_hz
            if lead > self._lead:
                self._lead = lead
            self._position += ticks
            if self._spend(ticks):
                steps.append(Play(payload, packet.payload_type))
            else:
                self._count.excess += 1
        return steps

    def _bridge(self, packet: Packet, gap: int, arrived: float) -> list[Step]:
        """Fill the time between the last sound and a packet: what was lost of it, and what was never sent."""
        lead = self._position + gap - arrived * self._clock_hz
        if lead > self._lead + _EARLY_SECONDS * self._clock_hz:
            return []  # no such time has passed: the sender set its timestamps anew
        self._position += gap
        gap -= self._filled
        if gap <= 0 or not self._spend(gap):
            return []
        most = int(_LONGEST_CONCEALED_SECONDS * self._clock_hz)
        concealed = min(gap, self._missing * self._length, most)
        recovered = self._length if self._recovers and concealed >= self._length else 0
        self._count.recovered += recovered > 0
        self._count.concealed_ms += 1000 * concealed / self._clock_hz
        steps: list[Step] = []
        if concealed > recovered:
            steps.append(Conceal(concealed - recovered))
        if gap > concealed:
            steps.append(self._silence(gap - concealed))
        if recovered:
            steps.append(Recover(packet.payload, recovered))
        return steps

    def _silence(self, ticks: int) -> Silence:
        self._count.silence_ms += 1000 * ticks / self._clock_hz
        return Silence(ticks, self._noise)

    def _spend(self, ticks: int) -> bool:
        """Return whether so much sound may come; a sender that makes far more of it than time passes is not kept up."""
        if ticks > self._credit:
            return False
        self._credit -= ticks
        return True
