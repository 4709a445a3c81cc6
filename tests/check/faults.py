"""A deliberately broken server: whatever it says and hears passes through a relay that breaks one rule.

Each fault has a name, and names the cases that must find it.  `broken(target, name)` is `target` with that fault.
"""

from __future__ import annotations

import asyncio
import copy
import json
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from vivavoce.check.target import Answer, Dial, Target, Wire
from vivavoce.check.verdict import HungUp

Json = dict[str, Any]
Message = Json | str | bytes


class Relay:
    """What stands between a client and the server, on one connection; this one breaks nothing."""

    answers_pings = True

    def from_server(self, event: Json) -> Iterable[Message]:
        """What the client is told instead."""
        return [event]

    def from_client(self, event: Json) -> Iterable[Json]:
        """What the server is told instead."""
        return [event]

    def chosen(self, dial: Dial, subprotocol: str | None) -> str | None:
        """The subprotocol that the client is told."""
        return subprotocol


class Fault(NamedTuple):
    """A fault that can be planted."""

    relay: Callable[[], Relay]
    """What breaks the rule, made anew for each connection."""
    found_by: tuple[str, ...]
    """The cases that must find it."""
    during: tuple[str, ...]
    """The cases that are run to find it."""


FAULTS: dict[str, Fault] = {}
"""Every fault by name."""


def fault(name: str, *found_by: str, during: str = "") -> Callable[[Any], Any]:
    """Plant a fault: a `Relay`, or a function of one server event that returns what is told instead.

    Cases run to find it are those that must find it, and `during` where standing rules alone do.
    """

    def plant(planted: Any) -> Any:
        assert name not in FAULTS
        made = planted
        if not isinstance(planted, type):
            made = type("Planted", (Relay,), {"from_server": lambda self, event: planted(event)})
        cases = tuple(case for case in found_by if ".always." not in case)
        FAULTS[name] = Fault(made, found_by, (*cases, *([during] if during else [])))
        assert FAULTS[name].during
        return planted

    return plant


class BrokenWire:
    """A wire whose messages pass through a relay."""

    def __init__(self, wire: Wire, relay: Relay, dial: Dial) -> None:
        self._wire = wire
        self._relay = relay
        self._dial = dial
        self._pending: list[str | bytes] = []

    @property
    def subprotocol(self) -> str | None:
        return self._relay.chosen(self._dial, self._wire.subprotocol)

    async def send(self, message: str | bytes | list[str]) -> None:
        event = parsed(message)
        if event is None:
            await self._wire.send(message)
            return
        for told in self._relay.from_client(event):
            await self._wire.send(json.dumps(told))

    async def receive(self) -> str | bytes:
        while not self._pending:
            event = parsed(await self._wire.receive())
            assert event is not None
            for told in self._relay.from_server(event):
                self._pending.append(told if isinstance(told, str | bytes) else json.dumps(told))
        return self._pending.pop(0)

    async def ping(self) -> None:
        if not self._relay.answers_pings:
            await asyncio.get_running_loop().create_future()
        await self._wire.ping()

    async def close(self) -> None:
        await self._wire.close()


def parsed(message: object) -> Json | None:
    """The event in a message; None where it holds none."""
    try:
        event = json.loads(message) if isinstance(message, str) else None
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


class broken:
    """A server with a fault."""

    def __init__(self, target: Target, name: str) -> None:
        self._target = target
        self._relay = FAULTS[name].relay

    @property
    def has_key(self) -> bool:
        return self._target.has_key

    @property
    def model(self) -> str:
        return self._target.model

    def redacted(self, text: str) -> str:
        return self._target.redacted(text)

    async def open(self, dial: Dial) -> Wire:
        return BrokenWire(await self._target.open(dial), self._relay(), dial)

    async def post(self, path: str, body: Any, *, key: str | None = None) -> Answer:
        return await self._target.post(path, body, key=key)


def changed(event: Json, path: str, value: Any) -> list[Message]:
    """An event with another value at a path such as `response.usage`; None deletes where the last step ends in `-`."""
    event = copy.deepcopy(event)
    *above, last = path.split(".")
    place = event
    for step in above:
        place = place[step]
    if last.endswith("-"):
        place.pop(last[:-1], None)
    else:
        place[last] = value
    return [event]


def is_answer(event: Json) -> bool:
    item = event.get("item") or {}
    return item.get("role") == "assistant" or item.get("type") == "function_call"


_made = iter(range(10**9))


def invented(kind: str, **fields: Any) -> Json:
    """An event of the relay's own."""
    return {"type": kind, "event_id": f"event_invented_{next(_made)}", **fields}


# ------------------------------------------------------------------------------------------------ the frame


@fault("an event without an id", "ga.always.event-id", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "event_id-", None) if event["type"] == "conversation.item.added" else [event]


@fault("one event id for all", "ga.always.event-id", during="ga.session.updated-whole")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "event_id", "event_1")


@fault("a message that is no JSON", "ga.always.json", during="ga.session.updated-whole")
def _(event: Json) -> Iterable[Message]:
    return [event, "pong"] if event["type"] == "session.updated" else [event]


@fault("a binary frame", "ga.always.json", during="ga.session.updated-whole")
def _(event: Json) -> Iterable[Message]:
    return [event, b"\0\0"] if event["type"] == "session.updated" else [event]


@fault("a frame of a megabyte", "ga.always.frame-size", during="ga.session.updated-whole")
def _(event: Json) -> Iterable[Message]:
    return [{**event, "padding": "x" * (1 << 20)}] if event["type"] == "session.updated" else [event]


@fault("an event of its own making", "ga.always.vocabulary", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    return [event, invented("response.thinking")] if event["type"] == "response.created" else [event]


@fault("the beta spoken with GA's names", "beta.always.vocabulary", "beta.beta.event-names")
def _(event: Json) -> Iterable[Message]:
    return [{**event, "type": event["type"].replace("response.text.", "response.output_text.")}]


@fault("playback told over a WebSocket", "ga.always.no-playback-events", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    if event["type"] != "response.done":
        return [event]
    return [event, invented("output_audio_buffer.started", response_id=event["response"]["id"])]


@fault("session.updated before session.created", "ga.handshake.session-created", "ga.always.order.session")
class _(Relay):
    def from_server(self, event: Json) -> Iterable[Message]:
        if event["type"] != "session.created":
            return [event]
        return [invented("session.updated", session=event["session"]), event]


@fault("no conversation.created", "beta.handshake.session-created")
def _(event: Json) -> Iterable[Message]:
    return [] if event["type"] == "conversation.created" else [event]


@fault("the key subprotocol echoed", "ga.handshake.key-in-subprotocol")
class _(Relay):
    def chosen(self, dial: Dial, subprotocol: str | None) -> str | None:
        return "openai-insecure-api-key.sk-1" if dial.key_in_subprotocol else subprotocol


@fault("no subprotocol chosen", "ga.handshake.subprotocol")
class _(Relay):
    def chosen(self, dial: Dial, subprotocol: str | None) -> str | None:
        return None


@fault("pings unanswered", "ga.frame.ping")
class _(Relay):
    answers_pings = False


# ------------------------------------------------------------------------------------------------ errors


@fault("an error that names no event", "ga.error.event-id")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "error.event_id", None) if event["type"] == "error" else [event]


@fault("an error without its param", "ga.update.unknown-field", "ga.item.invalid-type")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "error.param", None) if event["type"] == "error" else [event]


@fault("another code", "ga.item.delete-unknown")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "error.code", "invalid_value") if event["type"] == "error" else [event]


@fault("another message", "ga.cancel.nothing")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "error.message", "There is no response.") if event["type"] == "error" else [event]


@fault("an unknown event ends the connection", "ga.event.unknown-type")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        if event.get("type") == "nonsense":
            raise HungUp(1011, "")
        return [event]


@fault("an unknown event is passed over", "ga.event.unknown-type")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        return [] if event.get("type") == "nonsense" else [event]


class Forgiving(Relay):
    """Tells the client that all went well where the server refused."""

    code = ""

    def __init__(self) -> None:
        self.sent: dict[str, Json] = {}

    def from_client(self, event: Json) -> Iterable[Json]:
        self.sent[str(event.get("event_id"))] = event
        return [event]

    def from_server(self, event: Json) -> Iterable[Message]:
        if event["type"] != "error" or event["error"]["code"] != self.code:
            return [event]
        return self.instead(self.sent.get(str(event["error"]["event_id"]), {}))

    def instead(self, asked: Json) -> Iterable[Message]:
        return []


def entry(item: Json) -> list[Message]:
    return [invented(f"conversation.item.{kind}", previous_item_id=None, item=item) for kind in ("added", "done")]


@fault("a taken id accepted", "ga.item.duplicate-id")
class _(Forgiving):
    code = "item_create_duplicate_item_id"

    def instead(self, asked: Json) -> Iterable[Message]:
        return entry({**asked["item"], "status": "completed"})


@fault("an empty commit accepted", "ga.input.commit-empty", "ga.input.clear", "ga.input.bad-base64")
class _(Forgiving):
    code = "input_audio_buffer_commit_empty"

    def instead(self, asked: Json) -> Iterable[Message]:
        item_id = f"item_{next(_made)}"
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": content}
        committed = invented("input_audio_buffer.committed", previous_item_id=None, item_id=item_id)
        return [committed, *entry(item)]


@fault("a collision passed over", "ga.response.collision")
class _(Forgiving):
    code = "conversation_already_has_active_response"


@fault("a cancel of nothing passed over", "ga.cancel.nothing", "ga.cancel.done-response")
class _(Forgiving):
    code = "response_cancel_not_active"


@fault("a truncation beyond the end accepted", "ga.truncate.overshoot")
class _(Forgiving):
    code = "invalid_value"

    def instead(self, asked: Json) -> Iterable[Message]:
        fields = {name: asked.get(name) for name in ("item_id", "content_index", "audio_end_ms")}
        return [invented("conversation.item.truncated", **fields)]


# ------------------------------------------------------------------------------------------------ the session


@fault("a bad update half applied", "ga.update.whole-or-nothing")
class _(Relay):
    def __init__(self) -> None:
        self.hidden = 0

    def from_client(self, event: Json) -> Iterable[Json]:
        session = event.get("session")
        if event.get("type") != "session.update" or "instructions" not in (session or {}):
            return [event]
        self.hidden += 1
        half = {"type": "realtime", "instructions": session["instructions"]}
        return [{"type": "session.update", "session": half}, event]

    def from_server(self, event: Json) -> Iterable[Message]:
        if event["type"] == "session.updated" and self.hidden:
            self.hidden -= 1
            return []
        return [event]


@fault("an update that resets what it does not name", "ga.session.merge-objects")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        detection = event.get("session", {}).get("audio", {}).get("input", {}).get("turn_detection")
        if detection and detection.get("type") == "server_vad":
            detection.setdefault("silence_duration_ms", 500)
        return [event]


@fault("an update that is shown in part", "ga.session.updated-whole", "ga.always.fields")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "session.tools-", None) if event["type"] == "session.updated" else [event]


@fault("foreign keys in the transcription", "ga.session.transcription-shown")
def _(event: Json) -> Iterable[Message]:
    shown = event.get("session", {}).get("audio", {}).get("input", {}).get("transcription")
    return changed(event, "session.audio.input.transcription.delay", "low") if shown else [event]


# ------------------------------------------------------------------------------------------------ items


@fault("items with nulls", "ga.always.fields", during="ga.item.create")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "item.call_id", None) if "item" in event else [event]


@fault("items with their audio", "ga.always.fields", during="ga.item.user-audio")
class _(Relay):
    def from_server(self, event: Json) -> Iterable[Message]:
        content = event.get("item", {}).get("content")
        if event["type"] == "conversation.item.added" and content and content[0]["type"] == "input_audio":
            content[0]["audio"] = "AAAA"
        return [event]


@fault("an item that follows another", "ga.item.append", "ga.input.commit-chain")
def _(event: Json) -> Iterable[Message]:
    return [{**event, "previous_item_id": None}] if "previous_item_id" in event else [event]


@fault("ids of its own for the client's items", "ga.item.own-id")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        event.get("item", {}).pop("id", None)
        return [event]


@fault("no done for the client's items", "ga.item.create")
def _(event: Json) -> Iterable[Message]:
    return [] if event["type"] == "conversation.item.done" and not is_answer(event) else [event]


@fault("audio lost in retrieval", "ga.item.retrieve-audio")
def _(event: Json) -> Iterable[Message]:
    if event["type"] == "conversation.item.retrieved":
        for part in event["item"].get("content", []):
            part.pop("audio", None)
    return [event]


class Pretending(Relay):
    """Retrieves an item where it is asked to change it, and says that it changed it."""

    asked_for, told = "", ""

    def __init__(self) -> None:
        self.asked: Json | None = None

    def from_client(self, event: Json) -> Iterable[Json]:
        if event.get("type") != self.asked_for:
            return [event]
        self.asked = event
        return [{"type": "conversation.item.retrieve", "item_id": event["item_id"]}]

    def from_server(self, event: Json) -> Iterable[Message]:
        if event["type"] != "conversation.item.retrieved" or self.asked is None:
            return [event]
        asked, self.asked = self.asked, None
        fields = {name: value for name, value in asked.items() if name not in ("type", "event_id")}
        return [invented(self.told, **fields)]


@fault("a deleted item that stays", "ga.item.delete")
class _(Pretending):
    asked_for, told = "conversation.item.delete", "conversation.item.deleted"


# ------------------------------------------------------------------------------------------------ responses


@fault("no done for an answer's item", "ga.response.text-order", "ga.always.order.response")
def _(event: Json) -> Iterable[Message]:
    return [] if event["type"] == "conversation.item.done" and is_answer(event) else [event]


@fault("response.done twice", "ga.always.order.response", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    if event["type"] != "response.done":
        return [event]
    return [event, invented("response.done", response=event["response"])]


@fault("content before its item", "ga.response.text-order", "ga.always.order.conversation")
class _(Relay):
    def __init__(self) -> None:
        self.held: list[Message] = []

    def from_server(self, event: Json) -> Iterable[Message]:
        if event["type"] == "response.output_item.added":
            self.held = [event]
            return []
        if event["type"] == "response.content_part.added":
            held, self.held = self.held, []
            return [event, *held]
        return [event]


@fault("content that is not done", "ga.response.audio-order", "ga.always.order.content")
def _(event: Json) -> Iterable[Message]:
    return [] if event["type"] == "response.output_audio.done" else [event]


@fault("deltas that do not add up", "ga.response.text-deltas", "ga.always.order.content")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "delta", "...") if event["type"] == "response.output_text.delta" else [event]


@fault("an item that says something else", "ga.response.transcript-deltas")
def _(event: Json) -> Iterable[Message]:
    if event["type"] in ("response.output_item.done", "response.done"):
        event = copy.deepcopy(event)
        for item in event["response"]["output"] if "response" in event else [event["item"]]:
            for part in item.get("content", []):
                part["transcript"] = "Something else."
    return [event]


@fault("usage that does not add up", "ga.always.usage", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "response.usage.total_tokens", 1) if event["type"] == "response.done" else [event]


@fault("usage details that do not add up", "ga.always.usage", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    if event["type"] != "response.done":
        return [event]
    return changed(event, "response.usage.output_token_details", {"text_tokens": 10**6, "audio_tokens": 0})


@fault("audio that is no base64", "ga.always.fields", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "delta", "AAA*") if event["type"] == "response.output_audio.delta" else [event]


@fault("half samples", "ga.always.audio", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    odd = b64encode(bytes(481)).decode()
    return changed(event, "delta", odd) if event["type"] == "response.output_audio.delta" else [event]


@fault("metadata not echoed", "ga.response.metadata")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "response.metadata", None) if event["type"] == "response.created" else [event]


@fault("status details on a complete response", "ga.response.done")
def _(event: Json) -> Iterable[Message]:
    if event["type"] != "response.done" or event["response"]["status"] != "completed":
        return [event]
    return changed(event, "response.status_details", {"type": "cancelled", "reason": "client_cancelled"})


@fault("a done response without its output", "ga.response.done", "ga.always.order.response")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "response.output", []) if event["type"] == "response.done" else [event]


@fault("audio in a written answer", "ga.response.text-only", "ga.always.order.content")
def _(event: Json) -> Iterable[Message]:
    if event["type"] != "response.output_text.delta":
        return [event]
    place = {name: event[name] for name in ("response_id", "item_id", "output_index", "content_index")}
    return [event, invented("response.output_audio.delta", **place, delta="AAAA")]


@fault("limits told first", "ga.always.order.response", during="ga.response.audio-order")
def _(event: Json) -> Iterable[Message]:
    if event["type"] != "response.created":
        return [event]
    return [event, invented("rate_limits.updated", rate_limits=[])]


@fault("out-of-band items in the conversation", "ga.response.out-of-band", "ga.response.out-of-band-order")
class _(Relay):
    def __init__(self) -> None:
        self.alone: set[str] = set()

    def from_server(self, event: Json) -> Iterable[Message]:
        if event["type"] == "response.created" and event["response"]["conversation_id"] is None:
            self.alone.add(event["response"]["id"])
        if event["type"] == "response.output_item.added" and event["response_id"] in self.alone:
            return [event, invented("conversation.item.added", previous_item_id=None, item=event["item"])]
        return [event]


@fault("settings of a response kept", "ga.response.own-settings")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        modalities = (event.get("response") or {}).get("output_modalities")
        if event.get("type") != "response.create" or not modalities:
            return [event]
        return [{"type": "session.update", "session": {"type": "realtime", "output_modalities": modalities}}, event]


@fault("a response of another id", "ga.response.ids")
def _(event: Json) -> Iterable[Message]:
    return [{**event, "response_id": "resp_other"}] if event["type"].endswith("_part.done") else [event]


# ------------------------------------------------------------------------------------------------ cancelling


@fault("a cancel without response.done", "ga.cancel.order")
class _(Relay):
    def __init__(self) -> None:
        self.is_cancelled = False

    def from_client(self, event: Json) -> Iterable[Json]:
        self.is_cancelled = self.is_cancelled or event.get("type") == "response.cancel"
        return [event]

    def from_server(self, event: Json) -> Iterable[Message]:
        return [] if self.is_cancelled and event["type"] == "response.done" else [event]


@fault("a cancelled item that is completed", "ga.cancel.partial-item")
class _(Relay):
    def from_server(self, event: Json) -> Iterable[Message]:
        text = json.dumps(event)
        return [json.loads(text.replace('"status": "incomplete"', '"status": "completed"'))]


@fault("another reason for an end", "ga.cancel.order", "ga.turn.interrupts")
def _(event: Json) -> Iterable[Message]:
    details = event.get("response", {}).get("status_details")
    return changed(event, "response.status_details.reason", "content_filter") if details else [event]


# ------------------------------------------------------------------------------------------------ tools


@fault("a call with null arguments", "ga.tool.added-item", "ga.always.fields")
def _(event: Json) -> Iterable[Message]:
    is_begun = event["type"] == "response.output_item.added" and event["item"]["type"] == "function_call"
    return changed(event, "item.arguments", None) if is_begun else [event]


@fault("a call whose arguments do not add up", "ga.tool.arguments", "ga.always.order.content")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "arguments", "{}") if event["type"].endswith("arguments.done") else [event]


@fault("a call's done without its name", "ga.tool.name-in-done", "ga.always.fields")
def _(event: Json) -> Iterable[Message]:
    return changed(event, "name-", None) if event["type"].endswith("arguments.done") else [event]


@fault("an answer to an output unasked", "ga.tool.output-waits")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        is_output = event.get("item", {}).get("type") == "function_call_output"
        return [event, {"type": "response.create"}] if is_output else [event]


# ------------------------------------------------------------------------------------------------ input and turns


@fault("an answer to a commit unasked", "ga.input.commit")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        return [event, {"type": "response.create"}] if event.get("type") == "input_audio_buffer.commit" else [event]


@fault("an item that is not committed", "ga.turn.order")
def _(event: Json) -> Iterable[Message]:
    return [] if event["type"] == "input_audio_buffer.committed" else [event]


@fault("speech that stops under another id", "ga.turn.ids", "ga.always.order.input")
def _(event: Json) -> Iterable[Message]:
    return [{**event, "item_id": "item_other"}] if event["type"].endswith("speech_stopped") else [event]


@fault("speech that starts twice", "ga.always.order.input", during="ga.turn.no-response")
def _(event: Json) -> Iterable[Message]:
    if not event["type"].endswith("speech_started"):
        return [event]
    return [event, {**event, "event_id": f"{event['event_id']}_again"}]


@fault("a clock that a clear resets", "ga.turn.clock-runs-on")
class _(Relay):
    def from_server(self, event: Json) -> Iterable[Message]:
        for name in ("audio_start_ms", "audio_end_ms"):
            if name in event:
                event = {**event, name: max(0, event[name] - 2000)}
        return [event]


@fault("speech that does not interrupt", "ga.turn.interrupts")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        detection = event.get("session", {}).get("audio", {}).get("input", {}).get("turn_detection")
        if detection:
            detection["interrupt_response"] = False
        return [event]


@fault("speech that interrupts always", "ga.turn.does-not-interrupt")
class _(Relay):
    def from_client(self, event: Json) -> Iterable[Json]:
        detection = event.get("session", {}).get("audio", {}).get("input", {}).get("turn_detection")
        if detection:
            detection["interrupt_response"] = True
        return [event]


@fault("silence taken for speech", "ga.turn.silence")
class _(Relay):
    def __init__(self) -> None:
        self.appended = 0

    def from_client(self, event: Json) -> Iterable[Json]:
        if event.get("type") == "input_audio_buffer.append":
            self.appended += 1
            if self.appended == 10:
                return [event, {"type": "input_audio_buffer.commit"}]
        return [event]


# ------------------------------------------------------------------------------------------------ afterwards


@fault("a truncation that leaves the transcript", "ga.truncate.transcript", "ga.truncate.nothing-heard")
class _(Pretending):
    asked_for, told = "conversation.item.truncate", "conversation.item.truncated"


@fault("a transcription that says something else", "ga.transcription.completed", "ga.transcription.in-item")
def _(event: Json) -> Iterable[Message]:
    is_end = event["type"].endswith("input_audio_transcription.completed")
    return changed(event, "transcript", "Something else.") if is_end else [event]


@fault("a transcription that ends twice", "ga.always.order.transcription", during="ga.transcription.completed")
def _(event: Json) -> Iterable[Message]:
    if not event["type"].endswith("input_audio_transcription.completed"):
        return [event]
    return [event, {**event, "event_id": f"{event['event_id']}_again"}]


@fault("transcription unasked", "ga.transcription.off")
def _(event: Json) -> Iterable[Message]:
    if event["type"] != "input_audio_buffer.committed":
        return [event]
    told = {"item_id": event["item_id"], "content_index": 0, "delta": "um"}
    return [event, invented("conversation.item.input_audio_transcription.delta", **told)]
