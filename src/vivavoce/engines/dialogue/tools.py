"""Choosing among a session's functions, filling their arguments, asking for what is missing.

A function is chosen only when the words of its name and description clearly meet those of the user; what the dialogue
engine can do by itself is given away only to a function that is plainly made for it.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from ...core.settings import Tool
from .choosing import alike, choose, profile, suits
from .filling import fill, fill_one
from .intents import DONE_ASKING, understand
from .material import Material
from .moments import join
from .slots import Slot, plain_name, slots_of
from .words import Utterance, hear, lexicon, stem


class Call(msgspec.Struct, frozen=True):
    """A function to be called."""

    name: str
    arguments: dict[str, Any]


class Question(msgspec.Struct, frozen=True):
    """A function that lacks an argument, and the question for it."""

    tool: Tool
    arguments: dict[str, Any]
    """What is known already."""
    slot: Slot
    text: str


Plan = tuple[Call | Question, ...]

_CUT = re.compile(r"(?:[,;.!?]\s*)?\b(?:and then|then|and also|also|and|plus)\b\s+|[.!?;]\s+", re.IGNORECASE)


_ORDER = re.compile(
    r"\s*(?:please |can you |could you )?(?:add|turn|set|play|order|send|book|tell|switch|get|what|how|is|will"
    r"|check|transfer|"
    r"call|show|find|put|open|close|lock|unlock|remove|cancel|create|schedule|remind|text|email|start|stop|dim|make)\b",
    re.IGNORECASE,
)
"""What an order of its own begins with."""


def plan(text: str, tools: Sequence[Tool], today: date, *, several: bool, force: str = "") -> Plan:
    """Return the calls that `text` asks for, or the question for what is missing; empty for none.

    Args:
        text: what the user said.
        tools: the session's functions.
        today: the wall clock, for days.
        several: whether one answer may hold several calls.
        force: `required` to call whichever fits best, or the name of the function that must be called.
    """
    if force:
        return (_forced(text, tools, today, force),)
    whole = _single(text, tools, today, several)
    parts = [part for part in _CUT.split(text) if part.strip()] if several else []
    plans = [_single(part, tools, today, several) for part in parts] if len(parts) > 1 else []
    chosen = [entry for one in plans for entry in one]
    names = {entry.name for entry in chosen if isinstance(entry, Call)}
    if sum(map(bool, plans)) < 2 or not all(isinstance(entry, Call) for entry in chosen):
        return whole
    # Two calls of one function only for two orders: "milk and eggs" is one.
    is_twice = all(_ORDER.match(part) for part, one in zip(parts, plans, strict=True) if one) and len(chosen) > len(
        whole
    )
    return tuple(chosen) if len(names) > 1 or is_twice else whole


def _single(text: str, tools: Sequence[Tool], today: date, several: bool) -> Plan:
    heard = hear(text)
    intent = understand(text)
    tool = choose(heard, tools, intent)
    if tool is None:
        return ()
    slots = slots_of(tool.parameters)
    arguments = fill(slots, heard, today, _spent(tool))
    question = _missing(tool, slots, arguments)
    if question:
        return (question,)
    arguments = _with_defaults(slots, arguments)
    return tuple(
        Call(tool.name, one) for one in (_spread(heard, tool, slots, arguments, today) if several else [arguments])
    )


def _spent(tool: Tool) -> frozenset[str]:
    """Return the stems that name the function: they are no values of its arguments."""
    names = profile(tool).names
    return names.union(*(alike(name) for name in names)) - {stem("food")}


def _spread(
    heard: Utterance, tool: Tool, slots: list[Slot], arguments: dict[str, Any], today: date
) -> list[dict[str, Any]]:
    """Return one set of arguments for each of several values, as in "the kitchen and the bedroom"."""
    for slot in slots:
        value = arguments.get(slot.name)
        if slot.kind == "array" or value is None:
            continue
        if slot.choices:
            values = Material(heard, today).choices(slot.choices)
            if len(values) > 1 and re.search(r"\band\b", heard.plain) and slot.required:
                return [{**arguments, slot.name: one} for one in values]
        elif isinstance(value, str) and slot.words & _PLACES:
            values = [value, *_further(heard.text, value)]
            if len(values) > 1:
                return [{**arguments, slot.name: one} for one in values]
    return [arguments]


_PLACES = frozenset(stem(word) for word in ("location", "city", "place", "ticker", "symbol"))
_FURTHER = re.compile(
    r"(?:\s*,)?\s*(?:\band\b\s*)?(?:\b(?:in|for|of)\b\s*)?(?P<one>[^\W\d_]+(?:[ -][^\W\d_]+){0,2}?)(?=,|\?|\.|!|$"
    r"| and | please| today| tomorrow| right| now)",
    re.I,
)


def _further(text: str, value: str) -> list[str]:
    """Return the values that follow `value` in a list of them, as "Boston, Rome and Paris"."""
    at = text.lower().find(value.lower())
    rest = text[at + len(value) :] if at >= 0 else ""
    if not re.match(r"\s*(?:,|and\b)", rest, re.IGNORECASE) or " and " not in f"{rest} ":
        return []
    found = [match["one"] for match in _FURTHER.finditer(rest)]
    found = [one for one in found if one.lower() not in ("today", "tomorrow", "please", "right now", "now", "tonight")]
    if any(word in _VERBAL for one in found for word in one.lower().split()):
        return []
    return [one.title() if value.istitle() and one.islower() else one for one in found]


_VERBAL = lexicon("what how is are the set turn tell add put play call order a an my me i you then also if will when")


def _with_defaults(slots: list[Slot], arguments: dict[str, Any]) -> dict[str, Any]:
    filled = {slot.name: slot.schema["default"] for slot in slots if slot.required and "default" in slot.schema}
    return {
        slot.name: {**filled, **arguments}[slot.name] for slot in slots if slot.name in arguments or slot.name in filled
    }


def _missing(tool: Tool, slots: list[Slot], arguments: dict[str, Any]) -> Question | None:
    for slot in slots:
        if slot.required and slot.name not in arguments and "default" not in slot.schema and "const" not in slot.schema:
            return Question(tool, arguments, slot, _question(tool, slot))
    return None


def _question(tool: Tool, slot: Slot) -> str:
    """Return the question for an argument."""
    name = re.sub(r" (?:id|name)$", "", plain_name(slot.name)) if slot.kind == "string" else plain_name(slot.name)
    if slot.choices:
        choices = [plain_name(str(choice)) for choice in slot.choices]
        return f"Which {name}: {join(choices, 'or')}?" if len(choices) <= 5 else f"Which {name}?"
    words = set(name.split())
    if slot.kind == "boolean":
        return f"Should it be {name.removeprefix('is ')}, yes or no?"
    if slot.kind in ("integer", "number"):
        low, high = slot.schema.get("minimum"), slot.schema.get("maximum")
        limits = f", from {low} to {high}" if low is not None and high is not None else ""
        if words & {"quantity", "count"}:
            return f"How many{limits}?"
        return f"How many {name}{limits}?" if name.endswith("s") else f"What {name}{limits}?"
    if words & {"date", "day"}:
        return "For which day?"
    if words & {"time", "when", "datetime"}:
        return "At what time?"
    if words & {"message", "text", "body", "content"}:
        return "What should it say?"
    if words & {"title", "subject", "label"}:
        return "What should I call it?"
    if words & {"recipient", "contact", "person", "to"}:
        return "To whom?"
    if words & {"query", "search", "topic", "term", "keyword", "keywords"}:
        verb = plain_name(tool.name).split(" ")[0]
        known = verb if verb in ("play", "translate", "search", "find", "order", "buy", "book") else "look"
        return f"What should I {known}{' for' if known in ('search', 'look') else ''}?"
    if words & {"number", "email", "address", "name", "reason"} or slot.kind == "array":
        return f"What is the {name}?" if slot.kind != "array" else f"Which {name}?"
    return f"Which {name}?"


def resume(question: Question, text: str, tools: Sequence[Tool], today: date) -> Plan | None:
    """Return what follows when `text` comes after `question`: the call, the next question, or the same one again.

    None means that the user spoke of something else; an empty plan that the function is not wanted any more.
    """
    intent = understand(text)
    heard = hear(text)
    if intent.name in ("stop", "no") and question.slot.kind != "boolean":
        return ()
    if intent.name in DONE_ASKING | {"empty", "thanks", "greet"} and question.slot.kind != "boolean":
        return None
    slots = slots_of(question.tool.parameters)
    value = fill_one(question.slot, heard, today)
    other = _single(text, tools, today, several=False)
    is_other = (
        bool(other) and (other[0].name if isinstance(other[0], Call) else other[0].tool.name) != question.tool.name
    )
    is_free_text = question.slot.kind == "string" and not question.slot.choices
    if is_free_text and (
        is_other or intent.name in ("calc", "time", "date", "timer_set", "timer_left", "name_get", "joke", "recall")
    ):
        return None
    if value is None or value == "":
        return None if is_other or intent.name not in ("unknown", "yes", "number_note") else (_again(question),)
    found = fill([slot for slot in slots if slot.choices or slot.kind != "string"], heard, today, _spent(question.tool))
    arguments = {**found, **question.arguments, question.slot.name: value}
    arguments = {slot.name: arguments[slot.name] for slot in slots if slot.name in arguments}
    following = _missing(question.tool, slots, arguments)
    return (following,) if following else (Call(question.tool.name, _with_defaults(slots, arguments)),)


def _again(question: Question) -> Question:
    text = (
        question.text if question.text.startswith("Sorry") else f"Sorry, {question.text[:1].lower()}{question.text[1:]}"
    )
    return Question(question.tool, question.arguments, question.slot, text)


def _forced(text: str, tools: Sequence[Tool], today: date, force: str) -> Call:
    """Return the call that has to be made, with the best guess for every required argument."""
    heard = hear(text)
    named = [tool for tool in tools if tool.name == force]
    intent = understand(text)
    tool = named[0] if named else max(tools, key=lambda one: suits(heard, one, intent))
    slots = slots_of(tool.parameters)
    arguments = _with_defaults(slots, fill(slots, heard, today, _spent(tool)))
    for slot in slots:
        if slot.required and slot.name not in arguments:
            arguments[slot.name] = _guess(slot, text)
    return Call(tool.name, arguments)


def _guess(slot: Slot, text: str) -> Any:
    if slot.choices:
        return slot.choices[0]
    match slot.kind:
        case "integer" | "number":
            return slot.schema.get("minimum", 0)
        case "boolean":
            return False
        case "array":
            return []
        case "object":
            return {}
    return text.strip()
