from __future__ import annotations

import asyncio
import gc
import json
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from callers import StringLeg, settle
from vivavoce.core.limits import Limits
from vivavoce.core.settings import McpServer, Settings, Transcription
from vivavoce.dialects import conversation
from vivavoce.legs import Leg, LegOwner
from vivavoce.relay.effects import Noted
from vivavoce.routing import Route, Routes, Upstream
from vivavoce.server.admission import Connection
from vivavoce.server.breaker import State
from vivavoce.server.client_secrets import Grant
from vivavoce.server.costs import Costs
from vivavoce.server.ledger import Ledger
from vivavoce.server.linking import Asked
from vivavoce.server.metrics import Metrics
from vivavoce.server.prices import usual_rates
from vivavoce.server.relaying import RelayCall
from vivavoce.server.relays import LOCAL_ROUTE, Relays, given, owner_of

ROUTE = Route(name="main", models=("*",), upstreams=(("a",),))
A = Upstream(name="a", url="ws://a.example", models={"*": "gpt-realtime-2.1"}, pool=0)
UPSTREAMS = {"a": A}
MILLION = {"input_tokens": 1_000_000, "input_token_details": {"text_tokens": 1_000_000}, "output_tokens": 0}


def connection(**query: str) -> Connection:
    return Connection(
        path="/v1/realtime", query=query, headers={}, subprotocols=(), key_id="k", peer="192.0.2.1:1", dialect_hint=""
    )


class StringWire:
    """A connection to an upstream that the test speaks for."""

    opened_at = 0.0

    def __init__(self) -> None:
        self.opened_at = time.monotonic()
        self.owner: LegOwner | None = None
        self.sent: list[dict[str, Any]] = []
        self.closed: int | None = None

    def attach(self, owner: LegOwner) -> None:
        self.owner = owner
        self.says("session.created", session={"type": "realtime", "id": "sess_x", "model": "gpt-realtime-2.1"})

    def says(self, kind: str, **fields: Any) -> None:
        assert self.owner is not None
        self.owner.receive_frame(json.dumps({"type": kind, "event_id": "event_x", **fields}).encode())

    def send(self, data: bytes) -> None:
        self.sent.append(json.loads(data))

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.closed = code


class World:
    """Relays to one upstream, and what they tell."""

    def __init__(self, budget_usd: float | None = None, patience_seconds: float = 20.0) -> None:
        self.wires: list[StringWire] = []
        self.dialled_again = asyncio.Event()
        self.ledger = Ledger(0.0, lambda: 0.0)
        self.metrics = Metrics(UPSTREAMS)
        self.costs = Costs(usual_rates(), UPSTREAMS, self.metrics.charged)
        self.noted: list[Noted] = []
        self.relays = Relays(
            Routes(upstreams={"a": msgspec.structs.replace(A, patience_seconds=patience_seconds)}, routes=(ROUTE,)),
            Limits(),
            None,
            self.dial,
            self.open_call,
            self.costs,
            self.ledger,
            budget_usd,
            noted=self.note,
            metrics=self.metrics,
        )

    def note(self, noted: Noted) -> None:
        self.noted.append(noted)
        self.metrics.relay_noted(noted)

    async def dial(self, upstream: Upstream, address: str, headers: dict[str, str]) -> Any:
        self.wires.append(StringWire())
        if len(self.wires) > 1:
            self.dialled_again.set()
        return self.wires[-1]

    def open_call(self, asked: Asked, leg: Leg) -> LegOwner:
        raise AssertionError("nobody asks for the engines of this process")

    @property
    def figures(self) -> list[str]:
        return self.metrics.text().decode().splitlines()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[tuple[RelayCall, StringLeg]]:
        leg = StringLeg()
        call = self.relays.accept(connection(), leg, ROUTE, Settings(), "gpt-realtime")
        run = asyncio.create_task(call.run())
        await settle()
        try:
            yield call, leg
        finally:
            call.leg_closed(1000, "")
            await run

    async def answers(self, **fields: Any) -> None:
        response = {"id": "resp_x", "status": "completed", "output": [], "usage": MILLION} | fields
        self.wires[-1].says("response.created", response={"id": "resp_x", "status": "in_progress", "output": []})
        self.wires[-1].says("response.done", response=response)
        await settle()


async def test_a_response_is_charged_to_its_session_its_key_and_its_upstream() -> None:
    world = World()
    async with world.call():
        await world.answers()
    assert world.ledger.spent_usd("k") == pytest.approx(4.0)
    assert world.costs.totals_usd == {"a": pytest.approx(4.0)}
    assert 'vivavoce_cost_usd_total{upstream="a"} 4.0' in world.figures


async def test_a_session_that_has_cost_all_it_may_ends() -> None:
    world = World(budget_usd=5.0)
    async with world.call() as (_, leg):
        await world.answers()
        assert leg.closed is None
        await world.answers()
        errors = [message["error"] for message in leg.sent if message["type"] == "error"]
        assert [(error["code"], error["message"]) for error in errors] == [
            ("insufficient_quota", "The budget of this session, $5, is used up.")
        ]
        assert leg.closed is not None


async def test_a_link_counts_as_long_as_its_session_lasts() -> None:
    world = World()
    async with world.call():
        assert world.relays.chooser.sessions("a") == 1
        assert 'vivavoce_relay_links_open{upstream="a"} 1.0' in world.figures
    assert world.relays.chooser.sessions("a") == 0
    assert 'vivavoce_relay_links_open{upstream="a"} 0.0' in world.figures


async def test_responses_that_fail_take_an_upstream_out_of_service() -> None:
    world = World()
    error = {"type": "insufficient_quota", "code": "insufficient_quota"}
    async with world.call():
        await world.answers(status="failed", usage=None, status_details={"type": "failed", "error": error})
        assert world.relays.chooser.state("a") is State.OPEN
        assert 'vivavoce_relay_responses_failed_total{upstream="a"} 1.0' in world.figures


async def test_a_link_that_broke_is_counted_and_another_takes_its_place() -> None:
    world = World()
    async with world.call():
        owner = world.wires[0].owner
        assert owner is not None
        owner.leg_closed(1006, "")
        await settle()
        assert len(world.wires) == 2
    assert [noted.what for noted in world.noted if noted.what in ("lost", "recovered")] == ["lost", "recovered"]
    assert 'vivavoce_relay_lost_total{upstream="a"} 1.0' in world.figures
    assert "vivavoce_relay_gap_seconds_count 1.0" in world.figures
    assert world.relays.chooser.state("a") is State.CLOSED


async def test_an_upstream_that_does_not_begin_to_answer_has_failed_to() -> None:
    world = World(patience_seconds=0.01)
    async with world.call() as (call, _):
        call.receive_frame(b'{"type":"response.create"}')
        async with asyncio.timeout(10):
            await world.dialled_again.wait()
    assert 'vivavoce_relay_responses_failed_total{upstream="a"} 1.0' in world.figures


@pytest.mark.parametrize(
    ("model", "kind", "query", "route"),
    [
        ("gpt-realtime", "realtime", {}, ROUTE),
        ("vivavoce", "realtime", {}, None),
        ("vivavoce", "realtime", {"resume": ""}, LOCAL_ROUTE),
        ("vivavoce", "translation", {"resume": ""}, None),
        ("", "transcription", {}, ROUTE),
    ],
)
def test_a_connection_takes_the_route_of_its_model(
    model: str, kind: str, query: dict[str, str], route: Route | None
) -> None:
    assert World().relays.route_for(connection(**query), model, kind) == route


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("invalid_api_key", State.OPEN),
        ("no_session_began", State.OPEN),
        ("1006", State.OPEN),
        ("invalid_model", State.CLOSED),
        ("missing_required_parameter", State.CLOSED),
    ],
)
async def test_an_upstream_that_ends_connections_at_once_is_left_alone_unless_the_request_is_to_blame(
    code: str, state: State
) -> None:
    world = World()
    for _ in range(5):
        world.relays._noted(Noted("rejected", {"upstream": "a", "code": code}))
    assert world.relays.chooser.state("a") is state


class WaitingWire(StringWire):
    """A connection that can wait for its session."""

    is_open = True

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.opened_at = asyncio.get_running_loop().time()


async def test_models_that_routes_name_have_connections_ready_before_anybody_comes() -> None:
    wires: list[WaitingWire] = []

    async def dial(
        upstream: Upstream, address: str, headers: dict[str, str], lost: Callable[[Any], None] | None = None
    ) -> Any:
        wires.append(WaitingWire(address))
        return wires[-1]

    def open_call(asked: Asked, leg: Leg) -> LegOwner:
        raise AssertionError("nobody asks for the engines of this process")

    upstreams = {name: Upstream(name=name, url=f"ws://{name}.example", pool=1) for name in "ab"}
    named = Route(name="named", models=("one", "two", "any*", ""), upstreams=(("a",), ("b",)))
    ours = Route(name="ours", models=("three",), upstreams=(("local",),))
    metrics = Metrics(upstreams)
    relays = Relays(
        Routes(upstreams=upstreams, routes=(named, ours)), Limits(), None, dial, open_call, Costs({}, upstreams),
        None, None, metrics=metrics,
    )  # fmt: skip
    relays.warm()
    await settle()
    assert sorted(wire.address for wire in wires) == [
        f"ws://a.example/v1/realtime{query}" for query in ("", "?model=one", "?model=two")
    ]
    assert 'vivavoce_relay_pooled{upstream="a"} 3.0' in metrics.text().decode()
    ready = {wire.address: wire for wire in wires}
    leg = StringLeg()
    run = asyncio.create_task((call := relays.accept(connection(), leg, named, Settings(), "two")).run())
    await settle()
    assert ready["ws://a.example/v1/realtime?model=two"].owner is not None
    assert len(wires) == 4
    call.leg_closed(1000, "")
    await run
    await relays.close()
    assert {wire.closed for wire in wires} == {1000}


def test_what_a_session_begins_with_is_told_without_what_is_usual_or_unset() -> None:
    assert given(Settings()) == {}
    assert given(conversation.begun(Settings(transcription=Transcription("whisper-1")), is_relayed=True)) == {
        "audio": {
            "input": {"format": {"type": "audio/pcm", "rate": 16_000}, "transcription": {"model": "whisper-1"}},
            "output": {"format": {"type": "audio/pcm", "rate": 16_000}},
        },
        "include": ["item.input_audio_transcription.logprobs"],
    }


def test_tools_of_a_client_secret_are_told_with_what_lets_the_upstream_in() -> None:
    server = McpServer("shop", "https://shop.example", authorization="token", headers={"X-Shop": "1"})
    (tool,) = given(Settings(mcp_servers=(server,)))["tools"]
    assert (tool["type"], tool["authorization"], tool["headers"]) == ("mcp", "token", {"X-Shop": "1"})


async def test_a_transcription_begins_with_the_model_of_its_address() -> None:
    world = World()
    settings = Settings(kind="transcription", transcription=Transcription(model="whisper-1"))
    call = world.relays.accept(connection(intent="transcription"), StringLeg(), ROUTE, settings, "whisper-1")
    run = asyncio.create_task(call.run())
    await settle()
    (update,) = world.wires[-1].sent
    assert update["session"] == {
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "whisper-1"}}},
    }
    call.leg_closed(1000, "")
    await run


async def test_a_conversation_begins_elsewhere_with_the_settings_of_the_small_protocol() -> None:
    world = World()
    asked = msgspec.structs.replace(connection(), path="/ws/conversation", dialect_hint="ga")
    settings = conversation.begun(Settings(), is_relayed=True)
    leg = StringLeg()
    call = world.relays.accept(asked, leg, ROUTE, settings, "gpt-realtime")
    run = asyncio.create_task(call.run())
    await settle()
    update = next(event for event in world.wires[-1].sent if event["type"] == "session.update")
    heard = update["session"]["audio"]["input"]
    assert heard["transcription"] == {"model": "gpt-4o-mini-transcribe"}
    # The server elsewhere takes 24 kHz alone, and the relay converts.
    assert heard.get("format", {"rate": 24_000})["rate"] == 24_000
    call.leg_closed(1000, "")
    await run


def test_a_client_secret_goes_on_only_with_what_it_was_made_for() -> None:
    def owner(grant: Grant | None, kind: str = "realtime") -> str:
        return owner_of(msgspec.structs.replace(connection(resume=""), grant=grant), kind)

    grant = Grant(Settings(instructions="Sell."), key_id="k")
    other = Grant(Settings(instructions="Help."), key_id="k")
    others = {owner(other), owner(None), owner(grant, "transcription"), owner(None, "transcription")}
    assert owner(grant) == owner(Grant(Settings(instructions="Sell."), key_id="k"))
    assert len(others | {owner(grant)}) == 5


async def test_a_session_that_has_ended_is_freed_at_once() -> None:
    world = World()
    gc.collect()
    gc.disable()
    try:
        async with world.call() as (call, _):
            gone = weakref.ref(call)
            await world.answers()
        world.wires.clear()
        del call
        await settle()
        assert gone() is None
    finally:
        gc.enable()
