"""The other threads of hearing: decoders, each with a thread of its own, lent to one utterance at a time.

An utterance is lent a decoder from its beginning to its end; when none is free its audio waits and is decoded, much
faster than it was spoken, as soon as one returns.  Called by `engines.ears` alone, on the event loop's thread.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from operator import methodcaller

from ..audio.resample import Resampler
from ..core.effects import Vocabulary
from ..core.errors import EngineError
from ..core.formats import AudioFormat
from ..core.reports import Overheard, Transcribed, TranscriptionFailed
from .api import Asr, Decoder, TurnModel
from .canal import RATE_HZ, to_pcm

_log = logging.getLogger("vivavoce.ears")

BYTES_PER_MS = 32
"""Of s16le mono at 16 kHz."""
PARTIAL_BYTES = 100 * BYTES_PER_MS
"""Audio between two looks at the text so far."""
READ_MS = 200
"""Of a recording, between two looks whether anybody still wants it."""
STABLE_LOOKS = 4
"""Looks that a word has to survive to count as stable.  Of 120 synthesised commands the final text contradicted a
stable word in 27 % with three looks, 13 % with four and 11 % with five, each of which costs 100 ms."""
LOOKS_BY_DELAY = {"minimal": 1, "low": 2, "medium": STABLE_LOOKS, "high": 6, "xhigh": 10}
"""Looks where the client says how much delay it takes for words that stay as they are."""
PREPARED_KEPT = 8
"""Vocabularies that a thread is remembered to be ready for; a hint alone, decoders keep what they keep."""

Deliver = Callable[[Overheard | Transcribed | TranscriptionFailed], None]


class Utterance:
    """What one utterance needs of a decoder.  Belongs to the event loop, but for `is_wanted`, which is just read."""

    def __init__(
        self, item_id: str, vocabulary: Vocabulary, deliver: Deliver, *, is_live: bool = True, delay: str = ""
    ) -> None:
        self.item_id = item_id
        self.vocabulary = vocabulary
        self.deliver = deliver
        """Called on the event loop with each report."""
        self.is_live = is_live
        """Whether it is being spoken, rather than a recording that came whole."""
        self.stable_looks = LOOKS_BY_DELAY.get(delay, STABLE_LOOKS)
        """Looks that its words have to survive to count as stable."""
        self.is_wanted = True
        """False once nobody waits for the result any more."""
        self.is_over = False
        """Whether its last audio was given."""
        self.given_bytes = 0
        """Audio that it was given so far."""
        self.thread: DecoderThread | None = None
        self.waiting: list[Callable[[_Work], None]] = []
        """What is to be done as soon as a decoder is free."""


class Decoders:
    """All decoders of a process, and the utterances that wait for one."""

    def __init__(self, asr: Asr, turns: TurnModel, size: int, post: Callable[[Callable[[], None]], None]) -> None:
        """Prepare; decoders are loaded when they are first needed.

        Args:
            asr: opens them.
            turns: judges whether words so far are a finished turn.
            size: how many there may be.
            post: has a function called on the event loop.
        """
        self._asr = asr
        self._turns = turns
        self._size = size
        self._post = post
        self._idle: list[DecoderThread] = []
        self._all: list[DecoderThread] = []
        self._queue: deque[Utterance] = deque()

    def load(self, done: Callable[[Exception | None], None]) -> None:
        """Load one decoder and tell the outcome, on the event loop."""
        thread = self._idle[0] if self._idle else self._new_thread()
        if thread not in self._idle:
            self._idle.append(thread)
        thread.put(lambda work: work.load(done))

    def prepare(self, vocabulary: Vocabulary, is_wanted: Callable[[], bool]) -> None:
        """Make one idle decoder ready for a vocabulary, unless one is already."""
        if not self._idle or any(vocabulary in thread.prepared for thread in self._idle):
            return
        thread = self._idle[0]
        self._idle.append(self._idle.pop(0))
        thread.remember(vocabulary)
        thread.put(lambda work: work.prepare(vocabulary, is_wanted))

    def begin(self, utterance: Utterance) -> None:
        """Lend the utterance a decoder, now or later."""
        self._queue.append(utterance)
        self._lend()

    def feed(self, utterance: Utterance, pcm: bytes) -> None:
        """Give the utterance more audio."""
        utterance.given_bytes += len(pcm)
        self._put(utterance, methodcaller("feed", pcm))

    def read(self, utterance: Utterance, audio: bytes, format: AudioFormat) -> None:  # noqa: A002
        """Give the utterance all its audio at once, in a session's format."""
        utterance.given_bytes += len(audio)
        self._put(utterance, methodcaller("read", audio, format))

    def finish(self, utterance: Utterance) -> None:
        """End the utterance; its result follows."""
        utterance.is_over = True
        if utterance.thread is not None:
            utterance.thread.put(lambda work: work.finish())

    def abort(self, utterance: Utterance) -> None:
        """Forget the utterance."""
        if not utterance.is_wanted:
            return
        utterance.is_wanted = False
        utterance.waiting.clear()
        if utterance.thread is None:
            self._queue = deque(u for u in self._queue if u is not utterance)
        elif not utterance.is_over:
            self.finish(utterance)

    def returned(self, thread: DecoderThread) -> None:
        """Take back a decoder whose utterance is over."""
        if thread.utterance is not None:
            thread.utterance.thread = None
            thread.utterance = None
            self._idle.append(thread)
            self._lend()

    def close(self) -> None:
        """Stop all threads and free the decoders."""
        self._queue.clear()
        for thread in self._all:
            if thread.utterance is not None:
                thread.utterance.is_wanted = False
            thread.stop()
        for thread in self._all:
            thread.join()

    def _put(self, utterance: Utterance, job: Callable[[_Work], None]) -> None:
        if utterance.thread is None:
            utterance.waiting.append(job)
        else:
            utterance.thread.put(job)

    def _new_thread(self) -> DecoderThread:
        thread = DecoderThread(self._asr, self._turns, self._post, self)
        self._all.append(thread)
        return thread

    def _lend(self) -> None:
        while (self._idle or len(self._all) < self._size) and (utterance := self._next()) is not None:
            self._queue.remove(utterance)
            ready = (t for t in self._idle if utterance.vocabulary in t.prepared)
            thread = next(ready, None) or (self._idle[0] if self._idle else self._new_thread())
            if thread in self._idle:
                self._idle.remove(thread)
            thread.utterance = utterance
            utterance.thread = thread
            thread.remember(utterance.vocabulary)
            jobs, utterance.waiting = utterance.waiting, []
            thread.put(methodcaller("begin", utterance))
            for job in jobs:
                thread.put(job)
            if utterance.is_over:
                thread.put(lambda work: work.finish())

    def _next(self) -> Utterance | None:
        """Return who is next: whoever speaks; a recording only if it leaves a decoder to speakers."""
        speaking = next((u for u in self._queue if u.is_live), None)
        if speaking is not None or not self._queue:
            return speaking
        recordings = sum(t.utterance is not None and not t.utterance.is_live for t in self._all)
        return self._queue[0] if recordings < max(1, self._size - 1) else None


class DecoderThread:
    """A thread with a decoder, as the event loop sees it."""

    def __init__(self, asr: Asr, turns: TurnModel, post: Callable[[Callable[[], None]], None], home: Decoders) -> None:
        self.utterance: Utterance | None = None
        self.prepared: deque[Vocabulary] = deque(maxlen=PREPARED_KEPT)
        """Vocabularies that its decoder has met, so probably knows."""
        self._jobs: queue.SimpleQueue[Callable[[_Work], None] | None] = queue.SimpleQueue()
        self._work = _Work(asr, turns, post, lambda: home.returned(self))
        self._thread = threading.Thread(target=self._run, name="vivavoce-decoder", daemon=True)
        self._thread.start()

    def put(self, job: Callable[[_Work], None]) -> None:
        """Queue work."""
        self._jobs.put(job)

    def remember(self, vocabulary: Vocabulary) -> None:
        """Note that the decoder will have met a vocabulary."""
        if vocabulary in self.prepared:
            self.prepared.remove(vocabulary)
        self.prepared.append(vocabulary)

    def stop(self) -> None:
        """End the thread after what it is doing."""
        self._work.is_stopping = True
        self._jobs.put(None)

    def join(self) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if not self._work.is_stopping:
                job(self._work)
            del job  # the session that it is about need not be kept until the next one
        self._work.drop()


class _Work:
    """What a decoder's thread does; touched by that thread alone."""

    def __init__(
        self, asr: Asr, turns: TurnModel, post: Callable[[Callable[[], None]], None], returned: Callable[[], None]
    ) -> None:
        self.is_stopping = False
        self._asr = asr
        self._turns = turns
        self._post = post
        self._returned = returned
        self._decoder: Decoder | None = None
        self._utterance: Utterance | None = None
        self._has_failed = False
        self._unseen_bytes = 0
        self._looks: deque[list[str]] = deque(maxlen=STABLE_LOOKS)
        self._told = ("", "")

    def load(self, done: Callable[[Exception | None], None]) -> None:
        """Load the decoder and tell the outcome."""
        try:
            self._open()
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for it
            failure = error
            self._post(lambda: done(failure))
        else:
            self._post(lambda: done(None))

    def prepare(self, vocabulary: Vocabulary, is_wanted: Callable[[], bool]) -> None:
        """Make ready for a vocabulary that is still wanted."""
        if is_wanted():
            self._guarded(lambda: self._open().prepare(vocabulary))

    def begin(self, utterance: Utterance) -> None:
        """Begin an utterance."""
        self._utterance = utterance
        self._has_failed = False
        self._unseen_bytes = 0
        self._looks = deque(maxlen=utterance.stable_looks)
        self._told = ("", "")
        self._guarded(lambda: self._open().start(utterance.vocabulary))

    def feed(self, pcm: bytes) -> None:
        """Hear more of the utterance, and look at its text now and then."""
        utterance = self._utterance
        if utterance is None or not utterance.is_wanted or self._has_failed:
            return
        self._guarded(lambda: self._open().feed(pcm))
        self._unseen_bytes += len(pcm)
        if self._unseen_bytes >= PARTIAL_BYTES and not self._has_failed:
            self._unseen_bytes = 0
            self._guarded(lambda: self._look(utterance))

    def read(self, audio: bytes, format: AudioFormat) -> None:  # noqa: A002
        """Hear a recording, as long as anybody wants it."""
        resampler = Resampler(format.rate, RATE_HZ, trim_start=True)
        step = READ_MS * format.bytes_per_ms
        for i in range(0, len(audio), step):
            if self.is_stopping or self._utterance is None or not self._utterance.is_wanted:
                return
            self.feed(resampler.push(to_pcm(audio[i : i + step], format)))
        self.feed(resampler.flush())

    def finish(self) -> None:
        """End the utterance, tell what it was and return the decoder."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None and not self._has_failed:
            self._guarded(lambda: self._conclude(utterance), utterance)
        self._post(self._returned)

    def drop(self) -> None:
        """Free the decoder."""
        if self._decoder is not None:
            decoder, self._decoder = self._decoder, None
            decoder.close()

    def _open(self) -> Decoder:
        if self._decoder is None:
            self._decoder = self._asr.open()
        return self._decoder

    def _look(self, utterance: Utterance) -> None:
        text = self._open().partial()
        self._looks.append(text.split())
        stable = " ".join(_common(self._looks)) if len(self._looks) == utterance.stable_looks else ""
        if (text, stable) != self._told:
            self._told = (text, stable)
            report = Overheard(utterance.item_id, text, stable, self._turns.turn_over(text))
            self._post(lambda: utterance.deliver(report))

    def _conclude(self, utterance: Utterance) -> None:
        found = self._open().finish()
        if utterance.is_wanted:
            report = Transcribed(utterance.item_id, found.text, found.words, found.confidence)
            self._post(lambda: utterance.deliver(report))

    def _guarded(self, step: Callable[[], None], utterance: Utterance | None = None) -> None:
        """Do a step of decoding; should it fail, tell the utterance and take a new decoder for the next."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the thread must live on for other utterances
            self._has_failed = True
            self._discard_decoder()
            if not isinstance(error, EngineError):
                _log.exception("recognition failed")
            utterance = utterance or self._utterance
            if utterance is not None:
                code = error.code if isinstance(error, EngineError) else "engine_error"
                report = TranscriptionFailed(utterance.item_id, code, f"The recogniser failed: {error}")
                told = utterance
                self._post(lambda: told.deliver(report))

    def _discard_decoder(self) -> None:
        try:
            self.drop()
        except Exception:  # noqa: BLE001 - it is broken already
            _log.exception("a failed recogniser could not be freed")


def _common(looks: deque[list[str]]) -> list[str]:
    """Return the leading words that all looks share."""
    out: list[str] = []
    for words in zip(*looks, strict=False):
        if len(set(words)) != 1:
            break
        out.append(words[0])
    return out
