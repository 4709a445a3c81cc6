"""Settings by neutral names are those of either shape, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.check.spelling import Spelling, function

SETTINGS: dict[str, Any] = {
    "modalities": "text", "max_tokens": 100, "input_format": "ulaw", "output_format": "alaw", "transcription": None,
    "turn_detection": {"type": "server_vad"}, "noise_reduction": None, "voice": "sage", "speed": 1.2,
    "instructions": "Be brief.",
}  # fmt: skip


def test_ga_nests_and_beta_is_flat() -> None:
    assert Spelling("ga").session(SETTINGS) == {
        "type": "realtime",
        "output_modalities": ["text"],
        "max_output_tokens": 100,
        "instructions": "Be brief.",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": None,
                "turn_detection": {"type": "server_vad"},
                "noise_reduction": None,
            },
            "output": {"format": {"type": "audio/pcma"}, "voice": "sage", "speed": 1.2},
        },
    }
    assert Spelling("beta").session(SETTINGS) == {
        "modalities": ["text"], "max_response_output_tokens": 100, "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_alaw", "input_audio_transcription": None, "turn_detection": {"type": "server_vad"},
        "input_audio_noise_reduction": None, "voice": "sage", "speed": 1.2, "instructions": "Be brief.",
    }  # fmt: skip


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_what_is_written_is_read_again(shape: Any) -> None:
    spelling = Spelling(shape)
    written = spelling.session(SETTINGS)
    assert {name: spelling.read(written, name) for name in SETTINGS} == SETTINGS
    assert spelling.read(written, "nonsense") is None


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_values_that_are_no_words_of_the_protocol_go_through(shape: Any) -> None:
    spelling = Spelling(shape)
    written = spelling.session({"modalities": ["text", "audio"], "input_format": {"type": "audio/mp3"}})
    assert spelling.read(written, "modalities") == "audio"
    assert spelling.read(written, "input_format") is None


def test_paths_are_those_that_errors_name() -> None:
    assert Spelling("ga").path("turn_detection") == "session.audio.input.turn_detection"
    assert Spelling("beta").path("input_format") == "session.input_audio_format"
    assert Spelling("ga").path("voice", "response") == "response.audio.output.voice"


def test_events_have_their_names() -> None:
    ga, beta = Spelling("ga"), Spelling("beta")
    assert beta.kind("response.audio.delta") == "response.output_audio.delta"
    assert ga.kind("response.audio.delta") == "response.audio.delta"
    assert beta.name("conversation.item.added") == "conversation.item.created"
    assert ga.name("conversation.item.added") == "conversation.item.added"


def test_a_function_has_its_schema() -> None:
    tool = function("look_up", word="The word.")
    assert tool["parameters"]["required"] == ["word"]
