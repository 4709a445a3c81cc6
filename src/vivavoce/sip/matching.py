"""Matching: all transactions of an agent, which message belongs to which, and requests on their way to a place.

RFC 3261 17.1.3, 17.2.3, 8.2.2.2 (merged requests) and 9 (CANCEL), RFC 3263 4.3 (what fails at one place is tried at the
next).  A request is sent for an owner, named by a text, who gets the responses; what came in is told as arrivals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from .effects import Effect, Hop, Resolve, Send, Transport
from .errors import MalformedMessage
from .headers import MAGIC_COOKIE, read_call_id, read_cseq, read_from, read_to, read_via, read_vias
from .message import REASONS, Headers, Request, Response, encode
from .routing import Draft, Local, hop_to, reply_hops, via_for
from .timers import Agenda, Timers
from .transactions import Client, Failed, InviteClient, InviteServer, OtherClient, OtherServer, Passed, Server, Step

__all__ = ["Acknowledged", "Arrived", "Cancelled", "Delivery", "Responded", "Transactions", "Unanswered"]

_NO_SERVICE = 503
_TIMED_OUT = 408
_MOST_ASKED = 1000
"""How many addresses are remembered that requests were sent to."""


class Arrived(msgspec.Struct, frozen=True):
    """A request came for the first time; it waits for `respond` under its key."""

    key: str
    request: Request
    source: Hop


class Acknowledged(msgspec.Struct, frozen=True):
    """An ACK came that belongs to a dialog."""

    request: Request


class Cancelled(msgspec.Struct, frozen=True):
    """An INVITE is no longer wanted; the CANCEL itself is answered."""

    key: str
    request: Request
    cancel: Request


class Responded(msgspec.Struct, frozen=True):
    """A response came to what an owner had sent."""

    owner: str
    request: Request
    response: Response
    hop: Hop


class Unanswered(msgspec.Struct, frozen=True):
    """Nothing came, or nothing could be sent: 408 or 503, as RFC 3261 8.1.3.1 has it."""

    owner: str
    request: Request
    status: int


Delivery: TypeAlias = Arrived | Acknowledged | Cancelled | Responded | Unanswered
Outcome: TypeAlias = Effect | Delivery


class _Errand:
    """One request for an owner, from the first place it is tried at to the last."""

    def __init__(self, draft: Draft, owner: str, hops: tuple[Hop, ...]) -> None:
        self.draft = draft
        self.owner = owner
        self.hops = list(hops)
        """The places that are left."""
        self.tried_at = 0.0
        """When the present place was first sent to."""
        self.is_cancelled = False
        self.cancel_sent_at: float | None = None


class Transactions:
    """The transactions of one agent."""

    def __init__(self, timers: Timers, local: Mapping[Transport, Local], new_id: Callable[[str], str]) -> None:
        """Begin with none; `new_id("branch")` makes what a branch has after its magic letters."""
        self._timers = timers
        self._local = local
        self._new_id = new_id
        self._agenda = Agenda()
        self._servers: dict[str, Server] = {}
        self._merged: dict[tuple[str, ...], str] = {}
        """Servers of requests outside dialogs by what tells the request itself."""
        self._clients: dict[str, Client] = {}
        self._errands: dict[str, _Errand] = {}
        """Errands by the key of their client transaction."""
        self._invites: dict[str, str] = {}
        """The client key of each owner's INVITE."""
        self._asked: dict[str, None] = {}
        """The addresses that requests were sent to, the latest last."""
        self._parked: dict[Resolve, list[_Errand]] = {}
        self._acks: dict[Resolve, list[Draft]] = {}

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        return self._agenda.deadline

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)

    def has_sent_to(self, host: str) -> bool:
        """Tell whether requests were sent to an address, not too many others ago."""
        return host in self._asked

    # ------------------------------------------------------------------------------------------------ what we send

    def can_reach(self, uri: str) -> bool:
        """Tell whether an address is one that requests can be sent to from here."""
        try:
            hop = hop_to(uri)
        except MalformedMessage:
            return False
        return hop.transport is None or hop.transport in self._local

    def send(self, draft: Draft, owner: str, now: float) -> list[Effect]:
        """Send a request for an owner.

        Raises:
            MalformedMessage: it leads nowhere.
        """
        hop = draft.flow or hop_to(draft.next_uri)
        if isinstance(hop, Resolve):
            errand = _Errand(draft, owner, ())
            waiting = self._parked.setdefault(hop, [])
            waiting.append(errand)
            return [hop] if len(waiting) == 1 else []
        if hop.transport not in self._local:
            raise MalformedMessage(f"the transport {hop.transport} is not spoken here", status=416)
        return self._try(_Errand(draft, owner, (hop,)), now)

    def send_ack(self, draft: Draft) -> list[Effect]:
        """Send the ACK of a 2xx, which is no transaction."""
        place = draft.flow or hop_to(draft.next_uri)
        if isinstance(place, Resolve):
            waiting = self._acks.setdefault(place, [])
            waiting.append(draft)
            return [place]
        return [Send(encode(self._with_via(draft.request, place)), place)]

    def cancel(self, owner: str, now: float) -> list[Outcome]:
        """Take an owner's INVITE back, as soon as the other side has shown that it has it."""
        for waiting in self._parked.values():
            for errand in waiting:
                if errand.owner == owner and errand.draft.request.method == "INVITE":
                    waiting.remove(errand)
                    return [Unanswered(owner, errand.draft.request, 487)]
        key = self._invites.get(owner)
        if key is None:
            return []
        self._errands[key].is_cancelled = True
        return [*self._cancel_when_heard(key, now)]

    def resolved(self, lookup: Resolve, hops: tuple[Hop, ...], now: float) -> list[Outcome]:
        """Learn which places a host stands for, the best first; none when it cannot be found."""
        out: list[Outcome] = []
        hops = tuple([hop for hop in hops if hop.transport in self._local])
        for errand in self._parked.pop(lookup, []):
            errand.hops = list(hops)
            if hops:
                out += self._try(errand, now)
            else:
                out.append(Unanswered(errand.owner, errand.draft.request, _NO_SERVICE))
        for draft in self._acks.pop(lookup, []):
            if hops:
                out.append(Send(encode(self._with_via(draft.request, hops[0])), hops[0]))
        return out

    def unreachable(self, hop: Hop, now: float) -> list[Outcome]:
        """Learn that nothing gets to a place, or that a connection was lost with what it had."""
        keys = [key for key, client in self._clients.items() if client.hop.place == hop.place]
        out: list[Outcome] = []
        for key in keys:
            out += self._settle(key, self._clients[key].unreachable(), now)
        return out

    def respond(self, key: str, response: Response, now: float) -> list[Effect]:
        """Answer a request that arrived; nothing when its time is over."""
        server = self._servers.get(key)
        if server is None:
            return []
        steps = server.respond(response, now)
        self._review_server(key, server)
        return [step for step in steps if isinstance(step, Send)]

    def is_answered(self, key: str) -> bool:
        """Tell whether a request that arrived has its final response."""
        server = self._servers.get(key)
        return server is None or server.is_answered

    # ------------------------------------------------------------------------------------------------ what comes

    def repeated(self, request: Request, now: float) -> list[Outcome] | None:
        """Take a request that belongs to a transaction there is: one that comes again, an ACK or a CANCEL.

        Returns:
            What follows from it, or None when the request is new.
        """
        if request.method == "CANCEL":
            return self._take_cancel(request)
        key = _server_key(request, "INVITE" if request.method == "ACK" else request.method)
        server = self._servers.get(key)
        if request.method == "ACK":
            if isinstance(server, InviteServer):
                is_for_dialog = server.receive_ack(now)
                self._review_server(key, server)
                return [Acknowledged(request)] if is_for_dialog else []
            return [Acknowledged(request)]
        return None if server is None else [*_sends(server.receive_again())]

    def is_merged(self, request: Request) -> bool:
        """Tell whether a request outside a dialog has come already by another way."""
        return _identity(request) in self._merged

    def arrive(self, request: Request, source: Hop, now: float) -> Arrived:
        """Begin a transaction for a request that `repeated` did not know; its Via is stamped."""
        key = _server_key(request, request.method)
        hop, fallback = reply_hops(read_via(request.headers), source)
        server: Server
        if request.method == "INVITE":
            server = InviteServer(request, hop, fallback, self._timers, now)
        else:
            server = OtherServer(request, hop, fallback, self._timers, now)
        self._servers[key] = server
        if read_to(request.headers).tag is None:
            self._merged[_identity(request)] = key
        self._agenda.set(key, server.deadline)
        return Arrived(key, request, source)

    def receive_response(self, response: Response, source: Hop, now: float) -> list[Outcome]:
        """Take a response; those to nothing that was asked are dropped."""
        vias = read_vias(response.headers)
        if len(vias) != 1:
            return []
        key = f"c|{vias[0].branch}|{read_cseq(response.headers).method}"
        client = self._clients.get(key)
        if client is None:
            return []
        return self._settle(key, client.receive(response, now), now, source)

    def receive_time(self, now: float) -> list[Outcome]:
        """Do what is due."""
        out: list[Outcome] = []
        while (key := self._agenda.take(now)) is not None:
            if (server := self._servers.get(key)) is not None:
                out += _sends(server.receive_time(now))
                self._review_server(key, server)
            elif (client := self._clients.get(key)) is not None:
                out += self._client_time(key, client, now)
        return out

    # ------------------------------------------------------------------------------------------------ inside

    def _client_time(self, key: str, client: Client, now: float) -> list[Outcome]:
        gives_up_at = self._gives_up_at(key, client)
        is_too_late = gives_up_at is not None and now >= gives_up_at
        return self._settle(key, client.abandon() if is_too_late else client.receive_time(now), now)

    def _gives_up_at(self, key: str, client: Client) -> float | None:
        """Return when a client is given up before its own time."""
        errand = self._errands.get(key)
        if errand is None:
            return None
        if client.state == "proceeding" and errand.cancel_sent_at is not None:
            # Cancelled and never answered (RFC 3261 9.1).
            return errand.cancel_sent_at + self._timers.patience
        is_silent = client.state in ("calling", "trying")
        return errand.tried_at + self._timers.failover if is_silent and errand.hops else None

    def _try(self, errand: _Errand, now: float) -> list[Effect]:
        """Send an errand's request to the next of its places."""
        hop = errand.hops.pop(0)
        self._asked.pop(hop.host, None)
        self._asked[hop.host] = None
        if len(self._asked) > _MOST_ASKED:
            del self._asked[next(iter(self._asked))]
        request = self._with_via(errand.draft.request, hop)
        key = _client_key(request)
        client: Client
        client = (InviteClient if request.method == "INVITE" else OtherClient)(request, hop, self._timers)
        self._clients[key] = client
        self._errands[key] = errand
        if request.method == "INVITE":
            self._invites[errand.owner] = key
        errand.tried_at = now
        steps = client.start(now)
        self._review_client(key, client)
        return _sends(steps)

    def _with_via(self, request: Request, hop: Hop) -> Request:
        branch = MAGIC_COOKIE + self._new_id("branch")
        headers = request.headers.prepended("Via", str(via_for(hop, self._local[hop.transport], branch)))
        return msgspec.structs.replace(request, headers=headers)

    def _settle(self, key: str, steps: list[Step], now: float, source: Hop | None = None) -> list[Outcome]:
        """Make outcomes of a client's steps, and see to what became of it."""
        client, errand = self._clients[key], self._errands.get(key)
        out: list[Outcome] = []
        for step in steps:
            if isinstance(step, Send):
                out.append(step)
            elif errand is None:
                continue
            elif self._should_fail_over(step, errand):
                out += self._try(errand, now)
                errand = None
            elif isinstance(step, Passed):
                out.append(Responded(errand.owner, client.request, step.response, source or client.hop))
            else:
                status = _TIMED_OUT if step.cause == "timeout" else _NO_SERVICE
                out.append(Unanswered(errand.owner, client.request, status))
        if errand is not None and errand.is_cancelled:
            out += self._cancel_when_heard(key, now)
        self._review_client(key, client)
        return out

    @staticmethod
    def _should_fail_over(step: Passed | Failed, errand: _Errand) -> bool:
        is_lost = isinstance(step, Failed) or step.response.status == _NO_SERVICE
        return is_lost and bool(errand.hops) and not errand.is_cancelled

    def _cancel_when_heard(self, key: str, now: float) -> list[Effect]:
        """Send the CANCEL of an INVITE that was answered provisionally (RFC 3261 9.1)."""
        client, errand = self._clients[key], self._errands[key]
        if client.state != "proceeding" or errand.cancel_sent_at is not None:
            return []
        errand.cancel_sent_at = now
        headers = client.request.headers
        number = read_cseq(headers).number
        fields = headers.only("Via", "Max-Forwards", "From", "To", "Call-ID", "Route", "Reason")
        cancel = Request("CANCEL", client.request.uri, fields.added("CSeq", f"{number} CANCEL"))
        cancel_key = _client_key(cancel)
        other = OtherClient(cancel, client.hop, self._timers)
        self._clients[cancel_key] = other
        steps = other.start(now)
        self._agenda.set(cancel_key, other.deadline)
        self._review_client(key, client)
        return _sends(steps)

    def _take_cancel(self, request: Request) -> list[Outcome] | None:
        """Answer a CANCEL, the same each time it comes, so that it needs no state."""
        key = _server_key(request, "INVITE")
        server = self._servers.get(key)
        if server is None:
            return None
        tag = "c" + (read_via(request.headers).branch or "").removeprefix(MAGIC_COOKIE)
        response = Response(200, REASONS[200], answer_headers(request, tag))
        sent = Send(encode(response), server.hop, server.fallback)
        return [sent] if server.is_answered else [sent, Cancelled(key, server.request, request)]

    def _review_server(self, key: str, server: Server) -> None:
        if server.state == "terminated":
            del self._servers[key]
            self._merged.pop(_identity(server.request), None)
        self._agenda.set(key, server.deadline)

    def _review_client(self, key: str, client: Client) -> None:
        errand = self._errands.get(key)
        if client.state == "terminated":
            self._clients.pop(key, None)
            self._errands.pop(key, None)
            if errand is not None and self._invites.get(errand.owner) == key:
                del self._invites[errand.owner]
            self._agenda.set(key, None)
            return
        times = (client.deadline, self._gives_up_at(key, client))
        self._agenda.set(key, min((at for at in times if at is not None), default=None))


def answer_headers(request: Request, tag: str | None) -> Headers:
    """Return the headers that every response repeats, with a To tag where the request had none."""
    kept = request.headers.only("Via", "From", "To", "Call-ID", "CSeq")
    if tag is None:
        return kept
    to = read_to(kept)
    return kept if to.tag is not None else kept.replaced("To", str(to.having("tag", tag)))


def _sends(steps: list[Step]) -> list[Effect]:
    return [step for step in steps if isinstance(step, Send)]


def _client_key(request: Request) -> str:
    return f"c|{read_via(request.headers).branch}|{request.method}"


def _server_key(request: Request, method: str) -> str:
    """Return what is the same in all messages of a transaction (RFC 3261 17.2.3)."""
    headers = request.headers
    via = read_via(headers)
    if via.has_unique_branch:
        return f"s|{via.branch}|{via.sent_by}|{method}"
    # As RFC 2543 had it; the To tag is left out, for the ACK of a refusal has one that its INVITE had not.
    number = read_cseq(headers).number
    parts = (request.uri, read_from(headers).tag, read_call_id(headers), number, via.sent_by, via.branch, method)
    return "s2543|" + "|".join(str(part) for part in parts)


def _identity(request: Request) -> tuple[str, str, str]:
    headers = request.headers
    return (read_from(headers).tag or "", read_call_id(headers), headers.get("CSeq") or "")
