"""What both shapes spell alike: items, functions, formats of audio, and the frames themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pybase64

from ..core.errors import ProtocolError
from ..core.formats import PCMA, PCMU, AudioFormat
from ..core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    ItemReference,
    Message,
    OutputText,
    Part,
)
from ..core.pictures import image_size
from ..core.settings import VOICES, McpServer, Tool
from . import mcp
from . import schema as s

PCM_RATES = (8000, 16_000, 24_000)
MAX_IMAGE_BYTES = 10 << 20
"""Chat endpoints take no larger ones."""
MAX_IMAGE_SIDE = 8192
"""Pixels; a small file can hold many, and every one of them would have to be unpacked somewhere."""
MAX_ID = 512
"""The longest id a client may give, by the protocol."""


def base64_bytes(value: str, param: str) -> bytes:
    """Return the bytes of a base64 text.

    Raises:
        ProtocolError: it is no base64.
    """
    try:
        return pybase64.b64decode(value, validate=True)
    except (ValueError, UnicodeError):
        raise ProtocolError(
            "invalid_value",
            "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an invalid value.",
            param,
        ) from None


def audio(value: Any, path: str) -> bytes:
    """Accept base64 audio."""
    return base64_bytes(s.text(value, path), path)


def ident(value: Any, path: str) -> str:
    """Accept an id."""
    if len(s.text(value, path)) > MAX_ID:
        raise ProtocolError(
            "invalid_value",
            f"Invalid '{path}': string too long. Expected at most {MAX_ID} characters, but got {len(value)} instead.",
            path,
        )
    return str(value)


def optional_ident(value: Any, path: str) -> str | None:
    """Accept an id, null or an empty string; the latter two mean none."""
    return None if value is None else ident(value, path) or None


# --------------------------------------------------------------------------------------------------------- formats

_PCM = s.fields({"type": s.text, "rate": s.integer(1)})
_G711 = s.fields({"type": s.text, "rate": s.nullable(s.integer(8000, 8000))})


def _pcm_format(value: Any, path: str) -> AudioFormat:
    rate = _PCM(value, path).get("rate", 24_000)
    if rate not in PCM_RATES:
        raise s.invalid_choice(f"{path}.rate", rate, tuple(str(r) for r in PCM_RATES))
    return AudioFormat("audio/pcm", rate)


def _g711_format(known: AudioFormat) -> s.Check:
    def check(value: Any, path: str) -> AudioFormat:
        _G711(value, path)
        return known

    return check


audio_format = s.variants(
    "type", {"audio/pcm": _pcm_format, "audio/pcmu": _g711_format(PCMU), "audio/pcma": _g711_format(PCMA)}
)


def voice(value: Any, path: str) -> str:
    """Accept the name of a voice, or the id of a voice of one's own as an object."""
    if isinstance(value, dict):
        return str(s.fields({"id": s.name}, ("id",))(value, path)["id"])
    return str(s.choice(*VOICES)(value, path))


def max_tokens(value: Any, path: str) -> int | None:
    """Accept a number of tokens or `"inf"`, which is None."""
    if value == "inf":
        return None
    if isinstance(value, str):
        raise s.invalid_type(path, "integer or 'inf'", value)
    return int(s.integer(1, 4096)(value, path))


def metadata(value: Any, path: str) -> dict[str, str]:
    """Accept a small object of strings."""
    if len(s.mapping(value, path)) > 16:
        raise ProtocolError("invalid_value", f"Invalid '{path}': at most 16 keys are allowed.", path)
    for key, element in value.items():
        if len(key) > 64:
            raise ProtocolError("invalid_value", f"Invalid '{path}': keys have at most 64 characters.", path)
        if len(s.text(element, f"{path}.{key}")) > 512:
            raise ProtocolError(
                "invalid_value", f"Invalid '{path}.{key}': values have at most 512 characters.", f"{path}.{key}"
            )
    return dict(value)


# --------------------------------------------------------------------------------------------------- stored prompts

_TEXT_VARIABLE = s.fields(
    {"type": s.choice("input_text"), "text": s.text, "prompt_cache_breakpoint": s.ignored}, ("text",)
)


def _variable(value: Any, path: str) -> Any:
    """Accept a text, bare or as a part of a message."""
    if not isinstance(value, dict):
        return s.text(value, path)
    if value.get("type") in ("input_image", "input_file"):
        kind = str(value["type"]).removeprefix("input_")
        text = f"Invalid '{path}': variables of stored prompts are texts here, and cannot be an {kind}."
        raise ProtocolError("invalid_value", text.replace("an file", "a file"), path)
    _TEXT_VARIABLE(value, path)
    return value


def _variables(value: Any, path: str) -> dict[str, Any]:
    if len(s.mapping(value, path)) > 128:
        raise ProtocolError("invalid_value", f"Invalid '{path}': at most 128 variables are allowed.", path)
    return {key: _variable(element, f"{path}.{key}") for key, element in value.items()}


prompt = s.fields({"id": s.name, "version": s.nullable(s.text), "variables": s.nullable(_variables)}, ("id",))

# ----------------------------------------------------------------------------------------------------------- tools

_FUNCTION = s.fields(
    {
        "type": s.text,
        "name": s.name,
        "description": s.nullable(s.text),
        "parameters": s.nullable(s.mapping),
        "strict": s.ignored,
    },
    required=("name",),
)


def _function(value: Any, path: str) -> Tool:
    found = _FUNCTION(value, path)
    return Tool(found["name"], found.get("description") or "", found.get("parameters") or {})


function_tool = s.variants("type", {"function": _function, "mcp": mcp.server}, default="function")
_tools = s.array(function_tool, most=512)


def tools(value: Any, path: str) -> tuple[Tool | McpServer, ...]:
    """Accept functions of the application and remote MCP servers."""
    found: tuple[Tool | McpServer, ...] = _tools(value, path)
    mcp.check_labels(tuple(tool for tool in found if isinstance(tool, McpServer)), path)
    return found


def part_tools(patch: dict[str, Any]) -> dict[str, Any]:
    """Return checked fields with functions and servers told apart: whoever gives tools gives all of both."""
    if "tools" not in patch:
        return patch
    servers = tuple(tool for tool in patch["tools"] if isinstance(tool, McpServer))
    return patch | {
        "tools": tuple(tool for tool in patch["tools"] if isinstance(tool, Tool)),
        "mcp_servers": servers,
    }


_CHOSEN = s.fields(
    {"type": s.choice("function", "mcp"), "name": s.name, "function": s.fields({"name": s.name}, ("name",))}
)


def tool_choice(value: Any, path: str) -> str | dict[str, Any]:
    """Accept how functions are to be chosen."""
    if isinstance(value, str):
        return str(s.choice("none", "auto", "required")(value, path))
    if isinstance(value, dict) and value.get("type") == "mcp":
        return mcp.choice(value, path)
    found = _CHOSEN(value, path)
    if "type" not in found:
        raise s.missing(f"{path}.type")
    chosen = found.get("name") or found.get("function", {}).get("name")
    if not chosen:
        raise s.missing(f"{path}.name")
    return {"type": "function", "name": chosen}


def render_tools(functions: tuple[Tool, ...], servers: tuple[McpServer, ...]) -> list[dict[str, Any]]:
    """Return all tools as both shapes show them."""
    return [*(render_tool(tool) for tool in functions), *(mcp.render_server(server) for server in servers)]


def render_tool(tool: Tool) -> dict[str, Any]:
    """Return a function as both shapes show it."""
    out: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        out["description"] = tool.description
    out["parameters"] = tool.parameters
    return out


# ----------------------------------------------------------------------------------------------------------- items

_PART: dict[str, s.Check] = {
    "type": s.text,
    **dict.fromkeys(("text", "audio", "transcript", "format", "image_url", "detail"), s.absent),
}
_TEXT = s.fields(_PART | {"text": s.text}, ("text",))
_AUDIO = s.fields(
    _PART | {"audio": s.nullable(audio), "transcript": s.nullable(s.text), "format": s.ignored},
)
_IMAGE = s.fields(_PART | {"image_url": s.name, "detail": s.nullable(s.choice("auto", "low", "high"))}, ("image_url",))


def _input_text(value: Any, path: str) -> Part:
    return InputText(_TEXT(value, path)["text"])


def _output_text(value: Any, path: str) -> Part:
    return OutputText(_TEXT(value, path)["text"])


def _input_audio(value: Any, path: str) -> Part:
    found = _AUDIO(value, path)
    if found.get("audio") is None and found.get("transcript") is None:
        raise s.missing(f"{path}.audio")
    return InputAudio(found.get("audio") or b"", transcript=found.get("transcript"))


def _output_audio(value: Any, path: str) -> Part:
    # Only text may stand for what the assistant said elsewhere: its audio cannot be had back.
    raise s.missing(f"{path}.text")


def _input_image(value: Any, path: str) -> Part:
    found = _IMAGE(value, path)
    url = found["image_url"]
    _check_image(url, f"{path}.image_url")
    return InputImage(url, found.get("detail") or "auto")


def _check_image(url: str, path: str) -> None:
    """Raise `ProtocolError` unless a URL holds a PNG or JPEG image of a size that models take."""
    expected = "Expected a base64-encoded data URI of a PNG or JPEG image"
    head, _, data = url.partition(",")
    if head not in ("data:image/png;base64", "data:image/jpeg;base64", "data:image/jpg;base64"):
        raise ProtocolError("invalid_value", f"Invalid '{path}'. {expected}.", path)
    if len(data) * 3 // 4 > MAX_IMAGE_BYTES:
        most = MAX_IMAGE_BYTES >> 20
        raise ProtocolError("invalid_value", f"Invalid '{path}': an image has at most {most} MiB.", path)
    try:
        pybase64.b64decode(data, validate=True)
    except (ValueError, UnicodeError):
        raise ProtocolError("invalid_value", f"Invalid '{path}'. {expected}.", path) from None
    size = image_size(url)
    if size is None or min(size) < 1:
        raise ProtocolError("invalid_value", f"Invalid '{path}'. {expected}, but got something else.", path)
    if max(size) > MAX_IMAGE_SIDE:
        text = f"Invalid '{path}': an image has at most {MAX_IMAGE_SIDE} pixels a side, but this one has {max(size)}."
        raise ProtocolError("invalid_value", text, path)


_CONTENT: Mapping[str, Mapping[str, s.Check]] = {
    "system": {"input_text": _input_text, "text": _input_text},
    "user": {
        "input_text": _input_text,
        "input_audio": _input_audio,
        "input_image": _input_image,
        "text": _input_text,
    },
    "assistant": {
        "output_text": _output_text,
        "text": _output_text,
        "output_audio": _output_audio,
        "audio": _output_audio,
    },
}
_PARTS = {role: s.array(s.variants("type", kinds)) for role, kinds in _CONTENT.items()}
_COMMON: dict[str, s.Check] = {
    "id": optional_ident,
    "type": s.text,
    "object": s.ignored,
    "status": s.ignored,
    **dict.fromkeys(("role", "content", "call_id", "name", "arguments", "output"), s.absent),
}
_MESSAGE = s.fields(
    _COMMON | {"role": s.choice(*_CONTENT), "content": lambda value, path: value, "phase": s.ignored},
    required=("role", "content"),
)
_CALL = s.fields(
    _COMMON | {"call_id": optional_ident, "name": s.name, "arguments": s.text}, required=("name", "arguments")
)
_OUTPUT = s.fields(_COMMON | {"call_id": ident, "output": s.text}, required=("call_id", "output"))
_REFERENCE = s.fields({"type": s.text, "id": ident}, required=("id",))


def _message(value: Any, path: str) -> Item:
    found = _MESSAGE(value, path)
    role = found["role"]
    content = _PARTS[role](found["content"], f"{path}.content")
    return Message(found.get("id") or "", role, content)


def _call(value: Any, path: str) -> Item:
    found = _CALL(value, path)
    return FunctionCall(found.get("id") or "", found.get("call_id") or "", found["name"], found["arguments"])


def _output(value: Any, path: str) -> Item:
    found = _OUTPUT(value, path)
    return FunctionCallOutput(found.get("id") or "", found["call_id"], found["output"])


def _reference(value: Any, path: str) -> ItemReference:
    return ItemReference(_REFERENCE(value, path)["id"])


_ITEMS: dict[str, s.Check] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    **mcp.item_readers(ident, optional_ident),
}
item = s.variants("type", _ITEMS)
response_input = s.array(s.variants("type", {**_ITEMS, "item_reference": _reference}), most=10_000)


def render_part_audio(data: bytes) -> str:
    """Return audio as base64 text."""
    return pybase64.b64encode_as_string(data)
