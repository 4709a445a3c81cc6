"""The doors by which providers and PBXs bring calls: who comes in, and connections that end clean."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callers import settle
from exchanges import StringExchange
from vivavoce.core.errors import ConfigError
from vivavoce.options import Secret
from vivavoce.server.phone import doors as module
from vivavoce.server.phone.doors import DOOR_PATHS, Doors, doors_router
from vivavoce.server.proxies import Proxies
from vivavoce.server.rest.http import Socket
from vivavoce.telephony import Doors as Settings
from vivavoce.telephony import Number, Telephony

TOKEN = "tok-0123456789"
NUMBER = Number(name="main")
START = {"event": "start", "streamSid": "MZ1", "start": {"callSid": "CA1", "customParameters": {"from": "alice"}}}
MEDIA = {"event": "media", "media": {"payload": base64.b64encode(b"\xff" * 160).decode()}}


class Far:
    """Whoever opens a WebSocket: what ASGI tells and is told of it."""

    def __init__(
        self, door: str = "twilio", token: str | None = TOKEN, query: str = "", host: str = "192.0.2.1", **scope: Any
    ) -> None:
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.told: list[dict[str, Any]] = []
        self.may_take = asyncio.Event()
        self.may_take.set()
        params = {"door": door} | ({} if token is None else {"token": token})
        headers = [(b"host", b"localhost")]
        self.socket = Socket(
            {
                "type": "websocket", "path": f"/telephone/{door}", "path_params": params, "headers": headers,
                "query_string": query.encode(), "client": (host, 5000), "scheme": "ws", "server": ("localhost", 80),
                "extensions": {"websocket.http.response": {}}, **scope,
            },
            self.said.get,
            self._tell,
        )  # fmt: skip
        self.said.put_nowait({"type": "websocket.connect"})

    async def _tell(self, message: Any) -> None:
        await self.may_take.wait()
        self.told.append(message)
        if message["type"] == "websocket.close":
            self.said.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    def say(self, message: Any) -> None:
        key = "bytes" if isinstance(message, bytes) else "text"
        text = message if isinstance(message, bytes | str) else json.dumps(message)
        self.said.put_nowait({"type": "websocket.receive", key: text})

    def leave(self) -> None:
        self.said.put_nowait({"type": "websocket.disconnect", "code": 1006})

    @property
    def status(self) -> int | None:
        """By what it was refused; None where it was not."""
        return next((one["status"] for one in self.told if "status" in one), None)

    @property
    def closed(self) -> tuple[int, str] | None:
        """By what it was closed."""
        return next(
            ((one["code"], one["reason"]) for one in self.told if one["type"] == "websocket.close"), None
        )  # fmt: skip

    @property
    def heard(self) -> list[dict[str, Any]]:
        """The messages that it was sent, in JSON."""
        return [json.loads(one["text"]) for one in self.told if one["type"] == "websocket.send" and one.get("text")]


class Server:
    """A server with doors."""

    def __init__(self, **settings: Any) -> None:
        wanted = Settings(**{"token": Secret(TOKEN)} | settings)
        self.hall = StringExchange(Telephony(numbers=(NUMBER,), doors=wanted))
        self.now = 0.0
        self.doors = Doors(wanted, self.hall.exchange, Proxies(()), lambda: self.now)

    async def come(self, far: Far, *messages: Any) -> asyncio.Task[None]:
        """Have somebody come in and say something."""
        serving = asyncio.create_task(self.doors.enter(far.socket))
        for message in messages:
            far.say(message)
        for _ in range(3):
            await settle()
        return serving


@asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[Server]:
    server = Server(**settings)
    try:
        yield server
    finally:
        await server.doors.close()
        await server.hall.close()


async def test_a_call_comes_in_is_heard_and_ends() -> None:
    async with opened() as server:
        far = Far()
        serving = await server.come(far, {"event": "connected"}, START, MEDIA)
        assert far.told[0]["type"] == "websocket.accept"
        assert [connection.peer for connection, _ in server.hall.accepted] == ["alice"]
        far.say({"event": "stop"})
        await asyncio.wait_for(serving, 5)
        assert far.closed == (1000, "the call has ended")
        assert len(server.hall.lives) == 0


async def test_a_caller_who_vanishes_is_gone() -> None:
    async with opened() as server:
        far = Far()
        serving = await server.come(far, START)
        assert len(server.hall.lives) == 1
        far.leave()
        await asyncio.wait_for(serving, 5)
        assert len(server.hall.lives) == 0


async def test_the_server_hangs_up_when_all_was_said() -> None:
    async with opened() as server:
        far = Far("asterisk")
        serving = await server.come(far, "MEDIA_START connection_id:c1 format:slin16")
        entry = server.hall.lives.find(next(iter(server.hall.exchange._calls)), server.hall.accepted[0][0])
        assert entry is not None
        entry.hang_up("a controller hung up")
        await asyncio.wait_for(serving, 5)
        texts = [one["text"] for one in far.told if one["type"] == "websocket.send" and one.get("text")]
        assert (texts[0], texts[-1], far.closed) == ("ANSWER", "HANGUP", (1000, "the call has ended"))


@pytest.mark.parametrize(
    ("far", "status"),
    [
        ({"door": "skype"}, 404),
        ({"token": "tok-wrong"}, 403),
        ({"token": "tök"}, 403),
        ({"token": ""}, 403),
        ({"door": "freeswitch", "query": "rate=11025"}, 400),
        ({"door": "freeswitch", "query": "rate=fast"}, 400),
    ],
)
async def test_who_does_not_come_in(far: dict[str, Any], status: int) -> None:
    async with opened() as server:
        comer = Far(**far)
        await asyncio.wait_for(await server.come(comer), 5)
        assert comer.status == status
        assert server.hall.accepted == []


async def test_tokens_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with opened() as server:
        await asyncio.wait_for(await server.come(Far(token="tok-guess")), 5)
        serving = await server.come(Far(), START)
    await asyncio.wait_for(serving, 5)
    assert "its token is wrong" in caplog.text
    assert "tok-" not in caplog.text


async def test_no_websocket_comes_in_where_there_is_no_token() -> None:
    async with opened(token=Secret("")) as server:
        far = Far(token="")
        await asyncio.wait_for(await server.come(far), 5)
        assert far.status == 404


@pytest.mark.parametrize(("token", "comes_in"), [(TOKEN, True), ("tok-wrong", False), ("", False)])
async def test_a_stream_may_bring_the_token_itself(token: str, comes_in: bool) -> None:
    async with opened() as server:
        far = Far(token=None)
        parameters = {"token": token, "from": "alice"}
        start = START | {"start": {"callSid": "CA1", "customParameters": parameters}}
        serving = await server.come(far, start)
        assert bool(server.hall.accepted) == comes_in
        if not comes_in:
            await asyncio.wait_for(serving, 5)
            assert far.closed == (1008, "the token is wrong or missing")


async def test_the_address_says_what_the_stream_does_not() -> None:
    async with opened() as server:
        far = Far("freeswitch", query="rate=16000&called=%2B3906")
        await server.come(far, bytes(640))
        phone = next(iter(server.hall.exchange._calls.values()))
        assert (phone.facts.called, phone.facts.codec, phone.facts.road) == ("+3906", "linear/16000", "freeswitch")


async def test_the_first_subprotocol_is_taken() -> None:
    async with opened() as server:
        far = Far("asterisk", subprotocols=["media"])
        await server.come(far, "MEDIA_START connection_id:c1 format:ulaw")
        assert far.told[0]["subprotocol"] == "media"


async def test_so_many_come_at_a_time_and_so_often() -> None:
    async with opened(max_calls=2) as server:
        comers = [Far(host=f"192.0.2.{number}") for number in range(3)]
        for far in comers:
            await server.come(far, START)
        assert [far.status for far in comers] == [None, None, 503]
        comers[0].leave()
        await settle()
        far = Far(host="192.0.2.9")
        await server.come(far, START)
        assert far.status is None


async def test_guesses_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BURST", 2)
    async with opened() as server:
        comers = [Far(token="tok-wrong") for _ in range(3)]
        for far in comers:
            await server.come(far)
        assert [far.status for far in comers] == [403, 403, 429]
        server.now = 1.0
        far = Far()
        await server.come(far, START)
        assert far.status is None


async def test_a_connection_that_takes_nothing_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.01)
    async with opened() as server:
        far = Far()
        serving = await server.come(far, START)
        far.may_take.clear()
        far.say({"event": "stop"})
        await asyncio.wait_for(serving, 5)
        assert len(server.hall.lives) == 0


def test_the_doors_have_two_addresses() -> None:
    async def enter(socket: Socket) -> None: ...

    paths = [route.path for route in doors_router(enter).routes]  # type: ignore[attr-defined]
    assert paths == list(DOOR_PATHS) == ["/telephone/{door}", "/telephone/{door}/{token}"]


# --------------------------------------------------------------------------------------------------------- AudioSocket

UUID = struct.pack(">BH", 1, 16) + bytes(range(16))
SOUND = struct.pack(">BH", 0x10, 320) + bytes(320)


@pytest.mark.parametrize(
    ("source", "may"),
    [("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("::1", True), ("192.0.2.1", False), ("unknown", False)],
)
async def test_audiosockets_come_from_known_networks(source: str, may: bool) -> None:
    async with opened() as server:
        assert server.doors.is_source(source) == may


async def test_an_audiosocket_is_a_call() -> None:
    async with opened(audiosocket="127.0.0.1:0", token=Secret("")) as server:
        await server.doors.start()
        assert server.doors.describe() == f"AudioSocket 127.0.0.1:{server.doors.audiosocket_port}"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.doors.audiosocket_port)
        writer.write(UUID + SOUND)
        head = await asyncio.wait_for(reader.readexactly(3), 5)
        assert struct.unpack(">BH", head) == (0x10, 320)
        phone = next(iter(server.hall.exchange._calls.values()))
        assert (phone.facts.road, phone.facts.called) == ("audiosocket", "00010203-0405-0607-0809-0a0b0c0d0e0f")
        writer.write(struct.pack(">BH", 0, 0))
        rest = await asyncio.wait_for(reader.read(), 5)
        assert rest.endswith(struct.pack(">BH", 0, 0))
        writer.close()
        assert len(server.hall.lives) == 0


async def test_a_stranger_finds_no_audiosocket() -> None:
    async with opened(audiosocket="127.0.0.1:0", audiosocket_sources=("192.0.2.0/24",)) as server:
        await server.doors.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.doors.audiosocket_port)
        try:
            assert await asyncio.wait_for(reader.read(), 5) == b""
        except ConnectionResetError:
            pass
        writer.close()


async def test_a_port_that_is_taken_is_told() -> None:
    async with opened(audiosocket="127.0.0.1:0") as server:
        await server.doors.start()
        async with opened(audiosocket=f"127.0.0.1:{server.doors.audiosocket_port}") as other:
            with pytest.raises(ConfigError, match="'audiosocket'"):
                await other.doors.start()
