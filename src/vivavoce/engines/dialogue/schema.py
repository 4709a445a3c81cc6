"""Filling the arguments of a function, which a JSON schema describes, from what was said.

Enums by mention or likeness, numbers by what stands beside them, days and times as said, names and places by their
prepositions, and what is left over as free text.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

import msgspec

from .moments import duration, find_day, find_time, iso_day
from .numbers import digits, number_at, numbers
from .words import Utterance, hear, lexicon, stem

Json = dict[str, Any]

_DEPTH = 3
"""Objects within objects that are filled."""
_SAME = ({"on", "enable", "enabled", "start", "activate", "true", "open"}, {"off", "disable", "disabled", "stop", "deactivate", "false"},
         {"large", "big", "huge"}, {"small", "little", "tiny"}, {"medium", "regular", "normal", "middle"},
         {"celsius", "centigrade", "metric", "c"}, {"fahrenheit", "imperial", "f"}, {"high", "urgent", "important"},
         {"living room", "lounge", "sitting room"}, {"vegetarian", "veggie"}, {"increase", "up", "raise", "louder", "brighter", "warmer", "higher"},
         {"decrease", "down", "lower", "quieter", "dimmer", "cooler", "colder"}, {"lock", "locked"}, {"unlock", "unlocked"},
         {"close", "closed", "shut"}, {"usd", "dollar", "dollars"}, {"eur", "euro", "euros"}, {"gbp", "pound", "pounds"},
         {"checking", "current"}, {"savings", "saving"}, {"tv", "television"}, {"taxi", "cab"})  # fmt: skip
_NEAR = 0.84
"""Likeness from which a word counts as a misheard value."""


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


_MESSAGE = _stems("message text body content note reminder query question search task description expression")


class Slot(msgspec.Struct, frozen=True):
    """One argument that a function takes."""

    name: str
    schema: Json
    required: bool = False

    @property
    def words(self) -> frozenset[str]:
        """Stems of the words of its name and description."""
        about = f"{plain_name(self.name)} {self.schema.get('description', '')}"
        return frozenset(stem(word) for word in hear(about).words)

    @property
    def kind(self) -> str:
        """The JSON type, of a choice of types the first that is not null."""
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


def plain_name(name: str) -> str:
    """Return a name such as `partySize` or `party_size` in words."""
    return re.sub(r"[_\W]+|(?<=[a-z0-9])(?=[A-Z])", " ", name).strip().lower()


def slots_of(schema: Json, root: Json | None = None, depth: int = 0) -> list[Slot]:
    """Return what an object schema takes, references and choices of schemas resolved."""
    root = root or schema
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, dict):
        return []
    names = required if isinstance(required, list) else []
    return [Slot(str(name), _resolved(inner, root, 0), name in names) for name, inner in properties.items()]


def _resolved(schema: Any, root: Json, depth: int) -> Json:
    if not isinstance(schema, dict) or depth > 8:
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


class Filler:
    """Takes the values of one utterance, each word at most once."""

    def __init__(self, heard: Utterance, today: datetime, spent: frozenset[str] = frozenset()) -> None:
        self._heard = heard
        self._today = today
        self._spent = spent
        """Stems of words that name the function itself and so are no values."""
        self._taken: set[int] = set()

    def fill(self, slots: Sequence[Slot], depth: int = 0) -> Json:
        """Return the values that were found, by name; the surest kinds are looked for first."""
        found: Json = {}
        for slot in sorted(slots, key=_certainty):
            value = self._value(slot, depth, alone=sum(_is_text(other) for other in slots if other.required) <= 1)
            if value is not None:
                found[slot.name] = value
        return {slot.name: found[slot.name] for slot in slots if slot.name in found}

    def direct(self, slot: Slot) -> Any | None:
        """Return the value of an utterance that answers the question for `slot`, None when it does not fit."""
        if slot.choices:
            return self._choice(slot.choices)
        match slot.kind:
            case "integer" | "number":
                return self._number(slot, loose=True)
            case "boolean":
                return _yes_or_no(self._heard.plain)
            case "array":
                return self._array(slot)
            case "object":
                return self.fill(slots_of(slot.schema), 1) or None
        if _topic(slot) and (special := self._special(slot)):
            return special
        lead = r"^(?:(?:um|uh|well|it is|it's|i want|i would like|i'd like|please|in|at|to|for|on|from|the name is|make it|let's say|my name is|that is|that's|this is|with|of|about|it should be|they are) +)+"
        text = re.sub(lead, "", self._heard.text.strip(), flags=re.I)
        text = re.sub(r"(?:,? (?:please|thanks|thank you))*[.!?]*$", "", text, flags=re.I).strip()
        return _cased(slot, text) or None

    def _value(self, slot: Slot, depth: int, *, alone: bool) -> Any | None:
        if "const" in slot.schema:
            return slot.schema["const"]
        if slot.choices and slot.kind != "array":
            return self._choice(slot.choices)
        match slot.kind:
            case "boolean":
                return self._flag(slot)
            case "integer" | "number":
                return self._number(slot)
            case "array":
                return self._array(slot)
            case "object":
                inner = self.fill(slots_of(slot.schema), depth + 1) if depth < _DEPTH else {}
                return inner or None
        return (
            self._special(slot) or self._by_preposition(slot) or (self._rest(slot) if slot.required and alone else None)
        )

    def _take(self, start: int, end: int) -> None:
        self._taken.update(range(start, end))

    def _is_free(self, start: int, end: int) -> bool:
        return not self._taken & set(range(start, end))

    def choices(self, allowed: Sequence[Any]) -> list[Any]:
        """Return all allowed values that are mentioned, in the order in which they are."""
        found: list[tuple[int, Any]] = []
        for value in allowed:
            at = self._mention(plain_name(str(value)))
            if at is not None:
                found.append((at[0], value))
                self._take(*at)
        return [value for _, value in sorted(found, key=lambda pair: pair[0])]

    def _choice(self, allowed: Sequence[Any]) -> Any | None:
        # Longer values first: "living room" before "room".
        best: tuple[tuple[int, int], Any] | None = None
        for value in sorted(allowed, key=lambda v: -len(str(v))):
            at = self._mention(plain_name(str(value)))
            if at is not None and best is None:
                best = at, value
        if best is None:
            for value in allowed:
                if isinstance(value, int | float) and not isinstance(value, bool):
                    match = next((n for n in numbers(self._heard.words) if n.value == value), None)
                    if match:
                        best = (match.start, match.end), value
        best = best or self._likeness(allowed)
        if best is None:
            return None
        self._take(*best[0])
        return best[1]

    def _mention(self, name: str) -> tuple[int, int] | None:
        """Return where a value, a synonym or another form of it is mentioned."""
        names = [name, *(other for group in _SAME if name in group for other in sorted(group) if len(other) > 1)]
        stems = [stem(word) for word in self._heard.words]
        for one in names:
            wanted = [stem(word) for word in one.split()]
            for at in range(len(stems) - len(wanted) + 1):
                if wanted and stems[at : at + len(wanted)] == wanted and self._is_free(at, at + len(wanted)):
                    return at, at + len(wanted)
        return None

    def _likeness(self, allowed: Sequence[Any]) -> tuple[tuple[int, int], Any] | None:
        best, best_ratio = None, _NEAR
        for value in allowed:
            name = plain_name(str(value))
            size = max(1, len(name.split()))
            if len(name) < 5:
                continue
            for at in range(len(self._heard.words) - size + 1):
                said = " ".join(self._heard.words[at : at + size])
                ratio = SequenceMatcher(None, said, name).ratio()
                if ratio >= best_ratio and self._is_free(at, at + size):
                    best, best_ratio = ((at, at + size), value), ratio
        return best

    def _flag(self, slot: Slot) -> bool | None:
        plain = self._heard.plain
        name = [
            word
            for word in plain_name(slot.name).split()
            if word not in ("is", "include", "with", "has", "want", "enable", "enabled", "add", "use")
        ]
        if slot.words & _stems("on power enabled state active") and (
            switch := re.search(r"\b(on|off|enable|disable)\b", plain)
        ):
            return switch[1] in ("on", "enable")
        stems = [stem(word) for word in self._heard.words]
        wanted = [stem(word) for word in name]
        at = next((i for i, one in enumerate(stems) if one in wanted), None) if wanted else None
        if at is None:
            return None
        before = self._heard.words[max(0, at - 3) : at]
        return not {"no", "not", "without", "never"} & set(before)

    def _number(self, slot: Slot, *, loose: bool = False) -> int | float | None:
        """Return the number that belongs to `slot`, by the words beside it."""
        seconds = self._length_of_time(slot)
        if seconds is not None:
            return seconds
        said = self._heard.words
        found = [n for n in numbers(said) if self._is_free(n.start, n.end) and not self._in_moment(n.start)]
        if not found and loose:
            found = numbers(said, loose=True)
        best, best_score = None, -1.0
        for number in found:
            if not _fits(slot.schema, number.value) or (slot.kind == "integer" and number.value.denominator != 1):
                continue
            near = {
                stem(word)
                for word in (*said[max(0, number.start - 2) : number.start], *said[number.end : number.end + 2])
            }
            score = len(near & slot.words) + 0.5 * bool(near & _UNIT_WORDS & slot.words)
            if score > best_score:
                best, best_score = number, score
        if best is None:
            return self._one_of_it(slot)
        self._take(best.start, best.end)
        whole = best.value.denominator == 1
        return int(best.value) if whole else float(best.value)

    def _one_of_it(self, slot: Slot) -> int | None:
        """Read "a pizza" as one pizza where a quantity is wanted."""
        wants_count = slot.words & _stems("quantity count number how amount") and not slot.words & _stems(
            "phone account"
        )
        has_one = re.search(r"\b(?:an?|one) (?!few|lot|couple)\w+", self._heard.plain)
        return 1 if slot.kind == "integer" and wants_count and has_one and _fits(slot.schema, 1) else None

    def _length_of_time(self, slot: Slot) -> int | float | None:
        unit = next((name for name in _UNIT_SECONDS if stem(name) in slot.words), "second")
        if not slot.words & _stems("duration second minute hour length"):
            return None
        seconds = duration(self._heard.words)
        if seconds is None:
            return None
        amount = seconds / _UNIT_SECONDS[unit]
        value = round(amount) if slot.kind == "integer" or amount == round(amount) else amount
        return value if _fits(slot.schema, value) else None

    def _in_moment(self, word: int) -> bool:
        """Return whether a word is part of a time of day or a day."""
        for span in (find_time(self._heard.plain), find_day(self._heard.plain)):
            if span and self._heard.word_at(span[0]) <= word < self._heard.word_at(span[1]) + 1:
                said = self._heard.plain[span[0] : span[1]]
                if re.search(
                    r"o'clock|am|pm|past|:|noon|of |st\b|nd\b|rd\b|th\b|\d ?- ?\d|" + "|".join(m for m in _MONTH_WORDS),
                    said,
                ):
                    return True
        return False

    def _array(self, slot: Slot) -> list[Any] | None:
        items = slot.schema.get("items")
        inner = Slot(slot.name, items if isinstance(items, dict) else {})
        choices = inner.choices or slot.choices
        if choices:
            return self.choices(choices) or None
        if inner.kind in ("integer", "number"):
            values = [n.value for n in numbers(self._heard.words) if self._is_free(n.start, n.end)]
            return [int(v) if v.denominator == 1 else float(v) for v in values] or None
        if inner.kind == "object":
            entry = self.fill(slots_of(inner.schema), _DEPTH - 1)
            return [entry] if entry else None
        text = self._by_preposition(slot) or self._rest(slot)
        pieces = re.split(r"\s*(?:,|\band\b|&)\s*", text or "")
        cleaned = [re.sub(r"^(?:the|a|an|some) ", "", piece.strip(), flags=re.I) for piece in pieces]
        return [piece for piece in cleaned if piece] or None

    def _special(self, slot: Slot) -> str | None:
        """Return text of a kind that can be told by its look: a day, a time, an address, a number."""
        topic = _topic(slot)
        plain = self._heard.plain
        spans = {"day": (find_day(plain),), "time": (find_time(plain),), "moment": (find_day(plain), find_time(plain))}
        if topic in spans:
            return self._moment(slot, [span for span in spans[topic] if span])
        if topic == "email":
            match = re.search(r"[\w.+-]+@[\w.-]+\.\w+", self._heard.text)
            spoken = re.search(r"\b((?:[\w]+ (?:dot |underscore )?){1,4})at ((?:\w+ dot )+\w+)\b", plain)
            if not match and spoken:
                return re.sub(r" ?underscore ?", "_", f"{spoken[1]}@{spoken[2]}".replace(" dot ", ".")).replace(" ", "")
            return match[0] if match else None
        if topic == "digits":
            figures = digits(self._heard.words)
            return figures if len(figures) >= 3 else None
        if topic == "quote" and (match := re.search('["\u201c]([^"\u201d]+)["\u201d]', self._heard.text)):
            return match[1]
        return None

    def _moment(self, slot: Slot, spans: list[tuple[int, int]]) -> str | None:
        said: list[str] = []
        for start, end in sorted(spans):
            first, last = self._heard.word_at(start), self._heard.word_at(end)
            if last == first or (end < len(self._heard.plain) and self._heard.plain[end] == " "):
                last = first + self._heard.plain[start:end].count(" ") + 1
            self._take(first, last)
            said.append(self._heard.raw(first, last))
        if not said:
            return None
        if len(said) == 1 and (
            slot.schema.get("format") == "date" or "yyyy-mm-dd" in str(slot.schema.get("description", "")).lower()
        ):
            return iso_day(said[0], self._today.date()) or said[0]
        return " ".join(dict.fromkeys(said))

    def _by_preposition(self, slot: Slot) -> str | None:
        """Return the words behind a preposition that such a value follows."""
        words = self._heard.words
        for preposition in _prepositions(slot):
            lead = tuple(preposition.split())
            for at in range(len(words) - len(lead)):
                start = at + len(lead)
                if words[at:start] != lead or not self._is_free(start, start + 1) or words[start] in _NO_VALUE:
                    continue
                end = self._end_of_phrase(start, greedy=_is_message(slot))
                while start < end - 1 and words[start] in ("the", "my", "a", "an", "our") and not _is_message(slot):
                    start += 1
                named = {stem(word) for word in words[start:end]}
                if start >= end or named <= self._spent or (named <= slot.words and named & self._spent):
                    continue
                if number_at(words, start) and not _is_message(slot) and _topic(slot) not in ("text", "address"):
                    continue
                self._take(at, end)
                return _cased(slot, self._heard.raw(start, end))
        return None

    def _end_of_phrase(self, start: int, *, greedy: bool) -> int:
        words = self._heard.words
        end = start
        while end < len(words) and self._is_free(end, end + 1):
            is_boundary = words[end] in _BOUNDARIES and end > start
            starts_moment = end > start and (
                words[end] in ("today", "tomorrow", "tonight", "next", "this", "please") or self._begins_moment(end)
            )
            if not greedy and (is_boundary or starts_moment or self._stops_before(end)) and end > start:
                break
            end += 1
        while end > start and words[end - 1] in ("please", "thanks", "now", "like"):
            end -= 1
        return end

    def _begins_moment(self, word: int) -> bool:
        return any(
            span and self._heard.word_at(span[0]) == word
            for span in (find_day(self._heard.plain), find_time(self._heard.plain))
        )

    def _stops_before(self, word: int) -> bool:
        """Return whether a mark in typed text ends a phrase before `word`."""
        spans = self._heard.spans
        return word > 0 and bool(re.search(r"[,;.!?]\s", self._heard.text[spans[word - 1][1] : spans[word][0]] + " "))

    def _rest(self, slot: Slot) -> str | None:
        """Return the longest run of words that say nothing about the function itself."""
        words = self._heard.words
        runs: list[tuple[int, int]] = []
        at = 0
        while at < len(words):
            start = at
            while at < len(words) and self._is_free(at, at + 1) and not (at == start and self._is_frame(at)):
                at += 1
            end = at
            while end > start and (words[end - 1] in _NO_VALUE or words[end - 1] in ("please", "now", "thanks")):
                end -= 1
            if end > start:
                runs.append((start, end))
            at = max(at, start + 1)
        if not runs:
            return None
        start, end = max(runs, key=lambda run: run[1] - run[0])
        self._take(start, end)
        return _cased(slot, self._heard.raw(start, end)) or None

    def _is_frame(self, at: int) -> bool:
        word = self._heard.words[at]
        return word in _FRAME or word in _NO_VALUE or stem(word) in self._spent


_UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_MONTH_WORDS = (
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_UNIT_WORDS = _stems("degree percent minute second hour dollar euro people person guest night day")
_BOUNDARIES = lexicon("in at for to on with and from by of about because saying that is are")
_NO_VALUE = lexicon("me you it that this is are was there a an the my in at for to on of and or with be i we us them")
_FRAME = lexicon(
    "please can could would will you i want need like to the a an my me for of with and hey hello hi okay so is are do does "
    "tell give get show find look up search add put set make what who where when how which us let some have just in on at "
    "about that it its be what's"
)
_TOPICS: tuple[tuple[str, frozenset[str]], ...] = (
    ("email", _stems("email mail")),
    ("moment", _stems("datetime deadline")),
    ("day", _stems("date day birthday")),
    ("time", _stems("time when")),
    ("digits", _stems("phone telephone digit zip zipcode pin account extension")),
    ("place", _stems("location city place town country address destination region state venu origin room area")),
    ("person", _stems("name person recipient contact who guest attendee customer employee")),
    (
        "text",
        _stems(
            "message text body content note reminder description title subject task summary comment question query "
            "search topic term keyword song artist product item reason expression"
        ),
    ),
)


def _topic(slot: Slot) -> str:
    """Return what kind of text a slot holds, by its format, its name and then its description."""
    formats = {"date": "day", "time": "time", "date-time": "moment", "email": "email"}
    if kind := formats.get(str(slot.schema.get("format", ""))):
        return kind
    named = {stem(word) for word in plain_name(slot.name).split()}
    if _stems("date time") <= named:
        return "moment"
    if named & _stems("number id code") and not named & {"room"}:
        return "digits" if named & _stems("phone order account confirmation telephone number") else "text"
    for topic, signs in _TOPICS:
        if named & signs:
            return topic
    return next((topic for topic, signs in _TOPICS[1:7] if slot.words & signs), "")


def _is_text(slot: Slot) -> bool:
    return (
        slot.kind == "string" and not slot.choices and _topic(slot) not in ("day", "time", "moment", "email", "digits")
    )


def _is_message(slot: Slot) -> bool:
    named = {stem(word) for word in plain_name(slot.name).split()}
    return bool(named & _MESSAGE)


def _certainty(slot: Slot) -> int:
    """Return a lower number for what can be told more surely, so that it takes its words first."""
    if slot.choices:
        return 0
    order = {"email": 1, "day": 2, "moment": 2, "time": 3, "digits": 4}
    if slot.kind == "string":
        return order.get(_topic(slot), 8 if _is_message(slot) else 6 if _topic(slot) == "person" else 5)
    return {"boolean": 1, "integer": 4, "number": 4, "object": 6}.get(slot.kind, 7)


def _prepositions(slot: Slot) -> tuple[str, ...]:
    named = set(plain_name(slot.name).split())
    if named & {"origin", "from", "source", "departure", "start"}:
        return ("from",)
    if named & {"destination", "arrival", "target"}:
        return ("to", "for", "into")
    if _is_message(slot):
        return (
            "saying that",
            "saying",
            "that says",
            "telling them",
            "to say",
            "reminder to",
            "remind me to",
            "note that",
            "about",
            "search for",
            "look up",
            "for",
            "that",
            "to",
        )
    match _topic(slot):
        case "place":
            return ("in", "near", "at", "to", "for", "around", "of", "from")
        case "person":
            return (
                "named",
                "called",
                "name of",
                "under",
                "with",
                "to",
                "for",
                "call",
                "text",
                "email",
                "message",
                "is",
            )
        case "text":
            return ("called", "titled", "named", "about", "for", "because", "of", "by")
    description = str(slot.schema.get("description", "")).lower()
    return (
        ("in", "for", "at", "to", "about", "of")
        if "location" in description
        else ("about", "for", "called", "in", "of", "to")
    )


def _fits(schema: Json, value: Any) -> bool:
    low, high = (
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum", schema.get("exclusiveMaximum")),
    )
    return not (isinstance(low, int | float) and value < low) and not (isinstance(high, int | float) and value > high)


def _yes_or_no(plain: str) -> bool | None:
    if re.search(r"\b(?:no|nope|not|off|without|never|negative|false)\b", plain):
        return False
    return (
        True
        if re.search(r"\b(?:yes|yeah|yep|sure|please|on|okay|of course|with|true|right|correct)\b", plain)
        else None
    )


def _cased(slot: Slot, text: str) -> str:
    """Return a value clean of marks at its ends; names from transcripts get their capital letters."""
    text = text.strip(" ,;:!?").rstrip(".")
    if text.islower() and _topic(slot) in ("place", "person") and "room" not in slot.words:
        small = ("of", "the", "and", "de", "la", "my", "at")
        return " ".join(
            word if i and word in small else word[:1].upper() + word[1:] for i, word in enumerate(text.split())
        )
    return text
