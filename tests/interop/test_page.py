"""A real browser talks by the page: with a microphone that hears a recorded question, and ears that are counters."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from websockets.sync.client import connect

from interop import environments, servers
from interop.browser import Browser, browsing

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
LEAD_SECONDS, REST_SECONDS = 2, 5
"""Silence before the question and after it, in what the microphone hears again and again."""
LONG = (
    "Repeat after me: the quick brown fox jumps over the lazy dog and then he sleeps under the old green tree until "
    "the evening comes and all the birds are quiet and the moon goes up over the hills and the river and the town"
)
# What a browser does to speech is not the page's: here it is heard as it is.
RAW = {"echoCancellation": False, "noiseSuppression": False, "autoGain": False}
ANSWERED = "document.querySelectorAll('[data-line=assistant][data-state=done]').length > 0"
ATTEMPTS = 3
"""How often a question that the make-believe microphone garbled is asked."""
RATE = 24_000
"""Of all sound on the wire."""
Samples = npt.NDArray[np.float64]
KEYLESS = {"VIVAVOCE_API_KEYS": ""}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server that asks for no key."""
    with servers.running(tmp_path_factory.mktemp("page"), tls=False, environment=KEYLESS) as running:
        yield running


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the question and the silence around it."""
    path = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    with wave.open(str(HERE / "data" / "question.wav"), "rb") as question, wave.open(str(path), "wb") as heard:
        heard.setparams(question.getparams())
        second = b"\0\0" * question.getframerate()
        heard.writeframes(second * LEAD_SECONDS + question.readframes(question.getnframes()) + second * REST_SECONDS)
    return path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, microphone: Path) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser"), microphone) as browser:
        yield browser


@pytest.fixture(scope="module")
def judge() -> str:
    """A script that judges how usable a page is to people with disabilities."""
    environments.node()
    return (environments.NODE_PROJECT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def browser(shared: Browser) -> Iterator[Browser]:
    """A browser that has forgotten everything, and in which nothing goes wrong unseen."""
    shared.complaints.clear()
    shared.requests.clear()
    yield shared
    with contextlib.suppress(AssertionError):
        shared.js("localStorage.clear(); sessionStorage.clear()")
    shared.ask("Page.navigate", url="about:blank")


def page_of(server: servers.Server) -> str:
    return server.http_url.removesuffix("/v1") + "/"


def open_page(
    browser: Browser, url: str, *, width: int = 1280, height: int = 800, dark: bool = False, **chosen: Any
) -> None:
    """Show the page as it is with some settings."""
    browser.open(url, width=width, height=height, dark=dark)
    browser.js(f"localStorage.setItem('vivavoce.settings', {json.dumps(json.dumps({**RAW, **chosen}))})")
    browser.open(f"{url}?again", width=width, height=height, dark=dark)


def start(browser: Browser, name: str = "Start talking") -> None:
    browser.click(name)
    browser.until("document.querySelector('header').innerText.includes('Connected')")


def say_in_writing(browser: Browser, words: str) -> None:
    browser.js("document.querySelector('input[aria-label=\"Write a message\"]').focus()")
    browser.write(words)
    browser.key("Enter")


def lines(browser: Browser, kind: str) -> list[str]:
    """What one side said, as far as it was spoken."""
    found: list[str] = browser.js(
        f"[...document.querySelectorAll('[data-line={kind}]')].map((one) => "
        "(one.querySelector('[data-spoken]') ?? one).innerText)"
    )
    return found


def understood(browser: Browser, ask: Callable[[], None]) -> None:
    """Have the microphone's question asked, and make sure that it is written down and answered rightly.

    The browser's make-believe microphone stutters on a busy machine, which may cost a word: then it is asked anew.
    """
    for _ in range(ATTEMPTS):
        ask()
        if "six times seven" in lines(browser, "user")[0].lower():
            break
    assert "six times seven" in lines(browser, "user")[0].lower()
    assert "42" in lines(browser, "assistant")[0]


def events(browser: Browser) -> list[tuple[str, dict[str, Any]]]:
    """The page's own log, oldest first: seconds and event."""
    browser.click("Events")
    browser.until("document.querySelectorAll('[data-event]').length > 0")
    rows: list[list[str]] = browser.js(
        "[...document.querySelectorAll('[data-event]')].reverse().map((row) => "
        "[row.querySelector('summary span').textContent, row.querySelector('pre').textContent])"
    )
    return [(at, json.loads(event)) for at, event in rows]


def played_seconds(browser: Browser) -> float:
    text: str = browser.js("document.querySelector('[data-testid=played]').textContent")
    return float(text.removesuffix(" s"))


@pytest.mark.parametrize("rate", [44_100, 48_000, 24_000])
def test_a_spoken_question_is_written_down_and_answered_aloud(
    browser: Browser, server: servers.Server, microphone: Path, rate: int
) -> None:
    def ask() -> None:
        with tapped(browser, rate):
            open_page(browser, page_of(server))
        start(browser)
        browser.until(ANSWERED)

    understood(browser, ask)
    received_seconds = len(sounds(browser, "received")) / RATE
    assert received_seconds > 0.5
    assert played_seconds(browser) == pytest.approx(received_seconds, abs=0.1)
    steps: list[str] = browser.js(
        "[...document.querySelectorAll('[data-turn=spoken] [data-step]')].map((s) => s.dataset.step)"
    )
    assert sorted(steps) == sorted(
        ["stopped", "committed", "transcribed", "created", "firstToken", "firstAudio", "firstSound"]
    )
    median = re.fullmatch(r"(\d+) ms", browser.js("document.querySelector('[data-testid=median]').textContent"))
    with wave.open(str(microphone), "rb") as heard:
        spoken = pcm(heard.readframes(heard.getnframes()))
    assert likeness(spoken, sounds(browser, "sent")) > 0.97
    assert likeness(resampled(sounds(browser, "received"), RATE, rate), sounds(browser, "played")) > 0.97
    # The silence that ends a turn is half a second of it.
    assert median is not None
    assert 500 <= int(median[1]) < 5000
    assert browser.complaints == []
    assert {re.sub(r"^\w+://([^/]+)/.*", r"\1", url) for url in browser.requests} == {server.host}


@contextlib.contextmanager
def tapped(browser: Browser, rate: int) -> Iterator[None]:
    """Have pages opened within the context use a device of some rate, and keep all sound that goes by."""
    # The page's policy would keep the tap out.
    browser.ask("Page.setBypassCSP", enabled=True)
    script = browser.ask("Page.addScriptToEvaluateOnNewDocument", source=f"({TAPS})({rate})")
    try:
        yield
    finally:
        browser.ask("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
        browser.ask("Page.setBypassCSP", enabled=False)


TAPS = """(rate) => {
    const taps = window.taps = { sent: [], received: [], played: [] };
    const { AudioContext, WebSocket } = window;
    window.AudioContext = class extends AudioContext {
        constructor(options) { super({ ...options, sampleRate: rate }); }
    };
    window.WebSocket = class extends WebSocket {
        constructor(...given) {
            super(...given);
            this.addEventListener("message", ({ data }) => {
                const event = JSON.parse(data);
                if (event.type === "response.output_audio.delta") taps.received.push(event.delta);
            });
        }
        send(data) {
            const event = JSON.parse(data);
            if (event.type === "input_audio_buffer.append") taps.sent.push(event.audio);
            super.send(data);
        }
    };
    // A worklet, like the page's own: what the main thread has no time for waits instead of being lost.
    const source = `registerProcessor("tap", class extends AudioWorkletProcessor {
        process([[samples]]) {
            if (samples) this.port.postMessage(Int16Array.from(samples, (x) => 32767 * x));
            return true;
        }
    })`;
    const module = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { addModule } = AudioWorklet.prototype;
    AudioWorklet.prototype.addModule = async function (...given) {
        await addModule.call(this, module);
        return addModule.apply(this, given);
    };
    const { connect } = AudioNode.prototype;
    AudioNode.prototype.connect = function (target, ...more) {
        if (target instanceof AudioDestinationNode) {
            const tap = new AudioWorkletNode(this.context, "tap", { numberOfOutputs: 0, channelCount: 1 });
            const keep = (bytes) => taps.played.push(btoa(String.fromCharCode(...bytes)));
            tap.port.onmessage = ({ data }) => keep(new Uint8Array(data.buffer));
            connect.call(this, tap);
        }
        return connect.call(this, target, ...more);
    };
}"""


def sounds(browser: Browser, tap: str) -> Samples:
    """All sound that went by a tap."""
    return pcm(b"".join(base64.b64decode(piece) for piece in browser.js(f"window.taps.{tap}")))


def pcm(raw: bytes) -> Samples:
    return np.frombuffer(raw, np.int16).astype(np.float64)


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """Sound at another rate, by way of its whole spectrum."""
    length = round(len(samples) * wanted / rate)
    spectrum = np.fft.rfft(samples)
    fitted = np.zeros(length // 2 + 1, complex)
    shared = min(len(spectrum), len(fitted))
    fitted[:shared] = spectrum[:shared]
    return np.fft.irfft(fitted, length) * length / len(samples)


def likeness(meant: Samples, got: Samples) -> float:
    """How alike two sounds are: the median correlation of stretches of one with the places that fit best in the other.

    By stretches, because the browser's devices are make-believe and stutter when the machine is busy with other things.
    """
    loud = np.flatnonzero(np.abs(meant) > 200)
    stretches = np.array_split(meant[loud[0] : loud[-1] + 1], 8)
    size = 1 << (len(meant) + len(got)).bit_length()
    spectrum = np.fft.rfft(got, size)
    found = []
    for stretch in stretches:
        fits = np.fft.irfft(spectrum * np.conj(np.fft.rfft(stretch, size)), size)
        at = int(np.argmax(fits[: max(1, len(got) - len(stretch) + 1)]))
        there = got[at : at + len(stretch)]
        found.append(float(np.dot(stretch, there) / (np.linalg.norm(stretch) * np.linalg.norm(there))))
    return float(np.median(found))


def test_speaking_over_an_answer_silences_it_and_cuts_it_where_it_was_heard(
    browser: Browser, server: servers.Server
) -> None:
    open_page(browser, page_of(server))
    start(browser)
    browser.until(ANSWERED)
    # Begun in the microphone's silence, and long enough to be talked over by its next question.
    say_in_writing(browser, LONG)
    browser.until("!!document.querySelector('[data-coming]')", 10)
    assert LONG.split(": ")[1].startswith(lines(browser, "assistant")[1].strip())
    browser.until("!!document.querySelector('[data-line=assistant][data-state=cut]')", 30)
    assert browser.js("!!document.querySelector('[data-unspoken]')")
    # The figure is drawn four times a second.
    time.sleep(0.4)
    at_cut = played_seconds(browser)
    log = events(browser)
    kinds = [event["type"] for _, event in log]
    truncate = next(event for _, event in log if event["type"] == "conversation.item.truncate")
    agreed = next(event for _, event in log if event["type"] == "conversation.item.truncated")
    assert agreed["audio_end_ms"] == truncate["audio_end_ms"] > 0
    shown = browser.js("document.querySelector('[data-state=cut] > span:last-child').textContent")
    assert shown == f"Interrupted after {truncate['audio_end_ms'] / 1000:.1f} s"
    interrupted = max(
        i
        for i, kind in enumerate(kinds[: kinds.index("conversation.item.truncate")])
        if kind.endswith("speech_started")
    )
    silence_seconds = float(log[kinds.index("conversation.item.truncate")][0]) - float(log[interrupted][0])
    assert silence_seconds <= 0.05
    # Nothing more of it was played, whatever had arrived.
    browser.click("Timing")
    assert played_seconds(browser) == at_cut
    assert browser.complaints == []


def test_a_tool_of_the_browser_is_called_shown_and_spoken_of(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server))
    start(browser, "Only type")
    say_in_writing(browser, "make the page teal")
    browser.until(ANSWERED)
    assert browser.js("document.documentElement.dataset.colour") == "teal"
    assert "set_page_colour" in lines(browser, "tool")[0]
    assert "teal" in lines(browser, "assistant")[0]
    assert browser.complaints == []


def test_the_space_bar_is_held_to_talk(browser: Browser, server: servers.Server) -> None:
    def ask() -> None:
        open_page(browser, page_of(server), mode="push-to-talk")
        start(browser)
        browser.until("document.body.innerText.includes('Hold to talk')")
        browser.js("document.activeElement.blur()")
        browser.key(" ", "down")
        browser.until("document.body.innerText.includes('let go to send')")
        time.sleep(LEAD_SECONDS + 2.6)
        browser.key(" ", "up")
        browser.until(ANSWERED)

    understood(browser, ask)
    assert browser.js("document.querySelectorAll('[data-turn=pushed]').length") == 1
    assert browser.complaints == []


def test_the_beta_shape_is_spoken_too(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server), shape="beta")
    start(browser, "Only type")
    say_in_writing(browser, "what is six times seven")
    browser.until(ANSWERED)
    assert "42" in lines(browser, "assistant")[0]
    assert "response.audio.delta" in [event["type"] for _, event in events(browser)]
    assert browser.complaints == []


def test_the_page_is_used_by_keyboard_alone(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server))
    reached: list[str] = []
    for _ in range(12):
        browser.key("Tab")
        outline, name = browser.js(
            "(() => { const one = document.activeElement; return [getComputedStyle(one).outlineStyle,"
            " one.getAttribute('aria-label') ?? one.innerText.trim()]; })()"
        )
        assert outline != "none", f"the focus on {name!r} cannot be seen"
        reached.append(name)
        if name == "Only type":
            break
    ways = ["Talk", "Classic", "Transcribe", "Speak"]
    assert reached == [
        "Skip to the conversation",
        *ways,
        "Change to dark",
        "What was said",
        "Start talking",
        "Only type",
    ]
    browser.key("Enter")
    browser.until("document.querySelector('header').innerText.includes('Connected')")
    for _ in range(12):
        browser.key("Tab")
        if browser.js("document.activeElement.getAttribute('aria-label')") == "Write a message":
            break
    browser.write("what is six times seven")
    browser.key("Enter")
    browser.until(ANSWERED)
    assert "42" in browser.js("document.querySelector('[role=log]').textContent")
    for _ in range(12):
        browser.key("Tab")
        if browser.js("document.activeElement.getAttribute('role')") == "tab":
            break
    browser.key("ArrowRight")
    assert browser.js("document.activeElement.textContent") == "Settings"
    assert browser.js("document.querySelector('[role=tabpanel]').getAttribute('aria-labelledby')") == "tab-settings"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("width", "height"), [(320, 568), (390, 844), (1280, 800)], ids=["smallest", "phone", "desktop"]
)
def test_every_view_fits_its_screen_and_is_open_to_everybody(
    browser: Browser, server: servers.Server, judge: str, tmp_path: Path, width: int, height: int, *, dark: bool
) -> None:
    def look(view: str) -> None:
        browser.picture(tmp_path / f"{view}.png")
        wide, high = browser.js("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert (wide <= width, high <= height) == (True, True), view
        # What sticks out of a box that hides it cannot be reached at all.
        beyond = (
            "[...document.querySelectorAll('button, input, select')].filter((one) => one.offsetParent)"
            f".filter((one) => one.getBoundingClientRect().right > {width}).map((one) => one.outerHTML)"
        )
        assert browser.js(beyond) == [], view
        found = browser.js(
            f"{judge}; axe.run().then((told) => told.violations.map((one) => [one.id, one.nodes[0].html]))"
        )
        assert found == [], view

    open_page(browser, page_of(server), width=width, height=height, dark=dark)
    look("idle")
    start(browser, "Only type")
    say_in_writing(browser, "what is six times seven")
    browser.until(ANSWERED)
    background = browser.js("getComputedStyle(document.body).backgroundColor")
    lightness = re.match(r"oklch\(([0-9.]+)", background)
    assert lightness is not None
    assert (float(lightness[1]) < 0.5) is dark
    views = [*(["Talk"] if width < 600 else []), "Timing", "Settings", "Events"]
    for view in views:
        browser.click(view)
        look(view)
    assert browser.complaints == []


def test_settings_are_kept_and_travel_by_a_link(browser: Browser, server: servers.Server) -> None:
    browser.open(page_of(server) + "#" + "%7B%22voice%22%3A%22ash%22%2C%22silenceMs%22%3A700%7D")
    browser.until("document.body.innerText.includes('The settings of the link are in use.')")
    assert browser.js("location.hash") == ""
    browser.open(page_of(server) + "?later")
    kept = json.loads(browser.js("localStorage.getItem('vivavoce.settings')"))
    assert (kept["voice"], kept["silenceMs"]) == ("ash", 700)
    start(browser, "Only type")
    updated = next(event for _, event in events(browser) if event["type"] == "session.updated")["session"]["audio"]
    assert (updated["output"]["voice"], updated["input"]["turn_detection"]["silence_duration_ms"]) == ("ash", 700)


def test_a_conversation_goes_on_when_the_line_broke_and_begins_anew_when_the_server_did(
    browser: Browser, server: servers.Server, tmp_path: Path
) -> None:
    with servers.running(tmp_path, tls=False, environment=KEYLESS) as another, Line.to(server.host) as line:
        open_page(browser, f"http://{line.host}/")
        start(browser, "Only type")
        say_in_writing(browser, "my name is Ada")
        browser.until(ANSWERED)
        line.cut()
        browser.until("document.body.innerText.includes('The conversation goes on.')", 30)
        browser.until("document.querySelector('header').innerText.includes('Connected')")
        say_in_writing(browser, "what is my name")
        browser.until("document.querySelectorAll('[data-line=assistant][data-state=done]').length > 1")
        assert "Ada" in lines(browser, "assistant")[1]
        line.lead_to(another.host)
        line.cut()
        browser.until("document.body.innerText.includes('this is a new conversation')", 30)
        say_in_writing(browser, "what is six times seven")
        browser.until("document.querySelectorAll('[data-line=assistant][data-state=done]').length > 2")
        assert "42" in lines(browser, "assistant")[2]


class Line:
    """Another address of a server, whose connections can all be cut at once."""

    def __init__(self, listener: socket.socket) -> None:
        self.host = f"127.0.0.1:{listener.getsockname()[1]}"
        self._listener = listener
        self._target = ("", 0)
        self._ends: list[socket.socket] = []
        self._stopped = threading.Event()

    @classmethod
    @contextlib.contextmanager
    def to(cls, host: str) -> Iterator[Line]:
        """A line to a server, until the context ends."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.2)
            line = cls(listener)
            line.lead_to(host)
            accepting = threading.Thread(target=line._accept, daemon=True)
            accepting.start()
            try:
                yield line
            finally:
                line._stopped.set()
                accepting.join()
                line.cut()

    def lead_to(self, host: str) -> None:
        """Connect those who come from now on with another server."""
        name, port = host.split(":")
        self._target = (name, int(port))

    def cut(self) -> None:
        """Break all connections."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                one = self._listener.accept()[0]
            except TimeoutError:
                continue
            try:
                other = socket.create_connection(self._target)
            except OSError:
                # Led to where nobody is.
                one.close()
                continue
            self._ends += (one, other)
            for pair in ((one, other), (other, one)):
                threading.Thread(target=_carry, args=pair, daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while received := one.recv(65536):
            other.sendall(received)
        other.shutdown(socket.SHUT_WR)


def test_without_permission_the_page_says_so_and_one_can_write(tmp_path: Path, server: servers.Server) -> None:
    with browsing(tmp_path, None, allowed=False) as browser:
        open_page(browser, page_of(server))
        start(browser)
        browser.until("document.body.innerText.includes('The microphone is not allowed.')")
        say_in_writing(browser, "what is six times seven")
        browser.until(ANSWERED)
        assert browser.complaints == []


def test_a_key_is_asked_for_once_and_goes_nowhere_but_into_the_request_for_a_secret(
    browser: Browser, tmp_path: Path
) -> None:
    with servers.running(tmp_path, tls=False, environment={"VIVAVOCE_MAX_SESSIONS": "1"}) as server:
        open_page(browser, page_of(server))
        browser.click("Only type")
        browser.until("document.body.innerText.includes('This server asks for a key')")
        browser.write("sk-wrong")
        browser.key("Enter")
        browser.until("document.body.innerText.includes('The key was not accepted.')")
        browser.js("document.querySelector('input[type=password]').focus()")
        browser.write(servers.KEY)
        browser.key("Enter")
        browser.until("document.querySelector('header').innerText.includes('Connected')")
        kept = browser.js(
            "[document.cookie, location.href, JSON.stringify(localStorage), document.body.innerHTML].join()"
        )
        assert servers.KEY not in kept + json.dumps(events(browser))
        assert not any(servers.KEY in url for url in browser.requests)
        browser.click("End")
        browser.until("document.querySelector('header').innerText.includes('Not connected')")
        with connect(
            f"{server.ws_url}/realtime?model=vivavoce", additional_headers={"Authorization": f"Bearer {servers.KEY}"}
        ):
            browser.click("Only type")
            browser.until("document.body.innerText.includes('The server takes no conversation right now')")
        start(browser, "Only type")


def test_a_server_that_is_gone_is_named_as_the_reason(browser: Browser, server: servers.Server) -> None:
    with Line.to(server.host) as line:
        open_page(browser, f"http://{line.host}/")
    browser.click("Only type")
    browser.until("document.body.innerText.includes('The server does not answer.')")
