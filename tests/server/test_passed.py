from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callers import StringLeg, settle
from vivavoce.legs.line import LineError
from vivavoce.relay.effects import Used
from vivavoce.server import passed
from vivavoce.server.passed import Far, PassedCall


class StringWire:
    """A socket to the upstream."""

    def __init__(self) -> None:
        self.owner: Any = None
        self.sent: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def attach(self, owner: Any) -> None:
        self.owner = owner

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def say(self, event: dict[str, Any]) -> None:
        self.owner.receive_frame(json.dumps(event).encode())


class Upstream:
    """The call at its upstream; what is dialled is kept."""

    def __init__(self) -> None:
        self.wires: list[StringWire] = []
        self.failures: list[LineError] = []
        self.hang_up_failure: LineError | None = None
        self.hung_up = 0
        self.may_dial = asyncio.Event()
        self.may_dial.set()
        self.used: list[Used] = []
        self.ended: list[str] = []

    async def dial(self) -> StringWire:
        await self.may_dial.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.wires.append(StringWire())
        return self.wires[-1]

    async def hang_up(self) -> None:
        self.hung_up += 1
        if self.hang_up_failure is not None:
            raise self.hang_up_failure

    @asynccontextmanager
    async def call(self, most_seconds: float = 3600.0) -> AsyncIterator[PassedCall]:
        far = Far("back", "theirs", self.dial, self.hang_up, most_seconds)
        call = PassedCall("rtc_u1_1", far, used=self.used.append, ended=self.ended.append)
        await settle()
        yield call
        call.abandon("the test is over")
        await settle()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passed, "_AGAIN_SECONDS", (0.0, 0.0, 0.0))


async def test_what_a_call_costs_is_told_by_the_upstream() -> None:
    upstream = Upstream()
    async with upstream.call():
        [watch] = upstream.wires
        watch.say(
            {"type": "session.created", "session": {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}}
        )
        watch.say({"type": "response.done", "response": {"usage": {"input_tokens": 7}}})
        watch.say({"type": "conversation.item.input_audio_transcription.completed", "usage": {"seconds": 2}})
        watch.say({"type": "response.done", "response": None})
        watch.say({"type": "response.output_text.delta", "delta": "x"})
        watch.owner.receive_frame(b'{"type":"response.done",')
    assert upstream.used == [
        Used("back", "theirs", "response", {"input_tokens": 7}),
        Used("back", "whisper-1", "transcription", {"seconds": 2}),
    ]


async def test_a_controller_speaks_with_the_upstream() -> None:
    upstream, leg = Upstream(), StringLeg()
    async with upstream.call() as call:
        upstream.may_dial.clear()
        owner = call.attach(leg)
        assert owner is not None
        owner.receive_frame(b"early")
        upstream.may_dial.set()
        await settle()
        owner.receive_frame(b"late")
        wire = upstream.wires[1]
        assert wire.sent == [b"early", b"late"]
        wire.say({"type": "session.created"})
        assert leg.types() == ["session.created"]
        owner.leg_closed(1000, "")
        assert wire.closed == (1000, "")
        assert upstream.ended == []


async def test_the_end_of_a_call_is_told_to_its_controllers() -> None:
    upstream, leg = Upstream(), StringLeg()
    async with upstream.call() as call:
        call.attach(leg)
        await settle()
        upstream.wires[0].owner.leg_closed(1000, "over")
        assert upstream.ended == ["the upstream ended it (code 1000)"]
        assert leg.closed == (1000, "the call has ended")
        assert call.attach(StringLeg()) is None
    assert upstream.hung_up == 0


@pytest.mark.parametrize(("code", "told"), [(4000, 4000), (1006, 1013)])
async def test_a_controller_is_closed_as_the_upstream_closes_it(code: int, told: int) -> None:
    upstream, leg = Upstream(), StringLeg()
    async with upstream.call() as call:
        call.attach(leg)
        await settle()
        upstream.wires[1].owner.leg_closed(code, "why")
        assert leg.closed == (told, "why")
        assert upstream.ended == []


async def test_a_connection_that_broke_is_no_end_of_the_call() -> None:
    upstream = Upstream()
    async with upstream.call():
        for count in (1, 2, 3):
            assert len(upstream.wires) == count
            upstream.wires[-1].owner.leg_closed(1006, "")
            await settle()
        assert len(upstream.wires) == 3
        assert upstream.ended == []


async def test_an_upstream_that_does_not_tell_of_its_calls_has_them_for_as_long_as_they_may_last() -> None:
    upstream = Upstream()
    upstream.failures = [LineError("not here", again=False)]
    async with upstream.call(most_seconds=0.01):
        assert (upstream.wires, upstream.ended) == ([], [])
        await asyncio.wait_for(_until(upstream), 5)
        assert upstream.ended == ["its time was over"]


async def _until(upstream: Upstream) -> None:
    while not upstream.ended:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)


async def test_an_upstream_that_is_not_there_for_a_moment_is_dialled_again() -> None:
    upstream = Upstream()
    upstream.failures = [LineError("busy", again=True)]
    async with upstream.call():
        assert len(upstream.wires) == 1


async def test_a_call_is_ended_by_its_upstream_and_goes_on_where_that_refuses() -> None:
    upstream = Upstream()
    async with upstream.call() as call:
        upstream.hang_up_failure = LineError("no", again=True)
        with pytest.raises(LineError):
            await call.hang_up("a controller hung up")
        assert upstream.ended == []
        upstream.hang_up_failure = None
        await call.hang_up("a controller hung up")
        assert upstream.ended == ["a controller hung up"]
        assert upstream.wires[0].closed == (1000, "")
        await call.hang_up("again")
    assert upstream.hung_up == 2


async def test_a_controller_that_cannot_reach_the_upstream_is_told_to_come_again() -> None:
    upstream, leg = Upstream(), StringLeg()
    async with upstream.call() as call:
        upstream.failures = [LineError("busy", again=True)]
        call.attach(leg)
        await settle()
        assert leg.closed == (1013, "the upstream of this call cannot be reached")


async def test_controllers_are_bounded_and_so_is_what_they_say_early() -> None:
    upstream = Upstream()
    async with upstream.call() as call:
        upstream.may_dial.clear()
        legs = [StringLeg() for _ in range(passed.MAX_SIDEBANDS)]
        owners = [call.attach(leg) for leg in legs]
        assert None not in owners
        assert call.attach(StringLeg()) is None
        first = owners[0]
        assert first is not None
        first.receive_frame(b"x" * 1024 * 1024)
        first.receive_frame(b"x")
        assert legs[0].closed == (1008, "too much was said before the call could hear it")
        assert call.attach(StringLeg()) is not None
        upstream.may_dial.set()
