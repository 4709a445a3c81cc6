"""Journals: what was written down runs again in the same way, and what is no journal is told."""

from __future__ import annotations

import json
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import samples
from callers import Desk, settle
from vivavoce.core import reports as rp
from vivavoce.core.effects import Answer, Conclude, Effect
from vivavoce.core.limits import Limits
from vivavoce.core.service import Abilities, Service
from vivavoce.core.session import Session
from vivavoce.core.sessions import session_of
from vivavoce.core.settings import SemanticVad, Settings, Tool, Transcription
from vivavoce.dialects.choose import choose
from vivavoce.server.ids import Ids
from vivavoce.server.journal import FORMAT, Given, Head, Journal, JournalError, Moment, replay, step, summary
from worlds import World

SEED = "journals00000"
SETTINGS = Settings(
    instructions="Be brief.",
    tools=(Tool("f", "d", {"type": "object", "properties": {"n": {"type": "integer"}}}),),
    tool_choice={"type": "function", "name": "f"},
    transcription=Transcription("whisper-1", languages=("de",)),
    turn_detection=SemanticVad("low"),
)


class Told:
    """A session whose every input is written down."""

    def __init__(self, folder: Path, shape: str | None = "ga", settings: Settings = SETTINGS) -> None:
        self.dialect = choose(shape)
        self.session = Session(settings, new_id=Ids(SEED), created_unix=1e9)
        head = Head("0", FORMAT, SEED, 1e9, shape, settings, Limits())
        self.journal = Journal(folder, self.session.id, head)
        self.give(Moment.START)

    def give(self, given: Given, now: float = 1.5) -> list[Effect]:
        effects = step(self.session, self.dialect, given, now)
        self.journal.write(given, now, effects)
        return effects

    def client(self, kind: str, **fields: Any) -> None:
        self.give(json.dumps({"type": kind, **fields}).encode())

    def path(self) -> Path:
        self.journal.close()
        return self.journal.path


def lively(folder: Path) -> Path:
    """A journal of all kinds of inputs."""
    told = Told(folder)
    told.client("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    told.client("input_audio_buffer.append", audio="AAAA" * 2000)
    told.client("input_audio_buffer.commit")
    told.client("response.create", response={"tool_choice": "auto"})
    item_id = told.session.conversation.last_id
    assert item_id is not None
    told.give(rp.Transcribed(item_id, "é 😀", (rp.Word("é", 0, 10, 0.5),), 0.5))
    response = next(iter(told.session._answering._replies))
    told.give(rp.Said(response, "torn \ud83d", bytes(range(256)), ()))
    told.give(rp.Called(response, "f"))
    told.give(rp.Argued(response, "{}"))
    told.give(rp.Answered(response, "stop", rp.Spent(1, 2, 3)))
    told.give(b'{"type":"\xff"}')
    told.give(b"[1]")
    told.give(Moment.DUE, 4000.0)
    return told.path()


def test_a_journal_replays_without_difference(tmp_path: Path) -> None:
    path = lively(tmp_path)
    seen = replay(path)
    assert seen.difference is None
    assert seen.inputs == 13
    assert seen.effects > 25
    assert replay(path) == seen


def test_a_journal_is_for_its_owner_alone_and_named_after_its_session(tmp_path: Path) -> None:
    path = lively(tmp_path / "made" / "on the way")
    assert path.name == f"sess_{SEED}00000001.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    lively(tmp_path)
    with pytest.raises(JournalError, match=r"^cannot write the journal .*sess_.*: File exists$"):
        lively(tmp_path)


def test_long_audio_is_told_by_its_length_and_checksum(tmp_path: Path) -> None:
    told = Told(tmp_path)
    (listen,) = told.give(b'{"type":"input_audio_buffer.append","audio":"AAECAwQF"}')
    assert summary(listen)["audio"] == {"bytes": 6, "crc32": zlib.crc32(b"\0\1\2\3\4\5")}
    assert summary(listen)["effect"] == "Listen"


def changed(path: Path, number: int, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Change one line of a journal, counted from 1."""
    lines = path.read_bytes().splitlines(keepends=True)
    line = json.loads(lines[number - 1])
    change(line)
    lines[number - 1] = json.dumps(line).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    return path


def test_the_first_difference_is_told_with_its_line(tmp_path: Path) -> None:
    path = changed(lively(tmp_path), 5, lambda line: line["effects"][0]["event"].update(item_id="item_other"))
    changed(path, 9, lambda line: line["effects"].clear())
    difference = replay(path).difference
    assert difference is not None
    assert difference.line == 5
    assert "input_audio_buffer.commit" in difference.given
    assert difference.expected[0]["event"]["item_id"] == "item_other"
    assert difference.actual[0]["event"]["item_id"].startswith("item_journals")
    assert difference.expected[1:] == difference.actual[1:]


def test_an_input_that_was_changed_makes_a_difference(tmp_path: Path) -> None:
    path = changed(lively(tmp_path), 4, lambda line: line.update(frame=line["frame"].replace("AAAA", "AAAB", 1)))
    difference = replay(path).difference
    assert difference is not None
    assert difference.line == 4


def test_a_long_input_is_shortened_in_what_is_told(tmp_path: Path) -> None:
    difference = replay(changed(lively(tmp_path), 4, lambda line: line["effects"].clear())).difference
    assert difference is not None
    assert len(difference.given) <= 300


def test_a_last_line_that_a_crash_tore_is_left_out(tmp_path: Path) -> None:
    path = lively(tmp_path)
    whole = replay(path)
    path.write_bytes(path.read_bytes()[:-20])
    seen = replay(path)
    assert (seen.difference, seen.inputs) == (None, whole.inputs - 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no journal: its first line"),
        (b"\n", "is no journal"),
        (b"a text\n", "is no journal"),
        (b"[]\n", "line 1: not a JSON object"),
        (b'{"some":"object"}\n', "is no journal: its first line"),
        (b"\xff\xfe\n", "is no journal"),
        (b'{"vivavoce":"0"}', "is no journal: its first line"),
    ],
)
def test_what_is_no_journal_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=words) as caught:
        replay(path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"^cannot read .*gone\.jsonl: No such file"):
        replay(tmp_path / "gone.jsonl")
    with pytest.raises(JournalError, match=r"^cannot read "):
        replay(tmp_path)


def test_a_newer_format_is_told(tmp_path: Path) -> None:
    path = changed(lively(tmp_path), 1, lambda line: line.update(format=FORMAT + 1))
    with pytest.raises(JournalError, match=rf"has journal format {FORMAT + 1}; vivavoce .* reads {FORMAT}$"):
        replay(path)


@pytest.mark.parametrize(
    "line",
    [
        b"{}", b'{"now":1,"effects":[]}', b'{"now":"x","moment":"start","effects":[]}',
        b'{"now":1,"moment":"noon","effects":[]}', b'{"now":1,"moment":"due"}', b'{"now":1,"frame":"{}","effects":5}',
        b'{"now":1,"report":"Rumour","with":{},"effects":[]}', b'{"now":1,"report":"Heard","with":{},"effects":[]}',
        b'{"now":1,"bytes":"***","effects":[]}', b'{"now":1,"report":"Heard","effects":[]}',
    ],
)  # fmt: skip
def test_a_line_that_is_none_of_a_journal_is_told_by_its_number(tmp_path: Path, line: bytes) -> None:
    path = lively(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]) + line + b"\n")
    with pytest.raises(JournalError, match="line 4: not a line of a journal"):
        replay(path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalError, match=r"^cannot write the journal "):
        Told(tmp_path / "file" / "folder")


def test_a_bug_in_the_core_is_a_difference_and_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lively(tmp_path)

    def fail(*_: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(Session, "receive_report", fail)
    difference = replay(path).difference
    assert difference is not None
    assert difference.actual == [{"effect": "raised", "error": "KeyError('x')"}]


def test_a_frame_that_cannot_be_written_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lively(tmp_path)

    def fail(*_: Any) -> Any:
        raise OverflowError("x")

    monkeypatch.setattr("vivavoce.dialects.spelling._error", fail)
    difference = replay(path).difference
    assert difference is not None
    assert difference.actual == [{"effect": "raised", "error": "OverflowError('x')"}]


# -------------------------------------------------------------------------------------------------- whole calls


class CalledWorld(World):
    """A random world whose session is held by a call."""

    def __init__(self, seed: int, shape: str | None, desk: Desk) -> None:
        self.desk = desk
        super().__init__(seed, shape)

    def frame(self, data: bytes) -> list[dict[str, Any]]:
        self.desk.call.receive_frame(data)
        return []

    def report(self, report: rp.Report) -> list[dict[str, Any]]:
        if isinstance(report, rp.Said | rp.Called | rp.Argued | rp.Answered | rp.Broke):
            self.desk.brain.say(report)
        else:
            self.desk.ears.report(report)
        return []

    def look(self) -> None:
        """See what the call did."""
        self.sent = self.desk.leg.sent
        self.asked = [prompt.response_id for prompt in self.desk.brain.prompts]
        for name, *rest in self.desk.ears.told:
            if name == "listen":
                self.written_to = rest[2] + rest[1].ticks(len(rest[0]))
            elif name in ("transcribe", "recognise"):
                self.utterances[rest[0]] = name == "recognise"
            elif name == "conclude":
                self.utterances[rest[0]] = True
            elif name == "discard":
                self.utterances.pop(rest[0], None)
        self.desk.ears.told.clear()


async def live(seed: int, shape: str | None, folder: Path) -> Path:
    """Hold a call in a random world; returns its journal."""
    desk = Desk(shape, Limits(items=40, buffer_bytes=400_000, audio_bytes=100_000), folder, f"{seed:013d}")
    async with desk.at_work():
        world = CalledWorld(seed, shape, desk)
        for _ in range(75):
            desk.clock += 0.01
            world.look()
            world.step()
            await settle()
    assert desk.leg.closed is None or desk.leg.closed[0] == 4000
    return folder / f"{desk.call.session_id}.jsonl"


@pytest.mark.parametrize("shape", ["ga", "beta", None])
async def test_every_call_can_be_replayed(tmp_path: Path, shape: str | None) -> None:
    for seed in range(40):
        seen = replay(await live(seed, shape, tmp_path))
        assert seen.difference is None, f"seed {seed}"
        assert seen.inputs > 20


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["ga", "beta", None])
async def test_very_many_calls_can_be_replayed(tmp_path: Path, shape: str | None) -> None:
    for seed in range(1000, 1300):
        path = await live(seed, shape, tmp_path)
        assert replay(path).difference is None, f"seed {seed}"


async def test_translation_sessions_are_written_down_and_replayed_too(tmp_path: Path) -> None:
    settings = Settings(kind="translation", output_language="es", transcription=Transcription("whisper-1"))
    service = Service(abilities=Abilities(translates=True))
    dialect = choose(None, "translation")
    session = session_of(settings, new_id=Ids(SEED), created_unix=1e9, service=service)
    journal = Journal(tmp_path, session.id, Head("0", FORMAT, SEED, 1e9, None, settings, Limits(), service))
    frames = [b'{"type":"session.update","session":{"audio":{"output":{"language":"fr"}}}}']
    frames += [json.dumps({"type": "session.input_audio_buffer.append", "audio": "AAAA" * 20_000}).encode()]
    heard = [rp.Heard(1536 * (n + 1), 0.9 if n < 10 else 0.0) for n in range(26)]
    given: list[Given] = [Moment.START, *frames, *heard]
    effects = [step(session, dialect, each, 1.0) for each in given]
    (item_id,) = (effect.item_id for out in effects for effect in out if isinstance(effect, Conclude))
    given += [rp.Transcribed(item_id, "hello"), b'{"type":"session.close"}', b'{"type":"response.create"}']
    effects += [step(session, dialect, each, 1.0) for each in given[len(effects) :]]
    (prompt,) = (effect.prompt for out in effects for effect in out if isinstance(effect, Answer))
    given += [rp.Said(prompt.response_id, "Salut.", bytes(960)), Moment.DUE]
    effects += [step(session, dialect, each, 1.0) for each in given[len(effects) :]]
    for each, out in zip(given, effects, strict=True):
        journal.write(each, 1.0, out)
    journal.close()
    seen = replay(journal.path)
    assert (seen.inputs, seen.difference) == (len(given), None)
    assert b'"OutputTranscriptDelta"' in journal.path.read_bytes()


@pytest.mark.parametrize("path", sorted(samples.JOURNALS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_faults_that_were_mended_stay_so(path: Path) -> None:
    assert replay(path).difference is None
