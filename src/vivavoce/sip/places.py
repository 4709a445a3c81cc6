"""Where sound and reports go, by a session description; RFC 8866 section 5.7, RFC 3605."""

from __future__ import annotations

from ipaddress import ip_address

from .errors import MalformedMessage, OfferRefused
from .lexing import number
from .sdp import Description, MediaSection
from .uri import parse_host, parse_ipv6

__all__ = ["address_of", "rtcp_of"]


def address_of(description: Description, section: MediaSection) -> str:
    """Return where audio goes, which has to be a number: nobody looks a name up for every packet."""
    address = section.connection or description.connection
    if address is None:
        raise MalformedMessage("the session description has no c= line for its audio")
    try:
        ip_address(address)
    except ValueError:
        raise OfferRefused("audio is sent to numeric addresses only", warning=301) from None
    return address


def rtcp_of(section: MediaSection, address: str) -> tuple[str, int]:
    """Return where reports go: the next port, or as `a=rtcp` says (RFC 3605)."""
    words = (section.get("rtcp") or "").split()
    try:
        port = number(words[0], 65535) if words else min(section.port + 1, 65535)
        if len(words) == 4:
            return parse_ipv6(words[3]) if ":" in words[3] else parse_host(words[3]), port
    except MalformedMessage:
        return address, min(section.port + 1, 65535)
    return address, port
