"""The stand-in turns clients away by the protocol, and misbehaves as it is told to."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from upstream import StandIn, Terms, Trouble
from upstream.client import Talk
from upstream.control import Remote
from vivavoce.check import order

BETA = {"OpenAI-Beta": "assistants=v2, realtime=v1"}


@pytest.fixture
async def upstream() -> AsyncIterator[StandIn]:
    async with StandIn() as stand_in:
        yield stand_in
    assert stand_in.tally.crashes == []


async def _refused(url: str, key: str | None = "sk-upstream", **options: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(InvalidStatus) as refused:
        async with Talk(url, key, **options):
            pass
    response = refused.value.response
    return response.status_code, json.loads(response.body or b"{}")["error"]


async def test_strangers_are_refused_before_the_upgrade(upstream: StandIn) -> None:
    for key in ("sk-other", None):
        status, error = await _refused(upstream.url, key)
        assert (status, error["code"]) == (401, "invalid_api_key")
    status, _ = await _refused(upstream.url, None, headers={"api-key": "sk-upstream"})
    assert status == 401
    assert (upstream.tally.refused, upstream.tally.opened) == (3, 0)


async def test_azure_takes_a_key_of_its_own_header() -> None:
    async with StandIn(Terms(azure=True)) as upstream:
        url = upstream.url.replace("/v1", "/openai/v1")
        async with Talk(url, None, headers={"api-key": "sk-upstream"}) as talk:
            await talk.until("session.created")


async def test_browsers_bring_their_key_as_a_subprotocol(upstream: StandIn) -> None:
    offers = [Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.sk-upstream")]
    async with Talk(upstream.url, None, subprotocols=offers) as talk:
        await talk.until("session.created")
        assert talk.socket.subprotocol == "realtime"


@pytest.mark.parametrize("options", [{"headers": BETA}, {"subprotocols": ["realtime", "openai-beta.realtime-v1"]}])
async def test_the_beta_shape_is_disabled(upstream: StandIn, options: dict[str, Any]) -> None:
    async with Talk(upstream.url, **options) as talk:
        error = await talk.error()
        assert error["code"] == "beta_api_shape_disabled"
        assert await talk.until_closed() == (4000, "invalid_request_error.beta_api_shape_disabled")
    assert talk.types() == ["error"]
    assert upstream.tally.opened == 0


async def test_an_unknown_model_is_refused_after_or_before_the_upgrade(upstream: StandIn) -> None:
    async with Talk(upstream.url, query="model=gpt-9") as talk:
        assert await talk.until_closed() == (4000, "invalid_request_error.invalid_model")
    async with Talk(upstream.url, query="") as talk:
        assert await talk.until_closed() == (4000, "invalid_request_error.missing_model")
    async with StandIn(Terms(unknown_model="404")) as other:
        status, error = await _refused(other.url, query="model=gpt-9")
        assert (status, error["code"]) == (404, "model_not_found")


async def test_a_session_ends_at_its_age() -> None:
    async with StandIn(Terms(session_seconds=0.05)) as upstream, Talk(upstream.url) as talk:
        told = "Your session hit the maximum duration of 60 minutes."
        assert await talk.until_closed() == (1001, told)
        assert talk.events[-1]["error"]["code"] == "session_expired"
        assert talk.events[-1]["error"]["message"] == told
    assert upstream.tally.expired == 1


async def test_a_client_secret_opens_a_session_with_its_settings(upstream: StandIn) -> None:
    session = {"type": "realtime", "model": "gpt-realtime-2", "instructions": "Be brief."}
    made = await asyncio.to_thread(_post, upstream, {"session": session})
    assert made["session"]["instructions"] == "Be brief."
    async with Talk(upstream.url, made["value"], query="") as talk:
        shown = (await talk.until("session.created"))["session"]
        assert (shown["model"], shown["instructions"]) == ("gpt-realtime-2", "Be brief.")


def _post(upstream: StandIn, body: dict[str, Any]) -> dict[str, Any]:
    url = upstream.url.replace("ws", "http", 1) + "/realtime/client_secrets"
    headers = {"Authorization": "Bearer sk-upstream"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=5) as answer:
        made: dict[str, Any] = json.load(answer)
    return made


# ---------------------------------------------------------------------------------------------------- faults


async def test_the_door_can_be_closed_and_opens_again(upstream: StandIn) -> None:
    async with Talk(upstream.url) as there:
        upstream.close_door(0.1)
        with pytest.raises(ConnectionRefusedError):
            async with Talk(upstream.url):
                pass
        assert (await there.ask("Hi"))["status"] == "completed"
        async with asyncio.timeout(5):
            while True:
                try:
                    async with Talk(upstream.url) as late:
                        await late.until("session.created")
                        break
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)


async def test_upgrades_may_be_refused_or_late(upstream: StandIn) -> None:
    upstream.faults.change({"refuse_status": 503})
    assert (await _refused(upstream.url))[0] == 503
    upstream.faults.change({"refuse_status": 0, "handshake_delay_seconds": 0.1})
    before = time.monotonic()
    async with Talk(upstream.url):
        assert time.monotonic() - before >= 0.1
    with pytest.raises(ValueError, match="there are no faults named"):
        upstream.faults.change({"mood": "bad"})


async def test_only_so_many_sessions_are_held() -> None:
    async with StandIn(Terms(max_connections=1)) as upstream, Talk(upstream.url) as first:
        await first.until("session.created")
        assert (await _refused(upstream.url))[0] == 429


async def test_a_connection_is_cut_in_the_middle_of_an_answer(upstream: StandIn) -> None:
    upstream.faults.troubles.append(Trouble("drop", after_deltas=2))
    async with Talk(upstream.url) as talk:
        await talk.say("Hello you there")
        await talk.send("response.create")
        assert await talk.until_closed() == (1006, "")
        # A reset takes along what was still on its way.
        assert talk.types().count("response.output_audio.delta") <= 2
        assert "response.done" not in talk.types()
    assert upstream.tally.dropped == 1
    assert upstream.tally.responses == {"broken": 1}


async def test_a_response_fails_in_the_middle_and_the_next_does_not(upstream: StandIn) -> None:
    upstream.faults.troubles.append(Trouble("fail", after_deltas=2))
    async with Talk(upstream.url) as talk:
        failed = await talk.ask("Hello you there")
        assert failed["status"] == "failed"
        assert failed["status_details"]["error"]["type"] == "server_error"
        assert failed["output"][0]["content"][0]["transcript"] == "You said:"
        assert (await talk.ask("Hi"))["status"] == "completed"
        await talk.until("rate_limits.updated")
        order.check(talk.events, "ga")


async def test_a_response_is_refused_for_its_rate(upstream: StandIn) -> None:
    error = {"type": "requests", "code": "rate_limit_exceeded", "message": "Rate limit reached."}
    upstream.faults.troubles.append(Trouble("fail", times=2, error=error))
    async with Talk(upstream.url) as talk:
        for _ in range(2):
            failed = await talk.ask("Hi")
            assert (failed["output"], failed["status_details"]["error"]) == ([], error)
        assert (await talk.ask("Hi"))["status"] == "completed"


async def test_a_response_may_stall_until_it_is_cancelled(upstream: StandIn) -> None:
    upstream.faults.troubles.append(Trouble("stall", after_deltas=1))
    async with Talk(upstream.url) as talk:
        await talk.say("Hello you there")
        await talk.send("response.create")
        await talk.until("response.output_audio.delta")
        await talk.send("response.cancel")
        cancelled = (await talk.until("response.done"))["response"]
        assert cancelled["status_details"]["reason"] == "client_cancelled"
        assert talk.types().count("response.output_audio.delta") == 1


async def test_connections_are_closed_with_any_code(upstream: StandIn) -> None:
    async with Talk(upstream.url) as talk:
        await talk.until("session.created")
        assert upstream.close(1012, "restarting") == 1
        assert await talk.until_closed() == (1012, "restarting")
    upstream.faults.troubles.append(Trouble("close", code=1011))
    async with Talk(upstream.url) as talk:
        await talk.send("response.create")
        assert (await talk.until_closed())[0] == 1011


async def test_connections_are_cut_at_random(upstream: StandIn) -> None:
    upstream.faults.drop_every_seconds = 0.01
    async with Talk(upstream.url) as talk:
        assert (await talk.until_closed())[0] == 1006


async def test_unknown_events_and_fields_are_sent(upstream: StandIn) -> None:
    upstream.faults.sends_unknown = True
    async with Talk(upstream.url) as talk:
        created = await talk.until("session.created")
        assert created["x_vendor_note"] == {"of": "session.created"}
        assert talk.types() == ["vendor.note.added", "session.created"]


async def test_a_mute_server_says_nothing(upstream: StandIn) -> None:
    upstream.faults.is_mute = True
    async with Talk(upstream.url) as talk:
        await talk.say("Hi")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await talk.socket.recv()
    assert upstream.tally.opened == 1


async def test_a_server_that_reads_nothing_holds_its_clients_up(upstream: StandIn) -> None:
    async with Talk(upstream.url) as talk:
        await talk.until("session.created")
        assert upstream.stop_reading(0.4) == 1
        before = time.monotonic()
        await talk.ask("Hi")
        await talk.ask("Hi")
        assert time.monotonic() - before >= 0.3


async def test_messages_are_text(upstream: StandIn) -> None:
    async with Talk(upstream.url) as talk:
        await talk.socket.send(b"{}")
        assert (await talk.until_closed())[0] == 1003
    assert len(upstream.tally.violations) == 1


async def test_rubbish_does_no_harm(upstream: StandIn) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    with pytest.raises((ConnectionError, InvalidMessage, ConnectionClosed, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    async with Talk(upstream.url) as talk:
        await talk.until("session.created")


def test_it_runs_as_a_program_and_takes_orders() -> None:
    terms = {"session_seconds": 60, "keys": ["sk-a"], "rules": [["ping", "pong"]]}
    command = [sys.executable, "-m", "upstream", "--terms", json.dumps(terms), "--faults", '{"sends_unknown": true}']
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1], text=True) as program:
        try:
            assert program.stdout is not None
            told = json.loads(program.stdout.readline())
            remote = Remote(told["control"])
            asyncio.run(_talk_to(told["url"], remote))
            assert remote.tally()["dropped"] == 1
            with pytest.raises(urllib.error.HTTPError, match="400"):
                remote.order("dance")
        finally:
            program.terminate()
        assert program.wait(5) == 0


async def _talk_to(url: str, remote: Remote) -> None:
    async with Talk(url, "sk-a") as talk:
        assert (await talk.ask("ping"))["output"][0]["content"][0]["transcript"] == "pong"
        trouble = {"what": "fail", "times": 1}
        await asyncio.to_thread(remote.order, "change", fields={"trouble": trouble, "sends_unknown": False})
        assert (await talk.ask("ping"))["status"] == "failed"
        assert await asyncio.to_thread(remote.order, "drop", count=1) == 1
        assert (await talk.until_closed())[0] == 1006
