"""A server under test, reached over sockets: WebSockets by `websockets`, HTTP by the standard library."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from ..legs.upstream import Upstream, unreachable
from .target import Answer, Dial
from .verdict import Broken, HungUp, TurnedAway, Unreachable

_KEY_SUBPROTOCOL = "openai-insecure-api-key."
_CLIENT_SECRET = re.compile(r"ek_[A-Za-z0-9_.-]+")
_MODEL_PARAMETERS = frozenset({"model", "deployment"})

Connect = Callable[[], socket.socket]
"""Gives a socket that already leads to the server."""


class Network:
    """A `check.target.Target` at a URL."""

    def __init__(
        self, upstream: Upstream, *, ca_file: str = "", connected: Connect | None = None, seconds: float = 20.0
    ) -> None:
        """Reach a server.

        Args:
            upstream: where it is, the key, and the model; its shape is not used.
            ca_file: PEM file of what vouches for the server's certificate; empty for what the system trusts.
            connected: gives sockets that lead there otherwise than by the URL's address.
            seconds: how long a connection may take, and an HTTP request.

        Raises:
            OSError: `ca_file` cannot be read, or is none.
        """
        self._upstream = upstream
        self._connected = connected
        self._seconds = seconds
        self._tls = _tls(upstream, ca_file) if upstream.address.startswith("wss:") else None

    @property
    def has_key(self) -> bool:
        """Whether the user gave a key."""
        return bool(self._upstream.key)

    @property
    def model(self) -> str:
        """The model that is asked for; empty where none is."""
        query = dict(parse_qsl(urlsplit(self._upstream.address).query))
        return query.get("model", "")

    def redacted(self, text: str) -> str:
        """Return a text without the user's key, and without secrets that begin with `ek_`."""
        key = self._upstream.key.strip()
        return _CLIENT_SECRET.sub("ek_***", text.replace(key, "***") if key else text)

    async def open(self, dial: Dial) -> SocketWire:
        """Open a connection.

        Raises:
            Broken: the server's answer to the upgrade breaks the rules of WebSockets.
            TurnedAway: the server answered with an HTTP error.
            Unreachable: there is no server.
        """
        upstream = msgspec.structs.replace(self._upstream, shape=dial.shape, key=self._key(dial.key))
        offered = [Subprotocol(name) for name in dial.subprotocols]
        headers = upstream.headers
        if dial.key_in_subprotocol:
            headers = {name: value for name, value in headers.items() if name not in ("Authorization", "api-key")}
            offered.append(Subprotocol(_KEY_SUBPROTOCOL + (upstream.key or "none")))
        options: dict[str, Any] = {} if self._connected is None else {"sock": self._connected()}
        try:
            connection = await connect(
                _address(upstream.address, dial),
                additional_headers={**headers, **dial.headers},
                subprotocols=offered or None,
                user_agent_header="vivavoce-check",
                ssl=self._tls,
                compression=None,
                max_size=None,
                max_queue=None,
                open_timeout=self._seconds,
                ping_interval=None,
                **options,
            )
        except InvalidStatus as refusal:
            raise TurnedAway(refusal.response.status_code, bytes(refusal.response.body or b"")) from refusal
        except InvalidHandshake as error:
            raise Broken(f"the upgrade was answered wrongly: {error}") from error
        except (OSError, WebSocketException, EOFError) as error:
            raise Unreachable(str(unreachable(upstream, error))) from error
        return SocketWire(connection)

    async def post(self, path: str, body: Any, *, key: str | None = None) -> Answer:
        """Post JSON to a path below that of the Realtime endpoint.

        Raises:
            Unreachable: there is no server.
        """
        upstream = msgspec.structs.replace(self._upstream, shape="ga", key=self._key(key))
        headers = {"Content-Type": "application/json", **upstream.headers}
        parts = urlsplit(upstream.address)
        data = msgspec.json.encode(body)
        try:
            return await asyncio.to_thread(self._post, parts.path + path, data, headers)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(str(unreachable(upstream, error))) from error

    def _post(self, path: str, data: bytes, headers: dict[str, str]) -> Answer:
        place = urlsplit(self._upstream.address)
        host, port = place.hostname or "", place.port
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(host, port, timeout=self._seconds, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._seconds)
        if self._connected is not None:
            connection.sock = self._connected()
            connection.sock.settimeout(self._seconds)
        try:
            connection.request("POST", path, data, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def _key(self, key: str | None) -> str:
        return self._upstream.key if key is None else key


class SocketWire:
    """One connection: a `check.target.Wire`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server chose; None for none."""
        return self._connection.subprotocol

    async def send(self, message: str | bytes | list[str]) -> None:
        """Send a text message, a binary one, or a text message in fragments.

        Raises:
            HungUp: the connection is closed.
        """
        try:
            await self._connection.send(message)
        except ConnectionClosed as end:
            raise _hung_up(end) from end

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            HungUp: the connection is closed.
        """
        try:
            return await self._connection.recv()
        except ConnectionClosed as end:
            raise _hung_up(end) from end

    async def ping(self) -> None:
        """Return when a ping was answered.

        Raises:
            HungUp: the connection is closed.
        """
        try:
            await (await self._connection.ping())
        except ConnectionClosed as end:
            raise _hung_up(end) from end

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()


def _hung_up(end: ConnectionClosed) -> HungUp:
    return HungUp(end.rcvd.code, end.rcvd.reason) if end.rcvd else HungUp(None, "")


def _address(address: str, dial: Dial) -> str:
    parts = urlsplit(address)
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name not in dial.query and (dial.has_model or name not in _MODEL_PARAMETERS)
    ]
    query += dial.query.items()
    return urlunsplit(parts._replace(path=parts.path + dial.path, query=urlencode(query)))


def _tls(upstream: Upstream, ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    if upstream.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
