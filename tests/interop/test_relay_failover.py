"""Upstreams are killed and stalled under the relay, and clients read slowly: the conversation goes on."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import order
from interop import relays, servers
from upstream.client import Talk, words

pytestmark = pytest.mark.interop

Json = dict[str, Any]
TEXT = ["text"]
TERMS = {"pace": 4.0}


def _route(*names: str) -> str:
    ranks = [[name] for name in names]
    return f'[route.main]\nmodels = ["gpt-*"]\nupstreams = {json.dumps(ranks)}\n'


def _talk(server: servers.Server) -> Talk:
    return Talk(server.ws_url, servers.KEY, query="model=gpt-realtime&relay_events=1")


def _told(talk: Talk, what: str) -> list[Json]:
    """What the relay has told of its own affairs, of one kind."""
    return [event for event in talk.events if event["type"] == "vivavoce.relay" and event["what"] == what]


def _check(talk: Talk) -> None:
    order.check([event for event in talk.events if event["type"] != "vivavoce.relay"], "ga", complete=False)


async def _known(talk: Talk) -> list[tuple[str, str]]:
    """Ids and words of what a stand-in knows."""
    told = words(await talk.ask("What do you know?", output_modalities=TEXT))
    return [(item_id, text) for item_id, _, text in json.loads(told.partition(": ")[2])]


async def _begin(talk: Talk, question: str, deltas: int = 3) -> None:
    """Ask something, and return in the middle of the answer."""
    await talk.say(question)
    await talk.send("response.create")
    for _ in range(deltas):
        await talk.until("response.output_audio.delta")


def _metrics(server: servers.Server) -> str:
    url = server.http_url.removesuffix("/v1") + "/metrics"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {servers.KEY}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return str(answer.read().decode())


def _resident_mb(server: servers.Server) -> float:
    lines = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def test_a_conversation_survives_one_upstream_after_another_and_ends_with_our_own_engines(tmp_path: Path) -> None:
    with relays.standing_in(TERMS) as first, relays.standing_in(TERMS) as second:
        routing = relays.table("a", first.url) + relays.table("b", second.url) + _route("a", "b", "local")
        settings = {"VIVAVOCE_JOURNAL": str(tmp_path / "journal")}
        with relays.relaying(tmp_path, routing, **settings) as server:
            times = asyncio.run(_outlive(server, first, second))
            metrics = _metrics(server)
        assert second.process.wait(5) == -signal.SIGKILL
    journals = [path.read_text(encoding="utf-8") for path in (tmp_path / "journal").glob("*.relay.jsonl")]
    assert any('"b"' in journal and '"local"' in journal for journal in journals)
    assert "vivavoce_relay" in metrics
    print({name: f"{1000 * seconds:.0f} ms" for name, seconds in times.items()})


async def _outlive(server: servers.Server, first: relays.Upstream, second: relays.Upstream) -> dict[str, float]:
    times: dict[str, float] = {}
    async with _talk(server) as talk:
        await talk.until("session.created")
        await talk.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        await talk.ask("My name is Ada.")
        for name, upstream in (("a", first), ("b", second)):
            await _begin(talk, "Please count to 40")
            upstream.process.send_signal(signal.SIGKILL)
            killed_at = time.monotonic()
            failed = (await talk.until("response.done"))["response"]
            times[f"{name} killed, told"] = time.monotonic() - killed_at
            assert failed["status_details"]["error"]["code"] == "upstream_disconnected"
            assert failed["output"][0]["status"] == "incomplete"
            await talk.until(lambda event: event["type"] == "vivavoce.relay" and event["what"] == "recovered")
            times[f"{name} killed, recovered"] = time.monotonic() - killed_at
            if name == "a":
                shown = [event["item"] for event in talk.events if event["type"] == "conversation.item.done"]
                known = await _known(talk)
                assert known[: len(shown)] == [(item["id"], words({"output": [item]})) for item in shown]
        answer = await talk.ask("What is my name?")
        times["b killed, local engines have answered"] = time.monotonic() - killed_at
        assert "ada" in words(answer).lower()
        assert [event["upstream"] for event in _told(talk, "recovered")] == ["b", "local"]
        assert talk.types().count("session.created") == 1
        _check(talk)
    return times


def test_an_upstream_that_does_not_answer_is_left(tmp_path: Path) -> None:
    with relays.standing_in(TERMS) as upstream:
        with relays.relaying(tmp_path, relays.table("a", upstream.url, patience_seconds=2.0, pool=0)) as server:
            asyncio.run(_lose_patience(server, upstream))
        assert upstream.violations() == []


async def _lose_patience(server: servers.Server, upstream: relays.Upstream) -> None:
    async with _talk(server) as talk:
        await talk.ask("Hello", output_modalities=TEXT)
        assert await asyncio.to_thread(upstream.remote.order, "stop_reading", seconds=60) >= 1
        asked_at = time.monotonic()
        response = await talk.ask("Are you there?", output_modalities=TEXT)
        took = time.monotonic() - asked_at
        assert words(response) == "You said: Are you there?."
        assert 2.0 <= took < 5.0
        assert [text for _, text in await _known(talk)][:3] == ["Hello", "You said: Hello.", "Are you there?"]
        _check(talk)


def test_an_upstream_that_reads_nothing_bounds_what_is_kept_for_it(tmp_path: Path) -> None:
    with relays.standing_in(TERMS) as upstream:
        with relays.relaying(tmp_path, relays.table("a", upstream.url, pool=0)) as server:
            asyncio.run(_pour(server, upstream))
        assert upstream.violations() == []


async def _pour(server: servers.Server, upstream: relays.Upstream) -> None:
    """Say much more than may be kept to an upstream that reads nothing, while somebody else talks undisturbed."""
    silence = base64.b64encode(bytes(48_000)).decode()
    async with _talk(server) as talk, _talk(server) as other:
        await talk.ask("Hello", output_modalities=TEXT)
        before_mb = _resident_mb(server)
        await asyncio.to_thread(upstream.remote.order, "stop_reading", seconds=60)
        await other.until("session.created")
        most_mb = before_mb
        for _ in range(500):  # seconds of audio: 32 MB of frames
            await talk.send("input_audio_buffer.append", audio=silence)
            most_mb = max(most_mb, _resident_mb(server))
        assert words(await talk.ask("Still there?", output_modalities=TEXT)) == "You said: Still there?."
        assert len(_told(talk, "lost")) == len(_told(talk, "recovered")) >= 1
        print(f"memory: {before_mb:.0f} MB before, {most_mb:.0f} MB at most")
        assert most_mb - before_mb < 40
        _check(talk)


def test_a_client_that_reads_nothing_for_a_while_has_its_upstream_wait(tmp_path: Path) -> None:
    with relays.standing_in() as upstream:
        with relays.relaying(tmp_path, relays.table("a", upstream.url)) as server:
            asyncio.run(_read_late(server, upstream))
        assert upstream.violations() == []


async def _read_late(server: servers.Server, upstream: relays.Upstream) -> None:
    async with _talk(server) as talk, _talk(server) as other:
        await talk.until("session.created")
        await talk.say("count to 2000")  # 38 MB of frames, as fast as they are taken
        before_mb = _resident_mb(server)
        await talk.send("response.create")
        most_mb, slowest = before_mb, 0.0
        until = time.monotonic() + 8
        while time.monotonic() < until:
            asked_at = time.monotonic()
            assert (await other.ask("Hi", output_modalities=TEXT))["status"] == "completed"
            slowest = max(slowest, time.monotonic() - asked_at)
            most_mb = max(most_mb, _resident_mb(server))
        print(f"memory: {before_mb:.0f} MB before, {most_mb:.0f} MB at most; others waited {slowest:.2f} s at most")
        assert most_mb - before_mb < 20
        assert slowest < 2.0
        response = (await talk.until("response.done"))["response"]
        assert response["status"] == "completed"
        sent = [event["delta"] for event in talk.events if event["type"] == "response.output_audio.delta"]
        assert len(sent) == 2000
        _check(talk)


def test_a_client_that_reads_nothing_any_more_is_cut_off_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        relays.standing_in() as upstream,
        relays.relaying(tmp_path, relays.table("a", upstream.url, pool=0)) as server,
    ):
        asyncio.run(_read_never(server, upstream))


async def _read_never(server: servers.Server, upstream: relays.Upstream) -> None:
    async with _talk(server) as talk:
        await talk.until("session.created")
        await talk.say("count to 2000")
        await talk.send("response.create")
        for _ in range(300):  # two intervals between pings, of 20 s each, are what it is given
            await asyncio.sleep(0.2)
            if not (await asyncio.to_thread(upstream.remote.tally))["sessions"]:
                break
        else:
            pytest.fail("its session upstream is still there after a minute")
        code, _ = await talk.until_closed()
        assert code in (1006, 1013)
