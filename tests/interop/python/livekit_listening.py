"""The speech recogniser of LiveKit Agents, on the Realtime API.  What it warns of is a failure here."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
import wave
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import stt
from livekit.agents.utils import http_context
from livekit.plugins import openai

Job = dict[str, Any]
RATE = 24_000
CHUNK_SAMPLES = RATE // 25


class Complaints(logging.Handler):
    """What the SDK complains of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


async def turns(job: Job) -> Job:
    recogniser = openai.STT(
        model="gpt-4o-mini-transcribe", use_realtime=True, base_url=job["http_url"], api_key=job["key"], language="en"
    )
    interim: list[str] = []
    final = ""
    stream = recogniser.stream()
    try:
        with wave.open(job["question"], "rb") as file:
            pcm = file.readframes(file.getnframes()) + bytes(RATE * 2)
        for start in range(0, len(pcm), 2 * CHUNK_SAMPLES):
            chunk = pcm[start : start + 2 * CHUNK_SAMPLES]
            stream.push_frame(rtc.AudioFrame(chunk, RATE, 1, len(chunk) // 2))
        async with asyncio.timeout(job["patience"]):
            async for event in stream:
                if event.type == stt.SpeechEventType.INTERIM_TRANSCRIPT:
                    interim.append(event.alternatives[0].text)
                elif event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                    final = event.alternatives[0].text
                    break
    finally:
        await stream.aclose()
        await recogniser.aclose()
    return {"transcript": final, "interim": interim}


async def main() -> None:
    job = json.loads(sys.argv[1])
    complaints = Complaints()
    logging.getLogger("livekit").addHandler(complaints)
    async with http_context.open():
        try:
            result: Job = await turns(job)
        except Exception:  # noqa: BLE001 - whatever it is, the test tells it
            result = {"failure": traceback.format_exc()}
    result["complaints"] = complaints.texts
    Path(job["results"]).write_text(json.dumps({"turns": result}), encoding="utf-8")  # noqa: ASYNC240 - nothing else runs


asyncio.run(main())
