"""Token buckets: how often something may be done, by one or by each of many.  Pure; `server.hybrid` and others ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

__all__ = ["Bucket", "Buckets"]


class Bucket:
    """Holds tokens, one of which is taken each time; they come back steadily."""

    def __init__(self, per_second: float, size: int, now: float) -> None:
        """Begin full.

        Args:
            per_second: tokens that come back in a second; above 0.
            size: most that there are.
            now: a time in seconds, of any clock that never goes back.
        """
        self._per_second = per_second
        self._size = size
        self._tokens = float(size)
        self._seen_at = now

    def take(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        self._fill(now)
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self._per_second
        self._tokens -= 1.0
        return 0.0

    def is_full(self, now: float) -> bool:
        """Return whether it is as if it had never been used."""
        self._fill(now)
        return self._tokens >= self._size

    def _fill(self, now: float) -> None:
        self._tokens = min(float(self._size), self._tokens + (now - self._seen_at) * self._per_second)
        self._seen_at = now


class Buckets:
    """A bucket for each of many, as far as they are remembered."""

    def __init__(self, per_second: float, size: int, now: Callable[[], float], most: int = 10_000) -> None:
        """Remember nobody yet.

        Args:
            per_second: tokens that come back to each in a second; above 0.
            size: most that each has.
            now: a clock in seconds that never goes back.
            most: how many are remembered; beyond that, who was seen longest ago is forgotten.
        """
        self._per_second = per_second
        self._size = size
        self._now = now
        self._most = most
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: Hashable) -> float:
        """Take a token of somebody's and return 0, or return the seconds until there is one."""
        now = self._now()
        bucket = self._buckets.setdefault(who, Bucket(self._per_second, self._size, now))
        self._buckets.move_to_end(who)
        self._forget(who, now)
        return bucket.take(now)

    def _forget(self, who: Hashable, now: float) -> None:
        """Drop the oldest if they are as if never used, a few at a time, and beyond the bound in any case."""
        for _ in range(2):
            oldest = next(iter(self._buckets))
            if oldest == who or not (len(self._buckets) > self._most or self._buckets[oldest].is_full(now)):
                return
            del self._buckets[oldest]
