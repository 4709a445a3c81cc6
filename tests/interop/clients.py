"""Real clients and the conversations that they hold: each an unmodified SDK in an environment of its own.

Each is driven by a program in `python/` or `node/`, which also records every event that the server sent it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from interop import environments, servers

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


def hold(client: Client, server: servers.Server, folder: Path, key: str = servers.KEY) -> Run:
    """Have a client hold its conversations with a server."""
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


def complaints(shape: str, runs: list[Run]) -> list[str]:
    """Return what the newest SDK's own types object to in everything that clients of a shape were told."""
    recordings = [str(run.recording) for run in runs]
    validator = [str(environments.python("openai")), str(HERE / "python" / "validate.py"), shape]
    told = subprocess.run([*validator, *recordings], capture_output=True, text=True, timeout=300, check=True)
    objections: list[str] = json.loads(told.stdout)
    return objections
