"""What follows from what a session asks for, whoever asked: charges, the wait for the user, and the end of the money.

Nothing that costs money or begins a wait has to report it; the effects of each input are looked through once instead.
Most of them are audio, from which nothing follows, so that they are told from the others by their type alone.  Called
by `core.session` after each input.
"""

from __future__ import annotations

from . import events as ev
from .accounts import Accounts
from .answering import Answering
from .effects import Effect, Listen, Send
from .idling import TELLING, Idling
from .parting import Parting
from .settings import Settings

_WEIGHTY = TELLING | {ev.TranscriptionCompleted}
"""Events from which something follows."""


class Consequences:
    """What follows from the effects of one session."""

    def __init__(self, answering: Answering, accounts: Accounts, parting_words: str) -> None:
        """Begin with nothing that anything followed from.

        Args:
            answering: what says the last words.
            accounts: what things cost.
            parting_words: said when nothing more may be spent; may be empty.
        """
        self._answering = answering
        self._accounts = accounts
        self._parting = Parting(answering, parting_words)
        self.idling = Idling()
        """The wait for the user after an answer."""

    @property
    def over_at(self) -> float | None:
        """Session time at which the session is over for want of money; None while that is not known."""
        return None if self._accounts.fault is None else self._parting.over_at

    def draw(self, effects: list[Effect], settings: Settings, now: float) -> None:
        """Add to the effects of an input what has to be paid for them."""
        charges: list[Effect] = []
        for effect in effects:
            if type(effect) is Send:
                if type(effect.event) in _WEIGHTY:
                    self._weigh(effect.event, charges, settings, now)
            elif type(effect) is Listen:
                self.idling.hear(effect.at, now)
        effects += charges

    def part(self, settings: Settings, now: float) -> list[Effect]:
        """Return what is said when nothing more may be spent, once nothing else is."""
        return self._parting.advance(settings, now)

    def _weigh(self, event: ev.ServerEvent, charges: list[Effect], settings: Settings, now: float) -> None:
        if isinstance(event, ev.TranscriptionCompleted):
            charges += self._accounts.transcribed(event, settings)
        else:
            self.idling.see(event, now, self._answering.playing.ends_at)
