"""Words that are told while, or soon after, they are said: which of them the client has had already.

An upstream that hears a turn from its beginning writes it down from its beginning, too.  Called by `relay.standing`.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from .links import Link
from .terms import Object

_MOST_ITEMS = 64
"""Items of which the end is awaited; of more, the oldest will have none."""


class _Words(msgspec.Struct):
    link: int
    told: int = 0
    """Characters that the client has had."""
    heard: int = 0
    """Characters that this link has told."""


class Overheard:
    """The deltas of transcripts in one conversation."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._items: OrderedDict[str, _Words] = OrderedDict()

    def see(self, link: Link, item_id: str, event: Object) -> Object | None:
        """Take a delta; return it with what the client has not had of it, None for nothing."""
        delta = event.get("delta") or ""
        words = self._items.get(item_id)
        if words is None:
            words = self._items[item_id] = _Words(link.number)
            if len(self._items) > _MOST_ITEMS:
                self._items.popitem(last=False)
        if words.link != link.number:
            words.link, words.heard = link.number, 0
        words.heard += len(delta)
        fresh = words.heard - words.told
        if fresh >= len(delta):
            words.told = words.heard
            return event
        if fresh <= 0:
            return None
        words.told = words.heard
        return event | {"delta": delta[-fresh:]}

    def end(self, item_id: str) -> None:
        """Learn that the words of an item are known, or never will be."""
        self._items.pop(item_id, None)
