"""Settings: objects are merged, everything else is replaced, and a response has its own on top."""

from __future__ import annotations

import pytest

from vivavoce.core.errors import ProtocolError
from vivavoce.core.settings import (
    ResponseSettings,
    SemanticVad,
    ServerVad,
    Settings,
    Tool,
    Transcription,
    for_response,
    merge,
)


def test_what_is_not_named_stays() -> None:
    before = Settings(instructions="x", voice="ash")
    after = merge(before, {"instructions": "y", "tools": (Tool("f"),)})
    assert after == Settings(instructions="y", voice="ash", tools=(Tool("f"),))
    assert merge(before, {}) == before


def test_transcription_is_merged_field_by_field_and_switched_off_by_none() -> None:
    first = merge(Settings(), {"transcription": {"model": "whisper-1", "language": "de", "languages": ("de",)}})
    second = merge(first, {"transcription": {"prompt": "names"}})
    assert second.transcription == Transcription("whisper-1", "de", ("de",), "names")
    assert merge(second, {"transcription": None}).transcription is None


def test_turn_detection_is_merged_within_its_type() -> None:
    first = merge(Settings(), {"turn_detection": {"type": "server_vad", "threshold": 0.7}})
    second = merge(first, {"turn_detection": {"type": "server_vad", "silence_duration_ms": 900}})
    third = merge(second, {"turn_detection": {"create_response": False}})
    assert third.turn_detection == ServerVad(threshold=0.7, silence_duration_ms=900, create_response=False)


def test_another_type_of_turn_detection_discards_the_one_before() -> None:
    first = merge(Settings(), {"turn_detection": {"create_response": False, "threshold": 0.7}})
    second = merge(first, {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}})
    assert second.turn_detection == SemanticVad("low")
    assert merge(second, {"turn_detection": {"interrupt_response": False}}).turn_detection == SemanticVad(
        "low", interrupt_response=False
    )
    assert merge(second, {"turn_detection": {"type": "server_vad"}}).turn_detection == ServerVad()


def test_turn_detection_that_was_off_begins_with_its_defaults() -> None:
    off = merge(Settings(), {"turn_detection": None})
    assert off.turn_detection is None
    assert merge(off, {"turn_detection": {"threshold": 0.6}}).turn_detection == ServerVad(threshold=0.6)


def test_fields_of_the_other_type_are_unknown() -> None:
    semantic = Settings(turn_detection=SemanticVad())
    with pytest.raises(ProtocolError) as caught:
        merge(semantic, {"turn_detection": {"threshold": 0.7}})
    assert (caught.value.code, caught.value.param) == (
        "unknown_parameter", "session.audio.input.turn_detection.threshold",
    )  # fmt: skip
    assert caught.value.message == "Unknown parameter: 'session.audio.input.turn_detection.threshold'."


def test_a_response_takes_the_sessions_settings_except_for_its_own() -> None:
    settings = Settings(instructions="x", voice="ash", speed=1.2, temperature=0.7)
    found = for_response(settings, {"instructions": "y", "max_output_tokens": 5})
    assert found == ResponseSettings(
        output_modalities=("audio",), instructions="y", tools=(), mcp_servers=(), tool_choice="auto",
        parallel_tool_calls=None, reasoning=None,
        max_output_tokens=5, output_format=settings.output_format, voice="ash", speed=1.2, temperature=0.7,
    )  # fmt: skip
