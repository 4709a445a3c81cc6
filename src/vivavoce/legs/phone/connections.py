"""Connections: TCP and TLS under SIP, accepted or opened, one for each place, used by all messages to it.

RFC 3261 18, 5923 (requests go back on the connection that requests came by) and 5626 (line breaks that ask whether
anybody is there).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Protocol, cast

import msgspec

from ...sip.effects import Hop, Send, Transport
from ...sip.errors import MalformedMessage
from ...sip.message import Message
from ...sip.parsing import Ping, StreamReader

__all__ = ["Connections", "ConnectionsOwner", "Limits"]


class Limits(msgspec.Struct, frozen=True):
    """How much is borne with."""

    connections: int = 1000
    """How many connections there may be."""
    connections_per_host: int = 50
    """How many of one address."""
    connect_seconds: float = 8.0
    """How long opening one may take."""
    message_seconds: float = 10.0
    """How long a message may take to arrive."""
    idle_seconds: float = 900.0
    """How long nothing may come before a connection is closed."""
    queued_bytes: int = 1_000_000
    """How much may wait for a peer that does not read."""


class ConnectionsOwner(Protocol):
    """Whoever the messages are for."""

    def receive_message(self, message: Message | MalformedMessage, source: Hop) -> None:
        """Take a message, or what could not be read as one."""
        ...

    def connection_failed(self, hop: Hop) -> None:
        """Learn that a connection cannot be opened, or was lost."""
        ...


class _Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, connections: Connections, transport: Transport, hop: Hop | None) -> None:
        self._connections = connections
        self._kind: Transport = transport
        self.hop = hop
        """The other end; None until there is a connection that the other side opened."""
        self._reader = StreamReader()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take part."""
        self._transport = cast(asyncio.Transport, transport)
        if self.hop is None:
            peer = self._transport.get_extra_info("peername")
            if not peer:
                # Gone before it was here.
                self._transport.abort()
                return
            self.hop = Hop(self._kind, peer[0], peer[1])
        if not self._connections.add(self, self.hop):
            self._transport.abort()
            return
        self._wait(self._connections.limits.idle_seconds)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        assert self.hop is not None
        came = self._reader.receive_data(data)
        for found in came:
            if isinstance(found, Ping):
                self.send(b"\r\n")
            else:
                self._connections.owner.receive_message(found, self.hop)
        limits = self._connections.limits
        if self._reader.is_broken:
            self.close()
        elif not self._reader.is_midway:
            self._wait(limits.idle_seconds)
        elif (
            came
            or self._timer is None
            or self._timer.when() > asyncio.get_running_loop().time() + limits.message_seconds
        ):
            # What trickles in does not gain time by every byte, but by every message.
            self._wait(limits.message_seconds)

    def connection_lost(self, _error: Exception | None) -> None:
        """Learn that it is gone."""
        if self._timer is not None:
            self._timer.cancel()
        if self.hop is not None:
            self._connections.remove(self, self.hop)

    def send(self, data: bytes) -> None:
        """Send bytes; a peer that does not read loses its connection."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > self._connections.limits.queued_bytes:
            self._transport.abort()
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close it, after what is still to be sent."""
        if self._transport is not None:
            self._transport.close()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.close)


class Connections:
    """All connections of one agent."""

    def __init__(self, owner: ConnectionsOwner, client_tls: ssl.SSLContext | None, limits: Limits) -> None:
        """Begin with none; without `client_tls` no TLS connection is opened."""
        self.owner = owner
        self.limits = limits
        self._client_tls = client_tls
        self._open: dict[tuple[str, str, int], _Connection] = {}
        self._hosts: Counter[str] = Counter()
        self._opening: dict[tuple[str, str, int], list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def protocol(self, transport: Transport) -> Callable[[], asyncio.Protocol]:
        """Return what takes the connections that a listening socket accepts."""
        return lambda: _Connection(self, transport, None)

    def send(self, effect: Send) -> None:
        """Send a message on the connection to its place, which is opened where there is none."""
        connection = self._open.get(effect.hop.place)
        if connection is not None:
            connection.send(effect.data)
            return
        waiting = self._opening.get(effect.hop.place)
        if waiting is not None:
            waiting.append(effect.data)
            return
        self._opening[effect.hop.place] = [effect.data]
        task = asyncio.create_task(self._connect(effect))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, effect: Send) -> None:
        """Open a connection and send what waits for it, or send it to the place that is left."""
        is_open = await self._try(effect.hop)
        waiting = self._opening.pop(effect.hop.place, [])
        connection = self._open.get(effect.hop.place)
        if is_open and connection is not None:
            for data in waiting:
                connection.send(data)
        elif effect.fallback is not None and effect.fallback.place != effect.hop.place:
            for data in waiting:
                self.send(Send(data, effect.fallback))
        elif not self._is_closed:
            self.owner.connection_failed(effect.hop)

    async def _try(self, hop: Hop) -> bool:
        if hop.transport == "tls" and self._client_tls is None:
            return False
        tls = self._client_tls if hop.transport == "tls" else None
        name = (hop.name or hop.host) if tls is not None else None
        try:
            async with asyncio.timeout(self.limits.connect_seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self, hop.transport, hop), hop.host, hop.port, ssl=tls, server_hostname=name
                )
        except (OSError, TimeoutError, ssl.SSLError):
            return False
        return True

    def add(self, connection: _Connection, hop: Hop) -> bool:
        """Take a connection that was made; tell whether there is room for it."""
        if self._is_closed or len(self._open) >= self.limits.connections:
            return False
        if self._hosts[hop.host] >= self.limits.connections_per_host:
            return False
        self._open[hop.place] = connection
        self._hosts[hop.host] += 1
        return True

    def remove(self, connection: _Connection, hop: Hop) -> None:
        """Forget a connection that is gone."""
        if self._open.get(hop.place) is not connection:
            return
        del self._open[hop.place]
        self._hosts[hop.host] -= 1
        if not self._hosts[hop.host]:
            del self._hosts[hop.host]
        if not self._is_closed:
            self.owner.connection_failed(hop)

    async def aclose(self) -> None:
        """Close all connections, after what is still to be sent."""
        self._is_closed = True
        for connection in list(self._open.values()):
            connection.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
