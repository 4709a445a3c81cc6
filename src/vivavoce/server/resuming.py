"""Conversations whose client may come back: by a token, within a time, on whatever connection.

A client that lost its line may be back before its server has noticed, so a token leads to a session at work as well as
to one that has ended.  Everything is kept in memory.  Called by `server.relays`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

import msgspec

__all__ = ["Resumed", "Resumes"]

_TOKEN_BYTES = 24
_LEAST_BYTES = 1024
"""What a conversation takes in which nothing was said, with its place in the table."""


class Resumable(Protocol):
    """A conversation at work."""

    def snapshot(self) -> bytes:
        """Return what has to be kept of it."""
        ...

    def end(self, code: int, reason: str) -> None:
        """End it, because it goes on elsewhere."""
        ...


class Resumed(msgspec.Struct, frozen=True):
    """What a token led to."""

    token: str
    """The token, which stays good."""
    snapshot: bytes = b""
    """The conversation so far; empty for a new one."""


class _Kept(msgspec.Struct):
    owner: str
    seconds: float
    at_work: Resumable | None
    snapshot: bytes = b""
    expires_at: float = 0.0


class Resumes:
    """All conversations that may be taken up again."""

    def __init__(self, now: Callable[[], float], max_bytes: int) -> None:
        """Begin with none.

        Args:
            now: a clock in seconds.
            max_bytes: of ended conversations together; beyond that the oldest are forgotten.
        """
        self._now = now
        self._max_bytes = max_bytes
        self._kept: dict[str, _Kept] = {}

    def take(self, token: str, owner: str) -> Resumed:
        """Return the conversation of a token; a new one where there is none, or where it is somebody else's.

        Args:
            token: as the client gave it.
            owner: what tells those who may go on with one from others.
        """
        self._forget_expired()
        kept = self._kept.get(token)
        if kept is None or kept.owner != owner:
            return Resumed(secrets.token_urlsafe(_TOKEN_BYTES))
        if kept.at_work is not None:
            at_work, kept.at_work = kept.at_work, None
            at_work.end(4001, "resumed on another connection")
            kept.snapshot = at_work.snapshot()
        del self._kept[token]
        return Resumed(token, kept.snapshot)

    def begin(self, token: str, owner: str, at_work: Resumable, seconds: float) -> None:
        """Learn which session a token leads to now, and for how long it does after that ends."""
        self._kept[token] = _Kept(owner, seconds, at_work)

    def end(self, token: str, at_work: Resumable) -> None:
        """Learn that a session has ended; it is kept unless it goes on elsewhere already."""
        kept = self._kept.get(token)
        if kept is None or kept.at_work is not at_work:
            return
        kept.at_work = None
        kept.snapshot = at_work.snapshot()
        kept.expires_at = self._now() + kept.seconds
        self._kept[token] = self._kept.pop(token)  # to the end: the last to be forgotten
        self._forget_expired()

    def _forget_expired(self) -> None:
        now, room = self._now(), self._max_bytes
        for token, kept in reversed(tuple(self._kept.items())):
            if kept.at_work is None:
                room -= len(kept.snapshot) + _LEAST_BYTES
                if kept.expires_at <= now or room < 0:
                    del self._kept[token]
