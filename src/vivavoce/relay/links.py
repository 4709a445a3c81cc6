"""One link: a connection to an upstream, and what is particular to it.

States: dialling -> open (the upstream has not said `session.created`) -> ready (it has, and is told nothing yet)
-> live (it holds the conversation) -> gone.  Called by `relay.session`.
"""

from __future__ import annotations

import enum
import math
from collections import Counter, deque
from typing import TypeGuard

import msgspec

from .bridges import BetaUpstream
from .effects import Place
from .outbox import CREATE, DELETE, UPDATE
from .renaming import Renaming
from .sound import Sound
from .terms import Object

_LEAST_SECONDS = 5.0
"""No session is so short, and one that were would be renewed without end."""


class State(enum.Enum):
    """How far a link is."""

    DIALLING = enum.auto()
    OPEN = enum.auto()
    READY = enum.auto()
    LIVE = enum.auto()
    GONE = enum.auto()


class Ours(msgspec.Struct, frozen=True):
    """An event of our own that an upstream was sent."""

    kind: bytes
    """Its type, in GA spelling."""
    item_id: str
    """The item that it is about; empty for none."""


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
        self.ours: dict[str, Ours] = {}
        """What it was sent of our own and may yet refuse, by event id."""
        self.settings: Object = {}
        """Those of the client that it was told."""
        self._lists: Counter[str] = Counter()
        """Servers of remote tools, by label, whose tools it will list because of them."""
        self.updates = 0
        """How many of our own settings it has not confirmed yet."""
        self.recommitted: deque[str] = deque()
        """Turns that it is to write down again, in order, of which it has not made items yet."""
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
            if seconds < _LEAST_SECONDS:
                return  # its clock is wrong
            self.session_seconds = min(self.session_seconds or math.inf, seconds)

    def expect_lists(self, tools: object) -> None:
        """Take note of the remote tools in settings that it is told."""
        labels = [tool.get("server_label") for tool in tools if isinstance(tool, dict)] if _is_list(tools) else []
        self._lists = Counter(label for label in labels if isinstance(label, str))

    def is_recommitted(self, theirs: str) -> bool:
        """Take note of a turn; return whether the client knows it already."""
        if not self.recommitted:
            return False
        ours = self.recommitted.popleft()
        self.ids.add(theirs, ours)
        self.echoes[ours] += 1
        return True

    def listed(self, label: object) -> bool:
        """Take note of a list of remote tools; return whether it comes of settings that it was told by us."""
        return isinstance(label, str) and _taken(self._lists, label)

    def echoing(self, item_id: str) -> None:
        """Take note that it has an item that it was told of."""
        if item_id in self.awaited:
            self.awaited.remove(item_id)
        if not (self.awaited or self.updates or self.removals):
            self.ours.clear()

    def refused(self, event_id: str, about: bytes) -> Ours | None:
        """Take note of an error; return what of our own it refuses, None where it is about something else.

        Args:
            event_id: of the event that was refused; empty where that is not said.
            about: the type of that event; empty where that cannot be told.
        """
        if not event_id:
            # In the order in which it was told: settings, items, and only then what the client says.
            kind = UPDATE if self.updates else CREATE if self.awaited else DELETE if self.removals else b"-"
            if about not in (b"", kind):
                return None
            first = self.awaited[0] if kind == CREATE else None
            found = (key for key, each in self.ours.items() if each.kind == kind and first in (None, each.item_id))
            event_id = next(found, "")
        refused = self.ours.pop(event_id, None)
        if refused is None:
            return None
        item_id = refused.item_id
        if refused.kind == UPDATE:
            self.updates -= 1
        elif refused.kind == DELETE:
            _taken(self.removals, item_id)
        else:
            _taken(self.echoes, item_id)
            self.echoing(item_id)
        return refused

    def echoed(self, item_id: str) -> bool:
        """Take note that an item is done; return whether the client knew that already."""
        return _taken(self.echoes, item_id)

    def removed(self, item_id: str) -> bool:
        """Take note that an item was removed; return whether that was our own idea."""
        return _taken(self.removals, item_id)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _taken(expected: Counter[str], item_id: str) -> bool:
    if item_id not in expected:
        return False
    expected[item_id] -= 1
    if not expected[item_id]:
        del expected[item_id]
    return True
