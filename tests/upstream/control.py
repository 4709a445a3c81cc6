"""Steering a stand-in from another process, over HTTP on its own port."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

from .schema import Json
from .wire import Head

if TYPE_CHECKING:
    from .server import StandIn


class Control:
    """What `/control` does: GET tells the tally, POST takes an order as a JSON object.

    What the stand-in's methods do is ordered by their names and arguments: `{"do": "drop", "count": 3}`,
    `{"do": "close", "code": 1012, "reason": ""}`, `{"do": "stop_reading", "seconds": 60}`,
    `{"do": "close_door", "seconds": 5}`, `{"do": "send", "event": {...}}`.  `{"do": "change", "fields": {...}}`
    changes its faults.
    """

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    def serve(self, head: Head, body: bytes) -> tuple[int, Json]:
        """Return the status and the body that answer a request."""
        if head.method == "GET":
            return 200, self._stand_in.tally.as_json()
        try:
            order = json.loads(body)
            done = self._obey(order.pop("do"), order)
        except (ValueError, TypeError, KeyError) as error:
            return 400, {"error": {"message": f"the order is not understood: {error!r}"}}
        return 200, {"done": done}

    def _obey(self, what: str, order: dict[str, Any]) -> object:
        match what:
            case "drop":
                return self._stand_in.drop(**order)
            case "close":
                return self._stand_in.close(**order)
            case "stop_reading":
                return self._stand_in.stop_reading(**order)
            case "close_door":
                self._stand_in.close_door(**order)
                return None
            case "send":
                return self._stand_in.send(**order)
            case "change":
                self._stand_in.faults.change(**order)
                return None
        raise ValueError(f"there is no order {what!r}")


class Remote:
    """Gives orders to a stand-in that runs as a program."""

    def __init__(self, http_url: str) -> None:
        self.http_url = http_url
        """Where it listens, without a path."""

    def tally(self) -> dict[str, Any]:
        """Return what it has counted."""
        with urllib.request.urlopen(f"{self.http_url}/control", timeout=10) as answer:
            counted: dict[str, Any] = json.load(answer)
        return counted

    def order(self, do: str, **fields: Any) -> Any:
        """Give an order, and return what came of it."""
        request = urllib.request.Request(f"{self.http_url}/control", json.dumps({"do": do, **fields}).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["done"]
