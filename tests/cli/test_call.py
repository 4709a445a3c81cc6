from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from vivavoce.cli import call as module
from vivavoce.cli import main
from vivavoce.legs.line import Line, LineError
from vivavoce.legs.posting import Posted
from vivavoce.legs.upstream import Upstream

CREATED = {"type": "session.created", "session": {}}
SAID = [
    CREATED,
    {"type": "conversation.item.input_audio_transcription.completed", "transcript": " hello? "},
    {"type": "response.created", "response": {}},
    {"type": "response.output_audio_transcript.done", "transcript": "Hello, this is the bakery."},
    {"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1},
]


class Server:
    """A server that places calls as the test says."""

    def __init__(self) -> None:
        self.answer = Posted(201, "Created", {}, b'{"id": "rtc_1"}')
        self.posts: list[tuple[str, dict[str, str], Any]] = []
        self.dialled: list[tuple[str, float]] = []
        self.messages: list[dict[str, Any]] = SAID
        self.ending: BaseException = LineError.closed(1000, "the call has ended")

    async def post(self, address: str, headers: dict[str, str], body: bytes, **how: Any) -> Posted:
        self.posts.append((address, headers, json.loads(body) if body else None))
        return self.answer

    async def dial(self, upstream: Upstream, *, first_seconds: float) -> Line:
        self.dialled.append((upstream.address, first_seconds))
        return await Line.open(Wire(list(self.messages), self.ending), "ga")


class Wire:
    def __init__(self, messages: list[dict[str, Any]], ending: BaseException) -> None:
        self.messages = messages
        self.ending = ending

    async def send(self, message: bytes) -> None: ...

    async def settle(self) -> None: ...

    async def close(self) -> None: ...

    async def receive(self) -> bytes:
        if not self.messages:
            raise self.ending
        return json.dumps(self.messages.pop(0)).encode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr("os.environ", {"VIVAVOCE_API_KEY": "sk-secret_1"})
    monkeypatch.setattr(module, "post", server.post)
    monkeypatch.setattr(module, "dial", server.dial)
    return server


def test_a_call_is_placed_and_shown_until_it_is_over(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "+39061234567"]) == 0
    assert server.posts == [
        (
            "http://127.0.0.1:8000/v1/realtime/calls",
            {"Authorization": "Bearer sk-secret_1", "Content-Type": "application/json"},
            {"to": "+39061234567"},
        )
    ]
    assert server.dialled == [("ws://127.0.0.1:8000/v1/realtime?call_id=rtc_1", 120.0)]
    out, err = capsys.readouterr()
    assert out.splitlines() == ["rtc_1", "them  hello?", "us    Hello, this is the bakery.", "key   5"]
    assert err.startswith("over after ")


def test_all_that_is_wanted_is_asked_for(server: Server) -> None:
    wanted = ["--line", "trunk", "--number", "bakery", "--instructions", "Be kind.", "--voice", "cedar"]
    assert main(["call", "sip:a@pbx.example.com", "--url", "https://voice.example.com", "--no-wait", *wanted]) == 0
    address, _, body = server.posts[0]
    assert address == "https://voice.example.com/v1/realtime/calls"
    assert body == {
        "to": "sip:a@pbx.example.com", "line": "trunk", "number": "bakery",
        "session": {"type": "realtime", "instructions": "Be kind.", "audio": {"output": {"voice": "cedar"}}},
    }  # fmt: skip
    assert server.dialled == []


def test_every_event_is_shown_as_json(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "100", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [json.loads(line) for line in lines] == SAID


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Posted(403, "Forbidden", {}, b'{"error": {"message": "Not permitted."}}'), "not placed: Not permitted."),
        (Posted(502, "Bad Gateway", {}, b"<html>"), "not placed: the server answers 502 Bad Gateway"),
        (Posted(201, "Created", {}, b"[]"), "not placed: the server answers 201 Created"),
    ],
)
def test_a_call_that_is_not_placed_is_a_failure(
    server: Server, capsys: pytest.CaptureFixture[str], answer: Posted, told: str
) -> None:
    server.answer = answer
    assert main(["call", "100"]) == 1
    assert told in capsys.readouterr().err


def test_a_call_that_nobody_answers_is_a_failure(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.messages = []
    assert main(["call", "100"]) == 1
    assert "100 did not answer" in capsys.readouterr().err


def test_a_server_that_vanishes_is_a_failure(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.ending = LineError.closed(None, "")
    assert main(["call", "100"]) == 1
    assert "the connection to the server was lost" in capsys.readouterr().err


def test_an_interruption_hangs_up(server: Server) -> None:
    server.ending = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        main(["call", "100"])
    assert [address for address, _, _ in server.posts][-1].endswith("/calls/rtc_1/hangup")
    assert server.posts[-1][2] is None


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"VIVAVOCE_HOST": "0.0.0.0", "VIVAVOCE_PORT": "9000"}, "http://127.0.0.1:9000/v1/realtime/calls"),
        ({"VIVAVOCE_HOST": "::1"}, "http://[::1]:8000/v1/realtime/calls"),
    ],
)
def test_the_server_is_the_one_of_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str
) -> None:
    monkeypatch.setattr("os.environ", environment)
    assert main(["call", "100", "--no-wait"]) == 0
    assert server.posts[0][0] == url
