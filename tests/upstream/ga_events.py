"""What clients may send in the GA shape."""

from __future__ import annotations

from . import schema as sc
from .schema import Check, Refused
from .terms import LIVE_TRANSCRIBERS, TRANSCRIBERS, VOICES

ITEM_ID_LENGTH = 32
"""The most characters of an item's id."""
TEXT = sc.text()
ITEM_ID = sc.text(ITEM_ID_LENGTH)
EFFORTS = ("minimal", "low", "medium", "high", "xhigh")

FORMAT = sc.tagged(
    "type",
    {
        "audio/pcm": sc.obj({"type": TEXT}, {"rate": sc.number(24_000, 24_000, whole=True)}),
        "audio/pcmu": sc.obj({"type": TEXT}),
        "audio/pcma": sc.obj({"type": TEXT}),
    },
)
VOICE = sc.either((dict,), sc.obj({"id": TEXT}), sc.choice(*VOICES))
MODALITIES = sc.array(sc.choice("text", "audio"))
MAX_TOKENS = sc.either((int,), sc.number(1, 4096, whole=True), sc.choice("inf"))
RESPONDS = {"create_response": sc.boolean, "interrupt_response": sc.boolean}
SERVER_VAD = {
    "threshold": sc.number(0.0, 1.0),
    "prefix_padding_ms": sc.number(0, 60_000, whole=True),
    "silence_duration_ms": sc.number(0, 60_000, whole=True),
    "idle_timeout_ms": sc.nullable(sc.number(5000, 30_000, whole=True)),
    **RESPONDS,
}
TURN_DETECTION = sc.tagged(
    "type",
    {
        "server_vad": sc.obj({"type": TEXT}, SERVER_VAD),
        "semantic_vad": sc.obj({"type": TEXT}, {"eagerness": sc.choice("low", "medium", "high", "auto"), **RESPONDS}),
    },
)
TRANSCRIPTION_FIELDS = sc.obj(
    {},
    {
        "model": sc.choice(*TRANSCRIBERS),
        "language": sc.nullable(TEXT),
        "languages": sc.nullable(sc.array(TEXT)),
        "keywords": sc.nullable(sc.array(TEXT)),
        "prompt": sc.nullable(TEXT),
        "delay": sc.nullable(sc.choice(*EFFORTS)),
    },
)


def _transcription(value: object, path: str) -> None:
    TRANSCRIPTION_FIELDS(value, path)
    assert isinstance(value, dict)
    for name in ("languages", "keywords"):
        if value.get(name) is not None and value.get("model") not in ("gpt-transcribe", "gpt-live-transcribe"):
            told = f"Invalid '{path}.{name}': not supported by this transcription model."
            raise Refused("invalid_value", told, f"{path}.{name}")


def _input_audio(value: object, path: str) -> None:
    sc.obj(
        {},
        {
            "format": FORMAT,
            "transcription": sc.nullable(_transcription),
            "noise_reduction": sc.nullable(
                sc.obj({}, {"type": sc.choice("near_field", "far_field"), "strength": sc.number(0.0, 1.0)})
            ),
            "turn_detection": sc.nullable(TURN_DETECTION),
        },
    )(value, path)
    assert isinstance(value, dict)
    model = (value.get("transcription") or {}).get("model")
    if model in LIVE_TRANSCRIBERS and value.get("turn_detection") is not None:
        param = f"{path}.turn_detection"
        raise Refused("invalid_value", f"Turn detection is not supported with the model '{model}'.", param)


FILTER = sc.obj({}, {"tool_names": sc.array(TEXT), "read_only": sc.boolean})
MCP_TOOL = sc.obj(
    {"type": TEXT, "server_label": TEXT},
    {
        "server_url": TEXT,
        "connector_id": TEXT,
        "tunnel_id": TEXT,
        "authorization": TEXT,
        "headers": sc.nullable(sc.mapping(TEXT, most=64, key_length=256)),
        "allowed_tools": sc.nullable(sc.either((list,), sc.array(TEXT), FILTER)),
        "require_approval": sc.nullable(
            sc.either((dict,), sc.obj({}, {"always": FILTER, "never": FILTER}), sc.choice("always", "never"))
        ),
        "server_description": TEXT,
        "defer_loading": sc.boolean,
        "allowed_callers": sc.array(sc.choice("direct", "programmatic")),
    },
)
FUNCTION_TOOL = sc.obj({"type": TEXT, "name": sc.text(64, minimum=1)}, {"description": TEXT, "parameters": sc.anything})
TOOLS = sc.array(sc.tagged("type", {"function": FUNCTION_TOOL, "mcp": MCP_TOOL}))
TOOL_CHOICE = sc.either(
    (dict,),
    sc.tagged(
        "type",
        {
            "function": sc.obj({"type": TEXT, "name": TEXT}),
            "mcp": sc.obj({"type": TEXT, "server_label": TEXT}, {"name": sc.nullable(TEXT)}),
        },
    ),
    sc.choice("none", "auto", "required"),
)
PROMPT = sc.obj({"id": TEXT}, {"version": sc.nullable(TEXT), "variables": sc.nullable(sc.anything)})
REASONING = sc.obj({}, {"effort": sc.choice(*EFFORTS)})
TRACING = sc.either(
    (dict,), sc.obj({}, {"workflow_name": TEXT, "group_id": TEXT, "metadata": sc.anything}), sc.choice("auto")
)
TRUNCATION = sc.either(
    (dict,),
    sc.tagged(
        "type",
        {
            "retention_ratio": sc.obj(
                {"type": TEXT, "retention_ratio": sc.number(0.0, 1.0)},
                {"token_limits": sc.obj({}, {"post_instructions": sc.number(0, 10**9, whole=True)})},
            )
        },
    ),
    sc.choice("auto", "disabled"),
)
INCLUDE = sc.nullable(sc.array(sc.choice("item.input_audio_transcription.logprobs")))
SESSION = sc.obj(
    {"type": TEXT},
    {
        "model": TEXT,
        "output_modalities": MODALITIES,
        "instructions": TEXT,
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": sc.boolean,
        "reasoning": REASONING,
        "max_output_tokens": MAX_TOKENS,
        "tracing": sc.nullable(TRACING),
        "truncation": TRUNCATION,
        "prompt": sc.nullable(PROMPT),
        "include": INCLUDE,
        "audio": sc.obj(
            {},
            {
                "input": _input_audio,
                "output": sc.obj({}, {"format": FORMAT, "voice": VOICE, "speed": sc.number(0.25, 1.5)}),
            },
        ),
    },
)
TRANSCRIPTION_SESSION = sc.obj({"type": TEXT}, {"include": INCLUDE, "audio": sc.obj({}, {"input": _input_audio})})
SESSIONS = sc.tagged("type", {"realtime": SESSION, "transcription": TRANSCRIPTION_SESSION})


def _image_url(value: object, path: str) -> None:
    TEXT(value, path)
    if not str(value).startswith(("data:image/png", "data:image/jpeg")):
        raise Refused("invalid_value", f"Invalid '{path}'. Expected a data URI of a PNG or JPEG image.", path)


ITEM_FIELDS = {
    "id": ITEM_ID,
    "object": sc.choice("realtime.item"),
    "status": sc.choice("completed", "incomplete", "in_progress"),
}
INPUT_TEXT = sc.obj({"type": TEXT, "text": TEXT})


def _input_audio_part(value: object, path: str) -> None:
    sc.obj({"type": TEXT}, {"audio": sc.nullable(sc.audio), "transcript": sc.nullable(TEXT)})(value, path)
    assert isinstance(value, dict)
    if value.get("audio") is None and value.get("transcript") is None:
        param = f"{path}.audio"
        raise Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


USER_PART = sc.tagged(
    "type",
    {
        "input_text": INPUT_TEXT,
        "input_audio": _input_audio_part,
        "input_image": sc.obj(
            {"type": TEXT, "image_url": _image_url}, {"detail": sc.nullable(sc.choice("auto", "low", "high"))}
        ),
    },
)


def _assistant_part(value: object, path: str) -> None:
    # A client may not put words into the model's mouth by audio: the text is what is missed then.
    sc.tagged("type", {"output_text": sc.anything, "output_audio": sc.anything})(value, path)
    assert isinstance(value, dict)
    if "text" not in value:
        param = f"{path}.text"
        raise Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
    sc.obj({"type": sc.choice("output_text"), "text": TEXT})(value, path)


def _message(part: Check) -> Check:
    return sc.obj({"type": TEXT, "role": TEXT, "content": sc.array(part)}, ITEM_FIELDS)


MESSAGE = sc.tagged(
    "role",
    {
        "system": _message(sc.tagged("type", {"input_text": INPUT_TEXT})),
        "user": _message(USER_PART),
        "assistant": _message(_assistant_part),
    },
)
_MCP_ERROR = sc.tagged(
    "type",
    {
        "protocol_error": sc.obj({"type": TEXT, "code": sc.number(-(10**9), 10**9, whole=True), "message": TEXT}),
        "tool_execution_error": sc.obj({"type": TEXT, "message": TEXT}),
        "http_error": sc.obj({"type": TEXT, "code": sc.number(0, 999, whole=True), "message": TEXT}),
    },
)
_CALLED = {"id": ITEM_ID, "type": TEXT, "server_label": TEXT, "name": TEXT, "arguments": TEXT}
ITEMS = {
    "message": MESSAGE,
    "function_call": sc.obj({"type": TEXT, "name": TEXT, "arguments": TEXT}, {"call_id": sc.text(32), **ITEM_FIELDS}),
    "function_call_output": sc.obj({"type": TEXT, "call_id": TEXT, "output": TEXT}, ITEM_FIELDS),
    "mcp_list_tools": sc.obj({"type": TEXT, "server_label": TEXT, "tools": sc.array(sc.anything)}, {"id": ITEM_ID}),
    "mcp_call": sc.obj(
        _CALLED,
        {
            "approval_request_id": sc.nullable(TEXT),
            "output": sc.nullable(TEXT),
            "error": sc.nullable(_MCP_ERROR),
        },
    ),
    "mcp_approval_request": sc.obj(_CALLED),
    "mcp_approval_response": sc.obj(
        {"id": ITEM_ID, "type": TEXT, "approval_request_id": TEXT, "approve": sc.boolean},
        {"reason": sc.nullable(TEXT)},
    ),
}
ITEM = sc.tagged("type", ITEMS)
REFERENCE = sc.obj({"type": TEXT, "id": TEXT})
RESPONSE = sc.obj(
    {},
    {
        "output_modalities": sc.nullable(MODALITIES),
        "instructions": sc.nullable(TEXT),
        "audio": sc.nullable(sc.obj({}, {"output": sc.obj({}, {"format": FORMAT, "voice": VOICE})})),
        "tools": sc.nullable(TOOLS),
        "tool_choice": sc.nullable(TOOL_CHOICE),
        "parallel_tool_calls": sc.nullable(sc.boolean),
        "reasoning": sc.nullable(REASONING),
        "max_output_tokens": sc.nullable(MAX_TOKENS),
        "conversation": sc.nullable(TEXT),
        "metadata": sc.nullable(sc.mapping(sc.text(512), most=16, key_length=64)),
        "prompt": sc.nullable(PROMPT),
        "input": sc.nullable(sc.array(sc.tagged("type", {**ITEMS, "item_reference": REFERENCE}))),
    },
)
MILLISECONDS = sc.number(0, 10**12, whole=True)


def _event(required: dict[str, Check] | None = None, optional: dict[str, Check] | None = None) -> Check:
    return sc.obj({"type": TEXT, **(required or {})}, {"event_id": sc.text(512), **(optional or {})})


EVENTS: dict[str, Check] = {
    "session.update": _event({"session": SESSIONS}),
    "input_audio_buffer.append": _event({"audio": sc.audio}),
    "input_audio_buffer.commit": _event(),
    "input_audio_buffer.clear": _event(),
    "output_audio_buffer.clear": _event(),
    "conversation.item.create": _event({"item": ITEM}, {"previous_item_id": sc.nullable(TEXT)}),
    "conversation.item.retrieve": _event({"item_id": TEXT}),
    "conversation.item.delete": _event({"item_id": TEXT}),
    "conversation.item.truncate": _event(
        {"item_id": TEXT, "content_index": sc.number(0, 1000, whole=True), "audio_end_ms": MILLISECONDS}
    ),
    "response.create": _event({}, {"response": RESPONSE}),
    "response.cancel": _event({}, {"response_id": sc.nullable(TEXT)}),
}
"""Every event that a client may send, and its check."""
