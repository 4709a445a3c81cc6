from __future__ import annotations

import argparse
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fakes import FakeHearing, FakeServer, FakeSession, Json
from vivavoce.audio.wav import WavWriter
from vivavoce.cli import transcribe
from vivavoce.cli.line import OpenLine, Place
from vivavoce.legs.line import LineError

LOUD = b"\xff\x3f"


class Stenographer:
    """A server that hears a word in every stretch of loud samples, and ends a turn after 500 ms of silence."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.hearing = FakeHearing()
        self.settings: Json = {}

    def __call__(self, session: FakeSession, event: Json) -> bool:
        if event["type"] == "session.update":
            self.settings = event["session"]
            self.hearing = FakeHearing()
        if event["type"] != "input_audio_buffer.append":
            return False
        for item in self.hearing.turns(session, event):
            self.understand(session, item)
        return True

    def understand(self, session: FakeSession, item: Json) -> None:
        word = self.words.pop(0)
        name = "conversation.item.input_audio_transcription"
        if word == "?":
            session.send({"type": f"{name}.failed", "error": {"message": "too noisy"}, **item})
            return
        session.send({"type": f"{name}.delta", "delta": word[:2], **item})
        logprobs = [{"token": word, "logprob": -0.105}]
        session.send({"type": f"{name}.completed", "transcript": word, "logprobs": logprobs, **item})


class Desk:
    """The command, run in a folder of its own against a fake server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stenographer = Stenographer("hello", "world", "again")
        self.server = FakeServer(script=self.stenographer)

    @asynccontextmanager
    async def lines(self, place: Place, *, hears: bool) -> AsyncIterator[OpenLine]:
        assert hears
        yield self.server.line

    def __call__(self, *arguments: object) -> int:
        parser = argparse.ArgumentParser(allow_abbrev=False)
        transcribe.add_arguments(parser)
        return transcribe.run(parser.parse_args([str(argument) for argument in arguments]))

    def record(self, name: str, *ms: int, rate_hz: int = 24_000) -> Path:
        """A recording of silence and sound by turns."""
        path = self.folder / name
        with WavWriter(path, rate_hz) as wav:
            for number, length in enumerate(ms):
                wav.write((LOUD if number % 2 else b"\0\0") * (length * rate_hz // 1000))
        return path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    monkeypatch.setattr(transcribe, "lines", desk.lines)
    return desk


def test_the_text_is_written_line_by_line_with_times_and_confidence(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk(desk.record("a.wav", 200, 400, 700, 300)) == 0
    assert capsys.readouterr().out == "[0:00.2 - 0:01.1] hello  (0.90)\n[0:01.3 - 0:01.6] world  (0.90)\n"


def test_the_session_only_listens(desk: Desk) -> None:
    desk(desk.record("a.wav", 0, 100), "--language", "en", "--prompt", "names")
    settings = desk.stenographer.settings
    assert settings["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "silence_duration_ms": 500,
        "create_response": False,
        "interrupt_response": False,
    }
    assert settings["audio"]["input"]["transcription"] == {"model": "vivavoce", "language": "en", "prompt": "names"}
    assert settings["include"] == ["item.input_audio_transcription.logprobs"]


def test_json_tells_segments_words_and_confidences(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    path = desk.record("a.wav", 200, 400, 600)
    assert desk(path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == str(path)
    assert told["duration_s"] == 1.2
    assert told["text"] == "hello"
    assert told["confidence"] == pytest.approx(0.9, abs=0.001)
    assert told["segments"] == [
        {
            "start_s": 0.2,
            "end_s": 1.1,
            "text": "hello",
            "confidence": pytest.approx(0.9, abs=0.001),
            "words": [{"text": "hello", "confidence": pytest.approx(0.9, abs=0.001)}],
            "problem": None,
        }
    ]


def test_recordings_of_other_rates_have_the_same_times(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk(desk.record("a.wav", 200, 400, 600, rate_hz=8_000), "--srt") == 0
    number, times, text = capsys.readouterr().out.splitlines()
    assert (number, text) == ("1", "hello")
    assert times.startswith("00:00:00,1")


@pytest.mark.parametrize("kind", ["json", "srt", "vtt"])
def test_several_recordings_have_a_result_each(desk: Desk, kind: str) -> None:
    recordings = [desk.record(f"{name}.wav", 0, 200, 600) for name in "ab"]
    assert desk(*recordings, f"--{kind}", "--out-dir", desk.folder / "out") == 0
    assert {path.name for path in (desk.folder / "out").iterdir()} == {f"a.{kind}", f"b.{kind}"}
    assert "hello" in (desk.folder / "out" / f"a.{kind}").read_text()
    assert "world" in (desk.folder / "out" / f"b.{kind}").read_text()


def test_the_text_goes_to_a_file_that_is_asked_for(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk(desk.record("a.wav", 0, 200, 700, 200), "-o", desk.folder / "a.txt") == 0
    assert (desk.folder / "a.txt").read_text() == "hello\nworld\n"
    assert capsys.readouterr().out == ""


def test_speech_that_was_not_understood_is_shown_as_such(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.stenographer.words = ["?"]
    assert desk(desk.record("a.wav", 0, 200)) == 0
    assert "(too noisy)" in capsys.readouterr().out


def test_a_recording_of_silence_has_no_text(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk(desk.record("a.wav", 500)) == 0
    assert capsys.readouterr().out == ""


def test_partial_text_is_shown_on_a_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    assert desk(desk.record("a.wav", 0, 200)) == 0
    assert terminal.getvalue() == "\r\x1b[Khe\r\x1b[K[0:00.0 - 0:00.2] hello  (0.90)\n"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (None, "no such file or directory"),
        (b"", "the file is empty"),
        (b"OggS....", "not a WAV file, but Ogg"),
        (b"hello", "not a WAV file: it does not begin with RIFF"),
    ],
)
def test_a_file_that_is_no_recording_is_told_and_the_others_are_heard(
    desk: Desk, capsys: pytest.CaptureFixture[str], data: bytes | None, cause: str
) -> None:
    bad = desk.folder / "bad.wav"
    if data is not None:
        bad.write_bytes(data)
    assert desk(bad, desk.record("a.wav", 0, 200)) == 1
    captured = capsys.readouterr()
    assert captured.err == f"vivavoce transcribe: {bad}: {cause}\n"
    assert "hello" in captured.out


def test_an_empty_recording_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk(desk.record("a.wav")) == 1
    assert capsys.readouterr().err.endswith("a.wav: the recording is empty\n")


def test_a_server_that_fails_is_told_in_one_line(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.server.refuse = LineError("cannot reach h: connection refused", again=True)
    assert desk(desk.record("a.wav", 0, 200)) == 1
    assert capsys.readouterr().err == "vivavoce transcribe: cannot reach h: connection refused\n"


@pytest.mark.parametrize("kind", ["session.update", "input_audio_buffer.append"])
def test_an_error_of_the_server_ends_the_run_with_its_words(
    desk: Desk, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == kind:
            session.error("invalid_value", "Not with me.", event)
        return event["type"] == kind

    desk.server.script = script
    assert desk(desk.record("a.wav", 0, 200)) == 1
    assert capsys.readouterr().err.endswith(": Not with me.\n")


def test_a_line_that_breaks_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == "input_audio_buffer.append":
            session.leg.close(1011, "internal error")
        return event["type"] == "input_audio_buffer.append"

    desk.server.script = script
    assert desk(desk.record("a.wav", 0, 200)) == 1
    assert "the server closed the connection (code 1011): internal error" in capsys.readouterr().err


def test_words_that_never_come_are_not_waited_for_without_end(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == "input_audio_buffer.append":
            session.send({"type": "input_audio_buffer.committed", "item_id": "i"})
        return event["type"] == "input_audio_buffer.append"

    desk.server.script = script
    assert desk(desk.record("a.wav", 0, 200), "--timeout", "0.01") == 1
    assert "waited 0.01 s for the rest of the text" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.wav", "b.wav", "-o", "x"),
        ("a.wav", "b.wav", "--srt"),
        ("a.wav", "sub/a.wav", "--out-dir", "out"),
        ("a.wav", "--pace", "0"),
        ("a.wav", "--silence-ms", "5"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert desk(*arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
