"""Sounds while an answer plays, in adaptive mode: what is held back, what takes the turn, what is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import FRAME_TICKS, NOTHING, Playbook, kinds
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.formats import PCMU
from vivavoce.core.items import WordMark
from vivavoce.core.service import Service
from vivavoce.core.settings import ServerVad, Settings

ADAPTIVE = Service(interruption_mode="adaptive")
MS = 48


def answering(
    ms: int = 20_000, text: str = "It opens at nine.", service: Service = ADAPTIVE, **detection: Any
) -> Playbook:
    """A session that has said an answer of that length and is making more of it."""
    play = Playbook(Settings(turn_detection=ServerVad(**detection)), service=service)
    response = play.respond()
    play.report(rp.Said(response, text, bytes(48 * ms)))
    return play


def sound(
    play: Playbook, frames: int, probability: float = 0.9, *, claim: float | None = None, echo: float = 0.0
) -> list[str]:
    """Have the ears hear so many frames; all their effects but those of the audio itself."""
    lines: list[str] = []
    effects: list[ef.Effect] = []
    play.append(32 * frames)
    for _ in range(frames):
        play.now += 0.032
        play.heard_to += FRAME_TICKS
        lines += play.report(rp.Heard(play.heard_to, probability, echo, claim))
        effects += play.last
    play.last = effects
    return lines


def silence(play: Playbook, ms: int) -> list[str]:
    return sound(play, -(-ms // 32), 0.01)


def words(play: Playbook, text: str, item_id: str = "item_2") -> list[str]:
    return play.report(rp.Overheard(item_id, text, text, 0.9))


INTERRUPTED = [
    "response.output_audio.done item_1",
    "response.output_audio_transcript.done item_1 It opens at nine.",
    "response.content_part.done item_1 0 'It opens at nine.'",
    "response.output_item.done resp_1 0 item_1 assistant incomplete It opens at nine.",
    "conversation.item.done item_1 assistant incomplete It opens at nine. after None",
    "response.done resp_1 cancelled turn_detected",
    "rate_limits.updated",
]
"""How the answer of `answering` ends when somebody takes the turn."""


def test_a_sound_ducks_the_answer_at_once_and_tells_the_client_nothing() -> None:
    play = answering()
    assert sound(play, 2) == NOTHING
    assert sound(play, 1) == ["Transcribe item_2 from 0", "Duck"]
    assert sound(play, 2, claim=0.1) == NOTHING


def test_soft_beginnings_count_for_a_claim() -> None:
    play = answering(prefix_padding_ms=0)
    assert sound(play, 2, 0.4, claim=0.5) == NOTHING
    assert sound(play, 3, claim=0.5) == ["Transcribe item_2 from 3072", "Duck"]
    assert sound(play, 1, claim=0.5)[:3] == [
        "input_audio_buffer.speech_started 64 item_2", "Abandon resp_1", "ClearPlayout",
    ]  # fmt: skip


@pytest.mark.parametrize("between", [rp.Heard(0, 0.1), rp.Heard(0, 0.9, 0.9, 0.5)])
def test_what_was_soft_before_a_pause_or_an_echo_is_no_part_of_the_sound(between: rp.Heard) -> None:
    play = answering()
    sound(play, 2, 0.4, claim=0.5)
    sound(play, 1, between.probability, claim=between.claim, echo=between.echo)
    assert sound(play, 5, claim=0.5) == ["Transcribe item_2 from 0", "Duck"]
    assert sound(play, 1, claim=0.5)[0] == "input_audio_buffer.speech_started 0 item_2"


def test_who_claims_the_turn_has_it_with_the_true_beginning() -> None:
    play = answering(prefix_padding_ms=100)
    silence(play, 960)
    sound(play, 2)
    sound(play, 2, claim=0.9)
    lines = sound(play, 1, claim=0.9)
    assert lines[:3] == ["input_audio_buffer.speech_started 860 item_2", "Abandon resp_1", "ClearPlayout"]
    assert lines[3:] == INTERRUPTED
    sound(play, 10)
    assert kinds(silence(play, 512)) == [
        "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "conversation.item.added",
        "conversation.item.done", "Conclude", "response.created", "rate_limits.updated",
    ]  # fmt: skip
    audio = play.item("item_2").content[0].audio
    assert len(audio) == 48 * (100 + 15 * 32 + 512), "what was held back is in the item"


def test_an_assent_is_forgotten_and_the_answer_goes_on() -> None:
    play = answering()
    sound(play, 12, claim=0.1)
    assert silence(play, 320) == NOTHING
    assert words(play, "yeah") == NOTHING
    assert silence(play, 320) == ["Discard item_2", "Restore"]
    assert play.ids == ["item_1"]
    assert play.report(rp.Said("resp_1", " And closes.", bytes(960)))[-1] == "ExpectEcho"


def test_a_noise_without_words_is_forgotten() -> None:
    play = answering()
    sound(play, 6, claim=0.3)
    assert silence(play, 640) == ["Discard item_2", "Restore"]


@pytest.mark.parametrize("text", ["stop", "no no", "wait a minute", "yeah but"])
def test_words_that_want_the_turn_take_it_however_they_sound(text: str) -> None:
    play = answering()
    sound(play, 10, claim=0.1)
    assert words(play, text)[:3] == ["input_audio_buffer.speech_started 0 item_2", "Abandon resp_1", "ClearPlayout"]


def test_a_short_command_that_is_over_is_a_whole_turn() -> None:
    play = answering(silence_duration_ms=200)
    sound(play, 10, claim=0.1)
    assert silence(play, 320) == NOTHING, "the turn is over, but whether it is one is not known"
    lines = words(play, "stop")
    assert kinds(lines) == [
        "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
        "conversation.item.added", "conversation.item.done", "Conclude", "Abandon", "ClearPlayout",
        *kinds(INTERRUPTED), "response.created", "rate_limits.updated",
    ]  # fmt: skip
    assert lines[5] == f"Conclude item_2 at {17 * FRAME_TICKS}", "where the silence had lasted long enough"


def test_two_assents_in_a_row_are_two() -> None:
    play = answering()
    for item_id in ("item_2", "item_3"):
        assert "Duck" in sound(play, 10, claim=0.1)
        words(play, "right", item_id)
        assert silence(play, 640)[-2:] == [f"Discard {item_id}", "Restore"]


def test_two_assents_in_one_breath_are_none_too() -> None:
    play = answering()
    sound(play, 10, claim=0.1)
    silence(play, 96)
    sound(play, 10, claim=0.1)
    words(play, "yeah yeah")
    assert silence(play, 640) == ["Discard item_2", "Restore"]


def test_an_assent_that_goes_on_as_a_sentence_takes_the_turn() -> None:
    play = answering(silence_duration_ms=200)
    sound(play, 10, claim=0.1)
    assert silence(play, 256) == NOTHING
    words(play, "yeah")
    lines = sound(play, 8, claim=0.9)
    assert lines[:2] == ["input_audio_buffer.speech_started 0 item_2", "Abandon resp_1"]


def test_nobody_assents_for_long() -> None:
    play = answering()
    assert not any(line.startswith("input_audio") for line in sound(play, 27, claim=0.4))
    assert sound(play, 2, claim=0.4)[0] == "input_audio_buffer.speech_started 0 item_2"


def test_laughter_may_last_longer_but_not_for_ever() -> None:
    play = answering()
    assert not any(line.startswith("input_audio") for line in sound(play, 40, claim=0.1))
    assert any(line.startswith("input_audio") for line in sound(play, 20, claim=0.1))


@pytest.mark.parametrize("text", ["yes", "no", "okay", "tomorrow"])
def test_an_answer_to_a_question_is_a_turn(text: str) -> None:
    play = answering(text="Do you want it? It costs ten.")
    play.report(rp.Said("resp_1", "", bytes(960), (WordMark(500, 15), WordMark(3000, 29))))
    play.now = 1.0
    sound(play, 10, claim=0.1)
    lines = words(play, text) + silence(play, 320)
    assert lines[0].startswith("input_audio_buffer.speech_started")


def test_a_question_is_answered_soon_or_not_at_all() -> None:
    play = answering(text="Do you want it? It costs ten.")
    play.report(rp.Said("resp_1", "", bytes(960), (WordMark(500, 15), WordMark(3000, 29))))
    play.now = 4.0
    sound(play, 10, claim=0.1)
    words(play, "yes")
    assert silence(play, 640)[-1] == "Restore"


def test_a_yes_in_the_last_moment_of_an_answer_is_a_turn() -> None:
    play = answering(1000)
    play.report(rp.Answered("resp_1"))
    play.now = 0.4
    sound(play, 6, claim=0.1)
    words(play, "yes")
    assert silence(play, 320)[0].startswith("input_audio_buffer.speech_started")


def test_speech_that_outlasts_the_answer_is_a_turn() -> None:
    play = answering(1000)
    play.report(rp.Answered("resp_1"))
    play.now = 0.2
    lines = sound(play, 30, claim=0.1)
    assert lines[2:] == ["input_audio_buffer.speech_started 0 item_2", "ClearPlayout"]
    assert play.now > 1.0


def test_the_end_of_the_making_is_not_the_end_of_the_playing() -> None:
    play = answering()
    sound(play, 5, claim=0.1)
    play.report(rp.Answered("resp_1"))
    assert sound(play, 3, claim=0.1) == NOTHING
    assert sound(play, 2, claim=0.9) == ["input_audio_buffer.speech_started 0 item_2", "ClearPlayout"]


def test_the_echo_of_the_answer_is_no_sound_of_the_user() -> None:
    play = answering()
    lines = sound(play, 3)
    lines += sound(play, 6, claim=0.9, echo=0.9)
    assert lines == ["Transcribe item_2 from 0", "Duck", "Discard item_2", "Restore"]
    assert sound(play, 50, claim=0.9, echo=0.9) == NOTHING, "once it is known it does not even duck"
    assert "Duck" in sound(play, 3)
    assert sound(play, 5, claim=0.9)[:2] == ["input_audio_buffer.speech_started 1588 item_3", "Abandon resp_1"]


def test_an_echo_of_the_last_words_starts_no_turn() -> None:
    play = answering(1000)
    play.report(rp.Answered("resp_1"))
    play.now = 1.2
    assert sound(play, 20, echo=0.9) == NOTHING


@pytest.mark.parametrize(
    ("event", "fields", "first", "rest"),
    [
        ("input_audio_buffer.commit", {}, ["Restore", "input_audio_buffer.speech_started 0 item_2", "Abandon resp_1"],
         "input_audio_buffer.speech_stopped"),
        ("input_audio_buffer.clear", {}, ["Discard item_2", "Restore", "input_audio_buffer.cleared"], None),
    ],
)  # fmt: skip
def test_a_client_that_commits_or_clears_decides_what_is_held(
    event: str, fields: dict[str, Any], first: list[str], rest: str | None
) -> None:
    play = answering()
    sound(play, 5, claim=0.1)
    lines = play.client(event, **fields)
    assert lines[:3] == first
    assert rest is None or rest in kinds(lines)


def test_a_turn_that_is_over_but_held_is_committed_by_the_client_once() -> None:
    play = answering(silence_duration_ms=100)
    sound(play, 5, claim=0.1)
    silence(play, 128)
    lines = kinds(play.client("input_audio_buffer.commit"))
    assert lines.count("input_audio_buffer.committed") == lines.count("input_audio_buffer.speech_stopped") == 1
    assert "response.created" not in lines, "a client that commits asks for the answer itself"


@pytest.mark.parametrize("detection", [{"interruption_mode": "vad"}, {"interrupt_response": False}, None])
def test_settings_that_hold_nothing_back_let_go_of_what_is_held(detection: dict[str, Any] | None) -> None:
    play = answering()
    sound(play, 5, claim=0.1)
    value = None if detection is None else {"type": "server_vad", **detection}
    lines = play.update(audio={"input": {"turn_detection": value}})
    assert lines[:3] == ["session.updated", "Restore", "input_audio_buffer.speech_started 0 item_2"]
    assert ("Abandon resp_1" in lines) == (detection == {"interruption_mode": "vad"})


def test_other_settings_leave_it_held() -> None:
    play = answering()
    sound(play, 5, claim=0.1)
    assert play.detect(threshold=0.3) == ["session.updated"]
    assert sound(play, 3, claim=0.9)[0] == "input_audio_buffer.speech_started 0 item_2"


def test_a_cancelled_answer_leaves_the_turn_to_whoever_speaks() -> None:
    play = answering()
    sound(play, 5, claim=0.1)
    play.client("response.cancel")
    assert sound(play, 1, claim=0.1) == ["input_audio_buffer.speech_started 0 item_2", "ClearPlayout"]


def test_a_client_that_falls_silent_is_not_waited_for() -> None:
    play = answering()
    sound(play, 5, claim=0.1)
    assert play.session.deadline == pytest.approx(play.now + 1.5)
    assert play.time(play.now + 1.5) == ["Discard item_2", "Restore"]
    assert play.session.deadline == play.session.limits.session_seconds


def test_the_end_of_the_session_forgets_what_is_held() -> None:
    play = answering()
    sound(play, 5, claim=0.1)
    assert "Discard item_2" in play.time(play.session.limits.session_seconds)


def test_no_words_are_told_before_the_turn_is() -> None:
    play = answering()
    play.update(audio={"input": {"transcription": {"model": "vivavoce"}}})
    sound(play, 5, claim=0.1)
    assert words(play, "what time") == NOTHING
    sound(play, 4, claim=0.9)
    assert words(play, "what time is it") == [
        "conversation.item.input_audio_transcription.delta item_2 what time is it"
    ]


def test_clients_that_ask_for_it_are_told_of_ducking() -> None:
    play = answering(service=Service(), interruption_mode="adaptive")
    assert sound(play, 3) == ["Transcribe item_2 from 0", "Duck", "output_audio_buffer.ducked item_1"]
    assert silence(play, 640)[-2:] == ["Restore", "output_audio_buffer.restored item_1"]
    assert play.sent(ev.OutputRestored).item_id == "item_1"


def test_without_an_answer_nothing_is_held_back() -> None:
    play = Playbook(service=ADAPTIVE)
    assert sound(play, 3)[0] == "input_audio_buffer.speech_started 0 item_1"


@pytest.mark.parametrize(
    ("service", "detection"),
    [(Service(), {}), (ADAPTIVE, {"interruption_mode": "vad"}), (ADAPTIVE, {"interrupt_response": False})],
)
def test_otherwise_a_sound_is_a_turn_at_once(service: Service, detection: dict[str, Any]) -> None:
    play = answering(service=service, **detection)
    lines = sound(play, 3)
    assert lines[0] == "input_audio_buffer.speech_started 0 item_2"
    assert ("Abandon resp_1" in lines) == ("interrupt_response" not in detection)


def test_the_ears_are_told_what_is_played_and_when() -> None:
    play = Playbook(service=ADAPTIVE)
    play.append(1000)
    play.now = 5.0
    response = play.respond()
    play.report(rp.Said(response, "One", bytes(48_000)))
    play.now = 5.25
    play.report(rp.Said(response, "two", bytes(960)))
    (second,) = (effect for effect in play.last if isinstance(effect, ef.ExpectEcho))
    assert second.at == 48 * (1000 + 750), "after what is still to be played"
    play.respond(conversation="none")
    assert "ExpectEcho" not in play.report(rp.Said("resp_2", "Aside", bytes(960))), "nobody is played that"


def test_the_echo_is_expected_in_the_format_of_the_answer() -> None:
    play = Playbook(service=ADAPTIVE)
    response = play.respond(audio={"output": {"format": {"type": "audio/pcmu"}}})
    play.report(rp.Said(response, "Hello", bytes(800)))
    (echo,) = (effect for effect in play.last if isinstance(effect, ef.ExpectEcho))
    assert (echo.format, echo.at) == (PCMU, 0)


def test_silence_after_an_answer_is_counted_from_the_last_sound_that_was_none() -> None:
    play = answering(1000, idle_timeout_ms=5000)
    play.report(rp.Answered("resp_1"))
    play.now = 0.5
    sound(play, 4, claim=0.1)
    assert silence(play, 640)[-1] == "Restore"
    assert 1.0 < play.session.deadline - 5.0 < play.now
