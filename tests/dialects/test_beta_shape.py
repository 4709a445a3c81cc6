"""The beta shape: flat sessions, other names, and each field there and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playbook import Playbook, b64
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.errors import ProtocolError
from vivavoce.core.formats import PCM_16K, PCM_24K, PCMA, PCMU
from vivavoce.core.items import FunctionCall, FunctionCallOutput, InputAudio, Message, OutputAudio, OutputText
from vivavoce.core.settings import SemanticVad, ServerVad, Settings, Tool, Transcription, for_response
from vivavoce.core.states import ResponseState, SessionState
from vivavoce.dialects.beta import Beta

DEFAULTS = {
    "object": "realtime.session",
    "id": "sess_1",
    "model": "vivavoce",
    "expires_at": 1_000_003_600,
    "modalities": ["audio", "text"],
    "instructions": "",
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": None,
    "input_audio_noise_reduction": None,
    "turn_detection": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
    },
    "tools": [],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": "inf",
    "speed": 1.0,
    "tracing": None,
    "include": None,
    "client_secret": None,
    "prompt": None,
}


def decode(**message: Any) -> Any:
    return Beta().decode(json.dumps(message).encode())


def patch(**session: Any) -> dict[str, Any]:
    found: dict[str, Any] = decode(type="session.update", session=session).session
    return found


def written(event: ev.ServerEvent) -> dict[str, Any]:
    (frame,) = Beta().encode(event)
    message: dict[str, Any] = json.loads(frame)
    return message


def shown(**settings: Any) -> dict[str, Any]:
    message = written(ev.SessionUpdated("e", SessionState("sess_1", 1_000_003_600, Settings(**settings))))
    session: dict[str, Any] = message["session"]
    return session


def test_a_session_is_shown_flat_with_its_defaults() -> None:
    assert shown() == DEFAULTS


def test_what_a_client_reads_it_can_send_back() -> None:
    play = Playbook(shape="beta")
    before = play.session.settings
    assert play.client("session.update", session=DEFAULTS) == ["session.updated"]
    assert play.session.settings == before


FUNCTION = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
SEMANTIC = {"type": "semantic_vad", "eagerness": "low", "create_response": False, "interrupt_response": True}


@pytest.mark.parametrize(
    ("field", "value", "setting", "meaning"),
    [
        ("modalities", ["audio", "text"], "output_modalities", ("audio",)),
        ("modalities", ["text"], "output_modalities", ("text",)),
        ("instructions", "x", "instructions", "x"),
        ("voice", "marin", "voice", "marin"),
        ("input_audio_format", "pcm16", "input_format", PCM_24K),
        ("input_audio_format", "g711_ulaw", "input_format", PCMU),
        ("input_audio_format", "g711_alaw", "input_format", PCMA),
        ("output_audio_format", "g711_ulaw", "output_format", PCMU),
        ("output_audio_format", "g711_alaw", "output_format", PCMA),
        ("input_audio_transcription", None, "transcription", None),
        ("input_audio_noise_reduction", None, "noise_reduction", None),
        ("turn_detection", None, "turn_detection", None),
        ("tools", [FUNCTION], "tools", (Tool("f", "d", {"type": "object"}),)),
        ("tool_choice", "required", "tool_choice", "required"),
        ("tool_choice", {"type": "function", "name": "f"}, "tool_choice", {"type": "function", "name": "f"}),
        ("temperature", 1.1, "temperature", 1.1),
        ("max_response_output_tokens", 99, "max_output_tokens", 99),
        ("max_response_output_tokens", "inf", "max_output_tokens", None),
        ("speed", 1.25, "speed", 1.25),
        ("tracing", "auto", "tracing", "auto"),
        ("prompt", {"id": "p"}, "prompt", {"id": "p"}),
        ("include", ["item.input_audio_transcription.logprobs"], "include",
         ("item.input_audio_transcription.logprobs",)),
        ("model", "m", "model", "m"),
    ],
)  # fmt: skip
def test_each_field_means_the_same_there_and_back(field: str, value: Any, setting: str, meaning: Any) -> None:
    # Functions and remote servers come in one list, and are replaced together.
    assert patch(**{field: value}) == {setting: meaning} | ({"mcp_servers": ()} if field == "tools" else {})
    assert shown(**{setting: meaning})[field] == value


def test_modalities_are_read_in_any_order_and_audio_alone_too() -> None:
    for given in (["text", "audio"], ["audio"]):
        assert patch(modalities=given) == {"output_modalities": ("audio",)}


def test_noise_reduction_is_there_and_back_and_keeps_its_strength() -> None:
    play = Playbook(shape="beta")
    play.update(input_audio_noise_reduction={"type": "far_field", "strength": 0.5})
    play.update(input_audio_noise_reduction={"type": "near_field"})
    assert play.messages()[0]["session"]["input_audio_noise_reduction"] == {"type": "near_field", "strength": 0.5}


def test_transcription_is_there_and_back() -> None:
    play = Playbook(shape="beta")
    given = {"model": "whisper-1", "language": "de", "prompt": "names"}
    play.client("session.update", session={"input_audio_transcription": given})
    assert play.session.settings.transcription == Transcription("whisper-1", "de", None, "names")
    assert play.messages()[0]["session"]["input_audio_transcription"] == given
    play.client("session.update", session={"input_audio_transcription": None})
    assert play.session.settings.transcription is None


@pytest.mark.parametrize(
    ("given", "meaning", "told"),
    [
        ({"type": "semantic_vad", "eagerness": "low", "create_response": False}, SemanticVad("low", False), SEMANTIC),
        (
            {"type": "semantic_vad", "eagerness": "low", "create_response": False, "threshold": 0.5,
             "prefix_padding_ms": 1, "silence_duration_ms": 2, "idle_timeout_ms": None},
            SemanticVad("low", False), SEMANTIC,
        ),
        (
            {"type": "server_vad", "threshold": 0.7, "eagerness": "low", "silence_duration_ms": None},
            ServerVad(threshold=0.7),
            {"type": "server_vad", "threshold": 0.7, "prefix_padding_ms": 300, "silence_duration_ms": 500,
             "create_response": True, "interrupt_response": True},
        ),
        ({"type": "none"}, None, None),
    ],
)  # fmt: skip
def test_turn_detection_leaves_out_what_is_foreign_to_its_type(given: Any, meaning: Any, told: Any) -> None:
    play = Playbook(shape="beta")
    assert play.client("session.update", session={"turn_detection": given})[0] == "session.updated"
    assert play.session.settings.turn_detection == meaning
    assert shown(turn_detection=meaning)["turn_detection"] == told


def test_turn_detection_is_merged_within_its_type() -> None:
    play = Playbook(shape="beta")
    play.client("session.update", session={"turn_detection": {"type": "server_vad", "threshold": 0.7}})
    play.client("session.update", session={"turn_detection": {"type": "server_vad", "silence_duration_ms": 900}})
    assert play.session.settings.turn_detection == ServerVad(threshold=0.7, silence_duration_ms=900)


def test_what_the_ga_shape_has_alone_is_kept_from_beta_clients() -> None:
    assert "idle_timeout_ms" not in shown(turn_detection=ServerVad(idle_timeout_ms=5000))["turn_detection"]
    assert shown(input_format=PCM_16K)["input_audio_format"] == "pcm16"
    hidden = shown(truncation="disabled", reasoning={"effort": "low"}, parallel_tool_calls=True)
    assert hidden.keys() == DEFAULTS.keys()


def test_nulls_and_what_is_read_only_are_ignored() -> None:
    given = {"id": "x", "object": "y", "expires_at": 0, "client_secret": {"expires_after": {}}, "type": "realtime"}
    assert patch(**given, voice=None, instructions=None, max_response_output_tokens=None, include=None) == {}


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"audio": {}}, "unknown_parameter", "session.audio"),
        ({"output_modalities": ["text"]}, "unknown_parameter", "session.output_modalities"),
        ({"modalities": []}, "invalid_value", "session.modalities"),
        ({"voice": "nobody"}, "invalid_value", "session.voice"),
        ({"input_audio_format": "mp3"}, "invalid_value", "session.input_audio_format"),
        ({"input_audio_format": {"type": "audio/pcm"}}, "invalid_type", "session.input_audio_format"),
        ({"turn_detection": {"type": "server_vad", "threshold": 2}}, "invalid_value",
         "session.turn_detection.threshold"),
        ({"turn_detection": {"type": "server_vad", "x": 2}}, "unknown_parameter", "session.turn_detection.x"),
        ({"temperature": "hot"}, "invalid_type", "session.temperature"),
        ({"max_response_output_tokens": 5000}, "invalid_value", "session.max_response_output_tokens"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_beta_name(session: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        patch(**session)
    assert (caught.value.code, caught.value.param) == (code, param)


def test_transcription_sessions_are_told_apart() -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(type="transcription_session.update", session={})
    assert caught.value.code == "invalid_parameter"
    assert caught.value.message == "Passing a transcription session update event to a realtime session is not allowed."


@pytest.mark.parametrize("limit", ["max_output_tokens", "max_response_output_tokens"])
def test_a_response_is_asked_for_in_flat_fields(limit: str) -> None:
    event = decode(
        type="response.create",
        event_id="e",
        response={
            "modalities": ["text", "audio"], "instructions": "x", "voice": "echo", "output_audio_format": "g711_ulaw",
            "tools": [{"type": "function", "name": "f"}], "tool_choice": "auto", "temperature": 0.6, limit: 7,
            "conversation": "none", "metadata": {"k": "v"},
            "input": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "x"}]}],
        },
    )  # fmt: skip
    assert event == ev.ResponseCreate(
        event_id="e",
        response={
            "output_modalities": ("audio",), "instructions": "x", "voice": "echo", "output_format": PCMU,
            "tools": (Tool("f"),), "mcp_servers": (), "tool_choice": "auto", "temperature": 0.6, "max_output_tokens": 7,
        },
        conversation="none",
        metadata={"k": "v"},
        input=(Message("", "assistant", (OutputText("x"),)),),
    )  # fmt: skip
    assert decode(type="response.create", response={"voice": None, "modalities": None}).response == {}


def test_a_response_is_shown_flat() -> None:
    item = Message("i", "assistant", (OutputAudio("Hi"),))
    chosen = for_response(Settings(), {"temperature": 0.6, "max_output_tokens": 7})
    state = ResponseState("resp_1", "completed", chosen, "conv_1", (item,), metadata={"k": "v"})
    assert written(ev.ResponseDone("e", state))["response"] == {
        "object": "realtime.response", "id": "resp_1", "status": "completed", "status_details": None,
        "output": [{
            "id": "i", "object": "realtime.item", "type": "message", "status": "completed", "role": "assistant",
            "content": [{"type": "audio", "transcript": "Hi"}],
        }],
        "conversation_id": "conv_1", "modalities": ["audio", "text"], "voice": "alloy",
        "output_audio_format": "pcm16", "temperature": 0.6, "max_output_tokens": 7, "usage": None,
        "metadata": {"k": "v"},
    }  # fmt: skip


def test_items_have_their_object_and_the_old_names_of_content() -> None:
    for item, told in (
        (Message("i", "assistant", (OutputText("x"),)), {"content": [{"type": "text", "text": "x"}]}),
        (Message("i", "user", (InputAudio(),)), {"content": [{"type": "input_audio", "transcript": None}]}),
        (FunctionCall("i", "c", "f"), {"call_id": "c", "name": "f", "arguments": ""}),
        (FunctionCallOutput("i", "c", "o"), {"call_id": "c", "output": "o"}),
    ):
        message = written(ev.ItemAdded("e", "p", item))
        assert (message["type"], message["previous_item_id"]) == ("conversation.item.created", "p")
        assert message["item"]["object"] == "realtime.item"
        assert told.items() <= message["item"].items()


def test_events_have_their_old_names() -> None:
    at = ("r", "i", 0, 0)
    for event, name in (
        (ev.TextDelta("e", *at, "x"), "response.text.delta"),
        (ev.TextDone("e", *at, "x"), "response.text.done"),
        (ev.TranscriptDelta("e", *at, "x"), "response.audio_transcript.delta"),
        (ev.TranscriptDone("e", *at, "x"), "response.audio_transcript.done"),
        (ev.AudioDelta("e", *at, b"x"), "response.audio.delta"),
        (ev.AudioDone("e", *at), "response.audio.done"),
        (ev.ConversationCreated("e", "c"), "conversation.created"),
    ):
        assert written(event)["type"] == name
    assert written(ev.ConversationCreated("e", "c"))["conversation"] == {"id": "c", "object": "realtime.conversation"}


def test_an_item_is_told_once_and_the_rate_limits_early() -> None:
    assert Beta().encode(ev.ItemDone("e", None, FunctionCall("i", "c", "f"))) == []
    assert Beta().encode(ev.RateLimits("e", False, 1, 1)) == []
    assert written(ev.RateLimits("e", True, 1, 1))["type"] == "rate_limits.updated"


def test_a_spoken_turn_in_the_order_of_the_beta_shape() -> None:
    play = Playbook(shape="beta")
    play.client("session.update", session={"input_audio_transcription": {"model": "whisper-1"}})
    told: list[str] = []

    def keep() -> None:
        told.extend(message["type"] for message in play.messages())

    play.client("input_audio_buffer.append", audio=b64(bytes(96_000)))
    play.hear(*[0.9] * 10)
    keep()
    play.hear(*[0.0] * 16)
    keep()
    for report in (rp.Transcribed("item_1", "hello"), rp.Said("resp_1", "Hi", bytes(96)), rp.Answered("resp_1")):
        play.report(report)
        keep()
    assert told == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
