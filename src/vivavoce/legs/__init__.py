"""Legs: the parties of a call, each on a connection of its own.

A leg carries whole Realtime messages as bytes and knows nothing of what they say: a dialect spells them, a session
answers them, and `server.call` stands between.  Each kind of connection is one file: `websocket`, and later others.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Leg", "LegOwner"]


class Leg(Protocol):
    """One party's connection, as its owner sees it."""

    @property
    def peer(self) -> str:
        """Who is at the other end, for people to read: an address, never a secret."""
        ...

    @property
    def queued_bytes(self) -> int:
        """How much was sent but not yet taken by the network."""
        ...

    def send(self, data: bytes) -> None:
        """Send one message, after all earlier ones, without waiting; does nothing once the leg is closed.

        A party that lets more queue up than its leg's hard limit is cut off.
        """
        ...

    async def drain(self) -> None:
        """Return when little enough is queued that more may be sent, or when the leg is closed."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Begin to close with a WebSocket close code; what was sent before still arrives."""
        ...


class LegOwner(Protocol):
    """Whoever the messages of a leg are for.  Both methods are called on the event loop's thread and must not block."""

    def receive_frame(self, data: bytes) -> None:
        """Take one whole message, valid UTF-8."""
        ...

    def leg_closed(self, code: int, reason: str) -> None:
        """Learn, exactly once and never from inside a call to the leg, that the leg can no longer be used.

        Args:
            code: the WebSocket close code of whichever side closed; 1005 when the peer gave none, 1006 when the
                connection broke.
            reason: the text that came with it.
        """
        ...
