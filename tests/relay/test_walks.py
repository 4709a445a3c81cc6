"""Conversations in which links come and go at any moment: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter, deque
from typing import Any

import pytest

from relay.stage import append, message, session_object
from vivavoce.relay.effects import CloseClient, Dial, Effect, HangUp, Place, ToClient, ToUpstream
from vivavoce.relay.session import RelaySession
from vivavoce.relay.terms import Terms

ids = itertools.count(1)


class Server:
    """One session of an upstream: what it knows, and what it has said that has not arrived yet."""

    def __init__(self) -> None:
        self.items: dict[str, str] = {}
        self.said: deque[dict[str, Any]] = deque()
        self.audio_ms = 0
        self.heard_ms = 0
        self.turn: str | None = None
        self.response: dict[str, Any] | None = None
        self.say("session.created", session=session_object())

    def say(self, kind: str, **fields: Any) -> None:
        self.said.append({"type": kind, "event_id": f"event_{next(ids)}", **fields})

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of its client."""
        match event["type"]:
            case "conversation.item.create":
                item = event["item"]
                assert item["id"] not in self.items, "an item was told twice"
                self.enter(item["id"], item, item["content"][0].get("text", "(audio)"))
                self.say("conversation.item.done", item=item)
            case "response.create":
                if self.response is None:
                    self.respond(event.get("response", {}).get("metadata"))
                else:
                    code = "conversation_already_has_active_response"
                    error = {"type": "invalid_request_error", "code": code, "event_id": event.get("event_id")}
                    self.say("error", error=error)
            case "input_audio_buffer.append":
                self.audio_ms += len(event["audio"]) * 3 // 4 // 48
            case "conversation.item.delete":
                if self.items.pop(event["item_id"], None) is None:
                    error = {"code": "item_delete_invalid_item_id", "event_id": event.get("event_id")}
                    self.say("error", error=error)
                else:
                    self.say("conversation.item.deleted", item_id=event["item_id"])

    def enter(self, item_id: str, item: dict[str, Any], text: str) -> None:
        previous = list(self.items)[-1] if self.items else None
        self.items[item_id] = text
        self.say("conversation.item.added", previous_item_id=previous, item=item)

    def respond(self, metadata: Any = None) -> None:
        number = next(ids)
        item = {"id": f"item_{number}", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        self.response = {"id": f"resp_{number}", "status": "in_progress", "output": [], "metadata": metadata}
        where = {"response_id": f"resp_{number}", "item_id": item["id"], "output_index": 0, "content_index": 0}
        self.say("response.created", response=self.response)
        self.say("response.output_item.added", response_id=where["response_id"], output_index=0, item=item)
        self.enter(item["id"], item, f"answer {number}")
        self.say("response.content_part.added", **where, part={"type": "audio", "transcript": ""})
        self.say("response.output_audio_transcript.delta", **where, delta=f"answer {number}")
        self.say("response.output_audio.delta", **where, delta="AAAA")

    def finish(self) -> None:
        """End the response that is under way."""
        if self.response is None:
            return
        number = self.response["id"].removeprefix("resp_")
        content = [{"type": "output_audio", "transcript": f"answer {number}"}]
        item = {
            "id": f"item_{number}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
        where = {"response_id": self.response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
        self.say("response.output_audio.done", **where)
        self.say("response.output_audio_transcript.done", **where, transcript=f"answer {number}")
        self.say("response.content_part.done", **where, part={"type": "audio", "transcript": f"answer {number}"})
        self.say("response.output_item.done", response_id=where["response_id"], output_index=0, item=item)
        self.say("conversation.item.done", item=item)
        self.say("response.done", response=self.response | {"status": "completed", "output": [item]})
        self.response = None

    def begin_turn(self) -> None:
        if self.turn is None and self.audio_ms > self.heard_ms:
            self.turn = f"item_{next(ids)}"
            self.say("input_audio_buffer.speech_started", audio_start_ms=self.heard_ms, item_id=self.turn)

    def end_turn(self) -> None:
        if self.turn is None:
            return
        turn, self.turn, self.heard_ms = self.turn, None, self.audio_ms
        item = {"id": turn, "type": "message", "role": "user", "status": "completed"}
        item["content"] = [{"type": "input_audio", "transcript": None}]
        self.say("input_audio_buffer.speech_stopped", audio_end_ms=self.audio_ms, item_id=turn)
        self.say("input_audio_buffer.committed", previous_item_id=None, item_id=turn)
        self.enter(turn, item, "(audio)")
        self.say("conversation.item.done", item=item)
        if self.response is None:
            self.respond()


class World:
    """A session, its servers and its client."""

    def __init__(self) -> None:
        self.now = 0.0
        self.servers: dict[int, Server] = {}
        self.dialled: deque[int] = deque()
        self.told: list[dict[str, Any]] = []
        self.made: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.asked = 0
        terms = Terms(session_id="sess_ours", shape="ga", recovery_seconds=1e6)
        self.session = RelaySession(terms, lambda kind: f"{kind}_ours{next(ids)}")
        self.do(self.session.begin(0.0))

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Dial():
                    self.dialled.append(effect.link)
                case ToUpstream() if effect.link in self.servers:
                    self.servers[effect.link].hear(json.loads(effect.frame))
                case ToClient():
                    self.told.append(json.loads(effect.frame))
                case HangUp():
                    self.servers.pop(effect.link, None)
                case CloseClient():
                    raise AssertionError(effect.reason)

    def client(self, event: dict[str, Any]) -> None:
        self.do(self.session.receive_client(json.dumps(event).encode(), self.now))

    def open(self) -> None:
        while self.dialled:
            link = self.dialled.popleft()
            self.servers[link] = Server()
            self.do(self.session.opened(link, Place(upstream="a", session_seconds=60.0), self.now))

    def deliver(self, link: int, count: int) -> None:
        for _ in range(count):
            server = self.servers.get(link)
            if server is None or not server.said:
                return
            frame = json.dumps(server.said.popleft()).encode()
            self.do(self.session.receive_upstream(link, frame, self.now))

    def step(self, action: str, number: int) -> None:
        links = list(self.servers)
        link = links[number % len(links)] if links else 0
        server = self.servers.get(link)
        self.now += 0.01
        match action:
            case "create":
                item_id = f"mine_{next(ids)}"
                self.made[item_id] = f"text {number}"
                self.client({"type": "conversation.item.create", "item": message(item_id, text=f"text {number}")})
            case "delete" if self.made:
                item_id = list(self.made)[number % len(self.made)]
                if item_id not in self.deleted:
                    self.deleted.add(item_id)
                    self.client({"type": "conversation.item.delete", "item_id": item_id})
            case "respond":
                self.asked += 1
                self.client({"type": "response.create", "response": {"metadata": {"request": str(self.asked)}}})
            case "audio":
                self.client(append(20 * (1 + number)))
            case "deliver":
                self.deliver(link, 1 + number)
            case "finish" if server is not None:
                server.finish()
            case "speak" if server is not None:
                server.begin_turn()
            case "stop" if server is not None:
                server.end_turn()
            case "lose" if server is not None:
                del self.servers[link]
                self.do(self.session.lost(link, 1006, "", self.now))
            case "open":
                self.open()
            case "wait":
                self.now += (0.5, 6.0, 20.0)[number % 3]
                for _ in range(20):
                    if (deadline := self.session.deadline) is not None and deadline <= self.now:
                        self.do(self.session.receive_time(self.now))

    def settle(self) -> None:
        """Let everything come to its end."""
        for _ in range(40):
            self.open()
            for link in list(self.servers):
                self.deliver(link, 10_000)
            for server in list(self.servers.values()):
                server.finish()
            self.now += 1.0
            if (deadline := self.session.deadline) is not None and deadline <= self.now:
                self.do(self.session.receive_time(self.now))

    def check(self) -> None:
        kinds = [event["type"] for event in self.told]
        assert kinds.count("session.created") == 1
        created = [event["response"]["id"] for event in self.told if event["type"] == "response.created"]
        done = [event["response"]["id"] for event in self.told if event["type"] == "response.done"]
        assert sorted(created) == sorted(set(created)) == sorted(done)
        entered = [event["item"]["id"] for event in self.told if event["type"] == "conversation.item.added"]
        ended = [event["item"]["id"] for event in self.told if event["type"] == "conversation.item.done"]
        assert sorted(entered) == sorted(set(entered)), "an item was told of twice"
        assert sorted(ended) == sorted(entered), "every item that was added is done"
        assert set(self.made) <= set(entered), "what the client made is there"
        self._check_order(done)
        asked = Counter(
            (event["response"].get("metadata") or {}).get("request") for event in self._of("response.created")
        )
        asked.pop(None, None)
        assert all(count == 1 for count in asked.values()), "no answer was given twice"
        turns = [kind for kind in kinds if "buffer.speech_" in kind]
        assert not any(kind.endswith("stopped") for kind in turns[::2]), "a turn begins before it ends"
        assert not any(kind.endswith("started") for kind in turns[1::2]), "and ends before the next begins"
        assert self.session._live is not None
        server = self.servers[self.session._live.number]
        known = [item_id for item_id in entered if item_id not in self.deleted]
        texts = self._texts()
        expected = [item_id for item_id in known if texts.get(item_id, "") or item_id in self.made or "mine" in item_id]
        missing = [item_id for item_id in expected if item_id not in server.items and not self._is_renamed(item_id)]
        assert not missing, "the last upstream knows everything"

    def _check_order(self, done: list[str]) -> None:
        over: set[str] = set()
        for event in self.told:
            response_id = event.get("response_id")
            assert response_id not in over, "nothing of a response comes after its end"
            if event["type"] == "response.done":
                over.add(event["response"]["id"])
        assert over == set(done)

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.told if event["type"] == kind]

    def _texts(self) -> dict[str, str]:
        """What assistants said, by item."""
        ended = [event["item"] for event in self._of("conversation.item.done")]
        spoken = [item for item in ended if item.get("role") == "assistant" and item["content"]]
        return {item["id"]: item["content"][0].get("transcript", "") for item in spoken}

    def _is_renamed(self, item_id: str) -> bool:
        live = self.session._live
        return live is not None and item_id in live.ids


KINDS = [
    *("create", "delete", "respond", "audio", "audio", "deliver", "deliver", "deliver"),
    *("finish", "speak", "stop", "lose", "open", "open", "wait"),
]


def _walk(seed: int) -> None:
    chance = random.Random(seed)
    world = World()
    for _ in range(60):
        world.step(chance.choice(KINDS), chance.randint(0, 12))
    world.settle()
    world.check()


@pytest.mark.parametrize("first", range(0, 500, 100))
def test_nothing_is_lost_and_nothing_happens_twice(first: int) -> None:
    for seed in range(first, first + 100):
        _walk(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 9_000, 1000))
def test_nothing_is_lost_in_thousands_of_conversations(first: int) -> None:
    for seed in range(first, first + 1000):
        _walk(seed)
