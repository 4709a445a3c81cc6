"""vivavoce in front of vivavoce: clients talk to engines through the relay as they do without it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest

from interop import clients, relays, servers
from interop.clients import CLIENTS, Client, Run
from interop.test_clients import (
    test_a_barge_in_cuts_the_answer_to_what_was_heard,
    test_a_function_is_called_and_its_result_told,
    test_a_spoken_question_is_understood_and_answered_aloud,
    test_a_written_question_is_answered_aloud,
    test_every_event_is_in_its_place,
)

pytestmark = pytest.mark.interop

__all__ = [
    "test_a_barge_in_cuts_the_answer_to_what_was_heard",
    "test_a_function_is_called_and_its_result_told",
    "test_a_spoken_question_is_understood_and_answered_aloud",
    "test_a_written_question_is_answered_aloud",
    "test_every_event_is_in_its_place",
]

CHOSEN = [
    client for client in CLIENTS if client.name in ("openai-python", "openai-python-1.107-beta", "livekit-agents")
]


@pytest.fixture(scope="module")
def chained(plain_server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A relay to another server of the same kind."""
    routing = relays.table("other", plain_server.ws_url, key_env="OTHER_KEY")
    with relays.relaying(tmp_path_factory.mktemp("chained"), routing, OTHER_KEY=servers.KEY) as server:
        yield server


@pytest.fixture(scope="module")
def hold(chained: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Client], Run]:
    """Has a client hold its conversations, once for all tests."""

    @functools.cache
    def held(client: Client) -> Run:
        return clients.hold(client, chained, tmp_path_factory.mktemp(client.name))

    return held


@pytest.fixture(params=CHOSEN, ids=lambda client: client.name)
def run(request: pytest.FixtureRequest, hold: Callable[[Client], Run]) -> Run:
    """The conversations of each client in turn."""
    return hold(request.param)
