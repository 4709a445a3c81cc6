from __future__ import annotations

from typing import Any

import pytest

from vivavoce.legs.line import LineError
from vivavoce.options import Secret
from vivavoce.relay.effects import Dial
from vivavoce.routing import Route, Routes, Upstream, local_upstream
from vivavoce.server import linking
from vivavoce.server.breaker import State
from vivavoce.server.linking import Asked, Linker, Unavailable, address_of
from vivavoce.server.local_link import LocalLink
from vivavoce.server.routes import Chooser

ROUTE = Route(name="main", models=("*",), upstreams=(("a",), ("b",), ("local",)))
ONE = Route(name="main", models=("*",), upstreams=(("a",),))
START = Dial(1, "start")


class Wire:
    """A connection that says nothing."""

    opened_at = 0.0


class World:
    """A linker whose upstreams do what they are told."""

    def __init__(self, route: Route = ROUTE, **outcomes: LineError) -> None:
        self.outcomes = outcomes
        self.now = 0.0
        self.dialled: list[str] = []
        upstreams = {name: Upstream(name=name, url=f"ws://{name}.example") for name in "ab"}
        routes = Routes(upstreams=upstreams | {"local": local_upstream(60.0)})
        self.chooser = Chooser(routes, now=lambda: 0.0, chance=lambda: 0.5)
        self.linker = Linker(Asked("gpt-realtime"), route, self.chooser, self.dial, self.open_local, lambda: self.now)

    async def dial(self, upstream: Upstream, address: str, headers: dict[str, str]) -> Any:
        self.dialled.append(upstream.name)
        if upstream.name in self.outcomes:
            raise self.outcomes[upstream.name]
        return Wire()

    async def open_local(self, asked: Asked) -> LocalLink:
        return LocalLink()


async def test_the_next_upstream_is_dialled_when_one_cannot_be_had() -> None:
    world = World(a=LineError("refused", again=True))
    opened = await world.linker.open(START)
    assert (opened.place.upstream, world.dialled) == ("b", ["a", "b"])
    assert [world.chooser.sessions(name) for name in "ab"] == [0, 1]
    opened.release()
    assert world.chooser.sessions("b") == 0


async def test_the_engines_of_this_process_answer_when_nobody_else_does() -> None:
    world = World(a=LineError("refused", again=True), b=LineError("refused", again=True))
    opened = await world.linker.open(START)
    assert (opened.place.is_local, opened.place.model, opened.place.session_seconds) == (True, "gpt-realtime", 0.0)


async def test_what_cannot_be_had_is_told_with_its_reason() -> None:
    world = World(ONE, a=LineError("h: there is no such model", again=False, status=404))
    with pytest.raises(Unavailable, match=r"^a: h: there is no such model$") as raised:
        await world.linker.open(START)
    assert (raised.value.again, raised.value.told) == (False, "h: there is no such model")


async def test_what_the_operator_has_to_mend_is_not_told_to_clients() -> None:
    world = World(ONE, a=LineError("h: the key was refused", again=False, status=401))
    with pytest.raises(Unavailable) as raised:
        await world.linker.open(START)
    assert (str(raised.value), raised.value.told) == ("a: h: the key was refused", "")


async def test_a_key_that_a_server_quotes_is_told_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise LineError("h: the key was refused (HTTP 401): Incorrect API key provided: sk-secret.", again=False)

    monkeypatch.setattr(linking, "open_outbound", refuse)
    upstream = Upstream(name="a", url="ws://a.example", key=Secret("sk-secret"))
    with pytest.raises(LineError, match=r"Incorrect API key provided: \*\*\*\.$"):
        await linking.dial(upstream, "ws://a.example/v1/realtime", {})


def test_a_name_for_a_user_that_no_header_may_hold_is_left_out() -> None:
    upstream = Upstream(name="a", url="ws://a.example")
    for name, headers in (("u1", {"OpenAI-Safety-Identifier": "u1"}), ("ü\x01", {}), ("", {})):
        assert address_of(upstream, Asked("m", safety_identifier=name))[1] == headers


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (400, State.CLOSED),
        (403, State.CLOSED),
        (404, State.CLOSED),
        (401, State.OPEN),
        (500, State.OPEN),
        (None, State.OPEN),
    ],
)
async def test_asking_for_what_is_not_there_takes_no_upstream_out_of_service(status: int | None, state: State) -> None:
    world = World(a=LineError("no", again=False, status=status))
    for _ in range(3):
        await world.linker.open(START)
    assert world.chooser.state("a") is state


async def test_a_new_link_leads_where_the_last_one_did() -> None:
    route = Route(name="main", models=("*",), upstreams=(("a", "b"),))
    world = World(route)
    reached = {(await world.linker.open(Dial(2, "renewal"), prefer=name)).place.upstream for name in "bbbb"}
    assert reached == {"b"}


async def test_a_link_opened_ahead_of_need_has_less_of_its_life_before_it() -> None:
    world = World()
    world.now = 40.0
    opened = await world.linker.open(START)
    assert opened.place.session_seconds == 3560.0
