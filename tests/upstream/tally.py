"""What a stand-in has counted."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Violation:
    """A client did what the protocol does not allow."""

    session: str
    """The session's id."""
    code: str
    """The error's code, `sdk_type` where only the SDK's types object."""
    message: str
    """The error's words."""
    param: str | None
    """The field that is to blame."""
    event_id: str | None
    """What the client called the event."""
    type: str | None
    """The event's type."""


@dataclasses.dataclass
class Tally:
    """Counts since the stand-in was started."""

    connections: int = 0
    """TCP connections that were accepted."""
    refused: int = 0
    """Upgrades that were answered by an HTTP error."""
    opened: int = 0
    """Sessions that were created."""
    sessions: int = 0
    """Sessions that are open now."""
    most_sessions: int = 0
    """The most that were open at a time."""
    dropped: int = 0
    """Connections that were cut."""
    expired: int = 0
    """Sessions that reached their age."""
    bytes_received: int = 0
    """Bytes of the client's messages."""
    bytes_sent: int = 0
    """Bytes of the server's messages."""
    received: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """Client events by type."""
    sent: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """Server events by type."""
    responses: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """Responses by how they ended; `broken` where the connection ended before."""
    crashes: list[str] = dataclasses.field(default_factory=list)
    """Tracebacks of the stand-in's own faults."""
    violations: list[Violation] = dataclasses.field(default_factory=list)
    """What clients did wrong, in order."""

    def open(self) -> None:
        """Count a session that begins."""
        self.opened += 1
        self.sessions += 1
        self.most_sessions = max(self.most_sessions, self.sessions)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        told = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**told, "violations": [dataclasses.asdict(violation) for violation in self.violations]}
