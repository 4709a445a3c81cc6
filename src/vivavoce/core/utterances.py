"""Utterances: the continuous speech of a translation session, cut where it can be, and its words in order.

States of an utterance: spoken (the user is at it) -> awaited (its words are) -> understood -> taken.  Nobody waits for
somebody who talks without a stop: the longer an utterance is, the shorter a pause ends it, and in the end none is
needed.  Whatever order recognisers finish in, words are told and taken in the order in which they were said.
"""

from __future__ import annotations

from collections import deque

import msgspec

from . import events as ev
from .buffer import InputBuffer
from .effects import Conclude, Discard, Effect, Listen, Send, Transcribe, Vocabulary
from .formats import PCM_24K, TICKS_PER_MS
from .reports import Heard, Overheard, Transcribed, TranscriptionFailed
from .response import NewId
from .settings import ServerVad
from .transcripts import unsaid
from .turns import Started, Stopped, Turns

PAUSES_MS = ((20_000, 0), (8_000, 200), (0, 500))
"""The pause that ends an utterance of at least so many milliseconds: 500 ms lie between most sentences, 200 ms between
phrases.  After 20 s the listener needs something, whatever becomes of the word in the middle."""
FLUSH_MS = 1000
"""Silence that is heard after the last audio, so that whatever was being said ends by itself."""
ELAPSED_STEP_MS = 200
"""Positions are told in these steps, as clients know them."""


class _Utterance(msgspec.Struct):
    """One stretch of speech on its way to its words."""

    id: str
    start: int
    """Tick."""
    end: int | None = None
    """Tick; None while it is being spoken."""
    stable: str = ""
    """The words so far that are not expected to change."""
    told: str = ""
    """Those of them that the client was told."""
    text: str | None = None
    """All its words; None until they are known."""


class Understood(msgspec.Struct, frozen=True):
    """An utterance whose words are known."""

    text: str
    elapsed_ms: int
    """How far into the input it reaches."""


class Utterances:
    """What one translation session hears."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._buffer = InputBuffer(PCM_24K, 0)
        self._turns = Turns(_detection(0))
        self._heard_to = 0
        self._open: deque[_Utterance] = deque()
        """Those whose words are not all known, or which come after such a one."""
        self._understood: deque[Understood] = deque()
        self._has_told = False
        self._finishes_at: int | None = None
        """Tick at which everything has been heard; None while more may come."""
        self.tells = False
        """Whether the client wants to be told what was said."""

    @property
    def is_finished(self) -> bool:
        """Whether no more is to come, and every utterance was taken."""
        is_heard = self._finishes_at is not None and self._heard_to >= self._finishes_at
        return is_heard and not self._open and not self._understood

    @property
    def waiting(self) -> int:
        """How many utterances can be taken."""
        return len(self._understood)

    @property
    def unheard_bytes(self) -> int:
        """How much audio was given to the ears that they have said nothing of yet."""
        return PCM_24K.bytes_for_ticks(max(0, self._buffer.end - self._heard_to))

    def append(self, audio: bytes) -> list[Effect]:
        """Hear more."""
        at = self._buffer.end
        whole = self._buffer.append(audio)
        self._buffer.trim(self._buffer.end)
        return [Listen(whole, PCM_24K, at, True)] if whole else []

    def finish(self) -> list[Effect]:
        """Hear nothing more, but silence enough for the last words to be known as such."""
        if not self._buffer.end:
            self._finishes_at = 0
            return []
        silence = self.append(bytes(PCM_24K.bytes_per_ms * FLUSH_MS))
        # A judge looks at whole frames, and may wait for a part of the next.
        self._finishes_at = self._buffer.end - FLUSH_MS // 10 * TICKS_PER_MS
        return silence

    def take(self) -> Understood | None:
        """Return what was said next, or None if that is not known yet."""
        return self._understood.popleft() if self._understood else None

    def abandon(self) -> list[Effect]:
        """Take no more interest in anything."""
        gone = [Discard(one.id) for one in self._open if one.text is None]
        self._open.clear()
        self._understood.clear()
        return list(gone)

    # -------------------------------------------------------------------------------------------------- reports

    def receive_frame(self, heard: Heard) -> list[Effect]:
        """Take in a judged frame, which may begin or end an utterance."""
        self._heard_to = heard.at
        speaking = self._speaking
        if speaking is not None:
            self._turns.configure(_detection((heard.at - speaking.start) // TICKS_PER_MS))
        match self._turns.receive_frame(heard):
            case Started(start):
                self._turns.configure(_detection(0))
                return [self._begin(start)]
            case Stopped(end) if speaking is not None:
                return [self._conclude(speaking, end)]
        if speaking is None:
            return []
        if self._finishes_at is not None and heard.at >= self._finishes_at:
            self._turns.reset(heard.at)
            return [self._conclude(speaking, heard.at)]
        if _pause_ms((heard.at - speaking.start) // TICKS_PER_MS) == 0:
            return [self._conclude(speaking, heard.at), self._begin(heard.at)]
        return []

    def receive_words(self, words: Overheard) -> list[Effect]:
        """Take in the words so far of an utterance."""
        for one in self._open:
            if one.id == words.item_id and one.text is None:
                one.stable = words.stable
        return self._tell()

    def receive_text(self, report: Transcribed | TranscriptionFailed) -> list[Effect]:
        """Take in the words of an utterance; of one that cannot be understood there are none."""
        for one in self._open:
            if one.id == report.item_id and one.text is None:
                one.text = report.text.strip() if isinstance(report, Transcribed) else ""
                if one.end is None:
                    # The recogniser gave up before the end: what is said from here on is another utterance.
                    one.end = self._heard_to
                    self._turns.reset(self._heard_to)
        out: list[Effect] = []
        while self._open and self._open[0].text is not None:
            out += self._tell()
            done = self._open.popleft()
            if done.text:
                self._understood.append(Understood(done.text, _elapsed_ms(done.end or self._heard_to)))
        return out + self._tell()

    # ------------------------------------------------------------------------------------------------ internals

    @property
    def _speaking(self) -> _Utterance | None:
        return self._open[-1] if self._open and self._open[-1].end is None else None

    def _begin(self, start: int) -> Transcribe:
        one = _Utterance(self._new_id("item"), start)
        self._open.append(one)
        return Transcribe(one.id, start, Vocabulary())

    def _conclude(self, one: _Utterance, end: int) -> Conclude:
        one.end = end
        return Conclude(one.id, end)

    def _tell(self) -> list[Effect]:
        """Return what can be told of the oldest utterance; the others have to wait for it."""
        if not self._open or not self.tells:
            return []
        one = self._open[0]
        more = unsaid(one.told, one.stable if one.text is None else one.text)
        if not more:
            return []
        begins_after_others = self._has_told and not one.told
        one.told += more
        self._has_told = True
        elapsed_ms = _elapsed_ms(self._heard_to if one.end is None else one.end)
        delta = " " + more if begins_after_others else more
        return [Send(ev.InputTranscriptDelta(self._new_id("event"), delta, elapsed_ms))]


def _pause_ms(length_ms: int) -> int:
    """Return the pause that ends an utterance that is so long already."""
    return next(pause for least, pause in PAUSES_MS if length_ms >= least)


def _detection(length_ms: int) -> ServerVad:
    return ServerVad(silence_duration_ms=_pause_ms(length_ms))


def _elapsed_ms(tick: int) -> int:
    """Return a position as clients are told it."""
    return -(-tick // (ELAPSED_STEP_MS * TICKS_PER_MS)) * ELAPSED_STEP_MS
