"""Between two sides of the GA shape every frame travels byte for byte, but for those that the documentation lists."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from relay.stage import Stage, append, message
from relay.test_walks import Server
from vivavoce.relay.effects import ToClient, ToUpstream

FRAMES = 10_000
REWRITTEN = {"session.created", "session.updated"}
"""What is always rewritten; a `session.update` is if it names a model."""
_WIRE = Path(__file__).parents[1] / "wire" / "ga_turn.jsonl"
SAMPLES: list[dict[str, Any]] = [
    line["server"] for line in map(json.loads, _WIRE.read_text(encoding="utf-8").splitlines()) if "server" in line
]
"""What our own server says in a conversation."""


class Scribe:
    """Writes JSON as different programs do: spaces, order of keys, escapes, numbers, and fields nobody knows."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def frame(self, event: dict[str, Any]) -> bytes:
        chance = self.chance
        keys = list(event)
        if chance.random() < 0.3:
            chance.shuffle(keys)
        shown = {key: event[key] for key in keys}
        if chance.random() < 0.3:
            shown |= {"x_vendor": {"type": "no type", "item_id": "none", "n": [1.50, 1e3, None]}, "é": 'ü\u2028\\"'}
        separators = chance.choice([(",", ":"), (", ", ": "), (" , ", " :  ")])
        text = json.dumps(shown, ensure_ascii=chance.random() < 0.5, separators=separators)
        return (chance.choice(["", " ", "\n\t"]) + text + chance.choice(["", " \n"])).encode()


def _client_events(chance: random.Random, known: list[str]) -> dict[str, Any]:
    number = chance.randrange(10**9)
    item_id = chance.choice(known) if known else "item_none"
    return chance.choice(
        [
            append(chance.choice([10, 20, 40, 100])),
            append(20),
            {"type": "conversation.item.create", "item": message(f"mine_{number}", text=f"é {number}")},
            {"type": "conversation.item.delete", "item_id": item_id, "event_id": f"e{number}"},
            {"type": "conversation.item.retrieve", "item_id": item_id},
            {
                "type": "conversation.item.truncate",
                "item_id": item_id,
                "content_index": 0,
                "audio_end_ms": number % 900,
            },
            {"type": "response.create", "response": {"instructions": "x", "metadata": {"n": str(number)}}},
            {"type": "response.cancel"},
            {"type": "input_audio_buffer.clear"},
            {"type": "input_audio_buffer.commit"},
            {"type": "output_audio_buffer.clear"},
            {"type": "session.update", "session": {"type": "realtime", "instructions": f"{number}"}},
            {"type": "something.nobody.knows", "payload": [number, {"a": None}]},
        ]
    )


def _told(server: Server, chance: random.Random) -> list[dict[str, Any]]:
    """What an upstream says now: a piece of conversation, or something the relay has no use for."""
    match chance.randrange(6):
        case 0 if server.response is None:
            server.respond()
        case 0:
            server.finish()
        case 1:
            server.audio_ms += 500
            server.begin_turn()
            server.end_turn()
        case 2:
            server.said.append(chance.choice(SAMPLES))
        case 3:
            server.say("rate_limits.updated", rate_limits=[{"name": "tokens", "remaining": chance.randrange(100)}])
        case 4:
            server.say("error", error={"type": "invalid_request_error", "code": "invalid_event", "message": "é"})
        case _:
            server.say("response.thought.delta", response_id="resp_x", delta="unknown")
    told = list(server.said)
    server.said.clear()
    return told


def test_ten_thousand_frames_arrive_as_they_were_sent() -> None:
    chance = random.Random(1)
    scribe = Scribe(chance)
    same: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    while same.total() < FRAMES:
        stage, server = Stage().live(), Server()
        server.said.clear()
        for _ in range(300):
            event = _client_events(chance, list(server.items))
            frame = scribe.frame(event)
            sent = stage.session.receive_client(frame, stage.now)
            assert sent == [ToUpstream(1, frame)], event["type"]
            same[event["type"]] += 1
            for told in _told(server, chance):
                frame = scribe.frame(told)
                effects = stage.session.receive_upstream(1, frame, stage.now)
                shown = [effect for effect in effects if isinstance(effect, ToClient)]
                if told["type"] in REWRITTEN:
                    changed[told["type"]] += 1
                    continue
                assert shown == [ToClient(frame)], told["type"]
                same[told["type"]] += 1
    assert len(same) > 30, "most events of the protocol were among them"
    assert set(changed) <= REWRITTEN
