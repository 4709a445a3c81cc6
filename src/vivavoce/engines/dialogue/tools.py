"""Choosing among a session's functions, filling their arguments, asking for what is missing.

A function is chosen only when the words of its name and description clearly meet those of the user; what the dialogue
engine can do by itself is given away only to a function that is plainly made for it.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from ...core.settings import Tool
from .intents import DONE_ASKING, Intent, understand
from .moments import join
from .numbers import NUMBER_WORDS
from .schema import Filler, Slot, plain_name, slots_of
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

_SOCIAL = frozenset(("greet", "thanks", "bye", "yes", "no", "repeat", "stop", "help", "identity", "name_set", "name_get",
                     "say", "spell", "count", "joke", "story", "sing", "coin", "dice", "random", "empty"))  # fmt: skip
_OWN: dict[str, frozenset[str]] = {
    "calc": lexicon("calculate calculator calculation math arithmetic sum compute expression equation evaluate"),
    "convert": lexicon("convert conversion converter unit exchange"),
    "time": lexicon("time clock now current"), "date": lexicon("date day calendar today"),
    "timer_set": lexicon("timer alarm countdown reminder"), "timer_left": lexicon("timer alarm countdown"),
    "timer_cancel": lexicon("timer alarm countdown"), "list_add": lexicon("list item shopping grocery cart todo task basket order"),
    "list_read": lexicon("list shopping grocery cart todo task"), "list_remove": lexicon("list item shopping cart todo task"),
    "list_clear": lexicon("list shopping cart todo"), "remember": lexicon("note remember memory save store reminder remind preference"),
    "recall": lexicon("note memory recall order account balance appointment booking lookup get find check retrieve status search"),
    "number_note": lexicon("number phone order code verify lookup track tracking account save update"),
}  # fmt: skip
"""Words that show a function to be made for what the engine can do by itself."""
_DOMAIN = {"weather": "weather forecast", "light": "light lamp device switch", "thermostat": "temperature thermostat climate",
           "book": "book reservation appointment schedule", "alarm": "alarm reminder wake"}  # fmt: skip

_GROUPS = tuple(
    frozenset(stem(word) for word in group.split())
    for group in (
        "light lamp bulb", "weather forecast rain raining snow sunny umbrella climate", "end hang hangup finish terminate goodbye bye disconnect",
        "agent human person representative operator somebody someone staff support", "transfer connect forward handoff escalate speak talk route",
        "order buy purchase get want", "book reserve schedule reservation booking", "appointment meeting event calendar",
        "cancel delete remove", "balance account money funds bank", "send message text sms write", "email mail", "find search look lookup locate nearest near",
        "stock share quote ticker", "play music song track album", "restaurant food eat dinner lunch", "flight fly plane", "translate translation say",
        "volume louder quieter loud quiet", "temperature thermostat degrees warmer colder heat heating cooler", "remind reminder remember", "pizza margherita pepperoni",
        "price cost much", "turn switch toggle", "tv television", "call phone dial ring", "joke funny laugh", "news headline headlines",
        "lock locked", "door gate", "open opened", "close shut", "hour hours open opening", "direction directions route navigate way drive", "taxi cab ride uber",
        "package parcel order shipment delivery track tracking", "refund return money", "pay payment transfer money", "bill invoice", "image picture photo",
        "verify confirm check", "user customer caller", "todo task", "note notes memo", "hotel room stay", "set change adjust", "movie film",
        "recipe cook", "medicine prescription refill", "alarm wake", "dim brightness bright", "ticket issue problem complaint broken",
    )
)  # fmt: skip
_WEAK = frozenset(stem(word) for word in ["get", "set", "find", "check", "show", "make", "do", "give", "current", "new", "function", "tool", "call", "use", "user", "return", "information", "info", "data", "value", "given", "name", "list", "take", "put", "add", "specific", "based", "provide", "request", "number", "type", "time", "one", "good", "today", "tomorrow", "turn", "please", "help", "can", "want", "look", "day", "check", "up", "say", "retrieve", "fetch", "perform", "handle", "allow", "note", "current", "go", "see", "way", "right"])  # fmt: skip
"""Words of which no single one is enough to choose by."""
_ASKING = re.compile(
    r"^(?:what|which|who|where|when|how|is|are|do|does|did|will|was|check|show|tell me|has|have|find|look)\b|\?$"
)
_GETS = lexicon("get check fetch read show find search lookup query retrieve list is status look view")
_SETS = lexicon("set update change turn adjust control switch put modify create add delete remove cancel")
_MIN_SCORE = 1.0
_MIN_SHARE = 0.3
_STOP = lexicon("the a an of to in is are was were be my your our you i me we it at for and or that this what where do did does can could please would with from "
                "about there here which who how when than then very really some any so just not as if by will am us its has have had tell know like need "
                "now hey okay")  # fmt: skip


class Profile(msgspec.Struct, frozen=True):
    """The words of a function, weighed by where they stand."""

    weights: dict[str, float]
    names: frozenset[str]
    """Stems of the words of its name."""


@lru_cache(maxsize=512)
def _profile_of(name: str, description: str, fields: str) -> Profile:
    weights: dict[str, float] = {}
    named = [stem(word) for word in plain_name(name).split()]
    for words, weight in ((hear(fields).words, 0.4), (hear(description).words, 1.0), (named, 1.6)):
        for word in words:
            one = stem(word)
            if word not in _STOP:
                weights[one] = max(weights.get(one, 0.0), weight)
    return Profile(weights, frozenset(named))


def profile(tool: Tool) -> Profile:
    """Return the words of a function."""
    fields = []
    for slot in slots_of(tool.parameters):
        fields.append(f"{plain_name(slot.name)} {slot.schema.get('description', '')}")
        fields += [plain_name(str(choice)) for choice in slot.choices]
    return _profile_of(tool.name, tool.description, " ".join(fields))


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
    if intent.name in ("yes", "no", "empty", "repeat", "stop"):
        return None
    own = _OWN.get(intent.name)
    if own and not {stem(word) for word in own} & profile(tool).names:
        # Its own work is given away only for nearly all of what was said, and never for a sum or a question of time.
        if intent.name in ("calc", "convert", "time", "date") or share < 0.75:
            return None
    return tool


def _covers(tool: Tool, intent: Intent) -> bool:
    """Return whether a function is plainly made for a social intent: ending the call at a goodbye, telling jokes."""
    names = profile(tool).names
    if intent.name == "bye":
        return bool(names & {"end", "hang", "hangup", "terminat", "disconnect", "goodby", "finish"})
    return stem(intent.name) in names


def _score(heard: Utterance, tool: Tool, intent: Intent) -> tuple[float, float]:
    """Return how strongly a function is asked for, and how much of what was said speaks for it, 0 to 1."""
    about = profile(tool)
    said = [stem(word) for word in heard.words if word not in _STOP and word not in NUMBER_WORDS and word.isalpha()]
    score = whole = part = 0.0
    strong = False
    for one in dict.fromkeys(said):
        importance = 0.4 if one in _WEAK else 1.0
        whole += importance
        weight = max(
            (about.weights.get(other, 0.0) * (1.0 if other == one else 0.85) for other in _alike(one)), default=0.0
        )
        if weight:
            part += importance * min(1.0, weight / 0.8)
            score += importance * weight
            strong = strong or (importance == 1.0 and weight >= 0.8)
    domain = {stem(word) for word in _DOMAIN.get(intent.name, "").split()}
    if domain & about.names:
        score, strong = score + 1.0, True
    named = {other for one in said for other in _alike(one)} & about.names
    if about.names and about.names <= named | {"get", "do", "tool", "function"} & about.names:
        score, strong = score + 0.8, True
    if len(named) >= 2:
        strong = True
    score += _mood(heard, about.names)
    return (score, part / whole if whole else 0.0) if strong else (0.0, 0.0)


def _mood(heard: Utterance, names: frozenset[str]) -> float:
    """Return a little for a question and a function that looks something up, or an order and one that does something."""
    asks = bool(_ASKING.search(heard.text.strip().lower()))
    gets = bool(names & _GETS)
    does = bool(names & _SETS)
    if asks == gets and gets != does:
        return 0.3
    return -0.3 if (asks and does and not gets) or (not asks and gets and bool(set(heard.words) & _SETS)) else 0.0


@lru_cache(maxsize=4096)
def _alike(one: str) -> frozenset[str]:
    return frozenset((one,)).union(*(group for group in _GROUPS if one in group))


_CUT = re.compile(r"(?:[,;.!?]\s*)?\b(?:and then|then|and also|also|and|plus)\b\s+|[.!?;]\s+", re.IGNORECASE)


def plan(text: str, tools: Sequence[Tool], today: datetime, *, several: bool, force: str = "") -> Plan:
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
    if several and len(parts := [part for part in _CUT.split(text) if part and part.strip()]) > 1:
        plans = [_single(part, tools, today, several) for part in parts]
        chosen = [entry for one in plans if one for entry in one]
        distinct = {entry.name if isinstance(entry, Call) else entry.tool.name for entry in chosen}
        whole = _single(text, tools, today, several)
        if (
            sum(map(bool, plans)) > 1
            and all(isinstance(entry, Call) for entry in chosen)
            and (len(distinct) > 1 or _differ(chosen, whole))
        ):
            return tuple(chosen)
        return whole
    return _single(text, tools, today, several)


def _differ(chosen: Sequence[Call | Question], whole: Plan) -> bool:
    """Return whether calls of one function made from the parts are not just the one made from the whole."""
    arguments = [str(entry.arguments) for entry in chosen]
    return len(set(arguments)) > 1 and len(chosen) > len(whole)


def _single(text: str, tools: Sequence[Tool], today: datetime, several: bool) -> Plan:
    heard = hear(text)
    intent = understand(text)
    tool = choose(heard, tools, intent)
    if tool is None:
        return ()
    slots = slots_of(tool.parameters)
    arguments = Filler(heard, today, _spent(tool)).fill(slots)
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
    return names.union(*(_alike(name) for name in names)) - {stem("food")}


def _spread(
    heard: Utterance, tool: Tool, slots: list[Slot], arguments: dict[str, Any], today: datetime
) -> list[dict[str, Any]]:
    """Return one set of arguments for each of several values, as in "the kitchen and the bedroom"."""
    for slot in slots:
        value = arguments.get(slot.name)
        if slot.kind == "array" or value is None:
            continue
        if slot.choices:
            values = Filler(heard, today).choices(slot.choices)
            if len(values) > 1 and re.search(r"\band\b", heard.plain) and slot.required:
                return [{**arguments, slot.name: one} for one in values]
        elif isinstance(value, str) and slot.words & {
            stem(w) for w in ("location", "city", "place", "ticker", "symbol")
        }:
            values = [part.strip() for part in re.split(r"\s*,\s*|\s+and\s+(?:in\s+|for\s+)?", value) if part.strip()]
            if len(values) > 1 and " and " in value:
                return [{**arguments, slot.name: one} for one in values]
    return [arguments]


def _with_defaults(slots: list[Slot], arguments: dict[str, Any]) -> dict[str, Any]:
    filled = {slot.name: slot.schema["default"] for slot in slots if slot.required and "default" in slot.schema}
    return {
        slot.name: {**filled, **arguments}[slot.name] for slot in slots if slot.name in arguments or slot.name in filled
    }


def _missing(tool: Tool, slots: list[Slot], arguments: dict[str, Any]) -> Question | None:
    for slot in slots:
        if slot.required and slot.name not in arguments and "default" not in slot.schema and "const" not in slot.schema:
            return Question(tool, arguments, slot, _question(slot))
    return None


def _question(slot: Slot) -> str:
    """Return the question for an argument."""
    name = re.sub(r" (?:id|name)$", "", plain_name(slot.name)) if slot.kind == "string" else plain_name(slot.name)
    if slot.choices:
        choices = [plain_name(str(choice)) for choice in slot.choices]
        return f"Which {name}: {join(choices, 'or')}?" if len(choices) <= 5 else f"Which {name}?"
    words = set(name.split())
    if slot.kind == "boolean":
        return f"Should it be {name.removeprefix('is ')}, yes or no?"
    if slot.kind in ("integer", "number"):
        countable = name.endswith("s") or words & {"quantity", "count", "size"}
        if words & {"quantity", "count"}:
            return "How many?"
        return f"How many {name}?" if countable and not words & {"size"} else f"What {name}?"
    if words & {"date", "day"}:
        return "For which day?"
    if words & {"time", "when", "datetime"}:
        return "At what time?"
    if words & {"message", "text", "body", "content"}:
        return "What should it say?"
    if words & {"recipient", "contact", "person", "to"}:
        return "To whom?"
    if words & {"number", "email", "address", "name", "query", "title", "subject", "reason"} or slot.kind == "array":
        return f"What is the {name}?" if slot.kind != "array" else f"Which {name}?"
    return f"Which {name}?"


def resume(question: Question, text: str, tools: Sequence[Tool], today: datetime) -> Plan | None:
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
    value = Filler(heard, today).direct(question.slot)
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
    found = Filler(heard, today, _spent(question.tool)).fill(
        [slot for slot in slots if slot.choices or slot.kind != "string"]
    )
    arguments = {**found, **question.arguments, question.slot.name: value}
    arguments = {slot.name: arguments[slot.name] for slot in slots if slot.name in arguments}
    following = _missing(question.tool, slots, arguments)
    return (following,) if following else (Call(question.tool.name, _with_defaults(slots, arguments)),)


def _again(question: Question) -> Question:
    text = (
        question.text if question.text.startswith("Sorry") else f"Sorry, {question.text[:1].lower()}{question.text[1:]}"
    )
    return Question(question.tool, question.arguments, question.slot, text)


def _forced(text: str, tools: Sequence[Tool], today: datetime, force: str) -> Call:
    """Return the call that has to be made, with the best guess for every required argument."""
    heard = hear(text)
    named = [tool for tool in tools if tool.name == force]
    intent = understand(text)
    tool = named[0] if named else max(tools, key=lambda one: _score(heard, one, intent)[0])
    slots = slots_of(tool.parameters)
    arguments = _with_defaults(slots, Filler(heard, today, _spent(tool)).fill(slots))
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
