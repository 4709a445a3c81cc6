from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from desks import LoudHearing
from vivavoce.core.effects import Vocabulary
from vivavoce.core.errors import EngineError
from vivavoce.core.reports import Word
from vivavoce.core.settings import ServerVad
from vivavoce.engines.recording import Recording, Stretch

WORDS = Vocabulary(("some words",))


async def sound(*parts_ms: int, piece_ms: int = 100) -> AsyncGenerator[bytes, None]:
    """Silence and sound in turns, at 16 kHz."""
    pcm = b"".join((b"\0\0", b"\x00\x20")[index % 2] * (16 * ms) for index, ms in enumerate(parts_ms))
    for start in range(0, len(pcm), 32 * piece_ms):
        yield pcm[start : start + 32 * piece_ms]


async def written(hearing: LoudHearing, *parts_ms: int, detection: ServerVad | None = None) -> list[Stretch]:
    recording = Recording(hearing, WORDS, detection or ServerVad())
    found = [stretch async for stretch in recording.stretches(sound(*parts_ms))]
    assert recording.duration_ms == sum(parts_ms)
    assert hearing.open_ears == 0
    return found


async def test_a_recording_is_cut_at_its_pauses() -> None:
    hearing = LoudHearing()
    found = await written(hearing, 1000, 320, 1000, 200, 700)
    assert [stretch.text for stretch in found] == ["w1a w1b w1c w1d", "w2a w2b w2c"]
    assert [vocabulary for _, vocabulary in hearing.recognised] == [WORDS, WORDS]
    # In frames of 32 ms: what comes 300 ms before the speech and 500 ms of the pause after it are recognised with it.
    assert [ms for ms, _ in hearing.recognised] == [300 + 11 * 32 + 16 * 32, 300 + 7 * 32 + 16 * 32]


async def test_words_are_timed_from_the_beginning_of_the_recording() -> None:
    (stretch,) = await written(LoudHearing(), 992, 192, 1000)
    words = (Word("w1a", 992, 1092, 0.5), Word("w1b", 1092, 1192, 0.5))
    assert stretch == Stretch(992, 1192, "w1a w1b", words, stretch.voice)
    assert 0.1 < stretch.voice < 0.3  # six frames of sound among those of the padding and the pause


async def test_speech_that_goes_on_to_the_end_is_understood() -> None:
    (stretch,) = await written(LoudHearing(), 0, 1600)
    assert (stretch.start_ms, stretch.end_ms) == (0, 1600)
    assert stretch.voice > 0.85


async def test_silence_says_nothing() -> None:
    hearing = LoudHearing()
    assert await written(hearing, 5000) == []
    assert hearing.recognised == []


async def test_a_click_is_no_speech() -> None:
    assert await written(LoudHearing(), 1000, 40, 1000) == []


async def test_an_empty_recording_says_nothing() -> None:
    assert await written(LoudHearing()) == []


async def test_speech_without_a_pause_is_cut_where_the_voice_was_weakest() -> None:
    class Weakening(LoudHearing):
        frames = 0

        def judge(self, frame: bytes) -> float:
            self.frames += 1
            return 0.6 if self.frames == 700 else super().judge(frame)  # at 22.4 s

    hearing = Weakening()
    found = await written(hearing, 0, 40_000)
    assert [ms for ms, _ in hearing.recognised] == [22_400, 17_600]
    assert [stretch.start_ms for stretch in found] == [0, 22_400]


async def test_long_speech_is_cut_at_a_breath() -> None:
    hearing = LoudHearing()
    found = await written(hearing, 0, 6_400, 320, 6_400, 320, 6_400, 2000)
    # The first breath comes before there is enough; at the second, its third frame is the last of the first stretch.
    assert [ms for ms, _ in hearing.recognised] == [13_120 + 3 * 32, 7 * 32 + 6_400 + 16 * 32]
    assert [stretch.start_ms for stretch in found] == [0, 13_216 + 200]  # the words of these ears last 100 ms


async def test_pauses_are_as_long_as_one_says() -> None:
    hearing = LoudHearing()
    await written(hearing, 500, 500, 1000, 500, 500, detection=ServerVad(silence_duration_ms=1500))
    assert len(hearing.recognised) == 1


async def test_no_more_sound_is_taken_than_keeps_the_ears_busy() -> None:
    class Slow(LoudHearing):
        def judge(self, frame: bytes) -> float:
            return 0.05

        def open(self, report):  # type: ignore[no-untyped-def]
            return super().open(lambda _: None)  # which never hear

    hearing = Slow()
    recording = Recording(hearing, WORDS, ServerVad())
    stretches = recording.stretches(sound(60_000))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(stretches)
    assert 2000 * 32 <= hearing.heard_bytes <= 2200 * 32
    await stretches.aclose()
    assert hearing.open_ears == 0


async def test_a_recogniser_that_fails_fails_the_recording() -> None:
    hearing = LoudHearing(fails_at=1)
    with pytest.raises(EngineError, match="the recogniser broke"):
        await written(hearing, 500, 500, 1000)
    assert hearing.open_ears == 0


async def test_sound_that_cannot_be_read_on_fails_the_recording() -> None:
    async def breaking() -> AsyncGenerator[bytes, None]:
        yield bytes(3200)
        raise EngineError("damaged")

    hearing = LoudHearing()
    with pytest.raises(EngineError, match="damaged"):
        async for _ in Recording(hearing, WORDS, ServerVad()).stretches(breaking()):
            pass
    assert hearing.open_ears == 0
