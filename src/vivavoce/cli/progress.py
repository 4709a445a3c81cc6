"""How far a command is: a bar on a terminal, plain lines elsewhere.  Everything goes to stderr."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol, Self, TextIO

from .failure import complain


class Progress(Protocol):
    """Shows work of a known amount; a context manager, so that a bar never outlives its command."""

    def advance(self, amount: int) -> None:
        """Count more of the work as done; negative when some of it has to be done again."""
        ...

    def step(self, line: str, short: str) -> None:
        """Tell that a step was taken: by a line, or in `short` beside a bar that shows it already."""
        ...

    def say(self, line: str) -> None:
        """Show one line without spoiling the bar."""
        ...

    def complain(self, line: str) -> None:
        """Show one line even if nothing else is to be shown."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Lines:
    """Progress as plain lines, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def advance(self, amount: int) -> None:
        """Count silently: the lines that are said tell enough."""

    def step(self, line: str, short: str) -> None:
        """Write one line."""
        self.say(line)

    def say(self, line: str) -> None:
        """Write one line."""
        print(line, file=self._stream, flush=True)

    complain = say

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


class Bar:
    """Progress as a bar."""

    def __init__(self, total: int, label: str, stream: TextIO) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(total=total, desc=label, unit=" characters", file=stream, leave=False, dynamic_ncols=True)

    def advance(self, amount: int) -> None:
        """Move the bar."""
        self._bar.update(amount)

    def step(self, line: str, short: str) -> None:
        """Write `short` behind the bar."""
        self._bar.set_postfix_str(short)

    def say(self, line: str) -> None:
        """Write one line above the bar."""
        self._bar.write(line, file=self._bar.fp)

    complain = say

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.close()


class Silence:
    """No progress, for `--quiet`."""

    def advance(self, amount: int) -> None:
        """Count nothing."""

    def step(self, line: str, short: str) -> None:
        """Say nothing."""

    def say(self, line: str) -> None:
        """Say nothing."""

    def complain(self, line: str) -> None:
        """Write one line."""
        complain(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


def progress(total: int, label: str, *, quiet: bool = False) -> Progress:
    """Return the progress that suits stderr, for `total` units of work."""
    if quiet:
        return Silence()
    return Bar(total, label, sys.stderr) if sys.stderr.isatty() else Lines(sys.stderr)


def clock(seconds: float) -> str:
    """Return a duration as people write it: `0:07`, `12:34`, `1:02:03`."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def stamp(unix: float) -> str:
    """Return a time of day as ISO 8601 in UTC, to the millisecond."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix)) + f".{int(unix % 1 * 1000):03}Z"
