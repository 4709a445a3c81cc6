"""Browsers call by WebRTC: by the steps of samples, and by the SDK for browsers as its makers bundled it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest

import order
from interop import servers, webrtc
from interop.browser import Browser, browsing
from interop.clients import CONVERSATIONS, FORTY_TWO, SUNNY
from interop.pages import Pages, serving

pytestmark = pytest.mark.interop

SEVEN = re.compile(r"\bsix times? seven\b")
LEAD_SECONDS = 0.8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server with a key."""
    with servers.running(tmp_path_factory.mktemp("webrtc"), tls=False) as running:
        yield running


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving(webrtc.sdk()) as served:
        yield served


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    asked = webrtc.microphone(folder / "microphone.wav", lead_seconds=LEAD_SECONDS, rest_seconds=8)
    with browsing(folder, asked) as browser:
        yield browser


@pytest.fixture
def browser(shared: Browser) -> Iterator[Browser]:
    """A browser in which nothing goes wrong unseen."""
    shared.complaints.clear()
    yield shared
    shared.ask("Page.navigate", url="about:blank")


def calls_of(server: servers.Server) -> str:
    return f"{server.http_url}/realtime/calls"


def listening(browser: Browser) -> None:
    """Have what is spoken written down."""
    session = {"type": "realtime", "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}}}
    browser.js(f"call.say({json.dumps({'type': 'session.update', 'session': session})})")


def test_a_question_spoken_into_a_sample_is_understood_and_its_answer_heard(
    browser: Browser, server: servers.Server, pages: Pages
) -> None:
    answer = webrtc.call(browser, pages, calls_of(server), webrtc.secret(server))
    assert answer["status"] == 201
    assert re.fullmatch(r"/v1/realtime/calls/rtc_u1_[0-9a-f]{32}", answer["location"])
    webrtc.seen(browser, "session.created")
    assert webrtc.kinds(browser)[0] == "session.created"
    listening(browser)
    [transcribed] = webrtc.seen(browser, "conversation.item.input_audio_transcription.completed")
    webrtc.answered(browser)
    assert SEVEN.search(transcribed["transcript"].lower())
    assert FORTY_TWO.search(webrtc.heard_answer(browser, server))
    told = browser.js("call.events")
    order.check(told, "ga")
    kinds = webrtc.kinds(browser)
    assert "response.output_audio.delta" not in kinds
    assert kinds.index("response.created") < kinds.index("output_audio_buffer.started")
    assert kinds.index("response.done") < kinds.index("output_audio_buffer.stopped")
    counted = browser.js("call.counted()")
    assert counted["codec"] == "audio/opus"
    assert "useinbandfec=1" in counted["fmtp"]
    assert (counted["lost"], browser.complaints) == (0, [])


def test_ten_calls_in_a_row_are_each_understood_and_heard(
    browser: Browser, server: servers.Server, pages: Pages
) -> None:
    browser.open(f"{pages.url}/raw.html")
    browser.until("!!window.callBy")
    written = {"transcription": {"model": "gpt-4o-mini-transcribe"}}
    token = webrtc.secret(server, audio={"input": written, "output": {"voice": webrtc.VOICE}})
    opened_ms, said, heard, alike = [], [], [], []
    for _ in range(10):
        assert webrtc.call_again(browser, calls_of(server), token)["status"] == 201
        [transcribed] = webrtc.seen(browser, "conversation.item.input_audio_transcription.completed")
        webrtc.answered(browser)
        said.append(transcribed["transcript"].lower())
        sound = webrtc.heard(browser)
        heard.append(webrtc.words_of(server, sound))
        alike.append(webrtc.likeness(server, sound, "That is 42."))
        opened_ms.append(browser.js("call.openedMs"))
        browser.js("call.end()")
    assert [bool(SEVEN.search(words)) for words in said] == [True] * 10, said
    assert min(alike) > webrtc.ALIKE, alike
    # The recogniser is a small one: now and then it mistakes what it hears in a file, too.
    assert sum(bool(FORTY_TWO.search(words)) for words in heard) >= 8, heard
    assert max(opened_ms) < 3000
    assert browser.complaints == []


def test_speaking_over_an_answer_silences_it_and_cuts_it_where_it_was_heard(
    browser: Browser, server: servers.Server, pages: Pages
) -> None:
    webrtc.call(browser, pages, calls_of(server), webrtc.secret(server))
    webrtc.seen(browser, "session.created")
    # The microphone's first question is taken and answered, and its next comes over a long answer.
    webrtc.answered(browser)
    browser.js("call.events.length = 0; call.at = {}")
    browser.js(f"call.ask({json.dumps(CONVERSATIONS['long'])})")
    webrtc.seen(browser, "output_audio_buffer.started", "response.output_item.added")
    cleared, truncated = webrtc.seen(browser, "output_audio_buffer.cleared", "conversation.item.truncated", seconds=30)
    [added] = webrtc.seen(browser, "response.output_item.added")
    played_ms = browser.js("call.at['input_audio_buffer.speech_started'] - call.at['output_audio_buffer.started']")
    assert cleared["response_id"] == added["response_id"]
    assert truncated["item_id"] == added["item"]["id"]
    assert truncated["audio_end_ms"] == pytest.approx(played_ms, abs=250)
    browser.until("call.events.some((one) => one.type === 'input_audio_buffer.speech_stopped')")
    silent_ms = browser.js("call.ear.then((ear) => ear.lastLoud - call.at['input_audio_buffer.speech_started'])")
    assert silent_ms < 400
    browser.js(f"call.say({json.dumps({'type': 'conversation.item.retrieve', 'item_id': truncated['item_id']})})")
    [kept] = webrtc.seen(browser, "conversation.item.retrieved")
    words = kept["item"]["content"][0]["transcript"]
    assert words
    assert CONVERSATIONS["long"].removeprefix("Repeat after me: ").startswith(words.strip())
    webrtc.answered(browser)
    assert browser.complaints == []


def test_a_page_of_the_beta_calls_by_the_old_path(browser: Browser, server: servers.Server, pages: Pages) -> None:
    model = "gpt-4o-realtime-preview-2024-12-17"
    session = webrtc.request(server, "realtime/sessions", {"model": model, "voice": webrtc.VOICE})
    url = f"{server.http_url}/realtime?model={model}"
    answer = webrtc.call(browser, pages, url, session["client_secret"]["value"])
    assert answer["status"] == 201
    [created] = webrtc.seen(browser, "session.created")
    assert created["session"]["modalities"]
    # A page of its time has no words for turns that nobody takes: the microphone asks.
    webrtc.answered(browser)
    assert "response.audio_transcript.delta" in webrtc.kinds(browser)
    assert FORTY_TWO.search(webrtc.heard_answer(browser, server))
    order.check(browser.js("call.events"), "beta")
    assert browser.complaints == []


def test_an_older_page_signals_in_json_and_says_when_its_user_has_ended(
    browser: Browser, server: servers.Server, pages: Pages
) -> None:
    asked = {"model": "gpt-4o-realtime-preview", "voice": webrtc.VOICE, "turn_detection": None}
    session = webrtc.request(server, "realtime/sessions", asked)
    url = f"{server.http_url}/realtime/sessions/{session['id']}/webrtc/sdp-offer"
    answer = webrtc.call(browser, pages, url, session["client_secret"]["value"], isJson=True)
    assert answer["status"] == 200
    webrtc.seen(browser, "session.created")
    # Which is when the microphone has asked its question.
    time.sleep(LEAD_SECONDS + 2.5)
    assert "input_audio_buffer.speech_started" not in webrtc.kinds(browser)
    browser.js("call.say({ type: 'conversation.item.finalize' })")
    webrtc.answered(browser)
    assert FORTY_TWO.search(webrtc.heard_answer(browser, server))
    statuses = browser.js("call.candidates")
    assert set(statuses) == {200}
    order.check(browser.js("call.events"), "beta")
    assert browser.complaints == []


def test_a_form_brings_the_session_beside_the_offer(browser: Browser, server: servers.Server, pages: Pages) -> None:
    session = {"type": "realtime", "model": "gpt-realtime", "instructions": "Say little."}
    answer = webrtc.call(browser, pages, calls_of(server), servers.KEY, session=session, isMuted=True)
    assert answer["status"] == 201
    [created] = webrtc.seen(browser, "session.created")
    assert created["session"]["instructions"] == "Say little."
    assert browser.complaints == []


def test_a_page_without_a_microphone_writes_and_hears(browser: Browser, server: servers.Server, pages: Pages) -> None:
    webrtc.call(browser, pages, calls_of(server), webrtc.secret(server), audio=False)
    webrtc.seen(browser, "session.created")
    browser.js("call.ask('what is six times seven')")
    webrtc.answered(browser)
    assert FORTY_TWO.search(webrtc.heard_answer(browser, server))
    assert browser.complaints == []


def test_the_sdk_for_browsers_holds_a_conversation(browser: Browser, server: servers.Server, pages: Pages) -> None:
    browser.open(f"{pages.url}/agents.html")
    browser.until("!!window.connectBy", 30)
    weather = json.dumps(CONVERSATIONS["tool_result"])
    given = (
        f"{json.dumps(calls_of(server))}, {json.dumps(webrtc.secret(server))}, {weather}, {json.dumps(webrtc.QUIET)}"
    )
    call_id = browser.js(f"connectBy({given}).then(({{ callId }}) => callId)")
    assert re.fullmatch(r"rtc_u1_[0-9a-f]{32}", call_id)
    # The question is spoken, and its answer heard.
    [transcribed] = webrtc.seen(browser, "conversation.item.input_audio_transcription.completed")
    assert SEVEN.search(transcribed["transcript"].lower())
    webrtc.answered(browser)
    assert FORTY_TWO.search(webrtc.heard_answer(browser, server))
    # A function is called in the page, and its result told.
    browser.js("call.session.mute(true)")
    browser.js(f"void call.session.sendMessage({json.dumps(CONVERSATIONS['weather'])})")
    browser.until("call.asked !== undefined")
    assert browser.js("call.asked.location").lower() == "paris"
    webrtc.answered(browser, 2)
    assert SUNNY.search(webrtc.heard_answer(browser, server))
    # An answer is interrupted by hand.
    browser.js(f"void call.session.sendMessage({json.dumps(CONVERSATIONS['long'])})")
    browser.until("call.events.filter((one) => one.type === 'output_audio_buffer.started').length === 3")
    browser.until("call.ear.then((ear) => performance.now() - ear.lastLoud < 50)")
    browser.js("call.session.interrupt()")
    webrtc.seen(browser, "output_audio_buffer.cleared", "conversation.item.truncated")
    assert browser.js("call.failures") == []
    order.check(browser.js("call.events.filter((one) => one.event_id)"), "ga")
    browser.js("call.session.close()")
    assert browser.complaints == []


def test_a_stranger_is_refused_in_words(browser: Browser, server: servers.Server, pages: Pages) -> None:
    answer = webrtc.call(browser, pages, calls_of(server), "ek_stranger")
    assert answer["status"] == 401
    assert json.loads(answer["answer"])["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(("leaving", "seconds"), [("call.end()", 2), ("location = 'about:blank'", 10)])
def test_a_call_ends_with_its_page(
    browser: Browser, server: servers.Server, pages: Pages, leaving: str, seconds: float
) -> None:
    webrtc.call(browser, pages, calls_of(server), webrtc.secret(server))
    webrtc.seen(browser, "session.created")
    call_id = browser.js("call.location.split('/').at(-1)")
    browser.js(f"void ({leaving})")
    deadline = time.monotonic() + seconds
    while not re.search(f"call {call_id} ended", server.log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, server.log.read_text(encoding="utf-8")[-500:]
        time.sleep(0.05)
