"""What a session's instructions ask for, as far as simple sentences go.

Each sentence is read as one direction (say this, begin so, never speak of that); what is no direction is a fact that
questions may be answered from.  Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from .memory import sentence
from .verbatim import wants_verbatim
from .words import QUOTE, Ranking, hear, sentences, terms


class Act(msgspec.Struct, frozen=True):
    """Something that the assistant is to say of its own accord."""

    text: str
    is_literal: bool = False
    """Whether the words were prescribed."""
    is_greeting: bool = False


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
    brief: bool = False
    topic: str = ""
    """The only subject that is to be spoken of."""
    avoided: tuple[frozenset[str], ...] = ()
    """Stems of subjects that are not to be spoken of."""
    conditions: tuple[Condition, ...] = ()
    facts: tuple[str, ...] = ()

    def fact(self, question: str) -> str:
        """Return the fact that answers `question`; empty when none clearly does."""
        heard = hear(question)
        wanted = terms(word for word in heard.words if word not in _QUESTION_WORDS)
        if not wanted or not self.facts:
            return ""
        index, share = Ranking(self.facts).best(wanted)
        return self.facts[index] if index >= 0 and share >= 0.5 else ""


_QUESTION_WORDS = frozenset(
    "much many long far often when where who whom which please okay hello hi hey question ask wonder find out".split()  # noqa: SIM905
)
_USER = r"(?:the |your |a |each |every |any )?(?:user|caller|customer|client|guest|visitor|person|patient|listener|human|them|him|her|everyone|people|someone)s?"
_SAY = r"(?:say|answer|reply|respond|output|return|write|speak|state|use|repeat)(?:ing|s)?"
_ALWAYS = re.compile(
    r"\b(?:always|only|every (?:time|message|question|input|answer|response)|no matter|whatever|regardless|anything|everything"
    r"|nothing (?:but|else)|any (?:question|message|input)|all (?:questions|messages))\b"
)
_FIXED_WORD = re.compile(
    rf"\b{_SAY}\b(?:(?: to (?:everything|anything|every \w+|all \w+))?(?: only| just| always)? (?:with )?)"
    r"(?:exactly|only|just|simply|the (?:single |one |exact )?(?:word|words|phrase|sentence|text))+:? (?:the (?:word|words|phrase|sentence) )?(?P<text>.+)$"
)
_NAME = re.compile(
    r"\b(?:[Yy]our name is|[Yy]ou are (?:called|named)|[Yy]ou go by|(?:[Aa]n?|[Tt]he) [\w -]{0,40}(?:named|called)|[Ii]ntroduce yourself as) (?P<name>[A-Z][\w'-]*)"
    r"|\b[Yy]ou(?:'re| are) (?P<who>(?!A |An |The )[A-Z][\w'-]*)(?=,|\.|$| the | an? | from | and | -)"
)
_ROLE = re.compile(
    r"\b[Yy]ou(?:'re| are)(?: [A-Z]\w*,)? (?P<role>(?:an?|the) [^.;:!?]+?)"
    r"(?= (?:who|that|whose|which|named|called)\b|[.;:!?]|$)"
)
_LONGEST_ROLE = 10
"""Words; a longer description is not fit to be said."""
_ONE_WORD = re.compile(
    rf"\b{_SAY} (?:only|just|always|nothing but) (?:with )?(?P<text>[A-Z]\w*(?: [A-Z]\w*){{0,2}})[.!]?$"
)
_BEGIN = re.compile(r"\b(?:begin|start|open)\b.*?\b(?:by (?:saying|greeting)|with|saying):? (?P<text>.+)$", re.I)
_EACH = re.compile(
    r"\b(?:every|each|all|your|any) (?:single )?(?:answers?|responses?|repl(?:y|ies)|messages?|sentences?|turns?)\b"
)
_END = re.compile(r"\b(?:end|finish|close|conclude)\b.*?\b(?:with|by saying|saying):? (?P<text>.+)$", re.I)
_BRIEF = re.compile(
    r"\b(?:brief(?:ly)?|short|concise(?:ly)?|(?:one|a single|1) (?:short )?sentence|succinct(?:ly)?|terse)\b"
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
    r"\b(?:never|do not|don't|refuse to|avoid|must not|should not)\b (?:ever )?(?:talk|speak|discuss|mention|answer|giv|tell)\w*(?: any| the user)?(?: questions?| advice| jokes?)?(?: about| on| regarding)? (?P<topic>.+)",
    re.I,
)
_IF = re.compile(
    rf"\b(?:if|when|whenever|in case)\b (?:{_USER}|they|you are|you|he|she|it|the conversation)? ?(?:is |are )?"
    r"(?:ask(?:s|ed)?|says?|mentions?|wants?|requests?|greets?|related|questions?|needs?|inquires?)(?: you)?"
    r"(?: (?:about|for|if|whether|to|what|who|where|when|that))*(?P<cond>[^,:]*?)(?:,|:| then)? (?:then |you should |you must |please |always )?"
    rf"(?:{_SAY}|tell {_USER}|tell)(?: (?:with|that|exactly|only|just|them|the (?:word|phrase)))*:? (?P<text>.+)$",
    re.I,
)
_IMPERATIVE = re.compile(
    r"^(?:please |always |never |do not |don't |only |also |you (?:should|must|will|can|may|need|have|never|always) |be |use |keep |speak |talk |respond |answer |reply |act |avoid |help |"
    r"assist |make |try |ensure |remember |call |stay |remain |provide |give |follow |refuse |if |when |whenever |after |before |once |"
    r"ask |tell |say |greet |welcome |inform |begin |start |end |introduce |thank |let |your (?:task|job|role|goal|name|tone|voice|personality) |you are |you're |output |return "
    r"|then |analy[sz]e |classify |summari[sz]e |determine |check |write |collect |gather |look |think |pretend |imagine "
    r"|focus |wait |explain |describe |list |sound |adopt |maintain |respect |decline )",
    re.I,
)
_ADDRESS = (
    (re.compile(rf"\b{_USER}(?:'s|')", re.I), "your"),
    (
        re.compile(r"\b(?:the|your) (?:user|caller|customer|client|guest|visitor|patient|listener) (?:is|was)\b", re.I),
        "you are",
    ),
    (re.compile(r"\b(?:the|your) (?:user|caller|customer|client|guest|visitor|patient|listener)s?\b", re.I), "you"),
)


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
    brief = False
    for said in sentences(text):
        if match := _NAME.search(said):
            found.setdefault("name", match["name"] or match["who"])
        if (match := _ROLE.search(said)) and len(match["role"].split()) <= _LONGEST_ROLE:
            found.setdefault("role", match["role"])
        brief = brief or bool(
            _BRIEF.search(said.lower()) and re.search(r"\b(?:answer|repl|respon|be|keep|speak|sentence)", said.lower())
        )
        if condition := _condition(said):
            conditions.append(condition)
        elif direction := _direction(said):
            found.setdefault(*direction)
        elif act := _act(said, found.get("name", "")):
            acts += act
            continue
        elif topics := _AVOID.search(said):
            avoided.append(frozenset(terms(hear(topics["topic"]).words)))
        elif not _IMPERATIVE.match(said) or re.match(r"you (?:work|can reach|are located|have)", said.lower()):
            facts.append(_first_person(said))
        others += 1
    return Directions(
        fixed=found.get("fixed", ""),
        name=found.get("name", ""),
        role=found.get("role", ""),
        acts=tuple(acts),
        only_acts=bool(acts) and not others,
        prefix=found.get("prefix", ""),
        ending=found.get("ending", ""),
        brief=brief,
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
        return "ending", _words_of(match["text"])
    if (match := _BEGIN.search(said)) and _EACH.search(plain) and "conversation" not in plain:
        return "prefix", _words_of(match["text"])
    if not _ALWAYS.search(plain) or not re.search(rf"\b{_SAY}\b", plain):
        return None
    if re.match(r"(?:greet|begin|start|welcome)", plain):
        return None
    if quoted := _quoted(said):
        return "fixed", quoted
    match = _FIXED_WORD.search(said) or _ONE_WORD.search(said)
    text = _words_of(match["text"]) if match else ""
    is_manner = len(text.split()) > 12 or re.match(r"(?:in|a|an|one|about|to)\b", text)
    return ("fixed", text) if text and not is_manner else None


def _condition(said: str) -> Condition | None:
    match = _IF.search(said)
    if not match:
        return None
    subject = frozenset(terms(word for word in hear(match["cond"]).words if word not in ("conversation", "relat")))
    if re.search(r"\bgreets?\b|\bsays? (?:hello|hi)\b", match[0].lower()):
        subject |= {"hello", "hi"}
    answer = _words_of(match["text"])
    if not _quoted(match["text"]):
        answer = sentence(_addressed(answer))
    return Condition(subject, answer) if subject and answer else None


def _act(said: str, name: str) -> list[Act]:
    """Return what a sentence wants said at once, such as "Greet the caller and ask for their name"."""
    plain = re.sub(
        r"^(?:please|now|first|then|also|next|finally|briefly|politely|warmly|kindly|simply|just)[, ]+",
        "",
        said,
        flags=re.I,
    )
    plain = re.sub(r"^(?:please|briefly|warmly|politely|kindly|simply) ", "", plain, flags=re.I)
    acts: list[Act] = []
    for part in re.split(
        r",? (?:and|then|and then) (?=(?:ask|tell|greet|say|inform|welcome|introduce|thank|wish|offer)\b)", plain
    ):
        act = _single_act(part.strip().rstrip("."), name)
        if act is None:
            return []
        acts.append(act)
    return acts


def _single_act(said: str, name: str) -> Act | None:
    low = said.lower()
    introduction = f"Hello, I am {name}." if name else "Hello."
    if match := re.match(
        r"(?:begin|start|open)\b(?! (?:every|each|all)).*?\b(?:by saying|with|saying)\b:? (?P<text>.+)$", said, re.I
    ):
        return Act(_words_of(match["text"]), is_literal=True, is_greeting=True)
    if re.match(rf"(?:greet|welcome)\b(?: {_USER})?", low) or re.match(r"(?:begin|start|open)\b.*\bby greeting\b", low):
        match = re.search(r"\b(?:with|by saying|saying|as follows|as)\b:? (?P<text>.+)$", said, re.I)
        quoted = _quoted(said)
        if quoted or (match and not re.match(r"(?:a|an|the)\b", match["text"])):
            return Act(quoted or _words_of(match["text"] if match else ""), is_literal=True, is_greeting=True)
        return Act(f"{introduction} How can I help you?", is_greeting=True)
    if re.match(r"introduce yourself", low):
        return Act(introduction if name else "Hello, I am the built-in assistant.", is_greeting=True)
    if match := re.match(
        rf"(?:say|tell {_USER}) (?P<text>hello|hi|goodbye|good morning|good evening|thank you|welcome)(?: to {_USER})?$",
        low,
    ):
        return Act(sentence(match["text"]), is_greeting=match["text"] not in ("goodbye", "thank you"))
    if match := re.match(
        rf"(?:say|read|speak|repeat|output|respond with|reply with|answer with)\b(?: out loud| aloud)?(?: exactly| only| just| the following| this| the words?| the phrase| the sentence)*(?: to {_USER})?:? (?P<text>.+)$",
        said,
        re.I,
    ):
        literal = _words_of(match["text"])
        return Act(literal if _quoted(match["text"]) else sentence(literal), is_literal=True) if literal else None
    if match := re.match(
        rf"(?:tell|inform|remind|let|notify|warn|advise)(?: {_USER})?(?: know)? (?:that |: ?)(?P<text>.+)$", said, re.I
    ):
        return Act(_quoted(match["text"]) or sentence(_addressed(match["text"])))
    if match := re.match(rf"wish {_USER} (?P<text>.+)$", said, re.I):
        return Act(sentence(f"I wish you {match['text']}"))
    if re.match(rf"thank {_USER}", low):
        return Act(sentence(_addressed(re.sub(rf"^thank {_USER}", "Thank you", said, flags=re.I))))
    if match := re.match(rf"(?:ask|offer|request)\b(?: {_USER})?(?P<text> .+)$", said, re.I):
        return Act(_question(match["text"].strip()))
    return None


def _question(text: str) -> str:
    """Return the question that "for their name" or "how they are" asks for."""
    if quoted := _quoted(text):
        return quoted
    text = re.sub(r"^(?:a question[: ]+|about )", "about ", _addressed(text), flags=re.I).rstrip(".?")
    if match := re.match(r"(?:for|about) (?P<what>.+)$", text, re.I):
        what = re.sub(r"^(?:a|an|the) ", "", match["what"])
        what = what if what.startswith("your ") else f"your {what}"
        return f"What is {what}?"
    if match := re.match(
        r"(?:if|whether) you (?P<verb>are|were|would like|would|can|could|will|have)\b(?P<rest>.*)$", text
    ):
        verb, _, more = match["verb"].partition(" ")
        if verb == "have":
            return f"Do you have{match['rest']}?"
        return f"{verb.title()} you{' ' + more if more else ''}{match['rest']}?"
    if match := re.match(r"(?:if|whether) you (?P<rest>.+)$", text):
        return f"Do you {_bare(match['rest'])}?"
    if match := re.match(
        r"(?P<wh>how|what|which|where|when|why|who)(?P<between> .*?)? ?\byou (?P<verb>are|were|would|can|could|will|have)\b(?P<rest>.*)$",
        text,
    ):
        return f"{match['wh'].title()}{match['between'] or ''} {match['verb']} you{match['rest']}?"
    if match := re.match(r"(?P<wh>(?:how|what|which|where|when|why|who)\b.*?) you (?P<rest>.+)$", text):
        return f"{match['wh'].capitalize()} do you {_bare(match['rest'])}?"
    if match := re.match(r"what (?P<what>your .+?) (?P<verb>is|are)$", text):
        return f"What {match['verb']} {match['what']}?"
    if match := re.match(r"to (?P<what>.+)$", text):
        return f"Could you {match['what']}, please?"
    return sentence(text[:1].upper() + text[1:]).rstrip(".") + "?"


def _bare(text: str) -> str:
    """Return words that begin with a verb of the third person with that of the second."""
    return re.sub(r"^(need|want|like|know|prefer|live|work|feel|think)s\b", r"\1", text)


def _addressed(text: str) -> str:
    """Return what is said about the user as it is said to them."""
    for pattern, word in _ADDRESS:
        text = pattern.sub(word, text)
    text = re.sub(r"\bthey(?:'re| are)\b", "you are", text)
    return re.sub(
        r"\btheirs?\b|\bthey\b|\bthem\b", lambda m: {"their": "your", "theirs": "yours"}.get(m[0], "you"), text
    )


def _first_person(fact: str) -> str:
    if re.match(r"you(?:r|'re)?\b", fact, re.I):
        fact = re.sub(r"\byou are\b|\byou're\b", "I am", fact, flags=re.I)
        fact = re.sub(r"\byour\b", "my", re.sub(r"\byou\b", "I", fact, flags=re.I), flags=re.I)
    return sentence(_addressed(re.sub(r"^(?:note|fact|info|information|important): ", "", fact, flags=re.I)))


def _quoted(text: str) -> str:
    match = QUOTE.search(text)
    return (match[1] or match[2] or match[3]).strip() if match else ""


def _words_of(text: str) -> str:
    """Return prescribed words: those in quotes, or the text without its last mark."""
    return _quoted(text) or text.strip().rstrip(".").strip(" :")
