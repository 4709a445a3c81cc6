"""Where recognised speech is cut into segments."""

from __future__ import annotations

from vivavoce.core.reports import Word
from vivavoce.core.segments import LONG_MS, PAUSE_MS, segments


def spoken(text: str, *pauses_ms: int, word_ms: int = 300) -> list[Word]:
    """The words of a text, each of the same length, with these pauses before the second, third, ... of them."""
    words: list[Word] = []
    at = 100
    for index, word in enumerate(text.split()):
        at += (pauses_ms[index - 1] if index - 1 < len(pauses_ms) else 0) if index else 0
        words.append(Word(word, at, at + word_ms, 0.9))
        at += word_ms
    return words


def cut(words: list[Word]) -> list[tuple[str, int, int]]:
    return [(segment.text, segment.start_ms, segment.end_ms) for segment in segments(words)]


def test_nothing_said_is_no_segment() -> None:
    assert cut([]) == []


def test_words_without_a_pause_are_one_segment() -> None:
    assert cut(spoken("what is the time")) == [("what is the time", 100, 1300)]


def test_a_pause_ends_a_segment() -> None:
    words = spoken("good morning what is it", PAUSE_MS - 1, PAUSE_MS)
    assert cut(words) == [("good morning", 100, 1299), ("what is it", 1899, 2799)]


def test_the_end_of_a_sentence_ends_a_segment() -> None:
    assert cut(spoken("Good morning. What is it?")) == [("Good morning.", 100, 700), ("What is it?", 700, 1600)]


def test_a_long_segment_is_cut_at_its_longest_pause() -> None:
    words = spoken("a b c d e f", 0, 0, 0, 200, word_ms=LONG_MS // 5)
    assert [text for text, *_ in cut(words)] == ["a b c d", "e f"]


def test_a_long_segment_without_pauses_is_halved_until_it_is_short() -> None:
    found = segments(spoken("a b c d e f g h", word_ms=LONG_MS // 3))
    assert [segment.text for segment in found] == ["a b", "c d", "e f", "g h"]


def test_one_word_is_never_cut() -> None:
    assert cut([Word("oh", 0, 2 * LONG_MS, 0.5)]) == [("oh", 0, 2 * LONG_MS)]
