"""What a party is to hear: speech goes in as it is made, one RTP packet comes out for every 20 ms, talking or not.

The stream never stops: a listener's jitter buffer that has run dry garbles the first second of the next answer.  While
nothing is to be said, the payload of silence is sent that was encoded once.  Called by `peer`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from ...audio.playout import Heard
from ...audio.programme import News, Programme
from ...rtp.packet import header
from ..media import RATE_HZ
from .coding import FRAME_BYTES, Encoding

__all__ = ["AudioOut"]

_TAIL_FRAMES = 5
"""Frames of silence that are encoded after speech, until the encoder's state is that of the quiet payload."""


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
        self._programme = Programme(RATE_HZ)
        self._tail = 0
        self._is_talking = False

    @property
    def queued_ms(self) -> int:
        """How long what waits will play."""
        return self._programme.queued_ms

    def play(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item, after everything that waits."""
        self._programme.play(item_id, pcm)

    def end_item(self, item_id: str) -> None:
        """Learn that an item is complete."""
        self._programme.end_item(item_id)

    def clear(self) -> Sequence[Heard]:
        """Stop at once; what was sent counts as heard, for it is on its way and cannot be called back."""
        return self._programme.clear()

    def duck(self) -> None:
        """Go on at a low volume."""
        self._programme.duck()

    def restore(self) -> None:
        """Go on at full volume."""
        self._programme.restore()

    def next_packet(self) -> tuple[bytes, Sequence[News]]:
        """Return the packet of the next 20 ms, in the clear, and what items it begins or ends."""
        frame, news = self._programme.pull()
        is_first = False
        if frame is not None:
            is_first = not self._is_talking
            self._is_talking, self._tail = True, _TAIL_FRAMES
            payload = self._encoding.encode(frame)
        else:
            self._is_talking = False
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
