"""Orders to say certain words: what is to be said, and when "say" and "repeat" mean something else.  Pure."""

from __future__ import annotations

import re

from .memory import sentence
from .words import hear

LANGUAGES = (
    r"(?:spanish|french|german|italian|portuguese|dutch|russian|chinese|mandarin|japanese|korean|arabic|hindi|polish"
    r"|turkish|swedish|greek|latin|hebrew|another language|other languages|foreign languages?)"
)
"""Languages that are asked for and not spoken."""
_LONGEST_ORDER = 200
"""Characters at the beginning of a message in which such an order ends; the words to be said may be many more."""
_LEAD = (
    r"^(?:(?:please|okay|hey|hello|hi|well|so|and|now|then|um|uh|can you|could you|would you|will you|i want you to"
    r"|i would like you to|i want to hear you|let me hear you|just|kindly|also) )*"
)
_WHICH = (
    r"(?:(?: out loud| aloud| exactly| only| just| to me| word for word| verbatim| these| this|"
    r" the (?:following|exact)?)?"
    r"(?: words?| sentences?| text| phrase| line)?"
    r"(?: exactly| aloud| out loud| to me| word for word| verbatim| after me)?)"
)
_ORDER = re.compile(
    rf"{_LEAD}(?:"
    rf"(?P<sure>(?:repeat|say|speak)(?: (?:this|these words|the following))? after me"
    rf"|(?:repeat|say|read|speak|pronounce|recite|announce){_WHICH}(?= (?P<open>[\"'\u201c\u2018:]))"
    r"|(?:say|repeat|read|speak)(?: out loud| aloud)? (?:exactly"
    r"|the (?:following )?(?:words?|sentence|text|phrase|line)"
    r"|the following|word for word|verbatim|these words|this (?:sentence|text|phrase))"
    r"(?: to me| exactly| aloud| out loud| word for word| verbatim)*"
    r"|read (?:out|aloud|out loud)(?: the (?:text|words|sentence))?)"
    r"|(?P<loose>say|repeat|pronounce|recite)(?: out loud| aloud)?) (?P<what>.+)$"
)
_ELSE = re.compile(
    r"(?:(?:(?:that|it|this|yourself|again|once more|one more time|me|slowly|slower|louder|more \w+|pardon|sorry|so"
    r"|no more|nothing|when|please|to me|for me|now)(?: |$))+$"
    r"|(?:that|it|this)\b.*\b(?:again|once more|more slowly|slower|one more time|louder)\b"
    r"|(?:what|which|who|how|where|why) (?:i|you|we|they|he|she|did|do|is|was|are|time|day)\b|my name(?: again)?$"
    r"|(?:the|your|my|that|this|those|these|all|every\w*) (?:\w+ )?(?:questions?|answers?|options?|choices"
    r"|instructions?|message|order|numbers?|list|notes?|choices?|menu|address|price|reservation|booking|details)"
    r"(?: please| again)?$"
    r"|(?:the )?(?:last|previous|same)\b"
    r"|(?:me )?(?:a|an|some|another) .*\b(?:joke|story|poem|riddle|tongue twister)s?\b"
    rf"|.*\b(?:in|to|into) {LANGUAGES}(?: please)?$)"
)
"""What does not stand for itself behind "say" or "repeat" without a mark or "after me"."""
_ANYTHING = re.compile(r"(?:something|anything)(?: (?:nice|funny|else|to me|please|for me))*$")
_WISH = re.compile(
    r"(?P<wish>hello|hi|hey|good ?bye|bye|good ?night|good morning|good afternoon|good evening|happy birthday"
    r"|thank you|thanks|congratulations|merry christmas|happy new year|welcome) to (?:the |my |our |all )?"
    r"(?P<whom>\w+(?: \w+)?)(?: please)?$"
)
_END = re.compile(r"(?:,? (?:please|for me))+[\s.!?]*$", re.IGNORECASE)


def words_to_say(text: str) -> str | None:
    """Return the words that `text` orders to be said, None when it is no such order."""
    head = text[:_LONGEST_ORDER]
    if not re.search(r"\b(?:say|repeat|read|pronounce|recite|speak|announce)\b", head, re.IGNORECASE):
        return None
    heard = hear(head)
    if re.search(rf"{_LEAD}(?:(?:repeat|say|speak) after me)(?: please)?$", heard.plain):
        return "What should I say?"
    match = _ORDER.search(_marked(head)) or _ORDER.search(heard.plain)
    if not match:
        return None
    order = hear(match["sure"] or match["loose"]).words
    at = heard.find(order)
    start = at + len(order)
    if at < 0 or start >= len(heard.words):
        return None
    plain = " ".join(heard.words[start:])
    is_marked = bool(re.search(r"[:\"\u201c\u2018]\s*$|[:,]?\s'$", text[: heard.spans[start][0]]))
    if not (match["sure"] or is_marked):
        if _ELSE.match(plain) or (match["loose"] == "repeat" and heard.words[start] in ("that", "it", "this")):
            return None
        if _ANYTHING.match(plain):
            return "What should I say?"
        if wish := _WISH.match(plain):
            return sentence(f"{wish['wish']}, {wish['whom']}")
        if heard.words[start] == "that" and len(heard.words) > start + 1:
            start += 1
    said = _unquoted(text, heard.spans[start][0])
    if is_marked or match["sure"]:
        return said
    said = _END.sub("", said)
    # In "Can you say good morning?" it is the order that asks.
    return said.rstrip("?") if re.search(r"\b(?:can|could|would|will) you\b", match[0][: match.start("what")]) else said


def _marked(head: str) -> str:
    """Return the plain words of a beginning with the first colon or quotation mark among them."""
    match = re.search(r"[:\"\u201c\u2018]|(?<=\s)'", head)
    if not match:
        return ""
    before, behind = hear(head[: match.start()]).plain, hear(head[match.end() :]).plain
    return f"{before} {match[0]} {behind}"


def _unquoted(text: str, begin: int) -> str:
    """Return the words to be said from an index on, with their case and marks but without quotation marks."""
    said = text[begin:].strip()
    opening = text[:begin].rstrip()[-1:]
    if opening and opening in "\"'\u201c\u2018":
        said = re.split("[\"\u201d\u2019](?!\\w)|'(?!\\w)", said)[0]
    return said.strip()
