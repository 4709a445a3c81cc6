"""Which server answers a client: upstreams, and the routes that lead to them by the name of the model.

Values and rules without any choice at run time, which is `server.routes`; `upstreams` reads them from an operator's
file, and the relay and the switchboard ask them.

A *pattern* is a name, or the beginning of one with `*` behind it; `*` alone is any name.  Of several that fit, the
name itself wins, then the longest beginning, so the order in which they are written means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from .core.hosts import is_azure, is_openai
from .options import Secret

__all__ = ["LOCAL", "Route", "Routes", "Upstream", "best_pattern"]

LOCAL = "local"
"""The name of the engines of this process, as an upstream."""

Shape = Literal["ga", "beta"]
Kind = Literal["realtime", "transcription", "translation"]

FORMATS = frozenset({"audio/pcm", "audio/pcmu", "audio/pcma"})
"""The types of audio that the protocol knows."""
OWN_MODELS = "vivavoce*"
"""The pattern of the names that mean the engines of this process, unless a route takes them."""
KINDS: frozenset[Kind] = frozenset({"realtime", "transcription", "translation"})
"""The kinds of sessions that the protocol knows."""
UNNAMED = ""
"""The pattern, and the name, of clients that name no model."""

_MOST_DESCRIBED = 3
"""Routes of which half a line has room."""
PRESENT_NAMES: Mapping[str, str] = {
    "gpt-4o-realtime-preview*": "gpt-realtime-2.1",
    "gpt-4o-mini-realtime-preview*": "gpt-realtime-2.1-mini",
}
"""What OpenAI serves in place of the models that it has switched off, by pattern."""
_OPENAI_SECONDS = 3600.0
_AZURE_SECONDS = 1800.0


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A Realtime server that answers clients, as the operator names it."""

    name: str
    """What routes, logs and metrics call it; `local` for the engines of this process."""
    url: str
    """`ws`, `wss`, `http` or `https`, with or without the path of the Realtime endpoint; empty for `local`."""
    key: Secret = Secret("")
    """The key that it is dialled with; empty for none."""
    shape: Shape = "ga"
    """How it spells events."""
    session_seconds: float = _OPENAI_SECONDS
    """How long it lets one of its sessions live, in seconds; 0 for as long as it likes."""
    weight: int = 1
    """Its share of new sessions among upstreams of its rank; 0 for none while another can be had."""
    max_sessions: int = 0
    """Sessions that it may hold at a time; 0 for no bound."""
    pool: int = 2
    """Connections to be opened ahead of need."""
    formats: frozenset[str] = FORMATS
    """Types of audio that it takes and gives, such as `audio/pcm`."""
    rates_hz: frozenset[int] = frozenset({24_000})
    """Rates of `audio/pcm` that it takes and gives, in Hz."""
    connect_seconds: float = 10.0
    """Seconds that a connection to it, with everything up to its first event, may take."""
    patience_seconds: float = 20.0
    """Seconds that it may take from a request for a response to the response's first event."""
    insecure: bool = False
    """Whether a certificate that nobody vouches for will do."""
    models: Mapping[str, str] = {}
    """The names of its models by the patterns of those that clients ask for."""

    @property
    def is_local(self) -> bool:
        """Whether it is the engines of this process."""
        return self.name == LOCAL

    @property
    def host(self) -> str:
        """The name of its host in lower case; empty for `local`."""
        return host_of(self.url)

    def model_for(self, asked: str) -> str:
        """Return its own name for the model that a client asks for; empty where none is named.

        What the operator says goes first, then, at OpenAI and Azure, the present names of models that are no more.
        """
        found = best_pattern(asked, self.models)
        if found is not None:
            return self.models[found]
        found = best_pattern(asked, PRESENT_NAMES) if is_openai(self.host) or is_azure(self.host) else None
        return asked if found is None else PRESENT_NAMES[found]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The upstreams that sessions of some models are led to."""

    name: str
    """What logs and metrics call it."""
    models: tuple[str, ...]
    """Patterns of the names of models that take it; an empty one is for clients that name none."""
    upstreams: tuple[tuple[str, ...], ...]
    """Names of upstreams in ranks: one of the first rank, by weight, or if none is to be had one of the next."""
    kinds: frozenset[Kind] = KINDS
    """The kinds of sessions that take it."""
    cache: Literal["none", "first"] = "none"
    """Which answers are kept and given again: `first` for those to a conversation with nothing of the user in it."""
    webrtc: Literal["hold", "pass"] = "hold"
    """What becomes of browsers' calls: `hold` takes their sound in here, `pass` has it go to the upstream directly."""
    resume_seconds: float = 120.0
    """Seconds that a conversation is kept for a client that lost its connection and asked for that; 0 for never."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all its upstreams, rank by rank."""
        return tuple(name for rank in self.upstreams for name in rank)


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """All upstreams and routes of a process; without any, its own engines answer everybody."""

    upstreams: Mapping[str, Upstream] = {}
    """Upstreams by name; with any route, `local` is among them."""
    routes: tuple[Route, ...] = ()
    """The routes, no two of them with the same pattern for the same kind."""

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models that clients can ask for by a name that stands here, rather than by a pattern."""
        names = [pattern for route in self.routes for pattern in route.models]
        names += [
            pattern
            for route in self.routes
            for name in route.names
            for pattern in self.upstreams[name].models
            if route in (self.route_for(pattern, kind) for kind in route.kinds)
        ]
        return tuple(dict.fromkeys(name for name in names if name and not name.endswith("*")))

    def describe(self) -> str:
        """Return the routes in half a line, for people."""
        told = []
        for route in self.routes[:_MOST_DESCRIBED]:
            models = ", ".join(model or "no model" for model in route.models)
            told.append(f"{models} -> {', then '.join(map(' or '.join, route.upstreams))}")
        more = len(self.routes) - len(told)
        return "; ".join(told) + (f"; and {more} more" if more else "")

    def route_for(self, model: str, kind: str) -> Route | None:
        """Return the route of a session, or None for the engines of this process without a relay.

        Names that begin with `vivavoce`, and clients that name no model, take a route only where one has a pattern
        for just them: `*` does not mean them.  Transcription sessions may well name no model, since OpenAI takes none
        with them; to them `*` does apply.

        Args:
            model: the name that the client gave, as it gave it; empty for none.
            kind: `realtime`, `transcription` or `translation`; empty where the client does not say, which is the
                first.
        """
        asked = kind or "realtime"
        found = {pattern: route for route in self.routes if asked in route.kinds for pattern in route.models}
        own = {OWN_MODELS} if asked == "transcription" else {OWN_MODELS, UNNAMED}
        best = best_pattern(model, found.keys() | own)
        return None if best is None else found.get(best)


def best_pattern(name: str, patterns: Iterable[str]) -> str | None:
    """Return the pattern that fits a name best: the name itself, else the longest beginning; None where none does."""
    fitting = [pattern for pattern in patterns if _fits(name, pattern)]
    return max(fitting, key=lambda pattern: (pattern == name, len(pattern)), default=None)


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def host_of(url: str) -> str:
    """Return the host of a URL in lower case; empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def usual_session_seconds(url: str) -> float:
    """Return how long the server of a URL lets a session live, in seconds, as far as its host tells."""
    return _AZURE_SECONDS if is_azure(host_of(url)) else _OPENAI_SECONDS


def local_upstream(session_seconds: float) -> Upstream:
    """Return the engines of this process, which bound a session by so many seconds, as an upstream."""
    return Upstream(
        name=LOCAL,
        url="",
        session_seconds=session_seconds,
        pool=0,
        rates_hz=frozenset({8_000, 16_000, 24_000}),
    )
