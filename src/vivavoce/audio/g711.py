"""G.711: u-law and A-law, one byte a sample, to s16le PCM and back.

Exact to the tables of ITU-T G.711 (decoding) and to its decision values (encoding).  All four functions are table
look-ups, so they cost a few microseconds for 20 ms of audio.  Called by the ears, by the legs and by `wav`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Codes = npt.NDArray[np.uint8]
_Samples = npt.NDArray[np.int16]

_ULAW_BIAS = 33
"""Added to a 14-bit magnitude so that the segments begin at powers of two (G.711 table 2a)."""
_ULAW_LIMIT = 8158
"""The largest 14-bit magnitude that has a code of its own."""


def _ulaw_values() -> _Samples:
    """Return the sample of each u-law code: 14-bit values of G.711, shifted to fill 16 bits."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    segment, step = code >> 4 & 7, code & 15
    magnitude = ((2 * step + _ULAW_BIAS) << segment) - _ULAW_BIAS
    values: _Samples = (np.where(code & 0x80, -magnitude, magnitude) * 4).astype("<i2")
    return values


def _alaw_values() -> _Samples:
    """Return the sample of each A-law code: 13-bit values of G.711, shifted to fill 16 bits."""
    code = np.arange(256, dtype=np.int32) ^ 0x55  # even bits are inverted on the wire
    segment, step = code >> 4 & 7, code & 15
    magnitude = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    values: _Samples = (np.where(code & 0x80, magnitude, -magnitude) * 8).astype("<i2")
    return values


def _ulaw_codes() -> _Codes:
    """Return the u-law code of each of the 65,536 samples, indexed by the sample's unsigned bits."""
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    negative = sample < 0
    # One's complement, not negation: -1 and 0 are as near to zero as each other, as the codes +0 and -0 are.
    magnitude = np.minimum(np.where(negative, ~sample, sample), _ULAW_LIMIT) + _ULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    code = segment << 4 | (magnitude >> (segment + 1)) & 15
    codes: _Codes = (~(np.where(negative, 0x80, 0) | code) & 0xFF).astype(np.uint8)
    return codes


def _alaw_codes() -> _Codes:
    """Return the A-law code of each of the 65,536 samples, indexed by the sample's unsigned bits."""
    sample = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 4
    negative = sample < 0
    magnitude = np.where(negative, ~sample, sample)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3, 0)
    step = magnitude >> np.maximum(segment - 1, 0) & 15  # segments 0 and 1 have steps of one size
    codes: _Codes = ((np.where(negative, 0, 0x80) | segment << 4 | step) ^ 0x55).astype(np.uint8)
    return codes


_ULAW_VALUES, _ALAW_VALUES = _ulaw_values(), _alaw_values()
_ULAW_CODES, _ALAW_CODES = _ulaw_codes(), _alaw_codes()


def ulaw_to_pcm(data: bytes) -> bytes:
    """Decode u-law bytes to s16le PCM of the same rate."""
    return _ULAW_VALUES.take(np.frombuffer(data, np.uint8)).tobytes()


def alaw_to_pcm(data: bytes) -> bytes:
    """Decode A-law bytes to s16le PCM of the same rate."""
    return _ALAW_VALUES.take(np.frombuffer(data, np.uint8)).tobytes()


def pcm_to_ulaw(pcm: bytes) -> bytes:
    """Encode s16le PCM as u-law.

    Raises:
        ValueError: `pcm` is not whole samples.
    """
    return _ULAW_CODES.take(np.frombuffer(pcm, "<u2")).tobytes()


def pcm_to_alaw(pcm: bytes) -> bytes:
    """Encode s16le PCM as A-law.

    Raises:
        ValueError: `pcm` is not whole samples.
    """
    return _ALAW_CODES.take(np.frombuffer(pcm, "<u2")).tobytes()
