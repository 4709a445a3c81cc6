"""A real browser works by the ways beside the conversation: classic, transcription, and text to audio."""

from __future__ import annotations

import io
import json
import re
import time
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interop import environments, servers
from interop.browser import Browser, browsing
from interop.test_page import (
    ANSWERED,
    ATTEMPTS,
    HERE,
    KEYLESS,
    LEAD_SECONDS,
    RATE,
    REST_SECONDS,
    Line,
    Samples,
    lines,
    open_page,
    page_of,
    pcm,
    played_seconds,
    say_in_writing,
    sounds,
    start,
    tapped,
    understood,
)

pytestmark = pytest.mark.interop

QUESTION = HERE / "data" / "question.wav"
TEXT = "Your table is ready. Please turn on the kitchen light."
WORDS = "your table is ready please turn on the kitchen light"
with wave.open(str(QUESTION), "rb") as _question:
    ROUND_SECONDS = LEAD_SECONDS + _question.getnframes() / _question.getframerate() + REST_SECONDS
"""How long what the microphone hears takes until it begins anew."""
HELD_SECONDS = 3.0
"""How long is recorded after the microphone's silence, which is the question's length and a little more."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    """A server that asks for no key."""
    with servers.running(tmp_path_factory.mktemp("modes"), tls=False, environment=KEYLESS) as running:
        yield running


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the question and the silence around it."""
    path = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    with wave.open(str(QUESTION), "rb") as question, wave.open(str(path), "wb") as heard:
        heard.setparams(question.getparams())
        second = b"\0\0" * question.getframerate()
        heard.writeframes(second * LEAD_SECONDS + question.readframes(question.getnframes()) + second * REST_SECONDS)
    return path


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, microphone: Path, downloads: Path) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser"), microphone) as browser:
        browser.ask("Page.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
        yield browser


@pytest.fixture
def browser(shared: Browser, downloads: Path) -> Iterator[Browser]:
    """A browser that has forgotten everything, and in which nothing goes wrong unseen."""
    shared.complaints.clear()
    shared.requests.clear()
    for file in downloads.iterdir():
        file.unlink()
    yield shared
    shared.ask("Network.setBlockedURLs", urls=[])
    shared.js("localStorage.clear(); sessionStorage.clear()")
    shared.ask("Page.navigate", url="about:blank")


def open_mode(browser: Browser, server: servers.Server, mode: str, **chosen: Any) -> None:
    open_page(browser, page_of(server), **chosen)
    browser.js(f"location.hash = '{mode}'")
    browser.until(f"!!document.querySelector('#panel-{mode}')")


def saved(downloads: Path, ending: str) -> bytes:
    """A file that the page gave, when it is complete."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = list(downloads.glob(f"*.{ending}"))
        if found and found[0].stat().st_size:
            return found[0].read_bytes()
        time.sleep(0.05)
    raise AssertionError(f"no .{ending} was kept; there are {list(downloads.iterdir())}")


def record(browser: Browser) -> None:
    """Record the microphone's question."""
    browser.click("Record")
    browser.until("document.body.innerText.includes('press to send')")
    time.sleep(LEAD_SECONDS + HELD_SECONDS)
    browser.click("Recording")


def ask_server(server: servers.Server, file: bytes, name: str = "sound.wav", **fields: str) -> str:
    """What the server writes down of a file."""
    border = "a-border"
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in {"model": "whisper-1", "response_format": "text", **fields}.items()
    ]
    head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    request = urllib.request.Request(
        f"{server.http_url}/audio/transcriptions",
        b"".join([*parts, head, file, f"\r\n--{border}--\r\n".encode()]),
        {"Content-Type": f"multipart/form-data; boundary={border}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def wav_of(samples: Samples, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.astype(np.int16).tobytes())
    return file.getvalue()


def choose_file(browser: Browser, path: Path) -> None:
    root = browser.ask("DOM.getDocument")["root"]["nodeId"]
    node = browser.ask("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
    browser.ask("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def button(name: str, state: str = "!one.disabled") -> str:
    """An expression for whether there is a button of that name, in some state."""
    return f"[...document.querySelectorAll('button')].some((one) => one.innerText.trim() === '{name}' && {state})"


def block(browser: Browser, *paths: str) -> None:
    """Have requests to these paths of the server fail, and no others."""
    browser.ask("Network.setBlockedURLs", urls=[f"*{path}*" for path in paths])


def complaints(browser: Browser) -> list[str]:
    """What the browser said besides that a request failed which had to."""
    return [said for said in browser.complaints if "ERR_BLOCKED_BY_CLIENT" not in said]


# ------------------------------------------------------------------------------------------------------------- classic


def test_a_recorded_question_is_written_down_answered_and_heard(browser: Browser, server: servers.Server) -> None:
    def ask() -> None:
        browser.requests.clear()
        with tapped(browser, RATE):
            # The voice that the recogniser understands best.
            open_page(browser, page_of(server), voice="sage")
        browser.js("location.hash = 'classic'")
        record(browser)
        browser.until(ANSWERED)

    understood(browser, ask)
    steps: list[str] = browser.js(
        "[...document.querySelectorAll('[data-turn=recorded] [data-step]')].map((s) => s.dataset.step)"
    )
    assert steps == ["transcribed", "firstToken", "firstAudio", "firstSound"]
    assert re.fullmatch(
        r"Words \d+ ms · First word \d+ ms · First sound \d+ ms",
        browser.js("document.querySelector('[data-testid=stage]').textContent"),
    )
    paths = [url.rpartition("/v1/")[2] for url in browser.requests if "/v1/" in url]
    assert paths == ["audio/transcriptions", "chat/completions", "audio/speech"]
    heard = wav_of(sounds(browser, "played"), RATE)
    assert "forty two" in ask_server(server, heard, prompt="that is forty two")
    assert browser.complaints == []


def test_the_space_bar_is_held_to_record_and_the_conversation_goes_on_in_writing(
    browser: Browser, server: servers.Server
) -> None:
    def ask() -> None:
        open_mode(browser, server, "classic", instructions="Be brief.")
        browser.js("document.activeElement.blur()")
        browser.key(" ", "down")
        browser.until("document.body.innerText.includes('press to send')")
        time.sleep(LEAD_SECONDS + HELD_SECONDS)
        browser.key(" ", "up")
        browser.until(ANSWERED)

    understood(browser, ask)
    for words, answer in (("my name is Ada", ""), ("what is my name", "Ada")):
        count = len(lines(browser, "assistant"))
        say_in_writing(browser, words)
        browser.until(f"document.querySelectorAll('[data-line=assistant][data-state=done]').length > {count}")
        assert answer in lines(browser, "assistant")[-1]
    assert browser.complaints == []


def test_an_answer_is_stopped_and_a_recording_is_discarded(browser: Browser, server: servers.Server) -> None:
    open_mode(browser, server, "classic")
    browser.click("Record")
    browser.until("document.body.innerText.includes('press to send')")
    browser.click("Discard")
    browser.until(button("Record"))
    assert lines(browser, "user") == []
    say_in_writing(browser, "Repeat after me: the quick brown fox jumps over the lazy dog and then he sleeps")
    browser.until("/^the quick/m.test([...document.querySelectorAll('[data-spoken]')].at(-1)?.innerText)")
    browser.click("Stop")
    browser.until("!!document.querySelector('[data-line=assistant][data-state=cut]')")
    assert browser.js("!!document.querySelector('[data-unspoken]')")
    assert browser.complaints == []


def test_each_stage_that_fails_says_so_and_is_tried_again_with_what_there_is(
    browser: Browser, server: servers.Server
) -> None:
    stages = ("/v1/audio/transcriptions", "/v1/chat/completions", "/v1/audio/speech")
    open_mode(browser, server, "classic")
    block(browser, *stages)
    record(browser)
    browser.until("document.body.innerText.includes('Your recording was not written down. The server does not answer')")
    block(browser, *stages[1:])
    browser.click("Try again")
    browser.until("document.body.innerText.includes('There is no answer. The server does not answer')")
    asked = lines(browser, "user")
    assert asked[0].startswith("what is")
    block(browser, stages[2])
    browser.click("Try again")
    browser.until("document.body.innerText.includes('The answer could not be spoken. The server does not answer')")
    written = browser.js("document.querySelector('[data-line=assistant] > div').innerText")
    block(browser)
    browser.click("Try again")
    browser.until(ANSWERED)
    assert (lines(browser, "user"), lines(browser, "assistant")) == (asked, [written])
    assert browser.js("document.querySelectorAll('[role=alert]').length") == 0
    assert complaints(browser) == []


def test_a_recording_without_words_is_told_of(browser: Browser, server: servers.Server) -> None:
    open_mode(browser, server, "classic")
    browser.click("Record")
    browser.until("document.body.innerText.includes('press to send')")
    # In the microphone's silence before the question.
    time.sleep(0.6)
    browser.click("Recording")
    browser.until("document.body.innerText.includes('No words were understood in it.')")
    assert "Nothing was understood." in lines(browser, "user")[0]
    assert browser.complaints == []


# ------------------------------------------------------------------------------------------------------- transcription


def transcript(browser: Browser) -> list[str]:
    found: list[str] = browser.js(
        "[...document.querySelectorAll('[data-utterance]')].map((one) => "
        "[...one.querySelectorAll('[data-word]')].map((word) => word.innerText).join(' '))"
    )
    return found


def begins_of(srt: str) -> list[float]:
    """When the cues begin, in seconds."""
    found = re.findall(r"(\d\d):(\d\d):(\d\d),(\d\d\d) -->", srt)
    return [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in found]


def test_what_the_microphone_hears_is_written_down_and_kept_with_its_times(
    browser: Browser, server: servers.Server, downloads: Path
) -> None:
    for _ in range(ATTEMPTS):
        open_mode(browser, server, "transcribe")
        browser.click("Start")
        browser.until("document.querySelectorAll('[data-utterance=done]').length >= 2", 30)
        browser.click("Stop")
        browser.until(button("Go on"))
        found = transcript(browser)[:2]
        if found == ["what is six times seven"] * 2:
            break
    assert found == ["what is six times seven"] * 2
    sure = browser.js("[...document.querySelectorAll('[data-word]')].map((one) => one.dataset.sureness)")
    assert set(sure) <= {"sure", "fair", "poor"}
    browser.js("document.querySelector('ol[aria-label=Transcript]').focus()")
    browser.key("ArrowRight")
    browser.until("/^“what”: \\d+ % sure$/.test(document.querySelector('[data-testid=figure]').textContent)")
    for name in ("Text", "SRT", "VTT"):
        browser.click(name)
    assert saved(downloads, "txt").decode().splitlines()[:2] == found
    srt = saved(downloads, "srt").decode()
    begins = begins_of(srt)
    assert re.findall(r"-->.*\n(.+)\n", srt)[:2] == found
    # The make-believe microphone begins to play its file a moment before or after it is listened to.
    assert begins[0] == pytest.approx(LEAD_SECONDS, abs=0.7)
    assert begins[1] - begins[0] == pytest.approx(ROUND_SECONDS, abs=0.4)
    # SubRip and WebVTT differ in their heads, their counts and their points.
    vtt = saved(downloads, "vtt").decode()
    assert vtt.startswith("WEBVTT\n\n")
    assert re.findall(r"\S+ --> \S+", vtt.replace(".", ",")) == re.findall(r"\S+ --> \S+", srt)
    assert browser.complaints == []


def test_stopping_amid_a_sentence_keeps_what_was_said_of_it_and_one_may_go_on(
    browser: Browser, server: servers.Server
) -> None:
    open_mode(browser, server, "transcribe")
    browser.click("Start")
    browser.until("!!document.querySelector('[data-utterance=live] [data-word]')")
    browser.click("Stop")
    browser.until("!!document.querySelector('[data-utterance=done]')")
    assert transcript(browser)[0].startswith("what")
    browser.click("Go on")
    browser.until("document.querySelectorAll('[data-utterance=done]').length > 1", 30)
    times = browser.js(
        "[...document.querySelectorAll('[data-utterance] > span')].map((one) => one.lastChild.innerText)"
    )
    assert times == sorted(times)
    assert times[0] != times[1]
    assert browser.complaints == []


def test_a_recording_of_any_form_is_written_down_with_the_times_of_its_words(
    browser: Browser, server: servers.Server, downloads: Path, tmp_path: Path
) -> None:
    body = {"model": "vivavoce", "voice": "alloy", "input": "What is six times seven?", "response_format": "mp3"}
    request = urllib.request.Request(
        f"{server.http_url}/audio/speech", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    (tmp_path / "spoken.mp3").write_bytes(urllib.request.urlopen(request, timeout=60).read())
    open_mode(browser, server, "transcribe")
    for path in (QUESTION, tmp_path / "spoken.mp3"):
        choose_file(browser, path)
        browser.until("document.querySelectorAll('[data-utterance=done]').length > 0")
        heard = ask_server(server, path.read_bytes(), path.name).strip()
        assert " ".join(transcript(browser)) == heard
        browser.click("VTT")
        assert saved(downloads, "vtt").decode() == ask_server(
            server, path.read_bytes(), path.name, response_format="vtt"
        )
        (found,) = downloads.glob("*.vtt")
        found.unlink()
        browser.click("Clear")
        browser.until("!document.querySelector('[data-utterance]')")
    browser.click("Bring back the one before")
    browser.until("document.querySelectorAll('[data-word]').length > 0")
    browser.js("document.querySelector('ol[aria-label=Transcript]').focus()")
    browser.key("ArrowRight")
    browser.until("/% sure, at \\d/.test(document.querySelector('[data-testid=figure]').textContent)")
    assert browser.complaints == []


def test_a_file_that_is_no_recording_is_refused_in_the_servers_words(
    browser: Browser, server: servers.Server, tmp_path: Path
) -> None:
    (tmp_path / "letter.wav").write_text("Dear all", encoding="utf-8")
    open_mode(browser, server, "transcribe")
    choose_file(browser, tmp_path / "letter.wav")
    browser.until("document.body.innerText.includes('The server refused this. The audio file cannot be read')")
    choose_file(browser, QUESTION)
    browser.until("document.querySelectorAll('[data-utterance=done]').length > 0")
    assert browser.js("document.querySelectorAll('[role=alert]').length") == 0
    assert [said for said in browser.complaints if "400" not in said] == []


def test_a_recording_that_is_too_large_to_be_sent_is_made_smaller(
    browser: Browser, server: servers.Server, tmp_path: Path
) -> None:
    with wave.open(str(QUESTION), "rb") as question:
        spoken = np.repeat(pcm(question.readframes(question.getnframes())), 2)
    minutes = np.zeros((48_000 * 150, 2))
    minutes[48_000 : 48_000 + len(spoken)] = spoken[:, None]
    minutes[-96_000 - len(spoken) : -96_000] = spoken[:, None]
    with wave.open(str(tmp_path / "large.wav"), "wb") as large:
        large.setparams((2, 2, 48_000, 0, "NONE", "not compressed"))
        large.writeframes(minutes.astype(np.int16).tobytes())
    assert (tmp_path / "large.wav").stat().st_size > 25 * 2**20
    open_mode(browser, server, "transcribe")
    choose_file(browser, tmp_path / "large.wav")
    browser.until("document.querySelectorAll('[data-utterance=done]').length === 2", 40)
    assert transcript(browser) == ["what is six times seven"] * 2
    times = browser.js(
        "[...document.querySelectorAll('[data-utterance] > span')].map((one) => one.lastChild.innerText)"
    )
    assert times == ["0:01", "2:26"]
    assert browser.complaints == []


def test_a_line_that_breaks_costs_neither_words_that_were_said_meanwhile_nor_their_times(
    browser: Browser, server: servers.Server, downloads: Path
) -> None:
    with Line.to(server.host) as line:
        open_page(browser, f"http://{line.host}/")
        browser.js("location.hash = 'transcribe'")
        browser.click("Start")
        browser.until("document.querySelectorAll('[data-utterance=done]').length === 1")
        line.lead_to("127.0.0.1:1")
        line.cut()
        browser.until("document.querySelector('[data-testid=phase]').textContent.includes('Connecting again.')")
        # Until the question was asked once more.
        time.sleep(ROUND_SECONDS - 1)
        line.lead_to(server.host)
        browser.until("document.querySelectorAll('[data-utterance=done]').length === 3", 40)
        browser.click("SRT")
        begins = begins_of(saved(downloads, "srt").decode())
    steps = np.diff(begins)
    assert steps == pytest.approx([ROUND_SECONDS] * 2, abs=0.7)


def test_a_transcript_is_copied(browser: Browser, server: servers.Server) -> None:
    browser.ask("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    open_mode(browser, server, "transcribe")
    choose_file(browser, QUESTION)
    browser.until("document.querySelectorAll('[data-utterance=done]').length > 0")
    browser.click("Copy")
    browser.until("document.body.innerText.includes('Copied')")
    assert browser.js("navigator.clipboard.readText()") == "what is six times seven\n"
    assert browser.complaints == []


def test_without_permission_to_record_each_way_says_so_and_what_one_can_do(
    server: servers.Server, tmp_path: Path
) -> None:
    with browsing(tmp_path, None, allowed=False) as browser:
        open_mode(browser, server, "classic")
        browser.click("Record")
        browser.until("/The microphone is not allowed.*You can write meanwhile/.test(document.body.innerText)")
        say_in_writing(browser, "what is six times seven")
        browser.until(ANSWERED)
        assert "42" in lines(browser, "assistant")[0]
        browser.js("location.hash = 'transcribe'")
        browser.click("Start")
        browser.until(
            "/The microphone is not allowed.*You can choose a recording meanwhile/.test(document.body.innerText)"
        )
        choose_file(browser, QUESTION)
        browser.until("document.querySelectorAll('[data-utterance=done]').length > 0")
        assert transcript(browser) == ["what is six times seven"]
        assert browser.js("document.querySelectorAll('[role=alert]').length") == 0
        assert browser.complaints == []


# ------------------------------------------------------------------------------------------------------- text to audio


def write_text(browser: Browser, text: str) -> None:
    browser.js("document.querySelector('main textarea').focus()")
    browser.write(text)


def test_a_text_is_kept_as_a_sound_file_that_says_it(browser: Browser, server: servers.Server, downloads: Path) -> None:
    open_mode(browser, server, "speak")
    write_text(browser, TEXT)
    browser.click("Only make the file")
    browser.until("!!document.querySelector('a[download]')")
    browser.js("document.querySelector('a[download]').click()")
    file = saved(downloads, "wav")
    assert file[:4] == b"RIFF"
    assert int.from_bytes(file[4:8], "little") == len(file) - 8
    with wave.open(io.BytesIO(file)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        seconds = sound.getnframes() / RATE
        assert len(file) == 44 + 2 * sound.getnframes()
    assert browser.js("document.querySelector('[data-testid=made]').textContent") == f"{seconds:.1f} s of sound"
    assert ask_server(server, file, prompt=TEXT).strip() == WORDS
    browser.until("document.querySelector('audio').duration > 1")
    assert browser.js("document.querySelector('audio').duration") == pytest.approx(seconds, abs=0.05)
    assert browser.complaints == []


def test_a_text_is_read_aloud_while_it_is_being_made(browser: Browser, server: servers.Server) -> None:
    with tapped(browser, RATE):
        open_page(browser, page_of(server))
    browser.js("location.hash = 'speak'")
    browser.until("!!document.querySelector('#panel-speak')")
    write_text(browser, TEXT)
    browser.click("Read aloud")
    browser.until("!!document.querySelector('audio')", 30)
    assert ask_server(server, wav_of(sounds(browser, "played"), RATE), prompt=TEXT).strip() == WORDS
    assert browser.complaints == []


def test_long_texts_are_spoken_in_parts_and_can_be_stopped_and_gone_on_with(
    browser: Browser, server: servers.Server
) -> None:
    open_mode(browser, server, "speak")
    write_text(browser, f"{TEXT} " * 60)
    block(browser, "/v1/audio/speech")
    browser.click("Only make the file")
    browser.until("document.body.innerText.includes('The text was not spoken to its end. The server does not answer')")
    block(browser)
    browser.requests.clear()
    browser.click("Try again")
    browser.until("document.querySelector('progress')?.value > 0")
    browser.until("!!document.querySelector('a[download]')", 60)
    assert len([url for url in browser.requests if url.endswith("/v1/audio/speech")]) >= 10
    whole = float(browser.js("document.querySelector('[data-testid=made]').textContent").split()[0])
    assert whole > 60 * 3
    browser.click("Read aloud")
    browser.until("/[1-9].* s of sound/.test(document.querySelector('[data-testid=made]')?.textContent)")
    browser.click("Stop")
    browser.until("!!document.querySelector('a[download]')")
    assert "ended before the text did" in browser.js("document.querySelector('[data-testid=made]').textContent")
    assert complaints(browser) == []


def test_a_text_beyond_the_limit_is_told_of_before_anything_is_sent(browser: Browser, server: servers.Server) -> None:
    open_mode(browser, server, "speak")
    write_text(browser, "word " * 20_001)
    browser.until("document.body.innerText.includes('The text is 5 characters too long.')")
    assert browser.js(button("Read aloud", "one.disabled"))
    assert not [url for url in browser.requests if url.endswith("/v1/audio/speech")]


# ---------------------------------------------------------------------------------------------------- all of them


def test_a_way_is_a_link_and_leaving_one_ends_what_is_at_work_in_it(browser: Browser, server: servers.Server) -> None:
    open_page(browser, page_of(server))
    start(browser)
    browser.open(page_of(server) + "?linked#transcribe")
    assert browser.js("document.querySelector('[aria-current=page]').innerText") == "Transcribe"
    browser.click("Start")
    browser.until("document.querySelector('[data-testid=phase]')?.textContent.includes('Listening')")
    for way, panel in (("Speak", "speak"), ("Talk", "talk")):
        browser.js(f"[...document.querySelectorAll('nav a')].find((one) => one.innerText === '{way}').click()")
        browser.until(f"!!document.querySelector('#panel-{panel}')")
        assert browser.js("location.hash") == f"#{panel}"
    start(browser)
    browser.js("location.hash = 'transcribe'")
    browser.until(button("Start"))
    browser.js("location.hash = 'talk'")
    browser.until("document.querySelector('header').innerText.includes('Not connected')")
    assert browser.complaints == []


def test_a_key_is_asked_for_in_place_and_the_same_request_goes_on(browser: Browser, tmp_path: Path) -> None:
    with servers.running(tmp_path, tls=False) as server:
        open_mode(browser, server, "classic")
        say_in_writing(browser, "what is six times seven")
        browser.until("document.body.innerText.includes('This server asks for a key')")
        browser.write(servers.KEY)
        browser.key("Enter")
        browser.until(ANSWERED)
        assert "42" in lines(browser, "assistant")[0]
        browser.js("sessionStorage.clear()")
        browser.js("location.hash = 'transcribe'")
        browser.click("Start")
        browser.until("document.body.innerText.includes('This server asks for a key')")
        browser.write(servers.KEY)
        browser.key("Enter")
        browser.until("document.querySelector('[data-testid=phase]')?.textContent.includes('Listening')")
        browser.click("Stop")
        browser.js("sessionStorage.clear()")
        browser.js("location.hash = 'speak'")
        browser.until("!!document.querySelector('#panel-speak')")
        write_text(browser, "Good morning.")
        browser.click("Only make the file")
        browser.until("document.body.innerText.includes('This server asks for a key')")
        browser.write(servers.KEY)
        browser.key("Enter")
        browser.until("!!document.querySelector('a[download]')")
        assert not any(servers.KEY in url for url in browser.requests)
        assert [said for said in browser.complaints if "401" not in said] == []


@pytest.fixture(scope="module")
def judge() -> str:
    """A script that judges how usable a page is to people with disabilities."""
    environments.node()
    return (environments.NODE_PROJECT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("width", "height"), [(320, 568), (390, 844), (1280, 800)], ids=["smallest", "phone", "desktop"]
)
def test_every_way_fits_its_screen_and_is_open_to_everybody(
    browser: Browser, server: servers.Server, judge: str, tmp_path: Path, width: int, height: int, *, dark: bool
) -> None:
    def look(view: str) -> None:
        browser.picture(tmp_path / f"{view}.png")
        wide, high = browser.js("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert (wide <= width, high <= height) == (True, True), view
        beyond = (
            "[...document.querySelectorAll('button, input, select, a, textarea')].filter((one) => one.offsetParent)"
            f".filter((one) => one.getBoundingClientRect().right > {width}).map((one) => one.outerHTML)"
        )
        assert browser.js(beyond) == [], view
        found = browser.js(
            f"{judge}; axe.run().then((told) => told.violations.map((one) => [one.id, one.nodes[0].html]))"
        )
        assert found == [], view

    open_page(browser, page_of(server), width=width, height=height, dark=dark)
    browser.js("location.hash = 'classic'")
    look("classic")
    block(browser, "/v1/audio/speech")
    say_in_writing(browser, "what is six times seven")
    browser.until("document.body.innerText.includes('The answer could not be spoken.')")
    look("classic-failed")
    block(browser)
    browser.click("Try again")
    browser.until(ANSWERED)
    look("classic-answered")
    browser.js("location.hash = 'transcribe'")
    look("transcribe")
    choose_file(browser, QUESTION)
    browser.until("document.querySelectorAll('[data-utterance=done]').length > 0")
    look("transcribe-file")
    browser.click("Clear")
    browser.until("!document.querySelector('[data-utterance]')")
    browser.click("Start")
    browser.until("!!document.querySelector('[data-utterance=live] [data-word]')")
    look("transcribe-live")
    browser.js("location.hash = 'speak'")
    browser.until("!!document.querySelector('#panel-speak')")
    look("speak")
    write_text(browser, TEXT)
    browser.click("Only make the file")
    browser.until("!!document.querySelector('a[download]')")
    look("speak-made")
    if width < 600:
        browser.js("document.querySelector('summary').click()")
        look("speak-options")
    assert complaints(browser) == []


def test_without_a_secure_context_one_writes_and_hears_the_answer(tmp_path: Path) -> None:
    names = "--host-resolver-rules=MAP page.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    with (
        servers.running(tmp_path, tls=False) as server,
        browsing(tmp_path, None, names) as browser,
    ):
        port = server.host.split(":")[1]
        open_page(browser, f"http://page.test:{port}/")
        assert browser.js("isSecureContext") is False
        browser.click("Start talking")
        browser.until("document.body.innerText.includes('This server asks for a key')")
        browser.write(servers.KEY)
        browser.key("Enter")
        browser.until("document.querySelector('header').innerText.includes('Connected')")
        browser.until("document.body.innerText.includes('Browsers give the microphone to secure pages only.')")
        say_in_writing(browser, "what is six times seven")
        browser.until(ANSWERED)
        assert "42" in lines(browser, "assistant")[0]
        assert played_seconds(browser) > 0.5
        browser.js("location.hash = 'classic'")
        say_in_writing(browser, "what is six times eight")
        browser.until(ANSWERED)
        assert "48" in lines(browser, "assistant")[0]
        browser.js("location.hash = 'speak'")
        browser.until("!!document.querySelector('#panel-speak')")
        write_text(browser, "Good morning.")
        browser.click("Read aloud")
        browser.until("!!document.querySelector('audio')", 30)
        # What browsers had before worklets is out of fashion, and the cross-origin policy is for secure pages.
        fashions = ("ScriptProcessorNode", "Cross-Origin-Opener-Policy", "401")
        assert [said for said in browser.complaints if not any(name in said for name in fashions)] == []
