"""Free text as a value: days and times as said, names and places behind prepositions, or what is left.  Pure."""

from __future__ import annotations

import re

from .material import Material, Span
from .moments import iso_day
from .numbers import digits, number_at
from .slots import Slot, stems
from .sums import notation
from .words import hear, lexicon, stem

_BOUNDARIES = lexicon("in at for to on with and from by of about because saying that is are under into near using via")
"""Words that a name or a place does not go on behind."""
_NO_VALUE = lexicon(
    "me you it that this is are was there a an the my in at for to on of and or with be i we us them do"
)
_ARTICLES = lexicon("the my a an our some your")
_TRAILING = _NO_VALUE | lexicon("please now thanks like into from about by called named near")
_SOMEBODY = lexicon("i we he she they you my your")
_LONGEST_NAME = 5
"""Words of a name or a place."""
_FRAME = lexicon(
    "please can could would will you i want need like to the a an my me for of with and hey hello hi okay so is are do "
    "turn switch outside inside cold hot warm sunny windy nice like here there "
    "does tell give get show find look up search add put set make what who where when how which us let some have "
    "just in "
    "on at about that it its be today tomorrow tonight now"
)
"""Words around a value rather than in it."""
_SUBJECTS = stems("title subject summary task event item items reminder todo things")
_ENTRY = re.compile(
    r"\b(?:schedule|create|add|book|make|put|set up|arrange|plan|note|new|remind me (?:to|about|of|that)"
    r"|remember to|buy"
    r"|get|order|need)"
    r" (?:(?:an?|the|new|event|meeting|task|reminder|entry|item|items|called|titled|named|my|to|for"
    r"|some)(?: (?!with|about)))*"
    r"(?P<what>.+?)"
    r"(?: (?:to|on|in|into|onto|from) (?:my|the|our) (?:\w+ ){0,2}?"
    r"(?:calendar|lists?|diary|agenda|schedule|tasks|todos?|cart|basket)\b.*)?(?: please)?$"
)
_MARKED = re.compile(r"\b(?:mark|set|check) (?P<what>.+?) (?:as|is|off) ?(?:done|completed?|finished|ready)?$")
_STREET = re.compile(
    r"\b\d+\w?(?: [\w'.-]+){0,4}? (?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|way|square|place"
    r"|court)\b"
    r"|\b[\w'-]*(?:street|strasse|stra\u00dfe|weg|platz) \d+\w?\b",
    re.IGNORECASE,
)
_BEHIND_STREET = re.compile(
    r"^\s*,?\s*(?:in\s+)?(?P<city>[^\W\d_][\w' -]*?)(?=,|\.|$|\s+(?:\d|from|on|at|starting|please|today|tomorrow)\b)"
)
_CODE = re.compile(r"\b(?=[A-Za-z-]*\d)(?=\d*[-A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b")
_LEAD = re.compile(
    r"^(?:(?:um|uh|well|it is|it's|i want|i would like|i'd like|i need|please|in|at|to|for|on|from|the name is|make it|"
    r"let's say|say|my name is|that is|that's|this is|with|of|about|it should be|they are|maybe|just) +)+",
    re.IGNORECASE,
)
_TAIL = re.compile(r"(?:,? (?:please|thanks|thank you))*[\s.!?]*$", re.IGNORECASE)


def text_of(material: Material, slot: Slot, *, alone: bool) -> str | None:
    """Return the text that belongs to a slot; what is left over only for the one that needs it, `alone`."""
    if slot.topic in _BY_LOOK:
        text = _BY_LOOK[slot.topic](material, slot)
        is_told = slot.topic in ("day", "time", "moment", "email", "identifier")
        if text or is_told:
            return text
    text = _expression(material, slot) or _subject(material, slot) or _behind_preposition(material, slot)
    return text or (_rest(material, slot) if slot.required and alone else None)


def direct_text(material: Material, slot: Slot) -> str | None:
    """Return the text of an utterance that is nothing but the value."""
    if slot.topic in _BY_LOOK and (text := _BY_LOOK[slot.topic](material, slot)):
        return text
    text = _TAIL.sub("", _LEAD.sub("", material.heard.text.strip())).strip()
    if slot.topic in ("place", "person"):
        if len(text.split()) > _LONGEST_NAME:
            return _behind_preposition(material, slot)
        moments = [span for span in (material.day_span(), material.time_span()) if span]
        if any(text.lower() == material.heard.raw(*span).lower() for span in moments):
            return None
    if slot.topic in ("day", "time") and not _may_be_moment(material, slot, text):
        return None
    return _cased(slot, text) or None


def _may_be_moment(material: Material, slot: Slot, text: str) -> bool:
    """Return whether a day or a time may be meant by words that look like neither."""
    if (material.time_span() if slot.topic == "day" else material.day_span()) is not None:
        return False
    words = hear(text).words
    has_number = any(number_at(words, at, loose=True) for at in range(len(words)))
    return has_number or (len(words) <= _LONGEST_NAME and not _SOMEBODY.intersection(words))


def items_of(material: Material, slot: Slot, *, direct: bool = False) -> list[str]:
    """Return the entries of a list; `direct` of an utterance that is nothing but these."""
    if direct:
        text = direct_text(material, slot) or ""
    else:
        text = _subject(material, slot) or _behind_preposition(material, slot) or _rest(material, slot) or ""
    pieces = re.split(r"\s*(?:,|\band\b|&)\s*", text)
    return [one for one in (re.sub(r"^(?:the|a|an|some) ", "", piece.strip(), flags=re.I) for piece in pieces) if one]


def _day(material: Material, slot: Slot) -> str | None:
    return _moment(material, slot, material.day_span())


def _time(material: Material, slot: Slot) -> str | None:
    return _moment(material, slot, material.time_span())


def _day_and_time(material: Material, slot: Slot) -> str | None:
    return _moment(material, slot, material.day_span(), material.time_span())


def _moment(material: Material, slot: Slot, *spans: Span | None) -> str | None:
    said: list[str] = []
    for span in sorted(span for span in spans if span):
        material.take(span)
        said.append(material.heard.raw(*span))
    wants_iso = slot.schema.get("format") == "date" or "yyyy-mm-dd" in slot.description.lower()
    if len(said) == 1 and wants_iso:
        return iso_day(said[0], material.today) or said[0]
    return " ".join(dict.fromkeys(said)) or None


def _email(material: Material, slot: Slot) -> str | None:
    match = re.search(r"[\w.+-]+@[\w.-]+\.\w+", material.heard.text)
    if match:
        return match[0]
    spoken = re.search(
        r"\b((?:(?!is\b|to\b|my\b|email\b|mail\b)\w+ (?:dot |underscore )?){1,3})at ((?:\w+ dot )+\w+)\b",
        material.heard.plain,
    )
    if not spoken:
        return None
    return f"{spoken[1]}@{spoken[2]}".replace(" dot ", ".").replace(" underscore ", "_").replace(" ", "")


def _identifier(material: Material, slot: Slot) -> str | None:
    """Return a number by its figures, or a code of letters and figures."""
    code = _CODE.search(material.heard.text)
    if code and not slot.named & stems("phone telephone zip zipcode pin"):
        return code[0]
    figures = digits(material.words)
    fewest = 4 if slot.named & stems("phone telephone zip zipcode pin") else 2
    return figures if len(figures) >= fewest else None


def _street(material: Material, slot: Slot) -> str | None:
    match = _STREET.search(material.heard.text)
    return match[0] if match else None


def _kind(material: Material, slot: Slot) -> str | None:
    """Return the words before the noun that the function is about: "an Italian restaurant"."""
    for at, one in enumerate(material.stems):
        if one in material.spent | stems("place food music movie") and at:
            start = at
            while start and material.is_free(start - 1, at) and not _is_frame(material, start - 1):
                start -= 1
            if start < at:
                material.take((start, at))
                return material.heard.raw(start, at)
    return None


def _place(material: Material, slot: Slot) -> str | None:
    """Return an address, or the town behind one."""
    street = _STREET.search(material.heard.text)
    if not street:
        return None
    rest = material.heard.text[street.end() :]
    town = _BEHIND_STREET.match(rest)
    if slot.named & stems("city town place"):
        return _cased(slot, town["city"]) if town else None
    return street[0] + (f", {_cased(slot, town['city'])}" if town else "")


_BY_LOOK = {"day": _day, "time": _time, "moment": _day_and_time, "email": _email, "identifier": _identifier,
            "street": _street, "kind": _kind, "place": _place}  # fmt: skip
"""Text of a kind that can be told by its look."""


def _expression(material: Material, slot: Slot) -> str | None:
    return notation(material.words) if slot.named & stems("expression equation formula") else None


def _subject(material: Material, slot: Slot) -> str | None:
    """Return what an entry is about: the words between "schedule a" and the moment or the list."""
    plain = material.heard.plain
    match = (_MARKED.search(plain) or _ENTRY.search(plain)) if slot.named & _SUBJECTS else None
    if not match:
        return None
    start, end = material.heard.word_at(match.start("what")), material.heard.word_at(match.end("what"))
    stop = next((i for i in range(start, end) if not material.is_free(i, i + 1) or material.begins_moment(i)), end)
    while stop > start and material.words[stop - 1] in _TRAILING:
        stop -= 1
    if start >= stop or set(material.stems[start:stop]) <= material.spent:
        return None
    material.take((start, stop))
    return material.heard.raw(start, stop).strip(" ,;:.!?")


def _behind_preposition(material: Material, slot: Slot) -> str | None:
    words = material.words
    for preposition in _prepositions(slot):
        lead = tuple(preposition.split())
        for at in range(len(words) - len(lead)):
            start = at + len(lead)
            if words[at:start] != lead or (slot.topic == "person" and _names_nobody(slot, words, at)):
                continue
            if not slot.is_message:
                while start < len(words) - 1 and words[start] in _ARTICLES:
                    start += 1
            end = _end_of_phrase(material, start, greedy=slot.is_message)
            if _is_value(material, slot, start, end):
                material.take((at, end))
                return _cased(slot, material.heard.raw(start, end))
    return None


def _names_nobody(slot: Slot, words: tuple[str, ...], at: int) -> bool:
    """Return whether a preposition leads to a deed or a thing: "I want to see", "an appointment for a check-up"."""
    if words[at] == "to" and at and words[at - 1] in _WANTING:
        return True
    if words[at] == "for" and words[at + 1] in _OCCASIONS:
        return True
    return words[at] == "for" and words[at + 1] in _ARTICLES and stem("name") in slot.named


_OCCASIONS = lexicon("breakfast brunch lunch dinner supper tonight today tomorrow")
_WANTING = lexicon("like want need love going have wish try")


def _is_value(material: Material, slot: Slot, start: int, end: int) -> bool:
    if start >= end or not material.is_free(start, end) or material.begins_moment(start):
        return False
    named = {
        one
        for one, word in zip(material.stems[start:end], material.words[start:end], strict=True)
        if word not in _ARTICLES
    }
    if named <= material.spent or (named <= slot.words and named & material.spent):
        return False
    if slot.is_message:
        return True
    if material.words[start] in _NO_VALUE or (
        slot.topic in ("person", "place") and material.stems[start] in material.spent
    ):
        return False
    return slot.topic in ("text", "place") or not material.has_number_at(start)


def _end_of_phrase(material: Material, start: int, *, greedy: bool) -> int:
    words = material.words
    end = start
    while end < len(words) and material.is_free(end, end + 1):
        is_boundary = words[end] in _BOUNDARIES or words[end] in (
            "today",
            "tomorrow",
            "tonight",
            "next",
            "this",
            "please",
        )
        if end > start and not greedy and (is_boundary or material.begins_moment(end) or material.ends_before(end)):
            break
        if end > start and not greedy and material.is_amount(end):
            break
        end += 1
    is_stopped = end < len(words) and not material.is_free(end, end + 1)
    while end > start and (
        words[end - 1] in ("please", "thanks", "now") or (is_stopped and words[end - 1] in _BOUNDARIES)
    ):
        end -= 1
    return end


def _rest(material: Material, slot: Slot) -> str | None:
    """Return the longest run of words that say nothing about the function itself."""
    words = material.words
    best: Span = (0, 0)
    at = 0
    while at < len(words):
        start = at
        while at < len(words) and material.is_free(at, at + 1) and not (at == start and _is_frame(material, at)):
            at += 1
        end = at
        while end > start and words[end - 1] in _TRAILING:
            end -= 1
        best = max(best, (start, end), key=lambda run: run[1] - run[0])
        at = max(at, start + 1)
    # Words that leave nothing over, or that no name goes on for, are no value but what somebody said.
    is_all = best == (0, len(words)) and len(words) > 1
    is_long = slot.topic in ("place", "person", "kind") and best[1] - best[0] > _LONGEST_NAME
    is_thing = slot.topic == "person" and bool(_ARTICLES.intersection(words[slice(*best)]))
    if best[0] >= best[1] or is_all or is_long or is_thing:
        return None
    material.take(best)
    return _cased(slot, material.heard.raw(*best)) or None


def _is_frame(material: Material, at: int) -> bool:
    word = material.words[at]
    return word in _FRAME or word in _NO_VALUE or stem(word) in material.spent


def _prepositions(slot: Slot) -> tuple[str, ...]:
    """Return the words that such a value follows, the most telling first."""
    if slot.named & stems("origin from source departure start"):
        return ("from",)
    if slot.named & stems("destination arrival target"):
        return ("to", "for", "into")
    if slot.is_message:
        return ("saying that", "saying", "that says", "telling them", "to say", "remind me to", "note that", "about",
                "search for", "look up", "translate", "that", "for")  # fmt: skip
    match slot.topic:
        case "place":
            return ("in", "near", "at", "to", "for", "around", "of", "from")
        case "person":
            return ("under the name of", "under the name", "the name of", "named", "called", "under", "with", "to",
                    "for", "call", "text", "email", "message", "tell", "is")  # fmt: skip
        case "text" | "kind":
            return ("called", "titled", "named", "about", "for", "because", "of", "by")
    return ("about", "for", "called", "in", "of", "to")


_SMALL_WORDS = lexicon("of the and de la my at in on")


def _cased(slot: Slot, text: str) -> str:
    """Return a value clean of marks at its ends; names from transcripts get their capital letters."""
    text = text.strip(" ,;:!?").rstrip(".")
    if not text.islower() or slot.topic not in ("place", "person") or "room" in slot.words:
        return text
    words = text.split()
    return " ".join(word if i and word in _SMALL_WORDS else word[:1].upper() + word[1:] for i, word in enumerate(words))
