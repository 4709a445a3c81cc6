"""Idling: the silence after an answer, which makes the server speak again when it lasts for too long.

States: off -> (an answer to the user is done) -> waiting -> (anything else happens) -> off.  The wait begins when the
answer has been played, and is told by what the session asks of the world alone, so nothing has to report to it.
`core.consequences` tells it, and what the wait leads to is the business of `core.session`.
"""

from __future__ import annotations

from . import events as ev
from .formats import TICKS_PER_MS
from .items import FunctionCallOutput, Message
from .settings import ServerVad, TurnDetection

TELLING = frozenset((ev.ResponseDone, ev.ResponseCreated, ev.SpeechStarted, ev.BufferCommitted, ev.ItemAdded))
"""Events that begin the wait or end it."""


class Idling:
    """The wait of one session."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._from_tick: int | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether an answer was the last thing that happened."""
        return self._since is not None

    def due_at(self, detection: TurnDetection | None) -> float | None:
        """Return the session time at which the wait is over under these settings; None when there is none."""
        if self._since is None or not isinstance(detection, ServerVad) or detection.idle_timeout_ms is None:
            return None
        return self._since + detection.idle_timeout_ms / 1000

    def began_ms(self, end_tick: int) -> int:
        """Return where on the audio clock the wait began; `end_tick`, where it ends, if no audio came meanwhile."""
        return (end_tick if self._from_tick is None else self._from_tick) // TICKS_PER_MS

    def restart(self, now: float) -> None:
        """Begin the wait anew, if there is one: there was a sound that turned out to be nothing."""
        if self._since is not None and now > self._since:
            self._since = now
            self._from_tick = None

    def hear(self, at: int, now: float) -> None:
        """Learn that audio came, whose first sample has this tick."""
        if self._since is not None and self._from_tick is None and now >= self._since:
            self._from_tick = at

    def see(self, event: ev.ServerEvent, now: float, played_at: float) -> None:
        """Learn what a client is told; `played_at` is when all it was sent will have been played."""
        match event:
            case ev.ResponseDone(response=response) if response.conversation_id is not None:
                # After a function call the application is waited for, and after a failure there is nothing that the
                # user could answer.
                is_answer = bool(response.output) and isinstance(response.output[-1], Message)
                if is_answer and response.status in ("completed", "incomplete"):
                    self._since, self._from_tick = max(now, played_at), None
            case ev.ResponseCreated(response=response) if response.conversation_id is not None:
                self._since = None
            case ev.SpeechStarted() | ev.BufferCommitted():
                self._since = None
            case ev.ItemAdded(item=Message() | FunctionCallOutput()):
                self._since = None
            case _:
                pass
