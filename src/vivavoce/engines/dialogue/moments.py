"""Durations, days and times of day, as they are said; and how to say them.

Pure: what day it is comes as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from .numbers import numbers, ordinal, say_number
from .words import lexicon

_SECONDS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "day": 86400}
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905 - an order of names
MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
_NUMBER = (
    r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|half|quarter"
    r"|a quarter)"
)
_DAYPART = r"(?:morning|afternoon|evening|night)"
_TIME = re.compile(
    rf"\b(?:noon|midnight|lunchtime|\d{{1,2}}:\d{{2}}(?: ?(?:am|pm|a m|p m))?"
    rf"|{_NUMBER}(?: {_NUMBER}){{0,2}} (?:am|pm|a m|p m|o'clock|o clock)(?: (?:in the )?{_DAYPART}| at night)?"
    rf"|{_NUMBER}(?: minutes)? (?:past|to) {_NUMBER}(?: (?:am|pm))?"
    rf"|(?<=at ){_NUMBER}(?: (?:thirty|fifteen|forty five|\d{{2}}))?(?: (?:in the )?{_DAYPART}| tonight)?"
    rf"|(?:this |in the ){_DAYPART}|tonight)\b"
)
_ORDINAL = r"(?:\d{1,2}(?: ?(?:st|nd|rd|th))?|(?:twenty |thirty )?(?:[a-z]+(?:th|rd|st)|second))"
_WEEKDAY = f"(?:{'|'.join(WEEKDAYS)})"
_MONTH = f"(?:{'|'.join(MONTHS)})"
_DAY = re.compile(
    r"\b(?:(?:the )?day after tomorrow|today|tomorrow|yesterday|tonight"
    r"|(?:next|this|coming|last) (?:week(?:end)?|month|year)"
    rf"|(?:(?:next|this|coming|on) )?{_WEEKDAY}(?: next week)?"
    rf"|(?:the )?{_ORDINAL} (?:of )?{_MONTH}(?: \d{{4}})?|{_MONTH} (?:the )?{_ORDINAL}(?: \d{{4}})?"
    r"|in (?:a|\w+) (?:days?|weeks?|months?)|\d{4} ?- ?\d\d ?- ?\d\d)\b"
)
_FILL = lexicon("a an one another")


def duration(words: Sequence[str]) -> int | None:
    """Return the seconds of a length of time such as "an hour and ten minutes"; None when there is none."""
    for loose in (False, True):
        found = {number.end: number.value for number in numbers(words, loose=loose)}
        total, any_unit = 0.0, False
        for at, word in enumerate(words):
            seconds = _SECONDS.get(word.removesuffix("s"))
            if seconds is None:
                continue
            before = at - 1 if at and words[at - 1] in ("of", "more") else at
            if before in found:
                total, any_unit = total + float(found[before]) * seconds, True
            elif before and words[before - 1] in _FILL:
                total, any_unit = total + seconds, True
            if tuple(words[at + 1 : at + 4]) == ("and", "a", "half"):
                total += seconds / 2
        if any_unit:
            return round(total)
    return None


def say_duration(seconds: float) -> str:
    """Return a length of time in words, such as "1 hour and 10 minutes"."""
    left = round(seconds)
    parts = []
    for name, size in (("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{say_number(count)} {name}{'s' if count != 1 else ''}")
    return join(parts) or "no time"


def join(parts: Sequence[str], word: str = "and") -> str:
    """Return parts as a list in a sentence: "a, b and c"."""
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}" if len(parts) > 1 else "".join(parts)


def say_time(moment: datetime) -> str:
    """Return a time of day, such as "2:30 PM"."""
    return moment.strftime("%I:%M %p").lstrip("0")


def say_date(day: date) -> str:
    """Return a day, such as "Monday, January 5, 2026"."""
    return f"{day.strftime('%A, %B')} {day.day}, {day.year}"


def find_time(plain: str) -> tuple[int, int] | None:
    """Return where a time of day stands in plain words."""
    match = _TIME.search(plain)
    return match.span() if match else None


def find_day(plain: str) -> tuple[int, int] | None:
    """Return where a day stands in plain words."""
    match = _DAY.search(plain)
    if not match:
        return None
    start = match.start() + (3 if match[0].startswith("on ") else 0)
    return start, match.end()


def iso_day(said: str, today: date) -> str | None:
    """Return a day in words as YYYY-MM-DD; None when it is not that clear."""
    fixed = {"today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1, "day after tomorrow": 2}
    plain = said.lower().removeprefix("the ").replace(",", "")
    if plain in fixed:
        return (today + timedelta(fixed[plain])).isoformat()
    if re.fullmatch(r"\d{4}-\d\d-\d\d", plain.replace(" ", "")):
        return plain.replace(" ", "")
    words = plain.split()
    if words[-1] in WEEKDAYS:
        return (today + timedelta((WEEKDAYS.index(words[-1]) - today.weekday() - 1) % 7 + 1)).isoformat()
    month = next((MONTHS.index(word) + 1 for word in words if word in MONTHS), 0)
    tens = 20 if "twenty" in words else 30 if "thirty" in words else 0
    day = next(
        (found for word in words if (found := ordinal(word) or (int(word) if word.isdigit() else 0)) and found < 32), 0
    )
    try:
        found_day = date(
            next((int(word) for word in words if len(word) == 4 and word.isdigit()), today.year), month, day + tens
        )
    except ValueError:
        return None
    return found_day.isoformat()
