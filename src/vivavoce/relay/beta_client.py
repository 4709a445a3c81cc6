"""A client that speaks the beta shape, on a relay whose inner spelling is GA's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..dialects import beta, ga
from ..dialects import objects as shapes
from ..dialects.objects import Object
from . import names, peek


class BetaClient:
    """A client that speaks the beta shape.

    It is told of each item once, and of nothing that remote tools do.  Its rate limits it is told where the beta shape
    has them, right after `response.created`: as they were last known, since GA servers tell them at the end.  So the
    first response of a connection comes without.
    """

    name = "beta"
    same = names.same(*names.ABOUT_OUTPUT, "conversation.item.input_audio_transcription.failed")
    renamed_from_ga = names.FROM_GA
    renamed_to_ga = names.TO_GA

    def __init__(self, kind: str, new_id: Callable[[str], str]) -> None:
        """Begin with a session that nobody has set anything in.

        Args:
            kind: `realtime` or `transcription`.
            new_id: gives ids to what the server does not say and the client expects.
        """
        self._kind = kind
        self._new_id = new_id
        self._conversation = _Conversation(new_id)
        self._temperatures = _Temperatures()
        self._modalities: Any = ["audio", "text"]
        """Those of a transcription session, which GA does not have there."""
        self._detection = "server_vad"
        """The type of turn detection in force, for changes of it that do not tell."""
        self._limits: Any = None
        """The rate limits that were told last."""

    @property
    def temperature(self) -> float:
        """What the client set for its session: GA servers do not know it, and another beta server has to be told."""
        return self._temperatures.session

    # ----------------------------------------------------------------------------------------------- client to server

    def to_ga(self, event: Object) -> list[Object]:
        """Return what the client said as the events that say it in GA."""
        match event.get("type"):
            case "session.update":
                return [self._update(event, "realtime")]
            case "transcription_session.update":
                return [self._update(event, "transcription")]
            case "conversation.item.create" if isinstance(event.get("item"), dict):
                return [event | {"item": shapes.item_to_ga(event["item"])}]
            case "response.create" if isinstance(event.get("response"), dict):
                return [event | {"response": self._request(event)}]
        return [event]

    def _update(self, event: Object, kind: str) -> Object:
        flat = event.get("session")
        if not isinstance(flat, dict):
            return event | {"type": "session.update"}
        # Some clients name the kind as in GA; a server refuses the wrong one better than we could.
        kind = flat["type"] if flat.get("type") in ("realtime", "transcription") else kind
        flat = {
            name: value
            for name, value in flat.items()
            if name not in ga.READ_ONLY and (value is not None or name in beta.NULLABLE)
        }
        detection = flat.get("turn_detection")
        if isinstance(detection, dict) and detection.get("type") is None:
            flat["turn_detection"] = detection | {"type": self._detection}
        self._temperatures.note(event.get("event_id"), flat)
        if kind == "transcription":
            self._modalities = flat.get("modalities", self._modalities)
        return event | {"type": "session.update", "session": shapes.session_to_ga(flat, kind)}

    def _request(self, event: Object) -> Object:
        asked = {name: value for name, value in event["response"].items() if value is not None}
        self._temperatures.ask(event.get("event_id"), asked)
        if asked.get("conversation") == self._conversation.id:
            asked["conversation"] = "auto"  # the server calls it otherwise
        return shapes.response_to_ga(asked)

    # ----------------------------------------------------------------------------------------------- server to client

    def from_ga(self, event: Object) -> list[Object]:
        """Return a GA server's event as the events that say it to the client."""
        kind = str(event.get("type"))
        if kind in names.CONFIRMING and isinstance(event.get("session"), dict):
            return self._session(event)
        if kind in names.WITH_ITEM and isinstance(event.get("item"), dict):
            return self._with_item(event)
        match kind:
            case "conversation.created":
                return []  # told when the session was, with an id of ours
            case "conversation.item.deleted":
                return self._conversation.deleted(event)
            case "input_audio_buffer.committed":
                return [self._conversation.after_told(event)]
            case "conversation.item.input_audio_transcription.completed":
                return [{name: value for name, value in event.items() if name != "languages"}]
            case "response.created" | "response.done" if isinstance(event.get("response"), dict):
                return self._response(event)
            case "rate_limits.updated":
                self._limits = event.get("rate_limits")
                return []
            case "error" if isinstance(event.get("error"), dict):
                self._temperatures.refused(event["error"])
                return [event | {"error": shapes.error_to_beta(event["error"])}]
        if kind in names.BETA_NAMES:
            return [event | {"type": names.BETA_NAMES[kind]}]
        return [] if kind in names.UNKNOWN_TO_BETA else [event]

    def _session(self, event: Object) -> list[Object]:
        session = event["session"]
        self._detection = str(peek.at(session, ("audio", "input", "turn_detection", "type")) or "server_vad")
        if session.get("type", self._kind) == "transcription":
            flat = shapes.session_to_beta(session) | {"modalities": self._modalities, "client_secret": None}
            return [event | {"type": f"transcription_{event['type']}", "session": flat}]
        flat = shapes.session_to_beta(session, self._temperatures.session) | {"client_secret": None}
        told = event | {"session": flat}
        return [told, *self._conversation.created()] if event["type"] == "session.created" else [told]

    def _with_item(self, event: Object) -> list[Object]:
        kind, item = event["type"], event["item"]
        if kind in ("conversation.item.added", "conversation.item.created", "conversation.item.done"):
            return self._conversation.item(event, kind == "conversation.item.done")
        return [] if shapes.is_remote(item) else [event | {"item": shapes.item_to_beta(item)}]

    def _response(self, event: Object) -> list[Object]:
        response = event["response"]
        is_new = event["type"] == "response.created"
        temperature = self._temperatures.of_response(str(response.get("id")), is_new)
        told = shapes.response_to_beta(response, temperature)
        if told.get("conversation_id") is not None:
            told["conversation_id"] = self._conversation.id
        if not is_new or self._limits is None:
            return [event | {"response": told}]
        limits = {"type": "rate_limits.updated", "event_id": self._new_id("event"), "rate_limits": self._limits}
        return [event | {"response": told}, limits]


class _Conversation:
    """What a beta client was told of the conversation: its id, once, and of each item, once."""

    def __init__(self, new_id: Callable[[str], str]) -> None:
        self._new_id = new_id
        self.id = new_id("conv")
        """Our own: a client is to see one conversation, whichever servers hold it."""
        self._is_told = False
        self._entering: set[str] = set()
        """Items that the client was told of and that are not done."""
        self._untold: dict[str, str | None] = {}
        """Ids of items that the client was not told of, with what stood before each."""

    def created(self) -> list[Object]:
        """Return the event that a session's beginning calls for; nothing if it was told before."""
        if self._is_told:
            return []
        self._is_told = True
        conversation = {"id": self.id, "object": "realtime.conversation"}
        return [{"type": "conversation.created", "event_id": self._new_id("event"), "conversation": conversation}]

    def item(self, event: Object, is_done: bool) -> list[Object]:
        """Take in that an item was added or is done; the first word of it is told."""
        item = event["item"]
        id_ = str(item.get("id"))
        if shapes.is_remote(item):
            if not is_done:
                self._untold[id_] = event.get("previous_item_id")
            return []
        is_told = id_ in self._entering
        if is_done:
            self._entering.discard(id_)
        else:
            self._entering.add(id_)
        told = event | {"type": "conversation.item.created", "item": shapes.item_to_beta(item)}
        return [] if is_told else [self.after_told(told)]

    def after_told(self, event: Object) -> Object:
        """Return an event that names no item before its own that the client was not told of."""
        previous, untold = event.get("previous_item_id"), dict(self._untold)
        while isinstance(previous, str) and previous in untold:
            previous = untold.pop(previous)  # so that no server can lead us in a circle
        return event | {"previous_item_id": previous} if "previous_item_id" in event else event

    def deleted(self, event: Object) -> list[Object]:
        """Take in that an item was removed; one that the client was not told of is still not told of."""
        item_id = str(event.get("item_id"))
        is_untold = item_id in self._untold
        before = self._untold.pop(item_id, None)
        self._untold = {id_: before if at == item_id else at for id_, at in self._untold.items()}
        return [] if is_untold else [event]


class _Temperatures:
    """What a beta client set, which GA servers do not know and its sessions and responses are to show."""

    def __init__(self) -> None:
        self.session: float = shapes.DEFAULT_TEMPERATURE
        """That of the session."""
        self._before: tuple[Any, float] = (None, self.session)
        """What it was before the client's latest change, with the id of that."""
        self._asked: list[tuple[Any, float]] = []
        """Those of responses that were asked for and have not begun, with the ids of the client's events."""
        self._responses: dict[str, float] = {}
        """Those of responses that have begun and not ended."""

    def note(self, event_id: Any, flat: Object) -> None:
        """Take in a change of the session, which its server may yet refuse for another reason."""
        self._before = (event_id, self.session)
        self.session = _number(flat.get("temperature"), self.session)

    def ask(self, event_id: Any, response: Object) -> None:
        """Take in what a client wants of a response; the next one that begins is taken for it."""
        temperature = _number(response.get("temperature"), None)
        if temperature is not None:
            self._asked = [*self._asked[-7:], (event_id, temperature)]

    def refused(self, error: Object) -> None:
        """Take in an error: what was asked for may be refused."""
        if error.get("event_id") is not None and error.get("event_id") == self._before[0]:
            self.session = self._before[1]
        by_id = [asked for asked in self._asked if asked[0] is not None and asked[0] == error.get("event_id")]
        if not by_id and error.get("code") == "conversation_already_has_active_response":
            by_id = self._asked[:1]
        self._asked = [asked for asked in self._asked if asked not in by_id]

    def of_response(self, response_id: str, is_new: bool) -> float:
        """Return what a response that begins, or ends, is to show."""
        if not is_new:
            return self._responses.pop(response_id, self.session)
        found = self._asked.pop(0)[1] if self._asked else self.session
        self._responses[response_id] = found
        return found


def _number(value: Any, otherwise: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
