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
from .intents import DONE_ASKING, core, understand
from .material import Material
from .questions import question_for
from .slots import Slot, slots_of
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
    text = core(hear(text))
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
            return Question(tool, arguments, slot, question_for(tool.name, slot, slots))
    return None


def resume(question: Question, text: str, tools: Sequence[Tool], today: date) -> Plan | None:
    """Return what follows when `text` comes after `question`: the call, the next question, or the same one again.

    None means that the user spoke of something else; an empty plan that the function is not wanted any more.
    """
    intent = understand(text)
    heard = hear(text)
    if intent.name in ("stop", "no") and question.slot.kind != "boolean" and not _is_none(question.slot, heard):
        return ()
    is_over = intent.name in DONE_ASKING | {"empty", "thanks", "greet"} and question.slot.kind != "boolean"
    if is_over and not _is_none(question.slot, heard):
        return None
    slots = slots_of(question.tool.parameters)
    value = fill_one(question.slot, heard, today)
    other = _single(text, tools, today, several=False)
    is_other = (
        bool(other) and (other[0].name if isinstance(other[0], Call) else other[0].tool.name) != question.tool.name
    )
    if _is_of_something_else(question.slot, heard, intent.name, is_other):
        return None
    sure = [slot for slot in slots if slot.choices or slot.kind != "string" or slot.topic in _MOMENTS]
    found = fill(sure, heard, today, _spent(question.tool))
    if value is None or value == "":
        if is_other or intent.name not in ("unknown", "yes", "number_note", "greet", "name_set"):
            return None
        found.pop(question.slot.name, None)
        return (_again(question, found),)
    arguments = {**found, **question.arguments, question.slot.name: value}
    arguments = {slot.name: arguments[slot.name] for slot in slots if slot.name in arguments}
    following = _missing(question.tool, slots, arguments)
    return (following,) if following else (Call(question.tool.name, _with_defaults(slots, arguments)),)


def _is_none(slot: Slot, heard: Utterance) -> bool:
    """Return whether "nothing" is the answer rather than a refusal to give one."""
    return slot.kind == "array" and "nothing" in heard.words


_OTHER_WISHES = frozenset(
    ("calc", "convert", "time", "date", "timer_left", "name_get", "joke", "story", "recall", "say", "identity", "spell")
)
"""Intents whose words are not taken for the value of free text."""
_MOMENTS = ("day", "time", "moment")
_NOT_A_MOMENT = frozenset(("joke", "story", "say", "identity", "spell", "name_get", "weather"))


def _is_of_something_else(slot: Slot, heard: Utterance, intent: str, is_other: bool) -> bool:
    """Return whether what follows a question is no answer to it."""
    if slot.kind == "array":
        return _ASKS.match(heard.plain) is not None and not is_other
    if slot.kind != "string" or slot.choices:
        return False
    if slot.topic in _MOMENTS:
        # "Seven o'clock" may be what another function is about, but so asked it is the value.
        return _ASKS.match(heard.plain) is not None or intent in _NOT_A_MOMENT
    if slot.is_message and not _ASKS.match(heard.plain):
        return False
    return is_other or intent in _OTHER_WISHES


_ASKS = re.compile(r"(?:what|which|who|where|when|how|why|is|are|do|does|did|can|could|will|tell me)\b")


_FOLLOWS = re.compile(
    r"^(?:(?:okay|now|please|well|so) )*(?:(?:and|also|what about|how about|and what about|same for|the same for)\b"
    r"(?: (?:and|now|also|then|please|what about|how about|the same))*|(?P<it>(?:(?:can|could) you )?(?:now )?"
    r"(?:turn|switch|make|set|put|dim|change|open|close|lock|unlock) (?:it|that|them|those)\b))"
)
_LONGEST_FOLLOWING = 8
"""Words of "and in the bedroom"; more is a wish of its own."""


def follow(tool: Tool, before: dict[str, Any], text: str, today: date) -> Call | None:
    """Return the call of `tool` once more with what `text` changes, None when it changes nothing.

    So "what about Paris" and "turn it off" are understood after a call with the arguments `before`.
    """
    heard = hear(text)
    match = _FOLLOWS.match(heard.plain)
    if not match or not heard.plain[match.end() :].strip() or len(heard.words) > _LONGEST_FOLLOWING:
        return None
    slots = slots_of(tool.parameters)
    rest = hear(heard.raw(heard.word_at(match.end("it") if match["it"] else match.end()), len(heard.words)))
    found = fill(slots, rest, today, _spent(tool))
    free = next((slot for slot in slots if slot.required and slot.is_free_text and not slot.is_message), None)
    if not found and free is not None and not match["it"] and len(rest.words) <= 3:
        value = fill_one(free, rest, today)
        found = {free.name: value} if value else {}
    return Call(tool.name, {**before, **found}) if found else None


def _again(question: Question, found: dict[str, Any]) -> Question:
    """Return the same question once more, with what was learned beside the answer to it."""
    text = question.text
    text = text if text.startswith("Sorry") else f"Sorry, {text[:1].lower()}{text[1:]}"
    return Question(question.tool, {**found, **question.arguments}, question.slot, text)


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
    # What was said is a query or a note, but never a place, a name or a time.
    return text.strip() if slot.is_message or slot.topic in ("text", "") else ""
