"""What a server counts, as Prometheus reads it at `/metrics`.

Every server has a registry of its own, so several in one process do not add up.  Labels are kinds of sessions and names
of upstreams, both few and known from the start; nothing that a client says becomes one.  The switchboard, the relay and
the pool report here, and `server.app` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from .. import __version__
from ..relay.effects import Noted
from ..routing import KINDS
from .breaker import State

__all__ = ["Metrics"]

Family = TypeVar("Family", Counter, Gauge, Histogram)

ROADS = ("webrtc", "passed")
"""How calls come: held here by WebRTC, or passed on to an upstream."""
_UPSTREAM = ("upstream",)
_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 60.0)
"""Bounds of times on the way to an upstream: a connection in one region takes some 0.3 s, and 60 s end a session."""
_BRIEF_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Bounds of jitter and round trips."""
_RATIOS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
"""Bounds of shares that are lost: speech suffers from some 0.02 on."""


class Metrics:
    """The figures of one server."""

    content_type = CONTENT_TYPE_LATEST
    """The media type of `text`."""

    def __init__(self, upstreams: Iterable[str] = ()) -> None:
        """Begin at zero, for each of these upstreams by name."""
        # The time at which each figure was first needed would double their number, and nobody asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._by_upstream: list[Counter | Gauge | Histogram] = []
        ProcessCollector(registry=self._registry)
        self._add_sessions()
        self._add_calls()
        self._add_links()
        self._add_responses()
        for name in upstreams:
            for family in self._by_upstream:
                family.labels(name)
            self.breaker_changed(name, State.CLOSED)

    def _add_sessions(self) -> None:
        info = Gauge("vivavoce_info", "This server; always 1.", ("version",), registry=self._registry)
        info.labels(__version__).set(1)
        kinds = ("kind",)
        self._sessions = Gauge("vivavoce_sessions_open", "Sessions under way.", kinds, registry=self._registry)
        self._sessions_total = Counter("vivavoce_sessions", "Sessions begun.", kinds, registry=self._registry)
        for kind in sorted(KINDS):
            self._sessions.labels(kind)
            self._sessions_total.labels(kind)

    def _add_calls(self) -> None:
        roads = ("road",)
        self._calls = Gauge("vivavoce_calls_open", "Live calls under way.", roads, registry=self._registry)
        self._calls_total = Counter("vivavoce_calls", "Live calls begun.", roads, registry=self._registry)
        self._calls_failed = Counter(
            "vivavoce_calls_unconnected",
            "Live calls that ended before audio could pass.",
            roads,
            registry=self._registry,
        )
        of_calls = (
            ("setup_seconds", "From the offer of a live call until audio can pass.", _SECONDS),
            ("loss_ratio", "Share of a party's packets that were lost, at the end of its call.", _RATIOS),
            ("jitter_seconds", "Jitter of a party's packets, at the end of its call.", _BRIEF_SECONDS),
            ("round_trip_seconds", "Round trip to a party, at the end of its call.", _BRIEF_SECONDS),
        )
        self._of_calls = {
            name: Histogram(f"vivavoce_call_{name}", told, roads, buckets=buckets, registry=self._registry)
            for name, told, buckets in of_calls
        }
        for road in ROADS:
            for family in (self._calls, self._calls_total, self._calls_failed, *self._of_calls.values()):
                family.labels(road)

    def _add_links(self) -> None:
        self._links = self._gauge(
            "vivavoce_relay_links_open", "Links to upstreams, those that are being dialled included."
        )
        self._opened = self._times("vivavoce_relay_open_seconds", "From dialling an upstream to its first event.")
        self._unavailable = self._counter("vivavoce_relay_unavailable", "Times that an upstream could not be had.")
        self._lost = self._counter("vivavoce_relay_lost", "Links that broke.")
        self._renewed = self._counter("vivavoce_relay_renewed", "Links that took the place of one near its limit.")
        self._pooled = self._gauge("vivavoce_relay_pooled", "Connections opened ahead of need.")
        self._pool = Counter(
            "vivavoce_relay_pool",
            "What became of connections ahead of need; `missed` counts sessions that found none.",
            ("upstream", "fate"),
            registry=self._registry,
        )
        self._breakers = Gauge(
            "vivavoce_relay_breaker",
            "1 for the state that the breaker of an upstream is in, 0 for others.",
            ("upstream", "state"),
            registry=self._registry,
        )
        told = "For how long a conversation had no upstream."
        self._gaps = Histogram("vivavoce_relay_gap_seconds", told, buckets=_SECONDS, registry=self._registry)
        self._resumed = Counter(
            "vivavoce_relay_resumed", "Conversations that went on for a client that came back.", registry=self._registry
        )
        self._items_lost = Counter(
            "vivavoce_relay_items_lost", "Items that a new upstream would not be told.", registry=self._registry
        )

    def _add_responses(self) -> None:
        self._answered = self._times("vivavoce_relay_answer_seconds", "From asking for a response to its first event.")
        self._failed = self._counter("vivavoce_relay_responses_failed", "Responses that an upstream failed to give.")
        self._cost = self._counter("vivavoce_cost_usd", "What upstreams have cost by the table of prices.")
        self._cached = Counter(
            "vivavoce_relay_cached_answers", "Responses given from the cache of answers.", registry=self._registry
        )

    def text(self) -> bytes:
        """Return all figures in the text format of Prometheus."""
        return generate_latest(self._registry)

    # ------------------------------------------------------------------------------------------------------ sessions

    def session_began(self, kind: str) -> Callable[[], None]:
        """Count a session of a kind; call what is returned when it is over."""
        self._sessions.labels(kind).inc()
        self._sessions_total.labels(kind).inc()
        return self._sessions.labels(kind).dec

    # --------------------------------------------------------------------------------------------------------- calls

    def call_began(self, road: str) -> Callable[[], None]:
        """Count a live call by a road, such as `webrtc`; call what is returned when it is over."""
        self._calls.labels(road).inc()
        self._calls_total.labels(road).inc()
        return self._calls.labels(road).dec

    def call_connected(self, road: str, seconds: float) -> None:
        """Audio can pass, so many seconds after the offer."""
        self._of_calls["setup_seconds"].labels(road).observe(seconds)

    def call_unconnected(self, road: str) -> None:
        """A live call ended before audio could pass."""
        self._calls_failed.labels(road).inc()

    def call_measured(
        self, road: str, loss_ratio: float | None, jitter_seconds: float | None, round_trip_seconds: float | None
    ) -> None:
        """A live call is over that had this quality; None for what was not measured."""
        found = {"loss_ratio": loss_ratio, "jitter_seconds": jitter_seconds, "round_trip_seconds": round_trip_seconds}
        for name, value in found.items():
            if value is not None:
                self._of_calls[name].labels(road).observe(value)

    # ------------------------------------------------------------------------------------------------------ the relay

    def relay_held(self, upstream: str) -> Callable[[], None]:
        """A link is dialled; call what is returned when it is over, or could not be had."""
        self._links.labels(upstream).inc()
        return self._links.labels(upstream).dec

    def relay_opened(self, upstream: str, seconds: float) -> None:
        """A link is open, so many seconds after it was dialled."""
        self._opened.labels(upstream).observe(seconds)

    def relay_unavailable(self, upstream: str) -> None:
        """An upstream was dialled and could not be had."""
        self._unavailable.labels(upstream).inc()

    def relay_lost(self, upstream: str) -> None:
        """A link broke."""
        self._lost.labels(upstream).inc()

    def relay_renewed(self, upstream: str) -> None:
        """A link to this upstream took the place of one that was near its limit."""
        self._renewed.labels(upstream).inc()

    def relay_recovered(self, gap_seconds: float) -> None:
        """A conversation has an upstream again, after so many seconds without."""
        self._gaps.observe(gap_seconds)

    def relay_answered(self, upstream: str, seconds: float) -> None:
        """The first event of a response came so many seconds after it had been asked for."""
        self._answered.labels(upstream).observe(seconds)

    def relay_response_failed(self, upstream: str) -> None:
        """A response failed, or did not come in time."""
        self._failed.labels(upstream).inc()

    def relay_item_lost(self) -> None:
        """A new upstream would not be told an item."""
        self._items_lost.inc()

    def relay_resumed(self) -> None:
        """A client came back for its conversation."""
        self._resumed.inc()

    def relay_cached(self) -> None:
        """A response was given from the cache of answers."""
        self._cached.inc()

    def relay_noted(self, noted: Noted) -> None:
        """Count what a relay session notes, but for what `server.routes` reports of upstreams."""
        upstream = str(noted.fields.get("upstream", ""))
        match noted.what:
            case "lost":
                self.relay_lost(upstream)
            case "renewed":
                self.relay_renewed(upstream)
            case "recovered":
                self.relay_recovered(float(noted.fields["seconds"]))
            case "item_lost":
                self.relay_item_lost()
            case "resumed":
                self.relay_resumed()
            case "cached":
                self.relay_cached()
            case "answered" | "opened" | "rejected" | "response_failed" | "setting_lost" | "unavailable":
                pass

    def charged(self, upstream: str, usd: float) -> None:
        """An upstream has cost so many more US dollars."""
        self._cost.labels(upstream).inc(usd)

    def breaker_changed(self, upstream: str, state: State) -> None:
        """The breaker of an upstream is in another state."""
        for each in State:
            self._breakers.labels(upstream, each.value).set(each is state)

    def pooled(self, upstream: str, connections: int) -> None:
        """So many connections to an upstream are open ahead of need."""
        self._pooled.labels(upstream).set(connections)

    def pool_counted(self, upstream: str, fate: str) -> None:
        """Something became of a connection ahead of need, as `pool.Fate` names it."""
        self._pool.labels(upstream, fate).inc()

    # ------------------------------------------------------------------------------------------------------ making

    def _gauge(self, name: str, told: str) -> Gauge:
        return self._kept(Gauge(name, told, _UPSTREAM, registry=self._registry))

    def _counter(self, name: str, told: str) -> Counter:
        return self._kept(Counter(name, told, _UPSTREAM, registry=self._registry))

    def _times(self, name: str, told: str) -> Histogram:
        return self._kept(Histogram(name, told, _UPSTREAM, buckets=_SECONDS, registry=self._registry))

    def _kept(self, family: Family) -> Family:
        """Return a family of figures that there is one of for each upstream."""
        self._by_upstream.append(family)
        return family
