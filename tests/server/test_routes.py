from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from vivavoce.relay.effects import Place
from vivavoce.routing import Route, Routes, Upstream, local_upstream
from vivavoce.server.breaker import State
from vivavoce.server.metrics import Metrics
from vivavoce.server.routes import Chooser, place_of

ROUTE = Route(name="main", models=("*",), upstreams=(("a", "b"), ("c",), ("local",)))


class World:
    """A chooser with a clock and chance in hand."""

    def __init__(self, route: Route = ROUTE, **weights: int) -> None:
        self.now = 0.0
        self.told: list[tuple[str, State]] = []
        names = [name for name in route.names if name != "local"]
        upstreams = {name: Upstream(name=name, url=f"ws://{name}", weight=weights.get(name, 1)) for name in names}
        upstreams["local"] = local_upstream(60.0)
        self.route = route
        self.chooser = self.of(upstreams)

    def of(self, upstreams: dict[str, Upstream]) -> Chooser:
        routes = Routes(upstreams=upstreams, routes=(self.route,))
        chance = random.Random(7).random
        told = lambda name, state: self.told.append((name, state))  # noqa: E731
        return Chooser(routes, now=lambda: self.now, chance=chance, told=told)

    def order(self, avoid: str = "", prefer: str = "") -> list[str]:
        return [upstream.name for upstream in self.chooser.pick(self.route, frozenset(avoid.split()), prefer)]

    def break_(self, name: str) -> None:
        for _ in range(3):
            self.chooser.failed(name, OSError("refused"))


def test_ranks_come_in_their_order() -> None:
    world = World()
    for _ in range(20):
        order = world.order()
        assert set(order[:2]) == {"a", "b"}
        assert order[2:] == ["c", "local"]


def test_within_a_rank_each_comes_first_by_its_weight() -> None:
    world = World(a=3, b=1)
    firsts = Counter(world.order()[0] for _ in range(4000))
    assert firsts["a"] / 4000 == pytest.approx(0.75, abs=0.02)


def test_without_weight_one_comes_last_in_its_rank() -> None:
    world = World(a=0)
    assert {tuple(world.order()) for _ in range(20)} == {("b", "a", "c", "local")}


def test_the_one_that_holds_the_session_comes_first_in_its_rank() -> None:
    world = World()
    assert {world.order(prefer="b")[0] for _ in range(20)} == {"b"}
    assert {tuple(world.order(prefer="local")[2:]) for _ in range(20)} == {("c", "local")}


def test_those_to_be_avoided_come_last() -> None:
    assert World(a=1, b=0).order(avoid="a c") == ["b", "local", "a", "c"]


def test_one_whose_breaker_is_open_comes_after_all_others_have_failed() -> None:
    world = World(b=0)
    world.break_("a")
    assert world.order() == ["b", "c", "local", "a"]
    assert world.told == [("a", State.OPEN)]


def test_if_all_are_open_the_one_that_failed_first_is_tried_all_the_same() -> None:
    world = World()
    for name in ("c", "a", "local", "b"):
        world.break_(name)
        world.now += 0.1
    assert world.order() == ["c"]


def test_a_trial_lets_one_session_through_and_what_comes_of_it_decides() -> None:
    world = World(b=0)
    world.break_("a")
    world.now = 2.0
    assert next(world.chooser.pick(ROUTE)).name == "a"
    assert next(world.chooser.pick(ROUTE)).name == "b"
    world.chooser.opened("a", 0.2)
    assert next(world.chooser.pick(ROUTE)).name == "a"
    assert world.told == [("a", State.OPEN), ("a", State.HALF_OPEN), ("a", State.CLOSED)]


def test_the_choice_is_made_when_it_is_asked_for() -> None:
    world = World(b=0)
    picked = world.chooser.pick(ROUTE)
    assert next(picked).name == "a"
    world.break_("b")
    assert next(picked).name == "c"


def test_one_that_holds_all_sessions_it_may_is_left_out() -> None:
    route = Route(name="main", models=("*",), upstreams=(("a",), ("local",)))
    world = World(route)
    world.chooser = world.of({"a": Upstream(name="a", url="ws://a", max_sessions=2), "local": local_upstream(60.0)})
    first, second = world.chooser.hold("a"), world.chooser.hold("a")
    assert (world.order(), world.chooser.sessions("a"), world.chooser.is_available("a")) == (["local"], 2, False)
    assert world.order(prefer="a") == ["a", "local"]
    first()
    first()
    assert (world.order(), world.chooser.sessions("a"), world.chooser.is_available("a")) == (["a", "local"], 1, True)
    second()
    assert world.chooser.sessions("a") == 0


def test_nothing_is_returned_where_no_upstream_has_room() -> None:
    route = Route(name="main", models=("*",), upstreams=(("a",),))
    world = World(route)
    world.chooser = world.of({"a": Upstream(name="a", url="ws://a", max_sessions=1)})
    world.chooser.hold("a")
    assert world.order() == []


def test_refusing_a_request_says_nothing_against_an_upstream() -> None:
    world = World(b=0)
    world.chooser.failed("a", OSError())
    world.chooser.failed("a", OSError())
    for _ in range(50):
        world.chooser.refused("a")
    assert world.chooser.state("a") is State.CLOSED
    world.chooser.failed("a", OSError())
    assert world.chooser.state("a") is State.OPEN
    world.chooser.refused("a")
    assert world.chooser.state("a") is State.CLOSED


@pytest.mark.parametrize("code", ["invalid_value", "content_filter", "model_not_found", "unsupported_content_type"])
def test_responses_that_failed_by_a_clients_fault_do_not_count(code: str) -> None:
    world = World()
    for _ in range(100):
        world.chooser.response_failed("a", code)
    assert world.chooser.state("a") is State.CLOSED


@pytest.mark.parametrize(
    ("code", "count"),
    [("server_error", 8), ("rate_limit_exceeded", 8), ("", 8), ("insufficient_quota", 1), ("invalid_api_key", 1)],
)
def test_failed_responses_open_the_breaker_and_an_answer_in_time_closes_it(code: str, count: int) -> None:
    world = World()
    for _ in range(count - 1):
        world.chooser.response_failed("a", code)
    assert world.chooser.state("a") is State.CLOSED
    world.chooser.response_failed("a", code)
    assert world.chooser.state("a") is State.OPEN
    world.now = 2.0
    world.chooser.first_event("a", 0.4)
    assert world.chooser.state("a") is State.CLOSED


def test_an_upstream_that_is_slow_to_answer_is_left_alone() -> None:
    world = World()
    for _ in range(20):
        world.chooser.first_event("a", 10.5)
    assert world.chooser.state("a") is State.OPEN


def test_each_upstream_fails_for_itself() -> None:
    world = World()
    for name in itertools.islice(itertools.cycle("abc"), 6):
        world.chooser.failed(name, OSError())
    assert world.told == []


def test_a_place_is_what_an_upstream_is_to_a_client() -> None:
    upstream = Upstream(
        name="a",
        url="wss://api.openai.com/v1",
        shape="beta",
        session_seconds=60.0,
        formats=frozenset({"audio/pcm"}),
        rates_hz=frozenset({16_000}),
    )
    assert place_of(upstream, "gpt-4o-realtime-preview") == Place(
        upstream="a",
        shape="beta",
        model="gpt-realtime-2.1",
        session_seconds=60.0,
        formats=frozenset({"audio/pcm"}),
        rates_hz=frozenset({16_000}),
    )
    assert place_of(local_upstream(60.0), "x").is_local


def test_what_is_reported_is_counted() -> None:
    metrics = Metrics(["a"])
    routes = Routes(upstreams={"a": Upstream(name="a", url="ws://a")})
    chooser = Chooser(routes, now=lambda: 0.0, chance=lambda: 0.5, metrics=metrics)
    chooser.hold("a")
    chooser.hold("a")()
    chooser.opened("a", 0.3)
    chooser.first_event("a", 0.6)
    chooser.refused("a")
    chooser.response_failed("a", "invalid_value")
    for _ in range(3):
        chooser.failed("a", OSError())
    lines = metrics.text().decode().splitlines()
    assert {
        'vivavoce_relay_links_open{upstream="a"} 1.0',
        'vivavoce_relay_open_seconds_sum{upstream="a"} 0.3',
        'vivavoce_relay_answer_seconds_sum{upstream="a"} 0.6',
        'vivavoce_relay_unavailable_total{upstream="a"} 4.0',
        'vivavoce_relay_responses_failed_total{upstream="a"} 1.0',
        'vivavoce_relay_breaker{state="open",upstream="a"} 1.0',
        'vivavoce_relay_breaker{state="closed",upstream="a"} 0.0',
    } <= set(lines)
