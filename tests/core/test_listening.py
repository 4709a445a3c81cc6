"""What a session hears: utterances, commits, clears, changes of settings in between, and the words that come back."""

from __future__ import annotations

import math
from typing import Any

import pytest

from playbook import NOTHING, Playbook, b64, kinds
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.formats import PCM_8K, PCM_24K, PCMU
from vivavoce.core.states import LogProb

PCMU_GA = {"type": "audio/pcmu"}
LOGPROBS = "item.input_audio_transcription.logprobs"
COMMITTED = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]


def transcribing(model: str = "whisper-1", *, vad: bool = False, **more: Any) -> Playbook:
    """A session that tells transcripts."""
    given: dict[str, Any] = {"transcription": {"model": model, **more}}
    if not vad:
        given["turn_detection"] = None
    return Playbook(update={"audio": {"input": given}})


def commit(play: Playbook) -> list[str]:
    return play.client("input_audio_buffer.commit")


# ------------------------------------------------------------------------------------------------- turn detection


def test_audio_is_listened_to_for_voices_while_turns_are_detected() -> None:
    play = Playbook()
    assert play.append(20) == ["Listen 0+960 detect"]
    assert play.append(20) == ["Listen 960+960 detect"]
    assert play.append(0) == NOTHING


def test_turns_that_are_not_to_be_answered_are_only_committed() -> None:
    play = Playbook()
    play.detect(create_response=False)
    play.speak()
    assert kinds(play.stop_speaking()) == ["input_audio_buffer.speech_stopped", *COMMITTED, "Conclude"]


def test_the_item_of_a_turn_is_the_audio_between_its_start_and_its_end() -> None:
    play = Playbook()
    play.detect(prefix_padding_ms=100, silence_duration_ms=320)
    samples = b"".join((n % 65536).to_bytes(2, "little") for n in range(24 * 2000))
    play.client("input_audio_buffer.append", audio=b64(samples))
    lines = play.hear(*[0.0] * 10, *[0.9] * 10, *[0.0] * 10)
    assert lines[0] == "input_audio_buffer.speech_started 220 item_1"
    assert "input_audio_buffer.speech_stopped 960 item_1" in lines
    assert "Conclude item_1 at 46080" in lines
    assert play.item("item_1").content[0].audio == samples[220 * 48 : 960 * 48]


def test_positions_run_on_over_all_turns_and_commits() -> None:
    play = Playbook()
    play.turn()
    play.append(500)
    commit(play)
    play.append(100)
    play.hear(*[0.0] * 50)
    lines = play.speak()
    assert lines[0] == "input_audio_buffer.speech_started 2500 item_3"


def test_audio_between_turns_is_let_go() -> None:
    play = Playbook()
    for _ in range(100):
        play.append(1000)
        play.hear(*[0.0] * 31)
    assert play.session._listening.buffer.has_room(48 * 1024 * 1024 - 48 * 6000)


def test_a_client_may_commit_in_the_middle_of_a_turn() -> None:
    play = Playbook()
    play.speak()
    assert commit(play) == [
        "input_audio_buffer.speech_stopped 1000 item_1",
        "input_audio_buffer.committed None item_1",
        "conversation.item.added item_1 user completed after None",
        "conversation.item.done item_1 user completed after None",
        "Conclude item_1 at 48000",
    ]
    assert play.hear(*[0.9] * 10) == NOTHING, "that audio was committed"
    assert play.stop_speaking() == NOTHING


def test_a_client_may_commit_while_nobody_speaks() -> None:
    play = Playbook()
    play.append(300)
    assert commit(play) == [
        "Transcribe item_1 from 0",
        "input_audio_buffer.committed None item_1",
        "conversation.item.added item_1 user completed after None",
        "conversation.item.done item_1 user completed after None",
        "Conclude item_1 at 14400",
    ]


def test_a_clear_in_the_middle_of_a_turn_ends_and_forgets_it() -> None:
    play = Playbook()
    play.speak()
    assert play.client("input_audio_buffer.clear") == [
        "input_audio_buffer.speech_stopped 1000 item_1",
        "Discard item_1",
        "input_audio_buffer.cleared",
    ]
    assert play.stop_speaking() == NOTHING
    assert play.report(rp.Transcribed("item_1", "late")) == NOTHING
    assert play.speak()[0] == "input_audio_buffer.speech_started 1000 item_2"


def test_a_clear_of_nothing_is_told_too() -> None:
    assert Playbook().client("input_audio_buffer.clear") == ["input_audio_buffer.cleared"]


def test_turning_the_detection_off_in_the_middle_of_a_turn_leaves_it_to_the_client() -> None:
    play = Playbook()
    play.speak()
    assert play.detect() == ["session.updated", "input_audio_buffer.speech_stopped 1000 item_1"]
    assert play.append(100) == ["Listen 48000+4800 only"]
    assert play.hear(0.9, 0.0) == NOTHING
    lines = commit(play)
    assert (lines[0], lines[-1]) == ("input_audio_buffer.committed None item_1", "Conclude item_1 at 52800")


def test_turning_the_detection_off_in_quiet_begins_anew() -> None:
    play = Playbook()
    play.append(500)
    assert play.detect() == ["session.updated"]
    assert commit(play) == ["error input_audio_buffer_commit_empty None"]
    assert play.append(100) == ["Transcribe item_1 from 24000", "Listen 24000+4800 only"]


def test_turning_the_detection_on_takes_the_utterance_back() -> None:
    play = Playbook()
    play.detect()
    play.append(500)
    assert play.detect(threshold=0.6) == ["session.updated", "Discard item_1"]
    play.heard_to = 16 * 1536
    lines = play.speak()
    assert lines[0] == "input_audio_buffer.speech_started 500 item_2"


def test_turning_the_detection_on_after_the_words_came_has_nothing_to_take_back() -> None:
    play = Playbook()
    play.detect()
    play.append(500)
    play.report(rp.Transcribed("item_1", "early"))
    assert play.detect(threshold=0.6) == ["session.updated"]


def test_a_change_of_the_detection_goes_on_with_the_turn() -> None:
    play = Playbook()
    play.speak()
    assert play.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}) == [
        "session.updated"
    ]
    assert play.stop_speaking() == NOTHING
    play.report(rp.Overheard("item_1", "done now", "done now", 0.9))
    assert play.hear(0.0)[0].startswith("input_audio_buffer.speech_stopped")


def test_barge_in_can_be_switched_off_and_the_turn_is_answered_afterwards() -> None:
    play = Playbook()
    play.detect(interrupt_response=False)
    play.turn("first")
    play.report(rp.Said("resp_1", "Well", bytes(96)))
    assert kinds(play.speak()) == ["input_audio_buffer.speech_started", "Transcribe"]
    assert kinds(play.stop_speaking()) == ["input_audio_buffer.speech_stopped", *COMMITTED, "Conclude"]
    assert play.report(rp.Transcribed("item_3", "second")) == NOTHING
    lines = play.report(rp.Answered("resp_1"))
    assert lines[-5:] == [
        "response.done resp_1 completed",
        "rate_limits.updated",
        "response.created resp_2 in_progress",
        "rate_limits.updated early",
        "Answer resp_2",
    ]
    assert [item.id for item in play.prompt.items] == ["item_1", "item_2", "item_3"]


def test_a_turn_that_waits_for_its_answer_is_dropped_when_the_client_cancels() -> None:
    play = Playbook()
    play.detect(interrupt_response=False)
    play.turn()
    play.turn()
    assert kinds(play.client("response.cancel")) == ["Abandon", "ClearPlayout", "response.done", "rate_limits.updated"]


# ------------------------------------------------------------------------------------------------------ by hand


@pytest.mark.parametrize(("ms", "told"), [(0, "0.00ms"), (99, "99.00ms")])
def test_too_little_audio_cannot_be_committed(ms: int, told: str) -> None:
    play = Playbook()
    play.detect()
    play.append(ms)
    assert commit(play) == ["error input_audio_buffer_commit_empty None"]
    assert play.error.message == (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only "
        f"has {told} of audio."
    )
    play.append(100 - ms)
    assert commit(play)[0] == "input_audio_buffer.committed None item_1"
    assert commit(play) == ["error input_audio_buffer_commit_empty None"]


def test_each_commit_is_an_item_of_its_own_after_the_last() -> None:
    play = Playbook()
    play.detect()
    play.add_text()
    for expected in ("item_1", "item_2"):
        play.append(100)
        assert f"input_audio_buffer.committed {expected}" in commit(play)[0]


def test_half_samples_are_held_back_for_the_next_append() -> None:
    play = Playbook()
    play.detect()
    play.client("input_audio_buffer.append", audio=b64(bytes(4799)))
    assert play.last[-1] == ef.Listen(bytes(4798), PCM_24K, 0, False)
    play.client("input_audio_buffer.append", audio=b64(b"\x01"))
    assert play.last == [ef.Listen(b"\x00\x01", PCM_24K, 4798, False)]


def test_the_format_at_the_time_of_the_append_is_what_counts() -> None:
    play = Playbook(update={"audio": {"input": {"format": PCMU_GA, "turn_detection": None}}})
    play.append(100, bytes_per_ms=8)
    assert play.last[-1] == ef.Listen(bytes(800), PCMU, 0, False)
    play.update(audio={"input": {"format": {"type": "audio/pcm", "rate": 8000}}})
    play.append(100, bytes_per_ms=16)
    assert play.last == [ef.Listen(bytes(1600), PCM_8K, 4800, False)]
    commit(play)
    part = play.item("item_1").content[0]
    assert (part.format, len(part.audio)) == (PCM_8K, 1600)


# -------------------------------------------------------------------------------------------------- transcription


def words(play: Playbook, text: str, stable: str) -> list[str]:
    return play.report(rp.Overheard("item_1", text, stable, 0.0))


@pytest.mark.parametrize("model", ["vivavoce", "gpt-live-transcribe", "gpt-realtime-whisper"])
def test_live_models_tell_words_while_they_are_spoken_and_once_each(model: str) -> None:
    play = transcribing(model)
    play.append(1000)
    assert words(play, "one too", "one") == ["conversation.item.input_audio_transcription.delta item_1 one"]
    assert words(play, "one two", "one") == NOTHING
    assert words(play, "won two three", "won two") == ["conversation.item.input_audio_transcription.delta item_1  two"]
    assert words(play, "one two three", "one two") == NOTHING, "what was told cannot be taken back"
    commit(play)
    assert words(play, "one two three", "one two three") == NOTHING
    assert play.report(rp.Transcribed("item_1", "one two three")) == [
        "conversation.item.input_audio_transcription.delta item_1  three",
        "conversation.item.input_audio_transcription.completed item_1 one two three",
    ]


def test_other_models_tell_the_whole_text_after_the_commit() -> None:
    play = transcribing("gpt-4o-transcribe")
    play.append(1000)
    assert words(play, "one", "one") == NOTHING
    commit(play)
    assert play.report(rp.Transcribed("item_1", "one two")) == [
        "conversation.item.input_audio_transcription.delta item_1 one two",
        "conversation.item.input_audio_transcription.completed item_1 one two",
    ]


def test_a_text_that_came_out_otherwise_is_told_as_it_is() -> None:
    play = transcribing("vivavoce")
    play.append(1000)
    words(play, "won", "won")
    commit(play)
    assert play.report(rp.Transcribed("item_1", "one two")) == [
        "conversation.item.input_audio_transcription.delta item_1  two",
        "conversation.item.input_audio_transcription.completed item_1 one two",
    ]


def test_silence_has_an_empty_transcript() -> None:
    play = transcribing()
    play.append(1000)
    commit(play)
    assert play.report(rp.Transcribed("item_1", "")) == ["conversation.item.input_audio_transcription.completed item_1"]
    assert play.item("item_1").content[0].transcript == ""


def test_a_failed_transcription_is_told_and_the_answer_goes_ahead() -> None:
    play = transcribing()
    play.append(1000)
    commit(play)
    play.respond()
    assert play.report(rp.TranscriptionFailed("item_1", "engine_error", "The recogniser died.")) == [
        "conversation.item.input_audio_transcription.failed item_1 engine_error The recogniser died.",
        "Answer resp_1",
    ]
    part = play.item("item_1").content[0]
    assert (part.transcript, part.words) == (None, "")


def test_a_client_that_did_not_ask_is_told_no_words_but_the_brain_is() -> None:
    play = Playbook()
    play.detect()
    play.append(1000)
    assert words(play, "one", "one") == NOTHING
    commit(play)
    play.respond()
    assert play.report(rp.Transcribed("item_1", "one two")) == ["Answer resp_1"]
    part = play.item("item_1").content[0]
    assert (part.transcript, part.heard, part.words) == (None, "one two", "one two")
    play.append(1000)
    commit(play)
    assert play.report(rp.TranscriptionFailed("item_2", "c", "m")) == NOTHING


def test_words_that_come_before_the_commit_are_told_after_it() -> None:
    play = transcribing()
    play.append(1000)
    assert play.report(rp.Transcribed("item_1", "quick")) == NOTHING
    assert commit(play) == [
        "input_audio_buffer.committed None item_1",
        "conversation.item.added item_1 user completed after None",
        "conversation.item.done item_1 user completed after None",
        "conversation.item.input_audio_transcription.delta item_1 quick",
        "conversation.item.input_audio_transcription.completed item_1 quick",
    ]
    assert play.client("response.create")[-1] == "Answer resp_1"


def test_words_that_came_before_a_clear_are_forgotten_with_it() -> None:
    play = transcribing()
    play.append(1000)
    play.report(rp.Transcribed("item_1", "quick"))
    assert play.client("input_audio_buffer.clear") == ["input_audio_buffer.cleared"]
    play.append(1000)
    assert kinds(commit(play)) == [*COMMITTED, "Conclude"]


def test_the_usage_is_the_length_of_the_audio() -> None:
    play = transcribing()
    play.append(1500)
    commit(play)
    play.report(rp.Transcribed("item_1", "x"))
    assert play.sent(ev.TranscriptionCompleted).seconds == 1.5


def test_confidences_are_told_to_those_who_ask() -> None:
    play = transcribing()
    play.update(include=[LOGPROBS])
    play.append(1000)
    commit(play)
    heard = (rp.Word("one", 0, 100, 1.0), rp.Word("two", 100, 200, 0.5), rp.Word("three", 200, 300, 0.0))
    play.report(rp.Transcribed("item_1", "one two three", heard, 0.5))
    expected = (LogProb("one", 0.0), LogProb(" two", math.log(0.5)), LogProb(" three", math.log(1e-10)))
    assert play.sent(ev.TranscriptionCompleted).logprobs == expected
    assert play.sent(ev.TranscriptionDelta).logprobs == expected
    play.update(include=None)
    play.append(1000)
    commit(play)
    play.report(rp.Transcribed("item_2", "one", heard[:1], 0.5))
    assert play.sent(ev.TranscriptionCompleted).logprobs is None


def test_transcripts_may_come_in_any_order() -> None:
    play = transcribing()
    for _ in range(2):
        play.append(1000)
        commit(play)
    play.respond()
    assert kinds(play.report(rp.Transcribed("item_2", "two")))[-1].endswith("completed")
    assert play.report(rp.Transcribed("item_1", "one"))[-1] == "Answer resp_1"
    assert [item.content[0].words for item in play.prompt.items] == ["one", "two"]  # type: ignore[union-attr]


def test_only_the_first_words_of_an_item_count() -> None:
    play = transcribing()
    play.append(1000)
    commit(play)
    play.report(rp.Transcribed("item_1", "first"))
    assert play.report(rp.Transcribed("item_1", "second")) == NOTHING
    assert play.item("item_1").content[0].transcript == "first"


def test_what_the_session_is_about_is_told_with_every_utterance() -> None:
    play = Playbook(update={
        "instructions": "You sell tulips.",
        "audio": {"input": {"turn_detection": None, "transcription": {"prompt": "Amsterdam", "language": "nl"}}},
    })  # fmt: skip
    play.append(20)
    begun = play.last[0]
    assert isinstance(begun, ef.Transcribe)
    assert begun.vocabulary == ef.Vocabulary(("You sell tulips.", "Amsterdam"), (), "nl")
