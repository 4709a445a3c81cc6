"""A peer that knows nothing of ours calls a real server by WebRTC, and controllers attend to its calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from interop import environments, relays, servers
from interop.browsers import PATIENCE_SECONDS, RATE_HZ, Browser

pytestmark = pytest.mark.interop

Json = dict[str, Any]
QUESTION = Path(__file__).parent / "data" / "question.wav"
FORTY_TWO = re.compile(r"\b42\b|\bforty[ -]two\b", re.IGNORECASE)
SESSION = {"type": "realtime", "model": "gpt-realtime", "instructions": "Answer in one sentence."}
LONG = "Say after me: one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen."


def sound_seconds(browser: Browser) -> float:
    """How long something was to be heard."""
    pcm = np.frombuffer(bytes(browser.heard), np.int16)
    frames = pcm[: len(pcm) // 480 * 480].reshape(-1, 480)
    return float((np.abs(frames).max(axis=1) > 500).sum()) * 480 / RATE_HZ


def transcript_of(browser: Browser) -> str:
    return " ".join(str(event["transcript"]) for event in browser.events if event["type"].endswith("transcript.done"))


def ask(text: str) -> tuple[Json, Json]:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return {"type": "conversation.item.create", "item": item}, {"type": "response.create"}


async def ask_server(
    server: servers.Server, path: str, body: Json | None = None, key: str = servers.KEY
) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(server.http_url + path, json=body, headers={"Authorization": f"Bearer {key}"})


async def figures(server: servers.Server, key: str = servers.KEY) -> dict[str, float]:
    """The metrics of a server."""
    async with httpx.AsyncClient() as client:
        url = server.http_url.removesuffix("/v1") + "/metrics"
        text = (await client.get(url, headers={"Authorization": f"Bearer {key}"})).text
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}


class Sideband:
    """A controller of a call."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.events: list[Json] = []
        self.code: int | None = None

    async def send(self, event: Json) -> None:
        await self._socket.send(json.dumps(event))

    async def until(self, kind: str) -> Json:
        """Return the next event of a type."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self.events.append(json.loads(await self._socket.recv()))
                if self.events[-1]["type"] == kind:
                    return self.events[-1]

    async def closed(self) -> int | None:
        """Return the code by which the server ends it."""
        try:
            await self.until("never")
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else None
        raise AssertionError


@contextlib.asynccontextmanager
async def attending(server: servers.Server, call_id: str, key: str = servers.KEY) -> AsyncIterator[Sideband]:
    url = f"{server.ws_url}/realtime?call_id={call_id}"
    async with connect(url, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None) as socket:
        yield Sideband(socket)


async def test_a_spoken_question_is_answered_and_heard(plain_server: servers.Server) -> None:
    async with Browser(plain_server.http_url, servers.KEY) as browser:
        await browser.call(session=SESSION)
        created = await browser.until("session.created")
        assert browser.types() == ["session.created"]
        assert (created["session"]["model"], created["session"]["instructions"]) == (
            "gpt-realtime",
            "Answer in one sentence.",
        )
        browser.voice.say(QUESTION)
        await browser.until("output_audio_buffer.stopped")
        assert FORTY_TWO.search(transcript_of(browser)), browser.types()
        types = browser.types()
        assert "response.output_audio.delta" not in types
        assert types.count("output_audio_buffer.started") == types.count("output_audio_buffer.stopped") == 1
        assert sound_seconds(browser) > 0.5


async def test_a_client_secret_brings_its_session(plain_server: servers.Server) -> None:
    made = (await ask_server(plain_server, "/realtime/client_secrets", {"session": SESSION})).json()
    async with Browser(plain_server.http_url, made["value"]) as browser:
        await browser.call("/realtime/calls?model=something-else")
        created = await browser.until("session.created")
        assert created["session"]["instructions"] == "Answer in one sentence."
        async with Browser(plain_server.http_url, servers.KEY) as other:
            await other.call()
            refused = await browser.post(f"/realtime/calls/{other.call_id}/hangup")
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "call_id_not_found")
        assert (await browser.post(f"/realtime/calls/{browser.call_id}/hangup")).status_code == 200
        await asyncio.wait_for(browser.closed.wait(), PATIENCE_SECONDS)
        assert (await browser.post(f"/realtime/calls/{browser.call_id}/hangup")).status_code == 404


async def test_pages_of_the_beta_are_spoken_to_in_their_shape(plain_server: servers.Server) -> None:
    async with Browser(plain_server.http_url, servers.KEY) as browser:
        await browser.call("/realtime?model=gpt-4o-realtime-preview")
        created = await browser.until("session.created")
        assert set(created["session"]["modalities"]) == {"audio", "text"}
        for event in ask("What is twelve plus thirty?"):
            browser.send(event)
        await browser.until("output_audio_buffer.stopped")
        done = await browser.until("response.audio_transcript.done")
        assert FORTY_TWO.search(done["transcript"])
        assert "response.audio.delta" not in browser.types()


async def test_older_pages_signal_through_their_session(plain_server: servers.Server) -> None:
    made = (await ask_server(plain_server, "/realtime/sessions", {"instructions": "Answer in one sentence."})).json()
    async with Browser(plain_server.http_url, made["client_secret"]["value"]) as browser:
        path = f"/realtime/sessions/{made['id']}/webrtc"
        answer = await browser.post(
            f"{path}/sdp-offer", json={"sdp": await browser.offer(), "modalities": ["text", "audio"]}
        )
        assert answer.status_code == 200
        candidate = {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
        assert (await browser.post(f"{path}/ice-candidate", json=candidate)).json() == {}
        await browser.accept(answer.json()["sdp"])
        created = await browser.until("session.created")
        assert created["session"]["instructions"] == "Answer in one sentence."
        browser.voice.say(QUESTION)
        await browser.until("input_audio_buffer.speech_started")
        await browser.until("output_audio_buffer.stopped")
        assert sound_seconds(browser) > 0.5


async def test_controllers_see_and_say_everything_but_sound(plain_server: servers.Server) -> None:
    async with Browser(plain_server.http_url, servers.KEY) as browser:
        await browser.call(session=SESSION)
        await browser.until("session.created")
        async with (
            attending(plain_server, browser.call_id) as first,
            attending(plain_server, browser.call_id) as second,
        ):
            for sideband in (first, second):
                created = await sideband.until("session.created")
                assert created["session"]["instructions"] == "Answer in one sentence."
            update = {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}}
            await first.send(update)
            for told in (await browser.until("session.updated"), await second.until("session.updated")):
                assert told["session"]["instructions"] == "Be brief."
            for event in ask("What is twelve plus thirty?"):
                await second.send(event)
            await first.until("output_audio_buffer.stopped")
            await second.until("output_audio_buffer.stopped")
            await browser.until("output_audio_buffer.stopped")
            for events in (first.events, second.events, browser.events):
                types = [event["type"] for event in events]
                assert "response.output_audio.delta" not in types
                assert "response.output_audio_transcript.delta" in types
            assert sound_seconds(browser) > 0.5
        async with attending(plain_server, browser.call_id) as late:
            assert (await late.until("session.created"))["session"]["instructions"] == "Be brief."
            assert (await late._socket.ping()) is not None
            assert (await browser.post(f"/realtime/calls/{browser.call_id}/hangup")).status_code == 200
            assert await late.closed() == 1000
        async with attending(plain_server, browser.call_id) as too_late:
            error = await too_late.until("error")
            assert error["error"]["param"] == "call_id"
            assert await too_late.closed() == 4000


async def test_an_answer_that_is_cleared_is_cut_to_what_was_heard(plain_server: servers.Server) -> None:
    async with Browser(plain_server.http_url, servers.KEY) as browser:
        await browser.call(session=SESSION)
        await browser.until("session.created")
        for event in ask(LONG):
            browser.send(event)
        await browser.until("output_audio_buffer.started")
        await asyncio.sleep(0.5)
        browser.send({"type": "response.cancel"})
        browser.send({"type": "output_audio_buffer.clear"})
        await browser.until("output_audio_buffer.cleared")
        cut = await browser.until("conversation.item.truncated")
        assert 300 <= cut["audio_end_ms"] <= 1500


async def test_calls_are_counted_and_what_ends_is_forgotten(plain_server: servers.Server) -> None:
    before = (await figures(plain_server)).get('vivavoce_calls_total{road="webrtc"}', 0.0)
    async with Browser(plain_server.http_url, servers.KEY) as browser:
        await browser.call()
        await browser.until("session.created")
        assert (await figures(plain_server))['vivavoce_calls_total{road="webrtc"}'] == before + 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (after := await figures(plain_server))['vivavoce_calls_open{road="webrtc"}']:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert after['vivavoce_call_setup_seconds_count{road="webrtc"}'] >= 1
    assert after['vivavoce_call_loss_ratio_count{road="webrtc"}'] >= 1


@pytest.mark.parametrize("shape", ["ga", "beta"])
async def test_a_call_is_answered_by_a_server_behind_this_one(tmp_path: Path, shape: str) -> None:
    with relays.standing_in({"shape": shape}) as upstream:
        routing = relays.table("far", upstream.url, shape=shape, models={})
        with relays.relaying(tmp_path, routing) as server:
            async with Browser(server.http_url, servers.KEY) as browser:
                await browser.call(session=SESSION)
                created = await browser.until("session.created")
                assert created["session"]["instructions"] == "Answer in one sentence."
                browser.voice.say(QUESTION)
                await browser.until("output_audio_buffer.stopped")
                types = browser.types()
                assert "response.output_audio.delta" not in types
                assert sound_seconds(browser) > 0.2
        assert upstream.violations() == []


class Mapping(asyncio.DatagramProtocol):
    """A port that stands for another one, as those of a NAT or a container do."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._ways: dict[tuple[str, int], asyncio.DatagramTransport] = {}
        self._waiting: dict[tuple[str, int], list[bytes]] = {}
        self.forwarded = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.forwarded += 1
        if addr in self._ways:
            self._ways[addr].sendto(data)
        elif addr in self._waiting:
            self._waiting[addr].append(data)
        else:
            self._waiting[addr] = [data]
            task = asyncio.ensure_future(self._open(addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self, addr: tuple[str, int]) -> None:
        outside = self._transport

        class Back(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, _addr: Any) -> None:
                outside.sendto(data, addr)

        loop = asyncio.get_running_loop()
        way, _ = await loop.create_datagram_endpoint(Back, remote_addr=self._target)
        self._ways[addr] = way
        for data in self._waiting.pop(addr):
            way.sendto(data)

    def close(self) -> None:
        for way in (self._transport, *self._ways.values()):
            way.close()


async def test_a_call_comes_in_by_a_mapped_port(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        inside = free.getsockname()[1]
    loop = asyncio.get_running_loop()
    outside, mapping = await loop.create_datagram_endpoint(
        lambda: Mapping(("127.0.0.1", inside)), local_addr=("127.0.0.1", 0)
    )
    port = outside.get_extra_info("sockname")[1]
    environment = {"VIVAVOCE_WEBRTC_PORT": str(inside), "VIVAVOCE_WEBRTC_ADVERTISE": f"127.0.0.1:{port}"}
    try:
        with servers.running(tmp_path, tls=False, environment=environment) as server:
            async with Browser(server.http_url, servers.KEY) as browser:
                answer = await browser.call()
                assert set(re.findall(r"127\.0\.0\.1 (\d+) typ host", answer.text)) == {str(port)}
                await browser.until("session.created")
                for event in ask("What is twelve plus thirty?"):
                    browser.send(event)
                await browser.until("output_audio_buffer.stopped")
                assert sound_seconds(browser) > 0.5
                assert mapping.forwarded > 50
    finally:
        mapping.close()


BACK_KEY = "sk-back_0123456789"


@pytest.fixture
def back_server(tmp_path: Path) -> Iterator[servers.Server]:
    """A server that another one passes calls on to."""
    folder = tmp_path / "back"
    folder.mkdir()
    with servers.running(folder, tls=False, environment={"VIVAVOCE_API_KEYS": BACK_KEY}) as server:
        yield server


async def open_calls(server: servers.Server, road: str, key: str = servers.KEY) -> float:
    return (await figures(server, key)).get(f'vivavoce_calls_open{{road="{road}"}}', 0.0)


async def test_a_call_that_is_passed_on_speaks_with_the_upstream_and_is_controlled_here(
    tmp_path: Path, back_server: servers.Server
) -> None:
    front = tmp_path / "front"
    front.mkdir()
    routing = f"""
[upstream.back]
url = "{back_server.ws_url}"
key_env = "BACK_KEY"
[upstream.back.models]
"gpt-*" = "vivavoce"
[route.main]
models = ["gpt-*"]
upstreams = ["back"]
webrtc = "pass"
"""
    with relays.relaying(front, routing, BACK_KEY=BACK_KEY, VIVAVOCE_WEBRTC="no") as server:
        made = (await ask_server(server, "/realtime/client_secrets", {"session": SESSION})).json()
        async with Browser(server.http_url, made["value"]) as browser:
            await browser.call()
            created = await browser.until("session.created")
            assert (created["session"]["model"], created["session"]["instructions"]) == (
                "vivavoce",
                "Answer in one sentence.",
            )
            assert await open_calls(server, "passed") == 1
            assert await open_calls(back_server, "webrtc", BACK_KEY) == 1
            async with attending(server, browser.call_id) as sideband:
                await sideband.until("session.created")
                for event in ask("What is twelve plus thirty?"):
                    await sideband.send(event)
                await sideband.until("output_audio_buffer.stopped")
                await browser.until("output_audio_buffer.stopped")
                assert sound_seconds(browser) > 0.5
                assert (await browser.post(f"/realtime/calls/{browser.call_id}/hangup")).status_code == 200
                assert await sideband.closed() == 1000
            await asyncio.wait_for(browser.closed.wait(), PATIENCE_SECONDS)
            assert await open_calls(server, "passed") == 0
            assert await open_calls(back_server, "webrtc", BACK_KEY) == 0
        async with Browser(server.http_url, servers.KEY) as browser:
            await browser.call("/realtime/calls?model=gpt-realtime")
            await browser.until("session.created")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await open_calls(server, "passed"):  # noqa: ASYNC110 - the server tells nobody of it
                await asyncio.sleep(0.1)
        assert await open_calls(back_server, "webrtc", BACK_KEY) == 0
        async with Browser(server.http_url, servers.KEY) as browser:
            refused = await browser.post(
                "/realtime/calls?model=gpt-realtime", content="v=0", headers={"Content-Type": "application/sdp"}
            )
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_offer")


async def test_the_official_sdk_makes_attends_to_and_ends_a_call(plain_server: servers.Server) -> None:
    program = str(environments.python("openai"))
    script = str(Path(__file__).parent / "python" / "calls_client.py")
    process = await asyncio.create_subprocess_exec(
        program, script, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None

    async def tell(**news: Any) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(news).encode() + b"\n")
        await process.stdin.drain()

    async def told() -> Json:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            found: Json = json.loads(await process.stdout.readline())
        return found

    try:
        async with Browser(plain_server.http_url, "") as browser:
            urls = {"http_url": plain_server.http_url, "ws_url": plain_server.ws_url}
            await tell(**urls, key=servers.KEY, sdp=await browser.offer(), session=SESSION)
            made = await told()
            assert made["status"] == 201
            await browser.accept(made["sdp"])
            await browser.until("session.created")
            await tell(connected=True)
            result = await told()
            await asyncio.wait_for(browser.closed.wait(), PATIENCE_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert (result["first"], result["instructions"]) == ("session.created", "Answer in one sentence.")
    assert {"session.updated", "response.done", "output_audio_buffer.started"} <= set(result["types"])
    assert "response.output_audio.delta" not in result["types"]
    assert result["missing"] == "call_id_not_found"


async def test_a_call_outlives_the_connection_to_the_server_that_answers_it(tmp_path: Path) -> None:
    with relays.standing_in() as upstream:
        with relays.relaying(tmp_path, relays.table("far", upstream.url, models={})) as server:
            async with Browser(server.http_url, servers.KEY) as browser:
                await browser.call(session=SESSION)
                await browser.until("session.created")
                for count in (1, 2):
                    for event in ask(f"This is request number {count}."):
                        browser.send(event)
                    await browser.until("output_audio_buffer.stopped", count=count)
                    if count == 1:
                        before = sound_seconds(browser)
                        assert await asyncio.to_thread(upstream.remote.order, "drop") >= 1
                assert browser.types().count("session.created") == 1
                assert sound_seconds(browser) > before
        assert upstream.violations() == []


async def test_what_is_said_in_a_call_is_written_down(plain_server: servers.Server) -> None:
    transcription = {"model": "gpt-live-transcribe"}
    session = {"type": "transcription", "audio": {"input": {"transcription": transcription}}}
    async with Browser(plain_server.http_url, servers.KEY) as browser:
        await browser.call(session=session)
        created = await browser.until("session.created")
        assert created["session"]["type"] == "transcription"
        browser.voice.say(QUESTION)
        done = await browser.until("conversation.item.input_audio_transcription.completed")
        assert "six times seven" in done["transcript"].lower()
        assert "response.created" not in browser.types()


async def test_a_controller_that_is_earlier_than_the_browser_waits_for_it(plain_server: servers.Server) -> None:
    async with Browser(plain_server.http_url, servers.KEY) as browser:
        answer = await browser.post(content=await browser.offer(), headers={"Content-Type": "application/sdp"})
        call_id = answer.headers["location"].rsplit("/", 1)[1]
        async with attending(plain_server, call_id) as sideband:
            update = {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}}
            await sideband.send(update)
            await asyncio.sleep(0.2)
            await browser.accept(answer.text)
            assert (await sideband.until("session.created"))["session"]["instructions"] != "Be brief."
            assert (await sideband.until("session.updated"))["session"]["instructions"] == "Be brief."
            assert [event["type"] for event in sideband.events] == ["session.created", "session.updated"]
        await browser.until("session.updated")
