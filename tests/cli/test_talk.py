from __future__ import annotations

import argparse
import base64
import builtins
import io
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeHearing, FakeServer, FakeSession, Json
from vivavoce.audio.wav import WavWriter, read_wav
from vivavoce.cli import talk
from vivavoce.cli.line import OpenLine, Place
from vivavoce.cli.player import Rhythm
from vivavoce.legs.line import LineError

LOUD = b"\xff\x3f"
ANSWER_MS = 2000


class Concierge:
    """A server that takes loud audio for speech, ends a turn after 500 ms of silence and answers it at once."""

    def __init__(self) -> None:
        self.turns = 0
        self.hearing = FakeHearing()
        self.settings: Json = {}
        self.truncated: list[Json] = []
        self.fails = False

    def __call__(self, session: FakeSession, event: Json) -> bool:
        match event["type"]:
            case "session.update":
                self.settings = event["session"]
                detection = {"type": "server_vad", "silence_duration_ms": 500}
                told = {"id": "sess_1", "audio": {"input": {"turn_detection": detection}}}
                session.send({"type": "session.updated", "session": told})
            case "input_audio_buffer.append":
                for item in self.hearing.turns(session, event):
                    self.understand(session, item)
            case "conversation.item.truncate":
                self.truncated.append(event)
            case _:
                return False
        return True

    def understand(self, session: FakeSession, item: Json) -> None:
        transcript = f"question {self.turns + 1}"
        name = "conversation.item.input_audio_transcription.completed"
        session.send({"type": name, "transcript": transcript, **item})
        self.answer(session)

    def answer(self, session: FakeSession) -> None:
        self.turns += 1
        response_id, item_id = session.begin(), session.id("item")
        if self.fails:
            session.done(response_id, "failed", {"type": "failed", "error": {"message": "No engine."}})
            return
        pcm = bytes([self.turns, 0]) * (ANSWER_MS * 24)
        session.audio(response_id, item_id, pcm, f"answer {self.turns}")
        place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        session.send({"type": "response.output_audio.done", **place})
        transcript = f"answer {self.turns}."
        session.send({"type": "response.output_audio_transcript.done", "transcript": transcript, **place})
        session.done(response_id)


class Desk:
    """The command, run in a folder of its own against a fake server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.concierge = Concierge()
        self.server = FakeServer(script=self.concierge)

    @asynccontextmanager
    async def lines(self, place: Place, *, hears: bool) -> AsyncIterator[OpenLine]:
        yield self.server.line

    def __call__(self, *arguments: object) -> int:
        parser = argparse.ArgumentParser(allow_abbrev=False)
        talk.add_arguments(parser)
        return talk.run(parser.parse_args([str(argument) for argument in arguments]))

    def record(self, name: str, loud_ms: int = 200, quiet_ms: int = 100) -> Path:
        path = self.folder / name
        with WavWriter(path, 24_000) as wav:
            wav.write(LOUD * (24 * loud_ms))
            wav.write(b"\0\0" * (24 * quiet_ms))
        return path

    def answers_ms(self, name: str = "answer.wav") -> dict[int, int]:
        """How much of each answer is in the recording."""
        pcm = read_wav(self.folder / name).pcm
        return {turn: pcm[::2].count(turn) // 24 for turn in range(1, 10) if turn in pcm[::2]}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(talk, "lines", desk.lines)
    monkeypatch.setattr(Rhythm, "beat_seconds", 0.0005)  # forty times as fast as speech
    return desk


def test_a_spoken_question_is_answered_into_a_file(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk("--file", desk.record("q.wav"), "--out", "answer.wav", "--fast") == 0
    assert desk.answers_ms() == {1: ANSWER_MS}
    you, answer, latencies = capsys.readouterr().out.splitlines()
    assert (you, answer) == ("you: question 1", "answer: answer 1.")
    assert latencies.startswith("   turn 1, after the end of speech: committed ")
    assert {path.name for path in desk.folder.iterdir()} == {"q.wav", "answer.wav"}


def test_several_questions_are_asked_turn_after_turn(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    files = [desk.record(f"{name}.wav") for name in "abc"]
    assert desk("--file", *files, "--out", "answer.wav", "--fast") == 0
    assert desk.answers_ms() == {1: ANSWER_MS, 2: ANSWER_MS, 3: ANSWER_MS}
    assert capsys.readouterr().out.splitlines()[-1].startswith("   3 turns, first audio ")


def test_at_the_pace_of_speech_an_answer_is_heard_to_its_end(desk: Desk) -> None:
    assert desk("--file", desk.record("a.wav"), desk.record("b.wav"), "--out", "answer.wav") == 0
    assert desk.answers_ms() == {1: ANSWER_MS, 2: ANSWER_MS}
    assert desk.concierge.truncated == []


def test_barging_in_stops_the_answer_and_tells_how_much_was_heard(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    files = desk.record("a.wav"), desk.record("b.wav")
    assert desk("--file", *files, "--out", "answer.wav", "--barge-in", "500") == 0
    (truncate,) = desk.concierge.truncated
    heard = desk.answers_ms()
    assert 500 <= truncate["audio_end_ms"] < ANSWER_MS
    assert heard == {1: truncate["audio_end_ms"], 2: ANSWER_MS}
    assert truncate["content_index"] == 0
    assert "(interrupted after 0." in capsys.readouterr().out


def test_the_settings_ask_for_turns_and_captions(desk: Desk) -> None:
    desk("--file", desk.record("q.wav"), "--fast", "--voice", "echo", "--silence-ms", "700", "--instructions", "Hm.")
    settings = desk.concierge.settings
    assert settings["instructions"] == "Hm."
    assert settings["audio"]["input"]["turn_detection"] == {"type": "server_vad", "silence_duration_ms": 700}
    assert settings["audio"]["input"]["transcription"] == {"model": "vivavoce"}
    assert settings["audio"]["output"] == {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "echo"}


def test_a_recording_without_speech_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk("--file", desk.record("q.wav", loud_ms=0), "--out", "answer.wav") == 1
    assert capsys.readouterr().err == "vivavoce talk: q.wav was not answered\n"
    assert not (desk.folder / "answer.wav").exists()


def test_an_answer_that_fails_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.concierge.fails = True
    assert desk("--file", desk.record("q.wav"), "--fast") == 1
    captured = capsys.readouterr()
    assert "(the answer failed: No engine.)" in captured.out
    assert captured.err == "vivavoce talk: q.wav was not answered\n"


def test_an_answer_that_never_comes_is_not_waited_for_without_end(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.concierge, "answer", lambda session: None)
    assert desk("--file", desk.record("q.wav"), "--fast", "--timeout", "0.05") == 1
    assert capsys.readouterr().err == "vivavoce talk: waited 0.05 s for an answer\n"


def test_a_line_that_breaks_leaves_no_recording(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(session: FakeSession) -> None:
        session.audio(session.begin(), "i", b"\1\0" * 2400)
        session.leg.close(1011, "oops")

    desk.concierge.answer = answer  # type: ignore[method-assign]
    assert desk("--file", desk.record("q.wav"), "--fast", "--out", "answer.wav") == 1
    assert "code 1011): oops" in capsys.readouterr().err
    assert {path.name for path in desk.folder.iterdir()} == {"q.wav"}


def test_a_server_out_of_reach_is_told_in_one_line(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.server.refuse = LineError("cannot reach h", again=True)
    assert desk("--file", desk.record("q.wav"), "--out", "answer.wav") == 1
    assert capsys.readouterr().err == "vivavoce talk: cannot reach h\n"
    assert not (desk.folder / "answer.wav").exists()


def test_a_file_that_is_no_recording_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    (desk.folder / "q.wav").write_bytes(b"fLaC....")
    assert desk("--file", "q.wav") == 1
    assert capsys.readouterr().err == "vivavoce talk: q.wav: not a WAV file, but FLAC\n"


def test_typed_lines_are_answered_in_text(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello.\n\nBye.\n"))
    desk.server.script = lambda session, event: event["type"] == "conversation.item.delete"
    assert desk("--text") == 0
    settings = desk.server.received[0]["session"]
    assert settings["output_modalities"] == ["text"]
    assert settings["audio"]["input"]["turn_detection"] is None
    said = [event["item"]["content"][0]["text"] for event in desk.server.received if "item" in event]
    assert said == ["Hello.", "Bye."]


def test_typed_lines_can_be_answered_into_a_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello."))
    desk.server.script = None
    assert desk("--text", "--out", "answer.wav") == 0
    assert len(read_wav(desk.folder / "answer.wav").pcm) == 4 * len("Hello.")


def test_without_the_extra_the_microphone_says_how_to_get_it(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert desk() == 1
    assert capsys.readouterr().err == (
        "vivavoce talk: a microphone needs the extra: pip install 'vivavoce[talk]' (or use --file)\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fast",),
        ("--barge-in",),
        ("--file", "q.wav", "--fast", "--barge-in"),
        ("--file", "q.wav", "--turn-detection", "semantic_vad", "--silence-ms", "500"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    desk: Desk, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert desk(*arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_sent_is_what_was_recorded_then_silence(desk: Desk) -> None:
    path = desk.record("q.wav", loud_ms=110, quiet_ms=0)
    desk("--file", path, "--fast")
    sent = b"".join(
        base64.b64decode(event["audio"]) for event in desk.server.received if event["type"].endswith("append")
    )
    recorded = read_wav(path).pcm
    assert sent.startswith(recorded)
    assert not any(sent[len(recorded) :])
