"""A relay session at work: order, slow clients, links that come too late, bugs, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from callers import StringLeg, settle
from vivavoce.legs import LegOwner
from vivavoce.relay.effects import Dial, Noted, Place, Used
from vivavoce.relay.session import RelaySession
from vivavoce.relay.terms import Terms
from vivavoce.server.ids import Ids
from vivavoce.server.linking import Opened, Unavailable
from vivavoce.server.relay_log import RelayLog
from vivavoce.server.relaying import RelayCall

CREATED = {"type": "session.created", "session": {"id": "x", "audio": {}}}
DELTA = {"type": "response.output_audio.delta", "item_id": "i", "delta": "AAAA"}


class StringWire:
    """A connection to an upstream that the test speaks for."""

    opened_at = 0.0

    def __init__(self) -> None:
        self.owner: LegOwner | None = None
        self.sent: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.is_paused = False
        self.allowed = 0

    def attach(self, owner: LegOwner) -> None:
        self.owner = owner

    def says(self, *events: dict[str, Any]) -> None:
        assert self.owner is not None
        for event in events:
            self.owner.receive_frame(json.dumps(event).encode())

    def send(self, data: bytes) -> None:
        self.sent.append(json.loads(data))

    def allow(self, burst_bytes: int) -> None:
        self.allowed += burst_bytes

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self, code: int, reason: str) -> None:
        self.closed = code


class StringLinker:
    """Opens links when the test says so."""

    def __init__(self) -> None:
        self.wires: list[StringWire] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.held = 0

    async def open(self, dial: Dial, prefer: str = "") -> Opened:
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.wires.append(StringWire())
        self.held += 1
        return Opened(self.wires[-1], Place(upstream="a"), self._release)

    def _release(self) -> None:
        self.held -= 1


class Exchange:
    """A call with its leg and linker."""

    def __init__(self, **terms: Any) -> None:
        self.now = 0.0
        self.leg = StringLeg()
        self.linker = StringLinker()
        self.noted: list[str] = []
        self.used: list[Used] = []
        self.leaves = False
        self.is_broken = False
        session = RelaySession(Terms(**{"session_id": "sess_1", "shape": "ga"} | terms), Ids("seed"))
        self.call = RelayCall(
            self.leg,
            session,
            self.linker,  # type: ignore[arg-type]
            now=lambda: self.now,
            log=RelayLog(None, "sess_1", {}),
            noted=self._note,
            used=self._use,
        )

    def _note(self, noted: Noted) -> bool:
        self.noted.append(noted.what)
        return self.leaves

    def _use(self, used: Used) -> None:
        if self.is_broken:
            raise RuntimeError("a bug")
        self.used.append(used)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[StringWire]:
        run = asyncio.ensure_future(self.call.run())
        await settle()
        wire = self.linker.wires[0] if self.linker.wires else StringWire()
        if wire.owner is not None:
            wire.says(CREATED)
        try:
            yield wire
        finally:
            self.call.leg_closed(1000, "")
            await run
            assert self.linker.held == 0, "every upstream has its room back"

    def client(self, **event: Any) -> None:
        self.call.receive_frame(json.dumps(event).encode())


async def test_frames_go_both_ways() -> None:
    exchange = Exchange()
    async with exchange.at_work() as wire:
        exchange.client(type="response.create")
        wire.says(DELTA)
        assert wire.sent == [{"type": "response.create"}]
        assert exchange.leg.types() == ["session.created", DELTA["type"]]
    assert wire.closed == 1000


async def test_a_link_that_comes_after_the_client_has_gone_is_closed() -> None:
    exchange = Exchange()
    exchange.linker.gate.clear()
    async with exchange.at_work():
        exchange.call.leg_closed(1000, "")
        exchange.linker.gate.set()
    assert [wire.closed for wire in exchange.linker.wires] in ([], [1000])


async def test_a_client_that_does_not_read_has_its_upstream_wait() -> None:
    exchange = Exchange()
    async with exchange.at_work() as wire:
        exchange.leg.queued_bytes = 1_000_000
        exchange.leg.free.clear()
        wire.says(DELTA)
        assert wire.is_paused
        exchange.leg.queued_bytes = 0
        exchange.leg.free.set()
        await settle()
        assert not wire.is_paused


async def test_an_upstream_that_comes_while_its_client_does_not_read_has_to_wait_too() -> None:
    exchange = Exchange()
    async with exchange.at_work() as wire:
        exchange.leg.queued_bytes = 1_000_000
        exchange.leg.free.clear()
        wire.says(DELTA)
        assert wire.owner is not None
        exchange.now = 10.0
        wire.owner.leg_closed(1006, "")
        await settle()
        later = exchange.linker.wires[1]
        assert not later.is_paused
        later.says(CREATED, DELTA)
        assert later.is_paused
        exchange.leg.free.set()
        await settle()
        assert not later.is_paused


async def test_a_lost_link_is_dialled_again() -> None:
    exchange = Exchange()
    async with exchange.at_work() as wire:
        exchange.now = 10.0
        assert wire.owner is not None
        wire.owner.leg_closed(1006, "")
        await settle()
        exchange.linker.wires[1].says(CREATED)
        exchange.client(type="response.create")
        assert exchange.linker.wires[1].sent == [{"type": "response.create"}]
        assert exchange.leg.types() == ["session.created"]
    assert exchange.noted == ["opened", "lost", "recovered"]


async def test_a_link_is_told_how_much_a_whole_conversation_is() -> None:
    exchange = Exchange()
    async with exchange.at_work() as wire:
        for number in range(20):
            item = {"id": f"item_{number}", "type": "message", "role": "user", "content": [], "status": "completed"}
            item["content"] = [{"type": "input_text", "text": "hello"}]
            exchange.client(type="conversation.item.create", item=item)
            wire.says({"type": "conversation.item.added", "previous_item_id": None, "item": item})
        exchange.now = 10.0
        assert wire.owner is not None
        wire.owner.leg_closed(1006, "")
        await settle()
        later = exchange.linker.wires[1]
        later.says(CREATED)
        assert len(later.sent) == 20
        assert later.allowed == sum(len(msgspec.json.encode(event)) for event in later.sent)
        assert wire.allowed == 0


async def test_what_cannot_be_had_is_told() -> None:
    exchange = Exchange()
    exchange.linker.fault = Unavailable("a: refused", again=False)
    async with exchange.at_work():
        assert exchange.leg.sent[0]["error"]["code"] == "upstream_refused"
        assert exchange.leg.closed == (4000, "server_error.upstream_refused")


async def test_an_upstream_that_does_badly_is_left() -> None:
    exchange = Exchange()
    async with exchange.at_work() as wire:
        exchange.leaves = True
        failed = {"id": "r", "status": "failed", "status_details": {"error": {"type": "server_error"}}}
        wire.says({"type": "response.created", "response": {"id": "r"}}, {"type": "response.done", "response": failed})
        await settle()
        exchange.leaves = False
        exchange.linker.wires[1].says(CREATED)
        assert wire.closed == 1000
    assert exchange.noted == ["opened", "response_failed", "renewed"]


async def test_a_bug_closes_the_leg_and_frees_the_link(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange()
    async with exchange.at_work() as wire:
        exchange.is_broken = True
        wire.says({"type": "response.done", "response": {"id": "r", "usage": {"total_tokens": 1}}})
        await settle()
    assert exchange.leg.closed == (1011, "internal error")
    assert "session sess_1 failed" in caplog.text


async def test_whoever_waits_for_the_end_is_told_and_may_take_the_conversation_on() -> None:
    exchange, told = Exchange(), []
    exchange.call.on_end(lambda: told.append(exchange.call.snapshot()))
    async with exchange.at_work() as wire:
        item = {"id": "i1", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
        wire.says({"type": "conversation.item.added", "previous_item_id": None, "item": item})
    assert json.loads(told[0])["items"] == [item]
