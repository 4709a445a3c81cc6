"""Offers and answers within a call: who has offered, who owes an answer, and what happens when offers meet.

RFC 3264, 6337, 3311, and RFC 3261 section 14.  The descriptions are carried, not read.  One offer at a time:

    idle -> owed (the other side offered, or asked to be offered) -> idle
    idle -> asked (this side sent a re-INVITE or UPDATE) -> idle
    idle -> confirming (a 2xx with an offer of this side waits for the ACK with the answer) -> idle
"""

from __future__ import annotations

import msgspec

from .dialogs import BODY_SDP, Dialog
from .effects import AnswerReceived, Effect, OfferDeclined, OfferReceived
from .errors import SipError
from .headers import read_cseq
from .message import Request, Response
from .parts import body_of
from .session_timers import SessionTimer
from .terms import ALLOW, SUPPORTED, Chance
from .timers import Timers

__all__ = ["Acceptance", "CallStateError", "Offers", "sdp_of"]

_MOST_RETRIES = 5
"""How often offers may meet before this side gives in."""


class CallStateError(SipError, ValueError):
    """A command that a call in its present state cannot follow; nothing has changed."""


def sdp_of(message: Request | Response) -> bytes | None:
    """Return the session description in a message, alone or as a part of several; None where there is none."""
    return body_of(message, "application/sdp")


class Acceptance:
    """A 2xx to an INVITE, sent until its ACK comes, whatever the transport (RFC 3261 13.3.1.4)."""

    def __init__(self, key: str, response: Response, timers: Timers, now: float) -> None:
        """Begin with the 2xx just sent."""
        self.key = key
        self.response = response
        self.number = read_cseq(response.headers).number
        """The CSeq number of the INVITE and of its ACK."""
        self._timers = timers
        self._interval = timers.t1
        self.resend_at = now + timers.t1
        self.over_at = now + timers.patience

    @property
    def deadline(self) -> float:
        """When it has to be sent again, or has been sent often enough."""
        return min(self.resend_at, self.over_at)

    def resent(self, now: float) -> None:
        """Learn that it was sent again."""
        self._interval = min(2 * self._interval, self._timers.t2)
        self.resend_at = now + self._interval


class _Owed(msgspec.Struct, frozen=True):
    """A request of the other side that waits for a session description of this side."""

    key: str
    request: Request


class Offers:
    """The offers and answers of one dialog."""

    def __init__(self, call: str, dialog: Dialog, timer: SessionTimer, timers: Timers, chance: Chance) -> None:
        """Begin idle."""
        self._call = call
        self._dialog = dialog
        self._timer = timer
        self._timers = timers
        self._chance = chance
        self._owed: _Owed | None = None
        self._asked: int | None = None
        """The CSeq number of the re-INVITE or UPDATE of this side that is not answered."""
        self._is_update = False
        self._waits: list[bytes | None] = []
        """What is to be offered when it is possible; None to refresh the call only."""
        self._in_flight: bytes | None = None
        self._retry_at: float | None = None
        self._retries = 0
        self._confirmed: int | None = None
        """The CSeq number of the last INVITE of this side whose 2xx came, for its ACK may be lost."""
        self.acceptance: Acceptance | None = None
        """The 2xx of this side that is not confirmed."""
        self._expects_answer = False
        """Whether its ACK has to bring an answer."""
        self.last = b""
        """The last session description of this side."""
        self.allows_update = False
        """Whether the other side understands UPDATE."""
        self.is_caller = False
        """Whether this side chose the Call-ID, which decides who waits longer when offers meet."""

    @property
    def owes_answer(self) -> bool:
        """Whether the other side's offer is not answered."""
        return self._owed is not None

    @property
    def is_idle(self) -> bool:
        """Whether an offer may be made."""
        return self._owed is None and self._asked is None and self.acceptance is None and self._retry_at is None

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        times = (self._retry_at, self.acceptance.deadline if self.acceptance is not None else None)
        return min((at for at in times if at is not None), default=None)

    def begin(self, key: str, response: Response, sdp: bytes, now: float, *, is_offer: bool) -> None:
        """Learn of the 2xx that made the call."""
        self.acceptance = Acceptance(key, response, self._timers, now)
        self._expects_answer = is_offer
        self.last = sdp or self.last

    # ------------------------------------------------------------------------------------------------ theirs

    def receive(self, key: str, request: Request, now: float) -> list[Effect]:
        """Take a re-INVITE or UPDATE of the other side."""
        offer = sdp_of(request)
        is_invite = request.method == "INVITE"
        if self._owed is not None:
            return self._dialog.respond(key, request, 500, now, ("Retry-After", str(int(10 * self._chance()))))
        if (is_invite or offer is not None) and (self._asked is not None or self._expects_answer):
            return self._dialog.respond(key, request, 491, now)
        least = self._timer.too_brief(request)
        if least is not None:
            return self._dialog.respond(key, request, 422, now, ("Min-SE", str(least)))
        self._dialog.refresh(request.headers)
        if not is_invite and offer is None:
            fields = self._timer.accept(request, now)
            return self._dialog.respond(key, request, 200, now, ("Allow", ALLOW), ("Supported", SUPPORTED), *fields)
        if is_invite:
            # A new INVITE shows that the 2xx before it has arrived.
            self.acceptance = None
        self._owed = _Owed(key, request)
        return [OfferReceived(self._call, offer)]

    def receive_in_prack(self, key: str, request: Request, now: float) -> list[Effect]:
        """Take an offer that came in a PRACK, which its 200 answers."""
        if self._owed is not None or self._asked is not None:
            return self._dialog.respond(key, request, 491, now)
        self._owed = _Owed(key, request)
        return [OfferReceived(self._call, sdp_of(request))]

    def answer(self, sdp: bytes, now: float) -> list[Effect]:
        """Answer the other side's offer, or offer something when it asked for that."""
        owed = self._owed
        if owed is None:
            raise CallStateError("the other side has offered nothing that is not answered")
        self._owed, self.last = None, sdp
        if owed.request.method == "PRACK":
            return self._dialog.respond(owed.key, owed.request, 200, now, BODY_SDP, body=sdp)
        fields = [("Allow", ALLOW), ("Supported", SUPPORTED), *self._timer.accept(owed.request, now), BODY_SDP]
        response = self._dialog.response(owed.request, 200, *fields, body=sdp)
        if owed.request.method == "INVITE":
            self.begin(owed.key, response, sdp, now, is_offer=sdp_of(owed.request) is None)
        return self._dialog.repeat(owed.key, response, now)

    def refuse(self, status: int, now: float) -> list[Effect]:
        """Do not take the other side's offer; all stays as it was."""
        owed = self._owed
        if owed is None:
            raise CallStateError("the other side has offered nothing that is not answered")
        self._owed = None
        return self._dialog.respond(owed.key, owed.request, status, now)

    def acknowledged(self, request: Request, now: float) -> list[Effect]:
        """Take the ACK of a 2xx of this side."""
        acceptance = self.acceptance
        if acceptance is None or read_cseq(request.headers).number != acceptance.number:
            return []
        self.acceptance = None
        out: list[Effect] = []
        if self._expects_answer:
            self._expects_answer = False
            answer = sdp_of(request)
            out.append(OfferDeclined(self._call, 488) if answer is None else AnswerReceived(self._call, answer))
        return [*out, *self._next(now)]

    # ------------------------------------------------------------------------------------------------ ours

    def offer(self, sdp: bytes, now: float) -> list[Effect]:
        """Offer something else, at once or when it is possible."""
        self._waits = [each for each in self._waits if each is None]
        self._waits.append(sdp)
        return self._next(now)

    def refresh(self, now: float) -> list[Effect]:
        """Show that this side is there still, without changing anything."""
        self._timer.begin_refresh()
        self._waits.append(None)
        return self._next(now)

    def _next(self, now: float) -> list[Effect]:
        """Send what waits, when it is possible."""
        if not self.is_idle or not self._waits:
            return []
        self._in_flight = self._waits.pop(0)
        sdp = self._in_flight
        self._is_update = sdp is None and self.allows_update
        method = "UPDATE" if self._is_update else "INVITE"
        body = b"" if self._is_update else (self.last if sdp is None else sdp)
        fields = [("Allow", ALLOW), ("Supported", SUPPORTED), *self._timer.propose(), *([BODY_SDP] if body else [])]
        out = self._dialog.send(method, now, *fields, body=body)
        self._asked = self._dialog.local_number
        return out

    def responded(self, request: Request, response: Response, now: float) -> list[Effect]:
        """Take a response to a re-INVITE or UPDATE of this side; 401, 407, 408 and 481 are not for here."""
        number, status = read_cseq(request.headers).number, response.status
        if number == self._confirmed and 200 <= status < 300:
            return self._dialog.acknowledge(number, request)
        if number != self._asked or status < 200:
            return []
        self._asked = None
        if status < 300:
            return self._taken(request, response, now)
        if status == 491 and self._retries < _MOST_RETRIES:
            self._retries += 1
            # RFC 3261 14.1: who made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s.
            wait = 2.1 + 1.9 * self._chance() if self.is_caller else 2 * self._chance()
            self._retry_at = now + round(wait, 2)
            self._waits.insert(0, self._in_flight)
            return []
        if status == 422 and self._timer.raise_least(response.headers):
            self._waits.insert(0, self._in_flight)
            return self._next(now)
        return self._refused(status, now)

    def _taken(self, request: Request, response: Response, now: float) -> list[Effect]:
        self._retries = 0
        self._dialog.refresh(response.headers)
        self._timer.agreed(response.headers, now)
        out: list[Effect] = []
        if request.method == "INVITE":
            number = read_cseq(request.headers).number
            self._confirmed = number
            out += self._dialog.acknowledge(number, request)
        if request.body:
            self.last = request.body
            answer = sdp_of(response)
            if self._in_flight is not None or answer is not None:
                out.append(AnswerReceived(self._call, answer) if answer else OfferDeclined(self._call, 488))
        return [*out, *self._next(now)]

    def _refused(self, status: int, now: float) -> list[Effect]:
        if self._in_flight is None:
            self._timer.fail_refresh()
            return self._next(now)
        return [OfferDeclined(self._call, status), *self._next(now)]

    def renumbered(self, before: Request) -> None:
        """Learn that a request of this side was sent again with a password."""
        if read_cseq(before.headers).number == self._asked:
            self._asked = self._dialog.local_number

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due, but for the end of an unconfirmed 2xx."""
        out: list[Effect] = []
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            out += self._next(now)
        acceptance = self.acceptance
        if acceptance is not None and now >= acceptance.resend_at and now < acceptance.over_at:
            acceptance.resent(now)
            out += self._dialog.repeat(acceptance.key, acceptance.response, now)
        return out

    def abort(self, now: float) -> list[Effect]:
        """Answer what waits for an answer: the call is over."""
        owed, self._owed, self.acceptance, self._retry_at = self._owed, None, None, None
        self._waits.clear()
        return [] if owed is None else self._dialog.respond(owed.key, owed.request, 487, now)
