"""What `vivavoce say` leaves behind for one text: a WAV file and a description, or nothing that passes for them.

While it works, `NAME.wav.part` takes the audio and `NAME.wav.state` says which parts of the text are whole.  A run that
was interrupted is continued from there; only a finished one gets the names `NAME.wav` and `NAME.json`.  Standard output
and devices cannot be taken back, so there the audio is written straight through.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

import msgspec

from ..audio.wav import WavWriter
from .failure import Failure
from .speech import RATE_HZ

_FORMAT = 1
"""Of state files; one of another format is not continued."""


_HEADER_BYTES = 44
"""Before the audio of a WAV file with one format and nothing else."""
_LARGEST_DATA = 0xFFFF_FFFF - _HEADER_BYTES
"""Sizes in a RIFF file have 32 bits."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the text that was spoken whole, as the description shows it."""

    index: int
    """From 0."""
    text: str
    transcript: str
    word_for_word: bool | None
    """Whether the transcript has the words of the text; None when it was not to be read out."""
    status: str
    attempts: int
    response_id: str
    item_ids: list[str]
    event_ids: list[str]
    start_byte: int
    """Where its audio begins in the data of the WAV file."""
    bytes: int
    samples: int
    duration_s: float
    time_to_first_audio_s: float | None
    time_to_end_s: float
    usage: dict[str, Any] | None

    @property
    def end_byte(self) -> int:
        """Where its audio ends."""
        return self.start_byte + self.bytes


class Output(Protocol):
    """Where the audio of one text goes."""

    parts: list[Part]
    """The parts that are whole, in order; not empty when an earlier run is continued."""

    def write(self, pcm: bytes) -> None:
        """Write audio of the part that is being spoken."""
        ...

    def keep(self, part: Part) -> None:
        """Note that a part is whole."""
        ...

    def rewind(self) -> None:
        """Take back what was written of a part that is not whole.

        Raises:
            Failure: it is already on its way to the listener.
        """
        ...

    def finish(self, description: dict[str, Any]) -> None:
        """Make it a finished recording."""
        ...

    def close(self) -> None:
        """Let go of the files, finished or not."""
        ...


class _Head(msgspec.Struct, frozen=True):
    """The first line of a state file."""

    format: int
    digest: str
    """Of everything that decides how the text sounds."""


class FileOutput:
    """A WAV file with its description, written part by part."""

    def __init__(self, target: Path, digest: str, *, restart: bool = False) -> None:
        """Begin, or go on where an earlier run of the same text in the same manner stopped.

        Raises:
            Failure: another process is writing it.
            OSError: the files cannot be written.
        """
        self.parts: list[Part] = []
        self._target = target
        self._state_path = state_path(target)
        self._part_path = target.with_name(target.name + ".part")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a directory", str(target))
        _check_description(target.with_suffix(".json"))
        self._audio: BinaryIO = open(self._part_path, "r+b" if self._part_path.exists() else "w+b")  # noqa: SIM115
        try:
            _lock(self._audio, target)
            if not restart:
                self.parts = _restored(self._state_path, digest, os.fstat(self._audio.fileno()).st_size)
            self._state = self._fresh_state(digest)
            self._writer = self._continued()
        except BaseException:
            self._audio.close()
            raise

    @property
    def audio_bytes(self) -> int:
        """How much audio is whole."""
        return self.parts[-1].end_byte if self.parts else 0

    def write(self, pcm: bytes) -> None:
        """Write audio of the part that is being spoken."""
        self._writer.write(pcm)

    def keep(self, part: Part) -> None:
        """Note that a part is whole, once its audio is safely on the disk."""
        if part.end_byte > _LARGEST_DATA:
            raise Failure(f"{self._target}: a WAV file holds at most 4 GB, about 24 hours; cut the text into several")
        _sync(self._audio)
        self.parts.append(part)
        self._state.write(msgspec.json.encode(part) + b"\n")
        _sync(self._state)

    def rewind(self) -> None:
        """Take back what was written of a part that is not whole."""
        self._writer = self._continued()

    def _continued(self) -> WavWriter:
        """Cut off what is not whole and return a writer for what follows."""
        self._audio.truncate(_HEADER_BYTES + self.audio_bytes)
        kept = max(0, self.audio_bytes - 2)
        self._audio.seek(_HEADER_BYTES + kept)
        last_sample = self._audio.read()
        self._audio.seek(0)
        writer = WavWriter(self._audio, RATE_HZ)
        writer.data_bytes = kept
        self._audio.seek(_HEADER_BYTES + kept)
        writer.write(last_sample)  # and with it a header that counts everything before
        return writer

    def finish(self, description: dict[str, Any]) -> None:
        """Give the recording and its description their names; until here, older ones stand untouched."""
        _sync(self._audio)
        named = self._target.with_suffix(".json")
        draft = named.with_name(named.name + ".part")
        with open(draft, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n")
            _sync(file)
        os.replace(self._part_path, self._target)
        os.replace(draft, named)
        self._state_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files; what is whole stays for the next run, and nothing stays of a run without a part."""
        with contextlib.suppress(OSError):  # what could not be written then cannot be now, and was told then
            self._state.close()
        if not self.parts:
            self._part_path.unlink(missing_ok=True)
            self._state_path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._audio.close()

    def _fresh_state(self, digest: str) -> IO[bytes]:
        """Write a state file that says what is whole now, and leave it open for more."""
        lines = [msgspec.json.encode(_Head(_FORMAT, digest)), *map(msgspec.json.encode, self.parts)]
        draft = self._state_path.with_name(self._state_path.name + ".new")
        file = open(draft, "wb")  # noqa: SIM115 - stays open while the text is spoken
        try:
            file.write(b"\n".join(lines) + b"\n")
            _sync(file)
            os.replace(draft, self._state_path)
        except BaseException:
            file.close()
            raise
        return file


class StreamOutput:
    """Audio written straight through: to standard output, a pipe or a device."""

    def __init__(self, stream: BinaryIO, *, closes: bool) -> None:
        self.parts: list[Part] = []
        self._stream = stream
        self._closes = closes
        self._writer = WavWriter(stream, RATE_HZ)
        self._whole_bytes = 0

    def write(self, pcm: bytes) -> None:
        """Write audio and let it go at once."""
        self._writer.write(pcm)

    def keep(self, part: Part) -> None:
        """Note that a part is whole."""
        self.parts.append(part)
        self._whole_bytes = self._writer.data_bytes

    def rewind(self) -> None:
        """Take back what was written of a part that is not whole.

        Raises:
            Failure: it is already on its way to the listener.
        """
        if self._writer.data_bytes > self._whole_bytes:
            raise Failure("the answer broke off, and what was heard of it cannot be taken back from a stream")

    def finish(self, description: dict[str, Any]) -> None:
        """Do nothing more: a stream has no place for a description."""

    def close(self) -> None:
        """Let go of the stream."""
        if self._closes:
            with contextlib.suppress(OSError):  # what could not be written then cannot be now, and was told then
                self._stream.close()


def open_output(target: Path, digest: str, *, restart: bool) -> FileOutput | StreamOutput:
    """Return the output for a path: a device or a pipe is written straight through.

    Raises:
        Failure: another process is writing it.
        OSError: it cannot be written.
    """
    if is_stream(target):
        return StreamOutput(open(target, "wb"), closes=True)
    return FileOutput(target, digest, restart=restart)


def is_stream(target: Path) -> bool:
    """Return whether a path is a device or a pipe, which takes audio and keeps no files beside it."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def leftovers(target: Path) -> tuple[Path, ...]:
    """Return all files that come of a recording."""
    part, state = target.with_name(target.name + ".part"), state_path(target)
    return target, target.with_suffix(".json"), target.with_suffix(".log"), part, state


def state_path(target: Path) -> Path:
    """Return where the state of an unfinished recording is kept."""
    return target.with_name(target.name + ".state")


def digest_in(path: Path) -> str | None:
    """Return for what a state file was written, None when it is none."""
    try:
        with open(path, "rb") as file:
            head = msgspec.json.decode(file.readline(), type=_Head)
    except (OSError, msgspec.DecodeError):
        return None
    return head.digest if head.format == _FORMAT else None


def _check_description(path: Path) -> None:
    """Refuse to replace a file that happens to be called like our description.

    Raises:
        Failure: it is not one.
    """
    try:
        found = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict) or not str(found.get("made_by")).startswith("vivavoce"):
        raise Failure(f"{path} is not a description of a recording and would be overwritten: choose another name")


def _restored(path: Path, digest: str, file_bytes: int) -> list[Part]:
    """Return the parts that an earlier run left whole; none when it was about something else."""
    if digest_in(path) != digest:
        return []
    parts: list[Part] = []
    for line in path.read_bytes().splitlines()[1:]:
        try:
            part = msgspec.json.decode(line, type=Part)
        except msgspec.DecodeError:
            break  # cut off in the middle of a line
        before = parts[-1].end_byte if parts else 0
        if part.index != len(parts) or part.start_byte != before or part.end_byte + _HEADER_BYTES > file_bytes:
            break
        parts.append(part)
    return parts


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _lock(file: IO[bytes], target: Path) -> None:
    """Claim a file until it is closed.

    Raises:
        Failure: another process has it.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure(f"{target} is being written by another process") from None
