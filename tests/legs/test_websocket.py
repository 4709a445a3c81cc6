from __future__ import annotations

import asyncio
import gc
import socket
import weakref

import pytest

from sockets import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, ClockLoop, FakeTransport, closing, frame, run, settle
from vivavoce.config import Limits
from vivavoce.legs.websocket import WebSocketLeg

LIMITS = Limits(max_frame_bytes=400_000, max_queue_bytes=100_000, high_water_bytes=10_000)
LARGEST = b"x" * LIMITS.max_frame_bytes


class Owner:
    """Writes down what a leg tells."""

    def __init__(self, leg: WebSocketLeg | None = None) -> None:
        self.leg = leg
        self.messages: list[bytes] = []
        self.endings: list[tuple[int, str]] = []

    def receive_frame(self, data: bytes) -> None:
        self.messages.append(data)
        if data == b"fail":
            raise RuntimeError("a bug")

    def leg_closed(self, code: int, reason: str) -> None:
        self.endings.append((code, reason))


def opened(
    limits: Limits = LIMITS, *, tls: bool = False
) -> tuple[WebSocketLeg, FakeTransport, Owner, list[WebSocketLeg]]:
    transport, lost = FakeTransport(tls=tls), []
    leg = WebSocketLeg(transport, limits, lost.append)
    owner = Owner(leg)
    leg.attach(owner)
    return leg, transport, owner, lost


def test_messages_come_whole_and_in_order() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        transport.feed(frame(TEXT, b"one") + frame(TEXT, "zwölf".encode()) + frame(TEXT, LARGEST))
        assert owner.messages == [b"one", "zwölf".encode(), LARGEST]
        assert not transport.frames()

    run(test)


def test_what_came_behind_the_upgrade_is_delivered_first() -> None:
    async def test(loop: ClockLoop) -> None:
        transport, owner = FakeTransport(), Owner()
        leg = WebSocketLeg(transport, LIMITS, lambda _leg: None)
        early = frame(TEXT, b"early") + frame(TEXT, b"y" * 50_000)
        leg.attach(owner, early + frame(TEXT, b"split")[:4])
        transport.feed(frame(TEXT, b"split")[4:])
        assert owner.messages == [b"early", b"y" * 50_000, b"split"]

    run(test)


def test_a_message_may_come_byte_by_byte_and_in_fragments_with_pings_between() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        word = "ü".encode()
        stream = frame(TEXT, word[:1], fin=False) + frame(PING, b"p") + frame(CONTINUATION, word[1:])
        for byte in stream + frame(TEXT, b"") + frame(TEXT, b"next"):
            transport.feed(bytes([byte]))
        assert owner.messages == [word, b"", b"next"]
        assert transport.frames() == [(PONG, b"p")]

    run(test)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 8192, 8193, 65535, 65536, 300_000])
def test_messages_of_every_length_are_framed_well(size: int) -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, _ = opened()
        leg.send(b"x" * size)
        assert transport.frames() == [(TEXT, b"x" * size)]

    run(test)


def test_queued_messages_are_not_changed_by_later_ones() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, _ = opened()
        transport.stuck = True
        messages = [bytes([65 + i]) * (9000 + 977 * i) for i in range(9)]
        for message in messages:
            leg.send(message)
        transport.unstick()
        assert transport.frames() == [(TEXT, message) for message in messages]

    run(test)


@pytest.mark.parametrize(
    ("bytes_sent", "code"),
    [
        (frame(BINARY, b"abc"), 1003),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"x"), 1007),
        (frame(TEXT, b"abc", rsv=4), 1002),
        (frame(TEXT, b"abc", masked=False), 1002),
        (frame(3, b"abc"), 1002),
        (frame(CONTINUATION, b"abc"), 1002),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (frame(PING, b"a", fin=False), 1002),
        (frame(PING, b"a" * 126), 1002),
        (closing(1005), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(TEXT, b"", said=LIMITS.max_frame_bytes + 1), 1009),
        (frame(TEXT, b"", said=1 << 40), 1009),
        (frame(TEXT, LARGEST, fin=False) + frame(CONTINUATION, b"x"), 1009),
    ],
)
@pytest.mark.parametrize("tls", [False, True])
def test_broken_rules_are_answered_by_their_close_code(bytes_sent: bytes, code: int, tls: bool) -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, lost = opened(tls=tls)
        transport.feed(bytes_sent)
        transport.feed(frame(TEXT, b"ignored"))
        await settle()
        [(kind, payload)] = transport.frames()
        assert (kind, int.from_bytes(payload[:2])) == (CLOSE, code)
        assert [ending[0] for ending in owner.endings] == [code]
        assert owner.messages == []
        await loop.pass_time(LIMITS.close_seconds + 1)
        assert lost
        assert len(owner.endings) == 1

    run(test)


def test_nothing_is_buffered_after_the_framing_broke() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        transport.feed(frame(BINARY, b"x"))
        transport.feed(frame(TEXT, b"", said=1 << 40))
        for _ in range(100):
            space = transport.protocol.get_buffer(-1)
            assert len(space) <= 65536
            transport.protocol.buffer_updated(len(space))
        assert owner.messages == []

    run(test)


def test_a_large_message_leaves_no_large_buffer_behind() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        before = len(transport.protocol.get_buffer(-1))
        transport.feed(frame(TEXT, LARGEST))
        assert len(transport.protocol.get_buffer(-1)) == before
        transport.feed(frame(TEXT, LARGEST) + frame(TEXT, b"half")[:3])
        transport.feed(frame(TEXT, b"half")[3:])
        assert len(transport.protocol.get_buffer(-1)) == before
        transport.feed(frame(TEXT, b"next"))
        assert owner.messages == [LARGEST, LARGEST, b"half", b"next"]
        assert transport.frames() == []

    run(test)


def test_a_client_that_reads_nothing_is_cut_off_and_costs_nothing_more() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        transport.stuck = True
        for _ in range(50):
            leg.send(b"x" * 5000)
        assert owner.endings == []  # never from inside a call to the leg
        await settle()
        assert owner.endings == [(1013, "slow client")]
        assert transport.ending == "aborted"
        assert lost == [leg]
        assert leg.queued_bytes == 0
        leg.send(b"late")
        assert transport.frames() == []

    run(test)


def test_one_message_beyond_the_limit_still_goes_out() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, _ = opened()
        transport.stuck = True
        leg.send(b"x" * (2 * LIMITS.max_queue_bytes))
        await settle()
        assert owner.endings == []
        transport.unstick()
        assert len(transport.frames()) == 1

    run(test)


def test_a_client_that_pings_and_reads_nothing_is_cut_off() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        transport.stuck = True
        for _ in range(1000):
            transport.feed(frame(PING, b"p" * 125))
        await settle()
        assert owner.endings == [(1013, "slow client")]

    run(test)


def test_draining_waits_for_the_client_and_ends_with_the_leg() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, _ = opened()
        await leg.drain()
        transport.stuck = True
        leg.send(b"x" * 20_000)
        assert leg.queued_bytes > 20_000
        waiting = loop.create_task(leg.drain())
        await settle()
        assert not waiting.done()
        transport.unstick()
        await settle()
        assert waiting.done()
        transport.stuck = True
        leg.send(b"x" * 20_000)
        waiting = loop.create_task(leg.drain())
        await settle()
        leg.close(1000, "")
        await settle()
        assert waiting.done()

    run(test)


def test_a_client_stalled_for_two_pings_is_cut_off() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, _ = opened()
        transport.stuck = True
        leg.send(b"x" * 20_000)
        for _ in range(4):
            transport.feed(frame(TEXT, b"still here"))
            await loop.pass_time(LIMITS.ping_seconds)
        assert owner.endings == [(1013, "slow client")]

    run(test)


def test_closing_sends_what_was_sent_before_and_waits_for_the_answer() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        leg.send(b"last words")
        leg.close(4000, "invalid_request_error.invalid_model")
        leg.close(1000, "not twice")
        leg.send(b"too late")
        transport.feed(frame(TEXT, b"too late as well"))
        reason = b"\x0f\xa0invalid_request_error.invalid_model"
        assert transport.frames() == [(TEXT, b"last words"), (CLOSE, reason)]
        assert transport.ending == ""
        transport.feed(closing(4000))
        await settle()
        assert transport.ending == "closed"
        assert lost == [leg]
        assert owner.endings == [(4000, "invalid_request_error.invalid_model")]
        assert owner.messages == []
        assert transport.frames() == []

    run(test)


def test_a_client_that_does_not_answer_a_close_is_cut_off_in_time() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, lost = opened()
        leg.shutdown()
        assert transport.frames() == [(CLOSE, b"\x03\xf4server restarting")]
        await loop.pass_time(LIMITS.close_seconds - 0.5)
        assert not lost
        await loop.pass_time(1)
        assert lost
        assert transport.ending == "aborted"

    run(test)


def test_reasons_are_cut_between_characters() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, _ = opened()
        leg.close(1001, "ü" * 100)
        assert transport.frames() == [(CLOSE, b"\x03\xe9" + "ü".encode() * 61)]

    run(test)


@pytest.mark.parametrize(
    ("sent", "answer", "told"),
    [
        (closing(1000), 1000, (1000, "")),
        (closing(3001, b"bye"), 3001, (3001, "bye")),
        (frame(CLOSE), 1000, (1005, "")),
        (closing(1006), 1000, (1006, "")),
        (closing(60_000), 1000, (60_000, "")),
    ],
)
def test_a_close_is_answered(sent: bytes, answer: int, told: tuple[int, str]) -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        transport.feed(sent + frame(TEXT, b"late"))
        await settle()
        assert transport.frames() == [(CLOSE, answer.to_bytes(2))]
        assert owner.endings == [told]
        assert owner.messages == []
        assert lost == [leg]

    run(test)


def test_a_lost_connection_is_told_once() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        assert leg.eof_received() is None
        transport.close()
        await settle()
        assert owner.endings == [(1006, "the connection was lost")]
        assert lost == [leg]
        leg.close(1000, "")
        await loop.pass_time(100)
        assert len(owner.endings) == 1

    run(test)


def test_a_bug_of_the_owner_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        transport.feed(frame(TEXT, b"fail") + frame(TEXT, b"next"))
        await settle()
        assert transport.frames() == [(CLOSE, b"\x03\xf3")]
        assert owner.endings == [(1011, "")]

    run(test)
    assert "a bug" in caplog.text


def test_a_silent_client_is_pinged_and_then_closed() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, lost = opened()
        await loop.pass_time(LIMITS.ping_seconds)
        assert transport.frames() == [(PING, b"")]
        await loop.pass_time(LIMITS.ping_seconds)
        assert transport.frames() == [(CLOSE, b"\x03\xf3no answer to pings")]
        assert owner.endings == [(1011, "no answer to pings")]
        await loop.pass_time(LIMITS.close_seconds + 0.5)
        assert lost

    run(test)


def test_a_client_that_answers_pings_may_be_silent() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        for _ in range(200):
            await loop.pass_time(LIMITS.ping_seconds)
            assert transport.frames() == [(PING, b"")]
            transport.feed(frame(PONG))
        assert owner.endings == []

    run(test)


def test_a_slow_upload_is_no_silence_but_has_its_limit() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        transport.feed(frame(TEXT, b"", said=100_000))
        seconds = 0.0
        while not owner.endings:
            transport.feed(b"x")
            await loop.pass_time(5)
            seconds += 5
        assert owner.endings == [(1008, "a message took too long")]
        assert LIMITS.message_seconds <= seconds <= LIMITS.message_seconds + 3 * LIMITS.ping_seconds

    run(test)


def test_fragments_that_never_end_have_the_same_limit() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        transport.feed(frame(TEXT, b"", fin=False))
        for _ in range(60):
            transport.feed(frame(CONTINUATION, b"x", fin=False) + frame(PONG))
            await loop.pass_time(5)
        assert owner.endings == [(1008, "a message took too long")]

    run(test)


def test_fragmented_messages_may_go_on_for_ever() -> None:
    async def test(loop: ClockLoop) -> None:
        _, transport, owner, _ = opened()
        transport.feed(frame(TEXT, b"a", fin=False))
        for _ in range(100):
            transport.feed(frame(CONTINUATION, b"b") + frame(TEXT, b"a", fin=False))
            await loop.pass_time(5)
        assert owner.endings == []
        assert len(owner.messages) == 100

    run(test)


def test_small_frames_leave_at_once() -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, _, _ = opened()
        assert transport.socket.options[socket.TCP_NODELAY] == 1
        assert leg.peer == "192.0.2.7:5000"

    run(test)


@pytest.mark.parametrize(
    ("peername", "peer"), [(("::1", 9, 0, 0), "[::1]:9"), (None, "unknown"), ("", "unknown"), (("h", 1), "h:1")]
)
def test_peers_are_told_as_people_write_them(peername: object, peer: str) -> None:
    async def test(loop: ClockLoop) -> None:
        transport = FakeTransport()
        transport.infos["peername"] = peername
        assert WebSocketLeg(transport, LIMITS, lambda _leg: None).peer == peer

    run(test)


@pytest.mark.parametrize("cause", [b"", closing(1000), frame(BINARY)])
def test_a_leg_that_is_gone_waits_for_no_collector(cause: bytes) -> None:
    async def test(loop: ClockLoop) -> None:
        leg, transport, owner, lost = opened()
        watched = weakref.ref(transport)
        if cause:
            transport.feed(cause)
        else:
            transport.close()
        await loop.pass_time(LIMITS.close_seconds + 1)
        assert lost == [leg]
        del transport
        await asyncio.sleep(0)
        # The owner keeps the leg, but neither keeps what the peer did not read.
        assert watched() is None
        assert owner.leg is leg

    gc.disable()
    try:
        run(test)
    finally:
        gc.enable()
