"""How many conversations may begin in a minute, from one place and with one key.  Asked by `server.hybrid`."""

from __future__ import annotations

import math
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from .admission import Refused
from .buckets import Buckets

__all__ = ["Arrivals", "place_of"]


class Arrivals:
    """The conversations that begin on a server."""

    def __init__(self, per_minute: int, now: Callable[[], float]) -> None:
        """Let so many begin in a minute from each place, and with each key; as many at once.

        Args:
            per_minute: 0 for no bound.
            now: a clock in seconds that never goes back.
        """
        self._per_minute = per_minute
        self._places = Buckets(per_minute / 60, per_minute, now)
        self._keys = Buckets(per_minute / 60, per_minute, now)

    def check_place(self, peer: str) -> None:
        """Count one that wants to begin, before its key is looked at: keys cannot be guessed any faster.

        Raises:
            Refused: there were too many from there.
        """
        self._check(self._places, place_of(peer), "from this address")

    def check_key(self, key_id: str) -> None:
        """Count one whose key was accepted.

        Raises:
            Refused: there were too many with that key.
        """
        if key_id:
            self._check(self._keys, key_id, "with this key")

    def _check(self, buckets: Buckets, who: str, told: str) -> None:
        if not self._per_minute:
            return
        seconds = math.ceil(buckets.take(who))
        if seconds:
            raise Refused(
                429,
                "rate_limit_exceeded",
                f"More than {self._per_minute} conversations a minute were begun {told}. Try again in {seconds} s.",
                type="rate_limit_error",
                headers={"Retry-After": str(seconds)},
            )


def place_of(peer: str) -> str:
    """Return the address of `peer`, which has a port behind it; what is none is returned whole.

    Of IPv6 it is the network of 64 bits, since each customer of a provider has at least one of those.
    """
    host = peer.rpartition(":")[0].strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
