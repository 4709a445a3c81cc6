"""How a server is dialled: addresses, keys, subprotocols; and what is never shown of keys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from check.server import serving
from vivavoce.check.network import Network
from vivavoce.check.target import Dial
from vivavoce.check.verdict import HungUp, TurnedAway
from vivavoce.legs.upstream import Upstream


def test_keys_and_client_secrets_are_never_shown() -> None:
    network = Network(Upstream("ws://127.0.0.1:1/v1", key="sk-secret_1"))
    text = "Incorrect API key provided: sk-secret_1. It is not ek_0123abc.def, either."
    assert network.redacted(text) == "Incorrect API key provided: ***. It is not ek_***, either."
    assert Network(Upstream("ws://127.0.0.1:1/v1")).redacted("sk-other") == "sk-other"


def test_the_model_is_that_of_the_url_or_the_one_asked_for() -> None:
    assert Network(Upstream("ws://127.0.0.1:1/v1", model="m")).model == "m"
    assert Network(Upstream("ws://127.0.0.1:1/v1/realtime?model=n", model="m")).model == "n"
    assert Network(Upstream("ws://127.0.0.1:1/v1")).model == ""


async def first(network: Network, **how: Any) -> dict[str, Any]:
    """Open a connection, take its first event, and hang up."""
    wire = await network.open(Dial(**how))
    try:
        event: dict[str, Any] = json.loads(await wire.receive())
        return event
    finally:
        await wire.close()


async def test_a_server_is_asked_as_the_dial_says() -> None:
    async with serving(server_key="sk-1", key="sk-1") as network:
        assert (await first(network))["session"]["model"] == "vivavoce"
        assert (await first(network, has_model=False, query={"model": "other"}))["session"]["model"] == "other"
        assert "modalities" in (await first(network, shape="beta"))["session"]
        assert (await first(network, query={"intent": "transcription"}))["session"]["type"] == "transcription"
        wire = await network.open(Dial(subprotocols=("realtime", "other")))
        assert wire.subprotocol == "realtime"
        await wire.close()
        with pytest.raises(HungUp):
            await wire.send("{}")
        with pytest.raises(TurnedAway) as refused:
            await network.open(Dial(key="sk-2"))
        assert refused.value.status == 401
        assert json.loads(refused.value.body)["error"]["code"] == "invalid_api_key"
        with pytest.raises(TurnedAway):
            await network.open(Dial(path="/elsewhere"))


async def test_json_is_posted_below_the_endpoint() -> None:
    async with serving(server_key="sk-1", key="sk-1") as network:
        answer = await network.post("/nowhere", {})
        assert answer.status == 404
        assert answer.json["error"]["code"] == "unknown_url"


async def test_a_connection_answers_pings_and_takes_fragments() -> None:
    async with serving() as network:
        wire = await network.open(Dial())
        await wire.receive()
        await wire.ping()
        await wire.send(['{"type":"input_audio', '_buffer.clear"}'])
        assert json.loads(await wire.receive())["type"] == "input_audio_buffer.cleared"
        await wire.send(b"binary")
        with pytest.raises(HungUp) as end:
            await wire.receive()
        assert end.value.code == 1003
        await wire.close()
