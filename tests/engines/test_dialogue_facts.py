import pytest

from vivavoce.engines.dialogue.facts import Facts

HOTEL = Facts(
    (
        "Check-in is from 3 pm.",
        "Check-out is until 11 am.",
        "Breakfast is served from 7 to 10.",
        "The pool is open from 8 to 20.",
        "Parking costs 10 euros per day.",
        "A double room costs 90 euros.",
        "The hotel is at 12 Beach Road.",
        "The wifi password is sunshine.",
        "Our phone number is 555 1234.",
        "Dogs are welcome.",
        "We are open all year.",
    )
)


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("When is breakfast?", "Breakfast is served from 7 to 10."),
        ("when do you serve breakfast", "Breakfast is served from 7 to 10."),
        ("what time does breakfast start", "Breakfast is served from 7 to 10."),
        ("what time is check-in", "Check-in is from 3 pm."),
        ("when can i check in", "Check-in is from 3 pm."),
        ("what time is checkout", "Check-out is until 11 am."),
        ("when do i have to check out", "Check-out is until 11 am."),
        ("how much does parking cost", "Parking costs 10 euros per day."),
        ("do you have a garage", "Parking costs 10 euros per day."),
        ("what is the price of a double room", "A double room costs 90 euros."),
        ("can i swim", "The pool is open from 8 to 20."),
        ("where are you located", "The hotel is at 12 Beach Road."),
        ("what is your address", "The hotel is at 12 Beach Road."),
        ("what's the wi-fi password", "The wifi password is sunshine."),
        ("is there internet", "The wifi password is sunshine."),
        ("how can i call you", "Our phone number is 555 1234."),
        ("can i bring my pet", "Dogs are welcome."),
        ("are you open on sunday", "We are open all year."),
    ],
)
def test_a_plain_question_is_answered_by_its_fact(question: str, fact: str) -> None:
    assert HOTEL.answer(question) == fact


@pytest.mark.parametrize(
    "question",
    [
        "",
        "how are you",
        "what time is it",
        "what day is today",
        "what is two plus two",
        "how much is it",
        "who won the world cup",
        "what is the capital of france",
        "tell me a joke",
        "do you have a gym",
    ],
)
def test_small_talk_sums_and_strange_subjects_have_no_fact(question: str) -> None:
    assert HOTEL.answer(question) == ""
    assert Facts(()).answer(question) == ""
