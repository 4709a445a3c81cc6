"""A connection in memory: a transport that a test reads from and feeds, on a loop whose clock it turns itself."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10

Frame = tuple[int, bytes]


class ClockLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    async def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps, so that what is due happens in order."""
        end = self._now + seconds
        while self._now < end:
            self._now = min(end, self._now + 0.25)
            await settle()


async def settle() -> None:
    """Let everything happen that is due now."""
    for _ in range(5):
        await asyncio.sleep(0)


def run(test: Callable[[ClockLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a loop of this kind."""
    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, ClockLoop)
        runner.run(test(loop))


class FakeSocket:
    """A socket that writes nothing, so that everything goes through the transport."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.options: dict[int, int] = {}

    def fileno(self) -> int:
        return -1

    def getsockname(self) -> tuple[str, int]:
        return "192.0.2.1", 8000

    def getpeername(self) -> tuple[str, int]:
        return "192.0.2.7", 5000

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[option] = value

    def getsockopt(self, level: int, option: int) -> int:
        return self.options.get(option, 0)


class FakeTransport(asyncio.Transport):
    """Keeps what is written; while it is `stuck`, in a queue as of a peer that does not read."""

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__()
        self.socket = FakeSocket()
        self.tls = tls
        self.sent = bytearray()
        self.queue: list[Any] = []
        self.stuck = False
        self.ending = ""
        self.protocol: Any = None
        self.high = 65536
        self.is_paused = False
        self.is_reading_paused = False
        self.infos = {
            "socket": self.socket,
            "peername": ("192.0.2.7", 5000),
            "sockname": ("192.0.2.1", 8000),
            "ssl_object": object() if tls else None,
            "sslcontext": object() if tls else None,
        }

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.infos.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol  # type: ignore[no-any-return]

    def is_closing(self) -> bool:
        return bool(self.ending)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or 65536

    def get_write_buffer_size(self) -> int:
        return sum(len(data) for data in self.queue)

    def write(self, data: Any) -> None:
        if not self.stuck:
            self.sent += data
            return
        # By reference, as real transports do.
        self.queue.append(data)
        if self.get_write_buffer_size() > self.high and not self.is_paused:
            self.is_paused = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        for data in list_of_data:
            self.write(data)

    def unstick(self) -> None:
        """Let the peer read everything."""
        self.stuck = False
        for data in self.queue:
            self.sent += data
        self.queue.clear()
        if self.is_paused:
            self.is_paused = False
            self.protocol.resume_writing()

    def can_write_eof(self) -> bool:
        return not self.tls

    def write_eof(self) -> None:
        assert not self.tls
        self.ending = self.ending or "eof"

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False

    def close(self) -> None:
        self._end("closed")

    def abort(self) -> None:
        self.queue.clear()
        self._end("aborted")

    def _end(self, how: str) -> None:
        if self.ending not in ("closed", "aborted"):
            self.ending = how
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def feed(self, data: bytes) -> None:
        """Let the peer send."""
        if not isinstance(self.protocol, asyncio.BufferedProtocol):
            self.protocol.data_received(data)
            return
        view = memoryview(data)
        while view and self.ending not in ("closed", "aborted"):
            space = self.protocol.get_buffer(-1)
            taken = min(len(space), len(view))
            space[:taken] = view[:taken]
            view = view[taken:]
            self.protocol.buffer_updated(taken)

    def frames(self, *, masked: bool = False) -> list[Frame]:
        """Return the frames that were sent and forget them; they must be well-formed, and masked or not."""
        found, rest = read_frames(bytes(self.sent), masked=masked)
        assert not rest
        self.sent.clear()
        return found


def frame(
    kind: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0, said: int = -1
) -> bytes:
    """Return a frame as a client sends it; with `said`, its head tells that length instead of the true one."""
    length = len(payload) if said < 0 else said
    bit = 0x80 if masked else 0
    head = bytes([fin << 7 | rsv << 4 | kind])
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += struct.pack(">BH", bit | 126, length)
    else:
        head += struct.pack(">BQ", bit | 127, length)
    if not masked:
        return head + payload
    mask = b"\x12\x34\x56\x78"
    return head + mask + unmasked(payload, mask)


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """Take a mask off, or put it on."""
    whole = mask * (len(payload) // 4 + 1)
    return (int.from_bytes(payload) ^ int.from_bytes(whole[: len(payload)])).to_bytes(len(payload))


def closing(code: int, reason: bytes = b"") -> bytes:
    """Return a close frame as a client sends it."""
    return frame(CLOSE, struct.pack(">H", code) + reason)


def read_frames(data: bytes, *, masked: bool = False) -> tuple[list[Frame], bytes]:
    """Return the whole frames in `data`, a client's if `masked` and else a server's, and what is left."""
    found = []
    while len(data) >= 2:
        assert data[0] & 0x70 == 0
        assert data[1] >> 7 == masked
        length, head = data[1] & 0x7F, 2
        if length == 126:
            length, head = int.from_bytes(data[2:4]), 4
        elif length == 127:
            length, head = int.from_bytes(data[2:10]), 10
        mask = data[head : head + 4] if masked else b""
        head += len(mask)
        if len(data) < head + length:
            break
        assert data[0] & 0x80
        payload = data[head : head + length]
        found.append((data[0] & 0x0F, unmasked(payload, mask) if masked else payload))
        data = data[head + length :]
    return found, data
