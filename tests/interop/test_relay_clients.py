"""Real clients hold the same conversations through the relay, with a strict stand-in for OpenAI's server behind it."""

from __future__ import annotations

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


@pytest.fixture(scope="module")
def upstream() -> Iterator[relays.Upstream]:
    with relays.standing_in(ANSWERS, judge=environments.python("openai")) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def plain_relay(upstream: relays.Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    with relays.relaying(tmp_path_factory.mktemp("relay"), relays.table("openai", upstream.url)) as server:
        yield server


@pytest.fixture(scope="module")
def tls_relay(upstream: relays.Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder = tmp_path_factory.mktemp("tls-relay")
    with relays.relaying(folder, relays.table("openai", upstream.url), tls=True) as server:
        yield server


@pytest.fixture(scope="module")
def hold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Client], Run]:
    """Has a client hold its conversations, once for all tests."""

    @functools.cache
    def held(client: Client) -> Run:
        server: servers.Server = request.getfixturevalue("tls_relay" if client.is_secure else "plain_relay")
        return clients.hold(client, server, tmp_path_factory.mktemp(client.name))

    return held


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def run(request: pytest.FixtureRequest, hold: Callable[[Client], Run]) -> Run:
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


@pytest.mark.parametrize("client", THOROUGH, ids=lambda client: client.name)
def test_mistakes_are_refused_by_name_and_the_session_goes_on(client: Client, hold: Callable[[Client], Run]) -> None:
    result = hold(client).result("mistakes")
    assert result["refused"] == REFUSALS
    assert FORTY_TWO.search(result["told"])


@pytest.mark.parametrize("client", THOROUGH, ids=lambda client: client.name)
def test_the_rest_of_the_protocol_works_too(client: Client, hold: Callable[[Client], Run]) -> None:
    result = hold(client).result("rest")
    assert result["statuses"] == ["completed", "completed", "cancelled"]
    assert FORTY_TWO.search(result["written"])
    assert FORTY_TWO.search(result["aside"])
    assert result["metadata"] == {"for": "the test"}


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_every_event_is_of_the_sdks_own_types(shape: str, hold: Callable[[Client], Run]) -> None:
    assert clients.complaints(shape, [hold(client) for client in CLIENTS if client.shape == shape]) == []


def test_the_upstream_was_sent_nothing_but_what_its_protocol_allows(
    upstream: relays.Upstream, hold: Callable[[Client], Run]
) -> None:
    for client in CLIENTS:
        hold(client)
    deliberate = set(REFUSALS)
    unexpected = [wrong for wrong in upstream.violations() if wrong["event_id"] not in deliberate]
    assert unexpected == []
    assert upstream.remote.tally()["crashes"] == []
