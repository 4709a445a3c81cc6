"""A client of the small protocol before a session that speaks GA: `dialects.conversation` made a leg.

To the client's connection it is the owner of a leg, and to the call behind it the leg itself.  A call must not be given
anything while it is in the midst of an effect, so what the bridge has for the session waits until then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ..dialects import conversation_messages as messages
from ..dialects.conversation import Bridge
from ..legs import Leg, LegOwner
from .buckets import Bucket

__all__ = ["ConversationLeg"]

_BURST_SECONDS = 10
"""What a page may send at once that the network, or a laptop's lid, has held back."""
_TELLING_SECONDS = 1.0
"""Between two errors that tell of messages which come too fast: they must not become a flood themselves."""


class ConversationLeg:
    """One client's connection: a `legs.Leg` and a `legs.LegOwner`."""

    def __init__(self, leg: Leg, bridge: Bridge, *, messages_per_second: int, now: Callable[[], float]) -> None:
        """Stand between a connection and a session that is still to come.

        Args:
            leg: the connection.
            bridge: knows what is meant.
            messages_per_second: how many the client may send in the long run; 0 for any number.
            now: a clock in seconds that never goes back.
        """
        self._leg = leg
        self._bridge = bridge
        self._now = now
        self._limit = messages_per_second
        self._bucket = Bucket(messages_per_second, messages_per_second * _BURST_SECONDS, now())
        self._told_at: float | None = None
        self._for_session: deque[bytes] = deque()
        self._is_passing = False
        self.owner: LegOwner | None = None
        """The session's call; None until it is there, and when the connection is gone."""

    # The owner's side, which the connection tells.

    def receive_frame(self, data: bytes) -> None:
        """Take one message of the client."""
        now = self._now()
        if self._limit and self._bucket.take(now):
            self._tell_flood(now)
            return
        passed = self._bridge.receive_client(data, now)
        for message in passed.to_client:
            self._leg.send(message)
        self._for_session += passed.to_session
        self._pass()

    def leg_closed(self, code: int, reason: str) -> None:
        """Learn that the connection is gone."""
        owner, self.owner = self.owner, None
        self._for_session.clear()
        if owner is not None:
            owner.leg_closed(code, reason)

    # The leg's side, which the call uses.

    @property
    def peer(self) -> str:
        """Who is at the other end."""
        return self._leg.peer

    @property
    def queued_bytes(self) -> int:
        """How much was sent but not yet taken by the network."""
        return self._leg.queued_bytes

    def send(self, data: bytes) -> None:
        """Send what a frame of the session means to the client, if it means anything."""
        passed = self._bridge.receive_session(data, self._now())
        for message in passed.to_client:
            self._leg.send(message)
        if passed.to_session:
            self._for_session += passed.to_session
            if not self._is_passing:
                asyncio.get_running_loop().call_soon(self._pass)

    async def drain(self) -> None:
        """Return when little enough is queued that more may be sent, or when the connection is closed."""
        await self._leg.drain()

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        self._leg.close(code, reason)

    # The inside.

    def _pass(self) -> None:
        """Give the session what waits for it, in order, and what comes of that too."""
        if self._is_passing:
            return
        self._is_passing = True
        try:
            while self._for_session and self.owner is not None:
                self.owner.receive_frame(self._for_session.popleft())
        finally:
            self._is_passing = False

    def _tell_flood(self, now: float) -> None:
        if self._told_at is None or now - self._told_at >= _TELLING_SECONDS:
            self._told_at = now
            text = f"More than {self._limit} messages a second came for too long; those above are not read."
            self._leg.send(messages.error("rate_limit_exceeded", text))
