from __future__ import annotations

from typing import Any

import pytest

from vivavoce.core.errors import ProtocolError
from vivavoce.core.items import FunctionCall, FunctionCallOutput, InputAudio, InputText, Message, OutputText
from vivavoce.core.settings import Tool
from vivavoce.server.rest.chat_prompt import audio_parts, chat_of, prompt_of

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "look", "description": "Looks", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
RECORDING = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages) or [USER], **fields}


def items(*messages: Any) -> list[Any]:
    return list(prompt_of(chat_of(body(*messages)), "r", {}).items)


def test_what_the_system_says_first_are_the_instructions() -> None:
    first = {"role": "system", "content": "Be brief."}
    second = {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}]}
    prompt = prompt_of(chat_of(body(first, second, USER, first)), "r", {})
    assert prompt.instructions == "Be brief.\n\nBe kind."
    assert prompt.items == (
        Message("item_2", "user", (InputText("Hello"),)),
        Message("item_3", "system", (InputText("Be brief."),)),
    )
    assert len(prompt.said_at) == 2


def test_calls_and_their_results_are_items() -> None:
    said = {"role": "assistant", "content": "Wait.", "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
    assert items(USER, said, result, {"role": "assistant", "content": None}) == [
        Message("item_0", "user", (InputText("Hello"),)),
        Message("item_1", "assistant", (OutputText("Wait."),)),
        FunctionCall("item_1_0", "call_1", "look", "{}"),
        FunctionCallOutput("item_2", "call_1", "done"),
    ]


def test_recordings_are_given_as_what_was_heard() -> None:
    chat = chat_of(body({"role": "user", "content": [{"type": "text", "text": "Listen:"}, RECORDING]}))
    assert audio_parts(chat) == {(0, 1): {"data": "AAAA", "format": "wav"}}
    (message,) = prompt_of(chat, "r", {(0, 1): "six"}).items
    assert message == Message("item_0", "user", (InputText("Listen:"), InputAudio(heard="six")))


def test_settings_become_those_of_the_prompt() -> None:
    chosen = {"type": "function", "function": {"name": "look"}}
    chat = chat_of(
        body(
            tools=[TOOL],
            tool_choice=chosen,
            parallel_tool_calls=False,
            temperature=0.5,
            max_tokens=5,
            max_completion_tokens=7,
            stop="end",
            stream=True,
            stream_options={"include_usage": True},
            top_p=0.5,
            seed=1,
            user=None,
            n=1,
            store=True,
        )
    )
    prompt = prompt_of(chat, "r", {})
    assert prompt.tools == (Tool("look", "Looks", {"type": "object"}),)
    assert prompt.tool_choice == {"type": "function", "name": "look"}
    assert (prompt.parallel_tool_calls, prompt.temperature, prompt.max_output_tokens) == (False, 0.5, 7)
    assert (prompt.model, prompt.modality) == ("m", "text")
    assert (chat.stops, chat.is_streamed, chat.counts_usage) == (("end",), True, True)
    assert chat_of(body(max_tokens=5)).max_output_tokens == 5


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"messages": [USER]}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": {}}, "messages"),
        (body("Hello"), "messages[0]"),
        (body({"content": "Hello"}), "messages[0].role"),
        (body(USER, {"role": "function", "content": "x"}), "messages[1].role"),
        (body({"role": "user"}), "messages[0].content"),
        (body({"role": "user", "content": [{"type": "text"}]}), "messages[0].content[0].text"),
        (body({"role": "user", "content": ["Hello"]}), "messages[0].content[0]"),
        (body({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}), "messages[0].content[0].type"),
        (body({"role": "user", "content": [{"type": "video"}]}), "messages[0].content[0].type"),
        (body({"role": "tool", "tool_call_id": "call_1", "content": "x"}), "messages[0].tool_call_id"),
        (body({"role": "assistant", "tool_calls": [{"id": "a"}]}), "messages[0].tool_calls[0].function"),
        (body({"role": "assistant", "tool_calls": 5}), "messages[0].tool_calls"),
        (body(n=2), "n"),
        (body(n=0), "n"),
        (body(tools=[{"type": "function"}]), "tools[0].function"),
        (body(tools=[{"type": "custom", "function": {}}]), "tools[0].type"),
        (body(tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
        (body(tool_choice="required"), "tool_choice"),
        (body(tool_choice={"type": "function", "function": {"name": "jump"}}, tools=[TOOL]), "tool_choice"),
        (body(response_format={"type": "json_schema"}), "response_format.type"),
        (body(modalities=["text", "audio"]), "modalities[1]"),
        (body(logprobs=True), "logprobs"),
        (body(stop=["a"] * 5), "stop"),
        (body(stream="yes"), "stream"),
        (body(stream_options={"usage": True}), "stream_options.usage"),
        (body(functions=[{}]), "functions"),
        (body(max_tokens=0), "max_tokens"),
    ],
)
def test_what_cannot_be_had_is_named(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        prompt_of(chat_of(asked), "r", {})
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("recording", "param"),
    [
        (None, "messages[0].content[0].input_audio"),
        ({"data": "AAAA"}, "messages[0].content[0].input_audio.format"),
        ({"data": "AAAA", "format": "midi"}, "messages[0].content[0].input_audio.format"),
    ],
)
def test_a_recording_has_its_form(recording: Any, param: str) -> None:
    chat = chat_of(body({"role": "user", "content": [{"type": "input_audio", "input_audio": recording}]}))
    with pytest.raises(ProtocolError) as caught:
        audio_parts(chat)
    assert caught.value.param == param
