"""Admission: who may do what, decided before anything is remembered of a request.

A source is a numeric address.  It is known (its network is listed, or it is a registrar of this agent), may come with a
password, or is unknown; unknown ones get no answer at all, so that a scanner learns nothing.  What anybody may send is
counted, and so is what all together may.  Called by `agent` for each message.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias

import msgspec

__all__ = ["Admission", "Rules", "Standing"]

Standing: TypeAlias = Literal["known", "challenged", "unknown"]
"""What is known of a source from its address alone."""

_MOST_SOURCES = 10_000
"""How many sources are counted one by one; the oldest are forgotten first."""


class Rules(msgspec.Struct, frozen=True):
    """Who may do what."""

    known: tuple[str, ...] = ()
    """Networks whose requests are taken as they are, such as `10.0.0.0/8`, or single addresses."""
    challenged: tuple[str, ...] = ()
    """Networks whose requests need a password; `0.0.0.0/0` and `::/0` for everybody."""
    messages_per_second: float = 200.0
    """How many messages of one known or challenged source are read in the long run."""
    messages_burst: float = 2000.0
    """How many may come at once."""
    unknown_per_second: float = 5.0
    """How many messages of one unknown source are read, for they may belong to a call that there is."""
    unknown_burst: float = 20.0
    """How many of those may come at once."""
    invites_per_second: float = 50.0
    """How many calls may begin, from all sources together."""
    invites_burst: float = 100.0
    """How many of those at once."""
    max_calls: int = 200
    """How many calls there may be."""
    retry_after_seconds: int = 10
    """What those are told who come when it is full."""


class _Bucket:
    """Tokens that come back in time: one for each message."""

    __slots__ = ("_burst", "_rate", "_since", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._tokens, self._since = rate, burst, burst, now

    def take(self, now: float) -> bool:
        """Take a token; tell whether there was one."""
        self._tokens = min(self._burst, self._tokens + (now - self._since) * self._rate)
        self._since = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Admission:
    """Who has come, and how often."""

    def __init__(self, rules: Rules) -> None:
        """Begin with nobody.

        Raises:
            ValueError: a network of the rules is none.
        """
        self._rules = rules
        self._known = [ip_network(network, strict=False) for network in rules.known]
        self._challenged = [ip_network(network, strict=False) for network in rules.challenged]
        self._partners: frozenset[str] = frozenset()
        self._standings: dict[str, Standing] = {}
        self._buckets: dict[tuple[str, bool], _Bucket] = {}
        self._invites: _Bucket | None = None

    def trust(self, hosts: frozenset[str]) -> None:
        """Say which other addresses are known: the registrars and trunks that this agent has found."""
        if hosts != self._partners:
            self._partners = hosts
            self._standings.clear()

    def standing(self, host: str) -> Standing:
        """Return what is known of a source."""
        found = self._standings.get(host)
        if found is None:
            if len(self._standings) >= _MOST_SOURCES:
                self._standings.clear()
            found = self._standings[host] = self._judge(host)
        return found

    def may_send(self, host: str, now: float, is_asked: bool = False) -> bool:
        """Count a message of a source; tell whether it is to be read.

        `is_asked` says that requests were sent there, so that responses are to be expected.
        """
        is_unknown = not is_asked and self.standing(host) == "unknown"
        bucket = self._buckets.get((host, is_unknown))
        if bucket is None:
            if len(self._buckets) >= _MOST_SOURCES:
                del self._buckets[next(iter(self._buckets))]
            rules = self._rules
            rate = rules.unknown_per_second if is_unknown else rules.messages_per_second
            burst = rules.unknown_burst if is_unknown else rules.messages_burst
            bucket = self._buckets[host, is_unknown] = _Bucket(rate, burst, now)
        return bucket.take(now)

    def may_call(self, calls: int, now: float) -> bool:
        """Count a call that wants to begin while there are so many; tell whether it may."""
        if calls >= self._rules.max_calls:
            return False
        if self._invites is None:
            self._invites = _Bucket(self._rules.invites_per_second, self._rules.invites_burst, now)
        return self._invites.take(now)

    @property
    def retry_after_seconds(self) -> int:
        """What those are told who come when it is full."""
        return self._rules.retry_after_seconds

    def _judge(self, host: str) -> Standing:
        if host in self._partners:
            return "known"
        try:
            address = ip_address(host)
        except ValueError:
            return "unknown"
        mapped = getattr(address, "ipv4_mapped", None)
        address = address if mapped is None else mapped

        def is_in(networks: list[IPv4Network | IPv6Network]) -> bool:
            return any(address in network for network in networks if network.version == address.version)

        if is_in(self._known):
            return "known"
        return "challenged" if is_in(self._challenged) else "unknown"
