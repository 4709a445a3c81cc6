"""What cases say: three short English utterances that come with the package, in any format of the protocol.

They were made with flite and are kept as u-law at 16 kHz.
"""

from __future__ import annotations

import functools
from base64 import b64encode
from importlib.resources import files
from typing import Literal

import msgspec

from ..audio.g711 import pcm_to_alaw, pcm_to_ulaw
from ..audio.pcm import level_dbfs, silence
from ..audio.resample import resample
from ..audio.wav import read_wav

Name = Literal["time", "timer", "lights"]
"""The utterances: "What time is it right now?", "Set a timer for ten minutes." and "Turn on the lights in the kitchen."
"""

WORDS: dict[Name, str] = {
    "time": "what time is it right now",
    "timer": "set a timer for ten minutes",
    "lights": "turn on the lights in the kitchen",
}
"""What is said in each."""

_RATES_HZ = {"pcm": 24_000, "ulaw": 8_000, "alaw": 8_000}
_FRAME_MS = 10
_LOUD_DBFS = -40.0
"""A frame above this level is speech in these recordings; their pauses lie below -60."""


class Utterance(msgspec.Struct, frozen=True):
    """Something said, with silence around it."""

    audio: bytes
    """The whole in the format that was asked for."""
    starts_ms: int
    """When the first sound begins."""
    ends_ms: int
    """When the last sound has ended."""
    duration_ms: int
    """How long all of it lasts."""


@functools.cache
def utterance(name: Name = "time", format: str = "pcm", before_ms: int = 500, after_ms: int = 1500) -> Utterance:  # noqa: A002
    """Return an utterance between stretches of silence, which are long enough by default to end a turn."""
    rate_hz = _RATES_HZ[format]
    recorded = read_wav(files("vivavoce.check").joinpath("speech", f"{name}.wav").read_bytes())
    pcm = resample(recorded.pcm, recorded.rate_hz, rate_hz)
    pcm = pcm[: len(pcm) // (2 * rate_hz // 1000) * (2 * rate_hz // 1000)]
    step = 2 * rate_hz * _FRAME_MS // 1000
    loud = [at for at in range(0, len(pcm), step) if level_dbfs(pcm[at : at + step]) > _LOUD_DBFS]
    whole = silence(before_ms, rate_hz) + pcm + silence(after_ms, rate_hz)
    return Utterance(
        encoded(whole, format),
        before_ms + loud[0] // step * _FRAME_MS,
        before_ms + (loud[-1] // step + 1) * _FRAME_MS,
        len(whole) * 1000 // (2 * rate_hz),
    )


def quiet(duration_ms: int, format: str = "pcm") -> bytes:  # noqa: A002
    """Return silence in a format."""
    return encoded(silence(duration_ms, _RATES_HZ[format]), format)


def encoded(pcm: bytes, format: str) -> bytes:  # noqa: A002
    """Return PCM in a format of the same rate."""
    if format == "pcm":
        return pcm
    return pcm_to_ulaw(pcm) if format == "ulaw" else pcm_to_alaw(pcm)


def base64(audio: bytes) -> str:
    """Return audio as events carry it."""
    return b64encode(audio).decode()
