"""What the bridges make of whole conversations, beside what our own dialects say of the same ones."""

from __future__ import annotations

import functools
import itertools
import json
from typing import Any

import msgspec
import pytest

import order
from playbook import Playbook
from vivavoce.core import effects as ef
from vivavoce.core import reports as rp
from vivavoce.core.errors import ProtocolError
from vivavoce.core.settings import Settings
from vivavoce.dialects import paths
from vivavoce.dialects.choose import Dialect, choose
from vivavoce.relay import bridges
from vivavoce.relay.bridges import BetaClient, BetaUpstream
from worlds import World

Event = dict[str, Any]
STEPS = 60
SEEDS = range(40)
MANY_SEEDS = range(1000, 1600)
LOST = {"truncation", "reasoning", "include", "parallel_tool_calls", "idle_timeout_ms", "languages", "rate"}
"""What GA has and the beta has no word for."""


def without(value: Any, names: set[str]) -> Any:
    """The same without fields of these names, at any depth."""
    if isinstance(value, list):
        return [without(element, names) for element in value]
    if not isinstance(value, dict):
        return value
    return {name: without(element, names) for name, element in value.items() if name not in names}


def meaning(dialect: Dialect, events: list[Event]) -> list[Any]:
    """What events say to one of our own dialects: the fields of the settings, or the mistake."""
    out: list[Any] = []
    for event in events:
        try:
            out.append(without(msgspec.structs.asdict(dialect.decode(json.dumps(event))), {"temperature"}))
        except ProtocolError as mistake:
            out.append([mistake.code, paths.flat(mistake.param or "")])
    return out


class Interpreters:
    """Hear a session in both shapes, and say in each shape what they heard in the other."""

    def __init__(self, kind: str) -> None:
        self.numbers = itertools.count()
        self.speakers = {"ga": choose("ga", kind), "beta": choose("beta", kind)}
        self.client_bridge = BetaClient(kind, self.ids)
        self.server_bridge = BetaUpstream(kind, self.ids)
        self.second_bridge = BetaClient(kind, self.ids)
        self.told: dict[str, list[Event]] = {"ga": [], "beta": []}
        self.bridged: dict[str, list[Event]] = {"ga": [], "beta": []}
        self.again: list[Event] = []
        """What the server said in beta, after it was in GA."""
        self.said: list[tuple[Event, list[Event], list[Event]]] = []
        """What the client said, in GA, and in beta after that."""

    def ids(self, kind: str) -> str:
        return "conv_ours" if kind == "conv" else f"{kind}_ours_{next(self.numbers)}"

    def hear(self, effects: list[ef.Effect], conversation_id: str) -> None:
        """Hear what the session sends."""
        for effect in effects:
            if isinstance(effect, ef.Send):
                for shape, speaker in self.speakers.items():
                    for frame in speaker.encode(effect.event):
                        # The bridge gives the conversation an id of its own.
                        self._hear(shape, json.loads(frame.replace(f'"{conversation_id}"'.encode(), b'"conv_ours"')))

    def _hear(self, shape: str, event: Event) -> None:
        self.told[shape].append(event)
        if shape == "ga":
            self.bridged["beta"] += self.client_bridge.from_ga(event)
            return
        for nested in self.server_bridge.to_ga(event):
            self.bridged["ga"].append(nested)
            self.again += self.second_bridge.from_ga(nested)

    def say(self, event: Event, is_beta: bool) -> None:
        """Hear what the client sends."""
        nested = [event]
        if is_beta:
            self.second_bridge.to_ga(event)
            nested = self.client_bridge.to_ga(event)
        self.said.append((event, nested, [flat for one in nested for flat in self.server_bridge.from_ga(one)]))


class Overheard(World):
    """A world whose session is heard by interpreters."""

    def __init__(self, seed: int, shape: str) -> None:
        self.heard = Interpreters("realtime")
        super().__init__(seed, shape)

    def take(self, effects: list[ef.Effect]) -> list[Event]:
        self.heard.hear(effects, self.session.conversation.id)
        return super().take(effects)

    def frame(self, data: bytes) -> list[Event]:
        self.heard.say(json.loads(data), self.shape == "beta")
        return super().frame(data)

    def do_temper(self) -> Any:
        """Set what the beta shape alone has."""
        if self.shape != "beta":
            return []
        temperature = self.random.choice([0.6, 0.9, 1.2])
        if self.random.random() < 0.5:
            return self.client(type="session.update", session={"temperature": temperature})
        event_id = f"asked_{len(self.heard.said)}"
        return self.client(type="response.create", event_id=event_id, response={"temperature": temperature})

    do_temper.weight = 2  # type: ignore[attr-defined]


@functools.cache
def walk(seed: int, shape: str) -> Interpreters:
    world = Overheard(seed, shape)
    for _ in range(STEPS):
        world.step()
    return world.heard


def comparable(events: list[Event]) -> list[Event]:
    """Events but for their own ids, and for rate limits, whose place has tests of its own."""
    return [without(event, {"event_id"}) for event in events if event["type"] != "rate_limits.updated"]


class Sayable:
    """What of a GA conversation a server that speaks only the beta shape could have said."""

    def __init__(self) -> None:
        self.untold: dict[str, str | None] = {}
        self.is_sure = True
        """Whether it is known where everything stands: not among items that nobody was told of."""

    def __call__(self, event: Event) -> list[Event]:
        kind, item = event["type"], event.get("item") or {}
        if "mcp_" in kind or kind == "input_audio_buffer.timeout_triggered":
            return []
        if kind == "conversation.item.deleted":
            return self.deleted(event)
        if str(item.get("type")).startswith("mcp_"):
            if kind == "conversation.item.added":
                self.untold[item["id"]] = event["previous_item_id"]
                self.is_sure = False
            return []
        if "response" in event:
            told = [item for item in event["response"]["output"] if not item["type"].startswith("mcp_")]
            event = event | {"response": event["response"] | {"output": told}}
        if "previous_item_id" in event:
            event = event | {"previous_item_id": self.before(event["previous_item_id"])}
        if kind == "conversation.item.done" and not self.is_sure:
            del event["previous_item_id"]
        return [without(event, LOST)]

    def before(self, previous: str | None) -> str | None:
        while previous in self.untold:
            previous = self.untold[previous]
        return previous

    def deleted(self, event: Event) -> list[Event]:
        gone, is_untold = event["item_id"], event["item_id"] in self.untold
        before = self.untold.pop(gone, None)
        self.untold = {id_: before if at == gone else at for id_, at in self.untold.items()}
        return [] if is_untold else [event]


# -------------------------------------------------------------------------------------------------- whole conversations


def check_beta_client(seed: int, shape: str) -> None:
    heard = walk(seed, shape)
    assert comparable(heard.bridged["beta"]) == comparable(heard.told["beta"]), (seed, shape)
    order.check(heard.bridged["beta"], "beta", complete=False)


def check_beta_server(seed: int, shape: str) -> None:
    heard = walk(seed, shape)
    sayable = Sayable()
    wanted = [told for event in comparable(heard.told["ga"]) for told in sayable(event)]
    found = [without(event, LOST) for event in comparable(heard.bridged["ga"])]
    for index, event in enumerate(wanted):
        if event["type"] == "conversation.item.done" and "previous_item_id" not in event:
            found[index].pop("previous_item_id")
        if event["type"] == "error" and event["error"]["param"]:
            # The session's own error may be in the spelling of its client; the bridge's is in GA's.
            event["error"] = bridges.error_to_ga(bridges.error_to_beta(event["error"]))
    assert found == wanted, (seed, shape)
    if not any(event.get("item", {}).get("type") == "mcp_call" for event in heard.told["ga"]):
        # Our own server's output has holes in the beta shape where remote calls were.
        order.check(heard.bridged["ga"], "ga", complete=False)


def check_there_and_back(seed: int, shape: str) -> None:
    heard = walk(seed, shape)
    assert comparable(heard.again) == comparable(heard.told["beta"]), (seed, shape)


def check_what_clients_say(seed: int, shape: str) -> None:
    heard = walk(seed, shape)
    beta, ga = heard.speakers["beta"], heard.speakers["ga"]
    for event, nested, flat in heard.said:
        said: list[Any] = meaning(beta if shape == "beta" else ga, [event])
        if shape == "beta":
            if "unknown_parameter" in said[0]:
                continue  # the beta refuses what it does not know, and a bridge lets it pass
            assert meaning(ga, nested) == said, event
        text = json.dumps(event)
        if '"mcp' in text:
            continue  # what a beta server is told of remote tools is nothing
        if '"rate": 8000' in text or '"rate": 16000' in text:
            continue  # it has no word for these
        assert meaning(beta, flat) == without(said, LOST), event


CHECKS = [check_beta_client, check_beta_server, check_there_and_back, check_what_clients_say]


@pytest.mark.parametrize("shape", ["ga", "beta"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_bridge_says_what_our_own_dialect_of_its_side_says(check: Any, shape: str) -> None:
    for seed in SEEDS:
        check(seed, shape)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_a_bridge_says_it_very_often(shape: str) -> None:
    for seed in MANY_SEEDS:
        for check in CHECKS:
            check(seed, shape)
        walk.cache_clear()


def test_the_walks_reach_what_they_are_for() -> None:
    wanted = {
        *bridges.BetaClient.renamed_from_ga.values(),
        b"conversation.created", b"conversation.item.created", b"conversation.item.deleted",
        b"conversation.item.retrieved", b"conversation.item.truncated", b"error", b"input_audio_buffer.committed",
        b"conversation.item.input_audio_transcription.completed", b"rate_limits.updated",
        b"response.function_call_arguments.done", b"response.done", b"session.updated",
    }  # fmt: skip
    worlds = [walk(seed, "beta") for seed in SEEDS]
    assert not wanted - {event["type"].encode() for world in worlds for event in world.bridged["beta"]}
    temperatures = {e["response"]["temperature"] for w in worlds for e in w.bridged["beta"] if "response" in e}
    assert temperatures == {0.6, 0.8, 0.9, 1.2}
    remote = {e["item"]["type"] for w in worlds for e in w.told["ga"] if "item" in e} - {"message"}
    assert remote >= {"mcp_list_tools", "mcp_call"}


class Spoken(Playbook):
    """A session that is led by hand, and heard by interpreters."""

    def __init__(self, kind: str) -> None:
        self.heard = Interpreters(kind)
        super().__init__(Settings(kind=kind), shape="beta")

    def take(self, effects: list[ef.Effect]) -> list[str]:
        self.heard.hear(effects, self.session.conversation.id)
        return super().take(effects)

    def client(self, kind: str, /, **fields: Any) -> list[str]:
        self.heard.say({"type": kind, **fields}, is_beta=True)
        return super().client(kind, **fields)


def test_a_transcription_session_is_told_as_our_own_dialects_tell_it() -> None:
    play = Spoken("transcription")
    detection = {"type": "server_vad", "silence_duration_ms": 100, "eagerness": None}
    session = {
        "input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        "turn_detection": detection, "include": ["item.input_audio_transcription.logprobs"],
    }  # fmt: skip
    assert "session.updated" in play.client("transcription_session.update", session=session)
    first = play.turn("one two")
    play.speak()
    play.stop_speaking()
    second = play.session.conversation.last_id
    assert second not in (None, first)
    play.report(rp.TranscriptionFailed(str(second), "engine_error", "broken"))
    play.client("conversation.item.retrieve", item_id=first)
    play.client("conversation.item.delete", item_id=first)
    for kind, fields in (
        ("transcription_session.update", {"session": {"turn_detection": None}}),
        ("transcription_session.update", {"session": {"input_audio_format": "mp3"}}),
        ("session.update", {"session": {"voice": "ash"}}),
        ("input_audio_buffer.commit", {}),
        ("response.create", {}),
    ):
        play.client(kind, **fields)

    heard = play.heard
    assert comparable(heard.bridged["beta"]) == comparable(heard.told["beta"])
    assert comparable(heard.again) == comparable(heard.told["beta"])
    assert {event["type"] for event in heard.told["beta"]} > {
        "transcription_session.created", "transcription_session.updated", "conversation.item.created", "error",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.failed",
    }  # fmt: skip
    wanted = [told for event in comparable(heard.told["ga"]) for told in Sayable()(event) if told["type"] != "error"]
    found = [without(event, LOST) for event in comparable(heard.bridged["ga"]) if event["type"] != "error"]
    assert found == wanted
    for event, nested, flat in heard.said:
        meant = meaning(heard.speakers["beta"], [event])
        assert [mistake[0] if isinstance(mistake, list) else mistake for mistake in meant] == [
            mistake[0] if isinstance(mistake, list) else mistake for mistake in meaning(heard.speakers["ga"], nested)
        ]
        assert meaning(heard.speakers["beta"], flat) == meant
