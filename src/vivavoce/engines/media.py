"""Files of sound: compressed ones written as their sound is made, and nearly any kind read.

The work is done by `media_child` in a process for each file, so that nothing a stranger uploads is parsed in this one.
Plain WAV is read here where it is small, without a process.  Not a resampler of its own: what is read is brought to
the rate that is asked for by `audio.resample`.  Called by `server.rest`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from pathlib import Path
from typing import IO, Any

from ..audio.resample import Resampler, resample
from ..audio.wav import read_wav
from ..core.errors import EngineError
from . import media_child as child

_log = logging.getLogger("vivavoce.media")

ENCODED = ("mp3", "opus", "aac", "flac")
"""The kinds that can be written."""
RATE_HZ = child.RATE_HZ
"""Samples a second of the s16le mono that is encoded."""
_PLAIN_BYTES = 4 << 20
"""WAV files up to this size are read without a process: two minutes at 16 kHz, and at most some 50 MB for a moment."""
_PIECE_BYTES = 1 << 16
_COMPLAINT_BYTES = 500
_STALL_SECONDS = 60.0
"""A process that neither takes nor gives anything for so long has failed; decoding is thousands of times as fast."""


class MediaError(EngineError):
    """A file cannot be read; the message says why, of the file as `it`."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "unreadable_audio")


class Media:
    """Reads and writes files; a process for writing is kept ready once one was needed."""

    def __init__(self, stall_seconds: float = _STALL_SECONDS) -> None:
        """Prepare; nothing starts before the first file."""
        self._stall_seconds = stall_seconds
        self._spare: asyncio.Task[Process] | None = None
        self._processes: set[Process] = set()
        self._is_closed = False

    async def encode(self, kind: str, pcm: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Yield a file of one of the kinds `ENCODED` as its sound, s16le mono at `RATE_HZ`, comes.

        Closing the iterator ends the work at once.

        Raises:
            EngineError: it cannot be written.
        """
        process = await self._writer()
        feeding: asyncio.Task[None] | None = None
        try:
            feeding = asyncio.create_task(_feed(process, kind, pcm), name="sound to be encoded")
            assert process.stdout is not None
            # No stall is looked for: sound comes as fast as it is made and taken.
            while data := await process.stdout.read(_PIECE_BYTES):
                yield data
            await feeding
            if (failure := await _failure(process)) is not None:
                raise failure
        finally:
            if feeding is not None:
                feeding.cancel()
                await asyncio.wait((feeding,))
            await self._end(process)

    async def decode(self, file: IO[bytes], rate_hz: int) -> AsyncGenerator[bytes, None]:
        """Yield the sound of a file on disk, read from its beginning, as s16le mono at `rate_hz`.

        Raises:
            MediaError: it cannot be read.
            EngineError: nothing can be.
        """
        plain = await asyncio.to_thread(_plain, file, rate_hz)
        if plain is not None:
            yield plain
            return
        process = await self._start("decode", stdin=file)
        try:
            assert process.stdout is not None
            try:
                head = await self._within(process.stdout.readexactly(child.HEAD.size))
            except asyncio.IncompleteReadError:
                raise await _blame(process) or MediaError("it has no sound") from None
            resampler = _resampler(child.HEAD.unpack(head)[0], rate_hz)
            held = b""
            while data := await self._within(process.stdout.read(_PIECE_BYTES)):
                data = held + data
                whole = len(data) // 2 * 2
                held = data[whole:]
                yield resampler.push(data[:whole])
            if (failure := await _blame(process)) is not None:
                raise failure
            yield resampler.flush()
        finally:
            await self._end(process)

    async def close(self) -> None:
        """End all processes."""
        self._is_closed = True
        if self._spare is not None:
            self._spare.cancel()
            await asyncio.wait((self._spare,))
            self._spare = None
        for process in tuple(self._processes):
            await self._end(process)

    async def _writer(self) -> Process:
        """Return a process that is ready to encode, and start the next one meanwhile."""
        spare, self._spare = self._spare, None
        process = await spare if spare is not None else await self._start("encode", stdin=PIPE)
        if process.returncode is not None:
            process = await self._start("encode", stdin=PIPE)
        if not self._is_closed:
            self._spare = asyncio.create_task(self._start("encode", stdin=PIPE), name="spare encoder")
        return process

    async def _start(self, work: str, stdin: int | IO[bytes]) -> Process:
        command = (sys.executable, "-P", str(Path(child.__file__)), work)
        # Of the environment, where keys may stand, whoever takes over a decoder is to see nothing.
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=stdin, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True
            )
        except OSError as error:
            raise EngineError(f"audio files cannot be worked on: {command[0]}: {error.strerror}") from error
        self._processes.add(process)
        return process

    async def _within(self, reading: Coroutine[Any, Any, bytes]) -> bytes:
        try:
            async with asyncio.timeout(self._stall_seconds):
                return await reading
        except TimeoutError:
            raise MediaError("it takes too long to be read") from None

    async def _end(self, process: Process) -> None:
        self._processes.discard(process)
        if process.returncode is None:
            with suppress(ProcessLookupError):  # it may have ended of itself just now
                process.kill()
        # Its pipes are read to their ends, or else its exit may never be noticed.
        await process.communicate()


async def _feed(process: Process, kind: str, pcm: AsyncGenerator[bytes, None]) -> None:
    """Write all sound to a process; one that died says so at its other end."""
    assert process.stdin is not None
    try:
        async with aclosing(pcm) as pieces:
            process.stdin.write(kind.encode() + b"\n")
            async for piece in pieces:
                process.stdin.write(piece)
                await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        process.stdin.close()


async def _failure(process: Process) -> EngineError | None:
    """Return why a process, whose output has ended, did not end well; None where it did."""
    assert process.stderr is not None
    complaint = (await process.stderr.read())[-_COMPLAINT_BYTES:].decode(errors="replace").strip()
    status = await process.wait()
    cause = complaint.splitlines()[-1] if complaint else f"exit status {status}"
    match status:
        case 0:
            return None
        case child.UNREADABLE:
            return MediaError(cause)
        case child.MISSING:
            return EngineError(f"compressed audio cannot be worked on without PyAV: {cause}", "media_missing")
        case _:
            return EngineError(f"the process that works on audio files ended: {cause}")


async def _blame(process: Process) -> EngineError | None:
    """Return why a file was not read; what a decoder crashes at is the file's fault."""
    failure = await _failure(process)
    if failure is None or isinstance(failure, MediaError) or failure.code == "media_missing":
        return failure
    _log.warning("%s", failure)
    return MediaError("it is damaged")


def _plain(file: IO[bytes], rate_hz: int) -> bytes | None:
    """Return the sound of a small WAV file of a usual kind, None of anything else; the file is on disk afterwards."""
    file.flush()
    file.fileno()  # which puts a file that is still in memory on disk, for the process to read
    file.seek(0)
    data = file.read(_PLAIN_BYTES + 1)
    if len(data) > _PLAIN_BYTES or data[:4] != b"RIFF":
        return None
    try:
        wav = read_wav(data)
        return resample(wav.pcm, wav.rate_hz, rate_hz) or None
    except ValueError:
        return None  # a kind that only the process knows, or it tells what is wrong


def _resampler(from_hz: int, to_hz: int) -> Resampler:
    try:
        return Resampler(from_hz, to_hz, trim_start=True)
    except ValueError as error:
        raise MediaError(str(error)) from error
