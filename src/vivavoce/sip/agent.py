"""The user agent: all calls, registrations and probes behind one contract.

    effects = agent.receive_datagram(data, source, now)     a datagram came
    effects = agent.receive(message, source, now)           a message came by a connection
    effects = agent.resolved(lookup, hops, now)             a name was looked up
    effects = agent.unreachable(hop, now)                   a place cannot be reached, or a connection was lost
    effects = agent.receive_time(now)                       the deadline passed
    agent.deadline                                          when to call receive_time
    effects = agent.accept(call, sdp, now), ...             what is wanted of a call

Whoever has the sockets performs `Send` and `Resolve`, and takes everything else as news of calls.  Illegal commands
raise `CallStateError` and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .admission import Admission, Rules
from .answers import answer_malformed
from .authentication import Passwords
from .dialing import Dialing, invite_of
from .dialogs import Line
from .digest import Account, DigestClient
from .effects import Effect, Hop, Resolve, Transport
from .errors import MalformedMessage
from .extensions import Reason
from .headers import read_to
from .incoming import IncomingCall
from .matching import Acknowledged, Arrived, Cancelled, Outcome, Responded, Transactions, Unanswered
from .message import Message, Request, Response, encode
from .offers import CallStateError
from .outgoing import OutgoingCall
from .parsing import parse_message
from .probing import Probes
from .reception import Door, Reception
from .referrals import status_to_report
from .registration import Membership, Registration
from .routing import Local
from .terms import Chance, NewId, Terms
from .timers import Agenda
from .usage import EndReason

__all__ = ["Agent"]


class Agent:
    """One SIP user agent."""

    def __init__(
        self,
        terms: Terms,
        local: Mapping[Transport, Local],
        rules: Rules,
        *,
        new_id: NewId,
        chance: Chance,
        secret: bytes,
        accounts: Iterable[Account] = (),
        realm: str = "vivavoce",
        password_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """Make an agent without calls.

        Args:
            terms: what it says of itself and how long it waits.
            local: where it can be reached, for each transport that it speaks.
            rules: who may do what.
            new_id: makes unguessable tokens.
            chance: draws a number from 0 to 1.
            secret: 32 random bytes, with which challenges and stateless answers are signed.
            accounts: passwords for others, and to whom they may be shown.
            realm: for which passwords others are asked.
            password_of: the password of a user who may call, None where there is no such user.
        """
        self._terms = terms
        self._local = dict(local)
        self._new_id = new_id
        self._chance = chance
        self._client = DigestClient(tuple(accounts))
        self._transactions = Transactions(terms.timers, self._local, new_id)
        self._admission = Admission(rules)
        self._reception = Reception(terms, self._admission, Door(realm, secret, password_of), new_id)
        self._calls: dict[str, IncomingCall | OutgoingCall] = {}
        self._by_tag: dict[str, str] = {}
        """Calls by the tag of this end."""
        self._tags: dict[str, str] = {}
        self._by_key: dict[str, str] = {}
        """Incoming calls by the key of their INVITE."""
        self._transfers: dict[str, tuple[str, str]] = {}
        """Outgoing calls that somebody asked for: the call that asked, and its transfer."""
        self._registrations: dict[str, Registration] = {}
        self._probes = Probes(self._transactions, self._client, new_id)
        self._agenda = Agenda()

    @property
    def deadline(self) -> float | None:
        """When `receive_time` is due; None while nothing waits."""
        times = (self._agenda.deadline, self._transactions.deadline)
        return min((at for at in times if at is not None), default=None)

    @property
    def calls(self) -> tuple[str, ...]:
        """The ids of all calls, with those that are just ending."""
        return tuple(self._calls)

    def contact(self, transport: Transport, user: str = "vivavoce") -> str:
        """Return where this agent is to be found by a transport."""
        return self._reception.contact(self._local, transport, user)

    # ------------------------------------------------------------------------------------------------ what comes

    def receive_datagram(self, data: bytes, source: Hop, now: float) -> list[Effect]:
        """Take a datagram; what is no message, or of nobody who may send any, is dropped."""
        if not data.strip(b"\r\n\0") or not self._may_send(source, now):
            return []
        if self._is_unknown(source) and not len(self._transactions) and not self._calls:
            return []
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            return [] if self._is_unknown(source) else [*answer_malformed(error, source)]
        return self._receive(message, source, now)

    def receive(self, message: Message | MalformedMessage, source: Hop, now: float) -> list[Effect]:
        """Take a message, or what could not be read as one, that came by a connection."""
        if not self._may_send(source, now):
            return []
        if isinstance(message, MalformedMessage):
            return [] if self._is_unknown(source) else [*answer_malformed(message, source)]
        return self._receive(message, source, now)

    def _is_unknown(self, source: Hop) -> bool:
        return self._admission.standing(source.host) == "unknown"

    def _may_send(self, source: Hop, now: float) -> bool:
        return self._admission.may_send(source.host, now, self._transactions.has_sent_to(source.host))

    def _receive(self, message: Message, source: Hop, now: float) -> list[Effect]:
        try:
            if isinstance(message, Response):
                return self._deliver(self._transactions.receive_response(message, source, now), now)
            request = self._reception.stamp(message, source)
            known = self._transactions.repeated(request, now)
            if known is not None:
                return self._deliver(known, now)
            if read_to(request.headers).tag is not None:
                return self._within_dialog(request, source, now)
            return self._outside_dialogs(request, source, now)
        except MalformedMessage as error:
            # A header that only this far in was to be read.
            if isinstance(message, Response):
                return []
            if self._is_unknown(source):
                return []
            return self._reception.refuse(message, source, error.status or 400, reason=error.reason)

    def _within_dialog(self, request: Request, source: Hop, now: float) -> list[Effect]:
        call = self._calls.get(self._by_tag.get(read_to(request.headers).tag or "", ""))
        if call is None:
            return [] if self._is_unknown(source) else self._reception.refuse(request, source, 481)
        if isinstance(call, IncomingCall) and not call.usage.dialog.owns(request.headers):
            return self._reception.refuse(request, source, 481)
        if isinstance(call, OutgoingCall) and not call.knows(request.headers):
            # What is to make the dialog was overtaken, and both come again.
            return self._reception.refuse(request, source, 481) if call.is_up else []
        bad = self._reception.unsupported(request, source)
        if bad:
            return bad
        arrived = self._transactions.arrive(request, source, now)
        return self._tell(call, call.receive(arrived.key, request, source, now), now)

    def _outside_dialogs(self, request: Request, source: Hop, now: float) -> list[Effect]:
        is_merged = self._transactions.is_merged(request)
        verdict = self._reception.judge(request, source, len(self._calls), is_merged, now)
        if isinstance(verdict, list):
            return verdict
        replaced = None
        if verdict.replaces is not None:
            replaced = self._by_tag.get(verdict.replaces.to_tag)
            found = self._calls.get(replaced or "")
            if found is None or not self._reception.may_replace(found, verdict.replaces):
                return self._reception.refuse(request, source, 481)
        call_id = self._new_id("call")
        tag = self._new_id("tag")
        line = self._line(call_id, source.transport, source.host, verdict.user)
        usage = self._reception.usage(call_id, line, request, source, tag, self._chance)
        arrived = self._transactions.arrive(request, source, now)
        call = IncomingCall(usage, arrived.key, request, self._terms, self._transactions, now)
        call.replaces = replaced
        self._calls[call_id] = call
        self._by_tag[tag], self._tags[call_id] = call_id, tag
        self._by_key[arrived.key] = call_id
        news = self._reception.invited(call_id, request, source, verdict.identity, replaced)
        return self._tell(call, [news], now)

    def resolved(self, lookup: Resolve, hops: tuple[Hop, ...], now: float) -> list[Effect]:
        """Learn which places a host stands for, the best first; none when there is no such host."""
        for registration in self._registrations.values():
            registration.learn_hosts(lookup.host, [hop.host for hop in hops])
        return self._deliver(self._transactions.resolved(lookup, hops, now), now)

    def unreachable(self, hop: Hop, now: float) -> list[Effect]:
        """Learn that nothing gets to a place, or that the connection to it was lost."""
        out = self._deliver(self._transactions.unreachable(hop, now), now)
        for registration in self._registrations.values():
            out += self._registered(registration, registration.lost(hop, now))
        return out

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due."""
        out = self._deliver(self._transactions.receive_time(now), now)
        while (key := self._agenda.take(now)) is not None:
            if (call := self._calls.get(key)) is not None:
                out += self._tell(call, call.receive_time(now), now)
            elif (registration := self._registrations.get(key)) is not None:
                out += self._registered(registration, registration.receive_time(now))
        return out

    # ------------------------------------------------------------------------------------------------ calls

    def dial(self, dialing: Dialing, sdp: bytes, now: float) -> tuple[str, list[Effect]]:
        """Call somebody; return the call's id with the effects.

        Raises:
            MalformedMessage: an address leads nowhere.
            UnwritableMessage: a header cannot be written.
        """
        tag = self._new_id("tag")
        hop_transport, host, user = dialing.way()
        call_id = self._new_id("call")
        line = self._line(call_id, hop_transport, host, user)
        draft = invite_of(dialing, line, sdp, self._new_id("callid"), tag)
        encode(draft.request)
        call = OutgoingCall(call_id, line, draft, self._terms, self._new_id, self._chance, now)
        out = call.start(now)
        self._calls[call_id] = call
        self._by_tag[tag], self._tags[call_id] = call_id, tag
        if dialing.transfer is not None:
            self._transfers[call_id] = dialing.transfer
        return call_id, self._tell(call, out, now)

    def ring(self, call: str, now: float, *, status: int = 180, sdp: bytes | None = None) -> list[Effect]:
        """Tell a caller that it rings; with a session description for sound before the answer."""
        found = self._incoming(call)
        return self._tell(found, found.ring(status, sdp, now), now)

    def accept(self, call: str, sdp: bytes, now: float) -> list[Effect]:
        """Answer a call: with an answer to its offer, or an offer where it made none."""
        found = self._incoming(call)
        out = self._tell(found, found.accept(sdp, now), now)
        if found.replaces is not None and (replaced := self._calls.get(found.replaces)) is not None:
            found.replaces = None
            out += self._end(replaced, None, "replaced", now)
        return out

    def reject(
        self, call: str, status: int, now: float, *, reason: str = "", contacts: tuple[str, ...] = ()
    ) -> list[Effect]:
        """Refuse a call, or with 302 send it elsewhere."""
        found = self._incoming(call)
        return self._tell(found, found.reject(status, reason, contacts, now), now)

    def answer(self, call: str, sdp: bytes, now: float) -> list[Effect]:
        """Answer an `OfferReceived`."""
        found = self._find(call)
        return self._tell(found, found.answer(sdp, now), now)

    def refuse(self, call: str, now: float, *, status: int = 488) -> list[Effect]:
        """Refuse an `OfferReceived`; the call goes on as it was."""
        found = self._find(call)
        return self._tell(found, found.usage.offers.refuse(status, now), now)

    def offer(self, call: str, sdp: bytes, now: float) -> list[Effect]:
        """Offer other media, such as to hold or resume; told of by `AnswerReceived` or `OfferDeclined`."""
        found = self._find(call)
        found.usage.require_up()
        return self._tell(found, found.usage.offers.offer(sdp, now), now)

    def hang_up(self, call: str, now: float, *, reason: Reason | None = None) -> list[Effect]:
        """End a call, in whatever state it is."""
        return self._end(self._find(call), reason, "ended here", now)

    def inform(self, call: str, content_type: str, body: bytes, now: float) -> list[Effect]:
        """Send something by INFO."""
        found = self._find(call)
        return self._tell(found, found.usage.inform(content_type, body, now), now)

    def refer(self, call: str, target: str, now: float, *, replacing: str | None = None) -> list[Effect]:
        """Transfer a call: blind to an address, or attended to the other end of the call `replacing`."""
        found = self._find(call)
        other = self._find(replacing).usage if replacing is not None else None
        if other is not None:
            other.require_up()
        replaces = other.replaces if other is not None else None
        return self._tell(found, found.usage.refer(target, replaces, now), now)

    def target_of(self, call: str) -> str:
        """Return the address of a call's other end, which an attended transfer leads to."""
        return self._find(call).usage.dialog.target

    def follow(self, call: str, transfer: str, now: float) -> list[Effect]:
        """Agree to a `TransferRequested`; the call that is dialled for it reports by itself."""
        found = self._find(call)
        return self._tell(found, found.usage.follow(transfer, now), now)

    def decline(self, call: str, transfer: str, now: float, *, status: int = 603) -> list[Effect]:
        """Refuse a `TransferRequested`."""
        found = self._find(call)
        return self._tell(found, found.usage.decline(transfer, status, now), now)

    def report(self, call: str, transfer: str, status: int, now: float) -> list[Effect]:
        """Tell how far a transfer has come that no call was dialled for."""
        found = self._find(call)
        return self._tell(found, found.usage.report(transfer, status, "", now), now)

    # ------------------------------------------------------------------------------------------------ lines

    def register(self, membership: Membership, now: float) -> list[Effect]:
        """Register with a registrar, and keep registered."""
        passwords = Passwords(self._client, membership.host, self._new_id)
        registration = Registration(membership, self._transactions, passwords, self._new_id, self._chance)
        out = registration.start(now)
        self._registrations[registration.owner] = registration
        return self._registered(registration, out)

    def register_again(self, now: float) -> list[Effect]:
        """Register everything anew at once: the network was away."""
        out: list[Effect] = []
        for registration in self._registrations.values():
            out += self._registered(registration, registration.again(now))
        return out

    def unregister(self, name: str, now: float) -> list[Effect]:
        """Take a registration back."""
        registration = self._registrations[Registration.owner_of(name)]
        return self._registered(registration, registration.leave(now))

    def probe(self, name: str, uri: str, now: float) -> list[Effect]:
        """Ask by OPTIONS whether a trunk is there; told by `Probed`."""
        transport, host, _ = Dialing(uri, uri).way()
        return self._probes.ask(name, uri, self.contact(transport), host, now)

    # ------------------------------------------------------------------------------------------------ inside

    def _find(self, call: str) -> IncomingCall | OutgoingCall:
        found = self._calls.get(call)
        if found is None:
            raise CallStateError("there is no such call")
        return found

    def _incoming(self, call: str) -> IncomingCall:
        found = self._find(call)
        if not isinstance(found, IncomingCall):
            raise CallStateError("the call was made here, so that it is not to be answered here")
        return found

    def _end(
        self, call: IncomingCall | OutgoingCall, reason: Reason | None, why: EndReason, now: float
    ) -> list[Effect]:
        return self._tell(call, call.hang_up(now, reason, why), now)

    def _line(self, call: str, transport: Transport, host: str, user: str) -> Line:
        passwords = Passwords(self._client, host, self._new_id)
        contact = self._reception.contact(self._local, transport, user)
        return Line(self._transactions, call, contact, passwords, self._terms.user_agent)

    def _deliver(self, outcomes: Iterable[Outcome], now: float) -> list[Effect]:
        """Give what transactions bring to whom it is for."""
        out: list[Effect] = []
        for outcome in outcomes:
            match outcome:
                case Responded(owner=owner) | Unanswered(owner=owner):
                    out += self._answered(owner, outcome, now)
                case Acknowledged(request=request):
                    tag = read_to(request.headers).tag or ""
                    if (call := self._calls.get(self._by_tag.get(tag, ""))) is not None:
                        out += self._tell(call, call.acknowledged(request, now), now)
                case Cancelled(key=key, cancel=cancel):
                    cancelled = self._calls.get(self._by_key.get(key, ""))
                    if isinstance(cancelled, IncomingCall):
                        out += self._tell(cancelled, cancelled.cancelled(cancel, now), now)
                case Arrived():
                    raise AssertionError("requests are begun by the agent alone")
                case _:
                    out.append(outcome)
        return out

    def _answered(self, owner: str, outcome: Responded | Unanswered, now: float) -> list[Effect]:
        if (call := self._calls.get(owner)) is not None:
            if isinstance(outcome, Responded):
                try:
                    effects = call.responded(outcome.request, outcome.response, outcome.hop, now)
                except MalformedMessage:
                    # A response that cannot be understood counts as one that says no (RFC 3261 8.1.3.2).
                    effects = call.unanswered(outcome.request, 502, now) if outcome.response.status >= 200 else []
            else:
                effects = call.unanswered(outcome.request, outcome.status, now)
            return self._tell(call, effects, now)
        if (registration := self._registrations.get(owner)) is not None:
            if isinstance(outcome, Responded):
                effects = registration.responded(outcome.request, outcome.response, outcome.hop, now)
            else:
                effects = registration.unanswered(outcome.request, outcome.status, now)
            return self._registered(registration, effects)
        return self._probes.answered(owner, outcome, now)

    def _registered(self, registration: Registration, effects: list[Effect]) -> list[Effect]:
        self._agenda.set(registration.owner, registration.deadline)
        self._admission.trust(frozenset().union(*[each.hosts for each in self._registrations.values()]))
        return effects

    def _tell(self, call: IncomingCall | OutgoingCall, effects: list[Effect], now: float) -> list[Effect]:
        """See to what follows from an input to a call."""
        out = list(effects)
        if isinstance(call, OutgoingCall) and call.is_leaving and not call.is_taken_back:
            call.is_taken_back = True
            out += self._deliver(self._transactions.cancel(call.id, now), now)
        if call.id in self._transfers:
            for effect in effects:
                out += self._report(call.id, effect, now)
        if call.is_over:
            self._forget(call.id)
        elif call.id in self._calls:
            self._agenda.set(call.id, call.deadline)
        return out

    def _forget(self, call: str) -> None:
        found = self._calls.pop(call, None)
        if found is None:
            return
        self._by_tag.pop(self._tags.pop(call, ""), None)
        if isinstance(found, IncomingCall):
            self._by_key.pop(found.key, None)
        self._transfers.pop(call, None)
        self._agenda.set(call, None)

    def _report(self, call: str, effect: Effect, now: float) -> list[Effect]:
        """Tell whoever asked for a call how far it has come."""
        asked_by, transfer = self._transfers[call]
        asker, status = self._calls.get(asked_by), status_to_report(effect)
        if asker is None or status is None:
            return []
        return self._tell(asker, asker.usage.report(transfer, status, "", now), now)
