"""What a called function returned, put into a sentence that is pleasant to hear.

Keys become words; ids and addresses are not read out.  Pure.
"""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from typing import Any

from ..speakable import speakable
from .memory import sentence
from .moments import MONTHS, join
from .numbers import say_number

_SPOKEN_KEYS = (
    "message",
    "speech",
    "answer",
    "summary",
    "text",
    "result",
    "response",
    "reply",
    "description",
    "content",
)
_FAULT_KEYS = ("error", "errors", "exception", "fault")
_SUCCESS_KEYS = frozenset(("success", "ok", "status", "done", "succeeded", "code", "status_code"))
_GOOD = frozenset(("ok", "okay", "success", "succeeded", "done", "completed", "true", "200", "201", "204"))
_BAD = frozenset(("error", "failed", "failure", "false"))
_SILENT_KEY = re.compile(
    r"(?:^|_)(?:id|ids|uuid|guid|url|urls|uri|link|href|token|hash|etag|cursor|timestamp|request)$"
)
_UNIT_KEYS = frozenset(("unit", "units", "currency", "scale"))
_UNITS = {"c": "degrees Celsius", "celsius": "degrees Celsius", "f": "degrees Fahrenheit", "metric": "degrees Celsius",
          "fahrenheit": "degrees Fahrenheit", "imperial": "degrees Fahrenheit", "usd": "dollars", "eur": "euros",
          "gbp": "pounds", "km": "kilometers", "mi": "miles", "kg": "kilograms", "%": "percent"}  # fmt: skip
_SUFFIXES = {
    "c": "degrees Celsius",
    "celsius": "degrees Celsius",
    "f": "degrees Fahrenheit",
    "fahrenheit": "degrees Fahrenheit",
    "pct": "percent",
    "percent": "percent",
    "kmh": "kilometers an hour",
    "kph": "kilometers an hour",
    "mph": "miles an hour",
    "km": "kilometers",
    "miles": "miles",
    "kg": "kilograms",
    "usd": "dollars",
    "eur": "euros",
    "minutes": "minutes",
    "seconds": "seconds",
    "hours": "hours",
    "days": "days",
}
"""Units that the last part of a key may name."""
_FULL = {"temp": "temperature", "qty": "quantity", "eta": "expected arrival", "desc": "description", "amt": "amount"}
_ADDRESS = re.compile(r"https?://\S+|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_MOST = 5
"""Entries of a list that are read out; nobody can follow more."""
_LONGEST = 600
"""Characters of one result that are read out."""
_DEPTH = 4


def tell(output: str) -> str:
    """Return the output of a function as something to say; never empty."""
    text = output.strip()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    said = _whole(value)
    return _short(said) if said else "That is done."


def _whole(value: Any) -> str:
    match value:
        case None:
            return "There is no result."
        case bool():
            return "Yes." if value else "No."
        case str():
            return "That is done." if value.lower().strip(" .!") in _GOOD else sentence(_plain(value))
        case int() | float():
            return f"It is {_scalar(value)}."
        case list():
            return _listed(value) if value else "There are no results."
        case dict():
            return _object(value)
    return ""


def _object(fields: dict[str, Any]) -> str:
    for key in _FAULT_KEYS:
        if fields.get(key):
            fault = fields[key]
            fault = fault.get("message", "") if isinstance(fault, dict) else fault
            why = _plain(fault) if isinstance(fault, str) else ""
            return sentence(f"That did not work: {why}" if why else "That did not work")
    for key in _SPOKEN_KEYS:
        value = fields.get(key)
        if isinstance(value, str) and len(_plain(value).split()) > 2:
            return sentence(_plain(value))
    rest = {key: value for key, value in fields.items() if not _SILENT_KEY.search(_snake(key))}
    states = {key: str(rest[key]).lower() for key in rest if _snake(key) in _SUCCESS_KEYS}
    if any(state in _BAD for state in states.values()):
        return "That did not work."
    told = {key: value for key, value in rest.items() if states.get(key) not in _GOOD}
    if not told:
        return "That is done."
    if len(told) == 1:
        ((key, value),) = told.items()
        if isinstance(value, list):
            return _listed(value, _words(key)) if value else f"There are no {_words(key)}."
        if isinstance(value, dict):
            return _object(value)
        if _snake(key) in _SPOKEN_KEYS:
            return _whole(value)
    return _clauses(told)


def _clauses(fields: dict[str, Any], depth: int = 0) -> str:
    """Return "The temperature is 20 degrees Celsius and the wind is weak."."""
    unit = next((str(value) for key, value in fields.items() if _snake(key) in _UNIT_KEYS), "")
    clauses: list[str] = []
    for key, value in fields.items():
        if _snake(key) in _UNIT_KEYS or _SILENT_KEY.search(_snake(key)) or value in (None, "", [], {}):
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        clause = _clause(key, value, unit if is_number else "", depth)
        if is_number:
            unit = ""
        if clause:
            clauses.append(clause)
    return sentence(join(clauses)) if clauses else ""


def _clause(key: str, value: Any, unit: str, depth: int) -> str:
    name, suffix = _named(key)
    match value:
        case bool():
            return _flag(name, value)
        case dict():
            inner = _clauses(value, depth + 1).rstrip(".") if depth < _DEPTH else ""
            return inner[:1].lower() + inner[1:]
        case list():
            entries = [entry for entry in map(_entry, value[:_MOST]) if entry]
            if len(entries) > 1:
                return f"the {name} are {join(entries)}"
            return f"the {name} is {entries[0]}" if entries else ""
    said = " ".join(filter(None, (_scalar(value), suffix or _UNITS.get(unit.lower(), unit))))
    is_plural = name.endswith("s") and not name.endswith(("ss", "us", "address"))
    return f"the {name} {'are' if is_plural else 'is'} {said}"


def _flag(name: str, value: bool) -> str:
    first, _, rest = name.partition(" ")
    if first in ("is", "has", "was", "can", "will") and rest:
        return f"it {first} {'' if value else 'not '}{rest}"
    if name in ("power", "state"):
        return f"the {name} is {'on' if value else 'off'}"
    return f"{name}: {'yes' if value else 'no'}"


def _listed(values: list[Any], name: str = "") -> str:
    entries = [entry for entry in map(_entry, values[:_MOST]) if entry]
    count = len(values)
    more = f", and {say_number(count - _MOST)} more" if count > _MOST else ""
    if not entries:
        return f"There {'is' if count == 1 else 'are'} {say_number(count)} {name or 'results'}."
    listed = ", ".join(entries) + more if more else join(entries)
    if all(isinstance(value, str | int | float) for value in values):
        return sentence(f"{name}: {listed}" if name else listed)
    head = (
        f"There is 1 result: {listed}" if count == 1 else f"There are {say_number(count)} {name or 'results'}: {listed}"
    )
    return sentence(head)


def _entry(value: Any) -> str:
    """Return an entry of a list in few words: of an object its name and up to two more of its values."""
    if isinstance(value, dict):
        shown = [
            (key, _scalar(inner))
            for key, inner in value.items()
            if isinstance(inner, str | int | float)
            and not isinstance(inner, bool)
            and not _SILENT_KEY.search(_snake(key))
            and inner != ""
        ]
        named = [i for i, (key, _) in enumerate(shown) if _snake(key) in ("name", "title", "subject", "label")]
        if named:
            shown.insert(0, shown.pop(named[0]))
        return " ".join(text for _, text in shown[:3] if text)
    if isinstance(value, list):
        return join([entry for entry in map(_entry, value[:3]) if entry])
    return "" if value is None else _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        is_usual = isinstance(value, int) or (math.isfinite(value) and abs(value) < 1e300)
        return say_number(Fraction(value).limit_denominator(10**6)) if is_usual else "no number"
    return _plain(str(value))


def _plain(text: str) -> str:
    """Return text without addresses, ids and marks, and with moments as words."""
    text = _MOMENT.sub(_moment, _ADDRESS.sub("", text))
    return re.sub(r"\s+([,.;!?])", r"\1", speakable(text).text).strip(" ,;:")


def _moment(match: re.Match[str]) -> str:
    year, month, day, hour, minute = match.groups()
    if not 1 <= int(month) <= 12:
        return match[0]
    said = f"{MONTHS[int(month) - 1].title()} {int(day)}, {year}"
    if hour is None:
        return said
    half = "AM" if int(hour) < 12 else "PM"
    return f"{said} at {(int(hour) + 11) % 12 + 1}:{minute} {half}"


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+", "_", str(key)).lower()


def _named(key: str) -> tuple[str, str]:
    """Return a key in words, and the unit that its last part is."""
    head, _, last = _snake(key).rpartition("_")
    unit = _SUFFIXES.get(last, "") if head else ""
    name = head if unit else _snake(key)
    return _FULL.get(name, name).replace("_", " ").strip(), unit


def _words(key: str) -> str:
    return _snake(key).replace("_", " ").strip()


def _short(text: str) -> str:
    """Return `text` cut at a sentence or a word when it is too long to listen to."""
    if len(text) <= _LONGEST:
        return text
    cut = text[:_LONGEST]
    end = max(cut.rfind(mark) for mark in (". ", "! ", "? "))
    return cut[: end + 1] if end > _LONGEST // 3 else cut[: cut.rfind(" ")].rstrip(",;:") + ", and so on."
