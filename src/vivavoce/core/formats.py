"""Audio formats and the clock that counts them.

One clock serves every format: a *tick* is 1/48000 s, of which samples at 8, 16 and 24 kHz all last a whole number.
Positions in a session's audio are ticks since its first byte, so a change of format never moves them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

TICKS_PER_SECOND = 48_000
TICKS_PER_MS = TICKS_PER_SECOND // 1000

AudioType = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]


class AudioFormat(msgspec.Struct, frozen=True):
    """How the bytes of one direction of audio are to be read: mono, and either s16le PCM or G.711."""

    type: AudioType = "audio/pcm"
    """`audio/pcm` is signed 16-bit little-endian; `audio/pcmu` and `audio/pcma` are G.711 u-law and A-law."""
    rate: int = 24_000
    """Samples a second: 8000, 16000 or 24000 for PCM, always 8000 for G.711."""

    @property
    def bytes_per_sample(self) -> int:
        """Two for PCM, one for G.711."""
        return 2 if self.type == "audio/pcm" else 1

    @property
    def ticks_per_sample(self) -> int:
        """How many ticks one sample lasts."""
        return TICKS_PER_SECOND // self.rate

    @property
    def bytes_per_ms(self) -> int:
        """How many bytes one millisecond takes."""
        return self.bytes_per_sample * self.rate // 1000

    def ticks(self, n_bytes: int) -> int:
        """Return how many ticks `n_bytes` of whole samples last."""
        return n_bytes // self.bytes_per_sample * self.ticks_per_sample

    def bytes_for_ticks(self, ticks: int) -> int:
        """Return how many bytes of whole samples fit into `ticks`."""
        return ticks // self.ticks_per_sample * self.bytes_per_sample


PCM_24K = AudioFormat()
PCM_16K = AudioFormat(rate=16_000)
PCM_8K = AudioFormat(rate=8_000)
PCMU = AudioFormat("audio/pcmu", 8_000)
PCMA = AudioFormat("audio/pcma", 8_000)
