"""What a party says: RTP packets in any order become its sound, without gaps, and its keys.

Called by `peer`, which has decrypted them.
"""

from __future__ import annotations

from ...rtp.packet import parse
from ...rtp.reception import Conceal, Play, Reception, Recover, Silence, Step
from ...rtp.telephone_event import Keys
from .coding import Decoding
from .offer import Codec

__all__ = ["AudioIn"]

_MOST_PACKETS_PER_S = 400
"""The shortest packets that Opus has, of 2.5 ms; of more the rest is dropped before it costs anything."""


class AudioIn:
    """The stream from one party."""

    def __init__(self, codec: Codec, digits: tuple[Codec, ...], decoding: Decoding) -> None:
        """Wait for packets."""
        self._payload_type = codec.payload_type
        self._decoding = decoding
        self._digit_types = frozenset(each.payload_type for each in digits)
        self._keys = Keys(codec.clock_hz)
        self.reception = Reception(
            codec.clock_hz, decoding.ticks, recovers=decoding.can_recover, silent_types=self._digit_types
        )
        """Its jitter buffer."""
        self.pressed: list[str] = []
        """Keys that nobody was told of yet."""
        self._second = 0.0
        self._packets = 0
        self.bytes = 0
        """Received, as payloads."""

    def receive(self, data: bytes, now: float) -> bytes:
        """Take a decrypted packet and return what is to be heard now; often that is its own sound."""
        if now - self._second >= 1:
            self._second, self._packets = now, 0
        self._packets += 1
        if self._packets > _MOST_PACKETS_PER_S:
            return b""
        packet = parse(data)
        if packet is None:
            return b""
        if packet.payload_type in self._digit_types:
            key = self._keys.receive(packet)
            if key is not None:
                self.pressed.append(key)
        elif packet.payload_type != self._payload_type:
            return b""
        self.bytes += len(packet.payload)
        return self._sound(self.reception.receive(packet, now))

    def receive_time(self, now: float) -> bytes:
        """Return what is to be heard although nothing has come."""
        return self._sound(self.reception.receive_time(now))

    def _sound(self, steps: list[Step]) -> bytes:
        if len(steps) == 1 and type(steps[0]) is Play:
            return self._decoding.decode(steps[0].payload)
        return b"".join(map(self._perform, steps)) if steps else b""

    def _perform(self, step: Step) -> bytes:
        match step:
            case Play(payload):
                return self._decoding.decode(payload)
            case Recover(payload, ticks):
                return self._decoding.recover(payload, ticks)
            case Conceal(ticks):
                return self._decoding.conceal(ticks)
            case Silence(ticks):
                return self._decoding.silence(ticks)
