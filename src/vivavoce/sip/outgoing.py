"""An outgoing call: an INVITE that was sent, its early dialogs, and the call that comes of the first 2xx.

States: calling -> up (first 2xx) -> over, calling -> over (refused), calling -> leaving (taken back) -> over.
A proxy may ring at several telephones at once: each has an early dialog of its own, and a 2xx of any but the first is
confirmed and ended (RFC 3261 13.2.2.4).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .dialogs import Dialog, Line
from .effects import Answered, CallEnded, Effect, Hop, Progressed
from .errors import MalformedMessage
from .extensions import Reason
from .headers import CSeq, read_contacts, read_cseq, read_to
from .message import Headers, Request, Response
from .offers import CallStateError, sdp_of
from .provisional import Confirming
from .routing import Draft
from .session_timers import SessionTimer
from .terms import Chance, NewId, Terms
from .usage import EndReason, Usage, phrase_of

__all__ = ["OutgoingCall"]

_MOST_FORKS = 16
"""How many early dialogs one call may have; more are ignored."""


class _Fork:
    """One telephone that rings."""

    def __init__(self, usage: Usage) -> None:
        self.usage = usage
        self.confirming = Confirming()


class OutgoingCall:
    """One call to somebody else."""

    def __init__(
        self, call: str, line: Line, draft: Draft, terms: Terms, new_id: NewId, chance: Chance, now: float
    ) -> None:
        """Begin with nothing sent; the draft is the INVITE without the headers of session timers."""
        self.id = call
        self._line = line
        self._terms = terms
        self._new_id = new_id
        self._chance = chance
        self._state: Literal["calling", "up", "leaving", "over"] = "calling"
        self._timer = SessionTimer(terms)
        self._draft = draft
        self._number = read_cseq(draft.request.headers).number
        self._forks: dict[str, _Fork] = {}
        self._strays: dict[str, Dialog] = {}
        """Dialogs of 2xx that came too late, by their tag."""
        self._live: Usage | None = None
        self._gives_up_at = now + terms.ring_seconds
        self.is_taken_back = False
        """Whether the INVITE has been taken back, which the agent does."""

    @property
    def usage(self) -> Usage:
        """What goes on in its dialog; there is one when it is up."""
        if self._live is None:
            raise CallStateError("nobody has answered yet")
        return self._live

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self._state == "over" or (self._live is not None and self._live.state == "over")

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        if self._live is not None:
            return self._live.deadline
        return self._gives_up_at if self._state == "calling" else None

    # ------------------------------------------------------------------------------------------------ what is wanted

    def start(self, now: float) -> list[Effect]:
        """Send the INVITE."""
        headers = self._draft.request.headers.without("Session-Expires", "Min-SE")
        for name, value in self._timer.propose():
            headers = headers.added(name, value)
        headers = headers.replaced("CSeq", str(CSeq(self._number, "INVITE")))
        request = self._line.passwords.authorize(msgspec.structs.replace(self._draft.request, headers=headers))
        return self._line.transactions.send(msgspec.structs.replace(self._draft, request=request), self.id, now)

    def answer(self, sdp: bytes, now: float) -> list[Effect]:
        """Answer the other side's offer."""
        if self._live is not None:
            return self._live.offers.answer(sdp, now)
        fork = next((each for each in self._forks.values() if each.usage.offers.owes_answer), None)
        if fork is None:
            raise CallStateError("the other side has offered nothing that is not answered")
        return fork.usage.offers.answer(sdp, now)

    def hang_up(self, now: float, reason: Reason | None, why: EndReason = "ended here") -> list[Effect]:
        """End the call, in whatever state it is; the agent takes the INVITE back when nobody has answered."""
        if self._live is not None:
            return self._live.hang_up(now, reason, why)
        if self._state != "calling":
            raise CallStateError("the call is over")
        self._state = "leaving"
        return [CallEnded(self.id, why)]

    @property
    def is_up(self) -> bool:
        """Whether somebody has answered."""
        return self._live is not None

    @property
    def is_leaving(self) -> bool:
        """Whether its INVITE is to be taken back."""
        return self._state == "leaving"

    # ------------------------------------------------------------------------------------------------ what comes

    def knows(self, headers: Headers) -> bool:
        """Tell whether a request belongs to one of its dialogs."""
        dialogs = [*[each.usage.dialog for each in self._forks.values()], *self._strays.values()]
        return any(dialog.owns(headers) for dialog in dialogs)

    def receive(self, key: str, request: Request, source: Hop, now: float) -> list[Effect]:
        """Take a request within one of its dialogs."""
        for fork in [each.usage for each in self._forks.values()]:
            if fork.dialog.owns(request.headers):
                if fork.state == "early" and request.method == "BYE":
                    return fork.dialog.respond(key, request, 481, now)
                return fork.receive(key, request, source, now)
        stray = next(each for each in self._strays.values() if each.owns(request.headers))
        return stray.respond(key, request, 200 if request.method == "BYE" else 481, now)

    def acknowledged(self, request: Request, now: float) -> list[Effect]:
        """Take an ACK."""
        return self._live.acknowledged(request, now) if self._live is not None else []

    def responded(self, request: Request, response: Response, hop: Hop, now: float) -> list[Effect]:
        """Take a response to a request of this side."""
        if request.method == "INVITE" and read_to(request.headers).tag is None:
            return self._invite_responded(request, response, hop, now)
        if request.method == "PRACK":
            return []
        tag = read_to(request.headers).tag or ""
        if tag in self._strays:
            return self._stray_ended(response.status >= 200)
        return self._live.responded(request, response, now) if self._live is not None else []

    def unanswered(self, request: Request, status: int, now: float) -> list[Effect]:
        """Learn that nothing came to a request of this side."""
        tag = read_to(request.headers).tag
        if request.method == "INVITE" and tag is None:
            was_calling, self._state = self._state == "calling", "over"
            why: EndReason = "no answer" if status == 408 else "unreachable"
            return [CallEnded(self.id, why, status)] if was_calling else []
        if tag in self._strays:
            return self._stray_ended(True)
        if self._live is not None and request.method != "PRACK":
            return self._live.unanswered(request, status, now)
        return []

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due."""
        if self._live is not None:
            return self._live.receive_time(now)
        if self._state == "calling" and now >= self._gives_up_at:
            self._state = "leaving"
            return [CallEnded(self.id, "no answer", 408)]
        return []

    # ------------------------------------------------------------------------------------------------ inside

    def _invite_responded(self, request: Request, response: Response, hop: Hop, now: float) -> list[Effect]:
        status = response.status
        if 200 <= status < 300:
            return self._accepted(request, response, hop, now)
        if read_cseq(request.headers).number != self._number or self._live is not None:
            return []
        if status < 200:
            return self._progressed(request, response, hop, now) if status > 100 and self._state == "calling" else []
        if self._state == "calling" and (again := self._asked_again(request, response, now)) is not None:
            return again
        was_calling, self._state = self._state == "calling", "over"
        if not was_calling:
            return []
        phrase = phrase_of(response.headers) or response.reason
        contacts = _contacts(response) if status < 400 else ()
        why: EndReason = "no answer" if status == 408 else "rejected"
        return [CallEnded(self.id, why, status, phrase, contacts)]

    def _asked_again(self, request: Request, response: Response, now: float) -> list[Effect] | None:
        """Ask again in the way that a refusal asks for; None when it asks for nothing that can be given."""
        if response.status == 422 and self._timer.raise_least(response.headers):
            self._number += 1
            return self.start(now)
        if response.status not in (401, 407):
            return None
        again = self._line.passwords.answer(request, response, self._number + 1)
        if again is None:
            return None
        self._number += 1
        draft = msgspec.structs.replace(self._draft, request=again)
        return self._line.transactions.send(draft, self.id, now)

    def _fork(self, request: Request, response: Response, hop: Hop) -> _Fork | None:
        """Return the dialog that a response belongs to, which may be a new one."""
        tag = read_to(response.headers).tag or ""
        fork = self._forks.get(tag)
        if fork is None and len(self._forks) < _MOST_FORKS:
            dialog = Dialog.of_response(self._line, request, response, hop)
            usage = Usage(self.id, dialog, self._terms, self._new_id, self._chance)
            usage.offers.is_caller = True
            usage.offers.last = request.body
            fork = self._forks[tag] = _Fork(usage)
        return fork

    def _progressed(self, request: Request, response: Response, hop: Hop, now: float) -> list[Effect]:
        if read_to(response.headers).tag is None:
            return [Progressed(self.id, response.status, None)]
        fork = self._fork(request, response, hop)
        if fork is None:
            return []
        out: list[Effect] = []
        if "RSeq" in response.headers:
            fork.usage.dialog.refresh(response.headers)
            rack = fork.confirming.rack(request, response.headers)
            if rack is None:
                return []
            out += fork.usage.dialog.send("PRACK", now, ("RAck", str(rack)))
        fork.usage.learn_methods(response.headers)
        return [*out, Progressed(self.id, response.status, sdp_of(response))]

    def _accepted(self, request: Request, response: Response, hop: Hop, now: float) -> list[Effect]:
        number = read_cseq(request.headers).number
        tag = read_to(response.headers).tag or ""
        if self._live is not None and tag == self._live.dialog.remote_tag:
            return self._live.dialog.acknowledge(number, request)
        if tag in self._strays:
            return self._strays[tag].acknowledge(number, request)
        if self._live is not None or self._state != "calling":
            return self._turn_away(tag, request, response, hop, now)
        fork = self._fork(request, response, hop)
        if fork is None:
            return self._turn_away(tag, request, response, hop, now)
        usage = self._live = fork.usage
        usage.dialog.confirm(response, hop)
        usage.learn_methods(response.headers)
        usage.state, self._state = "up", "up"
        usage.timer.agreed(response.headers, now)
        self._forks = {tag: fork}
        out = usage.dialog.acknowledge(number, request)
        return [*out, Answered(self.id, sdp_of(response))]

    def _turn_away(self, tag: str, request: Request, response: Response, hop: Hop, now: float) -> list[Effect]:
        """Confirm and end a call that is not wanted: another telephone was quicker, or the caller has gone."""
        if len(self._strays) >= _MOST_FORKS:
            return []
        fork = self._forks.pop(tag, None)
        dialog = Dialog.of_response(self._line, request, response, hop) if fork is None else fork.usage.dialog
        dialog.confirm(response, hop)
        self._strays[tag] = dialog
        number = read_cseq(request.headers).number
        return dialog.acknowledge(number, request) + dialog.send("BYE", now)

    def _stray_ended(self, is_final: bool) -> list[Effect]:
        if is_final and self._state == "leaving":
            self._state = "over"
        return []


def _contacts(response: Response) -> tuple[str, ...]:
    """Return where a redirection leads."""
    try:
        return tuple([contact.uri for contact in read_contacts(response.headers) if contact.uri != "*"])
    except MalformedMessage:
        return ()
