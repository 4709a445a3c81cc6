"""What of a written text is said aloud: markdown, code marks, links and emojis taken away or put into words.

Not a text normaliser for synthesisers: numbers, dates and abbreviations stay as they are written.  Called by
`engines.clauses` and by the dialogue engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec


class Speakable(msgspec.Struct, frozen=True):
    """The spoken form of a text and where each of its characters stands in the written one."""

    text: str
    """What a synthesiser is to say; empty when there is nothing to pronounce."""
    offsets: tuple[int, ...] = ()
    """For each character of `text` the index in the written text that it came from; never descending."""


_EMOJI = (
    "\U0001f000-\U0001faff\U0001fb00-\U0001fbff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\u3297\u3299"
    "\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f"
)
_DEGREES: dict[str | None, str] = {None: " degrees", "C": " degrees Celsius", "F": " degrees Fahrenheit"}
_RULES: tuple[tuple[str, str, str | Callable[[re.Match[str]], str]], ...] = (
    ("fence", r"^[ \t]*(?:```|~~~)[^\n`]*$", ""),
    ("rule", r"^[ \t]*(?:[-*_=][ \t]*){3,}$", ""),
    ("table", r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*:?-*:?[ \t]*$", ""),
    ("heading", r"^[ \t]*#{1,6}[ \t]+", ""),
    ("bullet", r"^[ \t]*(?:[-*+\u2022\u25e6\u25aa\u2023][ \t]+)(?:\[[ xX]\][ \t]+)?", ""),
    ("quote", r"^[ \t]*(?:>[ \t]?)+", ""),
    ("image", r"!\[(?P<alt>[^\[\]\n]{0,200})\]\([^()\s]{0,500}\)", "alt"),
    ("link", r"\[(?P<label>[^\[\]\n]{1,200})\]\([^()\s]{0,500}\)", "label"),
    ("note", r"\[\^?\d{1,3}\](?=[\s.,;:!?)]|$)", ""),
    ("url", r"<?\bhttps?://(?:www\.)?(?P<host>[\w.-]*\w)(?::\d+)?(?:[/?#][^\s<>()\[\]]*[\w/=])?>?", "host"),
    ("tag", r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>\n]{0,80})?/?>", ""),
    ("product", r"(?<=\d)[ \t]*[*\u00d7][ \t]*(?=\d)", lambda match: " times "),
    ("degrees", r"\u00b0[ \t]?(?P<scale>[CF]\b)?", lambda match: _DEGREES[match["scale"]]),
    ("strong", r"\*+|~~|`+|(?<![^\W_])_+(?=\S)|(?<=\S)_+(?![^\W_])", ""),
    ("joint", r"(?<=[^\W_])_+(?=[^\W_])", lambda match: " "),
    ("cell", r"[ \t]*\|[ \t]*", lambda match: ", "),
    ("emoji", f"[{_EMOJI}]+", ""),
    ("space", r"\s+", lambda match: " "),
)
_PATTERN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern, _ in _RULES), re.MULTILINE)
_ENGLISH = ("product", "degrees")
"""Rules that put marks into English words; in other languages synthesisers know better words for them."""
_ACTIONS = {name: action for name, _, action in _RULES}


def speakable(text: str, language: str = "") -> Speakable:
    """Return what is said of `text`, in English unless told; the written text itself is left to the transcript."""
    spoken: list[str] = []
    offsets: list[int] = []

    def say(piece: str, start: int, *, moves: bool) -> None:
        for index, character in enumerate(piece):
            if character == " " and (not spoken or spoken[-1] == " "):
                continue
            spoken.append(character)
            offsets.append(start + index if moves else start)

    at = 0
    for match in _PATTERN.finditer(text):
        say(text[at : match.start()], at, moves=True)
        rule = match.lastgroup or _rule_of(match)
        action = _ACTIONS[rule]
        if rule in _ENGLISH and language not in ("", "en"):
            say(match[0], match.start(), moves=True)
        elif callable(action):
            say(action(match), match.start(), moves=False)
        elif action:
            say(match[action], match.start(action), moves=True)
        at = match.end()
    say(text[at:], at, moves=True)
    if not any(character.isalnum() for character in spoken):
        return Speakable("")
    while spoken[-1] == " ":
        spoken.pop()
        offsets.pop()
    return Speakable("".join(spoken), tuple(offsets))


def _rule_of(match: re.Match[str]) -> str:
    return next(name for name in _ACTIONS if match[name] is not None)
