"""The other threads of hearing: decoders, each with a thread of its own, lent to one utterance at a time.

An utterance is lent a decoder from its beginning to its end; when none is free its audio waits and is decoded, much
faster than it was spoken, as soon as one returns.  What the threads do is `engines.recognition`'s.  Called by
`engines.ears` alone, on the event loop's thread.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from operator import methodcaller

from ..core.effects import Vocabulary
from ..core.formats import AudioFormat
from .denoise import Denoising
from .recognition import Recognition, RecognitionEngines, Utterance
from .turn_sound import PauseJudge

PREPARED_KEPT = 8
"""Vocabularies that a thread is remembered to be ready for; a hint alone, decoders keep what they keep."""


class Decoders:
    """All decoders of a process, and the utterances that wait for one."""

    def __init__(self, engines: RecognitionEngines, size: int, post: Callable[[Callable[[], None]], None]) -> None:
        """Prepare; decoders are loaded when they are first needed.

        Args:
            engines: what they work with.
            size: how many there may be.
            post: has a function called on the event loop.
        """
        self._engines = engines
        self._pauses = None if engines.sound is None else PauseJudge(engines.sound)
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

    def learn(self, utterance: Utterance, pcm: bytes) -> None:
        """Give the utterance audio from before it, to know the noise."""
        self._put(utterance, methodcaller("learn", pcm))

    def denoise(self, utterance: Utterance, denoising: Denoising) -> None:
        """Have the audio that the utterance is given from here on cleaned otherwise."""
        self._put(utterance, methodcaller("denoise", denoising))

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
        if self._pauses is not None:
            self._pauses.close()

    def _put(self, utterance: Utterance, job: Callable[[Recognition], None]) -> None:
        if utterance.thread is None:
            utterance.waiting.append(job)
        else:
            utterance.thread.put(job)

    def _new_thread(self) -> DecoderThread:
        thread = DecoderThread(self._engines, self._pauses, self._post, self)
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

    def __init__(
        self,
        engines: RecognitionEngines,
        pauses: PauseJudge | None,
        post: Callable[[Callable[[], None]], None],
        home: Decoders,
    ) -> None:
        self.utterance: Utterance | None = None
        self.prepared: deque[Vocabulary] = deque(maxlen=PREPARED_KEPT)
        """Vocabularies that its decoder has met, so probably knows."""
        self._jobs: queue.SimpleQueue[Callable[[Recognition], None] | None] = queue.SimpleQueue()
        self._work = Recognition(engines, pauses, post, self.put, lambda: home.returned(self))
        self._thread = threading.Thread(target=self._run, name="vivavoce-decoder", daemon=True)
        self._thread.start()

    def put(self, job: Callable[[Recognition], None]) -> None:
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
