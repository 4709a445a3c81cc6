from vivavoce.engines.sphinx.domain import sentences
from vivavoce.engines.sphinx.library import library


def test_the_same_sentences_are_drawn_every_time() -> None:
    first = list(sentences(count=500))
    assert list(sentences(count=500)) == first
    assert len(set(first)) > 300


def test_sentences_can_be_held_out() -> None:
    out = set(sentences(count=200))
    assert out.isdisjoint(sentences(exclude=out, count=2000))


def test_every_word_is_in_the_dictionary() -> None:
    known = {line.partition(" ")[0] for line in library().dictionary.read_text("utf-8").splitlines()}
    assert {word for text in sentences() for word in text.split()} <= known


def test_sentences_are_plain_words() -> None:
    assert all("{" not in text and "|" not in text and text == " ".join(text.split()) for text in sentences())
