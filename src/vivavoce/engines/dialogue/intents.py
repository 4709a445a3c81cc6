"""What the user means: one intent with its values, from typed text or a noisy transcript.

A table of patterns over plain words, the most telling first.  It knows nothing of a session's functions
(`dialogue.tools`) and of what was said before, except for what was just asked.  Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from .moments import duration
from .numbers import NUMBER_WORDS, digits, numbers
from .patterns import COMPETING, NO, NO_WORDS, RULES, SUM_CUE, YES, YES_WORDS
from .saying import words_to_say
from .sums import convert, work_out
from .words import Utterance, hear


class Intent(msgspec.Struct, frozen=True):
    """What an utterance is about."""

    name: str
    slots: dict[str, str] = {}
    """Values by name, as they were said."""


_ITEMS = re.compile(r"\s*(?:,|\band\b|\bplus\b|&)\s*")
_LONGEST = 400
"""Characters of a message that are understood: nobody says more in one breath, and patterns take their time."""
_GUESSES = frozenset(("unknown", "calc", "number_note", "remember", "feeling", "date", "name_set", "weather"))
"""What an answer to a question of the quiz may look like."""
DONE_ASKING = frozenset(("stop", "no", "bye", "repeat", "help"))
"""Intents that are never the answer to a question."""


@lru_cache(maxsize=1024)
def understand(text: str, expecting: str = "") -> Intent:
    """Return what `text` means; `expecting` names the intent whose missing value was just asked for.

    The intent is `empty` for no words at all and `unknown` for what is not understood.
    """
    heard = hear(text[:_LONGEST])
    if not heard.words:
        return Intent("empty")
    # Words that are to be said may look like anything else.
    if (said := words_to_say(text)) is not None:
        return Intent("say", {"what": said})
    if expecting and (given := _expected(heard, expecting)):
        return given
    sum_said = _sum(heard)
    if sum_said:
        return sum_said
    plain = heard.plain
    if short := _short(plain):
        return Intent(short)
    for name, pattern in RULES:
        match = pattern.search(plain)
        if match and (intent := _confirmed(name, match, heard)):
            return _behind(heard, intent)
    return Intent("unknown", {"heard": text.strip()})


_FRONT = re.compile(
    r"(?:(?:hello|hi|hey|good (?:morning|afternoon|evening)|howdy|greetings)(?: there| everyone| again)?\b ?)+"
)
_BACK = re.compile(r" (?:and )?(?:thanks|thank you)(?: (?:very much|so much|a lot|in advance|bye|goodbye))*$")


def core(heard: Utterance) -> str:
    """Return what was said without a greeting before it and thanks behind it; everything when that is little more."""
    front, back = _FRONT.match(heard.plain), _BACK.search(heard.plain)
    start = heard.word_at(front.end()) if front else 0
    end = heard.word_at(back.start() + 1) if back else len(heard.words)
    return heard.raw(start, end) + _mark(heard.text) if end - start >= _FEWEST else heard.text


_FEWEST = 3
"""Words of a wish beside a greeting or thanks."""


def _mark(text: str) -> str:
    last = text.rstrip()[-1:]
    return last if last in ("?", "!", ".") else ""


def _behind(heard: Utterance, intent: Intent) -> Intent:
    """Return the intent of what stands behind a greeting or before thanks, if there is one."""
    if intent.name not in ("greet", "thanks") or (rest := core(heard)) == heard.text:
        return intent
    inner = understand(rest)
    return intent if inner.name in ("unknown", "empty", "yes", "no") else inner


def _short(plain: str) -> str:
    """Return `yes` or `no` for an answer that is nothing else."""
    for name, begin, words in (("no", NO, NO_WORDS), ("yes", YES, YES_WORDS)):
        if begin.match(plain) and not words.sub("", plain).strip():
            return name
    return ""


def _sum(heard: Utterance) -> Intent | None:
    plain = heard.plain
    is_bare = heard.words[0] in NUMBER_WORDS
    if not (is_bare or SUM_CUE.search(plain)) or COMPETING.search(plain):
        return None
    if converted := convert(heard.words):
        return Intent("convert", {"answer": converted})
    result = work_out(heard.words)
    if result is None:
        return None
    if re.fullmatch(r"[\d ()/-]+", plain) and not re.search(r"\d +[-/] +\d|\(", heard.text) and len(plain) > 7:
        return None  # a telephone number or a date rather than a sum
    return Intent("calc", {"answer": result.answer})


def _expected(heard: Utterance, expecting: str) -> Intent | None:
    """Read an utterance as the value that was asked for, unless it is clearly something else."""
    other = understand(heard.text)
    match expecting:
        case "timer_set" if (seconds := duration(heard.words)) is not None:
            return Intent("timer_set", {"seconds": str(seconds)})
        case "timer_set" if other.name in ("unknown", "number_note") and (found := numbers(heard.words, loose=True)):
            return Intent("timer_set", {"seconds": str(round(float(found[0].value) * 60))})
        case "list_add" if other.name in ("unknown", "remember"):
            return Intent("list_add", {"what": _items(heard, 0, len(heard.words))})
        case "quiz" if other.name in _GUESSES:
            return Intent("quiz_answer", {"what": heard.text})
        case "name_set" if other.name == "unknown" and len(heard.words) <= 4:
            skip = {"it", "is", "i", "am", "this", "name", "the", "just", "well", "um", "uh"}
            names = [i for i, word in enumerate(heard.words) if word not in skip and word.isalpha()]
            if names:
                return Intent("name_set", {"name": heard.raw(names[0], names[-1] + 1)})
        case "remember" if other.name == "unknown":
            return Intent("remember", {"note": heard.text.strip()})
    return None


def _confirmed(name: str, match: re.Match[str], heard: Utterance) -> Intent | None:
    """Return the intent of a matching rule with its values, or None when a value does not fit."""
    groups = {key: value for key, value in match.groupdict().items() if value}
    spans = {key: (heard.word_at(match.start(key)), heard.word_at(match.end(key))) for key in groups}
    raw = {key: heard.raw(start, end) for key, (start, end) in spans.items()}
    match name:
        case "timer_set":
            seconds = duration(heard.words)
            if re.search(r"\b(?:alarm|remind me|wake me)\b", heard.plain):
                return Intent("alarm")
            return Intent(name, {"seconds": str(seconds)} if seconds is not None else {})
        case "date" if day := next((word for word in ("tomorrow", "yesterday") if word in heard.words), ""):
            return Intent(name, {"day": day})
        case "list_add" if re.fullmatch(
            r"(?:(?:an?|another|\w+|\w+ \w+) )(?:second|minute|hour)s?", raw.get("what", "")
        ):
            return Intent("timer_add", {"seconds": str(duration(heard.words) or 0)})
        case "list_add" | "list_remove" | "list_has":
            return Intent(name, {"what": _items(heard, *spans["what"])})
        case "name_set":
            return Intent(name, {"name": " ".join(filter(None, (raw.get("name"), raw.get("last"))))})
        case "number_note":
            figures = digits(heard.words)
            is_question = heard.words[0] in ("what", "which", "do", "how", "is", "where", "when", "who", "can")
            is_number = len(figures) >= 2 and not is_question
            return Intent(name, {"digits": figures, "note": heard.text.strip()}) if is_number else None
        case "remember":
            note = raw.get("note") or raw.get("whole") or raw.get("owned", "")
            figures = digits(heard.words)
            slots = {"note": note.strip().rstrip(".!")}
            if re.search(r"\b(?:remind me|remember|not forget|note) to\b", heard.plain):
                slots["deed"] = "yes"
            return Intent(name, slots | ({"digits": figures} if len(figures) >= 3 else {}))
        case "thanks" if len(heard.words) > 4 and heard.words[0] in ("how", "what", "where", "when", "who"):
            return None
        case "recall" if heard.words[0] == "do" and "know" in heard.words:
            return None
        case "feeling":
            return Intent(name, raw | {"said": match[0]})
        case "spell":
            return Intent(name, {"what": raw.get("what") or raw.get("that", "")})
    return Intent(name, raw)


def _items(heard: Utterance, start: int, end: int) -> str:
    """Return the items of a list joined by commas, without articles before them."""
    pieces = _ITEMS.split(heard.raw(start, end))
    cleaned = (
        re.sub(r"^(?:the|a|an|some|my|also|please)\s+", "", piece.strip(" .!?\"'"), flags=re.I) for piece in pieces
    )
    return ", ".join(piece for piece in cleaned if piece)
