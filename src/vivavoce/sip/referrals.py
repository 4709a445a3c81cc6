"""Referrals: transfers, asked for by either side of a call, and the reports on what became of them.

RFC 3515 (REFER and its NOTIFYs), 3891 (Replaces, for attended transfers), 3892 (Referred-By), 4488 (without NOTIFYs).

    theirs   asked -> followed (202, NOTIFYs until the end) -> over, or declined
    ours     asked -> accepted (NOTIFYs come) -> over
"""

from __future__ import annotations

import msgspec

from .dialogs import Dialog
from .effects import Answered, CallEnded, Effect, Progressed, Transferred, TransferRequested
from .errors import MalformedMessage
from .extensions import Event, Replaces, SubscriptionState
from .headers import Address, read_cseq, read_one
from .message import REASONS, Request, Response
from .offers import CallStateError
from .terms import NewId, Terms
from .uri import SipUri

__all__ = ["Referrals", "status_to_report"]

_SIPFRAG = ("Content-Type", "message/sipfrag;version=2.0")


class _Theirs:
    """A transfer that the other side asks for."""

    def __init__(self, key: str, request: Request) -> None:
        self.key = key
        self.request = request
        self.number = read_cseq(request.headers).number
        self.is_followed = False
        self.wants_reports = (request.headers.get("Refer-Sub") or "true").strip().lower() != "false"
        self.is_first = False
        """Whether it is the first of its dialog, whose reports need no id."""


class Referrals:
    """The transfers within one dialog."""

    def __init__(self, call: str, dialog: Dialog, terms: Terms, new_id: NewId) -> None:
        """Begin with none."""
        self._call = call
        self._dialog = dialog
        self._terms = terms
        self._new_id = new_id
        self._theirs: dict[str, _Theirs] = {}
        self._has_had_any = False
        self._ours: int | None = None
        """The CSeq number of the REFER of this side that is not over."""
        self._over_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        return self._over_at

    # ------------------------------------------------------------------------------------------------ theirs

    def receive(self, key: str, request: Request, now: float) -> list[Effect]:
        """Take a REFER."""
        try:
            address = read_one(request.headers, "Refer-To", Address.parse)
        except MalformedMessage:
            address = None
        if address is None:
            return self._dialog.respond(key, request, 400, now, reason="Refer-To is missing or unreadable")
        target = address.target
        replaces = None
        if isinstance(target, SipUri):
            replaces = next((value for name, value in target.headers if name.lower() == "replaces"), None)
            if target.param("method") not in (None, "INVITE"):
                return self._dialog.respond(key, request, 603, now)
            target = msgspec.structs.replace(
                target, headers=(), params=tuple([each for each in target.params if each[0] != "method"])
            )
        transfer = self._new_id("transfer")
        theirs = self._theirs[transfer] = _Theirs(key, request)
        theirs.is_first, self._has_had_any = not self._has_had_any, True
        by = request.headers.get("Referred-By")
        return [TransferRequested(self._call, transfer, str(target), replaces, by)]

    def follow(self, transfer: str, now: float) -> list[Effect]:
        """Agree to a transfer; what becomes of it is told by `report`."""
        theirs = self._asked(transfer)
        theirs.is_followed = True
        fields = [] if theirs.wants_reports else [("Refer-Sub", "false")]
        out = self._dialog.respond(theirs.key, theirs.request, 202, now, *fields)
        return out + self._notify(theirs, 100, "", now)

    def decline(self, transfer: str, status: int, now: float) -> list[Effect]:
        """Do not do what the other side asks for."""
        theirs = self._asked(transfer)
        del self._theirs[transfer]
        return self._dialog.respond(theirs.key, theirs.request, status, now)

    def report(self, transfer: str, status: int, reason: str, now: float) -> list[Effect]:
        """Tell the other side how far the transfer has come; nothing when nobody wants to know any more."""
        theirs = self._theirs.get(transfer)
        if theirs is None or not theirs.is_followed:
            return []
        if status >= 200:
            del self._theirs[transfer]
        return self._notify(theirs, status, reason, now)

    def abort(self, now: float) -> list[Effect]:
        """Answer what nobody has decided on: the call is over."""
        waiting = [theirs for theirs in self._theirs.values() if not theirs.is_followed]
        self._theirs.clear()
        return [effect for theirs in waiting for effect in self._dialog.respond(theirs.key, theirs.request, 487, now)]

    def _asked(self, transfer: str) -> _Theirs:
        theirs = self._theirs.get(transfer)
        if theirs is None or theirs.is_followed:
            raise CallStateError("there is no such transfer, or it was answered")
        return theirs

    def _notify(self, theirs: _Theirs, status: int, reason: str, now: float) -> list[Effect]:
        if not theirs.wants_reports:
            return []
        state = SubscriptionState("active", int(self._terms.transfer_seconds))
        if status >= 200:
            state = SubscriptionState("terminated", None, "noresource")
        event = Event("refer", None if theirs.is_first else str(theirs.number))
        fields = (("Event", str(event)), ("Subscription-State", str(state)), _SIPFRAG)
        # The phrase is our own: what another party said may hold anything.
        line = f"SIP/2.0 {status} {REASONS.get(status, reason)}\r\n"
        return self._dialog.send("NOTIFY", now, *fields, body=line.encode())

    # ------------------------------------------------------------------------------------------------ ours

    def refer(self, target: str, replaces: Replaces | None, now: float) -> list[Effect]:
        """Ask the other side to call somebody else, in the place of a call there is if one is given."""
        if self._ours is not None:
            raise CallStateError("a transfer is under way")
        uri = Address.parse(f"<{target}>").target
        if replaces is not None:
            if not isinstance(uri, SipUri):
                raise CallStateError("an attended transfer needs a SIP address")
            uri = msgspec.structs.replace(uri, headers=(*uri.headers, ("Replaces", str(replaces))))
        own = Address(self._dialog.local.uri)
        out = self._dialog.send("REFER", now, ("Refer-To", f"<{uri}>"), ("Referred-By", str(own)))
        self._ours = self._dialog.local_number
        self._over_at = now + self._terms.transfer_seconds
        return out

    def responded(self, request: Request, response: Response) -> list[Effect]:
        """Take a response to the REFER of this side."""
        if read_cseq(request.headers).number != self._ours or response.status < 200:
            return []
        if response.status < 300:
            is_silent = (response.headers.get("Refer-Sub") or "").strip().lower() == "false"
            return self._finish(202) if is_silent else []
        return self._finish(response.status)

    def unanswered(self, request: Request, status: int) -> list[Effect]:
        """Learn that nothing came to a REFER of this side."""
        return self._finish(status) if read_cseq(request.headers).number == self._ours else []

    def renumbered(self, before: Request) -> None:
        """Learn that a request of this side was sent again with a password."""
        if read_cseq(before.headers).number == self._ours:
            self._ours = self._dialog.local_number

    def notified(self, key: str, request: Request, now: float) -> list[Effect]:
        """Take a NOTIFY."""
        event = read_one(request.headers, "Event", Event.parse)
        if event is None or event.package != "refer":
            return self._dialog.respond(key, request, 489, now)
        if self._ours is None:
            return self._dialog.respond(key, request, 481, now)
        out = self._dialog.respond(key, request, 200, now)
        state = read_one(request.headers, "Subscription-State", SubscriptionState.parse)
        is_over = state is not None and state.state == "terminated"
        status = _status_of(request.body)
        if is_over or status >= 200:
            return out + self._finish(status or 408)
        return [*out, Transferred(self._call, status, False)] if status else out

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due: give up on a transfer of which nothing is heard."""
        return self._finish(408) if self._over_at is not None and now >= self._over_at else []

    def _finish(self, status: int) -> list[Effect]:
        self._ours = self._over_at = None
        return [Transferred(self._call, status, True)]


def status_to_report(effect: Effect) -> int | None:
    """Return what whoever asked for a call is told of news of it; None for nothing."""
    match effect:
        case Progressed(status=status):
            return status
        case Answered():
            return 200
        case CallEnded(status=status):
            return status if status >= 300 else 480
        case _:
            return None


def _status_of(body: bytes) -> int:
    """Return the status in the first line of a piece of a message; 0 when there is none."""
    words = body.split(b"\r\n", 1)[0].split()
    is_status = len(words) >= 2 and words[0].upper() == b"SIP/2.0" and words[1].isdigit() and len(words[1]) == 3
    return int(words[1]) if is_status else 0
