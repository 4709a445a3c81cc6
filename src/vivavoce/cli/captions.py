"""Live captions: on a terminal the line under way is rewritten as its words come, elsewhere only whole lines appear."""

from __future__ import annotations

import shutil
import unicodedata
from typing import TextIO


class Captions:
    """Lines of speech on one stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._shown = ""
        """The unfinished line on the terminal."""

    def partial(self, line: str) -> None:
        """Show a line that may still change."""
        if self._is_terminal:
            # Only its end where it is too long: a line that wraps cannot be taken back.
            shown = _tail(" ".join(line.split()), shutil.get_terminal_size().columns - 1)
            if shown != self._shown:
                self._stream.write(f"\r\x1b[K{shown}")
                self._stream.flush()
                self._shown = shown

    def line(self, text: str) -> None:
        """Write a whole line; one that is under way moves below it."""
        under_way = self._shown
        self.clear()
        print(text, file=self._stream, flush=True)
        self.partial(under_way)

    def clear(self) -> None:
        """Take back the line under way."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = ""


def _tail(text: str, columns: int) -> str:
    """Return the end of `text` that fits, with a mark where something is missing."""
    width = 0
    for at in range(len(text) - 1, -1, -1):
        width += 2 if unicodedata.east_asian_width(text[at]) in "WF" else 1
        if width > columns - 1 and at:
            return "…" + text[at + 1 :]
    return text
