from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from vivavoce.audio.wav import read_wav
from vivavoce.cli.failure import Failure
from vivavoce.cli.output import FileOutput, Part, open_output

PIECE = b"\1\2" * 50


def part(index: int, size: int = 100) -> Part:
    return Part(
        index=index,
        text="t",
        transcript="t",
        word_for_word=True,
        status="completed",
        attempts=1,
        response_id="r",
        item_ids=[],
        event_ids=[],
        start_byte=index * 100,
        bytes=size,
        samples=size // 2,
        duration_s=0.0,
        time_to_first_audio_s=None,
        time_to_end_s=0.0,
        usage=None,
    )


def speak(output: FileOutput, index: int) -> None:
    output.write(PIECE)
    output.keep(part(index))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_nothing_is_called_a_recording_before_it_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "a.wav"
    output = FileOutput(target, "digest")
    speak(output, 0)
    assert names(tmp_path) == {"a.wav.part", "a.wav.state"}
    output.finish({"made_by": "vivavoce"})
    output.close()
    assert names(tmp_path) == {"a.wav", "a.json"}
    assert read_wav(target).pcm == PIECE


def test_what_is_not_whole_is_cut_off_when_the_next_run_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "a.wav"
    output = FileOutput(target, "digest")
    speak(output, 0)
    output.write(b"\3\3" * 7)
    output.close()
    output = FileOutput(target, "digest")
    assert [kept.index for kept in output.parts] == [0]
    speak(output, 1)
    output.finish({})
    output.close()
    assert read_wav(target).pcm == PIECE * 2


def test_a_run_that_was_killed_between_its_last_part_and_its_end_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "a.wav"
    output = FileOutput(target, "digest")
    speak(output, 0)
    output.close()
    output = FileOutput(target, "digest")
    output.finish({})
    output.close()
    assert read_wav(target).pcm == PIECE
    header = target.read_bytes()[:44]
    assert int.from_bytes(header[40:44], "little") == 100
    assert int.from_bytes(header[4:8], "little") == 136


@pytest.mark.parametrize(
    "damage",
    [
        lambda state, audio: state.write_bytes(state.read_bytes()[:-5]),
        lambda state, audio: state.write_bytes(state.read_bytes() + b'{"index": 2, "text'),
        lambda state, audio: audio.write_bytes(audio.read_bytes()[:-1]),
    ],
)
def test_only_parts_that_are_there_whole_are_gone_on_from(tmp_path: Path, damage: Any) -> None:
    target = tmp_path / "a.wav"
    output = FileOutput(target, "digest")
    speak(output, 0)
    speak(output, 1)
    output.close()
    damage(tmp_path / "a.wav.state", tmp_path / "a.wav.part")
    output = FileOutput(target, "digest")
    kept = len(output.parts)
    for index in range(kept, 3):
        speak(output, index)
    output.finish({})
    output.close()
    assert kept in (1, 2)
    assert read_wav(target).pcm == PIECE * 3


@pytest.mark.parametrize("state", [b"", b"garbage", b'{"format": 99, "digest": "digest"}\n', None])
def test_a_state_that_cannot_be_read_begins_anew(tmp_path: Path, state: bytes | None) -> None:
    (tmp_path / "a.wav.part").write_bytes(b"x" * 1000)
    if state is not None:
        (tmp_path / "a.wav.state").write_bytes(state)
    output = FileOutput(tmp_path / "a.wav", "digest")
    assert output.parts == []
    speak(output, 0)
    output.finish({})
    output.close()
    assert read_wav(tmp_path / "a.wav").pcm == PIECE


def test_a_run_without_a_whole_part_leaves_nothing(tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "a.wav", "digest")
    output.write(PIECE)
    output.close()
    assert names(tmp_path) == set()


def test_two_processes_do_not_write_the_same_recording(tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "a.wav", "digest")
    with pytest.raises(Failure, match="is being written by another process"):
        FileOutput(tmp_path / "a.wav", "digest")
    speak(output, 0)
    output.close()
    FileOutput(tmp_path / "a.wav", "digest").close()


def test_a_recording_too_long_for_its_format_is_refused_rather_than_broken(tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "a.wav", "digest")
    with pytest.raises(Failure, match="at most 4 GB"):
        output.keep(part(0, 1 << 32))
    output.close()


def test_the_state_is_written_line_by_line(tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "a.wav", "digest")
    speak(output, 0)
    speak(output, 1)
    head, *parts = (tmp_path / "a.wav.state").read_bytes().splitlines()
    output.close()
    assert msgspec.json.decode(head) == {"format": 1, "digest": "digest"}
    assert [msgspec.json.decode(line, type=Part) for line in parts] == [part(0), part(1)]


def test_a_pipe_takes_the_audio_as_it_comes_and_gives_nothing_back(tmp_path: Path) -> None:
    import os

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    output = open_output(pipe, "digest", restart=False)
    output.write(PIECE)
    with pytest.raises(Failure, match="cannot be taken back"):
        output.rewind()
    output.keep(part(0))
    output.rewind()
    output.finish({})
    output.close()
    assert read_wav(os.read(reader, 1000)).pcm == PIECE
    os.close(reader)
    assert names(tmp_path) == {"pipe"}
