"""The lifetime of a session: how old it may become, and for how long its client may say nothing."""

from __future__ import annotations

import msgspec

from .errors import ProtocolError
from .limits import Limits


class End(msgspec.Struct, frozen=True):
    """Why a session is over."""

    error: ProtocolError
    """What the client is told."""
    reason: str
    """What its connection is closed with."""


class Lifetime:
    """The clock of one session."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle_seconds = limits.idle_seconds
        self.deadline = limits.session_seconds
        """Session time at which it is over, if nothing happens before."""
        self.note_event(0.0)

    def note_event(self, now: float) -> None:
        """Note that the client said something."""
        if self._idle_seconds:
            self.deadline = min(self._limits.session_seconds, now + self._idle_seconds)

    def end_at(self, now: float) -> End | None:
        """Return why the session is over by now; None if it is not."""
        if now < self.deadline:
            return None
        if now >= self._limits.session_seconds:
            text = f"Your session hit the maximum duration of {self._limits.session_seconds / 60:g} minutes."
            return End(ProtocolError("session_expired", text), text)
        text = f"Nothing was received for {self._limits.idle_seconds:g} seconds."
        return End(ProtocolError("session_idle", text), text)
