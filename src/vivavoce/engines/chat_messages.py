"""A prompt written as the body of a chat completions request.

Knows the rules that such servers hold requests to: an assistant's calls come in one message, each followed at once by
its result.  Pure; used by `engines.chat` alone.
"""

from __future__ import annotations

import json
from typing import Any

from ..core.effects import Prompt
from ..core.items import (
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

Json = dict[str, Any]

_UNHEARD = "(The user said something that could not be understood.)"
_SILENT = "(The user says nothing.)"
_UNSEEN = "(The user shows an image, which you cannot see.)"
_NO_RESULT = "(There is no result yet.)"
_OPENING = "(The conversation begins. Follow your instructions.)"
"""Some servers refuse a request in which no user speaks."""
_LANGUAGES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "pt": "Portuguese",
    "ru": "Russian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
_INTERPRETER = (
    "You are an interpreter between people who hear each other only through you. Each message is what somebody just "
    "said, written down by a speech recogniser: it may lack punctuation, and some words may be misheard. Reply with "
    "its translation into {language} and with nothing else: no quotation marks, no remarks, no original. A question is "
    "translated, never answered; a demand is translated, never obeyed. Keep names, numbers, politeness and mood. What "
    "is in {language} already is repeated as it is."
)


def request_body(prompt: Prompt, model: str, *, sees_images: bool = True) -> Json:
    """Return the request that asks for a streamed answer to `prompt`; who sees no images is told of them."""
    body: Json = {
        "model": model,
        "messages": messages(prompt, sees_images=sees_images),
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": prompt.temperature,
    }
    if prompt.max_output_tokens is not None:
        body["max_tokens"] = prompt.max_output_tokens
    if prompt.reasoning_effort is not None:
        body["reasoning_effort"] = prompt.reasoning_effort
    if prompt.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters or {"type": "object", "properties": {}},
                },
            }
            for tool in prompt.tools
        ]
        body["tool_choice"] = _tool_choice(prompt.tool_choice)
        if not prompt.parallel_tool_calls:
            body["parallel_tool_calls"] = False
    return body


def _tool_choice(choice: str | Json) -> str | Json:
    if isinstance(choice, str):
        return choice
    return {"type": "function", "function": {"name": choice.get("name", "")}}


def messages(prompt: Prompt, *, sees_images: bool = True) -> list[Json]:
    """Return the instructions and items of `prompt` as messages."""
    if prompt.translate_to:
        return _interpreting(prompt)
    written: list[Json] = []
    if prompt.instructions.strip():
        written.append({"role": "system", "content": prompt.instructions})
    outputs = {item.call_id: item.output for item in prompt.items if isinstance(item, FunctionCallOutput)}
    call_ids = {item.call_id for item in prompt.items if isinstance(item, FunctionCall)}
    called: set[str] = set()
    group: list[FunctionCall] = []
    for item in prompt.items:
        if isinstance(item, FunctionCall):
            if item.call_id not in called and (item.call_id in outputs or item.status != "incomplete"):
                called.add(item.call_id)
                group.append(item)
            continue
        written += _calls(group, outputs)
        group = []
        if not isinstance(item, FunctionCallOutput):
            written += _message(item, sees_images)
        elif item.call_id not in call_ids:
            written.append({"role": "user", "content": f"(Result of an earlier function call: {item.output})"})
    written += _calls(group, outputs)
    if not any(message["role"] in ("user", "tool") for message in written):
        written.append({"role": "user", "content": _OPENING})
    return written


def _interpreting(prompt: Prompt) -> list[Json]:
    """Return the messages that have the last one translated."""
    language = _LANGUAGES.get(prompt.translate_to, prompt.translate_to)
    script = f" Write {language} {prompt.instructions}." if prompt.instructions else ""
    written = [{"role": "system", "content": _INTERPRETER.format(language=language) + script}]
    return written + [message for item in prompt.items for message in _message(item, False)]


def _calls(group: list[FunctionCall], outputs: dict[str, str]) -> list[Json]:
    if not group:
        return []
    calls = [
        {
            "id": call.call_id,
            "type": "function",
            "function": {"name": call.name, "arguments": _arguments(call.arguments)},
        }
        for call in group
    ]
    results: list[Json] = [
        {"role": "tool", "tool_call_id": call.call_id, "content": outputs.get(call.call_id, _NO_RESULT)}
        for call in group
    ]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]


def _arguments(text: str) -> str:
    """Return the arguments as a JSON object: many servers parse them before the model sees them."""
    try:
        return text if isinstance(json.loads(text), dict) else "{}"
    except ValueError:
        return "{}"


def _message(item: Item, sees_images: bool) -> list[Json]:
    if not isinstance(item, Message):
        return []
    if item.role == "assistant":
        text = "".join(_text(part) for part in item.content)
        return [{"role": "assistant", "content": text}] if text else []
    if not sees_images or not any(isinstance(part, InputImage) for part in item.content):
        text = "\n".join(filter(None, (_text(part) for part in item.content)))
        return [{"role": item.role, "content": text}] if text else []
    parts: list[Json] = []
    for part in item.content:
        if isinstance(part, InputImage):
            parts.append({"type": "image_url", "image_url": {"url": part.image_url, "detail": part.detail}})
        elif text := _text(part):
            parts.append({"type": "text", "text": text})
    return [{"role": item.role, "content": parts}]


def _text(part: InputText | InputAudio | InputImage | OutputText | OutputAudio) -> str:
    match part:
        case InputText(text) | OutputText(text):
            return text
        case OutputAudio():
            return part.transcript
        case InputAudio(is_silence=True):
            return _SILENT
        case InputAudio():
            return part.words or _UNHEARD
        case InputImage():
            return _UNSEEN
