"""The talking page by WebRTC: what it shows of it, and what it does where nothing gets through."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop import firefox, servers, test_page, webrtc
from interop.browser import Browser, browsing
from interop.test_page import ANSWERED, KEYLESS, LONG, events, lines, open_page, page_of, say_in_writing, start

pytestmark = pytest.mark.interop

BY_WEBRTC = {"road": "webrtc"}
judge = test_page.judge


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    with servers.running(tmp_path_factory.mktemp("page"), tls=False, environment=KEYLESS) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    asked = webrtc.microphone(folder / "microphone.wav", lead_seconds=1.5, rest_seconds=5)
    with browsing(folder, asked) as browser:
        yield browser


@pytest.fixture
def browser(shared: Browser) -> Iterator[Browser]:
    """A browser that has forgotten everything, and in which nothing goes wrong unseen."""
    shared.complaints.clear()
    yield shared
    with contextlib.suppress(AssertionError):
        shared.js("localStorage.clear(); sessionStorage.clear()")
    shared.ask("Page.navigate", url="about:blank")


def fact(browser: Browser, name: str) -> str:
    return str(browser.js(f"document.querySelector('[data-testid={name}]').textContent"))


def test_a_spoken_question_is_answered_and_the_connection_is_shown(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server), **BY_WEBRTC)
    start(browser)
    browser.until(
        "document.querySelector('[aria-label=\"Level of the answer\"]').getAttribute('aria-valuenow') > 30", 30
    )
    browser.until(ANSWERED)
    assert re.search(r"\bsix times? seven\b", lines(browser, "user")[0].lower())
    assert "42" in lines(browser, "assistant")[0]
    steps = browser.js("[...document.querySelectorAll('[data-turn=spoken] [data-step]')].map((s) => s.dataset.step)")
    assert sorted(steps) == sorted(["stopped", "committed", "transcribed", "created", "firstToken", "firstSound"])
    median = re.fullmatch(r"(\d+) ms", fact(browser, "median"))
    # The silence that ends a turn is half a second of it.
    assert median is not None
    assert 500 <= int(median[1]) <= 2000
    assert fact(browser, "route") == "UDP, direct"
    assert fact(browser, "lost") == "0.0 %"
    assert float(fact(browser, "played").removesuffix(" s")) > 0.5
    log = [event["type"] for _, event in events(browser)]
    assert "output_audio_buffer.started" in log
    assert not {"input_audio_buffer.append", "response.output_audio.delta"} & set(log)
    # Both tracks were kept, to be looked back at.
    browser.click("End")
    browser.click("Look back")
    browser.until("document.body.innerText.includes('answered after')")
    browser.until("document.body.innerText.includes('That is 42.')")
    assert browser.complaints == []


def test_speaking_over_an_answer_silences_it_and_shows_what_was_heard(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server), **BY_WEBRTC)
    start(browser)
    browser.until(ANSWERED)
    say_in_writing(browser, LONG)
    browser.until("!!document.querySelector('[data-line=assistant][data-state=cut] [data-unspoken]')", 30)
    browser.click("Events")
    browser.until("document.body.innerText.includes('conversation.item.retrieved')")
    log = events(browser)
    truncated = next(event for _, event in log if event["type"] == "conversation.item.truncated")
    kept = next(event for _, event in log if event["type"] == "conversation.item.retrieved")
    assert not [event for _, event in log if event["type"] == "conversation.item.truncate"]
    shown = browser.js("document.querySelector('[data-state=cut] > span:last-child').textContent")
    assert shown == f"Interrupted after {truncated['audio_end_ms'] / 1000:.1f} s"
    cut = next(said for said in lines(browser, "assistant") if LONG.split(": ")[1].startswith(said.strip()))
    assert cut.strip() == kept["item"]["content"][0]["transcript"].strip()
    assert browser.complaints == []


def test_the_space_bar_is_held_to_talk(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server), mode="push-to-talk", **BY_WEBRTC)
    start(browser)
    browser.until("document.body.innerText.includes('Hold to talk')")
    browser.js("document.activeElement.blur()")
    browser.key(" ", "down")
    browser.until("document.body.innerText.includes('let go to send')")
    time.sleep(4)
    browser.key(" ", "up")
    browser.until(ANSWERED)
    assert re.search(r"\bsix times? seven\b", lines(browser, "user")[0].lower())
    assert lines(browser, "assistant")[0]
    assert browser.complaints == []


def test_a_tool_of_the_browser_is_called_by_the_beta_shape_too(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server), shape="beta", **BY_WEBRTC)
    start(browser, "Only type")
    say_in_writing(browser, "make the page teal")
    browser.until(ANSWERED)
    assert browser.js("document.documentElement.dataset.colour") == "teal"
    assert "teal" in lines(browser, "assistant")[0]
    assert browser.complaints == []


def test_a_conversation_is_ended_and_begun_again(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server), **BY_WEBRTC)
    for turn in range(2):
        start(browser, "Only type")
        say_in_writing(browser, "what is six times seven")
        browser.until(f"document.querySelectorAll('[data-line=assistant][data-state=done]').length === {turn + 1}")
        browser.click("End")
        browser.until("document.querySelector('header').innerText.includes('Not connected')")
    assert browser.complaints == []


def test_settings_and_figures_are_usable_by_everybody(
    browser: Browser, server: servers.Server, judge: str, tmp_path: Path
) -> None:
    for width, dark in ((1280, False), (390, True)):
        open_page(browser, page_of(server), width=width, height=844, dark=dark, **BY_WEBRTC)
        start(browser, "Only type")
        say_in_writing(browser, "what is six times seven")
        browser.until(ANSWERED)
        for view, wanted in (("Timing", "Made up for losses"), ("Settings", "WebRTC needs UDP")):
            browser.click(view)
            browser.until(f"document.body.innerText.includes('{wanted}')")
            browser.js(judge)
            found = browser.js(
                "axe.run().then((told) => told.violations.map((one) => [one.id, one.nodes.map((n) => n.html)]))"
            )
            assert found == [], (view, width)
            browser.picture(tmp_path / f"{view}-{width}.png")


@pytest.mark.parametrize(
    "hindrance",
    [{"VIVAVOCE_WEBRTC": "no"}, {"VIVAVOCE_WEBRTC_ADVERTISE": "127.0.0.1:9"}],
    ids=["switched-off", "no-udp"],
)
def test_a_conversation_goes_by_websocket_where_webrtc_does_not_get_through(
    browser: Browser, tmp_path: Path, hindrance: dict[str, str]
) -> None:
    with servers.running(tmp_path, tls=False, environment=KEYLESS | hindrance) as server:
        open_page(browser, page_of(server), **BY_WEBRTC)
        start(browser)
        browser.until("document.body.innerText.includes('WebRTC does not get through')")
        browser.until(ANSWERED)
        assert re.search(r"\bsix times? seven\b", lines(browser, "user")[0].lower())
        browser.click("End")
        browser.until("document.querySelector('header').innerText.includes('Not connected')")
        browser.ask("Page.navigate", url="about:blank")


def test_a_line_that_breaks_is_mended_and_the_conversation_goes_on(browser: Browser, tmp_path: Path) -> None:
    inside, outside = webrtc.free_udp_port(), webrtc.free_udp_port()
    ports = {"VIVAVOCE_WEBRTC_PORT": str(inside), "VIVAVOCE_WEBRTC_ADVERTISE": f"127.0.0.1:{outside}"}
    patient = {"VIVAVOCE_WEBRTC_IDLE_SECONDS": "60"}
    with (
        webrtc.Mapping(outside, ("127.0.0.1", inside)) as mapping,
        servers.running(tmp_path, tls=False, environment=KEYLESS | ports | patient) as server,
    ):
        open_page(browser, page_of(server), **BY_WEBRTC)
        start(browser, "Only type")
        say_in_writing(browser, "what is six times seven")
        browser.until(ANSWERED)
        mapping.is_cut = True
        # Browsers notice after five seconds, and the page asks for other addresses soon after.
        deadline = time.monotonic() + 20
        while "/offer" not in "".join(browser.requests[-3:]):
            assert time.monotonic() < deadline, browser.requests[-3:]
            browser.js("1")
            time.sleep(0.1)
        mapping.forget()
        mapping.is_cut = False
        say_in_writing(browser, "what is two plus three")
        browser.until("document.querySelectorAll('[data-line=assistant][data-state=done]').length === 2", 30)
        assert "5" in lines(browser, "assistant")[1]
        assert lines(browser, "note") == []
        browser.click("End")
        browser.ask("Page.navigate", url="about:blank")


def test_without_a_secure_context_one_writes_and_hears_the_answer(tmp_path: Path) -> None:
    names = "--host-resolver-rules=MAP page.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    with servers.running(tmp_path, tls=False) as server, browsing(tmp_path, None, names) as browser:
        open_page(browser, f"http://page.test:{server.host.split(':')[1]}/", **BY_WEBRTC)
        assert browser.js("isSecureContext") is False
        browser.click("Only type")
        browser.until("document.body.innerText.includes('This server asks for a key')")
        browser.write(servers.KEY)
        browser.key("Enter")
        browser.until("document.querySelector('header').innerText.includes('Connected')")
        say_in_writing(browser, "what is six times seven")
        browser.until(ANSWERED)
        assert "42" in lines(browser, "assistant")[0]
        assert lines(browser, "note") == []
        assert fact(browser, "route") == "UDP, direct"


def test_a_server_that_comes_back_is_called_again(browser: Browser, tmp_path: Path) -> None:
    with servers.running(tmp_path, tls=False, environment=KEYLESS) as server:
        open_page(browser, page_of(server), **BY_WEBRTC)
        start(browser, "Only type")
        os.kill(server.pid, signal.SIGKILL)
        browser.until("document.querySelector('header').innerText.includes('Reconnecting')", 30)
        port = int(server.host.split(":")[1])
        with servers.running(tmp_path, tls=False, environment=KEYLESS, port=port):
            browser.until("document.querySelector('header').innerText.includes('Connected')", 30)
            say_in_writing(browser, "what is six times seven")
            browser.until(ANSWERED)
            assert "so this is a new conversation" in lines(browser, "note")[0]
            assert fact(browser, "route") == "UDP, direct"
            browser.click("End")
            browser.ask("Page.navigate", url="about:blank")


def test_firefox_talks_by_either_road(tmp_path: Path) -> None:
    firefox.program()
    reached = {"VIVAVOCE_WEBRTC_HOST": "0.0.0.0", "VIVAVOCE_WEBRTC_ADVERTISE": webrtc.own_address()}
    with firefox.browsing(tmp_path) as foreign:
        for name, environment in (("loopback", KEYLESS), ("reached", reached)):
            folder = tmp_path / name
            folder.mkdir()
            with servers.running(folder, tls=False, environment=environment) as server:
                foreign.open(page_of(server))
                foreign.js(f"localStorage.setItem('vivavoce.settings', {json.dumps(json.dumps(BY_WEBRTC))})")
                foreign.js(f"sessionStorage.setItem('vivavoce.key', {json.dumps(servers.KEY)})")
                foreign.open(f"{page_of(server)}?again")
                foreign.click("Only type")
                foreign.until("document.querySelector('header').innerText.includes('Connected')")
                foreign.js(WRITING)
                foreign.until("!document.querySelector('[type=submit]').disabled")
                foreign.click("Send")
                foreign.until("document.querySelector('[data-line=assistant]')?.innerText.includes('42')")
                notes = foreign.js("[...document.querySelectorAll('[data-line=note]')].map((one) => one.innerText)")
                if name == "loopback":
                    assert [note.partition(",")[0] for note in notes] == ["Firefox makes no WebRTC calls to 127.0.0.1"]
                else:
                    assert notes == []
                    # Without a sound card it plays nothing that a page makes, but it plays a track.
                    foreign.until(ANSWERED)
                    foreign.until("document.querySelector('[data-testid=route]')?.textContent === 'UDP, direct'")


WRITING = """(() => {
    const line = document.querySelector('input[aria-label="Write a message"]');
    // As React takes notice of it.
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(line, "what is six times seven");
    line.dispatchEvent(new Event("input", { bubbles: true }));
})()"""
