"""Dialling a Realtime server over WebSocket: where it is, what it is told on the way in, and why it could not be had.

Reaches vivavoce itself, OpenAI, Azure OpenAI and whatever else serves the protocol; see `legs.line` for what is said
afterwards.  Called by the commands of `vivavoce.cli`.
"""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from .. import __version__
from ..core.errors import ConfigError
from ..core.hosts import is_azure
from . import refusals
from .line import Line, LineError, Shape
from .refusals import refused

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_AZURE_PREVIEW = "2024-10-01-preview"
"""The first version of Azure's preview; later ones are compatible with it."""
_SECRET_PARAMETERS = frozenset({"api-key", "key", "token"})
_OPEN_SECONDS = 20.0
"""How long a name, a connection, TLS and the upgrade may take together."""


class Upstream(msgspec.Struct, frozen=True):
    """A Realtime server, as the operator names it."""

    url: str
    """`ws`, `wss`, `http` or `https`, with or without the path of the Realtime endpoint."""
    key: str = ""
    """The server's key; empty to send none."""
    model: str = ""
    """Asked for when the URL names none; empty to leave the choice to the server."""
    shape: Shape | None = None
    """The shape to ask for; None takes what the server speaks."""
    insecure: bool = False
    """Whether a certificate that nobody vouches for will do."""

    @property
    def address(self) -> str:
        """The complete `ws` or `wss` URL.

        Raises:
            ConfigError: `url` is not one.
        """
        parts = _split(self.url)
        path = _endpoint(parts)
        query = parse_qsl(parts.query, keep_blank_values=True)
        names = {name for name, _ in query}
        if _is_preview(path, names):
            if self.model and "deployment" not in names:
                query.append(("deployment", self.model))
            if "api-version" not in names:
                query.append(("api-version", _AZURE_PREVIEW))
        elif self.model and not names & {"model", "deployment", "call_id", "intent"}:
            query.append(("model", self.model))
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        return urlunsplit((scheme, parts.netloc, path, urlencode(query), ""))

    @property
    def shown(self) -> str:
        """The URL without keys or passwords, fit for files and messages."""
        parts = urlsplit(self.address)
        query = [
            (name, "***" if name.lower() in _SECRET_PARAMETERS else value) for name, value in parse_qsl(parts.query)
        ]
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=urlencode(query, safe="*")))

    @property
    def host(self) -> str:
        """The server's host name, in lower case.

        Raises:
            ConfigError: `url` has none.
        """
        return _split(self.url).hostname or ""

    @property
    def headers(self) -> dict[str, str]:
        """What the upgrade request carries besides the usual.

        Raises:
            ConfigError: the key cannot stand in a header.
        """
        headers: dict[str, str] = {}
        key = self.key.strip()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError("the key contains characters that no key has; was it copied whole?")
        if key and is_azure(self.host):  # which wants it in a header of its own
            headers["api-key"] = key
        elif key:
            headers["Authorization"] = f"Bearer {key}"
        parts = urlsplit(self.address)
        preview = _is_preview(parts.path, {name for name, _ in parse_qsl(parts.query)})
        if self.shape == "beta" or (self.shape is None and preview):
            headers["OpenAI-Beta"] = "realtime=v1"
        return headers


class SocketWire:
    """A WebSocket to a server as a wire of `legs.line`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, message: bytes) -> None:
        """Send one text message, waiting while the socket's buffer is full.

        Raises:
            LineError: the connection is closed.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            await self._connection.send(message, text=True)
        except ConnectionClosed as exc:
            raise _closed(exc) from exc

    async def receive(self) -> bytes:
        """Return the next message.

        Raises:
            LineError: the connection was closed or lost.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed as exc:
            raise _closed(exc) from exc

    async def settle(self) -> None:
        """Return when the server has read everything that was sent: it answers a ping after that.

        Raises:
            LineError: the connection was closed or lost.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            await (await self._connection.ping())
        except ConnectionClosed as exc:
            raise _closed(exc) from exc

    async def close(self) -> None:
        """Say goodbye and hang up."""
        await self._connection.close()


async def dial(upstream: Upstream, *, connected: socket.socket | None = None, first_seconds: float = 30.0) -> Line:
    """Open a session on a server and return its line.

    `connected` is a socket that already leads to the server, for instance through a tunnel; `first_seconds` is how long
    its first event is waited for.

    Raises:
        ConfigError: the URL or the key cannot be used.
        LineError: the server cannot be reached, or does not let us in.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException

    address, headers = upstream.address, upstream.headers
    options: dict[str, Any] = {} if connected is None else {"sock": connected}
    try:
        connection = await connect(
            address,
            additional_headers=headers,
            user_agent_header=f"vivavoce/{__version__}",
            ssl=trust(insecure=upstream.insecure) if address.startswith("wss:") else None,
            compression=None,
            max_size=None,
            open_timeout=_OPEN_SECONDS,
            **options,
        )
    except InvalidStatus as exc:
        response = exc.response
        raise refused(upstream.host, response.status_code, response.reason_phrase, bytes(response.body or b"")) from exc
    except (OSError, WebSocketException, EOFError) as exc:
        raise unreachable(upstream, exc) from exc
    return await Line.open(SocketWire(connection), upstream.shape, first_seconds)


def unreachable(upstream: Upstream, exc: Exception) -> LineError:
    """Return, as one line, why no connection to the server came about."""
    trust = "--insecure accepts it all the same"
    return refusals.unreachable(upstream.address, exc, seconds=_OPEN_SECONDS, trust=trust)


def _closed(exc: Exception) -> LineError:
    received = getattr(exc, "rcvd", None)
    return LineError.closed(received.code, received.reason) if received else LineError.closed(None, "")


def _split(url: str) -> SplitResult:
    text = url.strip()
    if "://" not in text:
        text = f"{'ws' if _is_near(text) else 'wss'}://{text}"
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises when it is no number
    except ValueError as exc:
        raise ConfigError(f"{url!r} is not a URL: {exc}") from exc
    if parts.scheme not in ("ws", "wss", "http", "https"):
        raise ConfigError(f"{url!r} must begin with ws://, wss://, http:// or https://")
    if not parts.hostname:
        raise ConfigError(f"{url!r} names no host")
    return parts


def _is_near(place: str) -> bool:
    """Return whether a host without a scheme is this machine, where plain `ws` is usual."""
    host = urlsplit(f"//{place}").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _endpoint(parts: SplitResult) -> str:
    """Return the path of the Realtime endpoint under the path that was given."""
    path = parts.path.rstrip("/")
    if path in ("/v1", "/openai", "/openai/v1"):
        return f"{path}/realtime"
    if path:
        return path
    return "/openai/v1/realtime" if is_azure(parts.hostname or "") else "/v1/realtime"


def _is_preview(path: str, parameters: set[str]) -> bool:
    """Return whether this is the preview of Azure, which speaks the beta shape."""
    return path == "/openai/realtime" or bool(parameters & {"deployment", "api-version"})


def trust(*, insecure: bool) -> ssl.SSLContext:
    """Return how the certificates of servers are judged: as usual, or not at all."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
