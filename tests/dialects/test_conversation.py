"""The small protocol: what a page says and is told, and what becomes of it in the session underneath."""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pages import Page, pcm
from playbook import Playbook
from vivavoce.core import reports as rp
from vivavoce.core.formats import PCM_16K
from vivavoce.core.settings import ServerVad, Settings, Tool, Transcription
from vivavoce.dialects.conversation import SHAPE, Bridge, begun

Json = dict[str, Any]
PAGE = Path(__file__).parents[2] / "docs" / "conversation.md"
SAMPLE = Path(__file__).parents[1] / "wire" / "conversation" / "turn.jsonl"


def kinds(messages: list[Json]) -> list[str]:
    return [message["type"] for message in messages]


def asked(page: Page) -> list[str]:
    """The types of what the session was asked since the last time."""
    found = kinds(page.asked)
    page.asked.clear()
    return found


def from_session(bridge: Bridge, kind: str, now: float = 0.0, **fields: Any) -> tuple[list[Json], list[Json]]:
    """What a bridge says to the session and to the client when the session says something."""
    passed = bridge.receive_session(json.dumps({"type": kind, "event_id": "event_x", **fields}).encode(), now)
    return [*map(msgspec.json.decode, passed.to_session)], [*map(msgspec.json.decode, passed.to_client)]


# ------------------------------------------------------------------------------------------------------ beginnings


def test_a_conversation_begins_with_the_settings_that_are_promised() -> None:
    found = begun(Settings(), is_relayed=False)
    assert (found.input_format, found.output_format) == (PCM_16K, PCM_16K)
    assert found.turn_detection == ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500)
    assert (found.output_modalities, found.voice, found.temperature) == (("audio",), "alloy", 0.8)
    assert found.transcription == Transcription("vivavoce")
    assert found.include == ("item.input_audio_transcription.logprobs",)


def test_a_client_secret_keeps_what_it_says_but_for_functions_that_nobody_could_call() -> None:
    made = Settings(
        voice="cedar",
        instructions="Be kind.",
        turn_detection=None,
        transcription=Transcription("whisper-1", "de"),
        tools=(Tool("wave"),),
        tool_choice="required",
    )
    found = begun(made, is_relayed=True)
    assert (found.voice, found.instructions, found.turn_detection) == ("cedar", "Be kind.", None)
    assert found.transcription == Transcription("whisper-1", "de")
    assert (found.tools, found.tool_choice) == ((), "auto")


def test_another_server_is_asked_for_a_transcription_model_that_it_knows() -> None:
    assert begun(Settings(), is_relayed=True).transcription == Transcription("gpt-4o-mini-transcribe")


def test_the_first_message_says_that_the_session_is_ready() -> None:
    assert Page().told == [
        {
            "type": "session_ready",
            "message": "Connected to vivavoce",
            "session_id": "sess_1",
            "sample_rate": 16_000,
            "voice": "alloy",
        }
    ]


# ------------------------------------------------------------------------------------------------------------ turns


def test_a_spoken_turn_is_told_as_it_happens() -> None:
    page = Page()
    page.told.clear()
    assert page.speaks() == [{"type": "speech_started"}]
    assert page.report(rp.Overheard("item_1", "what is", "what is", 0.1)) == [
        {"type": "user_transcript", "text": "what is", "final": False}
    ]
    assert page.report(rp.Overheard("item_1", "what is six", "what is six", 0.1)) == [
        {"type": "user_transcript", "text": "what is six", "final": False}
    ]
    assert page.falls_silent() == [{"type": "speech_stopped"}]
    words = tuple(rp.Word(word, 0, 100, sure) for word, sure in (("what", 0.9), ("is", 0.8), ("six", 1.0)))
    assert page.report(rp.Transcribed("item_1", "what is six", words)) == [
        {"type": "user_transcript", "text": "what is six", "final": True, "confidence": 0.9}
    ]
    page.play.now += 0.25
    told = page.answers("Six.", ms=40)
    assert told == [
        {"type": "text_delta", "text": "Six."},
        {"type": "audio_delta", "audio": pcm(40)},
        {
            "type": "response_done",
            "message": "AI response completed",
            "status": "completed",
            "usage": told[-1]["usage"],
            "latency_ms": 250,
        },
    ]
    assert told[-1]["usage"]["total_tokens"] > 0
    assert asked(page) == ["input_audio_buffer.append"] * 2


def test_a_recogniser_that_tells_no_confidences_has_none_told() -> None:
    bridge = Bridge()
    kind = "conversation.item.input_audio_transcription"
    told = from_session(bridge, f"{kind}.completed", item_id="item_1", transcript="Hello. ")[1]
    assert told == [{"type": "user_transcript", "text": "Hello.", "final": True}]


def test_confidence_is_the_mean_of_the_words_and_of_no_marks() -> None:
    logprobs = [{"token": word, "logprob": math.log(sure)} for word, sure in (("Oh", 0.5), (",", 1.0), (" no", 1.0))]
    kind = "conversation.item.input_audio_transcription.completed"
    (told,) = from_session(Bridge(), kind, item_id="i", transcript="Oh, no", logprobs=logprobs)[1]
    assert told["confidence"] == 0.75


def test_words_that_could_not_be_recognised_are_an_error() -> None:
    kind = "conversation.item.input_audio_transcription.failed"
    told = from_session(Bridge(), kind, item_id="i", error={"code": "engine_error", "message": "No decoder."})[1]
    assert told == [{"type": "error", "code": "engine_error", "message": "No decoder."}]


def test_partial_words_of_utterances_that_never_end_are_forgotten() -> None:
    bridge = Bridge()
    for number in range(100):
        kind = "conversation.item.input_audio_transcription.delta"
        from_session(bridge, kind, item_id=f"item_{number}", delta="x")
    assert len(bridge._partial) == 16


def test_a_text_is_a_message_of_the_user_and_is_answered_at_once() -> None:
    page = Page()
    page.told.clear()
    assert page.says("text", text="Hello?") == []
    assert page.asked == [
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]},
        },
        {"type": "response.create", "event_id": "conversation_ask"},
    ]
    page.play.now += 0.1
    assert page.answers("Hello!")[-1]["latency_ms"] == 100


def test_an_answer_that_nobody_asked_for_by_a_turn_has_no_latency() -> None:
    bridge = Bridge()
    from_session(bridge, "response.created", response={"id": "resp_1"})
    (done,) = from_session(bridge, "response.done", response={"id": "resp_1", "status": "completed"})[1]
    assert done["latency_ms"] is None


def test_a_new_text_ends_the_answer_to_the_last_before_it_is_answered() -> None:
    page = Page()
    page.says("text", text="Tell me a story.")
    page.play.now += 1
    page.answers("Once upon a time", ends=False)
    asked(page)
    told = page.says("text", text="No, sing!")
    assert asked(page) == ["response.cancel", "conversation.item.create", "response.create"]
    assert [(message["type"], message.get("status")) for message in told] == [("response_done", "cancelled")]
    assert told[0]["message"] == "AI response cancelled"
    page.play.now += 0.5
    assert page.answers("La la.")[-1] | {"usage": None} == {
        "type": "response_done",
        "message": "AI response completed",
        "status": "completed",
        "usage": None,
        "latency_ms": 500,
    }


def test_an_answer_elsewhere_is_awaited_until_it_has_ended() -> None:
    bridge = Bridge(is_relayed=True)
    from_session(bridge, "response.created", response={"id": "resp_1"})
    first = bridge.receive_client(b'{"type":"text","text":"One."}', 1.0).to_session
    assert [msgspec.json.decode(frame)["type"] for frame in first] == ["response.cancel", "conversation.item.create"]
    second = bridge.receive_client(b'{"type":"text","text":"Two."}', 1.0).to_session
    assert [msgspec.json.decode(frame)["type"] for frame in second] == ["conversation.item.create"]
    up, down = from_session(bridge, "response.done", response={"id": "resp_1", "status": "cancelled"})
    assert kinds(up) == ["response.create"]
    assert kinds(down) == ["response_done"]


def test_a_cancel_that_comes_too_late_is_nobodys_mistake() -> None:
    bridge = Bridge(is_relayed=True)
    from_session(bridge, "response.created", response={"id": "resp_1"})
    bridge.receive_client(b'{"type":"text","text":"One."}', 1.0)
    error = {"code": "response_cancel_not_active", "message": "No.", "event_id": "conversation_cancel"}
    up, down = from_session(bridge, "error", error=error)
    assert (kinds(up), down) == (["response.create"], [])
    bridge = Bridge(is_relayed=True)
    assert from_session(bridge, "error", error=error) == ([], [])


def test_a_session_that_began_to_answer_at_the_same_moment_is_asked_again() -> None:
    bridge = Bridge(is_relayed=True)
    bridge.receive_client(b'{"type":"text","text":"One."}', 1.0)
    from_session(bridge, "response.created", response={"id": "resp_vad"})
    error = {
        "code": "conversation_already_has_active_response",
        "message": "No.",
        "event_id": "conversation_ask",
    }
    up, down = from_session(bridge, "error", error=error)
    assert (kinds(up), down) == (["response.cancel"], [])
    up, _ = from_session(bridge, "response.done", response={"id": "resp_vad", "status": "cancelled"})
    assert kinds(up) == ["response.create"]


def test_an_answer_that_is_refused_is_awaited_no_longer() -> None:
    bridge = Bridge(is_relayed=True)
    bridge.receive_client(b'{"type":"text","text":"One."}', 1.0)
    error = {"type": "server_error", "code": None, "message": "Overloaded.", "event_id": None}
    assert from_session(bridge, "error", error=error)[1] == [
        {"type": "error", "code": "server_error", "message": "Overloaded."}
    ]
    again = bridge.receive_client(b'{"type":"text","text":"Two."}', 1.0).to_session
    assert [msgspec.json.decode(frame)["type"] for frame in again] == ["conversation.item.create", "response.create"]


def test_a_failed_answer_says_why() -> None:
    page = Page()
    page.says("text", text="Hello?")
    told = page.report(rp.Broke(page.answer_id, "engine_error", "The voice is gone."))
    assert told[0] == {"type": "error", "code": "engine_error", "message": "The voice is gone."}
    assert (told[1]["status"], told[1]["message"]) == ("failed", "AI response failed")


def test_written_answers_have_words_alone_and_are_timed_by_them() -> None:
    page = Page()
    page.says("config", config={"modalities": ["text"]})
    page.says("text", text="Hello?")
    page.play.now += 0.2
    told = page.report(rp.Said(page.answer_id, "Hi."), rp.Answered(page.answer_id))
    assert kinds(told) == ["text_delta", "response_done"]
    assert told[-1]["latency_ms"] == 200


# ---------------------------------------------------------------------------------------------------- interruptions


def test_an_interruption_cancels_the_answer() -> None:
    page = Page()
    page.says("text", text="Hello?")
    page.answers(ends=False)
    asked(page)
    assert kinds(page.says("interrupt")) == ["response_done"]
    assert asked(page) == ["response.cancel"]


def test_an_interruption_of_nothing_is_no_mistake() -> None:
    page = Page()
    page.told.clear()
    assert page.says("interrupt") == []
    assert page.says("interrupt", played_ms=100) == []
    assert page.says("interrupt", played_ms=None) == []
    assert page.asked == []


@pytest.mark.parametrize(("played_ms", "kept_ms"), [(0, 0), (400, 400), (999, 999)])
def test_what_was_not_heard_of_an_answer_is_cut_off(played_ms: int, kept_ms: int) -> None:
    page = Page()
    page.says("text", text="Hello?")
    page.answers(ms=1000, ends=False)
    asked(page)
    page.says("interrupt", played_ms=played_ms)
    assert [event["type"] for event in page.asked] == ["response.cancel", "conversation.item.truncate"]
    assert page.asked[-1]["audio_end_ms"] == kept_ms
    item = page.play.item(page.asked[-1]["item_id"])
    assert len(item.content[0].audio) == kept_ms * 32


@pytest.mark.parametrize("played_ms", [1000, 1001, 2**40])
def test_no_more_can_have_been_heard_than_was_sent(played_ms: int) -> None:
    page = Page()
    page.says("text", text="Hello?")
    page.answers(ms=1000)
    asked(page)
    assert page.says("interrupt", played_ms=played_ms) == []
    assert page.asked == []


def test_an_answer_that_is_all_sent_can_still_be_cut_and_cut_again() -> None:
    page = Page()
    page.says("text", text="Hello?")
    page.answers(ms=1000)
    asked(page)
    for played_ms in (700, 800, 300):
        assert page.says("interrupt", played_ms=played_ms) == []
    assert [event["audio_end_ms"] for event in page.asked] == [700, 300]


def test_parts_of_an_answer_are_cut_in_the_order_in_which_they_were_heard() -> None:
    bridge = Bridge()
    from_session(bridge, "response.created", response={"id": "resp_1"})
    for item_id in ("item_1", "item_1", "item_2", "item_3"):
        where = {"response_id": "resp_1", "item_id": item_id, "content_index": 0}
        from_session(bridge, "response.output_audio.delta", **where, delta=pcm(100))
    from_session(bridge, "response.done", response={"id": "resp_1", "status": "completed"})
    cut = bridge.receive_client(b'{"type":"interrupt","played_ms":250}', 0.0).to_session
    assert [msgspec.json.decode(frame) for frame in cut] == [
        {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": ms}
        for item_id, ms in (("item_2", 50), ("item_3", 0))
    ]


def test_slashes_that_a_server_escapes_are_audio_all_the_same() -> None:
    where = b'"response_id":"r","item_id":"i","content_index":0'
    frame = b'{"type":"response.output_audio.delta",' + where + b',"delta":"\\/\\/8="}'
    (told,) = Bridge().receive_session(frame, 0.0).to_client
    assert base64.b64decode(json.loads(told)["audio"]) == b"\xff\xff"


# ---------------------------------------------------------------------------------------------------------- settings


def test_settings_are_those_of_the_session() -> None:
    page = Page()
    detection = {"type": "server_vad", "threshold": 0.7, "silence_duration_ms": 800}
    config = {
        "sample_rate": 24_000,
        "instructions": "Be brief.",
        "voice": "cedar",
        "modalities": ["text", "audio"],
        "turn_detection": detection,
        "input_audio_transcription": {"model": "whisper-1"},
        "temperature": 0.9,
        "language": "en",
    }
    page.told.clear()
    assert page.says("config", config=config) == []
    found = page.play.session.settings
    assert (found.input_format.rate, found.output_format.rate) == (24_000, 24_000)
    assert (found.instructions, found.voice, found.temperature) == ("Be brief.", "cedar", 0.9)
    assert found.output_modalities == ("audio",)
    assert found.turn_detection == ServerVad(threshold=0.7, silence_duration_ms=800)
    assert found.transcription == Transcription("whisper-1", "en")
    assert page.bridge.rate_hz == 24_000


def test_one_setting_leaves_the_others_alone() -> None:
    page = Page()
    before = page.play.session.settings
    page.says("config", config={"language": "en"})
    assert page.play.session.settings == msgspec.structs.replace(before, transcription=Transcription("vivavoce", "en"))
    assert page.says("config", config={}) == []


def test_a_language_turns_transcription_on_again() -> None:
    page = Page()
    page.says("config", config={"input_audio_transcription": None})
    assert page.play.session.settings.transcription is None
    page.says("config", config={"language": "en"})
    assert page.play.session.settings.transcription == Transcription("vivavoce", "en")


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        ({"colour": "red"}, "unknown_parameter", "config.colour"),
        ({"sample_rate": 8000}, "invalid_value", "config.sample_rate"),
        ({"sample_rate": 44_100}, "invalid_value", "'16000' and '24000'"),
        ({"sample_rate": "16000"}, "invalid_type", "config.sample_rate"),
        ({"sample_rate": True}, "invalid_type", "config.sample_rate"),
        ({"instructions": 1}, "invalid_type", "config.instructions"),
        ({"voice": "nobody"}, "invalid_value", "config.voice"),
        ({"voice": ""}, "invalid_value", "config.voice"),
        ({"modalities": []}, "invalid_value", "config.modalities"),
        ({"modalities": ["smell"]}, "invalid_value", "config.modalities[0]"),
        ({"turn_detection": None}, "invalid_value", "config.turn_detection"),
        (
            {"turn_detection": {"type": "server_vad", "threshold": 2}},
            "invalid_value",
            "config.turn_detection.threshold",
        ),
        ({"turn_detection": {"eagerness": "low"}}, "unknown_parameter", "config.turn_detection.eagerness"),
        ({"turn_detection": {"type": "magic"}}, "invalid_value", "config.turn_detection.type"),
        ({"input_audio_transcription": "on"}, "invalid_type", "config.input_audio_transcription"),
        ({"temperature": 3}, "invalid_value", "config.temperature"),
        ({"language": ""}, "invalid_value", "config.language"),
        ({"language": "en", "input_audio_transcription": None}, "invalid_value", "config.language"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name_and_change_nothing(config: Json, code: str, words: str) -> None:
    page = Page()
    page.told.clear()
    before = page.play.session.settings
    (told,) = page.says("config", config={"instructions": "Never.", **config})
    assert (told["type"], told["code"]) == ("error", code)
    assert words in told["message"]
    assert set(told) == {"type", "code", "message"}
    assert page.play.session.settings == before


def test_a_voice_that_was_heard_stays() -> None:
    page = Page()
    page.says("text", text="Hello?")
    page.answers()
    (told,) = page.says("config", config={"voice": "cedar"})
    assert told["code"] == "cannot_update_voice"


def test_the_rate_stays_in_the_midst_of_a_turn() -> None:
    page = Page()
    page.speaks()
    (told,) = page.says("config", config={"sample_rate": 24_000})
    assert told["code"] == "turn_under_way"
    assert page.says("config", config={"sample_rate": 16_000}) == []
    page.falls_silent()
    assert page.says("config", config={"sample_rate": 24_000})[0]["code"] == "turn_under_way"
    page.report(rp.Transcribed("item_1", "hello"))
    page.answers()
    assert page.says("config", config={"sample_rate": 24_000}) == []
    page.says("text", text="And now?")
    page.answers(ms=1000, rate_hz=24_000)
    page.says("interrupt", played_ms=500)
    assert page.asked[-1]["audio_end_ms"] == 500


def test_servers_that_know_no_temperature_are_not_asked_for_one() -> None:
    passed = Bridge(is_relayed=True).receive_client(b'{"type":"config","config":{"temperature":0.7}}', 0.0)
    assert passed.to_session == ()
    (told,) = map(msgspec.json.decode, passed.to_client)
    assert "config.temperature" in told["message"]


def test_sessions_of_this_process_take_the_temperature_as_a_setting_of_its_own() -> None:
    play = Playbook(begun(Settings(), is_relayed=False), shape=SHAPE)
    assert play.client("session.update", session={"type": "realtime", "temperature": 0.3}) == ["session.updated"]
    assert play.session.settings.temperature == 0.3
    play.client("session.update", session={"type": "realtime", "temperature": "hot"})
    assert play.error.param == "session.temperature"


# ----------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        ("", "invalid_event", "JSON"),
        ("{", "invalid_event", "JSON"),
        ("[]", "invalid_event", "object"),
        ("{}", "missing_required_parameter", "'type'"),
        ('{"type":7}', "invalid_type", "'type'"),
        ('{"type":"shout"}', "invalid_value", "'audio', 'text', 'config', and 'interrupt'"),
        ('{"type":"response.create"}', "invalid_value", "type"),
        ('{"type":"audio"}', "missing_required_parameter", "'audio'"),
        ('{"type":"audio","audio":7}', "invalid_type", "'audio'"),
        ('{"type":"audio","audio":"?"}', "invalid_value", "base64"),
        ('{"type":"audio","audio":"AAA"}', "invalid_value", "base64"),
        ('{"type":"audio","audio":"AAAA"}', "invalid_value", "3 bytes"),
        ('{"type":"audio","audio":"ÄÄÄÄ"}', "invalid_value", "base64"),
        ('{"type":"audio","audio":"AAA=","rate":1}', "unknown_parameter", "'rate'"),
        ('{"type":"text"}', "missing_required_parameter", "'text'"),
        ('{"type":"text","text":""}', "invalid_value", "'text'"),
        ('{"type":"text","text":null}', "invalid_type", "'text'"),
        ('{"type":"text","audio":"AAA="}', "missing_required_parameter", "'text'"),
        ('{"type":"config"}', "missing_required_parameter", "'config'"),
        ('{"type":"config","config":[]}', "invalid_type", "'config'"),
        ('{"type":"interrupt","played_ms":-1}', "invalid_value", "'played_ms'"),
        ('{"type":"interrupt","played_ms":1.5}', "invalid_type", "'played_ms'"),
    ],
)
def test_a_bad_message_is_told_and_nothing_comes_of_it(data: str, code: str, words: str) -> None:
    page = Page()
    page.told.clear()
    (told,) = page.sends(data)
    assert (told["type"], told["code"]) == ("error", code)
    assert words in told["message"]
    assert page.asked == []


def test_audio_of_no_length_is_nothing() -> None:
    page = Page()
    page.told.clear()
    assert page.says("audio", audio="") == []
    assert page.asked == []


def test_events_that_the_small_protocol_has_no_word_for_are_not_told() -> None:
    bridge = Bridge()
    for kind in ("rate_limits.updated", "conversation.item.added", "vivavoce.relay", "something.new"):
        assert from_session(bridge, kind) == ([], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["audio", "text", "config", "played_ms", "type", "x"])
CONFIG = st.dictionaries(
    st.sampled_from(["sample_rate", "instructions", "voice", "modalities", "turn_detection", "temperature",
                     "input_audio_transcription", "language", "x"]),
    JSON | st.sampled_from([16_000, 24_000, "alloy", ["text"], {"type": "semantic_vad"}, {"model": "whisper-1"}]),
    max_size=3,
)  # fmt: skip
MESSAGES = st.builds(
    lambda kind, fields, config: {"type": kind, **fields} | ({"config": config} if config is not None else {}),
    st.sampled_from(["audio", "text", "config", "interrupt"]) | JSON,
    st.dictionaries(FIELDS, JSON | st.sampled_from(["AAAA", "AAA=", pcm(20)]), max_size=2),
    st.none() | CONFIG,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.builds(json.dumps, MESSAGES) | st.text(max_size=20), max_size=8), st.booleans())
def test_odd_messages_give_errors_and_the_conversation_goes_on(frames: list[str], speaks: bool) -> None:
    page = Page()
    page.told.clear()
    for data in frames:
        page.sends(data.encode("utf-8", "replace").decode())
        if speaks and page.answer_id and page.bridge._is_answering:
            page.report(rp.Said(page.answer_id, "a"))
    page.says("interrupt")
    page.says("config", config={"modalities": ["text", "audio"]})
    page.told.clear()
    page.says("text", text="Are you there?")
    rate_hz = page.play.session.settings.output_format.rate
    told = page.answers("Yes.", ms=20, rate_hz=rate_hz)
    assert {"text_delta", "audio_delta", "response_done"} <= set(kinds(told))


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({})
ODD = SCALARS | st.dictionaries(
    st.sampled_from(["audio", "error", "id", "code", "status", "status_details", "output_modalities"]),
    SCALARS | st.just({"output": {"format": {"rate": "fast"}}}) | st.just({"error": {"code": 1}}),
    max_size=3,
)
EVENTS = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(
        ["session.created", "session.updated", "response.created", "response.done", "error",
         "response.output_audio.delta", "response.output_text.delta", "input_audio_buffer.speech_stopped",
         *(f"conversation.item.input_audio_transcription.{what}" for what in ("delta", "completed", "failed", "x"))]
    ) | SCALARS,
    st.dictionaries(
        st.sampled_from(["session", "response", "error", "delta", "item_id", "response_id", "content_index",
                         "transcript", "logprobs"]),
        ODD | st.lists(st.fixed_dictionaries({"token": SCALARS, "logprob": SCALARS}), max_size=2),
        max_size=4,
    ),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS | SCALARS, max_size=6))
def test_servers_elsewhere_may_say_odd_things(events: list[Any]) -> None:
    bridge = Bridge(is_relayed=True)
    for event in events:
        for message in bridge.receive_session(json.dumps(event).encode(), 0.0).to_client:
            assert isinstance(msgspec.json.decode(message), dict)
        bridge.receive_client(b'{"type":"interrupt","played_ms":0}', 0.0)
    assert bridge.receive_client(b'{"type":"text","text":"Hello?"}', 0.0).to_session


# --------------------------------------------------------------------------------------------------------- the page


def test_the_page_has_a_row_for_every_message_and_setting() -> None:
    page = PAGE.read_text(encoding="utf-8")
    said, told = page.partition("## What it is told")[::2]
    (refused,) = Page().sends('{"type":"shout"}')[-1:]
    assert re.findall(r'^\| `\{"type":"(\w+)"', said, re.MULTILINE) == re.findall(r"'(\w+)'", refused["message"])[1:]
    sampled = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    assert set(re.findall(r'^\| `\{"type":"(\w+)"', told, re.MULTILINE)) == {
        line["server"]["type"] for line in sampled if "server" in line
    }
    _, *settings_told = re.findall(r"^\| `(\w+)` \|", said, re.MULTILINE)
    assert len(settings_told) == 8
    for name in settings_told:
        (error,) = Page().says("config", config={name: 0.5})[1:] or [None]
        assert (error is None) == (name == "temperature"), name
        assert error is None or error["code"] in ("invalid_type", "invalid_value"), name


# ----------------------------------------------------------------------------------------------------------- sample


def replayed(lines: list[Json]) -> list[Json]:
    """A sample as it goes now."""
    page = Page()
    out = [{"server": message} for message in page.told]
    for line in lines:
        if "server" in line:
            continue
        out.append(line)
        if "client" in line:
            told = page.sends(json.dumps(line["client"]))
        elif "user" in line:
            told = page.speaks() if line["user"] == "speaks" else page.falls_silent()
        elif "passes" in line:
            page.play.now += line["passes"]
            told = []
        else:
            told = page.report(msgspec.convert(line["with"], getattr(rp, line["report"])))
        out += [{"server": message} for message in told]
    return out


def test_the_wire_is_as_sampled() -> None:
    lines = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    assert replayed(lines) == lines
