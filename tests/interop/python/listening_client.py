"""Transcription and translation sessions, held by openai-python."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import traceback
import wave
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import recorder
from openai import AsyncOpenAI

Job = dict[str, Any]
RATE = 24_000
TRANSCRIBED = "conversation.item.input_audio_transcription."
INTENT = {"intent": "transcription"}


def question(job: Job, chunk_ms: int = 40, silence_ms: int = 1000) -> Iterator[str]:
    """The spoken question and silence after it, in base64 chunks."""
    with wave.open(job["question"], "rb") as file:
        pcm = file.readframes(file.getnframes()) + bytes(RATE * 2 * silence_ms // 1000)
    size = RATE * 2 * chunk_ms // 1000
    for start in range(0, len(pcm), size):
        yield base64.b64encode(pcm[start : start + size]).decode()


class Told:
    """What a server said on one connection."""

    def __init__(self, connection: Any, patience: float) -> None:
        self.connection = connection
        self.events: list[Any] = []
        self._patience = patience

    async def until(self, *kinds: str) -> Any:
        """Read until an event of one of these kinds, and return it."""
        async with asyncio.timeout(self._patience):
            while True:
                event = await self.connection.recv()
                self.events.append(event)
                if event.type in kinds:
                    return event
                if event.type == "error":
                    raise RuntimeError(f"the server answered an error: {event.error}")

    def joined(self, kind: str) -> str:
        return "".join(event.delta for event in self.events if event.type == kind)

    def transcript(self, completed: Any) -> Job:
        deltas = [event for event in self.events if event.type == TRANSCRIBED + "delta"]
        return {
            "kinds": [event.type for event in self.events],
            "transcript": completed.transcript,
            "deltas": "".join(event.delta for event in deltas),
            "items": sorted({event.item_id for event in deltas} | {completed.item_id}),
            "usage": completed.usage if isinstance(completed.usage, dict) else completed.usage.to_dict(),
            "logprobs": len(completed.logprobs or []),
        }


def client_of(job: Job) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=job["http_url"], websocket_base_url=job["ws_url"], api_key=job["key"], max_retries=0)


async def update(told: Told, **given: Any) -> Any:
    session: Job = {"type": "transcription", "audio": {"input": given}}
    session["include"] = ["item.input_audio_transcription.logprobs"]
    await told.connection.session.update(session=session)
    return await told.until("session.updated")


async def turns(client: AsyncOpenAI, job: Job) -> Job:
    """A turn that the server hears end."""
    async with client.realtime.connect(extra_query=INTENT) as connection:
        told = Told(connection, job["patience"])
        await update(told, transcription={"model": "gpt-4o-transcribe", "language": "en"})
        for chunk in question(job):
            await connection.input_audio_buffer.append(audio=chunk)
        return told.transcript(await told.until(TRANSCRIBED + "completed"))


async def live(client: AsyncOpenAI, job: Job) -> Job:
    """Words that are told before the client commits what it said."""
    async with client.realtime.connect(extra_query=INTENT) as connection:
        told = Told(connection, job["patience"])
        model = {"model": "gpt-live-transcribe", "languages": ["en"], "delay": "low", "keywords": ["times"]}
        await update(told, transcription=model, turn_detection=None)
        for chunk in question(job):
            await connection.input_audio_buffer.append(audio=chunk)
        await told.until(TRANSCRIBED + "delta")
        await connection.input_audio_buffer.commit()
        completed = await told.until(TRANSCRIBED + "completed")
        return told.transcript(completed) | {"languages": completed.to_dict()["languages"]}


async def silence(client: AsyncOpenAI, job: Job) -> Job:
    """Silence that is committed all the same."""
    async with client.realtime.connect(extra_query=INTENT) as connection:
        told = Told(connection, job["patience"])
        await update(told, transcription={"model": "whisper-1"}, turn_detection=None)
        await connection.input_audio_buffer.append(audio=base64.b64encode(bytes(2 * RATE)).decode())
        await connection.input_audio_buffer.commit()
        return told.transcript(await told.until(TRANSCRIBED + "completed"))


async def beta(client: AsyncOpenAI, job: Job) -> Job:
    """The shape that OpenAI switched off."""
    async with client.beta.realtime.connect(model="gpt-4o-transcribe", extra_query=INTENT) as connection:
        told = Told(connection, job["patience"])
        session: Any = {"input_audio_transcription": {"model": "gpt-4o-transcribe", "language": "en"}}
        await connection.transcription_session.update(session=session)
        await told.until("transcription_session.updated")
        for chunk in question(job):
            await connection.input_audio_buffer.append(audio=chunk)
        return told.transcript(await told.until(TRANSCRIBED + "completed"))


async def mistakes(client: AsyncOpenAI, job: Job) -> Job:
    """What such a session refuses."""
    async with client.realtime.connect(extra_query=INTENT) as connection:
        told = Told(connection, job["patience"])
        refused: Job = {}
        await connection.response.create()
        refused["answer"] = (await told.until("error")).error
        await connection.session.update(session={"type": "realtime"})
        refused["kind"] = (await told.until("error")).error
        german: Any = {"audio": {"input": {"transcription": {"model": "whisper-1", "language": "de"}}}}
        await connection.session.update(session={"type": "transcription", **german})
        refused["language"] = (await told.until("error")).error
        return {name: [error.code, error.param] for name, error in refused.items()}


async def translation(client: AsyncOpenAI, job: Job) -> Job:
    """Speech that comes back in another language."""
    async with client.realtime.translations.connect(model="gpt-realtime-translate") as connection:
        told = Told(connection, job["patience"])
        audio: Any = {"input": {"transcription": {"model": "whisper-1"}}, "output": {"language": "es"}}
        await connection.session.update(session={"audio": audio})
        await told.until("session.updated")
        for chunk in question(job, 200, 0):
            await connection.send({"type": "session.input_audio_buffer.append", "audio": chunk})
        await connection.session.close()
        await told.until("session.closed")
        pcm = b"".join(base64.b64decode(e.delta) for e in told.events if e.type == "session.output_audio.delta")
        return {
            "heard": told.joined("session.input_transcript.delta"),
            "told": told.joined("session.output_transcript.delta"),
            "audio_ms": len(pcm) // 48,
            "first": told.events[0].type,
            "last": told.events[-1].type,
        }


TALKS: dict[str, Callable[[AsyncOpenAI, Job], Awaitable[Job]]] = {
    talk.__name__: talk for talk in (turns, live, silence, beta, mistakes, translation)
}


async def main() -> None:
    job = json.loads(sys.argv[1])
    recorder.install(job["recording"])
    results: Job = {}
    async with client_of(job) as client:
        for name in job["talks"]:
            try:
                results[name] = await TALKS[name](client, job)
            except Exception:  # noqa: BLE001 - whatever it is, the test tells it
                results[name] = {"failure": traceback.format_exc()}
    Path(job["results"]).write_text(json.dumps(results), encoding="utf-8")  # noqa: ASYNC240 - nothing else runs


asyncio.run(main())
