"""A Realtime session in this process, reached like any other server but without a socket.

`MemoryLeg` is the server's end of a wire in memory, which a `server.call.Call` holds as it would hold a WebSocket;
`MemoryWire` is the client's end.  Called by `cli.line`, which brings the two together; no engine is known here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from . import LegOwner
from .line import LineError

_HIGH_WATER_BYTES = 1 << 20
"""Unread bytes from which the session waits for the client: about 16 s of 24 kHz audio in base64."""


class MemoryLeg:
    """The server's end: a `legs.Leg`."""

    peer = "this process"

    def __init__(self) -> None:
        self.queued_bytes = 0
        """How much was sent and is not read yet."""
        self.ended: LineError | None = None
        """Why the wire ended; None while it stands."""
        self.owner: LegOwner | None = None
        """The session, once it is there."""
        self._messages: deque[bytes] = deque()
        self._changed = asyncio.Event()

    def send(self, data: bytes) -> None:
        """Take one message for the client; after the end of the wire it is dropped, as on a socket."""
        if self.ended is None:
            self._messages.append(data)
            self.queued_bytes += len(data)
            self._changed.set()

    async def drain(self) -> None:
        """Wait until the client has read most of what was sent."""
        while self.queued_bytes > _HIGH_WATER_BYTES and self.ended is None:
            await self._wait()

    def close(self, code: int, reason: str) -> None:
        """End the wire; what was sent before can still be read."""
        if self.ended is not None:
            return
        self.ended = LineError.closed(code, reason)
        self._changed.set()
        if self.owner is not None:
            # Not at once: the session may be in the middle of a step, and hears of a socket's end later too.
            asyncio.get_running_loop().call_soon(self.owner.leg_closed, code, reason)

    async def read(self) -> bytes:
        """Return the next message sent, waiting for it.

        Raises:
            LineError: the wire has ended and everything was read.
        """
        while not self._messages:
            if self.ended is not None:
                raise self.ended
            await self._wait()
        message = self._messages.popleft()
        self.queued_bytes -= len(message)
        self._changed.set()
        return message

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class MemoryWire:
    """The client's end of a wire to a session in this process."""

    def __init__(
        self,
        leg: MemoryLeg,
        *,
        ready: Callable[[], Awaitable[None]] | None = None,
        settled: Callable[[], Awaitable[None]] | None = None,
        hung_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Be the other end of `leg`, whose owner is the session.

        `ready` returns when the session can take more and so slows a client that sends faster than it is heard;
        `settled` returns when it has taken in everything; `hung_up` is awaited when the client closes the wire, and
        ends the session's tasks.
        """
        self._leg = leg
        self._ready = ready
        self._settled = settled
        self._hung_up = hung_up

    async def send(self, message: bytes) -> None:
        """Send one message; lets the session work before it returns.

        Raises:
            LineError: the wire is closed.
        """
        if self._leg.ended is not None:
            raise self._leg.ended
        if self._leg.owner is None:
            raise LineError("nobody answers on this line", again=False)
        self._leg.owner.receive_frame(message)
        if self._ready is not None:
            await self._ready()
        await asyncio.sleep(0)  # a socket would let others run too

    async def receive(self) -> bytes:
        """Return the next message.

        Raises:
            LineError: the session closed the wire.
        """
        return await self._leg.read()

    async def settle(self) -> None:
        """Return when the session has taken in everything that was sent."""
        if self._settled is not None:
            await self._settled()

    async def close(self) -> None:
        """Hang up and wait until the session has ended."""
        self._leg.close(1000, "")
        hung_up, self._hung_up = self._hung_up, None
        if hung_up is not None:
            await hung_up()
