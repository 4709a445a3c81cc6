"""Naming: which places a SIP host stands for, by the name service (RFC 3263).

NAPTR says which transports a domain likes, SRV says where their servers are and which comes first, and the system's own
resolver says the addresses, so that `/etc/hosts` counts.  The DNS library remembers answers for as long as they hold.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...sip.effects import Hop, Resolve, Transport
from ...sip.routing import DEFAULT_PORTS

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

__all__ = ["Naming"]

_SERVICES: dict[str, Transport] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_PREFIXES: dict[Transport, str] = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_LIFETIME_SECONDS = 4.0
"""How long one question to the name service may take."""
_MOST_HOPS = 16
"""How many places are tried at most."""


class Naming:
    """Looks names up for one agent."""

    def __init__(self, transports: tuple[Transport, ...], chance: Callable[[], float] = random.random) -> None:
        """Begin; `transports` are those that the agent speaks."""
        self._transports = transports
        self._chance = chance
        self._resolver: Resolver | None = None

    async def hops(self, lookup: Resolve) -> tuple[Hop, ...]:
        """Return the places that a host stands for, the best first; none when it cannot be found."""
        wanted = (lookup.transport,) if lookup.transport is not None else self._transports
        if lookup.is_secure:
            wanted = ("tls",)
        wanted = tuple([transport for transport in wanted if transport in self._transports])
        if lookup.port is not None:
            # A port leaves nothing for SRV to say.
            chosen: Transport = "tls" if lookup.is_secure else lookup.transport or "udp"
            return await self._addresses(lookup.host, lookup.port, chosen, lookup.host)
        places = await self._services(lookup, wanted)
        found: list[Hop] = []
        for transport, host, port in places:
            # The certificate has to bear the name that was asked for, not the one that the name service gave.
            found += await self._addresses(host, port, transport, lookup.host)
        if not found:
            chosen = "tls" if lookup.is_secure else lookup.transport or "udp"
            found += await self._addresses(lookup.host, DEFAULT_PORTS[chosen], chosen, lookup.host)
        return tuple(found[:_MOST_HOPS])

    async def _services(self, lookup: Resolve, wanted: tuple[Transport, ...]) -> list[tuple[Transport, str, int]]:
        """Return the servers of a domain: transport, host and port of each, the best first."""
        names: list[tuple[Transport, str]] = []
        if lookup.transport is None:
            for record in sorted(await self._ask(lookup.host, "NAPTR"), key=lambda each: (each.order, each.preference)):
                transport = _SERVICES.get(record.service.decode("ascii", "replace").upper())
                if transport in wanted and record.flags.lower() == b"s":
                    names.append((transport, record.replacement.to_text(omit_final_dot=True)))
        if not names:
            names = [(transport, _PREFIXES[transport] + lookup.host) for transport in wanted]
        out: list[tuple[Transport, str, int]] = []
        answers = await asyncio.gather(*[self._ask(name, "SRV") for _, name in names])
        for (transport, _), records in zip(names, answers, strict=True):
            for record in self._ordered(records):
                host = record.target.to_text(omit_final_dot=True)
                if host:
                    out.append((transport, host, record.port))
        return out

    def _ordered(self, records: list[Any]) -> list[Any]:
        """Order SRV records by priority, and within one by chance, the heavier the likelier (RFC 2782)."""
        return sorted(records, key=lambda each: (each.priority, -(self._chance() ** (1 / max(each.weight, 0.01)))))

    async def _ask(self, name: str, kind: str) -> list[Any]:
        """Ask the name service; nothing where it has nothing or does not answer."""
        import dns.asyncresolver
        import dns.exception
        import dns.resolver

        if self._resolver is None:
            try:
                self._resolver = dns.asyncresolver.Resolver()
            except dns.resolver.NoResolverConfiguration:
                return []
            self._resolver.cache = dns.resolver.LRUCache()
        try:
            answer = await self._resolver.resolve(name, kind, lifetime=_LIFETIME_SECONDS)
        except (dns.exception.DNSException, OSError):
            return []
        return list(answer)

    async def _addresses(self, host: str, port: int, transport: Transport, name: str) -> tuple[Hop, ...]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=socket.AF_UNSPEC)
        except OSError:
            return ()
        hosts = dict.fromkeys(str(address[0]) for *_, address in found)
        return tuple([Hop(transport, each, port, name) for each in hosts])
