"""One session: what its client asks is checked, done and told."""

from __future__ import annotations

import asyncio
import base64
import json
import traceback
from collections.abc import Callable
from typing import Any

from . import settings
from .billing import Meter
from .conversation import Conversation, Item, created
from .faults import Faults, Trouble
from .hearing import Buffer, SpeechStarted
from .responses import Plan, Response
from .schema import Json, Refused, choice
from .script import Prompt, Script
from .sdk import objections
from .spelling import Spelling
from .tally import Tally, Violation
from .terms import TRANSCRIBERS, Terms
from .wire import Socket

COMMIT_MS = 100
"""The least audio that a client may commit."""


class Session:
    """One session, for as long as its connection lasts."""

    def __init__(
        self, socket: Socket, terms: Terms, faults: Faults, tally: Tally, spelling: Spelling,
        new_id: Callable[[str], str], kind: str, model: str,
    ) -> None:  # fmt: skip
        self.terms = terms
        """What the stand-in serves."""
        self.id = new_id("sess")
        """The session's id."""
        self.new_id = new_id
        """Makes ids."""
        self.socket = socket
        """Its connection."""
        self.settings = settings.at_first(kind, self.id, model, terms)
        """Its effective settings."""
        self.conversation = Conversation(new_id("conv"))
        """Its items."""
        self.buffer = Buffer()
        """What it hears."""
        self._faults = faults
        self._tally = tally
        self._spelling = spelling
        self._script = Script(terms.rules, self._hear)
        self._meter = Meter(self._hear)
        self._tasks: set[asyncio.Task[None]] = set()
        self._responses: dict[str, Response] = {}
        self._turn_id: str | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._event: Json = {}

    # ------------------------------------------------------------------------------------------------ connection

    async def run(self) -> None:
        """Serve the client until the connection ends."""
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(self.terms.session_seconds, self._expire)
        try:
            if not self._faults.is_mute:
                self.send({"type": "session.created", "session": settings.shown(self.settings)})
            while (message := await self.socket.receive()) is not None:
                if self._faults.is_mute:
                    continue
                if isinstance(message, bytes):
                    self._refuse({}, Refused("invalid_event", "Messages are text."))
                    self.socket.close(1003, "messages are text")
                    continue
                self._tally.bytes_received += len(message)
                self.receive(message)
        finally:
            expiry.cancel()
            self._rest()
            for response in self._responses.values():
                response.is_over = True
                self._tally.responses["broken"] += 1
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, event: Json) -> None:
        """Send an event, in the client's spelling."""
        if event["type"] == "response.done":
            self._tally.responses[event["response"]["status"]] += 1
        for spelled in self._spelling.server_events(event):
            told = {"type": spelled.pop("type"), "event_id": self.new_id("event"), **spelled}
            if self._faults.sends_unknown:
                self._send_unknown(told)
            self._send_text(told)

    def _send_unknown(self, event: Json) -> None:
        event["x_vendor_note"] = {"of": event["type"]}
        self._send_text({"type": "vendor.note.added", "event_id": self.new_id("event"), "note": event["type"]})

    def _send_text(self, event: Json) -> None:
        text = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        if self.socket.send(text):
            self._tally.sent[event["type"]] += 1
            self._tally.bytes_sent += len(text)

    async def drain(self) -> None:
        """Wait until the client has taken enough."""
        await self.socket.drain()

    def befall(self, trouble: Trouble) -> None:
        """Cut or close the connection."""
        if trouble.what == "close":
            self.socket.close(trouble.code, trouble.reason)
        else:
            self._tally.dropped += 1
            self.socket.drop()

    def fail(self, refused: Refused, code: int, reason: str) -> None:
        """End the session with an error."""
        self._send_error(refused, None)
        self.socket.close(code, reason)

    def _expire(self) -> None:
        self._tally.expired += 1
        told = "Your session hit the maximum duration of 60 minutes."
        self.fail(Refused("session_expired", told), 1001, told)

    # ------------------------------------------------------------------------------------------------ client events

    def receive(self, message: str) -> None:
        """Do what an event asks for, or tell what is wrong with it."""
        event: Any = None
        try:
            try:
                event = json.loads(message)
            except ValueError:
                raise Refused("invalid_event", "We could not parse the JSON body of your event.") from None
            if not isinstance(event, dict):
                raise Refused("invalid_event", "An event is a JSON object.")
            self._event = event
            kind = event.get("type")
            if kind is None:
                raise Refused("invalid_event", "The 'type' field is missing.")
            self._tally.received[str(kind)] += 1
            known = self._spelling.client_events
            choice(*known)(kind, "type")
            known[kind](event, "")
            if objection := objections(event, self.terms.shape):
                raise Refused("sdk_type", objection)
            spelled = self._spelling.client_event(event)
            self._doers[spelled["type"]](self, spelled)
        except Refused as refused:
            self._refuse(event if isinstance(event, dict) else {}, refused)

    def _refuse(self, event: Json, refused: Refused) -> None:
        event_id, kind = event.get("event_id"), event.get("type")
        code = refused.code or refused.type
        self._tally.violations.append(Violation(self.id, code, refused.message, refused.param, event_id, kind))
        self._send_error(refused, event_id if isinstance(event_id, str) else None)

    def _send_error(self, refused: Refused, event_id: str | None) -> None:
        error = {"type": refused.type, "code": refused.code, "message": refused.message, "param": refused.param}
        self.send({"type": "error", "error": {**error, "event_id": event_id}})

    def _update(self, event: Json) -> None:
        old = self.settings
        self.settings = settings.updated(old, event["session"], self.conversation.has_assistant_audio)
        heard = self.settings["audio"]["input"]
        self.buffer.change(heard["format"]["type"])
        self.send({"type": "session.updated", "session": settings.shown(self.settings)})
        if heard["turn_detection"] != old["audio"]["input"]["turn_detection"]:
            self._rest()

    def _append(self, event: Json) -> None:
        detection = self.settings["audio"]["input"]["turn_detection"]
        for found in self.buffer.write(base64.b64decode(event["audio"]), detection):
            if isinstance(found, SpeechStarted):
                self._start_turn(found.start_ms)
            else:
                self._stop_turn(found.end_ms, found.audio)

    def _commit(self, event: Json) -> None:
        audio = self.buffer.uncommitted
        length_ms = len(audio) / self._bytes_per_ms
        if length_ms < COMMIT_MS:
            told = (
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer "
                f"only has {length_ms:.2f}ms of audio."
            )
            raise Refused("input_audio_buffer_commit_empty", told)
        item_id = self._turn_id or self.new_id("item")
        if self._turn_id is not None:
            stopped = {"audio_end_ms": self.buffer.position_ms, "item_id": item_id}
            self.send({"type": "input_audio_buffer.speech_stopped", **stopped})
        self._turn_id = None
        self._take_turn(item_id, self.buffer.take())

    def _clear(self, event: Json) -> None:
        if self._turn_id is not None:
            stopped = {"audio_end_ms": self.buffer.position_ms, "item_id": self._turn_id}
            self.send({"type": "input_audio_buffer.speech_stopped", **stopped})
            self._turn_id = None
        self.buffer.clear()
        self.send({"type": "input_audio_buffer.cleared"})

    def _clear_output(self, event: Json) -> None:
        told = "Invalid value: 'output_audio_buffer.clear'. It is supported for WebRTC and SIP only."
        raise Refused("invalid_value", told, "type")

    def _create_item(self, event: Json) -> None:
        given = event["item"]
        self._need_realtime(event)
        if given["type"] == "function_call_output" and not self.conversation.has_call(given["call_id"]):
            told = f"Tool call ID '{given['call_id']}' not found in conversation."
            raise Refused("invalid_tool_call_id", told)
        item = created(given, self.new_id, self.buffer.kind)
        previous = self.conversation.add(item, self.conversation.place(event.get("previous_item_id")))
        self._send_entered(item, previous)

    def _retrieve(self, event: Json) -> None:
        item = self.conversation.retrieve(event["item_id"])
        self.send({"type": "conversation.item.retrieved", "item": item})

    def _delete(self, event: Json) -> None:
        self.conversation.delete(event["item_id"])
        self.send({"type": "conversation.item.deleted", "item_id": event["item_id"]})

    def _truncate(self, event: Json) -> None:
        fields = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        self.conversation.truncate(fields["item_id"], fields["content_index"], fields["audio_end_ms"])
        self.send({"type": "conversation.item.truncated", **fields})

    def _create_response(self, event: Json) -> None:
        self._need_realtime(event)
        asked: Json = {name: value for name, value in (event.get("response") or {}).items() if value is not None}
        is_apart = asked.get("conversation") == "none"
        if not is_apart and (active := self.active) is not None:
            told = f"Conversation already has an active response in progress: {active.id}. "
            told += "Wait until the response is finished before creating a new one."
            raise Refused("conversation_already_has_active_response", told)
        self.respond(asked)

    def _cancel(self, event: Json) -> None:
        wanted = event.get("response_id")
        response = self._responses.get(wanted) if wanted else self.active
        if response is None or response.is_over:
            raise Refused("response_cancel_not_active", "Cancellation failed: no active response found")
        response.cancel("client_cancelled")

    def _need_realtime(self, event: Json) -> None:
        if self.settings["type"] == "transcription":
            told = f"Invalid value: '{event['type']}'. It is not supported in transcription sessions."
            raise Refused("invalid_value", told, "type")

    _doers: dict[str, Callable[[Session, Json], None]] = {
        "session.update": _update,
        "input_audio_buffer.append": _append,
        "input_audio_buffer.commit": _commit,
        "input_audio_buffer.clear": _clear,
        "output_audio_buffer.clear": _clear_output,
        "conversation.item.create": _create_item,
        "conversation.item.retrieve": _retrieve,
        "conversation.item.delete": _delete,
        "conversation.item.truncate": _truncate,
        "response.create": _create_response,
        "response.cancel": _cancel,
    }

    # ------------------------------------------------------------------------------------------------ turns

    @property
    def _bytes_per_ms(self) -> int:
        return 48 if self.buffer.kind == "audio/pcm" else 8

    def _hear(self, seconds: float) -> str:
        return self.terms.heard.format(seconds=seconds)

    def _start_turn(self, start_ms: int) -> None:
        self._rest()
        self._turn_id = self.new_id("item")
        started = {"audio_start_ms": start_ms, "item_id": self._turn_id}
        self.send({"type": "input_audio_buffer.speech_started", **started})
        detection = self.settings["audio"]["input"]["turn_detection"]
        if detection["interrupt_response"] and (active := self.active) is not None:
            active.cancel("turn_detected")

    def _stop_turn(self, end_ms: int, audio: bytes) -> None:
        assert self._turn_id is not None
        item_id, self._turn_id = self._turn_id, None
        self.send({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": end_ms, "item_id": item_id})
        self._take_turn(item_id, audio)
        detection = self.settings["audio"]["input"]["turn_detection"]
        is_answered = detection["create_response"] and self.settings["type"] == "realtime"
        if is_answered and self.active is None:
            self.respond({})

    def _take_turn(self, item_id: str, audio: bytes) -> None:
        shown = {"id": item_id, "type": "message", "status": "completed", "role": "user"}
        item = Item(
            {**shown, "content": [{"type": "input_audio", "transcript": None}]}, {0: bytearray(audio)}, self.buffer.kind
        )
        committed = {"previous_item_id": self.conversation.last_id, "item_id": item_id}
        self.send({"type": "input_audio_buffer.committed", **committed})
        self._send_entered(item, self.conversation.add(item))
        if self.settings["audio"]["input"]["transcription"] is not None:
            self._start(self._transcribe(item))

    def _send_entered(self, item: Item, previous: str | None) -> None:
        entered = {"previous_item_id": previous, "item": dict(item.shown)}
        self.send({"type": "conversation.item.added", **entered})
        self.send({"type": "conversation.item.done", **entered})

    async def _transcribe(self, item: Item) -> None:
        await asyncio.sleep(self.terms.transcribing_seconds)
        kind = "conversation.item.input_audio_transcription"
        words = self._hear(item.audio_ms(0) / 1000)
        model = (self.settings["audio"]["input"]["transcription"] or {}).get("model") or TRANSCRIBERS[0]
        self.send({"type": f"{kind}.delta", "item_id": item.id, "content_index": 0, "delta": words})
        item.shown["content"] = [{"type": "input_audio", "transcript": words}]
        usage = self._meter.transcription(model, item.audio_ms(0), words)
        done = {"item_id": item.id, "content_index": 0, "transcript": words, "usage": usage}
        self.send({"type": f"{kind}.completed", **done})

    # ------------------------------------------------------------------------------------------------ answers

    @property
    def active(self) -> Response | None:
        """The response of the conversation that is being said."""
        return next((one for one in self._responses.values() if one.plan.conversation and not one.is_over), None)

    def respond(self, asked: Json) -> None:
        """Begin an answer, made with what was asked for it alone."""
        context = self._context(asked.get("input"))
        chosen = {**self.settings, **asked}
        output = {**self.settings["audio"]["output"], **asked.get("audio", {}).get("output", {})}
        prompt = Prompt(
            items=tuple(context),
            instructions=chosen["instructions"],
            asked=asked.get("instructions"),
            tools=chosen["tools"],
            tool_choice=chosen["tool_choice"],
        )
        plan = Plan(
            modality="audio" if "audio" in chosen["output_modalities"] else "text",
            kind=output["format"]["type"],
            voice=output["voice"],
            conversation=None if asked.get("conversation") == "none" else self.conversation,
            metadata=asked.get("metadata"),
            max_tokens=chosen["max_output_tokens"],
            outputs=self._script.answer(prompt),
            usage=self._meter.response(context, prompt.instructions, prompt.tools),
        )
        response = Response(self, plan, self._faults.take(), self._hear)
        self._responses[response.id] = response
        response.begin()
        self._start(self._answer(response))

    async def _answer(self, response: Response) -> None:
        await response.run()
        if response.is_over:
            self._responses.pop(response.id, None)
        self._await_user(response)

    def _context(self, given: list[Json] | None) -> list[Item]:
        if given is None:
            return list(self.conversation.items)
        items = []
        for index, one in enumerate(given):
            if one["type"] != "item_reference":
                items.append(created(one, self.new_id, self.buffer.kind))
                continue
            if (known := self.conversation.find(one["id"])) is None:
                param = f"response.input[{index}].id"
                raise Refused("invalid_value", f"Invalid value: '{one['id']}'. There is no such item.", param)
            items.append(known)
        return items

    def _await_user(self, response: Response) -> None:
        """Let the user think, but not for too long."""
        detection = self.settings["audio"]["input"]["turn_detection"] or {}
        idle_ms = detection.get("idle_timeout_ms")
        if idle_ms is None or self._turn_id is not None or response.plan.conversation is None:
            return
        self._rest()
        played_ms = sum(item.total_audio_ms for item in self.conversation.items[-1:])
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later((played_ms + idle_ms) / 1000, self._time_out, self.buffer.position_ms)

    def _time_out(self, start_ms: int) -> None:
        self._idle = None
        if self._turn_id is not None or self.active is not None:
            return
        item_id = self.new_id("item")
        span = {"audio_start_ms": start_ms, "audio_end_ms": self.buffer.position_ms, "item_id": item_id}
        self.send({"type": "input_audio_buffer.timeout_triggered", **span})
        self._take_turn(item_id, b"")
        self.respond({})

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tally.crashes.append("".join(traceback.format_exception(error)))
            self.socket.close(1011, "the stand-in has a fault")
