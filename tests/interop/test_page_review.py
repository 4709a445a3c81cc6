"""The page after a talk, in a real browser: both voices on one clock, to look at, to listen to and to take away."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from interop import servers
from interop.browser import Browser
from interop.test_page import (
    ANSWERED,
    LONG,
    RATE,
    browser,
    judge,
    lines,
    microphone,
    open_page,
    page_of,
    resampled,
    say_in_writing,
    server,
    shared,
    start,
)

__all__ = ["browser", "judge", "microphone", "server", "shared"]
pytestmark = pytest.mark.interop

Samples = npt.NDArray[np.int16]
DEVICE_RATE = 48_000
TAPS = """(rate) => {
    const taps = window.taps = { heard: [], played: [], again: [], saved: [] };
    const { AudioContext, AudioWorkletNode, URL } = window;
    window.AudioContext = class extends AudioContext {
        constructor(options) { super({ sampleRate: rate, ...options }); }
    };
    window.AudioWorkletNode = class extends AudioWorkletNode {
        constructor(context, kind, options) { super(context, kind, options); this.kind = kind; }
    };
    const source = `registerProcessor("tap", class extends AudioWorkletProcessor {
        process([[samples]]) {
            if (samples) this.port.postMessage([currentFrame, Int16Array.from(samples, (x) => 32767 * x)]);
            return true;
        }
    })`;
    const module = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const { addModule } = AudioWorklet.prototype;
    AudioWorklet.prototype.addModule = async function (...given) {
        await addModule.call(this, module);
        this.hasTap = true;
        return addModule.apply(this, given);
    };
    const { connect } = AudioNode.prototype;
    AudioNode.prototype.connect = function (target, ...more) {
        const name = target.kind === "capture" ? "heard" : target instanceof AudioDestinationNode ? "played" : "";
        if (name && this.context.audioWorklet.hasTap) {
            const tap = new AudioWorkletNode(this.context, "tap", { numberOfOutputs: 0, channelCount: 1 });
            tap.port.onmessage = ({ data: [at, pcm] }) =>
                taps[name].push([at, btoa(String.fromCharCode(...new Uint8Array(pcm.buffer)))]);
            connect.call(this, tap);
        }
        return connect.call(this, target, ...more);
    };
    const { start } = AudioBufferSourceNode.prototype;
    AudioBufferSourceNode.prototype.start = function (when, ...more) {
        taps.again.push([when, this.buffer.sampleRate, Array.from(this.buffer.getChannelData(0).subarray(0, 2400))]);
        return start.call(this, when, ...more);
    };
    const blobs = {};
    const { createObjectURL } = URL;
    URL.createObjectURL = (blob) => {
        const url = createObjectURL.call(URL, blob);
        blobs[url] = blob;
        return url;
    };
    const { click } = HTMLAnchorElement.prototype;
    HTMLAnchorElement.prototype.click = function () {
        if (this.download) taps.saved.push([this.download, blobs[this.href]]);
        else click.call(this);
    };
    taps.read = async (name) => {
        const [, blob] = taps.saved.findLast(([saved]) => saved.endsWith(name));
        const bytes = new Uint8Array(await blob.arrayBuffer());
        let text = "";
        for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
        return btoa(text);
    };
}"""


@contextlib.contextmanager
def tapped(browser: Browser) -> Iterator[None]:
    """Have pages opened within the context keep all sound with its time, and what they would save."""
    browser.ask("Page.setBypassCSP", enabled=True)
    script = browser.ask("Page.addScriptToEvaluateOnNewDocument", source=f"({TAPS})({DEVICE_RATE})")
    try:
        yield
    finally:
        browser.ask("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
        browser.ask("Page.setBypassCSP", enabled=False)


def tape(browser: Browser, name: str) -> npt.NDArray[np.float64]:
    """All sound that went by a tap, at its time, at 24 kHz."""
    pieces = [(at, np.frombuffer(base64.b64decode(pcm), np.int16)) for at, pcm in browser.js(f"window.taps.{name}")]
    whole = np.zeros(max(at + len(pcm) for at, pcm in pieces))
    for at, pcm in pieces:
        whole[at : at + len(pcm)] = pcm
    return resampled(whole, DEVICE_RATE, RATE)


def saved(browser: Browser, button: str, ending: str) -> bytes:
    """What a button would have the browser save."""
    before = browser.js("window.taps.saved.length")
    browser.click(button)
    browser.until(f"window.taps.saved.length > {before}")
    return base64.b64decode(browser.js(f"window.taps.read('{ending}')"))


def look_back(browser: Browser) -> None:
    browser.click("Look back")
    browser.until("document.querySelector('dialog[open] [data-entry]') !== null")


def fit(reference: npt.NDArray[np.float64], sound: Samples) -> tuple[int, float]:
    """How much later a sound is in a reference, and how alike they are there."""
    size = 1 << (len(reference) + len(sound)).bit_length()
    meant = sound.astype(np.float64)
    fits = np.fft.irfft(np.fft.rfft(reference, size) * np.conj(np.fft.rfft(meant, size)), size)
    lag = int(np.argmax(fits))
    lag = lag - size if lag > size // 2 else lag
    begin, end = max(0, -lag), min(len(meant), len(reference) - lag)
    one, other = meant[begin:end], reference[begin + lag : end + lag]
    return lag, float(np.dot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)))


def test_both_voices_stand_on_one_clock_as_they_were_sent_and_played(
    browser: Browser, server: servers.Server, microphone: Path
) -> None:
    with tapped(browser):
        open_page(browser, page_of(server))
    start(browser)
    browser.until(ANSWERED)
    # Begun in the microphone's silence, and long enough to be talked over by its next question.
    say_in_writing(browser, LONG)
    browser.until("!!document.querySelector('[data-line=assistant][data-state=cut]')", 40)
    browser.until("document.querySelectorAll('[data-line=assistant][data-state=done]').length > 1", 40)
    browser.click("End")
    look_back(browser)
    wav = saved(browser, "Sound (WAV)", ".wav")
    talk = json.loads(saved(browser, "JSON", ".json"))
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        both = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    left, right = both[:, 0], both[:, 1]
    assert len(both) == pytest.approx(talk["length_ms"] * 24, abs=48)
    lag, likeness = fit(tape(browser, "heard"), left)
    assert likeness > 0.99, "left is what the microphone gave"
    played_lag, played_likeness = fit(tape(browser, "played"), right)
    assert played_likeness > 0.97, "right is what was played"
    assert abs(lag - played_lag) <= 2, "both on the clock of the browser's engine of sound"
    check_cut(talk["entries"], right)
    check_words(browser, talk)
    check_listening(browser, talk, both)
    assert browser.complaints == []


def check_cut(entries: list[dict[str, Any]], right: Samples) -> None:
    """The answer that was talked over ends where it was silenced, and all is silent but where something was played."""
    (cut,) = (entry for entry in entries if entry["state"] == "cut" and entry["kind"] == "assistant")
    played_ms = sum(span["to_ms"] - span["from_ms"] for span in cut["spans"])
    assert played_ms == pytest.approx(cut["interrupted_after_ms"], abs=3)
    assert cut["spoken_text"] != cut["text"].strip()
    assert cut["text"].startswith(cut["spoken_text"])
    end = cut["to_ms"] * 24
    assert np.abs(right[end - 24_000 : end]).max() > 1000
    silent = np.ones(len(right), bool)
    for entry in entries:
        for span in entry["spans"] if entry["kind"] == "assistant" else []:
            silent[span["from_ms"] * 24 - 24 : span["to_ms"] * 24 + 24] = False
    assert not right[silent].any()
    # Who cut it was speaking by then.
    (by,) = (e for e in entries if e["kind"] == "user" and e["spans"] and e["from_ms"] < cut["to_ms"] < e["to_ms"])
    assert re.search(r"\bsix times? seven\b", by["text"].lower())


def check_words(browser: Browser, talk: dict[str, Any]) -> None:
    """The page, the transcripts and the journal tell the same."""
    kinds = [entry["kind"] for entry in talk["entries"]]
    assert kinds[:4] == ["user", "assistant", "user", "assistant"]
    first, answer = talk["entries"][:2]
    assert first["latency"]["total_ms"] == pytest.approx(answer["from_ms"] - first["to_ms"], abs=120)
    assert talk["median_latency_ms"] > 0
    assert talk["interruptions"] == 1
    pieces = answer["words"]
    assert "".join(piece["text"] for piece in pieces).strip() == answer["text"].strip()
    assert pieces[0]["from_ms"] == answer["from_ms"]
    assert [piece["from_ms"] for piece in pieces] == sorted(piece["from_ms"] for piece in pieces)
    assert browser.js("document.querySelectorAll('dialog [data-entry]').length") == len(kinds)
    shown: str = browser.js("document.querySelector('dialog').innerText")
    assert "Interrupted after" in shown
    assert shown.count("answered after") >= 2
    assert talk["session_ids"][0] in shown
    text = saved(browser, "Transcript", ".txt").decode()
    assert "Interrupted after" in text
    assert answer["text"].strip() in text
    captions = saved(browser, "Captions (VTT)", ".vtt").decode()
    assert captions.startswith("WEBVTT\n\n")
    assert f"<v Assistant>{answer['text'].strip()[:20]}" in captions
    journal = [json.loads(line) for line in saved(browser, "Journal", ".jsonl").decode().splitlines()]
    assert journal[0]["event"]["type"] == "session.created"
    types = [line["event"]["type"] for line in journal]
    assert {"input_audio_buffer.append", "playback.began", "playback.cut", "conversation.item.truncate"} <= set(types)
    # A piece that was played is told when it is whole, by the time of its beginning.
    events = [line["at_ms"] for line in journal if not line["event"]["type"].startswith("playback.")]
    assert events == sorted(events)
    assert max(len(json.dumps(line)) for line in journal if "audio.delta" in line["event"]["type"]) < 500


def check_listening(browser: Browser, talk: dict[str, Any], both: Samples) -> None:
    """The talk is played from any place: by the list, by the picture, by the keyboard."""
    index, answer = next((i, e) for i, e in enumerate(talk["entries"]) if e["kind"] == "assistant")
    browser.js("window.taps.again.length = 0")
    browser.js(f"document.querySelectorAll('dialog [data-entry] > button')[{index}].click()")
    browser.until("document.querySelector('dialog [aria-current=true][data-entry=assistant] [data-spoken]') !== null")
    _, rate, samples = browser.js("window.taps.again[0]")
    at = answer["from_ms"] * 24
    mix = np.clip(both.astype(np.int32).sum(axis=1), -32768, 32767)
    near = range(at - 24, at + 24)
    assert rate == RATE
    assert any(np.allclose(np.array(samples) * 32768, mix[i : i + 2400], atol=0.5) for i in near)
    starts = browser.js("window.taps.again.map(([when]) => when)")
    assert np.allclose(np.diff(starts), 0.5), "piece by piece without a gap"
    browser.click("Pause")
    place = "Number(document.querySelector('dialog input[type=range]').value)"
    rested = browser.js(place)
    assert answer["from_ms"] / 1000 - 0.1 <= rested <= answer["to_ms"] / 1000 + 1
    browser.js("document.querySelector('dialog input[type=range]').focus()")
    browser.key("ArrowRight")
    assert browser.js(place) == pytest.approx(rested + 0.1, abs=0.11)
    spoken: str = browser.js("document.querySelector('dialog input[type=range]').getAttribute('aria-valuetext')")
    assert re.match(r"\d+:\d\d of \d+:\d\d", spoken)
    box = browser.js(
        "(() => { const r = document.querySelector('[data-testid=waves]').getBoundingClientRect();"
        " return [r.x, r.y, r.width, r.height]; })()"
    )

    def mouse(kind: str, share: float) -> None:
        where = {"x": box[0] + box[2] * share, "y": box[1] + box[3] / 2}
        browser.ask("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **where)

    seconds = talk["length_ms"] / 1000
    mouse("mousePressed", 0.5)
    mouse("mouseReleased", 0.5)
    assert browser.js(place) == pytest.approx(seconds / 2, abs=0.2)
    mouse("mousePressed", 0.2)
    mouse("mouseMoved", 0.4)
    browser.until(f"Math.abs({place} - {seconds * 0.4}) < 0.2")
    mouse("mouseMoved", 0.7)
    mouse("mouseReleased", 0.7)
    assert browser.js(place) == pytest.approx(seconds * 0.7, abs=0.2)
    browser.js("document.querySelector('[data-testid=waves]').focus()")
    browser.key(" ")
    browser.until("document.querySelector('dialog button[aria-label=Pause]') !== null")
    browser.key(" ")
    browser.until("document.querySelector('dialog button[aria-label=Play]') !== null")
    for _ in range(3):
        browser.click("Zoom in")
    scroll = "((waves) => waves.scrollWidth / waves.clientWidth)(document.querySelector('[data-testid=waves]'))"
    browser.until(f"{scroll} > 3.9")
    browser.click("Show all")
    browser.until(f"{scroll} === 1")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("width", "height"), [(320, 568), (390, 844), (1280, 800)], ids=["smallest", "phone", "desktop"]
)
def test_the_talk_fits_its_screen_and_is_open_to_everybody(
    browser: Browser, server: servers.Server, judge: str, tmp_path: Path, width: int, height: int, *, dark: bool
) -> None:
    open_page(browser, page_of(server), width=width, height=height, dark=dark)
    start(browser, "Only type")
    for words in ("make the page teal", "what is six times seven"):
        say_in_writing(browser, words)
        browser.until("document.querySelector('header').innerText.includes('Connected')")
        browser.until("document.querySelectorAll('[data-line=assistant][data-state=live]').length === 0", 30)
        browser.until(ANSWERED)
    browser.until("document.querySelectorAll('[data-line=assistant][data-state=done]').length > 1")
    assert "42" in lines(browser, "assistant")[-1]
    browser.click("End")
    look_back(browser)
    browser.picture(tmp_path / "review.png")
    wide, inner = browser.js(
        "(() => { const d = document.querySelector('dialog');"
        " return [d.scrollWidth, d.querySelector('.overflow-y-auto').scrollWidth]; })()"
    )
    assert max(wide, inner) <= width
    beyond = (
        "[...document.querySelectorAll('dialog button, dialog input, dialog select')].filter((one) => one.offsetParent)"
        f".filter((one) => one.getBoundingClientRect().right > {width}).map((one) => one.outerHTML)"
    )
    assert browser.js(beyond) == []
    judged = f"{judge}; axe.run().then((told) => told.violations.map((one) => [one.id, one.nodes[0].html]))"
    assert browser.js(judged) == []
    browser.js("document.querySelectorAll('dialog [data-entry=assistant] > button')[1].click()")
    browser.until("document.querySelector('dialog [aria-current=true]') !== null")
    browser.click("Pause")
    assert browser.js(judged) == []
    browser.key("Escape")
    browser.until("document.querySelector('dialog') === null")
    assert browser.js("document.activeElement.innerText") == "Look back"
    assert browser.complaints == []


def test_the_latest_talks_are_kept(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server))
    for count in (1, 2):
        start(browser, "Only type")
        say_in_writing(browser, f"what is {count} plus one")
        browser.until(f"document.querySelectorAll('[data-line=assistant][data-state=done]').length === {count}")
        browser.click("End")
        browser.until("document.body.innerText.includes('Look back')")
    look_back(browser)
    assert "what is 2 plus one" in browser.js("document.querySelector('dialog ol').innerText")
    browser.js(
        "(() => { const one = document.querySelector('dialog select'); one.selectedIndex = 1;"
        " one.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )
    browser.until("document.querySelector('dialog ol').innerText.includes('what is 1 plus one')")
    assert "what is 2 plus one" not in browser.js("document.querySelector('dialog ol').innerText")


def test_a_call_by_webrtc_is_kept_as_the_browser_heard_it(
    browser: Browser, server: servers.Server, microphone: Path
) -> None:
    with tapped(browser):
        open_page(browser, page_of(server), road="webrtc")
    start(browser)
    browser.until(ANSWERED)
    browser.click("End")
    look_back(browser)
    talk = json.loads(saved(browser, "JSON", ".json"))
    with wave.open(io.BytesIO(saved(browser, "Sound (WAV)", ".wav"))) as file:
        both = np.abs(np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2).astype(int))
    question, answer = talk["entries"]
    for column, entry in ((0, question), (1, answer)):
        loud = np.flatnonzero(both[:, column] > 1000) / 24
        assert entry["from_ms"] - 50 <= loud[0] <= entry["from_ms"] + 500
        assert loud[-1] == pytest.approx(entry["to_ms"], abs=500)
    journal = saved(browser, "Journal", ".jsonl").decode()
    assert "input_audio_buffer.append" not in journal
    assert '"playback.began"' in journal


def test_the_page_talks_to_its_own_server_whatever_other_origins_are_allowed(browser: Browser, tmp_path: Path) -> None:
    environment = {"VIVAVOCE_ALLOWED_ORIGINS": "https://elsewhere.example"}
    with servers.running(tmp_path, tls=False, environment=environment) as server:
        open_page(browser, page_of(server))
        browser.click("Only type")
        browser.until("document.body.innerText.includes('This server asks for a key')")
        browser.write(servers.KEY)
        browser.key("Enter")
        browser.until("document.querySelector('header').innerText.includes('Connected')")
        say_in_writing(browser, "what is six times seven")
        browser.until(ANSWERED)
        assert "42" in lines(browser, "assistant")[-1]
