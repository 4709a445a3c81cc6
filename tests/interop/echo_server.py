"""A program: the real server with an owner that echoes, or does what it is told to, in place of calls.

Arguments are those of `vivavoce serve`; the limits of time are short, so that tests need not wait.  What owners are
told goes to standard output, a line each.  `ECHO_LOADING` makes the start fail or hang, `ECHO_LOOP=asyncio`
takes uvloop away.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Any

import msgspec

from vivavoce.cli import serve as command
from vivavoce.config import load
from vivavoce.core.errors import EngineError
from vivavoce.core.service import DEFAULT_SERVICE
from vivavoce.legs import Leg
from vivavoce.server.admission import Connection
from vivavoce.server.lives import Lives
from vivavoce.server.metrics import Metrics
from vivavoce.server.serve import serve


class Echo:
    """Sends back what comes."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg

    def receive_frame(self, data: bytes) -> None:
        if data == b"flood":
            for _ in range(2000):
                self.leg.send(b"x" * 65536)
        elif data == b"fail":
            raise RuntimeError("a bug")
        else:
            self.leg.send(data)

    def leg_closed(self, code: int, reason: str) -> None:
        print(f"closed {code} {reason}", flush=True)


class Switchboard:
    """Gives every leg an echo."""

    missing = ()
    ledger = None
    metrics = Metrics()
    lives = Lives(lambda connection, leg: Echo(leg), metrics)
    offers = lives
    service = DEFAULT_SERVICE
    engines: Any = None  # what works without a socket is not asked of it

    def describe(self) -> str:
        return "an echo"

    def accept(self, connection: Connection, leg: Leg) -> Echo:
        return Echo(leg)

    async def ready(self) -> None:
        print("loading", flush=True)
        if os.environ.get("ECHO_LOADING") == "fails":
            raise EngineError("no engine")
        if os.environ.get("ECHO_LOADING") == "hangs":
            await asyncio.Event().wait()

    async def close(self) -> None:
        print("switchboard closed", flush=True)


if __name__ == "__main__":
    if os.environ.get("ECHO_LOOP") == "asyncio":
        sys.modules["uvloop"] = None  # type: ignore[assignment]
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    config = load(os.environ, {flag: text for flag, text in vars(parser.parse_args()).items() if text is not None})
    limits = msgspec.structs.replace(config.limits, handshake_seconds=1.0, close_seconds=1.0, ping_seconds=1.0)
    sys.exit(serve(msgspec.structs.replace(config, limits=limits), lambda _config: Switchboard()))
