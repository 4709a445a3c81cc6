"""The floor: who has it, the user or the answer, where settings ask for more than "whoever makes a sound".

While an answer is made or played in adaptive mode, a sound is held back: the answer is ducked at once, the client is
told nothing, and a `Hold` judges whether the user takes the turn.  If so, everything happens as it does at once
without this mode, with the true beginning of the speech; if not, the answer goes on as if nothing had been said.
`core.session` is the only caller, and does what follows from a turn itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from . import events as ev
from .answering import Answering
from .barge_in import ECHO, FRAME_TICKS, Hold, Verdict
from .effects import Duck, Effect, ExpectEcho, Restore, Send
from .formats import TICKS_PER_SECOND
from .listening import Listening
from .reports import Heard, Overheard
from .response import NewId
from .settings import Settings
from .turns import ONSET_FRAMES

AWAITED_MS = 700
"""Of an answer that is left: too little to be worth protecting from a "yes"."""
ASKED_SECONDS = 2.0
"""How long after a question an assent answers it, though the answer goes on."""
DEAF_SECONDS = 1.5
"""Without any audio from the client a sound cannot be judged further."""
HEARD_LATER_SECONDS = 0.6
"""How long after its estimated playback the last of an answer may still be heard by the user and its microphone."""


class Floor:
    """Who has the floor in one session."""

    def __init__(self, listening: Listening, answering: Answering, new_id: NewId, mode: str) -> None:
        """Make it; `mode` holds where the client's settings do not say (`core.service.Service`)."""
        self._listening = listening
        self._answering = answering
        self._new_id = new_id
        self._mode = mode
        self._hold: Hold | None = None
        self._heard_at = 0.0
        self._heard_to = 0
        self._suspected: int | None = None
        """Where what may be speech began; None while nothing is."""
        self._ducked_item: str | None = None
        """What the client was told is ducked; None when it was told nothing."""

    @property
    def is_held(self) -> bool:
        """Whether a sound is being judged."""
        return self._hold is not None

    @property
    def due_at(self) -> float | None:
        """Session time at which a judgement has to be made without hearing more; None when there is none."""
        return None if self._hold is None else self._heard_at + DEAF_SECONDS

    # -------------------------------------------------------------------------------------------------- reports

    def receive_frame(self, heard: Heard, settings: Settings, now: float) -> list[Effect]:
        """Take in a judged frame; a turn that it begins or ends stands in the effects, if the client is told."""
        self._heard_to = heard.at
        if not self._is_adaptive(settings):
            return self._listening.receive_frame(heard, now)
        has_answer = self._has_answer(now)
        self._suspect(heard)
        # An echo is no speech of the user, and the longer it is heard the surer that is.
        speech = heard if heard.echo < ECHO else msgspec.structs.replace(heard, probability=0.0)
        out = self._listening.receive_frame(speech, now, holds=has_answer)
        if self._hold is None:
            if not self._listening.is_held:
                return out
            onset = heard.at - ONSET_FRAMES * FRAME_TICKS
            self._hold = Hold(onset, is_awaited=self._is_awaited(now), suspected=self._suspected)
            out += self._duck(settings, now)
        self._heard_at = now
        return out + self._follow(self._hold.receive_frame(heard, has_answer=has_answer), now)

    def receive_words(self, words: Overheard, now: float) -> list[Effect]:
        """Take in the words so far."""
        is_ours = self._listening.is_held_as(words.item_id)
        out = self._listening.receive_words(words)
        if self._hold is None or not is_ours:
            return out
        return out + self._follow(self._hold.receive_words(words.text, has_answer=self._has_answer(now)), now)

    def receive_time(self, now: float) -> list[Effect]:
        """Judge without hearing more, if that is due."""
        if self._hold is None or self.due_at is None or now < self.due_at:
            return []
        return self._follow(self._hold.give_up(), now)

    # ----------------------------------------------------------------------------------------------- the client

    def commit(self, now: float) -> list[Effect]:
        """Give the turn to the user, if there is a sound, for the client is about to commit it."""
        return [] if self._hold is None else self._release() + self._listening.take_held(now, commits=False)

    def clear(self, now: float) -> list[Effect]:
        """Forget the sound, if there is one."""
        return [] if self._hold is None else self._follow(Verdict.DISMISSED, now)

    def configure(self, settings: Settings, now: float) -> list[Effect]:
        """Go on with other settings: where they hold nothing back, what was held is a turn."""
        if self._hold is None or self._is_adaptive(settings):
            return []
        return self._release() + self._listening.take_held(now)

    def expect_echo(self, effects: Sequence[Effect], settings: Settings, now: float) -> list[Effect]:
        """Return what the ears have to be told of the answer's audio among the effects."""
        if not self._is_adaptive(settings):
            return []
        out: list[Effect] = []
        end = self._answering.playing.ends_at
        for effect in reversed(effects):
            if type(effect) is Send and type(told := effect.event) is ev.AudioDelta:
                format_ = self._answering.played_format(told.response_id)
                if format_ is None:
                    continue
                end -= len(told.delta) / format_.bytes_per_ms / 1000
                ahead = round((end - now) * TICKS_PER_SECOND)
                out.insert(0, ExpectEcho(told.delta, format_, max(0, self._listening.buffer.end + ahead)))
        return out

    # ------------------------------------------------------------------------------------------------ internals

    def _is_adaptive(self, settings: Settings) -> bool:
        detection = settings.turn_detection
        if detection is None or not detection.interrupt_response or settings.kind == "transcription":
            return False
        return (detection.interruption_mode or self._mode) == "adaptive"

    def _has_answer(self, now: float) -> bool:
        # A sound that has begun is a turn once the answer is over; one that begins now may be the last of the answer.
        late = 0.0 if self._hold is not None else HEARD_LATER_SECONDS
        ends_at = self._answering.playing.ends_at
        return self._answering.is_answering or (ends_at > 0.0 and now < ends_at + late)

    def _is_awaited(self, now: float) -> bool:
        answering = self._answering
        if not answering.is_answering and answering.playing.remaining_ms(now) <= AWAITED_MS:
            return True
        played, before = answering.played_text(now), answering.played_text(now - ASKED_SECONDS)
        return "?" in played[len(before) :]

    def _duck(self, settings: Settings, now: float) -> list[Effect]:
        self._heard_at = now
        self._ducked_item = None
        detection = settings.turn_detection
        item_id = self._answering.playing.item_at(now)
        if item_id is None or detection is None or detection.interruption_mode != "adaptive":
            return [Duck()]
        self._ducked_item = item_id
        return [Duck(), Send(ev.OutputDucked(self._new_id("event"), item_id))]

    def _suspect(self, heard: Heard) -> None:
        """Keep where the sound began: claims are made of softer sounds than turns are, so they come first."""
        if heard.claim is None or heard.echo >= ECHO:
            self._suspected = None
        elif self._suspected is None:
            self._suspected = heard.at - ONSET_FRAMES * FRAME_TICKS

    def _follow(self, verdict: Verdict | None, now: float) -> list[Effect]:
        """Do what the verdict says."""
        if verdict is None:
            return []
        if verdict is Verdict.TAKEN:
            self._hold = self._ducked_item = None
            return self._listening.take_held(now)
        return self._listening.drop_held(self._heard_to) + self._release()

    def _release(self) -> list[Effect]:
        """Have the answer go on as loud as before."""
        self._hold = None
        ducked, self._ducked_item = self._ducked_item, None
        if ducked is None:
            return [Restore()]
        return [Restore(), Send(ev.OutputRestored(self._new_id("event"), ducked))]
