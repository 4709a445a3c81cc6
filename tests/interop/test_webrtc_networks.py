"""What is in the way of calls by WebRTC: another browser's ways, firewalls, mapped ports, and other servers."""

from __future__ import annotations

import json
import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import order
from interop import firefox, relays, servers, webrtc
from interop.browser import Browser, browsing
from interop.clients import FORTY_TWO
from interop.pages import Pages, serving

pytestmark = pytest.mark.interop

TURN_SECRET = "shared-with-the-relay"
QUESTION = "what is six times seven"


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    with serving() as served:
        yield served


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    asked = webrtc.microphone(folder / "microphone.wav", lead_seconds=0.8, rest_seconds=8)
    with browsing(folder, asked, webrtc.reaching_own_address()) as browser:
        yield browser


@pytest.fixture
def browser(shared: Browser) -> Iterator[Browser]:
    """A browser in which nothing goes wrong unseen."""
    shared.complaints.clear()
    yield shared
    shared.ask("Page.navigate", url="about:blank")


def calls_of(server: servers.Server) -> str:
    return f"{server.http_url}/realtime/calls"


def ask(browser: Browser, server: servers.Server) -> str:
    """Ask in writing, and return the answer, which was heard."""
    browser.js(f"call.ask({json.dumps(QUESTION)})")
    webrtc.answered(browser)
    return webrtc.heard_answer(browser, server)


def test_firefox_calls_is_heard_and_hears(tmp_path: Path, pages: Pages) -> None:
    firefox.program()
    reached = {"VIVAVOCE_WEBRTC_HOST": "0.0.0.0", "VIVAVOCE_WEBRTC_ADVERTISE": webrtc.own_address()}
    with servers.running(tmp_path, tls=False, environment=reached) as server:
        asked = urllib.parse.urlencode({"url": calls_of(server), "token": webrtc.secret(server)})
        with firefox.browsing(tmp_path) as foreign:
            foreign.open(f"{pages.url}/firefox.html?{asked}")
            told = pages.told(60)
    assert told.get("failure") is None, told["failure"]
    assert told["status"] == 201
    assert told["location"].startswith("/v1/realtime/calls/rtc_u1_")
    order.check(told["events"], "ga")
    answer = next(one for one in told["events"] if one["type"] == "response.output_audio_transcript.done")
    assert FORTY_TWO.search(answer["transcript"])
    # Half a second of its microphone was committed, and a second or more of the answer came in.
    assert told["counted"]["sent"] > 25
    assert told["counted"]["received"] > 50
    assert told["counted"]["lost"] == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_goes_by_a_relay_with_a_password_of_limited_time(
    browser: Browser, pages: Pages, tmp_path: Path, transport: str
) -> None:
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("no TURN server; on Debian: apt install coturn")
    address = webrtc.own_address()
    with webrtc.turn_server(tmp_path, program, address, TURN_SECRET) as port:
        environment = {
            "VIVAVOCE_WEBRTC_HOST": "0.0.0.0",
            "VIVAVOCE_WEBRTC_ADVERTISE": address,
            "VIVAVOCE_ICE_SERVERS": f"turn:{address}:{port}?transport={transport}",
            "VIVAVOCE_TURN_SECRET": TURN_SECRET,
        }
        with servers.running(tmp_path, tls=False, environment=environment) as server:
            token = webrtc.secret(server)
            ways = webrtc.request(server, "realtime/ice", Authorization=f"Bearer {token}")
            extra = {"iceServers": ways["iceServers"], "iceTransportPolicy": "relay"}
            webrtc.call(browser, pages, calls_of(server), token, extra=extra, isMuted=True)
            webrtc.seen(browser, "session.created")
            assert FORTY_TWO.search(ask(browser, server))
            counted = browser.js("call.counted()")
            assert counted["relayed"] == transport
            assert counted["received"] > 50
            browser.js("call.end()")
    assert browser.complaints == []


def test_a_call_comes_by_a_mapped_port_and_outlives_another_mapping(
    browser: Browser, pages: Pages, tmp_path: Path
) -> None:
    inside, outside = webrtc.free_udp_port(), webrtc.free_udp_port()
    environment = {"VIVAVOCE_WEBRTC_PORT": str(inside), "VIVAVOCE_WEBRTC_ADVERTISE": f"127.0.0.1:{outside}"}
    with (
        webrtc.Mapping(outside, ("127.0.0.1", inside)) as mapping,
        servers.running(tmp_path, tls=False, environment=environment) as server,
    ):
        answer = webrtc.call(browser, pages, calls_of(server), webrtc.secret(server), isMuted=True)
        assert f"127.0.0.1 {outside} typ host" in answer["answer"]
        assert str(inside) not in answer["answer"]
        webrtc.seen(browser, "session.created")
        assert FORTY_TWO.search(ask(browser, server))
        assert mapping.passed > 100
        # The mapping is another one from now on; the browser finds out, and offers its call anew.
        mapping.forget()
        assert browser.js("call.renew()") == 200
        browser.until("['connected', 'completed'].includes(call.pc.iceConnectionState)")
        browser.js("call.events.length = 0")
        webrtc.heard(browser)
        assert FORTY_TWO.search(ask(browser, server))
        assert browser.js("call.states.includes('failed')") is False
        browser.js("call.end()")
    assert browser.complaints == []


def test_a_browser_talks_by_webrtc_with_an_upstream_that_speaks_websocket(
    browser: Browser, pages: Pages, tmp_path: Path
) -> None:
    terms: dict[str, Any] = {"heard": QUESTION, "rules": [["six times seven", "It is 42."]], "pace": 4.0}
    with relays.standing_in(terms) as upstream:
        routing = relays.table("openai", upstream.url)
        with relays.relaying(tmp_path, routing) as server:
            webrtc.call(browser, pages, calls_of(server), webrtc.secret(server, model="gpt-realtime-2.1"))
            webrtc.seen(browser, "session.created")
            # Spoken by the microphone, answered by the stand-in with tones of 300 ms a word.
            [told] = webrtc.seen(browser, "response.output_audio_transcript.done")
            assert told["transcript"] == "It is 42."
            webrtc.answered(browser)
            played_ms = browser.js("call.at['output_audio_buffer.stopped'] - call.at['output_audio_buffer.started']")
            assert played_ms == pytest.approx(900, abs=150)
            assert browser.js("call.ear.then((ear) => ear.lastLoud > call.at['output_audio_buffer.started'])")
            order.check(browser.js("call.events"), "ga")
            browser.js("call.end()")
        assert upstream.violations() == []
    assert browser.complaints == []


def test_an_offer_is_passed_on_where_the_operator_wants_the_media_to_go_direct(
    browser: Browser, pages: Pages, tmp_path: Path
) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.mkdir()
    outer.mkdir()
    own = {"VIVAVOCE_API_KEYS": relays.UPSTREAM_KEY}
    with servers.running(inner, tls=False, environment=own) as upstream:
        routing = relays.table("second", upstream.ws_url, models={"*": "gpt-realtime"})
        routing += '[route.direct]\nmodels = ["*"]\nupstreams = ["second"]\nwebrtc = "pass"\n'
        with relays.relaying(outer, routing) as server:
            answer = webrtc.call(browser, pages, calls_of(server), webrtc.secret(server), isMuted=True)
            assert answer["location"].startswith("/v1/realtime/calls/rtc_u1_")
            # The media has the upstream's port.
            assert f"127.0.0.1 {upstream.host.split(':')[1]} typ host" in answer["answer"]
            webrtc.seen(browser, "session.created")
            browser.js(f"call.ask({json.dumps(QUESTION)})")
            webrtc.answered(browser)
            [told] = webrtc.seen(browser, "response.output_audio_transcript.done")
            assert FORTY_TWO.search(told["transcript"])
            # Who passed it on can still end it.
            call_id = answer["location"].split("/")[-1]
            webrtc.hang_up(server, call_id)
            browser.until("call.isClosed || call.pc.connectionState === 'closed'")
            browser.js("call.end()")
    assert browser.complaints == []
