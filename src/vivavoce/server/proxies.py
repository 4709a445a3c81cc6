"""Who asks, where proxies stand between: what those say that the operator trusts, and nothing that anybody else says.

A proxy appends the address that it was asked from to `X-Forwarded-For`.  Read from its end, that is true as long as
each next one was written by a trusted proxy; what stands before may be anything that a client made up.  Called by
`server.hybrid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import msgspec

from .admission import Request

__all__ = ["Proxies"]

_HEADER = "x-forwarded-for"
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")
"""How some proxies write an address, with the port."""


class Proxies:
    """The proxies that an operator trusts."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Trust whoever asks from these networks."""
        self._networks = tuple(map(ip_network, networks))

    def seen_through(self, request: Request) -> Request:
        """Return a request with the address of whoever asked the outermost trusted proxy; as it is without one."""
        told = request.headers.get(_HEADER, "")
        if not told or not self._networks:
            return request
        client = asked_by = _address_of(request.peer.rpartition(":")[0])
        for text in reversed(told.split(",")):
            if asked_by is None or not self._trusts(asked_by):
                break
            asked_by = _address_of(text.strip())
            client = asked_by or client
        if client is None or client == _address_of(request.peer.rpartition(":")[0]):
            return request
        # The port is the proxy's secret.
        return msgspec.structs.replace(request, peer=f"[{client}]:0" if client.version == 6 else f"{client}:0")

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address as it stands in the header, None for what is none."""
    if parts := _WITH_PORT.fullmatch(text):
        text = parts[1] or parts[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
