"""What is kept of telephone calls: one line of JSON for each, and where it is wanted a recording of both voices.

In the folder `records`: `calls-YYYY-MM.jsonl`, and `CALL_ID.wav` with the caller on the left and the answers on the
right, on one clock.  Files are written by a thread of their own, for a disk that hangs must not hold up a call.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from ...audio.wav import stereo_header
from ...legs.media import RATE_HZ

__all__ = ["CallRecord", "Recorder", "Records"]

_log = logging.getLogger("vivavoce.calls")

_QUEUE = 4096
"""Pieces that may wait for the disk: a second for 80 calls; recordings get gaps beyond it, calls do not."""
_PIECE_SAMPLES = RATE_HZ
"""What is written at a time."""
_LATE_SAMPLES = RATE_HZ // 5
"""How much later one voice may be told than the other."""
_MAX_AHEAD_SAMPLES = 10 * RATE_HZ
"""How far one voice may be written ahead of the other."""
_FRAME_BYTES = 4


class CallRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The detail record of one call."""

    call_id: str
    direction: str
    """`in` or `out`."""
    road: str
    """`sip`, or the door that it came by, such as `twilio`."""
    line: str = ""
    caller: str = ""
    """Who called, by their own word."""
    called: str = ""
    number: str = ""
    """The name of what answered."""
    began_unix: float
    answered_unix: float | None = None
    """None for a call that was not answered."""
    ended_unix: float
    status: int = 0
    """The SIP status that ended a call which was not answered."""
    reason: str = ""
    """Why it ended."""
    codec: str = ""
    is_encrypted: bool = False
    session_id: str = ""
    model: str = ""
    transferred_to: str = ""
    digits: int = 0
    """How many keys were pressed; which is nobody's business."""
    interruptions: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    lost_ratio: float | None = None
    """Share of the caller's packets that were lost."""
    jitter_ms: float | None = None
    recording: str = ""
    """The file's name; empty where nothing was recorded."""

    @property
    def talk_seconds(self) -> float:
        """How long people could talk."""
        return 0.0 if self.answered_unix is None else self.ended_unix - self.answered_unix


class Records:
    """The folder of records."""

    def __init__(self, folder: Path | None) -> None:
        """Keep records in a folder, which is made; None keeps nothing.

        Raises:
            OSError: it cannot be made.
        """
        self._folder = folder
        self._tasks: queue.Queue[Callable[[], None] | None] = queue.Queue(_QUEUE)
        self._thread: threading.Thread | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._thread = threading.Thread(target=self._work, name="records", daemon=True)
            self._thread.start()

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self._thread is not None

    def keep(self, record: CallRecord) -> None:
        """Write down a call that has ended."""
        if self._folder is None:
            return
        month = datetime.fromtimestamp(record.began_unix, UTC).strftime("%Y-%m")
        path = self._folder / f"calls-{month}.jsonl"
        line = msgspec.json.encode({**msgspec.structs.asdict(record), "talk_seconds": round(record.talk_seconds, 3)})

        def append() -> None:
            with path.open("ab") as file:
                file.write(line + b"\n")

        self.later(append)

    def record(self, call_id: str) -> Recorder | None:
        """Begin a recording; None where nothing is kept."""
        return None if self._folder is None else Recorder(self, self._folder / f"{call_id}.wav")

    def later(self, task: Callable[[], None]) -> bool:
        """Have the thread do something; return whether there was room for it."""
        if self._thread is None:
            return False
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            _log.error("the disk does not keep up: what was to be written of a call is lost")
            return False
        return True

    def close(self) -> None:
        """Write what is left; what takes longer than five seconds is lost."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._tasks.put(None, timeout=1)
            except queue.Full:
                return
            thread.join(5)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except OSError as error:
                _log.error("a call is not written down: %s", error)


class Recorder:
    """The recording of one call: two voices on one clock, written as they come.

    The caller's sound is the clock: it comes for all the time there is.  What is said lies where it was played.
    """

    def __init__(self, records: Records, path: Path) -> None:
        self.path = path
        """The file."""
        self._records = records
        self._left = bytearray()
        self._right = bytearray()
        self._written = 0
        self._file: BinaryIO | None = None
        self._has_failed = False

    def hear(self, pcm: bytes) -> None:
        """Take what the caller said: s16le mono at `legs.media.RATE_HZ`, without gaps."""
        self._left += pcm
        if len(self._left) >= 2 * (_PIECE_SAMPLES + _LATE_SAMPLES):
            # What was played beside the last of it may still be told.
            self._pass_on(len(self._left) - 2 * _LATE_SAMPLES)

    def say(self, pcm: bytes) -> None:
        """Take what was played just now, beside what was heard last."""
        behind = len(self._left) - len(self._right)
        if behind > len(pcm):
            self._right += bytes(behind - len(pcm) & ~1)
        self._right += pcm
        if len(self._right) > 2 * _MAX_AHEAD_SAMPLES:
            self._pass_on(len(self._right))

    def close(self) -> None:
        """Write the rest, and have the file say how long it is."""
        self._pass_on(max(len(self._left), len(self._right)))
        self._records.later(self._finish)

    def _pass_on(self, size: int) -> None:
        """Have so many bytes of both voices written."""
        left, right = bytes(self._left[:size]).ljust(size, b"\0"), bytes(self._right[:size]).ljust(size, b"\0")
        del self._left[:size], self._right[:size]
        if size:
            self._records.later(lambda: self._write(left, right))

    def _write(self, left: bytes, right: bytes) -> None:
        if self._has_failed:
            return
        try:
            if self._file is None:
                self._file = self.path.open("xb")
                self._file.write(stereo_header(RATE_HZ, 0))
            both = np.stack((np.frombuffer(left, "<i2"), np.frombuffer(right, "<i2")), axis=1)
            self._file.write(both.tobytes())
            self._written += len(both) * _FRAME_BYTES
            # Whole at every moment, so that a program that dies leaves a file which any player plays.
            self._file.seek(0)
            self._file.write(stereo_header(RATE_HZ, self._written))
            self._file.seek(0, 2)
            self._file.flush()
        except OSError:
            self._has_failed = True
            raise

    def _finish(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
