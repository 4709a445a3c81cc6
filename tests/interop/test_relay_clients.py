"""Real clients hold the same conversations through the relay, to strict stand-ins of either shape."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import order
from interop import clients, environments, relays, servers
from interop.clients import CLIENTS, FORTY_TWO, REFUSALS, SUNNY, THOROUGH, Client, Run

pytestmark = pytest.mark.interop

ANSWERS: dict[str, Any] = {
    "heard": "what is six times seven",
    "rules": [
        ["plus thirty|six times seven", "It is 42."],
        [r"weather in (\w+)", r'call get_weather {"location": "\1"}'],
    ],
    "pace": 4.0,
}
"""What the stand-in has to know for the conversations."""


Case = tuple[Client, str]
"""A client, and the shape of the server behind the relay."""

MIRRORED = ("openai-python", "openai-python-beta-tls", "openai-agents-python", "openai-node-ws", "openai-agents-node")
CASES: list[Case] = [
    *((client, "ga") for client in CLIENTS),
    *((client, "beta") for client in CLIENTS if client.name in MIRRORED),
]
THOROUGH_CASES = [case for case in CASES if case[0] in THOROUGH]


def _name(case: Case) -> str:
    return f"{case[0].name}-to-{case[1]}"


@pytest.fixture(scope="module")
def ga_upstream() -> Iterator[relays.Upstream]:
    with relays.standing_in(ANSWERS, judge=environments.python("openai")) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def beta_upstream() -> Iterator[relays.Upstream]:
    models = ["gpt-4o-realtime-preview"]
    terms = {**ANSWERS, "shape": "beta", "models": models}
    with relays.standing_in(terms, judge=environments.python("openai")) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def relay(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, bool], servers.Server]]:
    """A relay to the stand-in of a shape, with TLS or without, begun when first needed."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def begun(shape: str, tls: bool) -> servers.Server:
            upstream: relays.Upstream = request.getfixturevalue(f"{shape}_upstream")
            models = {"*": "gpt-4o-realtime-preview"} if shape == "beta" else relays.PRESENT
            routing = relays.table("openai", upstream.url, shape=shape, models=models)
            return stack.enter_context(relays.relaying(tmp_path_factory.mktemp("relay"), routing, tls=tls))

        yield begun


@pytest.fixture(scope="module")
def hold(
    relay: Callable[[str, bool], servers.Server], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Case], Run]:
    """Has a client hold its conversations, once for all tests."""

    @functools.cache
    def held(case: Case) -> Run:
        client, shape = case
        return clients.hold(client, relay(shape, client.is_secure), tmp_path_factory.mktemp(_name(case)))

    return held


@pytest.fixture(params=CASES, ids=_name)
def run(request: pytest.FixtureRequest, hold: Callable[[Case], Run]) -> Run:
    """The conversations of each client in turn."""
    return hold(request.param)


def test_a_written_question_is_answered_aloud(run: Run) -> None:
    result = run.result("text")
    assert (result["status"], result["told"]) == ("completed", "It is 42.")
    assert result["audio_bytes"] == 3 * 300 * 48


def test_a_spoken_question_is_understood_and_answered_aloud(run: Run) -> None:
    result = run.result("speech")
    assert (result["status"], result["heard"]) == ("completed", "what is six times seven")
    assert result["told"] == "It is 42."
    assert result["audio_bytes"] == 3 * 300 * 48


def test_a_function_is_called_and_its_result_told(run: Run) -> None:
    result = run.result("function")
    assert result["name"] == "get_weather"
    assert json.loads(result["arguments"]) == {"location": "Paris"}
    assert SUNNY.search(result["told"])


def test_a_barge_in_cuts_the_answer_to_what_was_heard(run: Run) -> None:
    result = run.result("barge_in")
    assert result["status"] == "cancelled"
    assert "road" in result["told"]
    assert result["told"].startswith(result["kept"].rstrip())
    assert len(result["kept"]) < len(result["told"])
    assert 0 < result["audio_end_ms"] < 5000
    assert FORTY_TWO.search(result["answer"])


def test_every_event_is_in_its_place(run: Run) -> None:
    connections = run.connections()
    assert len(connections) >= 4
    for events in connections:
        order.check(events, run.client.shape)


@pytest.mark.parametrize("case", THOROUGH_CASES, ids=_name)
def test_mistakes_are_refused_by_name_and_the_session_goes_on(case: Case, hold: Callable[[Case], Run]) -> None:
    result = hold(case).result("mistakes")
    assert result["refused"] == REFUSALS
    assert FORTY_TWO.search(result["told"])


@pytest.mark.parametrize("case", THOROUGH_CASES, ids=_name)
def test_the_rest_of_the_protocol_works_too(case: Case, hold: Callable[[Case], Run]) -> None:
    result = hold(case).result("rest")
    assert result["statuses"] == ["completed", "completed", "cancelled"]
    assert FORTY_TWO.search(result["written"])
    assert FORTY_TWO.search(result["aside"])
    assert result["metadata"] == {"for": "the test"}


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_every_event_is_of_the_sdks_own_types(shape: str, hold: Callable[[Case], Run]) -> None:
    assert clients.complaints(shape, [hold(case) for case in CASES if case[0].shape == shape]) == []


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_the_upstream_was_sent_nothing_but_what_its_protocol_allows(
    shape: str, request: pytest.FixtureRequest, hold: Callable[[Case], Run]
) -> None:
    for case in CASES:
        if case[1] == shape:
            hold(case)
    tally = request.getfixturevalue(f"{shape}_upstream").remote.tally()
    deliberate = set(REFUSALS)
    assert [wrong for wrong in tally["violations"] if wrong["event_id"] not in deliberate] == []
    assert tally["crashes"] == []
