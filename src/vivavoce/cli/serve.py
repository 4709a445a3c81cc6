"""`vivavoce serve`: the server, as the command line and the environment want it."""

from __future__ import annotations

import argparse
import os
import sys

from ..config import OPTIONS, load, misspelt

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for every setting that may stand on a command line."""
    keys = ", ".join(option.env for option in OPTIONS if not option.flag)
    parser.epilog = (
        "Every flag is also an environment variable, named in brackets. Keys are given by variables alone, because "
        f"command lines can be read by others: {keys}."
    )
    for option in OPTIONS:
        if not option.flag:
            continue
        told = f"{option.help} [{option.env}]"
        if option.is_switch:
            parser.add_argument(option.flag, dest=option.flag, action="store_const", const="1", help=told)
        else:
            parser.add_argument(option.flag, dest=option.flag, metavar=option.metavar, help=told)


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends it.

    Raises:
        VivavoceError: it cannot; the message is one line.
    """
    flags = {flag: text for flag, text in vars(arguments).items() if text is not None}
    config = load(os.environ, flags)
    for line in misspelt(os.environ):
        print(f"vivavoce serve: {line}", file=sys.stderr)
    from ..server.serve import serve
    from ..server.switchboard import build

    return serve(config, build)
