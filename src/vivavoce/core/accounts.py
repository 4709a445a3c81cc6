"""The accounts of a session: what it has cost so far, and whether that is all that it may.

States: open -> used up (its own budget, or that of the key that opened it).  What follows is `core.parting`'s business.
Called by whatever in a session uses something that has a price.
"""

from __future__ import annotations

import msgspec

from . import events as ev
from .effects import Charge, Effect
from .errors import ProtocolError
from .money import of_response, of_time, of_transcription, rate_of
from .service import Service
from .settings import Settings
from .states import Cost, Usage

COST = "response.usage.cost"
"""What a client includes to be told what each response costs; an extension."""
CODE = "insufficient_quota"
"""Type and code of the error that says that money is used up."""
_LUMP_SECONDS = 10.0
"""Audio that is charged by time is charged in pieces of this length: fifty charges a second would help nobody."""


class Accounts:
    """What one session has cost."""

    def __init__(self, service: Service) -> None:
        """Begin with nothing spent."""
        self._rates = service.rates
        self._budget_usd = service.budget_usd
        self.spent_usd = 0.0
        """US dollars."""
        self.tokens = 0
        """Tokens of all responses together, those that were cached included."""
        self._uncharged_seconds = 0.0
        self.fault: ProtocolError | None = None
        """Why nothing more may be spent; None while something may."""

    def check(self) -> None:
        """Raise `ProtocolError` when nothing more may be spent."""
        if self.fault is not None:
            raise ProtocolError(CODE, self.fault.message, type=CODE)

    def exhaust(self, message: str) -> None:
        """Learn that nothing more may be spent, whatever the session's own budget is."""
        self.fault = self.fault or ProtocolError(CODE, message, type=CODE)

    def count(self, usage: Usage, settings: Settings, charges: list[Effect]) -> Usage:
        """Return the usage of a response that ended, with its cost for a client that asked; add to the charges."""
        usd = of_response(usage, rate_of(settings.model, self._rates))
        self.tokens += usage.input_tokens + usage.output_tokens
        charges += self._charge(usd)
        if COST not in (settings.include or ()):
            return usage
        return msgspec.structs.replace(usage, cost=Cost(usd, self.spent_usd))

    def transcribed(self, transcript: ev.TranscriptionCompleted, settings: Settings) -> list[Effect]:
        """Return the charge for what a client is told that the user said."""
        model = settings.transcription.model if settings.transcription is not None else ""
        return self._charge(of_transcription(transcript.seconds, transcript.tokens, rate_of(model, self._rates)))

    def hear(self, seconds: float, model: str) -> list[Effect]:
        """Return the charge for audio that a model is given which is charged by time."""
        self._uncharged_seconds += seconds
        return self.settle(model) if self._uncharged_seconds >= _LUMP_SECONDS else []

    def settle(self, model: str) -> list[Effect]:
        """Return the charge for audio that was not charged yet."""
        seconds, self._uncharged_seconds = self._uncharged_seconds, 0.0
        return self._charge(of_time(seconds, rate_of(model, self._rates)))

    def _charge(self, usd: float) -> list[Effect]:
        if not usd:
            return []
        self.spent_usd += usd
        if self._budget_usd is not None and self.spent_usd >= self._budget_usd:
            self.exhaust(f"The budget of this session, ${self._budget_usd:g}, is used up.")
        return [Charge(usd)]
