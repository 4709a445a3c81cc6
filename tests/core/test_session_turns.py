"""What turns do to answers under each of the settings that decide it, and how turns go on when settings change."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import NOTHING, Playbook, kinds
from vivavoce.core import reports as rp

QUICK = {"silence_duration_ms": 64, "prefix_padding_ms": 0}
"""Turns that begin where a voice does, and end after two frames without one."""
STARTED = ["input_audio_buffer.speech_started 0 item_2", "Transcribe item_2 from 0"]
INTERRUPTED = [
    "Abandon resp_1",
    "ClearPlayout",
    "response.output_audio.done item_1",
    "response.output_audio_transcript.done item_1 One two",
    "response.content_part.done item_1 0 'One two'",
    "response.output_item.done resp_1 0 item_1 assistant incomplete One two",
    "conversation.item.done item_1 assistant incomplete One two after None",
    "response.done resp_1 cancelled turn_detected",
    "rate_limits.updated",
]
STOPPED = [
    "input_audio_buffer.speech_stopped 160 item_2",
    "input_audio_buffer.committed item_1 item_2",
    "conversation.item.added item_2 user completed after item_1",
    "conversation.item.done item_2 user completed after item_1",
    "Conclude item_2 at 7680",
]
ANNOUNCED = ["response.created resp_2 in_progress", "rate_limits.updated early"]
FINISHED = [
    "response.output_audio.done item_1",
    "response.output_audio_transcript.done item_1 One two",
    "response.content_part.done item_1 0 'One two'",
    "response.output_item.done resp_1 0 item_1 assistant completed One two",
    "conversation.item.done item_1 assistant completed One two after None",
    "response.done resp_1 completed",
    "rate_limits.updated",
]


def answering(**detection: Any) -> Playbook:
    """A session whose first answer is under way, and that has heard a second since."""
    play = Playbook()
    play.detect(**QUICK, **detection)
    play.report(rp.Said(play.respond(), "One two", bytes(48 * 2000)))
    play.append(1000)
    return play


# ------------------------------------------------------------------------------- what a turn under an answer leads to


def test_a_turn_ends_the_answer_and_is_answered() -> None:
    play = answering(create_response=True, interrupt_response=True)
    assert play.hear(0.9, 0.9, 0.9) == STARTED + INTERRUPTED
    assert play.hear(0.0, 0.0) == STOPPED + ANNOUNCED
    assert play.report(rp.Transcribed("item_2", "hello")) == ["Answer resp_2"]
    assert play.report(rp.Answered("resp_1")) == NOTHING, "that one is over"


def test_a_turn_that_may_not_interrupt_is_answered_after_the_answer() -> None:
    play = answering(create_response=True, interrupt_response=False)
    assert play.hear(0.9, 0.9, 0.9) == STARTED
    assert play.hear(0.0, 0.0) == STOPPED
    assert play.report(rp.Transcribed("item_2", "hello")) == NOTHING
    assert play.report(rp.Answered("resp_1")) == [*FINISHED, *ANNOUNCED, "Answer resp_2"]


def test_a_turn_that_only_interrupts_is_answered_when_the_client_asks() -> None:
    play = answering(create_response=False, interrupt_response=True)
    assert play.hear(0.9, 0.9, 0.9) == STARTED + INTERRUPTED
    assert play.hear(0.0, 0.0) == STOPPED
    assert play.report(rp.Transcribed("item_2", "hello")) == NOTHING
    assert play.client("response.create") == [*ANNOUNCED, "Answer resp_2"]


def test_a_turn_that_does_neither_leaves_everything_to_the_client() -> None:
    play = answering(create_response=False, interrupt_response=False)
    assert play.hear(0.9, 0.9, 0.9) == STARTED
    assert play.hear(0.0, 0.0) == STOPPED
    assert play.report(rp.Transcribed("item_2", "hello")) == NOTHING
    assert play.report(rp.Answered("resp_1")) == FINISHED
    assert play.client("response.create") == [*ANNOUNCED, "Answer resp_2"]


def test_semantic_turns_keep_to_the_same_two_settings() -> None:
    for creates, interrupts in ((True, False), (False, True), (False, False)):
        play = Playbook()
        detection = {"type": "semantic_vad", "create_response": creates, "interrupt_response": interrupts}
        play.update(audio={"input": {"turn_detection": detection}})
        play.report(rp.Said(play.respond(), "One two", bytes(48 * 2000)))
        play.append(1000)
        assert ("response.done resp_1 cancelled turn_detected" in play.hear(0.9, 0.9, 0.9)) == interrupts
        play.report(rp.Overheard("item_2", "hello", "hello", 0.9))
        lines = play.hear(*[0.0] * 20)
        assert kinds(lines)[0] == "input_audio_buffer.speech_stopped"
        play.report(rp.Answered("resp_1"))
        owed = play.session._answering.is_answering
        assert owed == creates, "after the answer or in its place"


# ----------------------------------------------------------------------------------- settings that change meanwhile


@pytest.mark.parametrize("interrupts", [True, False])
def test_whether_speech_interrupts_is_decided_when_it_begins(interrupts: bool) -> None:
    play = answering(interrupt_response=not interrupts)
    play.hear(0.9, 0.9)
    assert play.detect(interrupt_response=interrupts) == ["session.updated"]
    assert play.hear(0.9) == (STARTED + INTERRUPTED if interrupts else STARTED)
    assert play.detect(interrupt_response=True) == ["session.updated"], "it has begun"


@pytest.mark.parametrize("creates", [True, False])
def test_whether_a_turn_is_answered_is_decided_when_it_ends(creates: bool) -> None:
    play = answering(create_response=not creates)
    play.hear(0.9, 0.9, 0.9, 0.0)
    assert play.detect(create_response=creates) == ["session.updated"]
    assert play.hear(0.0) == (STOPPED + ANNOUNCED if creates else STOPPED)


def test_a_higher_threshold_is_for_the_next_frame_and_begins_no_turn_anew() -> None:
    play = Playbook()
    play.detect(**QUICK)
    play.append(1000)
    play.hear(0.6, 0.6)
    assert play.detect(threshold=0.8) == ["session.updated"]
    assert play.hear(0.6, 0.6, 0.6) == NOTHING
    assert kinds(play.hear(0.9, 0.9, 0.9)) == ["input_audio_buffer.speech_started", "Transcribe", "ClearPlayout"]
    assert play.detect(threshold=0.95) == ["session.updated"]
    assert play.hear(0.9, 0.9) == NOTHING, "a voice that is a little under it ends no turn"
    assert kinds(play.hear(0.3, 0.3))[0] == "input_audio_buffer.speech_stopped"


def test_a_lower_threshold_lets_what_was_silence_be_speech() -> None:
    play = Playbook()
    play.detect(**QUICK)
    play.append(1000)
    assert play.hear(0.4, 0.4, 0.4, 0.4) == NOTHING
    play.detect(threshold=0.3)
    assert play.hear(0.4, 0.4, 0.4)[0] == "input_audio_buffer.speech_started 128 item_1"


def test_a_shorter_silence_ends_a_turn_in_the_silence_that_is_under_way() -> None:
    play = Playbook()
    play.detect(prefix_padding_ms=0, silence_duration_ms=500)
    play.append(1000)
    play.hear(0.9, 0.9, 0.9, *[0.0] * 6)
    assert play.detect(silence_duration_ms=200) == ["session.updated"]
    assert play.hear(0.0)[0] == "input_audio_buffer.speech_stopped 320 item_1"


def test_a_longer_silence_gives_the_turn_that_is_under_way_more_time() -> None:
    play = Playbook()
    play.detect(prefix_padding_ms=0, silence_duration_ms=96)
    play.append(1000)
    play.hear(0.9, 0.9, 0.9, 0.0, 0.0)
    play.detect(silence_duration_ms=320)
    assert play.hear(*[0.0] * 7) == NOTHING
    assert play.hear(0.0)[0] == "input_audio_buffer.speech_stopped 416 item_1"


def test_another_prefix_is_for_the_next_turn() -> None:
    play = Playbook()
    play.detect(**QUICK)
    play.append(2000)
    assert play.hear(*[0.0] * 10, 0.9, 0.9, 0.9)[0] == "input_audio_buffer.speech_started 320 item_1"
    play.detect(prefix_padding_ms=100)
    assert play.hear(0.0, 0.0)[0] == "input_audio_buffer.speech_stopped 480 item_1"
    assert play.item("item_1").content[0].audio_ms == 160
    assert play.hear(*[0.0] * 10, 0.9, 0.9, 0.9)[0] == "input_audio_buffer.speech_started 700 item_2"


def test_a_prefix_reaches_back_to_the_turn_before_and_no_further() -> None:
    play = Playbook()
    play.detect(**QUICK)
    play.append(2000)
    play.hear(0.9, 0.9, 0.9, 0.0, 0.0)
    play.detect(prefix_padding_ms=5000)
    assert play.hear(0.0, 0.9, 0.9, 0.9)[0] == "input_audio_buffer.speech_started 160 item_2"


def test_detection_that_is_switched_off_and_on_begins_with_what_comes_then() -> None:
    play = Playbook()
    play.detect(**QUICK)
    play.append(1000)
    play.hear(0.9, 0.9)
    assert play.detect() == ["session.updated"]
    assert play.hear(0.9, 0.9) == NOTHING
    assert play.detect(**QUICK) == ["session.updated"]
    assert play.hear(0.9, 0.9, 0.9) == NOTHING, "audio from before then"
    play.append(1000)
    play.heard_to = 48_000
    assert play.hear(0.9, 0.9, 0.9)[0] == "input_audio_buffer.speech_started 1000 item_1"


def test_fields_that_are_not_told_stay_as_they_were_set() -> None:
    play = answering(create_response=False)
    play.detect(interrupt_response=False)
    assert play.hear(0.9, 0.9, 0.9) == STARTED
    assert play.hear(0.0, 0.0) == STOPPED
