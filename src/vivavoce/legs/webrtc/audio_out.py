"""What a party is to hear: speech goes in as it is made, one RTP packet comes out for every 20 ms, talking or not.

The stream never stops: a listener's jitter buffer that has run dry garbles the first second of the next answer.  While
nothing is to be said, the payload of silence is sent that was encoded once.  Called by `peer`.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence

import numpy as np

from ...audio.playout import Heard, Playout
from ...rtp.packet import header
from ..media import RATE_HZ
from .coding import FRAME_BYTES, Encoding

__all__ = ["AudioOut", "Played", "Started"]

_TAIL_FRAMES = 5
"""Frames of silence that are encoded after speech, until the encoder's state is that of the quiet payload."""
_DUCKED = 0.25
"""Volume while somebody makes a sound: 12 dB less."""
_SAMPLES_PER_FRAME = FRAME_BYTES // 2


class Started(str):
    """The item whose first sound has left."""

    __slots__ = ()


class Played(str):
    """The item that has been played to its end."""

    __slots__ = ()


class AudioOut:
    """The stream to one party."""

    def __init__(self, encoding: Encoding, payload_type: int, ssrc: int) -> None:
        """Begin with nothing to say."""
        self.ssrc = ssrc
        """Of the stream."""
        self.payload_type = payload_type
        """Of its packets."""
        self.packets = 0
        """How many were made."""
        self.payload_bytes = 0
        """How much they carried, without headers."""
        self.timestamp = secrets.randbits(32)
        """Of the next packet."""
        self._sequence = secrets.randbits(15)
        self._encoding = encoding
        self._playout = Playout(RATE_HZ)
        self._order: deque[tuple[str, int]] = deque()
        self._left: dict[str, int] = {}
        self._ended: dict[str, None] = {}
        self._unheard: set[str] = set()
        self._volume = self._wanted_volume = 1.0
        self._tail = 0
        self._is_talking = False

    @property
    def queued_ms(self) -> int:
        """How long what waits will play."""
        return self._playout.queued_ms

    def play(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item, after everything that waits."""
        self._playout.push(item_id, pcm)
        if not pcm:
            return
        if item_id not in self._left:
            self._left[item_id] = 0
            self._unheard.add(item_id)
        self._left[item_id] += len(pcm) // 2
        self._ended.pop(item_id, None)
        self._order.append((item_id, len(pcm) // 2))

    def end_item(self, item_id: str) -> None:
        """Learn that an item is complete."""
        self._playout.end(item_id)
        if item_id in self._left:
            self._ended[item_id] = None

    def clear(self) -> Sequence[Heard]:
        """Stop at once; what was sent counts as heard, for it is on its way and cannot be called back."""
        self._order.clear()
        self._left.clear()
        self._ended.clear()
        self._unheard.clear()
        self.restore()
        return self._playout.clear()

    def duck(self) -> None:
        """Go on at a low volume."""
        self._wanted_volume = _DUCKED

    def restore(self) -> None:
        """Go on at full volume."""
        self._wanted_volume = 1.0

    def next_packet(self) -> tuple[bytes, Sequence[Started | Played]]:
        """Return the packet of the next 20 ms, in the clear, and what items it begins or ends."""
        frame = self._playout.pull()
        news: Sequence[Started | Played] = ()
        is_first = False
        if frame is not None:
            news = self._account(_SAMPLES_PER_FRAME)
            is_first = not self._is_talking
            self._is_talking, self._tail = True, _TAIL_FRAMES
            if self._volume != 1.0 or self._wanted_volume != 1.0:
                frame = self._scaled(frame)
            payload = self._encoding.encode(frame)
        else:
            if self._ended:
                news = self._account(0)
            self._is_talking = False
            self._volume = self._wanted_volume
            if self._tail:
                self._tail -= 1
                payload = self._encoding.encode(bytes(FRAME_BYTES))
            else:
                payload = self._encoding.quiet
        packet = header(self.payload_type, is_first, self._sequence, self.timestamp, self.ssrc) + payload
        self._sequence = self._sequence + 1 & 0xFFFF
        self.timestamp = self.timestamp + self._encoding.clock_ticks & 0xFFFF_FFFF
        self.packets += 1
        self.payload_bytes += len(payload)
        return packet, news

    def _account(self, room: int) -> Sequence[Started | Played]:
        """Follow what the playout has taken for a frame of so many samples; tell which items begin or end with it."""
        news: list[Started | Played] = []
        while room and self._order:
            item_id, samples = self._order[0]
            taken = min(room, samples)
            room -= taken
            self._left[item_id] -= taken
            if item_id in self._unheard:
                self._unheard.discard(item_id)
                news.append(Started(item_id))
            if taken < samples:
                self._order[0] = (item_id, samples - taken)
            else:
                self._order.popleft()
        for item_id in [each for each in self._ended if not self._left[each]]:
            del self._ended[item_id], self._left[item_id]
            news.append(Played(item_id))
        return news

    def _scaled(self, frame: bytes) -> bytes:
        """Return a frame at the wanted volume, reached without a step."""
        samples = np.frombuffer(frame, dtype="<i2").astype(np.float32)
        samples *= np.linspace(self._volume, self._wanted_volume, samples.size, dtype=np.float32)
        self._volume = self._wanted_volume
        return samples.astype("<i2").tobytes()
