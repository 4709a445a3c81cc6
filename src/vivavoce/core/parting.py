"""The end of a session whose money is used up: what is being answered is answered, one sentence is said, and it closes.

States: answering -> parting (the sentence is said and played) -> over.  Called by `core.session` after each input, once
its accounts say that nothing more may be spent.
"""

from __future__ import annotations

from .answering import Answering
from .effects import Effect
from .settings import Settings

GRACE_SECONDS = 1.0
"""How much later than the sentence should have been played the connection closes: networks and sound cards hold some
of it back, and clients stop playing when they are cut off."""


class Parting:
    """The way one session ends."""

    def __init__(self, answering: Answering, words: str) -> None:
        """Begin with nothing said; `words` are what is to be said, and may be none."""
        self._answering = answering
        self._words = words
        self._has_begun = False

    @property
    def over_at(self) -> float | None:
        """Session time at which everything has been said and heard; None while there is more to be said."""
        if not self._has_begun or self._answering.is_busy:
            return None
        ends_at = self._answering.playing.ends_at
        return ends_at + GRACE_SECONDS if ends_at else 0.0

    def advance(self, settings: Settings, now: float) -> list[Effect]:
        """Say what is to be said, once nothing else is."""
        if self._has_begun or self._answering.is_busy:
            return []
        self._has_begun = True
        if settings.kind != "realtime" or not self._words:
            return []
        return self._answering.part(self._words, settings, now)
