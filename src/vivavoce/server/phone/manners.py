"""Manners: what a caller hears besides the conversation, so that nobody ever waits in silence.

A greeting while the session is being made, a filler and music while an answer takes long, an apology when nobody
answers any more, a question into a long silence, and an end to calls that last too long.  A pure machine: it is told
what happens on a call and when, and returns what is to be done.

A clip that is played once holds back what the session says until its end; music gives way to it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...telephony import Manner

__all__ = ["Clip", "Deed", "HangUp", "Manners", "PlayClip", "StopClip", "ToSession", "Transfer"]

Clip = str
"""`notice`, `greeting`, `filler`, `hold`, `presence`, `farewell`, `apology` or `message`."""

FAILURES_IN_A_ROW = 2
"""Answers that fail one after the other, and are then taken for the end of the conversation."""
LONGEST_ANNOUNCEMENT_SECONDS = 45.0
"""How long the announcement of a machine may be before a message is left anyway."""
_YIELDING = frozenset(("greeting", "filler", "hold", "presence"))
"""Clips that end when the caller speaks."""


class PlayClip(msgspec.Struct, frozen=True):
    """Play something that is not the session's."""

    clip: Clip
    is_looped: bool = False


class StopClip(msgspec.Struct, frozen=True):
    """Stop the clip that plays."""


class ToSession(msgspec.Struct, frozen=True):
    """Give the session a client event in GA spelling."""

    frame: bytes


class Transfer(msgspec.Struct, frozen=True):
    """Connect the caller with somebody else."""

    target: str


class HangUp(msgspec.Struct, frozen=True):
    """End the call."""

    reason: str


Deed = PlayClip | StopClip | ToSession | Transfer | HangUp


class _Told(msgspec.Struct):
    """What is looked at of an event."""

    type: str = ""
    response: dict[str, Any] | None = None


_told = msgspec.json.Decoder(_Told).decode
_encode = msgspec.json.Encoder().encode


class Manners:
    """How one call is held."""

    def __init__(
        self, manner: Manner, clips: frozenset[Clip], *, is_outbound: bool = False, notice_words: str = ""
    ) -> None:
        """Prepare for a call that has not been answered.

        Args:
            manner: what the operator wants.
            clips: those that there is sound for.
            is_outbound: whether we called.
            notice_words: what is said first because the call is recorded; empty for nothing.
        """
        self._manner = manner
        self._clips = clips
        self._is_outbound = is_outbound
        self._notice_words = notice_words
        self._queue: list[Clip] = []
        self._playing: Clip | None = None
        self._answered_at: float | None = None
        self._waits_since: float | None = None
        self._has_filled = False
        self._is_sounding = False
        self._speaks_since: float | None = None
        self._quiet_since = 0.0
        self._was_asked = False
        self._failures = 0
        self._has_spoken = False
        self._leaves_at: float | None = None
        """When a message is left on a machine that does not fall silent; None where no machine was found."""
        self._is_ending = False
        self.is_over = False
        """Whether it has asked for the end of the call."""

    # ---------------------------------------------------------------------------------------------- what happens

    def answered(self, now: float) -> list[Deed]:
        """Learn that the call stands."""
        self._answered_at = self._quiet_since = now
        opening = ("notice", "greeting") if self._notice_words else ("greeting",)
        self._queue += [clip for clip in opening if clip in self._clips]
        return self._next_clip(now)

    def receive_session(self, frame: bytes, now: float) -> list[Deed]:
        """Learn what the session says; audio need not be told."""
        try:
            told = _told(frame)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return []
        match told.type:
            case "session.created":
                return self._opened()
            case "input_audio_buffer.speech_started":
                return self._spoken_over(now)
            case "input_audio_buffer.speech_stopped":
                return self._fell_silent(now)
            case "response.created":
                self._wait(now)
            case "response.done":
                return self._answer_done(told.response or {}, now)
            case "output_audio_buffer.started":
                self._is_sounding, self._waits_since = True, None
                self._failures = 0
            case "output_audio_buffer.stopped" | "output_audio_buffer.cleared":
                self._is_sounding, self._quiet_since = False, now
        return []

    def clip_ended(self, clip: Clip, now: float) -> list[Deed]:
        """Learn that a clip was played to its end."""
        if clip != self._playing:
            return []
        self._playing = None
        self._quiet_since = now
        if clip in ("farewell", "message"):
            return self._end(HangUp("the call was ended by its rules"))
        if clip == "apology":
            return self._after_apology()
        return self._next_clip(now)

    def failed(self, now: float) -> list[Deed]:
        """Learn that the session is gone or answers no more."""
        if self._is_ending:
            return []
        self._is_ending = True
        out = self._silence()
        if "apology" in self._clips:
            return [*out, self._play("apology")]
        return out + self._after_apology()

    # ---------------------------------------------------------------------------------------------------- the time

    @property
    def deadline(self) -> float | None:
        """When `receive_time` is due; None for never."""
        return None if self.is_over else min((at for at, _ in self._due()), default=None)

    def receive_time(self, now: float) -> list[Deed]:
        """Do what is due first; what else is due has a deadline of its own by then."""
        at, do = min(self._due(), key=lambda due: due[0], default=(None, None))
        return [] if at is None or do is None or now < at or self.is_over else do(now)

    def _due(self) -> list[tuple[float, Callable[[float], list[Deed]]]]:
        """Return what will be due, and when."""
        manner, begun = self._manner, self._answered_at
        if begun is None or self._is_ending:
            return []
        due: list[tuple[float, Callable[[float], list[Deed]]]] = [(begun + manner.max_seconds, self._say_farewell)]
        if self._leaves_at is not None:
            return [*due, (self._leaves_at, self._leave_message)]
        since = self._waits_since
        if since is not None and self._playing is None and not self._is_sounding:
            if manner.filler_after_seconds and not self._has_filled and "filler" in self._clips:
                due.append((since + manner.filler_after_seconds, self._fill))
            if "hold" in self._clips:
                due.append((since + manner.hold_after_seconds, self._hold))
        if self._is_outbound and not self._has_spoken and self._speaks_since is not None and manner.machine != "talk":
            due.append((self._speaks_since + manner.machine_after_seconds, self._meet_machine))
        is_quiet = since is None and self._speaks_since is None and not self._is_sounding and self._playing is None
        if is_quiet and manner.silence_seconds:
            due.append((self._quiet_since + manner.silence_seconds, self._ask_presence))
        return due

    # -------------------------------------------------------------------------------------------------------- inside

    def _opened(self) -> list[Deed]:
        """Have the session know what was said before it began."""
        words = " ".join(filter(None, (self._notice_words, self._manner.greeting)))
        if not words:
            return []
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": words}]}
        return [ToSession(_encode({"type": "conversation.item.create", "item": said}))]

    def _wait(self, now: float) -> None:
        if self._waits_since is None:
            self._waits_since, self._has_filled = now, False

    def _spoken_over(self, now: float) -> list[Deed]:
        self._speaks_since, self._waits_since, self._was_asked = now, None, False
        return self._silence() if self._playing in _YIELDING else []

    def _fell_silent(self, now: float) -> list[Deed]:
        self._speaks_since, self._quiet_since, self._has_spoken = None, now, True
        return self._leave_message(now) if self._leaves_at is not None else []

    def _answer_done(self, response: dict[str, Any], now: float) -> list[Deed]:
        output = response.get("output")
        items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
        if any(item.get("type") == "function_call" for item in items):
            return []  # the caller goes on waiting for what the function returns
        if not self._is_sounding and response.get("status") != "completed":
            self._waits_since, self._quiet_since = None, now
        if response.get("status") != "failed":
            # An answer without any sound ends the wait as well; one whose sound is under way has ended it already.
            has_sound = any(item.get("type") == "message" for item in items)
            self._waits_since = self._waits_since if has_sound else None
            return []
        self._failures += 1
        return self.failed(now) if self._failures >= FAILURES_IN_A_ROW else []

    def _fill(self, now: float) -> list[Deed]:
        self._has_filled = True
        return [self._play("filler")]

    def _hold(self, now: float) -> list[Deed]:
        return [self._play("hold")] if self._playing is None else []

    def _ask_presence(self, now: float) -> list[Deed]:
        if self._was_asked or "presence" not in self._clips:
            return self._say_farewell(now)
        self._was_asked, self._quiet_since = True, now
        return [self._play("presence")]

    def _say_farewell(self, now: float) -> list[Deed]:
        self._is_ending = True
        out = self._silence()
        if "farewell" in self._clips:
            return [*out, self._play("farewell")]
        return out + self._end(HangUp("the call was ended by its rules"))

    def _meet_machine(self, now: float) -> list[Deed]:
        if self._manner.machine == "hang_up" or "message" not in self._clips:
            self._is_ending = True
            return [*self._silence(), *self._end(HangUp("a machine answered"))]
        self._leaves_at = now + LONGEST_ANNOUNCEMENT_SECONDS
        deaf = {"type": "server_vad", "create_response": False, "interrupt_response": False}
        update = {"type": "realtime", "audio": {"input": {"turn_detection": deaf}}}
        quiet = ToSession(_encode({"type": "session.update", "session": update}))
        return [*self._silence(), quiet]

    def _leave_message(self, now: float) -> list[Deed]:
        self._is_ending, self._leaves_at = True, None
        return [self._play("message")]

    def _after_apology(self) -> list[Deed]:
        manner = self._manner
        if manner.on_failure == "transfer" and manner.transfer_to:
            return self._end(Transfer(manner.transfer_to))
        return self._end(HangUp("the conversation broke off"))

    def _end(self, deed: Deed) -> list[Deed]:
        self.is_over = self._is_ending = True
        return [deed]

    def _play(self, clip: Clip) -> PlayClip:
        self._playing = clip
        return PlayClip(clip, is_looped=clip == "hold")

    def _silence(self) -> list[Deed]:
        was, self._playing = self._playing, None
        self._queue.clear()
        return [StopClip()] if was is not None else []

    def _next_clip(self, now: float) -> list[Deed]:
        return [self._play(self._queue.pop(0))] if self._queue and self._playing is None else []
