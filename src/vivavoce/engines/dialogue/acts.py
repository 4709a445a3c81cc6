"""Sentences of instructions that want something said at once: greetings, questions, announcements.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from .memory import sentence
from .words import QUOTE

USER = (
    r"(?:the |your |a |each |every |any )?"
    r"(?:user|caller|customer|client|guest|visitor|person|patient|listener|human|them|him|her|everyone|people"
    r"|someone)s?"
)
"""How instructions speak of the user."""


class Act(msgspec.Struct, frozen=True):
    """Something that the assistant is to say of its own accord."""

    text: str
    is_literal: bool = False
    """Whether the words were prescribed."""
    is_greeting: bool = False


_MANNER = re.compile(
    r"^(?:(?:please|now|first|then|also|next|finally|briefly|politely|warmly|kindly|simply|just)[, ]+)+", re.IGNORECASE
)
_JOINT = re.compile(
    r",? (?:and|then|and then) (?=(?:ask|tell|greet|say|inform|welcome|introduce|thank|wish|offer)\b)", re.IGNORECASE
)
OFFER = " How can I help you?"
"""What ends a greeting that was not prescribed."""


def read_acts(said: str, name: str) -> list[Act]:
    """Return what a sentence wants said, such as "Greet the caller and ask for their name"; empty when it is no act.

    Args:
        said: one sentence of the instructions.
        name: what the assistant is called, or nothing.
    """
    acts: list[Act] = []
    for part in _JOINT.split(_MANNER.sub("", said)):
        act = _act(part.strip().rstrip("."), name)
        if act is None:
            return []
        acts.append(act)
    return acts


def joined(acts: list[Act]) -> list[Act]:
    """Return acts without an offer of help in front of a question that is to be asked."""
    asks = any(act.text.endswith("?") for act in acts[1:])
    if acts and acts[0].is_greeting and not acts[0].is_literal and asks:
        return [Act(acts[0].text.removesuffix(OFFER), is_greeting=True), *acts[1:]]
    return acts


def _act(said: str, name: str) -> Act | None:
    for pattern, make in _ACTS:
        match = pattern.match(said)
        if match:
            return make(match, name)
    return None


def _begin(match: re.Match[str], name: str) -> Act | None:
    return Act(words_of(match["text"]), is_literal=True, is_greeting=True)


def _greet(match: re.Match[str], name: str) -> Act | None:
    prescribed = re.search(r"\b(?:with|by saying|saying|as follows|as)\b:? (?P<text>.+)$", match[0], re.IGNORECASE)
    literal = quoted(match[0])
    if not literal and prescribed and not re.match(r"(?:a|an|the)\b", prescribed["text"]):
        literal = words_of(prescribed["text"])
    if literal:
        return Act(literal, is_literal=True, is_greeting=True)
    return Act(f"Hello, I am {name}.{OFFER}" if name else f"Hello.{OFFER}", is_greeting=True)


def _introduce(match: re.Match[str], name: str) -> Act | None:
    return Act(f"Hello, I am {name}." if name else "Hello, I am the built-in assistant.", is_greeting=True)


def _salute(match: re.Match[str], name: str) -> Act | None:
    words = match["text"].lower()
    return Act(sentence(words), is_greeting=words not in ("goodbye", "thank you"))


def _say(match: re.Match[str], name: str) -> Act | None:
    literal = words_of(match["text"])
    if not literal:
        return None
    return Act(literal if quoted(match["text"]) else sentence(literal), is_literal=True)


def _tell(match: re.Match[str], name: str) -> Act | None:
    return Act(quoted(match["text"]) or sentence(addressed(in_first_person(match["text"]))))


def _wish(match: re.Match[str], name: str) -> Act | None:
    return Act(sentence(f"I wish you {match['text']}"))


def _thank(match: re.Match[str], name: str) -> Act | None:
    return Act(sentence(f"Thank you{addressed(match['text'])}"))


def _ask(match: re.Match[str], name: str) -> Act | None:
    # "Ask me questions" is what the session is for rather than something to be said at once.
    if re.match(r" *(?:me\b|(?:\w+ ){0,3}questions\b)", match["text"], re.IGNORECASE):
        return None
    return Act(_question(match["text"].strip()))


def _table(
    *rows: tuple[str, Callable[[re.Match[str], str], Act | None]],
) -> tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str], Act | None]], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), make) for pattern, make in rows)


_ACTS = _table(
    (r"(?:begin|start|open)\b(?! (?:every|each|all)).*?\b(?:by saying|with|saying)\b:? (?P<text>.+)$", _begin),
    (r"(?:greet|welcome)\b.*$|(?:begin|start|open)\b.*\bby greeting\b.*$", _greet),
    (r"introduce yourself", _introduce),
    (
        rf"(?:say|tell {USER}) (?P<text>hello|hi|goodbye|good morning|good evening|thank you|welcome)(?: to {USER})?$",
        _salute,
    ),
    (
        r"(?:say|read|speak|repeat|output|respond with|reply with|answer with)\b(?: out loud| aloud)?"
        r"(?: exactly| only| just| the following| this| the words?| the phrase| the sentence)*"
        rf"(?: to {USER})?:? (?P<text>.+)$",
        _say,
    ),
    (rf"(?:tell|inform|remind|let|notify|warn|advise)(?: {USER})?(?: know)? (?:that |: ?)(?P<text>.+)$", _tell),
    (rf"wish {USER} (?P<text>.+)$", _wish),
    (rf"thank {USER}(?P<text>.*)$", _thank),
    (rf"(?:ask|offer|request)\b(?: {USER})?(?P<text> .+)$", _ask),
)
_MODAL = r"(?:are|were|would|can|could|will|should|may|might)"
_QUESTIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), form)
    for pattern, form in (
        (r"(?:for|about) (?:a |an |the )?(?P<what>your .+)$", "What is {what}?"),
        (r"(?:for|about) (?:a |an |the )?(?P<what>.+)$", "What is your {what}?"),
        (r"(?:if|whether) (?P<who>you|I) have (?P<rest>.+)$", "Do {who} have {rest}?"),
        (rf"(?:if|whether) (?P<who>you|I) (?P<verb>{_MODAL})\b ?(?P<rest>.*)$", "{verb} {who} {rest}?"),
        (r"(?:if|whether) (?P<who>you|I) (?P<rest>.+)$", "Do {who} {rest}?"),
        (
            rf"(?P<wh>(?:how|what|which|where|when|why|who)\b.*?) (?P<who>you|I) (?P<verb>{_MODAL})\b ?(?P<rest>.*)$",
            "{wh} {verb} {who} {rest}?",
        ),
        (r"(?P<wh>(?:how|what|which|where|when|why|who)\b.*?) (?P<who>you|I) (?P<rest>.+)$", "{wh} do {who} {rest}?"),
        (r"(?P<wh>what|who|where|when) (?P<what>your .+?) (?P<verb>is|are)$", "{wh} {verb} {what}?"),
        (r"to (?P<what>.+)$", "Could you {what}, please?"),
    )
)


def _question(text: str) -> str:
    """Return the question that "for their name" or "how they are" asks for."""
    if literal := quoted(text):
        return literal
    text = addressed(in_first_person(text)).rstrip(".?")
    for pattern, form in _QUESTIONS:
        match = pattern.match(text)
        if match:
            parts = {name: _bare(value) if name == "rest" else value for name, value in match.groupdict().items()}
            asked = re.sub(r" +(?=\?)| {2,}", "", form.format(**parts))
            return asked[:1].upper() + asked[1:]
    return sentence(text).rstrip(".") + "?"


def _bare(text: str) -> str:
    """Return words that begin with a verb of the third person with that of the second."""
    return re.sub(r"^(need|want|like|know|prefer|live|work|feel|think)s\b", r"\1", text)


_ADDRESS = (
    (re.compile(rf"\b{USER}(?:'s|')", re.IGNORECASE), "your"),
    (re.compile(r"\b(?:the|your) (?:user|caller|customer|client|guest|visitor|patient) (?:is|was)\b", re.I), "you are"),
    (re.compile(r"\b(?:the|your) (?:user|caller|customer|client|guest|visitor|patient|listener)s?\b", re.I), "you"),
    (re.compile(r"\bthey(?:'re| are)\b", re.IGNORECASE), "you are"),
    (re.compile(r"\btheirs\b", re.IGNORECASE), "yours"),
    (re.compile(r"\btheir\b", re.IGNORECASE), "your"),
    (re.compile(r"\b(?:they|them)\b", re.IGNORECASE), "you"),
)
_FIRST = (
    (re.compile(r"\byou(?:'re| are)\b", re.IGNORECASE), "I am"),
    (re.compile(r"\byour\b(?! (?:user|caller|customer|client|guest|visitor|patient)\b)", re.IGNORECASE), "my"),
    (re.compile(r"\byou\b", re.IGNORECASE), "I"),
)


def addressed(text: str) -> str:
    """Return what is said about the user as it is said to them."""
    for pattern, word in _ADDRESS:
        text = pattern.sub(word, text)
    return text


def in_first_person(text: str) -> str:
    """Return what is said to the assistant as it says it of itself."""
    for pattern, word in _FIRST:
        text = pattern.sub(word, text)
    return text


def quoted(text: str) -> str:
    """Return the words in the first quotation marks; empty when there are none."""
    match = QUOTE.search(text)
    return (match[1] or match[2] or match[3]).strip() if match else ""


def words_of(text: str) -> str:
    """Return prescribed words: those in quotes, or the text without its last mark."""
    return quoted(text) or text.strip().rstrip(".").strip(" :")
