"""Filling the arguments of a function from what was said, the surest kinds of values first.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from .material import Material
from .phrases import direct_text, items_of, text_of
from .slots import Json, Slot, slots_of
from .words import Utterance

_DEEPEST = 3
"""Objects within objects that are filled."""


_NONE = re.compile(
    r"(?:please )?(?:none|nothing|without(?: any(?:thing)?)?|plain|no \w+)(?: at all| please| thanks| thank you)*$"
)
"""An empty list, as it is said."""


def fill(slots: Sequence[Slot], heard: Utterance, today: date, spent: frozenset[str] = frozenset()) -> Json:
    """Return the values that were said, by name.

    Args:
        slots: what the function takes.
        heard: what was said.
        today: the day it is, for "tomorrow".
        spent: stems of the words that name the function itself.
    """
    return _filled(Material(heard, today, spent), slots, 0)


def fill_one(slot: Slot, heard: Utterance, today: date) -> Any | None:
    """Return the value of an utterance that answers the question for `slot`, None when it does not fit."""
    material = Material(heard, today)
    if slot.choices:
        return material.choice(slot.choices)
    match slot.kind:
        case "integer" | "number":
            return material.number(slot, loose=True)
        case "boolean":
            return _yes_or_no(heard.plain)
        case "array":
            return [] if _NONE.match(heard.plain) else _array(material, slot, direct=True)
        case "object":
            return _filled(material, slots_of(slot.schema), 1) or None
    return direct_text(material, slot)


def _filled(material: Material, slots: Sequence[Slot], depth: int) -> Json:
    found: Json = {}
    alone = depth == 0 and sum(slot.is_free_text for slot in slots if slot.required) <= 1
    for slot in sorted(slots, key=_certainty):
        value = _value(material, slot, depth, alone=alone)
        if value is not None:
            found[slot.name] = value
    return {slot.name: found[slot.name] for slot in slots if slot.name in found}


def _value(material: Material, slot: Slot, depth: int, *, alone: bool) -> Any | None:
    if "const" in slot.schema:
        return slot.schema["const"]
    if slot.choices and slot.kind != "array":
        return material.choice(slot.choices)
    match slot.kind:
        case "boolean":
            return material.flag(slot)
        case "integer" | "number":
            return material.number(slot)
        case "array":
            return _array(material, slot)
        case "object":
            return (_filled(material, slots_of(slot.schema), depth + 1) or None) if depth < _DEEPEST else None
    return text_of(material, slot, alone=alone)


def _array(material: Material, slot: Slot, *, direct: bool = False) -> list[Any] | None:
    items = slot.schema.get("items")
    inner = Slot(slot.name, items if isinstance(items, dict) else {})
    if choices := inner.choices or slot.choices:
        return material.choices(choices) or None
    match inner.kind:
        case "integer" | "number":
            return material.all_numbers() or None
        case "object":
            entry = _filled(material, slots_of(inner.schema), _DEEPEST)
            return [entry] if entry else None
    return items_of(material, slot, direct=direct) or None


def _certainty(slot: Slot) -> int:
    """Return a lower number for what can be told more surely, so that it takes its words first."""
    if slot.choices:
        return 0
    if slot.kind == "string":
        if slot.topic == "text" and not slot.required and not slot.is_message:
            return 8  # what has to be known takes its words first
        by_look = {"email": 1, "day": 2, "moment": 2, "time": 3, "identifier": 4, "street": 4, "kind": 5, "person": 7}
        return by_look.get(slot.topic, 9 if slot.is_message else 6)
    return {"boolean": 1, "integer": 4, "number": 4, "object": 6}.get(slot.kind, 8)


def _yes_or_no(plain: str) -> bool | None:
    if re.search(r"\b(?:no|nope|not|off|without|never|negative|false)\b", plain):
        return False
    return (
        True
        if re.search(r"\b(?:yes|yeah|yep|sure|please|on|okay|of course|with|true|right|correct)\b", plain)
        else None
    )
