"""What the user means: one intent with its values, from typed text or a noisy transcript.

A table of patterns over plain words, the most telling first.  It knows nothing of a session's functions
(`dialogue.tools`) and of what was said before, except for what was just asked.  Pure.
"""

from __future__ import annotations

import re

import msgspec

from .moments import duration
from .numbers import NUMBER_WORDS, digits, numbers
from .sums import convert, work_out
from .words import Utterance, hear


class Intent(msgspec.Struct, frozen=True):
    """What an utterance is about."""

    name: str
    slots: dict[str, str] = {}
    """Values by name, as they were said."""


_MY = r"(?:my|the|our|that|this|a)"
_POLITE = r"(?:please|now|for me|then|thanks|thank you|okay|right now|just|again)"
_ASK = r"^(?:(?:please|okay|hey|well|so|and|now|um|uh|can you|could you|would you|will you|i want you to|i would like you to|just) )*"
_OBJECT = r"(?:the |my |our |some )?(?:[a-z]+ ){0,3}?"
_DEVICE = r"(?:lights?|lamps?|bulbs?|fan|heater|heating|television|tv|radio|music|air conditioning|oven|coffee machine|switch|plug)"

_RULES: tuple[tuple[str, str], ...] = (
    (
        "stop",
        rf"{_ASK}(?:stop|stop (?:talking|it|that|speaking|there)|be quiet|quiet|hush|shut up|silence|never mind|nevermind|forget it"
        rf"|cancel|cancel (?:that|it)|that is enough|enough|hold on|wait)(?: {_POLITE})*$",
    ),
    ("repeat", r"\b(?:say|tell me|read|repeat|do) (?:that|it|this)(?: to me)?(?: \w+)? ?(?:again|once more|more slowly|slower)\b"),
    ("repeat", rf"{_ASK}(?:repeat|repeat (?:that|it|this|yourself)|pardon|pardon me|come again|excuse me|sorry what|again)(?: (?:more slowly|slowly|slower|once more|one more time|that|me))*(?: {_POLITE})*$"),
    ("repeat", r"\b(?:what did you (?:just )?say|did not (?:catch|hear|get) (?:that|you|it)|can not hear you|one more time)\b"),
    ("timer_cancel", r"\b(?:cancel|stop|delete|clear|remove|end|turn off|kill|reset)\b.*\b(?:timers?|alarms?|countdown)\b"),
    ("timer_left", r"\b(?:how (?:much|many|long)\b.*\b(?:left|remain\w*|to go|timers?)|(?:time|minutes|seconds) (?:is |are )?(?:left|remaining)|check (?:the|my) timers?|status of (?:the|my) timers?|what timers?|do i have (?:a|any) timers?|is (?:the|my) timer)\b"),
    ("timer_set", r"\b(?:set|start|make|create|need|want|put|begin|add|new)\b.*\b(?:timers?|alarm|countdown)\b|^(?:an? )?(?:\w+ ){1,3}timer(?: please)?$|^timer (?:for|of)\b|\b(?:wake me|remind me) in\b"),
    ("list_clear", r"\b(?:clear|empty|erase|delete|wipe|start over)\b(?: everything (?:on|from))?(?: (?:my|the|our|whole|entire|all|of))* (?:\w+ )?list\b"),
    ("list_remove", r"\b(?:remove|take|delete|cross|strike|scratch)\b (?P<what>.+?) (?:from|off|of|out of) (?:of )?(?:my |the |our |that )?(?:\w+ ){0,2}list\b"),
    ("list_add", r"\b(?:add|put|write|note|place|at) (?P<what>.+?) (?:to|on|in|onto|into|do|too) (?:my |the |our |that )?(?:\w+ ){0,2}list\b"),
    ("list_add", rf"{_ASK}(?:add|put) (?P<what>(?!\d)[a-z].+?)(?: too| also| as well)?(?: {_POLITE})*$"),
    ("list_read", r"\b(?:what|read|show|tell|say|hear|give|list|anything|something)\b.*\b(?:shopping |grocery |to do |todo |packing )?list\b(?! of)|^(?:my|the) (?:\w+ )?list(?: please)?$"),
    ("name_get", r"\bwhat (?:is|was) my name\b|\bdo you (?:know|remember) my name\b|\bwho am i\b|\bwhat am i called\b|\bsay my name\b"),
    ("name_set", r"\b(?:my name (?:is|s)|call me|you can call me|i am called) (?P<name>(?!not\b|back\b|a\b|an\b|at\b|later\b|when\b|if\b|on\b|in\b|tomorrow\b)[^\W\d]+)(?: (?P<last>(?!and|please|from|thank|nice|here|what|how|can|could|i)[^\W\d]+)(?=$))?"),
    ("identity", r"\b(?:what is your name|who are you|what are you|your name|are you (?:a |an |the )?(?:robot|human|real|person|machine|ai|bot|computer|assistant|chat ?gpt|gpt|open ?ai|language model|large language model|alive)|who (?:made|built|created) you|what model)\b"),
    ("weather", r"\b(?:weather|rain(?:ing|y)?|snow(?:ing)?|sunny|umbrella|forecast|how (?:cold|hot|warm) (?:is|will) it|temperature outside|(?:cold|hot|warm) outside)\b"),
    ("light", rf"\b(?:turn|switch|put|dim|flip|shut)\b.*\b(?:on|off|up|down|out)\b.*\b{_DEVICE}\b|\b(?:turn|switch|put|dim|flip|shut)\b.*\b{_DEVICE}\b(?:.*\b(?:on|off|up|down|out)\b)?|\b{_DEVICE} (?:on|off|out)\b"),
    ("thermostat", r"\b(?:set|change|turn|raise|lower|make|put)\b.*\b(?:temperature|thermostat|heating|degrees|warmer|colder|cooler)\b"),
    ("book", r"\b(?:book|reserve|schedule|reschedule|make)\b.*\b(?:table|appointment|reservation|room|flight|hotel|ticket|taxi|meeting|seat)s?\b|\b(?:appointment|reservation|table for)\b|\b(?:change|move|cancel) my (?:booking|flight|meeting)\b"),
    ("time", r"\bwhat(?: is the)? time\b(?! (?:do|does|did|are|will|should) )(?! is (?:my|the|our) )|\b(?:tell|give) (?:me )?(?:the )?time\b|\bdo you (?:have|know) (?:the|what) time\b|\bhow late is it\b|\b(?:current|the) time(?: please| now| right now)?$|^time(?: please)?$|\bwhat hour\b"),
    ("date", r"\bwhat(?: is)?(?: the| today)? ?(?:date|day)(?: is| of| today| it|$)|\b(?:today(?: is)?|current|the) date\b|\bwhat day\b|\bwhich day\b|\bwhat (?:year|month) is\b|\bwhat is the (?:day|date|year|month)\b|\bday is (?:it|today)\b|\bdate is (?:it|today)\b|\bwhat is today\b"),
    ("forget", r"\b(?:forget|delete|erase)\b (?:everything|all|what i (?:told|said)|my (?:notes?|number|name))"),
    ("count", rf"{_ASK}count (?:(?:down|backwards?) )?(?:from (?P<from>.+?) )?(?:up |down )?(?:to|too|two) (?P<to>.+)$|{_ASK}count (?:down |backwards? )?from (?P<down>.+)$"),
    ("spell", rf"{_ASK}(?:spell|how (?:do you|to|is) spell(?:ed)?|how do i spell)(?: the word| the name)? (?P<what>.+?)(?: for me)?(?: please)?$|^how is (?P<that>\w+) spelled$"),
    ("coin", r"\b(?:flip|toss|throw) (?:a |the |me a )?coin\b|\bheads or tails\b"),
    ("dice", r"\b(?:roll|throw|toss)\b.*\b(?:dice|die|d\d+)\b"),
    ("random", r"\b(?:random number|pick a number|think of a number)\b"),
    ("recall", rf"\b(?:what|which|where|when|who|how)\b.*\b(?:did|do|have|had|was|is|are|were)\b.*\b(?:i|my|mine|our)\b(?! can| could| do for)|\bdo you remember\b|\bremind me (?:what|where|when|who)\b|\bread (?:me )?my notes\b|\bwhat did i\b|\b(?:what|where) is {_MY} (?:\w+ )?(?:number|code|note|car|order)\b"),
    ("remember", r"\b(?:remember|do not forget|make a note|take a note|note down|note|write down|keep in mind|remind me)\b(?: (?:that|of|to|down|about|this))*(?P<note> .+)$"),
    ("number_note", r"\b(?:number|code|pin|zip|extension|id|account|phone|order|room|gate|flight)\b.*\b(?:is|was|are)\b"),
    ("remember", r"\b(?P<whole>i (?:parked|left|put|keep|hid|stored) .+)$"),
    ("remember", r"^(?:(?:and|well|so|also|by the way) )*(?P<whole>(?:my|our) (?!name\b)[a-z' ]+? (?:is|are|was|were) (?!not\b).+)$"),
    ("remember", r"^(?P<whole>i (?:like|love|hate|prefer|live in|work (?:at|in|as|for)|have|own|am from|am allergic to|was born) .+)$"),
    ("story", r"\b(?:story|tale)\b"),
    ("joke", r"\b(?:joke|riddle|something funny|make me laugh)\b"),
    ("sing", r"\b(?:sing|song|poem)\b"),
    ("say", rf"{_ASK}(?:repeat after me|say after me|repeat(?: the (?:words?|following|sentence|phrase))?(?: exactly)?|say(?: the (?:words?|following|sentence|phrase))?(?: exactly)?|read(?: out)?(?: loud| aloud)?(?: the (?:words?|following|sentence|text|phrase)(?: (?:to me|exactly|aloud|out loud|word for word|verbatim))*)?(?: this)?(?: text| sentence)?) (?P<what>.+)$"),
    ("help", r"\b(?:what (?:can|could|do) you (?:do|help|offer|know)|how (?:can|could|do) you help|what are you able|help me$|^help(?: please)?$|^i need help$|what can i (?:say|ask|do)|your (?:abilities|capabilities|skills))\b|^help\b"),
    ("bye", r"\b(?:bye|goodbye|good bye|good ?night|see you|see ya|farewell|hang up|talk to you later|so long|have a (?:nice|good|great) (?:day|evening|one|night))\b"),
    ("thanks", r"\b(?:thanks|thank you|thank|thank's|cheers|much appreciated|appreciate it|(?:very|really|so) helpful|that was helpful|that helps?|great job|good job|well done)\b"),
    ("yes", rf"^(?:(?:yes|yeah|yep|yup|yea|sure|okay|correct|right|absolutely|certainly|of course|that is (?:right|correct|fine)|please do|go ahead|i do|sounds good|alright|all right|fine|exactly|indeed|please|definitely|it is|perfect|great)(?: {_POLITE}| it is| that is right| i do| i am)* ?)+$"),
    ("no", rf"^(?:(?:no|nope|nah|not really|no way|do not|i do not|not now|negative|that is wrong|that is all|nothing else|nothing|no that is all|not yet|wrong|incorrect)(?: {_POLITE}| it is not| i do not| sorry)* ?)+$"),
    ("greet", r"^(?:(?:well|oh|um|uh|and) )*(?:hello|hi|hey|howdy|greetings|hiya|good (?:morning|afternoon|evening|day)|yo|welcome)\b|\b(?:how are you|how do you do|how is it going|how are things|nice to meet you|what is up|are you there|can you hear me)\b|\bhello\b"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(pattern)) for name, pattern in _RULES)
_SUM_CUE = re.compile(
    r"^(?:(?:so|and|okay|well|please|now|hey|then|hello|hi|um|uh|tell me|can you|could you|do you know|i need|give me) )*(?:what|how much|calculate|"
    r"compute|solve|work out|add|multiply|divide|subtract|sum|the sum|square|the square|cube|half|twice|double|a quarter"
    r"|a third|product|the product|difference|the difference|[-(\d.]|negative|minus)"
)
_COMPETING = re.compile(
    r"\b(?:list|timer|temperature|degrees|book|table|remind|remember|call|alarm|email|message|at \d)\b"
)
_ITEMS = re.compile(r"\s*(?:,|\band\b|\bplus\b|&)\s*")
DONE_ASKING = frozenset(("stop", "no", "bye", "repeat", "help"))
"""Intents that are never the answer to a question."""


def understand(text: str, expecting: str = "") -> Intent:
    """Return what `text` means; `expecting` names the intent whose missing value was just asked for.

    The intent is `empty` for no words at all and `unknown` for what is not understood.
    """
    heard = hear(text)
    if not heard.words:
        return Intent("empty")
    if expecting and (given := _expected(heard, expecting)):
        return given
    sum_said = _sum(heard)
    if sum_said:
        return sum_said
    plain = heard.plain
    for name, pattern in _COMPILED:
        match = pattern.search(plain)
        if match and (intent := _confirmed(name, match, heard)):
            return intent
    return Intent("unknown", {"heard": text.strip()})


def _sum(heard: Utterance) -> Intent | None:
    plain = heard.plain
    is_bare = heard.words[0] in NUMBER_WORDS
    if not (is_bare or _SUM_CUE.search(plain)) or _COMPETING.search(plain):
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
            if seconds is None and re.search(r"\balarm\b|\bremind me\b", heard.plain):
                return Intent("alarm")
            return Intent(name, {"seconds": str(seconds)} if seconds is not None else {})
        case "list_add" | "list_remove":
            return Intent(name, {"what": _items(heard, *spans["what"])})
        case "name_set":
            return Intent(name, {"name": " ".join(filter(None, (raw.get("name"), raw.get("last"))))})
        case "number_note":
            figures = digits(heard.words)
            is_question = heard.words[0] in ("what", "which", "do", "how", "is", "where", "when", "who", "can")
            is_number = len(figures) >= 2 and not is_question
            return Intent(name, {"digits": figures, "note": heard.text.strip()}) if is_number else None
        case "remember":
            note = raw.get("note") or raw.get("whole", "")
            figures = digits(heard.words)
            slots = {"note": note.strip().rstrip(".!")}
            return Intent(name, slots | ({"digits": figures} if len(figures) >= 3 else {}))
        case "recall" if heard.words[0] == "do" and "know" in heard.words:
            return None
        case "say":
            return Intent(name, {"what": _quoted(heard, spans["what"][0])})
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


def _quoted(heard: Utterance, start: int) -> str:
    """Return the words to be said from word `start` on, with their case and punctuation."""
    begin = heard.spans[start][0]
    text = heard.text[begin:].strip()
    opening = heard.text[:begin].rstrip()[-1:]
    if opening in "\"'\u201c\u2018" and opening:
        text = re.split("[\"\u201d\u2019]|'(?!\\w)", text)[0]
    return text.strip()
