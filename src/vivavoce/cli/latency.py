"""How long one waits for an answer: from the end of speech to its commit, its words and the first audio."""

from __future__ import annotations

from collections import deque
from statistics import median

import msgspec


class Turn(msgspec.Struct):
    """One turn of the user; times are those of one clock, in seconds."""

    number: int
    speech_ended: float | None
    """None when it is not known."""
    committed: float
    transcribed: float | None = None
    first_audio: float | None = None

    def line(self) -> str:
        """Return the latencies for people."""
        begin = self.committed if self.speech_ended is None else self.speech_ended
        known = [("committed", self.committed), ("words", self.transcribed), ("first audio", self.first_audio)]
        told = [f"{name} {(at - begin) * 1000:.0f} ms" for name, at in known if at is not None]
        since = "the commit" if self.speech_ended is None else "the end of speech"
        return f"   turn {self.number}, after {since}: {', '.join(told)}"


class Latencies:
    """The turns of a conversation."""

    _REMEMBERED_S = 60.0
    """The end of speech is told within the longest silence that is waited for, so a minute is ample."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._by_item: dict[str, Turn] = {}
        self._by_response: dict[str, Turn] = {}
        self._sent: deque[tuple[int, float]] = deque()
        """Milliseconds of audio sent, and when that was."""

    def sent(self, audio_ms: int, now: float) -> None:
        """Note that audio up to a millisecond of the session was sent."""
        self._sent.append((audio_ms, now))
        while now - self._sent[0][1] > self._REMEMBERED_S:
            self._sent.popleft()

    def sent_at(self, audio_ms: int) -> float | None:
        """Return when a millisecond of the session's audio was sent, None when that is forgotten."""
        return next((at for ms, at in self._sent if ms >= audio_ms), None)

    def committed(self, item_id: str, speech_ended: float | None, now: float) -> None:
        """Note the commit of a turn."""
        turn = Turn(len(self.turns) + 1, speech_ended, now)
        self.turns.append(turn)
        self._by_item[item_id] = turn

    def transcribed(self, item_id: str, now: float) -> None:
        """Note that the words of a turn came."""
        if item_id in self._by_item:
            self._by_item[item_id].transcribed = now

    def responding(self, response_id: str) -> None:
        """Note that the latest turn is being answered."""
        if self.turns:
            self._by_response[response_id] = self.turns[-1]

    def audio(self, response_id: str, now: float) -> None:
        """Note audio of an answer."""
        turn = self._by_response.get(response_id)
        if turn is not None and turn.first_audio is None:
            turn.first_audio = now

    def answered(self, response_id: str) -> Turn | None:
        """Return the turn that a response answered, None when it answered none."""
        return self._by_response.pop(response_id, None)

    def summary(self) -> str:
        """Return the usual wait for the first audio in one line, empty for fewer than two answered turns."""
        waits = [
            turn.first_audio - turn.speech_ended
            for turn in self.turns
            if turn.first_audio is not None and turn.speech_ended is not None
        ]
        if len(waits) < 2:
            return ""
        usual, worst = median(waits) * 1000, max(waits) * 1000
        return f"   {len(waits)} turns, first audio {usual:.0f} ms after speech (median), {worst:.0f} ms at most"
