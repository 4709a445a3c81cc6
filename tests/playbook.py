"""Drives one session by hand and shows what it asks for as short lines, so that tests can state whole lists.

    play = Playbook()
    assert play.client("response.create") == ["response.created resp_1 in_progress", "rate_limits.updated early", ...]

Ids count from 1 for each kind.  `play.last` holds the effects of the last input themselves.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.errors import ProtocolError
from vivavoce.core.items import (
    FunctionCall,
    FunctionCallOutput,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Message,
)
from vivavoce.core.limits import DEFAULT_LIMITS, Limits
from vivavoce.core.service import DEFAULT_SERVICE, Service
from vivavoce.core.session import Session
from vivavoce.core.settings import Settings
from vivavoce.dialects.choose import choose

FRAME_TICKS = 1536
"""What one judged frame of audio lasts: 32 ms."""
NOTHING: list[str] = []


class CountedIds:
    """Readable ids: `item_1`, `item_2`, `resp_1`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, kind: str) -> str:
        self.counts[kind] += 1
        return f"{kind}_{self.counts[kind]}"


class Playbook:
    """One started session."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        shape: str | None = "ga",
        update: dict[str, Any] | None = None,
        service: Service = DEFAULT_SERVICE,
    ) -> None:
        settings = settings or Settings()
        self.dialect = choose(shape, settings.kind)
        self.session = Session(settings, new_id=CountedIds(), created_unix=1e9, limits=limits, service=service)
        self.now = 0.0
        self.last: list[ef.Effect] = []
        self.heard_to = 0
        self.started = self.take(self.session.start(0.0))
        if update is not None:
            assert self.update(**update)[0] == "session.updated"

    # ------------------------------------------------------------------------------------------------ inputs

    def take(self, effects: list[ef.Effect]) -> list[str]:
        self.last = effects
        return [line(effect) for effect in effects]

    def client(self, kind: str, /, **fields: Any) -> list[str]:
        """Have the client send a message."""
        data = msgspec.json.encode({"type": kind, **fields})
        try:
            event = self.dialect.decode(data)
        except ProtocolError as mistake:
            return self.take(self.session.receive_mistake(mistake, self.now))
        return self.take(self.session.receive_event(event, self.now))

    def report(self, report: rp.Report) -> list[str]:
        """Have the world report."""
        return self.take(self.session.receive_report(report, self.now))

    def time(self, now: float) -> list[str]:
        self.now = now
        return self.take(self.session.receive_time(now))

    def update(self, **session: Any) -> list[str]:
        if self.dialect.name == "ga":
            session = {"type": self.session.settings.kind, **session}
        return self.client("session.update", session=session)

    def detect(self, **detection: Any) -> list[str]:
        """Set the turn detection; nothing given turns it off."""
        value = {"type": "server_vad", **detection} if detection else None
        return self.update(audio={"input": {"turn_detection": value}})

    def append(self, ms: int, *, bytes_per_ms: int = 48) -> list[str]:
        return self.client("input_audio_buffer.append", audio=b64(bytes(ms * bytes_per_ms)))

    def hear(self, *probabilities: float) -> list[str]:
        """Report one frame of 32 ms after another; all their effects."""
        lines: list[str] = []
        effects: list[ef.Effect] = []
        for probability in probabilities:
            self.heard_to += FRAME_TICKS
            lines += self.report(rp.Heard(self.heard_to, probability))
            effects += self.last
        self.last = effects
        return lines

    def speak(self, frames: int = 10, ms: int = 1000) -> list[str]:
        """Have the user begin to speak."""
        self.append(ms)
        return self.hear(*[0.9] * frames)

    def stop_speaking(self) -> list[str]:
        """Have the user be silent for long enough."""
        self.append(1000)
        return self.hear(*[0.01] * 20)

    def turn(self, text: str = "hello") -> str:
        """Have the user say something that is understood; returns the item's id."""
        self.speak()
        self.stop_speaking()
        item_id = self.session.conversation.last_id
        assert item_id is not None
        self.report(rp.Transcribed(item_id, text))
        return item_id

    def add_text(self, text: str = "hello", **fields: Any) -> list[str]:
        return self.client("conversation.item.create", item=user(text), **fields)

    def respond(self, **response: Any) -> str:
        """Have the client ask for an answer; returns its id."""
        self.client("response.create", response=response or None)
        return next(e.event.response.id for e in self.last if isinstance(e, ef.Send)
                    and isinstance(e.event, ev.ResponseCreated))  # fmt: skip

    # ------------------------------------------------------------------------------------------------ outputs

    @property
    def prompt(self) -> ef.Prompt:
        """The prompt of the one `Answer` among the last effects."""
        (prompt,) = (effect.prompt for effect in self.last if isinstance(effect, ef.Answer))
        return prompt

    def sent(self, kind: type[Any]) -> Any:
        """The one event of that kind among the last effects."""
        (event,) = (e.event for e in self.last if isinstance(e, ef.Send) and isinstance(e.event, kind))
        return event

    @property
    def error(self) -> ev.Error:
        """The one effect there was, an error."""
        (effect,) = self.last
        assert isinstance(effect, ef.Send)
        assert isinstance(effect.event, ev.Error)
        return effect.event

    @property
    def ids(self) -> list[str]:
        return list(self.session.conversation.ids)

    def item(self, item_id: str) -> Any:
        return self.session.conversation.find(item_id)

    def messages(self) -> list[dict[str, Any]]:
        """The last effects' events as they go over the wire."""
        frames = [f for e in self.last if isinstance(e, ef.Send) for f in self.dialect.encode(e.event)]
        return [msgspec.json.decode(frame) for frame in frames]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def user(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **fields}


def function(name: str = "look_up", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": "", "parameters": {"type": "object"}, **fields}


def kinds(lines: Iterable[str]) -> list[str]:
    """The first words of lines."""
    return [line.split(" ")[0] for line in lines]


# ----------------------------------------------------------------------------------------------------- lines


def line(effect: ef.Effect) -> str:
    """An effect as one line."""
    match effect:
        case ef.Send():
            return _event(effect.event)
        case ef.Listen():
            return f"Listen {effect.at}+{len(effect.audio)} {'detect' if effect.detect else 'only'}"
        case ef.Transcribe():
            return f"Transcribe {effect.item_id} from {effect.start}"
        case ef.Conclude():
            return f"Conclude {effect.item_id} at {effect.end}"
        case ef.Recognise():
            return f"Recognise {effect.item_id} {len(effect.audio)}"
        case ef.Discard():
            return f"Discard {effect.item_id}"
        case ef.Answer():
            return f"Answer {effect.prompt.response_id}"
        case ef.ListTools():
            return f"ListTools {effect.item_id} {effect.server.label}"
        case ef.CallTool():
            return f"CallTool {effect.item_id} {effect.server.label}.{effect.name}({effect.arguments})"
        case ef.DropTool():
            return f"DropTool {effect.item_id}"
        case ef.Denoise():
            return f"Denoise {effect.mode} {effect.strength}"
        case ef.Abandon():
            return f"Abandon {effect.response_id}"
        case ef.Close():
            return f"Close {effect.code} {effect.reason}"
        case _:
            return type(effect).__name__


_GA = choose("ga")


def _event(event: ev.ServerEvent) -> str:
    """An event as its GA type and what matters of it."""
    frames = _GA.encode(event)
    if not frames:
        return "conversation.created" if isinstance(event, ev.ConversationCreated) else "rate_limits.updated early"
    kind = msgspec.json.decode(frames[0])["type"]
    match event:
        case ev.Error():
            told = f"{event.code} {event.param}"
        case ev.ItemAdded() | ev.ItemDone():
            told = f"{_item(event.item)} after {event.previous_item_id}"
        case ev.OutputItemAdded() | ev.OutputItemDone():
            told = f"{event.response_id} {event.output_index} {_item(event.item)}"
        case ev.ResponseCreated() | ev.ResponseDone():
            state = event.response
            reason = state.status_details and (state.status_details.reason or state.status_details.error_code)
            told = f"{state.id} {state.status}" + (f" {reason}" if reason else "")
        case ev.AudioDelta():
            told = f"{event.item_id} {len(event.delta)}"
        case ev.PartAdded() | ev.PartDone():
            told = f"{event.item_id} {event.content_index} {_words(event.part)!r}"
        case ev.SessionCreated() | ev.SessionUpdated() | ev.RateLimits():
            told = ""
        case _:
            values = msgspec.structs.asdict(event)
            hidden = (
                *("event_id", "response_id", "output_index", "content_index", "call_id"),
                *("logprobs", "seconds", "tokens", "languages"),
            )
            told = " ".join(str(value) for key, value in values.items() if key not in hidden)
    return f"{kind} {told}".strip()


def _item(item: Item) -> str:
    match item:
        case Message():
            return f"{item.id} {item.role} {item.status} {' '.join(_words(part) for part in item.content)}".strip()
        case FunctionCall():
            return f"{item.id} {item.name}({item.arguments}) {item.status}"
        case FunctionCallOutput():
            return f"{item.id} ={item.output} {item.status}"
        case McpListTools():
            return f"{item.id} {item.server_label}[{' '.join(tool.name for tool in item.tools)}]"
        case McpCall():
            became = f"={item.output}" if item.error is None else f"!{item.error.type}"
            return f"{item.id} {item.server_label}.{item.name}({item.arguments}) {became}"
        case McpApprovalRequest():
            return f"{item.id} {item.server_label}.{item.name}({item.arguments})?"
        case McpApprovalResponse():
            return f"{item.id} {'yes' if item.approve else 'no'} to {item.approval_request_id}"


def _words(part: Any) -> str:
    return str(getattr(part, "text", None) or getattr(part, "transcript", None) or "")
