"""Signalling: one SIP agent with sockets, a timer and a name service; it performs what the agent asks for.

What a call is and what is said in it is decided elsewhere: news of calls goes to the owner, who gives commands by
`perform(agent.accept(...))`.  Everything happens on one event loop's thread.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Protocol, cast

import msgspec

from ...sip.agent import Agent
from ...sip.effects import Effect, Event, Hop, Resolve, Send, Transport
from ...sip.errors import MalformedMessage
from ...sip.message import Message
from .connections import Connections, Limits
from .naming import Naming

__all__ = ["Listener", "Signalling", "SignallingOwner"]

_DSCP_CS3 = 24 << 2
"""What marks signalling on networks that know such marks (RFC 4594)."""


class Listener(msgspec.Struct, frozen=True):
    """A socket that is listened on."""

    transport: Transport
    """What is spoken there."""
    host: str
    """The address to listen on."""
    port: int
    """The port; 0 for any."""


class SignallingOwner(Protocol):
    """Whoever has the calls."""

    def happened(self, event: Event) -> None:
        """Learn of a call, a registration or a probe; may give commands at once."""
        ...


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP socket."""

    def __init__(self, receive: Callable[[bytes, Hop], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Take a datagram."""
        self._receive(data, Hop("udp", address[0], address[1]))

    def error_received(self, _error: Exception) -> None:
        """Learn of an ICMP error; which message it is for is not told, and its transaction has a timer."""


class Signalling:
    """An agent on the network."""

    def __init__(
        self,
        agent: Agent,
        owner: SignallingOwner,
        listeners: Iterable[Listener],
        *,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Begin without sockets; `start` makes them."""
        self._agent = agent
        self._owner = owner
        self._listeners = tuple(listeners)
        self._server_tls = server_tls
        self._connections = Connections(self, client_tls, limits or Limits())
        self._naming = Naming(tuple({listener.transport: None for listener in self._listeners}))
        self._datagrams: asyncio.DatagramTransport | None = None
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self.ports: dict[Transport, int] = {}
        """The ports that are listened on."""

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: a port cannot be had.
        """
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            if listener.transport == "udp":
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self._receive_datagram), local_addr=(listener.host, listener.port)
                )
                self._datagrams = transport
                found = transport.get_extra_info("socket")
            else:
                tls = self._server_tls if listener.transport == "tls" else None
                server = await loop.create_server(
                    self._connections.protocol(listener.transport), listener.host, listener.port, ssl=tls
                )
                self._servers.append(server)
                found = server.sockets[0]
            _mark(found)
            self.ports[listener.transport] = found.getsockname()[1]

    # ------------------------------------------------------------------------------------------------ what comes

    @staticmethod
    def now() -> float:
        """Return the agent's time, in seconds."""
        return asyncio.get_running_loop().time()

    def _receive_datagram(self, data: bytes, source: Hop) -> None:
        self.perform(self._agent.receive_datagram(data, source, self.now()))

    def receive_message(self, message: Message | MalformedMessage, source: Hop) -> None:
        """Take a message that came by a connection."""
        self.perform(self._agent.receive(message, source, self.now()))

    def connection_failed(self, hop: Hop) -> None:
        """Learn that a connection cannot be opened, or was lost."""
        self.perform(self._agent.unreachable(hop, self.now()))

    def _receive_time(self) -> None:
        self._timer = None
        self.perform(self._agent.receive_time(self.now()))

    # ------------------------------------------------------------------------------------------------ what is done

    def perform(self, effects: Iterable[Effect]) -> None:
        """Do what the agent asks for, in its order, and tell the owner what happened."""
        for effect in effects:
            if isinstance(effect, Send):
                self._send(effect)
            elif isinstance(effect, Resolve):
                task = asyncio.create_task(self._resolve(effect))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._owner.happened(effect)
        self._arm()

    def _send(self, effect: Send) -> None:
        if effect.hop.is_reliable:
            self._connections.send(effect)
        elif self._datagrams is not None and not self._datagrams.is_closing():
            self._datagrams.sendto(effect.data, (effect.hop.host, effect.hop.port))

    async def _resolve(self, lookup: Resolve) -> None:
        hops = await self._naming.hops(lookup)
        if not self._is_closed:
            self.perform(self._agent.resolved(lookup, hops, self.now()))

    def _arm(self) -> None:
        """Have the timer run to the agent's deadline."""
        deadline = self._agent.deadline
        if self._timer is not None:
            if deadline is not None and self._timer.when() == deadline and not self._timer.cancelled():
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._receive_time)

    async def aclose(self) -> None:
        """Close all sockets; the calls have to be ended before."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            server.close()
        await self._connections.aclose()
        if self._datagrams is not None:
            self._datagrams.close()


def _mark(found: object) -> None:
    """Ask the network to treat signalling as such, where it can be asked."""
    sock = cast(socket.socket, found)
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _DSCP_CS3)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _DSCP_CS3)
    except OSError:
        pass
