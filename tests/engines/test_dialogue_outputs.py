import json
from typing import Any

import pytest

from vivavoce.engines.dialogue.outputs import tell


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            {"temperature": 72, "unit": "fahrenheit", "conditions": "sunny"},
            "The temperature is 72 degrees Fahrenheit and the conditions are sunny.",
        ),
        (
            {"temp_c": 21.5, "humidity_percent": 40},
            "The temperature is 21.5 degrees Celsius and the humidity is 40 percent.",
        ),
        (
            {"wind": {"speed_kmh": 12, "direction": "north"}},
            "The speed is 12 kilometers an hour and the direction is north.",
        ),
        ({"success": True}, "That is done."),
        ({"status": "ok", "message": "The light is on now."}, "The light is on now."),
        ({"error": "City not found"}, "That did not work: City not found."),
        ({"error": {"code": 404, "message": "No such order"}}, "That did not work: No such order."),
        ({"ok": False}, "That did not work."),
        ([], "There are no results."),
        ({}, "That is done."),
        (None, "There is no result."),
        (True, "Yes."),
        (42, "It is 42."),
        (["milk", "eggs"], "Milk and eggs."),
        (
            [{"id": "a1", "title": "Dentist", "time": "10:30"}, {"id": "b2", "title": "Lunch", "time": "12:00"}],
            "There are 2 results: Dentist 10:30 and Lunch 12:00.",
        ),
        (
            {"events": [{"title": "Dentist", "start": "2026-01-06T10:30:00Z"}]},
            "There is 1 result: Dentist January 6, 2026 at 10:30 AM.",
        ),
        ({"results": []}, "There are no results."),
        (
            {"order_id": "9f8e", "status": "shipped", "eta": "2026-01-08", "url": "https://x.y/z"},
            "The status is shipped and the expected arrival is January 8, 2026.",
        ),
        ({"balance": 1234.5, "currency": "USD"}, "The balance is 1,234.5 dollars."),
        ({"isOpen": True, "queueLength": 3}, "It is open and the queue length is 3."),
        ({"name": None}, "That is done."),
        ({"items": [{"name": f"n{i}"} for i in range(12)]}, "There are 12 items: n0, n1, n2, n3, n4, and 7 more."),
    ],
)
def test_a_result_is_told_in_a_sentence(output: Any, said: str) -> None:
    assert tell(json.dumps(output)) == said


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("", "That is done."),
        ("ok", "That is done."),
        ("Sunny, 21 degrees", "Sunny, 21 degrees."),
        ("**Done**: `ok`", "Done: ok."),
        ("Visit https://example.com/x now", "Visit now."),
        ("NaN", "It is no number."),
        ("{broken", "{broken."),
    ],
)
def test_plain_text_is_told_without_marks(output: str, said: str) -> None:
    assert tell(output) == said


def test_long_results_are_cut_at_a_sentence() -> None:
    said = tell("This is a sentence. " * 100)
    assert len(said) <= 600
    assert said.endswith("sentence.")


def test_anything_at_all_is_told_somehow() -> None:
    deep: Any = 1
    for _ in range(50):
        deep = {"a": deep}
    for output in (
        "[" * 5000,
        json.dumps(deep),
        json.dumps([[[]]]),
        '{"": ""}',
        "1e999",
        '[{"a": [1, {"b": null}]}]',
        "9" * 500,
    ):
        assert tell(output)
