"""Text taken apart into plain words that still know where they stood; word stems, synonyms and ranked retrieval.

Everything else in the dialogue engine works on `Utterance`s, so that typed text with capitals, digits and punctuation
and transcripts without any are understood alike.  Pure.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import msgspec


def lexicon(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())


class Utterance(msgspec.Struct, frozen=True):
    """What somebody said or wrote, with its plain words."""

    text: str
    """As it was given."""
    words: tuple[str, ...]
    """Lower case, contractions written out."""
    spans: tuple[tuple[int, int], ...]
    """For each word where it stands in `text`; the words of one contraction share a span."""

    @property
    def plain(self) -> str:
        """The words joined by single spaces."""
        return " ".join(self.words)

    def raw(self, start: int, end: int) -> str:
        """Return the text as given from word `start` up to, not including, word `end`."""
        if start >= end:
            return ""
        return self.text[self.spans[start][0] : self.spans[end - 1][1]]

    def find(self, phrase: tuple[str, ...]) -> int:
        """Return the index of the word at which `phrase` begins, -1 when it does not occur."""
        size = len(phrase)
        return next((i for i in range(len(self.words) - size + 1) if self.words[i : i + size] == phrase), -1)

    def word_at(self, plain_index: int) -> int:
        """Return the index of the word that begins at or behind an index of `plain`."""
        return self.plain[:plain_index].count(" ") + (plain_index > 0 and self.plain[plain_index - 1] != " ")


_TOKEN = re.compile(
    r"https?://\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\d{1,2}:\d{2}|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.?\d+"
    r"|[^\W\d_]+(?:['\u2019][^\W\d_]+)*|[+*/\u00d7\u00f7=%^$\u20ac\u00a3()]|(?<![^\W\d_])[-\u2212](?![^\W\d_])"
)
_WHOLE = {
    "can't": "can not",
    "won't": "will not",
    "let's": "let us",
    "whats": "what is",
    "wheres": "where is",
    "hows": "how is",
    "im": "i am",
    "dont": "do not",
    "gonna": "going to",
    "wanna": "want to",
    "gimme": "give me",
    "lemme": "let me",
    "cannot": "can not",
    "goodmorning": "good morning",
    "ok": "okay",
    "\u2212": "-",
    "\u00d7": "*",
    "\u00f7": "/",
}
_ENDINGS = {"n't": "not", "'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would"}
_IS = lexicon("what where who how when why that it there here he she name today tomorrow time this everything")


@lru_cache(maxsize=1024)
def hear(text: str) -> Utterance:
    """Return `text` taken apart."""
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for match in _TOKEN.finditer(text):
        for word in _expanded(match[0].lower().replace("\u2019", "'")):
            words.append(word)
            spans.append(match.span())
    return Utterance(text, tuple(words), tuple(spans))


def _expanded(word: str) -> list[str]:
    if word in _WHOLE:
        return _WHOLE[word].split()
    for ending, full in _ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return [word[: -len(ending)], full]
    if word.endswith("'s") and word[:-2] in _IS:
        return [word[:-2], "is"]
    return [word]


QUOTE = re.compile(
    "[\"\u201c]([^\"\u201d]+)[\"\u201d]|(?<!\\w)['\u2018]((?:[^'\u2019]|['\u2019](?=\\w))+)['\u2019](?!\\w)|`([^`]+)`"
)
"""Words in quotation marks, in one of the three groups."""
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)]*\s+|\s*\n\s*")


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`: cut at marks before white space and at line ends, but not inside quotes."""
    text = text.strip()
    quotes = [match.span() for match in QUOTE.finditer(text)]
    pieces: list[str] = []
    begin = 0
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        if any(opened < match.start() < closed - 1 and end < closed for opened, closed in quotes):
            continue
        pieces.append(text[begin:end])
        begin = end
    pieces.append(text[begin:])
    return [piece for piece in (re.sub(r"^(?:[-*\u2022#>]+|\d+[.)])\s+", "", p).strip() for p in pieces) if piece]


_STOP = lexicon(
    "the a an of to in is are was were be been am my your our you i me we us it its on at for and or that this these "
    "those what where do did does can could please would will with from have has had some any so just not as if by "
    "about there here which who how when than then them they he she his her their also too very really like want need "
    "tell know give let may might should shall must get got use used using user"
)


_IRREGULAR = {
    "left": "leav",
    "kept": "keep",
    "bought": "buy",
    "told": "tell",
    "said": "say",
    "met": "meet",
    "hidden": "hid",
    "wrote": "writ",
    "written": "writ",
    "colour": "color",
    "favourite": "favorit",
    "neighbour": "neighbor",
}


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return a word without the endings of plural and tense, roughly."""
    word = word.removesuffix("'s")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 2 and word.endswith(ending) and re.search("[aeiou]", word[: -len(ending)]):
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word


def terms(words: Iterable[str]) -> list[str]:
    """Return the stems of the words that carry meaning."""
    return [stem(word) for word in words if word not in _STOP and (word.isalnum() or "'" in word)]


class Ranking:
    """Ranks short texts by how well they match a question (BM25)."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._bags = [Counter(terms(hear(text).words)) for text in texts]
        self._lengths = [sum(bag.values()) or 1 for bag in self._bags]
        self._mean = sum(self._lengths) / max(1, len(self._lengths))
        self._spread = Counter(term for bag in self._bags for term in bag)

    def best(self, query: Iterable[str]) -> tuple[int, float]:
        """Return the index of the best text and the share of the question's weight that it holds, 0 to 1.

        The index is -1 when nothing matches; equals go to the later text, which is the newer one.
        """
        wanted = {self._known(term) for term in query}
        whole = sum(self._weight(term) for term in wanted) or 1.0
        best, best_score, best_share = -1, 0.0, 0.0
        for index, bag in enumerate(self._bags):
            score = 0.0
            long = 0.25 + 0.75 * self._lengths[index] / self._mean
            for term in wanted & bag.keys():
                score += self._weight(term) * bag[term] * 2.2 / (bag[term] + 1.2 * long)
            if score > 0 and score >= best_score:
                share = sum(self._weight(term) for term in wanted & bag.keys()) / whole
                best, best_score, best_share = index, score, share
        return best, best_share

    def _known(self, term: str) -> str:
        """Return a term of the texts that `term` is a form of ("deliver" of "delivery"), or itself."""
        if term in self._spread or len(term) < 5:
            return term
        return next((known for known in self._spread if known[:5] == term[:5]), term)

    def _weight(self, term: str) -> float:
        count = self._spread.get(term, 0)
        return math.log(1 + (len(self._bags) - count + 0.5) / (count + 0.5))
