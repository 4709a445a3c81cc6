"""What upstreams may do to the relay, and what its clients see of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import order
from interop import relays, servers
from upstream import sounds
from upstream.client import Talk, words

pytestmark = pytest.mark.interop

BETA = {"OpenAI-Beta": "realtime=v1"}
TEXT = ["text"]
Act = Callable[[servers.Server, relays.Upstream], Awaitable[None]]


def _hold(
    folder: Path, act: Act, *, terms: dict[str, Any] | None = None, faults: dict[str, Any] | None = None, **fields: Any
) -> None:
    with relays.standing_in(terms, faults=faults) as upstream:
        with relays.relaying(folder, relays.table("a", upstream.url, **fields)) as server:
            asyncio.run(act(server, upstream))
        tally = upstream.remote.tally()
    assert (tally["violations"], tally["crashes"]) == ([], [])


def _talk(server: servers.Server, query: str = "model=gpt-realtime", **options: Any) -> Talk:
    return Talk(server.ws_url, servers.KEY, query=query, **options)


async def _order(upstream: relays.Upstream, do: str, **fields: Any) -> Any:
    return await asyncio.to_thread(upstream.remote.order, do, **fields)


def test_a_session_is_renewed_by_what_the_upstream_says_of_its_end(tmp_path: Path) -> None:
    async def act(server: servers.Server, upstream: relays.Upstream) -> None:
        async with _talk(server) as talk:
            began = time.monotonic()
            count = failed = 0
            while time.monotonic() - began < 9:
                failed += (await talk.ask(f"Remark {count}", output_modalities=TEXT))["status"] != "completed"
                await asyncio.sleep(0.2)
                count += 1
            # An answer that was under way at the very end of its upstream fails, as the protocol has it.
            assert failed <= 1
            known = words(await talk.ask("What do you know?", output_modalities=TEXT))
            assert known.startswith(tuple(f"I know {2 * count + 1 - lost} items" for lost in range(failed + 1)))
            order.check(talk.events, "ga", complete=False)
        tally = await asyncio.to_thread(upstream.remote.tally)
        assert tally["opened"] >= 3

    _hold(tmp_path, act, terms={"session_seconds": 4}, pool=0)


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_a_transcription_session_is_relayed(tmp_path: Path, shape: str) -> None:
    async def act(server: servers.Server, upstream: relays.Upstream) -> None:
        headers = BETA if shape == "beta" else {}
        async with _talk(server, "intent=transcription", headers=headers) as talk:
            prefix = "transcription_" if shape == "beta" else ""
            await talk.until(f"{prefix}session.created")
            transcription = {"model": "gpt-4o-transcribe"}
            if shape == "beta":
                session: Any = {"input_audio_transcription": transcription, "turn_detection": None}
            else:
                heard = {"transcription": transcription, "turn_detection": None}
                session = {"type": "transcription", "audio": {"input": heard}}
            await talk.send(f"{prefix}session.update", session=session)
            await talk.until(f"{prefix}session.updated")
            await talk.speak(sounds.word(5, 600, "audio/pcm"))
            await talk.send("input_audio_buffer.commit")
            completed = await talk.until("conversation.item.input_audio_transcription.completed")
            assert completed["transcript"] == "0.6 seconds of speech"
            order.check(talk.events, shape)

    _hold(tmp_path, act)


def test_what_nobody_knows_passes(tmp_path: Path) -> None:
    async def act(server: servers.Server, upstream: relays.Upstream) -> None:
        async with _talk(server) as talk:
            await talk.until("session.created")
            await _order(upstream, "change", fields={"sends_unknown": True})
            response = await talk.ask("Hello")
            assert response["status"] == "completed"
            notes = [event for event in talk.events if event["type"] == "vendor.note.added"]
            assert {note["note"] for note in notes} >= {"response.created", "response.output_audio.delta"}
            marked = [event for event in talk.events if event["type"].startswith("response.")]
            assert all(event["x_vendor_note"] == {"of": event["type"]} for event in marked)

    _hold(tmp_path, act)


def test_a_response_that_the_upstream_fails_is_told_as_it_fails_and_the_session_goes_on(tmp_path: Path) -> None:
    async def act(server: servers.Server, upstream: relays.Upstream) -> None:
        async with _talk(server) as talk:
            await talk.until("session.created")
            error = {"type": "requests", "code": "rate_limit_exceeded", "message": "Rate limit reached."}
            trouble = {"what": "fail", "after_deltas": 2, "error": error}
            await _order(upstream, "change", fields={"trouble": trouble})
            failed = await talk.ask("Hello you there")
            assert (failed["status"], failed["status_details"]["error"]) == ("failed", error)
            assert (await talk.ask("Again"))["status"] == "completed"
            await talk.until("rate_limits.updated")
            order.check(talk.events, "ga")

    _hold(tmp_path, act)


@pytest.mark.parametrize("code", [1011, 1012, 4000])
def test_an_upstream_that_closes_is_replaced(tmp_path: Path, code: int) -> None:
    async def act(server: servers.Server, upstream: relays.Upstream) -> None:
        async with _talk(server) as talk:
            await talk.ask("Hello", output_modalities=TEXT)
            await _order(upstream, "close", code=code, reason="so it goes")
            assert words(await talk.ask("Still there?", output_modalities=TEXT)) == "You said: Still there?."
            known = words(await talk.ask("What do you know?", output_modalities=TEXT))
            assert known.startswith("I know 5 items")
            order.check(talk.events, "ga", complete=False)

    _hold(tmp_path, act)


def test_an_upstream_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    async def act(server: servers.Server, upstream: relays.Upstream) -> None:
        async with _talk(server) as talk:
            await talk.ask("Hello", output_modalities=TEXT)
            began = time.monotonic()
            await _order(upstream, "close_door", seconds=2, drops=True)
            assert words(await talk.ask("Still there?", output_modalities=TEXT)) == "You said: Still there?."
            assert time.monotonic() - began >= 1.5
            known = words(await talk.ask("What do you know?", output_modalities=TEXT))
            assert known.startswith("I know 5 items")
            order.check(talk.events, "ga", complete=False)

    _hold(tmp_path, act)


def test_a_session_begins_late_where_its_upstream_does(tmp_path: Path) -> None:
    async def act(server: servers.Server, upstream: relays.Upstream) -> None:
        began = time.monotonic()
        async with _talk(server) as talk:
            response = await talk.ask("Hello", output_modalities=TEXT)
            assert words(response) == "You said: Hello."
            assert time.monotonic() - began >= 1.0
            order.check(talk.events, "ga", complete=False)

    _hold(tmp_path, act, faults={"handshake_delay_seconds": 1.0}, pool=0)


def test_a_key_that_the_upstream_does_not_take_is_told(tmp_path: Path) -> None:
    async def act(server: servers.Server, upstream: relays.Upstream) -> None:
        async with _talk(server) as talk:
            error = await talk.error()
            assert error["type"] == "server_error"
            assert servers.KEY not in json.dumps(talk.events)
            assert relays.UPSTREAM_KEY not in json.dumps(talk.events)
            code, reason = await talk.until_closed()
            assert (code, reason) == (4000, "server_error.upstream_refused")

    _hold(tmp_path, act, terms={"keys": ["sk-another"]}, pool=0)
