"""Our end of a WebSocket to another Realtime server, as cheap for each frame as the end that clients see.

`open_outbound` dials and returns an `OutboundLeg`; `server.pool` calls it ahead of need and when a link is wanted at
once.  What is said over it, and what losing one means, is `relay`'s to know.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..config import OutboundLimits
from ..core.errors import VivavoceError
from . import LegOwner
from .line import LineError
from .refusals import refused, unreachable
from .upgrade import NotUpgraded, TurnedAway, Upgrade, request_of
from .websocket import WebSocketLeg

__all__ = ["OutboundLeg", "open_outbound"]

log = logging.getLogger(__name__)

_LARGE_BYTES = 1024 * 1024
"""No speech is so long; a picture is."""
_TRUST = "`insecure` in its settings accepts it all the same"


class OutboundLeg(WebSocketLeg):
    """One WebSocket connection, client side.

    Unlike a client, a server is cut off by `stall_seconds`, within which it may be as slow as it likes; and it may not
    be listened to for a while, during which its silence means nothing.  Until somebody is attached, what it says is
    kept.
    """

    is_client = True
    slow = "slow upstream"

    def __init__(
        self, transport: asyncio.Transport, limits: OutboundLimits, lost: Callable[[OutboundLeg], None] | None = None
    ) -> None:
        """Become the protocol of a transport that has just been upgraded.

        Args:
            transport: plain TCP or TLS.
            limits: what the server may cost.
            lost: called once, when the connection is gone.
        """
        super().__init__(transport, limits, lost or _ignore)
        self._outbound_limits = limits
        self._early: list[bytes] = []
        self._early_bytes = 0
        self._ending: tuple[int, str] | None = None
        self._is_reading_paused = False
        self._progress: _Progress | None = None
        self._burst_bytes = 0
        """What was said at once and may be queued besides the rest."""
        self.opened_at = self._loop.time()
        """When it was opened, by the clock of the loop: the server's session is as old."""

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent, as far as is known."""
        return self._ending is None

    def attach(self, owner: LegOwner, received: bytes = b"") -> None:
        """Deliver messages to `owner` from now on, beginning with those that were kept, which are delivered at once.

        A leg that has ended meanwhile delivers them too, and then tells so.
        """
        early, self._early = self._early, []
        if self._ending is None:
            self._owner = owner
        else:
            self._loop.call_soon(owner.leg_closed, *self._ending)
        try:
            for message in early:
                owner.receive_frame(message)
        except Exception:
            log.exception("a message could not be handled")
            self.close(1011, "")
        self.read(received)

    def send(self, data: bytes) -> None:
        """Send one text message without waiting; cuts the connection when too much is queued already."""
        if self._ending is not None:
            return
        if self._progress is not None:
            if not self._may_queue():
                return
            self._progress.added_bytes += len(data)
        if len(data) > _LARGE_BYTES:
            self.allow(len(data))
        self._framing.send_text(data)

    def allow(self, burst_bytes: int) -> None:
        """Let so much be queued besides what may be anyway: it is said at once, and a server needs time to read it."""
        self._burst_bytes = min(self._burst_bytes + burst_bytes, self._outbound_limits.max_burst_bytes)

    def pause_reading(self) -> None:
        """Listen no more for now, so that the server has to wait; what has arrived already may still be delivered."""
        if self._ending is None and not self._is_reading_paused and not self._transport.is_closing():
            self._is_reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Listen again."""
        if self._is_reading_paused:
            self._is_reading_paused = False
            self._watch.excuse()
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # What the transport tells.

    def pause_writing(self) -> None:
        """Hold the owner back, and see whether the server goes on reading."""
        super().pause_writing()
        self._progress = _Progress(self.queued_bytes, self._expect_progress())

    def resume_writing(self) -> None:
        """Let the owner send again."""
        super().resume_writing()
        self._burst_bytes = 0
        self._forget_progress()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everyone that the connection is gone."""
        self._is_reading_paused = False
        super().connection_lost(exc)

    # What the frames say.

    def receive_message(self, data: bytes) -> None:
        """Hand a whole message to the owner, or keep it until there is one."""
        if self._ending is not None:
            return
        if self._owner is not None:
            self._owner.receive_frame(data)
            return
        self._early.append(data)
        self._early_bytes += len(data)
        if self._early_bytes > self._outbound_limits.max_early_bytes:
            self.close(1008, "too much was said before anybody listened")

    # Ending.

    def _end(self, state: Any, code: int, reason: str) -> None:
        self._ending = (code, reason)
        self._forget_progress()
        # The server's own close is awaited.
        self.resume_reading()
        super()._end(state, code, reason)

    @property
    def _most_queued_bytes(self) -> int:
        return self._limits.max_queue_bytes + self._burst_bytes

    def _is_stalled(self) -> bool:
        return False

    def _tick(self) -> None:
        if self._is_reading_paused:
            self._watch.excuse()
        super()._tick()

    def _expect_progress(self) -> asyncio.TimerHandle:
        return self._loop.call_later(self._outbound_limits.stall_seconds, self._look_for_progress)

    def _look_for_progress(self) -> None:
        progress = self._progress
        if progress is None:
            return
        queued_bytes = self.queued_bytes
        if queued_bytes >= progress.queued_bytes + progress.added_bytes:
            self._cut_off()
        else:
            self._progress = _Progress(queued_bytes, self._expect_progress())

    def _forget_progress(self) -> None:
        if self._progress is not None:
            self._progress.timer.cancel()
            self._progress = None


class _Progress:
    """What a server has to read, and had to when it was last looked at."""

    def __init__(self, queued_bytes: int, timer: asyncio.TimerHandle) -> None:
        self.queued_bytes = queued_bytes
        """The queue as it was."""
        self.added_bytes = 0
        """What came to it since then."""
        self.timer = timer
        """When it is looked at next."""


async def open_outbound(
    address: str,
    headers: Mapping[str, str],
    *,
    tls: ssl.SSLContext | None,
    owner: LegOwner | None,
    limits: OutboundLimits,
    connected: socket.socket | None = None,
    lost: Callable[[OutboundLeg], None] | None = None,
) -> OutboundLeg:
    """Dial a server and return the leg that leads there.

    Args:
        address: a complete `ws` or `wss` URL.
        headers: what the upgrade request carries besides the usual.
        tls: how a `wss` server is to be trusted; None for the usual way.
        owner: whom its messages are for; None to attach somebody later.
        limits: what the server may cost.
        connected: a socket that already leads to the server; with it no name is resolved.
        lost: called once, when the connection is gone.

    Raises:
        LineError: the server cannot be reached, or does not let us in.
    """
    parts = urlsplit(address)
    key = os.urandom(16)
    try:
        request = request_of(address, headers, key)
    except VivavoceError as exc:
        raise LineError(str(exc), again=False) from exc
    trust = (tls or _usual_tls()) if parts.scheme == "wss" else None
    where: dict[str, Any] = {"sock": connected} if connected else {"host": parts.hostname, "port": _port(parts)}
    if trust is not None:
        where["server_hostname"] = parts.hostname

    def agreed(transport: asyncio.Transport, rest: bytes) -> OutboundLeg:
        leg = OutboundLeg(transport, limits, lost)
        if owner is not None:
            leg.attach(owner)
        leg.read(rest)
        return leg

    try:
        async with asyncio.timeout(limits.open_seconds):
            return await _upgraded(lambda: Upgrade(request, key, limits.max_answer_bytes, agreed), trust, where)
    except TurnedAway as exc:
        raise refused(parts.hostname or "", exc.status, exc.phrase, exc.body) from exc
    except (OSError, NotUpgraded) as exc:
        raise unreachable(address, exc, seconds=limits.open_seconds, trust=_TRUST) from exc


async def _upgraded(make: Callable[[], Upgrade], tls: ssl.SSLContext | None, where: dict[str, Any]) -> OutboundLeg:
    loop = asyncio.get_running_loop()
    transport, upgrade = await loop.create_connection(make, ssl=tls, **where)
    try:
        leg: OutboundLeg = await upgrade.answered
    except BaseException:
        transport.abort()
        raise
    return leg


def _port(parts: Any) -> int:
    return parts.port or (443 if parts.scheme == "wss" else 80)


@functools.cache
def _usual_tls() -> ssl.SSLContext:
    """Return how servers are trusted by default; made once, because it reads hundreds of certificates."""
    return ssl.create_default_context()


def _ignore(_leg: OutboundLeg) -> None:
    pass
