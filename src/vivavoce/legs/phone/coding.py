"""The codecs of telephones: payloads to PCM at the codec's own rate and back.

Bringing that to 24 kHz is the engine's business, which does it for all calls at once.  Called by `stream` and `engine`,
in the media process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from ...audio.conceal import Concealment
from ...audio.g711 import alaw_to_pcm, pcm_to_alaw, pcm_to_ulaw, ulaw_to_pcm
from ...rtp.reception import Conceal, Play, Recover, Silence, Step
from ...rtp.ticks import OPUS_CLOCK_HZ, octet_ticks, opus_ticks
from ..opus import Decoder, Encoder, OpusError
from .g722 import G722Decoder, G722Encoder
from .wire import CodecName

__all__ = ["CODECS", "Codec", "Decoding", "Encoding", "decoding", "encoding"]


class Codec(msgspec.Struct, frozen=True):
    """What the engine has to know of a codec."""

    rate_hz: int
    """Samples a second of the PCM that it is made of here."""
    clock_hz: int
    """Ticks a second of its timestamps."""
    ticks: Callable[[bytes], int]
    """How long a payload lasts, in ticks."""
    recovers: bool
    """Whether packets carry copies of those before them."""
    encode_rows: Callable[[bytes], bytes] | None
    """Codes PCM of any length without a state, a byte a sample; None where each call needs an encoder of its own."""


CODECS: dict[CodecName, Codec] = {
    "opus": Codec(24_000, OPUS_CLOCK_HZ, opus_ticks, True, None),
    "g722": Codec(16_000, 8000, octet_ticks, False, None),
    "pcmu": Codec(8000, 8000, octet_ticks, False, pcm_to_ulaw),
    "pcma": Codec(8000, 8000, octet_ticks, False, pcm_to_alaw),
}


class Decoding(Protocol):
    """One stream of packets on its way to PCM."""

    def perform(self, step: Step) -> bytes:
        """Return the sound of a step."""
        ...


class Encoding(Protocol):
    """One stream of PCM on its way to packets."""

    def encode(self, pcm: bytes) -> bytes:
        """Return the payload of 20 ms."""
        ...


class _Waveform:
    """G.711 and G.722, which conceal nothing by themselves."""

    def __init__(self, rate_hz: int, to_pcm: Callable[[bytes], bytes]) -> None:
        self._to_pcm = to_pcm
        self._samples_per_tick = rate_hz // 8000
        self._concealment = Concealment(rate_hz)

    def perform(self, step: Step) -> bytes:
        match step:
            case Play(payload):
                return self._concealment.hear(self._to_pcm(payload))
            case Silence(ticks):
                return self._concealment.hear(bytes(2 * ticks * self._samples_per_tick))
            case Conceal(ticks) | Recover(_, ticks):
                return self._concealment.conceal(ticks * self._samples_per_tick)


class _Opus:
    def __init__(self, rate_hz: int) -> None:
        self._decoder = Decoder(rate_hz)
        self._ticks_per_sample = OPUS_CLOCK_HZ // rate_hz

    def perform(self, step: Step) -> bytes:
        match step:
            case Play(payload):
                try:
                    return self._decoder.decode(payload)
                except OpusError:  # damaged, though as long as it says
                    return self._decoder.conceal(opus_ticks(payload) // self._ticks_per_sample)
            case Recover(payload, ticks):
                try:
                    return self._decoder.recover(payload, ticks // self._ticks_per_sample)
                except OpusError:
                    return self._decoder.conceal(ticks // self._ticks_per_sample)
            case Conceal(ticks):
                return self._decoder.conceal(ticks // self._ticks_per_sample)
            case Silence(ticks):
                return bytes(ticks // self._ticks_per_sample * 2)


def decoding(name: CodecName) -> Decoding:
    """Return a new decoder.

    Raises:
        EngineError: the codec's library is missing.
    """
    rate_hz = CODECS[name].rate_hz
    match name:
        case "opus":
            return _Opus(rate_hz)
        case "g722":
            return _Waveform(rate_hz, G722Decoder().decode)
        case "pcmu":
            return _Waveform(rate_hz, ulaw_to_pcm)
        case "pcma":
            return _Waveform(rate_hz, alaw_to_pcm)


def encoding(name: CodecName) -> Encoding | None:
    """Return a new encoder, or None for a codec that needs none.

    Raises:
        EngineError: the codec's library is missing.
    """
    match name:
        case "opus":
            # As with browsers: half of what speech at its best takes, and what is lost is a telephone's to conceal.
            return Encoder(CODECS[name].rate_hz, "lowdelay", bitrate_bps=40_000, complexity=5, fec=False)
        case "g722":
            return G722Encoder()
        case "pcmu" | "pcma":
            return None
