"""The relay session: one client, one upstream at a time, and what happens when that one goes away.

States: starting (no upstream has said `session.created`) -> live (a link holds the conversation) <-> recovering (none
does; what the client sends is kept) -> closed.  Beside the live link another may be made ready: before the upstream's
session grows too old, or because the upstream is doing badly.  It takes over when nothing is under way.  Here is what
comes of frames and of time; what comes of links is `relay.tenure`.

Called by `server.relaying`.
"""

from __future__ import annotations

from ..core.lifetime import Lifetime
from . import meter, peek
from .answers import Answers
from .chronicle import Chronicle
from .clientele import Client
from .effects import Effect, Noted, Place, ToUpstream
from .greetings import Greetings
from .links import Link
from .outbox import APPEND, CREATE_RESPONSE, TRUNCATE, Entry
from .reading import AUDIO_DELTAS, Reading, tells
from .retelling import sent, truncated_here
from .soundness import is_sound
from .standing import ANSWERED_FOR, Standing
from .tenure import CLOSE, CLOSED, Tenure
from .terms import Object, Terms
from .unfinished import NewId

_UNANSWERED_SHARE = 4
"""Where an upstream is there to answer soon, this many times as much may be unanswered: one picture may take 20 MB."""


class RelaySession:
    """One conversation that is relayed."""

    def __init__(self, terms: Terms, new_id: NewId, answers: Answers | None = None) -> None:
        """Make a session that has not begun.

        Args:
            terms: what it begins with.
            new_id: makes ids of a kind, such as `event` or `item`.
            answers: those that may be given again; None where the route keeps none.
        """
        self._terms = terms
        self._new_id = new_id
        self._lifetime = Lifetime(terms.limits)
        chronicle = (
            Chronicle.restored(terms.resumed, terms.audio_bytes, terms.items_bytes)
            if terms.resumed
            else Chronicle(terms.audio_bytes, terms.items_bytes)
        )
        chronicle.update(terms.settings)
        has_answers = terms.kind == "realtime"
        self._standing = Standing(chronicle, terms.outbox_bytes, new_id, has_answers=has_answers)
        self._client = Client(terms, new_id)
        self._reading = Reading(self._standing, self._client, terms.kind, new_id)
        self._greetings = None
        if answers is not None:
            self._greetings = Greetings(answers, self._standing, self._client, new_id)
        self._meter = meter.Meter()
        self._tenure = Tenure(terms, self._standing, self._client, self._reading, self._meter, new_id)
        self._heard_at = 0.0
        """When the live upstream last said something."""
        self._exhausted = ""
        """Why nothing more may be spent; empty while something may."""
        self.has_moved = False
        """Whether `deadline` may be another than when this was last made false: audio alone moves nothing."""

    # ---------------------------------------------------------------------------------------------------- questions

    @property
    def id(self) -> str:
        """What the client knows it by."""
        return self._terms.session_id

    @property
    def kind(self) -> str:
        """`realtime`, `transcription` or `translation`."""
        return self._terms.kind

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has to be called."""
        return None if self.is_closed else min(self._lifetime.deadline, self._tenure.deadline)

    @property
    def is_closed(self) -> bool:
        """Whether it is over."""
        return self._tenure.is_closed

    @property
    def upstream(self) -> str:
        """The name of the upstream that holds the conversation; empty while none does."""
        return self._live.place.upstream if self._live is not None else ""

    def snapshot(self) -> bytes:
        """Return what has to be kept for the conversation to go on in another session."""
        return self._standing.chronicle.snapshot()

    # ------------------------------------------------------------------------------------------------------- inputs

    def begin(self, now: float) -> list[Effect]:
        """Look for an upstream."""
        self.has_moved = True
        items = len(self._standing.chronicle)
        resumed: list[Effect] = [Noted("resumed", {"items": items})] if self._terms.resumed else []
        return resumed + self._tenure.begin(now)

    def receive_client(self, frame: bytes, now: float) -> list[Effect]:
        """Take a frame of the client."""
        if self.is_closed:
            return []
        self._lifetime.note_event(now)
        kind = peek.kind(frame)
        if kind == APPEND:
            self._standing.append(frame, now)
            if self._live is None:
                return self._checked_outbox()
            if self._live.sound is not None:
                frame = self._live.sound.append(frame)
            return [ToUpstream(self._live.number, frame)] if frame else []
        if kind == meter.APPEND and self._live is not None:
            return [ToUpstream(self._live.number, frame), *self._meter.count(frame, self._live)]
        return self._receive_event(kind, frame, now)

    def receive_upstream(self, number: int, frame: bytes, now: float) -> list[Effect]:
        """Take a frame of a link."""
        link = self._tenure.link(number)
        if link is None or self.is_closed:
            return []
        kind = peek.kind(frame)
        if link is not self._live:
            self.has_moved = True
            return self._tenure.receive_early(link, kind, frame, now)
        if link.ids:
            frame = link.ids.inward(frame)
        if link.sound is None:
            return self._receive_live(link, kind, frame, now)
        said = link.sound.inward(kind, frame, self._new_id)
        return [effect for kind, each in said for effect in self._receive_live(link, kind, each, now)]

    def _receive_live(self, link: Link, kind: bytes, frame: bytes, now: float) -> list[Effect]:
        """Take a frame of the link that holds the conversation, its audio in the client's format."""
        if self._greetings is not None and self._greetings.is_recording:
            self._greetings.record(kind, frame)
        if kind in AUDIO_DELTAS:
            return [self._reading.spoken(link, kind, frame)]
        return self._read(link, kind, frame, now) if tells(kind) else self._reading.passed(link, kind, frame)

    def opened(self, number: int, place: Place, now: float) -> list[Effect]:
        """Learn that a link leads to an upstream, which is yet to begin a session."""
        self.has_moved = True
        return self._tenure.opened(number, place, now)

    def unavailable(self, number: int, message: str, now: float, *, again: bool = True, told: str = "") -> list[Effect]:
        """Learn that no upstream of the route can be had.

        Args:
            number: of the link.
            message: why, for the operator.
            now: session time.
            again: whether that may change.
            told: as much of it as the client may know; empty for nothing.
        """
        self.has_moved = True
        return self._tenure.unavailable(number, message, now, again, told)

    def lost(self, number: int, code: int, reason: str, now: float) -> list[Effect]:
        """Learn that a link is gone."""
        self.has_moved = True
        return self._tenure.lost(number, code, reason, now)

    def leave(self, now: float) -> list[Effect]:
        """Look for another upstream: the present one is doing badly."""
        self.has_moved = True
        return self._tenure.leave()

    def receive_time(self, now: float) -> list[Effect]:
        """Do what has become due."""
        self.has_moved = True
        if self.is_closed:
            return []
        if (end := self._lifetime.end_at(now)) is not None:
            return self._tenure.end(end.error.code, end.error.message, 1001, end.reason, kind=end.error.type)
        if self._live is not None:
            self._standing.expire(self._heard_at)
        return self._tenure.receive_time(now)

    def exhaust(self, message: str) -> list[Effect]:
        """Learn that nothing more may be spent; what is being answered is answered, then the session ends."""
        self._exhausted = self._exhausted or message
        return self._end_exhausted() if not self.is_closed and not self._standing.responses else []

    def client_gone(self) -> list[Effect]:
        """Learn that the client has gone; what was being answered is kept as far as it was said."""
        used = self._meter.read(self._live) if self._live is not None else []
        self._standing.break_off("client_gone", "The client has gone.")
        return used + self._tenure.close()

    @property
    def _live(self) -> Link | None:
        return self._tenure.live

    # ---------------------------------------------------------------------------------------------- the client's side

    def _receive_event(self, kind: bytes, frame: bytes, now: float) -> list[Effect]:
        self.has_moved = True
        event = peek.parse(frame)
        if event is None:
            # Whoever understands the protocol best says what is wrong with it.
            return [ToUpstream(self._live.number, frame)] if self._live is not None else []
        effects: list[Effect] = []
        events = self._client.read(kind, event)
        for each in events:
            raw = frame if len(events) == 1 else peek.written(each)
            effects += self._take(each, raw, now)
        return effects + self._checked_outbox()

    def _take(self, event: Object, frame: bytes, now: float) -> list[Effect]:
        """Take one event of the client, in GA spelling, with the frame that it came in."""
        kind = str(event.get("type", "")).encode()
        live = self._live
        if kind == TRUNCATE and (live is None or live.was_told(event.get("item_id"))):
            return truncated_here(event, live, self._standing, self._client, self._new_id)
        if not is_sound(event):
            # The upstream says what is wrong with it.
            return [ToUpstream(live.number, frame)] if live is not None else []
        if kind == CREATE_RESPONSE and live is not None and self._greetings is not None:
            answer = self._greetings.answer(live, event, now)
            if answer is not None:
                return answer
        if kind == CLOSE and self._terms.kind == "translation":
            self._tenure.parting = "asked"
        if kind in ANSWERED_FOR or live is None:
            entry = self._standing.expect(kind, frame, event, now)
        else:
            entry = Entry(kind, frame, event, 0.0, now)
        return list(sent(live, entry, is_beta_client=self._client.is_beta)) if live is not None else []

    # -------------------------------------------------------------------------------------------- the upstream's side

    def _read(self, link: Link, kind: bytes, frame: bytes, now: float) -> list[Effect]:
        """Take a frame that tells something of where the conversation stands."""
        self.has_moved = True
        self._heard_at = now
        if kind == CLOSED:
            self._tenure.parting = "told"
        effects = self._reading.read(link, frame, now)
        if self._exhausted and not self._standing.responses:
            return effects + self._end_exhausted()
        return effects + self._tenure.renew(now) if self._tenure.spare is not None else effects

    def _checked_outbox(self) -> list[Effect]:
        """Give up when a client says more than can be kept until an upstream takes it."""
        most_bytes = self._terms.outbox_bytes
        if self._live is not None:
            most_bytes *= _UNANSWERED_SHARE
        if self._standing.outbox.size_bytes <= most_bytes:
            return []
        text = "More was sent than can be kept until an upstream server takes it."
        return self._tenure.end("upstream_unavailable", text, 1013, "no upstream server takes what is sent")

    def _end_exhausted(self) -> list[Effect]:
        code = "insufficient_quota"
        return self._tenure.end(code, self._exhausted, 4000, f"{code}.{code}", kind=code)
