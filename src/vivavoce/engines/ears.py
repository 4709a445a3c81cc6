"""Ears: the hearing of all sessions of a process on shared threads.

A session's audio goes through the canal (`engines.canal`: resampling and voice activity, one thread) and, while an
utterance is open, on to a decoder (`engines.decoding`: one thread each).  A decoder is given audio only as far as the
session has been told its voice activity, so an utterance never contains what was said after its end, however fast a
client sends.  Everything in this file happens on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from ..core.effects import Vocabulary
from ..core.errors import EngineError
from ..core.formats import TICKS_PER_SECOND, AudioFormat
from ..core.reports import Deafened, Heard, Overheard, Report, Transcribed, TranscriptionFailed
from .api import Asr, AudioTurnModel, TurnModel, Vad
from .canal import Canal, Piece, Strand
from .decoding import Decoders
from .denoise import Denoising
from .pcm import TICKS
from .recognition import RecognitionEngines, Utterance

KEPT_TICKS = 6 * TICKS_PER_SECOND
"""How far back an utterance may begin: the longest prefix padding (5 s), and the frames that decide a start."""
LEARNT_TICKS = TICKS_PER_SECOND
"""How much of what came before an utterance noise reduction learns the noise from."""
WAITING_BYTES = 32 * 1024 * 1024
"""Audio of one session that may wait for decoders: 17 minutes of speech, 11 of recordings at 24 kHz."""


class _Open:
    """An utterance that is under way."""

    def __init__(self, utterance: Utterance, start: int) -> None:
        self.utterance = utterance
        self.fed_to = start
        """Tick up to which the decoder was given audio."""
        self.end: int | None = None
        """Tick at which it ends; None while it is not known."""
        self.is_fed = False
        """Whether the decoder was given any."""


class SessionEars:
    """The ears of one session: an `engines.api.Ears`."""

    def __init__(self, canal: Canal, decoders: Decoders, report: Callable[[Report], None]) -> None:
        self._canal = canal
        self._decoders = decoders
        self._report = report
        self._strand = Strand(self._deliver)
        self._track: deque[Piece] = deque()
        """The audio of late."""
        self._track_end = 0
        self._settled = 0
        """Tick up to which the session knows all there is to know of the audio."""
        self._open: dict[str, _Open] = {}
        self._others: dict[str, Utterance] = {}
        """Utterances that are over, or came whole, and whose result is awaited."""
        self._expected = Vocabulary()
        self._denoising = Denoising()
        """How the audio on the track is to be cleaned for the recogniser."""
        self._is_closed = False

    # ------------------------------------------------------------------------------------------------ the effects

    def expect(self, vocabulary: Vocabulary) -> None:
        """Prepare for a vocabulary."""
        self._expected = vocabulary
        self._decoders.prepare(vocabulary, lambda: not self._is_closed and self._expected == vocabulary)

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002
        """Hear more audio."""
        self._canal.hear(self._strand, audio, format, at, detect)

    def expect_echo(self, audio: bytes, format: AudioFormat, at: int) -> None:  # noqa: A002
        """Judge what is heard from here on by what is played, too."""
        self._canal.expect_echo(self._strand, audio, format, at)

    def denoise(self, mode: str | None, strength: float) -> None:
        """From here on, clean the audio that is recognised."""
        # It goes the way of the audio, so that it takes effect at the same sample however fast a client sends.
        self._canal.mark(self._strand, Denoising(mode, strength))

    def transcribe(
        self,
        item_id: str,
        start: int,
        vocabulary: Vocabulary,
        delay: str = "",
        is_speech: bool = True,
        asks_turn: bool = False,
    ) -> None:
        """Begin an utterance."""
        utterance = Utterance(
            item_id,
            vocabulary,
            self._recognised,
            delay=delay,
            is_speech=is_speech,
            asks_turn=asks_turn,
            denoising=self._denoising,
        )
        self._open[item_id] = _Open(utterance, start)
        self._decoders.begin(utterance)

    def conclude(self, item_id: str, end: int) -> None:
        """End an utterance."""
        opened = self._open.get(item_id)
        if opened is None:
            return
        opened.end = end
        self._feed()
        if item_id in self._open:
            # The rest is still in the canal; once this mark comes back, everything before it has arrived.
            self._canal.mark(self._strand, item_id)

    def discard(self, item_id: str) -> None:
        """Forget an utterance."""
        if opened := self._open.pop(item_id, None):
            self._decoders.abort(opened.utterance)
        if utterance := self._others.pop(item_id, None):
            self._decoders.abort(utterance)

    def recognise(self, item_id: str, audio: bytes, format: AudioFormat, vocabulary: Vocabulary) -> None:  # noqa: A002
        """Recognise audio that came whole."""
        utterance = Utterance(item_id, vocabulary, self._recognised, is_live=False)
        self._others[item_id] = utterance
        self._decoders.begin(utterance)
        self._decoders.read(utterance, audio, format)
        self._decoders.finish(utterance)
        self._check_waiting(utterance)

    def close(self) -> None:
        """Stop; no report follows."""
        self._is_closed = True
        self._strand.is_open = False
        for item_id in (*self._open, *self._others):
            self.discard(item_id)
        self._track.clear()
        # Whoever is reported to has these ears: without the way back, both are freed as soon as they are let go.
        self._report = self._strand.deliver = _ignore

    # ------------------------------------------------------------------------------------------------ the results

    def _deliver(self, found: list[Any]) -> None:
        """Take what came through the canal: audio, judged frames, marks, or the failure of it all."""
        for result in found:
            if self._is_closed:
                return
            match result:
                case Piece():
                    self._track.append(result)
                    self._track_end = result.end
                    if result.is_settled:
                        self._settled = result.end
                case Heard():
                    self._settled = result.at
                    self._report(result)
                    self._feed()
                case Denoising():
                    self._denoise(result)
                case str(item_id):
                    self._feed()
                    self._end(item_id)
                case Exception() as error:
                    self._report(Deafened(str(error) or type(error).__name__))
        self._feed()
        self._trim()

    def _feed(self) -> None:
        """Give open utterances the audio that is settled."""
        for item_id, opened in tuple(self._open.items()):
            limit = self._settled if opened.end is None else min(opened.end, self._track_end)
            self._feed_to(opened, limit)
            if self._check_waiting(opened.utterance) and opened.end is not None and opened.fed_to >= opened.end:
                self._end(item_id)

    def _feed_to(self, opened: _Open, limit: int) -> None:
        if limit <= opened.fed_to:
            return
        if not opened.is_fed:
            opened.is_fed = True
            if not self._denoising.is_off:
                before = b"".join(self._cut(opened.fed_to - LEARNT_TICKS, opened.fed_to))
                self._decoders.learn(opened.utterance, before)
        for pcm in self._cut(opened.fed_to, limit):
            self._decoders.feed(opened.utterance, pcm)
        opened.fed_to = limit

    def _cut(self, start: int, end: int) -> list[bytes]:
        """Return the audio on the track from one tick to another."""
        out = []
        for piece in self._track:
            if piece.end <= start or piece.start >= end:
                continue
            first = max(0, start - piece.start) // TICKS
            last = (min(piece.end, end) - piece.start) // TICKS
            out.append(piece.pcm[2 * first : 2 * last])
        return out

    def _denoise(self, denoising: Denoising) -> None:
        """Clean what the recogniser hears otherwise from the end of the track on."""
        self._feed()
        self._denoising = denoising
        for opened in self._open.values():
            self._decoders.denoise(opened.utterance, denoising)

    def _check_waiting(self, utterance: Utterance) -> bool:
        """Return whether an utterance may go on; one that waits behind too much other audio is given up."""
        if utterance.thread is not None:
            return True
        waiting = (*(opened.utterance for opened in self._open.values()), *self._others.values())
        if sum(other.given_bytes for other in waiting if other.thread is None) <= WAITING_BYTES:
            return True
        self.discard(utterance.item_id)
        failure = TranscriptionFailed(
            utterance.item_id, "recogniser_busy", "Too much audio waited for a free recogniser."
        )
        # Later, because the session may be in the middle of a step.
        asyncio.get_running_loop().call_soon(lambda: self._report(failure))
        return False

    def _end(self, item_id: str) -> None:
        """Let an utterance's decoder finish."""
        if opened := self._open.pop(item_id, None):
            self._others[item_id] = opened.utterance
            self._decoders.finish(opened.utterance)

    def _recognised(self, report: Overheard | Transcribed | TranscriptionFailed) -> None:
        if isinstance(report, Overheard):
            if report.item_id in self._open:
                self._report(report)
            return
        opened = self._open.pop(report.item_id, None)
        if opened is not None:
            self._decoders.abort(opened.utterance)
        if self._others.pop(report.item_id, None) is not None or opened is not None:
            self._report(report)

    def _trim(self) -> None:
        keep = min([self._settled - KEPT_TICKS, *(opened.fed_to for opened in self._open.values())])
        while self._track and self._track[0].end <= keep:
            self._track.popleft()


def _ignore(_: Any) -> None:
    """Take what is told to ears that are closed."""


class SharedHearing:
    """The hearing of a process: an `engines.api.Hearing`."""

    def __init__(
        self,
        vad: Vad,
        asr: Asr,
        turns: TurnModel,
        decoders: int | None = None,
        sound: AudioTurnModel | None = None,
    ) -> None:
        """Prepare; threads start with the first ears, or with `ready`.

        Args:
            vad: judges voice activity.
            asr: opens decoders.
            turns: judges whether words are a finished turn.
            decoders: utterances recognised at the same time; None for four per processor core.
            sound: judges whether pauses sound like the end of a turn, where only what was said ends it; None to go by
                the words alone.
        """
        self._vad = vad
        self._engines = RecognitionEngines(asr, vad, turns, sound)
        # One is held for as long as an utterance lasts, but works for a seventh of the time.
        self._size = decoders or 4 * (os.cpu_count() or 1)
        self._parts: tuple[Canal, Decoders] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        """Those of the recogniser."""
        return self._engines.asr.languages

    def open(self, report: Callable[[Report], None]) -> SessionEars:
        """Return the ears of a new session, whose reports go to the callable."""
        return SessionEars(*self._started(), report)

    async def ready(self) -> None:
        """Return when a decoder is loaded.

        Raises:
            EngineError: none can be.
        """
        _, decoders = self._started()
        loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: Exception | None) -> None:
            if loaded.cancelled():
                return
            if error is None:
                loaded.set_result(None)
            else:
                loaded.set_exception(error)

        decoders.load(done)
        try:
            await loaded
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(f"the recogniser cannot be loaded: {error}") from error

    async def close(self) -> None:
        """Stop all threads and free the decoders."""
        if self._parts is None:
            return
        canal, decoders = self._parts
        self._parts = None
        self._loop = None
        await asyncio.to_thread(canal.close)
        await asyncio.to_thread(decoders.close)

    def _started(self) -> tuple[Canal, Decoders]:
        if self._parts is None:
            self._loop = asyncio.get_running_loop()
            self._parts = (
                Canal(self._vad, self._post),
                Decoders(self._engines, self._size, self._post),
            )
        return self._parts

    def _post(self, function: Callable[[], None]) -> None:
        """Have a function called on the event loop, from any thread."""
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(function)
            except RuntimeError:  # the loop closed meanwhile, and everything with it
                return
