"""Usage: what goes on in a dialog that an INVITE made: media changes, keys, transfers, refreshing, and its end.

Begins early, with the first response that has a tag, or confirmed, with a 2xx.  States:

    early -> up (2xx) -> ending (BYE sent) -> over
    up -> parting (hung up before the 2xx is confirmed) -> ending
    early, up -> over (BYE received, or the other side is lost)

Called by `incoming` and `outgoing`, which know how it came about, and afterwards by the agent.
"""

from __future__ import annotations

from typing import Literal

from .dialogs import Dialog
from .effects import CallEnded, DigitPressed, Effect, Hop, Identified, InfoReceived
from .extensions import Reason, Replaces, read_reasons
from .headers import read_cseq, read_tokens
from .message import Headers, Request, Response
from .offers import CallStateError, Offers
from .referrals import Referrals
from .session_timers import SessionTimer
from .terms import ALLOW, SUPPORTED, Chance, NewId, Terms

__all__ = ["EndReason", "Usage"]

EndReason = Literal[
    "hung up", "ended here", "cancelled", "rejected", "no answer", "unreachable", "lost", "expired", "replaced",
    "answered elsewhere", "unacknowledged",
]  # fmt: skip

_KEYS = "0123456789*#ABCD"


class Usage:
    """One call, as far as it goes on within its dialog."""

    def __init__(self, call: str, dialog: Dialog, terms: Terms, new_id: NewId, chance: Chance) -> None:
        """Begin early."""
        self.call = call
        self.dialog = dialog
        self.state: Literal["early", "up", "parting", "ending", "over"] = "early"
        self.timer = SessionTimer(terms)
        self.offers = Offers(call, dialog, self.timer, terms.timers, chance)
        self._referrals = Referrals(call, dialog, terms, new_id)
        self._identity = ""
        self._parting: Reason | None = None
        """Why the call is to be ended as soon as its 2xx is confirmed."""

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        if self.state != "up":
            return self.offers.deadline if self.state in ("early", "parting") else None
        times = (self.offers.deadline, self._referrals.deadline, self.timer.deadline)
        return min((at for at in times if at is not None), default=None)

    @property
    def replaces(self) -> Replaces:
        """What a call says that takes the place of this one at the other end."""
        return Replaces(self.dialog.call_id, self.dialog.remote_tag, self.dialog.local_tag)

    def learn_methods(self, headers: Headers) -> None:
        """Take what the other side says that it understands."""
        if "Allow" in headers:
            self.offers.allows_update = "UPDATE" in read_tokens(headers, "Allow")

    # ------------------------------------------------------------------------------------------------ what comes

    def receive(self, key: str, request: Request, source: Hop, now: float) -> list[Effect]:
        """Take a request of this dialog, other than ACK and CANCEL."""
        dialog = self.dialog
        if not dialog.accepts(request):
            return dialog.respond(key, request, 500, now, reason="Out Of Order")
        if self.state in ("parting", "ending", "over") and request.method != "BYE":
            return dialog.respond(key, request, 481, now)
        dialog.arrived_by(request, source)
        match request.method:
            case "BYE":
                return self._hung_up(key, request, now)
            case "INVITE" if self.state == "early":
                return dialog.respond(key, request, 491, now)
            case "INVITE" | "UPDATE":
                self.learn_methods(request.headers)
                return [*self._identify(request.headers), *self.offers.receive(key, request, now)]
            case "INFO":
                return dialog.respond(key, request, 200, now) + self._inform(request)
            case "OPTIONS":
                return dialog.respond(key, request, 200, now, ("Allow", ALLOW), ("Supported", SUPPORTED))
            case "REFER" if self.state == "up":
                dialog.refresh(request.headers)
                return self._referrals.receive(key, request, now)
            case "NOTIFY":
                return self._referrals.notified(key, request, now)
            case _:
                return dialog.respond(key, request, 405, now, ("Allow", ALLOW))

    def _hung_up(self, key: str, request: Request, now: float) -> list[Effect]:
        out = self.dialog.respond(key, request, 200, now)
        if self.state in ("ending", "over"):
            # Both hung up at once.
            return out
        if self.state == "parting":
            self.state = "over"
            return out + self._abort(now)
        out += self._abort(now)
        return [*out, self._end("hung up", phrase=phrase_of(request.headers))]

    def _identify(self, headers: Headers) -> list[Effect]:
        """Learn who the other side says it is now (RFC 4916, RFC 3325)."""
        identity = headers.get("P-Asserted-Identity")
        if identity is None or identity == self._identity:
            return []
        self._identity = identity
        return [Identified(self.call, identity)]

    def _inform(self, request: Request) -> list[Effect]:
        kind = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind in ("application/dtmf-relay", "application/dtmf"):
            digit, duration_ms = _digit(request.body)
            return [DigitPressed(self.call, digit, duration_ms)] if digit else []
        return [InfoReceived(self.call, kind, request.body)] if request.body else []

    def responded(self, request: Request, response: Response, now: float) -> list[Effect]:
        """Take a response to a request of this side within the dialog."""
        status = response.status
        if status in (401, 407):
            again = self.dialog.retry(request, response, now)
            if again is not None:
                self.offers.renumbered(request)
                self._referrals.renumbered(request)
                return again
        if request.method == "BYE":
            self.state = "over" if status >= 200 else self.state
            return []
        if self.state != "up":
            return []
        if status in (408, 481) and request.method in ("INVITE", "UPDATE"):
            # RFC 5057: the other side knows nothing of this call any more.
            return self._lose(status, now)
        if request.method in ("INVITE", "UPDATE"):
            return self.offers.responded(request, response, now)
        return self._referrals.responded(request, response) if request.method == "REFER" else []

    def unanswered(self, request: Request, status: int, now: float) -> list[Effect]:
        """Learn that nothing came to a request of this side."""
        if request.method == "BYE":
            self.state = "over"
            return []
        if self.state != "up":
            return []
        if request.method in ("INVITE", "UPDATE"):
            return self._lose(status, now)
        return self._referrals.unanswered(request, status) if request.method == "REFER" else []

    def _lose(self, status: int, now: float) -> list[Effect]:
        out = self._abort(now) + self.dialog.send("BYE", now, ("Reason", str(Reason("SIP", status))))
        self.state = "ending"
        return [*out, CallEnded(self.call, "lost", status)]

    def acknowledged(self, request: Request, now: float) -> list[Effect]:
        """Take an ACK."""
        if self.state == "parting":
            acceptance = self.offers.acceptance
            is_it = acceptance is not None and read_cseq(request.headers).number == acceptance.number
            return self._bye(now, self._parting) if is_it else []
        return self.offers.acknowledged(request, now)

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due."""
        acceptance = self.offers.acceptance
        if acceptance is not None and now >= acceptance.over_at:
            if self.state == "parting":
                return self._bye(now, self._parting)
            return self._close("unacknowledged", now, Reason("SIP", 408, "No ACK"))
        expires_at = self.timer.expires_at
        if self.state == "up" and expires_at is not None and now >= expires_at:
            return self._close("expired", now, Reason("SIP", 408, "Session Expired"))
        out = self.offers.receive_time(now)
        if self.state == "up":
            out += self._referrals.receive_time(now)
            refresh_at = self.timer.refresh_at
            if refresh_at is not None and now >= refresh_at:
                out += self.offers.refresh(now)
        return out

    # ------------------------------------------------------------------------------------------------ what is wanted

    def require_up(self) -> None:
        """Raise unless the call is up."""
        if self.state != "up":
            raise CallStateError(f"the call is {self.state}, not up")

    def refer(self, target: str, replaces: Replaces | None, now: float) -> list[Effect]:
        """Ask the other side to call somebody else."""
        self.require_up()
        return self._referrals.refer(target, replaces, now)

    def follow(self, transfer: str, now: float) -> list[Effect]:
        """Agree to a transfer that the other side asked for."""
        return self._referrals.follow(transfer, now)

    def decline(self, transfer: str, status: int, now: float) -> list[Effect]:
        """Do not do what the other side asks for."""
        return self._referrals.decline(transfer, status, now)

    def report(self, transfer: str, status: int, reason: str, now: float) -> list[Effect]:
        """Tell how far a transfer has come, as long as there is somebody to tell."""
        return self._referrals.report(transfer, status, reason, now) if self.state == "up" else []

    def inform(self, content_type: str, body: bytes, now: float) -> list[Effect]:
        """Send something by INFO, such as a key."""
        self.require_up()
        return self.dialog.send("INFO", now, ("Content-Type", content_type), body=body)

    def hang_up(self, now: float, reason: Reason | None, why: EndReason = "ended here") -> list[Effect]:
        """End a call that is up."""
        self.require_up()
        if self.offers.acceptance is not None:
            # RFC 3261 15: no BYE before the 2xx is confirmed.
            self.state, self._parting = "parting", reason
            return [CallEnded(self.call, why)]
        return self._close(why, now, reason)

    def _close(self, why: EndReason, now: float, reason: Reason | None) -> list[Effect]:
        out = self._bye(now, reason)
        return [*out, CallEnded(self.call, why)]

    def _bye(self, now: float, reason: Reason | None) -> list[Effect]:
        out = self._abort(now)
        out += self.dialog.send("BYE", now, *([("Reason", str(reason))] if reason is not None else []))
        self.state = "ending"
        return out

    def _abort(self, now: float) -> list[Effect]:
        """Answer all that waits for an answer of this side."""
        return self.offers.abort(now) + self._referrals.abort(now)

    def _end(self, why: EndReason, status: int = 0, phrase: str = "") -> CallEnded:
        self.state = "over"
        return CallEnded(self.call, why, status, phrase)


def phrase_of(headers: Headers) -> str:
    """Return what a Reason header says for people; empty where there is none."""
    return next((reason.text for reason in read_reasons(headers) if reason.text), "")


def _digit(body: bytes) -> tuple[str, int]:
    """Read a key from an INFO: `Signal=5` and `Duration=160` on lines, or the key alone."""
    text = body.decode("ascii", "replace")
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            values[name.strip().lower()] = value.strip()
    digit = values.get("signal", "" if values else text.strip()).upper()
    digit = {"10": "*", "11": "#"}.get(digit, digit)
    duration = values.get("duration", "")
    is_number = duration.isascii() and duration.isdigit() and len(duration) <= 6
    return (digit if len(digit) == 1 and digit in _KEYS else ""), int(duration) if is_number else 0
