"""The client's side of a relay session: its spelling, and how it is shown what is ours.  Called by `relay.session`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..dialects.choose import shape_of_update
from ..dialects.objects import DEFAULT_TEMPERATURE
from . import peek
from .bridges import BetaClient
from .effects import Effect, ToClient
from .terms import Object, Terms
from .unfinished import NewId


class Client:
    """How one client is spoken with."""

    def __init__(self, terms: Terms, new_id: NewId) -> None:
        """Speak as the terms say; in GA, where they do not, until the first update shows otherwise."""
        self._terms = terms
        self._new_id = new_id
        self._bridge = self._beta() if terms.shape == "beta" else None
        self._is_undecided = terms.shape is None
        self.is_told = False
        """Whether it has had its `session.created`."""

    @property
    def is_beta(self) -> bool:
        """Whether it speaks the beta shape."""
        return self._bridge is not None

    @property
    def temperature(self) -> float | None:
        """The temperature that it has set, which GA does not have; None for the usual one, or where it has none."""
        found = self._bridge.temperature if self._bridge is not None else DEFAULT_TEMPERATURE
        return None if found == DEFAULT_TEMPERATURE else found

    def follow(self, event: Object) -> None:
        """Take note of an event that it is told of in its own upstream's words."""
        if self._bridge is not None:
            self._bridge.from_ga(event)

    def read(self, kind: bytes, event: Object) -> list[Object]:
        """Return what it says, in GA spelling."""
        if self._is_undecided and kind.endswith(b"session.update"):
            self._is_undecided = False
            if shape_of_update(event) == "beta":
                self._bridge = self._beta()
        return self._bridge.to_ga(event) if self._bridge is not None else [event]

    def tell(self, event: Object) -> list[Effect]:
        """Return what sends it an event that is in GA spelling."""
        events: Iterable[Object] = self._bridge.from_ga(event) if self._bridge is not None else (event,)
        return [ToClient(peek.written(each)) for each in events]

    def delta_name(self, kind: bytes) -> bytes:
        """Return what it calls a delta of that GA name."""
        return self._bridge.renamed_from_ga.get(kind, kind) if self._bridge is not None else kind

    def knows(self, kind: bytes) -> bool:
        """Return whether it spells an event of that GA name as GA does."""
        return self._bridge is None or kind in self._bridge.same

    def error(
        self,
        code: str,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        event_id: Any = None,
    ) -> list[Effect]:
        """Return what tells it of a mistake, or of why its session ends."""
        error = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}
        return self.tell({"type": "error", "event_id": self._new_id("event"), "error": error})

    def created(self, session: Object, item_count: int) -> list[Effect]:
        """Return its `session.created`."""
        self.is_told = True
        shown = self.shown(session)
        if self._terms.resume_token:
            shown["resume"] = {"token": self._terms.resume_token, "items": item_count}
        return self.tell({"type": "session.created", "event_id": self._new_id("event"), "session": shown})

    def shown(self, session: Object) -> Object:
        """Return a session as it knows it: by its own id, the name of the model it asked for, its own lifetime."""
        terms = self._terms
        expires_at = round(terms.created_unix + terms.limits.session_seconds)
        shown = session | {"id": terms.session_id, "expires_at": expires_at}
        if terms.model and "model" in session:
            shown["model"] = terms.model
        if isinstance(tools := session.get("tools"), list):
            shown["tools"] = [_without_credentials(tool) for tool in tools]
        return shown

    def noted(self, what: str, now: float, fields: Object) -> list[Effect]:
        """Return what tells it of the relay's own affairs, if it asked for that."""
        if not (self._terms.tells_relay and self.is_told):
            return []
        if what == "unavailable":
            # It tells of addresses, and what servers say of keys.
            fields = {name: value for name, value in fields.items() if name != "message"}
        event = {"type": "vivavoce.relay", "event_id": self._new_id("event"), "what": what, "at": round(now, 3)}
        return [ToClient(peek.written(event | fields))]

    def _beta(self) -> BetaClient:
        return BetaClient(self._terms.kind, self._new_id)


def _without_credentials(tool: Any) -> Any:
    """Return a tool without what lets others in: settings may be those of whoever made the client's secret."""
    if not isinstance(tool, dict) or tool.get("type") != "mcp":
        return tool
    return {name: value for name, value in tool.items() if name not in ("authorization", "headers")}
