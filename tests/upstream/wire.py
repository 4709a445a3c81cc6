"""HTTP and WebSocket over plain asyncio streams, so that a server can misbehave below the protocol."""

from __future__ import annotations

import asyncio
import dataclasses
import http
import json
import socket as sockets
import struct
import urllib.parse
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

MAX_MESSAGE_BYTES = 24 * 1024 * 1024
"""15 MiB of audio in base64, and its event."""
CLOSE_SECONDS = 10.0
"""How long a client may take to answer a close."""


@dataclasses.dataclass(frozen=True)
class Head:
    """The head of an HTTP request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By their names in lower case; repeated ones are joined by commas."""
    raw: bytes

    @property
    def upgrades(self) -> bool:
        """Whether a WebSocket is asked for."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that are offered."""
        return [offer.strip() for offer in self.headers.get("sec-websocket-protocol", "").split(",") if offer.strip()]


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Read the head of a request.  Raises `ConnectionError` where something else comes."""
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    if first.count(" ") != 2:
        raise ConnectionError("no request came")
    method, target, _ = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path, _, query = target.partition("?")
    return Head(method, path, dict(urllib.parse.parse_qsl(query)), headers, raw)


async def read_body(reader: asyncio.StreamReader, head: Head) -> bytes:
    """Read the body of a request, as long as its head says."""
    return await reader.readexactly(int(head.headers.get("content-length", "0")))


def answer(status: int, body: dict[str, Any]) -> bytes:
    """Return an HTTP response with a JSON body, after which the connection is closed."""
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text


def cut(writer: asyncio.StreamWriter) -> None:
    """End a TCP connection by a reset, as a machine does that has forgotten it."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:  # nothing is left of one that has ended by itself
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Socket:
    """A WebSocket on the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: Head) -> None:
        self._reader = reader
        self._writer = writer
        self._messages: list[str | bytes] = []
        self._parts: list[bytes] = []
        self._opcode = Opcode.TEXT
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol("realtime")] if "realtime" in head.subprotocols else None,
            select_subprotocol=_prefer_realtime,
            max_size=MAX_MESSAGE_BYTES,
        )
        self._protocol.receive_data(head.raw)
        self.reads_again_at = 0.0
        """Until when nothing is read, by the loop's clock."""
        self.read_bytes_per_second = 0.0
        """How fast it reads; 0 for as fast as it can."""

    def accept(self) -> bool:
        """Upgrade the connection; returns whether the request was a proper one."""
        (request,) = self._protocol.events_received()
        assert isinstance(request, Request)
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._flush()
        return response.status_code == 101

    async def receive(self) -> str | bytes | None:
        """Return the next message, bytes for a binary one; None when the connection has ended."""
        while not self._messages:
            await self._rest()
            is_closing = self._protocol.state is State.CLOSING
            try:
                async with asyncio.timeout(CLOSE_SECONDS if is_closing else None):
                    data = await self._reader.read(65_536)
            except (ConnectionError, TimeoutError):
                return None
            await self._rest()  # what was asked for while it waited
            if self.read_bytes_per_second:
                await asyncio.sleep(len(data) / self.read_bytes_per_second)
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            self._flush()
            self._take()
            if not self._messages and (not data or self._protocol.state is State.CLOSED):
                return None
        return self._messages.pop(0)

    def send(self, text: bytes) -> bool:
        """Send a text message; returns whether the connection is still open."""
        if self._protocol.state is not State.OPEN or self._writer.is_closing():
            return False
        self._protocol.send_text(text)
        self._flush()
        return True

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was sent."""
        try:
            await self._writer.drain()
        except (ConnectionError, TimeoutError):
            return

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake."""
        try:
            self._protocol.send_close(code, reason)
        except WebSocketException:
            return  # it is closing already
        self._flush()

    def drop(self) -> None:
        """Cut the connection."""
        cut(self._writer)

    @property
    def closed_with(self) -> tuple[int | None, str | None]:
        """The code and reason that the connection ended with, as far as they were told."""
        return self._protocol.close_code, self._protocol.close_reason

    async def _rest(self) -> None:
        clock = asyncio.get_running_loop().time
        if (left := self.reads_again_at - clock()) > 0:
            await asyncio.sleep(left)

    def _take(self) -> None:
        for event in self._protocol.events_received():
            assert isinstance(event, Frame)
            if event.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            if event.opcode is not Opcode.CONT:
                self._opcode = event.opcode
            self._parts.append(bytes(event.data))
            if event.fin:
                data = b"".join(self._parts)
                self._parts.clear()
                self._messages.append(data.decode() if self._opcode is Opcode.TEXT else data)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
            elif self._writer.can_write_eof() and not self._writer.is_closing():
                self._writer.write_eof()


def _prefer_realtime(protocol: ServerProtocol, offered: Any) -> Subprotocol | None:
    return Subprotocol("realtime") if "realtime" in offered else None
