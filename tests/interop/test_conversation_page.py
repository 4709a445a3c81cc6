"""The example page of the small protocol, opened as a file in a real browser, does what it says."""

from __future__ import annotations

import json
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop import servers
from interop.browser import Browser, browsing

pytestmark = pytest.mark.interop

PAGE = Path(__file__).parents[2] / "examples" / "conversation.html"
QUESTION = Path(__file__).parent / "data" / "question.wav"
"""«What is six times seven», at 24 kHz."""
WATCHED = """
  window.sounded = {begun: 0, stopped: 0, seconds: 0};
  const {start, stop} = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...given) {
    sounded.begun += 1; sounded.seconds += this.buffer.duration; start.apply(this, given);
  };
  AudioBufferSourceNode.prototype.stop = function (...given) { sounded.stopped += 1; stop.apply(this, given); };
  window.sent = [];
  const {send} = WebSocket.prototype;
  WebSocket.prototype.send = function (data) { sent.push(JSON.parse(data)); send.call(this, data); };
"""
"""Counts what the page plays and keeps what it sends."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server that lets pages in which are opened as files."""
    environment = {"VIVAVOCE_ALLOWED_ORIGINS": "null"}
    with servers.running(tmp_path_factory.mktemp("server"), tls=False, environment=environment) as server:
        yield server


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The question, and then a long silence."""
    path = tmp_path_factory.mktemp("sound") / "microphone.wav"
    with wave.open(str(QUESTION)) as question, wave.open(str(path), "wb") as file:
        file.setparams(question.getparams())
        rate_hz = question.getframerate()
        file.writeframes(bytes(2 * rate_hz) + question.readframes(question.getnframes()) + bytes(2 * 60 * rate_hz))
    return path


@pytest.fixture
def page(server: servers.Server, microphone: Path, tmp_path: Path) -> Iterator[Browser]:
    """The page, connected by a client secret."""
    request = urllib.request.Request(
        server.http_url + "/realtime/client_secrets",
        b'{"session":{"type":"realtime"}}',
        {"Authorization": f"Bearer {servers.KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        secret = json.load(answer)["value"]
    with browsing(tmp_path, microphone) as browser:
        browser.ask("Page.addScriptToEvaluateOnNewDocument", source=WATCHED)
        browser.open(f"{PAGE.as_uri()}?server={server.ws_url.removesuffix('/v1')}#{secret}")
        browser.until("!document.getElementById('talk').disabled")
        yield browser
        assert browser.complaints == []


def lines(page: Browser, who: str) -> str:
    """What one side has said."""
    return str(page.js(f"[...document.querySelectorAll('.{who}')].map((line) => line.textContent).join(' ')"))


def await_forty_two(page: Browser) -> None:
    """Return when the answer is there and was told to be complete."""
    page.until("[...document.querySelectorAll('.answer')].some((line) => /42|forty-two/i.test(line.textContent))")
    page.until("document.getElementById('state').textContent.startsWith('completed')")


def write(page: Browser, text: str) -> None:
    page.js("document.getElementById('text').focus()")
    page.write(text)
    page.key("Enter")


def test_what_is_said_into_the_microphone_is_read_and_answered_aloud(page: Browser) -> None:
    page.click("Talk")
    await_forty_two(page)
    assert lines(page, "user") == "what is six times seven"
    assert page.js("sounded.seconds") > 0.5


def test_what_is_typed_interrupts_the_answer_which_falls_silent(page: Browser) -> None:
    write(page, "Count from one to thirty.")
    page.until("sounded.seconds > 3")
    write(page, "What is six times seven?")
    assert page.js("sounded.stopped") > 0
    await_forty_two(page)
    interruption = page.js("sent.findLast((message) => message.type === 'interrupt')")
    assert 0 <= interruption["played_ms"] < page.js("1000 * sounded.seconds")


def test_speech_makes_the_answer_fall_silent_and_tells_how_much_was_heard(page: Browser) -> None:
    write(page, "Count from one to thirty.")
    page.until("sounded.seconds > 5")
    page.click("Talk")
    page.until("sounded.stopped > 0")
    interruption = page.js("sent.find((message) => message.type === 'interrupt' && message.played_ms > 0)")
    assert 0 < interruption["played_ms"] < page.js("1000 * sounded.seconds")
    await_forty_two(page)
    assert "what is six times seven" in lines(page, "user")
