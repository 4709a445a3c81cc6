"""Recognising instructions that ask for the user's text to be spoken as it stands.

Such instructions come in countless wordings, so their signs are weighed rather than matched as sentences.  Pure.
"""

from __future__ import annotations

import re

_VERB = r"(?:repeat|read|speak|say|recite|narrate|vocali[sz]e|voice|pronounce|convert|echo|render|synthesi[sz]e|parrot|verbali[sz]e|utter|reproduce|dictate|turn)(?:s|d|ing)?"
_OBJECT = (
    r"(?:(?:the |this |that |any |all |every |each |whatever |given |provided |following |entire |exact |user'?s? |input |written |supplied |"
    r"what(?:ever)? |of |their |his |her |my |your )*"
    r"(?:text|texts|messages?|input|inputs|words|script|content|contents|passage|sentences?|paragraphs?|prompts?|utterances?|chapter|book|lines?|transcript|everything|anything|speech)"
    r"|(?:back )?(?:exactly )?(?:what(?:ever)?|everything|anything|all(?: that)?) (?:the |your )?(?:user|they|he|she|i|you|people|customer|caller|client|is|was|it)\b"
    r"|after (?:the user|me|them)|it back|(?:it|them)(?= (?:verbatim|word|exactly|as|out loud|aloud|unchanged|literally|in full)\b))"
)
_READ = re.compile(rf"\b{_VERB}\b(?: \w+){{0,5}}? {_OBJECT}")
_PERSONA = re.compile(
    r"\btext[- ]?(?:to|2)[- ]?(?:speech|audio|voice)\b|\btts\b|\bspeech synthesi\w+|\bnarrator\b|\bvoice[- ]?over\b|\bvoice (?:actor|artist|talent)\b"
    r"|\baudio ?book\b|\bread(?:er|ing)[- ]aloud\b|\bparrot\b|\becho (?:bot|service|assistant|server|machine)\b|\bnews ?reader\b|\bscreen reader\b|\breading machine\b"
)
_EXACT = re.compile(
    r"\bword[- ](?:for|by)[- ]word\b|\bverbatim\b|\bexact(?:ly)?\b|\bas[- ](?:it )?(?:is|are)\b|\bas (?:it is |they are |was )?(?:written|given|provided|received|typed|it stands|they stand)\b"
    r"|\bwithout (?:any )?(?:adding|chang\w+|modif\w+|alter\w+|addition\w*|comment\w*|omi\w+|paraphras\w+|respon\w+|answer\w*|interpret\w*|skip\w*|extra|summar\w+|improvis\w+)"
    r"|\bunchanged\b|\bliteral(?:ly)?\b|\bnothing (?:else|more)\b|\bfaithful(?:ly)?\b|\bprecisely\b|\bno (?:additions|changes|comments?|commentary|extra|paraphras\w+)\b"
    r"|\b(?:do not|don't|never|must not|should not)(?: \w+){0,2} (?:add|change|alter|modify|answer|respond|reply|comment|paraphrase|interpret|omit|skip|summari[sz]e|improvise|translate|converse)\b"
    r"|\b(?:out loud|aloud)\b|\bin full\b|\bdirectly\b|\bcompletely\b"
)
_CONDITIONAL = re.compile(r"^(?:when|if|after|before|once|whenever|unless|while|at the end|in case)\b")
_PIECE = re.compile(
    r"\b(?:phone|telephone|order|account|confirmation|card|reference) (?:number|details?)|\bthe (?:order|address|reservation|booking|question|name|number|answer|options?|menu)\b"
    r"|\bback to (?:the (?:user|caller|customer)|them|confirm)|\bconfirm"
)
_STRONG = re.compile(
    r"\b(?:repeat|echo|parrot)(?:s|ing)?\b(?: back)?(?: exactly| verbatim| only| just)? (?:(?:everything|anything|exactly|what(?:ever)?|all)\b(?: that)?(?: what)? ?(?:the user|the caller|they|i|you|is|people) ?(?:says?|writes?|types?|sends?|said|tells?|hears?)?"
    r"|(?:the )?user(?:'s)? (?:message|input|text|words|utterance|speech|sentence|prompt)|after the user|(?:back )?the user\b)"
)


def wants_verbatim(instructions: str) -> bool:
    """Return whether instructions ask for the user's text to be spoken word for word."""
    text = re.sub(r"\s+", " ", instructions.lower().replace("\u2019", "'"))
    score = 0
    is_read = False
    for said in re.split(r"(?<=[.!?:;])\s+|\s-\s", text):
        if _CONDITIONAL.match(said) or _PIECE.search(said):
            continue
        if _STRONG.search(said):
            return True
        if _READ.search(said) and not re.search(
            r"\b(?:do not|don't|never|not) (?:\w+ )?(?:read|speak|say|repeat)\b", said
        ):
            is_read = True
            score += bool(_EXACT.search(said))
    score += is_read
    score += 2 * bool(_PERSONA.search(text)) if is_read or re.search(r"\bread\b|\bspeech\b|\btts\b", text) else 0
    score += bool(_EXACT.search(text)) and is_read
    return score >= 2
