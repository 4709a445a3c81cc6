"""The relay session: one client, one upstream at a time, and what happens when that one goes away.

States: starting (no upstream has said `session.created`) -> live (a link holds the conversation) <-> recovering (none
does; what the client sends is kept) -> closed.  Beside the live link another may be made ready: before the upstream's
session grows too old, or because the upstream is doing badly.  It takes over when nothing is under way.

Called by `server.relaying`.
"""

from __future__ import annotations

import math
from typing import Literal

from ..core.lifetime import Lifetime
from . import meter, peek, sound
from .answers import Answers
from .bridges import BetaUpstream
from .chronicle import Chronicle
from .clientele import Client
from .effects import CloseClient, Dial, Effect, HangUp, Noted, Place, ToUpstream, What
from .greetings import Greetings
from .links import Link, State
from .outbox import APPEND, CREATE_RESPONSE, Entry
from .reading import AUDIO_DELTAS, Reading, tells
from .retelling import given_up, respond, sent, told, truncated_here
from .soundness import is_sound
from .standing import ANSWERED_FOR, TRUNCATE, Standing
from .succession import Succession
from .terms import Object, Terms
from .unfinished import NewId

_STALE_SECONDS = 30.0
"""What is not answered for by an upstream that speaks so much later never will be."""
_SHORT_LIFE_SECONDS = 5.0
"""An upstream that loses a link sooner is tried last."""


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
            Chronicle.restored(terms.resumed, terms.audio_bytes) if terms.resumed else Chronicle(terms.audio_bytes)
        )
        chronicle.update(terms.settings)
        self._standing = Standing(chronicle, terms.outbox_bytes, new_id)
        self._client = Client(terms, new_id)
        self._reading = Reading(self._standing, self._client)
        self._greetings = None
        if answers is not None:
            self._greetings = Greetings(answers, self._standing, self._client, new_id)
        self._meter = meter.Meter()
        self._plans = Succession(terms.return_seconds)
        self._links: dict[int, Link] = {}
        self._next_link = 1
        self._live: Link | None = None
        self._spare: Link | None = None
        """The link that is being made ready to take over, in any state but live."""
        self._refusals = 0
        self._refused_by: set[str] = set()
        """Upstreams that ended a link with an error before its session began."""
        self._heard_at = 0.0
        """When the live upstream last said something."""
        self._exhausted = ""
        """Why nothing more may be spent; empty while something may."""
        self._lost_at: float | None = None
        """Since when no link holds the conversation."""
        self.is_closed = False
        """Whether it is over."""
        self.has_moved = False
        """Whether `deadline` may be another than when this was last made false: audio alone moves nothing."""

    # ---------------------------------------------------------------------------------------------------- questions

    @property
    def id(self) -> str:
        """What the client knows it by."""
        return self._terms.session_id

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has to be called."""
        if self.is_closed:
            return None
        due = min(self._lifetime.deadline, self._patience_ends)
        if self._live is not None:
            return min(due, self._plans.deadline(has_spare=self._spare is not None))
        lost_at = self._lost_at if self._lost_at is not None else math.inf
        return min(due, self._plans.redial_at, lost_at + self._terms.recovery_seconds)

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
        self._lost_at = now
        return [self._dial("start")]

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
        link = self._links.get(number)
        if link is None or self.is_closed:
            return []
        kind = peek.kind(frame)
        if link is not self._live:
            return self._receive_early(link, kind, frame, now)
        if link.ids:
            frame = link.inward(frame)
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
        return self._read(link, frame, now) if tells(kind) else self._reading.passed(link, kind, frame)

    def opened(self, number: int, place: Place, now: float) -> list[Effect]:
        """Learn that a link leads to an upstream, which is yet to begin a session."""
        self.has_moved = True
        link = self._links.get(number)
        if link is None or self.is_closed:
            return [HangUp(number)]
        if link is self._spare and self._live is not None and place.is_local and self._live.place.is_local:
            # Nobody better was found.
            self._plans.return_later(now)
            return self._drop(link)
        link.state, link.place, link.opened_at = State.OPEN, place, now
        link.session_seconds = place.session_seconds
        if place.shape == "beta":
            link.bridge = BetaUpstream(self._terms.kind, self._new_id)
        return []

    def unavailable(self, number: int, message: str, now: float, *, again: bool = True) -> list[Effect]:
        """Learn that no upstream of the route can be had; `again` where that may change."""
        self.has_moved = True
        link = self._links.pop(number, None)
        if link is None or self.is_closed:
            return []
        link.state = State.GONE
        if link is self._spare:
            self._spare = None
        effects = self._note("unavailable", now, reason=link.reason, message=message)
        if self._live is not None:
            self._plans.renew_later(now)
            return effects
        if not again and not self._client.is_told:
            return effects + self._end("upstream_refused", message, 4000, "server_error.upstream_refused")
        self._plans.redial_later(now)
        return effects

    def lost(self, number: int, code: int, reason: str, now: float) -> list[Effect]:
        """Learn that a link is gone."""
        self.has_moved = True
        link = self._links.pop(number, None)
        if link is None or self.is_closed:
            return []
        was_live, was_open = link is self._live, link.state is State.OPEN
        link.state = State.GONE
        effects = self._note("lost", now, upstream=link.place.upstream, code=code, reason=reason)
        effects += self._meter.read(link) if was_live else []
        if was_open:
            fields = {"upstream": link.place.upstream, "code": (link.fault or {}).get("code") or str(code)}
            effects += self._note("rejected", now, **fields)
        if not was_live:
            self._spare = None if link is self._spare else self._spare
            return effects + self._refused(link, was_open, now)
        self._live, self._lost_at = None, now
        effects += self._break_off("The connection to the upstream server was lost.")
        if self._terms.kind == "translation" and code == 1000:
            return [*effects, *self._close_client(1000, reason)]
        if self._spare is not None:
            return effects + (self._take_over(self._spare, now) if self._spare.state is State.READY else [])
        is_short = now - link.opened_at < _SHORT_LIFE_SECONDS
        return [*effects, self._dial("lost", frozenset((link.place.upstream,)) if is_short else frozenset())]

    def leave(self, now: float) -> list[Effect]:
        """Look for another upstream: the present one is doing badly."""
        self.has_moved = True
        if self._live is None or self._spare is not None or self.is_closed:
            return []
        return [self._dial("failover", frozenset((self._live.place.upstream,)))]

    def receive_time(self, now: float) -> list[Effect]:
        """Do what has become due."""
        self.has_moved = True
        if self.is_closed:
            return []
        if (end := self._lifetime.end_at(now)) is not None:
            return self._end(end.error.code, end.error.message, 1001, end.reason, kind=end.error.type)
        if self._lost_at is not None and now >= self._lost_at + self._terms.recovery_seconds:
            text = "No upstream server could be reached."
            return self._end("upstream_unavailable", text, 1013, "no upstream server could be reached")
        if self._live is None:
            if now >= self._plans.redial_at:
                self._plans.redial_at = math.inf
                return [self._dial("start" if not self._client.is_told else "lost")]
            return []
        if now >= self._patience_ends:
            return self._lose_patience(now)
        self._standing.outbox.expire(self._heard_at - _STALE_SECONDS)
        return self._renew(now)

    def exhaust(self, message: str) -> list[Effect]:
        """Learn that nothing more may be spent; what is being answered is answered, then the session ends."""
        self._exhausted = self._exhausted or message
        return self._end_exhausted() if not self.is_closed and not self._standing.responses else []

    def client_gone(self) -> list[Effect]:
        """Learn that the client has gone."""
        used = self._meter.read(self._live) if self._live is not None else []
        return used + self._close_links()

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
        if kind in ANSWERED_FOR or live is None:
            entry = self._standing.expect(kind, frame, event, now)
        else:
            entry = Entry(kind, frame, event, 0.0, now)
        return list(sent(live, entry, is_beta_client=self._client.is_beta)) if live is not None else []

    # -------------------------------------------------------------------------------------------- the upstream's side

    def _receive_early(self, link: Link, kind: bytes, frame: bytes, now: float) -> list[Effect]:
        """Take a frame of a link that does not hold the conversation (yet)."""
        self.has_moved = True
        if link.state is not State.OPEN:
            return []
        event = peek.parse(frame) or {}
        if kind == b"error":
            link.fault = event.get("error") or {}
            return []
        if kind not in (b"session.created", b"transcription_session.created"):
            return []
        link.state = State.READY
        events = link.bridge.to_ga(event) if link.bridge is not None else [event]
        session = next((each.get("session") or {} for each in events if each.get("type") == "session.created"), {})
        link.learn_lifetime(session, now, self._terms.created_unix)
        if self._live is None:
            return self._take_over(link, now, session)
        return self._renew(now)

    def _read(self, link: Link, frame: bytes, now: float) -> list[Effect]:
        """Take a frame that tells something of where the conversation stands."""
        self.has_moved = True
        self._heard_at = now
        effects = self._reading.read(link, frame, now)
        if self._exhausted and not self._standing.responses:
            return effects + self._end_exhausted()
        return effects + self._renew(now) if self._spare is not None else effects

    # --------------------------------------------------------------------------------------------- links come and go

    def _dial(
        self, reason: Literal["start", "renewal", "lost", "failover"], avoid: frozenset[str] = frozenset()
    ) -> Dial:
        number, self._next_link = self._next_link, self._next_link + 1
        self._spare = self._links[number] = Link(number, reason)
        return Dial(number, reason, avoid)

    def _take_over(self, link: Link, now: float, session: Object | None = None) -> list[Effect]:
        """Let a link that is ready hold the conversation; it is told everything first."""
        before, self._live, self._spare = self._live, link, None
        link.state = State.LIVE
        self._refusals = 0
        self._refused_by.clear()
        self._plans.plan(link, now)
        standing = self._standing
        if session is not None:
            session = self._reading.first = sound.shown(link.place, session, standing.format_asked)
            standing.configured(session)
        effects: list[Effect] = []
        if not self._client.is_told and session is not None and not standing.chronicle.settings:
            effects += self._client.created(session, len(standing.chronicle))
        if before is not None:
            for event in standing.finished():
                effects += self._client.tell(event)
        was_due = standing.is_due
        effects += given_up(standing, self._client, self._new_id)
        effects += told(link, standing, self._client, self._terms.kind, self._new_id)
        if was_due:
            effects += respond(link, standing, self._new_id, now)
        for entry in standing.outbox:
            entry.sent_at = now
        if before is not None:
            self._links.pop(before.number, None)
            effects.append(HangUp(before.number))
            effects += self._note("renewed", now, upstream=link.place.upstream, before=before.place.upstream)
        elif self._lost_at is not None:
            gap = now - self._lost_at
            what: What = "opened" if link.reason == "start" else "recovered"
            effects += self._note(what, now, upstream=link.place.upstream, seconds=round(gap, 3))
        self._lost_at = None
        return effects

    def _renew(self, now: float) -> list[Effect]:
        """Make a successor ready when it is time, and let it take over when it is quiet."""
        spare = self._spare
        if spare is None:
            if now < self._plans.renew_at:
                return []
            self._plans.renew_at = math.inf
            return [self._dial("renewal")]
        self._plans.see_time(now)
        if spare.state is not State.READY:
            return []
        if self._standing.is_idle or (self._plans.is_forced and not self._standing.responses):
            return self._take_over(spare, now)
        return []

    def _refused(self, link: Link, was_open: bool, now: float) -> list[Effect]:
        """Go on after a link that never came to hold the conversation."""
        if self._live is not None:
            self._plans.renew_later(now)
            return []
        fault = link.fault
        if was_open and fault is not None:
            self._refused_by.add(link.place.upstream)
            if len(self._refused_by) >= self._terms.upstreams and not self._client.is_told:
                code, kind = str(fault.get("code")), str(fault.get("type") or "server_error")
                return self._end(code, str(fault.get("message")), 4000, f"{kind}.{code}", kind=kind)
        self._refusals += was_open
        if self._refusals > self._terms.upstreams:
            self._plans.redial_later(now)
            return []
        return [self._dial("lost", frozenset(self._refused_by) or frozenset((link.place.upstream,)))]

    def _drop(self, link: Link) -> list[Effect]:
        self._links.pop(link.number, None)
        self._spare = None if self._spare is link else self._spare
        return [HangUp(link.number)]

    @property
    def _patience_ends(self) -> float:
        if self._live is None:
            return math.inf
        pending = self._standing.outbox.pending(CREATE_RESPONSE) if not self._standing.outbox.is_quiet else None
        return pending.sent_at + self._terms.patience_seconds if pending is not None else math.inf

    def _lose_patience(self, now: float) -> list[Effect]:
        """Give up an upstream that was asked for an answer and does not begin one."""
        stalled = self._live
        assert stalled is not None
        effects = self._note("lost", now, upstream=stalled.place.upstream, code=0, reason="no answer began")
        effects += self._break_off("The upstream server did not answer.")
        self._live, self._lost_at = None, now
        effects += self._drop(stalled)
        if self._spare is not None:
            return effects + (self._take_over(self._spare, now) if self._spare.state is State.READY else [])
        return [*effects, self._dial("failover", frozenset((stalled.place.upstream,)))]

    def _break_off(self, message: str) -> list[Effect]:
        events = self._standing.break_off("upstream_disconnected", message)
        return [effect for event in events for effect in self._client.tell(event)]

    def _note(self, what: What, now: float, **fields: object) -> list[Effect]:
        return [Noted(what, fields), *self._client.noted(what, now, fields)]

    def _checked_outbox(self) -> list[Effect]:
        """Give up when a client says more than can be kept while no upstream takes it."""
        if not self._standing.outbox.is_over:
            return []
        text = "More was sent than can be kept until an upstream server takes it."
        return self._end("upstream_unavailable", text, 1013, "no upstream server takes what is sent")

    def _end(
        self, code: str, message: str, close_code: int, reason: str, *, kind: str = "server_error"
    ) -> list[Effect]:
        effects = self._client.error(code, message, kind=kind)
        return [*effects, *self._close_client(close_code, reason)]

    def _end_exhausted(self) -> list[Effect]:
        code = "insufficient_quota"
        return self._end(code, self._exhausted, 4000, f"{code}.{code}", kind=code)

    def _close_client(self, code: int, reason: str) -> list[Effect]:
        return [CloseClient(code, reason), *self._close_links()]

    def _close_links(self) -> list[Effect]:
        self.is_closed = True
        links, self._links = list(self._links), {}
        self._live = self._spare = None
        return [HangUp(number) for number in links]
