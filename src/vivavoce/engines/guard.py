"""The guard of connections that clients have this server make: they lead to public addresses, or where the operator
lets them.

What is judged is the address that is dialled, once a name was resolved, so that neither a redirect nor a name that
changes its address leads past it.  No proxy is used, for a proxy would resolve the name itself.  The one place that
names httpx2 and httpcore2.  Called by `engines.mcp`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore2
import httpx2
import msgspec

from .apart import Chores, Crowded

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        # Some of these are not told from public ones by every version of the standard library.
        "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "240.0.0.0/4",
        "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
    )
)  # fmt: skip
"""Networks that are nobody's public address: special purposes, and the metadata service of a large cloud."""
_DIALLED = 4
"""Addresses of one name that are tried."""
MOST_LOOKUPS = 64
"""Names that are looked up at the same time; resolvers take half a minute over one that nobody answers for."""
MAX_BYTES = 8 << 20
"""The longest response that is read; an event stream that reaches it has to be opened anew."""


class Reach(msgspec.Struct, frozen=True):
    """Where connections may lead besides public addresses."""

    places: tuple[tuple[str, int | None], ...] = ()
    """Names or addresses as they stand in URLs, with a port or with None for all of them."""

    def allows(self, host: str, port: int) -> bool:
        """Return whether the operator lets clients reach this place, whatever its address."""
        host = host.strip("[]").lower()
        return any(host == name and port in (only or port, only) for name, only in self.places)


class Trouble(msgspec.Struct, frozen=True):
    """Why a request did not get an answer that can be used."""

    message: str
    """Half a sentence, of which the server is the subject."""
    status: int | None = None
    """Of the HTTP response; None where there was none."""


class Refused(httpcore2.ConnectError):
    """A connection may not be made."""


_troubles: ContextVar[list[Trouble] | None] = ContextVar("troubles", default=None)


@contextlib.contextmanager
def watched() -> Iterator[list[Trouble]]:
    """Collect the troubles of the requests that are made within, which libraries keep to themselves."""
    troubles: list[Trouble] = []
    token = _troubles.set(troubles)
    try:
        yield troubles
    finally:
        _troubles.reset(token)


def _note(trouble: Trouble) -> None:
    troubles = _troubles.get()
    if troubles is not None:
        troubles.append(trouble)


def is_public(address: str) -> bool:
    """Return whether an IP address is one that anybody may reach, whatever form it is written in."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if int(found) >> 125 != 1:  # 2000::/3 is all that was ever given out
            return False
    if any(found.version == network.version and found in network for network in _REFUSED):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


_lookups = Chores("names", MOST_LOOKUPS)

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolved(host: str, port: int) -> list[str]:
    """Return the addresses of a name, by the system's own resolver."""
    found = await _lookups.do(functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """Dials addresses that it has judged."""

    def __init__(
        self, reach: Reach, resolve: Resolve = resolved, dialler: httpcore2.AsyncNetworkBackend | None = None
    ) -> None:
        """Make a network.

        Args:
            reach: what is allowed besides public addresses.
            resolve: turns a name into addresses.
            dialler: makes connections; None for the usual one.
        """
        self._reach = reach
        self._resolve = resolve
        self._dialler = dialler or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a public address of `host`, or to any of one that is allowed.

        Raises:
            Refused: it has none.
            httpcore2.ConnectError: it has no address at all, or none that answers.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("its name was not resolved in time") from error
        except Crowded as error:
            raise httpcore2.ConnectError("too many names are being looked up") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("its name has no address") from error
        if not self._reach.allows(host, port):
            addresses = [address for address in addresses if is_public(address)]
            if not addresses:
                raise Refused("its address is not a public one")
        failure: Exception | None = None
        for address in addresses[:_DIALLED]:
            try:
                return await self._dialler.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise httpcore2.ConnectError("it accepts no connection") from failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: a socket of this machine is not public.

        Raises:
            Refused: always.
        """
        raise Refused("it is a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait, as libraries do between attempts."""
        await asyncio.sleep(seconds)


class _Measured(httpx2.AsyncByteStream):
    """The body of a response, up to a bound."""

    def __init__(self, body: httpx2.AsyncByteStream, most: int) -> None:
        self._body = body
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._body:
            self._left -= len(piece)
            if self._left < 0:
                _note(Trouble("sent more than can be taken"))
                raise httpx2.ReadError("The response is too long.")
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    """Return what certificates are judged by, which takes 20 ms to read and is the same for all connections."""
    return httpx2.create_ssl_context(trust_env=False)


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """Carries requests over a guarded network: HTTPS, or HTTP where the operator lets clients go."""

    def __init__(self, reach: Reach, network: GuardedNetwork | None = None, max_bytes: int = MAX_BYTES) -> None:
        """Make a transport.

        Args:
            reach: what is allowed besides public addresses.
            network: what dials; None for one of the same reach.
            max_bytes: the longest response.
        """
        super().__init__(trust_env=False)
        if not isinstance(vars(self).get("_pool"), httpcore2.AsyncConnectionPool):
            # Without its pool replaced it would dial on its own.
            raise RuntimeError("this version of httpx2 cannot be guarded")
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=32,
            keepalive_expiry=60.0,
            network_backend=network or GuardedNetwork(reach),
        )
        self._reach = reach
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; redirects come as requests of their own."""
        url = request.url
        port = url.port or {"https": 443, "http": 80}.get(url.scheme, 0)
        if url.scheme != "https" and not self._reach.allows(url.host, port):
            _note(Trouble("may be reached by HTTPS alone"))
            raise httpx2.UnsupportedProtocol("Only HTTPS is allowed.", request=request)
        try:
            response = await super().handle_async_request(request)
        except httpx2.ConnectTimeout:
            _note(Trouble("did not accept a connection in time"))
            raise
        except httpx2.ConnectError as error:
            refused = isinstance(error.__cause__, Refused)
            _note(Trouble(f"may not be reached: {error}" if refused else f"cannot be reached: {error}"))
            raise
        except httpx2.TransportError as error:
            _note(Trouble(f"broke off ({type(error).__name__})"))
            raise
        if response.status_code >= 300:
            _note(Trouble(f"answered with HTTP {response.status_code}", response.status_code))
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Measured(response.stream, self._max_bytes)
        return response


def guarded_client(
    reach: Reach, headers: dict[str, str], *, connect_timeout: float, read_timeout: float
) -> httpx2.AsyncClient:
    """Return a client whose every connection is guarded, and that follows no redirect by itself.

    Args:
        reach: what is allowed besides public addresses.
        headers: sent with every request.
        connect_timeout: seconds until a place that does not answer is given up.
        read_timeout: seconds without any byte until a response is given up.
    """
    return httpx2.AsyncClient(
        transport=GuardedTransport(reach),
        headers={"User-Agent": "vivavoce", **headers},
        timeout=httpx2.Timeout(read_timeout, connect=connect_timeout),
        follow_redirects=False,
        trust_env=False,
    )
