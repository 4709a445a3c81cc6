from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.cli.parts import sentences, split_text


def letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def test_a_short_text_is_one_part() -> None:
    assert split_text("  One. Two! Three?\n") == ["One. Two! Three?"]


def test_parts_end_where_sentences_end() -> None:
    text = "The first sentence is here. The second one follows! And a third? Yes."
    assert split_text(text, 30) == ["The first sentence is here.", "The second one follows!", "And a third? Yes."]


def test_sentences_share_a_part_as_long_as_they_fit() -> None:
    assert split_text("One two. Three four. Five six.", 20) == ["One two. Three four.", "Five six."]


@pytest.mark.parametrize(
    "text",
    [
        "Mr. Brown met Dr. Jones.",
        "J. R. R. Tolkien wrote it.",
        "It costs 3.14 dollars.",
        "See fig. 3 for it.",
        "He came at 5 p.m. and left.",
        "Wait... what is this?",
        "We need pens, paper, etc. and ink.",
    ],
)
def test_a_full_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert list(sentences(text)) == [(0, len(text))]


def test_closing_quotes_belong_to_their_sentence() -> None:
    assert split_text('He said "Stop." Then he left. (He ran.) Gone.', 16) == [
        'He said "Stop."',
        "Then he left.",
        "(He ran.) Gone.",
    ]


def test_a_heading_is_a_sentence_of_its_own() -> None:
    assert split_text("Chapter One\n\nIt was a dark night.", 25) == ["Chapter One", "It was a dark night."]


def test_sentences_of_chinese_and_japanese_end_without_a_space() -> None:
    assert split_text("今日は晴れです。明日は雨です。", 8) == ["今日は晴れです。", "明日は雨です。"]


def test_a_sentence_too_long_for_a_part_is_cut_at_a_clause() -> None:
    text = "When the rain had stopped, the children went out, and they played all day."
    assert split_text(text, 40) == ["When the rain had stopped,", "the children went out,", "and they played all day."]


def test_a_clause_too_long_for_a_part_is_cut_at_a_space() -> None:
    assert split_text("alpha beta gamma delta", 11) == ["alpha beta", "gamma delta"]


def test_a_word_too_long_for_a_part_is_cut_anywhere() -> None:
    assert split_text("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


def test_an_accent_stays_with_its_letter() -> None:
    parts = split_text("e\u0301" * 10, 5)
    assert all(not unicodedata.combining(part[0]) for part in parts)
    assert "".join(parts) == "e\u0301" * 10


@pytest.mark.parametrize("text", ["", "   \n\t ", "***", "—\n\n—\n", "… ?!"])
def test_a_text_without_a_letter_or_digit_has_no_parts(text: str) -> None:
    assert split_text(text) == []


def test_an_ornament_between_paragraphs_makes_no_part_of_its_own() -> None:
    assert all(letters(part) for part in split_text("One is here.\n\n* * *\n\nTwo is here.", 14))


def test_a_part_of_no_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one character"):
        split_text("Hello.", 0)


def test_a_long_book_is_cut_in_linear_time() -> None:
    book = "It was the best of times, Mr. Dickens; it was the worst of times. " * 20_000
    assert letters("".join(split_text(book))) == letters(book)


@given(
    st.text(st.sampled_from("ab1 .,!?;\n\"')—。、é\u0301\u200d*"), max_size=200),
    st.integers(1, 60),
)
def test_every_letter_is_said_once_in_order_and_no_part_is_too_long(text: str, limit: int) -> None:
    parts = split_text(text, limit)
    assert letters("".join(parts)) == letters(text)
    assert all(0 < len(part) <= limit and part == part.strip() for part in parts)


@given(st.text(st.sampled_from('ab .!?\n"。Mr'), max_size=100))
def test_the_ranges_of_sentences_cover_the_text_without_a_gap(text: str) -> None:
    ranges = list(sentences(text))
    assert "".join(text[begin:end] for begin, end in ranges) == text


def test_a_text_without_capitals_is_cut_at_its_full_stops() -> None:
    assert split_text("hello there. how are you, friend. all fine.", 20) == [
        "hello there.",
        "how are you, friend.",
        "all fine.",
    ]
