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

from vivavoce.legs.phone.connections import Limits, _Connection
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
        is_slow: bool = False,
    ) -> None:
        self.port = free_port(transport)
        self.is_slow = is_slow
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
        if isinstance(event, ef.Invited) and not self.is_slow:
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


class Sink:
    """A transport and an owner of connections that take everything."""

    limits = Limits()

    def __init__(self, peer: tuple[str, int] | None = (HOST, 5060)) -> None:
        self.owner = self
        self.peer = peer
        self.messages: list[object] = []
        self.is_aborted = False

    def get_extra_info(self, _name: str) -> tuple[str, int] | None:
        return self.peer

    def add(self, *_: object) -> bool:
        return True

    def receive_message(self, message: object, _source: ef.Hop) -> None:
        self.messages.append(message)

    def abort(self) -> None:
        self.is_aborted = True


async def test_a_connection_that_is_busy_has_time_for_each_of_its_messages() -> None:
    sink = Sink()
    connection = _Connection(sink, "tcp", None)
    connection.connection_made(sink)
    whole = (
        b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\n"
        b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    connection.data_received(whole[:50])
    first = connection._timer
    connection.data_received(whole[50:60])
    assert connection._timer is first
    connection.data_received(whole[60:] + whole[:50])
    assert len(sink.messages) == 1
    assert connection._timer is not first
    connection._timer.cancel()


async def test_a_connection_whose_other_end_is_gone_already_is_let_go() -> None:
    sink = Sink(peer=None)
    connection = _Connection(sink, "tcp", None)
    connection.connection_made(sink)
    assert sink.is_aborted
    connection.connection_lost(None)


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


async def test_an_answer_is_brought_to_whom_lost_the_connection() -> None:
    """A response whose connection is gone goes to the port that the request's Via names (RFC 3261 18.2.2)."""
    bob = Party("tcp", is_slow=True)
    answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.put_nowait(await reader.readline())
        writer.close()

    async with parties(bob):
        server = await asyncio.start_server(take, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(HOST, bob.port)
        lines = [
            f"INVITE sip:me@{HOST} SIP/2.0",
            f"Via: SIP/2.0/TCP {HOST}:{port};branch=z9hG4bKlost",
            f"From: <sip:x@{HOST}>;tag=x",
            f"To: <sip:me@{HOST}>",
            "Call-ID: lost",
            "CSeq: 1 INVITE",
            f"Contact: <sip:x@{HOST}:{port};transport=tcp>",
            "Content-Length: 0",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(PATIENCE_SECONDS):
            invited = await bob.news.get()
            assert isinstance(invited, ef.Invited)
            writer.close()
            while bob.signalling._connections._open:  # noqa: ASYNC110 - nobody is told that it is closed
                await asyncio.sleep(0.01)
            bob.signalling.perform(bob.agent.accept(invited.call, b"offer", bob.signalling.now()))
            assert await answers.get() == b"SIP/2.0 200 OK\r\n"
        server.close()
