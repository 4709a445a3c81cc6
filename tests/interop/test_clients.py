"""Real clients hold four conversations with a real server; what they were told is judged here."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import order
from interop import clients, servers
from interop.clients import CLIENTS, FORTY_TWO, REFUSALS, SUNNY, THOROUGH, Client, Run

pytestmark = pytest.mark.interop


@pytest.fixture(scope="session")
def hold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Client], Run]:
    """Has a client hold its conversations, once for all tests."""

    @functools.cache
    def held(client: Client) -> Run:
        server: servers.Server = request.getfixturevalue("tls_server" if client.is_secure else "plain_server")
        return clients.hold(client, server, tmp_path_factory.mktemp(client.name))

    return held


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def run(request: pytest.FixtureRequest, hold: Callable[[Client], Run]) -> Run:
    """The conversations of each client in turn."""
    return hold(request.param)


def test_a_written_question_is_answered_aloud(run: Run) -> None:
    result = run.result("text")
    assert result["status"] == "completed"
    assert FORTY_TWO.search(result["told"])
    assert result["audio_bytes"] > 24_000  # half a second


def test_a_spoken_question_is_understood_and_answered_aloud(run: Run) -> None:
    result = run.result("speech")
    assert result["status"] == "completed"
    assert "times" in result["heard"].lower()
    assert FORTY_TWO.search(result["told"])
    assert result["audio_bytes"] > 24_000


def test_a_function_is_called_and_its_result_told(run: Run) -> None:
    result = run.result("function")
    assert result["name"] == "get_weather"
    assert json.loads(result["arguments"])["location"].lower() == "paris"
    assert SUNNY.search(result["told"])


def test_a_barge_in_cuts_the_answer_to_what_was_heard(run: Run) -> None:
    result = run.result("barge_in")
    assert result["status"] in ("completed", "cancelled")
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
    assert result["statuses"][:2] == ["completed", "completed"]
    assert result["statuses"][2] in ("cancelled", "completed")
    assert FORTY_TWO.search(result["written"])
    assert FORTY_TWO.search(result["aside"])
    assert result["metadata"] == {"for": "the test"}


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_every_event_is_of_the_sdks_own_types(shape: str, hold: Callable[[Client], Run]) -> None:
    assert clients.complaints(shape, [hold(client) for client in CLIENTS if client.shape == shape]) == []


@pytest.mark.parametrize("client", [CLIENTS[0], CLIENTS[6]], ids=lambda client: client.name)
def test_a_stranger_is_refused(
    client: Client, plain_server: servers.Server, tls_server: servers.Server, tmp_path: Path
) -> None:
    run = clients.hold(client, tls_server if client.is_secure else plain_server, tmp_path, key="sk-stranger")
    assert all("401" in result["failure"] for result in run.results.values())
    assert run.connections() == []
