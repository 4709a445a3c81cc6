"""The four conversations, held by the RealtimeRunner of openai-agents-python, which reads every event strictly."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import recorder
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession

Job = dict[str, Any]
CHUNK_BYTES = 24_000 * 2 // 25


class Conversation:
    """One session, and what came of it."""

    def __init__(self, session: RealtimeSession, job: Job) -> None:
        self.session = session
        self.job = job
        self.events = aiter(session)
        self.audio: dict[str, int] = {}
        self.told: dict[str, str] = {}
        self.heard: list[str] = []
        self.kept: dict[str, str] = {}
        self.truncated: list[Job] = []
        self.interrupted = 0
        self.statuses: list[str] = []
        self.calls: list[Job] = []

    async def speak(self) -> None:
        with wave.open(self.job["question"], "rb") as file:
            pcm = file.readframes(file.getnframes()) + bytes(24_000 * 2)
        for start in range(0, len(pcm), CHUNK_BYTES):
            await self.session.send_audio(pcm[start : start + CHUNK_BYTES])

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(self.job["patience"]):
            while not wanted():
                self._take(await anext(self.events))

    def _take(self, event: Any) -> None:
        if event.type == "error":
            raise RuntimeError(f"the SDK reports an error: {event.error}")
        if event.type == "audio":
            self.audio[event.item_id] = self.audio.get(event.item_id, 0) + len(event.audio.data)
        elif event.type == "audio_interrupted":
            self.interrupted += 1
        elif event.type == "raw_model_event" and event.data.type == "raw_server_event":
            self._take_raw(event.data.data)
        elif event.type == "raw_model_event" and event.data.type == "exception":
            raise RuntimeError(f"the SDK failed: {event.data.context}: {event.data.exception!r}")

    def _take_raw(self, event: Job) -> None:
        match event["type"]:
            case "response.output_audio_transcript.done":
                self.told[event["item_id"]] = event["transcript"]
            case "conversation.item.input_audio_transcription.completed":
                self.heard.append(event["transcript"])
            case "conversation.item.truncated":
                self.truncated.append(event)
            case "conversation.item.retrieved" if event["item"].get("role") == "assistant":
                self.kept[event["item"]["id"]] = event["item"]["content"][0]["transcript"]
            case "response.function_call_arguments.done":
                self.calls.append(event)
            case "response.done":
                self.statuses.append(event["response"]["status"])


async def text(talk: Conversation) -> Job:
    await talk.session.send_message(talk.job["sum"])
    await talk.until(lambda: bool(talk.statuses and talk.audio))
    (item_id,) = talk.told
    return {"status": talk.statuses[0], "told": talk.told[item_id], "audio_bytes": talk.audio[item_id]}


async def speech(talk: Conversation) -> Job:
    await talk.speak()
    await talk.until(lambda: bool(talk.statuses and talk.heard and talk.audio))
    (item_id,) = talk.told
    return {
        "status": talk.statuses[0],
        "heard": talk.heard[0],
        "told": talk.told[item_id],
        "audio_bytes": talk.audio[item_id],
    }


async def function(talk: Conversation) -> Job:
    await talk.session.send_message(talk.job["weather"])
    await talk.until(lambda: bool(talk.calls))
    before = set(talk.told)
    await talk.until(lambda: bool(set(talk.told) - before) and len(talk.statuses) == 2)
    (item_id,) = set(talk.told) - before
    return {"name": talk.calls[0]["name"], "arguments": talk.calls[0]["arguments"], "told": talk.told[item_id]}


async def barge_in(talk: Conversation) -> Job:
    await talk.session.send_message(talk.job["long"])
    await talk.until(lambda: max(talk.audio.values(), default=0) >= 2 * 24_000 * 2)
    (item_id,) = talk.audio
    # The SDK takes it that the listener hears in real time: it is to have heard the first words.
    await asyncio.sleep(0.9)
    await talk.speak()
    await talk.until(lambda: bool(talk.interrupted and talk.truncated and item_id in talk.kept))
    await talk.until(lambda: len(talk.statuses) == 2 and len(talk.told) == 2)
    return {
        "status": talk.statuses[0],
        "told": talk.told.pop(item_id),
        "kept": talk.kept[item_id],
        "audio_end_ms": talk.truncated[0]["audio_end_ms"],
        "answer": " ".join(talk.told.values()),
    }


def runner(job: Job) -> RealtimeRunner:
    async def get_weather(location: str) -> str:
        return str(job["tool_result"])

    tool = function_tool(get_weather, description_override=job["tool"]["description"])
    agent: RealtimeAgent[Any] = RealtimeAgent(name="Helper", instructions=job["instructions"], tools=[tool])
    detection = {"type": "server_vad", "silence_duration_ms": 500, "interrupt_response": True}
    transcription = {"model": "gpt-4o-mini-transcribe"}
    audio: Any = {"input": {"turn_detection": detection, "transcription": transcription}}
    return RealtimeRunner(agent, config={"model_settings": {"model_name": job["model"], "audio": audio}})


async def attempt(job: Job, hold: Callable[[Conversation], Awaitable[Job]]) -> Job:
    url = f"{job['ws_url']}/realtime?model={job['model']}"
    try:
        async with await runner(job).run(model_config={"url": url, "api_key": job["key"]}) as session:
            return await hold(Conversation(session, job))
    except Exception:  # noqa: BLE001 - told to the test, which fails with it
        return {"failure": traceback.format_exc()}


async def main(job: Job) -> Job:
    return {hold.__name__: await attempt(job, hold) for hold in (text, speech, function, barge_in)}


if __name__ == "__main__":
    the_job = json.loads(sys.argv[1])
    recorder.install(the_job["recording"])
    Path(the_job["results"]).write_text(json.dumps(asyncio.run(main(the_job))), encoding="utf-8")
