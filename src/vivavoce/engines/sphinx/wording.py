"""A session's own texts as the words that a user would speak.

Instructions, tool names and keywords come in any shape: JSON, markup, other alphabets, megabytes.  Whatever it is
becomes a bounded number of short sequences of lower-case English words, the likelier ones with greater weight.  Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

import msgspec

from ...core.effects import Vocabulary
from .sounds import LONGEST_LETTERS

MAX_CHARACTERS = 24_000
"""Characters of free text that are read; the first ones, since what matters is said early."""
MAX_PHRASES = 600
"""Phrases that are taken over."""
_MAX_PHRASE_CHARACTERS = 200
_MAX_WORDS = 12
"""Words of one sequence: a longer one says nothing more to a trigram model."""
_MENTIONED = 1.0
_NAMED = 3.0
"""A word after "called" or "say" is likelier to be spoken than the text around it, a phrase in quotes more so."""
_QUOTED = 4.0

_QUOTES = re.compile(
    r"\"([^\"\n]{1,120})\"|“([^”\n]{1,120})”|«([^»\n]{1,120})»|`([^`\n]{1,120})`|\B'([^'\n]{1,120})'\B"
)
_NAMING = re.compile(
    r"\b(?:says?|said|called|named|asks? for|answer|reply|name is|keywords?)[ :]+([^.,;:!?\n\"“”]{1,60})",
    re.IGNORECASE,
)
_BREAK = re.compile(r"[.!?;:,\n\r\t()\[\]{}<>|\"“”«»`*#=/\\]+")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[A-Za-z]+(?:'[A-Za-z]+)*")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")
_DECIMAL_OR_CLOCK = re.compile(r"(?<=\d)[.:](?=\d)")

_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety
"""
_ONES = _NUMBERS.split()[:20]
_TENS = ["zero", "ten", *_NUMBERS.split()[20:]]


class Sequence(msgspec.Struct, frozen=True):
    """A few words in a row that the user may say."""

    words: tuple[str, ...]
    weight: float
    """How often it counts."""
    whole: bool
    """Whether it may be a whole utterance, rather than stand anywhere in one."""


def sequences(vocabulary: Vocabulary) -> Iterator[Sequence]:
    """Yield what the vocabulary's phrases and texts contain, the phrases first."""
    for phrase in vocabulary.phrases[:MAX_PHRASES]:
        for words in _clauses(phrase[:_MAX_PHRASE_CHARACTERS]):
            yield Sequence(words, _QUOTED, True)
            yield Sequence(words, _QUOTED, False)
    budget = MAX_CHARACTERS
    for text in vocabulary.texts:
        taken = text[:budget]
        budget -= len(taken)
        yield from _emphasised(taken)
        for words in _clauses(taken):
            yield Sequence(words, _MENTIONED, False)
        if budget <= 0:
            return


def _emphasised(text: str) -> Iterator[Sequence]:
    """Yield the quoted and the named phrases of a text."""
    for match in islice(_QUOTES.finditer(text), MAX_PHRASES):
        for words in _clauses(next(group for group in match.groups() if group is not None)):
            yield Sequence(words, _QUOTED, True)
            yield Sequence(words, _QUOTED, False)
    for match in islice(_NAMING.finditer(text), MAX_PHRASES):
        for words in islice(_clauses(match[1]), 1):
            yield Sequence(words[:4], _NAMED, False)


def _clauses(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of a text between its marks, at most a dozen together."""
    plain = unicodedata.normalize("NFKD", text.replace("\u2019", "'").replace("_", " ").replace("-", " "))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    for part in _BREAK.split(_DECIMAL_OR_CLOCK.sub(" ", plain)):
        words = tuple(word for token in _TOKEN.findall(_HUMP.sub(" ", part)) for word in _spoken(token))
        for i in range(0, len(words), _MAX_WORDS):
            yield words[i : i + _MAX_WORDS]


def _spoken(token: str) -> list[str]:
    """Return the words in which a token is said."""
    if token[0].isdigit():
        return number_words(token)
    return [token.lower()] if len(token) <= LONGEST_LETTERS else []


def number_words(digits: str) -> list[str]:
    """Return how a row of digits is said: as a number up to four of them, else one by one (a dozen at most)."""
    if len(digits) > 4 or (digits[0] == "0" and len(digits) > 1):
        return [_ONES[int(d)] for d in digits[:_MAX_WORDS]]
    value = int(digits)
    if value >= 1000 and value % 1000:
        head, tail = divmod(value, 100)
        return _below_hundred(head) + (
            _below_hundred(tail) if tail >= 10 else ["oh", _ONES[tail]] if tail else ["hundred"]
        )
    if value >= 1000:
        return [_ONES[value // 1000], "thousand"]
    hundreds, rest = divmod(value, 100)
    words = [_ONES[hundreds], "hundred"] if hundreds else []
    return words + _below_hundred(rest) if rest or not words else words


def _below_hundred(value: int) -> list[str]:
    if value < 20:
        return [_ONES[value]]
    tens, one = divmod(value, 10)
    return [_TENS[tens], _ONES[one]] if one else [_TENS[tens]]
