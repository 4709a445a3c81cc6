"""A translation session, from the first sound to the last translated word."""

from __future__ import annotations

from typing import Any

import pytest

from interpreter import TRANSLATOR, Interpreter
from vivavoce.core import reports as rp
from vivavoce.core.effects import Discard
from vivavoce.core.items import InputText, Message, OutputText
from vivavoce.core.limits import Limits
from vivavoce.core.service import Abilities, Rate, Service
from vivavoce.core.settings import NoiseReduction, Settings, Transcription
from vivavoce.core.translating import CLOSING_SECONDS, CONTEXT_UTTERANCES, LANGUAGES, MOST_WAITING

UTTERED = ["Transcribe item_1 from 0", "Conclude item_1 at 70656"]
"""What comes of 30 frames of speech and 16 of silence."""


def test_a_session_begins_and_is_told_its_language() -> None:
    play = Interpreter("")
    assert play.started == ["session.created", "Expect"]
    assert play.update(output={"language": "fr"}) == ["session.updated"]
    assert play.session.settings.output_language == "fr"


def test_what_is_said_is_translated_and_spoken() -> None:
    play = Interpreter("es")
    assert play.speak() == UTTERED
    assert play.understood(1, "good morning") == ["Answer resp_1"]
    assert play.said(1, "Buenos ", bytes(960)) == ["output 'Buenos ' 1600", "audio 960 1600"]
    assert play.said(1, "días.") == ["output 'días.' 1600"]
    assert play.said(1, "", bytes(480)) == ["audio 480 1600"]
    assert play.answered(1) == []


def test_the_translator_is_asked_in_the_clients_language_and_for_pcm() -> None:
    play = Interpreter("de")
    play.speak()
    play.understood(1, "good morning")
    prompt = play.prompt
    assert prompt.items == (Message("", "user", (InputText("good morning"),)),)
    assert (prompt.translate_to, prompt.language, prompt.modality) == ("de", "de", "audio")
    assert (prompt.output_format.rate, prompt.model) == (24_000, "gpt-realtime-translate")


def test_utterances_are_translated_one_after_another_in_the_order_in_which_they_were_said() -> None:
    play = Interpreter("es")
    play.speak()
    play.speak()
    assert play.understood(2, "two") == []
    assert play.understood(1, "one") == ["Answer resp_1"]
    assert play.said(1, "Uno.") == ["output 'Uno.' 1600"]
    assert play.answered(1) == ["Answer resp_2"]
    assert play.said(2, "Dos.") == ["output ' Dos.' 3000"]


def test_translations_are_told_apart_by_one_space_and_no_more() -> None:
    play = Interpreter("es")
    for number, (text, told) in enumerate(
        (("Uno. ", "Uno. "), ("Dos.", "Dos."), ("Tres.", " Tres."), ("\n4", "\n4")), 1
    ):
        play.speak()
        play.understood(number, "word")
        assert play.said(number, text)[0].startswith(f"output {told!r} ")
        play.answered(number)


def test_the_translator_knows_what_was_said_before() -> None:
    play = Interpreter("es")
    for number in range(1, CONTEXT_UTTERANCES + 3):
        play.speak()
        play.understood(number, f"word {number}")
        if number < CONTEXT_UTTERANCES + 2:
            play.said(number, f"palabra {number}")
            play.answered(number)
    items = play.prompt.items
    assert len(items) == 2 * CONTEXT_UTTERANCES + 1
    assert items[:2] == (
        Message("", "user", (InputText("word 2"),)),
        Message("", "assistant", (OutputText("palabra 2"),)),
    )


def test_another_language_begins_without_what_was_translated_into_the_first() -> None:
    play = Interpreter("es")
    play.speak()
    play.understood(1, "one")
    play.said(1, "Uno.")
    play.answered(1)
    play.update(output={"language": "ja"})
    play.speak()
    play.understood(2, "two")
    assert len(play.prompt.items) == 1
    assert play.said(2, "に。") == ["output 'に。' 3000"], "no space between sentences there"


def test_noises_that_are_no_words_are_not_translated() -> None:
    play = Interpreter("es", transcribes=True)
    play.speak()
    assert play.understood(1, " ") == []
    play.speak()
    assert play.understood(2, "hello")[-1] == "Answer resp_1"


def test_reports_of_what_is_over_are_ignored() -> None:
    play = Interpreter("es")
    play.speak()
    play.understood(1, "one")
    play.answered(1)
    over = (rp.Said("resp_1", "Uno."), rp.Answered("resp_1"), rp.Broke("resp_1", "x", "y"), rp.Called("resp_1", "f"))
    unknown = (rp.Transcribed("item_1", "one"), rp.Overheard("item_9", "a", "a", 0.1), rp.Played("item_1", 5))
    for report in over + unknown:
        assert play.report(report) == []


# ------------------------------------------------------------------------------------------------- the transcript


def test_what_was_said_is_told_while_it_is_said_to_those_who_asked() -> None:
    play = Interpreter("es", transcribes=True)
    play.hear(0.9, 30)
    assert play.report(rp.Overheard("item_1", "good mor", "good", 0.1)) == ["input 'good' 1000"]
    assert play.report(rp.Overheard("item_1", "good morning", "good", 0.1)) == []
    play.hear(0.0, 16)
    assert play.understood(1, "good morning") == ["input ' morning' 1600", "Answer resp_1"]
    play.speak()
    assert play.understood(2, "how are you")[0] == "input ' how are you' 3000"


def test_nobody_else_is_told_what_was_said() -> None:
    play = Interpreter("es")
    play.hear(0.9, 30)
    assert play.report(rp.Overheard("item_1", "good", "good", 0.1)) == []


def test_the_transcript_is_in_order_whichever_utterance_is_understood_first() -> None:
    play = Interpreter("es", transcribes=True)
    play.speak()
    play.hear(0.9, 30)
    assert play.report(rp.Overheard("item_2", "how are", "how", 0.1)) == []
    assert play.understood(1, "good morning") == ["input 'good morning' 1600", "input ' how' 2600", "Answer resp_1"]


def test_words_that_came_out_otherwise_are_not_told_twice() -> None:
    play = Interpreter("es", transcribes=True)
    play.hear(0.9, 30)
    play.report(rp.Overheard("item_1", "god morning to", "god morning", 0.1))
    play.hear(0.0, 16)
    assert play.understood(1, "good morning to you")[0] == "input ' to you' 1600"
    play.speak()
    play.report(rp.Overheard("item_2", "a b c", "a b c", 0.1))
    assert play.understood(2, "a b") == []


# --------------------------------------------------------------------------------------------------------- the end


def test_the_end_waits_for_what_is_being_said_and_translated() -> None:
    play = Interpreter("es")
    play.hear(0.9, 10)
    (listen,) = play.client("session.close")
    assert listen == "Listen 15360+48000 detect"
    assert play.append(100) == [], "too late"
    assert play.client("session.close") == []
    assert play.judge(0.0, 16) == ["Conclude item_1 at 39936"]
    assert play.judge(0.0, 15) == []
    assert play.understood(1, "hello") == ["Answer resp_1"]
    assert play.said(1, "Hola.") == ["output 'Hola.' 1000"]
    assert play.answered(1) == ["session.closed", "Close 1000 "]
    assert play.session.is_closed
    assert play.session.deadline is None
    assert play.said(1, "more") == play.append(100) == play.time(9e9) == []


def test_the_end_comes_once_the_rest_is_known_to_be_silence() -> None:
    play = Interpreter("es")
    play.append(3200)
    play.client("session.close")
    assert play.judge(0.0, 128) == []
    assert play.judge(0.0, 1) == ["session.closed", "Close 1000 "]


def test_whoever_is_still_taken_to_speak_at_the_very_end_is_understood_as_far() -> None:
    play = Interpreter("es")
    play.append(320)
    play.client("session.close")
    lines = play.judge(0.9, 40)
    assert lines[1:] == ["Conclude item_1 at 59904"]


def test_a_session_that_heard_nothing_ends_at_once() -> None:
    assert Interpreter("es").client("session.close") == ["session.closed", "Close 1000 "]


def test_a_translator_that_never_ends_does_not_keep_the_session() -> None:
    play = Interpreter("es")
    play.speak()
    play.understood(1, "one")
    play.speak()
    play.client("session.close")
    assert play.session.deadline == CLOSING_SECONDS
    assert play.time(CLOSING_SECONDS - 1) == []
    assert play.time(CLOSING_SECONDS) == ["Abandon resp_1", "Discard item_2", "session.closed", "Close 1000 "]


def test_age_and_silence_end_a_session() -> None:
    play = Interpreter("es", limits=Limits(session_seconds=100.0, idle_seconds=10.0))
    play.speak()
    play.understood(1, "one")
    play.now = 5.0
    play.append(20)
    assert play.session.deadline == 15.0
    assert play.time(15.0) == [
        "error session_idle None", "Abandon resp_1", "Close 1001 Nothing was received for 10 seconds.",
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------------- mistakes


def test_a_server_that_cannot_translate_says_so_and_what_would_help() -> None:
    play = Interpreter("", service=Service())
    assert play.started == ["error invalid_model model", "Close 4000 invalid_request_error.invalid_model"]
    (error,) = play.messages()
    assert "VIVAVOCE_LLM_URL" in error["error"]["message"]
    assert "gpt-realtime-translate" in error["error"]["message"]
    assert play.update(output={"language": "es"}) == []


def test_audio_without_a_language_is_a_mistake_that_is_told_once() -> None:
    play = Interpreter("")
    assert play.append(20) == ["error missing_required_parameter session.audio.output.language"]
    assert play.append(20) == []
    play.update(output={"language": "es"})
    assert play.append(20) == ["Listen 0+960 detect"]


@pytest.mark.parametrize(
    ("session", "error"),
    [
        ({"audio": {"output": {"language": "tlh"}}}, "invalid_value session.audio.output.language"),
        ({"audio": {"output": {"language": None}}}, "invalid_type session.audio.output.language"),
        ({"audio": {"output": {"voice": "ash"}}}, "unknown_parameter session.audio.output.voice"),
        (
            {"audio": {"input": {"transcription": {}}}},
            "missing_required_parameter session.audio.input.transcription.model",
        ),
        ({"audio": {"input": {"turn_detection": None}}}, "unknown_parameter session.audio.input.turn_detection"),
        ({"instructions": "x"}, "unknown_parameter session.instructions"),
        ({"type": "realtime"}, "invalid_parameter session.type"),
        ({"model": "another"}, "invalid_parameter session.model"),
        (5, "invalid_type session"),
    ],
)
def test_mistakes_in_updates_are_named_and_change_nothing(session: Any, error: str) -> None:
    play = Interpreter("es")
    before = play.session.settings
    assert play.client("session.update", session=session, event_id="mine") == [f"error {error}"]
    assert play.messages()[0]["error"]["event_id"] == "mine"
    assert play.session.settings == before


@pytest.mark.parametrize("kind", ["response.create", "input_audio_buffer.append", "input_audio_buffer.commit"])
def test_events_of_other_sessions_are_refused_with_those_of_this(kind: str) -> None:
    play = Interpreter("es")
    assert play.client(kind, audio="") == ["error invalid_value type"]
    message = play.messages()[0]["error"]["message"]
    assert message.endswith("'session.update', 'session.input_audio_buffer.append', and 'session.close'.")


def test_audio_that_comes_faster_than_it_can_be_heard_ends_the_session() -> None:
    play = Interpreter("es", limits=Limits(buffer_bytes=480_000))
    assert play.append(10_000) == ["Listen 0+480000 detect"]
    assert play.append(20) == ["error input_audio_buffer_full audio",
                               "Close 4000 invalid_request_error.input_audio_buffer_full"]  # fmt: skip
    patient = Interpreter("es", limits=Limits(buffer_bytes=480_000))
    for _ in range(3):
        patient.append(9984)
        patient.judge(0.0, 312)
    assert not patient.session.is_closed


def test_broken_audio_is_a_mistake_of_that_event() -> None:
    play = Interpreter("es")
    assert play.client("session.input_audio_buffer.append", audio="?", event_id="mine") == [
        "error invalid_value audio.audio"
    ]
    assert play.messages()[0]["error"]["event_id"] == "mine"


# ---------------------------------------------------------------------------------------------------------- faults


def test_a_translation_that_fails_is_told_and_the_next_one_follows() -> None:
    play = Interpreter("es")
    play.speak()
    play.speak()
    play.understood(1, "one")
    play.understood(2, "two")
    assert play.report(rp.Broke("resp_1", "llm_unreachable", "No.")) == ["error llm_unreachable None", "Answer resp_2"]
    assert play.messages()[0]["error"]["type"] == "server_error"


def test_speech_that_cannot_be_recognised_is_told_and_keeps_nobody_waiting() -> None:
    play = Interpreter("es")
    play.speak()
    play.speak()
    play.understood(2, "two")
    lines = play.report(rp.TranscriptionFailed("item_1", "engine_error", "No."))
    assert lines == ["error engine_error None", "Answer resp_1"]


def test_a_recogniser_that_gives_up_while_somebody_speaks_loses_that_and_no_more() -> None:
    play = Interpreter("es")
    play.hear(0.9, 30)
    play.report(rp.TranscriptionFailed("item_1", "recogniser_busy", "No."))
    assert play.hear(0.9, 3) == ["Transcribe item_2 from 46080"]
    assert play.hear(0.0, 16) == ["Conclude item_2 at 75264"]


def test_a_translator_that_falls_behind_for_good_loses_the_oldest_and_says_so() -> None:
    play = Interpreter("es")
    lines: list[str] = []
    for number in range(1, MOST_WAITING + 3):
        play.speak(4)
        lines = play.understood(number, "word")
    assert lines == ["error translator_busy None"]


def test_ears_that_fail_end_the_session() -> None:
    play = Interpreter("es")
    assert play.report(rp.Deafened("No model.")) == [
        "error engine_error None", "Close 1011 the server cannot hear any more",
    ]  # fmt: skip


PRICED = Service(
    abilities=Abilities(translates=True), rates={"gpt-realtime-translate": Rate(minute=0.6)}, budget_usd=0.25
)
"""A cent for a second."""


def test_once_the_money_is_used_up_what_was_said_is_the_last_that_is_translated() -> None:
    play = Interpreter("es", service=PRICED)
    play.speak()
    play.append(10_000)
    play.append(10_000)
    play.understood(1, "hello")
    lines = play.append(10_000)
    assert lines == ["Listen 1030656+480000 detect", "Charge", "error insufficient_quota None",
                     "Listen 1510656+48000 detect"]  # fmt: skip
    assert play.append(1000) == []
    play.judge(0.0, 1300)
    assert play.answered(1) == ["session.closed", "Close 4000 insufficient_quota.insufficient_quota"]


def test_a_key_without_money_ends_the_session_as_well() -> None:
    play = Interpreter("es")
    assert play.report(rp.Exhausted("It is used up.")) == [
        "error insufficient_quota None", "session.closed", "Close 4000 insufficient_quota.insufficient_quota",
    ]  # fmt: skip
    assert play.messages()[0]["error"]["message"] == "It is used up."


# ---------------------------------------------------------------------------------------------------------- noise


def test_noise_reduction_is_asked_of_the_ears_when_it_changes() -> None:
    play = Interpreter("es")
    strong = {"noise_reduction": {"type": "near_field"}}
    assert play.update(input=strong) == ["session.updated", "Denoise near_field 1.0"]
    assert play.update(input=strong) == ["session.updated"]
    assert play.update(input={"noise_reduction": None}) == ["session.updated", "Denoise None 0.0"]


def test_a_session_may_begin_with_everything_set() -> None:
    settings = Settings(
        kind="translation",
        transcription=Transcription("whisper-1"),
        noise_reduction=NoiseReduction("far_field", 0.5),
        output_language="fr",
    )
    play = Interpreter("", settings=settings, service=TRANSLATOR)
    assert play.started == ["session.created", "Expect", "Denoise far_field 0.5"]
    play.speak()
    assert play.understood(1, "hello")[0] == "input 'hello' 1600"


def test_every_language_of_the_protocol_can_be_asked_for() -> None:
    play = Interpreter("")
    assert len(LANGUAGES) == 13
    for language in LANGUAGES:
        assert play.update(output={"language": language}) == ["session.updated"]


def test_what_is_let_go_at_the_end_is_not_recognised_any_further() -> None:
    play = Interpreter("es")
    play.hear(0.9, 30)
    play.report(rp.Deafened("No."))
    assert Discard("item_1") in play.last
