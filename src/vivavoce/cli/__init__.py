"""The command line: `vivavoce COMMAND ...`.

A command is a module of this package with `add_arguments(parser)` and `run(arguments) -> int`; it is imported when it
is chosen, so that no command pays for another's libraries.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..core.errors import ConfigError, VivavoceError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "serve": "run the Realtime server",
    "say": "speak a text, or have it answered, into WAV files",
    "talk": "talk to a server in the terminal",
    "transcribe": "write down what a recording says",
    "call": "have a running server call somebody by telephone",
    "check": "check any Realtime server against the rules of the protocol",
    "replay": "run a session's journal through the core again",
}
"""The commands, and what each does in half a line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name and return its exit status.

    0 is success, 1 a failure, 2 a mistake in the arguments or settings, 130 an interruption from the keyboard.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if not arguments or arguments[0] not in COMMANDS:
        # Only `--help`, `--version` and mistakes are left; argparse answers them all.
        parser.parse_args(arguments or ["--help"])
    name = arguments[0]
    command = importlib.import_module(f".{name}", __package__)
    parser = argparse.ArgumentParser(prog=f"vivavoce {name}", description=_sentence(COMMANDS[name]), allow_abbrev=False)
    command.add_arguments(parser)
    try:
        status: int = command.run(parser.parse_args(arguments[1:]))
    except VivavoceError as error:
        print(f"vivavoce {name}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vivavoce",
        description="The voice server you run yourself: the OpenAI Realtime API with engines of its own.",
        epilog="'vivavoce COMMAND --help' tells more of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"vivavoce {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary, add_help=False)
    return parser


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."
