"""One link: a connection to an upstream, and what is particular to it.

States: dialling -> open (the upstream has not said `session.created`) -> ready (it has, and is told nothing yet)
-> live (it holds the conversation) -> gone.  Called by `relay.session`.
"""

from __future__ import annotations

import enum
import math
from collections import Counter, deque

from .bridges import BetaUpstream
from .effects import Place
from .renaming import Renaming
from .sound import Sound
from .terms import Object


class State(enum.Enum):
    """How far a link is."""

    DIALLING = enum.auto()
    OPEN = enum.auto()
    READY = enum.auto()
    LIVE = enum.auto()
    GONE = enum.auto()


class Link:
    """One connection to an upstream."""

    def __init__(self, number: int, reason: str) -> None:
        """Begin to dial.

        Args:
            number: what the world knows it by.
            reason: what it is for, as in `effects.Dial`.
        """
        self.number = number
        self.reason = reason
        self.state = State.DIALLING
        self.place = Place(upstream="")
        """What it leads to; known when it is open."""
        self.bridge: BetaUpstream | None = None
        """How its upstream spells events; None for GA."""
        self.sound: Sound | None = None
        """What audio has to be converted for it; None for none."""
        self.opened_at = 0.0
        self.session_seconds = 0.0
        """How long its session lives; 0 for as long as it likes."""
        self.fault: Object | None = None
        """The error that it announced before it was lost."""
        self.told: set[str] = set()
        """Items that it was told of rather than having made or heard them."""
        self.echoes: Counter[str] = Counter()
        """How often it will say of items what the client knows already; one that is told anew in another form is
        echoed once for each."""
        self.awaited: deque[str] = deque()
        """The same as far as they were not echoed yet, in order: some servers give ids of their own."""
        self.updates = 0
        """How many of our own settings it has not confirmed yet."""
        self.removals: Counter[str] = Counter()
        """How often it will tell that items were removed, which was our own idea."""
        self.offset_ms = 0.0
        """Where its clock of audio began, on the client's."""
        self.ids = Renaming()
        """Items that this upstream calls otherwise than the client."""

    @property
    def is_beta(self) -> bool:
        """Whether its upstream speaks the beta shape."""
        return self.bridge is not None

    def was_told(self, item_id: object) -> bool:
        """Return whether its upstream was told of an item rather than having made or heard it."""
        return isinstance(item_id, str) and item_id in self.told

    def learn_lifetime(self, session: Object, now: float, created_unix: float) -> None:
        """Take the upstream's word for how long its session lives, where that is shorter than what was said of it.

        Args:
            session: as `session.created` showed it.
            now: session time.
            created_unix: session time 0, in unix seconds.
        """
        expires_at = session.get("expires_at")
        if isinstance(expires_at, int | float) and expires_at > created_unix + now:
            seconds = expires_at - created_unix - self.opened_at
            self.session_seconds = min(self.session_seconds or math.inf, seconds)

    def echoed(self, item_id: str) -> bool:
        """Take note that an item is done; return whether the client knew that already."""
        return _taken(self.echoes, item_id)

    def removed(self, item_id: str) -> bool:
        """Take note that an item was removed; return whether that was our own idea."""
        return _taken(self.removals, item_id)


def _taken(expected: Counter[str], item_id: str) -> bool:
    if item_id not in expected:
        return False
    expected[item_id] -= 1
    if not expected[item_id]:
        del expected[item_id]
    return True
