"""The stand-in as a program: `python -m upstream --port 9100`, in the folder of the tests.

It prints one line of JSON when it listens: `{"url": "ws://127.0.0.1:9100/v1", "control": "http://127.0.0.1:9100"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
import typing

from .server import StandIn
from .terms import Rule, Terms


def main() -> None:
    """Serve until the program is told to end."""
    parser = argparse.ArgumentParser(prog="python -m upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen; any free port unless given")
    parser.add_argument(
        "--terms", type=json.loads, default={}, metavar="JSON", help="fields of Terms, rules as [pattern, reply]"
    )
    parser.add_argument("--faults", type=json.loads, default={}, metavar="JSON", help="fields of Faults")
    arguments = parser.parse_args()
    with asyncio.Runner() as runner:
        runner.run(_serve(arguments.port, _terms(arguments.terms), arguments.faults))


def _terms(fields: dict[str, typing.Any]) -> Terms:
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    if "rules" in given:
        given["rules"] = tuple(Rule(*rule) for rule in given["rules"])
    known = {field.name for field in dataclasses.fields(Terms)}
    if unknown := set(given) - known:
        raise SystemExit(f"there are no terms named {sorted(unknown)}; there are {sorted(known)}")
    return Terms(**typing.cast(typing.Any, given))


async def _serve(port: int, terms: Terms, faults: dict[str, typing.Any]) -> None:
    ended = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, ended.set)
    stand_in = StandIn(terms, port=port)
    stand_in.faults.change(faults)
    async with stand_in:
        print(json.dumps({"url": stand_in.url, "control": f"http://127.0.0.1:{stand_in.port}"}), flush=True)
        await ended.wait()


if __name__ == "__main__":
    main()
