"""When a link gets a successor, and when a lost one is dialled again.  Called by `relay.session`."""

from __future__ import annotations

import math

from .links import Link

_RENEW_SHARE = 0.92
"""At this share of its session's life a link gets a successor: 55 minutes of 60."""
_FORCE_SHARE = 0.97
"""From here on the successor takes over while somebody speaks, too, as long as nothing is being answered."""
_FIRST_BACKOFF = 0.25
_LONGEST_BACKOFF = 5.0


class Succession:
    """The plans of one session; all times are the session's."""

    def __init__(self, return_seconds: float) -> None:
        """Plan nothing yet.

        Args:
            return_seconds: how soon a conversation held by the engines of this process looks for its upstreams again.
        """
        self._return_seconds = return_seconds
        self._force_at = math.inf
        self._failures = 0
        self.renew_at = math.inf
        """When a successor is to be dialled."""
        self.redial_at = math.inf
        """When another attempt is to be made, while there is no link at all."""
        self.is_forced = False
        """Whether the successor need not wait for silence."""

    def plan(self, link: Link, now: float) -> None:
        """Plan for the link that holds the conversation from now on."""
        self._failures = 0
        self.is_forced = False
        self.renew_at = self._force_at = self.redial_at = math.inf
        if link.session_seconds:
            self.renew_at = link.opened_at + _RENEW_SHARE * link.session_seconds
            self._force_at = link.opened_at + _FORCE_SHARE * link.session_seconds
        elif link.place.is_local:
            self.return_later(now)

    def return_later(self, now: float) -> None:
        """Look again in a while: no better upstream was found."""
        self.renew_at = now + self._return_seconds

    def renew_later(self, now: float) -> None:
        """Try again to find a successor."""
        self.renew_at = now + self._backoff()

    def redial_later(self, now: float) -> None:
        """Try again to find any link."""
        self.redial_at = now + self._backoff()

    def see_time(self, now: float) -> None:
        """Take note of the time while a successor waits."""
        self.is_forced = now >= self._force_at

    def deadline(self, *, has_spare: bool) -> float:
        """Return when something is to be done while a link holds the conversation."""
        if not has_spare:
            return self.renew_at
        return math.inf if self.is_forced else self._force_at

    def _backoff(self) -> float:
        self._failures += 1
        return float(min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** min(self._failures - 1, 8)))
