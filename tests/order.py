"""The order in which a server may say things: a checker of recorded server events, as JSON objects, in either shape.

    order.check(events)                    # raises OrderError at the first event that breaks a rule
    order.check(events, complete=False)    # the recording was cut: what is open at its end may stay open

It knows nothing of the server's own types, so that it judges what went over the wire.  Pure; not a test itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

Event = Mapping[str, Any]
Shape = Literal["ga", "beta"]

TERMINAL = ("completed", "cancelled", "incomplete", "failed")

BETA_TO_GA = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "conversation.item.created": "conversation.item.added",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}
GA_ONLY = {*BETA_TO_GA.values(), "conversation.item.done", "input_audio_buffer.timeout_triggered"} - {
    "session.created",
    "session.updated",
}
BETA_ONLY = {*BETA_TO_GA, "conversation.created"}


class OrderError(AssertionError):
    """An event came where it must not."""


def check(events: Iterable[Event], shape: Shape | None = None, *, complete: bool = True) -> None:
    """Raise `OrderError` at the first event that breaks a rule.

    `shape` is told by the events where it is None.  With `complete`, whatever began must have ended, as it has when
    the recording ends in quiet.
    """
    recorded = list(events)
    order = Order(shape or shape_of(recorded))
    for event in recorded:
        order.see(event)
    if complete:
        order.finish()


def shape_of(events: Iterable[Event]) -> Shape:
    """Return the shape that the events are spelled in; GA where nothing tells."""
    return "beta" if any(event.get("type") in BETA_ONLY for event in events) else "ga"


@dataclasses.dataclass
class _Part:
    kind: str
    said: dict[str, str] = dataclasses.field(default_factory=dict)
    finished: set[str] = dataclasses.field(default_factory=set)
    text: str = ""


@dataclasses.dataclass
class _OutputItem:
    id: str
    index: int
    type: str
    is_entered: bool
    """Whether the conversation was told of it, where it is to be told."""
    part: _Part | None = None
    parts: int = 0
    arguments: str = ""
    final_arguments: str | None = None
    is_finished: bool = False


@dataclasses.dataclass
class _Response:
    id: str
    is_out_of_band: bool
    item: _OutputItem | None = None
    done_items: list[str] = dataclasses.field(default_factory=list)


class Order:
    """The state of one connection as its server events tell it."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._count = 0
        self._is_transcription = False
        self._event: Event = {}
        self._last: Event = {}
        self._event_ids: set[str] = set()
        self._conversation: list[str] = []
        self._open_items: set[str] = set()
        self._expected_item: str | None = None
        self._expected_done: str | None = None
        self._responses: dict[str, _Response] = {}
        self._response_ids: set[str] = set()
        self._unlimited = 0
        self._speaking: tuple[str, int] | None = None
        self._entered: set[str] = set()
        self._transcribed: set[tuple[str, int]] = set()
        self._playing: dict[str, str] = {}

    def see(self, event: Event) -> None:
        """Take the next event; raises `OrderError` where it must not come."""
        self._count += 1
        self._last, self._event = self._event, event
        kind = self._kind(event)
        self._need("event_id" in event and event["event_id"] not in self._event_ids, "event ids are unique")
        self._event_ids.add(event["event_id"])
        self._need((self._count == 1) == (kind == "session.created"), "session.created comes first and once")
        if self._count == 1:
            self._is_transcription = str(event["type"]).startswith("transcription_session.")
        if self.shape == "beta" and not self._is_transcription:
            second = (self._count == 2) == (kind == "conversation.created")
            self._need(second, "conversation.created comes second and once")
        if self._expected_item is not None:
            self._need(kind == "conversation.item.added", "a committed item enters the conversation at once")
        if self._expected_done is not None:
            self._need(kind == "conversation.item.done", "an item that is not an answer's is done at once")
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(self, event)

    def finish(self) -> None:
        """Judge the end: raises `OrderError` where something is still open."""
        self._need(self._count > 0, "session.created comes first and once")
        self._need(not self._responses, f"every response is done, unlike {sorted(self._responses)}")
        self._need(not self._open_items, f"every added item is done, unlike {sorted(self._open_items)}")
        self._need(self._expected_item is None, "a committed item enters the conversation at once")

    # ------------------------------------------------------------------------------------------------ the frame

    def _need(self, holds: bool, rule: str) -> None:
        if not holds:
            told = {key: value for key, value in self._event.items() if key not in ("delta", "session")}
            raise OrderError(f"event {self._count}: {rule}; it was {told}")

    def _kind(self, event: Event) -> str:
        kind = event.get("type")
        self._need(isinstance(kind, str), "every event has a type")
        foreign = GA_ONLY if self.shape == "beta" else BETA_ONLY
        self._need(kind not in foreign, f"this event is not spelled in the {self.shape} shape")
        kind = BETA_TO_GA.get(str(kind), str(kind))
        self._need(kind in KNOWN, "the event is of the protocol")
        return kind

    # ------------------------------------------------------------------------------------------------ conversation

    def _item_added(self, event: Event) -> None:
        item_id, previous = event["item"]["id"], event.get("previous_item_id")
        self._need(item_id not in self._conversation, "an item enters the conversation once")
        self._need(previous is None or previous in self._conversation, "the previous item is in the conversation")
        self._conversation.insert(0 if previous is None else self._conversation.index(previous) + 1, item_id)
        self._entered.add(item_id)
        output = self._output_item(item_id)
        if output is not None:
            self._need(not output.is_entered, "an answer's item enters the conversation once")
            self._need(output.parts == 0, "an answer's item enters the conversation before its content")
            output.is_entered = True
        else:
            self._need(self._expected_item in (None, item_id), "a committed item enters the conversation at once")
            self._need(event["item"].get("status") != "in_progress", "only an answer's items are in progress")
            self._expected_item = None
        if self.shape == "ga":
            self._open_items.add(item_id)
            if output is None:
                self._expected_done = item_id

    def _item_done(self, event: Event) -> None:
        item_id = event["item"]["id"]
        self._need(item_id in self._open_items, "an item is done once, after it was added")
        self._need(event["item"].get("status") != "in_progress", "what is done is not in progress")
        self._need(self._expected_done in (None, item_id), "an item that is not an answer's is done at once")
        self._expected_done = None
        output = self._output_item(item_id)
        self._need(output is None or output.is_finished, "output_item.done comes before conversation.item.done")
        self._open_items.discard(item_id)
        for response in self._responses.values():
            if response.item is output:
                response.item = None

    def _item_deleted(self, event: Event) -> None:
        self._need(event["item_id"] in self._conversation, "what is deleted is in the conversation")
        self._conversation.remove(event["item_id"])

    def _item_present(self, event: Event) -> None:
        item_id = event["item"]["id"] if "item" in event else event["item_id"]
        self._need(item_id in self._conversation, "the item is in the conversation")

    def _output_item(self, item_id: str) -> _OutputItem | None:
        for response in self._responses.values():
            if response.item is not None and response.item.id == item_id:
                return response.item
        return None

    # ------------------------------------------------------------------------------------------------ input

    def _speech_started(self, event: Event) -> None:
        self._need(self._speaking is None, "speech_started and speech_stopped alternate")
        self._need(event["audio_start_ms"] >= 0, "speech starts within the session")
        self._speaking = (event["item_id"], event["audio_start_ms"])

    def _speech_stopped(self, event: Event) -> None:
        self._need(self._speaking is not None, "speech_started and speech_stopped alternate")
        assert self._speaking is not None
        item_id, start_ms = self._speaking
        self._need(event["item_id"] == item_id, "speech_stopped names the item of speech_started")
        self._need(event["audio_end_ms"] >= start_ms, "speech stops after it starts")
        self._speaking = None

    def _committed(self, event: Event) -> None:
        previous = event.get("previous_item_id")
        self._need(previous is None or previous in self._conversation, "the previous item is in the conversation")
        self._need(event["item_id"] not in self._conversation, "an item is committed once")
        self._need(self._speaking is None, "speech stops before it is committed")
        self._expected_item = event["item_id"]

    def _transcribing(self, event: Event) -> None:
        item_id, index = event["item_id"], event.get("content_index", 0)
        self._need((item_id, index) not in self._transcribed, "nothing follows the end of a transcription")
        if event["type"].endswith((".delta", ".segment")):
            return  # may come while the user still speaks, before the item is there
        self._need(item_id in self._entered, "a transcription ends after its item entered the conversation")
        self._transcribed.add((item_id, index))

    # ------------------------------------------------------------------------------------------------ responses

    def _response_created(self, event: Event) -> None:
        shown = event["response"]
        self._need(shown["id"] not in self._response_ids, "a response is created once")
        self._need(shown["status"] == "in_progress" and not shown["output"], "a created response is empty, in progress")
        response = _Response(shown["id"], is_out_of_band=shown.get("conversation_id") is None)
        if not response.is_out_of_band:
            active = [other.id for other in self._responses.values() if not other.is_out_of_band]
            self._need(not active, f"a conversation has one response at a time, not also {active}")
        self._responses[response.id] = response
        self._response_ids.add(response.id)
        if self.shape == "beta":
            self._unlimited += 1

    def _response_done(self, event: Event) -> None:
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
        if self.shape == "ga":
            self._unlimited += 1

    def _rate_limits(self, _event: Event) -> None:
        self._need(self._unlimited > 0, "rate_limits.updated follows response.done (GA) or response.created (beta)")
        if self.shape == "beta":
            self._need(
                self._last.get("type") == "response.created", "rate_limits.updated directly follows its response"
            )
        self._unlimited -= 1

    def _response(self, response_id: str) -> _Response:
        self._need(response_id in self._response_ids, "a response is created before its events")
        self._need(response_id in self._responses, "nothing of a response follows its response.done")
        return self._responses[response_id]

    def _output_item_added(self, event: Event) -> None:
        response, item = self._response(event["response_id"]), event["item"]
        self._need(response.item is None, "items of a response do not interleave")
        self._need(event["output_index"] == len(response.done_items), "output indexes count the items")
        self._need(item.get("status") == "in_progress", "an added item of a response is in progress")
        self._need(not item.get("content") and not item.get("arguments"), "an added item of a response is empty")
        response.item = _OutputItem(item["id"], event["output_index"], item["type"], is_entered=response.is_out_of_band)

    def _output_item_done(self, event: Event) -> None:
        response, item = self._response(event["response_id"]), event["item"]
        output = self._within(event, response, item["id"])
        self._need(output.part is None, "content_part.done comes before output_item.done")
        self._need(item.get("status") in ("completed", "incomplete"), "a done item has ended")
        if output.type == "function_call":
            final = output.final_arguments
            if final is None and item["status"] == "incomplete":
                final = output.arguments  # a call that was cut off is not told as ready to be run
            self._need(final is not None, "arguments.done comes before output_item.done")
            self._need(item["arguments"] == final, "the done item has the arguments that were told")
        else:
            self._need(len(item.get("content", ())) == output.parts, "the done item has the parts that were told")
        output.is_finished = True
        response.done_items.append(output.id)
        if response.is_out_of_band or self.shape == "beta":
            response.item = None

    def _within(self, event: Event, response: _Response, item_id: str) -> _OutputItem:
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

    def _part(self, event: Event, output: _OutputItem) -> _Part:
        if output.part is None or event["content_index"] != output.parts - 1:
            self._need(False, "content comes between content_part.added and content_part.done")
        assert output.part is not None
        return output.part

    def _content(self, event: Event) -> None:
        output = self._within(event, self._response(event["response_id"]), event["item_id"])
        part = self._part(event, output)
        name = BETA_TO_GA.get(event["type"], event["type"])
        _, stream, end = name.split(".")
        stream = {"output_audio": "audio", "output_audio_transcript": "transcript", "output_text": "text"}[stream]
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
        self._need(output.type == "function_call", "function calls have arguments")
        self._need(output.final_arguments is None, "no arguments follow their done")
        if event["type"].endswith(".delta"):
            output.arguments += event["delta"]
        else:
            output.final_arguments = event["arguments"]
            self._need(output.arguments in ("", event["arguments"]), "the arguments at the end are those of the deltas")

    def _playing_event(self, event: Event) -> None:
        response_id, state = event["response_id"], event["type"].rpartition(".")[2]
        self._need(response_id in self._response_ids, "a response is created before its events")
        before = self._playing.get(response_id)
        self._need(before == (None if state == "started" else "started"), "playing starts once and ends once")
        self._playing[response_id] = state

    _handlers: dict[str, Callable[[Order, Event], None]] = {
        "conversation.item.added": _item_added,
        "conversation.item.done": _item_done,
        "conversation.item.deleted": _item_deleted,
        "conversation.item.retrieved": _item_present,
        "conversation.item.truncated": _item_present,
        "input_audio_buffer.speech_started": _speech_started,
        "input_audio_buffer.speech_stopped": _speech_stopped,
        "input_audio_buffer.committed": _committed,
        "conversation.item.input_audio_transcription.delta": _transcribing,
        "conversation.item.input_audio_transcription.segment": _transcribing,
        "conversation.item.input_audio_transcription.completed": _transcribing,
        "conversation.item.input_audio_transcription.failed": _transcribing,
        "response.created": _response_created,
        "response.done": _response_done,
        "rate_limits.updated": _rate_limits,
        "response.output_item.added": _output_item_added,
        "response.output_item.done": _output_item_done,
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
        "output_audio_buffer.started": _playing_event,
        "output_audio_buffer.stopped": _playing_event,
        "output_audio_buffer.cleared": _playing_event,
    }


KNOWN = frozenset(Order._handlers) | {
    "error",
    "session.created",
    "session.updated",
    "conversation.created",
    "input_audio_buffer.cleared",
    "input_audio_buffer.timeout_triggered",
    "input_audio_buffer.dtmf_event_received",
}
