"""The beta shape of the protocol, which OpenAI served until 2026-05-12: flat sessions and other names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..core import events as ev
from ..core.errors import ProtocolError
from ..core.formats import PCM_24K, PCMA, PCMU, AudioFormat
from ..core.items import Item, McpItem
from ..core.settings import ResponsePatch, ServerVad, SessionPatch
from ..core.states import ResponseState, SessionState
from . import codec, common, ga, paths, spelling
from . import schema as s

FORMATS = {"pcm16": PCM_24K, "g711_ulaw": PCMU, "g711_alaw": PCMA}

# --------------------------------------------------------------------------------------------------- client events


def _modalities(value: Any, path: str) -> tuple[str, ...]:
    """Accept the beta's lists; audio always came with text there."""
    found = set(ga.modalities_list(value, path))
    if not found:
        raise ProtocolError(
            "invalid_value",
            "Invalid modalities: []. Supported combinations are: ['text'] and ['audio', 'text'].",
            path,
        )
    return ("audio",) if "audio" in found else ("text",)


def _format(value: Any, path: str) -> AudioFormat:
    return FORMATS[s.choice(*FORMATS)(value, path)]


DETECTION_FIELDS = {
    "server_vad": ("threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"),
    "semantic_vad": ("eagerness",),
}
"""The fields that each type of turn detection has to itself."""
_DETECTION: dict[str, s.Check] = {
    "type": s.choice(*DETECTION_FIELDS),
    "threshold": s.nullable(s.number(0.0, 1.0)),
    "prefix_padding_ms": s.nullable(s.integer(0, 5000)),
    "silence_duration_ms": s.nullable(s.integer(0, 60_000)),
    "idle_timeout_ms": s.nullable(s.integer(5000, 30_000)),
    "eagerness": s.nullable(s.choice("low", "medium", "high", "auto")),
    "create_response": s.nullable(s.boolean),
    "interrupt_response": s.nullable(s.boolean),
    "interruption_mode": s.nullable(s.choice("vad", "adaptive")),
}
_detection = s.fields(_DETECTION)


def own_detection(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a turn detection says of its type; the beta's one object had the fields of all types, or nulls."""
    kind = found.get("type") or "server_vad"
    is_known = kind in tuple(DETECTION_FIELDS)
    foreign = [key for other, keys in DETECTION_FIELDS.items() if is_known and other != kind for key in keys]
    unset = [key for key, element in found.items() if element is None and key in _DETECTION]
    return {key: element for key, element in found.items() if key not in foreign and key not in unset}


def _turn_detection(value: Any, path: str) -> dict[str, Any]:
    """Accept a turn detection; fields of the other type are let go."""
    if isinstance(value, dict) and value.get("type") == "none":
        return {}
    return own_detection(_detection(value, path))


_SHARED: dict[str, s.Check] = {
    "modalities": _modalities,
    "instructions": s.text,
    "voice": common.voice,
    "output_audio_format": _format,
    "tools": common.tools,
    "tool_choice": common.tool_choice,
    "temperature": s.number(0.0, 2.0),
    "max_response_output_tokens": common.max_tokens,
}
_INPUT: dict[str, s.Check] = dict.fromkeys((*ga.READ_ONLY, "type"), s.ignored) | {
    "modalities": _modalities,
    "input_audio_format": _format,
    "input_audio_transcription": ga.transcription,
    "input_audio_noise_reduction": ga.noise_reduction,
    "turn_detection": s.nullable(_turn_detection),
    "include": ga.include,
}
_SESSION = s.fields(
    _SHARED
    | _INPUT
    | {
        "model": s.name,
        "speed": s.number(0.25, 1.5),
        "tracing": ga.tracing,
        "prompt": s.nullable(common.prompt),
    }
)
transcription_fields = s.fields(_INPUT)
"""Accepts a flat transcription session object, from which nulls that mean nothing were taken."""
_SETTINGS = {name: ga.SETTINGS.get(path, path) for name, path in paths.GA_PATHS.items()}
NULLABLE = ("turn_detection", "input_audio_transcription", "input_audio_noise_reduction", "tracing", "prompt")
"""The fields of a session in which null says something; in all others it stands for unset."""


def session_patch(value: Any, path: str = "session") -> SessionPatch:
    """Return the change of settings that a flat session object asks for."""
    return patch_of(value, path, _SESSION)


def patch_of(value: Any, path: str, check: s.Check) -> SessionPatch:
    """Return the change of settings that a flat session object of the checked fields asks for."""
    if isinstance(value, dict):
        value = {key: element for key, element in value.items() if element is not None or key in NULLABLE}
    found = check(value, path)
    for key in ga.READ_ONLY:
        found.pop(key, None)
    patch = {_SETTINGS.get(key, key): element for key, element in found.items()}
    if patch.get("turn_detection") == {}:
        patch["turn_detection"] = None
    return common.part_tools(patch)


_RESPONSE = s.fields(
    _SHARED
    | {
        "max_output_tokens": common.max_tokens,
        "conversation": s.text,
        "metadata": common.metadata,
        "input": common.response_input,
    }
)


def _response_fields(value: Any, path: str) -> ResponsePatch:
    if isinstance(value, dict):
        value = {key: element for key, element in value.items() if element is not None}
    found = _RESPONSE(value, path)
    return common.part_tools({_SETTINGS.get(key, key): element for key, element in found.items()})


def _create(value: dict[str, Any]) -> ev.ClientEvent:
    check = s.fields({"type": s.text, "event_id": common.optional_ident, "response": s.nullable(_response_fields)})
    found = check(value, "")
    return ga.response_create(found.get("event_id"), found.get("response") or {})


def _transcription_update(value: dict[str, Any]) -> ev.ClientEvent:
    raise ga.other_kind("transcription", "realtime", "type")


READERS: dict[str, codec.Reader] = {
    "session.update": ga.update_reader(session_patch),
    "transcription_session.update": _transcription_update,
    **codec.READERS,
    "response.create": _create,
}

# --------------------------------------------------------------------------------------------------- server events


def render_format(format: AudioFormat) -> str:  # noqa: A002
    """Return the beta's name of a format; it has none for other rates of PCM, which a GA client declared."""
    return next((name for name, known in FORMATS.items() if known == format), "pcm16")


def render_modalities(modalities: tuple[str, ...]) -> list[str]:
    """Return the beta's list of modalities."""
    return ["audio", "text"] if "audio" in modalities else ["text"]


def render_session(state: SessionState) -> dict[str, Any]:
    """Return the whole effective session, flat."""
    found = state.settings
    detection = ga.render_detection(found.turn_detection)
    if isinstance(found.turn_detection, ServerVad) and detection is not None:
        del detection["idle_timeout_ms"]
    return {
        "object": "realtime.session",
        "id": state.id,
        "model": found.model,
        "expires_at": state.expires_at,
        "modalities": render_modalities(found.output_modalities),
        "instructions": found.instructions,
        "voice": found.voice,
        "input_audio_format": render_format(found.input_format),
        "output_audio_format": render_format(found.output_format),
        "input_audio_transcription": ga.render_transcription(found.transcription),
        "input_audio_noise_reduction": ga.render_noise_reduction(found.noise_reduction),
        "turn_detection": detection,
        "tools": common.render_tools(found.tools, found.mcp_servers),
        "tool_choice": found.tool_choice if isinstance(found.tool_choice, str) else dict(found.tool_choice),
        "temperature": found.temperature,
        "max_response_output_tokens": spelling.render_max_tokens(found.max_output_tokens),
        "speed": found.speed,
        "tracing": found.tracing,
        "include": None if found.include is None else list(found.include),
        "client_secret": None,
        "prompt": found.prompt,
    }


def render_response(state: ResponseState) -> dict[str, Any]:
    """Return a response, flat."""
    found = state.settings
    return {
        "object": "realtime.response",
        "id": state.id,
        "status": state.status,
        "status_details": spelling.render_details(state.status_details),
        "output": [_render_item(item, False) for item in state.output if not isinstance(item, McpItem)],
        "conversation_id": state.conversation_id,
        "modalities": render_modalities(found.output_modalities),
        "voice": found.voice,
        "output_audio_format": render_format(found.output_format),
        "temperature": found.temperature,
        "max_output_tokens": spelling.render_max_tokens(found.max_output_tokens),
        "usage": spelling.render_usage(state.usage),
        "metadata": state.metadata,
    }


def _render_item(item: Item, with_audio: bool) -> dict[str, Any]:
    return spelling.render_item(item, "text", "audio", with_audio, {"object": "realtime.item"})


SPELLING = spelling.Spelling(
    names=spelling.SHARED_NAMES
    | {
        ev.ConversationCreated: "conversation.created",
        ev.ItemAdded: "conversation.item.created",
        ev.TextDelta: "response.text.delta",
        ev.TextDone: "response.text.done",
        ev.TranscriptDelta: "response.audio_transcript.delta",
        ev.TranscriptDone: "response.audio_transcript.done",
        ev.AudioDelta: "response.audio.delta",
        ev.AudioDone: "response.audio.done",
    },
    item=_render_item,
    session=render_session,
    response=render_response,
)
_AUDIO_DELTA = SPELLING.names[ev.AudioDelta].encode()


def _flat_error(event: ev.Error, param: str) -> ev.Error:
    """Return an error that names the field as this shape's clients know it."""
    return msgspec.structs.replace(event, param=paths.flat(param), message=paths.flat(event.message))


_WITH_ITEM = (ev.ItemAdded, ev.ItemDone, ev.ItemRetrieved, ev.OutputItemAdded, ev.OutputItemDone)


class Beta:
    """The beta shape, which knows nothing of remote tools: what became of them is not told."""

    name = "beta"

    def __init__(self, readers: Mapping[str, codec.Reader] = READERS, words: spelling.Spelling = SPELLING) -> None:
        """Speak of realtime sessions, or with other readers and words of another kind of session."""
        self._readers = readers
        self._words = words
        self._untold: dict[str, str | None] = {}
        """Ids of items that the client was not told of, with what stood before each."""

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
        if type(event) not in self._words.names or (isinstance(event, ev.RateLimits) and not event.is_early):
            return []
        if isinstance(event, ev.ItemAdded | ev.BufferCommitted):
            event = self._after_told(event)
        if isinstance(event, _WITH_ITEM) and isinstance(event.item, McpItem):
            if isinstance(event, ev.ItemAdded):
                self._untold[event.item.id] = event.previous_item_id
            return []
        if isinstance(event, ev.ItemDeleted):
            is_untold = event.item_id in self._untold
            before = self._untold.pop(event.item_id, None)
            self._untold = {id_: before if at == event.item_id else at for id_, at in self._untold.items()}
            if is_untold:
                return []
        if isinstance(event, ev.Error) and event.param:
            event = _flat_error(event, event.param)
        elif isinstance(event, ev.TranscriptionCompleted) and event.languages is not None:
            event = msgspec.structs.replace(event, languages=None)  # not of this shape
        return [codec.encode(spelling.message(event, self._words))]

    def _after_told(self, event: ev.ItemAdded | ev.BufferCommitted) -> ev.ItemAdded | ev.BufferCommitted:
        """Return an event that names no item before its own that the client was not told of."""
        previous = event.previous_item_id
        while previous is not None and previous in self._untold:
            previous = self._untold[previous]
        return (
            event if previous == event.previous_item_id else msgspec.structs.replace(event, previous_item_id=previous)
        )
