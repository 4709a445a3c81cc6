"""A client that speaks in real time, as a microphone does, and notes when everything arrives.

Times are nanoseconds of the monotonic clock, which all processes of a machine share, so they can be compared with what
a server under test noted.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from vivavoce.audio.resample import resample
from vivavoce.audio.wav import read_wav
from vivavoce.engines.espeak import EspeakTts

RATE_HZ = 24_000
FRAME_BYTES = 960
FRAME_NS = 20_000_000
AUDIBLE = 328
"""Samples from here on (-40 dBFS) are speech."""
SENTENCES = Path(__file__).parents[2] / "tests" / "data" / "utterances.tsv"


class Arrival(NamedTuple):
    """An event of the server and when it was read from the socket."""

    ns: int
    event: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.event["type"])


class Spoken(NamedTuple):
    """When a piece of speech was spoken into the microphone."""

    onset_ns: int
    """Its first sample that can be heard."""
    end_ns: int
    """Its last."""


class Speaker:
    """One session with a microphone that is always open."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._to_say = b""
        self._began_ns = time.monotonic_ns()
        self._frames = 0
        self._tasks = (asyncio.create_task(self._speak()), asyncio.create_task(self._listen()))
        self._changed = asyncio.Event()
        self.arrivals: list[Arrival] = []
        """Everything that came, in order."""

    @classmethod
    async def dial(cls, port: int) -> Self:
        return cls(await connect(f"ws://127.0.0.1:{port}/v1/realtime", compression=None, max_size=None))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    async def send(self, event: dict[str, Any]) -> None:
        await self._socket.send(json.dumps(event))

    def say(self, pcm: bytes) -> Spoken:
        """Speak, beginning with the next frame, and return when it is heard."""
        begin_ns = self._began_ns + self._frames * FRAME_NS
        self._to_say = pcm
        audible = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2").astype(int)) >= AUDIBLE)
        return Spoken(*(begin_ns + int(at) * 10**9 // RATE_HZ for at in (audible[0], audible[-1] + 1)))

    async def wait_for(
        self, wanted: Callable[[Arrival], bool], after: int = 0, seconds: float = 20.0
    ) -> tuple[int, Arrival] | None:
        """Return the index of the first wanted arrival from the index `after` on, and it; None if it does not come."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._changed.clear()
                    for index in range(after, len(self.arrivals)):
                        if wanted(self.arrivals[index]):
                            return index, self.arrivals[index]
                    after = len(self.arrivals)
                    await self._changed.wait()
        except TimeoutError:
            return None

    async def _speak(self) -> None:
        while True:
            frame, self._to_say = self._to_say[:FRAME_BYTES], self._to_say[FRAME_BYTES:]
            self._frames += 1
            # A microphone has a frame when it is over.
            wait = self._began_ns + self._frames * FRAME_NS - time.monotonic_ns()
            await asyncio.sleep(max(0, wait) / 1e9)
            audio = base64.b64encode(frame.ljust(FRAME_BYTES, b"\0")).decode()
            await self.send({"type": "input_audio_buffer.append", "audio": audio})

    async def _listen(self) -> None:
        async for message in self._socket:
            now = time.monotonic_ns()
            event = json.loads(message)
            if event["type"] == "error":
                sys.exit(f"the server complained: {event['error']['message']}")
            self.arrivals.append(Arrival(now, event))
            self._changed.set()


def of_type(*types: str, after_ns: int = 0) -> Callable[[Arrival], bool]:
    """Return what recognises events of some types that arrive after a time."""
    return lambda arrival: arrival.ns > after_ns and arrival.type in types


def is_audio(arrival: Arrival) -> bool:
    return arrival.type == "response.output_audio.delta"


def sentences() -> list[str]:
    """Return sentences that stand for themselves."""
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file, delimiter="\t") if row["complete"] == "1"]


async def spoken(texts: list[str], flite: str) -> list[bytes]:
    """Return the texts as speech at 24 kHz: by flite's voice of that name, or if it is empty by the embedded voice."""
    if flite:
        if not shutil.which("flite"):
            sys.exit("flite is not installed")
        return [_by_flite(text, flite) for text in texts]
    tts = EspeakTts(processes=1)
    found = []
    for text in texts:
        pcm = b"".join([piece.pcm async for piece in tts.speak(text, "alloy", 1.0)])
        found.append(resample(pcm, tts.rate_hz, RATE_HZ))
    await tts.close()
    return found


def _by_flite(text: str, voice: str) -> bytes:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", file.name], check=True)
        wav = read_wav(file.name)
    return resample(wav.pcm, wav.rate_hz, RATE_HZ)
