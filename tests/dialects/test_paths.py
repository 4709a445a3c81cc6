from __future__ import annotations

import pytest

from vivavoce.dialects import paths


@pytest.mark.parametrize(("flat", "nested"), paths.GA_PATHS.items())
def test_each_path_has_its_counterpart_and_comes_back(flat: str, nested: str) -> None:
    for owner in ("session", "response"):
        assert paths.nested(f"{owner}.{flat}") == f"{owner}.{nested}"
        assert paths.flat(f"{owner}.{nested}") == f"{owner}.{flat}"


def test_what_lies_below_a_path_moves_with_it() -> None:
    below = "session.audio.input.turn_detection.threshold"
    assert paths.flat(below) == "session.turn_detection.threshold"
    assert paths.nested(paths.flat(below)) == below


def test_a_format_is_one_word_in_the_beta_shape() -> None:
    assert paths.flat("session.audio.input.format.type") == "session.input_audio_format"


def test_paths_are_found_inside_sentences() -> None:
    told = "Invalid type for 'session.audio.output.speed': expected a number. See session.audio.output.voice."
    assert paths.flat(told) == "Invalid type for 'session.speed': expected a number. See session.voice."


@pytest.mark.parametrize(
    "text",
    [
        "response.output_audio.delta",
        "session.audio.output.voices",
        "mysession.audio.output.voice",
        "x.session.audio.output.voice",
        "session.instructions",
        "item.content[0].text",
    ],
)
def test_other_words_stay_as_they_are(text: str) -> None:
    assert paths.flat(text) == text
    assert paths.nested(text) == text
