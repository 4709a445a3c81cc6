from datetime import date
from fractions import Fraction

import pytest

from vivavoce.engines.dialogue.moments import duration, find_day, find_time, iso_day, say_duration
from vivavoce.engines.dialogue.numbers import digits, numbers, ordinal, say_number
from vivavoce.engines.dialogue.sums import notation, work_out
from vivavoce.engines.dialogue.words import Ranking, hear, sentences, stem, terms


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("twenty five", [25]),
        ("two hundred and five", [205]),
        ("one thousand two hundred thirty four", [1234]),
        ("two million three hundred thousand", [2_300_000]),
        ("a hundred", [100]),
        ("five twenty", [5, 20]),
        ("five five five", [5, 5, 5]),
        ("one and two", [1, 2]),
        ("three point one four", [Fraction("3.14")]),
        ("point five", [Fraction("0.5")]),
        ("1,000.5 and 12", [Fraction("1000.5"), 12]),
        ("two and a half", [Fraction("2.5")]),
        ("half a pound", [Fraction("0.5")]),
        ("a dozen eggs", [12]),
        ("minus five", [5]),
        ("negative five", [-5]),
        ("-3", [-3]),
        ("5 million", [5_000_000]),
        ("no numbers at all", []),
        ("hundred", []),
    ],
)
def test_numbers_are_read_as_they_are_said(said: str, values: list[int]) -> None:
    found = [number.value for number in numbers(hear(said).words)]
    assert found == values


def test_homophones_count_only_when_a_number_is_expected() -> None:
    words = hear("to for ate").words
    assert numbers(words) == []
    assert [number.value for number in numbers(words, loose=True)] == [2, 4, 8]


@pytest.mark.parametrize(
    ("said", "figures"),
    [
        ("my number is five five five one two one two", "5551212"),
        ("555-1212", "5551212"),
        ("five for two one", "5421"),
        ("double seven oh one", "7701"),
        ("it is twenty one forty five", "2145"),
        ("04 79", "0479"),
        ("nothing here", ""),
    ],
)
def test_figures_in_a_row_are_one_number(said: str, figures: str) -> None:
    assert digits(hear(said).words) == figures


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Fraction(42), "42"),
        (Fraction(1234567), "1,234,567"),
        (Fraction("0.5"), "0.5"),
        (Fraction(10, 3), "about 3.3333"),
        (Fraction(-7, 2), "-3.5"),
        (Fraction(10) ** 20, "about 1 times 10 to the power of 20"),
        (Fraction(2) ** 3000, "about 1.23 times 10 to the power of 903"),
        (Fraction(1, 1000), "0.001"),
    ],
)
def test_numbers_are_said_shortly(value: Fraction, said: str) -> None:
    assert say_number(value) == said


def test_ordinals() -> None:
    assert [ordinal(word) for word in ("first", "third", "21st", "5th", "five")] == [1, 3, 21, 5, None]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("ten minutes", 600),
        ("an hour and ten minutes", 4200),
        ("half an hour", 1800),
        ("one and a half hours", 5400),
        ("two hours and a half", 9000),
        ("90 seconds", 90),
        ("for minutes", 240),
        ("5 min", 300),
        ("ten apples", None),
    ],
)
def test_lengths_of_time(said: str, seconds: int | None) -> None:
    assert duration(hear(said).words) == seconds


def test_lengths_of_time_are_said_in_whole_units() -> None:
    assert [say_duration(s) for s in (1, 61, 3600, 7265)] == [
        "1 second",
        "1 minute and 1 second",
        "1 hour",
        "2 hours, 1 minute and 5 seconds",
    ]


@pytest.mark.parametrize(
    ("said", "time", "day"),
    [
        ("a table for two at seven o'clock", "seven o'clock", None),
        ("next tuesday at 7 pm", "7 pm", "next tuesday"),
        ("on friday at half past six", "half past six", "friday"),
        ("the fifth of may at 10:30", "10:30", "the fifth of may"),
        ("at noon tomorrow", "noon", "tomorrow"),
        ("a quarter past six", "a quarter past six", None),
        ("in two days", None, "in two days"),
        ("nothing", None, None),
    ],
)
def test_days_and_times_are_found(said: str, time: str | None, day: str | None) -> None:
    plain = hear(said).plain
    spans = find_time(plain), find_day(plain)
    assert tuple(span and plain[slice(*span)] for span in spans) == (time, day)


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("today", "2026-01-05"),
        ("tomorrow", "2026-01-06"),
        ("the day after tomorrow", "2026-01-07"),
        ("friday", "2026-01-09"),
        ("monday", "2026-01-12"),
        ("May 5th", "2026-05-05"),
        ("twenty first of march", "2026-03-21"),
        ("3 march 2027", "2027-03-03"),
        ("february 31", None),
        ("next year", None),
    ],
)
def test_clear_days_are_told_in_figures(said: str, day: str | None) -> None:
    assert iso_day(said, date(2026, 1, 5)) == day


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("what is 25 plus 17", "25 + 17"),
        ("twelve times eight minus three", "12 * 8 - 3"),
        ("(2+3)*4", "( 2 + 3 ) * 4"),
        ("fifteen percent of two hundred", "15 / 100 * 200"),
        ("hello", None),
    ],
)
def test_sums_are_written_in_figures(said: str, written: str | None) -> None:
    assert notation(hear(said).words) == written


def test_deep_brackets_end() -> None:
    assert work_out(hear("(" * 300 + "1+1").words) is not None
    assert work_out(hear("sqrt " * 300).words) is None


def test_words_know_where_they_stood() -> None:
    heard = hear("What's 7*8, Dr. O'Neil?")
    assert heard.words == ("what", "is", "7", "*", "8", "dr", "o'neil")
    assert heard.raw(2, 5) == "7*8"
    assert heard.raw(5, 7) == "Dr. O'Neil"


def test_sentences_are_not_cut_inside_quotes() -> None:
    assert sentences("Say 'Hi. I am Ada.' Be kind.\n- Stay calm") == ["Say 'Hi. I am Ada.'", "Be kind.", "Stay calm"]


def test_forms_of_a_word_have_one_stem() -> None:
    assert stem("parked") == stem("parking") == stem("park")
    assert stem("prices") == stem("price")
    assert stem("left") == stem("leave")


def test_ranking_prefers_rare_words_and_later_texts() -> None:
    ranking = Ranking(["my car is red", "my car is parked outside", "my bike is red"])
    assert ranking.best(terms(hear("where is my car parked").words))[0] == 1
    assert ranking.best(terms(hear("what is red").words))[0] == 2
    assert ranking.best(terms(hear("nothing alike").words)) == (-1, 0.0)
