"""Provisional answers that arrive: sent until they are confirmed by PRACK, and confirmed when they come (RFC 3262)."""

from __future__ import annotations

import hashlib

from .effects import Effect
from .extensions import RAck
from .headers import CSeq, read_cseq, read_number, read_one, read_options
from .matching import Transactions
from .message import Headers, Request, Response
from .timers import Timers

__all__ = ["Confirming", "Reliable", "asks_for_reliability"]


def asks_for_reliability(request: Request) -> tuple[bool, bool]:
    """Tell whether an INVITE can do with reliable provisional answers, and whether it must have them."""
    must = "100rel" in read_options(request.headers, "Require")
    return must or "100rel" in read_options(request.headers, "Supported"), must


class Reliable:
    """The reliable provisional answers to one INVITE that came, one after the other.

    States: idle -> sending (until the PRACK, or until it is too late) -> idle.
    """

    def __init__(self, transactions: Transactions, key: str, invite: Request, tag: str, timers: Timers) -> None:
        """Begin with none; `key` is the INVITE's, `tag` the tag of this end."""
        self._transactions = transactions
        self._key = key
        self._cseq = CSeq(read_cseq(invite.headers).number, "INVITE")
        self._timers = timers
        # The first number is to be random; a tag is.
        self._number = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:3], "big") + 1
        self._current: Response | None = None
        self._is_stopped = False
        self._queue: list[Response] = []
        self._interval = 0.0
        self._resend_at = 0.0
        self._since = 0.0

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        return self._resend_at if self.is_waiting else None

    @property
    def is_waiting(self) -> bool:
        """Whether one is not confirmed."""
        return self._current is not None and not self._is_stopped

    @property
    def has_expired_at(self) -> float | None:
        """When the one that is not confirmed has been sent for too long."""
        return self._since + self._timers.patience if self.is_waiting else None

    def send(self, response: Response, now: float) -> list[Effect]:
        """Send one, after those before it are confirmed."""
        self._queue.append(response)
        return [] if self._current is not None else self._next(now)

    def receive(self, prack: Request, now: float) -> list[Effect] | None:
        """Take a PRACK; return what follows, or None when it is for nothing that was sent."""
        rack = read_one(prack.headers, "RAck", RAck.parse)
        if self._current is None or rack != RAck(self._number - 1, self._cseq):
            return None
        self._current = None
        return self._next(now)

    def receive_time(self, now: float) -> list[Effect]:
        """Send the one that is not confirmed again."""
        if self._current is None or self._is_stopped or now < self._resend_at:
            return []
        self._interval *= 2
        self._resend_at = now + self._interval
        return self._transactions.respond(self._key, self._current, now)

    def stop(self) -> None:
        """Send none any more: there is a final answer.  The PRACK may still come."""
        self._is_stopped = True
        self._queue.clear()

    def _next(self, now: float) -> list[Effect]:
        if not self._queue:
            return []
        response = self._queue.pop(0)
        headers = response.headers.added("Require", "100rel").added("RSeq", str(self._number))
        self._number += 1
        self._current = Response(response.status, response.reason, headers, response.body)
        self._interval, self._since = self._timers.t1, now
        self._resend_at = now + self._interval
        return self._transactions.respond(self._key, self._current, now)


class Confirming:
    """Which reliable provisional answers came in one early dialog."""

    def __init__(self) -> None:
        """Begin with none."""
        self._last: int | None = None

    def rack(self, request: Request, headers: Headers) -> RAck | None:
        """Return what a PRACK has to say to a provisional answer; None for those that want none or came before."""
        number = read_number(headers, "RSeq", 2**32 - 1)
        if number is None or "100rel" not in read_options(headers, "Require"):
            return None
        if self._last is not None and number != self._last + 1:
            return None
        self._last = number
        return RAck(number, CSeq(read_cseq(request.headers).number, request.method))
