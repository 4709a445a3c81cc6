"""The body of a chat completions request read as a prompt, for engines of our own.  Pure; called by `completions`.

A request that is passed on to a model elsewhere never comes here: it is that server's to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...core.effects import Prompt
from ...core.errors import ProtocolError
from ...core.items import FunctionCall, FunctionCallOutput, InputAudio, InputText, Item, Message, OutputText, Part
from ...core.settings import Tool
from ...dialects import common
from ...dialects import schema as s

Json = dict[str, Any]
Place = tuple[int, int]
"""Where a part stands: the numbers of its message and of the part in it."""

_MESSAGES = 10_000
_STOPS = 4
"""As many as the protocol allows."""


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """A request for one completion."""

    model: str
    messages: tuple[Json, ...]
    tools: tuple[Tool, ...]
    tool_choice: str | Json
    parallel_tool_calls: bool
    stops: tuple[str, ...]
    """The answer ends before the first of these."""
    temperature: float
    max_output_tokens: int | None
    is_streamed: bool
    counts_usage: bool
    """Whether a stream is to end with its usage."""


def _text_format(value: Any, path: str) -> None:
    s.choice("text")(s.mapping(value, path).get("type"), f"{path}.type")


def _unsaid(value: Any, path: str) -> None:
    if s.boolean(value, path):
        raise ProtocolError("unsupported_value", "The engine of this server tells no probabilities.", path)


def _tool(value: Any, path: str) -> Tool:
    found = s.fields({"type": s.choice("function"), "function": s.mapping}, ("type", "function"))(value, path)
    tool: Tool = common.function_tool({"type": "function", **found["function"]}, f"{path}.function")
    return tool


def _stops(value: Any, path: str) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(s.array(s.name, most=_STOPS)(value, path))


_STREAM_OPTIONS = s.fields({"include_usage": s.nullable(s.boolean), "include_obfuscation": s.ignored})
_CHECKS: Mapping[str, s.Check] = {
    "model": s.name,
    "messages": s.array(s.mapping, most=_MESSAGES),
    "tools": s.array(_tool, most=512),
    "tool_choice": common.tool_choice,
    "parallel_tool_calls": s.boolean,
    "stop": _stops,
    "temperature": s.number(0.0, 2.0),
    "max_tokens": s.integer(1),
    "max_completion_tokens": s.integer(1),
    "stream": s.boolean,
    "stream_options": _STREAM_OPTIONS,
    "n": s.integer(1, 1),
    "modalities": s.array(s.choice("text")),
    "response_format": _text_format,
    "logprobs": _unsaid,
    "functions": s.absent,
    "function_call": s.absent,
}
"""The fields that mean something here; how a large model samples, and whatever else there is, means nothing."""


def chat_of(body: Json) -> Chat:
    """Return what a body asks for.

    Raises:
        ProtocolError: it cannot be had.
    """
    found: Json = {}
    for name, check in _CHECKS.items():
        if body.get(name) is not None:
            found[name] = check(body[name], name)
    for name in ("model", "messages"):
        if name not in found:
            raise s.missing(name)
    if not found["messages"]:
        raise ProtocolError("invalid_value", "Invalid 'messages': empty array. Expected at least one.", "messages")
    chat = Chat(
        model=found["model"],
        messages=found["messages"],
        tools=found.get("tools", ()),
        tool_choice=found.get("tool_choice", "auto"),
        parallel_tool_calls=found.get("parallel_tool_calls", True),
        stops=found.get("stop", ()),
        temperature=found.get("temperature", 1.0),
        max_output_tokens=found.get("max_completion_tokens", found.get("max_tokens")),
        is_streamed=found.get("stream", False),
        counts_usage=bool(found.get("stream_options", {}).get("include_usage")),
    )
    _check_choice(chat)
    return chat


def _check_choice(chat: Chat) -> None:
    choice = chat.tool_choice
    if isinstance(choice, dict) and choice["name"] not in [tool.name for tool in chat.tools]:
        raise ProtocolError("invalid_value", f"There is no tool named '{choice['name'][:100]}'.", "tool_choice")
    if choice == "required" and not chat.tools:
        raise ProtocolError("invalid_value", "A tool is required, and there are none.", "tool_choice")


def audio_parts(chat: Chat) -> dict[Place, Json]:
    """Return the recordings in a chat, which have to be understood before it is a prompt.

    Raises:
        ProtocolError: one of them is not written as it should be.
    """
    recording = s.fields({"data": s.name, "format": s.choice("wav", "mp3")}, ("data", "format"))
    found = {}
    for number, message in enumerate(chat.messages):
        content = message.get("content")
        for index, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict) and part.get("type") == "input_audio":
                path = f"messages[{number}].content[{index}].input_audio"
                found[number, index] = recording(part.get("input_audio"), path)
    return found


def prompt_of(chat: Chat, response_id: str, heard: Mapping[Place, str]) -> Prompt:
    """Return a chat as a prompt, where `heard` are the words of its recordings.

    Raises:
        ProtocolError: a message is not written as it should be.
    """
    instructions: list[str] = []
    items: list[Item] = []
    for number, message in enumerate(chat.messages):
        path = f"messages[{number}]"
        role = s.choice("system", "developer", "user", "assistant", "tool")(message.get("role"), f"{path}.role")
        match role:
            case "system" | "developer":
                text = _text(message.get("content"), f"{path}.content")
                if items:
                    items.append(Message(f"item_{number}", "system", (InputText(text),)))
                else:
                    instructions.append(text)
            case "user":
                items.append(Message(f"item_{number}", "user", _user_parts(message, number, heard)))
            case "assistant":
                items += _assistant_items(message, number)
            case "tool":
                items.append(_output(message, number, items))
    return Prompt(
        response_id,
        "",
        chat.model,
        "\n\n".join(instructions),
        tuple(items),
        (0.0,) * len(items),
        0.0,
        tools=chat.tools,
        tool_choice=chat.tool_choice,
        parallel_tool_calls=chat.parallel_tool_calls,
        modality="text",
        temperature=chat.temperature,
        max_output_tokens=chat.max_output_tokens,
    )


def _text(content: Any, path: str) -> str:
    """Return a content that may be a text or a list of texts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise s.invalid_type(path, "string or array", content)
    return "".join(_part_text(part, f"{path}[{index}]") for index, part in enumerate(content))


def _part_text(part: Any, path: str) -> str:
    kind = s.choice("text", "refusal")(s.mapping(part, path).get("type"), f"{path}.type")
    return s.text(part.get(kind), f"{path}.{kind}")


def _user_parts(message: Json, number: int, heard: Mapping[Place, str]) -> tuple[Part, ...]:
    content, path = message.get("content"), f"messages[{number}].content"
    if not isinstance(content, list):
        return (InputText(_text(content, path)),)
    parts: list[Part] = []
    for index, part in enumerate(content):
        if (number, index) in heard:
            parts.append(InputAudio(heard=heard[number, index]))
        elif isinstance(part, dict) and part.get("type") in ("image_url", "file"):
            raise ProtocolError(
                "unsupported_value",
                f"The engine of this server reads no {part['type']} parts.",
                f"{path}[{index}].type",
            )
        else:
            parts.append(InputText(_part_text(part, f"{path}[{index}]")))
    return tuple(parts)


def _assistant_items(message: Json, number: int) -> list[Item]:
    path = f"messages[{number}]"
    items: list[Item] = []
    content = message.get("content")
    if content:
        items.append(Message(f"item_{number}", "assistant", (OutputText(_text(content, f"{path}.content")),)))
    calls = s.nullable(s.array(s.mapping))(message.get("tool_calls"), f"{path}.tool_calls")
    for index, call in enumerate(calls or ()):
        where = f"{path}.tool_calls[{index}]"
        function = s.mapping(call.get("function"), f"{where}.function")
        items.append(
            FunctionCall(
                f"item_{number}_{index}",
                s.name(call.get("id"), f"{where}.id"),
                s.name(function.get("name"), f"{where}.function.name"),
                s.text(function.get("arguments", ""), f"{where}.function.arguments"),
            )
        )
    return items


def _output(message: Json, number: int, items: list[Item]) -> FunctionCallOutput:
    path = f"messages[{number}]"
    call_id = s.name(message.get("tool_call_id"), f"{path}.tool_call_id")
    if not any(isinstance(item, FunctionCall) and item.call_id == call_id for item in items):
        raise ProtocolError(
            "invalid_value", f"No earlier message has a tool call '{call_id[:100]}'.", f"{path}.tool_call_id"
        )
    return FunctionCallOutput(f"item_{number}", call_id, _text(message.get("content"), f"{path}.content"))
