import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.turn_rules import TurnRules

UTTERANCES = Path(__file__).parents[1] / "data" / "utterances.tsv"
RULES = TurnRules()


@pytest.fixture(scope="module")
def utterances() -> list[dict[str, str]]:
    with UTTERANCES.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_whole_utterances_sound_finished(utterances: list[dict[str, str]]) -> None:
    assert [u["text"] for u in utterances if u["complete"] == "1" and RULES.turn_over(u["text"]) <= 0.5] == []


def test_unfinished_utterances_sound_open(utterances: list[dict[str, str]]) -> None:
    assert [u["text"] for u in utterances if u["complete"] == "0" and RULES.turn_over(u["text"]) >= 0.5] == []


@pytest.mark.parametrize(
    "text",
    [
        "thank you",
        "how are you",
        "what is that",
        "why",
        "no",
        "stop that",
        "turn it off",
        "my pin is four seven nine three",
        "five five five",
        "TURN ON THE LIGHTS",
    ],
)
def test_ends_that_look_like_links_are_finished(text: str) -> None:
    assert RULES.turn_over(text) > 0.5


@pytest.mark.parametrize(
    "text",
    ["um", "", "  ", "book a table for", "i want to", "my phone number is five five", "turn on the", "set it to uh"],
)
def test_ends_that_ask_for_more_are_open(text: str) -> None:
    assert RULES.turn_over(text) < 0.5


def test_a_lone_word_of_hesitation_is_neither() -> None:
    assert RULES.turn_over("well") == 0.5


@given(st.text(max_size=200))
def test_any_text_has_a_probability_and_always_the_same(text: str) -> None:
    first = RULES.turn_over(text)
    assert 0.0 <= first <= 1.0
    assert RULES.turn_over(text) == first
