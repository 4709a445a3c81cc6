"""The first thread of hearing: all sessions' audio becomes 16 kHz PCM, and is judged for voice.

One thread serves all sessions, in the order in which they were heard.  It releases the interpreter lock inside the
voice model, and hands its results to the event loop in batches.  Called by `engines.ears` alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ..audio.resample import Resampler
from ..core.formats import AudioFormat
from ..core.reports import Heard
from .api import Vad, VadStream
from .attention import Attention
from .pcm import RATE_HZ, TICKS, to_pcm

_log = logging.getLogger("vivavoce.ears")

SLICE_MS = 200
"""Audio that comes in greater pieces is cut into these, so that sessions take turns."""
BATCH = 16
"""Jobs whose results are delivered together: 2 ms of work when audio comes as it is spoken."""
GATHER_SECONDS = 0.003
"""Where many sessions are heard, work is begun no more often than this, and with all that came meanwhile: to wake a
thread for each frame costs more than the frame.  Nobody waits where few are."""
FRAME_SAMPLES = 512
FRAME_BYTES = FRAME_SAMPLES * 2


class Piece(NamedTuple):
    """A piece of a session's audio at 16 kHz."""

    start: int
    """Tick of its first sample."""
    pcm: bytes
    is_settled: bool
    """True where no turns are detected, so that it may be recognised without waiting for a judgement."""

    @property
    def end(self) -> int:
        """Tick after its last sample."""
        return self.start + len(self.pcm) // 2 * TICKS


class Strand:
    """One session's audio on its way through the canal; touched by its thread alone."""

    def __init__(self, deliver: Callable[[list[Any]], None]) -> None:
        self.deliver = deliver
        """Called on the event loop with what became of the audio, in order."""
        self.is_open = True
        self.jobs: deque[Callable[[], list[Any]]] = deque()
        """What is still to be done for the session, in order; guarded by the canal's lock."""
        self._format: AudioFormat | None = None
        self._resampler: Resampler | None = None
        self._position = 0
        self._vad: VadStream | None = None
        self._frame = bytearray()
        self._attention: Attention | None = None

    def expect_echo(self, audio: bytes, format: AudioFormat, at: int) -> list[Any]:  # noqa: A002
        """Learn what is played to the user from a tick on; there is nothing to be delivered."""
        if self._attention is None:
            self._attention = Attention()
        self._attention.expect_echo(audio, format, at)
        return []

    def hear(self, audio: bytes, format: AudioFormat, at: int, vad: Vad | None) -> list[Any]:  # noqa: A002
        """Return a `Piece` for the audio that was completed and a `Heard` for each frame of it."""
        out: list[Any] = []
        is_settled = vad is None
        if format != self._format or self._resampler is None:
            if self._resampler is not None:
                self._add(self._resampler.flush(), is_settled, out)
            self._resampler = Resampler(format.rate, RATE_HZ, trim_start=True)
            self._format = format
            # At most two ticks, where a change of format left a sample of 16 kHz incomplete.
            self._position = at // TICKS
            self._frame.clear()
        self._add(self._resampler.push(to_pcm(audio, format)), is_settled, out)
        if vad is None:
            self._vad = None
            self._frame.clear()
        else:
            self._judge(vad, out)
        return out

    def _add(self, pcm: bytes, is_settled: bool, out: list[Any]) -> None:
        if pcm:
            out.append(Piece(self._position * TICKS, pcm, is_settled))
            self._position += len(pcm) // 2
            self._frame += pcm

    def _judge(self, vad: Vad, out: list[Any]) -> None:
        if self._vad is None:
            self._vad = vad.open()
        taken = 0
        while len(self._frame) - taken >= FRAME_BYTES:
            frame = bytes(self._frame[taken : taken + FRAME_BYTES])
            probability = self._vad.probability(frame)
            taken += FRAME_BYTES
            at = (self._position - (len(self._frame) - taken) // 2) * TICKS
            if self._attention is None:
                out.append(Heard(at, probability))
            else:
                out.append(Heard(at, probability, *self._attention.judge(frame, at, probability)))
        if taken:
            del self._frame[:taken]


class Canal:
    """The thread and its queue."""

    def __init__(self, vad: Vad, post: Callable[[Callable[[], None]], None]) -> None:
        """Prepare.

        Args:
            vad: opens a stream for each session that detects turns.
            post: has a function called on the event loop.
        """
        self._vad = vad
        self._post = post
        self._waiting: deque[Strand] = deque()
        """Sessions with something to be done, each once: they take turns."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="vivavoce-canal", daemon=True)
        self._thread.start()

    def hear(self, strand: Strand, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002
        """Queue audio of a session."""
        vad = self._vad if detect else None
        step = SLICE_MS * format.bytes_per_ms
        for i in range(0, len(audio), step):
            tick = at + format.ticks(i)
            self._put(strand, partial(strand.hear, audio[i : i + step], format, tick, vad))

    def expect_echo(self, strand: Strand, audio: bytes, format: AudioFormat, at: int) -> None:  # noqa: A002
        """Queue audio that is played to a session's user."""
        self._put(strand, partial(strand.expect_echo, audio, format, at))

    def mark(self, strand: Strand, mark: Any) -> None:
        """Have `mark` delivered once all that was queued for the session before has been."""
        self._put(strand, lambda: [mark])

    def close(self) -> None:
        """Stop the thread; nothing is delivered any more."""
        self._is_open = False
        self._wake.set()
        self._thread.join(timeout=5.0)

    def _put(self, strand: Strand, job: Callable[[], list[Any]]) -> None:
        with self._lock:
            if not strand.jobs:
                self._waiting.append(strand)
            strand.jobs.append(job)
        self._wake.set()

    def _run(self) -> None:
        began = 0.0
        while self._is_open:
            self._wake.wait()
            early = began + GATHER_SECONDS - time.monotonic()
            if early > 0:
                time.sleep(early)
            began = time.monotonic()
            self._wake.clear()
            while self._waiting and self._is_open:
                self._work()

    def _work(self) -> None:
        """Do a job of each of some sessions, few enough that no result waits long for others' work."""
        results: dict[Strand, list[Any]] = {}
        for _ in range(min(len(self._waiting), BATCH)):
            strand = self._waiting[0]
            if strand.is_open:
                try:
                    results.setdefault(strand, []).extend(strand.jobs[0]())
                except Exception as error:  # noqa: BLE001 - the thread serves every session: one's failure is told to it alone
                    _log.exception("hearing failed")
                    results.setdefault(strand, []).append(error)
                    strand.is_open = False
            with self._lock:
                self._waiting.popleft()
                strand.jobs.popleft()
                if strand.jobs:
                    self._waiting.append(strand)
        batch = [(strand, found) for strand, found in results.items() if found]
        if batch:
            self._post(partial(_deliver, batch))


def _deliver(batch: list[tuple[Strand, list[Any]]]) -> None:
    strand, found = batch.pop()
    try:
        strand.deliver(found)
    finally:
        # A session that fails at its results must not cost the others theirs.
        if batch:
            _deliver(batch)
