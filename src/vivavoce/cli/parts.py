"""Cutting a long text into parts that are spoken one after another.

A part ends where a sentence ends.  Only a sentence that is longer than a part may be is cut itself: at a clause, else
at a space, else anywhere between two characters that a reader sees as such.  Pure.
"""

# ruff: noqa: RUF001 - punctuation of other scripts is what this is about
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

DEFAULT_LIMIT = 800
"""Characters in a part: about a minute of speech, well within the tokens that servers allow one response."""

_TERMINATORS = ".!?…"
_WIDE_TERMINATORS = "。！？｡．"
"""Ends of sentences that no space follows."""
_CLOSERS = "\"'”’»›)]}）」』】"
_SENTENCE_END = re.compile(
    rf"[{re.escape(_TERMINATORS)}]+[{re.escape(_CLOSERS)}]*(?=\s)"
    rf"|[{_WIDE_TERMINATORS}]+[{re.escape(_CLOSERS)}]*"
    r"|(?=\n[^\S\n]*\n)"  # an empty line ends a paragraph, and with it a sentence
)
_CLAUSE_END = re.compile(rf"[,;:—–]+[{re.escape(_CLOSERS)}]*(?=\s)|[，；：、]+|\s[—–-]+(?=\s)")
_NEXT = re.compile(r"\s*(\S?)")
_SPACE = re.compile(r"(?=\s)")
_ABBREVIATIONS = {
    *("st", "sr", "jr", "mt", "no", "vs", "etc", "al", "fig", "vol", "pp", "ch", "sec", "dept", "approx", "inc", "ltd"),
    *("co", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "usw", "ca", "nr"),
    *("a.m", "p.m"),
}
"""Abbreviations that a sentence may end with: a capital after them begins a new one."""
_NEVER_FINAL = {
    *("mr", "mrs", "ms", "dr", "prof", "rev", "fr", "gen", "col", "capt", "lt", "sgt", "maj", "hon", "gov", "sen"),
    *("rep", "e.g", "i.e", "cf", "z.b", "d.h", "bzw"),
}
"""Abbreviations that a sentence does not end with, so that not even a capital after them begins one."""


def split_text(text: str, limit: int = DEFAULT_LIMIT) -> list[str]:
    """Return the parts of `text`, in order, each of at most `limit` characters and with something to say.

    Joined together they say the whole text; only white space at their ends, and parts that hold no letter and no
    digit, are lost.

    Raises:
        ValueError: `limit` is not positive.
    """
    if limit < 1:
        raise ValueError("a part needs at least one character")
    parts: list[str] = []
    begin = end = 0
    for _, stop in sentences(text):
        if len(text[begin:stop].rstrip()) > limit and _says_something(text[begin:end]):
            parts.extend(_within(text[begin:end], limit))
            begin = end
        end = stop
    parts.extend(_within(text[begin:], limit))
    return [part for part in parts if _says_something(part)]


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the range of each sentence, with the white space after it: the ranges follow one another without a gap."""
    begin = 0
    for match in _SENTENCE_END.finditer(text):
        if match.end() > begin and not _is_inside(text, begin, match):
            end = match.end()
            while end < len(text) and text[end].isspace():
                end += 1
            yield begin, end
            begin = end
    if begin < len(text):
        yield begin, len(text)


def _is_inside(text: str, begin: int, match: re.Match[str]) -> bool:
    """Return whether the marks of `match` end no sentence: an abbreviation's, or any before a small letter."""
    if not match.group() or match.group()[0] in _WIDE_TERMINATORS:
        return False
    words = text[begin : match.start()].rsplit(None, 1)
    word = words[-1].lstrip("([\"'“‘«").casefold() if words else ""
    follows = _NEXT.match(text, match.end())
    first = follows.group(1) if follows else ""
    if first.islower():
        return True
    if match.group() != ".":
        return False
    if len(word) == 1 and word.isalpha() and word != "i":  # an initial
        return first.isupper()
    return word in _NEVER_FINAL or (word in _ABBREVIATIONS and not first.isupper())


def _within(piece: str, limit: int) -> Iterator[str]:
    """Yield `piece` in parts no longer than `limit`."""
    rest = piece.strip()
    while len(rest) > limit:
        places = (_last(pattern, rest, limit) for pattern in (_SENTENCE_END, _CLAUSE_END))
        cut = next((place for place in places if place > limit // 3), 0)  # a scrap such as "Well," is no part
        cut = cut or _last(_SPACE, rest, limit) or _between_characters(rest, limit)
        yield rest[:cut].strip()
        rest = rest[cut:].strip()
    if rest:
        yield rest


def _last(pattern: re.Pattern[str], text: str, limit: int) -> int:
    """Return the last place, up to `limit`, at which `pattern` ends; 0 when there is none."""
    # One character beyond is looked at, so that a space right after the limit counts as following.
    places = [match.end() for match in pattern.finditer(text, 0, limit + 1) if match.end() <= limit]
    return places[-1] if places else 0


def _between_characters(text: str, limit: int) -> int:
    """Return a place near `limit` that separates no accent or joiner from its letter."""
    cut = limit
    while cut > 1 and (unicodedata.combining(text[cut]) or text[cut] in "\u200d\ufe0f" or text[cut - 1] == "\u200d"):
        cut -= 1
    return cut if cut > 1 else limit


def _says_something(text: str) -> bool:
    return any(character.isalnum() for character in text)
