"""Settings of a session and of one response, frozen; spelled as in the GA protocol."""

from __future__ import annotations

from typing import Any

import msgspec

from .errors import ProtocolError
from .formats import PCM_24K, AudioFormat

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")


class Tool(msgspec.Struct, frozen=True):
    """A function that the application offers."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    """JSON schema of the arguments."""


class ToolFilter(msgspec.Struct, frozen=True):
    """Chooses some of a server's tools."""

    names: tuple[str, ...] | None = None
    """Their names; None for any name."""
    read_only: bool | None = None
    """Whether they have to be marked as changing nothing; None for either."""


class McpServer(msgspec.Struct, frozen=True):
    """A remote MCP server whose tools the brain may call."""

    label: str
    """What the application calls it; unique in a session."""
    url: str
    description: str = ""
    authorization: str = ""
    """A bearer token, never shown or written down."""
    headers: dict[str, str] = {}
    """Sent with each request, never shown or written down."""
    allowed: ToolFilter | None = None
    """The tools that may be used; None for all."""
    always_ask: ToolFilter | None = None
    """Tools whose calls the application has to approve."""
    never_ask: ToolFilter | None = None
    """Tools whose calls it has not to; whatever is in neither is asked for."""

    def __repr__(self) -> str:
        return f"McpServer({self.label!r}, {self.url!r}, ...)"


class NoiseReduction(msgspec.Struct, frozen=True):
    """The user's audio is cleaned before it is recognised."""

    type: str = "near_field"
    """`near_field` for headsets, `far_field` for rooms."""
    strength: float = 1.0
    """From 0, which changes nothing, to 1."""


class Transcription(msgspec.Struct, frozen=True):
    """The client wants to be told what the user says."""

    model: str = ""
    language: str | None = None
    languages: tuple[str, ...] | None = None
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    delay: str | None = None


class ServerVad(msgspec.Struct, frozen=True, tag_field="type", tag="server_vad"):
    """Turns end after a silence."""

    threshold: float = 0.5
    """Probability from which a frame counts as speech."""
    prefix_padding_ms: int = 300
    """Audio kept from before the speech began."""
    silence_duration_ms: int = 500
    """Silence that ends a turn."""
    idle_timeout_ms: int | None = None
    """Silence after an answer that makes the server speak again; None never."""
    create_response: bool = True
    """Whether the end of a turn is answered."""
    interrupt_response: bool = True
    """Whether the user's speech ends an answer."""
    interruption_mode: str | None = None
    """`vad` or `adaptive` (`core.service.Service`); None for the operator's choice.  An extension."""


class SemanticVad(msgspec.Struct, frozen=True, tag_field="type", tag="semantic_vad"):
    """Turns end when what was said sounds finished."""

    eagerness: str = "auto"
    """`low`, `medium`, `high` or `auto`: how long an unfinished turn is waited for."""
    create_response: bool = True
    interrupt_response: bool = True
    interruption_mode: str | None = None


TurnDetection = ServerVad | SemanticVad


class Settings(msgspec.Struct, frozen=True):
    """Everything a session can be told, with the values it has when it was told nothing."""

    kind: str = "realtime"
    """`realtime`, `transcription` or `translation`; never changes in a session."""
    model: str = "vivavoce"
    output_modalities: tuple[str, ...] = ("audio",)
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    mcp_servers: tuple[McpServer, ...] = ()
    tool_choice: str | dict[str, Any] = "auto"
    parallel_tool_calls: bool | None = None
    reasoning: dict[str, Any] | None = None
    max_output_tokens: int | None = None
    """None is the protocol's `"inf"`."""
    tracing: str | dict[str, Any] | None = None
    truncation: str | dict[str, Any] = "auto"
    prompt: dict[str, Any] | None = None
    include: tuple[str, ...] | None = None
    input_format: AudioFormat = PCM_24K
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = ServerVad()
    output_format: AudioFormat = PCM_24K
    voice: str = "alloy"
    speed: float = 1.0
    temperature: float = 0.8
    """A setting of the beta shape alone; the GA shape neither takes nor shows it."""
    output_language: str = ""
    """ISO 639-1 code of the language that a translation session translates into; empty until the client says."""


class ResponseSettings(msgspec.Struct, frozen=True):
    """What holds for one response: the session's settings with the response's own on top."""

    output_modalities: tuple[str, ...]
    instructions: str
    tools: tuple[Tool, ...]
    mcp_servers: tuple[McpServer, ...]
    tool_choice: str | dict[str, Any]
    parallel_tool_calls: bool | None
    reasoning: dict[str, Any] | None
    max_output_tokens: int | None
    output_format: AudioFormat
    voice: str
    speed: float
    temperature: float


SessionPatch = dict[str, Any]
"""A checked change of settings, keyed by the fields of `Settings`.

Values are as in `Settings`, except that `transcription`, `noise_reduction` and `turn_detection` may be dicts of the
fields to change."""

ResponsePatch = dict[str, Any]
"""Checked overrides for one response, keyed by the fields of `ResponseSettings`."""


def merge(settings: Settings, patch: SessionPatch) -> Settings:
    """Return the settings with a patch on top: objects are merged, everything else is replaced."""
    changes = dict(patch)
    if isinstance(transcription := changes.get("transcription"), dict):
        changes["transcription"] = msgspec.structs.replace(settings.transcription or Transcription(), **transcription)
    if isinstance(reduction := changes.get("noise_reduction"), dict):
        changes["noise_reduction"] = msgspec.structs.replace(settings.noise_reduction or NoiseReduction(), **reduction)
    if isinstance(detection := changes.get("turn_detection"), dict):
        changes["turn_detection"] = _merge_detection(settings.turn_detection, detection)
    return msgspec.structs.replace(settings, **changes)


def _merge_detection(present: TurnDetection | None, patch: dict[str, Any]) -> TurnDetection:
    """Change the fields of a turn detection; another type discards the fields of the one before."""
    fields = dict(patch)
    kinds: dict[str, type[ServerVad] | type[SemanticVad]] = {"server_vad": ServerVad, "semantic_vad": SemanticVad}
    kind = kinds[fields.pop("type")] if "type" in fields else type(present) if present else ServerVad
    for key in fields:
        if key not in kind.__struct_fields__:
            path = f"session.audio.input.turn_detection.{key}"
            raise ProtocolError("unknown_parameter", f"Unknown parameter: '{path}'.", path)
    if isinstance(present, kind):
        return msgspec.structs.replace(present, **fields)
    return kind(**fields)


def for_response(settings: Settings, patch: ResponsePatch) -> ResponseSettings:
    """Return what holds for one response of a session."""
    base = {name: getattr(settings, name) for name in ResponseSettings.__struct_fields__}
    return ResponseSettings(**(base | patch))
