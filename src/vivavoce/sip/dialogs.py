"""Dialogs: two ends that know each other by tags, the way between them, and requests in their order.

RFC 3261 section 12.  A dialog makes requests and responses that belong to it; what they are about is the business of
`usage`.
"""

from __future__ import annotations

import msgspec

from .authentication import Passwords
from .effects import Effect, Hop
from .headers import Address, CSeq, read_call_id, read_cseq, read_from, read_route, read_to
from .matching import Transactions, answer_headers
from .message import REASONS, Headers, Request, Response
from .routing import Draft, contact_of, is_behind_nat, next_hop_uri

__all__ = ["BODY_SDP", "Dialog", "Field", "Line"]

Field = tuple[str, str]
"""A header: its name and value."""

BODY_SDP: Field = ("Content-Type", "application/sdp")
"""What goes with a session description."""

_WITH_CONTACT = frozenset(("INVITE", "UPDATE", "REFER", "NOTIFY"))
"""Requests that tell where this end is to be found."""


class Line(msgspec.Struct, frozen=True):
    """What all requests and responses of one call share."""

    transactions: Transactions
    """Where they go through."""
    owner: str
    """Who gets the responses: the call's id."""
    contact: str
    """Where this end is to be found, as an address."""
    passwords: Passwords
    """What challenges are answered with."""
    user_agent: str
    """What this end calls itself; empty to say nothing."""


class Dialog:
    """One dialog, early or confirmed."""

    def __init__(
        self,
        line: Line,
        *,
        call_id: str,
        local: Address,
        remote: Address,
        target: str,
        route_set: tuple[str, ...] = (),
        local_number: int = 0,
        remote_number: int | None = None,
        flow: Hop | None = None,
        seen_at: Hop,
    ) -> None:
        """Make a dialog of its parts, which `of_invite` and `of_response` know."""
        self._line = line
        self.call_id = call_id
        self.local = local
        """This end, as From of what it sends."""
        self.remote = remote
        """The other end, as To of what is sent to it."""
        self.target = target
        """The Request-URI of what is sent to the other end."""
        self.route_set = route_set
        """The Route headers of what is sent, the nearest first."""
        self.local_number = local_number
        """The CSeq number of the last request that was sent."""
        self.remote_number = remote_number
        """The CSeq number of the last request that came; None while none did."""
        self._flow = flow
        self._seen_at = seen_at
        """Where the other end's last message came from: a Contact or a route may name a place that nothing gets to."""

    @classmethod
    def of_invite(cls, line: Line, request: Request, source: Hop, tag: str) -> Dialog:
        """Make the dialog of an INVITE that came (RFC 3261 12.1.1).

        Raises:
            MalformedMessage: a header that is needed cannot be read.
        """
        headers = request.headers
        remote = read_from(headers)
        return cls(
            line,
            call_id=read_call_id(headers),
            local=read_to(headers).having("tag", tag),
            remote=remote,
            # Those of before RFC 3261 may come without a Contact.
            target=contact_of(headers) or remote.uri,
            route_set=tuple([str(each) for each in read_route(headers)]),
            remote_number=read_cseq(headers).number,
            flow=source if is_behind_nat(request, source) else None,
            seen_at=source,
        )

    @classmethod
    def of_response(cls, line: Line, request: Request, response: Response, hop: Hop) -> Dialog:
        """Make the dialog of a response to an INVITE that was sent (RFC 3261 12.1.2).

        Raises:
            MalformedMessage: a header that is needed cannot be read.
        """
        headers = response.headers
        routes = tuple([str(each) for each in reversed(read_route(headers))])
        target = contact_of(headers)
        return cls(
            line,
            call_id=read_call_id(headers),
            local=read_from(request.headers),
            remote=read_to(headers),
            # A Contact is missing from most 180s of old telephones.
            target=target or request.uri,
            route_set=routes,
            local_number=read_cseq(request.headers).number,
            flow=hop if hop.is_reliable and not routes else None,
            seen_at=hop,
        )

    @property
    def local_tag(self) -> str:
        """The tag of this end."""
        return self.local.tag or ""

    @property
    def remote_tag(self) -> str:
        """The tag of the other end; empty for those that know none (RFC 2543)."""
        return self.remote.tag or ""

    def owns(self, headers: Headers) -> bool:
        """Tell whether a request that came is of this dialog."""
        tags = (read_to(headers).tag or "", read_from(headers).tag or "")
        return tags == (self.local_tag, self.remote_tag) and read_call_id(headers) == self.call_id

    def confirm(self, response: Response, hop: Hop) -> None:
        """Take the route and target of the 2xx that ends the early state (RFC 3261 13.2.2.4)."""
        self.route_set = tuple([str(each) for each in reversed(read_route(response.headers))])
        self.refresh(response.headers)
        self._flow = hop if hop.is_reliable and not self.route_set else None

    def refresh(self, headers: Headers) -> None:
        """Take the other end's new target, where there is one (RFC 3261 12.2)."""
        target = contact_of(headers)
        if target is not None:
            self.target = target

    def accepts(self, request: Request) -> bool:
        """Take a request's place in the order; tell whether it is not out of it (RFC 3261 12.2.2)."""
        number = read_cseq(request.headers).number
        if self.remote_number is not None and number <= self.remote_number:
            return False
        self.remote_number = number
        return True

    def arrived_by(self, request: Request, source: Hop) -> None:
        """Learn which way a request came: connections and paths through a NAT change."""
        self._seen_at = source
        if is_behind_nat(request, source) and not self.route_set:
            self._flow = source

    # ------------------------------------------------------------------------------------------------ what is sent

    def draft(self, method: str, number: int, *fields: Field, body: bytes = b"") -> Draft:
        """Write a request of this dialog."""
        uri, next_uri, routes = next_hop_uri(self.target, self.route_set)
        headers = [
            *[("Route", route) for route in routes],
            ("Max-Forwards", "70"),
            ("From", str(self.local)),
            ("To", str(self.remote)),
            ("Call-ID", self.call_id),
            ("CSeq", str(CSeq(number, method))),
        ]
        if method in _WITH_CONTACT:
            headers.append(("Contact", f"<{self._line.contact}>"))
        if self._line.user_agent:
            headers.append(("User-Agent", self._line.user_agent))
        return self._drafted(Request(method, uri, Headers.of(*headers, *fields), body), next_uri)

    def _drafted(self, request: Request, next_uri: str) -> Draft:
        """Return a request with the way that it goes."""
        flow = self._flow
        if flow is None and not self._line.transactions.can_reach(next_uri):
            flow = self._seen_at
        return Draft(request, next_uri, flow)

    def send(self, method: str, now: float, *fields: Field, body: bytes = b"") -> list[Effect]:
        """Send the next request."""
        self.local_number += 1
        draft = self.draft(method, self.local_number, *fields, body=body)
        return self._line.transactions.send(draft, self._line.owner, now)

    def acknowledge(self, number: int, invite: Request) -> list[Effect]:
        """Send the ACK of a 2xx to an INVITE, which has the same credentials (RFC 3261 13.2.2.4)."""
        fields = invite.headers.only("Authorization", "Proxy-Authorization").fields
        return self._line.transactions.send_ack(self.draft("ACK", number, *fields))

    def respond(
        self, key: str, request: Request, status: int, now: float, *fields: Field, body: bytes = b"", reason: str = ""
    ) -> list[Effect]:
        """Answer a request of this dialog."""
        response = self.response(request, status, *fields, body=body, reason=reason)
        return self._line.transactions.respond(key, response, now)

    def response(self, request: Request, status: int, *fields: Field, body: bytes = b"", reason: str = "") -> Response:
        """Write an answer to a request of this dialog."""
        headers = answer_headers(request, self.local_tag)
        if request.method in _WITH_CONTACT and status < 300:
            routes = request.headers.all("Record-Route")
            headers = headers.added("Record-Route", *routes).added("Contact", f"<{self._line.contact}>")
        added = Headers.of(*fields)
        return Response(status, reason or REASONS.get(status, ""), Headers(headers.fields + added.fields), body)

    def repeat(self, key: str, response: Response, now: float) -> list[Effect]:
        """Send a 2xx again."""
        return self._line.transactions.respond(key, response, now)

    def retry(self, request: Request, response: Response, now: float) -> list[Effect] | None:
        """Send a request again with a password, as it was challenged for; None where there is none for it."""
        again = self._line.passwords.answer(request, response, self.local_number + 1)
        if again is None:
            return None
        self.local_number += 1
        _, next_uri, _ = next_hop_uri(self.target, self.route_set)
        return self._line.transactions.send(self._drafted(again, next_uri), self._line.owner, now)
