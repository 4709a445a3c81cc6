"""Tenure: which link holds the conversation, which one is to hold it next, and what becomes of it when one goes.

Knows nothing of frames but the first that a link says.  Called by `relay.session`, of which it is a part.
"""

from __future__ import annotations

import math
from typing import Literal

from . import peek, sound
from .blame import OPERATORS_FAULTS
from .bridges import BetaUpstream
from .clientele import Client
from .effects import CloseClient, Dial, Effect, HangUp, Noted, Place, Reason, What
from .links import Link, State
from .meter import Meter
from .outbox import CREATE_RESPONSE
from .reading import Reading
from .retelling import given_up, respond, told
from .standing import Standing
from .succession import Succession
from .terms import Object, Terms
from .unfinished import NewId

CLOSE = b"session.close"
CLOSED = b"session.closed"
Parting = Literal["none", "asked", "told"]
"""The client has not asked for its session to be closed, or has, or was told that it is."""

_BEGINNING_SECONDS = 10.0
_SHORT_LIFE_SECONDS = 5.0
"""An upstream that loses a link sooner is tried last."""


class Tenure:
    """The links of one conversation."""

    def __init__(
        self, terms: Terms, standing: Standing, client: Client, reading: Reading, meter: Meter, new_id: NewId
    ) -> None:
        """Begin without a link; see `RelaySession` for the rest."""
        self._terms = terms
        self._standing = standing
        self._client = client
        self._reading = reading
        self._meter = meter
        self._new_id = new_id
        self._plans = Succession(terms.return_seconds)
        self._links: dict[int, Link] = {}
        self._next_link = 1
        self.live: Link | None = None
        """The link that holds the conversation; None while none does."""
        self._holds_since = 0.0
        """Since when it does."""
        self.spare: Link | None = None
        """The link that is being made ready to take over, in any state but live."""
        self._refusals = 0
        self._refused_by: set[str] = set()
        """Upstreams that ended a link with an error before its session began."""
        self._lost_at: float | None = None
        """Since when no link holds the conversation."""
        self.parting: Parting = "none"
        """How far the client's leaving has come; only translations have a word for it."""
        self.is_closed = False
        """Whether the session is over."""

    def link(self, number: int) -> Link | None:
        """Return a link that is not gone."""
        return self._links.get(number)

    @property
    def deadline(self) -> float:
        """When `receive_time` has something to do."""
        due = min(self._patience_ends, self._first_word_due, self._introduction_due)
        if self.live is not None:
            return min(due, self._plans.deadline(has_spare=self.spare is not None))
        return min(due, self._plans.redial_at, self._recovery_ends)

    @property
    def _recovery_ends(self) -> float:
        """Until when an upstream is looked for."""
        if self._lost_at is None:
            return math.inf
        seconds = self._terms.recovery_seconds
        # The first one may take a while to open, however soon a conversation that has begun has to go on.
        return self._lost_at + (seconds if self._client.is_told else max(seconds, _BEGINNING_SECONDS))

    # ------------------------------------------------------------------------------------------------------- what comes

    def begin(self, now: float) -> list[Effect]:
        """Look for the first upstream."""
        self._lost_at = now
        return [self._dial("start")]

    def opened(self, number: int, place: Place, now: float) -> list[Effect]:
        """Learn that a link leads to an upstream, which is yet to begin a session."""
        link = self._links.get(number)
        if link is None:
            return [HangUp(number)]
        if link is self.spare and self.live is not None and place.is_local and self.live.place.is_local:
            # Nobody better was found.
            self._plans.return_later(now)
            return self._drop(link)
        link.state, link.place, link.opened_at = State.OPEN, place, now
        link.session_seconds = place.session_seconds
        if place.shape == "beta":
            link.bridge = BetaUpstream(self._terms.kind, self._new_id)
        return []

    def unavailable(self, number: int, message: str, now: float, again: bool, told: str) -> list[Effect]:
        """Learn that no upstream of the route can be had; see `RelaySession`."""
        link = self._links.pop(number, None)
        if link is None:
            return []
        link.state = State.GONE
        if link is self.spare:
            self.spare = None
        effects = self._note("unavailable", now, reason=link.reason, message=message)
        if self.live is not None:
            self._plans.renew_later(now)
            return effects
        if not again and not self._client.is_told:
            return effects + self._end_refused(told or "The upstream server cannot be used.")
        self._plans.redial_later(now)
        return effects

    def lost(self, number: int, code: int, reason: str, now: float) -> list[Effect]:
        """Learn that a link is gone."""
        link = self._links.pop(number, None)
        if link is None:
            return []
        was_live, was_open = link is self.live, link.state is State.OPEN
        link.state = State.GONE
        effects = self._note("lost", now, upstream=link.place.upstream, code=code, reason=reason)
        effects += self._meter.read(link) if was_live else []
        if was_open:
            fields = {"upstream": link.place.upstream, "code": (link.fault or {}).get("code") or str(code)}
            effects += self._note("rejected", now, **fields)
        if not was_live:
            self.spare = None if link is self.spare else self.spare
            return effects + self._refused(link, was_open, now)
        self.live, self._lost_at = None, now
        effects += self._break_off("The connection to the upstream server was lost.")
        if self.parting != "none":
            # Nobody else has heard what was still to be said.
            last = {"type": "session.closed", "event_id": self._new_id("event")}
            effects += self._client.tell(last) if self.parting == "asked" else []
            return [*effects, *self.close_client(1000, "")]
        is_short = now - link.opened_at < _SHORT_LIFE_SECONDS
        return effects + self._replace("lost", frozenset((link.place.upstream,)) if is_short else frozenset(), now)

    def leave(self) -> list[Effect]:
        """Look for another upstream: the present one is doing badly."""
        if self.live is None or self.spare is not None:
            return []
        return [self._dial("failover", frozenset((self.live.place.upstream,)))]

    def receive_early(self, link: Link, kind: bytes, frame: bytes, now: float) -> list[Effect]:
        """Take a frame of a link that does not hold the conversation (yet)."""
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
        if self.live is None:
            return self._take_over(link, now, session)
        return self.renew(now)

    def receive_time(self, now: float) -> list[Effect]:
        """Do what has become due."""
        if now >= self._recovery_ends:
            text = "No upstream server could be reached."
            return self.end("upstream_unavailable", text, 1013, "no upstream server could be reached")
        if now >= self._first_word_due:
            return self._give_up_waiting(now)
        if self.live is None:
            if now >= self._plans.redial_at:
                self._plans.redial_at = math.inf
                return [self._dial("start" if not self._client.is_told else "lost")]
            return []
        if now >= self._introduction_due:
            self.live.updates = 0
            return self._client.created(self._reading.first, len(self._standing.chronicle))
        if now >= self._patience_ends:
            return self._lose_patience(now)
        return self.renew(now)

    def renew(self, now: float) -> list[Effect]:
        """Make a successor ready when it is time, and let it take over when it is quiet."""
        spare = self.spare
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

    # --------------------------------------------------------------------------------------------------------- the end

    def end(self, code: str, message: str, close_code: int, reason: str, *, kind: str = "server_error") -> list[Effect]:
        """Tell the client why its session ends, and end it."""
        effects = self._client.error(code, message, kind=kind)
        return [*effects, *self.close_client(close_code, reason)]

    def close_client(self, code: int, reason: str) -> list[Effect]:
        """End the session."""
        return [CloseClient(code, reason), *self.close()]

    def close(self) -> list[Effect]:
        """Let go of all links."""
        self.is_closed = True
        links, self._links = list(self._links), {}
        self.live = self.spare = None
        return [HangUp(number) for number in links]

    # ---------------------------------------------------------------------------------------------------------- inside

    def _dial(self, reason: Reason, avoid: frozenset[str] = frozenset()) -> Dial:
        number, self._next_link = self._next_link, self._next_link + 1
        self.spare = self._links[number] = Link(number, reason)
        return Dial(number, reason, avoid)

    def _replace(self, reason: Reason, avoid: frozenset[str], now: float) -> list[Effect]:
        """Put the spare link in the place of the live one, which is gone, or dial one."""
        if self.spare is None:
            return [self._dial(reason, avoid)]
        return self._take_over(self.spare, now) if self.spare.state is State.READY else []

    def _take_over(self, link: Link, now: float, session: Object | None = None) -> list[Effect]:
        """Let a link that is ready hold the conversation; it is told everything first."""
        before, self.live, self.spare, self._holds_since = self.live, link, None, now
        link.state = State.LIVE
        self._refusals = 0
        self._refused_by.clear()
        self._plans.plan(link, now)
        standing = self._standing
        if session is not None:
            session = self._reading.first = sound.shown(link.place, session, standing.format_asked)
            standing.begun(session)
        effects: list[Effect] = []
        if not self._client.is_told and session is not None and not standing.chronicle.settings:
            effects += self._client.created(session, len(standing.chronicle))
        if before is not None:
            effects += self._meter.read(before)
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

    def _refused(self, link: Link, was_open: bool, now: float) -> list[Effect]:
        """Go on after a link that never came to hold the conversation."""
        if self.live is not None:
            self._plans.renew_later(now)
            return []
        fault = link.fault
        if was_open and fault is not None:
            self._refused_by.add(link.place.upstream)
            if len(self._refused_by) >= self._terms.upstreams and not self._client.is_told:
                code, kind = str(fault.get("code")), str(fault.get("type") or "server_error")
                if code in OPERATORS_FAULTS or kind == "authentication_error":
                    # Servers quote the key, or a part of it.
                    return self._end_refused("The upstream server does not accept the key of this server.")
                return self.end(code, str(fault.get("message")), 4000, f"{kind}.{code}", kind=kind)
        self._refusals += was_open
        if self._refusals > self._terms.upstreams:
            self._plans.redial_later(now)
            return []
        return [self._dial("lost", frozenset(self._refused_by) or frozenset((link.place.upstream,)))]

    def _end_refused(self, message: str) -> list[Effect]:
        return self.end("upstream_refused", message, 4000, "server_error.upstream_refused")

    def _drop(self, link: Link) -> list[Effect]:
        self._links.pop(link.number, None)
        self.spare = None if self.spare is link else self.spare
        return [HangUp(link.number)]

    @property
    def _first_word_due(self) -> float:
        """When the upstream of a link that is open has to have begun a session."""
        if self.spare is None or self.spare.state is not State.OPEN:
            return math.inf
        return self.spare.opened_at + self.spare.place.connect_seconds

    @property
    def _introduction_due(self) -> float:
        """When the client is told of its session though nothing is heard of the settings that it begins with."""
        if self.live is None or self._client.is_told:
            return math.inf
        return self._holds_since + self.live.place.connect_seconds

    def _give_up_waiting(self, now: float) -> list[Effect]:
        """Give up an upstream that takes connections and begins no session."""
        silent = self.spare
        assert silent is not None
        effects = self._note("rejected", now, upstream=silent.place.upstream, code="no_session_began")
        return effects + self._drop(silent) + self._refused(silent, True, now)

    @property
    def _patience_ends(self) -> float:
        if self.live is None or self._standing.responses:
            # A server may well finish what it is saying before it begins to answer.
            return math.inf
        pending = self._standing.outbox.pending(CREATE_RESPONSE)
        if pending is None:
            return math.inf
        return max(pending.sent_at, self._standing.answered_at) + self._terms.patience_seconds

    def _lose_patience(self, now: float) -> list[Effect]:
        """Give up an upstream that was asked for an answer and does not begin one."""
        stalled = self.live
        assert stalled is not None
        effects = self._note("lost", now, upstream=stalled.place.upstream, code=0, reason="no answer began")
        effects += self._break_off("The upstream server did not answer.")
        self.live, self._lost_at = None, now
        effects += self._drop(stalled)
        return effects + self._replace("failover", frozenset((stalled.place.upstream,)), now)

    def _break_off(self, message: str) -> list[Effect]:
        events = self._standing.break_off("upstream_disconnected", message)
        return [effect for event in events for effect in self._client.tell(event)]

    def _note(self, what: What, now: float, **fields: object) -> list[Effect]:
        return [Noted(what, fields), *self._client.noted(what, now, fields)]
