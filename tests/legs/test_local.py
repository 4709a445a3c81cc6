from __future__ import annotations

import asyncio

import pytest

from vivavoce.legs import Leg, LegOwner
from vivavoce.legs.line import LineError
from vivavoce.legs.local import MemoryLeg, MemoryWire


class Owner:
    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: list[tuple[int, str]] = []

    def receive_frame(self, data: bytes) -> None:
        self.frames.append(data)

    def leg_closed(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


def owned() -> tuple[MemoryLeg, Owner]:
    leg, owner = MemoryLeg(), Owner()
    leg.owner = owner
    return leg, owner


def test_it_is_a_leg_like_any_other() -> None:
    leg: Leg = MemoryLeg()
    owner: LegOwner = Owner()
    assert (leg.peer, leg.queued_bytes) == ("this process", 0)
    assert owner is not None


async def test_messages_go_both_ways_in_order() -> None:
    leg, owner = owned()
    wire = MemoryWire(leg)
    await wire.send(b"one")
    await wire.send(b"two")
    leg.send(b"three")
    leg.send(b"four")
    assert owner.frames == [b"one", b"two"]
    assert [await wire.receive(), await wire.receive()] == [b"three", b"four"]
    assert leg.queued_bytes == 0


async def test_what_was_sent_before_the_end_can_still_be_read() -> None:
    leg, _ = owned()
    wire = MemoryWire(leg)
    leg.send(b"last")
    leg.close(4000, "enough")
    leg.send(b"too late")
    assert await wire.receive() == b"last"
    with pytest.raises(LineError, match="code 4000"):
        await wire.receive()
    with pytest.raises(LineError, match="code 4000"):
        await wire.send(b"hello?")


async def test_the_session_learns_of_the_end_once_and_not_within_its_own_step() -> None:
    leg, owner = owned()
    leg.close(1001, "bye")
    leg.close(1000, "")
    assert owner.closed == []
    await asyncio.sleep(0)
    assert owner.closed == [(1001, "bye")]


async def test_a_session_that_outruns_its_client_waits_until_it_was_read() -> None:
    leg, _ = owned()
    wire = MemoryWire(leg)
    leg.send(bytes(1 << 20))
    await leg.drain()
    leg.send(b"more")
    draining = asyncio.ensure_future(leg.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    await wire.receive()
    await draining


async def test_a_client_that_hangs_up_lets_the_waiting_session_go() -> None:
    leg, owner = owned()
    ended: list[str] = []

    async def hung_up() -> None:
        ended.append("tasks")

    wire = MemoryWire(leg, hung_up=hung_up)
    leg.send(bytes(2 << 20))
    draining = asyncio.ensure_future(leg.drain())
    await asyncio.sleep(0)
    await wire.close()
    await wire.close()
    await draining
    assert owner.closed == [(1000, "")]
    assert ended == ["tasks"]


async def test_a_reader_waits_for_the_next_message() -> None:
    leg, _ = owned()
    reading = asyncio.ensure_future(MemoryWire(leg).receive())
    await asyncio.sleep(0)
    assert not reading.done()
    leg.send(b"here")
    assert await reading == b"here"


async def test_a_client_waits_until_the_session_can_take_more() -> None:
    leg, owner = owned()
    gate = asyncio.Event()

    async def ready() -> None:
        await gate.wait()

    sending = asyncio.ensure_future(MemoryWire(leg, ready=ready).send(b"audio"))
    await asyncio.sleep(0)
    assert owner.frames == [b"audio"]
    assert not sending.done()
    gate.set()
    await sending


async def test_a_wire_without_a_session_says_so() -> None:
    with pytest.raises(LineError, match="nobody answers"):
        await MemoryWire(MemoryLeg()).send(b"hello?")
