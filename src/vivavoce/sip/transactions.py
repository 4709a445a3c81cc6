"""Transactions: one request and what becomes of it, until it can no longer be asked for again.

RFC 3261 section 17 with the Accepted state of RFC 6026.  The four machines know nothing of each other; `matching` has
them all.  A transaction returns steps: what to send, and for clients what its user learns.

    INVITE client   calling -> proceeding -> completed (by 300-699) -> terminated
                    calling, proceeding -> accepted (by 2xx) -> terminated
    other client    trying -> proceeding -> completed -> terminated
    INVITE server   proceeding -> completed (by 300-699) -> confirmed (by ACK) -> terminated
                    proceeding -> accepted (by 2xx) -> terminated
    other server    trying -> proceeding -> completed -> terminated
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from .effects import Hop, Send
from .headers import read_cseq
from .message import REASONS, Headers, Request, Response, encode
from .timers import Timers

__all__ = ["Client", "Failed", "InviteClient", "InviteServer", "OtherClient", "OtherServer", "Passed", "Server", "Step"]


class Passed(msgspec.Struct, frozen=True):
    """A response that the transaction's user has not seen."""

    response: Response
    """The response."""


class Failed(msgspec.Struct, frozen=True):
    """No final response will come."""

    cause: Literal["timeout", "unreachable"]
    """Whether nothing came in time, or nothing could be sent."""


Step: TypeAlias = Send | Passed | Failed
State: TypeAlias = Literal[
    "calling", "trying", "proceeding", "accepted", "completed", "confirmed", "terminated"
]  # fmt: skip


class InviteClient:
    """An INVITE that was sent."""

    def __init__(self, request: Request, hop: Hop, timers: Timers) -> None:
        """Begin with nothing sent; the request has its Via."""
        self.request = request
        self.hop = hop
        self.state: State = "calling"
        self._timers = timers
        self._data = encode(request)
        self._ack = b""
        self._interval = timers.t1
        self._resend_at: float | None = None
        self._over_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        return _first(self._resend_at, self._over_at)

    def start(self, now: float) -> list[Step]:
        """Send the request."""
        self._resend_at = None if self.hop.is_reliable else now + self._interval
        self._over_at = now + self._timers.patience
        return [Send(self._data, self.hop)]

    def receive(self, response: Response, now: float) -> list[Step]:
        """Take a response to it."""
        status = response.status
        if self.state in ("calling", "proceeding"):
            self._resend_at = None
            if status < 200:
                self.state, self._over_at = "proceeding", None
                return [Passed(response)]
            if status < 300:
                self.state, self._over_at = "accepted", now + self._timers.patience
                return [Passed(response)]
            self.state = "completed" if not self.hop.is_reliable else "terminated"
            # Timer D: as long as the other side's timer H, after which it asks for no ACK any more.
            self._over_at = None if self.hop.is_reliable else now + self._timers.patience
            self._ack = encode(_ack_of(self.request, response))
            return [Send(self._ack, self.hop), Passed(response)]
        if self.state == "accepted" and 200 <= status < 300:
            return [Passed(response)]
        if self.state == "completed" and status >= 300:
            return [Send(self._ack, self.hop)]
        return []

    def receive_time(self, now: float) -> list[Step]:
        """Do what is due."""
        if self._over_at is not None and now >= self._over_at:
            was_calling = self.state == "calling"
            self._end()
            return [Failed("timeout")] if was_calling else []
        if self._resend_at is not None and now >= self._resend_at:
            self._interval *= 2
            self._resend_at = now + self._interval
            return [Send(self._data, self.hop)]
        return []

    def unreachable(self) -> list[Step]:
        """Learn that what was sent did not arrive."""
        was_open = self.state in ("calling", "proceeding")
        self._end()
        return [Failed("unreachable")] if was_open else []

    def abandon(self) -> list[Step]:
        """Wait no longer: it was cancelled and is never answered, or there is another place to try."""
        was_open = self.state in ("calling", "proceeding")
        self._end()
        return [Failed("timeout")] if was_open else []

    def _end(self) -> None:
        self.state, self._resend_at, self._over_at = "terminated", None, None


class OtherClient:
    """A request that was sent and is no INVITE."""

    def __init__(self, request: Request, hop: Hop, timers: Timers) -> None:
        """Begin with nothing sent; the request has its Via."""
        self.request = request
        self.hop = hop
        self.state: State = "trying"
        self._timers = timers
        self._data = encode(request)
        self._interval = timers.t1
        self._resend_at: float | None = None
        self._over_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        return _first(self._resend_at, self._over_at)

    def start(self, now: float) -> list[Step]:
        """Send the request."""
        self._resend_at = None if self.hop.is_reliable else now + self._interval
        self._over_at = now + self._timers.patience
        return [Send(self._data, self.hop)]

    def receive(self, response: Response, now: float) -> list[Step]:
        """Take a response to it."""
        if self.state not in ("trying", "proceeding"):
            return []
        if response.status < 200:
            self.state, self._interval = "proceeding", self._timers.t2
            return [Passed(response)]
        self._resend_at = None
        self.state = "terminated" if self.hop.is_reliable else "completed"
        # Timer K: what was sent again may be answered again.
        self._over_at = None if self.hop.is_reliable else now + self._timers.t4
        return [Passed(response)]

    def receive_time(self, now: float) -> list[Step]:
        """Do what is due."""
        if self._over_at is not None and now >= self._over_at:
            was_open = self.state in ("trying", "proceeding")
            self._end()
            return [Failed("timeout")] if was_open else []
        if self._resend_at is not None and now >= self._resend_at:
            self._interval = min(2 * self._interval, self._timers.t2)
            self._resend_at = now + self._interval
            return [Send(self._data, self.hop)]
        return []

    def abandon(self) -> list[Step]:
        """Wait no longer: there is another place to try."""
        was_open = self.state in ("trying", "proceeding")
        self._end()
        return [Failed("timeout")] if was_open else []

    def unreachable(self) -> list[Step]:
        """Learn that what was sent did not arrive."""
        was_open = self.state in ("trying", "proceeding")
        self._end()
        return [Failed("unreachable")] if was_open else []

    def _end(self) -> None:
        self.state, self._resend_at, self._over_at = "terminated", None, None


class InviteServer:
    """An INVITE that came."""

    def __init__(self, request: Request, hop: Hop, fallback: Hop | None, timers: Timers, now: float) -> None:
        """Begin with nothing answered; `hop` is where its responses go."""
        self.request = request
        self.hop = hop
        self.fallback = fallback
        self.state: State = "proceeding"
        self._timers = timers
        self._last = b""
        self._interval = timers.t1
        self._resend_at: float | None = now + timers.trying
        """When to say 100, or to send a refusal again."""
        self._over_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        return _first(self._resend_at, self._over_at)

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given."""
        return self.state != "proceeding"

    def respond(self, response: Response, now: float) -> list[Step]:
        """Answer it; a second final response has no effect, but a 2xx may be given again while it is not confirmed."""
        status = response.status
        if self.state == "accepted" and 200 <= status < 300:
            return [self._send(encode(response))]
        if self.state != "proceeding":
            return []
        self._last = encode(response)
        self._resend_at = None
        if 200 <= status < 300:
            self.state, self._over_at = "accepted", now + self._timers.patience
        elif status >= 300:
            self.state, self._over_at = "completed", now + self._timers.patience
            self._resend_at = None if self.hop.is_reliable else now + self._interval
        return [self._send(self._last)]

    def receive_again(self) -> list[Step]:
        """Learn that the request came again."""
        # A 2xx is sent again by the dialog, in its own time.
        return [self._send(self._last)] if self.state in ("proceeding", "completed") and self._last else []

    def receive_ack(self, now: float) -> bool:
        """Take an ACK; tell whether it is for the dialog, as those of a 2xx are."""
        if self.state == "completed":
            self._resend_at = None
            self.state = "terminated" if self.hop.is_reliable else "confirmed"
            self._over_at = None if self.hop.is_reliable else now + self._timers.t4
        return self.state == "accepted"

    def receive_time(self, now: float) -> list[Step]:
        """Do what is due."""
        if self._over_at is not None and now >= self._over_at:
            self.state, self._resend_at, self._over_at = "terminated", None, None
            return []
        if self._resend_at is None or now < self._resend_at:
            return []
        if self.state == "proceeding":
            self._resend_at = None
            self._last = encode(_trying(self.request))
        else:
            self._interval = min(2 * self._interval, self._timers.t2)
            self._resend_at = now + self._interval
        return [self._send(self._last)]

    def unreachable(self) -> list[Step]:
        """Learn that a response did not arrive: whoever asked has to ask again."""
        return []

    def _send(self, data: bytes) -> Send:
        return Send(data, self.hop, self.fallback)


class OtherServer:
    """A request that came and is no INVITE."""

    def __init__(self, request: Request, hop: Hop, fallback: Hop | None, timers: Timers, now: float) -> None:
        """Begin with nothing answered; `hop` is where its responses go."""
        self.request = request
        self.hop = hop
        self.fallback = fallback
        self.state: State = "trying"
        self._timers = timers
        self._last = b""
        # By then whoever asked has given up (timer F), so that there is nobody left to answer.
        self._over_at: float | None = now + timers.patience

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        return self._over_at

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given."""
        return self.state in ("completed", "terminated")

    def respond(self, response: Response, now: float) -> list[Step]:
        """Answer it; a second final response has no effect."""
        if self.is_answered:
            return []
        self._last = encode(response)
        if response.status < 200:
            self.state = "proceeding"
        elif self.hop.is_reliable:
            self.state, self._over_at = "terminated", None
        else:
            self.state, self._over_at = "completed", now + self._timers.patience
        return [Send(self._last, self.hop, self.fallback)]

    def receive_again(self) -> list[Step]:
        """Learn that the request came again."""
        return [Send(self._last, self.hop, self.fallback)] if self._last else []

    def receive_time(self, now: float) -> list[Step]:
        """Do what is due."""
        if self._over_at is not None and now >= self._over_at:
            self.state, self._over_at = "terminated", None
        return []

    def unreachable(self) -> list[Step]:
        """Learn that a response did not arrive: whoever asked has to ask again."""
        return []


Client: TypeAlias = InviteClient | OtherClient
Server: TypeAlias = InviteServer | OtherServer


def _ack_of(request: Request, response: Response) -> Request:
    """Return the ACK of a refusal, which goes the way of its INVITE (RFC 3261 17.1.1.3)."""
    headers = request.headers
    number = read_cseq(headers).number
    fields = [
        ("Via", headers.all("Via")[0]),
        *[("Route", route) for route in headers.all("Route")],
        ("Max-Forwards", "70"),
        ("From", headers.get("From") or ""),
        ("To", response.headers.get("To") or headers.get("To") or ""),
        ("Call-ID", headers.get("Call-ID") or ""),
        ("CSeq", f"{number} ACK"),
    ]
    return Request("ACK", request.uri, Headers(tuple(fields)))


def _trying(request: Request) -> Response:
    """Return the 100 that is given to an INVITE when nothing else was said in time."""
    kept = request.headers.only("Via", "From", "To", "Call-ID", "CSeq", "Timestamp")
    return Response(100, REASONS[100], kept)


def _first(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)
