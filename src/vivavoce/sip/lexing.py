"""The small grammar that headers share: quoted strings, lists, parameters; RFC 3261 section 25.1.

Everything here looks at each character a bounded number of times: searches are for single characters, never for
patterns that can be tried again from another place.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from .errors import MalformedMessage, UnwritableMessage
from .message import TOKEN, is_token

__all__ = [
    "MAX_ITEMS", "MAX_PARAMS", "Params", "check_quotes", "end_of_quoted", "find_unquoted", "format_params", "is_bare",
    "number", "param", "parse_params", "quote", "split_list", "unquote",
]  # fmt: skip

MAX_PARAMS = 64
"""How many parameters one value may have; the longest seen in the wild has about ten."""

MAX_ITEMS = 100
"""How many values a list may have over all its lines."""

_MAX_QUOTES = 128
"""How many quotes and backslashes one value may have, each of which takes a step of its own."""

Params: TypeAlias = tuple[tuple[str, str | None], ...]
"""Parameters in their order: names in lower case, values unquoted, None for a parameter without one."""

# Beyond tokens and hosts: telephones put all sorts of signs into tags and branches, which nobody but they have to read.
_BARE = TOKEN | frozenset("[]:=@/?&$#^|{}()")
_QUOTE_OR_ESCAPE = re.compile(r'["\\]')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_COMMA_OR_ENCLOSED = re.compile(r'[",<]')
_SEMICOLON_OR_QUOTE = re.compile(r'[";]')


def end_of_quoted(text: str, start: int) -> int:
    """Return the place after a quoted string whose opening quote is at `start`."""
    at = start + 1
    while True:
        found = _QUOTE_OR_ESCAPE.search(text, at)
        if found is None or (found.group() == "\\" and found.end() == len(text)):
            raise MalformedMessage("a quoted string does not end")
        if found.group() == '"':
            return found.end()
        at = found.end() + 1


def unquote(text: str) -> str:
    """Return what a quoted string says, or a text without quotes as it is."""
    if not text.startswith('"'):
        return text
    check_quotes(text)
    if end_of_quoted(text, 0) != len(text):
        raise MalformedMessage("something stands beside a quoted string")
    inner = text[1:-1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """Write a quoted string."""
    if "\r" in text or "\n" in text:
        raise UnwritableMessage("a quoted string cannot hold a line break")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\\\0") + '"'


def check_quotes(text: str) -> None:
    """Refuse a value whose quotes would take too many steps to get past."""
    if text.count('"') + text.count("\\") > _MAX_QUOTES:
        raise MalformedMessage("there are too many quotes")


def find_unquoted(text: str, wanted: str, start: int = 0) -> int:
    """Return the place of the first of one character that is not inside of a quoted string, or -1."""
    if '"' not in text:
        return text.find(wanted, start)
    check_quotes(text)
    while True:
        at = text.find(wanted, start)
        opening = text.find('"', start, at if at >= 0 else len(text))
        if opening < 0:
            return at
        start = end_of_quoted(text, opening)


def split_list(value: str) -> list[str]:
    """Take a list apart at its commas, but not at those in quoted strings and between angle brackets.

    Raises:
        MalformedMessage: where an element is empty, something does not end, or there are too many.
    """
    if '"' not in value and "<" not in value:
        items = [item.strip(" \t") for item in value.split(",", MAX_ITEMS)]
    else:
        check_quotes(value)
        items = []
        begin = at = 0
        while (found := _COMMA_OR_ENCLOSED.search(value, at)) is not None and len(items) <= MAX_ITEMS:
            at = found.end()
            if found.group() == ",":
                items.append(value[begin : found.start()].strip(" \t"))
                begin = at
            elif found.group() == '"':
                at = end_of_quoted(value, found.start())
            else:
                at = value.find(">", at) + 1
                if not at:
                    raise MalformedMessage("an angle bracket is not closed")
        items.append(value[begin:].strip(" \t"))
    if len(items) > MAX_ITEMS:
        raise MalformedMessage("a list is too long")
    if not all(items):
        raise MalformedMessage("an element of a list is empty")
    return items


def parse_params(text: str) -> Params:
    """Read `;name=value;name="value";name`, with white space anywhere between them; an empty text has none."""
    text = text.strip(" \t")
    if not text:
        return ()
    if text[0] != ";":
        raise MalformedMessage("something stands before the parameters")
    pieces = text[1:].split(";", MAX_PARAMS) if '"' not in text else _pieces(text)
    if len(pieces) > MAX_PARAMS:
        raise MalformedMessage("there are too many parameters")
    params: list[tuple[str, str | None]] = []
    for piece in pieces:
        name, equals, value = piece.partition("=")
        name = name.strip(" \t")
        value = value.strip(" \t")
        if not is_token(name):
            raise MalformedMessage("a parameter has no proper name")
        if not equals:
            params.append((name.lower(), None))
        elif value.startswith('"'):
            params.append((name.lower(), unquote(value)))
        elif is_bare(value):
            params.append((name.lower(), value))
        else:
            raise MalformedMessage("a parameter has no proper value")
    return tuple(params)


def _pieces(text: str) -> list[str]:
    """Take parameters apart at semicolons outside of quotes; the text begins with one."""
    check_quotes(text)
    pieces: list[str] = []
    begin = at = 1
    while (found := _SEMICOLON_OR_QUOTE.search(text, at)) is not None and len(pieces) <= MAX_PARAMS:
        at = found.end()
        if found.group() == ";":
            pieces.append(text[begin : found.start()])
            begin = at
        else:
            at = end_of_quoted(text, found.start())
    pieces.append(text[begin:])
    return pieces


def is_bare(text: str) -> bool:
    """Tell whether a text can be the value of a parameter without quotes, as tags and branches have to be."""
    return bool(text) and _BARE.issuperset(text)


def param(params: Params, name: str) -> str | None:
    """Return a parameter's value, empty where it has none, or None where there is no such parameter."""
    for key, value in params:
        if key == name:
            return value or ""
    return None


def format_params(params: Params) -> str:
    """Write parameters, with quotes where a value needs them."""
    written = []
    for name, value in params:
        if not is_token(name):
            raise UnwritableMessage("a parameter has no proper name")
        if value is None:
            written.append(f";{name}")
        else:
            written.append(f";{name}={value if is_bare(value) else quote(value)}")
    return "".join(written)


def number(text: str, limit: int = 2**32 - 1) -> int:
    """Read a decimal number of at most `limit`."""
    if not (text.isascii() and text.isdigit()):
        raise MalformedMessage("a number is expected")
    # Leading zeros are legal, and the reader of Python's numbers is slow for thousands of digits.
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(limit)) or int(digits) > limit:
        raise MalformedMessage("a number is too large")
    return int(digits)
