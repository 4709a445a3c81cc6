"""Real clients hold four conversations with a real server; what they were told is judged here.

Each client is an unmodified SDK in an environment of its own, driven by a program in `python/` or `node/`, which also
records every event that the server sent it.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

import order
from interop import environments, servers

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
Json = dict[str, Any]
MODELS = {"ga": "gpt-realtime", "beta": "gpt-4o-realtime-preview"}
PATIENCE_SECONDS = 30

CONVERSATIONS: Json = {
    "instructions": "You are a helpful assistant. Answer briefly.",
    "question": str(HERE / "data" / "question.wav"),  # "what is six times seven"
    "sum": "What is twelve plus thirty?",
    "weather": "What is the weather in Paris?",
    "tool": {
        "type": "function",
        "name": "get_weather",
        "description": "Get the current weather in a location",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "The city"}},
            "required": ["location"],
        },
    },
    "tool_result": '{"temperature_c": 21, "conditions": "sunny"}',
    "long": (
        "Repeat after me: the road goes over the hill and through the wood, past the old mill and along the river, "
        "until it comes to a village where the people keep bees, bake bread, and tell each other long stories in the "
        "evening, when the lamps are lit and the moon stands over the roofs of the houses."
    ),
}
FORTY_TWO = re.compile(r"\b42\b|\bforty[ -]two\b", re.IGNORECASE)
SUNNY = re.compile(r"\b21\b|\btwenty[ -]one\b|\bsunny\b", re.IGNORECASE)


TALKS = ("text", "speech", "function", "barge_in", "mistakes", "rest")
REFUSALS = {
    "nonsense": "invalid_value",
    "untyped": "invalid_event",
    "empty": "input_audio_buffer_commit_empty",
    "base64": "invalid_value",
    "idle": "response_cancel_not_active",
    "retrieve": "item_retrieve_invalid_item_id",
    "delete": "item_delete_invalid_item_id",
    "truncate": "item_truncate_invalid_item_id",
    "missing": "missing_required_parameter",
}
"""The code that answers each mistake of the Python programs."""


class Client(msgspec.Struct, frozen=True):
    """One SDK, and how it is used."""

    name: str
    environment: str
    """Its lock file, or `node`."""
    program: str
    shape: Literal["ga", "beta"] = "ga"
    is_secure: bool = False
    """Whether it connects with TLS."""
    extra: tuple[tuple[str, str], ...] = ()
    """Further entries of the job that its program is given."""


WS, NATIVE = (("socket", "ws"),), (("socket", "native"),)
CLIENTS = [
    Client("openai-python", "openai", "openai_client.py"),
    Client("openai-python-beta-tls", "openai", "openai_client.py", shape="beta", is_secure=True),
    Client("openai-python-2.0", "openai-2.0", "openai_client.py"),
    Client("openai-python-1.107", "openai-1.107", "openai_client.py"),
    Client("openai-python-1.107-beta", "openai-1.107", "openai_client.py", shape="beta"),
    Client("openai-agents-python", "openai-agents", "agents_client.py"),
    Client("openai-node-ws", "node", "openai_client.mjs", is_secure=True, extra=WS),
    Client("openai-node-native", "node", "openai_client.mjs", is_secure=True, extra=NATIVE),
    Client("openai-node-ws-beta", "node", "openai_client.mjs", shape="beta", is_secure=True, extra=WS),
    Client("openai-node-native-beta", "node", "openai_client.mjs", shape="beta", is_secure=True, extra=NATIVE),
    Client("openai-agents-node", "node", "agents_client.mjs"),
    Client("livekit-agents", "livekit", "livekit_client.py"),
]

THOROUGH = [client for client in CLIENTS if client.program == "openai_client.py"]
"""Those whose program makes mistakes too, and tries the rest of the protocol."""


class Run(msgspec.Struct, frozen=True):
    """What came of a client's conversations."""

    client: Client
    results: Json
    recording: Path

    def result(self, conversation: str) -> Json:
        """What came of one of them; fails the test with the client's own traceback."""
        result: Json = self.results[conversation]
        if "failure" in result:
            pytest.fail(f"{self.client.name}: {result['failure']}", pytrace=False)
        return result

    def connections(self) -> list[list[Json]]:
        """The server's events, connection by connection."""
        lines = [json.loads(line) for line in self.recording.read_text(encoding="utf-8").splitlines()]
        lines.sort(key=lambda line: line["connection"])
        grouped = itertools.groupby(lines, key=lambda line: line["connection"])
        return [[line["event"] for line in group] for _, group in grouped]


@pytest.fixture(scope="session")
def hold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Client], Run]:
    """Has a client hold its conversations, once for all tests."""

    @functools.cache
    def held(client: Client) -> Run:
        server: servers.Server = request.getfixturevalue("tls_server" if client.is_secure else "plain_server")
        return _hold(client, server, tmp_path_factory.mktemp(client.name))

    return held


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def run(request: pytest.FixtureRequest, hold: Callable[[Client], Run]) -> Run:
    """The conversations of each client in turn."""
    return hold(request.param)


def _hold(client: Client, server: servers.Server, folder: Path, key: str = servers.KEY) -> Run:
    recording, results = folder / "events.jsonl", folder / "results.json"
    job = CONVERSATIONS | {
        "http_url": server.http_url,
        "ws_url": server.ws_url,
        "key": key,
        "shape": client.shape,
        "model": MODELS[client.shape],
        "patience": PATIENCE_SECONDS,
        "recording": str(recording),
        "results": str(results),
        **dict(client.extra),
    }
    if client.environment == "node":
        project = environments.NODE_PROJECT
        recorder = (project / "recorder.mjs").as_uri()
        command = [str(environments.node()), "--import", recorder, str(project / client.program)]
    else:
        command = [str(environments.python(client.environment)), str(HERE / "python" / client.program)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "VIVAVOCE_"))}
    environment["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
    if server.certificate is not None:
        environment |= {"SSL_CERT_FILE": str(server.certificate), "NODE_EXTRA_CA_CERTS": str(server.certificate)}
    ran = subprocess.run(
        [*command, json.dumps(job)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE_SECONDS,
        check=False,
    )
    recording.touch()
    if ran.returncode or not results.exists():
        failure = {"failure": f"its program ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"}
        return Run(client, dict.fromkeys(TALKS, failure), recording)
    return Run(client, json.loads(results.read_text(encoding="utf-8")), recording)


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
    recordings = [str(hold(client).recording) for client in CLIENTS if client.shape == shape]
    validator = [str(environments.python("openai")), str(HERE / "python" / "validate.py"), shape]
    told = subprocess.run([*validator, *recordings], capture_output=True, text=True, timeout=300, check=True)
    assert json.loads(told.stdout) == []


@pytest.mark.parametrize("client", [CLIENTS[0], CLIENTS[6]], ids=lambda client: client.name)
def test_a_stranger_is_refused(
    client: Client, plain_server: servers.Server, tls_server: servers.Server, tmp_path: Path
) -> None:
    run = _hold(client, tls_server if client.is_secure else plain_server, tmp_path, key="sk-stranger")
    assert all("401" in result["failure"] for result in run.results.values())
    assert run.connections() == []
