"""The arguments that a function takes, read from its JSON schema: names, kinds, and what they are about.  Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from .words import hear, stem

Json = dict[str, Any]

_DEEPEST = 8
"""References within references that are followed."""


@lru_cache(maxsize=4096)
def stems(words: str) -> frozenset[str]:
    """Return the stems of the words of a text."""
    return frozenset(stem(word) for word in words.split())


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """Return a name such as `partySize` or `party_size` in words."""
    return re.sub(r"[_\W]+|(?<=[a-z0-9])(?=[A-Z])", " ", name).strip().lower()


class Slot(msgspec.Struct, frozen=True):
    """One argument that a function takes."""

    name: str
    schema: Json
    required: bool = False

    @property
    def named(self) -> frozenset[str]:
        """Stems of the words of its name."""
        return stems(plain_name(self.name))

    @property
    def words(self) -> frozenset[str]:
        """Stems of the words of its name and description."""
        return self.named.union(stem(word) for word in hear(self.description).words)

    @property
    def description(self) -> str:
        """What the application says of it."""
        return str(self.schema.get("description", ""))

    @property
    def kind(self) -> str:
        """The JSON type; of a choice of types the first that is not null."""
        kind = self.schema.get("type", "")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "")
        if not kind:
            kind = "object" if "properties" in self.schema else "string"
        return str(kind)

    @property
    def choices(self) -> list[Any]:
        """The values that are allowed; empty when any is."""
        choices = self.schema.get("enum")
        return choices if isinstance(choices, list) else []

    @property
    def is_free_text(self) -> bool:
        """Whether any text will do."""
        return self.kind == "string" and not self.choices and self.topic not in _TOLD_BY_LOOK

    @property
    def is_message(self) -> bool:
        """Whether it holds whole sentences, with all their small words."""
        return bool(self.named & _MESSAGES)

    @property
    def topic(self) -> str:
        """What kind of text it holds, by its format, its name and then its description; empty when that is unclear."""
        if kind := _FORMATS.get(str(self.schema.get("format", ""))):
            return kind
        named = self.named
        if named >= _MOMENT:
            return "moment"
        if named & _NUMBERS:
            return "identifier"
        for topic, signs in _TOPICS:
            if named & signs:
                return topic
        return next((topic for topic, signs in _TOPICS[:7] if self.words & signs), "")

    def allows(self, value: Any) -> bool:
        """Return whether a number lies within the limits."""
        low = self.schema.get("minimum", self.schema.get("exclusiveMinimum"))
        high = self.schema.get("maximum", self.schema.get("exclusiveMaximum"))
        return not (isinstance(low, int | float) and value < low) and not (
            isinstance(high, int | float) and value > high
        )


_FORMATS = {"date": "day", "time": "time", "date-time": "moment", "email": "email"}
_MOMENT = stems("date time")
_NUMBERS = stems("number id code identifier zip zipcode phone telephone pin")
_MESSAGES = stems("message text body content note reminder query question search task description expression")
_TOLD_BY_LOOK = frozenset(("day", "time", "moment", "email", "identifier"))
_TOPICS: tuple[tuple[str, frozenset[str]], ...] = (
    ("email", stems("email mail")),
    ("moment", stems("datetime deadline")),
    ("day", stems("date day birthday")),
    ("time", stems("time when")),
    ("street", stems("street")),
    ("kind", stems("cuisine genre category kind type style")),
    (
        "place",
        stems("location city place town country address destination region state venue origin room area timezone"),
    ),
    ("person", stems("name person recipient contact who guest attendee customer employee")),
    (
        "text",
        stems(
            "message text body content note reminder description title subject task summary comment question query "
            "search topic term keyword song artist product item reason expression"
        ),
    ),
)


def slots_of(schema: Json, root: Json | None = None) -> list[Slot]:
    """Return what an object schema takes, with references and choices of schemas resolved."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return []
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    return [Slot(str(name), _resolved(inner, root or schema, 0), name in names) for name, inner in properties.items()]


def _resolved(schema: Any, root: Json, depth: int) -> Json:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        target: Any = root
        for key in reference[2:].split("/"):
            target = target.get(key, {}) if isinstance(target, dict) else {}
        return _resolved(target, root, depth + 1)
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        if isinstance(options, list):
            chosen = next((o for o in options if isinstance(o, dict) and o.get("type") != "null"), {})
            rest = {name: value for name, value in schema.items() if name != key}
            return {**_resolved(chosen, root, depth + 1), **rest}
    return schema
