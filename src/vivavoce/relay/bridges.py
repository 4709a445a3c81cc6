"""Bridges: what one side of a relay says, in the spelling of the other side.

Inside the relay everything is in GA spelling, so there are two: `BetaClient` for a client, and `BetaUpstream` for a
server, that speaks the beta shape.  A side that speaks GA needs none.  They work on JSON objects by the functions of
`dialects.objects`, which lose nothing that they do not know, and remember what those cannot: what was said before.
A bridge lives as long as the connection that it is for.  Called by `relay.session`, which splices the names of frames
that change by name alone and need not show a bridge those in `same`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..dialects.objects import (
    Object,
    error_to_beta,
    error_to_ga,
    item_to_beta,
    item_to_ga,
    response_to_beta,
    response_to_ga,
    session_to_beta,
    session_to_ga,
)
from .beta_client import BetaClient
from .beta_upstream import BetaUpstream

__all__ = [
    "BetaClient",
    "BetaUpstream",
    "Bridge",
    "error_to_beta",
    "error_to_ga",
    "item_to_beta",
    "item_to_ga",
    "response_to_beta",
    "response_to_ga",
    "session_to_beta",
    "session_to_ga",
]


class Bridge(Protocol):
    """One side's spelling."""

    name: str
    """`beta`; a side that speaks GA has no bridge."""
    same: frozenset[bytes]
    """Types of events, of clients and servers, that both shapes spell alike and that the bridge need not see."""
    renamed_from_ga: Mapping[bytes, bytes]
    """Types of server events that differ by name alone: this side's by GA's."""
    renamed_to_ga: Mapping[bytes, bytes]
    """The same the other way round."""

    def to_ga(self, event: Object) -> list[Object]:
        """Return what this side said as the events that say it in GA."""
        ...

    def from_ga(self, event: Object) -> list[Object]:
        """Return a GA event as the events that say it to this side."""
        ...
