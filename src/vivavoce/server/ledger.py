"""What each API key has cost today, and who has to be told when that is all it may.

Days are those of UTC.  Everything is kept in memory: a server that is started again begins with nothing spent, and
servers that share keys do not share their ledgers.  Clients without a key have one account together.
"""

from __future__ import annotations

from collections.abc import Callable

from .admission import Refused

DAY_SECONDS = 86_400

Told = Callable[[str], object]
"""Takes the message that money is used up."""


class Ledger:
    """The accounts of a server's keys."""

    def __init__(self, budget_usd: float, unix_now: Callable[[], float]) -> None:
        """Begin with nothing spent.

        Args:
            budget_usd: what a key may cost in a day; 0 for no bound.
            unix_now: the time of day, in unix seconds.
        """
        self._budget_usd = budget_usd
        self._unix_now = unix_now
        self._day = 0
        self._spent_usd: dict[str, float] = {}
        self._open: dict[str, set[Told]] = {}

    def spent_usd(self, key_id: str) -> float:
        """Return what a key has cost today."""
        self._turn_page()
        return self._spent_usd.get(key_id, 0.0)

    def charge(self, key_id: str, usd: float) -> None:
        """Add to what a key has cost; when that uses its budget up, all its sessions are told."""
        self._turn_page()
        before = self._spent_usd.get(key_id, 0.0)
        self._spent_usd[key_id] = before + usd
        if self._budget_usd and before < self._budget_usd <= before + usd:
            for told in tuple(self._open.get(key_id, ())):
                told(self.message)

    def check(self, key_id: str) -> None:
        """Make sure that a key may spend something today.

        Raises:
            Refused: it may not.
        """
        if self._budget_usd and self.spent_usd(key_id) >= self._budget_usd:
            seconds = DAY_SECONDS - int(self._unix_now()) % DAY_SECONDS
            headers = {"Retry-After": str(seconds)}
            raise Refused(429, "insufficient_quota", self.message, type="insufficient_quota", headers=headers)

    def enter(self, key_id: str, told: Told) -> Callable[[], None]:
        """Have a session told when its key's budget is used up; call what is returned when it ends."""
        sessions = self._open.setdefault(key_id, set())
        sessions.add(told)

        def leave() -> None:
            sessions.discard(told)
            if not sessions and self._open.get(key_id) is sessions:
                del self._open[key_id]

        return leave

    @property
    def message(self) -> str:
        """What is told of a budget that is used up."""
        return (
            f"The budget of this API key for today, ${self._budget_usd:g}, is used up. "
            "It begins anew at midnight (UTC)."
        )

    def _turn_page(self) -> None:
        day = int(self._unix_now()) // DAY_SECONDS
        if day != self._day:
            self._day = day
            self._spent_usd.clear()
