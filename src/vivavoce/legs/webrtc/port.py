"""The one UDP port of all calls: whose datagram each is, and what is not worth looking at.

Connectivity checks say whose they are in their user name; everything else goes by the address it comes from, which is
bound to a call only when a signed check has come from it, and taken from another call only when it has answered one.
So a stranger's datagram costs a look into a table.  Called by the server, which opens one, and by `peer`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
from struct import unpack_from
from typing import Any, NamedTuple, Protocol

import msgspec

from ..ticker import Ticker
from . import borrowed, stun
from .settings import WebrtcSettings

__all__ = ["Advertised", "Port", "PortCounts", "Route", "Sink"]

_BUFFER_BYTES = 4 << 20
_DATAGRAM_BYTES = 2048
_BATCH = 64
"""Datagrams that are read before others of the process have their turn."""
_MOST_SOURCES = 4096
_MOST_UFRAGS = 4
"""User name fragments of a call: each ICE restart brings a new one, and the one before it is asked for meanwhile."""
_TAG_BYTES = 4
_LAST_STUN = 3
"""Highest first byte of STUN where it shares a port (RFC 7983)."""
# Nothing is ever sent to these, which are set aside for documentation: they show which way a packet would leave.
_ANYWHERE = {socket.AF_INET: "198.51.100.1", socket.AF_INET6: "2001:db8::1"}
_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


class Route(NamedTuple):
    """A way to one address: `ice.Path`."""

    socket: _Socket
    """Where the datagrams come in."""
    address: tuple[Any, ...]
    """Where they come from, as the system writes it."""

    @property
    def host(self) -> str:
        """The IP address, without a scope."""
        return str(self.address[0]).partition("%")[0]

    @property
    def port(self) -> int:
        """The UDP port."""
        return int(self.address[1])

    def send(self, data: bytes) -> None:
        """Send a datagram; what the system does not take is lost, as on the way."""
        self.socket.send(data, self.address)


class Sink(Protocol):
    """A call, as the port sees it."""

    def receive_check(self, message: stun.Message, route: Route, now: float) -> bool:
        """Take a binding message that names the call; return whether it was signed as it should be."""
        ...

    def receive(self, data: bytes, now: float) -> None:
        """Take any other datagram from an address that is bound to the call."""
        ...

    def tick(self, now: float) -> None:
        """Do what is due in these 20 ms."""
        ...

    def fail(self, error: Exception) -> None:
        """Learn that one of the above has raised, and end."""
        ...


class Advertised(msgspec.Struct, frozen=True):
    """An address that browsers are told."""

    host: str
    """The IP address."""
    port: int
    """The UDP port."""


class PortCounts(msgspec.Struct):
    """What became of datagrams that were nobody's."""

    strangers: int = 0
    """From addresses that are bound to no call."""
    malformed: int = 0
    """Meant as STUN, but not well formed."""
    unknown: int = 0
    """Checks for calls that do not exist."""
    refused: int = 0
    """Checks that were not signed as they should be."""
    limited: int = 0
    """Checks that were not looked at, because too many of their address were refused."""
    unsent: int = 0
    """Datagrams that the system did not take."""


class _Socket:
    """One bound socket and the calls by the addresses they are talked to."""

    def __init__(self, port: Port, family: int, host: str, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.sinks: dict[tuple[Any, ...], Sink] = {}
        self._port = port
        self._loop = loop
        self.family = family
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.bind((host, number))
            self.host, self.number = self._socket.getsockname()[:2]
            loop.add_reader(self._socket.fileno(), self.read)
        except BaseException:
            self._socket.close()
            raise

    def read(self) -> None:
        receive, sinks, port = self._socket.recvfrom, self.sinks, self._port
        now = self._loop.time()
        for _ in range(_BATCH):
            try:
                data, address = receive(_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # the system tells here that an earlier datagram did not arrive
            if not data:
                continue
            if data[0] <= _LAST_STUN:
                port.receive_check(data, Route(self, address), now)
                continue
            sink = sinks.get(address)
            if sink is None:
                port.counts.strangers += 1
                continue
            try:
                sink.receive(data, now)
            except Exception as error:  # noqa: BLE001 - one call's fault must not harm the others
                sink.fail(error)

    def send(self, data: bytes, address: tuple[Any, ...]) -> None:
        try:
            self._socket.sendto(data, address)
        except OSError:
            self._port.counts.unsent += 1

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self.sinks.clear()


class Port:
    """A UDP port on one or more addresses of this machine, and the calls that use it."""

    def __init__(self, settings: WebrtcSettings) -> None:
        """Prepare a port; `open` binds it."""
        self.settings = settings
        """The settings it was made with."""
        self.counts = PortCounts()
        """What was dropped."""
        self.setups = 0
        """How many calls are on their way from an offer to a connection."""
        self._loop = asyncio.get_running_loop()
        self.ticker = Ticker(self._loop, self._read)
        """What ticks the calls."""
        self._sockets: list[_Socket] = []
        self._by_ufrag: dict[bytes, Sink] = {}
        self._by_tag: dict[bytes, Sink] = {}
        self._sources: dict[str, tuple[float, float]] = {}
        self._advertised: tuple[Advertised, ...] = ()
        self._identity: borrowed.Identity | None = None

    @classmethod
    async def open(cls, settings: WebrtcSettings) -> Port:
        """Bind the port, and load the libraries that calls need, so that the first call does not wait for them.

        Raises:
            OSError: an address cannot be bound.
            ValueError: an address in the settings is none.
        """
        self = cls(settings)
        self._identity = await asyncio.to_thread(borrowed.Identity)
        number = settings.port
        try:
            for host in settings.hosts:
                family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
                self._sockets.append(_Socket(self, family, host, number, self._loop))
                number = self._sockets[-1].number
            if settings.advertise:
                self._advertised = tuple(
                    Advertised(str(ipaddress.ip_address(host)), other or number) for host, other in settings.advertise
                )
            else:
                own = [host for each in self._sockets for host in _own_addresses(each.family, each.host)]
                # Firefox never uses its loopback address, so that one can only be the last resort.
                own.sort(key=lambda host: ipaddress.ip_address(host).is_loopback)
                self._advertised = tuple(Advertised(host, number) for host in dict.fromkeys(own))
        except BaseException:
            self.close()
            raise
        return self

    @property
    def number(self) -> int:
        """The bound UDP port."""
        return int(self._sockets[0].number)

    @property
    def advertised(self) -> tuple[Advertised, ...]:
        """What browsers are told, the best first."""
        return self._advertised

    @property
    def identity(self) -> borrowed.Identity:
        """The certificate that all calls of the port are secured with."""
        assert self._identity is not None, "the port is not open"
        return self._identity

    @property
    def now(self) -> float:
        """The time by the clock of the event loop, which all calls are timed with."""
        return self._loop.time()

    def call_soon(self, function: Any, *arguments: Any) -> None:
        """Call a function when whoever calls now has finished."""
        self._loop.call_soon(function, *arguments)

    def new_tag(self, sink: Sink) -> bytes:
        """Return how the transaction ids of a call begin, so that answers to its checks are led to it."""
        tag = secrets.token_bytes(_TAG_BYTES)
        while tag in self._by_tag:
            tag = secrets.token_bytes(_TAG_BYTES)
        self._by_tag[tag] = sink
        return tag

    def claim(self, ufrag: str, sink: Sink) -> None:
        """Lead checks for a user name fragment to a call."""
        self._by_ufrag[ufrag.encode()] = sink

    def latest(self, ufrags: list[str]) -> list[str]:
        """Forget all fragments of a call but the latest, and return those."""
        for ufrag in ufrags[:-_MOST_UFRAGS]:
            self._by_ufrag.pop(ufrag.encode(), None)
        return ufrags[-_MOST_UFRAGS:]

    def bind(self, route: Route, sink: Sink, *, is_proven: bool) -> None:
        """Lead what comes from an address to a call; away from another call only if the address is proven to be its."""
        holder = route.socket.sinks.get(route.address)
        if holder is None or (is_proven and holder is not sink):
            route.socket.sinks[route.address] = sink

    def unbind(self, route: Route, sink: Sink) -> None:
        """Lead what comes from an address to a call no more, if it was led there."""
        if route.socket.sinks.get(route.address) is sink:
            del route.socket.sinks[route.address]

    def release(self, sink: Sink, tag: bytes, ufrags: list[str], routes: list[Route]) -> None:
        """Forget a call."""
        self._by_tag.pop(tag, None)
        for ufrag in ufrags:
            self._by_ufrag.pop(ufrag.encode(), None)
        for route in routes:
            self.unbind(route, sink)
        self.ticker.leave(sink)

    def route_to(self, host: str, port: int) -> Route | None:
        """Return the way to an address that is no name, or None if no bound socket leads there."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        target = (host, port, 0, 0) if address.version == 6 else (host, port)
        return next((Route(each, target) for each in self._sockets if each.family == family), None)

    def _read(self) -> None:
        """Read what has come: an event loop that is late may run timers first, and answers would be late for good."""
        for each in self._sockets:
            each.read()

    def receive_check(self, data: bytes, route: Route, now: float) -> None:
        """Take a datagram that may be STUN, and lead it to the call it names."""
        sink = self._by_tag.get(data[8 : 8 + _TAG_BYTES]) if data[0] else self._named(data)
        if sink is None:
            self.counts.unknown += 1
            return
        is_stranger = route.address not in route.socket.sinks
        if is_stranger and not self._may_try(route.host, now):
            self.counts.limited += 1
            return
        message = stun.parse(data)
        if message is None:
            self.counts.malformed += 1
            return
        try:
            is_signed = sink.receive_check(message, route, now)
        except Exception as error:  # noqa: BLE001 - one call's fault must not harm the others
            sink.fail(error)
            return
        if not is_signed:
            self.counts.refused += 1
            self._count_refused(route.host, now)

    def _named(self, data: bytes) -> Sink | None:
        """Return the call whose fragment stands first in the user name of a request, without reading all of that."""
        if len(data) < 20 or data[0] or data[1] != 1:
            return None
        at, end = 20, len(data)
        while at + 4 <= end:
            attribute, length = unpack_from("!HH", data, at)
            if attribute == stun.USERNAME:
                return self._by_ufrag.get(data[at + 4 : at + 4 + length].partition(b":")[0])
            at += 4 + length + -length % 4
        return None

    def _may_try(self, source: str, now: float) -> bool:
        tokens, since = self._sources.get(source, (float(self.settings.stun_burst), now))
        return tokens + (now - since) * self.settings.stun_per_second >= 1

    def _count_refused(self, source: str, now: float) -> None:
        tokens, since = self._sources.pop(source, (float(self.settings.stun_burst), now))
        tokens = min(self.settings.stun_burst, tokens + (now - since) * self.settings.stun_per_second) - 1
        self._sources[source] = (tokens, now)
        if len(self._sources) > _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]

    def close(self) -> None:
        """Stop listening; calls that are still there have to be hung up before."""
        for each in self._sockets:
            each.close()


def _own_addresses(family: int, bound: str) -> list[str]:
    """Return the addresses of this machine that a bound one stands for."""
    if not ipaddress.ip_address(bound).is_unspecified:
        return [bound]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_ANYWHERE[socket.AddressFamily(family)], 9))
            own = str(probe.getsockname()[0])
        except OSError:
            own = ""
    loopback = _LOOPBACK[socket.AddressFamily(family)]
    return [own, loopback] if own and own != loopback else [loopback]
