"""Counting word sequences and writing them as a trigram language model in the ARPA format.

Witten-Bell discounting: what a history leaves to unseen words grows with how many different words followed it.  It
takes fractional counts, so a phrase can count for several.  Pure; called for the domain's and each session's model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import log10

Gram = tuple[str, ...]

BEGIN, END = "<s>", "</s>"
_NEVER = -99.0
"""What the format writes for a probability of nought."""
_FLOOR = 1e-6
"""A share so small that it is none."""


class Counts:
    """How often each sequence of one, two and three words was seen."""

    def __init__(self) -> None:
        self.grams: tuple[dict[Gram, float], ...] = (defaultdict(float), defaultdict(float), defaultdict(float))

    def add(self, words: Sequence[str], weight: float = 1.0, *, whole: bool = True) -> None:
        """Count `words`: a `whole` utterance, or else a fragment that may stand anywhere in one."""
        line = (BEGIN, *words, END) if whole else tuple(words)
        ones, twos, threes = self.grams
        for i in range(len(line)):
            ones[line[i : i + 1]] += weight
            if i + 1 < len(line):
                twos[line[i : i + 2]] += weight
            if i + 2 < len(line):
                threes[line[i : i + 3]] += weight

    @property
    def words(self) -> list[str]:
        """Every word that was counted, sorted; the marks of beginning and end are not words."""
        return sorted(gram[0] for gram in self.grams[0] if gram[0] not in (BEGIN, END))


def counted(utterances: Iterable[Sequence[str]]) -> Counts:
    """Return the counts of whole utterances."""
    counts = Counts()
    for words in utterances:
        counts.add(words)
    return counts


def arpa(counts: Counts) -> str:
    """Return the model as the text of an ARPA file; every word of the model is in it, and the marks always are."""
    ones, twos, threes = counts.grams
    for mark in (BEGIN, END):
        ones.setdefault((mark,), 1.0)
    total = sum(weight for gram, weight in ones.items() if gram[0] != BEGIN)
    p1 = {gram: weight / total for gram, weight in ones.items()}
    p2, back1 = _discounted(twos, p1)
    p3, back2 = _discounted(threes, p2)
    lines = ["\\data\\", f"ngram 1={len(p1)}", f"ngram 2={len(p2)}", f"ngram 3={len(p3)}", "", "\\1-grams:"]
    for gram in sorted(p1):
        logged = _NEVER if gram[0] == BEGIN else log10(p1[gram])
        lines.append(f"{logged:.4f} {gram[0]} {back1.get(gram, 0.0):.4f}")
    lines += ["", "\\2-grams:"]
    lines += [f"{log10(p2[gram]):.4f} {gram[0]} {gram[1]} {back2.get(gram, 0.0):.4f}" for gram in sorted(p2)]
    lines += ["", "\\3-grams:"]
    lines += [f"{log10(p3[gram]):.4f} {' '.join(gram)}" for gram in sorted(p3)]
    return "\n".join((*lines, "", "\\end\\", ""))


def _discounted(grams: dict[Gram, float], shorter: dict[Gram, float]) -> tuple[dict[Gram, float], dict[Gram, float]]:
    """Return each sequence's probability after its history, and the logarithm of each history's back-off weight.

    What a history leaves to words unseen after it is shared out as the `shorter` model would.
    """
    seen: dict[Gram, float] = defaultdict(float)
    kinds: dict[Gram, int] = defaultdict(int)
    covered: dict[Gram, float] = defaultdict(float)
    for gram, weight in grams.items():
        history = gram[:-1]
        seen[history] += weight
        kinds[history] += 1
        covered[history] += shorter[gram[1:]]
    # Nothing is left where every word was seen.
    left = {h: kinds[h] / (seen[h] + kinds[h]) if covered[h] < 1.0 - _FLOOR else 0.0 for h in seen}
    probabilities = {gram: weight * (1.0 - left[gram[:-1]]) / seen[gram[:-1]] for gram, weight in grams.items()}
    return probabilities, {h: log10(max(left[h], _FLOOR) / max(1.0 - covered[h], _FLOOR)) for h in seen}
