"""Checks of what clients send, and the protocol's own texts for what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.core.errors import ProtocolError
from vivavoce.dialects import schema as s


def refused(check: s.Check, value: Any) -> tuple[str, str, str | None]:
    with pytest.raises(ProtocolError) as caught:
        check(value, "a.b")
    return caught.value.code, caught.value.message, caught.value.param


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (s.text, "x", "x"),
        (s.text, "", ""),
        (s.name, "x", "x"),
        (s.boolean, False, False),
        (s.mapping, {"x": 1}, {"x": 1}),
        (s.integer(0, 5), 5, 5),
        (s.integer(0), 10**30, 10**30),
        (s.integer(0, 5), 5.0, 5),
        (s.number(0, 1), 1, 1.0),
        (s.choice("a", "b"), "b", "b"),
        (s.nullable(s.text), None, None),
        (s.nullable(s.text), "x", "x"),
        (s.array(s.text), ["x", "y"], ("x", "y")),
        (s.fields({"x": s.text, "y": s.text}, ("x",)), {"x": "1"}, {"x": "1"}),
        (s.ignored, {"anything": []}, None),
    ],
)
def test_what_is_right_is_taken(check: s.Check, value: Any, expected: Any) -> None:
    found = check(value, "a.b")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "null"), (True, "boolean"), (1, "integer"), (1.5, "number"), ([], "array"), ({}, "object")],
)
def test_wrong_types_are_named_as_json_names_them(value: Any, name: str) -> None:
    message = f"Invalid type for 'a.b': expected string, got {name} instead."
    assert refused(s.text, value) == ("invalid_type", message, "a.b")


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (s.boolean, 1), (s.boolean, None), (s.mapping, []), (s.integer(0), True), (s.integer(0), 1.5),
        (s.integer(0), "1"), (s.number(0, 1), False), (s.number(0, 1), "1"), (s.choice("a"), 1), (s.array(s.text), "x"),
        (s.array(s.text), [1]), (s.fields({}), []), (s.variants("t", {}), "x"), (s.variants("t", {}), {"t": 1}),
    ],
)  # fmt: skip
def test_types_are_not_mixed_up(check: s.Check, value: Any) -> None:
    assert refused(check, value)[0] == "invalid_type"


def test_choices_are_listed_as_the_protocol_lists_them() -> None:
    assert refused(s.choice("a", "b", "c"), "X") == (
        "invalid_value", "Invalid value: 'X'. Supported values are: 'a', 'b', and 'c'.", "a.b",
    )  # fmt: skip
    assert refused(s.choice("a", "b"), "X")[1] == "Invalid value: 'X'. Supported values are: 'a' and 'b'."
    assert refused(s.choice("a"), "X")[1] == "Invalid value: 'X'. Supported values are: 'a'."


def test_long_values_are_shortened_in_what_is_told() -> None:
    assert len(refused(s.choice("a"), "X" * 10_000)[1]) < 200
    code, message, param = refused(s.fields({}), {"k" * 10_000: 1})
    assert code == "unknown_parameter"
    assert len(message) + len(param or "") < 500


def test_fields_that_are_missing_or_unknown_are_named_by_their_path() -> None:
    check = s.fields({"x": s.text}, ("x",))
    assert refused(check, {}) == ("missing_required_parameter", "Missing required parameter: 'a.b.x'.", "a.b.x")
    assert refused(check, {"x": "", "y": ""}) == ("unknown_parameter", "Unknown parameter: 'a.b.y'.", "a.b.y")
    with pytest.raises(ProtocolError) as caught:
        check({}, "")
    assert caught.value.param == "x"


def test_elements_are_named_by_their_index() -> None:
    assert refused(s.array(s.fields({"x": s.text})), [{}, {"x": 1}])[2] == "a.b[1].x"


@pytest.mark.parametrize(("value", "word"), [(-1, "below minimum value. Expected a value >= 0"), (6, "above maximum")])
def test_bounds_are_told(value: int, word: str) -> None:
    code, message, param = refused(s.integer(0, 5), value)
    assert (code, param) == ("invalid_value", "a.b")
    assert message.startswith(f"Invalid 'a.b': integer {word}")
    assert str(value) in message
    assert refused(s.number(0.5, 0.75), value)[0] == "invalid_value"


def test_numbers_beyond_every_float_are_out_of_bounds() -> None:
    assert refused(s.number(0.0, 1.0), 10**400)[0] == "invalid_value"
    assert refused(s.number(0.0, 1.0), -(10**400))[0] == "invalid_value"
    assert refused(s.number(0.0, 1.0), float("nan"))[0] == "invalid_value"
    assert refused(s.integer(0, 5), float("inf"))[0] == "invalid_type"


def test_empty_names_and_long_arrays_are_refused() -> None:
    assert refused(s.name, "") == (
        "invalid_value", "Invalid 'a.b': empty string. Expected at least one character.", "a.b",
    )  # fmt: skip
    assert refused(s.array(s.ignored, most=2), [1, 2, 3])[0] == "invalid_value"


def test_variants_are_told_apart_by_their_tag() -> None:
    check = s.variants("t", {"x": s.fields({"t": s.text, "n": s.integer(0)}), "y": s.fields({"t": s.text})})
    assert check({"t": "x", "n": 1}, "a.b") == {"t": "x", "n": 1}
    assert refused(check, {"n": 1}) == ("missing_required_parameter", "Missing required parameter: 'a.b.t'.", "a.b.t")
    assert refused(check, {"t": None})[0] == "missing_required_parameter"
    assert refused(check, {"t": "z"}) == (
        "invalid_value", "Invalid value: 'z'. Supported values are: 'x' and 'y'.", "a.b.t",
    )  # fmt: skip
    assert refused(check, {"t": "y", "n": 1})[0] == "unknown_parameter"
    assert s.variants("t", {"x": s.mapping}, default="x")({}, "a.b") == {}
