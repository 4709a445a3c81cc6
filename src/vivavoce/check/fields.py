"""What each server event must carry: a table of fields with their types, and the judge that reads it.

A field is written `name:type`, or `name?:type` where it may be absent.  A type is `str`, `int`, `num`, `bool`, `any`,
`object`, `b64`, a word of `OBJECTS`, `=a|b` for one of some words, `[type]` for an array, `~type` where null is
allowed, or `int/inf` for a number of tokens.  Fields that are not in the table are allowed: protocols grow.  Pure.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from .order import BETA_TO_GA, Event, Shape

_IN_ITEM = "response_id:str item_id:str output_index:int"
_IN_PART = f"{_IN_ITEM} content_index:int"
_IN_SPEECH = "item_id:str content_index:int"

EVENTS = {
    "session.created": "session:Session",
    "session.updated": "session:Session",
    "conversation.created": "conversation:Conversation",
    "conversation.item.added": "previous_item_id:~str item:Item",
    "conversation.item.done": "previous_item_id:~str item:Item",
    "conversation.item.retrieved": "item:Item",
    "conversation.item.truncated": "item_id:str content_index:int audio_end_ms:int",
    "conversation.item.deleted": "item_id:str",
    "conversation.item.input_audio_transcription.delta": f"{_IN_SPEECH} delta:str logprobs?:~[Logprob]",
    "conversation.item.input_audio_transcription.completed":
        f"{_IN_SPEECH} transcript:str usage:TranscriptionUsage logprobs?:~[Logprob] languages?:~[Language]",
    "conversation.item.input_audio_transcription.segment":
        f"{_IN_SPEECH} id:str text:str speaker:str start:num end:num",
    "conversation.item.input_audio_transcription.failed": f"{_IN_SPEECH} error:Failure",
    "error": "error:Error",
    "input_audio_buffer.committed": "previous_item_id:~str item_id:str",
    "input_audio_buffer.cleared": "",
    "input_audio_buffer.speech_started": "audio_start_ms:int item_id:str",
    "input_audio_buffer.speech_stopped": "audio_end_ms:int item_id:str",
    "input_audio_buffer.timeout_triggered": "audio_start_ms:int audio_end_ms:int item_id:str",
    "input_audio_buffer.dtmf_event_received": "event:str received_at:int",
    "output_audio_buffer.started": "response_id:str",
    "output_audio_buffer.stopped": "response_id:str",
    "output_audio_buffer.cleared": "response_id:str",
    "response.created": "response:Response",
    "response.done": "response:Response",
    "response.output_item.added": "response_id:str output_index:int item:Item",
    "response.output_item.done": "response_id:str output_index:int item:Item",
    "response.content_part.added": f"{_IN_PART} part:Part",
    "response.content_part.done": f"{_IN_PART} part:Part",
    "response.output_text.delta": f"{_IN_PART} delta:str",
    "response.output_text.done": f"{_IN_PART} text:str",
    "response.output_audio_transcript.delta": f"{_IN_PART} delta:str",
    "response.output_audio_transcript.done": f"{_IN_PART} transcript:str",
    "response.output_audio.delta": f"{_IN_PART} delta:b64",
    "response.output_audio.done": _IN_PART,
    "response.function_call_arguments.delta": f"{_IN_ITEM} call_id:str delta:str",
    "response.function_call_arguments.done": f"{_IN_ITEM} call_id:str arguments:str name:str",
    "response.mcp_call_arguments.delta": f"{_IN_ITEM} delta:str obfuscation:str",
    "response.mcp_call_arguments.done": f"{_IN_ITEM} arguments:str",
    "response.mcp_call.in_progress": "item_id:str output_index:int",
    "response.mcp_call.completed": "item_id:str output_index:int",
    "response.mcp_call.failed": "item_id:str output_index:int",
    "mcp_list_tools.in_progress": "item_id:str",
    "mcp_list_tools.completed": "item_id:str",
    "mcp_list_tools.failed": "item_id:str",
    "rate_limits.updated": "rate_limits:[RateLimit]",
    "session.closed": "",
    "session.input_transcript.delta": "delta:str elapsed_ms?:~num",
    "session.output_transcript.delta": "delta:str elapsed_ms?:~num",
    "session.output_audio.delta":
        "delta:b64 format?:=pcm16 sample_rate?:int channels?:int elapsed_ms?:~num",
}  # fmt: skip
"""The fields of each event besides `type` and `event_id`, by its GA name."""

OBJECTS = {
    "Conversation": "id:str object?:=realtime.conversation",
    "Error": "type:str code:~str message:str param:~str event_id:~str",
    "Failure": "type:str code:str message:str param?:str",
    "RateLimit": "name:=requests|tokens limit:int remaining:int reset_seconds:num",
    "Logprob": "token:str logprob:num bytes:~[int]",
    "Language": "code:str",
    "TranscriptionUsage tokens":
        "total_tokens:int input_tokens:int output_tokens:int input_token_details?:TranscriptionInput",
    "TranscriptionUsage duration": "seconds:num",
    "TranscriptionInput": "text_tokens?:int audio_tokens?:int",
    "Part text": "text:str",
    "Part audio": "transcript:str",
    "Item message": "id:str role:=system|user|assistant content:[Content] status?:=completed|incomplete|in_progress",
    "Item function_call": "id:str call_id:str name:str arguments:str status:=completed|incomplete|in_progress",
    "Item function_call_output": "id:str call_id:str output:str status?:=completed|incomplete|in_progress",
    "Item mcp_list_tools": "id:str server_label:str tools:[object]",
    "Item mcp_call": "id:str server_label:str name:str arguments:str output:~str error:~object",
    "Item mcp_approval_request": "id:str server_label:str name:str arguments:str",
    "Item mcp_approval_response": "id:str approval_request_id:str approve:bool reason?:~str",
    "Content input_text": "text:str",
    "Content input_audio": "transcript:~str audio?:~str",
    "Content input_image": "image_url:str detail?:=auto|low|high",
    "Content output_text": "text:str",
    "Content output_audio": "transcript?:~str audio?:~str",
    "Content text": "text:str",
    "Content audio": "transcript?:~str audio?:~str",
    "Details": "type?:=completed|cancelled|incomplete|failed "
        "reason?:=turn_detected|client_cancelled|max_output_tokens|content_filter error?:~object",
    "Usage": "total_tokens:int input_tokens:int output_tokens:int input_token_details:UsageInput "
        "output_token_details:UsageOutput",
    "UsageInput": "text_tokens:int audio_tokens:int cached_tokens:int image_tokens?:int cached_tokens_details?:object",
    "UsageOutput": "text_tokens:int audio_tokens:int",
    "Format audio/pcm": "rate:int",
    "Format audio/pcmu": "",
    "Format audio/pcma": "",
    "Detection server_vad": "threshold:num prefix_padding_ms:int silence_duration_ms:int create_response?:bool "
        "interrupt_response?:bool idle_timeout_ms?:~int",
    "Detection semantic_vad": "eagerness?:=low|medium|high|auto create_response?:bool interrupt_response?:bool",
    "Transcription": "model:str language?:~str prompt?:~str languages?:[str]",
    "Noise": "type:=near_field|far_field",
    "In": "format:Format transcription:~Transcription noise_reduction:~Noise turn_detection:~Detection",
    "Out": "format:Format voice:any speed?:num",
    "Audio": "input:In output:Out",
    "AudioIn": "input:In",
    "ResponseAudio": "output:ResponseOut",
    "ResponseOut": "format?:Format voice?:any",
}  # fmt: skip
"""What objects are made of; with a second word, by their `type`."""

GA_OBJECTS = {
    "Session realtime": "id:str object:=realtime.session expires_at:int model:str output_modalities:[=text|audio] "
        "instructions:str tools:[object] tool_choice:any max_output_tokens:int/inf audio:Audio truncation?:any "
        "tracing?:any prompt?:~object include?:~[str] parallel_tool_calls?:bool reasoning?:~object",
    "Session transcription": "id:str object:=realtime.transcription_session expires_at:int audio:AudioIn "
        "include?:~[str]",
    "Session translation": "id:str expires_at:int model:str audio:object",
    "Response": "id:str object:=realtime.response status:=completed|cancelled|failed|incomplete|in_progress "
        "status_details:~Details output:[Item] usage:~Usage metadata:~object conversation_id?:~str "
        "output_modalities?:[=text|audio] max_output_tokens?:int/inf audio?:ResponseAudio",
}  # fmt: skip
"""Objects as GA alone writes them."""

_FLAT_FORMAT = "=pcm16|g711_ulaw|g711_alaw"
BETA_OBJECTS = {
    "Session": "id:str object:=realtime.session model:str expires_at?:int modalities:[=text|audio] instructions:str "
        f"voice:str input_audio_format:{_FLAT_FORMAT} output_audio_format:{_FLAT_FORMAT} "
        "input_audio_transcription:~Transcription input_audio_noise_reduction?:~Noise turn_detection:~Detection "
        "tools:[object] tool_choice:any temperature:num max_response_output_tokens:int/inf speed?:num tracing?:any",
    "TranscriptionSession": f"id:str object:=realtime.transcription_session input_audio_format:{_FLAT_FORMAT} "
        "input_audio_transcription:~Transcription turn_detection:~Detection modalities?:[=text|audio] "
        "client_secret?:~object expires_at?:int",
    "Response": "id:str object:=realtime.response status:=completed|cancelled|failed|incomplete|in_progress "
        "status_details:~Details output:[Item] usage:~Usage metadata?:~object conversation_id?:~str "
        f"modalities?:[=text|audio] voice?:str output_audio_format?:{_FLAT_FORMAT} temperature?:num "
        "max_output_tokens?:int/inf",
}  # fmt: skip
"""Objects as the beta alone writes them."""

BETA_EVENTS = {
    "conversation.item.added": "previous_item_id?:~str item:Item",
    "response.function_call_arguments.done": f"{_IN_ITEM} call_id:str arguments:str",
}
"""Events that carry less in the beta."""

_ITEM_OBJECT = "object:=realtime.item"
_NEVER_NULL = {"id", "object", "status", "name", "call_id", "role", "arguments", "output"}
"""What clients that validate items cannot read as null, whether or not an item has it."""
_TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "num": (int, float), "object": (dict,)}


def problems(event: Event, shape: Shape) -> list[str]:
    """Return what is wrong with the fields of an event, each in half a sentence; nothing where all is well."""
    name = str(event.get("type"))
    kind = BETA_TO_GA.get(name, name)
    fields = BETA_EVENTS.get(kind) if shape == "beta" else None
    fields = EVENTS.get(kind) if fields is None else fields
    if fields is None:
        return []
    if name.startswith("transcription_session."):
        fields = "session:TranscriptionSession"
    found = list(_judge_fields(f"event_id:str {fields}", event, "", shape))
    if kind.startswith(("conversation.item.", "response.output_item.")) and kind != "conversation.item.retrieved":
        item = event.get("item")
        for index, part in enumerate(item.get("content") or [] if isinstance(item, dict) else []):
            if isinstance(part, dict) and part.get("audio") is not None:
                found.append(f"'item.content[{index}].audio' carries audio, which only a retrieved item may")
    return found


def _judge_fields(fields: str, value: Event, path: str, shape: Shape) -> Iterator[str]:
    for field in fields.split():
        name, _, kind = field.partition(":")
        where = f"{path}{name.rstrip('?')}"
        if name.rstrip("?") not in value:
            if not name.endswith("?"):
                yield f"'{where}' is missing"
            continue
        yield from _judge(kind, value[name.rstrip("?")], where, shape)


def _judge(kind: str, value: Any, path: str, shape: Shape) -> Iterator[str]:
    if (kind[0] == "~" and value is None) or kind == "any":
        return
    kind = kind.lstrip("~")
    if value is None:
        yield f"'{path}' is null, which it must not be"
    elif kind[0] == "=":
        if value not in kind[1:].split("|"):
            yield f"'{path}' is {_shown(value)}, not one of {kind[1:].replace('|', ', ')}"
    elif kind[0] == "[":
        yield from _judge_array(kind[1:-1], value, path, shape)
    elif kind == "int/inf":
        if value != "inf" and (not isinstance(value, int) or isinstance(value, bool)):
            yield f"'{path}' is {_shown(value)}, neither a whole number nor 'inf'"
    elif kind == "b64":
        yield from _judge_base64(value, path)
    elif kind == "bool":
        if not isinstance(value, bool):
            yield f"'{path}' is {_shown(value)}, neither true nor false"
    elif kind in _TYPES:
        if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
            yield f"'{path}' is {_shown(value)}, not of type {kind}"
    else:
        yield from _judge_object(kind, value, path, shape)


def _judge_array(kind: str, value: Any, path: str, shape: Shape) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"'{path}' is {_shown(value)}, not an array"
        return
    for index, element in enumerate(value):
        yield from _judge(kind, element, f"{path}[{index}]", shape)


def _judge_object(kind: str, value: Any, path: str, shape: Shape) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"'{path}' is {_shown(value)}, not an object"
        return
    objects = OBJECTS | (BETA_OBJECTS if shape == "beta" else GA_OBJECTS)
    fields = objects.get(kind)
    if fields is None:
        fields = objects.get(f"{kind} {value.get('type')}")
        if fields is None:
            yield f"'{path}.type' is {_shown(value.get('type'))}, which is no type of {kind.lower()}"
            return
    if kind == "Item":
        fields = f"{_ITEM_OBJECT} {fields}" if shape == "beta" else fields
        for name in _NEVER_NULL & value.keys():
            if value[name] is None and f"{name}:~" not in fields:
                yield f"'{path}.{name}' is null, where it must be left out"
    yield from _judge_fields(fields, value, f"{path}.", shape)


def _judge_base64(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"'{path}' is {_shown(value)}, not base64 text"
        return
    try:
        b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        yield f"'{path}' is not base64"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
