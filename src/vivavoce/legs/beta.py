"""The beta shape as a client meets it: GA events are written in it, and its events are read as GA ones.

Works on the JSON objects themselves, unlike `vivavoce.dialects`, which serves clients of either shape from typed
events and whose names it takes.  What the beta shape cannot say is left out.  Called by `legs.line` alone.
"""

from __future__ import annotations

from typing import Any

from ..dialects import beta, ga

_Json = dict[str, Any]

_FROM_BETA_NAMES = {
    beta.SPELLING.names[event]: name for event, name in ga.SPELLING.names.items() if event in beta.SPELLING.names
} | {
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}
_FROM_BETA_FORMATS = {name: ga.render_format(known) for name, known in beta.FORMATS.items()}
_TO_BETA_FORMATS = {known["type"]: name for name, known in _FROM_BETA_FORMATS.items()}
_SAME = ("instructions", "tools", "tool_choice", "tracing", "prompt", "include", "temperature", "model")
_INPUT_FIELDS = {
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
    "turn_detection": "turn_detection",
}
_FROM_BETA_PARTS = {"text": "output_text", "audio": "output_audio"}


class BetaSpelling:
    """Translates one connection's events; remembers which items still wait for their `conversation.item.done`."""

    def __init__(self) -> None:
        self._open: dict[str, str | None] = {}
        """Item in progress -> the item before it."""

    def outgoing(self, event: _Json) -> _Json:
        """Return a GA client event in beta spelling."""
        kind = event.get("type")
        if kind == "session.update":
            return {**event, "session": _flat_session(event["session"])}
        if kind == "conversation.item.create":
            return {**event, "item": _beta_item(event["item"])}
        if kind == "response.create" and isinstance(event.get("response"), dict):
            return {**event, "response": _flat_response(event["response"])}
        return event

    def incoming(self, event: _Json) -> list[_Json]:
        """Return a beta server event as the GA events that say the same."""
        if event["type"] == "conversation.item.created":
            return self._created(event)
        kind = _FROM_BETA_NAMES.get(event["type"], event["type"])
        event = {**event, "type": kind}
        if kind in ("session.created", "session.updated"):
            event["session"] = _nested_session(event["session"])
        elif kind in ("response.created", "response.done"):
            event["response"] = _nested_response(event["response"])
        elif kind == "response.output_item.done":
            return self._output_done(event)
        elif "item" in event:
            event["item"] = _ga_item(event["item"])
        return [event]

    def _created(self, event: _Json) -> list[_Json]:
        item, previous = _ga_item(event["item"]), event.get("previous_item_id")
        added = {**event, "type": "conversation.item.added", "item": item}
        if item.get("status") == "in_progress":
            self._open[item["id"]] = previous
            return [added]
        return [added, {**added, "type": "conversation.item.done"}]

    def _output_done(self, event: _Json) -> list[_Json]:
        item = _ga_item(event["item"])
        done = {**event, "item": item}
        if item.get("id") not in self._open:  # out of band: never entered the conversation
            return [done]
        closing = {"type": "conversation.item.done", "previous_item_id": self._open.pop(item["id"]), "item": item}
        return [done, {**closing, "event_id": event.get("event_id")}]


def _flat_session(session: _Json) -> _Json:
    flat = {name: session[name] for name in _SAME if name in session}
    audio = session.get("audio") or {}
    hearing, speaking = audio.get("input") or {}, audio.get("output") or {}
    for name, beta_name in _INPUT_FIELDS.items():
        if name in hearing:
            flat[beta_name] = hearing[name]
    if "format" in hearing:
        flat["input_audio_format"] = _TO_BETA_FORMATS[hearing["format"]["type"]]
    if "speed" in speaking:
        flat["speed"] = speaking["speed"]
    return flat | _flat_output(session)


def _flat_response(response: _Json) -> _Json:
    flat = {name: response[name] for name in (*_SAME, "conversation", "metadata") if name in response}
    if "input" in response:
        flat["input"] = [_beta_item(item) for item in response["input"]]
    return flat | _flat_output(response)


def _flat_output(settings: _Json) -> _Json:
    """Return what sessions and responses say alike of their output."""
    flat: _Json = {}
    if "output_modalities" in settings:
        flat["modalities"] = ["audio", "text"] if "audio" in settings["output_modalities"] else ["text"]
    if "max_output_tokens" in settings:
        flat["max_response_output_tokens"] = settings["max_output_tokens"]
    speaking = (settings.get("audio") or {}).get("output") or {}
    if "voice" in speaking:
        flat["voice"] = speaking["voice"]
    if "format" in speaking:
        flat["output_audio_format"] = _TO_BETA_FORMATS[speaking["format"]["type"]]
    return flat


def _nested_session(session: _Json) -> _Json:
    nested = {name: session[name] for name in ("id", "object", "expires_at", *_SAME) if name in session}
    hearing = {name: session[beta_name] for name, beta_name in _INPUT_FIELDS.items() if beta_name in session}
    if "input_audio_format" in session:
        hearing["format"] = _FROM_BETA_FORMATS.get(session["input_audio_format"])
    nested |= {"type": "realtime"} | _nested_output(session, "max_response_output_tokens")
    if "speed" in session:
        nested["audio"]["output"]["speed"] = session["speed"]
    nested["audio"] = {"input": hearing, **nested["audio"]}
    return nested


def _nested_response(response: _Json) -> _Json:
    gone = ("modalities", "voice", "output_audio_format", "max_output_tokens")
    nested = {name: value for name, value in response.items() if name not in gone}
    nested["output"] = [_ga_item(item) for item in response.get("output") or []]
    return nested | _nested_output(response, "max_output_tokens")


def _nested_output(settings: _Json, max_tokens_name: str) -> _Json:
    nested: _Json = {}
    if "modalities" in settings:
        nested["output_modalities"] = ["audio"] if "audio" in settings["modalities"] else ["text"]
    if max_tokens_name in settings:
        nested["max_output_tokens"] = settings[max_tokens_name]
    speaking: _Json = {}
    if "voice" in settings:
        speaking["voice"] = settings["voice"]
    if "output_audio_format" in settings:
        speaking["format"] = _FROM_BETA_FORMATS.get(settings["output_audio_format"])
    return nested | {"audio": {"output": speaking}}


def _beta_item(item: _Json) -> _Json:
    names = {new: old for old, new in _FROM_BETA_PARTS.items()}
    return _renamed(item, names)


def _ga_item(item: _Json) -> _Json:
    # A user's parts have one name in both shapes, except that old servers call a written one `text`.
    names = _FROM_BETA_PARTS if item.get("role") == "assistant" else {"text": "input_text"}
    return _renamed({name: value for name, value in item.items() if name != "object"}, names)


def _renamed(item: _Json, names: dict[str, str]) -> _Json:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    return {**item, "content": [{**part, "type": names.get(part.get("type"), part.get("type"))} for part in content]}
