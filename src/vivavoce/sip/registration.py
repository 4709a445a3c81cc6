"""Registrations: telling a registrar where this agent is to be found, and telling it again before it forgets.

RFC 3261 section 10, with the answers of real registrars: 423 (too brief), 401 and 407, other expiries than asked for.

    idle -> asking -> held (renewed in time) -> asking ...
    asking -> waiting (refused or nobody there) -> asking
    any -> leaving -> idle, or stopped (wrong password)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from .authentication import Passwords
from .effects import Effect, Hop, Registered, RegistrationFailed, Send
from .errors import MalformedMessage
from .extensions import RetryAfter
from .headers import Address, CSeq, read_contacts, read_cseq, read_number, read_one
from .matching import Transactions
from .message import Headers, Request, Response
from .routing import Draft, next_hop_uri
from .terms import Chance, NewId
from .uri import SipUri, is_equivalent, parse_uri

__all__ = ["Membership", "Registration"]

_FIRST_WAIT_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 1800.0
"""RFC 5626 4.5: the wait doubles from 30 s up to half an hour, and is spread by chance."""
_KEEP_ALIVE = b"\r\n\r\n"
"""What RFC 5626 4.4.1 has for it, and every SIP server takes for nothing."""
_SHORTEST_EXPIRY_SECONDS = 60
_EARLY_SECONDS = 32.0
"""How long before its end a registration is renewed, at most: one whole attempt."""


class Membership(msgspec.Struct, frozen=True):
    """A place at a registrar."""

    name: str
    """What the operator calls it."""
    registrar: str
    """The registrar's address, such as `sip:pbx.example.com;transport=tls`."""
    address: str
    """The address that is registered, such as `sip:100@pbx.example.com`."""
    contact: str
    """Where calls to it are to be sent."""
    expires_seconds: int = 600
    """How long a registration is asked to hold."""
    route: tuple[str, ...] = ()
    """Proxies on the way, the nearest first, each as `<sip:proxy.example.com;lr>`."""

    keep_alive_seconds: float = 25.0
    """How often something is sent that keeps the way back open through a NAT; 0 for never."""

    @property
    def host(self) -> str:
        """The host that is asked first, whose challenges are answered."""
        uri = Address.parse(self.route[0]).target if self.route else parse_uri(self.registrar)
        return uri.host if isinstance(uri, SipUri) else ""


class Registration:
    """One line, for as long as the agent lives."""

    def __init__(
        self, line: Membership, transactions: Transactions, passwords: Passwords, new_id: NewId, chance: Chance
    ) -> None:
        """Begin idle."""
        self.line = line
        self._hop: Hop | None = None
        """Where the registrar answered from; None while it has not."""
        self._found: frozenset[str] = frozenset()
        """Where it may be, by the name service."""
        self.owner = self.owner_of(line.name)
        """Who gets the responses to its requests."""
        self._transactions = transactions
        self._passwords = passwords
        self._chance = chance
        self._call_id = new_id("callid")
        self._tag = new_id("tag")
        self._number = 0
        self._asked: int | None = None
        self._expires = line.expires_seconds
        self._state: Literal["idle", "asking", "held", "waiting", "leaving", "stopped"] = "idle"
        self._due: float | None = None
        self._keep_at: float | None = None
        self._failures = 0

    @staticmethod
    def owner_of(name: str) -> str:
        """Return who gets the responses to the requests of a registration of this name."""
        return f"register|{name}"

    @property
    def hosts(self) -> frozenset[str]:
        """The addresses whose calls are let in: where the registrar answered from, and where else it may be."""
        return frozenset() if self._hop is None else self._found | {self._hop.host}

    def learn_hosts(self, name: str, hosts: Iterable[str]) -> None:
        """Learn the addresses of a name that was looked up, which may be the registrar's."""
        if name == self.line.host:
            self._found = frozenset(hosts)

    @property
    def deadline(self) -> float | None:
        """When `receive_time` has something to do."""
        return min((at for at in (self._due, self._keep_at) if at is not None), default=None)

    def start(self, now: float) -> list[Effect]:
        """Register."""
        return self._ask(self._expires, now)

    def again(self, now: float) -> list[Effect]:
        """Register anew at once: the network was away, or this agent's address has changed."""
        if self._state in ("asking", "leaving"):
            return []
        self._failures = 0
        return self._ask(self._expires, now)

    def lost(self, hop: Hop, now: float) -> list[Effect]:
        """Learn that a connection is gone: calls can no longer come by it, so that another is needed."""
        is_ours = self._hop is not None and self._hop.place == hop.place and hop.is_reliable
        return self.again(now) if is_ours and self._state == "held" else []

    def leave(self, now: float) -> list[Effect]:
        """Take the registration back."""
        was_known = self._state in ("held", "asking")
        out = self._ask(0, now) if was_known else []
        self._state, self._due, self._keep_at = "leaving" if was_known else "idle", None, None
        return out

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due: renew, or try again, or keep the way back open."""
        if self._due is not None and now >= self._due:
            return self._ask(self._expires, now)
        if self._keep_at is None or now < self._keep_at or self._hop is None:
            return []
        self._keep_at = now + self.line.keep_alive_seconds
        return [Send(_KEEP_ALIVE, self._hop)]

    def responded(self, request: Request, response: Response, hop: Hop, now: float) -> list[Effect]:
        """Take the registrar's answer."""
        status = response.status
        if read_cseq(request.headers).number != self._asked or status < 200:
            return []
        self._asked = None
        if status in (401, 407):
            again = self._passwords.answer(request, response, self._number + 1)
            if again is None:
                self._state, self._due = "stopped", None
                return [RegistrationFailed(self.line.name, status, response.reason, None)]
            return self._send(again, now)
        if (
            status == 423
            and self._state != "leaving"
            and (least := _min_expires(response)) is not None
            and least > self._expires
        ):
            self._expires = least
            return self._ask(least, now)
        if status >= 300:
            return self._failed(status, response.reason, _retry_after(response), now)
        self._hop, self._failures = hop, 0
        if self._state == "leaving":
            self._state = "idle"
            return [Registered(self.line.name, 0)]
        granted = self._granted(response)
        self._state = "held"
        self._keep_at = now + self.line.keep_alive_seconds if self.line.keep_alive_seconds else None
        # RFC 5626 4.4.1 has it renewed at 80 to 100 per cent of its time; short ones at half.
        self._due = now + max(granted / 2, granted - _EARLY_SECONDS - granted / 10 * self._chance())
        return [Registered(self.line.name, granted)]

    def unanswered(self, request: Request, status: int, now: float) -> list[Effect]:
        """Learn that the registrar said nothing."""
        if read_cseq(request.headers).number != self._asked:
            return []
        self._asked = None
        return self._failed(status, "", None, now)

    # ------------------------------------------------------------------------------------------------ inside

    def _ask(self, expires: int, now: float) -> list[Effect]:
        line = self.line
        local = Address(line.address)
        fields = [
            ("Max-Forwards", "70"),
            ("From", str(local.having("tag", self._tag))),
            ("To", str(local)),
            ("Call-ID", self._call_id),
            ("CSeq", "0 REGISTER"),
            ("Contact", f"<{line.contact}>;expires={expires}"),
            ("Expires", str(expires)),
        ]
        self._state, self._due = "asking", None
        uri, _, routes = next_hop_uri(line.registrar, line.route)
        headers = Headers.of(*[("Route", route) for route in routes], *fields)
        return self._send(self._passwords.authorize(Request("REGISTER", uri, headers)), now)

    def _send(self, request: Request, now: float) -> list[Effect]:
        self._number += 1
        self._asked = self._number
        headers = request.headers.replaced("CSeq", str(CSeq(self._number, "REGISTER")))
        _, next_uri, _ = next_hop_uri(self.line.registrar, self.line.route)
        draft = Draft(msgspec.structs.replace(request, headers=headers), next_uri)
        return self._transactions.send(draft, self.owner, now)

    def _failed(self, status: int, phrase: str, retry_after: int | None, now: float) -> list[Effect]:
        if self._state == "leaving":
            self._state = "idle"
            return [Registered(self.line.name, 0)]
        self._state = "waiting"
        wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2**self._failures)
        wait = max(wait * (0.5 + 0.5 * self._chance()), retry_after or 0)
        self._failures = min(self._failures + 1, 10)
        self._due = now + wait
        return [RegistrationFailed(self.line.name, status, phrase, wait)]

    def _granted(self, response: Response) -> int:
        """Return for how long the registrar has taken the contact; it names all contacts of the address."""
        expires: int | None = None
        try:
            own = parse_uri(self.line.contact)
            for contact in read_contacts(response.headers):
                if contact.uri != "*" and is_equivalent(contact.target, own):
                    value = contact.param("expires")
                    expires = int(value) if value and value.isascii() and value.isdigit() else expires
            if expires is None:
                expires = read_number(response.headers, "Expires")
        except MalformedMessage:
            pass
        return max(self._expires if expires is None else expires, _SHORTEST_EXPIRY_SECONDS // 2)


def _min_expires(response: Response) -> int | None:
    try:
        return read_number(response.headers, "Min-Expires")
    except MalformedMessage:
        return None


def _retry_after(response: Response) -> int | None:
    try:
        found = read_one(response.headers, "Retry-After", RetryAfter.parse)
    except MalformedMessage:
        return None
    return None if found is None else found.seconds
