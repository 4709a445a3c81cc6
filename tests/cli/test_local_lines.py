from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fakes import heard, spoken
from vivavoce.audio.wav import read_wav
from vivavoce.cli import main
from vivavoce.core.effects import Prompt, Vocabulary
from vivavoce.core.errors import EngineError
from vivavoce.core.formats import AudioFormat
from vivavoce.core.items import InputText, Message
from vivavoce.core.reports import Answered, BrainReport, Report, Said
from vivavoce.engines import registry
from vivavoce.engines.api import Ears


class DeafEars:
    """Ears that hear nothing."""

    def expect(self, vocabulary: Vocabulary) -> None: ...

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None: ...  # noqa: A002

    def denoise(self, mode: str | None, strength: float) -> None: ...

    def transcribe(self, item_id: str, start: int, vocabulary: Vocabulary, delay: str = "", *_: bool) -> None: ...

    def conclude(self, item_id: str, end: int) -> None: ...

    def discard(self, item_id: str) -> None: ...

    def recognise(self, item_id: str, audio: bytes, format: AudioFormat, vocabulary: Vocabulary) -> None: ...  # noqa: A002

    def close(self) -> None: ...


class DeafHearing:
    """Hearing that hears nothing, and must not be waited for."""

    languages: tuple[str, ...] = ()

    def open(self, report: Callable[[Report], None]) -> Ears:
        return DeafEars()

    async def ready(self) -> None:
        raise AssertionError("speaking needs no recogniser")

    async def close(self) -> None: ...


class Parrot:
    """A brain that says its prompt's last message."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.prompts: list[Prompt] = []
        self.closed = False

    async def answer(self, prompt: Prompt) -> AsyncIterator[BrainReport]:
        self.prompts.append(prompt)
        last = prompt.items[-1]
        assert isinstance(last, Message)
        assert isinstance(last.content[0], InputText)
        if self.broken and self.broken in last.content[0].text:
            raise EngineError("The parrot is ill.")
        yield Said(prompt.response_id, last.content[0].text, spoken(last.content[0].text))
        yield Answered(prompt.response_id)

    async def ready(self) -> None: ...

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parrot:
    parrot = Parrot()

    def build(choice: registry.Choice, clock: Callable[[], datetime]) -> registry.Engines:
        return registry.Engines(DeafHearing(), parrot, ("parrot",))

    monkeypatch.setattr(registry, "build", build)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIVAVOCE_JOURNAL", raising=False)
    return parrot


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_engines_in_this_process_speak_through_a_session_of_either_shape(parrot: Parrot, shape: str) -> None:
    text = "One is here. Two is here. Three is here."
    assert main(["say", text, "--part-characters", "15", "--shape", shape, "--voice", "coral"]) == 0
    assert heard(read_wav("speech.wav").pcm) == "One is here.Two is here.Three is here."
    told: dict[str, Any] = json.loads(Path("speech.json").read_text())
    assert told["shape"] == shape
    assert told["word_for_word"] is True
    assert told["session"]["audio"]["output"]["voice"] == "coral"
    assert told["connections"] == 1
    assert [len(prompt.items) for prompt in parrot.prompts] == [1, 1, 1]
    assert {prompt.voice for prompt in parrot.prompts} == {"coral"}
    assert parrot.closed


def test_an_engine_that_fails_is_asked_again_and_then_told(
    parrot: Parrot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("vivavoce.cli.render.Rendering.__init__.__defaults__", (at_once,))
    parrot.broken = "Two"
    assert main(["say", "-q", "One is here. Two is here.", "--part-characters", "15"]) == 1
    assert "part 2 of 2 was not spoken after 4 attempts" in capsys.readouterr().err
    assert "The parrot is ill." in Path("speech.log").read_text()
    assert len(parrot.prompts) == 5
    parrot.broken = ""
    assert main(["say", "-q", "One is here. Two is here.", "--part-characters", "15"]) == 0
    assert len(parrot.prompts) == 6


def test_a_journal_is_written_and_runs_again(
    parrot: Parrot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIVAVOCE_JOURNAL", "journals")
    assert main(["say", "-q", "Hello there."]) == 0
    (journal,) = Path("journals").iterdir()
    assert main(["replay", str(journal)]) == 0
    inputs, effects = capsys.readouterr().out.split(" inputs, ")
    assert int(inputs) > 3
    assert effects.endswith(" effects, no difference\n")

    lines = journal.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if '"ResponseDone"' in line)
    changed = lines[at].replace('"completed"', '"cancelled"')
    journal.write_text("".join([*lines[:at], changed, *lines[at + 1 :]]))
    assert main(["replay", str(journal)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{journal}, line {at + 1}: the replay differs"
    assert "cancelled" in told[-2]
    assert "cancelled" not in told[-1]


@pytest.mark.parametrize(("data", "cause"), [(None, "cannot read"), (b"", "no journal"), (b"hello\n", "no journal")])
def test_what_is_no_journal_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes | None, cause: str
) -> None:
    path = tmp_path / "x.jsonl"
    if data is not None:
        path.write_bytes(data)
    assert main(["replay", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert cause in line
