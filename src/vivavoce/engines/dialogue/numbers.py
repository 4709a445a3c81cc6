"""Numbers as they are said and written, and how to say them.

Words in, exact fractions out.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

import msgspec

from .words import lexicon

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
ONES = {word: value for value, word in enumerate(_SMALL.split())}
TENS = {
    word: 10 * value
    for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SHARES = {"half": Fraction(1, 2), "quarter": Fraction(1, 4)}
_COLLECTIVE = {"dozen": 12, "couple": 2}
HOMOPHONES = {"to": "two", "too": "two", "for": "four", "fore": "four", "ate": "eight", "won": "one", "oh": "zero",
              "o": "zero", "sex": "six", "tree": "three", "tin": "ten", "fife": "five", "nought": "zero"}  # fmt: skip
"""What recognisers write for numbers that they misheard; only believed where a number is expected."""
_ORDINALS = {
    word: value
    for value, word in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
            "eleventh",
            "twelfth",
            "thirteenth",
            "fourteenth",
            "fifteenth",
            "sixteenth",
            "seventeenth",
            "eighteenth",
            "nineteenth",
            "twentieth",
        ],
        1,
    )
}
_WRITTEN = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")


class Number(msgspec.Struct, frozen=True):
    """A number among words."""

    value: Fraction
    start: int
    """Index of its first word."""
    end: int
    """Index behind its last word."""


def number_at(words: Sequence[str], start: int, *, loose: bool = False) -> Number | None:
    """Return the longest number that begins at word `start`; `loose` believes homophones."""
    said = [HOMOPHONES.get(word, word) for word in words] if loose else words
    at = start
    sign = 1
    if said[at : at + 1] in (["negative"], ("negative",)) or (
        said[at : at + 1] in (["-"], ("-",)) and (at == 0 or not _is_figure(said[at - 1]))
    ):
        sign, at = -1, at + 1
    if at >= len(said):
        return None
    found = _written(said, at) or _shared(said, at) or _spoken(said, at)
    if found is None:
        return None
    value, end = found
    return Number(sign * value, start, end)


def numbers(words: Sequence[str], *, loose: bool = False) -> list[Number]:
    """Return all numbers among `words`, from left to right."""
    found: list[Number] = []
    at = 0
    while at < len(words):
        number = number_at(words, at, loose=loose)
        if number is not None:
            found.append(number)
        at = number.end if number is not None else at + 1
    return found


def _is_figure(word: str) -> bool:
    return bool(_WRITTEN.fullmatch(word)) or word in ONES or word in TENS or word == ")"


def _written(said: Sequence[str], at: int) -> tuple[Fraction, int] | None:
    if not _WRITTEN.fullmatch(said[at]):
        return None
    value, at = Fraction(said[at].replace(",", "")), at + 1
    while at < len(said) and said[at] in _SCALES:
        value, at = value * _SCALES[said[at]], at + 1
    return _and_a_half(said, value, at)


def _shared(said: Sequence[str], at: int) -> tuple[Fraction, int] | None:
    """Read "half a", "a quarter", "a dozen", "a couple of"."""
    if said[at] == "half" and at + 1 < len(said) and said[at + 1] in ("a", "an"):
        return Fraction(1, 2), at + 2
    if said[at] in ("a", "an") and at + 1 < len(said):
        if said[at + 1] in _COLLECTIVE:
            skip = 3 if said[at + 2 : at + 3] in (["of"], ("of",)) else 2
            return Fraction(_COLLECTIVE[said[at + 1]]), at + skip
        if said[at + 1] in _SHARES and said[at + 2 : at + 3] in (["of"], ("of",)):
            return _SHARES[said[at + 1]], at + 2
    return None


def _spoken(said: Sequence[str], start: int) -> tuple[Fraction, int] | None:
    total = group = 0
    at = start
    fresh = True  # whether the group may still take ones or tens
    if said[at] in ("a", "an") and at + 1 < len(said) and said[at + 1] in _SCALES:
        group, at, fresh = 1, at + 1, False
    begun = at
    while at < len(said):
        word = said[at]
        if word in ONES and (fresh or (group % 100 >= 20 and group % 10 == 0 and 0 < ONES[word] < 10)):
            group, fresh = group + ONES[word], False
        elif word in TENS and fresh:
            group, fresh = group + TENS[word], False
        elif word == "hundred" and at > start:
            group, fresh = max(1, group) * 100, True
        elif word in _SCALES and word != "hundred" and at > start:
            total, group, fresh = (
                (total + max(1, group)) * _SCALES[word] if not total else total + max(1, group) * _SCALES[word],
                0,
                True,
            )
        elif (
            word == "and"
            and fresh
            and at > begun
            and at + 1 < len(said)
            and (said[at + 1] in ONES or said[at + 1] in TENS)
        ):
            pass
        else:
            break
        at += 1
    if at == start or (at == begun and begun > start):
        return _decimals(said, Fraction(0), start) if said[start] == "point" else None
    value, at = _decimals(said, Fraction(total + group), at) or (Fraction(total + group), at)
    return _and_a_half(said, value, at)


def _decimals(said: Sequence[str], value: Fraction, at: int) -> tuple[Fraction, int] | None:
    """Read "point one four" behind a number."""
    if at >= len(said) or said[at] not in ("point", "dot"):
        return None
    figures = ""
    end = at + 1
    while end < len(said) and (ONES.get(said[end], 10) < 10 or said[end].isdigit()):
        figures += str(ONES.get(said[end], said[end]))
        end += 1
    return (value + Fraction(int(figures), 10 ** len(figures)), end) if figures else None


def _and_a_half(said: Sequence[str], value: Fraction, at: int) -> tuple[Fraction, int]:
    if tuple(said[at : at + 3]) in (("and", "a", "half"), ("and", "a", "quarter")):
        return value + _SHARES[said[at + 2]], at + 3
    return value, at


def digits(words: Sequence[str]) -> str:
    """Return the longest run of figures spoken or written one after another, such as a telephone number."""
    best = ""
    at = 0
    while at < len(words):
        run, at = _digit_run(words, at)
        best = max(best, run, key=len)
        at += 1
    return best


def _digit_run(words: Sequence[str], at: int) -> tuple[str, int]:
    run = ""
    while at < len(words):
        word = words[at]
        if word in ("double", "triple") and at + 1 < len(words) and ONES.get(words[at + 1], 10) < 10:
            run += str(ONES[words[at + 1]]) * (2 if word == "double" else 3)
            at += 2
            continue
        if word in ("-", "(", ")") and run:
            at += 1
            continue
        # A homophone counts between figures ("five for two"), a zero also at the start ("oh one").
        if word in HOMOPHONES and (run or word in ("oh", "o")):
            following = words[at + 1] if at + 1 < len(words) else ""
            word = HOMOPHONES[word] if following in ONES or following in HOMOPHONES or following.isdigit() else word
        number = number_at((*words[:at], word, *words[at + 1 :]), at)
        if number is None or number.value.denominator != 1 or number.value < 0:
            break
        run += words[at] if words[at].isdigit() else str(number.value)
        at = number.end
    return run, at


def ordinal(word: str) -> int | None:
    """Return the value of "third" or "21st"; None when it is no ordinal."""
    match = re.fullmatch(r"(\d+)(?:st|nd|rd|th)", word)
    return int(match[1]) if match else _ORDINALS.get(word)


def say_number(value: Fraction | float) -> str:
    """Return a number as it should be written for a voice: separators, at most four decimals, "about" if rounded."""
    exact = Fraction(value)
    if exact.denominator == 1 and abs(exact) < 10**15:
        return f"{int(exact):,}"
    if abs(exact) >= 10**15:
        exponent = len(str(abs(int(exact)))) - 1
        mantissa = f"{float(exact / 10**exponent):.3f}".rstrip("0").rstrip(".")
        return f"about {mantissa} times 10 to the power of {exponent}"
    places = 4 if abs(exact) >= Fraction(1, 100) else 8
    rounded = round(exact, places)
    text = f"{float(rounded):,.{places}f}".rstrip("0").rstrip(".")
    return text if rounded == exact else f"about {text}"


NUMBER_WORDS = frozenset((*ONES, *TENS, *_SCALES)) | lexicon("point half")
"""Words that are always part of a number."""
