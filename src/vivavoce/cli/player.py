"""What plays answers: a file that takes what a listener would hear, at the pace of listening or at once.

The sound card's player is in `cli.soundcard`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic
from typing import Protocol

from ..audio.playout import Heard, Playout
from ..audio.wav import WavWriter
from .speech import RATE_HZ

FRAME_MS = 20
FRAME_BYTES = 2 * RATE_HZ * FRAME_MS // 1000


class Rhythm:
    """The passing of frames: one beat in 20 ms."""

    beat_seconds = FRAME_MS / 1000
    _STALL_SECONDS = 1.0
    """After a longer stall the beats that were missed are not made up for: nobody speaks faster because of one."""

    def __init__(self) -> None:
        self._due: float | None = None

    async def beat(self) -> None:
        """Return at the time of the next frame; the first time at once."""
        now = monotonic()
        stalled = self._due is not None and now - self._due > self._STALL_SECONDS
        self._due = now if self._due is None or stalled else self._due + self.beat_seconds
        await asyncio.sleep(max(0.0, self._due - now))


class Player(Protocol):
    """Plays answers, item by item."""

    @property
    def is_idle(self) -> bool:
        """Whether everything was heard."""
        ...

    def push(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item."""
        ...

    def end(self, item_id: str) -> None:
        """Learn that an item is complete."""
        ...

    def heard(self, item_id: str) -> Heard:
        """Return how much of an item was heard."""
        ...

    def clear(self) -> tuple[Heard, ...]:
        """Stop; return what was heard of the items that this cuts short."""
        ...

    async def run(self) -> None:
        """Play until cancelled."""
        ...


class Recording:
    """A WAV file that gets its name when it is finished; without a path, nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        """Begin.

        Raises:
            OSError: it cannot be written.
        """
        self._path = path
        self._draft = path.with_name(path.name + ".part") if path else None
        if self._draft:
            self._draft.parent.mkdir(parents=True, exist_ok=True)
        self._writer = WavWriter(self._draft, RATE_HZ) if self._draft else None
        self.audio_bytes = 0
        """How much was written."""

    def write(self, pcm: bytes) -> None:
        """Add audio."""
        self.audio_bytes += len(pcm)
        if self._writer:
            self._writer.write(pcm)

    def close(self, *, finished: bool) -> None:
        """Give it its name, or leave nothing behind when it is not finished or empty."""
        if self._writer is None or self._draft is None or self._path is None:
            return
        self._writer.close()
        if finished and self.audio_bytes:
            self._draft.replace(self._path)
        else:
            self._draft.unlink()


class FilePlayer:
    """Records what a listener hears, at the pace of listening: what is cut short is not recorded."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._playout = Playout(RATE_HZ, FRAME_MS)

    @property
    def is_idle(self) -> bool:
        """Whether everything was heard."""
        return self._playout.is_idle

    def push(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item."""
        self._playout.push(item_id, pcm)

    def end(self, item_id: str) -> None:
        """Learn that an item is complete."""
        self._playout.end(item_id)

    def heard(self, item_id: str) -> Heard:
        """Return how much of an item was heard."""
        return self._playout.heard(item_id)

    def clear(self) -> tuple[Heard, ...]:
        """Stop; return what was heard of the items that this cuts short."""
        return self._playout.clear()

    async def run(self) -> None:
        """Play one frame in each 20 ms, until cancelled."""
        rhythm = Rhythm()
        while True:
            await rhythm.beat()
            frame = self._playout.pull()
            if frame is not None:
                self._recording.write(frame)


class HastyPlayer:
    """Records answers as they come, as if they were heard at once."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._pushed: dict[str, int] = {}

    is_idle = True

    def push(self, item_id: str, pcm: bytes) -> None:
        """Record more of an item."""
        self._pushed[item_id] = self._pushed.get(item_id, 0) + len(pcm)
        self._recording.write(pcm)

    def end(self, item_id: str) -> None:
        """Learn that an item is complete."""

    def heard(self, item_id: str) -> Heard:
        """Return how much of an item was recorded."""
        ms = self._pushed.get(item_id, 0) // 2 * 1000 // RATE_HZ
        return Heard(item_id, ms, ms)

    def clear(self) -> tuple[Heard, ...]:
        """Return nothing: whatever came was heard."""
        return ()

    async def run(self) -> None:
        """Do nothing until cancelled."""
        await asyncio.Event().wait()
