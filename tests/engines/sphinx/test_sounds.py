import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.sphinx.library import library
from vivavoce.engines.sphinx.sounds import pronunciation


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("zorblax", "Z AO R B L AE K S"),
        ("fonzy", "F AA N Z IY"),
        ("blake", "B L EY K"),
        ("shim", "SH IH M"),
        ("sql", "EH S K Y UW EH L"),
        ("graphite", "G R AE F AY T"),
        ("ceno", "S EH N OW"),
    ],
)
def test_a_name_sounds_as_it_is_spelled(word: str, phones: str) -> None:
    assert pronunciation(word) == phones


@pytest.mark.parametrize("word", ["", "'", "naïve", "a1", "..."])
def test_what_is_no_word_has_no_sound(word: str) -> None:
    assert pronunciation(word) == ""


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=40))
def test_every_word_has_phones_that_the_model_knows(word: str) -> None:
    assert set(pronunciation(word).split()) <= PHONES
    assert pronunciation(word)


PHONES = {phone for line in library().dictionary.read_text("utf-8").splitlines()[:5000] for phone in line.split()[1:]}
