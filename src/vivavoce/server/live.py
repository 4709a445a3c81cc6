"""A live call: a party whose audio the server plays, by WebRTC or telephone, with everybody who controls it.

To the session's call it is the leg, to the media and its data channel the owner, and to WebSockets that join it by its
id (sidebands) as well.  What frames mean for the sound is known by `dialects.speaking`.  The session begins when audio
can pass; what controllers say before waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from ..core.formats import PCM_24K, AudioFormat
from ..dialects.fitting import fitted
from ..dialects.speaking import EndItem, Play, Press, Speaking, Step, Stop, ToParty, ToSession
from ..legs import Leg, LegOwner
from ..legs.media import AudioOwner, Media
from ..relay.sound import Stream

__all__ = ["Begin", "Channel", "LiveCall"]

AHEAD_MS = 30_000
"""Audio that may wait to be played before an answer has to wait: a minute is 3 MB."""
EARLY_BYTES = 1024 * 1024
"""What controllers may say before the session begins."""
MAX_SIDEBANDS = 8
"""Controllers of one call."""
FAREWELL_SECONDS = 20.0
"""How long a party whose session has ended may go on hearing what had been said by then."""
TAIL_SECONDS = 0.3
"""How much later than its last sound left a party has heard it: networks and jitter buffers hold some of it back."""
_FRAME_MS = 20


class Channel(Protocol):
    """Where the party itself reads and writes frames: the data channel of WebRTC."""

    @property
    def queued_bytes(self) -> int:
        """How much was sent but not yet taken by the network."""
        ...

    @property
    def max_message_bytes(self) -> int:
        """The longest message that the party takes."""
        ...

    def send(self, data: bytes) -> None:
        """Send one message, after all earlier ones, without waiting; it waits for the channel to open."""
        ...

    async def drain(self) -> None:
        """Return when little enough is queued that more may be sent, or when the channel is closed."""
        ...


Begin = Callable[["LiveCall"], AudioOwner]
"""Begins the session of a call whose audio can pass."""


class LiveCall:
    """One party: a `legs.Leg` and `legs.media.AudioLeg`, and a `legs.media.MediaOwner`."""

    def __init__(
        self,
        id: str,  # noqa: A002 - the wire name
        peer: str,
        speaking: Speaking,
        new_id: Callable[[str], str],
        begin: Begin,
        *,
        ended: Callable[[str], object] = lambda reason: None,
        sees_off: Callable[[str], bool] = lambda reason: False,
    ) -> None:
        """Stand between a party that is being connected and a session that is still to come.

        Args:
            id: by which controllers find it.
            peer: who calls, for people to read.
            speaking: knows what is to be played.
            new_id: makes an id of a kind.
            begin: makes the session's call when audio can pass.
            ended: is told once, when the party is gone, why.
            sees_off: is told when the session ends by itself, and why; returns whether it ends the call in its own way.
        """
        self.id = id
        """By which controllers find it."""
        self.peer = peer
        """Who is at the other end."""
        self.press: Callable[[str], object] | None = None
        """Presses keys of the party's line; None where it has none."""
        self.media: Media | None = None
        """The party's voice and ear; None before they are there, and when they are gone."""
        self.channel: Channel | None = None
        """Where the party reads frames; None for a party that reads none."""
        self._speaking = speaking
        self._new_id = new_id
        self._begin: Begin | None = begin
        self._ended: Callable[[str], object] | None = ended
        self._sees_off = sees_off
        self._owner: AudioOwner | None = None
        self._spent_usd = 0.0
        self._sidebands: dict[_Sideband, None] = {}
        self._for_session: deque[bytes] = deque()
        self._early_bytes = 0
        self._farewell: asyncio.TimerHandle | None = None
        self._is_passing = False
        self._room = asyncio.Event()
        self._hears: tuple[AudioFormat, Stream | None] = (PCM_24K, None)
        self._says: tuple[str, AudioFormat, Stream | None] = ("", PCM_24K, None)

    @property
    def spent_usd(self) -> float:
        """What the session has cost by now, in US dollars."""
        return self._spent_usd if self._owner is None else self._owner.spent_usd

    @property
    def is_over(self) -> bool:
        """Whether the party is gone."""
        return self._ended is None

    # ------------------------------------------------------------------------------------ the media, which tells us

    def media_connected(self) -> None:
        """Begin the session."""
        begin, self._begin = self._begin, None
        if begin is not None and not self.is_over:
            self._owner = begin(self)
            self._pass()

    def receive_audio(self, pcm: bytes) -> None:
        """Give the session what the party said."""
        if self._owner is None:
            return
        wanted = self._speaking.input_format
        if wanted != self._hears[0]:
            self._hears = (wanted, Stream(PCM_24K, wanted) if wanted != PCM_24K else None)
        stream = self._hears[1]
        audio = pcm if stream is None else stream.push(pcm)
        if audio:
            self._owner.receive_audio(audio)

    def item_started(self, item_id: str) -> None:
        """Tell that an answer begins to play."""
        self._perform(self._speaking.item_started(item_id))

    def item_played(self, item_id: str) -> None:
        """Tell that an answer was played, if it was the last of it."""
        self._perform(self._speaking.item_played(item_id))
        self._room.set()

    def receive_digit(self, digit: str) -> None:
        """Tell of a key that was pressed."""
        self._perform(self._speaking.pressed(digit, int(time.time())))

    def media_closed(self, reason: str) -> None:
        """End the session, and tell everybody."""
        ended, self._ended = self._ended, None
        if ended is None:
            return
        self.media = self.channel = self.press = self._begin = None
        self._sees_off = _nobody
        self._for_session.clear()
        self._room.set()
        if self._farewell is not None:
            self._farewell.cancel()
            self._farewell = None
        owner, self._owner = self._owner, None
        if owner is not None:
            self._spent_usd = owner.spent_usd
            owner.leg_closed(1000, reason)
        for sideband in tuple(self._sidebands):
            sideband.leg.close(1000, "the call has ended")
        self._sidebands.clear()
        ended(reason)

    # ------------------------------------------------------------------------------------- the party and controllers

    def receive_frame(self, data: bytes) -> None:
        """Take one message that came over the party's channel."""
        self._speaking.can_press = self.press is not None
        self._perform(self._speaking.receive_client(data))
        # At once: what it says next may be for us, and is to find this done.
        if self._begin is None:
            self._pass()

    def channel_opened(self) -> None:
        """Take no notice: what was said before it opened has waited in it."""

    def attach(self, leg: Leg) -> LegOwner | None:
        """Have a controller join, who is told of the session as it is by now; None where there are too many already."""
        if len(self._sidebands) >= MAX_SIDEBANDS or self.is_over:
            return None
        sideband = _Sideband(self, leg)
        self._sidebands[sideband] = None
        if (told := self._speaking.session_created) is not None:
            leg.send(told)
        return sideband

    def hang_up(self, reason: str) -> None:
        """End the party's connection."""
        if self.media is not None:
            self.media.hang_up(reason)

    # --------------------------------------------------------------------------------------------- the session's leg

    @property
    def queued_bytes(self) -> int:
        """How many bytes of messages were sent but not yet taken; audio that waits to be played does not count."""
        return 0 if self.channel is None else self.channel.queued_bytes

    def send(self, data: bytes) -> None:
        """Play a frame of the session, or pass it on."""
        self._perform(self._speaking.receive_session(data))

    def speak(self, response_id: str, item_id: str, audio: bytes) -> None:
        """Play audio of an answer, in the format that it began with."""
        self._perform(self._speaking.receive_speech(response_id, item_id, audio))

    def duck(self) -> None:
        """Play on at a low volume."""
        if self.media is not None:
            self.media.duck()

    def restore(self) -> None:
        """Play at full volume again."""
        if self.media is not None:
            self.media.restore()

    async def drain(self) -> None:
        """Return when the party has taken most messages, and heard so much that more may be made for it."""
        if self.channel is not None:
            await self.channel.drain()
        while self.media is not None and (ahead_ms := self.media.queued_ms - AHEAD_MS) > 0:
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), ahead_ms / 1000)
            except TimeoutError:
                continue

    def close(self, code: int, reason: str) -> None:
        """End the call because its session ends, once the party has heard what was said to it by then."""
        for sideband in tuple(self._sidebands):
            sideband.leg.close(code, reason)
        self._sidebands.clear()
        if self._farewell is None:
            self._part(reason or "the session has ended", time.monotonic() + FAREWELL_SECONDS)

    # -------------------------------------------------------------------------------------------------------- inside

    def _part(self, reason: str, latest: float) -> None:
        """End the call when nothing waits to be heard any more, and by a time of the monotonic clock at the latest."""
        waits_ms = 0 if self.media is None else self.media.queued_ms
        left = latest - time.monotonic()
        # Less than a frame is what waits for more that will not come.
        if waits_ms >= _FRAME_MS and left > 0:
            seconds = min(waits_ms / 1000 + TAIL_SECONDS, left)
            self._farewell = asyncio.get_running_loop().call_later(seconds, self._part, reason, latest)
        elif not self._sees_off(reason):
            self.hang_up(reason)

    def leave(self, sideband: _Sideband) -> None:
        """Have a controller leave; the call goes on."""
        self._sidebands.pop(sideband, None)

    def _perform(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Play():
                    self._play(step)
                case ToParty():
                    self._tell(step.frame)
                case ToSession():
                    self._for_session.append(step.frame)
                    self._early_bytes += len(step.frame) if self._begin is not None else 0
                case EndItem():
                    self._end_item(step.item_id)
                case Stop():
                    self._stop()
                case Press():
                    self._press(step.keys)
        if self._for_session:
            self._give()

    def _play(self, step: Play) -> None:
        if self.media is None:
            return
        item_id, format_, stream = self._says
        if (step.item_id, step.format) != (item_id, format_):
            format_ = step.format
            stream = None if format_ == PCM_24K else Stream(format_, PCM_24K)
            self._says = (step.item_id, format_, stream)
        pcm = step.audio if stream is None else stream.push(step.audio)
        if pcm:
            self.media.play(step.item_id, pcm)

    def _end_item(self, item_id: str) -> None:
        if self.media is None:
            return
        if self._says[0] == item_id and self._says[2] is not None and (rest := self._says[2].flush()):
            self.media.play(item_id, rest)
        self.media.end_item(item_id)

    def _press(self, keys: str) -> None:
        if self.press is not None:
            self.press(keys)

    def _stop(self) -> None:
        heard = () if self.media is None else self.media.clear()
        self._says = ("", PCM_24K, None)
        self._perform(self._speaking.stopped((track.item_id, track.heard_ms) for track in heard))
        self._room.set()

    def _tell(self, frame: bytes) -> None:
        if self.channel is not None:
            for message in fitted(frame, self.channel.max_message_bytes, self._new_id):
                self.channel.send(message)
        for sideband in self._sidebands:
            sideband.leg.send(frame)

    def _give(self) -> None:
        """Give the session what waits for it, but not while it is in the midst of what it was given."""
        if self._begin is not None:
            self._bound_early()
        elif not self._is_passing:
            # The session that speaks to us is at work; a party's frame could be given at once, but keeps its place.
            asyncio.get_running_loop().call_soon(self._pass)

    def _bound_early(self) -> None:
        if self._early_bytes > EARLY_BYTES:
            self._for_session.clear()
            self.hang_up("too much was said before the call was connected")

    def _pass(self) -> None:
        if self._is_passing:
            return
        self._is_passing = True
        try:
            while self._for_session and self._owner is not None:
                self._owner.receive_frame(self._for_session.popleft())
        finally:
            self._is_passing = False


def _nobody(_reason: str) -> bool:
    return False


class _Sideband:
    """A controller of a call, on a WebSocket of its own: a `legs.LegOwner`."""

    def __init__(self, live: LiveCall, leg: Leg) -> None:
        self._live: LiveCall | None = live
        self.leg = leg

    def receive_frame(self, data: bytes) -> None:
        """Take one message of the controller."""
        if self._live is not None:
            self._live.receive_frame(data)

    def leg_closed(self, code: int, reason: str) -> None:
        """Leave."""
        live, self._live = self._live, None
        if live is not None:
            live.leave(self)
