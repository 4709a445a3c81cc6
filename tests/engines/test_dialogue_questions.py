from typing import Any

import pytest

from vivavoce.engines.dialogue.questions import question_for
from vivavoce.engines.dialogue.slots import Slot


def asked(name: str, kind: str = "string", described: str = "", **schema: Any) -> str:
    slot = Slot(name, {"type": kind, "description": described, **schema}, True)
    return question_for("do_it", slot, [slot])


@pytest.mark.parametrize(
    ("name", "described", "question"),
    [
        ("people", "", "How many people?"),
        ("party_size", "", "How many people?"),
        ("partySize", "Number of people in the party", "How many people?"),
        ("size", "The number of people", "How many people?"),
        ("number_of_guests", "", "How many guests?"),
        ("guest_count", "", "How many guests?"),
        ("tickets_count", "", "How many tickets?"),
        ("number_of_child", "", "How many children?"),
        ("nights", "", "How many nights?"),
        ("quantity", "", "How many?"),
        ("amount", "Amount in dollars", "How much?"),
        ("temperature", "", "What temperature?"),
        ("temperature", "In degrees Celsius", "How many degrees?"),
        ("duration_minutes", "", "How many minutes?"),
        ("duration", "Duration in minutes", "How many minutes?"),
        ("duration", "", "How long?"),
        ("age", "", "How old?"),
        ("room", "", "Which room?"),
        ("room_number", "", "What is the room number?"),
        ("n", "How many copies?", "How many copies?"),
    ],
)
def test_numbers_are_asked_for_as_one_asks(name: str, described: str, question: str) -> None:
    assert asked(name, "integer", described) == question


@pytest.mark.parametrize(
    ("name", "described", "question"),
    [
        ("time", "", "For what time?"),
        ("when", "", "For what time?"),
        ("date", "", "For which day?"),
        ("datetime", "", "For which day and time?"),
        ("name", "", "What name?"),
        ("customer_name", "", "What name?"),
        ("location", "", "Which location?"),
        ("city", "", "Which city?"),
        ("from_city", "", "From which city?"),
        ("to_account", "", "To which account?"),
        ("origin", "", "From where?"),
        ("destination", "", "To where?"),
        ("recipient", "", "To whom?"),
        ("phone", "", "What is the phone number?"),
        ("email", "", "What is the email address?"),
        ("delivery_address", "", "What is the delivery address?"),
        ("order_id", "", "What is the order number?"),
        ("message", "", "What should it say?"),
        ("input", "The text to translate", "What is the text?"),
        ("q", "The search words", "What are the search words?"),
        ("guest", "who is coming?", "Who is coming?"),
    ],
)
def test_texts_are_asked_for_by_what_they_are(name: str, described: str, question: str) -> None:
    assert asked(name, described=described) == question


def test_limits_choices_and_lists_are_told() -> None:
    assert asked("people", "integer", minimum=1, maximum=8) == "How many people, from 1 to 8?"
    assert asked("size", enum=["small", "large"]) == "Which size: small or large?"
    assert asked("size", enum=list("abcdef")) == "Which size?"
    assert asked("toppings", "array") == "Which toppings?"
    assert asked("is_urgent", "boolean") == "Should it be urgent, yes or no?"


def test_of_two_days_the_question_tells_which_is_meant() -> None:
    slots = [Slot(name, {"type": "string"}, True) for name in ("check_in_date", "check_out_date")]
    assert question_for("book_room", slots[1], slots) == "What is the check out date?"
