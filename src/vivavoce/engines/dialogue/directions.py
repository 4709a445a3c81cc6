"""What a session's instructions ask for, as far as simple sentences go.

Each sentence is read as one direction (say this, begin so, never speak of that); what is no direction is a fact that
questions may be answered from.  Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from .acts import USER, Act, addressed, in_first_person, joined, quoted, read_acts, words_of
from .facts import Facts
from .memory import sentence
from .verbatim import wants_verbatim
from .words import hear, sentences, terms


class Condition(msgspec.Struct, frozen=True):
    """A prescribed answer to a subject."""

    terms: frozenset[str]
    """Stems of the words of the subject."""
    answer: str


class Directions(msgspec.Struct, frozen=True):
    """Instructions, understood."""

    verbatim: bool = False
    """The user's text is to be spoken as it stands."""
    fixed: str = ""
    """The one answer to everything."""
    name: str = ""
    role: str = ""
    acts: tuple[Act, ...] = ()
    only_acts: bool = False
    """Nothing but acts is asked for, as in instructions for a single response."""
    prefix: str = ""
    """What every answer begins with."""
    ending: str = ""
    """What every answer ends with."""
    one_sentence: bool = False
    """No answer is to be longer than that; short they are anyway."""
    topic: str = ""
    """The only subject that is to be spoken of."""
    avoided: tuple[frozenset[str], ...] = ()
    """Stems of subjects that are not to be spoken of."""
    conditions: tuple[Condition, ...] = ()
    facts: tuple[str, ...] = ()

    def fact(self, question: str) -> str:
        """Return the fact that answers `question`; empty when none clearly does."""
        return _known(self.facts).answer(question) if self.facts else ""


@lru_cache(maxsize=256)
def _known(facts: tuple[str, ...]) -> Facts:
    return Facts(facts)


_SAY = r"(?:say|answer|reply|respond|output|return|write|speak|state|use|repeat)(?:ing|s)?"
_ALWAYS = re.compile(
    r"\b(?:always|only|every (?:time|message|question|input|answer|response)|no matter|whatever|regardless|anything"
    r"|everything"
    r"|nothing (?:but|else)|any (?:question|message|input)|all (?:questions|messages))\b"
)
_FIXED_WORD = re.compile(
    rf"\b{_SAY}\b(?: to (?:everything|anything|every \w+|all \w+))?(?: only| just| always)? (?:with )?"
    r"(?:exactly|only|just|simply|the (?:single |one |exact )?(?:word|words|phrase|sentence|text))+:? "
    r"(?:the (?:word|words|phrase|sentence) )?(?P<text>.+)$",
    re.I,
)
_ONE_WORD = re.compile(
    rf"\b(?i:{_SAY} (?:only|just|always|nothing but) (?:with )?)(?P<text>[A-Z]\w*(?: [A-Z]\w*){{0,2}})[.!]?$"
)
_NAME = re.compile(
    r"\b(?:[Yy]our name is|[Yy]ou are (?:called|named)|[Yy]ou go by|(?:[Aa]n?|[Tt]he) [\w -]{0,40}(?:named|called)"
    r"|[Ii]ntroduce yourself as) (?P<name>[A-Z][\w'-]*)"
    r"|\b[Yy]ou(?:'re| are) (?P<who>(?!A |An |The )[A-Z][\w'-]*)(?=,|\.|$| the | an? | from | and | -)"
)
_ROLE = re.compile(
    r"\b[Yy]ou(?:'re| are)(?: [A-Z]\w*,)? (?P<role>(?:an?|the) [^.;:!?]+?)"
    r"(?= (?:who|that|whose|which|named|called)\b|[.;:!?]|$)"
)
_LONGEST_ROLE = 10
"""Words; a longer description is not fit to be said."""
_BEGIN = re.compile(r"\b(?:begin|start|open)\b.*?\b(?:by (?:saying|greeting)|with|saying):? (?P<text>.+)$", re.I)
_END = re.compile(r"\b(?:end|finish|close|conclude)\b.*?\b(?:with|by saying|saying):? (?P<text>.+)$", re.I)
_EACH = re.compile(
    r"\b(?:every|each|all|your|any) (?:single )?(?:answers?|responses?|repl(?:y|ies)|messages?|sentences?|turns?)\b"
)
_ONE_SENTENCE = re.compile(
    r"\b(?:answer|repl|respon|be|keep|speak|use).*\b(?:only )?(?:one|a single|1) (?:short )?sentence\b"
)
_ONLY = re.compile(
    r"\bonly (?:\w+ ){0,3}?(?:talk|answer|speak|discuss|help|respond|assist|chat|reply)\w*(?: \w+){0,3}? "
    r"(?:about|on|related to|regarding|concerning) (?P<topic>.+)"
    r"|\bonly (?:help|assist)\w*(?: \w+){0,2}? (?:with|for) (?P<help>.+)"
    r"|\b(?:talk|answer|speak|discuss|help|respond|assist)\w*(?: questions)? only (?:about|on) (?P<after>.+)"
    r"|\bdo not (?:talk|speak|answer|discuss)\w*(?: \w+)? (?:about )?(?:anything|things) (?:other than|except|but) "
    r"(?P<except>.+)",
    re.I,
)
_AVOID = re.compile(
    r"\b(?:never|do not|don't|refuse to|avoid|must not|should not)\b (?:ever )?"
    r"(?:talk|speak|discuss|mention|answer|giv|tell)\w*(?: any| the user)?(?: questions?| advice| jokes?)?"
    r"(?: about| on| regarding)? (?P<topic>.+)",
    re.I,
)
_IF = re.compile(
    rf"\b(?:if|when|whenever|in case)\b (?:{USER}|they|you are|you|he|she|it|the conversation)? ?(?:is |are )?"
    r"(?:ask(?:s|ed)?|says?|mentions?|wants?|requests?|greets?|related|questions?|needs?|inquires?)(?: you)?"
    r"(?: (?:about|for|if|whether|to|what|who|where|when|that))*(?P<cond>[^,:]*?)(?:,|:| then)? "
    r"(?:then |you should |you must |please |always )?"
    rf"(?:{_SAY}|tell {USER}|tell)(?: (?:with|that|exactly|only|just|them|the (?:word|phrase)))*:? (?P<text>.+)$",
    re.I,
)
_IMPERATIVE = re.compile(
    r"^(?:please |always |never |do not |don't |only |also |be |use |keep |speak |talk |respond |answer |reply "
    r"|act |avoid "
    r"|you (?:should|must|will|can|may|need|have|never|always) |help |assist |make |try |ensure |remember |call |stay "
    r"|remain |provide |give |follow |refuse |if |when |whenever |after |before |once |ask |tell |say |greet |welcome "
    r"|inform |begin |start |end |introduce |thank |let |your (?:task|job|role|goal|name|tone|voice|personality) "
    r"|you are |you're |output |return |then |analy[sz]e |classify |summari[sz]e |determine |check |write |collect "
    r"|gather |look |think |pretend |imagine |focus |wait |explain |describe |list |sound |adopt |maintain |respect "
    r"|decline )",
    re.I,
)
_LONGEST = 20_000
_LONGEST_SENTENCE = 600
"""Characters of instructions, and of one sentence of them, that are read as directions."""


@lru_cache(maxsize=256)
def read_directions(text: str) -> Directions:
    """Return what instructions ask for."""
    if wants_verbatim(text):
        return Directions(verbatim=True)
    found: dict[str, str] = {}
    acts: list[Act] = []
    avoided: list[frozenset[str]] = []
    conditions: list[Condition] = []
    facts: list[str] = []
    others = 0
    one_sentence = False
    for said in sentences(text[:_LONGEST]):
        if len(said) > _LONGEST_SENTENCE:
            facts.append(said)
            continue
        if match := _NAME.search(said):
            found.setdefault("name", match["name"] or match["who"])
        if (match := _ROLE.search(said)) and len(match["role"].split()) <= _LONGEST_ROLE:
            found.setdefault("role", match["role"])
        one_sentence = one_sentence or bool(
            _ONE_SENTENCE.search(said.lower())
            and re.search(r"\b(?:answer|repl|respon|be|keep|speak|sentence)", said.lower())
        )
        if condition := _condition(said):
            conditions.append(condition)
        elif direction := _direction(said):
            found.setdefault(*direction)
        elif said_acts := read_acts(said, found.get("name", "")):
            acts += said_acts
            continue
        elif topics := _AVOID.search(said):
            avoided.append(frozenset(terms(hear(topics["topic"]).words)))
        elif not _IMPERATIVE.match(said) or re.match(r"you (?:work|can reach|are located|have)", said.lower()):
            facts.append(_fact(said))
        others += 1
    return Directions(
        fixed=found.get("fixed", ""),
        name=found.get("name", ""),
        role=found.get("role", ""),
        acts=tuple(joined(acts)),
        only_acts=bool(acts) and not others,
        prefix=found.get("prefix", ""),
        ending=found.get("ending", ""),
        one_sentence=one_sentence,
        topic=found.get("topic", ""),
        avoided=tuple(topic for topic in avoided if topic),
        conditions=tuple(conditions),
        facts=tuple(facts),
    )


def _direction(said: str) -> tuple[str, str] | None:
    """Return which one-off direction a sentence is, and its value."""
    plain = said.lower()
    if match := _ONLY.search(said):
        topic = next(filter(None, match.groups()))
        return "topic", re.split(r"[.;,]| and (?:refuse|nothing|politely|decline)", topic)[0].strip()
    if (match := _END.search(said)) and _EACH.search(plain):
        return "ending", words_of(match["text"])
    if (match := _BEGIN.search(said)) and _EACH.search(plain) and "conversation" not in plain:
        return "prefix", words_of(match["text"])
    if not _ALWAYS.search(plain) or not re.search(rf"\b{_SAY}\b", plain):
        return None
    if re.match(r"(?:greet|begin|start|welcome)", plain):
        return None
    if literal := quoted(said):
        return "fixed", literal
    match = _FIXED_WORD.search(said) or _ONE_WORD.search(said)
    text = words_of(match["text"]).removeprefix("with ") if match else ""
    is_manner = len(text.split()) > 12 or re.match(r"(?:in|a|an|one|about|to)\b", text)
    return ("fixed", text) if text and not is_manner else None


def _condition(said: str) -> Condition | None:
    match = _IF.search(said)
    if not match:
        return None
    subject = frozenset(terms(word for word in hear(match["cond"]).words if word not in ("conversation", "relat")))
    if re.search(r"\bgreets?\b|\bsays? (?:hello|hi)\b", match[0].lower()):
        subject |= {"hello", "hi"}
    answer = words_of(match["text"])
    if not quoted(match["text"]):
        answer = sentence(addressed(answer))
    return Condition(subject, answer) if subject and answer else None


def _fact(said: str) -> str:
    """Return what the instructions tell the assistant, as it tells it to the user."""
    fact = re.sub(r"^(?:note|fact|info|information|important): ", "", said, flags=re.I)
    if re.match(r"you(?:r|'re)?\b", fact, re.I):
        fact = in_first_person(fact)
    return sentence(addressed(fact))
