"""The engines of this process as an upstream: a call whose client is a relay session, without a socket between them."""

from __future__ import annotations

import asyncio
from collections import deque

from ..legs import Leg, LegOwner

__all__ = ["LocalLink"]


class LocalLink:
    """The relay's end: what is sent here the call receives; see `legs.outbound.OutboundLeg` for the same by socket."""

    def __init__(self) -> None:
        self._end = _CallEnd()
        self.call: LegOwner | None = None
        """The call; there once it was made."""
        self.opened_at = asyncio.get_running_loop().time()
        """When it was made, by the clock of the loop."""

    @property
    def end(self) -> Leg:
        """The call's end."""
        return self._end

    def attach(self, owner: LegOwner) -> None:
        """Deliver what the call says, and has said, to `owner`."""
        self._end.owner = owner
        self._end.flush_soon()

    def send(self, data: bytes) -> None:
        """Give the call one message."""
        if self.call is not None and not self._end.is_closed:
            self.call.receive_frame(data)

    def allow(self, burst_bytes: int) -> None:
        """Take no notice: there is no queue."""

    def pause_reading(self) -> None:
        """Let the call wait with what it says."""
        self._end.readable.clear()

    def resume_reading(self) -> None:
        """Let the call go on."""
        self._end.readable.set()

    def close(self, code: int, reason: str) -> None:
        """End the call."""
        if not self._end.is_closed and self.call is not None:
            self._end.is_closed = True
            self.resume_reading()
            asyncio.get_running_loop().call_soon(self.call.leg_closed, code, reason)


class _CallEnd:
    """The call's end: a `legs.Leg`."""

    peer = "this process"

    def __init__(self) -> None:
        self.owner: LegOwner | None = None
        """Whoever hears what the call says."""
        self.is_closed = False
        """Whether either side has closed."""
        self.readable = asyncio.Event()
        """Cleared while nobody listens."""
        self.readable.set()
        self._messages: deque[bytes] = deque()
        self._is_flushing = False

    @property
    def queued_bytes(self) -> int:
        """How much was said and not heard yet."""
        return sum(map(len, self._messages))

    def send(self, data: bytes) -> None:
        """Say something; it is heard soon, not at once: whoever hears it may be in the midst of something."""
        if not self.is_closed:
            self._messages.append(data)
            self.flush_soon()

    async def drain(self) -> None:
        """Return when the relay listens."""
        await self.readable.wait()

    def close(self, code: int, reason: str) -> None:
        """End it; what was said before is still heard."""
        if self.is_closed:
            return
        self.flush()
        self.is_closed = True
        loop = asyncio.get_running_loop()
        if self.owner is not None:
            loop.call_soon(self.owner.leg_closed, code, reason)

    def flush_soon(self) -> None:
        """Deliver what was said when whoever is at work now has finished."""
        if not self._is_flushing and self.owner is not None and self._messages:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Deliver what was said."""
        self._is_flushing = False
        while self._messages and self.owner is not None:
            self.owner.receive_frame(self._messages.popleft())
