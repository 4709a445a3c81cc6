"""A relay session with a client and upstreams played by the test, in GA spelling unless a link says otherwise."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

from vivavoce.relay.answers import Answers
from vivavoce.relay.effects import CloseClient, Dial, Effect, HangUp, Noted, Place, ToClient, ToUpstream, Used
from vivavoce.relay.session import RelaySession
from vivavoce.relay.terms import Terms

VAD = {"type": "server_vad", "create_response": True, "interrupt_response": True}


def session_object(**fields: Any) -> dict[str, Any]:
    audio = {
        "input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": fields.pop("turn_detection", VAD)},
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
    }
    return {"type": "realtime", "id": "sess_theirs", "model": "theirs", "expires_at": 0, "audio": audio} | fields


def message(item_id: str, role: str = "user", text: str = "hello", status: str = "completed") -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"id": item_id, "type": "message", "status": status, "role": role, "content": [{"type": kind, "text": text}]}


def spoken(item_id: str, transcript: str, status: str = "completed") -> dict[str, Any]:
    content = [{"type": "output_audio", "transcript": transcript}]
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def append(ms: int) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(48 * ms)).decode()}


class Stage:
    """Holds a session and what came of the latest input."""

    def __init__(self, place: Place | None = None, answers: Answers | None = None, **terms: Any) -> None:
        counter = itertools.count(1)
        fields: dict[str, Any] = {"session_id": "sess_ours", "model": "asked", "shape": "ga"} | terms
        self.session = RelaySession(Terms(**fields), lambda kind: f"{kind}_{next(counter)}", answers)
        self.place = place or Place(upstream="a", model="theirs", session_seconds=60.0)
        self.now = 0.0
        self.effects: list[Effect] = self.session.begin(0.0)

    # what happens

    def client(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        """The client says something; returns what the upstream is sent."""
        return self._did([e for event in events for e in self.session.receive_client(_frame(event), self.now)])

    def upstream(self, *events: dict[str, Any], link: int = 1) -> list[dict[str, Any]]:
        """An upstream says something; returns what the client is sent."""
        self._did([e for event in events for e in self.session.receive_upstream(link, _frame(event), self.now)])
        return self.to_client

    def opens(self, link: int = 1, place: Place | None = None, **fields: Any) -> list[dict[str, Any]]:
        """A link is opened and its upstream begins a session; returns what the client is sent."""
        did = self.session.opened(link, place or self.place, self.now)
        created = {"type": "session.created", "event_id": "event_theirs", "session": session_object(**fields)}
        self._did(did + self.session.receive_upstream(link, _frame(created), self.now))
        return self.to_client

    def loses(self, link: int = 1, code: int = 1006) -> list[dict[str, Any]]:
        """A link is lost; returns what the client is sent."""
        self._did(self.session.lost(link, code, "", self.now))
        return self.to_client

    def unavailable(self, link: int, *, again: bool = True) -> list[dict[str, Any]]:
        self._did(self.session.unavailable(link, "nobody there", self.now, again=again))
        return self.to_client

    def waits(self, until: float) -> list[Effect]:
        """Time passes; the session is called when it wants to be."""
        effects: list[Effect] = []
        for _ in range(100):
            deadline = self.session.deadline
            if deadline is None or deadline > until:
                break
            self.now = max(self.now, deadline)
            effects += self.session.receive_time(self.now)
        else:
            raise AssertionError(f"its deadline {deadline} does not move")
        self.now = until
        self._did(effects)
        return effects

    def live(self, **fields: Any) -> Stage:
        """Open the first link and return the stage."""
        self.opens(**fields)
        return self

    def says(self, item_id: str, text: str = "hello") -> None:
        """The client creates an item, and the upstream takes it."""
        self.client({"type": "conversation.item.create", "item": {**message(item_id, text=text)}})
        self.upstream(*added(message(item_id, text=text), None))

    # what came of it

    def _did(self, effects: list[Effect]) -> list[dict[str, Any]]:
        self.effects = effects
        return [json.loads(e.frame) for e in effects if isinstance(e, ToUpstream)]

    @property
    def to_client(self) -> list[dict[str, Any]]:
        return [json.loads(e.frame) for e in self.effects if isinstance(e, ToClient)]

    def to_link(self, link: int) -> list[dict[str, Any]]:
        return [json.loads(e.frame) for e in self.effects if isinstance(e, ToUpstream) and e.link == link]

    @property
    def dials(self) -> list[Dial]:
        return [e for e in self.effects if isinstance(e, Dial)]

    @property
    def hung_up(self) -> list[int]:
        return [e.link for e in self.effects if isinstance(e, HangUp)]

    @property
    def closes(self) -> list[tuple[int, str]]:
        return [(e.code, e.reason) for e in self.effects if isinstance(e, CloseClient)]

    @property
    def noted(self) -> list[str]:
        return [e.what for e in self.effects if isinstance(e, Noted)]

    @property
    def used(self) -> list[Used]:
        return [e for e in self.effects if isinstance(e, Used)]


def added(item: dict[str, Any], previous: str | None) -> list[dict[str, Any]]:
    """The two events of an item that a client created."""
    return [
        {"type": f"conversation.item.{what}", "event_id": "event_x", "previous_item_id": previous, "item": item}
        for what in ("added", "done")
    ]


def answer_begins(response_id: str = "resp_1", item_id: str = "item_a", previous: str | None = None) -> list[Any]:
    """The first events of a spoken answer."""
    item = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    response = {"id": response_id, "object": "realtime.response", "status": "in_progress", "output": []}
    where = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    entered = {"event_id": "e", "response_id": response_id, "output_index": 0, "item": item}
    audio = base64.b64encode(bytes(4800)).decode()
    return [
        {"type": "response.created", "event_id": "e", "response": response},
        {"type": "response.output_item.added", **entered},
        {"type": "conversation.item.added", "event_id": "e", "previous_item_id": previous, "item": item},
        {"type": "response.content_part.added", "event_id": "e", **where, "part": {"type": "audio", "transcript": ""}},
        {"type": "response.output_audio_transcript.delta", "event_id": "e", **where, "delta": "It is "},
        {"type": "response.output_audio.delta", "event_id": "e", **where, "delta": audio},
        {"type": "response.output_audio_transcript.delta", "event_id": "e", **where, "delta": "late."},
    ]


def answer_ends(response_id: str = "resp_1", item_id: str = "item_a", text: str = "It is late.") -> list[Any]:
    """The last events of it."""
    item = spoken(item_id, text)
    response = {
        "id": response_id,
        "object": "realtime.response",
        "status": "completed",
        "output": [item],
        "usage": {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2},
    }
    where = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    part = {"type": "audio", "transcript": text}
    left = {"event_id": "e", "response_id": response_id, "output_index": 0, "item": item}
    return [
        {"type": "response.output_audio.done", "event_id": "e", **where},
        {"type": "response.output_audio_transcript.done", "event_id": "e", **where, "transcript": text},
        {"type": "response.content_part.done", "event_id": "e", **where, "part": part},
        {"type": "response.output_item.done", **left},
        {"type": "conversation.item.done", "event_id": "e", "previous_item_id": None, "item": item},
        {"type": "response.done", "event_id": "e", "response": response},
    ]


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def _frame(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()
