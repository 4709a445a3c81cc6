"""A recording written down: cut at its pauses by voice activity, each stretch of speech recognised by itself.

The work is done by the same ears as a session's, but behind people who speak: stretches go to decoders as recordings
do, and no more audio is given to the ears than keeps them busy.  Whatever brings the sound is therefore slowed to the
pace of the recogniser, and a recording of hours is never in memory as a whole.  Called by `server.rest`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import msgspec

from ..core.effects import Vocabulary
from ..core.errors import EngineError
from ..core.formats import PCM_16K, TICKS_PER_MS
from ..core.reports import Deafened, Heard, Report, Transcribed, TranscriptionFailed, Word
from ..core.settings import ServerVad
from ..core.turns import ONSET_FRAMES, Started, Stopped, Turns
from .api import Ears, Hearing

RATE_HZ = PCM_16K.rate
"""Samples a second of the s16le mono that is given."""
_FRAME_TICKS = 32 * TICKS_PER_MS
_AHEAD_TICKS = 2_000 * TICKS_PER_MS
"""Audio that the ears may be behind: enough that their thread never starves."""
_OWED = 2
"""Stretches that may wait for their words while another is cut: each holds a decoder, which takes 90 MB."""
_ENOUGH_TICKS = 10_000 * TICKS_PER_MS
_BREATH_FRAMES = 5
_BREATH = 0.3
"""Speech of 10 s may be cut at a breath as well, 160 ms in which hardly anybody can be heard to speak, so that whoever
follows the text need not wait for the next pause."""
_LONGEST_TICKS = 30_000 * TICKS_PER_MS
_SHORTEST_TICKS = 15_000 * TICKS_PER_MS
"""Speech without a pause is cut after at most 30 s, where the voice was weakest after the first 15."""


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of speech in a recording."""

    start_ms: int
    """From the beginning of the recording: where its first word begins."""
    end_ms: int
    """Where its last word ends."""
    text: str
    words: tuple[Word, ...]
    """Its words, timed from the beginning of the recording."""
    voice: float
    """Mean probability that someone speaks, 0 to 1."""


class _Cut:
    """A stretch that was cut out of the recording and is being recognised."""

    def __init__(self, item_id: str, start: int, voice: float) -> None:
        self.item_id = item_id
        self.start_ms = start // TICKS_PER_MS
        self.voice = voice
        self.result: Transcribed | TranscriptionFailed | None = None

    def stretch(self) -> Stretch | None:
        """Return the stretch with its words; None where it has none.

        Raises:
            EngineError: it could not be recognised.
        """
        found, at = self.result, self.start_ms
        if isinstance(found, TranscriptionFailed):
            raise EngineError(found.message, found.code)
        if found is None or not found.words:
            return None
        words = tuple(Word(w.text, at + w.start_ms, at + w.end_ms, w.confidence) for w in found.words)
        return Stretch(words[0].start_ms, words[-1].end_ms, found.text, words, self.voice)


class Recording:
    """One recording being written down."""

    def __init__(self, hearing: Hearing, vocabulary: Vocabulary, detection: ServerVad) -> None:
        """Prepare.

        Args:
            hearing: opens the ears.
            vocabulary: what is likely to be said.
            detection: what counts as speech and as a pause.
        """
        self.duration_ms = 0
        """How much has been given so far."""
        self._ears: Ears = hearing.open(self._receive)
        self._vocabulary = vocabulary
        self._turns = Turns(detection)
        self._keep_ticks = (detection.prefix_padding_ms + (ONSET_FRAMES + 1) * 32) * TICKS_PER_MS
        self._pcm = bytearray()
        """What may still be part of a stretch."""
        self._from = 0
        """Tick at which `_pcm` begins."""
        self._end = 0
        """Tick at which the sound that was given ends."""
        self._heard = 0
        self._start: int | None = None
        """Tick at which the stretch under way begins."""
        self._judged: deque[tuple[int, float]] = deque()
        """Ends of the frames of that stretch, and how likely they are speech."""
        self._breath = 0
        """Frames of late in which hardly anybody spoke."""
        self._cuts: deque[_Cut] = deque()
        self._made = 0
        self._failure: EngineError | None = None
        self._news = asyncio.Event()

    async def stretches(self, sound: AsyncGenerator[bytes, None]) -> AsyncGenerator[Stretch, None]:
        """Yield the stretches of speech in `sound` that have words, in order, as soon as each is understood.

        Raises:
            EngineError: hearing failed.
        """
        try:
            async with aclosing(sound) as pieces:
                async for piece in pieces:
                    self._listen(piece)
                    while self._is_behind:
                        await self._next_news()
                        for stretch in self._finished():
                            yield stretch
            # Two frames of silence complete the last one, so that everything is judged.
            self._ears.listen(bytes(64 * PCM_16K.bytes_per_ms), PCM_16K, self._end, True)
            while self._heard < self._end:
                await self._next_news()
            if self._start is not None:
                self._cut(self._end)
            while self._cuts:
                for stretch in self._finished():
                    yield stretch
                if self._cuts:
                    await self._next_news()
        finally:
            self._ears.close()

    @property
    def _is_behind(self) -> bool:
        return self._end - self._heard > _AHEAD_TICKS or len(self._cuts) > _OWED

    def _listen(self, pcm: bytes) -> None:
        if pcm:
            self._ears.listen(pcm, PCM_16K, self._end, True)
            self._pcm += pcm
            self._end += PCM_16K.ticks(len(pcm))
            self.duration_ms = self._end // TICKS_PER_MS

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()
        if self._failure is not None:
            raise self._failure

    def _receive(self, report: Report) -> None:
        """Take what the ears report."""
        match report:
            case Heard():
                self._judge(report)
            case Transcribed() | TranscriptionFailed():
                for cut in self._cuts:
                    if cut.item_id == report.item_id:
                        cut.result = report
            case Deafened():
                self._failure = EngineError(f"Voice activity detection failed: {report.message}")
        self._news.set()

    def _judge(self, heard: Heard) -> None:
        """Take in a judged frame, which may begin or end a stretch."""
        self._heard = heard.at
        self._judged.append((heard.at, heard.probability))
        self._breath = self._breath + 1 if heard.probability < _BREATH else 0
        match self._turns.receive_frame(heard):
            case Started(start):
                self._start = max(start, self._from)
            case Stopped(end):
                self._cut(end)
        if self._start is None:
            self._forget(heard.at - self._keep_ticks)
        elif heard.at - self._start >= _LONGEST_TICKS:
            self._divide(min((p, at) for at, p in self._judged if at >= self._start + _SHORTEST_TICKS)[1])
        elif heard.at - self._start >= _ENOUGH_TICKS and self._breath >= _BREATH_FRAMES:
            self._divide(heard.at - _BREATH_FRAMES // 2 * _FRAME_TICKS)

    def _divide(self, tick: int) -> None:
        """Cut a stretch that goes on."""
        self._cut(tick)
        self._start = tick
        self._breath = 0

    def _cut(self, end: int) -> None:
        """Have the stretch under way recognised up to `end`."""
        assert self._start is not None
        start, self._start = self._start, None
        end = min(end, self._end)
        first, last = PCM_16K.bytes_for_ticks(start - self._from), PCM_16K.bytes_for_ticks(end - self._from)
        judged = [probability for at, probability in self._judged if start < at <= end]
        self._made += 1
        cut = _Cut(f"stretch_{self._made}", start, sum(judged) / max(1, len(judged)))
        self._cuts.append(cut)
        self._ears.recognise(cut.item_id, bytes(self._pcm[first:last]), PCM_16K, self._vocabulary)
        self._forget(end)

    def _forget(self, tick: int) -> None:
        """Keep nothing from before `tick`."""
        n_bytes = PCM_16K.bytes_for_ticks(max(0, tick - self._from))
        del self._pcm[:n_bytes]
        self._from += PCM_16K.ticks(n_bytes)
        while self._judged and self._judged[0][0] <= self._from:
            self._judged.popleft()

    def _finished(self) -> Iterator[Stretch]:
        """Yield the stretches that are understood, up to the first that is not."""
        while self._cuts and self._cuts[0].result is not None:
            stretch = self._cuts.popleft().stretch()
            if stretch is not None:
                yield stretch
