from __future__ import annotations

import asyncio
import datetime
import gc
import socket
import ssl
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sockets import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    ClockLoop,
    FakeTransport,
    frame,
    read_frames,
    run,
    settle,
)  # fmt: skip
from vivavoce.config import OutboundLimits
from vivavoce.legs.framing import accept_of
from vivavoce.legs.line import LineError
from vivavoce.legs.outbound import OutboundLeg, open_outbound
from vivavoce.server.tls import self_signed, server_context

LIMITS = OutboundLimits(max_frame_bytes=400_000, max_queue_bytes=100_000, high_water_bytes=10_000, max_early_bytes=1000)
LARGEST = b"x" * LIMITS.max_frame_bytes


def said(kind: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, length: int = -1) -> bytes:
    """Return a frame as a server sends it."""
    return frame(kind, payload, fin=fin, masked=False, rsv=rsv, said=length)


def closed(code: int, reason: bytes = b"") -> bytes:
    """Return a close frame as a server sends it."""
    return said(CLOSE, code.to_bytes(2) + reason)


class Owner:
    """Writes down what a leg tells."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.endings: list[tuple[int, str]] = []

    def receive_frame(self, data: bytes) -> None:
        self.messages.append(data)
        if data == b"fail":
            raise RuntimeError("a bug")

    def leg_closed(self, code: int, reason: str) -> None:
        self.endings.append((code, reason))


def opened(*, tls: bool = False) -> tuple[OutboundLeg, FakeTransport, Owner, list[OutboundLeg]]:
    transport, lost, owner = FakeTransport(tls=tls), [], Owner()
    leg = OutboundLeg(transport, LIMITS, lost.append)
    leg.attach(owner)
    return leg, transport, owner, lost


def test_messages_come_whole_and_in_order() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        word = "zwölf".encode()
        fragments = said(TEXT, word[:3], fin=False) + said(PING, b"p") + said(CONTINUATION, word[3:])
        stream = said(TEXT, b"one") + fragments + said(TEXT, b"")
        for byte in stream:
            transport.feed(bytes([byte]))
        transport.feed(said(TEXT, LARGEST) + said(TEXT, b"last"))
        assert owner.messages == [b"one", word, b"", LARGEST, b"last"]
        assert transport.frames(masked=True) == [(PONG, b"p")]

    run(test)


@pytest.mark.parametrize("size", [0, 1, 3, 63, 64, 65, 125, 126, 8192, 8193, 65535, 65536, 300_000])
def test_messages_of_every_length_are_masked_and_what_was_handed_in_is_not_touched(size: int) -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, _ = opened()
        message = bytes(range(256)) * (size // 256 + 1)
        for start in range(4):
            # Places in memory that the mask is laid over in different steps.
            part = message[start:size]
            before = bytearray(part)
            leg.send(part)
            assert part == before
            assert transport.frames(masked=True) == [(TEXT, part)]

    run(test)


@pytest.mark.parametrize("tls", [False, True])
def test_queued_messages_are_not_changed_by_later_ones(tls: bool) -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, _ = opened(tls=tls)
        transport.stuck = True
        messages = [bytes([65 + i]) * (50 + 1777 * i) for i in range(9)]
        for message in messages:
            leg.send(message)
        transport.unstick()
        assert transport.frames(masked=True) == [(TEXT, message) for message in messages]

    run(test)


def test_what_is_said_before_anybody_listens_is_kept() -> None:
    async def test(loop: ClockLoop) -> None:
        transport, owner = FakeTransport(), Owner()
        leg = OutboundLeg(transport, LIMITS)
        transport.feed(said(TEXT, b"session.created") + said(TEXT, b"more") + said(TEXT, b"split")[:4])
        leg.attach(owner)
        assert owner.messages == [b"session.created", b"more"]
        transport.feed(said(TEXT, b"split")[4:])
        assert owner.messages == [b"session.created", b"more", b"split"]
        assert leg.is_open

    run(test)


def test_who_takes_a_leg_that_has_ended_learns_what_was_said_and_how_it_ended() -> None:
    async def test(loop: ClockLoop) -> None:
        transport, owner = FakeTransport(), Owner()
        leg = OutboundLeg(transport, LIMITS)
        transport.feed(said(TEXT, b"an error") + closed(4000, b"session_expired"))
        await settle()
        assert not leg.is_open
        leg.attach(owner)
        assert owner.messages == [b"an error"]
        assert owner.endings == []  # never from inside a call to the leg
        await settle()
        assert owner.endings == [(4000, "session_expired")]

    run(test)


def test_who_says_too_much_before_anybody_listens_is_cut_short() -> None:
    async def test(loop: ClockLoop) -> None:
        transport, owner = FakeTransport(), Owner()
        leg = OutboundLeg(transport, LIMITS)
        for _ in range(20):
            transport.feed(said(TEXT, b"x" * 100))
        assert not leg.is_open
        leg.attach(owner)
        await settle()
        assert [ending[0] for ending in owner.endings] == [1008]
        assert len(owner.messages) == 11

    run(test)


def test_a_bug_of_who_takes_a_leg_closes_it(caplog: pytest.LogCaptureFixture) -> None:
    async def test(loop: ClockLoop) -> None:
        transport, owner = FakeTransport(), Owner()
        leg = OutboundLeg(transport, LIMITS)
        transport.feed(said(TEXT, b"fail") + said(TEXT, b"next"))
        leg.attach(owner)
        await settle()
        assert owner.messages == [b"fail"]
        assert owner.endings == [(1011, "")]
        assert transport.frames(masked=True) == [(CLOSE, b"\x03\xf3")]

    run(test)
    assert "a bug" in caplog.text


@pytest.mark.parametrize(
    ("bytes_sent", "code"),
    [
        (said(BINARY, b"abc"), 1003),
        (said(TEXT, b"\xff\xfe"), 1007),
        (said(TEXT, b"\xc3", fin=False) + said(CONTINUATION, b"x"), 1007),
        (said(TEXT, b"abc", rsv=4), 1002),
        (frame(TEXT, b"abc", masked=True), 1002),
        (said(CONTINUATION, b"abc"), 1002),
        (said(TEXT, b"", length=LIMITS.max_frame_bytes + 1), 1009),
        (said(TEXT, LARGEST, fin=False) + said(CONTINUATION, b"x"), 1009),
    ],
)
def test_broken_rules_are_answered_by_their_close_code(bytes_sent: bytes, code: int) -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, lost = opened()
        transport.feed(bytes_sent)
        transport.feed(said(TEXT, b"ignored"))
        await settle()
        [(kind, payload)] = transport.frames(masked=True)
        assert (kind, int.from_bytes(payload[:2])) == (CLOSE, code)
        assert [ending[0] for ending in owner.endings] == [code]
        assert owner.messages == []
        await loop.pass_time(LIMITS.close_seconds + 1)
        assert lost

    run(test)


def test_closing_sends_what_was_sent_before_and_is_told_once() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        leg.send(b"last words")
        leg.close(1000, "done")
        leg.close(1001, "not twice")
        leg.send(b"too late")
        assert not leg.is_open
        assert owner.endings == []
        assert transport.frames(masked=True) == [(TEXT, b"last words"), (CLOSE, b"\x03\xe8done")]
        transport.feed(said(TEXT, b"too late as well") + closed(1000))
        await settle()
        assert owner.endings == [(1000, "done")]
        assert owner.messages == []
        assert lost == [leg]

    run(test)


def test_the_close_of_a_server_is_answered_and_told() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        transport.feed(said(TEXT, b"an error") + closed(1008, b"invalid_request_error"))
        await settle()
        assert transport.frames(masked=True) == [(CLOSE, b"\x03\xf0")]
        assert owner.messages == [b"an error"]
        assert owner.endings == [(1008, "invalid_request_error")]
        assert lost == [leg]

    run(test)


def test_a_lost_connection_is_told_once() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        transport.close()
        await settle()
        assert owner.endings == [(1006, "the connection was lost")]
        assert lost == [leg]
        leg.send(b"")
        leg.pause_reading()
        leg.resume_reading()
        leg.close(1000, "")
        await leg.drain()
        assert leg.queued_bytes == 0
        await loop.pass_time(100)
        assert len(owner.endings) == 1

    run(test)


def test_a_silent_server_is_pinged_and_then_given_up() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, lost = opened()
        await loop.pass_time(LIMITS.ping_seconds)
        assert transport.frames(masked=True) == [(PING, b"")]
        await loop.pass_time(LIMITS.ping_seconds)
        assert owner.endings == [(1011, "no answer to pings")]
        await loop.pass_time(LIMITS.close_seconds + 0.5)
        assert lost

    run(test)


def test_a_server_that_answers_pings_may_be_silent() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        for _ in range(100):
            await loop.pass_time(LIMITS.ping_seconds)
            transport.feed(said(PONG))
        assert owner.endings == []

    run(test)


def test_who_is_not_listened_to_is_not_taken_for_silent() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, _ = opened()
        leg.pause_reading()
        leg.pause_reading()
        assert transport.is_reading_paused
        await loop.pass_time(20 * LIMITS.ping_seconds - 1)
        leg.resume_reading()
        assert not transport.is_reading_paused
        await loop.pass_time(LIMITS.ping_seconds)
        assert owner.endings == []
        assert {kind for kind, _ in transport.frames(masked=True)} == {PING}
        await loop.pass_time(LIMITS.ping_seconds)
        assert owner.endings == [(1011, "no answer to pings")]

    run(test)


def test_a_close_is_awaited_even_if_nobody_listened() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        leg.pause_reading()
        leg.close(1000, "")
        assert not transport.is_reading_paused
        transport.feed(closed(1000))
        await settle()
        assert owner.endings == [(1000, "")]
        assert lost == [leg]

    run(test)


def test_a_server_that_reads_nothing_is_cut_off_when_too_much_waits_for_it() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        transport.stuck = True
        for _ in range(50):
            leg.send(b"x" * 5000)
        assert owner.endings == []  # never from inside a call to the leg
        await settle()
        assert owner.endings == [(1013, "slow upstream")]
        assert transport.ending == "aborted"
        assert lost == [leg]
        assert leg.queued_bytes == 0

    run(test)


def test_what_is_said_at_once_may_wait_besides() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, _ = opened()
        transport.stuck = True
        leg.allow(200_000)
        for _ in range(40):
            leg.send(b"x" * 5000)
        leg.send(b"x" * 5000)
        await settle()
        assert owner.endings == []
        transport.unstick()
        transport.stuck = True
        for _ in range(50):
            leg.send(b"x" * 5000)
        await settle()
        assert owner.endings == [(1013, "slow upstream")]

    run(test)


def test_a_picture_may_wait_besides_and_no_more_than_a_few() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, _ = opened()
        transport.stuck = True
        most = LIMITS.max_burst_bytes + LIMITS.max_queue_bytes
        picture = b"x" * (LIMITS.max_burst_bytes // 4)
        for count in range(1, 8):
            leg.send(picture)
            await settle()
            assert (owner.endings == []) == ((count - 1) * len(picture) <= most)

    run(test)


def test_a_server_that_reads_nothing_for_long_is_cut_off() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, _ = opened()
        transport.stuck = True
        leg.send(b"x" * 20_000)
        await loop.pass_time(LIMITS.stall_seconds / 2)
        transport.feed(said(TEXT, b"still here"))
        leg.send(b"x" * 5_000)
        await loop.pass_time(LIMITS.stall_seconds / 2 - 0.5)
        assert owner.endings == []
        await loop.pass_time(1)
        assert owner.endings == [(1013, "slow upstream")]
        assert transport.ending == "aborted"

    run(test)


def test_a_server_may_read_as_slowly_as_it_likes() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, _ = opened()
        transport.stuck = True
        for _ in range(40):
            leg.send(b"x" * 500)
        for _ in range(30):
            transport.sent += transport.queue.pop(0)
            leg.send(b"little")
            await loop.pass_time(LIMITS.stall_seconds - 1)
            transport.feed(said(PONG))
        assert owner.endings == []
        transport.unstick()
        await loop.pass_time(LIMITS.stall_seconds - 1)
        transport.feed(said(PONG))
        await loop.pass_time(LIMITS.stall_seconds - 1)
        assert owner.endings == []

    run(test)


def test_draining_waits_for_the_server_and_ends_with_the_leg() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, _ = opened()
        transport.stuck = True
        leg.send(b"x" * 20_000)
        waiting = loop.create_task(leg.drain())
        await settle()
        assert not waiting.done()
        transport.unstick()
        await settle()
        assert waiting.done()
        transport.stuck = True
        leg.send(b"x" * 20_000)
        waiting = loop.create_task(leg.drain())
        leg.close(1000, "")
        await settle()
        assert waiting.done()

    run(test)


@pytest.mark.parametrize("cause", [b"", closed(1000), said(BINARY)])
def test_a_leg_that_is_gone_waits_for_no_collector(cause: bytes) -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        transport.stuck = True
        leg.send(b"x" * 20_000)
        transport.unstick()
        watched = weakref.ref(transport)
        if cause:
            transport.feed(cause)
        else:
            transport.close()
        await loop.pass_time(LIMITS.close_seconds + 1)
        assert lost == [leg]
        del transport
        await asyncio.sleep(0)
        assert watched() is None
        assert owner.endings

    gc.disable()
    try:
        run(test)
    finally:
        gc.enable()


# Dialling, to a peer that is played by the test over a pair of sockets.

Play = Callable[["Peer"], Coroutine[Any, Any, None]]


class Peer:
    """The other end of the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self.connection = connection
        self.request = b""

    async def read_request(self) -> dict[str, str]:
        """Return the headers of the request; its line is that of the empty name."""
        while not self.request.endswith(b"\r\n\r\n"):
            self.request += await self._loop.sock_recv(self.connection, 1)
        first, *lines = self.request.decode().strip().split("\r\n")
        return {"": first} | {name: value for name, _, value in (line.partition(": ") for line in lines)}

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.connection, data)

    async def agree(self, behind: bytes = b"", extra: bytes = b"") -> None:
        headers = await self.read_request()
        accept = accept_of(headers["Sec-WebSocket-Key"].encode())
        head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\n"
        await self.send(head + extra + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + behind)


async def dialled(
    play: Play,
    address: str = "ws://h:8000/v1/realtime?model=m",
    headers: dict[str, str] | None = None,
    limits: OutboundLimits = LIMITS,
    tls: ssl.SSLContext | None = None,
    owner: Owner | None = None,
) -> OutboundLeg:
    """Dial a peer that does as `play` says."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with far:
        playing = asyncio.create_task(play(Peer(far)))
        try:
            return await open_outbound(address, headers or {}, tls=tls, owner=owner, limits=limits, connected=near)
        finally:
            await playing


async def test_a_leg_is_asked_for_as_a_websocket_and_has_what_came_with_the_answer() -> None:
    requests: list[dict[str, str]] = []

    async def play(peer: Peer) -> None:
        await peer.agree(said(TEXT, b"session.created") + said(TEXT, b"half")[:3])
        requests.append(await peer.read_request())

    owner = Owner()
    leg = await dialled(play, headers={"Authorization": "Bearer k", "OpenAI-Beta": "realtime=v1"})
    leg.attach(owner)
    assert owner.messages == [b"session.created"]
    [headers] = requests
    assert headers.pop("Sec-WebSocket-Key")
    assert headers.pop("User-Agent").startswith("vivavoce/")
    assert headers == {
        "": "GET /v1/realtime?model=m HTTP/1.1",
        "Host": "h:8000",
        "Authorization": "Bearer k",
        "OpenAI-Beta": "realtime=v1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
    }


async def test_an_owner_named_at_once_hears_everything() -> None:
    owner = Owner()

    async def play(peer: Peer) -> None:
        await peer.agree(said(TEXT, b"session.created"))

    await dialled(play, owner=owner)
    assert owner.messages == [b"session.created"]


@pytest.mark.parametrize(
    ("answer", "text", "again"),
    [
        (
            b"401 Unauthorized\r\nContent-Length: 41\r\n\r\n" + b'{"error": {"message": "Incorrect key."}} ',
            "the key was refused (HTTP 401): Incorrect key.",
            False,
        ),
        (
            b"429 Too Many Requests\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'1a\r\n{"error": {"message": "Slo\r\n8\r\nwly."}} \r\n0\r\n\r\n',
            "the session was refused (HTTP 429): Slowly.",
            True,
        ),
        (b"404 Gone\r\n\r\n<b>no</b>", "there is no such endpoint or model (HTTP 404): <b>no</b>", False),
        (b"503 Too busy\r\nContent-Length: 0\r\n\r\n", "the session was refused (HTTP 503): Too busy", True),
        (b"403 No\r\nContent-Length: 99\r\n\r\nhalf", "access was refused (HTTP 403): half", False),
        (b"301 Moved\r\nContent-Length: 0\r\n\r\n", "the session was refused (HTTP 301): Moved", False),
    ],
)
async def test_a_refusal_is_told_in_the_words_of_the_server(answer: bytes, text: str, again: bool) -> None:
    async def play(peer: Peer) -> None:
        await peer.read_request()
        whole = b"HTTP/1.1 " + answer
        for start in range(0, len(whole), 7):
            await peer.send(whole[start : start + 7])
            await asyncio.sleep(0)
        peer.connection.shutdown(socket.SHUT_WR)

    with pytest.raises(LineError) as caught:
        await dialled(play)
    assert str(caught.value) == f"h: {text}"
    assert caught.value.again is again


async def test_a_refusal_that_does_not_hang_up_is_told_all_the_same() -> None:
    async def play(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b'HTTP/1.1 401 No\r\nContent-Length: 18\r\n\r\n{"error": "A key"}')
        assert await asyncio.get_running_loop().sock_recv(peer.connection, 100) == b""

    with pytest.raises(LineError, match=r"refused \(HTTP 401\): A key"):
        await dialled(play)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"220 mail ready\r\n", "what it says is not HTTP/1.1"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web", "its answer ended too early"),
        (b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "its Sec-WebSocket-Accept is wrong"),
        (b"HTTP/1.1 101 Yes\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "it upgrades to something else"),
        (b"HTTP/1.1 abc\r\n\r\n", "its answer is not HTTP/1.1"),
        (b"HTTP/1.1 101 Yes\r\nX: " + b"x" * 70_000, "its answer ended too early"),
    ],
)
async def test_a_server_of_something_else_does_not_pass_for_one(answer: bytes, text: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(answer)
        peer.connection.shutdown(socket.SHUT_WR)

    with pytest.raises(LineError) as caught:
        await dialled(play)
    told = str(caught.value)
    assert told.startswith(f"cannot reach h:8000: it does not answer as a WebSocket server ({text}")
    assert told.endswith("is it wss:// rather than ws://?")
    assert not caught.value.again


async def test_a_server_that_is_about_to_stop_is_worth_another_attempt() -> None:
    async def play(peer: Peer) -> None:
        await peer.read_request()
        peer.connection.shutdown(socket.SHUT_WR)

    with pytest.raises(LineError, match=r"^cannot reach h:8000: it closed the connection at once$") as caught:
        await dialled(play)
    assert caught.value.again


async def test_an_extension_that_was_not_asked_for_is_no_agreement() -> None:
    async def play(peer: Peer) -> None:
        await peer.agree(extra=b"Sec-WebSocket-Extensions: permessage-deflate\r\n")

    with pytest.raises(LineError, match="an extension that was not asked for"):
        await dialled(play)


def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    async def test(loop: ClockLoop) -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        with far:
            dialling = loop.create_task(
                open_outbound("ws://h/", {}, tls=None, owner=None, limits=LIMITS, connected=near)
            )
            await loop.pass_time(LIMITS.open_seconds - 1)
            assert not dialling.done()
            await loop.pass_time(2)
            with pytest.raises(LineError, match=r"^cannot reach h: no answer within 10 s$") as caught:
                await dialling
            assert caught.value.again
            far.settimeout(1)
            assert b"GET / HTTP/1.1" in far.recv(10_000)
            assert far.recv(1) == b""

    run(test)


async def test_a_dial_that_is_wanted_no_longer_leaves_no_connection() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with far:
        loop = asyncio.get_running_loop()
        dialling = asyncio.create_task(
            open_outbound("ws://h/", {}, tls=None, owner=None, limits=LIMITS, connected=near)
        )
        assert b"GET" in await loop.sock_recv(far, 10_000)
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        assert await loop.sock_recv(far, 1) == b""


@pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"X Y": "a"}, {"X": "Ω"}, {"X:": "a"}, {"": "a"}])
async def test_a_header_that_would_be_two_is_not_sent(headers: dict[str, str]) -> None:
    with pytest.raises(LineError, match="cannot be sent") as caught:
        await open_outbound("ws://h/", headers, tls=None, owner=None, limits=LIMITS)
    assert not caught.value.again


async def test_a_host_without_an_address_is_told_by_name() -> None:
    async def nobody(*_args: object, **_options: object) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    asyncio.get_running_loop().getaddrinfo = nobody  # type: ignore[method-assign]
    with pytest.raises(LineError, match=r"cannot reach none\.invalid: the host name none\.invalid cannot be resolved"):
        await open_outbound("ws://none.invalid/", {}, tls=None, owner=None, limits=LIMITS)


async def test_a_server_that_speaks_no_tls_is_told_so() -> None:
    async def play(peer: Peer) -> None:
        await asyncio.get_running_loop().sock_recv(peer.connection, 10_000)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with pytest.raises(LineError, match=r"TLS failed \(.*\); is it ws:// rather than wss://\?"):
        await dialled(play, "wss://h/v1/realtime")


# Over sockets that take little at a time, on both event loops.

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
MESSAGES = [bytes([33 + i % 90]) * (i * i * 97 % 70_001 // (1 + i % 4)) for i in range(90)] + [b"z" * 400_000]
SENT_BYTES = sum(len(frame(TEXT, message)) for message in MESSAGES)


class Slow(asyncio.Protocol):
    """A server that reads little at a time, and keeps it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.has_all: asyncio.Future[list[tuple[int, bytes]]] = asyncio.get_running_loop().create_future()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if b"Sec-WebSocket-Key" in self.received:
            head, _, rest = bytes(self.received).partition(b"\r\n\r\n")
            key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
            self.received[:] = rest
            self.transport.write(
                b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                + accept_of(key) + b"\r\n\r\n"
            )  # fmt: skip
        if len(self.received) == SENT_BYTES:
            self.has_all.set_result(read_frames(bytes(self.received), masked=True)[0])
        # Slowly: nothing more before everybody else had a turn.
        self.transport.pause_reading()
        asyncio.get_running_loop().call_soon(self.transport.resume_reading)


class Awaited(Owner):
    """An owner whose last message and end can be waited for."""

    def __init__(self, last: bytes) -> None:
        super().__init__()
        self.last = last
        self.has_last, self.has_ended = asyncio.Event(), asyncio.Event()

    def receive_frame(self, data: bytes) -> None:
        super().receive_frame(data)
        if data == self.last:
            self.has_last.set()

    def leg_closed(self, code: int, reason: str) -> None:
        super().leg_closed(code, reason)
        self.has_ended.set()


@pytest.mark.parametrize("make_loop", LOOPS)
@pytest.mark.parametrize("has_tls", [False, True])
def test_big_and_many_messages_arrive_intact_over_a_slow_socket(
    make_loop: Callable[[], asyncio.AbstractEventLoop], has_tls: bool, tmp_path: Path
) -> None:
    files = self_signed(tmp_path, "localhost", datetime.datetime.now(datetime.UTC)) if has_tls else None
    trust = ssl.create_default_context(cafile=str(files.authority)) if files else None
    limits = OutboundLimits(max_queue_bytes=50_000_000)

    async def test() -> None:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        for each in (near, far):
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        context = server_context(str(files.server), "") if files else None
        server, owner = Slow(), Awaited(MESSAGES[-1])
        serving = asyncio.create_task(loop.connect_accepted_socket(lambda: server, far, ssl=context))
        scheme = "wss" if has_tls else "ws"
        leg = await open_outbound(f"{scheme}://localhost/", {}, tls=trust, owner=owner, limits=limits, connected=near)
        transport, _ = await serving
        for message in MESSAGES:
            leg.send(message)
        assert leg.queued_bytes > SENT_BYTES // 2
        assert await server.has_all == [(TEXT, message) for message in MESSAGES]
        for message in MESSAGES:
            transport.write(said(TEXT, message))
        await owner.has_last.wait()
        assert owner.messages == MESSAGES
        leg.close(1000, "")
        transport.write(closed(1000))
        await owner.has_ended.wait()
        transport.abort()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(test())
