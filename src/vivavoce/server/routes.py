"""The choice of an upstream at run time: rank by rank, by weight, and by how each has done lately.

Knows nothing of connections: whoever dials (`server.relaying`, `server.pool`) asks for the upstreams to try, in order,
and reports what came of it.  The routes themselves are values of `routing`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator

from ..relay.effects import Place
from ..routing import Route, Routes, Upstream
from .breaker import Breaker, Rules, State
from .metrics import Metrics

__all__ = ["Chooser", "place_of"]

_log = logging.getLogger("vivavoce.relay")

_SLOW_SHARE = 0.5
"""An upstream is slow when many tries take this share of the time after which they would be given up."""
_CLIENTS_CODES = frozenset(
    {
        "content_filter",
        "context_length_exceeded",
        "conversation_already_has_active_response",
        "model_not_found",
        "bad_response_create",
    }
)
"""Codes of failed responses that say nothing of the server that told them, besides those of a prefix."""
_CLIENTS_PREFIXES = ("invalid_", "unsupported_", "unknown_", "missing_", "item_", "string_", "image_")
_FINAL_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "account_deactivated",
        "invalid_api_key",
    }
)
"""Codes after which the same key will get no answer for a while."""


class Chooser:
    """The upstreams of a process, with what is known of how they do."""

    def __init__(
        self,
        routes: Routes,
        *,
        now: Callable[[], float],
        chance: Callable[[], float],
        told: Callable[[str, State], object] = lambda _name, _state: None,
        metrics: Metrics | None = None,
    ) -> None:
        """Begin with all of them taken for good.

        Args:
            routes: the upstreams.
            now: the time in seconds, on a clock that never goes back.
            chance: returns a number from 0 to below 1, by chance.
            told: takes the name and the new state of an upstream's breaker whenever it changes.
            metrics: where what is reported is counted; None for nowhere.
        """
        self._upstreams = routes.upstreams
        self._now = now
        self._chance = chance
        self._told = told
        self._metrics = metrics or Metrics(self._upstreams)
        self._breakers = {name: Breaker(_rules(upstream)) for name, upstream in self._upstreams.items()}
        self._sessions = dict.fromkeys(self._upstreams, 0)

    def pick(self, route: Route, avoid: frozenset[str] = frozenset(), prefer: str = "") -> Iterator[Upstream]:
        """Return the upstreams of a route to try one after the other, until one can be had.

        First those whose breakers allow it, rank by rank and within a rank by weight; then, in the same order, those
        of them that are to be avoided.  If nothing comes of that, the one of the others that has not failed for the
        longest is tried all the same, so a session is never refused because breakers are open.  One that holds all
        the sessions it may is left out.  What is returned is decided when it is asked for: take the next one only
        when the last has failed.

        Args:
            route: the route.
            avoid: names of upstreams that are tried last among those that are allowed.
            prefer: the upstream that holds the session by now, which goes first in its rank; empty for none.
        """
        order = [name for rank in route.upstreams for name in self._shuffled(rank, prefer)]
        order.sort(key=avoid.__contains__)
        tried = set()
        for name in order:
            if self._has_room(name, prefer) and self._breakers[name].allows(self._now()):
                tried.add(name)
                yield self._begun(name)
        left = [name for name in order if name not in tried and self._has_room(name, prefer)]
        if left:
            yield self._begun(min(left, key=lambda name: self._breakers[name].failed_at))

    def is_available(self, name: str) -> bool:
        """Return whether an upstream would be tried now if somebody asked for it, for connections ahead of need."""
        return self._has_room(name) and self._breakers[name].state is State.CLOSED

    def hold(self, name: str) -> Callable[[], None]:
        """Count a session, from the moment that an upstream is dialled; call what is returned when it is over."""
        self._sessions[name] += 1
        held = [self._metrics.relay_held(name)]

        def release() -> None:
            if held:
                held.pop()()
                self._sessions[name] -= 1

        return release

    def sessions(self, name: str) -> int:
        """Return how many sessions an upstream holds."""
        return self._sessions[name]

    def state(self, name: str) -> State:
        """Return the state of an upstream's breaker."""
        return self._breakers[name].state

    # ------------------------------------------------------------------------------------------------------ reports

    def opened(self, name: str, seconds: float) -> None:
        """An upstream was connected to and began a session, after so many seconds."""
        self._metrics.relay_opened(name, seconds)
        self._report(name, lambda breaker: breaker.succeeded("connect", seconds, self._now(), self._chance()))

    def failed(self, name: str, error: Exception) -> None:
        """An upstream could not be connected to, or was lost before its session began.

        What it refuses because of the request alone, such as a model that it does not have, is `refused`: or else a
        client could have it taken out of service by asking for nonsense.
        """
        self._metrics.relay_unavailable(name)
        self._report(name, lambda breaker: breaker.failed("connect", self._now(), self._chance()), str(error))

    def refused(self, name: str) -> None:
        """An upstream is there, and would not serve a request for reasons of the request."""
        self._metrics.relay_unavailable(name)
        if self._breakers[name].state is not State.CLOSED:
            self._report(name, lambda breaker: breaker.succeeded("connect", 0.0, self._now(), self._chance()))

    def first_event(self, name: str, seconds: float) -> None:
        """The first event of a response came so many seconds after it had been asked for."""
        self._metrics.relay_answered(name, seconds)
        self._report(name, lambda breaker: breaker.succeeded("answer", seconds, self._now(), self._chance()))

    def response_failed(self, name: str, code: str) -> None:
        """A response failed, or did not come in time; what the client is to blame for, by its code, does not count."""
        self._metrics.relay_response_failed(name)
        is_final = code in _FINAL_CODES
        if not is_final and (code in _CLIENTS_CODES or code.startswith(_CLIENTS_PREFIXES)):
            return
        self._report(
            name,
            lambda breaker: breaker.failed("answer", self._now(), self._chance(), is_final=is_final),
            f"a response failed ({code or 'no code'})",
        )

    # ------------------------------------------------------------------------------------------------------ inside

    def _shuffled(self, rank: tuple[str, ...], prefer: str) -> list[str]:
        """Return a rank in an order by chance in which each comes first as often as its weight says."""

        def place(name: str) -> float:
            weight = self._upstreams[name].weight
            if name == prefer:
                return -1.0
            # The first of several that wait for exponential times is each by the share of its rate; 1 - chance is
            # above 0, as a logarithm needs it.
            return -math.log(1.0 - self._chance()) / weight if weight else math.inf

        return sorted(rank, key=place)

    def _has_room(self, name: str, prefer: str = "") -> bool:
        most = self._upstreams[name].max_sessions
        # A session that stays where it is gives its old place back.
        return not most or self._sessions[name] < most + (name == prefer)

    def _begun(self, name: str) -> Upstream:
        self._report(name, lambda breaker: breaker.begin(self._now()))
        return self._upstreams[name]

    def _report(self, name: str, report: Callable[[Breaker], None], cause: str = "") -> None:
        breaker = self._breakers[name]
        before = breaker.state
        report(breaker)
        if breaker.state is not before:
            if breaker.state is State.OPEN:
                _log.warning("upstream %s is left alone for a while: %s", name, cause or "it is too slow")
            elif breaker.state is State.CLOSED:
                _log.info("upstream %s is used again", name)
            self._metrics.breaker_changed(name, breaker.state)
            self._told(name, breaker.state)


def place_of(upstream: Upstream, asked: str) -> Place:
    """Return what a link to an upstream leads to, for a client that asked for a model."""
    return Place(
        upstream=upstream.name,
        shape=upstream.shape,
        model=upstream.model_for(asked),
        session_seconds=upstream.session_seconds,
        connect_seconds=upstream.connect_seconds,
        formats=upstream.formats,
        rates_hz=upstream.rates_hz,
        is_local=upstream.is_local,
    )


def _rules(upstream: Upstream) -> Rules:
    return Rules(
        connect_seconds=upstream.connect_seconds * _SLOW_SHARE,
        answer_seconds=upstream.patience_seconds * _SLOW_SHARE,
    )
