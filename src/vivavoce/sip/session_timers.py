"""Session timers: a call that nobody refreshes ends, so that no call hangs on for ever (RFC 4028).

States: off, or running with one of both ends as refresher.  The refresher asks anew at half the interval; whoever hears
nothing ends the call shortly before the interval is over.
"""

from __future__ import annotations

from typing import Literal

from .extensions import SessionExpires, read_min_se_seconds
from .headers import read_one, read_options
from .message import Headers, Request
from .terms import Terms

__all__ = ["SessionTimer"]

_EARLY_SECONDS = 32.0
"""How long before the end of the interval the call is ended, at most (RFC 4028 section 10)."""


class SessionTimer:
    """The timer of one call."""

    def __init__(self, terms: Terms) -> None:
        """Begin with none running."""
        self._terms = terms
        self._wanted = terms.session_seconds
        self._least = terms.min_session_seconds
        """The shortest interval that this end proposes, which a 422 raises."""
        self._seconds = 0
        self._is_ours = False
        self._since = 0.0
        self._is_refreshing = False

    @property
    def is_running(self) -> bool:
        """Whether the call ends without being refreshed."""
        return self._seconds > 0

    @property
    def refresh_at(self) -> float | None:
        """When this end has to refresh the call; None when it has not."""
        if not self.is_running or not self._is_ours or self._is_refreshing:
            return None
        return self._since + self._seconds / 2

    @property
    def expires_at(self) -> float | None:
        """When the call is over for want of refreshing."""
        if not self.is_running:
            return None
        return self._since + self._seconds - min(_EARLY_SECONDS, self._seconds / 3)

    @property
    def deadline(self) -> float | None:
        """When the owner has something to do."""
        return min((at for at in (self.refresh_at, self.expires_at) if at is not None), default=None)

    def too_brief(self, request: Request) -> int | None:
        """Return the shortest interval that is accepted, where a request wants a shorter one (422)."""
        asked = read_one(request.headers, "Session-Expires", SessionExpires.parse)
        if asked is None or asked.seconds >= self._terms.min_session_seconds:
            return None
        # Who knows no timers had the header put in by a proxy, and could do nothing with a 422.
        return self._terms.min_session_seconds if "timer" in read_options(request.headers, "Supported") else None

    def accept(self, request: Request, now: float) -> list[tuple[str, str]]:
        """Agree to what a request asks for, which the 2xx to it confirms; return the headers of that 2xx."""
        headers = request.headers
        knows = "timer" in read_options(headers, "Supported") | read_options(headers, "Require")
        asked = read_one(headers, "Session-Expires", SessionExpires.parse)
        if asked is None and not (knows and self._wanted):
            self._seconds = 0
            return []
        least = max(read_min_se_seconds(headers) or 0, self._terms.min_session_seconds)
        seconds = max(asked.seconds if asked is not None else self._wanted, least)
        refresher: Literal["uac", "uas"] = "uas"
        if knows:
            refresher = (asked.refresher if asked is not None else None) or "uac"
        self._run(seconds, refresher == "uas", now)
        out = [("Session-Expires", str(SessionExpires(seconds, refresher)))]
        return [*out, ("Require", "timer")] if refresher == "uac" else out

    def propose(self) -> list[tuple[str, str]]:
        """Return the headers of an INVITE or UPDATE of this end."""
        if self.is_running:
            asked = SessionExpires(max(self._seconds, self._least), "uac" if self._is_ours else "uas")
        elif self._wanted:
            asked = SessionExpires(max(self._wanted, self._least))
        else:
            return []
        return [("Session-Expires", str(asked)), ("Min-SE", str(self._least))]

    def begin_refresh(self) -> None:
        """Learn that a request is on its way that refreshes the call."""
        self._is_refreshing = True

    def fail_refresh(self) -> None:
        """Learn that it did not: the call ends at its time, unless another comes through."""
        self._is_refreshing = False
        self._is_ours = False

    def agreed(self, headers: Headers, now: float) -> None:
        """Take the 2xx to a request that had the headers of `propose`."""
        said = read_one(headers, "Session-Expires", SessionExpires.parse)
        self._is_refreshing = False
        if said is None:
            self._seconds = 0
        else:
            self._run(said.seconds, said.refresher != "uas", now)

    def raise_least(self, headers: Headers) -> bool:
        """Take a 422; tell whether to ask again."""
        least = read_min_se_seconds(headers)
        self._is_refreshing = False
        if least is None or least <= self._least:
            return False
        self._least = least
        self._seconds = max(self._seconds, least) if self.is_running else 0
        return True

    def _run(self, seconds: int, is_ours: bool, now: float) -> None:
        self._seconds, self._is_ours, self._since, self._is_refreshing = seconds, is_ours, now, False
