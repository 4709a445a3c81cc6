"""How events are spelled on the wire.  A session itself knows the GA spelling alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from . import ga_events
from .schema import Check, Json


class Spelling(Protocol):
    """One side's spelling, for one session."""

    client_events: Mapping[str, Check]
    """What a client may send."""

    def client_event(self, event: Json) -> Json:
        """Return a client's event in GA spelling."""

    def server_events(self, event: Json) -> list[Json]:
        """Return the events that tell a GA event."""


class Ga:
    """The GA spelling."""

    client_events: Mapping[str, Check] = ga_events.EVENTS

    def client_event(self, event: Json) -> Json:
        """Return the event."""
        return event

    def server_events(self, event: Json) -> list[Json]:
        """Return the event."""
        return [dict(event)]
