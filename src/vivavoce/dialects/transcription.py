"""Transcription sessions in both shapes: a realtime session's input side, with objects and names of its own.

Everything that makes or changes an answer is refused by name; what is left is spelled as `ga` and `beta` spell it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..core import events as ev
from ..core.errors import ProtocolError
from ..core.settings import ServerVad, SessionPatch, TurnDetection
from ..core.states import SessionState
from . import beta, codec, ga
from . import schema as s

_SESSION = s.fields(
    {
        **dict.fromkeys(ga.READ_ONLY, s.ignored),
        "type": s.text,
        "include": ga.include,
        "audio": s.fields({"input": ga.input_fields}),
    }
)
_ALLOWED = (
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.retrieve",
    "conversation.item.delete",
)
_REFUSED = (
    "output_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "response.create",
    "response.cancel",
)


def session_patch(value: Any, path: str = "session") -> SessionPatch:
    """Return the change of settings that a GA transcription session object asks for."""
    ga.check_kind(value, path, "transcription")
    return ga.patch_of(_SESSION(value, path))


def flat_session_patch(value: Any, path: str = "session") -> SessionPatch:
    """Return the change of settings that a flat transcription session object asks for."""
    return beta.patch_of(value, path, beta.transcription_fields)


def _other_update(value: dict[str, Any]) -> ev.ClientEvent:
    raise ga.other_kind("realtime", "transcription", "type")


def _readers(updates: dict[str, codec.Reader]) -> dict[str, codec.Reader]:
    """Return the readers of a transcription session that is updated by these."""
    readers = updates | {kind: codec.READERS[kind] for kind in _ALLOWED}
    supported = " and ".join(", ".join(f"'{kind}'" for kind in readers).rsplit(", ", 1))

    def refused(kind: str) -> codec.Reader:
        def refuse(value: dict[str, Any]) -> ev.ClientEvent:
            raise ProtocolError(
                "invalid_value",
                f"Invalid value: '{kind}'. A transcription session makes no responses; supported values are: "
                f"{supported}.",
                "type",
            )

        return refuse

    return readers | {kind: refused(kind) for kind in _REFUSED}


GA_READERS = _readers({"session.update": ga.update_reader(session_patch)})
BETA_READERS = _readers({"transcription_session.update": ga.update_reader(flat_session_patch)}) | {
    "session.update": _other_update
}

# --------------------------------------------------------------------------------------------------- server events


def _render_detection(found: TurnDetection | None) -> dict[str, Any] | None:
    """Return a turn detection without what it says about responses."""
    match found:
        case None:
            return None
        case ServerVad():
            return {
                "type": "server_vad",
                "threshold": found.threshold,
                "prefix_padding_ms": found.prefix_padding_ms,
                "silence_duration_ms": found.silence_duration_ms,
            }
        case _:
            return {"type": "semantic_vad", "eagerness": found.eagerness}


def _include(state: SessionState) -> list[str] | None:
    return None if state.settings.include is None else list(state.settings.include)


def render_session(state: SessionState) -> dict[str, Any]:
    """Return the whole effective transcription session."""
    found = state.settings
    return {
        "type": "transcription",
        "object": "realtime.transcription_session",
        "id": state.id,
        "expires_at": state.expires_at,
        "audio": {
            "input": {
                "format": ga.render_format(found.input_format),
                "transcription": ga.render_transcription(found.transcription),
                "noise_reduction": ga.render_noise_reduction(found.noise_reduction),
                "turn_detection": _render_detection(found.turn_detection),
            },
        },
        "include": _include(state),
    }


def render_flat_session(state: SessionState) -> dict[str, Any]:
    """Return the whole effective transcription session, flat."""
    found = state.settings
    return {
        "object": "realtime.transcription_session",
        "id": state.id,
        "expires_at": state.expires_at,
        "modalities": beta.render_modalities(found.output_modalities),
        "input_audio_format": beta.render_format(found.input_format),
        "input_audio_transcription": ga.render_transcription(found.transcription),
        "input_audio_noise_reduction": ga.render_noise_reduction(found.noise_reduction),
        "turn_detection": _render_detection(found.turn_detection),
        "include": _include(state),
        "client_secret": None,
    }


GA_WORDS = msgspec.structs.replace(ga.SPELLING, session=render_session)
BETA_WORDS = msgspec.structs.replace(
    beta.SPELLING,
    names={
        **beta.SPELLING.names,
        ev.SessionCreated: "transcription_session.created",
        ev.SessionUpdated: "transcription_session.updated",
    },
    session=render_flat_session,
)
