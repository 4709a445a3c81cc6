"""What one session adds to the recogniser: a small language model of its words, and the words no session shares.

A word outside the common dictionary is entered under a marked name that only this session's model knows.  So a decoder
that has learned it for one session cannot hear it in another, whichever it served before.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import msgspec

from ...core.effects import Vocabulary
from .ngrams import Counts, arpa
from .prepare import Prepared, Words
from .sounds import pronunciation
from .wording import sequences

MARK = "~"
"""Ends the name of a word that belongs to single sessions; no dictionary word contains it."""
MAX_NEW_WORDS = 400
"""Words outside the common dictionary that one session may add; more would make the search slow for it."""
_SHORTEST_GUESS = 3
"""Letters below which a word that no dictionary has is a fragment of something unspeakable."""
_MAX_WORDS = 6_000
"""Words of sequences that are counted: the model of so many is built in 50 ms."""


class Grammar(msgspec.Struct, frozen=True):
    """A session's model and its own words."""

    arpa: str
    """Text of an ARPA file; empty when the session adds nothing."""
    words: tuple[tuple[str, str], ...] = ()
    """Names to add to the dictionary with their phones; `name(2)` is another way to say `name`."""


class Grammars:
    """Grammars of vocabularies, the last few kept; shared by the decoders of a process."""

    def __init__(self, prepared: Prepared, keep: int = 32) -> None:
        self._prepared = prepared
        self._keep = keep
        self._lock = Lock()
        self._known: OrderedDict[Vocabulary, Grammar] = OrderedDict()
        self._common: Words | None = None
        self._rare: Words | None = None

    def of(self, vocabulary: Vocabulary) -> Grammar:
        """Return the grammar of a vocabulary (up to 0.1 s the first time)."""
        with self._lock:
            if vocabulary in self._known:
                self._known.move_to_end(vocabulary)
                return self._known[vocabulary]
            grammar = self._made(vocabulary)
            self._known[vocabulary] = grammar
            while len(self._known) > self._keep:
                self._known.popitem(last=False)
            return grammar

    def _made(self, vocabulary: Vocabulary) -> Grammar:
        if vocabulary.language and not vocabulary.language.lower().startswith("en"):
            return Grammar("")  # its texts are in a language whose words this recogniser cannot say
        if self._common is None or self._rare is None:
            self._common, self._rare = Words(self._prepared.common), Words(self._prepared.rare)
        names: dict[str, str] = {}
        added: dict[str, list[str]] = {}
        counts = Counts()
        budget = _MAX_WORDS
        for sequence in sequences(vocabulary):
            budget -= len(sequence.words)
            if budget < 0:
                break
            for run in self._named(sequence.words, names, added):
                counts.add(run, sequence.weight, whole=sequence.whole and len(run) == len(sequence.words))
        if not counts.grams[0]:
            return Grammar("")
        entries = [
            (name if i == 1 else f"{name}({i})", phones)
            for name, ways in added.items()
            for i, phones in enumerate(ways, 1)
        ]
        return Grammar(arpa(counts), tuple(entries))

    def _named(
        self, words: tuple[str, ...], names: dict[str, str], added: dict[str, list[str]]
    ) -> list[tuple[str, ...]]:
        """Return the runs of words that can be heard, under the names by which the dictionary will have them."""
        runs: list[list[str]] = [[]]
        for word in words:
            if word not in names:
                names[word] = self._name(word, added)
            if names[word]:
                runs[-1].append(names[word])
            elif runs[-1]:
                runs.append([])
        return [tuple(run) for run in runs if run]

    def _name(self, word: str, added: dict[str, list[str]]) -> str:
        """Return the dictionary's name for a word, marked if it must be added; empty when it cannot be said."""
        assert self._common is not None
        assert self._rare is not None
        if self._common.pronunciations(word):
            return word
        if len(added) >= MAX_NEW_WORDS:
            return ""
        ways = self._rare.pronunciations(word)
        if not ways and len(word) >= _SHORTEST_GUESS:
            guess = pronunciation(word)
            ways = [guess] if guess else []
        if not ways:
            return ""
        added[word + MARK] = ways[:4]
        return word + MARK
