"""The small grammar of headers: quotes, lists, parameters, numbers, and the work they take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.sip.errors import MalformedMessage, UnwritableMessage
from vivavoce.sip.lexing import (
    MAX_ITEMS,
    MAX_PARAMS,
    Params,
    find_unquoted,
    format_params,
    number,
    param,
    parse_params,
    quote,
    split_list,
    unquote,
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~", min_size=1, max_size=12)


@given(TEXTS)
def test_a_quoted_string_says_what_was_quoted(text: str) -> None:
    assert unquote(quote(text)) == text


@given(st.lists(st.tuples(TOKENS, st.none() | TEXTS), max_size=10).map(tuple))
def test_parameters_read_as_they_were_written(params: Params) -> None:
    assert parse_params(format_params(params)) == params


@given(st.lists(TOKENS | TEXTS.map(quote) | TOKENS.map(lambda text: f"<sip:{text},{text}>"), min_size=1, max_size=10))
def test_a_list_comes_apart_where_it_was_joined(items: list[str]) -> None:
    assert split_list(" ,\t".join(items)) == items


def test_words_may_have_signs_that_grammars_leave_out() -> None:
    params = parse_params(";tag=aGk=;branch=z9hG4bK{1}@a/b")
    assert params == (("tag", "aGk="), ("branch", "z9hG4bK{1}@a/b"))
    assert format_params(params) == ";tag=aGk=;branch=z9hG4bK{1}@a/b"


def test_parameters_have_space_and_quotes_wherever_they_like() -> None:
    assert parse_params('; A = b ;c; d="x;\\"y" ;e=[2001:db8::1]') == (
        ("a", "b"), ("c", None), ("d", 'x;"y'), ("e", "[2001:db8::1]"),
    )  # fmt: skip
    assert parse_params("  ") == ()
    assert param(parse_params(";lr;tag=1"), "lr") == ""
    assert param(parse_params(";lr;tag=1"), "ttl") is None


@pytest.mark.parametrize("text", [";", ";;a", ";a=", ";=a", ";a b", ";a=b c", ';a="', ';a="b"c', "a", ";a=b\\c"])
def test_what_are_no_parameters_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_params(text)


@pytest.mark.parametrize("text", ["a,,b", ",", "a,", '"a', "<a,b", '"a\\', ",".join("a" * (MAX_ITEMS + 1))])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        split_list(text)


def test_too_many_parameters_are_refused() -> None:
    assert len(parse_params(";a" * MAX_PARAMS)) == MAX_PARAMS
    for text in (";a" * (MAX_PARAMS + 1), ';a="b"' * (MAX_PARAMS + 1)):
        with pytest.raises(MalformedMessage, match="too many"):
            parse_params(text)


@pytest.mark.parametrize("text", ['"' * 130, '"' + "\\a" * 130 + '"', '"' + '\\"' * 70 + '"'])
def test_more_quotes_than_anybody_writes_are_refused_before_they_are_looked_at(text: str) -> None:
    for read in (unquote, split_list, parse_params, lambda value: find_unquoted(value, "<")):
        with pytest.raises(MalformedMessage):
            read(";a=" + text if read is parse_params else text)


def test_signs_in_quotes_are_not_found() -> None:
    assert find_unquoted('"a\\"<" <sip:x>', "<") == 7
    assert find_unquoted('"<"', "<") == -1
    with pytest.raises(MalformedMessage):
        find_unquoted('"<', "<")


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("0068", 68), ("0" * 5000 + "7", 7), ("4294967295", 2**32 - 1)])
def test_numbers_may_have_zeros_in_front(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "1_0", "\u0661", "²", "4294967296", "9" * 8000])
def test_what_is_no_number_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        number(text)


def test_what_cannot_be_quoted_is_not_written() -> None:
    with pytest.raises(UnwritableMessage):
        quote("a\r\nb")
    with pytest.raises(UnwritableMessage):
        format_params((("a b", None),))
