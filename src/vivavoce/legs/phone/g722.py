"""G.722 (64 kbit/s) by PyAV: 16 kHz PCM to octets and back.

Its recursion goes from sample to sample, which Python cannot keep up with.  PyAV brings FFmpeg and with it libraries
under the GPL; it is imported by the first call that has G.722, in the media process, and where no codec `g722` is
configured never.  Called by `coding`.
"""

from __future__ import annotations

from typing import Any

from ...core.errors import EngineError

__all__ = ["G722Decoder", "G722Encoder"]

_RATE_HZ = 16_000
_FRAME_OCTETS = 160


def _context(mode: str) -> tuple[Any, Any]:
    try:
        import av
    except ImportError as error:
        raise EngineError(f"G.722 cannot be used without PyAV: {error}", "media_missing") from error
    context: Any = av.CodecContext.create("g722", mode)  # type: ignore[call-overload]
    context.sample_rate = _RATE_HZ
    context.layout = "mono"
    if mode == "w":
        context.format = "s16"
        context.bit_rate = 64_000
    return av, context


class G722Encoder:
    """One stream of s16le mono PCM at 16 kHz on its way to octets."""

    def __init__(self) -> None:
        """Begin a stream.

        Raises:
            EngineError: PyAV is missing.
        """
        self._av, self._context = _context("w")
        self._rest = b""

    def encode(self, pcm: bytes) -> bytes:
        """Return the 160 octets of 20 ms."""
        frame = self._av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
        frame.sample_rate = _RATE_HZ
        frame.planes[0].update(pcm)
        self._rest += b"".join(bytes(packet) for packet in self._context.encode(frame))
        octets, self._rest = self._rest[:_FRAME_OCTETS], self._rest[_FRAME_OCTETS:]
        return octets


class G722Decoder:
    """One stream of octets on its way to s16le mono PCM at 16 kHz."""

    def __init__(self) -> None:
        """Begin a stream.

        Raises:
            EngineError: PyAV is missing.
        """
        self._av, self._context = _context("r")

    def decode(self, octets: bytes) -> bytes:
        """Return the sound of a payload, two samples for each octet."""
        frames = self._context.decode(self._av.Packet(octets))
        return b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)
