"""One port for everything: uvicorn's HTTP/1.1, which hands Realtime sockets to legs of their own.

`HttpProtocol` is uvicorn's, with three differences: a WebSocket upgrade of a Realtime path never reaches ASGI but
becomes a `WebSocketLeg` on the same transport; bytes that follow an upgrade request in the same segment are kept; and a
request's head has to arrive within a time and a size.  Everything else, other WebSockets included, is FastAPI's.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import httptools
from uvicorn import Config as UvicornConfig
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ..config import Limits
from ..legs import Leg, LegOwner
from ..legs.framing import accept_of
from ..legs.websocket import WebSocketLeg
from .admission import CONVERSATION, TRANSLATIONS, Admission, Connection, Refused, Request
from .arrivals import Arrivals
from .ledger import Ledger
from .proxies import Proxies

__all__ = ["REALTIME_PATHS", "ROOTS", "Accept", "Gate", "HttpProtocol"]

ROOTS = ("/v1/realtime", "/realtime", "/openai/realtime", "/openai/v1/realtime")
"""Below which paths everything of the protocol is: OpenAI's, that of clients given a bare host, and Azure's two."""
REALTIME_PATHS = frozenset((*ROOTS, *(root + TRANSLATIONS for root in ROOTS), CONVERSATION))
"""Where a WebSocket is a Realtime session; below each root, where it is a translation session; and where one is spoken
to in the small protocol."""

# Beyond any real head, cookies included.
_MAX_HEAD_BYTES = 64 * 1024

Accept = Callable[[Connection, Leg], LegOwner]
"""Makes the owner of a new leg; it may send at once, and is given the first message after it has returned."""


class Gate:
    """What every connection of a server shares: the rules, the room taken, and who owns the sessions."""

    def __init__(
        self,
        admission: Admission,
        limits: Limits,
        accept: Accept,
        is_ready: Callable[[], bool],
        *,
        other_sockets: frozenset[str] = frozenset(),
        ledger: Ledger | None = None,
        arrivals: Arrivals | None = None,
        calls: Callable[[], int] = lambda: 0,
        call_arrivals: Arrivals | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        """Guard the way to `accept`.

        Args:
            admission: who may come in.
            limits: what a connection may cost.
            accept: makes the owner of each leg.
            is_ready: whether sessions can be served already.
            other_sockets: paths of the WebSockets that the ASGI application answers; up to a brace, where any may
                follow.
            ledger: knows whether a key has money left; None where none needs any.
            arrivals: bounds how many conversations of the small protocol may begin; None for no bound.
            calls: tells how many live calls there are, which take room as sockets do.
            call_arrivals: bounds how many calls may begin; None for no bound.
            proxies: tells who asks through them; None for nobody else than who is connected.
        """
        self.admission = admission
        self.limits = limits
        self.accept = accept
        self.is_ready = is_ready
        self.other_sockets = other_sockets
        self.ledger = ledger
        self.arrivals = arrivals
        self.calls = calls
        self.call_arrivals = call_arrivals
        self.proxies = proxies or Proxies()
        self.legs: set[WebSocketLeg] = set()
        """The sockets that are connected, each with a session of its own."""
        self.sidebands: set[WebSocketLeg] = set()
        """The sockets that attend to live calls; each of those has its own bound of them."""

    @property
    def sessions(self) -> int:
        """How much of the room for sessions is taken."""
        return len(self.legs) + self.calls()

    def is_other(self, path: str) -> bool:
        """Return whether the WebSockets at a path are the application's."""
        for known in self.other_sockets:
            fixed, brace, _ = known.partition("{")
            if path == known or (brace and path.startswith(fixed)):
                return True
        return False

    def admit(self, request: Request) -> Connection:
        """Let a Realtime socket in.

        Raises:
            Refused: it may not come in, or too early or too often, or has no money left.
        """
        is_conversation = request.path.rstrip("/") == CONVERSATION
        # A full server is just when a controller may have to hang up.
        is_sideband = "call_id" in request.query and not is_conversation
        return self._admit(request, self.arrivals if is_conversation else None, 0 if is_sideband else self.sessions)

    def admit_call(self, request: Request) -> Connection:
        """Let in an offer of a live call.

        Raises:
            Refused: as above.
        """
        return self._admit(request, self.call_arrivals, self.sessions)

    def admit_control(self, request: Request) -> Connection:
        """Let in a request about something that is there already, with a key or a client secret.

        Raises:
            Refused: its key is wrong or missing, or it comes from a web page that may not ask.
        """
        return self.admission.admit(request, 0)

    def _admit(self, request: Request, arrivals: Arrivals | None, sessions: int) -> Connection:
        request = self.proxies.seen_through(request)
        if arrivals is not None:
            arrivals.check_place(request.peer)
        connection = self.admission.admit(request, sessions)
        if arrivals is not None:
            arrivals.check_key(connection.key_id)
        if self.ledger is not None:
            self.ledger.check(connection.key_id)
        if not self.is_ready():
            raise Refused(
                503,
                "not_ready",
                "The engines of this server are still being loaded. Try again in a moment.",
                type="server_error",
                headers={"Retry-After": "1"},
            )
        return connection


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 on one connection, until it is upgraded."""

    def __init__(
        self,
        gate: Gate,
        config: UvicornConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Serve one connection; all but `gate` is what uvicorn passes."""
        super().__init__(config, server_state, app_state, _loop)
        self._gate = gate
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._postponed: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, with a limited time for the first head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived."""
        self._unset_keepalive_if_required()
        if self._head_timer is not None:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade_requested(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(Refused(400, "invalid_request", "This is not a request of HTTP/1.1."))
        else:
            if self._head_timer is not None and self._head_bytes > _MAX_HEAD_BYTES:
                self._refuse(Refused(431, "headers_too_large", f"The headers exceed {_MAX_HEAD_BYTES} bytes."))

    def on_message_begin(self) -> None:
        """Note that a head begins, and has a limited time too if it is not the first."""
        super().on_message_begin()
        if self._head_timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Note that the head is here."""
        self._head_arrived()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Go on with an upgrade that had to wait for the response before it."""
        super().on_response_complete()
        if self._postponed is not None and not self.transport.is_closing():
            received, self._postponed = self._postponed, None
            self._unset_keepalive_if_required()
            self._upgrade(received)

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self._gate.limits.handshake_seconds, self.transport.close)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _should_upgrade(self) -> bool:
        return bool(self.scope.get("method") == "GET" and super()._should_upgrade())

    def _upgrade_requested(self, received: bytes) -> None:
        if not self._should_upgrade():
            # `Upgrade: h2c` and the like are offers that a server may ignore.
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._postponed = received
            self.flow.pause_reading()
        else:
            self._upgrade(received)

    def _upgrade(self, received: bytes) -> None:
        self.flow.resume_reading()
        request = self._request()
        if self._gate.is_other(request.path):
            self.handle_websocket_upgrade()
            if received and not self.transport.is_closing():
                cast(asyncio.Protocol, self.transport.get_protocol()).data_received(received)
            return
        try:
            if request.path.rstrip("/") not in REALTIME_PATHS:
                raise Refused(404, "unknown_url", f"There is nothing at {request.path[:200]}.")
            answer = _handshake(request, self.scope["http_version"])
            connection = self._gate.admit(request)
        except Refused as refusal:
            self._refuse(refusal)
        else:
            self._hand_over(connection, answer, received)

    def _hand_over(self, connection: Connection, answer: bytes, received: bytes) -> None:
        """Upgrade: from here on the connection is a leg's, and this object is done."""
        if "realtime" in connection.subprotocols:
            answer += b"Sec-WebSocket-Protocol: realtime\r\n"
        self.transport.write(answer + b"\r\n")
        legs = self._gate.sidebands if connection.is_sideband else self._gate.legs
        connections = cast("set[Any]", self.connections)

        def lost(leg: WebSocketLeg) -> None:
            legs.discard(leg)
            connections.discard(leg)

        leg = WebSocketLeg(self.transport, self._gate.limits, lost)
        legs.add(leg)
        connections.discard(self)
        connections.add(leg)
        # The parser refers back here: without this the transport would be kept until a garbage collection.
        self.parser = None  # type: ignore[assignment]
        leg.attach(self._gate.accept(connection, leg), received)

    def _request(self) -> Request:
        target = self.url.decode("latin-1")
        if "://" in target.split("?")[0]:
            # The absolute form, which proxies use.
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        path, _, query = target.partition("?")
        headers: dict[str, str] = {}
        for raw_name, raw_value in self.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        peer = f"{self.client[0]}:{self.client[1]}" if self.client else "unknown"
        return Request(unquote(path), dict(parse_qsl(query, keep_blank_values=True)), headers, peer)

    def _refuse(self, refusal: Refused) -> None:
        self._head_arrived()
        status = HTTPStatus(refusal.status)
        headers = {
            **refusal.headers,
            "Content-Type": "application/json",
            "Content-Length": str(len(refusal.body)),
            "Connection": "close",
        }
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + refusal.body)
        self.transport.close()


def _handshake(request: Request, http_version: str) -> bytes:
    """Return the head of the answer that accepts an upgrade (RFC 6455 section 4.2), without its empty line."""
    if http_version != "1.1":
        raise Refused(400, "invalid_handshake", "A WebSocket begins with a request of HTTP/1.1.")
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        raise Refused(400, "invalid_handshake", "The request for a WebSocket has a body.")
    if request.headers.get("sec-websocket-version", "") != "13":
        raise Refused(
            426,
            "unsupported_websocket_version",
            "Only version 13 of the WebSocket protocol is spoken here.",
            headers={"Sec-WebSocket-Version": "13", "Upgrade": "websocket"},
        )
    key = request.headers.get("sec-websocket-key", "").encode("latin-1")
    try:
        is_valid = len(b64decode(key, validate=True)) == 16
    except binascii.Error:
        is_valid = False
    if not is_valid:
        raise Refused(400, "invalid_handshake", "The Sec-WebSocket-Key header is missing or malformed.")
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n"
    )
