"""Transcription sessions on the wire, in both shapes."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import Playbook
from vivavoce.core.formats import PCMU
from vivavoce.core.settings import NoiseReduction, SemanticVad, ServerVad, Settings, Transcription
from vivavoce.dialects.choose import choose

TRANSCRIBING = Settings(kind="transcription")
LOGPROBS = "item.input_audio_transcription.logprobs"
UPDATES = {"ga": "session.update", "beta": "transcription_session.update"}


def session_of(play: Playbook) -> dict[str, Any]:
    """The session in the one event that the last input brought first."""
    session: dict[str, Any] = play.messages()[0]["session"]
    return session


def transcribing(shape: str | None) -> Playbook:
    return Playbook(TRANSCRIBING, shape=shape)


def test_a_ga_transcription_session_begins_without_transcription_and_with_voice_activity_detection() -> None:
    play = transcribing("ga")
    assert play.started == ["session.created", "Expect"]
    (created,) = play.messages()
    assert created["type"] == "session.created"
    assert created["session"] == {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": "sess_1",
        "expires_at": 1_000_003_600,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                },
            },
        },
        "include": None,
    }


def test_a_beta_transcription_session_is_flat_and_has_names_of_its_own() -> None:
    play = transcribing("beta")
    (created,) = play.messages()
    assert created["type"] == "transcription_session.created"
    assert created["session"] == {
        "object": "realtime.transcription_session",
        "id": "sess_1",
        "expires_at": 1_000_003_600,
        "modalities": ["audio", "text"],
        "input_audio_format": "pcm16",
        "input_audio_transcription": None,
        "input_audio_noise_reduction": None,
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
        },
        "include": None,
        "client_secret": None,
    }


def test_a_ga_update_changes_what_it_names() -> None:
    play = transcribing("ga")
    given = {
        "format": {"type": "audio/pcmu"},
        "transcription": {"model": "gpt-4o-transcribe", "language": "en", "prompt": "Names.", "keywords": ["Ann"]},
        "noise_reduction": {"type": "far_field"},
        "turn_detection": {"type": "server_vad", "threshold": 0.7, "create_response": True, "idle_timeout_ms": None},
    }
    session = {"type": "transcription", "audio": {"input": given}, "include": [LOGPROBS], "id": "sess_1"}
    assert play.client("session.update", session=session)[0] == "session.updated"
    assert play.session.settings == Settings(
        kind="transcription",
        input_format=PCMU,
        transcription=Transcription("gpt-4o-transcribe", "en", prompt="Names.", keywords=("Ann",)),
        noise_reduction=NoiseReduction("far_field"),
        turn_detection=ServerVad(threshold=0.7),
        include=(LOGPROBS,),
    )
    shown = session_of(play)
    assert shown["audio"]["input"]["transcription"] == {
        "model": "gpt-4o-transcribe", "language": "en", "prompt": "Names.",
    }  # fmt: skip
    assert shown["audio"]["input"]["format"] == {"type": "audio/pcmu"}
    assert shown["audio"]["input"]["noise_reduction"] == {"type": "far_field"}
    assert shown["include"] == [LOGPROBS]


def test_a_beta_update_changes_what_it_names_and_never_echoes_interrupt_response() -> None:
    play = transcribing("beta")
    session = {
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": "Names."},
        "input_audio_noise_reduction": {"type": "near_field"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300, "interrupt_response": False},
        "include": [LOGPROBS],
        "modalities": ["text"],
        "client_secret": {"expires_after": {"anchor": "created_at", "seconds": 600}},
    }
    play.client("transcription_session.update", session=session)
    (updated,) = play.messages()
    assert updated["type"] == "transcription_session.updated"
    shown = updated["session"]
    assert shown["input_audio_format"] == "g711_ulaw"
    assert shown["input_audio_transcription"] == {"model": "whisper-1", "language": "en", "prompt": "Names."}
    assert shown["input_audio_noise_reduction"] == {"type": "near_field"}
    assert shown["turn_detection"] == {
        "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 300,
    }  # fmt: skip
    assert (shown["include"], shown["modalities"], shown["client_secret"]) == ([LOGPROBS], ["text"], None)


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_turns_may_be_off_or_semantic(shape: str) -> None:
    play = transcribing(shape)
    for detection, kept in ((None, None), ({"type": "semantic_vad", "eagerness": "high"}, SemanticVad("high"))):
        session: dict[str, Any] = {"turn_detection": detection}
        if shape == "ga":
            session = {"type": "transcription", "audio": {"input": session}}
        play.client(UPDATES[shape], session=session)
        assert play.session.settings.turn_detection == kept
        shown = session_of(play)
        assert shown.get("audio", {}).get("input", shown)["turn_detection"] == detection


@pytest.mark.parametrize(
    ("shape", "kind", "update", "param", "message"),
    [
        ("ga", "realtime", ("session.update", "transcription"), "session.type", "a transcription|a realtime"),
        ("ga", "transcription", ("session.update", "realtime"), "session.type", "a realtime|a transcription"),
        ("beta", "realtime", ("transcription_session.update", None), "type", "a transcription|a realtime"),
        ("beta", "transcription", ("session.update", None), "type", "a realtime|a transcription"),
    ],
)
def test_an_update_of_the_other_kind_is_refused(
    shape: str, kind: str, update: tuple[str, str | None], param: str, message: str
) -> None:
    play = Playbook(Settings(kind=kind), shape=shape)
    given, own = message.split("|")
    play.client(update[0], session={"type": update[1]} if update[1] else {})
    text = f"Passing {given} session update event to {own} session is not allowed."
    assert (play.error.code, play.error.message, play.error.param) == ("invalid_parameter", text, param)


@pytest.mark.parametrize("shape", ["ga", "beta"])
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("response.create", {}),
        ("response.cancel", {}),
        ("output_audio_buffer.clear", {}),
        ("conversation.item.create", {"item": {"type": "message", "role": "user", "content": []}}),
        ("conversation.item.truncate", {"item_id": "item_1", "content_index": 0, "audio_end_ms": 5}),
    ],
)
def test_what_belongs_to_answers_is_refused_by_name(shape: str, kind: str, fields: dict[str, Any]) -> None:
    play = transcribing(shape)
    assert play.client(kind, **fields, event_id="mine") == ["error invalid_value type"]
    assert play.error.message.startswith(f"Invalid value: '{kind}'. A transcription session makes no responses; ")
    assert f"'{UPDATES[shape]}', 'input_audio_buffer.append'" in play.error.message
    assert play.error.client_event_id == "mine"


@pytest.mark.parametrize(
    ("session", "error"),
    [
        ({}, "missing_required_parameter session.type"),
        ({"type": "translation"}, "invalid_value session.type"),
        ({"type": "transcription", "instructions": "x"}, "unknown_parameter session.instructions"),
        ({"type": "transcription", "audio": {"output": {}}}, "unknown_parameter session.audio.output"),
        (
            {
                "type": "transcription",
                "audio": {"input": {"turn_detection": {"type": "server_vad", "eagerness": "low"}}},
            },
            "unknown_parameter session.audio.input.turn_detection.eagerness",
        ),
    ],
)
def test_other_mistakes_are_named(session: dict[str, Any], error: str) -> None:
    assert transcribing("ga").client("session.update", session=session) == [f"error {error}"]


@pytest.mark.parametrize(
    ("update", "session", "shape"),
    [
        ("transcription_session.update", {}, "beta"),
        ("transcription_session.update", {"input_audio_format": "pcm16"}, "beta"),
        ("session.update", {"input_audio_format": "pcm16"}, "beta"),
        ("session.update", {"type": "transcription"}, "ga"),
    ],
)
def test_the_first_update_tells_the_shape_of_clients_that_gave_no_sign(
    update: str, session: dict[str, Any], shape: str
) -> None:
    play = transcribing(None)
    assert play.messages()[0]["type"] == "session.created"
    play.client(update, session=session)
    assert play.dialect.name == shape


def test_turns_are_committed_and_never_answered() -> None:
    play = transcribing("ga")
    play.speak()
    assert play.stop_speaking() == [
        "input_audio_buffer.speech_stopped 832 item_1",
        "input_audio_buffer.committed None item_1",
        "conversation.item.added item_1 user completed after None",
        "conversation.item.done item_1 user completed after None",
        "Conclude item_1 at 39936",
    ]
    assert play.speak()[0].startswith("input_audio_buffer.speech_started")


def test_items_can_still_be_fetched_and_deleted() -> None:
    play = transcribing("ga")
    item_id = play.turn()
    assert play.client("conversation.item.retrieve", item_id=item_id)[0].startswith("conversation.item.retrieved")
    assert play.client("conversation.item.delete", item_id=item_id)[0] == f"conversation.item.deleted {item_id}"


def test_a_realtime_client_of_no_shape_that_updates_a_transcription_session_learns_of_its_mistake() -> None:
    play = Playbook(shape=None)
    assert play.client("transcription_session.update", session={}) == ["error invalid_parameter type"]
    assert choose("beta").name == play.dialect.name
