"""Server events as messages: what is alike in both shapes, around the four objects that are not.

An event becomes an object of its own fields, except where a field has another name or form on the wire; those are the
cases of `message`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..core import events as ev
from ..core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    McpItem,
    Message,
    OutputAudio,
    OutputText,
    Part,
)
from ..core.states import LogProb, ResponseState, SessionState, StatusDetails, Usage
from . import common, mcp


class Spelling(msgspec.Struct, frozen=True):
    """How one shape writes the objects that the shapes write differently."""

    names: Mapping[type, str]
    """The `type` of each event; an event that is not listed is not told."""
    item: Callable[[Item, bool], dict[str, Any]]
    """An item, with its audio or without."""
    session: Callable[[SessionState], dict[str, Any]]
    response: Callable[[ResponseState], dict[str, Any]]


SHARED_NAMES: dict[type, str] = {
    ev.Error: "error",
    ev.SessionCreated: "session.created",
    ev.SessionUpdated: "session.updated",
    ev.ItemRetrieved: "conversation.item.retrieved",
    ev.ItemDeleted: "conversation.item.deleted",
    ev.ItemTruncated: "conversation.item.truncated",
    ev.TranscriptionDelta: "conversation.item.input_audio_transcription.delta",
    ev.TranscriptionCompleted: "conversation.item.input_audio_transcription.completed",
    ev.TranscriptionFailedEvent: "conversation.item.input_audio_transcription.failed",
    ev.BufferCommitted: "input_audio_buffer.committed",
    ev.BufferCleared: "input_audio_buffer.cleared",
    ev.SpeechStarted: "input_audio_buffer.speech_started",
    ev.SpeechStopped: "input_audio_buffer.speech_stopped",
    ev.VoiceProbability: "input_audio_buffer.voice_probability",
    ev.OutputDucked: "output_audio_buffer.ducked",
    ev.OutputRestored: "output_audio_buffer.restored",
    ev.OutputBufferStarted: "output_audio_buffer.started",
    ev.OutputBufferStopped: "output_audio_buffer.stopped",
    ev.OutputBufferCleared: "output_audio_buffer.cleared",
    ev.ResponseCreated: "response.created",
    ev.ResponseDone: "response.done",
    ev.OutputItemAdded: "response.output_item.added",
    ev.OutputItemDone: "response.output_item.done",
    ev.PartAdded: "response.content_part.added",
    ev.PartDone: "response.content_part.done",
    ev.ArgumentsDelta: "response.function_call_arguments.delta",
    ev.ArgumentsDone: "response.function_call_arguments.done",
    ev.RateLimits: "rate_limits.updated",
}


def message(event: ev.ServerEvent, spelling: Spelling) -> dict[str, Any]:
    """Return the message of an event that the spelling has a name for."""
    out: dict[str, Any] = {"type": spelling.names[type(event)], "event_id": event.event_id}
    match event:
        case ev.Error():
            out["error"] = _error(event)
        case ev.SessionCreated() | ev.SessionUpdated():
            out["session"] = spelling.session(event.session)
        case ev.ConversationCreated():
            out["conversation"] = {"id": event.conversation_id, "object": "realtime.conversation"}
        case ev.ItemAdded() | ev.ItemDone():
            out["previous_item_id"] = event.previous_item_id
            out["item"] = spelling.item(event.item, False)
        case ev.ItemRetrieved():
            out["item"] = spelling.item(event.item, True)
        case ev.OutputItemAdded() | ev.OutputItemDone():
            out["response_id"] = event.response_id
            out["output_index"] = event.output_index
            out["item"] = spelling.item(event.item, False)
        case ev.ResponseCreated() | ev.ResponseDone():
            out["response"] = spelling.response(event.response)
        case ev.PartAdded() | ev.PartDone():
            out |= msgspec.structs.asdict(event)
            out["part"] = _part(event.part)
        case ev.TranscriptionDelta() | ev.TranscriptionCompleted() | ev.TranscriptionFailedEvent():
            out |= _transcription(event)
        case ev.McpArgumentsDelta():
            out |= msgspec.structs.asdict(event)
            # Nothing is hidden by it here, but a client in use refuses the event without it.
            out["obfuscation"] = ""
        case ev.RateLimits():
            out["rate_limits"] = [
                {
                    "name": "tokens",
                    "limit": event.limit_tokens,
                    "remaining": event.remaining_tokens,
                    "reset_seconds": 0.0,
                }
            ]
        case _:
            out |= msgspec.structs.asdict(event)
    return out


def _error(event: ev.Error) -> dict[str, Any]:
    return {
        "type": event.type,
        "code": event.code,
        "message": event.message,
        "param": event.param,
        "event_id": event.client_event_id,
    }


def _part(part: Part) -> dict[str, Any]:
    """Return a part as the part events show it, where its type is just `text` or `audio`."""
    if isinstance(part, OutputAudio):
        return {"type": "audio", "transcript": part.transcript}
    assert isinstance(part, OutputText)
    return {"type": "text", "text": part.text}


def _transcription(
    event: ev.TranscriptionDelta | ev.TranscriptionCompleted | ev.TranscriptionFailedEvent,
) -> dict[str, Any]:
    out: dict[str, Any] = {"item_id": event.item_id, "content_index": event.content_index}
    if isinstance(event, ev.TranscriptionFailedEvent):
        out["error"] = {"type": "transcription_error", "code": event.code, "message": event.message}
        return out
    if isinstance(event, ev.TranscriptionDelta):
        out["delta"] = event.delta
    else:
        out["transcript"] = event.transcript
        out["usage"] = _transcription_usage(event)
        if event.languages is not None:
            out["languages"] = [{"code": code} for code in event.languages]
    if event.logprobs is not None:
        out["logprobs"] = [_logprob(token) for token in event.logprobs]
    return out


def _transcription_usage(event: ev.TranscriptionCompleted) -> dict[str, Any]:
    if event.tokens is None:
        return {"type": "duration", "seconds": round(event.seconds, 3)}
    inputs = event.tokens.audio_tokens + event.tokens.text_tokens
    return {
        "type": "tokens",
        "total_tokens": inputs + event.tokens.output_tokens,
        "input_tokens": inputs,
        "input_token_details": {
            "text_tokens": event.tokens.text_tokens,
            "audio_tokens": event.tokens.audio_tokens,
        },
        "output_tokens": event.tokens.output_tokens,
    }


def _logprob(token: LogProb) -> dict[str, Any]:
    return {"token": token.token, "logprob": token.logprob, "bytes": list(token.token.encode())}


# --------------------------------------------------------------------------------------------------------- objects


def render_part(part: Part, output_text: str, output_audio: str, with_audio: bool) -> dict[str, Any]:
    """Return a part of a message as items show it; the shapes differ in the names of the assistant's."""
    match part:
        case InputText():
            return {"type": "input_text", "text": part.text}
        case InputAudio():
            out: dict[str, Any] = {"type": "input_audio", "transcript": part.transcript}
        case InputImage():
            return {"type": "input_image", "image_url": part.image_url, "detail": part.detail}
        case OutputText():
            return {"type": output_text, "text": part.text}
        case OutputAudio():
            out = {"type": output_audio, "transcript": part.transcript}
    if with_audio and part.audio:
        out["audio"] = common.render_part_audio(part.audio)
    return out


def render_item(
    item: Item, output_text: str, output_audio: str, with_audio: bool, base: dict[str, Any]
) -> dict[str, Any]:
    """Return an item on top of the keys that a shape gives to all of them; unknown values are left out, never null."""
    if isinstance(item, McpItem):
        return {"id": item.id, **base, **mcp.render_item(item)}
    out = {"id": item.id, **base, "type": "message", "status": item.status}
    match item:
        case Message():
            out["role"] = item.role
            out["content"] = [render_part(part, output_text, output_audio, with_audio) for part in item.content]
        case FunctionCall():
            out |= {
                "type": "function_call",
                "call_id": item.call_id,
                "name": item.name,
                "arguments": item.arguments,
            }
        case FunctionCallOutput():
            out |= {"type": "function_call_output", "call_id": item.call_id, "output": item.output}
    return out


def render_usage(usage: Usage | None) -> dict[str, Any] | None:
    """Return the tokens of a response as both shapes show them."""
    if usage is None:
        return None
    out: dict[str, Any] = {
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "input_token_details": {
            "text_tokens": usage.input_text_tokens,
            "audio_tokens": usage.input_audio_tokens,
            "image_tokens": usage.input_image_tokens,
            "cached_tokens": usage.cached_tokens,
            "cached_tokens_details": {
                "text_tokens": usage.cached_text_tokens,
                "audio_tokens": usage.cached_audio_tokens,
                "image_tokens": usage.cached_image_tokens,
            },
        },
        "output_token_details": {
            "text_tokens": usage.output_text_tokens,
            "audio_tokens": usage.output_audio_tokens,
        },
    }
    if usage.cost is not None:
        out["cost"] = {name: round(usd, 9) for name, usd in msgspec.structs.asdict(usage.cost).items()}
    return out


def render_details(details: StatusDetails | None) -> dict[str, Any] | None:
    """Return why a response ended; null when it is complete."""
    if details is None:
        return None
    out: dict[str, Any] = {"type": details.type}
    if details.reason is not None:
        out["reason"] = details.reason
    if details.error_type is not None:
        out["error"] = {
            "type": details.error_type,
            "code": details.error_code,
            "message": details.error_message,
        }
    return out


def render_max_tokens(tokens: int | None) -> int | str:
    """Return a limit of tokens as both shapes write it."""
    return "inf" if tokens is None else tokens
