"""The microphone and the loudspeakers, through sounddevice, which is an extra."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from ..audio.playout import Heard, Playout
from .failure import Failure
from .player import FRAME_BYTES, FRAME_MS, Recording
from .speech import RATE_HZ

_FRAME_SAMPLES = FRAME_BYTES // 2
_MOST_WAITING = 250
"""Frames of the microphone that may wait to be sent: 5 s; older ones are dropped."""


def load() -> Any:
    """Return the library.

    Raises:
        Failure: it is not installed, or finds no sound system.
    """
    try:
        import sounddevice
    except ImportError:
        raise Failure("a microphone needs the extra: pip install 'vivavoce[talk]' (or use --file)") from None
    except OSError as error:
        raise Failure(f"the PortAudio library is missing ({error}): install libportaudio2, or use --file") from error
    return sounddevice


def device_list() -> str:
    """Return the devices of this machine, one a line.

    Raises:
        Failure: there is no sound system.
    """
    return str(load().query_devices())


class Microphone:
    """What the microphone hears, frame by frame."""

    def __init__(self, device: str | None) -> None:
        """Open the microphone.

        Raises:
            Failure: there is none that can be used.
        """
        self._loop = asyncio.get_running_loop()
        self._frames: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        sounddevice = load()
        try:
            self._stream = sounddevice.RawInputStream(
                samplerate=RATE_HZ,
                channels=1,
                dtype="int16",
                blocksize=_FRAME_SAMPLES,
                device=_device(device),
                callback=self._heard,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise Failure(f"the microphone cannot be used: {error}") from error

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield frames as they are heard, without end."""
        try:
            while True:
                yield await self._frames.get()
        finally:
            self._stream.close()

    def _heard(self, data: Any, frames: int, time: Any, status: Any) -> None:
        """Take a frame; called on the sound system's thread."""
        try:
            self._loop.call_soon_threadsafe(self._queue, bytes(data))
        except RuntimeError:  # the loop ended first
            raise load().CallbackAbort from None

    def _queue(self, frame: bytes) -> None:
        if self._frames.full():
            self._frames.get_nowait()
        self._frames.put_nowait(frame)


class CardPlayer:
    """Plays answers on the loudspeakers."""

    def __init__(self, device: str | None, recording: Recording) -> None:
        """Open the loudspeakers; what is heard is recorded too.

        Raises:
            Failure: there are none that can be used.
        """
        self._lock = threading.Lock()
        self._recording = recording
        self._loop = asyncio.get_running_loop()
        sounddevice = load()
        try:
            self._stream = sounddevice.RawOutputStream(
                samplerate=RATE_HZ,
                channels=1,
                dtype="int16",
                blocksize=_FRAME_SAMPLES,
                device=_device(device),
                callback=self._pull,
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise Failure(f"the loudspeakers cannot be used: {error}") from error
        self._playout = Playout(RATE_HZ, FRAME_MS, latency_ms=round(self._stream.latency * 1000))

    @property
    def is_idle(self) -> bool:
        """Whether everything was heard."""
        with self._lock:
            return self._playout.is_idle

    def push(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item."""
        with self._lock:
            self._playout.push(item_id, pcm)

    def end(self, item_id: str) -> None:
        """Learn that an item is complete."""
        with self._lock:
            self._playout.end(item_id)

    def heard(self, item_id: str) -> Heard:
        """Return how much of an item was heard."""
        with self._lock:
            return self._playout.heard(item_id)

    def clear(self) -> tuple[Heard, ...]:
        """Stop; return what was heard of the items that this cuts short."""
        with self._lock:
            return self._playout.clear()

    async def run(self) -> None:
        """Play until cancelled."""
        self._stream.start()
        try:
            await asyncio.Event().wait()
        finally:
            self._stream.close()

    def _pull(self, data: Any, frames: int, time: Any, status: Any) -> None:
        """Fill a frame; called on the sound system's thread."""
        with self._lock:
            frame = self._playout.pull()
        if frame is not None:
            self._loop.call_soon_threadsafe(self._recording.write, frame)
        data[:] = frame if frame is not None else bytes(FRAME_BYTES)


def _device(name: str | None) -> str | int | None:
    """Return a device as the library names it: by number or by a part of its name."""
    return int(name) if name is not None and name.isdigit() else name
