"""What a client is playing, as far as it can be told: audio plays as it comes, one piece after the other.

A client on a WebSocket never says what it played.  What it was sent begins to play when it arrives, or when what came
before has ended; a client that is told to stop stops at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from . import events as ev
from .effects import Effect, Send

KEPT = 64
"""Stretches that are remembered: those of the last answers, which alone may still be asked for."""


class _Stretch(msgspec.Struct):
    """Audio of one item: what plays without a break, and how much of the item came to its end before that."""

    item_id: str
    begins_at: float
    """Session time in seconds."""
    ms: float
    before_ms: float = 0.0

    def heard_ms(self, now: float) -> float:
        return self.before_ms + min(self.ms, max(0.0, (now - self.begins_at) * 1000))

    @property
    def ends_at(self) -> float:
        return self.begins_at + self.ms / 1000


class Playing:
    """The playback of one session's conversation."""

    def __init__(self) -> None:
        self._stretches: deque[_Stretch] = deque(maxlen=KEPT)
        self._ends_at = 0.0

    @property
    def ends_at(self) -> float:
        """Session time at which everything that was sent has been played; 0 when nothing ever was."""
        return self._ends_at

    def remaining_ms(self, now: float) -> int:
        """Return how much is still to be played."""
        return max(0, round((self.ends_at - now) * 1000))

    def item_at(self, now: float) -> str | None:
        """Return the id of the item that is playing, None in silence."""
        return next((s.item_id for s in self._stretches if s.begins_at <= now < s.ends_at), None)

    def heard_ms(self, item_id: str, now: float) -> int:
        """Return how much of an item has been played by now."""
        return round(sum(stretch.heard_ms(now) for stretch in self._stretches if stretch.item_id == item_id))

    def unfinished(self, now: float) -> dict[str, int]:
        """Return how much has been played of each item that has not been played to its end."""
        ids = {stretch.item_id: None for stretch in self._stretches if stretch.ends_at > now}
        return {item_id: self.heard_ms(item_id, now) for item_id in ids}

    def send(self, effects: Iterable[Effect], bytes_per_ms: int, now: float) -> None:
        """Learn what the client is sent, whose audio takes so much a millisecond."""
        for effect in effects:
            if type(effect) is Send and type(event := effect.event) is ev.AudioDelta:
                self.add(event.item_id, len(event.delta) / bytes_per_ms, now)

    def add(self, item_id: str, ms: float, now: float) -> None:
        """Learn that audio of an item was sent."""
        last = self._stretches[-1] if self._stretches else None
        if last is None or last.item_id != item_id:
            last = _Stretch(item_id, max(now, self._ends_at), 0.0)
            self._stretches.append(last)
        elif self._ends_at <= now:
            # A voice that is slower than it is played leaves a gap after every piece: an item is one stretch all
            # the same, or a long one would be forgotten from its beginning.
            last.before_ms, last.begins_at, last.ms = last.before_ms + last.ms, now, 0.0
        last.ms += ms
        self._ends_at = last.begins_at + last.ms / 1000

    def stop(self, now: float) -> None:
        """Learn that the client plays nothing more of what it was sent."""
        while self._stretches and (last := self._stretches[-1]).begins_at >= now and not last.before_ms:
            self._stretches.pop()
        if self._stretches and (last := self._stretches[-1]).ends_at > now:
            last.ms = max(0.0, (now - last.begins_at) * 1000)
        self._ends_at = self._stretches[-1].ends_at if self._stretches else 0.0
