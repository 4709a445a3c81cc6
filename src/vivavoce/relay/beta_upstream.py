"""A server that speaks only the beta shape, on a relay whose inner spelling is GA's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..dialects import ga
from ..dialects import objects as shapes
from ..dialects.objects import Object
from . import names

_NEVER_NULL = ("id", "object", "status", "name", "call_id", "role", "content", "arguments", "output")
"""Keys of items that typed GA clients want to be right or absent."""
_TRANSCRIPTION_FIELDS = ("model", "language", "prompt")
"""What the beta's transcription has."""
_UNMEASURED = {"type": "duration", "seconds": 0.0}
"""The usage of a transcription whose server told none: the event must have one."""


class _Entering(msgspec.Struct):
    """An item that a beta server is making, or has announced as unfinished."""

    item: Object
    """As it was last shown, in GA spelling."""
    response_id: str
    """Empty where the server did not say."""
    is_added: bool = False
    """Whether the GA side was told that it is in the conversation."""


class _Underway(msgspec.Struct):
    """A response that has begun and not ended."""

    is_apart: bool
    """Whether its output stays out of the conversation."""
    limits: Object | None = None
    """The rate limits that came with its beginning and wait for its end."""


class BetaUpstream:
    """A server that speaks only the beta shape.

    What it says once (`conversation.item.created`) becomes what GA says twice: `added` when it comes and `done` when
    the item is final, which for output is after `response.output_item.done` and for all else at once.  A server that
    leaves things out is completed from what it did say.  What GA clients set and the beta has no word for
    (`truncation`, `reasoning`, `include`, `idle_timeout_ms`, remote tools, ...) is not sent, without an
    error, and not shown in the session either: it is not in force.  Rate limits come at the end of a response.
    """

    name = "beta"
    same = names.same("input_audio_buffer.committed")
    renamed_from_ga = names.FROM_GA
    renamed_to_ga = names.TO_GA

    def __init__(self, kind: str, new_id: Callable[[str], str]) -> None:
        """Begin before the server's first word.

        Args:
            kind: `realtime` or `transcription`.
            new_id: gives ids to the events that the server does not send.
        """
        self._kind = kind
        self._new_id = new_id
        self._making: dict[str, _Entering] = {}
        self._entered: list[str] = []
        """Items of the conversation that the GA side was told of, in their order."""
        self._responses: dict[str, _Underway] = {}
        self._asked_apart = 0
        """Responses out of band that were asked for and that the server has not begun."""

    # ----------------------------------------------------------------------------------------------- client to server

    def from_ga(self, event: Object) -> list[Object]:
        """Return what a GA client said as the events that say it to the server."""
        match event.get("type"):
            case "session.update" if isinstance(event.get("session"), dict):
                return [_flat_update(event)]
            case "conversation.item.create" if isinstance(event.get("item"), dict):
                item = event["item"]
                return [] if shapes.is_remote(item) else [event | {"item": shapes.parts_to_beta(item)}]
            case "response.create" if isinstance(event.get("response"), dict):
                asked = {name: value for name, value in event["response"].items() if value is not None}
                self._asked_apart += asked.get("conversation") == "none"
                return [event | {"response": shapes.request_to_beta(_without_remote_tools(asked))}]
        return [event]

    # ----------------------------------------------------------------------------------------------- server to client

    def to_ga(self, event: Object) -> list[Object]:
        """Return the server's event as the events that say it in GA."""
        kind = str(event.get("type"))
        event = event if event.get("event_id") else event | {"event_id": self._new_id("event")}
        if kind.removeprefix("transcription_") in names.CONFIRMING and isinstance(event.get("session"), dict):
            return [self._session(event, kind)]
        if kind in names.WITH_ITEM and isinstance(event.get("item"), dict):
            return self._with_item(kind, event | {"item": _tidy(shapes.item_to_ga(event["item"]))})
        if kind in names.ABOUT_OUTPUT:
            return self._about_output(kind, event)
        match kind:
            case "conversation.created":
                return []
            case "conversation.item.deleted":
                self._entered = [id_ for id_ in self._entered if id_ != event.get("item_id")]
            case "conversation.item.input_audio_transcription.completed":
                return [{"content_index": 0, "usage": dict(_UNMEASURED)} | event]
            case "conversation.item.input_audio_transcription.failed" if isinstance(event.get("error"), dict):
                told = {name: value for name, value in event["error"].items() if value is not None}
                return [{"content_index": 0} | event | {"error": told}]
            case "response.created" if isinstance(event.get("response"), dict):
                return [self._begun(event)]
            case "response.done" if isinstance(event.get("response"), dict):
                return self._ended(event)
            case "rate_limits.updated" if self._responses:
                self._responses[next(reversed(self._responses))].limits = event
                return []
            case "error" if isinstance(event.get("error"), dict):
                return [event | {"error": shapes.error_to_ga(event["error"])}]
        return [event | {"type": names.GA_NAMES[kind]} if kind in names.GA_NAMES else event]

    def _session(self, event: Object, kind: str) -> Object:
        flat = event["session"]
        names_it = (kind, str(flat.get("object")), self._kind)
        told = "transcription" if any("transcription" in name for name in names_it) else "realtime"
        return event | {"type": kind.removeprefix("transcription_"), "session": shapes.session_to_ga(flat, told)}

    # --------------------------------------------------------------------------------------------------------- items

    def _with_item(self, kind: str, event: Object) -> list[Object]:
        item = event["item"]
        id_ = str(item.get("id"))
        match kind:
            case "conversation.item.created":
                return self._created(event, id_)
            case "conversation.item.added":
                self._enter(id_, event.get("previous_item_id", self._last))  # the server speaks some of both shapes
            case "response.output_item.added":
                making = self._making.setdefault(id_, _Entering(item, ""))
                making.item, making.response_id = item, str(event.get("response_id"))
            case "response.output_item.done":
                making = self._making.get(id_) or _Entering(item, str(event.get("response_id")))
                self._making.pop(id_, None)
                making.item = item if making.is_added else making.item
                entered = self._entered_now(id_, making)
                return [*entered, event, *self._done(id_, item, making)]
        return [event]

    def _created(self, event: Object, id_: str) -> list[Object]:
        """Take in that an item is in the conversation; a server that repeats itself is told on once."""
        item = event["item"]
        if id_ in self._entered:
            return []
        is_output = item.get("role") == "assistant" or item.get("type") == "function_call"
        making = self._making.get(id_) or _Entering(item, "")
        making.item, making.is_added = item, True
        added = {"type": "conversation.item.added", "previous_item_id": event.get("previous_item_id", self._last)}
        self._enter(id_, added["previous_item_id"])
        if id_ in self._making or (is_output and item.get("status") == "in_progress"):
            self._making[id_] = making
            return [event | added]
        return [event | added, self._about(item, "done", added["previous_item_id"])]

    def _enter(self, id_: str, previous: Any) -> None:
        """Take in where an item stands."""
        known = previous in self._entered
        at = self._entered.index(previous) + 1 if known else 0 if previous is None else len(self._entered)
        if id_ not in self._entered:
            self._entered.insert(at, id_)

    def _about_output(self, kind: str, event: Object) -> list[Object]:
        """Take in what is inside an item; what the server left out, its item tells."""
        id_ = str(event.get("item_id"))
        making = self._making.get(id_)
        if "part" in event:
            event = event | {"part": shapes.part_to_ga(event["part"])}
        if making is None:
            return [event]
        if kind.startswith("response.function_call_arguments."):
            wanted = ("call_id", "name") if kind.endswith(".done") else ("call_id",)
            missing = [name for name in wanted if event.get(name) is None and name in making.item]
            event = event | {name: making.item[name] for name in missing}
        return [*self._entered_now(id_, making), event]

    @property
    def _last(self) -> str | None:
        """The last item of the conversation, as far as the server has told."""
        return self._entered[-1] if self._entered else None

    def _entered_now(self, id_: str, making: _Entering) -> list[Object]:
        """Return the event for an item of the conversation that the server did not announce, at the latest moment."""
        response = self._responses.get(making.response_id)
        if making.is_added or id_ in self._entered or response is None or response.is_apart:
            return []
        making.is_added = True
        added = self._about(making.item, "added", self._last)
        self._enter(id_, self._last)
        return [added]

    def _done(self, id_: str, item: Object, making: _Entering) -> list[Object]:
        """Return the event for an item that is final, if it is in the conversation; others may have moved before it."""
        if not making.is_added:
            return []
        at = self._entered.index(id_) if id_ in self._entered else 0
        return [self._about(item, "done", self._entered[at - 1] if at else None)]

    def _about(self, item: Object, what: str, previous: Any) -> Object:
        return {
            "type": f"conversation.item.{what}",
            "event_id": self._new_id("event"),
            "previous_item_id": previous,
            "item": item,
        }

    # ----------------------------------------------------------------------------------------------------- responses

    def _begun(self, event: Object) -> Object:
        response = event["response"]
        is_apart = response["conversation_id"] is None if "conversation_id" in response else self._asked_apart > 0
        self._asked_apart = max(0, self._asked_apart - is_apart)
        self._responses[str(response.get("id"))] = _Underway(is_apart)
        return event | {"response": _told_response(response)}

    def _ended(self, event: Object) -> list[Object]:
        """Take in the end of a response, and with it that of items whose own end the server did not tell."""
        told = _told_response(event["response"])
        id_ = str(told.get("id"))
        output = told["output"] if isinstance(told.get("output"), list) else []
        final = {str(item.get("id")): item for item in output if isinstance(item, dict)}
        status = "completed" if told.get("status") == "completed" else "incomplete"
        out: list[Object] = []
        for item_id, making in list(self._making.items()):
            if making.response_id in (id_, ""):
                del self._making[item_id]
                item = final.get(item_id) or making.item | {"status": status}
                out += [*self._entered_now(item_id, making), *self._done(item_id, item, making)]
        ended = self._responses.pop(id_, None)
        limits = [] if ended is None or ended.limits is None else [ended.limits]
        return [*out, event | {"response": told}, *limits]


def _told_response(flat: Object) -> Object:
    response = shapes.response_to_ga(flat)
    if isinstance(response.get("output"), list):
        response["output"] = [_tidy(item) if isinstance(item, dict) else item for item in response["output"]]
    return response


def _tidy(item: Object) -> Object:
    """Return an item without the nulls, and with the keys, over which typed GA clients stumble."""
    if item.get("type") not in shapes.SHAPED_ITEMS:
        return item
    told = {name: value for name, value in item.items() if value is not None or name not in _NEVER_NULL}
    if told["type"] == "function_call":
        told.setdefault("arguments", "")
    if isinstance(told.get("content"), list):
        told["content"] = [
            {"transcript": None} | part if isinstance(part, dict) and part.get("type") == "input_audio" else part
            for part in told["content"]
        ]
    return told


def _flat_update(event: Object) -> Object:
    """Return a change of a GA session as beta clients asked for it."""
    session = {name: value for name, value in event["session"].items() if name not in ga.READ_ONLY}
    flat = shapes.session_to_beta(_without_remote_tools(session))
    transcription, reduction = flat.get("input_audio_transcription"), flat.get("input_audio_noise_reduction")
    if isinstance(transcription, dict):
        known = {name: value for name, value in transcription.items() if name in _TRANSCRIPTION_FIELDS}
        flat["input_audio_transcription"] = known
    if isinstance(reduction, dict):
        flat["input_audio_noise_reduction"] = {name: of for name, of in reduction.items() if name != "strength"}
    is_transcription = event["session"].get("type") == "transcription"
    if not is_transcription:
        flat.pop("include", None)
    return event | {"type": "transcription_session.update" if is_transcription else "session.update", "session": flat}


def _without_remote_tools(fields: Object) -> Object:
    """Return settings without remote tools, and without a choice of one."""
    out = dict(fields)
    if isinstance(out.get("tools"), list):
        out["tools"] = [tool for tool in out["tools"] if not (isinstance(tool, dict) and tool.get("type") == "mcp")]
    choice = out.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "mcp":
        del out["tool_choice"]
    return out
