"""Playout: speech goes in as it is made, frames come out as they are played, and what was heard is known.

It has no clock: whoever plays pulls one frame for each 20 ms that pass, whether or not something is to be played, and
those pulls are the time.  Called by legs that play audio themselves: telephone, WebRTC, the terminal.
"""

from __future__ import annotations

from collections import deque

import msgspec


class Heard(msgspec.Struct, frozen=True):
    """How much of an item was heard."""

    item_id: str
    heard_ms: int
    """From the item's start, rounded down."""
    pushed_ms: int
    """How much there was to hear so far, rounded down."""


class _Track(msgspec.Struct):
    """The samples of one item."""

    pushed: int = 0
    heard: int = 0
    is_ended: bool = False


_REMEMBERED = 64
"""Items whose record is kept, besides those that are still to be heard."""


class Playout:
    """The queue of speech of one listener: s16le mono, played item after item."""

    def __init__(self, rate_hz: int, frame_ms: int = 20, latency_ms: int = 0) -> None:
        """Begin with nothing to play.

        `latency_ms` is how long after it was pulled a frame is heard, as when a sound card queues it: a frame counts
        as heard after as many further pulls.

        Raises:
            ValueError: a frame would not be whole samples.
        """
        if frame_ms <= 0 or rate_hz <= 0 or rate_hz * frame_ms % 1000:
            raise ValueError(f"{frame_ms} ms at {rate_hz} Hz are not whole samples")
        self.rate_hz = rate_hz
        """Samples a second."""
        self.frame_bytes = 2 * rate_hz * frame_ms // 1000
        """Bytes of a frame."""
        self._queue: deque[tuple[str, memoryview]] = deque()
        self._queued_bytes = 0
        self._tracks: dict[str, _Track] = {}
        self._latest = ""
        """The item that was pushed last, and that is not cleared."""
        self._underway: deque[list[tuple[str, int]]] = deque()
        self._latency_frames = -(-latency_ms // frame_ms)

    @property
    def queued_ms(self) -> int:
        """How long what is queued will play, rounded down."""
        return self._queued_bytes // 2 * 1000 // self.rate_hz

    @property
    def is_idle(self) -> bool:
        """True if nothing is queued and everything that was pulled has been heard."""
        return not self._queue and not any(self._underway)

    @property
    def has_frame(self) -> bool:
        """Whether a frame is ready to be pulled: a whole one, or the rest of what has ended."""
        return self._queued_bytes >= self.frame_bytes or bool(self._queue and self._tracks[self._queue[-1][0]].is_ended)

    def push(self, item_id: str, pcm: bytes) -> None:
        """Queue more of an item.

        Raises:
            ValueError: `pcm` is not whole samples.
        """
        if len(pcm) % 2:
            raise ValueError("PCM of 16 bits has an odd number of bytes")
        track = self._tracks.setdefault(item_id, _Track())
        self._forget()
        track.pushed += len(pcm) // 2
        track.is_ended = False
        if pcm:
            self._latest = item_id
            self._queue.append((item_id, memoryview(pcm)))
            self._queued_bytes += len(pcm)

    def end(self, item_id: str) -> None:
        """Learn that an item is complete, so that its last frame need not wait for more."""
        if item_id in self._tracks:
            self._tracks[item_id].is_ended = True

    def pull(self) -> bytes | None:
        """Return the next frame, or None where nothing is to be played for its time.

        A part of a frame waits until it is full; the end of the last item is filled up with silence.
        """
        parts: list[memoryview] = []
        played: list[tuple[str, int]] = []
        if self.has_frame:
            room = self.frame_bytes
            while room and self._queue:
                item_id, pcm = self._queue.popleft()
                if len(pcm) > room:
                    self._queue.appendleft((item_id, pcm[room:]))
                    pcm = pcm[:room]
                room -= len(pcm)
                parts.append(pcm)
                played.append((item_id, len(pcm) // 2))
            self._queued_bytes -= self.frame_bytes - room
        self._underway.append(played)
        self._hear()
        return b"".join(parts).ljust(self.frame_bytes, b"\0") if parts else None

    def _hear(self) -> None:
        """Credit the frames that have had time to be heard."""
        self.hear(len(self._underway) - self._latency_frames)

    def hear(self, frames: int) -> None:
        """Learn that so many more of the frames that were pulled have been heard, where that is known exactly."""
        for _ in range(min(frames, len(self._underway))):
            for item_id, samples in self._underway.popleft():
                self._tracks[item_id].heard += samples

    def _forget(self) -> None:
        """Keep the record of what was heard from growing without end."""
        while len(self._tracks) > _REMEMBERED:
            oldest, track = next(iter(self._tracks.items()))
            if track.heard < track.pushed:
                return
            del self._tracks[oldest]

    def is_over(self, item_id: str) -> bool:
        """Return whether an item has ended and all of it was heard."""
        track = self._tracks.get(item_id)
        return track is not None and track.is_ended and track.heard == track.pushed

    def heard(self, item_id: str) -> Heard:
        """Return how much of an item was heard so far; nothing of one that is unknown."""
        return self._heard(item_id, self._tracks.get(item_id, _Track()))

    def _heard(self, item_id: str, track: _Track) -> Heard:
        return Heard(item_id, track.heard * 1000 // self.rate_hz, track.pushed * 1000 // self.rate_hz)

    def clear(self) -> tuple[Heard, ...]:
        """Drop whatever was not heard yet, and return what was heard of the items that this cuts short.

        The latest is cut short while it is being made, even where all there was of it has been heard.  What was pulled
        but not heard yet counts as dropped: whoever plays it drops it too.
        """
        cut = []
        for item_id, track in self._tracks.items():
            if track.heard < track.pushed or (item_id == self._latest and not track.is_ended):
                cut.append(self._heard(item_id, track))
                track.pushed = track.heard
        self._latest = ""
        self._queue.clear()
        self._queued_bytes = 0
        self._underway.clear()
        return tuple(cut)
