"""Client secrets, created by openai-python with a key and used by another of its clients without one.

What came of each way is written down: the server's answer, what is wrong with it by the SDK's own types, the session
that a connection then begins with, and what is told on it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
import traceback
import wave
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from openai import APIStatusError, AsyncOpenAI
from openai.types.beta.realtime import SessionCreateResponse, TranscriptionSession
from openai.types.realtime import ClientSecretCreateResponse, RealtimeTranslationClientSecretCreateResponse
from pydantic import TypeAdapter, ValidationError

Job = dict[str, Any]
Created = tuple[Job, Job]
CHUNK_BYTES = 24_000 * 2 // 25


def server_client(job: Job, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=job["http_url"], api_key=job["key"], **options)


def browser_client(job: Job, secret: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=job["http_url"], websocket_base_url=job["ws_url"], api_key=secret, max_retries=0)


def complaints(type_: Any, answer: Any) -> list[str]:
    """What is wrong with an answer by the SDK's own type, which the SDK itself does not check."""
    try:
        TypeAdapter(type_).validate_python(answer.to_dict())
    except ValidationError as error:
        return [str(each) for each in error.errors(include_url=False)]
    return []


async def until(connection: Any, kind: str, patience: float) -> Any:
    async with asyncio.timeout(patience):
        while True:
            event = await connection.recv()
            if event.type == "error":
                raise RuntimeError(f"the server answered an error: {event.error}")
            if event.type == kind:
                return event


async def ask(connection: Any, job: Job, transcript: str) -> str:
    content = [{"type": "input_text", "text": job["sum"]}]
    await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    await connection.response.create()
    return str((await until(connection, transcript, job["patience"])).transcript)


def spoken(job: Job) -> Iterator[str]:
    """The question and a second of silence, in base64."""
    with wave.open(job["question"], "rb") as file:
        pcm = file.readframes(file.getnframes()) + bytes(24_000 * 2)
    for start in range(0, len(pcm), CHUNK_BYTES):
        yield base64.b64encode(pcm[start : start + CHUNK_BYTES]).decode()


async def speak(connection: Any, job: Job) -> str:
    for chunk in spoken(job):
        await connection.input_audio_buffer.append(audio=chunk)
    done = await until(connection, "conversation.item.input_audio_transcription.completed", job["patience"])
    return str(done.transcript)


async def realtime(job: Job) -> Job:
    session = {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": job["instructions"],
        "tools": [job["tool"]],
        "audio": {"output": {"voice": "cedar"}},
    }
    created = await server_client(job).realtime.client_secrets.create(
        session=session,  # type: ignore[arg-type]
        expires_after={"anchor": "created_at", "seconds": 120},
    )
    seconds = created.expires_at - time.time()
    sessions, told = [], []
    for _ in range(2):
        client = browser_client(job, created.value)
        async with client.realtime.connect(model="gpt-realtime-mini") as connection:
            began = await until(connection, "session.created", job["patience"])
            sessions.append(began.session.to_dict())
            told.append(await ask(connection, job, "response.output_audio_transcript.done"))
    return {
        "value": created.value,
        "seconds": seconds,
        "created": created.session.to_dict(),
        "complaints": complaints(ClientSecretCreateResponse, created),
        "sessions": sessions,
        "told": told,
    }


async def transcription(job: Job) -> Job:
    session = {
        "type": "transcription",
        "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe", "language": "en"}}},
    }
    created = await server_client(job).realtime.client_secrets.create(session=session)  # type: ignore[arg-type]
    async with browser_client(job, created.value).realtime.connect() as connection:
        began = await until(connection, "session.created", job["patience"])
        heard = await speak(connection, job)
    return {
        "value": created.value,
        "created": created.session.to_dict(),
        "complaints": complaints(ClientSecretCreateResponse, created),
        "sessions": [began.session.to_dict()],
        "heard": heard,
    }


async def beta(job: Job) -> Job:
    created = await server_client(job).beta.realtime.sessions.create(
        model="gpt-4o-realtime-preview", instructions=job["instructions"], voice="sage", temperature=0.7
    )
    seconds = created.client_secret.expires_at - time.time()
    client = browser_client(job, created.client_secret.value)
    async with client.beta.realtime.connect(model="gpt-4o-realtime-preview") as connection:
        began = await until(connection, "session.created", job["patience"])
        told = await ask(connection, job, "response.audio_transcript.done")
    return {
        "value": created.client_secret.value,
        "seconds": seconds,
        "created": created.to_dict(),
        "complaints": complaints(SessionCreateResponse, created),
        "sessions": [began.session.to_dict()],
        "told": [told],
    }


async def beta_transcription(job: Job) -> Job:
    created = await server_client(job).beta.realtime.transcription_sessions.create(
        input_audio_transcription={"model": "whisper-1"}
    )
    assert created.client_secret is not None
    client = browser_client(job, created.client_secret.value)
    async with client.beta.realtime.connect(model="", extra_query={"intent": "transcription"}) as connection:
        began = await until(connection, "transcription_session.created", job["patience"])
        heard = await speak(connection, job)
    return {
        "value": created.client_secret.value,
        "created": created.to_dict(),
        "complaints": complaints(TranscriptionSession, created),
        "sessions": [began.session],
        "heard": heard,
    }


async def translation(job: Job) -> Job:
    created = await server_client(job).realtime.translations.client_secrets.create(
        session={"model": "gpt-realtime-translate", "audio": {"output": {"language": "fr"}}}
    )
    client = browser_client(job, created.value)
    async with client.realtime.translations.connect(model="gpt-realtime-translate") as connection:
        began = await until(connection, "session.created", job["patience"])
        for chunk in spoken(job):
            await connection.session.input_audio_buffer.append(audio=chunk)
        await connection.session.close()
        told, audio = "", 0
        async with asyncio.timeout(job["patience"]):
            while (event := await connection.recv()).type != "session.closed":
                if event.type == "session.output_transcript.delta":
                    told += event.delta
                elif event.type == "session.output_audio.delta":
                    audio += len(base64.b64decode(event.delta))
    return {
        "value": created.value,
        "created": created.session.to_dict(),
        "complaints": complaints(RealtimeTranslationClientSecretCreateResponse, created),
        "sessions": [began.session.to_dict()],
        "told": told,
        "audio_bytes": audio,
    }


async def elsewhere(job: Job) -> Job:
    """What a secret is told where it opens nothing, and what its session's mistakes are told."""
    created = await server_client(job).realtime.client_secrets.create()
    client = browser_client(job, created.value)
    told: Job = {}
    for name, request in {
        "models": client.models.list,
        "mint": client.realtime.client_secrets.create,
        "mistake": lambda: server_client(job).realtime.client_secrets.create(
            session={"type": "realtime", "audio": {"input": {"turn_detection": {"type": "psychic"}}}}  # type: ignore
        ),
    }.items():
        try:
            await request()
        except APIStatusError as error:
            told[name] = [error.status_code, error.code, error.param]
    return told


async def main(job: Job) -> Job:
    ways: dict[str, Callable[[Job], Awaitable[Job]]] = {
        "realtime": realtime,
        "transcription": transcription,
        "beta": beta,
        "beta_transcription": beta_transcription,
        "elsewhere": elsewhere,
        "translation": translation,
    }
    results: Job = {}
    for name in job["ways"]:
        try:
            results[name] = await ways[name](job)
        except Exception:  # noqa: BLE001 - the test shows it
            results[name] = {"failure": traceback.format_exc()}
    return results


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    Path(told["results"]).write_text(json.dumps(asyncio.run(main(told))), encoding="utf-8")
