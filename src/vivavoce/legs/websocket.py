"""The WebSocket leg: a connection whose HTTP upgrade is already done.

Keeps the connection alive, bounds what the peer may cost, and closes so that the peer learns why.  Nothing here knows
HTTP (that is `server.hybrid`), frames (`legs.framing`) or what the messages say (`dialects`).  What is said of clients
here holds for servers too, where `legs.outbound` does not say otherwise.

A leg is `OPEN` until either side closes.  Then it is `CLOSING`, while what was sent still flows out and the peer's own
close is awaited, or `DISCARDING`, when what the peer sends cannot be read any more; and `CLOSED` once the connection is
gone.  A timer bounds the way there.

It closes by itself with these codes, besides those that its owner chooses:

- 1002, 1003, 1007: broken framing, a binary message, a message that is not UTF-8.
- 1008: a message took too long to arrive.
- 1009: a message is longer than allowed.
- 1011: the owner failed, or the peer sent nothing for two ping intervals.
- 1012: the server restarts.
- 1013: the peer does not read what is sent; its connection is cut, because a close frame would not reach it either.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import socket
from collections.abc import Callable
from typing import Any, ClassVar

from ..config import Limits, OutboundLimits
from . import LegOwner
from .framing import Framing

__all__ = ["WebSocketLeg"]

log = logging.getLogger(__name__)

# The kernel takes no more unsent bytes than this; otherwise it takes megabytes for a client that reads nothing.
_UNSENT_IN_KERNEL_BYTES = 128 * 1024
# Where a connection cannot be closed in one direction only (TLS), a peer has this long to read why it was closed.
_PARTING_SECONDS = 0.5
# A control frame holds 125 bytes, two of which are the code.
_REASON_BYTES = 123

# Whatever arrives on a leg that discards is written here, by all of them.
_scratch = bytearray(64 * 1024)


class _State(enum.Enum):
    OPEN = enum.auto()
    CLOSING = enum.auto()
    DISCARDING = enum.auto()
    CLOSED = enum.auto()


class WebSocketLeg(asyncio.BufferedProtocol):
    """One WebSocket connection, server side."""

    is_client: ClassVar[bool] = False
    """Whether this is the end that dialled."""
    slow: ClassVar[str] = "slow client"
    """What is told of a peer that does not read."""

    def __init__(
        self, transport: asyncio.Transport, limits: Limits | OutboundLimits, lost: Callable[[Any], None]
    ) -> None:
        """Become the protocol of a transport that has just been upgraded.

        Args:
            transport: plain TCP or TLS.
            limits: what the peer may cost.
            lost: called once with this leg, when the connection is gone.
        """
        self._transport = transport
        self._limits = limits
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._owner: LegOwner | None = None
        self._state = _State.OPEN
        self._writable = asyncio.Event()
        self._writable.set()
        self._peer = _address(transport.get_extra_info("peername"))
        self._framing = Framing(transport, limits.max_frame_bytes, self, is_client=self.is_client)
        self._watch = _Watch(limits)
        self._timer = self._loop.call_later(limits.ping_seconds, self._tick)
        _tune(transport, limits.high_water_bytes)
        transport.set_protocol(self)

    @property
    def peer(self) -> str:
        """The address at the other end."""
        return self._peer

    @property
    def queued_bytes(self) -> int:
        """How much was sent but not yet taken by the kernel."""
        return self._transport.get_write_buffer_size()

    def attach(self, owner: LegOwner, received: bytes = b"") -> None:
        """Deliver messages to `owner` from now on, beginning with what was `received` behind the upgrade request."""
        self._owner = owner
        self.read(received)

    def read(self, received: bytes) -> None:
        """Take in what did not come through the transport itself."""
        view = memoryview(received)
        while view:
            space = self.get_buffer(-1)
            taken = min(len(space), len(view))
            space[:taken] = view[:taken]
            view = view[taken:]
            self.buffer_updated(taken)

    # What the owner asks.

    def send(self, data: bytes) -> None:
        """Send one text message without waiting; cuts the peer off when too much is queued already."""
        if self._state is _State.OPEN and self._may_queue():
            self._framing.send_text(data)

    async def drain(self) -> None:
        """Return when less than the high-water mark is queued, or when the leg is closed."""
        await self._writable.wait()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame after all that was sent; the connection ends when the peer answers, or soon after."""
        if self._state is _State.OPEN:
            self._framing.send_close(code, _clipped(reason))
            self._end(_State.CLOSING, code, reason)

    def shutdown(self) -> None:
        """Close because the server stops; clients know the code and come again."""
        self.close(1012, "server restarting")

    # What the transport tells.

    def get_buffer(self, sizehint: int) -> Any:
        """Return where the transport is to put what it receives."""
        return self._framing.get_buffer() if self._state is not _State.DISCARDING else _scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Read what has arrived."""
        if self._state is _State.DISCARDING:
            return
        self._watch.heard = True
        framing = self._framing
        framing.received(nbytes)
        if framing.has_failed:
            self._discard(*framing.sent_close)

    def pause_writing(self) -> None:
        """Hold the owner back: more than the high-water mark is queued."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let the owner send again."""
        self._watch.stalled_ticks = 0
        self._writable.set()

    def eof_received(self) -> None:
        """Let the transport close itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone that the connection is gone."""
        if self._state is _State.OPEN:
            self._end(_State.CLOSED, 1006, "the connection was lost")
        self._state = _State.CLOSED
        self._timer.cancel()
        # The owner may keep the leg; a TLS transport would keep megabytes that its peer did not read.
        self._transport = _GONE
        self._owner = None
        self._framing.release()
        self._lost(self)

    # What the frames say.

    def receive_message(self, data: bytes) -> None:
        """Hand a whole message to the owner."""
        if self._owner is not None and self._state is _State.OPEN:
            self._owner.receive_frame(data)

    def receive_ping(self, payload: bytes) -> None:
        """Answer a ping, unless the peer sends them and reads nothing."""
        if self._state is _State.OPEN and self._may_queue():
            self._framing.send_pong(payload)

    def receive_close(self, code: int, reason: str) -> None:
        """Answer a close that is not an answer itself, and end the connection."""
        if self._state is _State.OPEN:
            self._framing.send_close(code if _may_be_echoed(code) else 1000, b"")
            self._end(_State.CLOSING, code or 1005, reason)
        self._transport.close()

    def receive_fault(self, code: int, reason: str) -> None:
        """Close because of a broken rule."""
        self.close(code, reason)

    # Ending.

    @property
    def _most_queued_bytes(self) -> int:
        """Above how much in the queue the peer is cut off."""
        return self._limits.max_queue_bytes

    def _may_queue(self) -> bool:
        if self._transport.get_write_buffer_size() <= self._most_queued_bytes:
            return True
        self._cut_off()
        return False

    def _cut_off(self) -> None:
        """Drop a client that does not read: a close frame would stand at the end of the same queue."""
        log.info("%s: cut off, %d bytes were not read", self._peer, self.queued_bytes)
        self._end(_State.CLOSING, 1013, self.slow)
        self._transport.abort()

    def _discard(self, code: int, reason: str) -> None:
        """Read nothing more: the peer's bytes are no frames, or the owner failed; a close frame is sent."""
        if self._state is _State.OPEN:
            log.info("%s: closed with %d: %s", self._peer, code, reason)
            self._end(_State.DISCARDING, code, reason)
        self._state = _State.DISCARDING
        # Closing while bytes still arrive resets the connection, and a reset would overtake the close frame.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._loop.call_later(_PARTING_SECONDS, self._transport.close)

    def _end(self, state: _State, code: int, reason: str) -> None:
        self._state = state
        self._timer.cancel()
        self._timer = self._loop.call_later(self._limits.close_seconds, self._transport.abort)
        self._writable.set()
        if self._owner is not None:
            # Later, because the owner may be in the middle of sending.
            self._loop.call_soon(self._owner.leg_closed, code, reason)

    def _is_stalled(self) -> bool:
        """Return whether the peer seems not to read; it is cut off if it does so for long."""
        return not self._writable.is_set()

    def _tick(self) -> None:
        """Look after the peer, once in every ping interval."""
        verdict = self._watch.judge(self._framing, is_stalled=self._is_stalled())
        if verdict is None:
            self._framing.send_ping()
            self._timer = self._loop.call_later(self._limits.ping_seconds, self._tick)
        elif verdict[0] == 1013:
            self._cut_off()
        else:
            self.close(*verdict)


class _Gone(asyncio.Transport):
    """The transport of a connection that is gone."""

    def get_write_buffer_size(self) -> int:
        """Return 0."""
        return 0


_GONE = _Gone()


class _Watch:
    """Judges, at every ping, whether the peer is still worth its connection."""

    def __init__(self, limits: Limits | OutboundLimits) -> None:
        self._limits = limits
        self._frame_count = 0
        self._message_count = 0
        self._stuck_ticks = 0
        self.heard = True
        """Whether anything arrived since the last look."""
        self.stalled_ticks = 0
        """Looks in a row at which the owner was held back."""

    def excuse(self) -> None:
        """Begin anew: the peer may have spoken, but was not listened to."""
        self.heard = True
        self._stuck_ticks = 0

    def judge(self, framing: Framing, *, is_stalled: bool) -> tuple[int, str] | None:
        """Return the code and reason to close with, or None."""
        frames = framing.frames
        self.stalled_ticks = self.stalled_ticks + 1 if is_stalled else 0
        no_message = frames.message_count == self._message_count
        is_stuck = no_message and (frames.is_midway or frames.frame_count == self._frame_count)
        self._stuck_ticks = self._stuck_ticks + 1 if is_stuck else 0
        self._frame_count, self._message_count = frames.frame_count, frames.message_count
        # The first look of either kind may come right after it began: that one does not count.
        if self.stalled_ticks > 2:
            return 1013, ""
        if not self.heard:
            return 1011, "no answer to pings"
        if (self._stuck_ticks - 1) * self._limits.ping_seconds >= self._limits.message_seconds:
            return 1008, "a message took too long"
        self.heard = False
        return None


def _tune(transport: asyncio.Transport, high_water_bytes: int) -> None:
    transport.set_write_buffer_limits(high=high_water_bytes, low=high_water_bytes // 4)
    connection = transport.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_IN_KERNEL_BYTES)


def _address(peername: object) -> str:
    if isinstance(peername, tuple) and len(peername) >= 2:
        host, port = peername[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    return "unknown"


def _clipped(reason: str) -> bytes:
    return reason.encode(errors="replace")[:_REASON_BYTES].decode(errors="ignore").encode()


def _may_be_echoed(code: int) -> bool:
    """Return whether RFC 6455 section 7.4 and its registry let an endpoint send `code`."""
    return 3000 <= code <= 4999 or (1000 <= code <= 1014 and code not in (1004, 1005, 1006))
