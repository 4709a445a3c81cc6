"""The GA shape: what each field of a session or response means, and how each event is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playbook import Playbook
from vivavoce.core import events as ev
from vivavoce.core.errors import ProtocolError
from vivavoce.core.formats import PCM_24K, PCMA, PCMU, AudioFormat
from vivavoce.core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    Message,
    OutputAudio,
    OutputText,
)
from vivavoce.core.settings import NoiseReduction, SemanticVad, ServerVad, Settings, Tool, Transcription, for_response
from vivavoce.core.states import LogProb, ResponseState, SessionState, StatusDetails, Usage
from vivavoce.dialects.ga import Ga

DEFAULTS = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "vivavoce",
    "output_modalities": ["audio"],
    "instructions": "",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
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
                "idle_timeout_ms": None,
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
    },
    "include": None,
}


def patch(**session: Any) -> dict[str, Any]:
    """The change of settings that a session object asks for."""
    event = Ga().decode(json.dumps({"type": "session.update", "session": {"type": "realtime", **session}}).encode())
    assert isinstance(event, ev.SessionUpdate)
    return event.session


def refused(**session: Any) -> tuple[str, str, str | None]:
    with pytest.raises(ProtocolError) as caught:
        Ga().decode(json.dumps({"type": "session.update", "session": session}).encode())
    return caught.value.code, caught.value.message, caught.value.param


def written(event: ev.ServerEvent) -> dict[str, Any]:
    (frame,) = Ga().encode(event)
    message: dict[str, Any] = json.loads(frame)
    return message


def test_a_session_is_shown_whole_with_its_defaults() -> None:
    state = SessionState("sess_1", 1_000_003_600, Settings())
    assert written(ev.SessionCreated("event_1", state)) == {
        "type": "session.created", "event_id": "event_1", "session": DEFAULTS,
    }  # fmt: skip
    assert written(ev.SessionUpdated("event_1", state))["type"] == "session.updated"
    assert Ga().encode(ev.ConversationCreated("event_1", "conv_1")) == []


def test_what_a_client_reads_it_can_send_back() -> None:
    play = Playbook()
    before = play.session.settings
    assert play.client("session.update", session=DEFAULTS) == ["session.updated"]
    assert play.session.settings == before


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"id": "x", "object": "y", "expires_at": 5, "client_secret": None}, {}),
        ({"model": "m"}, {"model": "m"}),
        ({"output_modalities": ["text"]}, {"output_modalities": ("text",)}),
        ({"instructions": ""}, {"instructions": ""}),
        ({"tools": []}, {"tools": (), "mcp_servers": ()}),
        ({"tool_choice": "none"}, {"tool_choice": "none"}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"reasoning": {"effort": "low"}}, {"reasoning": {"effort": "low"}}),
        ({"max_output_tokens": "inf"}, {"max_output_tokens": None}),
        ({"max_output_tokens": 100}, {"max_output_tokens": 100}),
        ({"tracing": "auto"}, {"tracing": "auto"}),
        ({"tracing": {"workflow_name": "w"}}, {"tracing": {"workflow_name": "w"}}),
        ({"truncation": "disabled"}, {"truncation": "disabled"}),
        (
            {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}},
            {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}},
        ),
        ({"prompt": {"id": "p"}}, {"prompt": {"id": "p"}}),
        (
            {"include": ["item.input_audio_transcription.logprobs"]},
            {"include": ("item.input_audio_transcription.logprobs",)},
        ),
        ({"audio": {"input": {"format": {"type": "audio/pcmu"}}}}, {"input_format": PCMU}),
        ({"audio": {"output": {"format": {"type": "audio/pcma"}}}}, {"output_format": PCMA}),
        ({"audio": {"input": {"transcription": None}}}, {"transcription": None}),
        (
            {"audio": {"input": {"transcription": {"model": "whisper-1", "languages": ["de"], "keywords": ["k"]}}}},
            {"transcription": {"model": "whisper-1", "languages": ("de",), "keywords": ("k",)}},
        ),
        (
            {"audio": {"input": {"noise_reduction": {"type": "near_field", "strength": 0.5}}}},
            {"noise_reduction": {"type": "near_field", "strength": 0.5}},
        ),
        ({"audio": {"input": {"noise_reduction": None}}}, {"noise_reduction": None}),
        ({"audio": {"input": {"turn_detection": None}}}, {"turn_detection": None}),
        (
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}},
            {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}},
        ),
        (
            {"audio": {"input": {"turn_detection": {"idle_timeout_ms": 5000}}}},
            {"turn_detection": {"idle_timeout_ms": 5000}},
        ),
        ({"audio": {"output": {"voice": "cedar", "speed": 0.25}}}, {"voice": "cedar", "speed": 0.25}),
    ],
)
def test_fields_of_a_session_are_read(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert patch(**given) == expected


REALTIME = {"type": "realtime"}


@pytest.mark.parametrize(
    ("session", "code", "param", "message"),
    [
        ({}, "missing_required_parameter", "session.type", "Missing required parameter: 'session.type'."),
        (
            {"type": "transcription"}, "invalid_parameter", "session.type",
            "Passing a transcription session update event to a realtime session is not allowed.",
        ),
        (
            {"type": "chat"}, "invalid_value", "session.type",
            "Invalid value: 'chat'. Supported values are: 'realtime'.",
        ),
        (REALTIME | {"x": 1}, "unknown_parameter", "session.x", "Unknown parameter: 'session.x'."),
        (REALTIME | {"modalities": ["text"]}, "unknown_parameter", "session.modalities", None),
        (REALTIME | {"temperature": 0.8}, "unknown_parameter", "session.temperature", None),
        (
            REALTIME | {"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities",
            "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio'].",
        ),
        (REALTIME | {"output_modalities": []}, "invalid_value", "session.output_modalities", None),
        (REALTIME | {"output_modalities": ["video"]}, "invalid_value", "session.output_modalities[0]", None),
        (REALTIME | {"instructions": None}, "invalid_type", "session.instructions", None),
        (
            REALTIME | {"parallel_tool_calls": "yes"}, "invalid_type", "session.parallel_tool_calls",
            "Invalid type for 'session.parallel_tool_calls': expected boolean, got string instead.",
        ),
        (
            REALTIME | {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": None}}}},
            "invalid_type", "session.audio.input.turn_detection.create_response",
            "Invalid type for 'session.audio.input.turn_detection.create_response': expected boolean, got null "
            "instead.",
        ),
        (
            REALTIME | {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}},
            "unknown_parameter", "session.audio.input.turn_detection.threshold", None,
        ),
        (
            REALTIME | {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 1.1}}}},
            "invalid_value", "session.audio.input.turn_detection.threshold", None,
        ),
        (
            REALTIME | {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 100}}}},
            "invalid_value", "session.audio.input.turn_detection.idle_timeout_ms", None,
        ),
        (
            REALTIME | {"audio": {"output": {"speed": 2}}}, "invalid_value", "session.audio.output.speed",
            "Invalid 'session.audio.output.speed': number above maximum value. Expected a value <= 1.5, but got 2 "
            "instead.",
        ),
        (REALTIME | {"audio": {"video": {}}}, "unknown_parameter", "session.audio.video", None),
        (REALTIME | {"truncation": "some"}, "invalid_value", "session.truncation", None),
        (REALTIME | {"include": ["everything"]}, "invalid_value", "session.include[0]", None),
    ],
)  # fmt: skip
def test_fields_that_are_wrong_are_refused(session: dict[str, Any], code: str, param: str, message: str | None) -> None:
    found = refused(**session)
    assert (found[0], found[2]) == (code, param)
    assert message in (None, found[1])


def test_a_session_that_is_no_object_is_refused() -> None:
    with pytest.raises(ProtocolError, match=r"^Invalid type for 'session': expected object, got null instead\.$"):
        Ga().decode(b'{"type":"session.update","session":null}')


def test_the_update_of_a_beta_transcription_session_is_unknown() -> None:
    with pytest.raises(ProtocolError, match=r"^Invalid value: 'transcription_session.update'\. Supported"):
        Ga().decode(b'{"type":"transcription_session.update","session":{}}')


def test_settings_are_shown_as_they_are() -> None:
    settings = Settings(
        output_modalities=("text",),
        tools=(Tool("f", "does f", {"type": "object"}), Tool("g")),
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=True,
        reasoning={"effort": "low"},
        max_output_tokens=5,
        include=("item.input_audio_transcription.logprobs",),
        input_format=AudioFormat(rate=8000),
        transcription=Transcription("m", "de", ("de", "en"), "names", ("kept", "secret"), "low"),
        noise_reduction=NoiseReduction("far_field"),
        turn_detection=SemanticVad("low", create_response=False),
        output_format=PCMU,
        temperature=0.7,
    )
    shown = written(ev.SessionUpdated("event_1", SessionState("sess_1", 5, settings)))["session"]
    assert shown["tools"] == [
        {"type": "function", "name": "f", "description": "does f", "parameters": {"type": "object"}},
        {"type": "function", "name": "g", "parameters": {}},
    ]
    assert shown["tool_choice"] == {"type": "function", "name": "f"}
    assert (shown["parallel_tool_calls"], shown["reasoning"]) == (True, {"effort": "low"})
    assert (shown["max_output_tokens"], shown["include"]) == (5, ["item.input_audio_transcription.logprobs"])
    assert "temperature" not in shown
    assert shown["audio"]["input"] == {
        "format": {"type": "audio/pcm", "rate": 8000},
        "transcription": {"model": "m", "language": "de", "prompt": "names", "languages": ["de", "en"]},
        "noise_reduction": {"type": "far_field"},
        "turn_detection": {
            "type": "semantic_vad", "eagerness": "low", "create_response": False, "interrupt_response": True,
        },
    }  # fmt: skip
    assert shown["audio"]["output"]["format"] == {"type": "audio/pcmu"}


def test_transcription_shows_only_what_strict_clients_know() -> None:
    settings = Settings(transcription=Transcription("whisper-1", keywords=("k",), delay="low"))
    shown = written(ev.SessionUpdated("event_1", SessionState("s", 5, settings)))["session"]
    assert shown["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": None, "prompt": None}


# ------------------------------------------------------------------------------------------------------- responses


def test_a_response_is_asked_for_with_all_it_may_have() -> None:
    event = Ga().decode(json.dumps({
        "type": "response.create",
        "event_id": "e",
        "response": {
            "output_modalities": ["text"], "instructions": "x", "tools": [{"type": "function", "name": "f"}],
            "tool_choice": "required", "parallel_tool_calls": True, "reasoning": {"effort": "low"},
            "max_output_tokens": 9, "audio": {"output": {"format": {"type": "audio/pcmu"}, "voice": "ash"}},
            "conversation": "none", "metadata": {"k": "v"}, "prompt": {"id": "p"}, "input": [],
        },
    }).encode())  # fmt: skip
    assert event == ev.ResponseCreate(
        event_id="e",
        response={
            "output_modalities": ("text",), "instructions": "x", "tools": (Tool("f"),), "mcp_servers": (),
            "tool_choice": "required",
            "parallel_tool_calls": True, "reasoning": {"effort": "low"}, "max_output_tokens": 9, "prompt": {"id": "p"},
            "output_format": PCMU, "voice": "ash",
        },
        conversation="none",
        metadata={"k": "v"},
        input=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("response", "param"),
    [
        ({"modalities": ["text"]}, "response.modalities"),
        ({"temperature": 1}, "response.temperature"),
        ({"audio": {"input": {}}}, "response.audio.input"),
        ({"audio": {"output": {"voice": 5}}}, "response.audio.output.voice"),
        ({"input": [{"type": "message", "role": "user", "content": [{"type": "x"}]}]},
         "response.input[0].content[0].type"),
        ({"metadata": {"k": 5}}, "response.metadata.k"),
    ],
)  # fmt: skip
def test_a_response_that_is_wrong_is_refused_at_the_place(response: dict[str, Any], param: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        Ga().decode(json.dumps({"type": "response.create", "response": response}).encode())
    assert caught.value.param == param


def response(status: str = "in_progress", **more: Any) -> ResponseState:
    return ResponseState("resp_1", status, for_response(Settings(), {}), "conv_1", **more)


def test_a_response_that_begins_is_empty() -> None:
    assert written(ev.ResponseCreated("event_1", response())) == {
        "type": "response.created",
        "event_id": "event_1",
        "response": {
            "object": "realtime.response", "id": "resp_1", "status": "in_progress", "status_details": None,
            "output": [], "conversation_id": "conv_1", "output_modalities": ["audio"], "max_output_tokens": "inf",
            "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}},
            "usage": None, "metadata": None,
        },
    }  # fmt: skip


def test_a_response_that_ended_shows_what_it_made_and_took() -> None:
    item = Message("item_1", "assistant", (OutputAudio("Hi", b"", PCM_24K, 100),))
    usage = Usage(
        input_text_tokens=1, input_audio_tokens=2, input_image_tokens=4, cached_text_tokens=1, cached_audio_tokens=2,
        cached_image_tokens=3, output_text_tokens=8, output_audio_tokens=16,
    )  # fmt: skip
    state = response("completed", output=(item,), usage=usage, metadata={"k": "v"})
    shown = written(ev.ResponseDone("event_1", state))["response"]
    assert shown["output"] == [{
        "id": "item_1", "type": "message", "status": "completed", "role": "assistant",
        "content": [{"type": "output_audio", "transcript": "Hi"}],
    }]  # fmt: skip
    assert shown["usage"] == {
        "total_tokens": 31, "input_tokens": 7, "output_tokens": 24,
        "input_token_details": {
            "text_tokens": 1, "audio_tokens": 2, "image_tokens": 4, "cached_tokens": 6,
            "cached_tokens_details": {"text_tokens": 1, "audio_tokens": 2, "image_tokens": 3},
        },
        "output_token_details": {"text_tokens": 8, "audio_tokens": 16},
    }  # fmt: skip
    assert (shown["metadata"], shown["status_details"]) == ({"k": "v"}, None)


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        (StatusDetails("cancelled", "turn_detected"), {"type": "cancelled", "reason": "turn_detected"}),
        (StatusDetails("incomplete", "content_filter"), {"type": "incomplete", "reason": "content_filter"}),
        (
            StatusDetails("failed", None, "server_error", "engine_error", "No."),
            {"type": "failed", "error": {"type": "server_error", "code": "engine_error", "message": "No."}},
        ),
    ],
)
def test_an_end_other_than_complete_has_its_details(details: StatusDetails, shown: dict[str, Any]) -> None:
    message = written(ev.ResponseDone("event_1", response(details.type, status_details=details)))
    assert message["response"]["status_details"] == shown


# --------------------------------------------------------------------------------------------------- items, events


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        (
            Message("i", "system", (InputText("x"),)),
            {"role": "system", "content": [{"type": "input_text", "text": "x"}]},
        ),
        (
            Message("i", "user", (InputAudio(b"\0\0"),)),
            {"role": "user", "content": [{"type": "input_audio", "transcript": None}]},
        ),
        (
            Message("i", "user", (InputImage("data:", "low"),)),
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:", "detail": "low"}]},
        ),
        (
            Message("i", "assistant", (OutputText("x"),), "incomplete"),
            {"role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
        ),
        (FunctionCall("i", "c", "f"), {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}),
        (FunctionCallOutput("i", "c", "o"), {"type": "function_call_output", "call_id": "c", "output": "o"}),
    ],
)
def test_items_are_shown_with_just_the_keys_of_their_type(item: Item, shown: dict[str, Any]) -> None:
    message = written(ev.ItemAdded("event_1", None, item))
    assert message == {
        "type": "conversation.item.added", "event_id": "event_1", "previous_item_id": None,
        "item": {"id": "i", "type": "message", "status": item.status} | shown,
    }  # fmt: skip


def test_audio_is_shown_in_what_is_retrieved_alone() -> None:
    item = Message("i", "assistant", (OutputAudio("x", b"\0\1\2"),))
    assert written(ev.ItemRetrieved("e", item))["item"]["content"] == [
        {"type": "output_audio", "transcript": "x", "audio": "AAEC"}
    ]
    assert written(ev.ItemDone("e", None, item))["item"]["content"] == [{"type": "output_audio", "transcript": "x"}]


PLACE = {"response_id": "r", "item_id": "i", "output_index": 1, "content_index": 0}
AT = ("r", "i", 1, 0)
IN = "conversation.item.input_audio_transcription"


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (ev.Error("e", "t", None, "m", None, None),
         {"type": "error", "error": {"type": "t", "code": None, "message": "m", "param": None, "event_id": None}}),
        (ev.ItemDeleted("e", "i"), {"type": "conversation.item.deleted", "item_id": "i"}),
        (ev.ItemTruncated("e", "i", 0, 5),
         {"type": "conversation.item.truncated", "item_id": "i", "content_index": 0, "audio_end_ms": 5}),
        (ev.TranscriptionDelta("e", "i", 0, "d"),
         {"type": f"{IN}.delta", "item_id": "i", "content_index": 0, "delta": "d"}),
        (ev.TranscriptionCompleted("e", "i", 0, "t", 1.23456, (LogProb("é", -0.5),)),
         {"type": f"{IN}.completed", "item_id": "i", "content_index": 0, "transcript": "t",
          "usage": {"type": "duration", "seconds": 1.235},
          "logprobs": [{"token": "é", "logprob": -0.5, "bytes": [195, 169]}]}),
        (ev.TranscriptionFailedEvent("e", "i", 0, "c", "m"),
         {"type": f"{IN}.failed", "item_id": "i", "content_index": 0,
          "error": {"type": "transcription_error", "code": "c", "message": "m"}}),
        (ev.BufferCommitted("e", None, "i"),
         {"type": "input_audio_buffer.committed", "previous_item_id": None, "item_id": "i"}),
        (ev.BufferCleared("e"), {"type": "input_audio_buffer.cleared"}),
        (ev.SpeechStarted("e", 5, "i"),
         {"type": "input_audio_buffer.speech_started", "audio_start_ms": 5, "item_id": "i"}),
        (ev.SpeechStopped("e", 5, "i"),
         {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 5, "item_id": "i"}),
        (ev.OutputBufferStarted("e", "r"), {"type": "output_audio_buffer.started", "response_id": "r"}),
        (ev.OutputBufferStopped("e", "r"), {"type": "output_audio_buffer.stopped", "response_id": "r"}),
        (ev.OutputBufferCleared("e", "r"), {"type": "output_audio_buffer.cleared", "response_id": "r"}),
        (ev.PartAdded("e", *AT, OutputAudio()),
         {"type": "response.content_part.added", **PLACE, "part": {"type": "audio", "transcript": ""}}),
        (ev.PartDone("e", *AT, OutputText("x")),
         {"type": "response.content_part.done", **PLACE, "part": {"type": "text", "text": "x"}}),
        (ev.TextDelta("e", *AT, "x"), {"type": "response.output_text.delta", **PLACE, "delta": "x"}),
        (ev.TextDone("e", *AT, "x"), {"type": "response.output_text.done", **PLACE, "text": "x"}),
        (ev.TranscriptDelta("e", *AT, "x"),
         {"type": "response.output_audio_transcript.delta", **PLACE, "delta": "x"}),
        (ev.TranscriptDone("e", *AT, "x"),
         {"type": "response.output_audio_transcript.done", **PLACE, "transcript": "x"}),
        (ev.AudioDelta("e", *AT, b"\0\1\2"), {"type": "response.output_audio.delta", **PLACE, "delta": "AAEC"}),
        (ev.AudioDone("e", *AT), {"type": "response.output_audio.done", **PLACE}),
        (ev.ArgumentsDelta("e", "r", "i", 1, "c", "{"),
         {"type": "response.function_call_arguments.delta", "response_id": "r", "item_id": "i", "output_index": 1,
          "call_id": "c", "delta": "{"}),
        (ev.ArgumentsDone("e", "r", "i", 1, "c", "f", "{}"),
         {"type": "response.function_call_arguments.done", "response_id": "r", "item_id": "i", "output_index": 1,
          "call_id": "c", "name": "f", "arguments": "{}"}),
        (ev.RateLimits("e", False, 10, 9),
         {"type": "rate_limits.updated",
          "rate_limits": [{"name": "tokens", "limit": 10, "remaining": 9, "reset_seconds": 0.0}]}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_each_event_is_written_by_its_name(event: ev.ServerEvent, shown: dict[str, Any]) -> None:
    assert written(event) == {"event_id": "e", **shown}


def test_the_early_rate_limits_are_of_the_beta_shape() -> None:
    assert Ga().encode(ev.RateLimits("e", True, 1, 1)) == []


def test_server_vad_is_shown_with_all_its_fields() -> None:
    settings = Settings(turn_detection=ServerVad(0.7, 1, 2, 5000, False, False))
    shown = written(ev.SessionUpdated("e", SessionState("s", 5, settings)))["session"]["audio"]["input"]
    assert shown["turn_detection"] == {
        "type": "server_vad", "threshold": 0.7, "prefix_padding_ms": 1, "silence_duration_ms": 2,
        "idle_timeout_ms": 5000, "create_response": False, "interrupt_response": False,
    }  # fmt: skip
