"""All relay sessions of a process, and what they share: choice of upstreams, connections, costs, kept conversations.

Called by `server.switchboard` for connections that a route leads elsewhere, or that want to be taken up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..core.limits import Limits
from ..core.settings import McpServer, Settings
from ..core.states import SessionState
from ..dialects import common, ga, mcp, transcription
from ..legs import Leg, LegOwner
from ..legs.line import LineError
from ..relay.answers import Answers
from ..relay.blame import OPERATORS_FAULTS
from ..relay.effects import Noted, Used
from ..relay.session import RelaySession
from ..relay.terms import Terms
from ..routing import LOCAL, Route, Routes, local_upstream
from .admission import Connection
from .breaker import State
from .costs import Bill, Costs
from .ids import Ids, new_seed
from .ledger import Ledger
from .linking import Asked, Linker, address_of
from .local_link import LocalLink
from .metrics import Metrics
from .pool import Opener, Pool
from .relay_log import RelayLog
from .relaying import RelayCall
from .resuming import Resumed, Resumes
from .routes import Chooser

__all__ = ["LOCAL_ROUTE", "Relays"]

LOCAL_ROUTE = Route(name=LOCAL, models=("*",), upstreams=((LOCAL,),))
"""The route of sessions with the engines of this process that may be taken up again."""

_DAY_SECONDS = 86_400.0
"""A conversation has no wall, but something ends it when its client forgot to."""
_RESUME_BYTES = 64 * 1024 * 1024
_ANSWER_BYTES = 64 * 1024 * 1024
"""About a quarter of an hour of speech."""

_CLIENTS_FAULTS = ("invalid_", "missing_", "unknown_", "unsupported_", "model_not_found")
"""How codes begin that tell why a session does not begin though its upstream is well, or else a client could have it
left alone."""

OpenCall = Callable[[Asked, Leg], LegOwner]
"""Begins a call with the engines of this process."""


class Relays:
    """What relay sessions share."""

    def __init__(
        self,
        routes: Routes,
        limits: Limits,
        journal: Path | None,
        dial: Opener,
        open_call: OpenCall,
        costs: Costs,
        ledger: Ledger | None,
        budget_usd: float | None,
        *,
        noted: Callable[[Noted], None] = lambda _noted: None,
        told: Callable[[str, State], object] = lambda _name, _state: None,
        metrics: Metrics | None = None,
    ) -> None:
        """Relay as routes say.

        Args:
            routes: who answers whom.
            limits: what one session may take; how long it may last is the relay's own.
            journal: folder for what becomes of each session; None for nowhere.
            dial: opens connections to upstreams.
            open_call: begins a call with the engines of this process.
            costs: prices what is used.
            ledger: where charges go; None for nowhere.
            budget_usd: what one session may cost; None for no bound.
            noted: is told of everything that becomes of links.
            told: is told when an upstream is left alone, and when it is used again.
            metrics: where it is counted how upstreams do; None for nowhere.
        """
        if LOCAL not in routes.upstreams:
            upstreams = {**routes.upstreams, LOCAL: local_upstream(limits.session_seconds)}
            routes = msgspec.structs.replace(routes, upstreams=upstreams)
        self._routes = routes
        seconds = max(limits.session_seconds, _DAY_SECONDS)
        self._limits = msgspec.structs.replace(limits, session_seconds=seconds)
        self._journal = journal
        self._open_call = open_call
        self._costs = costs
        self._ledger = ledger
        self._budget_usd = budget_usd
        self._heard_of = noted
        self._answers = Answers(_ANSWER_BYTES)
        self.chooser = Chooser(routes, now=time.monotonic, chance=random.random, told=told, metrics=metrics)
        """Which upstream is tried first."""
        metrics = metrics or Metrics()
        self.pool = Pool(
            dial, is_available=self.chooser.is_available, told=metrics.pooled, counted=metrics.pool_counted
        )
        """The connections to upstreams that wait for a session."""
        self.resumes = Resumes(time.monotonic, _RESUME_BYTES)
        """Conversations whose clients may come back."""

    def warm(self) -> None:
        """Open connections for the models that routes name one by one; for others, when the first client has come."""
        for route in self._routes.routes:
            names = {model for model in route.models if not model.endswith("*")}
            for upstream in (self._routes.upstreams[name] for name in route.upstreams[0] if name != LOCAL):
                for name in names:
                    with contextlib.suppress(LineError):
                        self.pool.warm(upstream, *address_of(upstream, Asked(name)))

    async def close(self) -> None:
        """Close the connections that wait."""
        await self.pool.close()

    def route_for(self, connection: Connection, model: str, kind: str) -> Route | None:
        """Return the route of a connection; None where a call of its own answers it."""
        found = self._routes.route_for(model, kind)
        if found is None and "resume" in connection.query and kind != "translation":
            return LOCAL_ROUTE
        return found

    def accept(self, connection: Connection, leg: Leg, route: Route, settings: Settings, model: str) -> RelayCall:
        """Return the call of a new leg, not yet at work.

        Args:
            connection: how it was let in.
            leg: the client's connection.
            route: where it leads.
            settings: what the session begins with.
            model: the model that the client asked for; empty for none.
        """
        ids = Ids(new_seed())
        session_id = ids("sess")
        wants_resume = "resume" in connection.query and route.resume_seconds > 0 and settings.kind != "translation"
        owner = owner_of(connection, settings.kind)
        resumed = self.resumes.take(connection.query["resume"], owner) if wants_resume else Resumed("")
        terms = Terms(
            session_id=session_id,
            kind=settings.kind,  # type: ignore[arg-type]
            model=model,
            shape=connection.dialect_hint or None,  # type: ignore[arg-type]
            settings=given(settings) if _has_settings(connection, settings) else {},
            limits=self._limits,
            created_unix=time.time(),
            upstreams=len(set(route.names)),
            patience_seconds=max(self._routes.upstreams[name].patience_seconds for name in route.names),
            recovery_seconds=connection.recovery_seconds,
            tells_relay=connection.query.get("relay_events") in ("1", "true", "yes"),
            resume_token=resumed.token,
            resumed=resumed.snapshot,
        )
        asked = Asked(model, settings.kind, connection.safety_identifier, connection.key_id)
        linker = Linker(asked, route, self.chooser, self.pool.take, self._open_local, time.monotonic)
        bill = self.bill(connection.key_id)
        call: RelayCall

        def used(what: Used) -> None:
            if what.upstream == LOCAL:
                return  # the call with the engines of this process keeps its own accounts
            bill.add(what)
            if bill.is_used_up:
                text = f"The budget of this session, ${self._budget_usd:g}, is used up."
                asyncio.get_running_loop().call_soon(call.exhaust, text)

        head: dict[str, object] = {
            "model": model,
            "route": route.name,
            "kind": settings.kind,
            "key_id": connection.key_id,
        }
        call = RelayCall(
            leg,
            RelaySession(terms, ids, self._answers if route.cache == "first" else None),
            linker,
            now=time.monotonic,
            log=RelayLog(self._journal, session_id, head),
            noted=self._noted,
            used=used,
            spent=lambda: bill.usd,
        )
        if resumed.token:
            self.resumes.begin(resumed.token, owner, call, route.resume_seconds)
            call.on_end(functools.partial(self.resumes.end, resumed.token, call))
        return call

    def bill(self, key_id: str) -> Bill:
        """Return a bill of what one session costs, charged to a key."""
        return self._costs.bill(functools.partial(self._charge, key_id), self._budget_usd)

    def enter(self, key_id: str, told: Callable[[str], object]) -> Callable[[], None]:
        """Have somebody told when the money of a key is used up; call what is returned when nobody need be told."""
        return (lambda: None) if self._ledger is None else self._ledger.enter(key_id, told)

    def _charge(self, key_id: str, usd: float) -> None:
        if self._ledger is not None:
            self._ledger.charge(key_id, usd)

    def _noted(self, noted: Noted) -> bool:
        """Take note of what becomes of links; return whether the upstream had better be left."""
        self._heard_of(noted)
        upstream = noted.fields.get("upstream", "")
        if noted.what == "answered":
            self.chooser.first_event(upstream, noted.fields["seconds"])
        elif noted.what == "response_failed":
            self.chooser.response_failed(upstream, noted.fields.get("code") or noted.fields.get("type") or "")
        elif noted.what == "lost" and not noted.fields["code"]:
            # It was left because it did not begin to answer; the session is looking for another already.
            self.chooser.response_failed(upstream, "no_answer")
            return False
        elif noted.what == "rejected":
            self._rejected(upstream, noted.fields["code"])
            return False
        else:
            return False
        return self.chooser.state(upstream) is not State.CLOSED

    def _rejected(self, upstream: str, code: str) -> None:
        """Take note of an upstream that took a connection and ended it before its session began."""
        if code.startswith(_CLIENTS_FAULTS) and code not in OPERATORS_FAULTS:
            self.chooser.refused(upstream)
        else:
            self.chooser.failed(upstream, LineError(f"no session began ({code})", again=True))

    async def _open_local(self, asked: Asked) -> LocalLink:
        link = LocalLink()
        link.call = self._open_call(asked, link.end)
        return link


def owner_of(connection: Connection, kind: str) -> str:
    """Return what tells those who may go on with a conversation of this connection from others.

    That is the key, or of client secrets only those that were made for the same: none is to learn settings that it
    was not made for, and no other kind of session could take them.
    """
    grant = b"" if connection.grant is None else msgspec.json.encode(connection.grant, order="deterministic")
    return f"{connection.key_id} {kind} {hashlib.sha256(grant).hexdigest()}"


def _has_settings(connection: Connection, settings: Settings) -> bool:
    """Return whether a connection asks for settings by more than its session's kind and model."""
    # Of a transcription session the model is one of them.
    return connection.grant is not None or connection.is_conversation or settings.kind == "transcription"


def given(settings: Settings) -> dict[str, Any]:
    """Return the fields of a GA session in which settings differ from those that every session begins with."""
    render = transcription.render_session if settings.kind == "transcription" else ga.render_session
    ours = render(SessionState("", 0, settings))
    usual = render(SessionState("", 0, Settings(kind=settings.kind)))
    different = _difference(ours, usual)
    if settings.mcp_servers:
        # Sessions are not shown what lets others in, but whoever calls the tools has to know it.
        tools = [common.render_tool(tool) for tool in settings.tools]
        different["tools"] = tools + [_with_credentials(server) for server in settings.mcp_servers]
    return different


def _with_credentials(server: McpServer) -> dict[str, Any]:
    credentials = {"authorization": server.authorization, "headers": server.headers}
    return mcp.render_server(server) | {name: value for name, value in credentials.items() if value}


def _difference(ours: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in ours.items():
        if value == usual.get(key):
            continue
        both = key in ("audio", "input", "output") and isinstance(value, dict) and isinstance(usual.get(key), dict)
        out[key] = _difference(value, usual[key]) if both else _without_nulls(value)
    return out


def _without_nulls(value: Any) -> Any:
    """Return a setting without the fields that are unset: some servers take a null in them for a mistake."""
    return {key: field for key, field in value.items() if field is not None} if isinstance(value, dict) else value
