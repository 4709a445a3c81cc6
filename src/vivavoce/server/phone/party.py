"""One telephone call, by whichever road it came: its session, its manners, its recording and its record.

Between the media, which plays and hears, and the live call, which holds the session.  A road brings media that can play
clips, and a `Control` that ends or transfers the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from ...audio.playout import Heard
from ...core.settings import ServerVad, Settings, Transcription
from ...legs.media import AudioOwner, ClipMedia
from ...telephony import VOICES, Number
from ..live import LiveCall
from .manners import Clip, Deed, HangUp, Manners, PlayClip, StopClip, ToSession, Transfer
from .records import CallRecord, Recorder, Records

__all__ = ["Begin", "Control", "Facts", "PhoneCall", "settings_of"]

_log = logging.getLogger("vivavoce.calls")

Begin = Callable[[LiveCall], AudioOwner]
"""Begins the session of a call that was answered."""


class Control(Protocol):
    """What a road can do to a call besides carrying its sound."""

    def hang_up(self, reason: str) -> None:
        """End it; what is under way to the caller may still arrive."""
        ...

    def transfer(self, target: str) -> bool:
        """Connect the caller with somebody else, who may be called; return whether the road can do that."""
        ...


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a call when it begins."""

    call_id: str
    direction: str
    """`in` or `out`."""
    road: str
    caller: str = ""
    called: str = ""
    line: str = ""
    codec: str = ""
    is_encrypted: bool = False
    began_unix: float = 0.0


_TRANSCRIBING = "gpt-4o-mini-transcribe"
"""The model that writes down what callers say."""


class _Usage(msgspec.Struct):
    total_tokens: int = 0


class _Response(msgspec.Struct):
    usage: _Usage | None = None


class _Told(msgspec.Struct):
    type: str = ""
    response: _Response | None = None


_ORDINARY = ("insufficient_quota", "maximum duration")
"""What stands in the reasons of ends that are no failures."""
_told = msgspec.json.Decoder(_Told).decode


def settings_of(number: Number) -> Settings:
    """Return what the session of a call to a number begins with."""
    usual = Settings()
    detection = ServerVad(
        threshold=number.threshold,
        prefix_padding_ms=number.prefix_padding_ms,
        silence_duration_ms=number.silence_duration_ms,
    )
    # Upstreams want a model named; the engines of this process take any name for their own.
    transcription = Transcription(_TRANSCRIBING, language=number.language or None)
    return msgspec.structs.replace(
        usual,
        model=number.model,
        instructions=number.instructions or usual.instructions,
        voice=VOICES.get(number.voice, number.voice),
        turn_detection=detection,
        transcription=transcription,
    )


class PhoneCall:
    """One call: a `legs.media.ClipOwner` towards its sound, the media and the channel of its live call."""

    max_message_bytes = 1 << 30
    """Nothing is too long for whoever only listens to what is said of the session."""

    def __init__(
        self,
        facts: Facts,
        number: Number,
        clips: Iterable[Clip],
        control: Control,
        records: Records,
        *,
        unix_now: Callable[[], float],
        ended: Callable[[CallRecord], object] = lambda record: None,
    ) -> None:
        """Make a call that has not been answered, on the running loop.

        Args:
            facts: what is known of it.
            number: what answers it.
            clips: those that its media has sound for.
            control: ends and transfers it.
            records: where it is written down.
            unix_now: the time of day.
            ended: is told once, when it is over, what it was.
        """
        self.facts = facts
        self._number = number
        self._control = control
        self._records = records
        self._unix_now = unix_now
        self._ended: Callable[[CallRecord], object] | None = ended
        self._loop = asyncio.get_running_loop()
        recording = number.recording
        clips = frozenset(clips)
        is_told = recording.is_on and recording.consent == "spoken" and records.is_on
        clips = clips if is_told else clips - {"notice"}
        self._manners = Manners(
            number.manner,
            clips,
            is_outbound=facts.direction == "out",
            notice_words=recording.notice if "notice" in clips else "",
        )
        self._media: ClipMedia | None = None
        self._live: LiveCall | None = None
        self._recorder: Recorder | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answered_unix: float | None = None
        self._reason = ""
        self._session_id = ""
        self._transferred_to = ""
        self._digits = self._interruptions = self._tokens = 0
        self._spent_usd = 0.0

    def connect(self, media: ClipMedia, live: LiveCall) -> None:
        """Learn by what it speaks and hears, and what holds its session, before it is answered."""
        self._media, self._live = media, live
        live.media = self
        live.channel = self

    # ------------------------------------------------------------------------------------------ the road, which tells

    def agreed(self, codec: str, *, is_encrypted: bool) -> None:
        """Learn how its sound travels."""
        self.facts = msgspec.structs.replace(self.facts, codec=codec, is_encrypted=is_encrypted)

    def answered(self) -> None:
        """Learn that the call stands: greet, and have the session begin meanwhile."""
        if self._answered_unix is not None or self._live is None:
            return
        self._answered_unix = self._unix_now()
        if self._number.recording.is_on:
            self._recorder = self._records.record(self.facts.call_id)
        self._do(self._manners.answered(self._now))
        self._live.media_connected()

    def hung_up(
        self, reason: str, *, status: int = 0, lost_ratio: float | None = None, jitter_ms: float | None = None
    ) -> None:
        """Learn that the call is over, and why; the rest is as in `CallRecord`."""
        ended, self._ended = self._ended, None
        if ended is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        live, self._live = self._live, None
        if live is not None:
            self._spent_usd = live.spent_usd
            live.media_closed(self._reason or reason)
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()
        facts = self.facts
        record = CallRecord(
            call_id=facts.call_id,
            direction=facts.direction,
            road=facts.road,
            line=facts.line,
            caller=facts.caller,
            called=facts.called,
            number=self._number.name,
            began_unix=facts.began_unix,
            answered_unix=self._answered_unix,
            ended_unix=self._unix_now(),
            status=status,
            reason=self._reason or reason,
            codec=facts.codec,
            is_encrypted=facts.is_encrypted,
            session_id=self._session_id,
            model=self._number.model,
            transferred_to=self._transferred_to,
            digits=self._digits,
            interruptions=self._interruptions,
            tokens=self._tokens,
            cost_usd=self._spent_usd,
            lost_ratio=lost_ratio,
            jitter_ms=jitter_ms,
            recording="" if recorder is None else recorder.path.name,
        )
        self._records.keep(record)
        self._media = None
        ended(record)

    def failed(self, reason: str) -> bool:
        """Learn that the session is gone though the caller is there: the caller is told, and the rules end the call."""
        _log.warning("call %s: the session ended: %s", self.facts.call_id, reason)
        if any(word in reason for word in _ORDINARY):
            return False  # the caller has been told by the session itself, if anything was to be told
        if self._ended is None or self._answered_unix is None:
            return False
        self._do(self._manners.failed(self._now))
        return True

    # ------------------------------------------------------------------------------------------ the media, which tells

    def receive_audio(self, pcm: bytes) -> None:
        """Take what the caller said."""
        if self._recorder is not None:
            self._recorder.hear(pcm)
        if self._live is not None:
            self._live.receive_audio(pcm)

    def receive_playback(self, pcm: bytes) -> None:
        """Take what the caller is played."""
        if self._recorder is not None:
            self._recorder.say(pcm)

    def item_started(self, item_id: str) -> None:
        """Tell that an answer begins to play."""
        if self._live is not None:
            self._live.item_started(item_id)

    def item_played(self, item_id: str) -> None:
        """Tell that an answer was played."""
        if self._live is not None:
            self._live.item_played(item_id)

    def receive_digit(self, digit: str) -> None:
        """Tell of a key."""
        self._digits += 1
        if self._live is not None:
            self._live.receive_digit(digit)

    def clip_ended(self, clip: str) -> None:
        """Go on after a clip."""
        self._do(self._manners.clip_ended(clip, self._now))

    def media_connected(self) -> None:
        """Take no notice: a call is answered by its road."""

    def media_closed(self, reason: str) -> None:
        """Learn that no sound can pass any more."""
        self.hang_up(reason)

    # ------------------------------------------------------------------------- the live call's media and its channel

    def play(self, item_id: str, pcm: bytes) -> None:
        """Play more of an answer."""
        if self._media is not None:
            self._media.play(item_id, pcm)

    def end_item(self, item_id: str) -> None:
        """Learn that an answer is complete."""
        if self._media is not None:
            self._media.end_item(item_id)

    def clear(self) -> Sequence[Heard]:
        """Stop what plays of answers."""
        return () if self._media is None else self._media.clear()

    def duck(self) -> None:
        """Play on at a low volume."""
        if self._media is not None:
            self._media.duck()

    def restore(self) -> None:
        """Play at full volume again."""
        if self._media is not None:
            self._media.restore()

    @property
    def queued_ms(self) -> int:
        """How long what waits will play."""
        return 0 if self._media is None else self._media.queued_ms

    def hang_up(self, reason: str) -> None:
        """End the call."""
        self._reason = self._reason or reason
        self._control.hang_up(reason)

    queued_bytes = 0
    """Nothing waits on the way to manners."""

    def send(self, data: bytes) -> None:
        """Learn what the session says."""
        self._count(data)
        self._do(self._manners.receive_session(data, self._now))

    async def drain(self) -> None:
        """Return at once."""

    def press(self, keys: str) -> None:
        """Press keys, as a menu at the other side wants it."""
        if self._media is not None:
            self._media.press(keys)

    def transfer(self, target: str) -> bool:
        """Connect the caller with somebody else; return whether that is under way."""
        if not self._control.transfer(target):
            return False
        self._transferred_to = target
        return True

    # -------------------------------------------------------------------------------------------------------- inside

    @property
    def _now(self) -> float:
        return self._loop.time()

    def _count(self, frame: bytes) -> None:
        try:
            told = _told(frame)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return
        if told.type == "output_audio_buffer.cleared":
            self._interruptions += 1
        elif told.type == "session.created" and not self._session_id:
            self._session_id = _session_id(frame)
        elif told.response is not None and told.response.usage is not None and told.type == "response.done":
            self._tokens += told.response.usage.total_tokens

    def _do(self, deeds: Iterable[Deed]) -> None:
        for deed in deeds:
            match deed:
                case PlayClip():
                    if self._media is not None:
                        self._media.play_clip(deed.clip, is_looped=deed.is_looped)
                case StopClip():
                    if self._media is not None:
                        self._media.stop_clip()
                case ToSession():
                    # Soon, not now: the session may be in the midst of telling us something.
                    self._loop.call_soon(self._give, deed.frame)
                case Transfer():
                    if not self.transfer(deed.target):
                        self.hang_up("nobody could be reached")
                case HangUp():
                    self.hang_up(deed.reason)
        self._arm()

    def _give(self, frame: bytes) -> None:
        if self._live is not None:
            self._live.receive_frame(frame)

    def _arm(self) -> None:
        """Set the timer to what is due next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._manners.deadline
        if due is not None and self._ended is not None:
            self._timer = self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._do(self._manners.receive_time(self._now))


def _session_id(frame: bytes) -> str:
    session = msgspec.json.decode(frame).get("session")
    return str(session.get("id", "")) if isinstance(session, dict) else ""
