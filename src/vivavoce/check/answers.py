"""The order of what belongs to a response: its items, their content, its end.

Part of `check.order`, which feeds it; it keeps the responses of one connection and judges each of their events.  Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]
"""A server event as the JSON object that it was on the wire."""

Need = Callable[[bool, str], None]
"""Raises an `OrderError` that names the rule where it does not hold."""

TERMINAL = ("completed", "cancelled", "incomplete", "failed")
"""The states in which a response may end."""

STREAMS = {"output_audio": "audio", "output_audio_transcript": "transcript", "output_text": "text"}
"""What the events of content carry, by the middle of their GA names."""


@dataclasses.dataclass
class _Part:
    kind: str
    said: dict[str, str] = dataclasses.field(default_factory=dict)
    finished: set[str] = dataclasses.field(default_factory=set)
    text: str = ""


@dataclasses.dataclass
class OutputItem:
    """An item that a response is making."""

    id: str
    """The item's id."""
    index: int
    """Its place in the response."""
    type: str
    """What it is, such as `message`."""
    is_entered: bool
    """Whether the conversation was told of it, where it is to be told."""
    part: _Part | None = None
    """The part that is being said; None between parts."""
    parts: int = 0
    """How many parts have begun."""
    arguments: str = ""
    """What was streamed of a call's arguments."""
    final_arguments: str | None = None
    """A call's arguments as their end told them; None until then."""
    is_finished: bool = False
    """Whether `response.output_item.done` has come."""


@dataclasses.dataclass
class _Response:
    id: str
    is_out_of_band: bool
    item: OutputItem | None = None
    done_items: list[str] = dataclasses.field(default_factory=list)


class Answers:
    """All responses of one connection, as its server events tell them."""

    def __init__(self, shape: str, need: Need) -> None:
        self._shape = shape
        self._need = need
        self._responses: dict[str, _Response] = {}
        self._ids: set[str] = set()
        self._unlimited = 0
        self._playing: dict[str, str] = {}

    @property
    def unfinished(self) -> list[str]:
        """The ids of responses that were created and are not done."""
        return sorted(self._responses)

    def see(self, kind: str, event: Event, last: Event) -> None:
        """Take an event of this module's vocabulary, by its GA name; `last` is the one before it."""
        if kind == "rate_limits.updated":
            self._rate_limits(last)
        else:
            self._seers[kind](self, event)

    def output_item(self, item_id: str) -> OutputItem | None:
        """Return the item of that id if a response is making it."""
        for response in self._responses.values():
            if response.item is not None and response.item.id == item_id:
                return response.item
        return None

    def leave(self, item: OutputItem) -> None:
        """Take note that the conversation was told of the end of a response's item."""
        for response in self._responses.values():
            if response.item is item:
                response.item = None

    # ------------------------------------------------------------------------------------------------ responses

    def _created(self, event: Event) -> None:
        shown = event["response"]
        self._need(shown["id"] not in self._ids, "a response is created once")
        self._need(shown["status"] == "in_progress" and not shown["output"], "a created response is empty, in progress")
        response = _Response(shown["id"], is_out_of_band=shown.get("conversation_id") is None)
        if not response.is_out_of_band:
            active = [other.id for other in self._responses.values() if not other.is_out_of_band]
            self._need(not active, f"a conversation has one response at a time, not also {active}")
        self._responses[response.id] = response
        self._ids.add(response.id)
        if self._shape == "beta":
            self._unlimited += 1

    def _done(self, event: Event) -> None:
        shown = event["response"]
        response = self._response(shown["id"])
        self._need(response.item is None, "response.done comes after the end of its last item")
        status, details = shown["status"], shown.get("status_details")
        self._need(status in TERMINAL, "a done response has ended")
        self._need(not details or details.get("type") in (None, status), "the status details tell of the status")
        self._need(bool(details) or status == "completed", "an end other than complete has status details")
        told = [item["id"] for item in shown["output"]]
        self._need(told == response.done_items, f"response.done shows the items that were done, {response.done_items}")
        del self._responses[response.id]
        if self._shape == "ga":
            self._unlimited += 1

    def _rate_limits(self, last: Event) -> None:
        self._need(self._unlimited > 0, "rate_limits.updated follows response.done (GA) or response.created (beta)")
        if self._shape == "beta":
            self._need(last.get("type") == "response.created", "rate_limits.updated directly follows its response")
        self._unlimited -= 1

    def _response(self, response_id: str) -> _Response:
        self._need(response_id in self._ids, "a response is created before its events")
        self._need(response_id in self._responses, "nothing of a response follows its response.done")
        return self._responses[response_id]

    def _item_added(self, event: Event) -> None:
        response, item = self._response(event["response_id"]), event["item"]
        self._need(response.item is None, "items of a response do not interleave")
        # The beta shape has no words for remote tools: their places stay empty there.
        place, least = event["output_index"], len(response.done_items)
        counts = place >= least if self._shape == "beta" else place == least
        self._need(counts, "output indexes count the items")
        if not item["type"].startswith("mcp_"):
            self._need(item.get("status") == "in_progress", "an added item of a response is in progress")
            self._need(not item.get("content") and not item.get("arguments"), "an added item of a response is empty")
        response.item = OutputItem(item["id"], event["output_index"], item["type"], is_entered=response.is_out_of_band)

    def _item_done(self, event: Event) -> None:
        response, item = self._response(event["response_id"]), event["item"]
        output = self._within(event, response, item["id"])
        self._need(output.part is None, "content_part.done comes before output_item.done")
        if not output.type.startswith("mcp_"):
            self._need(item.get("status") in ("completed", "incomplete"), "a done item has ended")
        if output.type == "function_call":
            final = output.final_arguments
            if final is None and item["status"] == "incomplete":
                final = output.arguments  # a call that was cut off is not told as ready to be run
            self._need(final is not None, "arguments.done comes before output_item.done")
            self._need(item["arguments"] == final, "the done item has the arguments that were told")
        elif output.type == "message":
            self._need(len(item.get("content", ())) == output.parts, "the done item has the parts that were told")
        output.is_finished = True
        response.done_items.append(output.id)
        if response.is_out_of_band or self._shape == "beta":
            response.item = None

    def _within(self, event: Event, response: _Response, item_id: str) -> OutputItem:
        output = response.item
        if output is None or output.id != item_id:
            self._need(False, "events of an item come between its added and its done")
        assert output is not None
        self._need(not output.is_finished, "events of an item come before its done")
        self._need(output.is_entered, "an answer's item enters the conversation before its content")
        self._need(event["output_index"] == output.index, "the output index is the item's")
        return output

    # ------------------------------------------------------------------------------------------------ content

    def _part_added(self, event: Event) -> None:
        output = self._within(event, self._response(event["response_id"]), event["item_id"])
        self._need(output.type == "message", "messages have parts")
        self._need(output.part is None, "parts of an item do not interleave")
        self._need(event["content_index"] == output.parts, "content indexes count the parts")
        kind = event["part"]["type"]
        self._need(kind in ("audio", "text"), "an answer's part is audio or text")
        self._need(event["part"].get("transcript" if kind == "audio" else "text") == "", "an added part is empty")
        output.part = _Part(kind)
        output.parts += 1

    def _part_done(self, event: Event) -> None:
        output = self._within(event, self._response(event["response_id"]), event["item_id"])
        part = self._part(event, output)
        streams = {"audio": {"audio", "transcript"}, "text": {"text"}}[part.kind]
        self._need(part.finished == streams, f"content_part.done comes after the done of each of {sorted(streams)}")
        self._need(event["part"]["type"] == part.kind, "a part keeps its type")
        told = event["part"]["transcript" if part.kind == "audio" else "text"]
        self._need(told == part.text, "the done part has the words that were told")
        output.part = None

    def _part(self, event: Event, output: OutputItem) -> _Part:
        if output.part is None or event["content_index"] != output.parts - 1:
            self._need(False, "content comes between content_part.added and content_part.done")
        assert output.part is not None
        return output.part

    def _content(self, event: Event) -> None:
        output = self._within(event, self._response(event["response_id"]), event["item_id"])
        part = self._part(event, output)
        _, stream, end = event["type"].split(".")
        stream = STREAMS[stream if stream in STREAMS else f"output_{stream}"]
        self._need((stream == "text") == (part.kind == "text"), "content is of the part's type")
        self._need(stream not in part.finished, "no content follows its done")
        if end == "delta":
            self._need(event["delta"] != "", "a delta is not empty")
            part.said[stream] = part.said.get(stream, "") + (event["delta"] if stream != "audio" else "")
            return
        part.finished.add(stream)
        if stream != "audio":
            part.text = event[stream]
            self._need(part.text == part.said.get(stream, ""), "the words at the end are those of the deltas")

    def _arguments(self, event: Event) -> None:
        output = self._within(event, self._response(event["response_id"]), event["item_id"])
        self._need(output.type in ("function_call", "mcp_call"), "calls have arguments")
        self._need(output.final_arguments is None, "no arguments follow their done")
        if event["type"].endswith(".delta"):
            output.arguments += event["delta"]
        else:
            output.final_arguments = event["arguments"]
            self._need(output.arguments in ("", event["arguments"]), "the arguments at the end are those of the deltas")

    def _playing_event(self, event: Event) -> None:
        response_id, state = event["response_id"], event["type"].rpartition(".")[2]
        self._need(response_id in self._ids, "a response is created before its events")
        before = self._playing.get(response_id)
        self._need(before == (None if state == "started" else "started"), "playing starts once and ends once")
        self._playing[response_id] = state

    _seers: dict[str, Callable[[Answers, Event], None]] = {
        "response.created": _created,
        "response.done": _done,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.content_part.added": _part_added,
        "response.content_part.done": _part_done,
        "response.output_audio.delta": _content,
        "response.output_audio.done": _content,
        "response.output_audio_transcript.delta": _content,
        "response.output_audio_transcript.done": _content,
        "response.output_text.delta": _content,
        "response.output_text.done": _content,
        "response.function_call_arguments.delta": _arguments,
        "response.function_call_arguments.done": _arguments,
        "response.mcp_call_arguments.delta": _arguments,
        "response.mcp_call_arguments.done": _arguments,
        "output_audio_buffer.started": _playing_event,
        "output_audio_buffer.stopped": _playing_event,
        "output_audio_buffer.cleared": _playing_event,
    }

    KNOWN = frozenset(_seers) | {"rate_limits.updated"}
    """The events that `see` takes, by their GA names."""
