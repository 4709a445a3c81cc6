"""One telephone call's sound, as the session process sees it: `legs.media.ClipMedia`, played by the media process.

Speech goes over to the media process at most two seconds ahead, and each tick tells how many frames of it have been
played, so what was heard is known to the frame.  Called by whoever owns the call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from ...audio.playout import Heard, Playout
from ...audio.programme import DUCKED
from ...rtp.telephone_event import KEYS
from ..media import RATE_HZ, ClipOwner
from . import wire

__all__ = ["PhoneMedia", "Sender"]

_FRAME_MS = 20
_KEY_MS = 160
"""How long a key is pressed; exchanges want at least 40 ms."""


class Sender(Protocol):
    """The way to the media process."""

    def send(self, order: wire.Order) -> None:
        """Send an order, after all earlier ones."""
        ...

    def forget(self, media: PhoneMedia) -> None:
        """Tell a call's sound nothing any more."""
        ...


class PhoneMedia:
    """The sound of one call."""

    def __init__(self, call: int, owner: ClipOwner, process: Sender) -> None:
        """Begin with nothing to play; the ports are being taken."""
        self.call = call
        """The number by which the processes know it."""
        self.port = 0
        """The port for sound, which the offer or answer tells; reports have the next one."""
        self.measured: wire.Measured | None = None
        """How well it is heard, told every few seconds."""
        self._owner = owner
        self._process = process
        # No frame is credited by itself: the media process tells which were played.
        self._playout = Playout(RATE_HZ, _FRAME_MS, latency_ms=_FRAME_MS * (wire.MOST_AHEAD + 1))
        self._ahead = 0
        self._clearings = 0
        self._played = 0
        self._items: deque[str] = deque()
        self._sounding: str | None = None
        self._is_connected = False
        self._is_closed = False
        self._played_to: Callable[[bytes], object] | None = None

    def tell_playback(self, played: Callable[[bytes], object]) -> None:
        """Tell what leaves for the party from now on, frame by frame, clips included, as for a recording."""
        self._played_to = played
        self._send(wire.Monitor(self.call, True))

    def direct(self, order: wire.Direct) -> None:
        """Exchange sound as was agreed; told again after each new agreement.

        What cannot be done, as with a codec whose library is missing, ends the call's sound.
        """
        self._send(order)

    # -- what the party hears

    def play(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item, after everything that waits already."""
        if self._is_closed:
            return
        if item_id not in self._items:
            self._items.append(item_id)
        self._playout.push(item_id, pcm)
        self._hand_over()

    def end_item(self, item_id: str) -> None:
        """Learn that an item is complete, so that its last frame need not wait for more."""
        self._playout.end(item_id)
        self._hand_over()
        if self._playout.is_over(item_id):  # it was played out before anybody knew that it was complete
            asyncio.get_running_loop().call_soon(self._tell_items)

    def clear(self) -> Sequence[Heard]:
        """Stop speaking at once; tell how much was heard of each item that was not played out."""
        self._clearings += 1
        self._send(wire.Clear(self.call, self._clearings))
        self._ahead = self._played = 0
        self._items.clear()
        self._sounding = None
        return self._playout.clear()

    def duck(self) -> None:
        """Speak on at a low volume until `restore` or `clear`."""
        self._send(wire.Duck(self.call, DUCKED))

    def restore(self) -> None:
        """Speak at full volume again."""
        self._send(wire.Duck(self.call, 1.0))

    @property
    def queued_ms(self) -> int:
        """How long what waits will play."""
        return self._playout.queued_ms + self._ahead * _FRAME_MS

    def play_clip(self, clip: str, *, is_looped: bool = False) -> None:
        """Play a clip that was loaded: once, and speech waits; or over and over, until there is speech."""
        self._send(wire.PlayClip(self.call, clip, is_looped))

    def stop_clip(self) -> None:
        """Stop the clip that plays; its end is not told."""
        self._send(wire.StopClip(self.call))

    def press(self, keys: str) -> None:
        """Press keys, one after the other, while speech waits; does nothing where telephone events were not agreed on.

        Raises:
            ValueError: there is no such key.
        """
        for key in keys:
            if key.upper() not in KEYS:
                raise ValueError(f"a telephone has no key {key!r}")
        self._send(wire.Press(self.call, keys, _KEY_MS))

    def hang_up(self, reason: str) -> None:
        """End the call's sound; what waits is not played any more."""
        if not self._is_closed:
            self._send(wire.Close(self.call))
            self._close(reason)

    def _send(self, order: wire.Order) -> None:
        if not self._is_closed:
            self._process.send(order)

    def _hand_over(self) -> None:
        """Give the media process what it has room for."""
        frames = []
        while self._ahead < wire.MOST_AHEAD and self._playout.has_frame and (frame := self._playout.pull()) is not None:
            frames.append(frame)
            self._ahead += 1
        if frames:
            self._send(wire.PlayFrames(self.call, b"".join(frames)))

    # -- what the media process tells

    def receive_audio(self, pcm: bytes) -> None:
        """Pass on what the party says."""
        self._owner.receive_audio(pcm)

    def receive_left(self, pcm: bytes) -> None:
        """Pass on what has left for the party."""
        if self._played_to is not None:
            self._played_to(pcm)

    def receive_played(self, clearings: int, frames: int) -> None:
        """Learn how many frames have been played since a clearing."""
        if clearings != self._clearings or self._is_closed:
            return
        more, self._played = frames - self._played, frames
        self._ahead -= more
        self._playout.hear(more)
        self._hand_over()
        self._tell_items()

    def _tell_items(self) -> None:
        """Tell which items began, and which were played to their end."""
        while self._items:
            item_id = self._items[0]
            if self._sounding != item_id:
                if not self._playout.heard(item_id).heard_ms and not self._playout.is_over(item_id):
                    return
                self._sounding = item_id
                self._owner.item_started(item_id)
            if not self._items or self._items[0] != item_id or not self._playout.is_over(item_id):
                return
            self._items.popleft()
            self._sounding = None
            self._owner.item_played(item_id)

    def receive(self, happening: wire.Happening) -> None:
        """Learn what happened on the call."""
        if self._is_closed:
            return
        match happening:
            case wire.Connected():
                if not self._is_connected:
                    self._is_connected = True
                    self._owner.media_connected()
            case wire.Pressed(_, key):
                self._owner.receive_digit(key)
            case wire.ClipEnded(_, name):
                self._owner.clip_ended(name)
            case wire.Closed(_, reason) | wire.Failed(_, reason):
                self.lose(reason)
            case wire.Measured():
                self.measured = happening
            case _:
                pass  # the ports, which `process` waits for

    def lose(self, reason: str) -> None:
        """Learn that there is no more sound."""
        if not self._is_closed:
            self._close(reason)

    def _close(self, reason: str) -> None:
        self._is_closed = True
        self._played_to = None
        self._process.forget(self)
        owner, loop = self._owner, asyncio.get_running_loop()
        loop.call_soon(owner.media_closed, reason)
