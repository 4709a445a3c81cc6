"""What became of a relay session, as JSON lines: links that came and went, what was lost, what it cost.

Frames are not written down: where both sides spell them alike they are never read.  Called by `server.relaying`.
"""

from __future__ import annotations

import logging
from io import BufferedWriter
from pathlib import Path

import msgspec

from ..relay.effects import Noted, Used

__all__ = ["RelayLog"]

_log = logging.getLogger("vivavoce.relay")


class RelayLog:
    """The file of one session, `<session id>.relay.jsonl`, each line with `at` in seconds since it began."""

    def __init__(self, folder: Path | None, session_id: str, head: dict[str, object]) -> None:
        """Begin the file with a line of the kind `began`; without a folder nothing is written.

        Args:
            folder: where it goes.
            session_id: its name, and what it is called in the program's log.
            head: what is known at the beginning; nothing secret.
        """
        self._session_id = session_id
        self._file: BufferedWriter | None = None
        if folder is None:
            return
        try:
            self._file = (folder / f"{session_id}.relay.jsonl").open("xb")
        except OSError as error:
            _log.error("session %s is not written down: %s", session_id, error)
        self._write({"at": 0.0, "what": "began", "session_id": session_id} | head)

    def note(self, noted: Noted, now: float) -> None:
        """Write down what became of a link."""
        told = " ".join(f"{name}={_line(value)}" for name, value in noted.fields.items())
        level = logging.DEBUG if noted.what in ("opened", "answered") else logging.INFO
        _log.log(level, "session %s: %s %s", self._session_id, noted.what, told)
        self._write({"at": round(now, 3), "what": noted.what} | noted.fields)

    def use(self, used: Used, now: float) -> None:
        """Write down what was paid for."""
        fields = {"upstream": used.upstream, "model": used.model, "kind": used.kind, "usage": used.usage}
        self._write({"at": round(now, 3), "what": "used"} | fields)

    def close(self, now: float) -> None:
        """End the file."""
        self._write({"at": round(now, 3), "what": "ended"})
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                _log.error("the end of session %s was not written down: %s", self._session_id, error)

    def _write(self, line: dict[str, object]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
        except OSError as error:
            # A full disk ends the file; the people who talk need it less than each other.
            _log.error("session %s is no longer written down: %s", self._session_id, error)
            self._file = None


def _line(value: object) -> str:
    """Return a value for the program's log, where what servers say begins no line of its own."""
    text = str(value)
    return text if text.isprintable() else repr(text)
