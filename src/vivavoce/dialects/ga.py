"""The GA shape of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..core import events as ev
from ..core.accounts import COST
from ..core.errors import ProtocolError
from ..core.formats import AudioFormat
from ..core.items import Item
from ..core.settings import NoiseReduction, ResponsePatch, ServerVad, SessionPatch, Transcription, TurnDetection
from ..core.states import ResponseState, SessionState
from ..core.transcripts import LOGPROBS
from ..core.voice import PROBABILITY
from . import codec, common, mcp, spelling
from . import schema as s

# --------------------------------------------------------------------------------------------------- client events

modalities_list = s.array(s.choice("text", "audio"))


def _modalities(value: Any, path: str) -> tuple[str, ...]:
    found = tuple(modalities_list(value, path))
    if found not in (("text",), ("audio",)):
        shown = ", ".join(f"'{m}'" for m in found)
        raise ProtocolError(
            "invalid_value",
            f"Invalid modalities: [{shown}]. Supported combinations are: ['text'] and ['audio'].",
            path,
        )
    return found


_SHARED_VAD: dict[str, s.Check] = {
    "type": s.choice("server_vad", "semantic_vad"),
    "create_response": s.boolean,
    "interrupt_response": s.boolean,
    "interruption_mode": s.nullable(s.choice("vad", "adaptive")),
}
_SERVER_VAD: dict[str, s.Check] = {
    "threshold": s.number(0.0, 1.0),
    "prefix_padding_ms": s.integer(0, 5000),
    "silence_duration_ms": s.integer(0, 60_000),
    "idle_timeout_ms": s.nullable(s.integer(5000, 30_000)),
}
_SEMANTIC_VAD: dict[str, s.Check] = {"eagerness": s.choice("low", "medium", "high", "auto")}

_vad_of_any_kind = s.fields(_SHARED_VAD | _SERVER_VAD | _SEMANTIC_VAD)
_vad_by_kind = s.variants(
    "type",
    {"server_vad": s.fields(_SHARED_VAD | _SERVER_VAD), "semantic_vad": s.fields(_SHARED_VAD | _SEMANTIC_VAD)},
)


def turn_detection(value: Any, path: str) -> dict[str, Any]:
    """Accept a turn detection; without a type it changes the one there is."""
    if isinstance(value, dict) and "type" not in value:
        return dict(_vad_of_any_kind(value, path))
    return dict(_vad_by_kind(value, path))


transcription = s.nullable(
    s.fields(
        {
            "model": s.text,
            "language": s.nullable(s.text),
            "languages": s.nullable(s.array(s.text)),
            "prompt": s.nullable(s.text),
            "keywords": s.array(s.text),
            "delay": s.nullable(s.choice("minimal", "low", "medium", "high", "xhigh")),
        }
    )
)
_NOISE_REDUCTION = s.fields(
    {"type": s.choice("near_field", "far_field"), "strength": s.nullable(s.number(0.0, 1.0))}, ("type",)
)


def noise_reduction(value: Any, path: str) -> dict[str, Any] | None:
    """Accept null or an object; a strength that is not told stays as it was."""
    if value is None:
        return None
    return {key: element for key, element in _NOISE_REDUCTION(value, path).items() if element is not None}


include = s.nullable(s.array(s.choice(LOGPROBS, COST, PROBABILITY)))


_TRACING = s.fields(
    {"workflow_name": s.nullable(s.text), "group_id": s.nullable(s.text), "metadata": s.nullable(s.mapping)}
)


def tracing(value: Any, path: str) -> Any:
    """Accept null, `"auto"` or an object."""
    if value is None:
        return None
    return _TRACING(value, path) if isinstance(value, dict) else s.choice("auto")(value, path)


_RETENTION = s.fields(
    {
        "type": s.choice("retention_ratio"),
        "retention_ratio": s.number(0.0, 1.0),
        "token_limits": s.nullable(s.fields({"post_instructions": s.integer(0)})),
    },
    ("type", "retention_ratio"),
)


def _truncation(value: Any, path: str) -> Any:
    if isinstance(value, dict):
        return _RETENTION(value, path)
    return s.choice("auto", "disabled")(value, path)


input_fields = s.fields(
    {
        "format": common.audio_format,
        "transcription": transcription,
        "noise_reduction": noise_reduction,
        "turn_detection": s.nullable(turn_detection),
    }
)
_OUTPUT = s.fields({"format": common.audio_format, "voice": common.voice, "speed": s.number(0.25, 1.5)})
_REASONING = s.nullable(s.fields({"effort": s.choice("minimal", "low", "medium", "high", "xhigh")}))
_SESSION = s.fields(
    {
        "type": s.text,
        "id": s.ignored,
        "object": s.ignored,
        "expires_at": s.ignored,
        "client_secret": s.ignored,
        "model": s.name,
        "output_modalities": _modalities,
        "instructions": s.text,
        "tools": common.tools,
        "tool_choice": common.tool_choice,
        "parallel_tool_calls": s.nullable(s.boolean),
        "reasoning": _REASONING,
        "max_output_tokens": common.max_tokens,
        "tracing": tracing,
        "truncation": _truncation,
        "prompt": s.nullable(common.prompt),
        "include": include,
        "audio": s.fields({"input": input_fields, "output": _OUTPUT}),
    }
)
READ_ONLY = ("type", "id", "object", "expires_at", "client_secret")
_INPUT_FIELDS = {
    "format": "input_format",
    "transcription": "transcription",
    "noise_reduction": "noise_reduction",
    "turn_detection": "turn_detection",
}
_OUTPUT_FIELDS = {"format": "output_format", "voice": "voice", "speed": "speed"}
SETTINGS = {
    f"audio.{side}.{key}": name
    for side, names in (("input", _INPUT_FIELDS), ("output", _OUTPUT_FIELDS))
    for key, name in names.items()
}
"""What the settings call the fields of `audio`, by their paths."""


def session_patch(value: Any, path: str = "session") -> SessionPatch:
    """Return the change of settings that a GA session object asks for."""
    check_kind(value, path, "realtime")
    return patch_of(_SESSION(value, path))


def patch_of(found: dict[str, Any]) -> SessionPatch:
    """Return the change of settings that checked fields of a GA session object stand for."""
    for key in READ_ONLY:
        found.pop(key, None)
    audio = found.pop("audio", {})
    for side, names in (("input", _INPUT_FIELDS), ("output", _OUTPUT_FIELDS)):
        found |= {names[key]: element for key, element in audio.get(side, {}).items()}
    return common.part_tools(found)


def check_kind(value: Any, path: str, expected: str) -> None:
    """Raise `ProtocolError` unless the object says that it is a session of the expected kind."""
    if not isinstance(value, dict):
        raise s.invalid_type(path, "object", value)
    kind = value.get("type")
    if kind is None:
        raise s.missing(f"{path}.type")
    if kind != expected and kind in ("realtime", "transcription"):
        raise other_kind(kind, expected, f"{path}.type")
    s.choice(expected)(kind, f"{path}.type")


def other_kind(kind: str, expected: str, path: str) -> ProtocolError:
    """Return the error for updating a session as if it were one of another kind."""
    return ProtocolError(
        "invalid_parameter", f"Passing a {kind} session update event to a {expected} session is not allowed.", path
    )


_RESPONSE = s.fields(
    {
        "output_modalities": _modalities,
        "instructions": s.text,
        "tools": common.tools,
        "tool_choice": common.tool_choice,
        "parallel_tool_calls": s.boolean,
        "reasoning": _REASONING,
        "max_output_tokens": common.max_tokens,
        "audio": s.fields({"output": _OUTPUT}),
        "conversation": s.text,
        "metadata": common.metadata,
        "prompt": common.prompt,
        "input": common.response_input,
    }
)


def update_reader(patch: s.Check) -> codec.Reader:
    """Return the reader of `session.update`, whose `session` is checked by `patch`."""
    return codec.reader({"session": patch}, ("session",), ev.SessionUpdate)


def _create(value: dict[str, Any]) -> ev.ClientEvent:
    found = s.fields({"type": s.text, "event_id": common.optional_ident, "response": s.nullable(response_fields)})(
        value, ""
    )
    given = found.get("response") or {}
    audio = given.pop("audio", {}).get("output", {})
    given |= {_OUTPUT_FIELDS[key]: element for key, element in audio.items()}
    given = common.part_tools(given)
    return response_create(found.get("event_id"), given)


def response_fields(value: Any, path: str) -> dict[str, Any]:
    """Return the checked fields of a GA `response` object; null stands for unset in all of them."""
    return dict(_RESPONSE(_without_nulls(value), path))


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: element for key, element in value.items() if element is not None}
    return kept | {key: _without_nulls(kept[key]) for key in ("audio", "output") if key in kept}


def response_create(event_id: str | None, fields: ResponsePatch) -> ev.ResponseCreate:
    """Return the event of checked fields."""
    return ev.ResponseCreate(
        event_id=event_id,
        conversation=fields.pop("conversation", "auto"),
        metadata=fields.pop("metadata", None),
        input=fields.pop("input", None),
        response=fields,
    )


READERS: dict[str, codec.Reader] = {
    "session.update": update_reader(session_patch),
    **codec.READERS,
    "response.create": _create,
}

# --------------------------------------------------------------------------------------------------- server events


def render_format(format: AudioFormat) -> dict[str, Any]:  # noqa: A002
    """Return a format of audio."""
    if format.type == "audio/pcm":
        return {"type": format.type, "rate": format.rate}
    return {"type": format.type}


def render_transcription(found: Transcription | None) -> dict[str, Any] | None:
    """Return what the client asked of transcription; further keys break strict clients."""
    if found is None:
        return None
    out: dict[str, Any] = {"model": found.model, "language": found.language, "prompt": found.prompt}
    if found.languages is not None:
        out["languages"] = list(found.languages)
    return out


def render_noise_reduction(found: NoiseReduction | None) -> dict[str, Any] | None:
    """Return how the user's audio is cleaned; full strength, which is the default, goes without saying."""
    if found is None:
        return None
    return {"type": found.type} if found.strength == 1.0 else {"type": found.type, "strength": found.strength}


def render_detection(found: TurnDetection | None) -> dict[str, Any] | None:
    """Return a turn detection with all its fields."""
    if found is None:
        return None
    kind = "server_vad" if isinstance(found, ServerVad) else "semantic_vad"
    out = {"type": kind, **msgspec.structs.asdict(found)}
    if found.interruption_mode is None:
        # Typed clients refuse fields that they do not know; whoever sets this one knows it.
        del out["interruption_mode"]
    return out


def render_session(state: SessionState) -> dict[str, Any]:
    """Return the whole effective session."""
    found = state.settings
    out: dict[str, Any] = {
        "type": "realtime",
        "object": "realtime.session",
        "id": state.id,
        "model": found.model,
        "output_modalities": list(found.output_modalities),
        "instructions": found.instructions,
        "tools": common.render_tools(found.tools, found.mcp_servers),
        "tool_choice": found.tool_choice,
        "max_output_tokens": spelling.render_max_tokens(found.max_output_tokens),
        "tracing": found.tracing,
        "truncation": found.truncation,
        "prompt": found.prompt,
        "expires_at": state.expires_at,
        "audio": {
            "input": {
                "format": render_format(found.input_format),
                "transcription": render_transcription(found.transcription),
                "noise_reduction": render_noise_reduction(found.noise_reduction),
                "turn_detection": render_detection(found.turn_detection),
            },
            "output": {
                "format": render_format(found.output_format),
                "voice": found.voice,
                "speed": found.speed,
            },
        },
        "include": None if found.include is None else list(found.include),
    }
    if found.parallel_tool_calls is not None:
        out["parallel_tool_calls"] = found.parallel_tool_calls
    if found.reasoning is not None:
        out["reasoning"] = found.reasoning
    return out


def render_response(state: ResponseState) -> dict[str, Any]:
    """Return a response."""
    found = state.settings
    return {
        "object": "realtime.response",
        "id": state.id,
        "status": state.status,
        "status_details": spelling.render_details(state.status_details),
        "output": [_render_item(item, False) for item in state.output],
        "conversation_id": state.conversation_id,
        "output_modalities": list(found.output_modalities),
        "max_output_tokens": spelling.render_max_tokens(found.max_output_tokens),
        "audio": {"output": {"format": render_format(found.output_format), "voice": found.voice}},
        "usage": spelling.render_usage(state.usage),
        "metadata": state.metadata,
    }


def _render_item(item: Item, with_audio: bool) -> dict[str, Any]:
    return spelling.render_item(item, "output_text", "output_audio", with_audio, {})


SPELLING = spelling.Spelling(
    names=spelling.SHARED_NAMES
    | {
        **mcp.NAMES,
        ev.ItemAdded: "conversation.item.added",
        ev.ItemDone: "conversation.item.done",
        ev.TimeoutTriggered: "input_audio_buffer.timeout_triggered",
        ev.TranscriptionSegment: "conversation.item.input_audio_transcription.segment",
        ev.TextDelta: "response.output_text.delta",
        ev.TextDone: "response.output_text.done",
        ev.TranscriptDelta: "response.output_audio_transcript.delta",
        ev.TranscriptDone: "response.output_audio_transcript.done",
        ev.AudioDelta: "response.output_audio.delta",
        ev.AudioDone: "response.output_audio.done",
    },
    item=_render_item,
    session=render_session,
    response=render_response,
)
_AUDIO_DELTA = SPELLING.names[ev.AudioDelta].encode()


class Ga:
    """The GA shape: stateless."""

    name = "ga"

    def __init__(self, readers: Mapping[str, codec.Reader] = READERS, words: spelling.Spelling = SPELLING) -> None:
        """Speak of realtime sessions, or with other readers and words of another kind of session."""
        self._readers = readers
        self._words = words

    def decode(self, data: bytes | str) -> ev.ClientEvent:
        """Return the client event of a frame.

        Raises:
            ProtocolError: it is none.
        """
        return codec.decode(data, self._readers)

    def encode(self, event: ev.ServerEvent) -> list[bytes]:
        """Return the frames of an event: one, or none where the shape has no word for it."""
        if type(event) is ev.AudioDelta:
            return [codec.encode_audio(event, _AUDIO_DELTA)]
        if type(event) not in self._words.names or (isinstance(event, ev.RateLimits) and event.is_early):
            return []
        return [codec.encode(spelling.message(event, self._words))]
