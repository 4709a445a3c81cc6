"""The child processes of `espeak`: started when needed, lent piece by piece, replaced when they fail.

A child has a few places for pieces.  `Crew.borrow` waits for a place, and the place is free again when the child says
that the piece is over.  Beginnings of texts come first, everything else in turn: whoever listens to a long text has
plenty to hear while another one begins.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import cast

from ..core.errors import EngineError
from . import espeak_child as wire
from .api import Speech

_PLACES = 2
"""Places of a child: for a piece at work, and one that waits so that the child need not wait for this process."""
_COMPLAINT_BYTES = 2_000
"""How much of a child's last words is kept."""


class Job:
    """A piece at work in a child, and its speech as it arrives."""

    def __init__(self, order: bytes, first_character: int, spoken_samples: int) -> None:
        """Prepare the piece that begins at `first_character` of the text, `spoken_samples` into the utterance."""
        self.order = order
        """What the child is told."""
        self.number = 0
        """What the child calls it, once it has been given to one."""
        self._first_character = first_character
        self._spoken_samples = spoken_samples
        self._arrived: deque[Speech] = deque()
        self._is_over = False
        self._error: EngineError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def receive_audio(self, words: bytes, pcm: bytes) -> None:
        """Take a frame of speech, and make its positions those of the whole utterance."""
        marks = tuple(
            (self._first_character + character, (self._spoken_samples + sample) * 1000 // wire.RATE_HZ)
            for character, sample in wire.WORD.iter_unpack(words)
        )
        self._arrived.append(Speech(pcm, marks))
        self._wake()

    def receive_end(self, error: EngineError | None = None) -> None:
        """Take the news that no more will come."""
        self._is_over, self._error = True, error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> Speech | None:
        """Return the next speech, or None after the last.

        Raises:
            EngineError: the child failed.
        """
        while not self._arrived:
            if self._error is not None:
                raise self._error
            if self._is_over:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._arrived.popleft()


class Child(asyncio.SubprocessProtocol):
    """One process that speaks: orders go in, frames come out."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._process: asyncio.SubprocessTransport | None = None
        self._received = bytearray()
        self._complaint = b""
        self._jobs: dict[int, Job] = {}
        self._dropped: set[int] = set()
        self._newest_job = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_suspect = False
        self._open_ends = 3  # standard output, standard error and the process itself
        self.error: EngineError | None = None
        """Why it is no more, once it is."""
        self.load = 0
        """Places taken or promised; of a child that is not ready, none."""
        self.is_ready = False
        """It has said that it can speak."""
        self.is_hired = False
        """Whoever started it has seen it start."""
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing of it is left."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See the process started."""
        self._process = cast("asyncio.SubprocessTransport", transport)
        self._watch()

    def _write(self, kind: int, number: int, body: bytes = b"") -> None:
        assert self._process is not None  # a child without a process is never lent
        orders = cast("asyncio.WriteTransport", self._process.get_pipe_transport(0))
        if not orders.is_closing():  # else it is dying, and its jobs will hear of it
            orders.write(wire.ORDER.pack(kind, number, len(body)) + body)

    def begin(self, job: Job) -> None:
        """Have a piece spoken, in a place that was borrowed."""
        if self.error is not None:  # it died after the place was lent
            job.receive_end(self.error)
            return
        self._newest_job += 1
        job.number = self._newest_job
        self._jobs[job.number] = job
        self._is_suspect = False
        self._write(wire.SPEAK, job.number, job.order)
        self._watch()

    def drop(self, job: Job) -> None:
        """Stop a piece that nobody wants any more; its place is free when the child says that it is over."""
        if job.number in self._jobs:
            self._dropped.add(job.number)
            self._write(wire.DROP, job.number)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Receive frames, or the last words of a process that dies."""
        if fd == 2:
            self._complaint = (self._complaint + data)[-_COMPLAINT_BYTES:]
            return
        self._is_suspect = False
        self._received += data
        at = 0
        while len(self._received) - at >= wire.FRAME.size:
            kind, number, words, length = wire.FRAME.unpack_from(self._received, at)
            begin = at + wire.FRAME.size
            middle = begin + words * wire.WORD.size
            if len(self._received) < middle + length:
                break
            at = middle + length
            self._receive(kind, number, bytes(self._received[begin:middle]), bytes(self._received[middle:at]))
        del self._received[:at]

    def _receive(self, kind: int, number: int, words: bytes, rest: bytes) -> None:
        """Receive one frame."""
        if kind == wire.READY:
            self.is_ready = True
            self.load = _PLACES
            for _ in range(_PLACES):
                self._crew.release(self)
        elif kind == wire.AUDIO:
            if number not in self._dropped:
                self._jobs[number].receive_audio(words, rest)
        else:
            job = self._jobs.pop(number)
            self._dropped.discard(number)
            job.receive_end(EngineError(rest.decode(errors="replace")) if kind == wire.FAILED else None)
            self._crew.release(self)

    @property
    def _owes_an_answer(self) -> bool:
        return bool(self._jobs) or not self.is_ready

    def _watch(self) -> None:
        """Look after half of the patience, and then again, whether what is owed has come.

        Twice, because it may be this process that was held up, with the answer waiting in the pipe.
        """
        if self._timer is None and self._owes_an_answer and self.error is None:
            self._timer = asyncio.get_running_loop().call_later(self._crew.patience / 2, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._is_suspect and self._owes_an_answer:
            self._complaint = b"it did not answer in time"
            self.kill()
            return
        self._is_suspect = True
        self._watch()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self.error is None:
            with suppress(ProcessLookupError):  # it may have ended of itself just now
                self._process.kill()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """See one of its outputs closed."""
        if fd != 0:
            self._lose_end()

    def process_exited(self) -> None:
        """See the process ended."""
        self._lose_end()

    def _lose_end(self) -> None:
        """When all ends are lost nothing more can come, and every job has failed."""
        self._open_ends -= 1
        if self._open_ends or self._process is None:
            return
        lines = self._complaint.decode(errors="replace").strip().splitlines()
        cause = lines[-1] if lines else f"exit status {self._process.get_returncode()}"
        self._process.close()
        self.abolish(EngineError(f"the speech synthesiser's process ended: {cause}"))

    def abolish(self, error: EngineError) -> None:
        """Fail all jobs, because there is no process (any more)."""
        self.error = error
        if self._timer is not None:
            self._timer.cancel()
        # One that started and yet never spoke promises no better of the next.
        self._crew.lose(self, error if self.is_hired and not self.is_ready else None)
        for job in self._jobs.values():
            job.receive_end(error)
        self._jobs.clear()
        if not self.gone.done():
            self.gone.set_result(None)


class Crew:
    """The children, and who waits for one."""

    def __init__(self, most: int, patience: float) -> None:
        """Prepare for `most` children, each replaced when it owes an answer for `patience` seconds."""
        self.patience = patience
        self._most = most
        self._children: list[Child] = []
        self._waiting: deque[asyncio.Future[Child | None]] = deque()
        self._waiting_to_begin: deque[asyncio.Future[Child | None]] = deque()
        self._is_closed = False

    async def borrow(self, begins: bool) -> Child:
        """Return a child with a place for one piece, which `release` gives back; `begins`: of the first of a text.

        Raises:
            EngineError: no child can be had.
        """
        while not self._is_closed:
            free = [child for child in self._children if child.is_ready and child.load < _PLACES]
            if free:
                child = min(free, key=lambda child: child.load)
                child.load += 1
                return child
            if not self._children:
                await self._hire()
            lent = await self._wait(self._waiting_to_begin if begins else self._waiting)
            if lent is not None:
                return lent
        raise EngineError("the speech synthesiser is closed")

    async def _wait(self, line: deque[asyncio.Future[Child | None]]) -> Child | None:
        """Stand in line and return a place, or None if there are no children to hope for."""
        place: asyncio.Future[Child | None] = asyncio.get_running_loop().create_future()
        line.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            if place in line:
                line.remove(place)
            elif not place.cancelled() and place.exception() is None and (lent := place.result()) is not None:
                self.release(lent)
            raise

    def release(self, child: Child) -> None:
        """Give back a place, which goes to whoever is first in line."""
        place = self._first_in_line() if child in self._children else None
        if place is not None:
            place.set_result(child)
        else:
            child.load -= 1

    def _first_in_line(self) -> asyncio.Future[Child | None] | None:
        """Return whoever is to be served next, or None if nobody waits."""
        for line in (self._waiting_to_begin, self._waiting):
            while line:
                place = line.popleft()
                if not place.done():
                    return place
        return None

    async def grow(self) -> None:
        """Start another child if all are full and there may be more; if it does not start, those there are will do."""
        full = all(child.is_ready and child.load >= _PLACES for child in self._children)
        if self._is_closed or not full or len(self._children) >= self._most:
            return
        try:
            await self._hire()
        except EngineError:
            self._most = max(1, len(self._children))

    async def _hire(self) -> None:
        """Start another child; it takes work when it is ready.

        Raises:
            EngineError: it cannot be started.
        """
        command = _command()
        child = Child(self)
        self._children.append(child)
        try:
            # In a session of its own it gets no signal from the terminal: it ends when its input does.
            await asyncio.get_running_loop().subprocess_exec(lambda: child, *command, start_new_session=True)
        except OSError as cause:
            error = EngineError(f"the speech synthesiser cannot be started: {command[0]}: {cause.strerror}")
            child.abolish(error)
            raise error from cause
        except asyncio.CancelledError:
            child.abolish(EngineError("the speech synthesiser was not started"))
            raise
        if child.error is not None:
            raise child.error
        child.is_hired = True
        if self._is_closed:
            child.kill()

    def lose(self, child: Child, error: EngineError | None) -> None:
        """Strike off a child; if it was the last, those who wait fail with `error`, or without one try again."""
        if child not in self._children:
            return
        self._children.remove(child)
        while not self._children and (place := self._first_in_line()) is not None:
            if error is None:
                place.set_result(None)
            else:
                place.set_exception(error)

    async def close(self) -> None:
        """End all children and return when they are gone."""
        self._is_closed = True
        children = tuple(self._children)
        for child in children:
            child.kill()
        for child in children:
            await child.gone


def _command() -> tuple[str, ...]:
    """Return the command that starts a child.

    Raises:
        EngineError: espeak-ng is not installed.
    """
    try:
        import espeakng_loader  # tells where the library is; only the child loads it

        library, data = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    except (ImportError, RuntimeError) as error:
        raise EngineError(f"espeak-ng is not installed: {error}") from error
    return (sys.executable, "-I", "-S", str(Path(wire.__file__)), library, data)
