"""One answer as events, in the only legal order, whatever befalls it."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import re
from collections.abc import Callable
from typing import Any, Protocol

from . import sounds
from .conversation import Conversation, Hear, Item
from .faults import Trouble
from .schema import Json
from .script import Call, Message, Output
from .terms import Terms

WORD = re.compile(r"\s*\S+\s*?")


class Wire(Protocol):
    """What a response needs of its session."""

    terms: Terms

    def send(self, event: Json) -> None:
        """Send an event."""

    async def drain(self) -> None:
        """Wait until the client has taken enough."""

    def new_id(self, kind: str) -> str:
        """Return an id."""

    def befall(self, trouble: Trouble) -> None:
        """Let a trouble do to the connection what it does."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a response is made with."""

    modality: str
    """`audio` or `text`."""
    kind: str
    """The format of its audio."""
    voice: Any
    """The voice that is told."""
    conversation: Conversation | None
    """What its items enter; None for an answer out of band."""
    metadata: Json | None
    """What the client gave it to tell it by."""
    max_tokens: int | str
    """How long it may be."""
    outputs: list[Output]
    """What is answered."""
    usage: Callable[[list[Item]], Json]
    """Tells what the items of the answer cost."""


LONG_WORDS = 100
"""A written answer of more words comes in pieces of so many."""


class Over(Exception):
    """The response has ended while it was being said."""


class Response:
    """One answer."""

    def __init__(self, wire: Wire, plan: Plan, trouble: Trouble | None, hear: Hear) -> None:
        self.id = wire.new_id("resp")
        """Its id."""
        self.plan = plan
        """What it is made with."""
        self.is_over = False
        """Whether it has ended."""
        self._wire = wire
        self._trouble = trouble
        self._ended = asyncio.Event()
        self._hear = hear
        self._deltas = 0
        self._output: list[Item] = []
        self._item: Item | None = None
        self._has_part = False
        self._said = ""

    def begin(self) -> None:
        """Announce it."""
        self._wire.send({"type": "response.created", "response": self._shown("in_progress", None, None)})

    async def run(self) -> None:
        """Say everything; returns when the response has ended, or nothing more is to come of it."""
        try:
            await self._pause(self._wire.terms.thinking_seconds)
            await self._befall()
            for output in self.plan.outputs:
                match output:
                    case Message():
                        await self._say(output)
                    case Call():
                        await self._call(output)
        except Over:
            return
        self.end("completed", None)

    def end(self, status: str, details: Json | None) -> None:
        """End it: everything that is open is closed as it stands."""
        if self.is_over:
            return
        self.is_over = True
        self._ended.set()
        if self._item is not None:
            self._close_item("incomplete")
        usage = None if status == "failed" and not self._output else self.plan.usage(self._output)
        self._wire.send({"type": "response.done", "response": self._shown(status, details, usage)})
        limit = {"name": "tokens", "limit": 10_000_000, "remaining": 9_999_000, "reset_seconds": 0.06}
        self._wire.send({"type": "rate_limits.updated", "rate_limits": [limit]})

    def cancel(self, reason: str) -> None:
        """End it before its time."""
        self.end("cancelled", {"type": "cancelled", "reason": reason})

    # ------------------------------------------------------------------------------------------------ items

    async def _say(self, message: Message) -> None:
        self._open({"type": "message", "role": "assistant", "status": "in_progress", "content": []})
        empty = {"type": "audio", "transcript": ""} if self.plan.modality == "audio" else {"type": "text", "text": ""}
        self._send("response.content_part.added", content_index=0, part=empty)
        self._has_part = True
        words = WORD.findall(message.text) or [message.text]
        if self.plan.modality != "audio" and self.plan.max_tokens in (None, "inf") and len(words) > LONG_WORDS:
            # A book is not written word by word.
            words = ["".join(words[at : at + LONG_WORDS]) for at in range(0, len(words), LONG_WORDS)]
        for number, word in enumerate(words):
            if isinstance(self.plan.max_tokens, int) and number >= self.plan.max_tokens:
                self.end("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
                raise Over
            await (self._speak(word) if self.plan.modality == "audio" else self._write(word))
        self._close_item("completed")

    async def _speak(self, word: str) -> None:
        assert self._item is not None
        terms, item = self._wire.terms, self._item
        if word:
            self._said += word
            self._send("response.output_audio_transcript.delta", content_index=0, delta=word)
        audio = sounds.word(len(word.strip()), terms.word_ms, self.plan.kind)
        item.kind = self.plan.kind
        size = terms.delta_ms * sounds.FORMATS[self.plan.kind]
        for start in range(0, len(audio), size):
            piece = audio[start : start + size]
            if not item.is_cut:
                item.audio.setdefault(0, bytearray()).extend(piece)
            self._send("response.output_audio.delta", content_index=0, delta=base64.b64encode(piece).decode())
            await self._delta(len(piece) / sounds.FORMATS[self.plan.kind] / 1000)

    async def _write(self, word: str) -> None:
        if not word:
            return
        self._said += word
        self._send("response.output_text.delta", content_index=0, delta=word)
        await self._delta(0.0)  # words that are only written keep no pace

    async def _call(self, call: Call) -> None:
        call_id = self._wire.new_id("call")
        shown = {"type": "function_call", "status": "in_progress", "name": call.name, "call_id": call_id}
        self._open({**shown, "arguments": ""})
        half = len(call.arguments) // 2
        for piece in (call.arguments[:half], call.arguments[half:]):
            if piece:
                self._said += piece
                self._send("response.function_call_arguments.delta", call_id=call_id, delta=piece)
                await self._delta(0.0)
        self._close_item("completed")

    def _open(self, shown: Json) -> None:
        self._item = Item({"id": self._wire.new_id("item"), **shown})
        self._said = ""
        self._send("response.output_item.added", item=dict(self._item.shown))
        if self.plan.conversation is not None:
            previous = self.plan.conversation.add(self._item)
            self._wire.send(
                {"type": "conversation.item.added", "previous_item_id": previous, "item": dict(self._item.shown)}
            )

    def _close_item(self, status: str) -> None:
        item, self._item = self._item, None
        assert item is not None
        self._output.append(item)
        if item.shown["type"] == "function_call":
            self._close_call(item, status)
        elif self._has_part:
            self._close_part(item)
        self._has_part = False
        item.shown["status"] = status
        self._send_of(item, "response.output_item.done", item=dict(item.shown))
        conversation = self.plan.conversation
        if conversation is not None:
            done = {"type": "conversation.item.done", "item": dict(item.shown)}
            self._wire.send({**done, "previous_item_id": conversation.before(item)})

    def _close_call(self, item: Item, status: str) -> None:
        item.shown["arguments"] = self._said
        if status == "completed":
            fields = {"call_id": item.shown["call_id"], "name": item.shown["name"], "arguments": self._said}
            self._send_of(item, "response.function_call_arguments.done", **fields)

    def _close_part(self, item: Item) -> None:
        if self.plan.modality == "audio":
            self._send_of(item, "response.output_audio.done", content_index=0)
            self._send_of(item, "response.output_audio_transcript.done", content_index=0, transcript=self._said)
            part: Json = {"type": "audio", "transcript": self._said}
            kept = "" if item.is_cut else self._said
            item.shown["content"] = [{"type": "output_audio", "transcript": kept}]
        else:
            self._send_of(item, "response.output_text.done", content_index=0, text=self._said)
            part = {"type": "text", "text": self._said}
            item.shown["content"] = [{"type": "output_text", "text": self._said}]
        self._send_of(item, "response.content_part.done", content_index=0, part=part)

    # ------------------------------------------------------------------------------------------------ events

    def _send(self, kind: str, /, **fields: Any) -> None:
        assert self._item is not None
        self._send_of(self._item, kind, **fields)

    def _send_of(self, item: Item, kind: str, /, **fields: Any) -> None:
        place = self._output.index(item) if item in self._output else len(self._output)
        event = {"type": kind, "response_id": self.id, "output_index": place}
        self._wire.send({**event, **fields} if "item" in fields else {**event, "item_id": item.id, **fields})

    async def _delta(self, seconds: float) -> None:
        self._deltas += 1
        await self._befall()
        pace = self._wire.terms.pace
        await self._pause(seconds / pace if pace else 0.0)

    async def _pause(self, seconds: float) -> None:
        await self._wire.drain()
        await asyncio.sleep(seconds)
        if self.is_over:
            raise Over

    async def _befall(self) -> None:
        trouble = self._trouble
        if trouble is None or self._deltas < trouble.after_deltas:
            return
        if trouble.what == "fail":
            self.end("failed", {"type": "failed", "error": trouble.error})
            raise Over
        if trouble.what == "end":
            self.end("incomplete", {"type": "incomplete", "reason": trouble.reason or "content_filter"})
            raise Over
        if trouble.what == "stall":
            await self._ended.wait()
            raise Over
        self._wire.befall(trouble)
        raise Over

    def _shown(self, status: str, details: Json | None, usage: Json | None) -> Json:
        plan = self.plan
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [dict(item.shown) for item in self._output] if status != "in_progress" else [],
            "conversation_id": plan.conversation.id if plan.conversation else None,
            "output_modalities": [plan.modality],
            "max_output_tokens": plan.max_tokens,
            "audio": {"output": {"format": shown_format(plan.kind), "voice": plan.voice}},
            "usage": usage,
            "metadata": plan.metadata,
        }


def shown_format(kind: str) -> Json:
    """Return a format as settings show it."""
    return {"type": kind, "rate": 24_000} if kind == "audio/pcm" else {"type": kind}
