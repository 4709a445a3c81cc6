"""Journals: what a session was told and what it answered, as JSON lines, so that a fault can be run again.

The first line tells how the session began; each further line is one input with its session time and its effects.
Client frames stand as they were received; long audio in effects is given by length and checksum, which is enough to
tell two runs apart.  A journal holds what was said, so its file is readable for its owner alone; keys are never in it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from .. import __version__
from ..core import reports
from ..core.effects import Effect
from ..core.errors import ProtocolError, VivavoceError
from ..core.reports import Report
from ..core.session import Limits, Session
from ..core.settings import Settings
from ..dialects.choose import Dialect, choose
from .ids import Ids

FORMAT = 1
_REPORTS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        reports.Heard,
        reports.Overheard,
        reports.Transcribed,
        reports.TranscriptionFailed,
        reports.Said,
        reports.Called,
        reports.Argued,
        reports.Answered,
        reports.Broke,
        reports.Played,
    )
}


class Head(msgspec.Struct, frozen=True):
    """How a session began."""

    vivavoce: str
    """Version that wrote the journal."""
    format: int
    seed: str
    """Seed of its ids."""
    created_unix: float
    shape: str | None
    """Dialect asked for by the connection, None where it gave no sign."""
    settings: Settings
    limits: Limits


class JournalError(VivavoceError):
    """A journal cannot be written or read; the message names the file."""


class Journal:
    """The journal of one session being written."""

    def __init__(self, folder: Path, session_id: str, head: Head) -> None:
        """Open a new file in `folder`, named after the session.

        Raises:
            JournalError: it cannot be made.
        """
        self.path = folder / f"{session_id}.jsonl"
        self._encode = msgspec.json.Encoder().encode
        try:
            folder.mkdir(parents=True, exist_ok=True)
            number = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file: IO[bytes] = os.fdopen(number, "wb")
        except OSError as error:
            raise JournalError(f"cannot write the journal {self.path}: {error.strerror}") from error
        self._write(head)

    def frame(self, data: bytes, now: float, effects: list[Effect]) -> None:
        """Write down a client's message and what came of it."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        self._step({"now": now, "frame": text}, effects)

    def report(self, report: Report, now: float, effects: list[Effect]) -> None:
        """Write down a report and what came of it."""
        self._step({"now": now, "report": type(report).__name__, "with": report}, effects)

    def time(self, now: float, effects: list[Effect]) -> None:
        """Write down a deadline and what came of it."""
        self._step({"now": now, "time": True}, effects)

    def start(self, now: float, effects: list[Effect]) -> None:
        """Write down the start and what came of it."""
        self._step({"now": now, "start": True}, effects)

    def close(self) -> None:
        """Write everything out."""
        self._file.close()

    def _step(self, line: dict[str, Any], effects: list[Effect]) -> None:
        self._write(line | {"effects": [summary(effect) for effect in effects]})

    def _write(self, line: Any) -> None:
        self._file.write(self._encode(line) + b"\n")


def summary(effect: Effect) -> dict[str, Any]:
    """Return an effect as journals show it: its name and fields, bytes by length and checksum."""
    fields: dict[str, Any] = _plain(msgspec.structs.asdict(effect))
    return {"effect": type(effect).__name__} | fields


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return {"bytes": len(value), "crc32": zlib.crc32(value)}
        case msgspec.Struct():
            return {"is": type(value).__name__} | _plain(msgspec.structs.asdict(value))
        case dict():
            return {key: _plain(element) for key, element in value.items()}
        case list() | tuple():
            return [_plain(element) for element in value]
        case _:
            return value


class Difference(msgspec.Struct, frozen=True):
    """The first place at which a journal and its replay part."""

    line: int
    """Number of the line in the file, from 1."""
    given: str
    """The input, shortened."""
    expected: list[Any]
    """Effects in the journal."""
    actual: list[Any]
    """Effects of the replay."""


class Replayed(msgspec.Struct, frozen=True):
    """What a replay saw."""

    inputs: int
    effects: int
    difference: Difference | None


def replay(path: Path) -> Replayed:
    """Run a journal through the core again, up to the first difference.

    Raises:
        JournalError: the file cannot be read, or is no journal.
    """
    lines = _lines(path)
    try:
        _, first = next(lines)
        head = msgspec.convert(first, Head)
    except (StopIteration, msgspec.ValidationError) as error:
        raise JournalError(f"{path} is no journal: its first line does not tell how a session began") from error
    if head.format != FORMAT:
        raise JournalError(f"{path} has journal format {head.format}; vivavoce {__version__} reads {FORMAT}")
    dialect = choose(head.shape)
    session = Session(head.settings, new_id=Ids(head.seed), created_unix=head.created_unix, limits=head.limits)
    inputs = effects = 0
    for number, line in lines:
        actual = [summary(effect) for effect in _run(session, dialect, line, path, number)]
        actual = msgspec.json.decode(msgspec.json.encode(actual))
        inputs += 1
        effects += len(actual)
        if actual != line["effects"]:
            shown = msgspec.json.encode({k: v for k, v in line.items() if k != "effects"}).decode()[:300]
            return Replayed(inputs, effects, Difference(number, shown, line["effects"], actual))
    return Replayed(inputs, effects, None)


def _run(session: Session, dialect: Dialect, line: dict[str, Any], path: Path, number: int) -> list[Effect]:
    try:
        now = float(line["now"])
        if "frame" in line:
            return receive_frame(session, dialect, line["frame"].encode(), now)
        if "report" in line:
            report = msgspec.convert(line["with"], _REPORTS[line["report"]])
            return session.receive_report(report, now)
        return session.receive_time(now) if "time" in line else session.start(now)
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.ValidationError) as error:
        raise JournalError(f"{path}, line {number}: not a line of a journal ({error})") from error


def receive_frame(session: Session, dialect: Dialect, data: bytes, now: float) -> list[Effect]:
    """Have a session take one message of a client, however wrong it may be."""
    try:
        event = dialect.decode(data)
    except ProtocolError as mistake:
        return session.receive_mistake(mistake, now)
    return session.receive_event(event, now)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield numbered lines; a last one that was cut off by a crash is left out."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                value = msgspec.json.decode(line)
                if not isinstance(value, dict):
                    raise JournalError(f"{path}, line {number}: not a JSON object")
                yield number, value
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalError(f"{path} is no journal: {error}") from error
