"""What a connection asks for: the settings that its session begins with, its model, and whether it can be had at all.

Pure; asked by `server.switchboard` for sockets, and by `server.rest.calls` before a call is answered.
"""

from __future__ import annotations

import msgspec

from ..core.errors import ProtocolError
from ..core.settings import Settings, Transcription
from .admission import Connection

__all__ = ["DEFAULT_MODEL", "model_of", "refusal_of", "settings_of"]

DEFAULT_MODEL = "vivavoce"
"""The model of a connection that names none."""


def settings_of(connection: Connection) -> Settings:
    """Return what a connection's session begins with, by its client secret or else by its address."""
    grant = connection.grant
    model = model_of(connection)
    if grant is not None:
        # SDKs cannot connect without naming a model, so another one than the secret's is no mistake.
        free = model and not grant.names_model and grant.settings.kind == "realtime"
        return msgspec.structs.replace(grant.settings, model=model) if free else grant.settings
    match connection.kind:
        case "transcription":
            # Some clients send both: then the model can only be the one that transcribes.
            return Settings(kind="transcription", transcription=Transcription(model=model) if model else None)
        case "translation":
            return Settings(kind="translation", model=model or DEFAULT_MODEL)
        case _:
            return Settings(model=model or DEFAULT_MODEL)


def model_of(connection: Connection) -> str:
    """Return the model that a connection asks for, or that its client secret is bound to; empty for none."""
    query, grant = connection.query, connection.grant
    if grant is not None and grant.names_model:
        return grant.settings.model
    return (query.get("model") or query.get("deployment") or "")[:256]


def refusal_of(connection: Connection) -> ProtocolError | None:
    """Return why a connection asks for a session of a kind that it cannot have, or None."""
    query, grant = connection.query, connection.grant
    if grant is not None and not _fits(connection.kind, grant.settings.kind):
        return ProtocolError(
            "invalid_value",
            f"This client secret was created for {grant.settings.kind} sessions and opens no others.",
            "intent" if query.get("intent") else None,
        )
    return None


def _fits(asked: str, granted: str) -> bool:
    """Return whether an address that asks for a kind of session may open one of the granted kind."""
    # Transcription sessions are where the others are, so nothing need be said; translations have a path of their own.
    return asked == granted or (not asked and granted != "translation")
