"""The sounds of manners: spoken or read, once, before any call."""

from __future__ import annotations

from pathlib import Path

import pytest

from desks import WORD_MS, WordTts
from vivavoce.audio.wav import WavWriter
from vivavoce.core.errors import ConfigError, EngineError
from vivavoce.server.phone.clips import load_clips
from vivavoce.telephony import Manner, Number, Recording


def number(name: str = "main", recording: Recording | None = None, **manner: str) -> Number:
    silent = {"filler": "", "apology": "", "presence": "", "farewell": ""}
    return Number(name=name, voice="nova", manner=Manner(**(silent | manner)), recording=recording or Recording())  # type: ignore[arg-type]


def wav(path: Path, rate_hz: int = 8_000, seconds: int = 1) -> str:
    with WavWriter(path, rate_hz) as file:
        file.write(b"\0\x10" * rate_hz * seconds)
    return str(path)


async def test_texts_are_spoken_once_in_the_numbers_voice() -> None:
    tts = WordTts()
    found = await load_clips([number(greeting="Good morning"), number("other", greeting="Good morning")], tts)
    assert tts.told == [("Good morning", "coral", 1.0)]
    assert found["main"].keys() == {"greeting"}
    assert len(found["main"]["greeting"]) == 2 * 2 * 24 * WORD_MS
    assert found["other"] == found["main"]


async def test_a_file_is_taken_at_our_rate_and_before_a_text(tmp_path: Path) -> None:
    tts = WordTts()
    file = wav(tmp_path / "hold.wav")
    found = await load_clips([number(hold_wav=file, apology="Sorry", apology_wav=file)], tts)
    assert tts.told == []
    assert {clip: len(pcm) for clip, pcm in found["main"].items()} == {"hold": 48_000, "apology": 48_000}


async def test_music_is_cut_after_five_minutes(tmp_path: Path) -> None:
    found = await load_clips([number(hold_wav=wav(tmp_path / "long.wav", seconds=301))], WordTts())
    assert len(found["main"]["hold"]) == 300 * 48_000


@pytest.mark.parametrize(
    ("recording", "is_told"),
    [
        (Recording(is_on=True), True),
        (Recording(is_on=True, consent="none"), False),
        (Recording(), False),
    ],
)
async def test_a_call_that_is_recorded_says_so(recording: Recording, is_told: bool) -> None:
    found = await load_clips([number(recording=recording)], WordTts())
    assert ("notice" in found["main"]) is is_told


async def test_a_file_that_is_no_sound_is_the_operators_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match=r"\[number.main\]: 'hold_wav'.*x.wav"):
        await load_clips([number(hold_wav=str(tmp_path / "x.wav"))], WordTts())


async def test_a_text_that_cannot_be_spoken_is_told() -> None:
    with pytest.raises(EngineError, match="the voice broke"):
        await load_clips([number(greeting="break")], WordTts())
