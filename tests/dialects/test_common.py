"""What both shapes spell alike: items, functions, formats."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.core.errors import ProtocolError
from vivavoce.core.formats import PCM_24K, PCMA, PCMU, AudioFormat
from vivavoce.core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    ItemReference,
    Message,
    OutputText,
)
from vivavoce.core.settings import Tool
from vivavoce.dialects import common

PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)


def refused(check: Any, value: Any, path: str = "item") -> tuple[str, str | None]:
    with pytest.raises(ProtocolError) as caught:
        check(value, path)
    return caught.value.code, caught.value.param


def message(role: str, *content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content), **more}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (message("system", {"type": "input_text", "text": "x"}), Message("", "system", (InputText("x"),))),
        (message("user", {"type": "text", "text": "x"}, id="a"), Message("a", "user", (InputText("x"),))),
        (message("user"), Message("", "user", ())),
        (
            message("user", {"type": "input_audio", "audio": "AAA=", "transcript": None}),
            Message("", "user", (InputAudio(b"\0\0"),)),
        ),
        (
            message("user", {"type": "input_audio", "transcript": "hi"}),
            Message("", "user", (InputAudio(transcript="hi"),)),
        ),
        (
            message("user", {"type": "input_image", "image_url": PNG, "detail": "low"}),
            Message("", "user", (InputImage(PNG, "low"),)),
        ),
        (message("assistant", {"type": "output_text", "text": "x"}), Message("", "assistant", (OutputText("x"),))),
        (message("assistant", {"type": "text", "text": "x"}), Message("", "assistant", (OutputText("x"),))),
        (
            {"type": "function_call", "id": None, "call_id": "c", "name": "f", "arguments": "", "status": "whatever"},
            FunctionCall("", "c", "f", ""),
        ),
        ({"type": "function_call", "name": "f", "arguments": "{}", "object": "realtime.item"},
         FunctionCall("", "", "f", "{}")),
        ({"type": "function_call_output", "call_id": "c", "output": ""}, FunctionCallOutput("", "c", "")),
        (
            message("user", {"type": "input_text", "text": "x", "audio": None, "image_url": None}, call_id=None,
                    name=None, arguments=None, output=None),
            Message("", "user", (InputText("x"),)),
        ),
        ({"type": "function_call_output", "call_id": "c", "output": "", "role": None, "content": None},
         FunctionCallOutput("", "c", "")),
    ],
)  # fmt: skip
def test_items_are_read(given: dict[str, Any], expected: Any) -> None:
    assert common.item(given, "item") == expected


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({}, "missing_required_parameter", "item.type"),
        ({"type": "mcp_call"}, "missing_required_parameter", "item.server_label"),
        ({"type": "item_reference", "id": "x"}, "invalid_value", "item.type"),
        ({"type": "message", "content": []}, "missing_required_parameter", "item.role"),
        ({"type": "message", "role": "user"}, "missing_required_parameter", "item.content"),
        ({"type": "message", "role": "robot", "content": []}, "invalid_value", "item.role"),
        ({"type": "message", "role": "user", "content": "x"}, "invalid_type", "item.content"),
        (message("user", {"type": "output_text", "text": "x"}), "invalid_value", "item.content[0].type"),
        (message("system", {"type": "input_audio", "audio": ""}), "invalid_value", "item.content[0].type"),
        (message("user", {"type": "input_text"}), "missing_required_parameter", "item.content[0].text"),
        (message("user", {"type": "input_text", "text": None}), "invalid_type", "item.content[0].text"),
        (message("user", {"type": "input_audio"}), "missing_required_parameter", "item.content[0].audio"),
        (message("user", {"type": "input_audio", "audio": "%"}), "invalid_value", "item.content[0].audio"),
        (message("user", {"type": "input_image", "image_url": "https://x"}), "invalid_value",
         "item.content[0].image_url"),
        (message("assistant", {"type": "output_audio", "audio": "AAAA"}), "missing_required_parameter",
         "item.content[0].text"),
        (message("assistant", {"type": "audio"}), "missing_required_parameter", "item.content[0].text"),
        (message("user", color="red"), "unknown_parameter", "item.color"),
        (message("user", color=None), "unknown_parameter", "item.color"),
        (message("user", call_id="c"), "unknown_parameter", "item.call_id"),
        (message("user", {"type": "input_text", "text": "x", "audio": ""}), "unknown_parameter",
         "item.content[0].audio"),
        (message("user", id="x" * 513), "invalid_value", "item.id"),
        ({"type": "function_call", "name": "f"}, "missing_required_parameter", "item.arguments"),
        ({"type": "function_call", "name": "f", "arguments": {}}, "invalid_type", "item.arguments"),
        ({"type": "function_call", "name": "", "arguments": ""}, "invalid_value", "item.name"),
        ({"type": "function_call_output", "output": "x"}, "missing_required_parameter", "item.call_id"),
        ({"type": "function_call_output", "call_id": "c", "output": 5}, "invalid_type", "item.output"),
    ],
)  # fmt: skip
def test_items_that_are_wrong_are_refused_at_the_place(given: dict[str, Any], code: str, param: str) -> None:
    assert refused(common.item, given) == (code, param)


def test_the_assistants_audio_cannot_be_given() -> None:
    with pytest.raises(ProtocolError, match=r"^Missing required parameter: 'item\.content\[0\]\.text'\.$"):
        common.item(message("assistant", {"type": "output_audio", "transcript": "x"}), "item")


def test_the_input_of_a_response_may_refer_to_items() -> None:
    given = [{"type": "item_reference", "id": "a"}, message("user", {"type": "input_text", "text": "x"})]
    assert common.response_input(given, "input") == (ItemReference("a"), Message("", "user", (InputText("x"),)))
    assert refused(common.response_input, [{"type": "item_reference"}], "input") == (
        "missing_required_parameter", "input[0].id",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "audio/pcm"}, PCM_24K),
        ({"type": "audio/pcm", "rate": 24000}, PCM_24K),
        ({"type": "audio/pcm", "rate": 8000}, AudioFormat(rate=8000)),
        ({"type": "audio/pcm", "rate": 16000.0}, AudioFormat(rate=16000)),
        ({"type": "audio/pcmu"}, PCMU),
        ({"type": "audio/pcma", "rate": 8000}, PCMA),
        ({"type": "audio/pcma", "rate": None}, PCMA),
    ],
)
def test_formats_are_read(given: dict[str, Any], expected: AudioFormat) -> None:
    assert common.audio_format(given, "format") == expected


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ("pcm16", "invalid_type", "format"),
        ({"rate": 24000}, "missing_required_parameter", "format.type"),
        ({"type": "audio/opus"}, "invalid_value", "format.type"),
        ({"type": "audio/pcm", "rate": 44100}, "invalid_value", "format.rate"),
        ({"type": "audio/pcmu", "rate": 24000}, "invalid_value", "format.rate"),
        ({"type": "audio/pcm", "channels": 2}, "unknown_parameter", "format.channels"),
    ],
)
def test_other_formats_are_refused(given: Any, code: str, param: str) -> None:
    assert refused(common.audio_format, given, "format") == (code, param)


def test_voices_are_names_or_ids_of_ones_own() -> None:
    assert common.voice("marin", "voice") == "marin"
    assert common.voice({"id": "voice_x"}, "voice") == "voice_x"
    assert refused(common.voice, "nobody", "voice") == ("invalid_value", "voice")
    assert refused(common.voice, {"name": "x"}, "voice") == ("missing_required_parameter", "voice.id")
    assert refused(common.voice, None, "voice") == ("invalid_type", "voice")


def test_limits_of_tokens_are_numbers_or_inf() -> None:
    assert common.max_tokens("inf", "max") is None
    assert common.max_tokens(4096, "max") == 4096
    for value, code in (
        (0, "invalid_value"),
        (4097, "invalid_value"),
        ("many", "invalid_type"),
        (None, "invalid_type"),
    ):
        assert refused(common.max_tokens, value, "max") == (code, "max")


def test_metadata_is_small_and_of_strings() -> None:
    assert common.metadata({"a": "b"}, "metadata") == {"a": "b"}
    assert common.metadata({str(n): "" for n in range(16)}, "metadata")
    assert refused(common.metadata, {str(n): "" for n in range(17)}, "metadata") == ("invalid_value", "metadata")
    assert refused(common.metadata, {"k" * 65: ""}, "metadata") == ("invalid_value", "metadata")
    assert refused(common.metadata, {"k": "v" * 513}, "metadata") == ("invalid_value", "metadata.k")
    assert refused(common.metadata, {"k": 1}, "metadata") == ("invalid_type", "metadata.k")


def test_functions_are_read_with_or_without_their_type() -> None:
    schema = {"type": "object"}
    assert common.tools([{"name": "f", "parameters": schema}], "tools") == (Tool("f", "", schema),)
    full = {"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": True}
    assert common.tools([full], "tools") == (Tool("f", "d", schema),)
    assert common.tools([{"name": "f", "description": None, "parameters": None}], "tools") == (Tool("f"),)
    assert refused(common.tools, [{"type": "web"}], "tools") == ("invalid_value", "tools[0].type")
    assert refused(common.tools, [{"type": "function"}], "tools") == ("missing_required_parameter", "tools[0].name")
    assert refused(common.tools, [{"name": "f"}] * 513, "tools") == ("invalid_value", "tools")


def test_tools_are_chosen_by_word_or_by_name() -> None:
    assert common.tool_choice("required", "choice") == "required"
    chosen = {"type": "function", "name": "f"}
    assert common.tool_choice(chosen, "choice") == chosen
    assert common.tool_choice({"type": "function", "function": {"name": "f"}}, "choice") == chosen
    assert refused(common.tool_choice, "any", "choice") == ("invalid_value", "choice")
    assert refused(common.tool_choice, {"name": "f"}, "choice") == ("missing_required_parameter", "choice.type")
    assert refused(common.tool_choice, {"type": "function"}, "choice") == ("missing_required_parameter", "choice.name")
    assert refused(common.tool_choice, None, "choice") == ("invalid_type", "choice")


def test_base64_is_taken_strictly_and_refused_in_the_protocols_words() -> None:
    assert common.base64_bytes("", "p") == b""
    assert common.base64_bytes("AAECAw==", "p") == b"\0\1\2\3"
    for wrong in ("A", "AAECAw=", "AAEC\nAw==", "____", "é", "AA==AA==", "data:audio/wav;base64,AAAA"):
        with pytest.raises(ProtocolError) as caught:
            common.base64_bytes(wrong, "p")
        assert caught.value.message == (
            "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an invalid value."
        )


def test_ids_that_are_null_or_empty_are_none() -> None:
    assert common.optional_ident(None, "id") is None
    assert common.optional_ident("", "id") is None
    assert common.optional_ident("x", "id") == "x"
    assert refused(common.optional_ident, 5, "id") == ("invalid_type", "id")
