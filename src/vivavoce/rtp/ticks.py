"""How long a payload sounds, in ticks of its RTP clock, read from its bytes without decoding.  Called by `reception`.

G.711 needs nothing of this: it has one byte a tick.  So has G.722, whose clock is told as 8000 though it samples at
16,000 Hz (RFC 3551 section 4.5.2), for which it takes one byte for two samples.
"""

from __future__ import annotations

__all__ = ["OPUS_CLOCK_HZ", "octet_ticks", "opus_ticks"]

OPUS_CLOCK_HZ = 48_000
"""The clock of Opus in RTP, whatever the rate of the sound (RFC 7587 section 4.1)."""

_LONGEST_OPUS = 5760
"""120 ms: what a packet may last at most (RFC 6716 section 3.2.5)."""
_SILK, _HYBRID, _CELT = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)
_FRAME = (*_SILK * 3, *_HYBRID * 2, *_CELT * 4)
"""Ticks of a frame by the configuration in a packet's first five bits (RFC 6716 table 2)."""


def octet_ticks(payload: bytes) -> int:
    """Return the ticks of a payload of G.711 or G.722."""
    return len(payload)


def opus_ticks(payload: bytes) -> int:
    """Return the ticks of a packet of Opus, or 0 if it is none."""
    if not payload:
        return 0
    first = payload[0]
    frame = _FRAME[first >> 3]
    code = first & 3
    if code < 3:
        return frame if code == 0 else 2 * frame
    ticks = frame * (payload[1] & 0x3F) if len(payload) > 1 else 0
    return ticks if ticks <= _LONGEST_OPUS else 0
