"""How a command ends when it cannot do what it was asked: one line on stderr that names the cause, and a status."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from ..core.errors import ConfigError, VivavoceError

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: done; failed; asked for something that makes no sense; stopped by Ctrl-C (128 + SIGINT)."""


class Failure(VivavoceError):
    """A command cannot go on; the message is one line for its user."""


class Misuse(VivavoceError):
    """The arguments of a command contradict each other or name nothing."""


def guarded(name: str, command: Callable[[], int]) -> int:
    """Run `command` and return its exit status, or say in one line why it has none and return the status for that.

    An interruption, and output that nobody reads any more, are left to `vivavoce.cli.main`.
    """
    try:
        status = command()
        sys.stdout.flush()
        return status
    except (Misuse, ConfigError) as misuse:
        complain(f"{name}: {misuse}")
        return MISUSED
    except VivavoceError as failure:
        complain(f"{name}: {failure}")
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(f"{name}: {cause(error)}")
    return FAILED


def complain(line: str) -> None:
    """Write one line to stderr."""
    print(" ".join(line.split()), file=sys.stderr, flush=True)


def cause(error: OSError) -> str:
    """Return what the system refused, and where, for people."""
    words = {
        errno.ENOSPC: "no space left on the disk",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "the file would grow larger than allowed",
        errno.EROFS: "the file system is read-only",
    }
    said = words.get(error.errno or 0) or (error.strerror or str(error) or type(error).__name__)
    said = said[:1].lower() + said[1:]
    return f"{error.filename}: {said}" if error.filename else said
