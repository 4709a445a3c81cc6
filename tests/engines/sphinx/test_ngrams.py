import math
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.sphinx.ngrams import BEGIN, END, Counts, arpa, counted

WORDS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=6)


class Model:
    """An independent reading of the ARPA text."""

    def __init__(self, text: str) -> None:
        self.probability: dict[tuple[str, ...], float] = {}
        self.backoff: dict[tuple[str, ...], float] = defaultdict(float)
        self.promised: dict[int, int] = {}
        order = 0
        for line in text.splitlines():
            if line.startswith("ngram "):
                n, _, count = line[6:].partition("=")
                self.promised[int(n)] = int(count)
            elif line.endswith("-grams:"):
                order = int(line[1])
            elif order and line and not line.startswith("\\"):
                fields = line.split()
                gram = tuple(fields[1 : order + 1])
                self.probability[gram] = float(fields[0])
                if len(fields) > order + 1:
                    self.backoff[gram] = float(fields[-1])

    def log10(self, gram: tuple[str, ...]) -> float:
        if gram in self.probability:
            return self.probability[gram]
        return self.backoff[gram[:-1]] + self.log10(gram[1:])


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_after_any_history_the_probabilities_add_up_to_one(sentences: list[list[str]]) -> None:
    model = Model(arpa(counted(sentences)))
    vocabulary = [gram[0] for gram in model.probability if len(gram) == 1 and gram[0] != BEGIN]
    histories = [(), *{gram[:-1] for gram in model.probability if len(gram) > 1}]
    for history in histories:
        total = sum(10 ** model.log10((*history, word)) for word in vocabulary)
        assert math.isclose(total, 1.0, abs_tol=0.01)


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_the_header_counts_what_follows(sentences: list[list[str]]) -> None:
    model = Model(arpa(counted(sentences)))
    for order in (1, 2, 3):
        assert model.promised[order] == sum(len(gram) == order for gram in model.probability)


def test_a_fragment_neither_begins_nor_ends_an_utterance() -> None:
    counts = Counts()
    counts.add(("open", "sesame"), 2.0, whole=False)
    model = Model(arpa(counts))
    assert (BEGIN, "open") not in model.probability
    assert ("sesame", END) not in model.probability
    assert model.log10(("open", "sesame")) > model.log10(("sesame", "open"))


def test_weight_makes_a_phrase_likelier() -> None:
    counts = Counts()
    counts.add(("a", "b"), 1.0)
    counts.add(("a", "c"), 5.0)
    model = Model(arpa(counts))
    assert model.log10(("a", "c")) > model.log10(("a", "b"))


def test_the_marks_are_always_there() -> None:
    counts = Counts()
    counts.add(("a",), whole=False)
    model = Model(arpa(counts))
    assert {(BEGIN,), (END,), ("a",)} <= model.probability.keys()
    assert counts.words == ["a"]
