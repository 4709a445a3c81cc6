import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.effects import Vocabulary
from vivavoce.engines.sphinx.wording import Sequence, number_words, sequences


def words_of(*texts: str) -> list[str]:
    return [" ".join(s.words) for s in sequences(Vocabulary(texts=texts))]


@pytest.mark.parametrize(
    ("digits", "spoken"),
    [
        ("0", "zero"),
        ("7", "seven"),
        ("13", "thirteen"),
        ("20", "twenty"),
        ("42", "forty two"),
        ("100", "one hundred"),
        ("215", "two hundred fifteen"),
        ("1000", "one thousand"),
        ("1905", "nineteen oh five"),
        ("1900", "nineteen hundred"),
        ("2024", "twenty twenty four"),
        ("007", "zero zero seven"),
        ("55512", "five five five one two"),
    ],
)
def test_digits_are_words(digits: str, spoken: str) -> None:
    assert " ".join(number_words(digits)) == spoken


def test_marks_end_a_sequence() -> None:
    assert words_of("Book a table; ask for the time (19:30), please.")[-4:] == [
        "book a table",
        "ask for the time",
        "nineteen thirty",
        "please",
    ]


def test_names_of_programs_are_words() -> None:
    assert words_of("getWeather set_alarm Wi-Fi café") == ["get weather set alarm wi fi cafe"]


def test_a_phrase_may_be_an_utterance_and_comes_first() -> None:
    found = list(sequences(Vocabulary(texts=("be nice",), phrases=("go forward",))))
    assert [s.words for s in found] == [("go", "forward"), ("go", "forward"), ("be", "nice")]
    assert [s.whole for s in found] == [True, False, False]
    assert found[0].weight > found[2].weight


def test_quoted_and_named_words_weigh_more() -> None:
    found = list(sequences(Vocabulary(texts=('Say "red alert" to the one called Captain Nemo.',))))
    assert Sequence(("red", "alert"), 4.0, True) in found
    assert Sequence(("captain", "nemo"), 3.0, False) in found


def test_long_texts_are_read_to_a_bound() -> None:
    found = list(sequences(Vocabulary(texts=("alpha " * 100_000, "omega"))))
    assert sum(len(s.words) for s in found) <= 24_000 // 6
    assert all(len(s.words) <= 12 for s in found)
    assert ("omega",) not in [s.words for s in found]


@given(st.lists(st.text(max_size=300), max_size=4), st.lists(st.text(max_size=40), max_size=4))
def test_any_text_becomes_plain_lower_case_words(texts: list[str], phrases: list[str]) -> None:
    for sequence in sequences(Vocabulary(tuple(texts), tuple(phrases))):
        assert sequence.words
        for word in sequence.words:
            assert word.replace("'", "").isalpha()
            assert word.isascii()
            assert word == word.lower()
