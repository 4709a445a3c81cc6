from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeServer, FakeSession, Json, heard
from vivavoce.audio.wav import read_wav
from vivavoce.cli import say
from vivavoce.cli.line import OpenLine, Place
from vivavoce.cli.prompts import ASSISTANT, WORD_FOR_WORD
from vivavoce.legs.line import LineError

Say = Callable[..., int]


class Desk:
    """The command, run in a folder of its own against a fake server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = FakeServer()
        self.places: list[Place] = []

    @asynccontextmanager
    async def lines(self, place: Place, *, hears: bool) -> AsyncIterator[OpenLine]:
        assert not hears
        self.places.append(place)
        yield self.server.line

    def __call__(self, *arguments: object) -> int:
        parser = argparse.ArgumentParser(allow_abbrev=False)
        say.add_arguments(parser)
        return say.run(parser.parse_args([str(argument) for argument in arguments]))

    def names(self, folder: str = ".") -> set[str]:
        return {path.name for path in (self.folder / folder).iterdir()}

    def spoken(self, name: str = "speech.wav") -> str:
        wav = read_wav(self.folder / name)
        assert wav.rate_hz == 24_000
        return heard(wav.pcm)

    def description(self, name: str = "speech.json") -> dict[str, Any]:
        described: dict[str, Any] = json.loads((self.folder / name).read_text())
        return described

    def settings(self) -> Json:
        session: Json = next(event for event in self.server.received if event["type"] == "session.update")["session"]
        return session


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(say, "lines", desk.lines)
    for name in list(os.environ):
        if name.startswith(("VIVAVOCE_", "OPENAI_")):
            monkeypatch.delenv(name)
    return desk


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_text_becomes_a_wav_file_with_a_description_and_a_log(desk: Desk) -> None:
    assert desk("Hello", "there.") == 0
    assert desk.names() == {"speech.wav", "speech.json", "speech.log"}
    assert desk.spoken() == "Hello there."
    log = (desk.folder / "speech.log").read_text()
    assert "session sess_1 at local, ga shape" in log
    assert "part 1 completed" in log


def test_the_description_tells_what_was_asked_for_and_what_came_of_it(desk: Desk) -> None:
    desk("Hello there.", "--voice", "coral", "--speed", "1.2")
    told = desk.description()
    assert told["text"] == told["transcript"] == "Hello there."
    assert (told["voice"], told["model"], told["url"], told["shape"]) == ("coral", "fake-model", "local", "ga")
    assert told["status"] == "completed"
    assert told["word_for_word"] is True
    assert told["session"]["audio"]["output"]["voice"] == "coral"
    audio = {"file": "speech.wav", "format": "RIFF PCM16", "rate_hz": 24000, "channels": 1, "bytes": 48, "samples": 24}
    assert told["audio"] == {**audio, "duration_s": 0.001}
    assert told["usage"]["output_token_details"] == {"text_tokens": 5, "audio_tokens": 15}
    assert told["cost_usd"] is None
    (part,) = told["parts"]
    assert part["event_ids"][0] == "speak_1"
    assert len(part["event_ids"]) == 3
    assert part["response_id"].startswith("resp_")
    assert part["time_to_first_audio_s"] <= part["time_to_end_s"]


def test_the_settings_ask_for_reading_word_for_word_in_the_default_voice(desk: Desk) -> None:
    desk("Hello.")
    assert desk.settings() == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": WORD_FOR_WORD,
        "audio": {
            "input": {"turn_detection": None},
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash"},
        },
    }


def test_instructions_come_from_the_argument_else_the_folder_else_the_product(desk: Desk) -> None:
    desk("Hello.", "--answer")
    assert desk.settings()["instructions"] == ASSISTANT
    (desk.folder / "SYSTEM_PROMPT.txt").write_text("Whisper.\n")
    desk.server.received.clear()
    desk("Hello.")
    assert desk.settings()["instructions"] == "Whisper."
    desk.server.received.clear()
    desk("Hello.", "--instructions", "Shout.")
    assert desk.settings()["instructions"] == "Shout."


def test_an_answer_is_not_cut_into_parts_nor_compared_with_the_text(desk: Desk) -> None:
    text = "What is this? " * 100
    assert desk(text, "--answer") == 0
    told = desk.description()
    assert told["mode"] == "answer"
    assert told["word_for_word"] is None
    assert len(told["parts"]) == 1


def test_the_settings_that_were_asked_for_reach_the_server(desk: Desk) -> None:
    desk("Hi.", "--speed", "0.8", "--max-response-output-tokens", "300", "--temperature", "0.7", "--shape", "ga")
    settings = desk.settings()
    assert settings["audio"]["output"]["speed"] == 0.8
    assert settings["max_output_tokens"] == 300
    assert "temperature" not in settings


def test_a_temperature_makes_the_local_session_one_of_the_beta_shape(desk: Desk) -> None:
    desk.server.shape = "beta"
    assert desk("Hi.", "--temperature", "0.7") == 0
    assert desk.places[0].shape == "beta"
    assert desk.settings()["temperature"] == 0.7
    assert desk.settings()["modalities"] == ["audio", "text"]
    assert desk.description()["shape"] == "beta"
    assert desk.spoken() == "Hi."


def test_a_file_gives_its_name_to_the_results(desk: Desk) -> None:
    (desk.folder / "chapter.txt").write_text("It was a dark night.")
    assert desk("-f", "chapter.txt", "--out-dir", "out/put") == 0
    assert desk.names("out/put") == {"chapter.wav", "chapter.json", "chapter.log"}
    assert desk.spoken("out/put/chapter.wav") == "It was a dark night."


def test_several_files_are_spoken_by_several_jobs_with_one_log(desk: Desk) -> None:
    for name in "abc":
        (desk.folder / f"{name}.txt").write_text(f"This is {name}.")
    assert desk("-f", "*.txt", "--out-dir", "out", "--jobs", "2") == 0
    assert desk.names("out") == {f"{name}.{kind}" for name in "abc" for kind in ("wav", "json")} | {"processing.log"}
    assert [desk.spoken(f"out/{name}.wav") for name in "abc"] == ["This is a.", "This is b.", "This is c."]


def test_one_bad_text_does_not_keep_the_others_from_being_spoken(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk.folder / "a.txt").write_text("This is a.")
    (desk.folder / "b.txt").write_text("")
    assert desk("-q", "-f", "a.txt", "b.txt", "--out-dir", "out") == 1
    assert complaint(capsys) == "vivavoce say: b.txt is empty"
    assert desk.spoken("out/a.wav") == "This is a."


def test_a_text_is_read_from_standard_input(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Grüße.".encode())))
    assert desk("-", "-o", "x.wav") == 0
    assert desk.spoken("x.wav") == "Grüße."


def test_the_audio_can_go_to_standard_output(desk: Desk, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert desk("Hello.", "-o", "-") == 0
    assert heard(read_wav(capfdbinary.readouterr().out).pcm) == "Hello."
    assert desk.names() == set()


def test_a_long_text_is_spoken_in_parts_and_in_order_without_growing_the_conversation(desk: Desk) -> None:
    text = " ".join(f"This is sentence number {number}." for number in range(20))
    assert desk(text, "--part-characters", "60") == 0
    told = desk.description()
    assert " ".join(part["text"] for part in told["parts"]) == text
    assert desk.spoken() == "".join(part["text"] for part in told["parts"])
    assert told["usage"]["total_tokens"] == 30 * len(told["parts"])
    requests = [event["response"] for event in desk.server.received if event["type"] == "response.create"]
    assert all(request["conversation"] == "none" for request in requests)
    assert [request["input"][0]["content"][0]["text"] for request in requests] == [p["text"] for p in told["parts"]]


def no_band(session: FakeSession, event: Json) -> bool:
    """A server that knows no responses out of band."""
    if event["type"] == "response.create" and "conversation" in event.get("response", {}):
        session.error("unknown_parameter", "Unknown parameter: 'response.conversation'.", event)
        return True
    return False


def test_a_server_without_out_of_band_responses_has_its_items_deleted(desk: Desk) -> None:
    desk.server.script = no_band
    assert desk("One is here. Two is here.", "--part-characters", "14") == 0
    assert desk.spoken() == "One is here.Two is here."
    assert desk.server.types() == [
        "session.update",
        "response.create",
        *["conversation.item.create", "response.create", "conversation.item.delete", "conversation.item.delete"] * 2,
    ]
    assert desk.server.sessions[0].items == {}


def failing_at(text: str) -> Callable[[FakeSession, Json], bool]:
    """A server that fails for good when it is to say `text`, after some audio."""

    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] != "response.create" or text not in str(event):
            return False
        response_id = session.begin(band="none")
        session.audio(response_id, "item", b"\1\0\2\0", "oh")
        error = {"type": "server_error", "code": "insufficient_quota", "message": "No money left."}
        session.done(response_id, "failed", {"type": "failed", "error": error})
        return True

    return script


def test_what_failed_is_continued_at_the_first_part_that_was_not_spoken(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("One is here. Two is here. Three is here.", "--part-characters", "15", "-q")
    desk.server.script = failing_at("Three")
    assert desk(*arguments) == 1
    assert complaint(capsys) == (
        "vivavoce say: text: part 3 of 3 was not spoken: the response ended failed (insufficient_quota: No money left.)"
    )
    assert desk.names() == {"speech.wav.part", "speech.wav.state", "speech.log"}
    assert desk.spoken("speech.wav.part") == "One is here.Two is here."

    desk.server = FakeServer()
    assert desk(*arguments) == 0
    assert desk.spoken() == "One is here.Two is here.Three is here."
    assert desk.server.types() == ["session.update", "response.create"]
    assert [part["index"] for part in desk.description()["parts"]] == [0, 1, 2]
    assert desk.names() == {"speech.wav", "speech.json", "speech.log"}


@pytest.mark.parametrize(
    "changed",
    [
        ("One is here. Two is here. Four is here.",),
        ("One is here. Two is here. Three is here.", "--voice", "echo"),
        ("One is here. Two is here. Three is here.", "--restart"),
    ],
)
def test_another_text_voice_or_wish_begins_anew(desk: Desk, changed: tuple[str, ...]) -> None:
    desk.server.script = failing_at("Three")
    assert desk("One is here. Two is here. Three is here.", "--part-characters", "15", "-q") == 1
    desk.server = FakeServer()
    assert desk(*changed, "--part-characters", "15", "-q") == 0
    assert desk.server.types().count("response.create") == 3


def test_an_interrupted_text_without_a_file_is_found_again_in_its_folder(desk: Desk) -> None:
    arguments = ("One is here. Two is here.", "--part-characters", "14", "-q", "--out-dir", "out")
    desk.server.script = failing_at("Two")
    assert desk(*arguments) == 1
    desk.server = FakeServer()
    assert desk(*arguments) == 0
    assert desk.server.types().count("response.create") == 1
    assert len(desk.names("out")) == 3


def test_ctrl_c_keeps_what_is_whole_and_says_how_to_go_on(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if "Two" in str(event):
            session.audio(session.begin(band="none"), "item", b"\1\0\2\0")
            raise KeyboardInterrupt
        return False

    desk.server.script = script
    arguments = ("One is here. Two is here.", "--part-characters", "14", "-q")
    assert desk(*arguments) == 130
    assert complaint(capsys) == "vivavoce say: interrupted; the same command goes on where it stopped"
    desk.server = FakeServer()
    assert desk(*arguments) == 0
    assert desk.spoken() == "One is here.Two is here."
    assert desk.server.types().count("response.create") == 1


def test_a_failure_leaves_an_older_recording_as_it_was(desk: Desk) -> None:
    desk("The old one.")
    before = (desk.folder / "speech.wav").read_bytes(), (desk.folder / "speech.json").read_bytes()
    desk.server.script = failing_at("new")
    assert desk("The new one.") == 1
    assert ((desk.folder / "speech.wav").read_bytes(), (desk.folder / "speech.json").read_bytes()) == before
    assert desk.names() == {"speech.wav", "speech.json", "speech.log"}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "t.txt is empty"),
        (b" \n*** \n", "t.txt contains nothing to speak"),
        (b"caf\xe9", "t.txt is not a text in UTF-8 (byte 4); --encoding names another, such as latin-1"),
        (b"a\0b", "t.txt is not a text: it contains NUL characters"),
        (None, "t.txt: no such file or directory"),
    ],
)
def test_a_text_that_cannot_be_read_is_told_in_one_line(
    desk: Desk, capsys: pytest.CaptureFixture[str], data: bytes | None, line: str
) -> None:
    if data is not None:
        (desk.folder / "t.txt").write_bytes(data)
    assert desk("-f", "t.txt", "-o", "x.wav") == 1
    assert complaint(capsys) == f"vivavoce say: {line}"
    assert desk.names() <= {"t.txt"}


def test_a_folder_instead_of_a_text_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk("-f", ".") == 1
    assert complaint(capsys) == "vivavoce say: .: is a directory"


def test_a_folder_instead_of_a_wav_file_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    (desk.folder / "x").mkdir()
    assert desk("Hello.", "-o", "x") == 1
    assert complaint(capsys) == "vivavoce say: text: x: is a directory"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_in_one_line(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk("Hello.", "-o", "/dev/full") == 1
    assert complaint(capsys) == "vivavoce say: text: no space left on the disk"
    assert desk.names() == set()


def test_a_disk_that_fills_up_leaves_what_was_whole(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vivavoce.audio.wav import WavWriter

    room = [60]
    write = WavWriter.write

    def limited(self: WavWriter, pcm: bytes) -> None:
        room[0] -= len(pcm)
        if room[0] < 0:
            raise OSError(28, "No space left on device")
        write(self, pcm)

    monkeypatch.setattr(WavWriter, "write", limited)
    arguments = ("One is here. Two is here.", "--part-characters", "14", "-q")
    assert desk(*arguments) == 1
    assert complaint(capsys) == "vivavoce say: text: no space left on the disk"
    assert desk.names() == {"speech.wav.part", "speech.wav.state", "speech.log"}
    room[0] = 10_000
    assert desk(*arguments) == 0
    assert desk.spoken() == "One is here.Two is here."


def test_a_server_out_of_reach_is_told_once_for_all_texts(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        (desk.folder / f"{name}.txt").write_text("Hello.")
    desk.server.refuse = LineError("cannot reach h:8000: connection refused; is the server running?", again=True)
    assert desk("-q", "-f", "a.txt", "--url", "ws://h:8000", "-o", "x.wav") == 1
    assert complaint(capsys) == ("vivavoce say: a.txt: cannot reach h:8000: connection refused; is the server running?")
    assert desk.names() == {"a.txt", "b.txt", "c.txt", "x.log"}
    assert desk("-q", "-f", "a.txt", "b.txt", "c.txt", "--url", "ws://h:8000", "--jobs", "2") == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("",),
        ("Hello.", "-f", "a.txt"),
        ("-f", "a.txt", "b.txt", "-o", "x.wav"),
        ("Hello.", "-o", "x.mp3"),
        ("Hello.", "-o", "x.wav", "--out-dir", "out"),
        ("-f", "*.md"),
        ("-f", "a.txt", "sub/a.txt"),
        ("-f", "speech.json"),
        ("Hello.", "--url", "ftp://h"),
        ("Hello.", "--insecure"),
        ("Hello.", "--encoding", "klingon"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_done(
    desk: Desk, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    (desk.folder / "sub").mkdir()
    for name in ("a.txt", "b.txt", "sub/a.txt", "speech.json"):
        (desk.folder / name).write_text("Hello.")
    before = desk.names()
    assert desk(*arguments) == 2
    assert complaint(capsys).startswith("vivavoce say: ")
    assert desk.names() == before
    assert desk.server.sessions == []


@pytest.mark.parametrize(
    "arguments", [("--speed", "2"), ("--jobs", "0"), ("--max-response-output-tokens", "0"), ("--shape", "gamma")]
)
def test_values_out_of_range_are_refused(desk: Desk, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        desk("Hello.", *arguments)
    assert ended.value.code == 2


def test_a_file_that_happens_to_have_the_name_of_the_description_is_not_replaced(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk.folder / "package.json").write_text('{"name": "mine"}')
    assert desk("Hello.", "-o", "package.wav") == 1
    assert "package.json is not a description of a recording" in complaint(capsys)
    assert (desk.folder / "package.json").read_text() == '{"name": "mine"}'


def test_text_that_the_server_changed_is_told(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == "response.create":
            session.say("Something else.", band="none")
            return True
        return False

    desk.server.script = script
    assert desk("Hello.") == 0
    assert desk.description()["word_for_word"] is False
    assert "not word for word" in capsys.readouterr().err


def test_the_key_and_the_model_suit_the_host(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("VIVAVOCE_API_KEY", "own")
    desk("Hello.", "--url", "https://api.openai.com/v1")
    desk("Hello.", "--url", "ws://localhost:8000", "--model", "m")
    openai, own = (place.upstream for place in desk.places)
    assert openai is not None
    assert (openai.key, openai.model) == ("sk-openai", "gpt-realtime-2.1")
    assert own is not None
    assert (own.key, own.model) == ("own", "m")
    assert "sk-openai" not in (desk.folder / "speech.json").read_text()
