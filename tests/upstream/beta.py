"""The beta spelling, for a stand-in that knows no other: the mirror of the GA one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from . import ga_events as ga
from . import schema as sc
from .schema import Check, Json

FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
FORMATS_BACK = {kind: name for name, kind in FORMATS.items()}
NAMES = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
"""GA names of events and the beta's."""
UNKNOWN = ("conversation.item.done", "input_audio_buffer.timeout_triggered")
"""Events that the beta has no word for."""
TEMPERATURE = 0.8
VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")

_TURN_DETECTION = sc.obj(
    {},
    {
        "type": sc.choice("server_vad", "semantic_vad"),
        **{name: check for name, check in ga.SERVER_VAD.items() if name != "idle_timeout_ms"},
        "eagerness": sc.choice("low", "medium", "high", "auto"),
    },
)
_FUNCTION = sc.obj(
    {}, {"type": sc.choice("function"), "name": ga.TEXT, "description": ga.TEXT, "parameters": sc.anything}
)
_TOOL_CHOICE = sc.either(
    (dict,), sc.obj({"type": sc.choice("function")}, {"name": ga.TEXT}), sc.choice("auto", "none", "required")
)
_FORMAT = sc.choice(*FORMATS)
_SECRET = sc.nullable(sc.obj({}, {"expires_after": sc.anything}))
_TRANSCRIPTION = sc.nullable(sc.obj({}, {"model": ga.TEXT, "language": ga.TEXT, "prompt": ga.TEXT}))
_NOISE = sc.nullable(sc.obj({}, {"type": sc.choice("near_field", "far_field")}))
_MODALITIES = sc.array(sc.choice("text", "audio"))
SESSION = sc.obj(
    {},
    {
        "model": ga.TEXT,
        "modalities": _MODALITIES,
        "instructions": ga.TEXT,
        "voice": sc.choice(*VOICES),
        "input_audio_format": _FORMAT,
        "output_audio_format": _FORMAT,
        "input_audio_transcription": _TRANSCRIPTION,
        "input_audio_noise_reduction": _NOISE,
        "turn_detection": sc.nullable(_TURN_DETECTION),
        "tools": sc.array(_FUNCTION),
        "tool_choice": _TOOL_CHOICE,
        "temperature": sc.number(0.6, 1.2),
        "max_response_output_tokens": ga.MAX_TOKENS,
        "speed": sc.number(0.25, 1.5),
        "tracing": sc.nullable(ga.TRACING),
        "prompt": sc.nullable(ga.PROMPT),
        "include": ga.INCLUDE,
        "client_secret": _SECRET,
    },
)
TRANSCRIPTION_SESSION = sc.obj(
    {},
    {
        "input_audio_format": _FORMAT,
        "input_audio_transcription": _TRANSCRIPTION,
        "input_audio_noise_reduction": _NOISE,
        "turn_detection": sc.nullable(_TURN_DETECTION),
        "include": ga.INCLUDE,
        "modalities": _MODALITIES,
        "client_secret": _SECRET,
    },
)
_TEXT_PART = sc.obj({"type": ga.TEXT, "text": ga.TEXT})
_PARTS = {
    "system": {"input_text": _TEXT_PART, "text": _TEXT_PART},
    "user": {"input_text": _TEXT_PART, "text": _TEXT_PART, "input_audio": ga.USER_PART},
    "assistant": {"text": _TEXT_PART},
}


def _message(role: str) -> Check:
    parts = sc.array(sc.tagged("type", _PARTS[role]))
    return sc.obj({"type": ga.TEXT, "role": ga.TEXT, "content": parts}, ga.ITEM_FIELDS)


_ITEMS = {
    "message": sc.tagged("role", {role: _message(role) for role in _PARTS}),
    "function_call": ga.ITEMS["function_call"],
    "function_call_output": ga.ITEMS["function_call_output"],
}
RESPONSE = sc.obj(
    {},
    {
        "modalities": _MODALITIES,
        "instructions": sc.nullable(ga.TEXT),
        "voice": sc.choice(*VOICES),
        "output_audio_format": _FORMAT,
        "tools": sc.array(_FUNCTION),
        "tool_choice": _TOOL_CHOICE,
        "temperature": sc.number(0.6, 1.2),
        "max_response_output_tokens": ga.MAX_TOKENS,
        "max_output_tokens": ga.MAX_TOKENS,
        "conversation": ga.TEXT,
        "metadata": sc.nullable(sc.mapping(sc.text(512), most=16, key_length=64)),
        "input": sc.array(sc.tagged("type", {**_ITEMS, "item_reference": ga.REFERENCE})),
    },
)
_NAMED = {"event_id": sc.text(512)}
EVENTS: dict[str, Check] = {
    **ga.EVENTS,
    "session.update": sc.obj({"type": ga.TEXT, "session": SESSION}, _NAMED),
    "transcription_session.update": sc.obj({"type": ga.TEXT, "session": TRANSCRIPTION_SESSION}, _NAMED),
    "conversation.item.create": sc.obj(
        {"type": ga.TEXT, "item": sc.tagged("type", _ITEMS)}, {**_NAMED, "previous_item_id": sc.nullable(ga.TEXT)}
    ),
    "response.create": sc.obj({"type": ga.TEXT}, {**_NAMED, "response": RESPONSE}),
}
"""Every event that a client may send, and its check."""
_MOVED = {
    "voice": ("output", "voice"),
    "speed": ("output", "speed"),
    "output_audio_format": ("output", "format"),
    "input_audio_format": ("input", "format"),
    "input_audio_transcription": ("input", "transcription"),
    "input_audio_noise_reduction": ("input", "noise_reduction"),
    "turn_detection": ("input", "turn_detection"),
}
"""Flat fields and where they are in GA's `audio`."""


class Beta:
    """The beta spelling of one session."""

    client_events: Mapping[str, Check] = EVENTS

    def __init__(self) -> None:
        self._temperature = TEMPERATURE
        self._response_temperature: float | None = None

    def client_event(self, event: Json) -> Json:
        """Return a client's event in GA spelling."""
        match event["type"]:
            case "session.update":
                self._temperature = event["session"].get("temperature", self._temperature)
                return {**event, "session": {"type": "realtime", **self._nested(event["session"])}}
            case "transcription_session.update":
                session = {"type": "transcription", **self._nested(event["session"])}
                session.pop("output_modalities", None)
                return {**event, "type": "session.update", "session": session}
            case "conversation.item.create":
                return {**event, "item": _ga_item(event["item"])}
            case "response.create" if event.get("response") is not None:
                self._response_temperature = event["response"].get("temperature")
                return {**event, "response": self._nested(event["response"])}
        return event

    def server_events(self, event: Json) -> list[Json]:
        """Return what tells a GA event."""
        kind, event = event["type"], copy.deepcopy(event)
        if kind in UNKNOWN or kind == "rate_limits.updated":
            return []
        event["type"] = NAMES.get(kind, kind)
        if "item" in event:
            event["item"] = _beta_item(event["item"])
        if kind in ("session.created", "session.updated"):
            return self._session(kind, event)
        if kind == "response.created":
            limits = [{"name": name, "limit": 10_000, "remaining": 9_999, "reset_seconds": 60.0} for name in _LIMITED]
            event["response"] = self._response(event["response"])
            return [event, {"type": "rate_limits.updated", "rate_limits": limits}]
        if kind == "response.done":
            event["response"] = self._response(event["response"])
            self._response_temperature = None
        return [event]

    def _session(self, kind: str, event: Json) -> list[Json]:
        session = event["session"]
        if session["type"] == "transcription":
            return [{**event, "type": f"transcription_{kind}", "session": _flat_transcription(session)}]
        event["session"] = self._flat(session)
        if kind == "session.updated":
            return [event]
        conversation = {"id": session["id"].replace("sess_", "conv_"), "object": "realtime.conversation"}
        return [event, {"type": "conversation.created", "conversation": conversation}]

    def _nested(self, flat: Json) -> Json:
        nested: Json = {}
        audio: dict[str, Json] = {}
        for name, value in flat.items():
            if name in _MOVED:
                side, field = _MOVED[name]
                audio.setdefault(side, {})[field] = _ga_audio(field, value)
            elif name == "modalities":
                nested["output_modalities"] = ["audio"] if "audio" in value else ["text"]
            elif name in ("max_response_output_tokens", "max_output_tokens"):
                nested["max_output_tokens"] = value
            elif name == "tools":
                nested["tools"] = [{"type": "function", **tool} for tool in value]
            elif name == "input":
                nested["input"] = [_ga_item(item) for item in value]
            elif name not in ("temperature", "client_secret"):
                nested[name] = value
        return {**nested, "audio": audio} if audio else nested

    def _flat(self, session: Json) -> Json:
        heard, said = session["audio"]["input"], session["audio"]["output"]
        same = ("id", "object", "model", "expires_at", "instructions", "tools", "tool_choice", "tracing", "prompt")
        return {
            **{name: session[name] for name in (*same, "include")},
            "modalities": _modalities(session["output_modalities"]),
            "voice": said["voice"],
            "input_audio_format": FORMATS_BACK[heard["format"]["type"]],
            "output_audio_format": FORMATS_BACK[said["format"]["type"]],
            "input_audio_transcription": heard["transcription"],
            "input_audio_noise_reduction": heard["noise_reduction"],
            "turn_detection": _beta_detection(heard["turn_detection"]),
            "temperature": self._temperature,
            "max_response_output_tokens": session["max_output_tokens"],
            "speed": said["speed"],
            "client_secret": None,
        }

    def _response(self, response: Json) -> Json:
        said = response.pop("audio")["output"]
        modalities = _modalities(response.pop("output_modalities"))
        return {
            **response,
            "output": [_beta_item(item) for item in response["output"]],
            "modalities": modalities,
            "voice": said["voice"],
            "output_audio_format": FORMATS_BACK[said["format"]["type"]],
            "temperature": self._response_temperature or self._temperature,
        }


_LIMITED = ("requests", "tokens")


def _modalities(output: list[str]) -> list[str]:
    return ["audio", "text"] if "audio" in output else ["text"]


def _ga_audio(field: str, value: Any) -> Any:
    if field == "format":
        kind = FORMATS[value]
        return {"type": kind, "rate": 24_000} if kind == "audio/pcm" else {"type": kind}
    if field == "turn_detection" and value is not None:
        return {"type": "server_vad", **value}
    return value


def _beta_detection(detection: Json | None) -> Json | None:
    return detection and {name: value for name, value in detection.items() if name != "idle_timeout_ms"}


def _flat_transcription(session: Json) -> Json:
    heard = session["audio"]["input"]
    detection = _beta_detection(heard["turn_detection"])
    if detection is not None:
        detection.pop("interrupt_response", None)
    return {
        **{name: session[name] for name in ("id", "object", "expires_at", "include")},
        "modalities": ["audio", "text"],
        "input_audio_format": FORMATS_BACK[heard["format"]["type"]],
        "input_audio_transcription": heard["transcription"],
        "input_audio_noise_reduction": heard["noise_reduction"],
        "turn_detection": detection,
        "client_secret": None,
    }


def _ga_item(item: Json) -> Json:
    if "content" not in item:
        return item
    text = "output_text" if item.get("role") == "assistant" else "input_text"
    return {**item, "content": [{**part, "type": text} if part["type"] == "text" else part for part in item["content"]]}


def _beta_item(item: Json) -> Json:
    shown = {"object": "realtime.item", **item}
    if "content" in shown:
        names = {"output_text": "text", "output_audio": "audio"}
        shown["content"] = [{**part, "type": names.get(part["type"], part["type"])} for part in shown["content"]]
    return shown
