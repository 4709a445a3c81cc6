"""Records every server event of a client program, whatever library it is written with: `recorder.install(path)`.

Each line of the recording is `{"connection": 0, "event": {...}}`, connections being numbered as they first speak.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection


def install(path: str) -> None:
    """Record from now on: every client here receives through the `websockets` library."""
    lines = open(path, "a", encoding="utf-8")  # noqa: SIM115 - open until the program ends
    numbers = itertools.count()
    receive: Callable[..., Any] = ClientConnection.recv

    async def recv(self: Any, *arguments: Any, **options: Any) -> Any:
        message = await receive(self, *arguments, **options)
        if not hasattr(self, "recorded_as"):
            self.recorded_as = next(numbers)
        json.dump({"connection": self.recorded_as, "event": json.loads(message)}, lines)
        lines.write("\n")
        lines.flush()
        return message

    ClientConnection.recv = recv  # type: ignore[method-assign]
