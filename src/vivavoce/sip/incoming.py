"""An incoming call: an INVITE that came, until it is answered, and the call afterwards.

States: ringing -> up (2xx) -> over, or ringing -> over (refused, cancelled, not answered in time).
"""

from __future__ import annotations

from .dialogs import BODY_SDP
from .effects import Answered, AnswerReceived, CallEnded, Effect, Hop
from .errors import MalformedMessage
from .extensions import Reason, read_reasons
from .headers import read_number
from .matching import Transactions
from .message import Request, Response
from .offers import CallStateError, sdp_of
from .provisional import Reliable, asks_for_reliability
from .terms import ALLOW, SUPPORTED, Terms
from .usage import EndReason, Usage, phrase_of

__all__ = ["IncomingCall"]


class IncomingCall:
    """One call from somebody else."""

    def __init__(
        self, usage: Usage, key: str, request: Request, terms: Terms, transactions: Transactions, now: float
    ) -> None:
        """Begin ringing; `key` is the INVITE's."""
        self.id = usage.call
        self.replaces: str | None = None
        """The call whose place this one takes when it is accepted."""
        self._usage = usage
        self.key = key
        """The key of its INVITE."""
        self._request = request
        self._offer = sdp_of(request)
        self._is_ringing = True
        self._has_begun = False
        """Whether the 2xx was confirmed."""
        self._can_confirm, self._must_confirm = asks_for_reliability(request)
        self._reliable = Reliable(transactions, key, request, usage.dialog.local_tag, terms.timers)
        self._has_sdp_passed = False
        """Whether a reliable provisional answer has brought this side's session description."""
        self._accepting: bytes | None = None
        """What is to be accepted with when the provisional answers are confirmed."""
        seconds = min(terms.ring_seconds, _expires(request) or terms.ring_seconds)
        self._gives_up_at = now + seconds
        usage.learn_methods(request.headers)

    @property
    def usage(self) -> Usage:
        """What goes on in its dialog."""
        return self._usage

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self._usage.state == "over"

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        times = [self._usage.deadline]
        if self._is_ringing and not self.is_over:
            times += [self._gives_up_at, self._reliable.deadline, self._reliable.has_expired_at]
        return min((at for at in times if at is not None), default=None)

    # ------------------------------------------------------------------------------------------------ what is wanted

    def ring(self, status: int, sdp: bytes | None, now: float) -> list[Effect]:
        """Tell the caller that it rings, or 183 for sound before the call is answered."""
        self._require_ringing()
        if not 101 <= status <= 199:
            raise CallStateError("only a status from 101 to 199 tells of ringing")
        fields = [("Allow", ALLOW), *([BODY_SDP] if sdp else [])]
        response = self._usage.dialog.response(self._request, status, *fields, body=sdp or b"")
        # What brings sound has to arrive, where that can be had.
        if self._must_confirm or (self._can_confirm and sdp):
            if sdp:
                self._has_sdp_passed = True
                self._usage.offers.last = sdp
            return self._reliable.send(response, now)
        return self._usage.dialog.repeat(self.key, response, now)

    def accept(self, sdp: bytes, now: float) -> list[Effect]:
        """Answer the call, as soon as the caller has confirmed what it was told before."""
        self._require_ringing()
        if self._reliable.is_waiting:
            self._accepting = sdp
            return []
        return self._accept(sdp, now)

    def _accept(self, sdp: bytes, now: float) -> list[Effect]:
        self._is_ringing, self._accepting = False, None
        self._reliable.stop()
        usage = self._usage
        fields = [("Allow", ALLOW), ("Supported", SUPPORTED), *usage.timer.accept(self._request, now)]
        body = b"" if self._has_sdp_passed else sdp
        fields += [BODY_SDP] if body else []
        response = usage.dialog.response(self._request, 200, *fields, body=body)
        usage.state = "up"
        is_offer = bool(body) and self._offer is None
        usage.offers.begin(self.key, response, body, now, is_offer=is_offer)
        return usage.dialog.repeat(self.key, response, now)

    def reject(self, status: int, reason: str, contacts: tuple[str, ...], now: float) -> list[Effect]:
        """Do not take the call, or with 302 send it elsewhere."""
        self._require_ringing()
        if not 300 <= status <= 699:
            raise CallStateError("only a status from 300 to 699 refuses a call")
        return self._finish(status, "ended here", now, reason=reason, contacts=contacts)

    def hang_up(self, now: float, reason: Reason | None, why: EndReason = "ended here") -> list[Effect]:
        """End the call, in whatever state it is."""
        if self._is_ringing and not self.is_over:
            return self._finish(480, why, now)
        return self._usage.hang_up(now, reason, why)

    # ------------------------------------------------------------------------------------------------ what comes

    def receive(self, key: str, request: Request, source: Hop, now: float) -> list[Effect]:
        """Take a request within the dialog."""
        if request.method == "PRACK":
            return self._confirmed(key, request, now)
        out = self._usage.receive(key, request, source, now)
        if self._is_ringing and self.is_over:
            # The caller may end an early dialog by BYE (RFC 3261 15).
            self._is_ringing = False
            self._reliable.stop()
            out = [*self._usage.dialog.respond(self.key, self._request, 487, now), *out]
        return out

    def _confirmed(self, key: str, request: Request, now: float) -> list[Effect]:
        """Take a PRACK."""
        dialog = self._usage.dialog
        if not dialog.accepts(request):
            return dialog.respond(key, request, 500, now, reason="Out Of Order")
        try:
            follows = self._reliable.receive(request, now)
        except MalformedMessage as error:
            return dialog.respond(key, request, 400, now, reason=error.reason)
        if follows is None:
            return dialog.respond(key, request, 481, now)
        sdp = sdp_of(request)
        if sdp is not None and self._offer is not None:
            return self._usage.offers.receive_in_prack(key, request, now) + follows
        out = dialog.respond(key, request, 200, now) + follows
        if sdp is not None:
            out.append(AnswerReceived(self.id, sdp))
        if self._accepting is not None and not self._reliable.is_waiting:
            out += self._accept(self._accepting, now)
        return out

    def answer(self, sdp: bytes, now: float) -> list[Effect]:
        """Answer the other side's offer."""
        out = self._usage.offers.answer(sdp, now)
        if self._accepting is not None and not self._reliable.is_waiting:
            out += self._accept(self._accepting, now)
        return out

    def acknowledged(self, request: Request, now: float) -> list[Effect]:
        """Take an ACK."""
        out = self._usage.acknowledged(request, now)
        if not self._has_begun and self._usage.state == "up" and self._usage.offers.acceptance is None:
            self._has_begun = True
            out.append(Answered(self.id, None))
        return out

    def cancelled(self, cancel: Request, now: float) -> list[Effect]:
        """Learn that the caller has given up."""
        if not self._is_ringing:
            return []
        reasons = [(reason.protocol.upper(), reason.cause) for reason in read_reasons(cancel.headers)]
        why: EndReason = "answered elsewhere" if ("SIP", 200) in reasons else "cancelled"
        return self._finish(487, why, now, phrase=phrase_of(cancel.headers))

    def responded(self, request: Request, response: Response, _hop: Hop, now: float) -> list[Effect]:
        """Take a response to a request of this side."""
        return self._usage.responded(request, response, now)

    def unanswered(self, request: Request, status: int, now: float) -> list[Effect]:
        """Learn that nothing came to a request of this side."""
        return self._usage.unanswered(request, status, now)

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due."""
        if not self._is_ringing:
            return self._usage.receive_time(now)
        if now >= self._gives_up_at:
            return self._finish(480, "no answer", now)
        expired_at = self._reliable.has_expired_at
        if expired_at is not None and now >= expired_at:
            return self._finish(504, "lost", now)
        return self._reliable.receive_time(now) + self._usage.receive_time(now)

    # ------------------------------------------------------------------------------------------------ inside

    def _require_ringing(self) -> None:
        if not self._is_ringing or self._accepting is not None or self.is_over:
            raise CallStateError("the call does not ring any more")

    def _finish(
        self,
        status: int,
        why: EndReason,
        now: float,
        *,
        reason: str = "",
        phrase: str = "",
        contacts: tuple[str, ...] = (),
    ) -> list[Effect]:
        """Refuse the INVITE for good."""
        self._is_ringing = False
        self._reliable.stop()
        out = self._usage.offers.abort(now)
        fields = [("Contact", f"<{contact}>") for contact in contacts]
        out += self._usage.dialog.respond(self.key, self._request, status, now, *fields, reason=reason)
        self._usage.state = "over"
        return [*out, CallEnded(self.id, why, status, phrase)]


def _expires(request: Request) -> int | None:
    """Return how long the caller is willing to wait; None where it does not say."""
    try:
        return read_number(request.headers, "Expires")
    except MalformedMessage:
        return None
