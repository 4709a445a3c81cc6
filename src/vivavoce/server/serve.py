"""Running a server: sockets, TLS, engines, uvicorn, the start message, and a clean end.

Called by `vivavoce serve`.  What answers the calls is a `Switchboard`, which the caller brings.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import errno
import functools
import gc
import logging
import secrets
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, cast

import uvicorn

from .. import __version__
from ..config import Config, Listening
from ..core.errors import VivavoceError
from ..core.service import Service
from ..engines.registry import Engines
from ..legs import Leg, LegOwner
from ..routing import LOCAL
from .admission import Admission, Connection, check_exposure
from .app import create_app, socket_paths
from .arrivals import Arrivals
from .client_secrets import ClientSecrets
from .hybrid import Gate, HttpProtocol
from .keyring import Keyring, kept_keyring
from .ledger import Ledger
from .lives import Lines, Lives
from .metrics import Metrics
from .phone.doors import DOOR_PATHS, doors_router
from .phone.opening import Telephones
from .proxies import Proxies
from .rest.calls import Calls, calls_router
from .rest.client_secrets import client_secrets_router
from .rest.desk import Desk
from .rest.phone import PhoneCalls
from .rest.routes import rest_router
from .rest.till import Till
from .tls import self_signed, server_context
from .webrtc import described, open_port, parties

__all__ = ["ServeError", "Switchboard", "serve"]

# How long uvicorn waits for the closes that it asked for; longer than a leg takes to cut its peer off.
_GRACE_SECONDS = 10
_BACKLOG = 2048
_OPEN_FILES = 65_536
# Young garbage is looked through after this many new objects.  With 100 sessions at work Python's own 700 cost 9 %
# of the time and pauses of 56 ms, these and the freezing 5 % and 15 ms; sessions that end free themselves anyway.
_GC_THRESHOLDS = (50_000, 20, 100)


class ServeError(VivavoceError):
    """The server cannot start; the message says why in one line."""


class Switchboard(Protocol):
    """Connects legs to whatever answers them."""

    engines: Engines
    """What all calls share."""
    ledger: Ledger | None
    """Where charges go; None for nowhere."""
    metrics: Metrics
    """What the server counts."""
    lives: Lives
    """The calls by WebRTC and telephone."""
    offers: Lines
    """What answers the offers of browsers."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What a session still lacks; empty when all engines are loaded."""
        ...

    @property
    def service(self) -> Service:
        """What sessions are offered."""
        ...

    def describe(self) -> str:
        """Return the engines in half a line, for people."""
        ...

    def accept(self, connection: Connection, leg: Leg) -> LegOwner:
        """Return the owner of a new leg, already at work."""
        ...

    async def ready(self) -> None:
        """Return when all engines are loaded.

        Raises:
            EngineError: one cannot be.
        """
        ...

    async def close(self) -> None:
        """End all calls and free the engines."""
        ...


def _show(text: str) -> None:
    # Flushed, because whoever waits for it may read it through a pipe.
    print(text, flush=True)


def serve(config: Config, build: Callable[[Config], Switchboard], tell: Callable[[str], None] = _show) -> int:
    """Serve until a signal ends it, and return the exit status.

    Args:
        config: the settings.
        build: makes the switchboard, on the running loop.
        tell: shows the start message.

    Raises:
        ConfigError: the settings cannot be used.
        ServeError: the address cannot be listened on.
        EngineError: an engine cannot be loaded.
    """
    _set_up_logging(config.log_level)
    _raise_file_limit()
    sockets = bind(config.listening)
    try:
        check_exposure((str(sock.getsockname()[0]) for sock in sockets), config.access)
        authority, context = _tls(config)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(config, build, sockets, context, lambda text: tell(text + _trust(authority))))
    finally:
        for sock in sockets:
            sock.close()
    return 0


def _raise_file_limit() -> None:
    """Allow as many open files as this user may have: each connection is one, and the usual limit is 1024."""
    try:
        import resource
    except ImportError:  # there is no such limit on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bind(listening: Listening) -> list[socket.socket]:
    """Return sockets that listen on every address of the host that this machine has, all on one port.

    Raises:
        ServeError: the address is taken, not of this machine, or not to be had.
    """
    host = listening.host.strip("[]")
    where = f"[{host}]:{listening.port}" if ":" in host else f"{host}:{listening.port}"
    sockets: list[socket.socket] = []
    try:
        infos = socket.getaddrinfo(host, listening.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        absent: OSError | None = None
        for family, _, _, _, address in dict.fromkeys(infos):
            port = sockets[0].getsockname()[1] if sockets else listening.port
            try:
                sockets.append(_bound(socket.AddressFamily(family), (address[0], port, *address[2:])))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                # A name may stand for an address of IPv6 where the system has none.
                absent = error
        if absent is not None and not sockets:
            raise absent
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise ServeError(_bind_failure(where, error)) from error
    return sockets


def _bound(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    """Return a socket that listens on one address.

    Raises:
        OSError: it cannot.
    """
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Otherwise `::` takes the port of IPv4 too, which has a socket of its own where it is wanted.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_failure(where: str, error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{where} is no address of this machine (--host, VIVAVOCE_HOST)"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use already; choose another port by --port or VIVAVOCE_PORT, or 0 for any free one"
    if error.errno == errno.EACCES:
        return f"{where} may not be listened on by this user; ports from 1024 on may (--port, VIVAVOCE_PORT)"
    return f"{where} cannot be listened on: {error.strerror}"


async def _run(
    config: Config,
    build: Callable[[Config], Switchboard],
    sockets: list[socket.socket],
    context: ssl.SSLContext | None,
    tell: Callable[[str], None],
) -> None:
    port = await open_port(config, [sock.getsockname()[:2] for sock in sockets])
    try:
        switchboard = build(config)
        lives = switchboard.lives
        lives.open_party = None if port is None else parties(port)
        desk = _desk(config, switchboard)
        telephones = Telephones(Proxies(config.access.trusted_proxies), is_wanted=config.telephony.is_on)
        app, gate = _application(config, switchboard, desk, telephones)
        calls = "switched off" if port is None else described(port)

        async def ready() -> None:
            await switchboard.ready()
            lines = await telephones.open(config.telephony, lives, switchboard.accept, lambda: desk.tts)
            # What is loaded now stays: it need not be looked through again at every collection.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_GC_THRESHOLDS)
            told = (switchboard.describe(), calls, lines)
            tell(_start_message(config, sockets, *told, has_tls=context is not None))

        try:
            settings = _uvicorn_config(app, gate, context)
            await _Server(settings, ready, config.limits.handshake_seconds).serve(sockets)
        finally:
            await telephones.close()
            await desk.close()
            await switchboard.close()
    finally:
        if port is not None:
            port.close()


def _desk(config: Config, switchboard: Switchboard) -> Desk:
    """Return where REST requests are worked on."""
    till = Till(switchboard.service.rates, switchboard.ledger, functools.partial(switchboard.metrics.charged, LOCAL))
    return Desk(switchboard.engines, config.limits, lambda: switchboard.missing, till)


def _application(config: Config, switchboard: Switchboard, desk: Desk, telephones: Telephones) -> tuple[Any, Gate]:
    """Return the application, and the gate before it."""
    client_secrets = _client_secrets(config)
    admission = Admission(config.access, config.limits.max_sessions, client_secrets.redeem)
    app = create_app(
        config.access,
        admission,
        lambda: (*switchboard.missing, *telephones.missing),
        switchboard.metrics,
        lambda: switchboard.engines.names,
        config.routes.model_names,
    )
    gate = Gate(
        admission,
        config.limits,
        switchboard.accept,
        lambda: not switchboard.missing,
        ledger=switchboard.ledger,
        arrivals=Arrivals(config.limits.conversations_per_minute, time.monotonic),
        calls=lambda: len(switchboard.lives),
        call_arrivals=Arrivals(config.webrtc.calls_per_minute, time.monotonic),
        proxies=Proxies(config.access.trusted_proxies),
    )
    app.include_router(rest_router(desk, admission))
    app.include_router(client_secrets_router(client_secrets, admission, desk, lambda: switchboard.service))
    calls = Calls(switchboard.offers, gate, config.webrtc, lambda: switchboard.service)
    phone = PhoneCalls(lambda: telephones.exchange, gate, lambda: switchboard.service)
    app.include_router(calls_router(calls, phone if config.telephony.is_on else None))
    gate.other_sockets = socket_paths(app)
    if config.telephony.doors.token:
        app.include_router(doors_router(telephones.enter))
        gate.other_sockets |= frozenset(DOOR_PATHS)
    return app, gate


def _client_secrets(config: Config) -> ClientSecrets:
    """Return the client secrets of a run, still none, signed as the operator wants it.

    Raises:
        ConfigError: the key in the state folder cannot be used.
    """
    keys = [key.value.encode() for key in config.access.signing_keys]
    keyring = Keyring(keys) if keys else kept_keyring(Path(config.state_dir))
    return ClientSecrets(keyring, config.access.max_client_secrets, unix_now=time.time, new_bytes=secrets.token_bytes)


def _uvicorn_config(app: Any, gate: Gate, context: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=functools.partial(HttpProtocol, gate),  # type: ignore[arg-type]
        ws="websockets-sansio",
        ws_max_size=gate.limits.max_frame_bytes,
        # Costs twice the processor time and up to 45 MB, and compresses speech by nothing.
        ws_per_message_deflate=False,
        lifespan="off",
        # Its lines would hold keys that clients put into the query.
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_context_factory=(lambda _config, _default: context) if context is not None else None,
    )


class _Server(uvicorn.Server):
    """uvicorn's server; it bounds TLS handshakes, waits for the engines and leaves it to `serve` to end the process."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], Any], handshake_seconds: float) -> None:
        super().__init__(config)
        self._ready = ready
        self._handshake_seconds = handshake_seconds
        self._loop = asyncio.get_running_loop()
        self._loading: asyncio.Task[Any] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, which are told to wait, and return when the engines are loaded."""
        make = functools.partial(
            cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state={},
        )
        context = self.config.ssl
        timeout = self._handshake_seconds if context is not None else None
        self.servers = [
            await self._loop.create_server(
                make, sock=sock, ssl=context, ssl_handshake_timeout=timeout, backlog=_BACKLOG
            )
            for sock in sockets or []
        ]
        self.started = True
        self._loading = loading = asyncio.current_task()
        try:
            await self._ready()
        except asyncio.CancelledError:
            if loading is None or not self.should_exit:
                raise
            loading.uncancel()
        finally:
            self._loading = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals as requests to stop.  Unlike uvicorn's own, nothing is raised again when all is done."""
        kept = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, and do not wait for anybody the second time."""
        self.force_exit = self.should_exit
        self.should_exit = True
        # A signal may come between any two steps; what it means for the loading is decided on the loop.
        self._loop.call_soon_threadsafe(self._stop_loading)

    def _stop_loading(self) -> None:
        if self._loading is not None:
            self._loading.cancel()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        # There is none for Windows; asyncio's own does the same, at up to 1.7 times the cost.
        return None
    return uvloop.new_event_loop


def _tls(config: Config) -> tuple[Path | None, ssl.SSLContext | None]:
    listening = config.listening
    if listening.tls_self_signed:
        files = self_signed(Path(config.state_dir) / "tls", listening.host, datetime.datetime.now(datetime.UTC))
        return files.authority, server_context(str(files.server), "")
    return None, server_context(listening.tls_cert, listening.tls_key) if listening.tls_cert else None


def _start_message(
    config: Config, sockets: list[socket.socket], engines: str, calls: str, telephone: str, *, has_tls: bool
) -> str:
    host, port = sockets[0].getsockname()[:2]
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    if config.listening.host == "localhost" or (config.listening.tls_self_signed and host in ("127.0.0.1", "::1")):
        host = "localhost"
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    keys = len(config.access.api_keys)
    root = f"{'https' if has_tls else 'http'}://{where}"
    rows = (
        ("Talking page", root),
        ("OpenAI clients", f"base_url={root}/v1"),
        ("WebSocket", f"{'wss' if has_tls else 'ws'}://{where}/v1/realtime?model=vivavoce"),
        ("WebRTC", calls),
        *(("Telephone", telephone) for _ in telephone[:1]),
        ("API key", f"one of {keys}" if keys else "any; none is needed on this machine"),
        *(("Upstreams", config.routes.describe()) for _ in config.routes.routes[:1]),
        ("Engines", engines),
    )
    return "\n".join([f"vivavoce {__version__} is ready", *(f"  {name:<15} {value}" for name, value in rows)])


def _trust(authority: Path | None) -> str:
    if authority is None:
        return ""
    return (
        f"\n  {'Certificate':<15} trust it in the client's environment:"
        f"\n  {'':<15} Node.js   NODE_EXTRA_CA_CERTS={authority}"
        f"\n  {'':<15} Python    SSL_CERT_FILE={authority}"
    )


def _set_up_logging(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # They log what clients send, keys in queries included, below this level.
    for name in ("uvicorn", "uvicorn.error", "websockets", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It takes a WebSocket that was refused for an application's fault.
    logging.getLogger("uvicorn.error").addFilter(lambda record: "completing handshake" not in record.getMessage())
