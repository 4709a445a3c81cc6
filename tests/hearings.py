"""Ears with small engines: voice is loudness, words are lengths, and a listener that can wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np

from vivavoce.core.effects import Vocabulary
from vivavoce.core.errors import EngineError
from vivavoce.core.formats import PCM_24K, AudioFormat
from vivavoce.core.reports import Report, Transcribed, TranscriptionFailed
from vivavoce.engines.api import AudioTurnModel, Transcript
from vivavoce.engines.ears import SessionEars, SharedHearing

NO_WORDS = Vocabulary()


class LevelVad:
    """Takes loud frames for speech."""

    def open(self) -> LevelVad:
        return self

    def probability(self, frame: bytes) -> float:
        assert len(frame) == 1024
        return float(np.abs(np.frombuffer(frame, "<i2")).mean() > 1000)


class CountingAsr:
    """Recognises audio as how much there was of it, in ten-thousandths of a sample's range, and keeps it."""

    languages: tuple[str, ...] = ("en",)

    def __init__(self) -> None:
        self.opened = 0
        self.heard: list[bytes] = []
        self.prepared: list[Vocabulary] = []
        self.fail_on: Callable[[str], bool] = lambda step: False
        self.gate = threading.Event()
        self.gate.set()
        self.started: list[Vocabulary] = []
        self.two_started = threading.Event()

    def open(self) -> CountingDecoder:
        self.opened += 1
        if self.fail_on("open"):
            raise EngineError("no model")
        return CountingDecoder(self)


class CountingDecoder:
    def __init__(self, asr: CountingAsr) -> None:
        self.asr = asr
        self.pcm = b""

    def prepare(self, vocabulary: Vocabulary) -> None:
        self.asr.prepared.append(vocabulary)

    def start(self, vocabulary: Vocabulary) -> None:
        self.asr.started.append(vocabulary)
        if len(self.asr.started) == 2:
            self.asr.two_started.set()
        self.asr.gate.wait(10)
        self.pcm = b""

    def feed(self, pcm: bytes) -> None:
        if self.asr.fail_on("feed"):
            raise RuntimeError("broken")
        self.pcm += pcm

    def partial(self) -> str:
        return " ".join(["word"] * (len(self.pcm) // 6400))

    def finish(self) -> Transcript:
        self.asr.heard.append(self.pcm)
        return Transcript(f"{len(self.pcm) // 2} samples")

    def close(self) -> None: ...


class AlwaysOver:
    def turn_over(self, text: str) -> float:
        return 1.0


class Listener:
    """The reports of one session, and a way to wait for one."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._changed = asyncio.Event()

    def __call__(self, report: Report) -> None:
        self.reports.append(report)
        self._changed.set()

    async def wait(self, found: Callable[[Report], bool]) -> Report:
        async with asyncio.timeout(10):
            while not any(map(found, self.reports)):
                self._changed.clear()
                await self._changed.wait()
        return next(filter(found, self.reports))

    async def result(self, item_id: str) -> Transcribed | TranscriptionFailed:
        report = await self.wait(lambda r: isinstance(r, Transcribed | TranscriptionFailed) and r.item_id == item_id)
        assert isinstance(report, Transcribed | TranscriptionFailed)
        return report


@asynccontextmanager
async def hearing(
    asr: CountingAsr, decoders: int = 1, vad: LevelVad | None = None, sound: AudioTurnModel | None = None
) -> AsyncIterator[SharedHearing]:
    shared = SharedHearing(vad or LevelVad(), asr, AlwaysOver(), decoders=decoders, sound=sound)
    try:
        yield shared
    finally:
        asr.gate.set()
        await shared.close()


def tone(ms: int, format: AudioFormat = PCM_24K, level: int = 8000) -> bytes:  # noqa: A002
    samples = np.full(format.rate * ms // 1000, level, "<i2")
    return samples.tobytes() if format.type == "audio/pcm" else bytes([0x90]) * len(samples)


def silence(ms: int, format: AudioFormat = PCM_24K) -> bytes:  # noqa: A002
    return bytes(format.rate * ms // 1000 * 2) if format.type == "audio/pcm" else b"\xff" * (8 * ms)


def speak(ears: SessionEars, audio: bytes, at: int, format: AudioFormat = PCM_24K, *, step: int, detect: bool) -> int:  # noqa: A002
    for i in range(0, len(audio), step):
        piece = audio[i : i + step]
        ears.listen(piece, format, at, detect)
        at += format.ticks(len(piece))
    return at
