"""A server that a test pulls the strings of: it says what it is told to, and keeps what it hears."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

from vivavoce.check.target import Answer, Dial
from vivavoce.check.verdict import HungUp

Json = dict[str, Any]
SESSION: Json = {
    "type": "realtime", "id": "sess_1", "object": "realtime.session", "expires_at": 2_000_000_000, "model": "m",
    "output_modalities": ["audio"], "instructions": "", "tools": [], "tool_choice": "auto", "max_output_tokens": "inf",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000}, "transcription": None, "noise_reduction": None,
            "turn_detection": None,
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"},
    },
}  # fmt: skip
Answering = Callable[[Json], Iterable[Json]]


class StringWire:
    """A connection: an event is answered by what `answer` makes of it."""

    subprotocol: str | None = None

    def __init__(self, answer: Answering, first: Iterable[Json]) -> None:
        self.answer = answer
        self.heard: list[Any] = []
        self.is_closed = False
        self._numbers = itertools.count(1)
        self._sent: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        for event in first:
            self.tell(event)

    def tell(self, event: Json | str | bytes | None) -> None:
        """Say something; None hangs up."""
        if isinstance(event, dict):
            event = json.dumps({"event_id": f"event_{next(self._numbers)}", **event})
        self._sent.put_nowait(event)

    async def send(self, message: str | bytes | list[str]) -> None:
        assert isinstance(message, str)
        event = json.loads(message)
        self.heard.append(event)
        for told in self.answer(event):
            self.tell(told)

    async def receive(self) -> str | bytes:
        message = await self._sent.get()
        if message is None:
            raise HungUp(1000, "")
        return message

    async def ping(self) -> None: ...

    async def close(self) -> None:
        self.is_closed = True


class StringTarget:
    """A server whose connections answer alike."""

    has_key, model = False, ""

    def __init__(self, answer: Answering = lambda _: (), first: Iterable[Json] | None = None) -> None:
        self.answer = answer
        self.first = [{"type": "session.created", "session": SESSION}] if first is None else list(first)
        self.wires: list[StringWire] = []
        self.refusal: Exception | None = None

    def redacted(self, text: str) -> str:
        return text.replace("sk-secret", "***")

    async def open(self, dial: Dial) -> StringWire:
        if self.refusal is not None:
            raise self.refusal
        self.wires.append(StringWire(self.answer, self.first))
        return self.wires[-1]

    async def post(self, path: str, body: Any, *, key: str | None = None) -> Answer:
        return Answer(404, b"")


def error(event_id: Any, code: str = "invalid_value", message: str = "No.", param: Any = None) -> Json:
    fields = {"type": "invalid_request_error", "code": code, "message": message, "param": param, "event_id": event_id}
    return {"type": "error", "error": fields}


def polite(event: Json) -> Iterable[Json]:
    """Answer as a server does that refuses all but updates."""
    if event["type"] == "session.update":
        return [{"type": "session.updated", "session": SESSION}]
    return [error(event.get("event_id"), message=f"No {event.get('item_id')}.")]
