"""Recognising instructions that ask for the user's text to be spoken as it stands.

Such instructions come in countless wordings, so their signs are weighed rather than matched as sentences.  Pure.
"""

from __future__ import annotations

import re

_VERB = (
    r"(?:repeat|read|speak|say|recite|narrate|vocali[sz]e|voice|pronounce|convert|echo|render|synthesi[sz]e|parrot|"
    r"verbali[sz]e|utter|reproduce|dictate|turn)(?:s|d|ing)?"
)
_OBJECT = (
    r"(?:(?:the |this |that |any |all |every |each |whatever |given |provided |following |entire |exact |user'?s? "
    r"|input "
    r"|written |supplied |what(?:ever)? |of |their |his |her |my |your )*"
    r"(?:text|texts|messages?|input|inputs|words|script|content|contents|passage|sentences?|paragraphs?|prompts?|"
    r"utterances?|chapter|book|lines?|transcript|everything|anything|speech)"
    r"|(?:back )?(?:exactly )?(?:what(?:ever)?|everything|anything|all(?: that)?) (?:the |your )?"
    r"(?:user|they|he|she|i|you|people|customer|caller|client|is|was|it)\b"
    r"|after (?:the user|me|them)|it back"
    r"|(?:it|them)(?= (?:verbatim|word|exactly|as|out loud|aloud|unchanged|literally|in full)\b))"
)
_READ = re.compile(rf"\b{_VERB}\b(?: \w+){{0,5}}? {_OBJECT}")
_NOT_READ = re.compile(r"\b(?:do not|don't|never|not) (?:\w+ )?(?:read|speak|say|repeat)\b")
_PERSONA = re.compile(
    r"\btext[- ]?(?:to|2)[- ]?(?:speech|audio|voice)\b|\btts\b|\bspeech synthesi\w+|\bnarrator\b|\bvoice[- ]?over\b"
    r"|\bvoice (?:actor|artist|talent)\b|\baudio ?book\b|\bread(?:er|ing)[- ]aloud\b|\bparrot\b"
    r"|\becho (?:bot|service|assistant|server|machine)\b|\bnews ?reader\b|\bscreen reader\b|\breading machine\b"
)
_SPEAKS = re.compile(r"\bread\b|\bspeech\b|\btts\b")
_CHANGING = (
    r"(?:add|chang|modif|alter|comment|omi|paraphras|respon|answer|interpret|skip|summar|improvis|repl|translat|"
    r"convers)\w*"
)
_EXACT = re.compile(
    r"\bword[- ](?:for|by)[- ]word\b|\bverbatim\b|\bexact(?:ly)?\b|\bas[- ](?:it )?(?:is|are)\b|\bunchanged\b"
    r"|\bas (?:it is |they are |was )?(?:written|given|provided|received|typed|it stands|they stand)\b"
    rf"|\bwithout (?:any )?(?:extra|{_CHANGING})"
    r"|\bliteral(?:ly)?\b|\bnothing (?:else|more)\b|\bfaithful(?:ly)?\b|\bprecisely\b"
    r"|\bno (?:additions|changes|comments?|commentary|extra|paraphras\w+)\b"
    rf"|\b(?:do not|don't|never|must not|should not)(?: \w+){{0,2}} {_CHANGING}"
    r"|\b(?:out loud|aloud)\b|\bin full\b|\bdirectly\b|\bcompletely\b"
)
_CONDITIONAL = re.compile(r"^(?:when|if|after|before|once|whenever|unless|while|at the end|in case)\b")
_PIECE = re.compile(
    r"\b(?:phone|telephone|order|account|confirmation|card|reference) (?:number|details?)"
    r"|\bthe (?:order|address|reservation|booking|question|name|number|answer|options?|menu)\b"
    r"|\bback to (?:the (?:user|caller|customer)|them|confirm)|\bconfirm"
)
"""What is repeated in the course of a conversation rather than instead of one."""
_STRONG = re.compile(
    r"\b(?:repeat|echo|parrot)(?:s|ing)?\b(?: back)?(?: exactly| verbatim| only| just)? "
    r"(?:(?:everything|anything|exactly|what(?:ever)?|all)\b(?: that)?(?: what)? (?:the user|the caller|they|i|you"
    r"|people)"
    r" (?:says?|writes?|types?|sends?|said|tells?)"
    r"|(?:the )?user(?:'s)? (?:message|input|text|words|utterance|speech|sentence|prompt)|after the user"
    r"|(?:back )?the user\b)"
)
_LONGEST = 8_000
"""Characters that are looked at; nobody asks for reading aloud in more."""


def wants_verbatim(instructions: str) -> bool:
    """Return whether instructions ask for the user's text to be spoken word for word."""
    text = re.sub(r"\s+", " ", instructions[:_LONGEST].lower().replace("\u2019", "'"))
    signs = 0
    is_read = False
    for said in re.split(r"(?<=[.!?:;])\s+|\s-\s", text):
        if _CONDITIONAL.match(said) or _PIECE.search(said):
            continue
        if _STRONG.search(said):
            return True
        if _READ.search(said) and not _NOT_READ.search(said):
            is_read = True
            signs += bool(_EXACT.search(said))
    if is_read or _SPEAKS.search(text):
        signs += 2 * bool(_PERSONA.search(text))
    if is_read:
        signs += 1 + bool(_EXACT.search(text))
    return signs >= 2
