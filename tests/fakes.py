"""A scripted Realtime server in memory, in either shape, for tests of the client's side.

`FakeServer` decides what each session answers; its `line()` is a client's line to a new session, without sockets.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from vivavoce.legs.line import Line, LineError, Shape
from vivavoce.legs.local import MemoryLeg, MemoryWire

Json = dict[str, Any]

BETA_NAMES = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "conversation.item.added": "conversation.item.created",
}
GA_SESSION: Json = {
    "type": "realtime",
    "id": "sess_1",
    "object": "realtime.session",
    "model": "fake-model",
    "output_modalities": ["audio"],
    "instructions": "",
    "audio": {"input": {"turn_detection": None}, "output": {"voice": "alloy", "speed": 1.0}},
}
BETA_SESSION: Json = {
    "id": "sess_1",
    "object": "realtime.session",
    "model": "fake-model",
    "modalities": ["audio", "text"],
    "instructions": "",
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "turn_detection": None,
    "temperature": 0.8,
}
USAGE: Json = {
    "total_tokens": 30,
    "input_tokens": 10,
    "output_tokens": 20,
    "input_token_details": {"text_tokens": 10, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 5, "audio_tokens": 15},
}


def spoken(text: str) -> bytes:
    """The fake voice: two samples for each character, which tell it."""
    return b"".join(ord(character).to_bytes(4, "little") for character in text)


def heard(pcm: bytes) -> str:
    """The text that the fake voice said in `pcm`."""
    return "".join(chr(int.from_bytes(pcm[at : at + 4], "little")) for at in range(0, len(pcm), 4))


class FakeSession:
    """One session: what it was sent is in `received`; it answers texts by speaking them."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.leg = MemoryLeg()
        self.leg.owner = self
        self.received: list[Json] = []
        self.items: dict[str, str] = {}
        self.closed = False
        self._count = 0
        self.send({"type": "session.created", "session": BETA_SESSION if server.shape == "beta" else GA_SESSION})
        if server.shape == "beta":
            self.send({"type": "conversation.created", "conversation": {"id": "conv_1"}})

    def id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count}"

    def send(self, event: Json) -> None:
        if self.server.shape == "beta":
            if event["type"] == "conversation.item.done":
                return
            event = {**event, "type": BETA_NAMES.get(event["type"], event["type"])}
        self.leg.send(json.dumps({"event_id": self.id("event"), **event}).encode())

    def error(self, code: str, message: str, event: Json) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message, "event_id": event.get("event_id")}
        self.send({"type": "error", "error": error})

    def receive_frame(self, data: bytes) -> None:
        event: Json = json.loads(data)
        self.received.append(event)
        self.server.received.append(event)
        if self.server.script is not None and self.server.script(self, event):
            return
        match event["type"]:
            case "session.update":
                base = BETA_SESSION if self.server.shape == "beta" else GA_SESSION
                self.send({"type": "session.updated", "session": {**base, **event["session"]}})
            case "conversation.item.create":
                item = {"id": self.id("item"), "status": "completed", **event["item"]}
                self.items[item["id"]] = item["content"][0]["text"]
                self.send({"type": "conversation.item.added", "previous_item_id": None, "item": item})
                self.send({"type": "conversation.item.done", "previous_item_id": None, "item": item})
            case "conversation.item.delete":
                self.items.pop(event["item_id"], None)
                self.send({"type": "conversation.item.deleted", "item_id": event["item_id"]})
            case "response.create":
                response = event.get("response", {})
                text = " ".join(self.items.values())
                if "input" in response:
                    text = response["input"][0]["content"][0]["text"]
                self.say(text, band=response.get("conversation", "auto"), metadata=response.get("metadata"))

    def leg_closed(self, code: int, reason: str) -> None:
        self.closed = True

    def begin(self, *, band: str = "auto", metadata: Json | None = None) -> str:
        response_id = self.id("resp")
        conversation = None if band == "none" else "conv_1"
        self.send(
            {
                "type": "response.created",
                "response": {
                    "id": response_id,
                    "status": "in_progress",
                    "output": [],
                    "metadata": metadata,
                    "conversation_id": conversation,
                },
            }
        )
        return response_id

    def audio(self, response_id: str, item_id: str, pcm: bytes, transcript: str = "") -> None:
        place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        if transcript:
            self.send({"type": "response.output_audio_transcript.delta", "delta": transcript, **place})
        self.send({"type": "response.output_audio.delta", "delta": base64.b64encode(pcm).decode(), **place})

    def done(self, response_id: str, status: str = "completed", details: Json | None = None, **more: Any) -> None:
        response = {"id": response_id, "status": status, "status_details": details, "usage": USAGE, "output": []}
        self.send({"type": "response.done", "response": {**response, **more}})

    def say(self, text: str, *, band: str = "auto", metadata: Json | None = None) -> None:
        """Answer with `text`, spoken in two pieces."""
        response_id, item_id = self.begin(band=band, metadata=metadata), self.id("item")
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        self.send({"type": "response.output_item.added", "response_id": response_id, "output_index": 0, "item": item})
        if band != "none":
            self.items[item_id] = text
            self.send({"type": "conversation.item.added", "previous_item_id": None, "item": item})
        half = len(text) // 2
        for piece in (text[:half], text[half:]):
            if piece:
                self.audio(response_id, item_id, spoken(piece), piece)
        done = {**item, "status": "completed", "content": [{"type": "output_audio", "transcript": text}]}
        self.send({"type": "response.output_item.done", "response_id": response_id, "output_index": 0, "item": done})
        if band != "none":
            self.send({"type": "conversation.item.done", "previous_item_id": None, "item": done})
        self.done(response_id, output=[done], metadata=metadata)


class FakeServer:
    """A server whose sessions answer by themselves, except for what `script` answers (and then returns True to)."""

    def __init__(self, shape: Shape = "ga", script: Callable[[FakeSession, Json], bool] | None = None) -> None:
        self.shape = shape
        self.script = script
        self.sessions: list[FakeSession] = []
        self.received: list[Json] = []
        self.refuse: LineError | None = None

    async def line(self) -> Line:
        """A client's line to a new session."""
        if self.refuse is not None:
            raise self.refuse
        session = FakeSession(self)
        self.sessions.append(session)
        return await Line.open(MemoryWire(session.leg), None)

    def types(self) -> list[str]:
        """The types of everything received, in order."""
        return [event["type"] for event in self.received]


class FakeHearing:
    """Takes any sound for speech, and ends a turn after 500 ms of silence."""

    def __init__(self) -> None:
        self._heard_ms = 0
        self._quiet_ms = 0
        self._item: Json | None = None

    def turns(self, session: FakeSession, append: Json) -> Iterator[Json]:
        """Hear an append, tell the session's client what is heard, and yield the item of each turn that ends in it."""
        pcm = base64.b64decode(append["audio"])
        for at in range(0, len(pcm), 480):
            loud = any(pcm[at : at + 480])
            self._heard_ms += 10
            self._quiet_ms = 0 if loud else self._quiet_ms + 10
            if loud and self._item is None:
                self._item = {"item_id": session.id("item")}
                started = {"audio_start_ms": self._heard_ms - 10, **self._item}
                session.send({"type": "input_audio_buffer.speech_started", **started})
            if self._item is not None and self._quiet_ms == 500:
                item, self._item = self._item, None
                session.send({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": self._heard_ms, **item})
                session.send({"type": "input_audio_buffer.committed", **item})
                yield item
