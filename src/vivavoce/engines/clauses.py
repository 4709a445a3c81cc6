"""Cutting text that is still being written into clauses that can be spoken.

The first clause comes as early as it sensibly can, so that synthesis starts at once; later ones are sentences.  Every
cut lies behind white space (or behind a full stop of a script that writes none), so numbers, times, addresses and
abbreviations stay whole.  Not a synthesiser and not a clock: `engines.cascade` calls it.
"""

from __future__ import annotations

import re

import msgspec

from .speakable import speakable


class Clause(msgspec.Struct, frozen=True):
    """A piece of an answer that is spoken in one go."""

    text: str
    """As it was written, white space included: the clauses of an answer joined are the whole answer."""
    spoken: str
    """What the synthesiser is to say; empty when the piece holds nothing to pronounce."""
    offsets: tuple[int, ...]
    """For each character of `spoken` its index in `text`."""
    pause_ms: int
    """Silence that belongs between the clause before and this one; 0 for the first."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SENTENCE_PAUSE_MS = 180
_PHRASE_PAUSE_MS = 90
_PARAGRAPH_PAUSE_MS = 350
"""About what a calm reader leaves after a full stop, a comma and a paragraph."""

_FIRST_WORDS = 8
"""So many words without any punctuation are enough to begin to speak."""
_FIRST_PHRASE_LETTERS = 6
"""A phrase shorter than this ("So,") is not worth an utterance of its own."""
_LONG_LETTERS = 240
"""A sentence longer than this is cut at a comma."""
_LONGEST_LETTERS = 400
"""A sentence longer than this is cut between any two words."""

_BREAK = re.compile(
    r"(?P<full>(?P<stop>[.!?\u2026]+)(?P<quote>[\"'\u201d\u2019)\]*_`]*)(?=\s))"
    r"|(?P<wide>[\u3002\uff01\uff1f\uff61]+[\u300d\u300f\u201d\u2019\uff09]*)"
    r"|(?P<soft>[,;:]+[\"'\u201d\u2019)\]*_]*(?=\s)|[ \t][\u2013\u2014-](?=\s)|\u2014(?=\w)"
    r"|[\u3001\uff0c\uff1b\uff1a])"
    r"|(?P<line>\n)"
)
_ABBREVIATIONS = _words(
    "dr mr mrs ms prof st mt ft rev hon gen col capt lt sgt sen rep gov pres jr sr vs no nos fig figs approx dept est "
    "inc ltd co corp e.g i.e cf viz al vol ed pp p ca min max tel ext jan feb mar apr jun jul aug sept sep oct nov dec "
    "mon tue tues wed thu thurs fri sat sun z.b bzw usw"
)
_MAY_END = _words("inc ltd co corp jr sr al etc a.m p.m am pm u.s u.k ph.d b.c a.d")
"""Abbreviations that may close a sentence: the case of what follows tells."""
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022\u25e6\u25aa\u2023][ \t]|\d{1,3}[.)][ \t]|#{1,6}[ \t]|>|\||```|~~~)")
_LIST_SIGN = "-*+#>|`~\u2022\u25e6\u25aa\u20230123456789"
_LAST_WORD = re.compile(r"[^\s(\[\"\u201c*_]*\Z")
_CONNECTIVES = _words("and or but because so which that who when while if with for to in on at from by")
"""An utterance without punctuation is best cut before one of these."""


class ClauseCutter:
    """Cuts one answer; push what is written, flush when the text is complete."""

    def __init__(self, language: str = "") -> None:
        """Begin an answer in a language, which is an ISO 639-1 code or empty for English."""
        self._language = language
        self._held = ""
        self._begun = False
        """Whether anything was there to be spoken yet."""
        self._pause_ms = 0
        self._space = ""
        """White space at the end of the last clause."""

    def push(self, delta: str) -> list[Clause]:
        """Return the clauses that are complete with `delta`."""
        self._held += delta
        return self._cut_all(final=False)

    def flush(self) -> list[Clause]:
        """Return what is left as clauses; the answer is over."""
        clauses = self._cut_all(final=True)
        if self._held:
            clauses.append(self._take(len(self._held), 0))
        return clauses

    def _cut_all(self, *, final: bool) -> list[Clause]:
        clauses: list[Clause] = []
        while cut := self._next_cut(final=final):
            clauses.append(self._take(*cut))
        return clauses

    def _take(self, end: int, pause_ms: int) -> Clause:
        text, self._held = self._held[:end], self._held[end:]
        lead = text[: len(text) - len(text.lstrip())]
        blank = (self._space + lead).count("\n") > 1
        before_ms = max(self._pause_ms, _PARAGRAPH_PAUSE_MS if blank and self._begun else 0)
        self._pause_ms = pause_ms
        self._space = text[len(text.rstrip()) :]
        said = speakable(text, self._language)
        if said.text:
            self._begun = True
        return Clause(text, said.text, said.offsets, before_ms)

    def _next_cut(self, *, final: bool) -> tuple[int, int] | None:
        """Return where the first clause of the held text ends and the pause after it; None when it goes on."""
        text = self._held
        body = len(text) - len(text.lstrip())
        phrase = 0
        for match in _BREAK.finditer(text, body, body + 4 * _LONGEST_LETTERS):
            end = match.end()
            if end - body > _LONG_LETTERS and phrase:
                break
            pause_ms = _judge(text, match, final=final)
            if pause_ms is None:
                return None
            is_phrase = pause_ms == _PHRASE_PAUSE_MS
            if not pause_ms or _in_link(text[:end]) or (is_phrase and end - body <= _FIRST_PHRASE_LETTERS):
                continue
            if not is_phrase or not self._begun:
                return _behind(text, end), pause_ms
            phrase = end
        if len(text) - body > _LONG_LETTERS and phrase:
            return _behind(text, phrase), _PHRASE_PAUSE_MS
        return self._cut_between_words(text, body)

    def _cut_between_words(self, text: str, body: int) -> tuple[int, int] | None:
        """Cut a text without punctuation when it is long enough to be worth speaking."""
        if not self._begun:
            window = text[: body + _LONGEST_LETTERS]
            spaces = [match.end() for match in re.finditer(r"\S++\s+", window)]
            if len(spaces) > _FIRST_WORDS and not _in_link(text[: spaces[_FIRST_WORDS - 1]]):
                for index in range(_FIRST_WORDS, _FIRST_WORDS // 2, -1):
                    if text[spaces[index - 1] : spaces[index]].strip().lower() in _CONNECTIVES:
                        return spaces[index - 1], 0
                return spaces[_FIRST_WORDS - 1], 0
        if len(text) - body <= _LONGEST_LETTERS:
            return None
        space = text.rfind(" ", body, body + _LONGEST_LETTERS)
        if space > body:
            return space + 1, 0
        # A script without spaces; or something endless, which is not worth waiting for.
        is_wide = ord(text[body]) > 0x2E80
        return (body + _LONGEST_LETTERS, 0) if is_wide or len(text) - body > 8 * _LONGEST_LETTERS else None


def _behind(text: str, end: int) -> int:
    """Return the index behind the white space that follows `end`."""
    rest = text[end:]
    return end + len(rest) - len(rest.lstrip())


def _in_link(text: str) -> bool:
    """Return whether `text` ends within the brackets of a link."""
    opened = text.rfind("[")
    return opened > text.rfind("]") and len(text) - opened < 200


def _judge(text: str, match: re.Match[str], *, final: bool) -> int | None:
    """Return the pause that a mark asks for: 0 when it ends nothing, None while what follows must be known first."""
    rest = text[match.end() :]
    following = rest.lstrip()
    if match["wide"]:
        return _SENTENCE_PAUSE_MS
    if match["line"] is not None:
        return _judge_line(
            text[: match.start()], following, blank="\n" in rest[: len(rest) - len(following)], final=final
        )
    if match["soft"]:
        return _PHRASE_PAUSE_MS
    word = _LAST_WORD.search(text[: match.start()])
    last = word[0].lower() if word else ""
    if match["stop"] != ".":
        unfinished = match["stop"].startswith(("..", "\u2026"))
        return _PHRASE_PAUSE_MS if unfinished else _SENTENCE_PAUSE_MS
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
    if line.isdigit() and len(line) <= 3:
        return 0
    if last in _MAY_END:
        if not following and not final:
            return None
        return _SENTENCE_PAUSE_MS if following[:1].isupper() else 0
    initial = len(last) == 1 and last.isalpha() and last != "i" and text[match.start() - 1].isupper()
    return 0 if initial or last in _ABBREVIATIONS else _SENTENCE_PAUSE_MS


def _judge_line(before: str, following: str, *, blank: bool, final: bool) -> int | None:
    """Judge the end of a line: a hard-wrapped line goes on, a heading or an item of a list does not."""
    if blank:
        return _PARAGRAPH_PAUSE_MS
    line = before[before.rfind("\n") + 1 :]
    if not line.strip():
        return 0
    if _LIST_ITEM.match(line):
        return _SENTENCE_PAUSE_MS
    if not final and (not following or (len(following) < 5 and following[0] in _LIST_SIGN)):
        return None
    return _SENTENCE_PAUSE_MS if _LIST_ITEM.match(following) else 0
