"""Routing: where a request goes next, where its responses come back to, and what the Via between them says.

RFC 3261 8.1.2, 16.12 and 18, with RFC 3581 (`rport`).  Names are looked up elsewhere (`effects.Resolve`).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import cast

import msgspec

from .effects import Hop, Resolve, Transport
from .errors import MalformedMessage
from .headers import Address, Via, read_contacts, read_via, read_vias
from .message import Headers, Request
from .uri import SipUri, parse_uri

__all__ = [
    "DEFAULT_PORTS", "Draft", "Local", "contact_of", "hop_to", "is_behind_nat", "is_numeric", "next_hop_uri",
    "reply_hops", "stamped", "via_for",
]  # fmt: skip

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""The port of each transport where none is given."""


class Local(msgspec.Struct, frozen=True):
    """Where this agent can be reached by one transport, as the other side is to see it."""

    host: str
    """The advertised address or name."""
    port: int
    """The advertised port."""


class Draft(msgspec.Struct, frozen=True):
    """A request that has all but its Via."""

    request: Request
    """The request."""
    next_uri: str
    """The address whose host is the next to get it."""
    flow: Hop | None = None
    """Where it goes without any lookup: the other end of a connection, or of a path through a NAT."""


def is_numeric(host: str) -> bool:
    """Tell whether a host is an address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def hop_to(uri: str) -> Hop | Resolve:
    """Return where an address leads, or what has to be looked up to know.

    Raises:
        MalformedMessage: it is no SIP address, or its transport is not spoken here.
    """
    target = parse_uri(uri)
    if not isinstance(target, SipUri):
        raise MalformedMessage("a request can be sent to sip: and sips: addresses only", status=416)
    is_secure = target.scheme == "sips"
    transport = target.transport or None
    if transport not in (None, "udp", "tcp", "tls"):
        raise MalformedMessage(f"the transport {transport} is not spoken here", status=416)
    if is_secure or transport == "tls":
        transport = "tls"
    host = target.param("maddr") or target.host
    known = cast("Transport | None", transport)
    if not is_numeric(host):
        return Resolve(host, target.port, known, is_secure)
    chosen: Transport = known or "udp"
    return Hop(chosen, host, target.port or DEFAULT_PORTS[chosen])


def next_hop_uri(uri: str, route_set: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Return the Request-URI, the address that the request goes to next, and its Route headers.

    The first of a route set that does not route loosely is an old one, which wants to be the Request-URI itself
    (RFC 3261 12.2.1.1).
    """
    if not route_set:
        return uri, uri, ()
    first = Address.parse(route_set[0]).target
    if isinstance(first, SipUri) and first.param("lr") is None:
        strict = msgspec.structs.replace(first, headers=())
        return str(strict), str(strict), (*route_set[1:], f"<{uri}>")
    return uri, str(first), route_set


def via_for(hop: Hop, local: Local, branch: str) -> Via:
    """Return the Via of a request that goes to a place."""
    return Via(hop.transport.upper(), local.host, local.port, (("branch", branch), ("rport", None)))


def stamped(request: Request, source: Hop) -> Request:
    """Return a request whose topmost Via says where it came from (RFC 3261 18.2.1, RFC 3581 4)."""
    via = read_via(request.headers)
    seen = via.seen_from(source.host, source.port)
    if seen == via:
        return request
    _, *others = read_vias(request.headers)
    headers = request.headers.replaced("Via", str(seen), *[str(other) for other in others])
    return msgspec.structs.replace(request, headers=headers)


def reply_hops(via: Via, source: Hop) -> tuple[Hop, Hop | None]:
    """Return where responses go, and where to connect if that connection is gone (RFC 3261 18.2.2).

    Only ever towards the address that the request came from, for a Via may name anybody.
    """
    port = via.port or DEFAULT_PORTS[source.transport]
    if source.is_reliable:
        return source, Hop(source.transport, source.host, port)
    if via.wants_rport:
        return source, None
    return Hop(source.transport, source.host, port), None


def is_behind_nat(request: Request, source: Hop) -> bool:
    """Tell whether a request that came straight from its maker shows that its own address is not the one to use."""
    if "Record-Route" in request.headers:
        return False
    vias = read_vias(request.headers)
    place = (vias[0].host, vias[0].port or DEFAULT_PORTS[source.transport])
    return len(vias) == 1 and (source.is_reliable or place != (source.host, source.port))


def contact_of(headers: Headers) -> str | None:
    """Return the address of the first Contact, None where there is none."""
    contacts = read_contacts(headers)
    return contacts[0].uri if contacts and contacts[0].uri != "*" else None
