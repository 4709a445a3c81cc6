"""Arithmetic and conversions of units, as they are said or written.

Exact fractions, the usual order of operations, no `eval`.  Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction

import msgspec

from .numbers import number_at, numbers, say_number
from .words import lexicon

_PHRASES = (
    (r"\b(?:multiplied by|multiply by|times|multiplied with)\b", "*"),
    (r"\b(?:divided by|divide by|over)\b", "/"),
    (r"\b(?:plus|added to)\b", "+"),
    (r"\b(?:minus|take away|subtract)\b", "-"),
    (r"\bto the power(?: of)?\b", "^"),
    (r"\b(?:percent|per cent|per cents) of\b|% of\b", "%of"),
    (r"\bsquare(?:d)? root(?: of)?\b", "sqrt"),
    (r"\bcube(?:d)? root(?: of)?\b", "cbrt"),
    (r"\bsquared\b", "^ 2"),
    (r"\bcubed\b", "^ 3"),
    (r"\b(?:half of|a half of)\b", "0.5 *"),
    (r"\b(?:a quarter of)\b", "0.25 *"),
    (r"\b(?:a third of)\b", "third"),
    (r"\b(?:twice|double)\b", "2 *"),
)
_OPERATORS = {"+": 1, "-": 1, "*": 2, "/": 2, "%of": 3, "^": 4}
_PREFIXES = lexicon("sqrt cbrt third")
_LARGEST_BITS = 4000
"""Numbers longer than this (about 1200 digits) are not worked out."""
_LARGEST_FLOAT = 10**300
_DEEPEST = 40
"""Brackets and roots within each other."""
_VERBS = (
    (re.compile(r"\b(?:add|sum of|sum up|total of)\b"), "+"),
    (re.compile(r"\b(?:multiply|product of)\b"), "*"),
    (re.compile(r"\bdivide\b"), "/"),
    (re.compile(r"\bdifference (?:between|of)\b"), "-"),
    (re.compile(r"\bsubtract\b"), "from"),
)


class Sum(msgspec.Struct, frozen=True):
    """What a sum comes to."""

    value: Fraction = Fraction(0)
    fault: str = ""
    """`zero` (divided by it), `root` (of a negative number) or `size` (too large); empty when it could be done."""

    @property
    def answer(self) -> str:
        """One sentence."""
        match self.fault:
            case "zero":
                return "A number cannot be divided by zero."
            case "root":
                return "A negative number has no real root."
            case "size":
                return "That number is too large for me."
        return f"That is {say_number(self.value)}."


class _Fault(Exception):
    """The sum cannot be done."""


def work_out(words: Sequence[str]) -> Sum | None:
    """Return what the sum among `words` comes to; None when there is none."""
    plain = " ".join(words)
    for pattern, symbol in _PHRASES:
        plain = re.sub(pattern, f" {symbol} " if symbol != "-" or "subtract" not in plain else r"\g<0>", plain)
    said = plain.split()
    for loose in (False, True):
        try:
            value = _by_verb(said, plain, loose=loose)
            value = value if value is not None else _expression(said, loose=loose)
        except _Fault as fault:
            return Sum(fault=str(fault))
        if value is not None:
            return Sum(value)
    return None


def notation(words: Sequence[str]) -> str | None:
    """Return the sum among `words` in figures and signs, such as "25 + 17"; None when there is none."""
    if work_out(words) is None:
        return None
    plain = " ".join(words)
    for pattern, symbol in _PHRASES:
        plain = re.sub(pattern, f" {symbol} ", plain)
    said = [{"x": "*", "by": "*"}.get(word, word) for word in plain.split()]
    written: list[str] = []
    at = 0
    while at < len(said):
        number = number_at(said, at)
        if number is not None and not (said[at] == "-" and written and written[-1][-1].isdigit()):
            written.append(say_number(number.value).replace(",", ""))
            at = number.end
            continue
        if said[at] in _OPERATORS or said[at] in ("sqrt", "cbrt", "(", ")"):
            written.append({"%of": "/ 100 *"}.get(said[at], said[at]))
        at += 1
    return " ".join(written)


def _by_verb(said: list[str], plain: str, *, loose: bool) -> Fraction | None:
    """Work out "add two and three", "subtract two from ten", "multiply twelve by eight"."""
    for pattern, symbol in _VERBS:
        match = pattern.search(plain)
        if not match:
            continue
        rest = plain[match.end() :].split()
        operands = [number.value for number in numbers(rest, loose=loose and "to" not in rest)]
        if len(operands) < 2 or any(word in _OPERATORS for word in rest):
            continue
        if symbol == "from":
            return operands[1] - operands[0] if "from" in rest else operands[0] - operands[1]
        value = operands[0]
        for operand in operands[1:]:
            value = _applied(symbol, value, operand)
        return value
    return None


def _expression(said: list[str], *, loose: bool) -> Fraction | None:
    """Work out the first run of numbers and operators that is a whole expression."""
    for start in range(len(said)):
        parser = _Parser(said, start, loose=loose)
        value = parser.expression(0)
        if value is not None and parser.operations:
            return value
    return None


class _Parser:
    """Reads one expression by precedence."""

    def __init__(self, said: list[str], start: int, *, loose: bool) -> None:
        self.said = said
        self.depth = 0
        self.at = start
        self.loose = loose
        self.operations = 0

    def expression(self, level: int) -> Fraction | None:
        """Return the value of operations that bind more tightly than `level`."""
        self.depth += 1
        value = self._operand() if self.depth < _DEEPEST else None
        while value is not None and self.at < len(self.said):
            symbol = self._operator()
            if symbol is None or _OPERATORS[symbol] <= level:
                break
            before = self.at
            self.at += 1
            right = self.expression(_OPERATORS[symbol] - (symbol == "^"))
            if right is None:
                self.at = before
                break
            self.operations += 1
            value = _applied(symbol, value, right)
        self.depth -= 1
        return value

    def _operator(self) -> str | None:
        word = self.said[self.at]
        if word in ("x", "by") and self.at + 1 < len(self.said):
            return "*" if number_at(self.said, self.at + 1, loose=self.loose) else None
        if word in ("percent", "%") and self.said[self.at + 1 : self.at + 2] == ["of"]:
            self.at += 1
            return "%of"
        return word if word in _OPERATORS else None

    def _operand(self) -> Fraction | None:
        if self.at >= len(self.said):
            return None
        word = self.said[self.at]
        if word in _PREFIXES:
            self.at += 1
            value = self.expression(4)
            self.operations += 1
            return None if value is None else _rooted(word, value)
        if word == "(":
            self.at += 1
            value = self.expression(0)
            self.at += self.said[self.at : self.at + 1] == [")"]
            return value
        number = number_at(self.said, self.at, loose=self.loose)
        if number is None:
            return None
        self.at = number.end
        return number.value


def _applied(symbol: str, left: Fraction, right: Fraction) -> Fraction:
    match symbol:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            value = left * right
        case "%of":
            value = left * right / 100
        case "/":
            if not right:
                raise _Fault("zero")
            value = left / right
        case _:
            value = _power(left, right)
    if value.numerator.bit_length() > _LARGEST_BITS:
        raise _Fault("size")
    return value


def _power(left: Fraction, right: Fraction) -> Fraction:
    bits = max(left.numerator.bit_length(), left.denominator.bit_length())
    if bits * abs(right) > _LARGEST_BITS:
        raise _Fault("size")
    if right < 0 and not left:
        raise _Fault("zero")
    if right.denominator == 1:
        return left ** int(right)
    if left < 0:
        raise _Fault("root")
    if bits > 300 or abs(right) > 100:
        raise _Fault("size")
    return Fraction(float(left) ** float(right))


def _rooted(prefix: str, value: Fraction) -> Fraction:
    if prefix == "third":
        return value / 3
    if abs(value) > _LARGEST_FLOAT:
        raise _Fault("size")
    if prefix == "cbrt":
        root = math.copysign(abs(float(value)) ** (1 / 3), float(value))
        return Fraction(round(root)) if round(root) ** 3 == value else Fraction(root)
    if value < 0:
        raise _Fault("root")
    whole = math.isqrt(value.numerator), math.isqrt(value.denominator)
    exact = Fraction(*whole)
    return exact if exact * exact == value else Fraction(math.sqrt(value))


_UNITS: dict[str, tuple[str, Fraction]] = {
    "millimeter": ("length", Fraction(1, 1000)), "centimeter": ("length", Fraction(1, 100)),
    "meter": ("length", Fraction(1)), "kilometer": ("length", Fraction(1000)),
    "inch": ("length", Fraction(254, 10000)), "inche": ("length", Fraction(254, 10000)),
    "foot": ("length", Fraction(3048, 10000)), "feet": ("length", Fraction(3048, 10000)),
    "yard": ("length", Fraction(9144, 10000)), "mile": ("length", Fraction(1609344, 1000)),
    "gram": ("mass", Fraction(1, 1000)), "kilogram": ("mass", Fraction(1)), "kilo": ("mass", Fraction(1)),
    "pound": ("mass", Fraction(45359237, 10**8)), "ounce": ("mass", Fraction(45359237, 16 * 10**8)),
    "ton": ("mass", Fraction(1000)), "tonne": ("mass", Fraction(1000)),
    "stone": ("mass", Fraction(45359237 * 14, 10**8)),
    "milliliter": ("volume", Fraction(1, 1000)), "liter": ("volume", Fraction(1)),
    "gallon": ("volume", Fraction(3785411784, 10**9)), "pint": ("volume", Fraction(473176473, 10**9)),
    "quart": ("volume", Fraction(946352946, 10**9)), "cup": ("volume", Fraction(2365882365, 10**10)),
    "second": ("time", Fraction(1)), "minute": ("time", Fraction(60)), "hour": ("time", Fraction(3600)),
    "day": ("time", Fraction(86400)), "week": ("time", Fraction(604800)),
}  # fmt: skip
_SCALE_NAMES = {"celsius": "c", "centigrade": "c", "fahrenheit": "f"}
_CONVERT = re.compile(r"\b(?:convert|how (?:many|much|far|long|heavy)|what is|in|into)\b")


def convert(words: Sequence[str]) -> str | None:
    """Return one sentence that answers a question such as "five miles in kilometers"; None when it is none."""
    said = [word.replace("metre", "meter").replace("litre", "liter") for word in words]
    if not _CONVERT.search(" ".join(said)):
        return None
    scales = [_SCALE_NAMES[word] for word in said if word in _SCALE_NAMES]
    amounts = numbers(said)
    if len(amounts) > 1:
        return None
    if len(scales) == 2 and scales[0] != scales[1] and amounts:
        degrees = amounts[0].value
        if scales[0] == "c":
            return f"That is {say_number(degrees * 9 / 5 + 32)} degrees Fahrenheit."
        return f"That is {say_number((degrees - 32) * 5 / 9)} degrees Celsius."
    named = [(word, *_UNITS[_singular(word)]) for word in said if _singular(word) in _UNITS]
    if len(named) != 2 or named[0][1] != named[1][1] or _singular(named[0][0]) == _singular(named[1][0]):
        return None
    is_how_many = "many" in said and said.index("many") < said.index(named[0][0])
    (_, _, size), (goal, _, unit) = reversed(named) if is_how_many else named
    amount = amounts[0].value if amounts else Fraction(1)
    result = amount * size / unit
    name = _singular(goal).replace("inche", "inch").replace("feet", "foot")
    if result != 1:
        name = {"inch": "inches", "foot": "feet", "stone": "stone"}.get(name, name + "s")
    return f"That is {say_number(result)} {name}."


def _singular(word: str) -> str:
    return word.removesuffix("s") if word != "celsius" else word
