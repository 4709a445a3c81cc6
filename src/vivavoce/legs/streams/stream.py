"""One call on a media stream: `legs.media.ClipMedia` over a connection that carries messages.

What the caller is played goes out in frames of 20 ms at their time, a few of them ahead where the other side has a
buffer: so a barge-in is heard at once whoever holds the buffer, and what was heard is known.  Called by whoever has the
connection, which is told everything that comes over it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from ...audio.g711 import alaw_to_pcm, pcm_to_alaw, pcm_to_ulaw, ulaw_to_pcm
from ...audio.playout import Heard
from ...audio.programme import ClipEnded, ItemPlayed, ItemStarted, News, Programme
from ...audio.resample import Resampler
from ..media import RATE_HZ, ClipOwner
from ..ticker import Ticker
from . import spelling as sp

__all__ = ["Stream"]

_log = logging.getLogger("vivavoce.calls")

MAX_QUEUED_BYTES = 1 << 20
"""What may wait for the network before the caller counts as gone: half a minute of sound."""


class Stream:
    """The sound of one call."""

    def __init__(
        self,
        spelling: sp.Spelling,
        began: sp.Began,
        owner: ClipOwner,
        clips: Mapping[str, bytes],
        ticker: Ticker,
        send: Callable[[sp.Message], int],
        close: Callable[[], object],
    ) -> None:
        """Begin to play silence.

        Args:
            spelling: how the other side spells the stream.
            began: what it said of the call.
            owner: whom the sound is for.
            clips: sounds by name: s16le mono at `legs.media.RATE_HZ`.
            ticker: the clock.
            send: sends a message without waiting; returns how many bytes wait for the network.
            close: closes the connection.
        """
        self._spelling = spelling
        self._owner: ClipOwner | None = owner
        self._clips = clips
        self._ticker = ticker
        self._send = send
        self._close = close
        self._programme = Programme(RATE_HZ, latency_ms=20 * spelling.lead_frames)
        hears, says = began.hears, began.says
        self._decode = {"ulaw": ulaw_to_pcm, "alaw": alaw_to_pcm}.get(hears.coding)
        self._encode = {"ulaw": pcm_to_ulaw, "alaw": pcm_to_alaw}.get(says.coding)
        self._in = Resampler(hears.rate_hz, RATE_HZ)
        self._out = Resampler(RATE_HZ, says.rate_hz)
        self._ahead = spelling.lead_frames
        for message in spelling.opening():
            send(message)
        ticker.join(self)

    # ------------------------------------------------------------------------------------------------- what comes

    def receive(self, told: sp.Told) -> None:
        """Take something that the other side said."""
        if self._owner is None:
            return
        match told:
            case sp.Heard():
                pcm = told.audio if self._decode is None else self._decode(told.audio)
                if sound := self._in.push(pcm[: len(pcm) & ~1]):
                    self._owner.receive_audio(sound)
            case sp.Pressed():
                self._owner.receive_digit(told.digit)
            case sp.Ended():
                self.lose(told.reason)

    def lose(self, reason: str) -> None:
        """Learn that the connection is gone, or end it."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        self._ticker.leave(self)
        self._close()
        # Soon, not now: it may be the owner who ends it.
        asyncio.get_running_loop().call_soon(owner.media_closed, reason)

    # -------------------------------------------------------------------------------------------------- what goes

    def tick(self, now: float) -> None:
        """Send the sound of these 20 ms, and at the beginning what may be sent before its time."""
        frames, self._ahead = 1 + self._ahead, 0
        for _ in range(frames):
            if self._owner is None:
                return
            self._step(self._owner)

    def _step(self, owner: ClipOwner) -> None:
        frame, news = self._programme.pull()
        if frame is not None:
            owner.receive_playback(frame)
        pcm = self._out.push(frame if frame is not None else bytes(self._programme.frame_bytes))
        audio = pcm if self._encode is None else self._encode(pcm)
        if self._send(self._spelling.audio(audio)) > MAX_QUEUED_BYTES:
            self.lose("the connection does not take the sound any more")
            return
        for told in news:
            self._tell(owner, told)

    def _tell(self, owner: ClipOwner, told: News) -> None:
        match told:
            case ItemStarted():
                owner.item_started(told.item_id)
            case ItemPlayed():
                owner.item_played(told.item_id)
            case ClipEnded():
                owner.clip_ended(told.clip)

    def fail(self, error: Exception) -> None:
        """Learn that `tick` has raised, and end."""
        _log.error("a call on a media stream ends because of an error", exc_info=error)
        self.lose(f"the call failed: {type(error).__name__}")

    # -------------------------------------------------------------------------------------------------- the media

    def play(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item."""
        self._programme.play(item_id, pcm)

    def end_item(self, item_id: str) -> None:
        """Learn that an item is complete."""
        self._programme.end_item(item_id)

    def clear(self) -> Sequence[Heard]:
        """Stop playing items at once, and have the other side forget what waits there."""
        if self._owner is not None and self._spelling.lead_frames:
            for message in self._spelling.clear():
                self._send(message)
            self._ahead = self._spelling.lead_frames
        return self._programme.clear()

    def duck(self) -> None:
        """Play on at a low volume."""
        self._programme.duck()

    def restore(self) -> None:
        """Play at full volume again."""
        self._programme.restore()

    @property
    def queued_ms(self) -> int:
        """How long what waits will play."""
        return self._programme.queued_ms

    def play_clip(self, clip: str, *, is_looped: bool = False) -> None:
        """Play a clip from now on."""
        self._programme.play_clip(clip, self._clips.get(clip, b""), is_looped=is_looped)

    def stop_clip(self) -> None:
        """Stop the clip that plays."""
        self._programme.stop_clip()

    def press(self, keys: str) -> None:
        """Do nothing: no provider takes keys on a stream."""

    def hang_up(self, reason: str) -> None:
        """End the call."""
        if self._owner is not None:
            for message in self._spelling.hang_up():
                self._send(message)
            self.lose(reason)
