"""Journals: what a session was told and what it answered, as JSON lines, so that a fault can be run again.

The first line tells how the session began; each further line is one input with its session time and its effects.
Client frames stand as they were received, but for secrets (`server.redaction`); long audio in effects is given by
length and checksum, which is enough to tell two runs apart.  A journal holds what was said, so its file is
readable for its owner alone; keys are never in it.
"""

from __future__ import annotations

import enum
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec
import pybase64

from .. import __version__
from ..core import reports
from ..core.effects import Effect, Send
from ..core.errors import ProtocolError, VivavoceError
from ..core.formats import AudioFormat
from ..core.limits import Limits
from ..core.reports import Report
from ..core.service import DEFAULT_SERVICE, Service
from ..core.sessions import AnySession, session_of
from ..core.settings import McpServer, Settings
from ..dialects import codec
from ..dialects.choose import Dialect, choose
from .ids import Ids
from .redaction import Redaction, without_secrets

FORMAT = 2
_REPORTS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        reports.Heard,
        reports.Overheard,
        reports.Transcribed,
        reports.TranscriptionFailed,
        reports.Deafened,
        reports.Said,
        reports.Called,
        reports.Argued,
        reports.Answered,
        reports.Broke,
        reports.Played,
        reports.ToolsListed,
        reports.ToolsUnavailable,
        reports.ToolReturned,
        reports.ToolFailed,
        reports.Exhausted,
    )
}


class Moment(enum.Enum):
    """What happens to a session without anybody saying anything."""

    START = "start"
    DUE = "due"
    """Its deadline has passed."""
    GONE = "gone"
    """Its client is gone."""


Given = bytes | Report | Moment
"""One input of a session: a client's message, a report, or a moment."""


def step(session: AnySession, dialect: Dialect, given: Given, now: float) -> list[Effect]:
    """Have a session take one input, however wrong a client's message may be, and return what it asks for."""
    if isinstance(given, bytes):
        return receive_frame(session, dialect, given, now)
    if not isinstance(given, Moment):
        return session.receive_report(given, now)
    match given:
        case Moment.START:
            return session.start(now)
        case Moment.DUE:
            return session.receive_time(now)
        case Moment.GONE:
            return session.hang_up(now)


def receive_frame(session: AnySession, dialect: Dialect, data: bytes, now: float) -> list[Effect]:
    """Have a session take one message of a client."""
    try:
        event = dialect.decode(data)
    except ProtocolError as mistake:
        return session.receive_mistake(mistake, now)
    return session.receive_event(event, now)


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
    service: Service = DEFAULT_SERVICE
    safety_identifier: str = ""
    """What the application calls its user by: a hash, by the protocol; empty for nothing."""


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
        try:
            folder.mkdir(parents=True, exist_ok=True)
            number = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._file: IO[bytes] = os.fdopen(number, "wb")
        except OSError as error:
            raise JournalError(f"cannot write the journal {self.path}: {error.strerror}") from error
        self._redaction = Redaction()
        self._write(
            msgspec.structs.replace(
                head,
                settings=self._redaction.settings(head.settings),
                service=self._redaction.service(head.service),
            )
        )

    def write(self, given: Given, now: float, outcome: list[Effect] | Exception) -> None:
        """Write down one input and what came of it: effects, or the bug that it met.

        Raises:
            JournalError: it cannot be written.
        """
        if isinstance(given, bytes):
            given = self._redaction.frame(given)
        self._write({"now": now, **_line(given), "effects": _summaries(outcome)})

    def close(self) -> None:
        """Write everything out.

        Raises:
            JournalError: it cannot be written.
        """
        try:
            self._file.close()
        except OSError as error:
            raise JournalError(f"cannot write the journal {self.path}: {error.strerror}") from error

    def _write(self, line: Any) -> None:
        try:
            self._file.write(codec.encode(line) + b"\n")
        except OSError as error:
            raise JournalError(f"cannot write the journal {self.path}: {error.strerror}") from error


def _line(given: Given) -> dict[str, Any]:
    """Return an input as a journal's line shows it; `_given` is the way back."""
    match given:
        case bytes():
            try:
                return {"frame": given.decode()}
            except UnicodeDecodeError:
                return {"bytes": pybase64.b64encode_as_string(given)}
        case Moment():
            return {"moment": given.value}
        case _:
            return {"report": type(given).__name__, "with": given}


def _given(line: dict[str, Any]) -> Given:
    if "frame" in line:
        return str(line["frame"]).encode()
    if "bytes" in line:
        return pybase64.b64decode(line["bytes"], validate=True)
    if "moment" in line:
        return Moment(line["moment"])
    report: Report = msgspec.convert(line["with"], _REPORTS[line["report"]])
    return report


def _summaries(outcome: list[Effect] | Exception) -> list[dict[str, Any]]:
    if isinstance(outcome, Exception):
        return [{"effect": "raised", "error": repr(outcome)[:1000]}]
    return [summary(effect) for effect in outcome]


def summary(effect: Effect) -> dict[str, Any]:
    """Return an effect as journals show it: its name and fields, bytes by length and checksum."""
    return {"effect": type(effect).__name__} | _fields(effect)


def _plain(value: Any) -> Any:
    match value:
        case McpServer():
            return {"is": "McpServer"} | _fields(without_secrets(value))
        case bytes():
            return {"bytes": len(value), "crc32": zlib.crc32(value)}
        case msgspec.Struct():
            return {"is": type(value).__name__} | _fields(value)
        case dict():
            return {key: _plain(element) for key, element in value.items()}
        case list() | tuple():
            return [_plain(element) for element in value]
        case _:
            return value


def _fields(value: msgspec.Struct) -> dict[str, Any]:
    """Return a value's fields but for those that are as always, so that a field that is new tells no two runs apart."""
    return {
        field.name: _plain(getattr(value, field.name))
        for field in msgspec.structs.fields(value)
        if getattr(value, field.name) != field.default
    }


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
        head = _revived(msgspec.convert(first, Head))
    except (StopIteration, KeyError, msgspec.ValidationError) as error:
        raise JournalError(f"{path} is no journal: its first line does not tell how a session began") from error
    if head.format != FORMAT:
        raise JournalError(f"{path} has journal format {head.format}; vivavoce {__version__} reads {FORMAT}")
    dialect = choose(head.shape, head.settings.kind)
    session = session_of(
        head.settings,
        new_id=Ids(head.seed),
        created_unix=head.created_unix,
        limits=head.limits,
        service=head.service,
    )
    inputs = effects = 0
    for number, line in lines:
        try:
            given, now, expected = _given(line), float(line["now"]), list(line["effects"])
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(f"{path}, line {number}: not a line of a journal ({error})") from error
        actual = msgspec.json.decode(codec.encode(_summaries(_outcome(session, dialect, given, now))))
        inputs += 1
        effects += len(actual)
        if actual != expected:
            shown = codec.encode({k: v for k, v in line.items() if k != "effects"}).decode()[:300]
            return Replayed(inputs, effects, Difference(number, shown, expected, actual))
    return Replayed(inputs, effects, None)


def _revived(head: Head) -> Head:
    """Return a head whose stored prompts have settings again, which JSON knows as plain values."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    prompts = {
        id_: msgspec.structs.replace(prompt, settings={k: _setting(v, kinds[k]) for k, v in prompt.settings.items()})
        for id_, prompt in head.service.prompts.items()
    }
    return msgspec.structs.replace(head, service=msgspec.structs.replace(head.service, prompts=prompts))


def _setting(value: Any, kind: Any) -> Any:
    # What changes a part of a setting stays an object of its fields: `core.settings.SessionPatch`.
    return msgspec.convert(value, kind) if not isinstance(value, dict) or kind is AudioFormat else value


def _outcome(session: AnySession, dialect: Dialect, given: Given, now: float) -> list[Effect] | Exception:
    """Return what comes of an input, which may be a bug: journals are kept in order to see those again."""
    try:
        effects = step(session, dialect, given, now)
        for effect in effects:
            if isinstance(effect, Send):
                dialect.encode(effect.event)
        return effects
    except Exception as bug:  # noqa: BLE001 - it is reported
        return bug


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
