"""Real clients create client secrets with a key, and hold conversations with those and without it."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from interop import environments, servers
from interop.translator import PHRASES, translating

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
PATIENCE_SECONDS = 30
SECRET = re.compile(r"ek_[A-Za-z0-9_-]{48}")
FORTY_TWO = re.compile(r"\b42\b|\bforty[ -]two\b", re.IGNORECASE)
JOB: dict[str, Any] = {
    "instructions": "You are a helpful assistant. Answer in one sentence.",
    "question": str(HERE / "data" / "question.wav"),
    "sum": "What is twelve plus thirty?",
    "tool": {"type": "function", "name": "wave", "description": "Wave a hand", "parameters": {"type": "object"}},
    "patience": PATIENCE_SECONDS,
}

Outcome = Callable[[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def outcome(
    plain_server: servers.Server, tls_server: servers.Server, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """What came of one way in one program; each program runs once."""

    @functools.cache
    def ran(program: str) -> dict[str, Any]:
        server = plain_server if program.endswith(".py") else tls_server
        return _run(program, server, tmp_path_factory.mktemp("secrets"), WAYS)

    def told(program: str, way: str) -> dict[str, Any]:
        result: dict[str, Any] = ran(program)[way]
        if "failure" in result:
            pytest.fail(result["failure"], pytrace=False)
        return result

    return told


def _run(program: str, server: servers.Server, folder: Path, ways: Sequence[str]) -> dict[str, Any]:
    results = folder / "results.json"
    job = JOB | {"http_url": server.http_url, "ws_url": server.ws_url, "key": servers.KEY, "results": str(results)}
    job["ways"] = ways
    if program.endswith(".py"):
        command = [str(environments.python("openai")), str(HERE / "python" / program)]
    else:
        command = [str(environments.node()), str(environments.NODE_PROJECT / program)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "VIVAVOCE_"))}
    environment["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
    if server.certificate is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(server.certificate)
    ran = subprocess.run(
        [*command, json.dumps(job)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=8 * PATIENCE_SECONDS,
        check=False,
    )
    if ran.returncode or not results.exists():
        pytest.fail(f"{program} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}", pytrace=False)
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


PYTHON, NODE = "secrets_client.py", "secrets_client.mjs"
WAYS = ("realtime", "transcription", "beta", "beta_transcription", "elsewhere")
"""Those of the program in Python that need no language model."""


def test_python_opens_several_sessions_with_a_secret(outcome: Outcome) -> None:
    result = outcome(PYTHON, "realtime")
    assert SECRET.fullmatch(result["value"])
    assert result["complaints"] == []
    assert 60 < result["seconds"] <= 120
    assert len({session["id"] for session in (*result["sessions"], result["created"])}) == 3
    for session in (*result["sessions"], result["created"]):
        assert (session["type"], session["model"]) == ("realtime", "gpt-realtime")
        assert session["instructions"] == JOB["instructions"]
        assert session["audio"]["output"]["voice"] == "cedar"
        assert [tool["name"] for tool in session["tools"]] == ["wave"]
    assert all(FORTY_TWO.search(told) for told in result["told"])
    assert len(result["told"]) == 2


def test_python_transcribes_with_a_secret(outcome: Outcome) -> None:
    result = outcome(PYTHON, "transcription")
    assert SECRET.fullmatch(result["value"])
    assert result["complaints"] == []
    for session in (*result["sessions"], result["created"]):
        assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
        assert session["audio"]["input"]["transcription"]["model"] == "gpt-4o-transcribe"
    assert "times" in result["heard"].lower()


def test_python_talks_in_the_beta_shape_with_a_secret(outcome: Outcome) -> None:
    result = outcome(PYTHON, "beta")
    assert SECRET.fullmatch(result["value"])
    assert result["complaints"] == []
    assert 0 < result["seconds"] <= 60
    for session in (*result["sessions"], result["created"]):
        assert (session["model"], session["voice"]) == ("gpt-4o-realtime-preview", "sage")
        assert (session["instructions"], session["temperature"]) == (JOB["instructions"], 0.7)
    assert FORTY_TWO.search(result["told"][0])


def test_python_transcribes_in_the_beta_shape_with_a_secret(outcome: Outcome) -> None:
    result = outcome(PYTHON, "beta_transcription")
    assert SECRET.fullmatch(result["value"])
    assert result["complaints"] == []
    for session in (*result["sessions"], result["created"]):
        assert session["object"] == "realtime.transcription_session"
        assert session["input_audio_transcription"]["model"] == "whisper-1"
    assert "times" in result["heard"].lower()


def test_python_is_told_where_a_secret_opens_nothing(outcome: Outcome) -> None:
    assert outcome(PYTHON, "elsewhere") == {
        "models": [403, "insufficient_permissions", None],
        "mint": [403, "insufficient_permissions", None],
        "mistake": [400, "invalid_value", "session.audio.input.turn_detection.type"],
    }


def test_python_translates_with_a_secret(tmp_path: Path) -> None:
    with (
        translating() as translator,
        servers.running(tmp_path, tls=False, environment={"VIVAVOCE_LLM_URL": translator.url}) as server,
    ):
        result = _run(PYTHON, server, tmp_path, ("translation",))["translation"]
    assert "failure" not in result, result["failure"]
    assert SECRET.fullmatch(result["value"])
    assert result["complaints"] == []
    for session in (*result["sessions"], result["created"]):
        assert (session["type"], session["model"]) == ("translation", "gpt-realtime-translate")
        assert session["audio"]["output"]["language"] == "fr"
    assert result["told"].split() == PHRASES["into French"].split()
    assert result["audio_bytes"] > 24_000  # half a second


def test_a_secret_for_translations_needs_somebody_who_translates(plain_server: servers.Server, tmp_path: Path) -> None:
    result = _run(PYTHON, plain_server, tmp_path, ("translation",))["translation"]
    assert "cannot translate on this server" in result["failure"]
    assert "VIVAVOCE_LLM_URL" in result["failure"]


@pytest.mark.parametrize("way", ["ws", "native", "raw", "agents"])
def test_node_opens_a_session_with_a_secret(outcome: Outcome, way: str) -> None:
    result = outcome(NODE, way)
    assert SECRET.fullmatch(result["value"])
    for session in (result["session"], result["created"]):
        assert (session["type"], session["model"]) == ("realtime", "gpt-realtime")
        assert session["instructions"] == JOB["instructions"]
        assert session["audio"]["output"]["voice"] == "cedar"
    assert FORTY_TWO.search(result["told"])


def test_node_talks_in_the_beta_shape_with_a_secret(outcome: Outcome) -> None:
    result = outcome(NODE, "beta_native")
    assert SECRET.fullmatch(result["value"])
    for session in (result["session"], result["created"]):
        assert (session["voice"], session["instructions"]) == ("sage", JOB["instructions"])
    assert FORTY_TWO.search(result["told"])


def test_a_page_opens_a_transcription_session_with_a_secret(outcome: Outcome) -> None:
    result = outcome(NODE, "transcription")
    for session in (result["session"], result["created"]):
        assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")


def test_a_page_is_refused_with_a_key_and_with_an_invented_secret(outcome: Outcome) -> None:
    assert outcome(NODE, "strangers") == {"key": "the socket was refused", "invented": "the socket was refused"}
