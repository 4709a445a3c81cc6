"""How a case ends other than well: a rule that does not hold, and a case that cannot be asked of a server.

Raised by cases and by `check.talk`; `check.run` makes results of them.
"""

from __future__ import annotations

from typing import Any

from ..core.errors import VivavoceError


class Broken(VivavoceError):
    """A rule does not hold; the message says in one line what was seen instead."""


class Skipped(VivavoceError):
    """A case cannot be asked of this server; the message says why."""


class HungUp(VivavoceError):
    """The connection is closed."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"the server closed the connection (code {code}{f', {reason}' if reason else ''})")
        self.code = code
        """The WebSocket close code; None where the connection broke without one."""
        self.reason = reason
        """The reason beside it."""


class TurnedAway(VivavoceError):
    """A server answered an upgrade request with an HTTP status other than 101."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"the server answered HTTP {status}")
        self.status = status
        """The HTTP status."""
        self.body = body
        """The body of the answer."""


class Unreachable(VivavoceError):
    """There is no server, or none that speaks HTTP; the message is one line that names the cause."""


def need(holds: object, why: str) -> None:
    """Go on only where something holds.

    Raises:
        Broken: it does not; `why` says what was seen.
    """
    if not holds:
        raise Broken(why)


def shown(value: Any) -> str:
    """Return a value as messages show it: short, and on one line."""
    text = " ".join(str(value).split()) if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
