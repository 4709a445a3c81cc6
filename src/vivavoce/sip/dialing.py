"""Dialling: whom to call, as whom and by which way, and the INVITE that says so."""

from __future__ import annotations

import msgspec

from .dialogs import BODY_SDP, Field, Line
from .effects import Resolve, Transport
from .errors import MalformedMessage
from .extensions import Replaces
from .headers import Address
from .message import Headers, Request
from .routing import Draft, hop_to, next_hop_uri
from .terms import ALLOW, SUPPORTED
from .uri import SipUri, parse_uri

__all__ = ["Dialing", "invite_of"]


class Dialing(msgspec.Struct, frozen=True):
    """A call that is wanted."""

    target: str
    """The address to call."""
    sender: str
    """The address of who calls."""
    display: str = ""
    """The name of who calls, for people."""
    route: tuple[str, ...] = ()
    """Proxies on the way, the nearest first, such as `sip:sbc.example.com;lr`."""
    headers: Headers = Headers()
    """Further headers, such as P-Asserted-Identity."""
    replaces: str | None = None
    """The dialog whose place it takes, as a Refer-To said it."""
    transfer: tuple[str, str] | None = None
    """The call and the transfer that asked for it, which are told how far it comes."""

    def routes(self) -> tuple[str, ...]:
        """Return the proxies as a Route says them."""
        return tuple([f"<{each}>" for each in self.route])

    def way(self) -> tuple[Transport, str, str]:
        """Return the transport that is most likely, the host that it goes to first, and the user who calls.

        Raises:
            MalformedMessage: an address is none, or leads nowhere.
        """
        _, next_uri, _ = next_hop_uri(self.target, self.routes())
        place = hop_to(next_uri)
        transport: Transport = place.transport or ("tls" if isinstance(place, Resolve) and place.is_secure else "udp")
        caller = parse_uri(self.sender)
        first = parse_uri(next_uri)
        host = first.host if isinstance(first, SipUri) else place.host
        return transport, host, (caller.user if isinstance(caller, SipUri) else None) or "vivavoce"


def invite_of(dialing: Dialing, line: Line, sdp: bytes, call_id: str, tag: str) -> Draft:
    """Write the INVITE of a call, but for its Via and session timer.

    Raises:
        MalformedMessage: an address is none.
    """
    parse_uri(dialing.target)
    uri, next_uri, routes = next_hop_uri(dialing.target, dialing.routes())
    sender = Address(dialing.sender, dialing.display).having("tag", tag)
    fields: list[Field] = [
        *[("Route", route) for route in routes],
        ("Max-Forwards", "70"),
        ("From", str(sender)),
        ("To", str(Address(_without_params(dialing.target)))),
        ("Call-ID", call_id),
        ("CSeq", "1 INVITE"),
        ("Contact", f"<{line.contact}>"),
        ("Allow", ALLOW),
        ("Supported", SUPPORTED),
    ]
    if line.user_agent:
        fields.append(("User-Agent", line.user_agent))
    if dialing.replaces is not None:
        try:
            replaces = Replaces.parse(dialing.replaces)
        except MalformedMessage as error:
            raise MalformedMessage(error.message, header="Replaces") from None
        fields += [("Replaces", str(replaces)), ("Require", "replaces")]
    headers = Headers(Headers.of(*fields, BODY_SDP).fields + dialing.headers.fields)
    return Draft(Request("INVITE", uri, headers, sdp), next_uri)


def _without_params(target: str) -> str:
    """Return an address as a To has it: without what is only about the way."""
    uri = parse_uri(target)
    if not isinstance(uri, SipUri):
        return target
    kept = tuple([each for each in uri.params if each[0] in ("user", "phone-context")])
    return str(msgspec.structs.replace(uri, params=kept, headers=()))
