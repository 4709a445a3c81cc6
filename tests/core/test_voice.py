"""What clients that ask are told of the voice in their audio, and that nobody else is."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import NOTHING, Playbook
from vivavoce.core.settings import SemanticVad, ServerVad, Settings
from vivavoce.core.voice import PROBABILITY

FRAME_TICKS = 1536
INCLUDE = [PROBABILITY]


def curious(shape: str = "ga", **detection: Any) -> Playbook:
    """A session whose client asks for probabilities."""
    return Playbook(Settings(turn_detection=ServerVad(**detection)), shape=shape, update={"include": INCLUDE})


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_a_client_that_asks_is_told_how_likely_speech_is_five_frames_at_a_time(shape: str) -> None:
    play = curious(shape, threshold=0.6)
    play.append(1000)
    assert play.hear(0.01, 0.1234567, 0.2, 0.3) == NOTHING
    play.hear(0.4)
    (message,) = play.messages()
    del message["event_id"]
    assert message == {
        "type": "input_audio_buffer.voice_probability",
        "audio_end_ms": 160,
        "frame_ms": 32,
        "probabilities": [0.01, 0.123, 0.2, 0.3, 0.4],
        "threshold": 0.6,
    }


def test_it_comes_after_what_the_same_frame_decided() -> None:
    play = curious()
    play.append(1000)
    assert play.hear(0.01, 0.01, 0.9, 0.9, 0.9) == [
        "input_audio_buffer.speech_started 0 item_1",
        "Transcribe item_1 from 0",
        "ClearPlayout",
        "input_audio_buffer.voice_probability 160 32 (0.01, 0.01, 0.9, 0.9, 0.9) 0.5",
    ]


def test_semantic_turns_have_a_threshold_of_their_own() -> None:
    play = Playbook(Settings(turn_detection=SemanticVad()), update={"include": INCLUDE})
    play.append(1000)
    assert play.hear(*[0.1] * 5) == ["input_audio_buffer.voice_probability 160 32 (0.1, 0.1, 0.1, 0.1, 0.1) 0.5"]


def test_a_transcription_session_tells_it_too() -> None:
    play = Playbook(Settings(kind="transcription"), update={"include": INCLUDE})
    play.append(1000)
    assert play.hear(*[0.1] * 5) == ["input_audio_buffer.voice_probability 160 32 (0.1, 0.1, 0.1, 0.1, 0.1) 0.5"]


def test_frames_with_a_stretch_between_them_are_not_told_as_one() -> None:
    play = curious()
    play.append(1000)
    play.hear(0.1, 0.2)
    play.heard_to = 20 * FRAME_TICKS
    assert play.hear(*[0.3] * 4) == NOTHING
    assert play.hear(0.3) == ["input_audio_buffer.voice_probability 800 32 (0.3, 0.3, 0.3, 0.3, 0.3) 0.5"]


def test_who_asks_no_more_is_told_no_more() -> None:
    play = curious()
    play.append(1000)
    play.hear(0.1, 0.1, 0.1)
    play.update(include=None)
    assert play.hear(*[0.1] * 9) == NOTHING
    play.update(include=INCLUDE)
    assert play.hear(*[0.2] * 4) == NOTHING


@pytest.mark.parametrize("include", [None, ["response.usage.cost"]])
def test_who_does_not_ask_is_told_nothing(include: list[str] | None) -> None:
    play = Playbook(update={"include": include})
    play.append(1000)
    assert play.hear(*[0.1] * 9) == NOTHING
