"""The settings of a session: what they are at first, what an update makes of them, and how they are shown."""

from __future__ import annotations

import copy
import time
from typing import Any

from .responses import shown_format
from .schema import Json, Refused
from .terms import Terms

SERVER_VAD: Json = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: Json = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
SHOWN_TRANSCRIPTION = ("model", "language", "prompt")
"""What is always shown of a transcription; `languages` is where it was set, nothing else ever is."""


def at_first(kind: str, session_id: str, model: str, terms: Terms) -> Json:
    """Return the settings of a new session."""
    heard: Json = {
        "format": shown_format("audio/pcm"),
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": dict(SERVER_VAD),
    }
    identity: Json = {"type": kind, "id": session_id, "expires_at": int(time.time() + terms.session_seconds)}
    if kind == "transcription":
        del heard["turn_detection"]["idle_timeout_ms"]
        return {
            **identity,
            "object": "realtime.transcription_session",
            "include": None,
            "audio": {"input": heard},
        }
    return {
        **identity,
        "object": "realtime.session",
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful voice.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "audio": {
            "input": heard,
            "output": {"format": shown_format("audio/pcm"), "voice": "marin", "speed": 1.0},
        },
    }


def updated(settings: Json, update: Json, has_spoken: bool) -> Json:
    """Return what an update makes of settings.

    Raises:
        Refused: something may not be changed, or not any more.

    """
    if update["type"] != settings["type"]:
        told = f"Passing a {update['type']} session update event to a {settings['type']} session is not allowed."
        raise Refused("invalid_parameter", told, "session.type")
    if update.get("model", settings.get("model")) != settings.get("model"):
        told = f"Invalid value: '{update['model']}'. The model of a session cannot be changed."
        raise Refused("invalid_value", told, "session.model")
    if settings.get("tracing") and "tracing" in update and update["tracing"] != settings["tracing"]:
        raise Refused("invalid_value", "Tracing cannot be changed once it is enabled.", "session.tracing")
    voice = update.get("audio", {}).get("output", {}).get("voice")
    if has_spoken and voice is not None and voice != settings["audio"]["output"]["voice"]:
        told = "Cannot update a conversation's voice if assistant audio is present."
        raise Refused("cannot_update_voice", told)
    merged = _merged(settings, {key: value for key, value in update.items() if key != "audio"})
    for side, fields in update.get("audio", {}).items():
        merged["audio"][side] = _merged_audio(merged["audio"][side], fields)
    return merged


def shown(settings: Json) -> Json:
    """Return settings as `session.created` and `session.updated` show them."""
    told = copy.deepcopy(settings)
    transcription = told["audio"]["input"]["transcription"]
    if transcription is not None:
        kept = {name: transcription.get(name) for name in SHOWN_TRANSCRIPTION}
        if transcription.get("languages") is not None:
            kept["languages"] = transcription["languages"]
        told["audio"]["input"]["transcription"] = kept
    for tool in told.get("tools", ()):
        for secret in ("authorization", "headers"):
            tool.pop(secret, None)
    return told


def _merged(old: Json, new: Json) -> Json:
    return {**copy.deepcopy(old), **copy.deepcopy(new)}


def _merged_audio(old: Json, new: Json) -> Json:
    merged = _merged(old, new)
    if new.get("format", {}).get("type") == "audio/pcm":
        merged["format"] = shown_format("audio/pcm")
    for name in ("transcription", "noise_reduction"):
        if isinstance(new.get(name), dict) and isinstance(old.get(name), dict):
            merged[name] = {**old[name], **new[name]}
    detection: Any = new.get("turn_detection")
    if isinstance(detection, dict):
        defaults = SERVER_VAD if detection["type"] == "server_vad" else SEMANTIC_VAD
        before = old.get("turn_detection") or {}
        base = before if before.get("type") == detection["type"] else defaults
        merged["turn_detection"] = {**base, **detection}
    return merged
