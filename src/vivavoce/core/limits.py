"""How much one session may take of its server."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What one session may take."""

    session_seconds: float = 3600.0
    """Age at which the session ends."""
    idle_seconds: float = 0.0
    """Time without any client event after which it ends; 0 for never."""
    buffer_bytes: int = 48 * 1024 * 1024
    """Uncommitted audio: a little over 16 minutes at 24 kHz."""
    drops_oldest: bool = False
    """Whether the oldest uncommitted audio is let go of where there is too much of it, which otherwise ends a session:
    a microphone that is simply on sends for ever, and nobody could say what is to be kept."""
    items: int = 10_000
    """Items in the conversation."""
    audio_bytes: int = 64 * 1024 * 1024
    """Audio kept with the items so that it can be retrieved; the oldest is let go first."""
    parallel_responses: int = 16
    """Responses under way at once, out of band ones included."""
    retrieve_bytes: int = 720 * 1024
    """Audio of one item that is still sent on retrieval: clients refuse frames over 1 MiB."""


DEFAULT_LIMITS = Limits()
