"""What the callers of all calls hear: speech of their sessions, clips, silence; a frame of 20 ms each at a time.

Speech waits in one array of fixed size for all calls.  Called by `engine`, in the media process.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from .wire import FRAME_BYTES, MOST_AHEAD, ClipEnded, Happening

__all__ = ["Clips", "Mouth", "Speech"]

_Frame = npt.NDArray[np.int16]
_SAMPLES = FRAME_BYTES // 2


class Clips:
    """Sounds that any call may play, by their names."""

    def __init__(self) -> None:
        """Begin with none."""
        self._frames: dict[str, _Frame] = {}

    def load(self, name: str, pcm: bytes) -> None:
        """Keep a sound, filled up to whole frames, or forget it if it is empty."""
        self._frames.pop(name, None)
        if pcm:
            whole = pcm[: len(pcm) // 2 * 2]
            padded = whole + bytes(-len(whole) % FRAME_BYTES)
            self._frames[name] = np.frombuffer(padded, "<i2").reshape(-1, _SAMPLES)

    def frames(self, name: str) -> _Frame | None:
        """Return a sound frame by frame, or None if there is none of that name."""
        return self._frames.get(name)


class _Playing(msgspec.Struct):
    """A clip that is being played."""

    name: str
    frames: _Frame
    is_looped: bool
    at: int = 0


class Mouth(msgspec.Struct):
    """What one call plays."""

    row: int
    """Its place in the arrays."""
    first: int = 0
    """The place of the next frame of speech."""
    count: int = 0
    """Frames that wait."""
    cleared: int = 0
    """The number of the last clearing."""
    played: int = 0
    """Frames played since."""
    told: int = 0
    """As many of them somebody was told of."""
    gain: float = 1.0
    last_gain: float = 1.0
    clip: _Playing | None = None
    is_monitored: bool = False
    """Whether somebody wants to know what leaves."""


class Speech:
    """The speech of all calls."""

    def __init__(self, calls: int, clips: Clips) -> None:
        """Make room for so many calls."""
        self._ring = np.zeros((calls, MOST_AHEAD, _SAMPLES), np.int16)
        self._clips = clips
        self._ramp = np.arange(1, _SAMPLES + 1, dtype=np.float32) / _SAMPLES

    def push(self, mouth: Mouth, pcm: bytes) -> None:
        """Let frames wait; what does not fit is dropped, for nobody should have sent it."""
        count = min(len(pcm) // FRAME_BYTES, MOST_AHEAD - mouth.count)
        ring = self._ring[mouth.row]
        for at in range(count):
            frame = np.frombuffer(pcm, "<i2", _SAMPLES, at * FRAME_BYTES)
            ring[(mouth.first + mouth.count + at) % MOST_AHEAD] = frame
        mouth.count += count

    def clear(self, mouth: Mouth, number: int) -> None:
        """Forget what waits, and speak at full volume afterwards."""
        mouth.gain = mouth.last_gain = 1.0
        mouth.count = mouth.played = mouth.told = 0
        mouth.cleared = number

    def start_clip(self, mouth: Mouth, name: str, is_looped: bool) -> bool:
        """Play a clip; return whether there is one of that name."""
        frames = self._clips.frames(name)
        mouth.clip = None if frames is None else _Playing(name, frames, is_looped)
        return frames is not None

    def next_frame(self, call: int, mouth: Mouth, out: npt.NDArray[np.float32], told: list[Happening]) -> bool:
        """Write the next frame of a call to `out`, unless there is nothing but silence; return whether there is."""
        clip = mouth.clip
        if clip is not None and not clip.is_looped:
            out[:] = clip.frames[clip.at]
            clip.at += 1
            if clip.at == len(clip.frames):
                mouth.clip = None
                told.append(ClipEnded(call, clip.name))
            return True
        if mouth.count:
            if clip is not None:
                mouth.clip = None
                told.append(ClipEnded(call, clip.name))
            out[:] = self._ring[mouth.row, mouth.first]
            mouth.first = (mouth.first + 1) % MOST_AHEAD
            mouth.count -= 1
            mouth.played += 1
            if mouth.gain != 1.0 or mouth.last_gain != 1.0:
                # From one volume to another within the frame, so that nothing clicks.
                out *= mouth.last_gain + (mouth.gain - mouth.last_gain) * self._ramp
                mouth.last_gain = mouth.gain
            return True
        if clip is not None:
            out[:] = clip.frames[clip.at]
            clip.at = (clip.at + 1) % len(clip.frames)
            return True
        mouth.last_gain = mouth.gain
        return False
