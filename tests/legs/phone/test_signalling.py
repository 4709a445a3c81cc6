"""The agent on real sockets of this machine: UDP, TCP and TLS, connections that are reused, lost and never come."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from vivavoce.legs.phone.connections import Limits
from vivavoce.legs.phone.signalling import Listener, Signalling
from vivavoce.server.tls import self_signed
from vivavoce.sip import effects as ef
from vivavoce.sip.admission import Rules
from vivavoce.sip.agent import Agent
from vivavoce.sip.dialing import Dialing
from vivavoce.sip.effects import Transport
from vivavoce.sip.routing import Local
from vivavoce.sip.terms import Terms

HOST = "127.0.0.1"
PATIENCE_SECONDS = 5
COUNT = itertools.count(1)


def free_port(transport: Transport) -> int:
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
    return port


class Party:
    """One agent on the network, which takes every call."""

    def __init__(
        self,
        transport: Transport,
        *,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        advertised: int | None = None,
    ) -> None:
        self.port = free_port(transport)
        self.transport = transport
        self.agent = Agent(
            Terms(),
            {transport: Local(HOST, advertised or self.port)},
            Rules(known=("127.0.0.0/8",)),
            new_id=lambda kind: f"{kind}{next(COUNT)}",
            chance=lambda: 0.5,
            secret=b"s" * 32,
        )
        listeners = [Listener(transport, HOST, self.port)]
        self.signalling = Signalling(
            self.agent, self, listeners, server_tls=server_tls, client_tls=client_tls, limits=limits
        )
        self.news: asyncio.Queue[ef.Event] = asyncio.Queue()

    def happened(self, event: ef.Event) -> None:
        self.news.put_nowait(event)
        if isinstance(event, ef.Invited):
            self.signalling.perform(self.agent.accept(event.call, b"answer", self.signalling.now()))

    def dial(self, other: Party, host: str = HOST) -> str:
        target = f"sip:me@{host}:{other.port};transport={self.transport}"
        call, effects = self.agent.dial(Dialing(target, f"sip:me@{HOST}"), b"offer", self.signalling.now())
        self.signalling.perform(effects)
        return call

    def hang_up(self, call: str) -> None:
        self.signalling.perform(self.agent.hang_up(call, self.signalling.now()))

    async def told(self, count: int) -> list[str]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [type(await self.news.get()).__name__ for _ in range(count)]


@asynccontextmanager
async def parties(*found: Party) -> AsyncIterator[None]:
    for party in found:
        await party.signalling.start()
    try:
        yield
    finally:
        for party in found:
            await party.signalling.aclose()


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    files = self_signed(tmp_path, HOST, datetime.datetime.now(datetime.UTC))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.server)
    return server, ssl.create_default_context(cafile=str(files.authority))


async def a_call(alice: Party, bob: Party) -> None:
    async with parties(alice, bob):
        call = alice.dial(bob)
        assert await alice.told(1) == ["Answered"]
        assert await bob.told(2) == ["Invited", "Answered"]
        alice.hang_up(call)
        assert await alice.told(1) == ["CallEnded"]
        assert await bob.told(1) == ["CallEnded"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_is_made_and_ended(transport: Transport) -> None:
    await a_call(Party(transport), Party(transport))


async def test_a_call_is_made_and_ended_over_tls(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = tls
    await a_call(Party("tls", server_tls=server, client_tls=client), Party("tls", server_tls=server, client_tls=client))


async def test_a_certificate_that_is_not_trusted_ends_the_call(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, _ = tls
    alice = Party("tls", server_tls=server, client_tls=ssl.create_default_context())
    bob = Party("tls", server_tls=server)
    async with parties(alice, bob):
        alice.dial(bob)
        assert await alice.told(1) == ["CallEnded"]
        assert bob.news.empty()


async def test_requests_go_back_on_the_connection_that_requests_came_by() -> None:
    # Nothing listens where Alice says she is, as behind a NAT.
    alice, bob = Party("tcp", advertised=9), Party("tcp")
    async with parties(alice, bob):
        alice.dial(bob)
        assert await alice.told(1) == ["Answered"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            invited = await bob.news.get()
        assert isinstance(invited, ef.Invited)
        assert await bob.told(1) == ["Answered"]
        bob.hang_up(invited.call)
        assert await alice.told(1) == ["CallEnded"]


async def test_a_place_where_nobody_listens_is_told_at_once() -> None:
    alice, bob = Party("tcp"), Party("tcp")
    async with parties(alice):
        alice.dial(bob)
        async with asyncio.timeout(PATIENCE_SECONDS):
            event = await alice.news.get()
        assert isinstance(event, ef.CallEnded)
        assert event.reason == "unreachable"


async def test_a_name_is_looked_up() -> None:
    alice, bob = Party("udp"), Party("udp")
    async with parties(alice, bob):
        alice.dial(bob, host="localhost")
        assert await alice.told(1) == ["Answered"]


async def test_a_connection_is_kept_open_by_line_breaks_and_closed_for_nonsense() -> None:
    bob = Party("tcp")
    async with parties(bob):
        reader, writer = await asyncio.open_connection(HOST, bob.port)
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.readexactly(2) == b"\r\n"
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await reader.read() == b""
        writer.close()


async def test_a_message_that_does_not_end_loses_its_connection() -> None:
    bob = Party("tcp", limits=Limits(message_seconds=0.1))
    async with parties(bob):
        reader, writer = await asyncio.open_connection(HOST, bob.port)
        writer.write(b"OPTIONS sip:x SIP/2.0\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == b""
        writer.close()


async def test_one_host_has_only_so_many_connections() -> None:
    bob = Party("tcp", limits=Limits(connections_per_host=2))
    async with parties(bob):
        found = [await asyncio.open_connection(HOST, bob.port) for _ in range(3)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            for reader, writer in found[:2]:
                writer.write(b"\r\n\r\n")
                assert await reader.readexactly(2) == b"\r\n"
            try:
                assert await found[2][0].read() == b""
            except ConnectionResetError:
                pass
        for _, writer in found:
            writer.close()


async def test_signalling_is_marked_on_the_network() -> None:
    bob = Party("udp")
    async with parties(bob):
        assert bob.signalling._datagrams is not None
        found = bob.signalling._datagrams.get_extra_info("socket")
        assert found.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x60
