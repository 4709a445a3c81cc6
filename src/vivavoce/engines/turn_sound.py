"""The thread on which an audio turn model judges pauses, for all sessions of a process.

A judgement takes about as long as two frames of audio, too long for a decoder's thread and far too long for the event
loop.  Called by `engines.decoding`.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

import msgspec

from .api import AudioTurnModel

_log = logging.getLogger("vivavoce.ears")


class Pause(msgspec.Struct, frozen=True, eq=False):
    """A pause that is to be judged."""

    pcm: bytes
    """What was said up to it, s16le mono 16 kHz, the last eight seconds at most."""
    is_wanted: Callable[[], bool]
    """Asked before the work begins: whoever went on speaking is not waited for."""
    judged: Callable[[float], None]
    """Told on this thread how likely the turn is over."""


class PauseJudge:
    """The thread and its queue."""

    def __init__(self, model: AudioTurnModel) -> None:
        self._model = model
        self._queue: queue.SimpleQueue[Pause | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="vivavoce-turns", daemon=True)
        self._thread.start()

    def judge(self, pause: Pause) -> None:
        """Queue a pause."""
        self._queue.put(pause)

    def close(self) -> None:
        """Stop after the present pause; the others are never judged."""
        self._queue.put(None)
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while (pause := self._queue.get()) is not None:
            if pause.is_wanted():
                pause.judged(self._judgement(pause))
            del pause  # the session that it is about need not be kept until the next one

    def _judgement(self, pause: Pause) -> float:
        try:
            return self._model.turn_over(pause.pcm)
        except Exception:  # noqa: BLE001 - the thread serves every session, and the words are judged without it
            _log.exception("the turn model failed; the words alone decide")
            return 1.0
