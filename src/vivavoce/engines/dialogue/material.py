"""An utterance from which values are taken, each word at most once; and the values that are no free text.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from difflib import SequenceMatcher
from typing import Any

from .moments import duration, find_day, find_time
from .numbers import number_at, numbers
from .slots import Slot, plain_name, stems
from .words import Utterance, stem

Span = tuple[int, int]
"""Indices of the first word of something and of the word behind it."""

_SAME = (
    frozenset(["on", "enable", "enabled", "start", "activate", "true"]),
    frozenset(["off", "disable", "disabled", "stop", "deactivate", "false"]),
    frozenset(["large", "big", "huge"]),
    frozenset(["small", "little", "tiny"]),
    frozenset(["medium", "regular", "normal", "middle"]),
    frozenset(["celsius", "centigrade", "metric"]),
    frozenset(["fahrenheit", "imperial"]),
    frozenset(["high", "urgent", "important"]),
    frozenset(["living room", "lounge", "sitting room"]),
    frozenset(["vegetarian", "veggie"]),
    frozenset(["increase", "up", "raise", "louder", "brighter", "warmer", "higher"]),
    frozenset(["decrease", "down", "lower", "quieter", "dimmer", "cooler", "colder"]),
    frozenset(["lock", "locked"]),
    frozenset(["unlock", "unlocked"]),
    frozenset(["close", "closed", "shut"]),
    frozenset(["usd", "dollar", "dollars"]),
    frozenset(["eur", "euro", "euros"]),
    frozenset(["gbp", "pound", "pounds"]),
    frozenset(["checking", "current"]),
    frozenset(["tv", "television"]),
    frozenset(["taxi", "cab"]),
    frozenset(["walking", "foot", "walk"]),
    frozenset(["driving", "car", "drive"]),
)
"""Values that mean the same."""
_LIKE = 0.84
"""Likeness from which a word counts as a misheard value."""
_UNITS = stems("degree percent minute second hour dollar euro people person guest night day")
_UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_CERTAIN_MOMENT = re.compile(
    r"o'clock|\b(?:am|pm|past|noon|of)\b|:|\d ?(?:st|nd|rd|th)\b|(?:th|rd|st|second)\b|\d ?- ?\d"
    r"|\b(?:january|february|march|april|may|june|july|august|september|october|november|december)\b"
)


class Material:
    """The words of one utterance that have not been used up."""

    def __init__(self, heard: Utterance, today: date, spent: frozenset[str] = frozenset()) -> None:
        self.heard = heard
        self.today = today
        self.spent = spent
        """Stems of words that name the function itself and so are no values."""
        self.words = heard.words
        self.stems = [stem(word) for word in heard.words]
        self._taken: set[int] = set()
        self._moments = [self._span(span) for span in (find_day(heard.plain), find_time(heard.plain)) if span]

    def take(self, span: Span) -> None:
        """Use up the words of a span."""
        self._taken.update(range(*span))

    def is_free(self, start: int, end: int) -> bool:
        """Return whether none of the words was used up."""
        return not self._taken & set(range(start, end))

    def begins_moment(self, word: int) -> bool:
        """Return whether a day or a time of day begins at a word."""
        return any(start == word for start, _ in self._moments)

    def ends_before(self, word: int) -> bool:
        """Return whether a mark in typed text ends a phrase before a word."""
        spans = self.heard.spans
        return word > 0 and bool(re.search(r"[,;.!?]\s", self.heard.text[spans[word - 1][1] : spans[word][0]] + " "))

    def day_span(self) -> Span | None:
        """Return where a day is mentioned."""
        found = find_day(self.heard.plain)
        return self._span(found) if found else None

    def time_span(self) -> Span | None:
        """Return where a time of day is mentioned."""
        found = find_time(self.heard.plain)
        return self._span(found) if found else None

    def _span(self, span: Span) -> Span:
        """Return the words that a stretch of the plain text is made of."""
        start = self.heard.word_at(span[0])
        return start, start + self.heard.plain[span[0] : span[1]].strip().count(" ") + 1

    def choices(self, allowed: Sequence[Any]) -> list[Any]:
        """Return all allowed values that are mentioned, in the order in which they are."""
        found: list[tuple[int, Any]] = []
        for value in allowed:
            if span := self._mention(plain_name(str(value))):
                found.append((span[0], value))
                self.take(span)
        return [value for _, value in sorted(found, key=lambda pair: pair[0])]

    def choice(self, allowed: Sequence[Any]) -> Any | None:
        """Return the allowed value that is mentioned or misheard, None when there is none."""
        exact = [value for value in allowed if self.heard.find(tuple(plain_name(str(value)).split())) >= 0]
        # "Check my savings" names savings, although "check" is a form of "checking".
        allowed = exact or allowed
        for value in sorted(allowed, key=lambda one: -len(str(one))):  # "living room" before "room"
            if span := self._mention(plain_name(str(value))):
                self.take(span)
                return value
        for number in numbers(self.words):
            for value in allowed:
                if isinstance(value, int | float) and not isinstance(value, bool) and number.value == value:
                    self.take((number.start, number.end))
                    return value
        return self._misheard(allowed)

    def _mention(self, name: str) -> Span | None:
        names = [name, *(other for group in _SAME if name in group for other in sorted(group))]
        for one in names:
            wanted = [stem(word) for word in one.split()]
            for at in range(len(self.stems) - len(wanted) + 1):
                end = at + len(wanted)
                if wanted and self.stems[at:end] == wanted and self.is_free(at, end):
                    return at, end
        return None

    def _misheard(self, allowed: Sequence[Any]) -> Any | None:
        best: tuple[float, Span, Any] = (_LIKE, (0, 0), None)
        for value in allowed:
            name = plain_name(str(value))
            size = max(1, len(name.split()))
            if len(name) < 5:
                continue
            for at in range(len(self.words) - size + 1):
                ratio = SequenceMatcher(None, " ".join(self.words[at : at + size]), name).ratio()
                if ratio >= best[0] and self.is_free(at, at + size):
                    best = ratio, (at, at + size), value
        self.take(best[1])
        return best[2]

    def flag(self, slot: Slot) -> bool | None:
        """Return whether something is said to be so, None when nothing is said of it."""
        switch = re.search(r"\b(on|off|enable|disable)\b", self.heard.plain)
        if switch and slot.words & stems("on power enabled state active"):
            return switch[1] in ("on", "enable")
        wanted = slot.named - stems("is include with has want enable enabled add use")
        if any(f"un{one}" in self.stems for one in wanted):
            return False
        at = next((i for i, one in enumerate(self.stems) if one in wanted), None)
        if at is None:
            return None
        return not {"no", "not", "without", "never"} & set(self.words[max(0, at - 3) : at])

    def number(self, slot: Slot, *, loose: bool = False) -> int | float | None:
        """Return the number that belongs to a slot, by the words beside it; `loose` believes homophones."""
        length = self._length_of_time(slot)
        if length is not None:
            return length
        found = [n for n in numbers(self.words) if self.is_free(n.start, n.end) and not self._in_moment(n.start)]
        if not found and loose:
            found = numbers(self.words, loose=True)
        best, best_score = None, -1.0
        for number in found:
            if not slot.allows(number.value) or (slot.kind == "integer" and number.value.denominator != 1):
                continue
            near = {*self.stems[max(0, number.start - 2) : number.start], *self.stems[number.end : number.end + 2]}
            score = len(near & slot.words) + 0.5 * bool(near & _UNITS & slot.words)
            if score > best_score:
                best, best_score = number, score
        if best is None:
            return self._one_of_it(slot)
        self.take((best.start, best.end))
        return int(best.value) if best.value.denominator == 1 else float(best.value)

    def all_numbers(self) -> list[int | float]:
        """Return all numbers that are left."""
        values = [n.value for n in numbers(self.words) if self.is_free(n.start, n.end)]
        return [int(value) if value.denominator == 1 else float(value) for value in values]

    def has_number_at(self, word: int) -> bool:
        """Return whether a number begins at a word."""
        return number_at(self.words, word) is not None

    def is_amount(self, word: int) -> bool:
        """Return whether a number with a unit, as "eight minutes", begins at a word."""
        number = number_at(self.words, word)
        return number is not None and number.end < len(self.stems) and self.stems[number.end] in _UNITS

    def _one_of_it(self, slot: Slot) -> int | None:
        """Read "a pizza" as one pizza where a quantity is wanted."""
        is_count = bool(slot.named & stems("quantity count amount")) and slot.kind == "integer"
        has_one = re.search(r"\b(?:an?|one) (?!few|lot|couple)\w+", self.heard.plain)
        return 1 if is_count and has_one and slot.allows(1) else None

    def _length_of_time(self, slot: Slot) -> int | float | None:
        if not slot.words & stems("duration second minute hour length"):
            return None
        seconds = duration(self.words)
        if seconds is None:
            return None
        unit = next((name for name in _UNIT_SECONDS if stem(name) in slot.words), "second")
        amount = seconds / _UNIT_SECONDS[unit]
        value = round(amount) if slot.kind == "integer" or amount == round(amount) else amount
        return value if slot.allows(value) else None

    def _in_moment(self, word: int) -> bool:
        """Return whether a number is part of a day or a time that is clearly meant as one."""
        return any(
            start <= word < end and _CERTAIN_MOMENT.search(" ".join(self.words[start:end]))
            for start, end in self._moments
        )
