"""The codecs of a call: 24 kHz mono PCM on this side, payloads of Opus or G.711 on the other.

Called by `audio_in` and `audio_out`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ...audio.conceal import Concealment
from ...audio.g711 import alaw_to_pcm, pcm_to_alaw, pcm_to_ulaw, ulaw_to_pcm
from ...audio.resample import Resampler
from ...rtp.ticks import octet_ticks, opus_ticks
from ..media import RATE_HZ
from ..opus import Decoder, Encoder, OpusError
from .offer import Codec
from .settings import WebrtcSettings

__all__ = ["Decoding", "Encoding", "decoding", "encoding"]

FRAME_BYTES = RATE_HZ // 50 * 2
"""20 ms of PCM."""
_G711_HZ = 8000
_QUIET_FRAMES = 10
"""Frames of silence after which an encoder's output no longer changes."""


class Encoding(Protocol):
    """PCM to payloads, a frame of 20 ms at a time."""

    @property
    def clock_ticks(self) -> int:
        """Ticks of the payload's clock in a frame."""
        ...

    @property
    def quiet(self) -> bytes:
        """The payload of a frame of silence, the same each time."""
        ...

    def encode(self, frame: bytes) -> bytes:
        """Return the payload of a frame."""
        ...


class Decoding(Protocol):
    """Payloads to PCM, in the order in which they are to be heard."""

    @property
    def can_recover(self) -> bool:
        """Whether lost packets may have a copy in those that follow."""
        ...

    def ticks(self, payload: bytes) -> int:
        """Return how long a payload lasts by its clock; 0 if it is damaged."""
        ...

    def decode(self, payload: bytes) -> bytes:
        """Return the sound of a payload; of a damaged one, what stands in for it."""
        ...

    def recover(self, next_payload: bytes, ticks: int) -> bytes:
        """Return the sound of what was lost before a payload."""
        ...

    def conceal(self, ticks: int) -> bytes:
        """Return sound in place of what was lost."""
        ...

    def silence(self, ticks: int) -> bytes:
        """Return silence."""
        ...


class _OpusEncoding:
    clock_ticks = 960

    def __init__(self, settings: WebrtcSettings) -> None:
        self._encoder = Encoder(
            RATE_HZ,
            settings.opus_application,
            bitrate_bps=settings.opus_bitrate_bps,
            complexity=settings.opus_complexity,
            fec=settings.opus_expected_loss_percent > 0,
            expected_loss_percent=settings.opus_expected_loss_percent,
        )
        self.encode = self._encoder.encode
        frame = bytes(FRAME_BYTES)
        for _ in range(_QUIET_FRAMES):
            self.quiet = self._encoder.encode(frame)


class _OpusDecoding:
    can_recover = True
    ticks = staticmethod(opus_ticks)

    def __init__(self) -> None:
        self._decoder = Decoder(RATE_HZ)

    def decode(self, payload: bytes) -> bytes:
        try:
            return self._decoder.decode(payload)
        except OpusError:
            return self.conceal(opus_ticks(payload))

    def recover(self, next_payload: bytes, ticks: int) -> bytes:
        try:
            return self._decoder.recover(next_payload, ticks // 2)
        except OpusError:
            return self.conceal(ticks)

    def conceal(self, ticks: int) -> bytes:
        return self._decoder.conceal(ticks // 2)

    def silence(self, ticks: int) -> bytes:
        return bytes(ticks // 2 * 2)


class _G711Encoding:
    clock_ticks = 160

    def __init__(self, pcm_to_payload: Callable[[bytes], bytes]) -> None:
        self._convert = pcm_to_payload
        self._resampler = Resampler(RATE_HZ, _G711_HZ)
        self.quiet = pcm_to_payload(bytes(2 * self.clock_ticks))
        self._rest = b""

    def encode(self, frame: bytes) -> bytes:
        # The resampler gives what it has ready: a little less at first, and after that a frame for a frame.
        self._rest += self._convert(self._resampler.push(frame))
        payload, self._rest = self._rest[: self.clock_ticks], self._rest[self.clock_ticks :]
        return self.quiet[len(payload) :] + payload


class _G711Decoding:
    can_recover = False
    ticks = staticmethod(octet_ticks)

    def __init__(self, payload_to_pcm: Callable[[bytes], bytes]) -> None:
        self._convert = payload_to_pcm
        self._concealment = Concealment(_G711_HZ)
        self._resampler = Resampler(_G711_HZ, RATE_HZ)

    def decode(self, payload: bytes) -> bytes:
        return self._resampler.push(self._concealment.hear(self._convert(payload)))

    def recover(self, next_payload: bytes, ticks: int) -> bytes:
        return self.conceal(ticks)

    def conceal(self, ticks: int) -> bytes:
        return self._resampler.push(self._concealment.conceal(ticks))

    def silence(self, ticks: int) -> bytes:
        return self._resampler.push(self._concealment.hear(bytes(2 * ticks)))


def encoding(codec: Codec, settings: WebrtcSettings) -> Encoding:
    """Return a new encoder for what was agreed on."""
    if codec.name == "opus":
        return _OpusEncoding(settings)
    return _G711Encoding(pcm_to_ulaw if codec.name == "pcmu" else pcm_to_alaw)


def decoding(codec: Codec) -> Decoding:
    """Return a new decoder for what was agreed on."""
    if codec.name == "opus":
        return _OpusDecoding()
    return _G711Decoding(ulaw_to_pcm if codec.name == "pcmu" else alaw_to_pcm)
