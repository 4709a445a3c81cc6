"""What a relay session asks of the world, and what it is told of links."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Reason = Literal["start", "renewal", "lost", "failover"]
"""What a link is for."""

What = Literal[
    "answered",
    "opened",
    "unavailable",
    "lost",
    "rejected",
    "renewed",
    "recovered",
    "response_failed",
    "item_lost",
    "setting_lost",
    "resumed",
    "cached",
]
"""What becomes of links and of what goes over them."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a link leads to."""

    upstream: str
    """The name that the operator gave it; `local` for the engines of this process."""
    shape: Literal["ga", "beta"] = "ga"
    """How it spells events."""
    model: str = ""
    """The model that it was asked for, by its own name."""
    session_seconds: float = 3600.0
    """How long one of its sessions lives; 0 for as long as it likes."""
    connect_seconds: float = 10.0
    """How long it may take to begin a session once it is connected to."""
    formats: frozenset[str] = frozenset(("audio/pcm", "audio/pcmu", "audio/pcma"))
    """Types of audio that it takes and gives; what a client wants beyond them is resampled here."""
    rates_hz: frozenset[int] = frozenset((24_000,))
    """Rates of `audio/pcm` that it takes."""
    is_local: bool = False
    """Whether it is the engines of this process."""


class Dial(msgspec.Struct, frozen=True):
    """Open a link: the first upstream of the route that can be had.  Answered by `opened` or `unavailable`."""

    link: int
    reason: Reason
    avoid: frozenset[str] = frozenset()
    """Names of upstreams to be tried last: they have just failed."""


class ToClient(msgspec.Struct, frozen=True):
    """Send the client a frame."""

    frame: bytes


class ToUpstream(msgspec.Struct, frozen=True):
    """Send a frame over a link."""

    link: int
    frame: bytes


class HangUp(msgspec.Struct, frozen=True):
    """Close a link that is needed no longer; what it still sends is dropped."""

    link: int


class CloseClient(msgspec.Struct, frozen=True):
    """Close the client's connection."""

    code: int
    reason: str


class Used(msgspec.Struct, frozen=True):
    """A response, a transcription or the time of a translation was paid for."""

    upstream: str
    model: str
    kind: Literal["response", "transcription", "translation"]
    usage: dict[str, Any]
    """As the upstream told it; by tokens or by duration."""


class Noted(msgspec.Struct, frozen=True):
    """Something for the journal, the metrics and clients that asked to be told."""

    what: What
    fields: dict[str, Any]


Effect = Dial | ToClient | ToUpstream | HangUp | CloseClient | Used | Noted
