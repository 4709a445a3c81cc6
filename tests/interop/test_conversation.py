"""The small protocol through real sockets, with this process's engines and with a server elsewhere."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from interop import environments, relays, servers

pytestmark = pytest.mark.interop

QUESTION = Path(__file__).parent / "data" / "question.wav"
"""«What is six times seven», at 24 kHz."""
CHUNK_MS = 40
PATIENCE_SECONDS = 20
STORY = "Count from one to thirty."
Json = dict[str, Any]


class Page:
    """What somebody's page is: a socket and JSON."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.told: list[Json] = []

    def say(self, kind: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"type": kind, **fields}))

    def hear(self, kind: str, **fields: Any) -> Json:
        """Return the next message of that type whose fields are these."""
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE_SECONDS))
            self.told.append(message)
            if message["type"] == kind and fields.items() <= message.items():
                return dict(message)

    def speak(self, path: Path, rate_hz: int, silence_ms: int = 1000) -> None:
        """Say what a recording says, as fast as it is spoken."""
        sound = recording(path, rate_hz) + bytes(2 * silence_ms * rate_hz // 1000)
        size = 2 * CHUNK_MS * rate_hz // 1000
        for at in range(0, len(sound), size):
            self.say("audio", audio=base64.b64encode(sound[at : at + size]).decode())
            time.sleep(CHUNK_MS / 1000)

    @property
    def sound(self) -> bytes:
        """The audio that it was told."""
        return b"".join(base64.b64decode(each["audio"]) for each in self.told if each["type"] == "audio_delta")

    @property
    def words(self) -> str:
        """The words of the answers that it was told."""
        return "".join(each["text"] for each in self.told if each["type"] == "text_delta")


def recording(path: Path, rate_hz: int) -> bytes:
    """Return the samples of a recording at 24 kHz, or every third of two that lie between them at 16 kHz."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (24_000, 1)
        samples = memoryview(file.readframes(file.getnframes())).cast("h").tolist()
    if rate_hz == 24_000:
        return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    out = []
    for at in range(0, len(samples) - 2, 3):
        out += [samples[at], (samples[at + 1] + samples[at + 2]) // 2]
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in out)


def connected(server: servers.Server, query: str = "", headers: dict[str, str] | None = None) -> ClientConnection:
    url = server.ws_url.removesuffix("/v1") + "/ws/conversation" + query
    given = {"Authorization": f"Bearer {servers.KEY}"} if headers is None else headers
    return connect(url, additional_headers=given, max_size=None)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000])
def test_a_spoken_question_is_understood_and_answered_aloud(plain_server: servers.Server, rate_hz: int) -> None:
    with connected(plain_server) as socket:
        page = Page(socket)
        ready = page.hear("session_ready")
        assert (ready["message"], ready["sample_rate"]) == ("Connected to vivavoce", 16_000)
        if rate_hz != 16_000:
            page.say("config", config={"sample_rate": rate_hz})
        page.speak(QUESTION, rate_hz)
        heard = page.hear("user_transcript", final=True)
        assert heard["text"] == "what is six times seven"
        assert 0.5 < heard["confidence"] <= 1.0
        done = page.hear("response_done")
        assert (done["message"], done["status"]) == ("AI response completed", "completed")
        assert 0 < done["latency_ms"] < 3000
        assert done["usage"]["output_tokens"] > 0
    assert "42" in page.words or "forty" in page.words.lower()
    assert len(page.sound) > rate_hz  # half a second
    kinds = [message["type"] for message in page.told]
    order = ("session_ready", "speech_started", "speech_stopped", "audio_delta", "response_done")
    assert sorted(order, key=kinds.index) == list(order)
    assert "error" not in kinds


def test_speech_interrupts_an_answer_and_is_answered_itself(plain_server: servers.Server) -> None:
    with connected(plain_server) as socket:
        page = Page(socket)
        page.say("config", config={"turn_detection": {"type": "server_vad", "interruption_mode": "vad"}})
        page.say("text", text=STORY)
        page.hear("audio_delta")
        page.speak(QUESTION, 16_000)
        page.hear("speech_started")
        page.say("interrupt", played_ms=500)
        assert page.hear("user_transcript", final=True)["text"] == "what is six times seven"
        while "42" not in page.words and "forty-two" not in page.words.lower():
            page.hear("text_delta")
        page.hear("response_done", status="completed")
    assert not [message for message in page.told if message["type"] == "error"]


def test_a_text_interrupts_an_answer_and_is_answered_itself(plain_server: servers.Server) -> None:
    with connected(plain_server) as socket:
        page = Page(socket)
        page.say("text", text=STORY)
        page.hear("audio_delta")
        page.say("text", text="What is six times seven?")
        page.hear("response_done")
        while "42" not in page.words and "forty-two" not in page.words.lower():
            page.hear("text_delta")
        page.hear("response_done", status="completed")
    assert not [message for message in page.told if message["type"] == "error"]


def test_a_browser_comes_in_with_a_client_secret_in_the_subprotocol(plain_server: servers.Server) -> None:
    request = urllib.request.Request(
        plain_server.http_url + "/realtime/client_secrets",
        b'{"session":{"type":"realtime","audio":{"output":{"voice":"cedar"}}}}',
        {"Authorization": f"Bearer {servers.KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        secret = json.load(answer)["value"]
    url = plain_server.ws_url.removesuffix("/v1") + "/ws/conversation"
    offers = ["realtime", f"openai-insecure-api-key.{secret}"]
    with connect(url, subprotocols=offers) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "realtime"
        assert Page(socket).hear("session_ready")["voice"] == "cedar"


def test_a_wrong_key_is_refused_before_the_upgrade(plain_server: servers.Server) -> None:
    with pytest.raises(InvalidStatus) as raised, connected(plain_server, headers={"Authorization": "Bearer sk-wrong"}):
        pass
    assert raised.value.response.status_code == 401


def test_too_many_conversations_are_told_to_come_back_later(tmp_path: Path) -> None:
    with servers.running(tmp_path, tls=False, environment={"VIVAVOCE_CONVERSATIONS_PER_MINUTE": "2"}) as server:
        for _ in range(2):
            with connected(server):
                pass
        with pytest.raises(InvalidStatus) as raised, connected(server):
            pass
        assert raised.value.response.status_code == 429
        assert 0 < int(raised.value.response.headers["Retry-After"]) <= 30


def test_health_is_told_to_anybody(plain_server: servers.Server) -> None:
    with urllib.request.urlopen(plain_server.http_url.removesuffix("/v1") + "/health", timeout=5) as answer:
        told = json.load(answer)
    assert told["status"] == "healthy"
    assert {engine["ready"] for engine in told["engines"]} == {True}


# ---------------------------------------------------------------------------------------------- a server elsewhere

ANSWERS: Json = {
    "heard": "what is six times seven",
    "rules": [["six times seven", "It is 42."], ["story", "Once upon a time there was a queen. " * 20]],
    "pace": 4.0,
}


@pytest.fixture(params=["ga", "beta"])
def relayed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[servers.Server]:
    """A server whose conversations a strict stand-in answers, in either shape."""
    shape = request.param
    beta = {"shape": "beta", "models": ["gpt-4o-realtime-preview"]}
    terms = {**ANSWERS, **(beta if shape == "beta" else {})}
    with relays.standing_in(terms, judge=environments.python("openai")) as stand_in:
        models = {"*": "gpt-4o-realtime-preview"} if shape == "beta" else relays.PRESENT
        routing = relays.table("openai", stand_in.url, shape=shape, models=models)
        with relays.relaying(tmp_path, routing) as server:
            yield server
        assert stand_in.violations() == []


def test_another_server_answers_in_the_same_way(relayed: servers.Server) -> None:
    model = "gpt-4o-realtime-preview"
    with connected(relayed, f"?model={model}") as socket:
        page = Page(socket)
        ready = page.hear("session_ready")
        assert (ready["message"], ready["sample_rate"]) == (f"Connected to {model}", 16_000)
        page.say("config", config={"instructions": "Be brief.", "voice": "ash"})
        page.speak(QUESTION, 16_000)
        assert page.hear("user_transcript", final=True)["text"] == "what is six times seven"
        done = page.hear("response_done")
        assert done["status"] == "completed"
        assert done["latency_ms"] >= 0
        assert page.words == "It is 42."
        sound = len(page.sound)
        assert sound > 16_000 // 2
        page.say("text", text="Tell me a story.")
        page.hear("audio_delta")
        page.say("text", text="And what is six times seven?")
        page.hear("response_done", status="cancelled")
        page.hear("response_done", status="completed")
        assert page.words.endswith("It is 42.")
        page.say("interrupt", played_ms=100)
        page.say("text", text="Again: what is six times seven?")
        page.hear("response_done", status="completed")
    assert not [message for message in page.told if message["type"] == "error"]
