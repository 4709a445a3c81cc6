# ruff: noqa: RUF001 - full-width punctuation is meant
import random

import pytest

from vivavoce.engines.clauses import Clause, ClauseCutter


def cut(text: str, step: int = 3) -> list[Clause]:
    cutter = ClauseCutter()
    clauses: list[Clause] = []
    for index in range(0, len(text), step):
        clauses += cutter.push(text[index : index + step])
    return clauses + cutter.flush()


def written(text: str, step: int = 3) -> list[str]:
    return [clause.text.strip() for clause in cut(text, step)]


HARD = (
    "Hello there, how are you? I am Dr. Smith. It is 10:30 and pi is 3.14, see https://www.example.com/a?b=c. Ok... "
    "J. R. R. Tolkien wrote it at 5 p.m. Then he left, e.g. for the U.S. of A.\n\nA list:\n- **milk**\n- eggs\n1. one\n"
    "2. two\n# Title\nA hard\nwrapped line.\n"
    "你好。今天天气很好，我们去公园吧！好吗？ 😀 [a link, here](http://x.y/z) ok 5*3"
)


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8, 13, 1000])
def test_the_clauses_joined_are_the_text_however_it_comes(step: int) -> None:
    clauses = cut(HARD, step)
    assert "".join(clause.text for clause in clauses) == HARD
    assert [(c.text.strip(), c.spoken) for c in clauses] == [(c.text.strip(), c.spoken) for c in cut(HARD, 1)]


def test_every_spoken_character_knows_where_it_was_written() -> None:
    for clause in cut(HARD.replace("5*3", "")):
        assert list(clause.offsets) == sorted(clause.offsets)
        assert "".join(clause.text[offset] for offset in clause.offsets).split() == clause.spoken.split()


@pytest.mark.parametrize(
    "text",
    [
        "Pi is about 3.14 and not 3.15 at all",
        "We meet at 10:30 in the hall",
        "Ask Dr. Smith or Mrs. Jones about it",
        "Bring fruit, e.g. apples" + " and pears",
        "It costs 1,000,000 in all",
        "See https://example.com/a.b?c=d for more",
        "J. R. R. Tolkien wrote it",
        "We met at 5 p.m. and left at 6 p.m. together",
        "The U.S. and the U.K. agree",
        "A hard\nwrapped line\ngoes on",
        "Mail me at ann.lee@example.com today",
        "Version 2.0.1 is out now",
    ],
)
def test_nothing_is_cut_inside_numbers_abbreviations_and_addresses(text: str) -> None:
    later = [clause.text.strip() for clause in cut("Well then. " + text)][1:]
    assert later == [text]


def test_the_first_clause_comes_at_the_first_comma_and_later_ones_are_sentences() -> None:
    text = "Once upon a time, there was a dog. It met a cat, and they talked. The end."
    assert written(text) == [
        "Once upon a time,",
        "there was a dog.",
        "It met a cat, and they talked.",
        "The end.",
    ]


def test_a_first_clause_without_punctuation_is_cut_after_some_words_before_a_connective() -> None:
    text = "the text has no full stop and it goes on because nobody likes them in here at all"
    assert written(text)[0] == "the text has no full stop"


def test_a_word_or_two_before_a_comma_does_not_make_a_clause() -> None:
    assert written("So, that is it. Yes.") == ["So, that is it.", "Yes."]


def test_a_first_clause_is_there_before_the_text_is_complete() -> None:
    cutter = ClauseCutter()
    assert cutter.push("Good morning") == []
    assert cutter.push(", ")
    assert cutter.push("how are you") == []


def test_very_long_sentences_are_cut_at_commas_and_then_between_words() -> None:
    text = "Yes. " + "one two three four five, " * 30 + "six."
    assert all(len(clause.text) <= 260 for clause in cut(text))
    text = "Yes. " + "word " * 300
    assert all(len(clause.text) <= 400 for clause in cut(text))


def test_scripts_without_spaces_are_cut_at_their_full_stops() -> None:
    assert written("你好。今天天气很好，我们去公园吧！好吗？") == ["你好。", "今天天气很好，我们去公园吧！", "好吗？"]


def test_items_of_a_list_and_headings_are_clauses_of_their_own() -> None:
    assert [c.spoken for c in cut("# Plan\n- **milk**\n- eggs\n\n1. first\n2. second")] == [
        "Plan",
        "milk",
        "eggs",
        "1. first",
        "2. second",
    ]


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "...", "😀 👍🏽", "---", "***"])
def test_text_without_anything_to_pronounce_is_kept_but_not_spoken(text: str) -> None:
    clauses = cut(text)
    assert "".join(clause.text for clause in clauses) == text
    assert not any(clause.spoken for clause in clauses)


def test_sentences_paragraphs_and_phrases_have_their_pauses() -> None:
    pauses = [c.pause_ms for c in cut("In the end, it worked. It did.\n\nNew paragraph.")]
    assert pauses[0] == 0
    assert pauses[1] < pauses[2] < pauses[3]


def test_random_texts_come_out_whole() -> None:
    chance = random.Random(7)
    letters = "ab A.,;:!?…\n\"'()[]*_`#-|<>/0123456789。，好😀é\u2019\u2014\t"
    for _ in range(400):
        text = "".join(chance.choice(letters) for _ in range(chance.randrange(60)))
        clauses = cut(text, chance.randrange(1, 9))
        assert "".join(clause.text for clause in clauses) == text
        assert all(len(c.offsets) == len(c.spoken) for c in clauses)
