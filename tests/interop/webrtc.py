"""Calls by WebRTC as the tests make them: from pages in a browser, over networks that are in the way."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import socket
import subprocess
import threading
import time
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interop import environments, servers
from interop import test_page as sounds
from interop.browser import Browser
from interop.pages import Pages

Json = dict[str, Any]
HERE = Path(__file__).parent
VOICE = "marin"
ALIKE = 0.75
RATE = 16_000
"""Of what the pages' ears keep."""
SDK = "node_modules/@openai/agents-realtime/dist/bundle/openai-realtime-agents.umd.js"


def microphone(path: Path, *, lead_seconds: float, rest_seconds: float) -> Path:
    """Make what a microphone hears again and again: silence, the question, silence."""
    with wave.open(str(HERE / "data" / "question.wav"), "rb") as question, wave.open(str(path), "wb") as heard:
        heard.setparams(question.getparams())
        rate = question.getframerate()
        spoken = question.readframes(question.getnframes())
        heard.writeframes(b"\0\0" * int(rate * lead_seconds) + spoken + b"\0\0" * int(rate * rest_seconds))
    return path


def sdk() -> dict[str, Path]:
    """Return the file of `@openai/agents` for browsers, as its makers bundled it."""
    environments.node()
    return {"openai-realtime-agents.umd.js": environments.NODE_PROJECT / SDK}


def request(server: servers.Server, path: str, body: object | None = None, **headers: str) -> Json:
    """Ask a server for something with its key."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    fields = {"Authorization": f"Bearer {servers.KEY}", "Content-Type": "application/json", **headers}
    asked = urllib.request.Request(f"{server.http_url}/{path}", data, fields)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        found: Json = json.load(answer)
    return found


def secret(server: servers.Server, **session: Any) -> str:
    """Return a client secret, for a voice that a recogniser makes out."""
    given = {"type": "realtime", "model": "gpt-realtime", "audio": {"output": {"voice": VOICE}}, **session}
    return str(request(server, "realtime/client_secrets", {"session": given})["value"])


def hang_up(server: servers.Server, call_id: str) -> None:
    """End a call from afar."""
    url = f"{server.http_url}/realtime/calls/{call_id}/hangup"
    asked = urllib.request.Request(url, b"", {"Authorization": f"Bearer {servers.KEY}"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.status == 200


def likeness(server: servers.Server, heard: str, told: str) -> float:
    """Return how like the server's own reading of some words it is what an ear kept, 1 being the same."""
    asked = {"model": "tts-1", "voice": VOICE, "input": told, "response_format": "pcm"}
    fields = {"Authorization": f"Bearer {servers.KEY}", "Content-Type": "application/json"}
    url = f"{server.http_url}/audio/speech"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(asked).encode(), fields), timeout=30) as answer:
        meant = sounds.resampled(sounds.pcm(answer.read()), 24_000, RATE)
    return sounds.likeness(meant, sounds.pcm(base64.b64decode(heard)))


def words_of(server: servers.Server, heard: str) -> str:
    """Return what a recogniser makes of what an ear kept."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(base64.b64decode(heard))
    line = b"--border"
    form = b"\r\n".join([
        *(line, b'Content-Disposition: form-data; name="model"', b"", b"whisper-1"),
        *(line, b'Content-Disposition: form-data; name="file"; filename="a.wav"', b"", sound.getvalue()),
        line + b"--\r\n",
    ])  # fmt: skip
    kind = "multipart/form-data; boundary=border"
    return str(request(server, "audio/transcriptions", form, **{"Content-Type": kind})["text"]).lower()


# ------------------------------------------------------------------------------------------------------------ raw calls

QUIET = {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}
"""A microphone that is heard as it is: what a browser does to speech is not the server's."""


def call(browser: Browser, pages: Pages, url: str, token: str, **options: Any) -> Json:
    """Have a page make a call by fetch alone, and return how it was answered."""
    browser.open(f"{pages.url}/raw.html")
    browser.until("!!window.callBy")
    return call_again(browser, url, token, **options)


def call_again(browser: Browser, url: str, token: str, **options: Any) -> Json:
    """Have the page that is open make another call."""
    given = json.dumps({"audio": QUIET, **options})
    answered: Json = browser.js(
        f"callBy({json.dumps(url)}, {json.dumps(token)}, {given})"
        ".then(({ status, location, answer }) => ({ status, location, answer }))"
    )
    return answered


def seen(browser: Browser, *kinds: str, seconds: float = 20) -> list[Json]:
    """Return the last event of each kind, as soon as there is one."""
    browser.until(f"{json.dumps(kinds)}.every((kind) => call.events.some((one) => one.type === kind))", seconds)
    found: list[Json] = browser.js(
        f"{json.dumps(kinds)}.map((kind) => call.events.findLast((one) => one.type === kind))"
    )
    return found


def answered(browser: Browser, nth: int = 1) -> None:
    """Wait until so many answers were played out."""
    browser.until(f"call.events.filter((one) => one.type === 'output_audio_buffer.stopped').length >= {nth}", 40)
    # What left the server is still in the browser's jitter buffer.
    time.sleep(0.4)


def heard(browser: Browser) -> str:
    """Return what the page has heard since it was asked last."""
    return str(browser.js("Promise.resolve(call.ear).then((ear) => ear.take())"))


def heard_answer(browser: Browser, server: servers.Server) -> str:
    """Return the latest answer as the server told it, having made sure that it is what the page has heard."""
    [told] = browser.js("[call.events.findLast((one) => /audio_transcript[.]done$/.test(one.type)).transcript]")
    # A page's sound is that of a busy machine, and coded; another sentence is less than half as like.
    assert likeness(server, heard(browser), told) > ALIKE, told
    return str(told)


def kinds(browser: Browser) -> list[str]:
    """Return the types of all events, in their order."""
    found: list[str] = browser.js("call.events.map((one) => one.type)")
    return found


# -------------------------------------------------------------------------------------------------- what is in the way


def own_address() -> str:
    """Return an address of this machine that is not loopback."""
    address = _address()
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback, on which Firefox and TURN servers do not work")
    return address


def reaching_own_address() -> str:
    """Return a flag by which a browser reaches all of this machine, and nothing else."""
    hosts = ("127.0.0.1", "localhost", _address())
    return "--host-resolver-rules=" + ", ".join(["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in hosts)])


def _address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # for documentation; nothing is sent
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def free_udp_port(host: str = "127.0.0.1") -> int:
    """Return a UDP port that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Mapping:
    """A mapped port, as a NAT or a container has one: each caller gets a socket of its own towards the server."""

    def __init__(self, port: int, target: tuple[str, int]) -> None:
        self._target = target
        self._ways: dict[tuple[str, int], asyncio.DatagramTransport] = {}
        self._port = port
        self._front: asyncio.DatagramTransport | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self.passed = 0
        """Datagrams that went through, both ways."""
        self.is_cut = False
        """Whether everything is dropped."""

    def __enter__(self) -> Mapping:
        self._thread.start()
        opened = self._loop.create_datagram_endpoint(lambda: _Front(self), local_addr=("127.0.0.1", self._port))
        self._front, _ = asyncio.run_coroutine_threadsafe(opened, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for way in [self._front, *self._ways.values()]:
            if way is not None:
                way.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def forget(self) -> None:
        """Give every caller another socket from now on, as a NAT does that was begun anew."""
        self._loop.call_soon_threadsafe(self._ways.clear)

    def received(self, data: bytes, caller: tuple[str, int]) -> None:
        """Take what came to the mapped port."""
        task = self._loop.create_task(self._outward(data, caller))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _outward(self, data: bytes, caller: tuple[str, int]) -> None:
        if self.is_cut:
            return
        if caller not in self._ways:
            back = _Back(self, caller)
            self._ways[caller], _ = await self._loop.create_datagram_endpoint(lambda: back, remote_addr=self._target)
        self.passed += 1
        self._ways[caller].sendto(data)

    def inward(self, data: bytes, caller: tuple[str, int]) -> None:
        """Pass on what the server sent."""
        if self._front is not None and not self.is_cut:
            self.passed += 1
            self._front.sendto(data, caller)


class _Front(asyncio.DatagramProtocol):
    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._mapping.received(data, addr)


class _Back(asyncio.DatagramProtocol):
    def __init__(self, mapping: Mapping, caller: tuple[str, int]) -> None:
        self._mapping = mapping
        self._caller = caller

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._mapping.inward(data, self._caller)


@contextlib.contextmanager
def turn_server(folder: Path, program: str, address: str, shared_secret: str) -> Iterator[int]:
    """A coturn on an address of this machine until the context ends; yields its port for UDP and TCP."""
    port = free_udp_port(address)
    command = [program, "--no-cli", "--no-tls", "--no-dtls", "--listening-ip", address, "--relay-ip", address]
    command += ["--listening-port", str(port), "--min-port", "49152", "--max-port", "49999", "--realm", "test"]
    command += ["--use-auth-secret", "--static-auth-secret", shared_secret, "--log-file", "stdout", "--no-stdout-log"]
    command += ["--pidfile", str(folder / "turn.pid"), "--db", str(folder / "turn.db")]
    with (folder / "turn.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
                break
            if process.poll() is not None:
                break
            time.sleep(0.05)
        assert process.poll() is None, (folder / "turn.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(10)
