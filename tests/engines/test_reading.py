from __future__ import annotations

from contextlib import aclosing

from desks import WORD_MS, WordTts
from vivavoce.engines.reading import read_aloud


async def read(tts: WordTts, text: str) -> bytes:
    return b"".join([piece async for piece in read_aloud(tts, text, "ash", 1.5)])


async def test_a_text_is_read_clause_by_clause_in_one_manner() -> None:
    tts = WordTts()
    await read(tts, "First one. Second one.")
    assert tts.told == [("First one.", "ash", 1.5), ("Second one.", "ash", 1.5)]


async def test_there_is_a_pause_between_sentences() -> None:
    pcm = await read(WordTts(), "One two. Three four.")
    assert len(pcm) == (4 * WORD_MS + 120) * 48  # 180 ms at a speed of 1.5
    assert bytes(120 * 48) in pcm


async def test_signs_that_are_not_said_are_not_read() -> None:
    tts = WordTts()
    await read(tts, "# Title\n\n- **bold** point")
    assert " ".join(text for text, _, _ in tts.told) == "Title bold point"


async def test_who_stops_listening_stops_the_voice() -> None:
    tts = WordTts()
    async with aclosing(read_aloud(tts, "one two three four.", "ash", 1.0)) as pieces:
        await anext(pieces)
        assert tts.speaking == 1
    assert tts.speaking == 0
