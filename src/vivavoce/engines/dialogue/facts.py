"""Finding the fact that answers a plain question: opening hours, prices, addresses, what there is.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from .moments import WEEKDAYS
from .slots import stems
from .words import hear, lexicon, stem, terms

_ALIKE = tuple(
    stems(line)
    for line in """
pet dog cat animal
wifi internet wlan wireless
parking park garage car
gym fitness workout
delivery deliver shipping ship
swim pool swimming
pay payment card cash
vegan vegetarian veggie
cancel cancellation
refund return
kid child children
toilet restroom bathroom
elevator lift
doctor dr physician
""".strip().splitlines()
)
"""Words that ask for the same; a fact knows one of them."""
_JOINED = (
    (re.compile(r"\bcheck(?:ing|s|ed)?[ -]+in\b", re.IGNORECASE), "checkin"),
    (re.compile(r"\bcheck(?:ing|s|ed)?[ -]+out\b", re.IGNORECASE), "checkout"),
    (re.compile(r"\b(?:wi[ -]fi|why fi)\b", re.IGNORECASE), "wifi"),
    (re.compile(r"\bweek[ -]days?\b", re.IGNORECASE), "weekday"),
)
"""Words that are nothing apart."""


class _Sort(msgspec.Struct, frozen=True):
    """A sort of question: the words that ask for it, and what a fact that answers it looks like."""

    asks: re.Pattern[str]
    told: re.Pattern[str]
    cues: frozenset[str]
    """Stems of words that belong to the question rather than to its subject."""


def _sort(asks: str, told: str, cues: str) -> _Sort:
    return _Sort(re.compile(asks), re.compile(told, re.IGNORECASE), stems(cues))


_SORTS = (
    _sort(
        r"\b(?:how much|cost|costs|price|prices|fee|fees|charge|charges|expensive|cheap)\b",
        r"[$\u20ac\u00a3]|\b(?:euros?|dollars?|pounds?|cents?|costs?|prices?|free|fees?|charges?)\b",
        "cost price fee charge much expensive cheap rate pay",
    ),
    _sort(
        r"\b(?:phone|telephone|call you|reach you|contact)\b",
        r"\d[\d -]{4,}\d|\b(?:phone|telephone|call)\b",
        "phone telephone number call reach contact",
    ),
    _sort(
        r"\b(?:where|address|located|location|find you|how do i get)\b",
        r"\b(?:address|located|street|road|avenue|square|floor|at \d+\w?|next to|near|opposite|behind)\b"
        r"|\b\w+(?:strasse|stra\u00dfe) \d",
        "address located location where find directions",
    ),
    _sort(
        r"\b(?:when|what time|hours|open|opens|opening|close|closes|closed|closing|until|how late|how early|times?)\b",
        r"\b(?:open|opens|close[sd]?|hours|from \d|until|till|noon|midnight|\d+ ?(?:am|pm)|\d+:\d\d|\d+ to \d+)\b"
        r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b",
        "when time hour open opening opened close closed closing start begin end finish late early until available "
        "serve served business office",
    ),
)
_HOLLOW = lexicon(
    "much many long far often when where who whom which please okay hello hi hey question ask wonder find out offer "
    "included include there available possible allow allowed bring exactly actually currently today now say mean "
    "called call anything something give explain information info thing things okay excuse does got the yes no"
) | stems("include serve take get go come work")
_MOMENT = stems("time date today day now current year month week tomorrow hour weekend").union(map(stem, WEEKDAYS))
"""What the clock and the calendar are asked for."""
_ENOUGH = 0.5
"""The share of a question's subject that a fact has to know."""


class Facts:
    """Facts, ready to be asked."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)
        self._known = [_terms(text) for text in self._texts]
        self._all: frozenset[str] = frozenset().union(*self._known)

    def answer(self, question: str) -> str:
        """Return the fact that answers `question`; empty when none clearly does."""
        joined = _join(question)
        heard = hear(joined)
        plain = heard.plain
        sorts = [sort for sort in _SORTS if sort.asks.search(plain)]
        cues = frozenset().union(*(sort.cues for sort in sorts))
        said = [one for one in terms(word for word in heard.words if word not in _HOLLOW) if one not in _HOLLOW]
        subject = {self._named(one) for one in said if one not in cues and one not in _MOMENT}
        if not subject and not (sorts and (not _MOMENT.issuperset(said) or _ABOUT_US.search(plain))):
            return ""
        wanted = subject or {self._named(one) for one in said}
        best, best_score = "", 0.0
        for text, known in zip(self._texts, self._known, strict=True):
            share = len(wanted & known) / len(wanted) if wanted else 0.0
            told = sum(bool(sort.told.search(text)) for sort in sorts)
            if subject and share < _ENOUGH:
                continue
            # A question of a sort alone ("where are you?") is answered by a fact of that sort.
            if not subject and not told:
                continue
            # A word beside the subject ("opening hours") tells facts of one subject apart.
            score = 2 * share + told + 0.25 * len({self._named(one) for one in said} & known) - 0.001 * len(known)
            if score > best_score:
                best, best_score = text, score
        return best

    def _named(self, one: str) -> str:
        """Return the stem by which the facts know what `one` means, or itself."""
        if one in self._all:
            return one
        for group in _ALIKE:
            if one in group and (found := group & self._all):
                return min(found)
        if len(one) < 5:
            return one
        return next((known for known in sorted(self._all) if known[:5] == one[:5]), one)


_ABOUT_US = re.compile(r"\b(?:you|your|yours|open|closed|cost|costs)\b")


def _join(text: str) -> str:
    for pattern, word in _JOINED:
        text = pattern.sub(word, text)
    return text


def _terms(text: str) -> frozenset[str]:
    return frozenset(terms(hear(_join(text)).words))
