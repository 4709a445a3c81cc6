"""Real clients have their speech written down, and translated, by a real server."""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import order
from interop import environments, servers
from interop.translator import PHRASES, Translator, translating

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
PATIENCE_SECONDS = 30
Json = dict[str, Any]
PYTHON, NODE, LIVEKIT = "listening_client.py", "listening_client.mjs", "livekit_listening.py"
TALKS = {
    PYTHON: ("turns", "live", "silence", "beta", "mistakes", "translation"),
    NODE: ("turns", "translation"),
    LIVEKIT: ("turns",),
}
INPUT = "input_audio_buffer."
TRANSCRIBED = "conversation.item.input_audio_transcription."
TURN = [
    "session.updated",
    f"{INPUT}speech_started",
    f"{INPUT}speech_stopped",
    f"{INPUT}committed",
    "conversation.item.added",
    "conversation.item.done",
    f"{TRANSCRIBED}delta",
    f"{TRANSCRIBED}completed",
]
ASKED = re.compile(r"\bwhat is six times seven\b", re.IGNORECASE)
UNTYPED = (
    # The SDK's beta types leave the first event out, and know the secret of the HTTP reply alone.
    "transcription_session.created: not an event of the beta shape",
    "transcription_session.updated: ('session', 'client_secret'): Input should be an object",
)
Outcome = Callable[[str, str], Json]


@pytest.fixture(scope="module")
def translator() -> Iterator[Translator]:
    with translating() as server:
        yield server


@pytest.fixture(scope="module")
def server(translator: Translator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server that can translate, with TLS, which Node's clients insist on."""
    folder = tmp_path_factory.mktemp("translating")
    with servers.running(folder, tls=True, environment={"VIVAVOCE_LLM_URL": translator.url}) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs write what they were told."""
    return tmp_path_factory.mktemp("listening")


@pytest.fixture(scope="module")
def outcome(server: servers.Server, folder: Path) -> Outcome:
    """What came of one talk of one program; each program runs once."""

    @functools.cache
    def ran(program: str) -> Json:
        return _run(program, server, folder)

    def told(program: str, talk: str) -> Json:
        result: Json = ran(program)[talk]
        if "failure" in result:
            pytest.fail(result["failure"], pytrace=False)
        return result

    return told


def _run(program: str, server: servers.Server, folder: Path) -> Json:
    results = folder / f"{program}.results.json"
    job = {
        "http_url": server.http_url,
        "ws_url": server.ws_url,
        "key": servers.KEY,
        "question": str(HERE / "data" / "question.wav"),
        "patience": PATIENCE_SECONDS,
        "talks": TALKS[program],
        "results": str(results),
        "recording": str(folder / f"{program}.jsonl"),
    }
    if program == NODE:
        recorder = (environments.NODE_PROJECT / "recorder.mjs").as_uri()
        command = [str(environments.node()), "--import", recorder, str(environments.NODE_PROJECT / program)]
    else:
        environment_name = "livekit" if program == LIVEKIT else "openai"
        command = [str(environments.python(environment_name)), str(HERE / "python" / program)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "VIVAVOCE_"))}
    environment |= {"SSL_CERT_FILE": str(server.certificate), "NODE_EXTRA_CA_CERTS": str(server.certificate)}
    ran = subprocess.run(
        [*command, json.dumps(job)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE_SECONDS,
        check=False,
    )
    if not results.exists():
        failure = {"failure": f"its program ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"}
        return dict.fromkeys(TALKS[program], failure)
    return dict(json.loads(results.read_text(encoding="utf-8")))


@pytest.mark.parametrize("program", [PYTHON, NODE])
def test_a_turn_is_written_down_in_the_order_of_the_protocol(outcome: Outcome, program: str) -> None:
    result = outcome(program, "turns")
    assert ASKED.search(result["transcript"])
    assert result["deltas"] == result["transcript"]
    kinds = result["kinds"][result["kinds"].index("session.updated") :]
    assert kinds == TURN
    assert result["logprobs"] == len(result["transcript"].split())
    assert result["usage"]["type"] == "tokens"
    assert 15 < result["usage"]["input_token_details"]["audio_tokens"] < 60


def test_a_live_model_tells_words_before_they_are_committed(outcome: Outcome) -> None:
    result = outcome(PYTHON, "live")
    assert result["kinds"].index(f"{TRANSCRIBED}delta") < result["kinds"].index(f"{INPUT}committed")
    assert ASKED.search(result["transcript"])
    assert len(result["items"]) == 1
    assert result["usage"]["type"] == "duration"
    assert result["usage"]["seconds"] == int(result["usage"]["seconds"])
    assert result["languages"] == [{"code": "en"}]


def test_silence_is_no_text(outcome: Outcome) -> None:
    result = outcome(PYTHON, "silence")
    assert (result["transcript"], result["deltas"]) == ("", "")


def test_the_beta_shape_is_transcribed_too(outcome: Outcome) -> None:
    result = outcome(PYTHON, "beta")
    assert ASKED.search(result["transcript"])
    assert result["kinds"][:2] == ["transcription_session.created", "transcription_session.updated"]
    assert "conversation.item.created" in result["kinds"]


def test_what_such_a_session_cannot_do_is_refused_by_name(outcome: Outcome) -> None:
    assert outcome(PYTHON, "mistakes") == {
        "answer": ["invalid_value", "type"],
        "kind": ["invalid_parameter", "session.type"],
        "language": ["invalid_value", "session.audio.input.transcription.language"],
    }


def test_livekits_recogniser_hears_the_question_and_complains_of_nothing(outcome: Outcome) -> None:
    result = outcome(LIVEKIT, "turns")
    assert ASKED.search(result["transcript"])
    assert result["complaints"] == []


@pytest.mark.parametrize("program", [PYTHON, NODE])
def test_speech_comes_back_in_another_language(outcome: Outcome, translator: Translator, program: str) -> None:
    result = outcome(program, "translation")
    assert ASKED.search(result["heard"])
    assert result["told"].strip() == PHRASES["into Spanish"]
    assert 1500 < result["audio_ms"] < 6000
    assert (result["first"], result["last"]) == ("session.created", "session.closed")
    assert ASKED.search(translator.asked[-1]["messages"][-1]["content"])


def _connections(recording: Path) -> list[list[Json]]:
    lines = [json.loads(line) for line in recording.read_text(encoding="utf-8").splitlines()]
    lines.sort(key=lambda line: line["connection"])
    grouped = itertools.groupby(lines, key=lambda line: line["connection"])
    return [[line["event"] for line in group] for _, group in grouped]


def _shape(events: list[Json]) -> str:
    session = events[0].get("session", {})
    return "translation" if session.get("type") == "translation" else order.shape_of(events)


def test_every_event_is_in_its_place_and_of_the_sdks_own_types(outcome: Outcome, folder: Path) -> None:
    recorded: dict[str, list[Json]] = {"ga": [], "beta": [], "translation": []}
    for program in (PYTHON, NODE):
        outcome(program, TALKS[program][0])
        for events in _connections(folder / f"{program}.jsonl"):
            order.check(events, complete=False)
            recorded[_shape(events)] += events
    for shape, events in recorded.items():
        recording = folder / f"{shape}.jsonl"
        lines = (json.dumps({"connection": 0, "event": event}) for event in events)
        recording.write_text("\n".join(lines), encoding="utf-8")
        validator = [str(environments.python("openai")), str(HERE / "python" / "validate.py"), shape, str(recording)]
        told = subprocess.run(validator, capture_output=True, text=True, timeout=120, check=True)
        assert [wrong for wrong in json.loads(told.stdout) if wrong not in UNTYPED] == [], shape
