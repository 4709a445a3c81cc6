"""The four conversations, held by the RealtimeSession of LiveKit Agents.  What it warns of is a failure here."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import llm
from livekit.agents.utils import http_context
from livekit.plugins import openai
from openai.types.realtime import ConversationItemRetrieveEvent
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

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


class Conversation:
    """One session, and what came of it."""

    def __init__(self, session: Any, job: Job, complaints: Complaints) -> None:
        self.session = session
        self.job = job
        self.events: list[Job] = []
        self.generations: list[Any] = []
        self.told: dict[str, str] = {}
        self.audio: dict[str, int] = {}
        self.calls: list[llm.FunctionCall] = []
        self.heard: list[str] = []
        self._complaints = complaints
        self._readers: list[asyncio.Task[None]] = []
        session.on("openai_server_event_received", self.events.append)
        session.on("generation_created", self._take)
        session.on("input_audio_transcription_completed", self._hear)

    async def configure(self) -> None:
        description = {key: value for key, value in self.job["tool"].items() if key != "type"}

        async def get_weather(raw_arguments: dict[str, object]) -> str:
            return str(self.job["tool_result"])

        await self.session.update_instructions(self.job["instructions"])
        await self.session.update_tools([llm.function_tool(get_weather, raw_schema=description)])

    async def add(self, change: Callable[[llm.ChatContext], object]) -> None:
        context = self.session.chat_ctx.copy()
        change(context)
        await self.session.update_chat_ctx(context)

    async def ask(self, text: str) -> None:
        await self.add(lambda context: context.add_message(role="user", content=text))
        await self.session.generate_reply()

    async def speak(self) -> None:
        with wave.open(self.job["question"], "rb") as file:
            pcm = file.readframes(file.getnframes()) + bytes(RATE * 2)
        for start in range(0, len(pcm), 2 * CHUNK_SAMPLES):
            chunk = pcm[start : start + 2 * CHUNK_SAMPLES]
            self.session.push_audio(rtc.AudioFrame(chunk, RATE, 1, len(chunk) // 2))
            await asyncio.sleep(0)

    async def until(self, wanted: Callable[[], object]) -> None:
        async with asyncio.timeout(self.job["patience"]):
            while not wanted():
                if self._complaints.texts:
                    raise RuntimeError(f"the SDK complains: {self._complaints.texts}")
                await asyncio.sleep(0.01)

    def of_type(self, name: str) -> list[Job]:
        return [event for event in self.events if event["type"] == name]

    def statuses(self) -> list[str]:
        return [event["response"]["status"] for event in self.of_type("response.done")]

    async def ended(self, count: int) -> None:
        """Return when so many responses are over, and everything of them is read."""
        await self.until(lambda: len(self.statuses()) >= count <= len(self.generations))
        await self.until(lambda: all(reader.done() for reader in self._readers))
        await asyncio.gather(*self._readers)

    def _take(self, generation: Any) -> None:
        self.generations.append(generation)
        self._readers.append(asyncio.create_task(self._read(generation)))

    def _hear(self, transcription: Any) -> None:
        if transcription.is_final:
            self.heard.append(transcription.transcript)

    async def _read(self, generation: Any) -> None:
        async def calls() -> None:
            async for call in generation.function_stream:
                self.calls.append(call)

        async def messages() -> None:
            async for message in generation.message_stream:
                await asyncio.gather(self._read_text(message), self._read_audio(message))

        await asyncio.gather(calls(), messages())

    async def _read_text(self, message: Any) -> None:
        async for delta in message.text_stream:
            self.told[message.message_id] = self.told.get(message.message_id, "") + delta

    async def _read_audio(self, message: Any) -> None:
        async for frame in message.audio_stream:
            self.audio[message.message_id] = self.audio.get(message.message_id, 0) + 2 * frame.samples_per_channel


async def text(talk: Conversation) -> Job:
    await talk.ask(talk.job["sum"])
    await talk.ended(1)
    (item_id,) = talk.told
    return {"status": talk.statuses()[0], "told": talk.told[item_id], "audio_bytes": talk.audio[item_id]}


async def speech(talk: Conversation) -> Job:
    await talk.speak()
    await talk.ended(1)
    await talk.until(lambda: talk.heard)
    (item_id,) = talk.told
    return {
        "status": talk.statuses()[0],
        "heard": talk.heard[0],
        "told": talk.told[item_id],
        "audio_bytes": talk.audio[item_id],
    }


async def function(talk: Conversation) -> Job:
    await talk.ask(talk.job["weather"])
    await talk.ended(1)
    (call,) = talk.calls
    result = llm.FunctionCallOutput(
        call_id=call.call_id, name=call.name, output=talk.job["tool_result"], is_error=False
    )
    await talk.add(lambda context: context.insert(result))
    before = set(talk.told)
    await talk.session.generate_reply()
    await talk.ended(2)
    (item_id,) = set(talk.told) - before
    return {"name": call.name, "arguments": call.arguments, "told": talk.told[item_id]}


async def barge_in(talk: Conversation) -> Job:
    await talk.ask(talk.job["long"])
    await talk.until(lambda: max(talk.audio.values(), default=0) >= 2 * RATE * 2)
    (item_id,) = talk.audio
    await talk.speak()
    await talk.until(lambda: talk.of_type("input_audio_buffer.speech_started"))
    talk.session.truncate(message_id=item_id, modalities=["audio"], audio_end_ms=900)
    talk.session.send_event(ConversationItemRetrieveEvent(type="conversation.item.retrieve", item_id=item_id))
    await talk.ended(2)
    await talk.until(lambda: talk.of_type("conversation.item.retrieved"))
    (kept,) = talk.of_type("conversation.item.retrieved")
    return {
        "status": talk.statuses()[0],
        "told": talk.told.pop(item_id),
        "kept": kept["item"]["content"][0]["transcript"],
        "audio_end_ms": talk.of_type("conversation.item.truncated")[0]["audio_end_ms"],
        "answer": " ".join(talk.told.values()),
    }


async def attempt(job: Job, hold: Callable[[Conversation], Awaitable[Job]], recorded: list[list[Job]]) -> Job:
    complaints = Complaints()
    logging.getLogger("livekit").addHandler(complaints)
    detection = ServerVad(type="server_vad", silence_duration_ms=500)
    model = openai.realtime.RealtimeModel(
        base_url=job["http_url"], api_key=job["key"], model=job["model"], turn_detection=detection
    )
    talk = Conversation(model.session(), job, complaints)
    recorded.append(talk.events)
    try:
        await talk.configure()
        return await hold(talk)
    except Exception:  # noqa: BLE001 - told to the test, which fails with it
        return {"failure": traceback.format_exc() + "\n".join(complaints.texts)}
    finally:
        await talk.session.aclose()
        await model.aclose()
        logging.getLogger("livekit").removeHandler(complaints)


async def main(job: Job, recorded: list[list[Job]]) -> Job:
    async with http_context.open():
        return {hold.__name__: await attempt(job, hold, recorded) for hold in (text, speech, function, barge_in)}


if __name__ == "__main__":
    the_job = json.loads(sys.argv[1])
    connections: list[list[Job]] = []
    results = asyncio.run(main(the_job, connections))
    lines = [
        json.dumps({"connection": number, "event": event}) + "\n"
        for number, events in enumerate(connections)
        for event in events
    ]
    Path(the_job["recording"]).write_text("".join(lines), encoding="utf-8")
    Path(the_job["results"]).write_text(json.dumps(results), encoding="utf-8")
