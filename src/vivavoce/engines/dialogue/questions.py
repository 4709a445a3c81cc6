"""How an argument that a function lacks is asked for.

By the description when it is a question or says what is counted, otherwise by the argument's name.  Pure.
"""

from __future__ import annotations

import re

from .moments import join
from .slots import Slot, plain_name
from .words import lexicon

_MOST_CHOICES = 5
"""Choices that are read out; more are not kept in mind."""
_PLURALS = lexicon("people persons children women men guests feet")
_SINGULARS = lexicon("address class status bus gas bonus glass boss process access business address plus radius axis")
_OF_PEOPLE = {"party size", "group size", "party", "group", "headcount", "pax", "attendance"}
_MONEY = lexicon("amount price cost budget sum total money payment balance limit")
_UNITS = lexicon("seconds minutes hours days weeks months years degrees euros dollars miles kilometers meters grams")
_OF_MOMENTS = lexicon("date day time datetime when")
_EMPTY_NAMES = lexicon("value input data param parameter arg argument args field text1 string val x y q s n")
_COUNTED = re.compile(
    r"^(?:the )?(?:total |desired |requested )?(?:number|count|quantity|amount) of (?:the )?"
    r"(?P<what>[a-z]+(?: [a-z]+)?s|people|children)\b"
)
_WHAT = re.compile(
    r"^(?:the |an? |user'?s? |customer'?s? )*(?P<what>[a-z][a-z' -]{2,40}?)"
    r"(?=$|[.,;(]| (?:to|that|which|where|for|in|as|of)\b)"
)
_OWNER = re.compile(
    r"^(?:user|customer|caller|client|guest|patient|passenger)(?: s)? "
    r"(?=(?:(?:first|last|full) )?(?:name|phone|email|address)\b)"
)
_PREPOSITIONS = ("from", "to", "for", "with", "at", "in", "on", "of", "about", "by")


def question_for(tool_name: str, slot: Slot, slots: list[Slot]) -> str:
    """Return the question for the argument `slot` of a function that takes `slots`."""
    described = slot.description.strip()
    if described.endswith("?") and "\n" not in described and len(described) <= 100:
        return described[:1].upper() + described[1:]
    name = _OWNER.sub("", plain_name(slot.name))
    if slot.choices:
        name = re.sub(r" (?:id|name)$", "", name)
        choices = [plain_name(str(choice)) for choice in slot.choices]
        return f"{_which(name)}: {join(choices, 'or')}?" if len(choices) <= _MOST_CHOICES else f"{_which(name)}?"
    if slot.kind == "boolean":
        return f"Should it be {re.sub('^(?:is|has|should be) ', '', name)}, yes or no?"
    if slot.kind in ("integer", "number"):
        return _how_many(name, slot)
    if slot.kind == "array":
        return f"{_which(name)}?"
    if slot.topic in ("day", "time", "moment"):
        return _which_moment(name, slot, slots)
    return _which_text(name, slot, tool_name)


def _which(name: str) -> str:
    first, _, rest = name.partition(" ")
    if first in _PREPOSITIONS and rest:
        return f"{first.capitalize()} which {rest}"
    return f"Which {name}"


def _how_many(name: str, slot: Slot) -> str:
    low, high = slot.schema.get("minimum"), slot.schema.get("maximum")
    limits = f", from {low} to {high}" if low is not None and high is not None else ""
    described = slot.description.lower().strip()
    words = name.split()
    counted = re.sub(r"^(?:number of|num(?:ber)?|no of|count of|how many|total) | (?:count|number|quantity)$", "", name)
    is_number_of = counted != name and not re.search(r"(?:^| )(?:id|number)$", name)
    if name in _OF_PEOPLE:
        return f"How many people{limits}?"
    if words[-1] in _UNITS:
        return f"How many {words[-1]}{limits}?"
    if _is_plural(words[-1]):
        return f"How many {counted if is_number_of else name}{limits}?"
    if is_number_of:
        return f"How many {_plural(counted)}{limits}?"
    if match := _COUNTED.match(described):
        return f"How many {match['what']}{limits}?"
    if {"quantity", "count", "qty"} & set(words):
        return f"How many{limits}?"
    if words[-1] in _MONEY and "percent" not in described:
        return f"How much{limits}?"
    if unit := next((one for one in re.findall(r"[a-z]+", described) if one in _UNITS), ""):
        return f"How many {unit}{limits}?"
    if words[-1] in ("duration", "length"):
        return f"How long{limits}?"
    if name == "age":
        return "How old?"
    if words[-1] in ("number", "id", "code", "pin"):
        return f"What is the {re.sub(' id$', ' number', name)}?"
    return f"{'Which' if words[-1] in ('room', 'floor', 'channel', 'gate') else 'What'} {_told(name, slot)}{limits}?"


def _plural(words: str) -> str:
    if _is_plural(words):
        return words
    return {"child": "children", "person": "people"}.get(words, f"{words}s")


def _is_plural(word: str) -> bool:
    last = word.split()[-1]
    return last in _PLURALS or (last.endswith("s") and not last.endswith("ss") and last not in _SINGULARS)


def _which_moment(name: str, slot: Slot, slots: list[Slot]) -> str:
    others = [one for one in slots if one.topic == slot.topic]
    if len(others) > 1 and len(name.split()) > 1:
        # Of a check-in and a check-out "what day" would not tell which is meant.
        return f"What is the {name}?"
    match slot.topic:
        case "day":
            return "For which day?"
        case "time":
            return "For what time?"
    return "For which day and time?"


def _which_text(name: str, slot: Slot, tool_name: str) -> str:
    words = set(name.split())
    if name in ("who", "what", "where", "why"):
        return f"{name.capitalize()}?"
    if words & {"from", "origin", "departure"} and len(words) == 1:
        return "From where?"
    if words & {"destination"} or (name == "to" and slot.topic == "place"):
        return "To where?"
    if words & {"message", "text", "body", "content"}:
        return "What should it say?"
    if words & {"title", "subject", "label"}:
        return "What should I call it?"
    if words & {"recipient", "contact", "to"}:
        return "To whom?" if "to" not in words or len(words) == 1 else f"{_which(name)}?"
    if words & {"query", "search", "topic", "term", "keyword", "keywords"}:
        verb = plain_name(tool_name).split(" ")[0]
        known = verb if verb in ("play", "translate", "search", "find", "order", "buy", "book") else "look"
        return f"What should I {known}{' for' if known in ('search', 'look') else ''}?"
    if words & {"phone", "telephone"}:
        return "What is the phone number?"
    if words & {"email", "mail"}:
        return "What is the email address?"
    if name in ("name", "full name", "first name", "last name"):
        return f"What {name}?"
    if words & {"number", "address", "name", "reason", "id", "code", "pin"}:
        return f"What is the {re.sub(' id$', ' number', name)}?"
    told = _told(name, slot)
    if told != name:
        return f"What {'are' if _is_plural(told) else 'is'} the {told}?"
    return f"{_which(name)}?"


def _told(name: str, slot: Slot) -> str:
    """Return the name, or what the description calls it when the name says nothing."""
    if name not in _EMPTY_NAMES and len(name) > 1:
        return name
    match = _WHAT.match(slot.description.lower())
    return match["what"].strip() if match else "value"
