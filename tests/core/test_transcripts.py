"""What clients are told of what was said: as the transcription model that they name would tell it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from playbook import CountedIds, Playbook, b64, kinds
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.formats import PCM_24K
from vivavoce.core.service import Abilities, Service
from vivavoce.core.session import Session
from vivavoce.core.settings import Settings
from vivavoce.core.states import LogProb, TranscriptionTokens
from vivavoce.core.transcripts import unsaid

LOGPROBS = "item.input_audio_transcription.logprobs"
ENGLISH = Service(abilities=Abilities(languages=("en",)))
WORDS = (
    rp.Word("turn", 100, 400, 0.5),
    rp.Word("it", 400, 600, 1.0),
    rp.Word("off", 1400, 1700, 0.0),
)
HEARD = rp.Transcribed("item_1", "turn it off", WORDS, 0.5)
COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"
SEGMENT = "conversation.item.input_audio_transcription.segment"


def transcribing(model: str, *, shape: str = "ga", service: Service = ENGLISH, **more: Any) -> Playbook:
    """A transcription session with commits by hand, told the words of which model it has."""
    play = Playbook(Settings(kind="transcription"), shape=shape)
    play.session = Session(Settings(kind="transcription"), new_id=CountedIds(), created_unix=1e9, service=service)
    play.take(play.session.start(0.0))
    include = more.pop("include", None)
    audio = {"input": {"transcription": {"model": model, **more}, "turn_detection": None}}
    if shape == "ga":
        lines = play.update(audio=audio, include=include)
    else:
        flat = {"input_audio_transcription": {"model": model, **more}, "turn_detection": None, "include": include}
        lines = play.client("transcription_session.update", session=flat)
    assert lines[0] == "session.updated"
    return play


def commit(play: Playbook, ms: int = 1999) -> None:
    play.append(ms)
    play.client("input_audio_buffer.commit")


def usage_of(play: Playbook) -> Any:
    return play.messages()[-1]["usage"]


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("whisper-1", {"type": "duration", "seconds": 1.999}),
        ("vivavoce", {"type": "duration", "seconds": 1.999}),
        ("gpt-transcribe", {"type": "duration", "seconds": 1.999}),
        ("gpt-live-transcribe", {"type": "duration", "seconds": 2}),
        ("gpt-realtime-whisper", {"type": "duration", "seconds": 2}),
    ],
)
def test_most_models_count_seconds_and_live_ones_whole_seconds(model: str, usage: Any) -> None:
    play = transcribing(model)
    commit(play)
    play.report(HEARD)
    assert usage_of(play) == usage


@pytest.mark.parametrize(
    "model", ["gpt-4o-transcribe", "gpt-4o-mini-transcribe-2025-12-15", "gpt-4o-transcribe-diarize"]
)
def test_models_of_the_gpt_4o_kind_count_tokens(model: str) -> None:
    play = transcribing(model, prompt="Lamps.")
    commit(play)
    play.report(HEARD)
    assert play.sent(ev.TranscriptionCompleted).tokens == TranscriptionTokens(20, 2, 3)
    assert usage_of(play) == {
        "type": "tokens",
        "total_tokens": 25,
        "input_tokens": 22,
        "input_token_details": {"text_tokens": 2, "audio_tokens": 20},
        "output_tokens": 3,
    }


def test_live_models_tell_words_while_the_user_speaks_under_the_id_of_the_item_to_come() -> None:
    play = transcribing("gpt-live-transcribe")
    play.append(500)
    assert play.report(rp.Overheard("item_1", "turn it", "turn", 0.1)) == [f"{DELTA} item_1 turn"]
    assert play.report(rp.Overheard("item_1", "turn it of", "turn it", 0.1)) == [f"{DELTA} item_1  it"]
    lines = play.client("input_audio_buffer.commit")
    assert lines[0] == "input_audio_buffer.committed None item_1"
    assert play.report(HEARD) == [f"{DELTA} item_1  off", f"{COMPLETED} item_1 turn it off"]


@pytest.mark.parametrize(
    ("told", "text", "left"),
    [
        ("", "one two", "one two"),
        ("one", "one two", " two"),
        ("one two", "one two", ""),
        ("won", "one two", " two"),
        ("one two three", "on two", ""),
        ("one", "", ""),
    ],
)
def test_what_was_told_wrongly_is_not_told_again(told: str, text: str, left: str) -> None:
    assert unsaid(told, text) == left


def test_other_models_tell_all_words_after_the_commit() -> None:
    play = transcribing("gpt-4o-transcribe")
    play.append(500)
    assert play.report(rp.Overheard("item_1", "turn it", "turn it", 0.1)) == []
    play.client("input_audio_buffer.commit")
    assert kinds(play.report(HEARD)) == [DELTA, COMPLETED]


def test_logprobs_are_the_logarithms_of_the_confidences_on_the_delta_and_at_the_end() -> None:
    play = transcribing("gpt-4o-transcribe", include=[LOGPROBS])
    commit(play)
    play.report(HEARD)
    expected = (LogProb("turn", math.log(0.5)), LogProb(" it", 0.0), LogProb(" off", math.log(1e-10)))
    assert play.sent(ev.TranscriptionDelta).logprobs == expected
    assert play.sent(ev.TranscriptionCompleted).logprobs == expected
    assert play.messages()[0]["logprobs"][1] == {"token": " it", "logprob": 0.0, "bytes": [32, 105, 116]}


def test_a_delta_after_the_commit_has_the_logprobs_of_its_own_words() -> None:
    play = transcribing("gpt-live-transcribe", include=[LOGPROBS])
    play.append(500)
    play.report(rp.Overheard("item_1", "turn it", "turn it", 0.1))
    assert play.sent(ev.TranscriptionDelta).logprobs is None, "nothing is known of how certain words so far are"
    play.client("input_audio_buffer.commit")
    play.report(HEARD)
    assert play.sent(ev.TranscriptionDelta).logprobs == (LogProb(" off", math.log(1e-10)),)
    assert len(play.sent(ev.TranscriptionCompleted).logprobs) == 3


def test_nobody_who_did_not_ask_is_told_logprobs() -> None:
    play = transcribing("gpt-4o-transcribe")
    commit(play)
    play.report(HEARD)
    assert all("logprobs" not in message for message in play.messages())


def test_a_diarising_model_tells_segments_with_times_and_a_speaker() -> None:
    play = transcribing("gpt-4o-transcribe-diarize")
    commit(play)
    assert kinds(play.report(HEARD)) == [DELTA, SEGMENT, SEGMENT, COMPLETED]
    first, second = play.messages()[1:3]
    del first["event_id"], second["event_id"]
    place = {"type": SEGMENT, "item_id": "item_1", "content_index": 0, "speaker": "A"}
    assert first == {**place, "id": "seg_1", "text": "turn it", "start": 0.1, "end": 0.6}
    assert second == {**place, "id": "seg_2", "text": "off", "start": 1.4, "end": 1.7}


def test_the_beta_shape_has_neither_segments_nor_languages() -> None:
    play = transcribing("gpt-4o-transcribe-diarize", shape="beta", languages=["en"])
    commit(play)
    play.report(HEARD)
    assert [message["type"] for message in play.messages()] == [DELTA, COMPLETED]
    assert "languages" not in play.messages()[-1]


def test_silence_is_an_empty_transcript_without_deltas() -> None:
    play = transcribing("gpt-4o-transcribe-diarize", include=[LOGPROBS])
    commit(play)
    assert play.report(rp.Transcribed("item_1", "")) == [COMPLETED + " item_1"]
    assert play.messages()[0]["logprobs"] == []


def test_a_failure_is_an_event_of_its_own_that_says_all_three_things() -> None:
    play = transcribing("whisper-1")
    commit(play)
    play.report(rp.TranscriptionFailed("item_1", "engine_error", "The recogniser failed."))
    (failed,) = play.messages()
    assert failed["error"] == {
        "type": "transcription_error", "code": "engine_error", "message": "The recogniser failed.",
    }  # fmt: skip
    assert not play.session.is_closed


def test_the_recogniser_is_told_how_much_delay_the_client_takes() -> None:
    play = transcribing("gpt-realtime-whisper", delay="minimal")
    play.append(500)
    (begin,) = (effect for effect in play.last if isinstance(effect, ef.Transcribe))
    assert begin.delay == "minimal"


def test_prompt_and_keywords_are_words_to_expect() -> None:
    play = transcribing("gpt-live-transcribe", prompt="About lamps.", keywords=["Aurelia"], language="en")
    assert ef.Expect(ef.Vocabulary(("About lamps.",), ("Aurelia",), "en")) in play.last


# ------------------------------------------------------------------------------------------------------- languages


@pytest.mark.parametrize(
    "given", [{"language": "en-GB"}, {"language": "EN"}, {"language": ""}, {"languages": ["de", "en"]}]
)
def test_a_language_that_is_understood_may_be_told(given: dict[str, Any]) -> None:
    transcribing("gpt-transcribe", **given)


@pytest.mark.parametrize(
    ("given", "param"),
    [({"language": "de"}, "language"), ({"languages": ["de", "fr"]}, "languages[0]")],
)
@pytest.mark.parametrize(
    ("shape", "path"), [("ga", "session.audio.input.transcription."), ("beta", "session.input_audio_transcription.")]
)
def test_a_language_that_is_not_understood_is_refused_by_name(
    given: dict[str, Any], param: str, shape: str, path: str
) -> None:
    play = transcribing("gpt-transcribe", shape=shape)
    before = play.session.settings
    if shape == "ga":
        play.update(audio={"input": {"transcription": given}})
    else:
        play.client("transcription_session.update", session={"input_audio_transcription": given})
    (error,) = play.messages()
    assert (error["error"]["code"], error["error"]["param"]) == ("invalid_value", path + param)
    assert error["error"]["message"].endswith("supported values are: 'en'.")
    assert play.session.settings == before


def test_any_language_may_be_told_where_nothing_says_what_is_understood() -> None:
    transcribing("gpt-transcribe", service=Service(), language="de")


def test_a_client_that_asks_by_languages_is_told_which_it_was() -> None:
    play = transcribing("gpt-transcribe", languages=["de", "en-US"])
    commit(play)
    play.report(HEARD)
    assert play.messages()[-1]["languages"] == [{"code": "en-US"}]


# -------------------------------------------------------------------------------------------------- several parts


def audio_part(ms: int) -> dict[str, Any]:
    return {"type": "input_audio", "audio": b64(bytes(48 * ms))}


def test_every_wordless_part_of_an_item_is_understood_before_it_is_answered() -> None:
    play = Playbook()
    content = [audio_part(200), {"type": "input_text", "text": "and"}, audio_part(300)]
    lines = play.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    assert lines[2:] == ["Recognise item_1 9600", "Recognise item_2 14400"]
    assert "Answer resp_1" not in play.client("response.create")
    assert play.report(rp.Transcribed("item_2", "two")) == []
    assert play.report(rp.Transcribed("item_1", "one")) == ["Answer resp_1"]
    (item,) = play.prompt.items
    assert [getattr(part, "heard", None) for part in item.content] == ["one", None, "two"]  # type: ignore[union-attr]


def test_an_item_that_is_deleted_is_understood_in_none_of_its_parts() -> None:
    play = Playbook()
    content = [audio_part(200), audio_part(300)]
    play.client("conversation.item.create", item={"type": "message", "role": "user", "content": content, "id": "mine"})
    lines = play.client("conversation.item.delete", item_id="mine")
    assert lines == ["conversation.item.deleted mine", "Discard mine", "Discard item_1"]


def test_every_wordless_part_that_comes_with_a_response_is_understood_too() -> None:
    play = Playbook()
    content = [audio_part(200), audio_part(300)]
    given = [{"type": "message", "role": "user", "content": content}]
    lines = play.client("response.create", response={"input": given, "conversation": "none"})
    assert lines[2:] == ["Recognise item_1 9600", "Recognise item_2 14400"]
    assert play.report(rp.Transcribed("item_1", "one")) == []
    assert play.report(rp.TranscriptionFailed("item_2", "engine_error", "No.")) == ["Answer resp_1"]
    (item,) = play.prompt.items
    assert [part.words for part in item.content] == ["one", ""]  # type: ignore[union-attr]
    assert [part.format for part in item.content] == [PCM_24K, PCM_24K]  # type: ignore[union-attr]
