"""Choosing the function that the user asks for.

By the words of its name, its description and its arguments, with a small thesaurus; the bar is high enough that small
talk, sums and what the dialogue engine can do by itself are not given away by chance.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from ...core.settings import Tool
from .intents import Intent
from .numbers import NUMBER_WORDS
from .slots import plain_name, slots_of, stems
from .thesaurus import (
    ACTS,
    ANNOUNCING,
    CHANGES,
    DEEDS,
    DOMAIN,
    HOLLOW,
    LOOKS_UP,
    LOOSE,
    MAKES,
    MOMENTS,
    OWN,
    STOP,
    SYNONYMS,
    UNDOES,
    WEAK,
)
from .words import Utterance, hear, stem

_SOCIAL = frozenset(
    [
        "greet",
        "thanks",
        "bye",
        "yes",
        "no",
        "repeat",
        "stop",
        "help",
        "identity",
        "name_set",
        "name_get",
        "say",
        "spell",
        "count",
        "joke",
        "story",
        "sing",
        "coin",
        "dice",
        "random",
        "empty",
    ]
)
"""Intents that are answered by the engine unless a function is plainly made for them."""
_NEVER = frozenset(("yes", "no", "empty", "repeat", "stop"))
_ASKING = re.compile(
    r"^(?:what|which|who|where|when|how|is|are|do|does|did|will|was|check|show|tell me|has|have|find|look)\b|\?$"
)
_GOING = re.compile(r"\b(?:get|go|way|drive|walk|navigate|road) to\b")
_MONEY = {"$": "money", "\u20ac": "money", "\u00a3": "money"}
_LIKING = re.compile(
    r"^(?:(?:and|well|so|yes|no) )*(?:i (?:do not |really |also )*(?:like|love|hate|prefer|enjoy)|my favou?rite) "
)
_OTHERS = re.compile(r"^(?:he|she|they|we (?!need|want|would|have|are|must|should|can)) ?\w+(?! (?:want|need))")
_MIN_SCORE = 1.0
_MIN_SHARE = 0.3
"""How strongly a function must be asked for, and how much of what was said must speak for it."""


class Profile(msgspec.Struct, frozen=True):
    """The words of a function, weighed by where they stand."""

    weights: dict[str, float]
    names: frozenset[str]
    """Stems of the words of its name."""
    takes_text: bool
    """Whether one of its arguments is free text."""

    def weigh(self, one: str) -> tuple[float, bool]:
        """Return how much a stem or a synonym says for the function, and whether it is more than a common word."""
        weight, telling = max(
            (self.weights.get(other, 0.0) * (1.0 if other == one else 0.85), other) for other in alike(one)
        )
        return weight, telling not in WEAK


@lru_cache(maxsize=512)
def _profile_of(name: str, description: str, fields: str, takes_text: bool) -> Profile:
    weights: dict[str, float] = {}
    named = [stem(word) for word in plain_name(name).split()]
    for words, weight in ((hear(fields).words, 0.4), (hear(description).words, 1.0), (named, 1.6)):
        for word in words:
            one = stem(word)
            if word not in STOP:
                weights[one] = max(weights.get(one, 0.0), weight)
    return Profile(weights, frozenset(named), takes_text)


def profile(tool: Tool) -> Profile:
    """Return the words of a function."""
    fields = []
    slots = slots_of(tool.parameters)
    for slot in slots:
        fields.append(f"{plain_name(slot.name)} {slot.schema.get('description', '')}")
        fields += [plain_name(str(choice)) for choice in slot.choices]
    takes_text = any(slot.kind in ("string", "array") and not slot.choices for slot in slots)
    return _profile_of(tool.name, tool.description, " ".join(fields), takes_text)


def choose(heard: Utterance, tools: Sequence[Tool], intent: Intent) -> Tool | None:
    """Return the function that `heard` asks for, None when none clearly does."""
    scored = [(*_score(heard, tool, intent), -index) for index, tool in enumerate(tools)]
    if not scored:
        return None
    score, share, index = max(scored)
    tool = tools[-index]
    if score < _MIN_SCORE or share < _MIN_SHARE:
        return None
    if intent.name in _SOCIAL and share < 0.99 and not _covers(tool, intent):
        return None
    if intent.name == "say" and not _covers(tool, intent):
        return None
    if intent.name in _NEVER or _is_told(heard, tool):
        return None
    if _only_asks(heard, tool):
        return None
    own = OWN.get(intent.name)
    is_given_away = not own or bool(own & profile(tool).names)
    # Its own work is given away only for nearly all of what was said, and never for a sum or a question of time.
    if not is_given_away and (intent.name in ("calc", "convert", "time", "date") or share < 0.75):
        return None
    return tool


def _is_told(heard: Utterance, tool: Tool) -> bool:
    """Return whether something is only told of others, or said to be liked to a function that keeps no such things."""
    if _OTHERS.match(heard.plain):
        return True
    return bool(_LIKING.match(heard.plain)) and not OWN["remember"] & profile(tool).names


_WONDERS = re.compile(r"(?:when|where|who|which|how (?:much|many|long|far)|what (?!about)|did i|do i have)\b")


_PAST = re.compile(r"\b(?:did|have) i\b(?! to\b)")


def _only_asks(heard: Utterance, tool: Tool) -> bool:
    """Return whether a function would do what is only asked about or not wanted.

    "When is my appointment" books none, and "stop the timer" sets none.
    """
    names = [stem(word) for word in plain_name(tool.name).split()]
    said = {stem(word) for word in heard.words[:4]}
    if names and names[0] in MAKES and said & UNDOES and not said & alike(names[0]):
        return True
    if not names or names[0] not in ACTS or not _WONDERS.match(heard.plain):
        return False
    if _PAST.search(heard.plain):
        return True
    return not alike(names[0]).intersection(stem(word) for word in heard.words)


def _covers(tool: Tool, intent: Intent) -> bool:
    """Return whether a function is plainly made for a social intent: ending the call at a goodbye, telling jokes."""
    names = profile(tool).names
    if intent.name == "bye":
        return bool(names & {"end", "hang", "hangup", "terminat", "disconnect", "goodby", "finish"})
    if intent.name == "say":
        return bool(names & ANNOUNCING)
    return stem(intent.name) in names


def looks_up(name: str) -> bool:
    """Return whether a function is named as one that looks something up."""
    return bool(stems(plain_name(name)) & LOOKS_UP)


def suits(heard: Utterance, tool: Tool, intent: Intent) -> float:
    """Return how well a function suits what was said, whether or not well enough."""
    return _score(heard, tool, intent)[0]


def _score(heard: Utterance, tool: Tool, intent: Intent) -> tuple[float, float]:
    """Return how strongly a function is asked for, and how much of what was said speaks for it, 0 to 1."""
    about = profile(tool)
    said = [stem(_MONEY.get(word, word)) for word in heard.words if _carries(word)]
    if _GOING.search(heard.plain):
        said.append(stem("directions"))
    if not _names_deed(tool, [*said, *(stem(word) for word in heard.words)]):
        return 0.0, 0.0
    # Where a function takes free text, words that it does not know may be that text.
    unknown = 0.4 if about.takes_text else 1.0
    score = whole = part = 0.0
    strong = False
    for one in dict.fromkeys(said):
        importance = 0.4 if one in WEAK else 1.0
        weight, is_telling = about.weigh(one)
        whole += importance if weight else min(importance, unknown)
        part += importance * min(1.0, weight / 0.8)
        score += importance * weight
        strong = strong or (importance == 1.0 and weight >= 0.8 and is_telling)
    domain = DOMAIN.get(intent.name, frozenset()) | OWN.get(intent.name, frozenset())
    if intent.name in ("list_add", "list_remove", "list_clear") and not about.names & CHANGES:
        domain = frozenset()  # a function that reads a list changes none
    if domain & about.names and intent.name not in LOOSE:
        score, strong, whole, part = score + 1.0, True, whole + 1.0, part + 1.0
    named = {other for one in said for other in alike(one)} & about.names
    if about.names <= named | HOLLOW:
        score, strong = score + 0.8, bool(named) or strong
    strong = strong or len(named) >= 2
    score += _mood(heard, about.names)
    return (score, part / whole if whole else 0.0) if strong else (0.0, 0.0)


def _names_deed(tool: Tool, said: Sequence[str]) -> bool:
    """Return whether what a function does was named, if it is something that is not done by the way."""
    names = plain_name(tool.name).split()
    deed = stem(names[0]) if names else ""
    # Who asks for an operator need not say "transfer".
    return deed not in DEEDS or not _PEOPLE.isdisjoint(names) or bool(alike(deed).intersection(said))


_PEOPLE = frozenset(("agent", "human", "operator", "representative", "support"))


def _carries(word: str) -> bool:
    is_filler = word in STOP or word in NUMBER_WORDS or word in MOMENTS
    return not is_filler and (word.isalpha() or word in _MONEY)


def _mood(heard: Utterance, names: frozenset[str]) -> float:
    """Return a little where a question meets a function that looks something up, or an order one that acts."""
    asks = bool(_ASKING.search(heard.text.strip().lower()))
    gets = bool(names & LOOKS_UP)
    does = bool(names & CHANGES)
    if asks == gets and gets != does:
        return 0.3
    return (
        -0.3
        if (asks and does and not gets) or (not asks and gets and bool({stem(word) for word in heard.words} & CHANGES))
        else 0.0
    )


@lru_cache(maxsize=4096)
def alike(one: str) -> frozenset[str]:
    """Return a stem and those of words that are used for the same."""
    return frozenset((one,)).union(*(group - WEAK for group in SYNONYMS if one in group))
