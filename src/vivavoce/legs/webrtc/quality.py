"""How well audio has passed between one browser and us, as metrics and pages show it.  Filled by `peer`."""

from __future__ import annotations

import msgspec

__all__ = ["Quality"]


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one call so far; those of the way in as counted here, those of the way out as the browser tells."""

    loss_ratio: float | None = None
    """The share of the browser's packets that did not come; None where none came."""
    jitter_ms: float | None = None
    """Their jitter by RFC 3550; None where none came."""
    round_trip_ms: float | None = None
    """The latest round trip; None where none was measured."""
    remote_loss_ratio: float | None = None
    """The share of our packets that did not reach the browser lately; None until it has told."""
    remote_jitter_ms: float | None = None
    """Their jitter as the browser sees it; None until it has told."""
    concealed_ms: float = 0.0
    """Sound that was filled in for what did not come."""
    recovered: int = 0
    """Lost packets for which the next one was there to be asked for a copy."""
    silence_ms: float = 0.0
    """Silence that was let pass because nothing was sent, or nothing came."""
    packets_received: int = 0
    """Of audio."""
    bytes_received: int = 0
    """Of audio, as payloads."""
    packets_sent: int = 0
    """Of audio."""
    bytes_sent: int = 0
    """Of audio, as payloads."""
