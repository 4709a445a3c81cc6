"""Calls over media streams, by raw clients that say what providers and PBXs say: asked, interrupted, answered."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
import uuid
import wave
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from interop import servers
from interop.test_page import resampled
from vivavoce.audio.g711 import alaw_to_pcm, pcm_to_alaw, pcm_to_ulaw, ulaw_to_pcm

pytestmark = pytest.mark.interop
Json = dict[str, Any]
TOKEN = "doors_0123456789"
LOUD = 700
WISH = Path(__file__).parents[1] / "data" / "lights-rms.wav"
"""Somebody wants the lights in the kitchen switched on."""
ANSWER = re.compile(r"\bconnected\b")
"""What is answered to that: no devices are connected."""
TABLES = """
records = "records"
[doors]
token_env = "DOORS_TOKEN"
audiosocket = "127.0.0.1:{port}"
[number.main]
voice = "cedar"
silence_duration_ms = 500
"""


class Street(msgspec.Struct, frozen=True):
    """A server with doors."""

    server: servers.Server
    folder: Path
    audiosocket: int

    def url(self, path: str) -> str:
        """Return the address of a door."""
        return f"ws://{self.server.host}/telephone/{path}"

    async def record(self, call: Callable[[Json], bool]) -> Json:
        """Return the record of a call that is over."""
        for _ in range(100):
            for file in (self.folder / "records").glob("*.jsonl"):
                for record in map(json.loads, file.read_text().splitlines()):
                    if call(record):
                        return dict(record)
            await asyncio.sleep(0.05)
        pytest.fail("the call was not written down")


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder = tmp_path_factory.mktemp("street")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "telephone.toml").write_text(TABLES.format(port=port))
    environment = {"VIVAVOCE_TELEPHONE": str(folder / "telephone.toml"), "DOORS_TOKEN": TOKEN}
    with servers.running(folder, tls=False, environment=environment) as server:
        yield Street(server, folder, port)


# ------------------------------------------------------------------------------------------------- what they each say


class Twilio:
    """As Twilio's Media Streams speak: G.711 in JSON."""

    path, rate_hz, clears = f"twilio/{TOKEN}", 8000, '"event":"clear"'
    subprotocols: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.count = 0

    def opening(self) -> list[Any]:
        start = {
            "accountSid": "AC1", "streamSid": "MZ1", "callSid": "CA1", "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"from": "+15550100", "to": "+15550199"},
        }  # fmt: skip
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        return [connected, {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": "MZ1"}]

    def pack(self, pcm: bytes) -> Any:
        self.count += 1
        payload = b64encode(self.code(pcm)).decode()
        media = {"track": "inbound", "chunk": str(self.count), "timestamp": str(20 * self.count), "payload": payload}
        return {"event": "media", "sequenceNumber": str(self.count + 1), "media": media, "streamSid": "MZ1"}

    def code(self, pcm: bytes) -> bytes:
        return pcm_to_ulaw(pcm)

    def unpack(self, message: Any) -> bytes:
        told = json.loads(message)
        if told["event"] != "media":
            return b""
        assert told["streamSid"] == "MZ1"
        return ulaw_to_pcm(b64decode(told["media"]["payload"]))

    def key(self) -> Any:
        return {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": "5"}}

    def ending(self) -> Any:
        return {"event": "stop", "sequenceNumber": "9", "stop": {"accountSid": "AC1", "callSid": "CA1"}}


class TwilioWithParameter(Twilio):
    """The token is a parameter of the stream."""

    path = "twilio"

    def opening(self) -> list[Any]:
        told = super().opening()
        told[1]["start"]["customParameters"]["token"] = TOKEN
        return told


class Telnyx(Twilio):
    """As Telnyx speaks: A-law."""

    path = f"telnyx/{TOKEN}"

    def opening(self) -> list[Any]:
        start = {
            "call_control_id": "v3:1", "from": "+15550100", "to": "+15550199",
            "media_format": {"encoding": "PCMA", "sample_rate": 8000, "channels": 1},
        }  # fmt: skip
        return [{"event": "connected", "version": "1.0.0"}, {"event": "start", "start": start, "stream_id": "s1"}]

    def code(self, pcm: bytes) -> bytes:
        return pcm_to_alaw(pcm)

    def unpack(self, message: Any) -> bytes:
        told = json.loads(message)
        return alaw_to_pcm(b64decode(told["media"]["payload"])) if told["event"] == "media" else b""


class Plivo(Twilio):
    """As Plivo speaks: linear at 16 kHz."""

    path, rate_hz, clears = f"plivo/{TOKEN}", 16_000, '"event":"clearAudio"'

    def opening(self) -> list[Any]:
        media_format = {"encoding": "audio/x-l16", "sampleRate": 16_000}
        start = {"callId": "c1", "streamId": "s1", "tracks": ["inbound"], "mediaFormat": media_format}
        return [{"event": "start", "sequenceNumber": 0, "start": start, "extra_headers": "{}"}]

    def code(self, pcm: bytes) -> bytes:
        return pcm

    def unpack(self, message: Any) -> bytes:
        told = json.loads(message)
        if told["event"] != "playAudio":
            return b""
        assert (told["media"]["contentType"], told["media"]["sampleRate"]) == ("audio/x-l16", 16_000)
        return b64decode(told["media"]["payload"])


class Asterisk:
    """As Asterisk's WebSocket channel speaks, with control in words."""

    path, rate_hz, clears = f"asterisk/{TOKEN}?called=100", 16_000, "FLUSH_MEDIA"
    subprotocols = ("media",)
    words: tuple[str, ...] = (
        "MEDIA_START connection_id:c1 channel:WebSocket/1 format:slin16 optimal_frame_size:640 ptime:20",
        "DTMF_END digit:5 duration_ms:120",
        "HANGUP",
    )

    def opening(self) -> list[Any]:
        return [self.words[0]]

    def pack(self, pcm: bytes) -> Any:
        return pcm

    def unpack(self, message: Any) -> bytes:
        return message if isinstance(message, bytes) else b""

    def key(self) -> Any:
        return self.words[1]

    def ending(self) -> Any:
        return self.words[2]


class AsteriskInJson(Asterisk):
    """The same with control in JSON."""

    clears = '"command":"FLUSH_MEDIA"'
    words = (
        '{"event":"MEDIA_START","connection_id":"c1","format":"slin16","optimal_frame_size":640,"ptime":20}',
        '{"event":"DTMF_END","digit":"5","duration_ms":120}',
        '{"event":"HANGUP"}',
    )


class FreeSwitch(Asterisk):
    """As `mod_audio_fork` speaks: its metadata, then linear audio."""

    path, clears = f"freeswitch/{TOKEN}?rate=16000&called=100", "killAudio"
    subprotocols = ("audio.drachtio.org",)
    words = ('{"uuid":"u1","from":"+15550100"}', '{"event":"dtmf","digit":"5"}', "")


SPELLINGS = (TwilioWithParameter, Telnyx, Plivo, AsteriskInJson, Asterisk, FreeSwitch)
"""Each kind once, for a call takes the time that it takes; Twilio's token in the path is that of the others."""


# -------------------------------------------------------------------------------------------------------------- a call


def question(rate_hz: int) -> bytes:
    with wave.open(str(WISH), "rb") as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
        spoken = resampled(pcm, file.getframerate(), rate_hz)
    return np.clip(spoken, -32_768, 32_767).astype("<i2").tobytes()


def is_loud(pcm: bytes) -> bool:
    return bool(len(pcm) >= 2 and np.abs(np.frombuffer(pcm[: len(pcm) & ~1], "<i2").astype(int)).max() > LOUD)


async def words_of(street: Street, pcm: bytes, rate_hz: int) -> str:
    """Return what a recogniser makes of a sound."""
    sound = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, rate_hz, 2 * rate_hz,
                        2, 16, b"data", len(pcm)) + pcm  # fmt: skip
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(
            f"{street.server.http_url}/audio/transcriptions",
            headers={"Authorization": f"Bearer {servers.KEY}"},
            data={"model": "whisper-1"},
            files={"file": ("a.wav", sound)},
        )
    return str(answer.json()["text"])


class Caller:
    """Somebody who asks, interrupts the answer with the same question, and hears the next answer out."""

    def __init__(self, rate_hz: int, say: Callable[[bytes], Any]) -> None:
        self.rate_hz = rate_hz
        self.say = say
        self.heard = bytearray()
        self.was_loud = asyncio.Event()
        self.loud_at = 0.0
        self._waiting = bytearray()

    def ask(self) -> None:
        self._waiting += question(self.rate_hz)

    def hear(self, pcm: bytes) -> None:
        self.heard += pcm
        if is_loud(pcm):
            self.loud_at = time.monotonic()
            self.was_loud.set()

    async def talk(self) -> None:
        """Send 20 ms every 20 ms, for ever."""
        size, began, count = self.rate_hz // 50 * 2, time.monotonic(), 0
        while True:
            frame = bytes(self._waiting[:size]).ljust(size, b"\0")
            del self._waiting[:size]
            await self.say(frame)
            count += 1
            await asyncio.sleep(max(0.0, began + count * 0.02 - time.monotonic()))

    async def converse(self) -> bytes:
        """Ask, interrupt, and return the second answer."""
        talking = asyncio.create_task(self.talk())
        try:
            self.ask()
            await asyncio.wait_for(self.was_loud.wait(), 20)
            self.ask()
            await asyncio.sleep(len(self._waiting) / 2 / self.rate_hz)
            self.heard.clear()
            self.was_loud.clear()
            await asyncio.wait_for(self.was_loud.wait(), 20)
            while (rest := self.loud_at + 1.5 - time.monotonic()) > 0:  # noqa: ASYNC110 - it moves on with each sound
                await asyncio.sleep(rest)
        finally:
            talking.cancel()
        return bytes(self.heard)


def shown(message: Any) -> Any:
    return json.dumps(message, separators=(",", ":")) if isinstance(message, dict) else message


@pytest.mark.parametrize("make", SPELLINGS)
async def test_a_call_is_answered_interrupted_and_written_down(street: Street, make: Any) -> None:
    spelling, texts = make(), []
    began = time.time()
    url = street.url(spelling.path)
    async with connect(url, subprotocols=list(spelling.subprotocols) or None, compression=None) as far:
        assert far.subprotocol == next(iter(spelling.subprotocols), None)
        for message in spelling.opening():
            await far.send(shown(message))
        caller = Caller(spelling.rate_hz, lambda pcm: far.send(shown(spelling.pack(pcm))))

        async def listen() -> None:
            async for message in far:
                if isinstance(message, str) and not spelling.unpack(message):
                    texts.append(message)
                caller.hear(spelling.unpack(message))

        listening = asyncio.create_task(listen())
        answer = await caller.converse()
        await far.send(shown(spelling.key()))
        await asyncio.sleep(0.1)
        if ending := shown(spelling.ending()):
            await far.send(ending)
        else:
            await far.close()
        await asyncio.wait_for(listening, 10)
    assert any(spelling.clears in text for text in texts), texts
    assert ANSWER.search(await words_of(street, answer, spelling.rate_hz))
    road = spelling.path.split("/")[0].split("?")[0]
    record = await street.record(lambda one: one["road"] == road and one["began_unix"] >= began)
    assert record["digits"] == 1
    assert record["interruptions"] >= 1
    assert record["talk_seconds"] > 4
    assert TOKEN not in street.server.log.read_text()


async def test_a_call_over_an_audiosocket(street: Street) -> None:
    began, name = time.time(), uuid.uuid4()
    reader, writer = await asyncio.open_connection("127.0.0.1", street.audiosocket)
    writer.write(struct.pack(">BH", 0x01, 16) + name.bytes)

    async def say(pcm: bytes) -> None:
        writer.write(struct.pack(">BH", 0x10, len(pcm)) + pcm)
        await writer.drain()

    caller = Caller(8000, say)

    async def listen() -> list[int]:
        kinds = []
        try:
            while True:
                kind, length = struct.unpack(">BH", await reader.readexactly(3))
                pcm = await reader.readexactly(length)
                kinds.append(kind)
                if kind == 0x10:
                    assert length == 320
                    caller.hear(pcm)
        except asyncio.IncompleteReadError:
            return kinds

    listening = asyncio.create_task(listen())
    answer = await caller.converse()
    writer.write(struct.pack(">BH", 0x03, 1) + b"5")
    writer.write(struct.pack(">BH", 0x00, 0))
    kinds = await asyncio.wait_for(listening, 10)
    writer.close()
    assert set(kinds[:-1]) == {0x10}
    assert ANSWER.search(await words_of(street, answer, 8000))
    record = await street.record(lambda one: one["road"] == "audiosocket" and one["began_unix"] >= began)
    assert (record["called"], record["digits"]) == (str(name), 1)
    assert record["interruptions"] >= 1


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("path", "status"),
    [("twilio/wrong", 403), ("skype/" + TOKEN, 404), (f"freeswitch/{TOKEN}?rate=11025", 400), (f"x/y/{TOKEN}", 403)],
)
async def test_who_does_not_come_in(street: Street, path: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(street.url(path)):
            pass
    assert refused.value.response.status_code == status
    assert TOKEN not in street.server.log.read_text()


async def closing(far: ClientConnection) -> tuple[int, str]:
    """Return by what a connection is closed."""
    with suppress(ConnectionClosed):
        while True:
            await asyncio.wait_for(far.recv(), 15)
    return far.close_code or 0, far.close_reason or ""


@pytest.mark.parametrize(
    ("path", "message", "code", "reason"),
    [
        ("twilio", '{"event":"start","start":{"customParameters":{"token":"wrong"}}}', 1008, "the token is wrong"),
        (f"twilio/{TOKEN}", "hello", 1003, "not a JSON object"),
        (f"asterisk/{TOKEN}", "MEDIA_START connection_id:c1 format:opus", 1003, "is not understood"),
        (
            f"telnyx/{TOKEN}",
            '{"event":"start","start":{"media_format":{"encoding":"G722"}}}',
            1003,
            "is not understood",
        ),
        (f"plivo/{TOKEN}", "x" * 300_000, 1009, "longer than"),
        (f"twilio/{TOKEN}", None, 1008, "did not begin in time"),
    ],
)
async def test_streams_that_are_none(street: Street, path: str, message: str | None, code: int, reason: str) -> None:
    async with connect(street.url(path)) as far:
        if message is not None:
            await far.send(message)
        found = await closing(far)
    assert found[0] == code
    assert re.search(reason, found[1])
