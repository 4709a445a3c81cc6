"""A circuit breaker: whether an upstream is worth trying, by how it has done lately.

    CLOSED     it may be tried
    OPEN       it may not, until some time has passed
    HALF_OPEN  one trial is under way, and nobody else may try

    CLOSED -> OPEN        too many failures, one after the other or in a share of late tries; or too slow
    OPEN -> HALF_OPEN     the time has passed and somebody tries
    HALF_OPEN -> CLOSED   the trial did what it had been opened for
    HALF_OPEN -> OPEN     it did not; the next wait is longer
    OPEN -> CLOSED        somebody was connected all the same, or is answered when the time has passed

What counts is the way to a session (`connect`) and the way to an answer (`answer`).  One that cannot answer may still
be connected to, so only an answer closes what answers have opened.  Time and chance are arguments.  Called by
`server.routes`.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Literal

import msgspec

__all__ = ["Breaker", "Rules", "State"]

Way = Literal["connect", "answer"]

_MOST_KEPT = 1000
"""Late outcomes that are remembered of each way: enough for a share, whatever the traffic."""


class State(enum.Enum):
    """Whether an upstream may be tried."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """When a breaker opens, and for how long."""

    failures_in_a_row: int = 3
    """Connections that fail one after the other."""
    window_seconds: float = 60.0
    """How long an outcome counts towards shares."""
    least_outcomes: int = 8
    """Outcomes within the window below which no share of failures is judged."""
    least_timed: int = 20
    """Successes within the window below which no slowness is judged: of fewer, one alone is more than 5 of 100."""
    failure_share: float = 0.5
    """Share of failures that is too much."""
    connect_seconds: float = 5.0
    """What 95 of 100 connections have to be faster than."""
    answer_seconds: float = 10.0
    """What the first events of 95 of 100 responses have to be faster than."""
    first_wait_seconds: float = 2.0
    """How long it stays open at first; each time in a row doubles that."""
    most_wait_seconds: float = 120.0
    """The longest that it stays open."""
    trial_seconds: float = 30.0
    """After how long a trial of which nothing was heard counts no longer."""


class _Way:
    """The late outcomes of one way."""

    def __init__(self, rules: Rules, bound_seconds: float) -> None:
        self._rules = rules
        self._bound_seconds = bound_seconds
        self._outcomes: deque[tuple[float, float | None]] = deque(maxlen=_MOST_KEPT)
        """When each came, and how many seconds it took; None for a failure."""
        self.failures_in_a_row = 0

    def add(self, now: float, seconds: float | None) -> None:
        self.failures_in_a_row = self.failures_in_a_row + 1 if seconds is None else 0
        self._outcomes.append((now, seconds))
        while self._outcomes[0][0] < now - self._rules.window_seconds:
            self._outcomes.popleft()

    def forget(self) -> None:
        self._outcomes.clear()
        self.failures_in_a_row = 0

    @property
    def is_bad(self) -> bool:
        """Whether too many late outcomes were failures, or too slow."""
        count = len(self._outcomes)
        times = sorted(seconds for _, seconds in self._outcomes if seconds is not None)
        if count >= self._rules.least_outcomes and count - len(times) >= self._rules.failure_share * count:
            return True
        return len(times) >= self._rules.least_timed and times[(len(times) * 95 - 1) // 100] > self._bound_seconds


class Breaker:
    """The breaker of one upstream."""

    def __init__(self, rules: Rules = Rules()) -> None:  # noqa: B008 - frozen
        """Begin closed."""
        self._rules = rules
        self._ways: dict[Way, _Way] = {
            "connect": _Way(rules, rules.connect_seconds),
            "answer": _Way(rules, rules.answer_seconds),
        }
        self._state = State.CLOSED
        self._cause: Way = "connect"
        """The way that it was opened for."""
        self._wait_until = 0.0
        self._trial_until = 0.0
        self._openings = 0
        """How often it has opened in a row."""
        self._closed_at = float("-inf")
        self.failed_at = float("-inf")
        """When it last failed."""

    @property
    def state(self) -> State:
        """Whether it may be tried."""
        return self._state

    def allows(self, now: float) -> bool:
        """Return whether it may be tried."""
        match self._state:
            case State.CLOSED:
                return True
            case State.OPEN:
                return now >= self._wait_until
            case State.HALF_OPEN:
                return now >= self._trial_until

    def begin(self, now: float) -> None:
        """Somebody tries, whether it is allowed or not."""
        if self._state is not State.CLOSED and self.allows(now):
            self._state = State.HALF_OPEN
            self._trial_until = now + self._rules.trial_seconds

    def succeeded(self, way: Way, seconds: float, now: float, chance: float) -> None:
        """It was connected to, or began to answer, after so many seconds; `chance` is one from 0 to 1."""
        judged = self._ways[way]
        bound = self._rules.connect_seconds if way == "connect" else self._rules.answer_seconds
        if self._state is State.CLOSED:
            judged.add(now, seconds)
            if judged.is_bad:
                self._open(way, now, chance)
        elif way == self._cause and seconds <= bound and self._is_proof(now):
            self._state = State.CLOSED
            self._closed_at = now
            for each in self._ways.values():
                each.forget()
        elif way == self._cause and self._state is State.HALF_OPEN:
            self._open(way, now, chance)

    def _is_proof(self, now: float) -> bool:
        """Return whether a success shows that it is well again.

        Sessions that were there before it opened go on, and one that answers every other time does not get better by
        the times that it does.
        """
        return self._state is State.HALF_OPEN or self._cause == "connect" or now >= self._wait_until

    def failed(self, way: Way, now: float, chance: float, *, is_final: bool = False) -> None:
        """It could not be connected to, or did not answer.

        Args:
            way: which of the two.
            now: when.
            chance: from 0 to 1.
            is_final: whether the next try will surely fail as well, so that this one is enough.
        """
        self.failed_at = now
        if self._state is State.CLOSED:
            judged = self._ways[way]
            judged.add(now, None)
            in_a_row = way == "connect" and judged.failures_in_a_row >= self._rules.failures_in_a_row
            if is_final or in_a_row or judged.is_bad:
                self._open(way, now, chance)
        elif self._state is State.HALF_OPEN:
            self._open(way, now, chance)

    def _open(self, cause: Way, now: float, chance: float) -> None:
        # One that fails again soon after it was closed has not got better.
        relapse = self._state is not State.CLOSED or now < self._closed_at + self._rules.window_seconds
        self._openings = self._openings + 1 if relapse else 1
        # The exponent is bounded, for a number that is doubled for a week is no float any more.
        longest = self._rules.first_wait_seconds * 2.0 ** min(self._openings - 1, 30)
        # Half of it by chance, so that many processes do not come back in one moment.
        wait = min(longest, self._rules.most_wait_seconds) * (0.5 + chance / 2)
        self._state, self._cause, self._wait_until = State.OPEN, cause, now + wait
