"""What the bridges make of whole conversations, beside what our own dialects say of the same ones."""

from __future__ import annotations

import functools
import itertools
import json
from typing import Any

import msgspec
import pytest

import order
from vivavoce.core import effects as ef
from vivavoce.core.errors import ProtocolError
from vivavoce.dialects import paths
from vivavoce.dialects.choose import Dialect, choose
from vivavoce.relay import bridges
from vivavoce.relay.bridges import BetaClient, BetaUpstream
from worlds import World

Event = dict[str, Any]
STEPS = 60
SEEDS = range(40)
MANY_SEEDS = range(1000, 1600)
LOST = {"truncation", "reasoning", "parallel_tool_calls", "idle_timeout_ms", "languages", "rate"}
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


class Overheard(World):
    """A world whose session is told of in both shapes, and by bridges from one to the other."""

    def __init__(self, seed: int, shape: str) -> None:
        self.numbers = itertools.count()
        self.speakers = {"ga": choose("ga"), "beta": choose("beta")}
        self.client_bridge = BetaClient("realtime", self.ids)
        self.server_bridge = BetaUpstream("realtime", self.ids)
        self.second_bridge = BetaClient("realtime", self.ids)
        self.told: dict[str, list[Event]] = {"ga": [], "beta": []}
        self.bridged: dict[str, list[Event]] = {"ga": [], "beta": []}
        self.again: list[Event] = []
        """What the server said in beta, after it was in GA."""
        self.said: list[tuple[Event, list[Event], list[Event]]] = []
        """What the client said, in GA, and in beta after that."""
        super().__init__(seed, shape)

    def ids(self, kind: str) -> str:
        return "conv_ours" if kind == "conv" else f"{kind}_ours_{next(self.numbers)}"

    def take(self, effects: list[ef.Effect]) -> list[Event]:
        for effect in effects:
            if isinstance(effect, ef.Send):
                for shape, speaker in self.speakers.items():
                    for frame in speaker.encode(effect.event):
                        self.overhear(shape, json.loads(frame))
        return super().take(effects)

    def overhear(self, shape: str, event: Event) -> None:
        # The bridge gives the conversation an id of its own.
        event = json.loads(json.dumps(event).replace(f'"{self.session.conversation.id}"', '"conv_ours"'))
        self.told[shape].append(event)
        if shape == "ga":
            self.bridged["beta"] += self.client_bridge.from_ga(event)
            return
        for nested in self.server_bridge.to_ga(event):
            self.bridged["ga"].append(nested)
            self.again += self.second_bridge.from_ga(nested)

    def frame(self, data: bytes) -> list[Event]:
        event = json.loads(data)
        if self.shape == "beta":
            self.second_bridge.to_ga(event)
            nested = self.client_bridge.to_ga(event)
        else:
            nested = [event]
        self.said.append((event, nested, [flat for one in nested for flat in self.server_bridge.from_ga(one)]))
        return super().frame(data)

    def do_temper(self) -> Any:
        """Set what the beta shape alone has."""
        if self.shape != "beta":
            return []
        temperature = self.random.choice([0.6, 0.9, 1.2])
        if self.random.random() < 0.5:
            return self.client(type="session.update", session={"temperature": temperature})
        event_id = f"asked_{len(self.said)}"
        return self.client(type="response.create", event_id=event_id, response={"temperature": temperature})

    do_temper.weight = 2  # type: ignore[attr-defined]


@functools.cache
def walk(seed: int, shape: str) -> Overheard:
    world = Overheard(seed, shape)
    for _ in range(STEPS):
        world.step()
    return world


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
    world = walk(seed, shape)
    assert comparable(world.bridged["beta"]) == comparable(world.told["beta"]), (seed, shape)
    order.check(world.bridged["beta"], "beta", complete=False)


def check_beta_server(seed: int, shape: str) -> None:
    world = walk(seed, shape)
    sayable = Sayable()
    wanted = [told for event in comparable(world.told["ga"]) for told in sayable(event)]
    found = [without(event, LOST) for event in comparable(world.bridged["ga"])]
    for index, event in enumerate(wanted):
        if event["type"] == "conversation.item.done" and "previous_item_id" not in event:
            found[index].pop("previous_item_id")
        if event["type"] == "error" and event["error"]["param"]:
            # The session's own error may be in the spelling of its client; the bridge's is in GA's.
            event["error"] = bridges.error_to_ga(bridges.error_to_beta(event["error"]))
    assert found == wanted, (seed, shape)
    if not any(event.get("item", {}).get("type") == "mcp_call" for event in world.told["ga"]):
        # Our own server's output has holes in the beta shape where remote calls were.
        order.check(world.bridged["ga"], "ga", complete=False)


def check_there_and_back(seed: int, shape: str) -> None:
    world = walk(seed, shape)
    assert comparable(world.again) == comparable(world.told["beta"]), (seed, shape)


def check_what_clients_say(seed: int, shape: str) -> None:
    world = walk(seed, shape)
    beta, ga = world.speakers["beta"], world.speakers["ga"]
    for event, nested, flat in world.said:
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
