"""The beta shape as a client meets it: GA events are written in it, and its events are read as GA ones.

Works on the JSON objects themselves, by `dialects.objects`.  What the beta shape cannot say is left out, and servers
are taken to say everything that the shape has; `relay.bridges` is for those that do not.  Called by `legs.line` alone.
"""

from __future__ import annotations

from typing import Any

from ..dialects import beta, ga, objects

_Json = dict[str, Any]

_FROM_BETA_NAMES = {
    beta.SPELLING.names[event]: name for event, name in ga.SPELLING.names.items() if event in beta.SPELLING.names
} | {
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}


class BetaSpelling:
    """Translates one connection's events; remembers which items still wait for their `conversation.item.done`."""

    def __init__(self) -> None:
        self._open: dict[str, str | None] = {}
        """Item in progress -> the item before it."""

    def outgoing(self, event: _Json) -> _Json:
        """Return a GA client event in beta spelling."""
        kind = event.get("type")
        if kind == "session.update":
            return {**event, "session": objects.session_to_beta(event["session"])}
        if kind == "conversation.item.create":
            return {**event, "item": objects.parts_to_beta(event["item"])}
        if kind == "response.create" and isinstance(event.get("response"), dict):
            return {**event, "response": objects.request_to_beta(event["response"])}
        return event

    def incoming(self, event: _Json) -> list[_Json]:
        """Return a beta server event as the GA events that say the same."""
        if event["type"] == "conversation.item.created":
            return self._created(event)
        kind = _FROM_BETA_NAMES.get(event["type"], event["type"])
        event = {**event, "type": kind}
        if kind in ("session.created", "session.updated"):
            event["session"] = objects.session_to_ga(event["session"])
        elif kind in ("response.created", "response.done"):
            event["response"] = objects.response_to_ga(event["response"])
        elif kind == "response.output_item.done":
            return self._output_done(event)
        elif "item" in event:
            event["item"] = objects.item_to_ga(event["item"])
        return [event]

    def _created(self, event: _Json) -> list[_Json]:
        item, previous = objects.item_to_ga(event["item"]), event.get("previous_item_id")
        added = {**event, "type": "conversation.item.added", "item": item}
        if item.get("status") == "in_progress":
            self._open[item["id"]] = previous
            return [added]
        return [added, {**added, "type": "conversation.item.done"}]

    def _output_done(self, event: _Json) -> list[_Json]:
        item = objects.item_to_ga(event["item"])
        done = {**event, "item": item}
        if item.get("id") not in self._open:  # out of band: never entered the conversation
            return [done]
        closing = {"type": "conversation.item.done", "previous_item_id": self._open.pop(item["id"]), "item": item}
        return [done, {**closing, "event_id": event.get("event_id")}]
