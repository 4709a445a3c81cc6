"""What a relay session begins with.  Made by `server.relaying`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..core.limits import Limits

Object = dict[str, Any]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a relay session begins with."""

    session_id: str
    """What the client knows it by."""
    kind: Literal["realtime", "transcription", "translation"] = "realtime"
    """Which events it speaks of."""
    model: str = ""
    """The model that the client asked for, by the client's name."""
    shape: Literal["ga", "beta"] | None = None
    """How the client spells events; None for GA until its first update shows otherwise."""
    settings: Object = {}
    """GA fields of `session` to begin with, of a client secret."""
    limits: Limits = Limits()
    """How long it may last and be silent."""
    created_unix: float = 0.0
    """The time of day when it began, in unix seconds."""
    outbox_bytes: int = 8 * 1024 * 1024
    """Most that is kept of what no upstream has answered for: two minutes of speech."""
    audio_bytes: int = 4 * 1024 * 1024
    """Most audio that is kept of what users said and nobody transcribed."""
    items_bytes: int = 8 * 1024 * 1024
    """Most that is kept of the items besides, pictures included."""
    upstreams: int = 1
    """How many upstreams the route has."""
    recovery_seconds: float = 60.0
    """How long a conversation may be without an upstream."""
    patience_seconds: float = 20.0
    """How long an upstream may take to begin an answer before another is tried."""
    return_seconds: float = 60.0
    """How soon a conversation that fell back to the engines of this process looks for its upstreams again."""
    tells_relay: bool = False
    """Whether the client asked for `vivavoce.relay` events."""
    resume_token: str = ""
    """Told in `session.created` where the client asked for one."""
    resumed: bytes = b""
    """The snapshot of the conversation that goes on; empty for a new one."""
