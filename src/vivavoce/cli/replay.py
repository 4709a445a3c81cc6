"""`vivavoce replay`: runs a session's journal through the core again and tells whether it went the same way."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .failure import DONE, FAILED, guarded

_SHOWN_CHARACTERS = 2_000
"""Of one effect; longer ones are instructions or lists of tools."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Run the journal of a session (vivavoce serve --journal DIR) through the core again and report the first "
        "difference. Exits with 1 when there is one."
    )
    parser.add_argument("file", type=Path, help="the journal, a file of JSON lines")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    return guarded("vivavoce replay", lambda: _replay(args.file))


def _replay(path: Path) -> int:
    from ..server.journal import replay

    seen = replay(path)
    if seen.difference is None:
        print(f"{seen.inputs} inputs, {seen.effects} effects, no difference")
        return DONE
    difference = seen.difference
    print(f"{path}, line {difference.line}: the replay differs")
    print(f"  input:    {difference.given}")
    expected, actual = difference.expected, difference.actual
    at = next((at for at, pair in enumerate(zip(expected, actual, strict=False)) if pair[0] != pair[1]), None)
    at = min(len(expected), len(actual)) if at is None else at
    print(f"  effect {at + 1} of {len(expected)}:")
    print(f"    journal: {_shown(expected, at)}")
    print(f"    replay:  {_shown(actual, at)}")
    return FAILED


def _shown(effects: list[Any], at: int) -> str:
    if at >= len(effects):
        return "(none)"
    text = json.dumps(effects[at], ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
