"""What a party is played: items of answers in their order, and clips between them; and what of it has begun and ended.

Like `playout` it has no clock: one frame is pulled for each 20 ms that pass.  A clip that is played once holds back
what waits until its end; one that is played over and over ends by itself when something else is to be heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec
import numpy as np

from .playout import Heard, Playout

__all__ = ["DUCKED", "ClipEnded", "ItemPlayed", "ItemStarted", "News", "Programme"]

DUCKED = 0.25
"""Volume while somebody makes a sound: 12 dB less."""


class ItemStarted(msgspec.Struct, frozen=True):
    """The first sound of an item is in the frame that was pulled."""

    item_id: str


class ItemPlayed(msgspec.Struct, frozen=True):
    """An item that was ended has been played to its end."""

    item_id: str


class ClipEnded(msgspec.Struct, frozen=True):
    """A clip has been played to its end, or has given way."""

    clip: str


News = ItemStarted | ItemPlayed | ClipEnded


class _Clip(msgspec.Struct):
    name: str
    pcm: memoryview
    is_looped: bool
    at: int = 0


class Programme:
    """The programme of one listener: s16le mono."""

    def __init__(self, rate_hz: int, frame_ms: int = 20, latency_ms: int = 0) -> None:
        """Begin with nothing to play.

        `latency_ms` is how long after it was pulled a frame is heard, where that is known.

        Raises:
            ValueError: a frame would not be whole samples.
        """
        self._playout = Playout(rate_hz, frame_ms, latency_ms)
        self.frame_bytes = self._playout.frame_bytes
        """Bytes of a frame."""
        self._order: deque[tuple[str, int]] = deque()
        self._left: dict[str, int] = {}
        self._ended: dict[str, None] = {}
        self._unheard: set[str] = set()
        self._clip: _Clip | None = None
        self._volume = self._wanted_volume = 1.0

    @property
    def queued_ms(self) -> int:
        """How long the items that wait will play."""
        return self._playout.queued_ms

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be heard."""
        return self._clip is None and not self._order

    def play(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item, after everything that waits.

        Raises:
            ValueError: `pcm` is not whole samples.
        """
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
        """Forget what waits of items, and tell how much of each that was not played out was heard."""
        self._order.clear()
        self._left.clear()
        self._ended.clear()
        self._unheard.clear()
        self.restore()
        return self._playout.clear()

    def play_clip(self, clip: str, pcm: bytes, *, is_looped: bool = False) -> None:
        """Play a clip from now on, in place of another that plays; nothing happens for one without sound.

        Raises:
            ValueError: `pcm` is not whole samples.
        """
        if len(pcm) % 2:
            raise ValueError("PCM of 16 bits has an odd number of bytes")
        self._clip = _Clip(clip, memoryview(pcm), is_looped) if pcm else None

    def stop_clip(self) -> None:
        """Stop the clip that plays; its end is not told."""
        self._clip = None

    def duck(self) -> None:
        """Go on at a low volume."""
        self._wanted_volume = DUCKED

    def restore(self) -> None:
        """Go on at full volume."""
        self._wanted_volume = 1.0

    def pull(self) -> tuple[bytes | None, Sequence[News]]:
        """Return the next frame, or None for silence, and what has begun or ended with it."""
        news: list[News] = []
        if self._clip is not None and self._clip.is_looped and self._order:
            news.append(ClipEnded(self._clip.name))
            self._clip = None
        if self._clip is not None:
            frame: bytes | None = self._of_clip(self._clip, news)
        else:
            frame = self._playout.pull()
            if frame is not None or self._ended:
                self._account(0 if frame is None else self.frame_bytes // 2, news)
        if frame is None:
            self._volume = self._wanted_volume
        elif self._volume != 1.0 or self._wanted_volume != 1.0:
            frame = self._scaled(frame)
        return frame, news

    def _of_clip(self, clip: _Clip, news: list[News]) -> bytes:
        frame = bytes(clip.pcm[clip.at : clip.at + self.frame_bytes])
        clip.at += len(frame)
        while clip.is_looped and len(frame) < self.frame_bytes:
            clip.at = min(self.frame_bytes - len(frame), len(clip.pcm))
            frame += bytes(clip.pcm[: clip.at])
        if not clip.is_looped and clip.at >= len(clip.pcm):
            news.append(ClipEnded(clip.name))
            self._clip = None
        return frame.ljust(self.frame_bytes, b"\0")

    def _account(self, room: int, news: list[News]) -> None:
        """Follow what the playout has taken for a frame of so many samples."""
        while room and self._order:
            item_id, samples = self._order[0]
            taken = min(room, samples)
            room -= taken
            self._left[item_id] -= taken
            if item_id in self._unheard:
                self._unheard.discard(item_id)
                news.append(ItemStarted(item_id))
            if taken < samples:
                self._order[0] = (item_id, samples - taken)
            else:
                self._order.popleft()
        for item_id in [each for each in self._ended if not self._left[each]]:
            del self._ended[item_id], self._left[item_id]
            news.append(ItemPlayed(item_id))

    def _scaled(self, frame: bytes) -> bytes:
        """Return a frame at the wanted volume, reached without a step."""
        samples = np.frombuffer(frame, "<i2").astype(np.float32)
        samples *= np.linspace(self._volume, self._wanted_volume, samples.size, dtype=np.float32)
        self._volume = self._wanted_volume
        return samples.astype("<i2").tobytes()
