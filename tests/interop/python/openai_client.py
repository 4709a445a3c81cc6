"""The conversations, held by openai-python in the GA or the beta shape, of any version that has them."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import traceback
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import recorder
from openai import AsyncOpenAI

Job = dict[str, Any]
CHUNK_BYTES = 24_000 * 2 // 25
"""40 ms, as a microphone would give them."""


class Conversation:
    """One connection, and what the server has said on it."""

    def __init__(self, connection: Any, job: Job) -> None:
        self.connection = connection
        self.job = job
        self.audio: dict[str, int] = {}
        self.told: dict[str, str] = {}
        self.heard: dict[str, str] = {}
        self.calls: list[Any] = []
        self.ended: list[Any] = []
        self.seen: list[str] = []
        self.refused: dict[str | None, str] | None = None
        """Codes of errors by the event that they answer; None where an error is a failure."""

    async def configure(self, turns: bool, tools: list[Any] | None = None) -> None:
        detection = {"type": "server_vad", "silence_duration_ms": 500} if turns else None
        transcription = {"model": "gpt-4o-mini-transcribe"}
        settings: dict[str, Any] = {"instructions": self.job["instructions"], "tools": tools or []}
        if self.job["shape"] == "ga":
            settings["type"] = "realtime"
            settings["audio"] = {"input": {"turn_detection": detection, "transcription": transcription}}
        else:
            settings |= {"turn_detection": detection, "input_audio_transcription": transcription}
        await self.connection.session.update(session=settings)
        await self.until(lambda event: event.type == "session.updated")

    async def ask(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await self.connection.response.create()

    async def speak(self) -> None:
        with wave.open(self.job["question"], "rb") as file:
            pcm = file.readframes(file.getnframes()) + bytes(24_000 * 2)
        for start in range(0, len(pcm), CHUNK_BYTES):
            chunk = base64.b64encode(pcm[start : start + CHUNK_BYTES]).decode()
            await self.connection.input_audio_buffer.append(audio=chunk)

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(self.job["patience"]):
            while True:
                event = await self.connection.recv()
                self._take(event)
                if wanted(event):
                    return event

    async def until_ended(self, count: int = 1) -> Any:
        while len(self.ended) < count:
            await self.until(lambda event: event.type == "response.done")
        return self.ended[count - 1]

    def _take(self, event: Any) -> None:
        self.seen.append(event.type)
        match event.type:
            case "error" if self.refused is not None:
                self.refused[event.error.event_id] = event.error.code
            case "error":
                raise RuntimeError(f"the server answered an error: {event.error}")
            case "response.output_audio.delta" | "response.audio.delta":
                pcm = base64.b64decode(event.delta)
                self.audio[event.item_id] = self.audio.get(event.item_id, 0) + len(pcm)
            case "response.output_audio_transcript.done" | "response.audio_transcript.done":
                self.told[event.item_id] = event.transcript
            case "conversation.item.input_audio_transcription.completed":
                self.heard[event.item_id] = event.transcript
            case "response.function_call_arguments.done":
                self.calls.append(event)
            case "response.done":
                self.ended.append(event.response)


async def text(talk: Conversation) -> Job:
    await talk.configure(turns=False)
    await talk.ask(talk.job["sum"])
    response = await talk.until_ended()
    (item_id,) = talk.told
    return {"status": response.status, "told": talk.told[item_id], "audio_bytes": talk.audio[item_id]}


async def speech(talk: Conversation) -> Job:
    await talk.configure(turns=True)
    await talk.speak()
    response = await talk.until_ended()
    while not talk.heard:
        await talk.until(lambda event: event.type.endswith("input_audio_transcription.completed"))
    (item_id,) = talk.told
    (heard,) = talk.heard.values()
    return {
        "status": response.status,
        "heard": heard,
        "told": talk.told[item_id],
        "audio_bytes": talk.audio[item_id],
    }


async def function(talk: Conversation) -> Job:
    await talk.configure(turns=False, tools=[talk.job["tool"]])
    await talk.ask(talk.job["weather"])
    response = await talk.until_ended()
    (item,) = [item for item in response.output if item.type == "function_call"]
    assert [call.call_id for call in talk.calls] == [item.call_id]
    result = {"type": "function_call_output", "call_id": item.call_id, "output": talk.job["tool_result"]}
    await talk.connection.conversation.item.create(item=result)
    talk.told.clear()
    await talk.connection.response.create()
    await talk.until_ended(2)
    (told,) = talk.told.values()
    return {"name": item.name, "arguments": item.arguments, "told": told}


async def barge_in(talk: Conversation) -> Job:
    await talk.configure(turns=True)
    await talk.ask(talk.job["long"])
    enough = 2 * 24_000 * 2
    while max(talk.audio.values(), default=0) < enough:
        await talk.until(lambda event: event.type.endswith("audio.delta"))
    (item_id,) = talk.audio
    await talk.speak()
    await talk.until(lambda event: event.type == "input_audio_buffer.speech_started")
    await talk.connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=900)
    truncated = await talk.until(lambda event: event.type == "conversation.item.truncated")
    assert (truncated.item_id, truncated.content_index) == (item_id, 0)
    await talk.connection.conversation.item.retrieve(item_id=item_id)
    kept = await talk.until(lambda event: event.type == "conversation.item.retrieved")
    await talk.until_ended(2)
    return {
        "status": talk.ended[0].status,
        "told": talk.told.pop(item_id),
        "kept": kept.item.content[0].transcript,
        "audio_end_ms": truncated.audio_end_ms,
        "answer": " ".join(talk.told.values()),
    }


async def mistakes(talk: Conversation) -> Job:
    """Everything that a client may get wrong: each is refused by name, and the session goes on."""
    await talk.configure(turns=False)
    talk.refused = {}
    wrong: dict[str, Job] = {
        "nonsense": {"type": "session.explode"},
        "untyped": {"item": {}},
        "empty": {"type": "input_audio_buffer.commit"},
        "base64": {"type": "input_audio_buffer.append", "audio": "*"},
        "idle": {"type": "response.cancel"},
        "retrieve": {"type": "conversation.item.retrieve", "item_id": "item_none"},
        "delete": {"type": "conversation.item.delete", "item_id": "item_none"},
        "truncate": {
            "type": "conversation.item.truncate",
            "item_id": "item_none",
            "content_index": 0,
            "audio_end_ms": 1,
        },
        "missing": {"type": "conversation.item.delete"},
    }
    for event_id, event in wrong.items():
        await talk.connection.send({**event, "event_id": event_id})
        await talk.until(lambda event: event.type == "error")
    await talk.ask(talk.job["sum"])
    await talk.until_ended()
    return {"refused": talk.refused, "told": " ".join(talk.told.values())}


async def rest(talk: Conversation) -> Job:
    """What the other conversations leave out: text alone, items by hand, buffers, cancelling, out of band."""
    await talk.configure(turns=False)
    send = talk.connection.send
    modalities = "output_modalities" if talk.job["shape"] == "ga" else "modalities"

    def message(item_id: str, text: str) -> Job:
        content = [{"type": "input_text", "text": text}]
        return {"id": item_id, "type": "message", "role": "user", "content": content}

    await send({"type": "conversation.item.create", "item": message("item_second", talk.job["sum"])})
    first = {"item": message("item_first", "Hello."), "previous_item_id": "root"}
    await send({"type": "conversation.item.create", **first})
    await send({"type": "response.create", "response": {modalities: ["text"], "metadata": {"for": "the test"}}})
    written = await talk.until_ended()
    await send({"type": "conversation.item.retrieve", "item_id": "item_first"})
    await talk.until(lambda event: event.type == "conversation.item.retrieved")
    await send({"type": "conversation.item.delete", "item_id": "item_first"})
    await talk.until(lambda event: event.type == "conversation.item.deleted")

    silence = base64.b64encode(bytes(24_000)).decode()
    await send({"type": "input_audio_buffer.append", "audio": silence})
    await send({"type": "input_audio_buffer.clear"})
    await talk.until(lambda event: event.type == "input_audio_buffer.cleared")
    await send({"type": "input_audio_buffer.append", "audio": silence})
    await send({"type": "input_audio_buffer.commit"})
    await talk.until(lambda event: event.type.endswith("input_audio_transcription.completed"))

    apart = {"conversation": "none", "input": [message("item_apart", talk.job["sum"])], modalities: ["text"]}
    await send({"type": "response.create", "response": apart})
    aside = await talk.until_ended(2)
    await talk.ask(talk.job["long"])
    await talk.until(lambda event: event.type == "response.created")
    await send({"type": "response.cancel"})
    cancelled = await talk.until_ended(3)
    return {
        "written": written.output[0].content[0].text,
        "metadata": written.metadata,
        "aside": aside.output[0].content[0].text,
        "statuses": [response.status for response in (written, aside, cancelled)],
        "seen": sorted(set(talk.seen)),
    }


async def attempt(job: Job, hold: Callable[[Conversation], Awaitable[Job]]) -> Job:
    client = AsyncOpenAI(base_url=job["http_url"], websocket_base_url=job["ws_url"], api_key=job["key"])
    try:
        realtime = client.realtime if job["shape"] == "ga" else client.beta.realtime
        async with realtime.connect(model=job["model"]) as connection:
            talk = Conversation(connection, job)
            await talk.until(lambda event: event.type == "session.created")
            return await hold(talk)
    except Exception:  # noqa: BLE001 - told to the test, which fails with it
        return {"failure": traceback.format_exc()}


async def main(job: Job) -> Job:
    return {hold.__name__: await attempt(job, hold) for hold in (text, speech, function, barge_in, mistakes, rest)}


if __name__ == "__main__":
    the_job = json.loads(sys.argv[1])
    recorder.install(the_job["recording"])
    Path(the_job["results"]).write_text(json.dumps(asyncio.run(main(the_job))), encoding="utf-8")
