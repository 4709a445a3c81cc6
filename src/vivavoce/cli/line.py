"""Where a command speaks: to engines in this process, or to the server of `--url`; both give the same lines."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from ..config import Config, load
from ..core.hosts import is_openai
from ..legs.line import Line, Shape, error_text
from ..legs.upstream import Upstream, dial
from .failure import Failure, Misuse
from .together import within

if TYPE_CHECKING:
    from ..engines.registry import Engines

OpenLine = Callable[[], Awaitable[Line]]
"""Opens a session; raises LineError when that fails."""

_OPENAI_MODEL = "gpt-realtime-2.1"
"""Asked for at OpenAI, which has no default of its own."""

_LOAD_SECONDS = 120.0
"""Loading takes a second or two; on the slowest of machines it may take a minute."""


class Place(msgspec.Struct, frozen=True):
    """Where the sessions of a command are held."""

    config: Config
    """For engines in this process."""
    upstream: Upstream | None = None
    """The server; None for engines in this process."""
    model: str = ""
    """Name of the model; empty for the default."""
    shape: Shape | None = None
    """Shape to ask for; None takes what there is."""

    @property
    def name(self) -> str:
        """The place as files and messages show it."""
        return self.upstream.shown if self.upstream else "local"

    @property
    def host(self) -> str:
        """The server's host; empty for this process."""
        return self.upstream.host if self.upstream else ""


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where sessions are held."""
    group = parser.add_argument_group("where")
    group.add_argument("--url", help="a Realtime server (vivavoce, OpenAI, Azure); without it, engines in this process")
    group.add_argument("--model", default="", help="model to ask for")
    group.add_argument("--shape", choices=("ga", "beta", "auto"), default="auto", help="shape of the protocol")
    group.add_argument("--insecure", action="store_true", help="accept a certificate that nobody vouches for")


def place_of(args: argparse.Namespace, environ: Mapping[str, str] | None = None) -> Place:
    """Return the place that arguments and environment name.

    Raises:
        Misuse: an argument needs another.
        ConfigError: a setting cannot be used.
    """
    environ = os.environ if environ is None else environ
    shape: Shape | None = None if args.shape == "auto" else args.shape
    config = load(environ)
    if not args.url:
        if args.insecure:
            raise Misuse("--insecure is about the server of --url")
        return Place(config, model=args.model, shape=shape)
    unkeyed = Upstream(args.url, shape=shape, insecure=args.insecure)
    model = args.model or (_OPENAI_MODEL if is_openai(unkeyed.host) else "")
    upstream = msgspec.structs.replace(unkeyed, model=model, key=_key(unkeyed.host, environ))
    _ = upstream.headers  # a key that cannot be sent is told before anything else is done
    return Place(config, upstream, model, shape)


def transcription_model(place: Place) -> str:
    """Return the model that understands speech at a place, where none was asked for."""
    if place.upstream is None:
        return "vivavoce"
    # The one name that every other server knows; at OpenAI, only newer ones tell probabilities.
    return "gpt-4o-transcribe" if is_openai(place.host) else "whisper-1"


def _key(host: str, environ: Mapping[str, str]) -> str:
    """Return the key for a host: OpenAI's own first at OpenAI, ours first elsewhere."""
    names = ["VIVAVOCE_API_KEY", "OPENAI_API_KEY"]
    if is_openai(host):
        names.reverse()
    return next((environ[name] for name in names if environ.get(name, "").strip()), "")


async def configure(line: Line, settings: dict[str, Any], timeout: float) -> None:
    """Tell a session its settings, and return when they hold.

    Raises:
        Failure: the server does not accept them.
        LineError: the line broke, or the server was silent for `timeout` seconds.
    """
    await line.send({"type": "session.update", "event_id": "settings", "session": settings})
    while True:
        event = await within(timeout, anext(line), "an answer to the settings")
        if event["type"] == "error":
            raise Failure(f"the server refuses the settings: {error_text(event)}")
        if event["type"] == "session.updated":
            return


@asynccontextmanager
async def lines(place: Place, *, hears: bool) -> AsyncIterator[OpenLine]:
    """Give the means to open lines at a place; engines in this process live as long as the context.

    `hears` tells whether speech is to be recognised: speaking alone need not wait for a recogniser.

    Raises:
        EngineError: an engine cannot be loaded.
    """
    if place.upstream is None:
        async with local_lines(place, hears=hears) as open_line:
            yield open_line
        return
    upstream = place.upstream

    async def open_upstream() -> Line:
        return await dial(upstream)

    yield open_upstream


@asynccontextmanager
async def local_lines(place: Place, *, hears: bool) -> AsyncIterator[OpenLine]:
    """Give the means to open lines to engines in this process.

    Raises:
        EngineError: an engine cannot be loaded.
        LineError: that takes too long.
    """
    from ..engines.registry import configured

    engines = configured(place.config)
    try:
        await within(_LOAD_SECONDS, engines.ready() if hears else engines.brain.ready(), "the engines to be loaded")
        yield lambda: _open_local(place, engines)
    finally:
        await engines.close()


async def _open_local(place: Place, engines: Engines) -> Line:
    """Open a session in this process."""
    from pathlib import Path
    from time import monotonic, time

    from ..core.service import Service
    from ..core.settings import Settings
    from ..dialects.choose import choose
    from ..legs.local import MemoryLeg, MemoryWire
    from ..server.call import Call, Terms
    from .backlog import CountedHearing

    leg = MemoryLeg()
    hearing = CountedHearing(engines.hearing)
    config = place.config
    settings = Settings(model=place.model) if place.model else Settings()
    journal = Path(config.journal) if config.journal else None
    shape: Shape = place.shape or "ga"
    service = Service(interruption_mode=config.interruption_mode)
    terms = Terms(settings, config.session, shape, journal, service)
    call = Call(leg, choose(shape), hearing, engines.brain, terms, now=monotonic, unix_now=time())
    leg.owner = call
    running = asyncio.ensure_future(call.run())

    async def hung_up() -> None:
        await running

    wire = MemoryWire(leg, ready=hearing.ready_for_more, settled=hearing.settled, hung_up=hung_up)
    return await Line.open(wire, shape)
