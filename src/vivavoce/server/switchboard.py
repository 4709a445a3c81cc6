"""The switchboard: every leg that was let in gets a call of its own, and all calls share the engines."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..config import Config
from ..core import events as ev
from ..core.errors import ConfigError, ProtocolError
from ..core.limits import Limits
from ..core.service import DEFAULT_SERVICE, Service
from ..core.settings import Settings
from ..dialects import conversation
from ..dialects.choose import Dialect, choose
from ..engines.registry import Engines, configured
from ..legs import Leg, LegOwner
from ..routing import LOCAL, Route
from .admission import Connection
from .asked import DEFAULT_MODEL, model_of, refusal_of, settings_of
from .call import Call, Terms
from .conversation import ConversationLeg
from .costs import Costs
from .ids import Ids, new_seed
from .ledger import Ledger
from .linking import Asked, dial
from .live import LiveCall
from .lives import Lines, Lives
from .metrics import Metrics
from .passing import Offers
from .prices import load_rates
from .prompts import PromptFolder
from .relaying import RelayCall
from .relays import Relays
from .traces import Tracing

_FOR_EVER_SECONDS = 10 * 365 * 86_400.0


class Switchboard:
    """All calls of a process."""

    def __init__(
        self,
        engines: Engines,
        limits: Limits,
        journal: Path | None,
        service: Service = DEFAULT_SERVICE,
        ledger: Ledger | None = None,
        prompts: PromptFolder | None = None,
        tracing: Tracing | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Connect legs to these engines.

        Args:
            engines: not yet ready.
            limits: what one session may take.
            journal: folder in which sessions are written down; None for nowhere.
            service: on which terms sessions are held; what the engines can do is added.
            ledger: where charges go; None for nowhere.
            prompts: where stored prompts come from; None for those of the service.
            tracing: what becomes of sessions that ask to be traced; None for nothing.
            metrics: where sessions are counted; None for figures that nobody reads.
        """
        self.engines = engines
        """What all calls share."""
        self._limits = limits
        self._journal = journal
        self._service = service
        self._prompts = prompts
        self._tracing = tracing
        self.ledger = ledger
        """Where charges go; None for nowhere."""
        self.metrics = metrics or Metrics()
        """What is counted."""
        self.messages_per_second = 0
        """How many messages a client of the small protocol may send; 0 for any number."""
        self.relays: Relays | None = None
        """Who answers what routes lead elsewhere; None where nothing does."""
        self.lives = Lives(self.accept, self.metrics)
        """The calls by WebRTC and telephone."""
        self.offers: Lines = self.lives
        """What answers the offers of browsers."""
        self._runs: set[asyncio.Task[None]] = set()
        self._is_ready = False

    @property
    def missing(self) -> tuple[str, ...]:
        """What a session still lacks; empty when all engines are loaded."""
        return () if self._is_ready else self.engines.names

    def describe(self) -> str:
        """Return the engines in half a line, for people."""
        return ", ".join(self.engines.names)

    async def ready(self) -> None:
        """Return when all engines are loaded.

        Raises:
            EngineError: one cannot be.
        """
        await self.engines.ready()
        self._is_ready = True
        if self.relays is not None:
            self.relays.warm()

    def accept(self, connection: Connection, leg: Leg) -> LegOwner:
        """Return the owner of a new leg, already at work."""
        if connection.is_conversation:
            return self._converse(connection, leg)
        if connection.is_sideband:
            return self._attend(connection, leg)
        return self._answer(connection, leg, settings_of(connection), connection.dialect_hint or None)

    def _converse(self, connection: Connection, leg: Leg) -> LegOwner:
        """Return what stands between a client of the small protocol and the session that it gets."""
        # What the query may ask of relays has no message in which it could be told.
        query = {name: value for name, value in connection.query.items() if name not in ("resume", "relay_events")}
        connection = msgspec.structs.replace(connection, query=query, dialect_hint="ga")
        is_relayed = self._route_of(connection, "realtime") is not None
        bridge = conversation.Bridge(is_relayed=is_relayed)
        between = ConversationLeg(leg, bridge, messages_per_second=self.messages_per_second, now=time.monotonic)
        settings = conversation.begun(settings_of(connection), is_relayed=is_relayed)
        between.owner = self._answer(connection, between, settings, conversation.SHAPE)
        return between

    def _attend(self, connection: Connection, leg: Leg) -> LegOwner:
        """Return what a controller's connection says to a call that is live, after having let it hear of that."""
        call_id = connection.query["call_id"]
        dialect = choose(connection.dialect_hint or "ga")
        call = self.lives.find(call_id, connection)
        if call is None:
            missing = ProtocolError("invalid_value", f"Call '{call_id[:64]}' not found.", "call_id")
            return _refuse(leg, dialect, missing)
        owner = call.attach(leg)
        if owner is None:
            text = f"Call '{call_id[:64]}' has as many controllers as it may."
            return _refuse(leg, dialect, ProtocolError("rate_limit_exceeded", text, "call_id"))
        return owner

    def _route_of(self, connection: Connection, kind: str) -> Route | None:
        """Return the route that leads a connection elsewhere; None where the engines of this process answer."""
        if self.relays is None:
            return None
        return self.relays.route_for(connection, model_of(connection), kind)

    def _answer(self, connection: Connection, leg: Leg, settings: Settings, shape: str | None) -> LegOwner:
        """Return the call of a new leg, already at work."""
        dialect = choose(shape, settings.kind)
        refusal = refusal_of(connection)
        if refusal is not None:
            return _refuse(leg, dialect, refusal)
        route = self._route_of(connection, settings.kind)
        if route is not None and self.relays is not None:
            relayed = self.relays.accept(connection, leg, route, settings, model_of(connection))
            return self._work(relayed, connection.key_id, settings.kind)
        terms = self._terms(settings, shape, connection.safety_identifier, connection.key_id)
        if isinstance(leg, LiveCall):
            terms = msgspec.structs.replace(terms, limits=msgspec.structs.replace(terms.limits, drops_oldest=True))
        charge = functools.partial(self._charge, connection.key_id)
        return self._work(self._call(leg, dialect, terms, charge), connection.key_id, settings.kind)

    def open_call(self, asked: Asked, leg: Leg) -> LegOwner:
        """Return a call for a leg in this process whose other end a relay session holds, already at work.

        Its client is the relay's, which charges and bounds it as any other; the relay ends it in time, and charges
        what it tells of its usage.
        """
        kind = asked.kind
        settings = Settings(kind=kind, model=DEFAULT_MODEL) if kind != "transcription" else Settings(kind=kind)
        unbounded = msgspec.structs.replace(self._limits, session_seconds=_FOR_EVER_SECONDS, idle_seconds=0.0)
        terms = self._terms(settings, "ga", asked.safety_identifier, asked.key_id)
        terms = msgspec.structs.replace(terms, limits=unbounded)
        return self._work(self._call(leg, choose("ga", kind), terms, lambda _usd: None), asked.key_id)

    def _terms(self, settings: Settings, shape: str | None, safety_identifier: str, key_id: str) -> Terms:
        service, journal, tracing = self.service, self._journal, self._tracing
        return Terms(settings, self._limits, shape, journal, service, safety_identifier, key_id, tracing)

    def _call(self, leg: Leg, dialect: Dialect, terms: Terms, charge: Callable[[float], None]) -> Call:
        return Call(
            leg,
            dialect,
            self.engines.hearing,
            self.engines.brain,
            terms,
            now=time.monotonic,
            unix_now=time.time(),
            charge=charge,
            toolbox=self.engines.open_toolbox() if self.engines.open_toolbox else None,
            # Where the server plays the audio itself, it need not be written into messages first.
            audio=leg if isinstance(leg, LiveCall) else None,
        )

    def _work(self, call: Call | RelayCall, key_id: str, kind: str = "") -> LegOwner:
        """Set a call to work, and have it told when its key has no money left.

        It is counted as a session of a kind, unless that is empty: then it is a part of another.
        """
        loop = asyncio.get_running_loop()
        run = loop.create_task(call.run())
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        if kind:
            ended = self.metrics.session_began(kind)
            run.add_done_callback(lambda _: ended())
        if self.ledger is not None:
            # Soon, not now: the session whose charge it was is in the midst of what it has to do.
            leave = self.ledger.enter(key_id, lambda message: loop.call_soon(call.exhaust, message))
            run.add_done_callback(lambda _: leave())
        return call

    def _charge(self, key_id: str, usd: float) -> None:
        self.metrics.charged(LOCAL, usd)
        if self.ledger is not None:
            self.ledger.charge(key_id, usd)

    @property
    def service(self) -> Service:
        """What sessions are offered, by what the engines can do as far as is known by now."""
        languages = self.engines.hearing.languages
        calls_mcp = self.engines.open_toolbox is not None
        abilities = msgspec.structs.replace(self.engines.brain.abilities, languages=languages, calls_mcp=calls_mcp)
        prompts = self._service.prompts if self._prompts is None else self._prompts.current()
        return msgspec.structs.replace(self._service, abilities=abilities, prompts=prompts)

    async def close(self) -> None:
        """End all calls and free the engines."""
        await self.lives.close()
        for run in self._runs:
            run.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        if self.relays is not None:
            await self.relays.close()
        await self.engines.close()


def _refuse(leg: Leg, dialect: Dialect, refusal: ProtocolError) -> LegOwner:
    """Tell a connection why it gets nothing, and return the owner that it has until it is closed."""
    error = ev.Error(Ids(new_seed())("event"), refusal.type, refusal.code, refusal.message, refusal.param)
    for frame in dialect.encode(error):
        leg.send(frame)
    leg.close(4000, f"{refusal.type}.{refusal.code}")
    return _Nobody()


class _Nobody:
    """Owns a leg that is being closed."""

    def receive_frame(self, data: bytes) -> None:
        """Take no notice."""

    def receive_audio(self, audio: bytes) -> None:
        """Take no notice."""

    def leg_closed(self, code: int, reason: str) -> None:
        """Take no notice."""


def build(config: Config) -> Switchboard:
    """Return the switchboard that an operator's settings ask for.

    Raises:
        ConfigError: a folder cannot be written to, or the prices or stored prompts cannot be read.
    """
    money = config.money
    service = Service(
        interruption_mode=config.interruption_mode,
        rates=load_rates(money.prices),
        budget_usd=money.session_budget_usd or None,
        parting_words=money.parting_words,
    )
    ledger = Ledger(money.key_budget_usd, time.time)
    prompts = PromptFolder(Path(config.prompts)) if config.prompts else None
    journal = _folder_for(config.journal, "--journal (VIVAVOCE_JOURNAL)")
    traces = _folder_for(config.traces, "--traces (VIVAVOCE_TRACES)")
    tracing = None if traces is None else Tracing(traces, config.traces_content)
    metrics = Metrics(config.routes.upstreams)
    switchboard = Switchboard(configured(config), config.session, journal, service, ledger, prompts, tracing, metrics)
    switchboard.messages_per_second = config.limits.messages_per_second
    switchboard.relays = Relays(
        config.routes,
        config.session,
        journal,
        dial,
        switchboard.open_call,
        Costs(service.rates, config.routes.upstreams, metrics.charged),
        ledger,
        service.budget_usd,
        noted=metrics.relay_noted,
        metrics=metrics,
    )
    switchboard.offers = Offers(switchboard.lives, switchboard.relays, dial)
    return switchboard


def _folder_for(name: str, option: str) -> Path | None:
    """Return a folder to write into, made and writable; None where none is wanted.

    Raises:
        ConfigError: it cannot be written to.
    """
    if not name:
        return None
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{option}: cannot make {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"{option}: {folder} cannot be written to")
    return folder
