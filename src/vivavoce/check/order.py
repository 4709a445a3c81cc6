"""The order in which a server may say things: a checker of recorded server events, as JSON objects, in either shape.

    order.check(events)                    # raises OrderError at the first event that breaks a rule
    order.check(events, complete=False)    # the recording was cut: what is open at its end may stay open

It knows nothing of this server's own types, so that it judges what went over the wire of any.  Pure; called by
`check.talk` for every connection, and by tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from .answers import TERMINAL, Answers, Event, OutputItem

__all__ = [
    "BETA_ONLY", "BETA_TO_GA", "GA_ONLY", "KNOWN", "TERMINAL", "TRANSLATION", "Event", "Order", "OrderError", "Shape",
    "check", "shape_of",
]  # fmt: skip

Shape = Literal["ga", "beta"]
"""The two spellings of the protocol."""

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
"""The beta's names of events and what GA calls them."""
GA_ONLY = {*BETA_TO_GA.values(), "conversation.item.done", "input_audio_buffer.timeout_triggered"} - {
    "session.created",
    "session.updated",
}
"""Names that the beta shape does not have."""
BETA_ONLY = {*BETA_TO_GA, "conversation.created"}
"""Names that the GA shape does not have, or not any more."""

TRANSLATION = frozenset(
    {"error", "session.created", "session.updated", "session.closed", "session.input_transcript.delta",
     "session.output_transcript.delta", "session.output_audio.delta"}
)  # fmt: skip
"""The vocabulary of a translation session."""


class OrderError(AssertionError):
    """An event came where it must not."""

    def __init__(self, area: str, rule: str, told: str) -> None:
        super().__init__(f"{rule}; {told}")
        self.area = area
        """What the rule is about: `session`, `conversation`, `input`, `transcription`, `response` or `content`."""
        self.rule = rule
        """The rule in one sentence."""


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


class Order:
    """The state of one connection as its server events tell it."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        """The spelling that is expected."""
        self._count = 0
        self._kind_of_session = "realtime"
        self._event: Event = {}
        self._last: Event = {}
        self._area = "session"
        self._event_ids: set[str] = set()
        self._conversation: list[str] = []
        self._open_items: set[str] = set()
        self._expected_item: str | None = None
        self._expected_done: str | None = None
        self._timed_out: str | None = None
        self._speaking: tuple[str, int] | None = None
        self._entered: set[str] = set()
        self._transcribed: set[tuple[str, int]] = set()
        self._listing: dict[str, str] = {}
        self._answers = Answers(shape, self._need)

    @property
    def unfinished(self) -> list[str]:
        """The ids of responses that were created and are not done."""
        return self._answers.unfinished

    def see(self, event: Event) -> None:
        """Take the next event; raises `OrderError` where it must not come."""
        self._count += 1
        self._last, self._event = self._event, event
        self._area = "session"
        kind = self._kind(event)
        self._need("event_id" in event and event["event_id"] not in self._event_ids, "event ids are unique")
        self._event_ids.add(event["event_id"])
        self._need((self._count == 1) == (kind == "session.created"), "session.created comes first and once")
        if self._count == 1:
            self._kind_of_session = _session_kind(event)
        if self.shape == "beta" and self._kind_of_session == "realtime":
            second = (self._count == 2) == (kind == "conversation.created")
            self._need(second, "conversation.created comes second and once")
        if self._kind_of_session == "translation":
            self._need(kind in TRANSLATION, "the event is of a translation session's vocabulary")
            self._need(self._last.get("type") != "session.closed", "nothing follows session.closed")
            return
        self._need(kind in KNOWN, "the event is of the protocol")
        self._area = _area(kind)
        if self._expected_item is not None:
            self._need(kind == "conversation.item.added", "a committed item enters the conversation at once")
        if self._timed_out is not None:
            self._need(kind == "input_audio_buffer.committed", "a timeout is committed at once")
        if self._expected_done is not None:
            self._need(kind == "conversation.item.done", "an item that is not an answer's is done at once")
        if kind in Answers.KNOWN:
            self._need(self._kind_of_session != "transcription", "a transcription session has no responses")
            self._answers.see(kind, event, self._last)
        elif kind in self._seers:
            self._seers[kind](self, event)

    def finish(self) -> None:
        """Judge the end: raises `OrderError` where something is still open."""
        self._area = "session"
        self._need(self._count > 0, "session.created comes first and once")
        self._area = "response"
        unfinished = self.unfinished
        self._need(not unfinished, f"every response is done, unlike {unfinished}")
        self._area = "conversation"
        self._need(not self._open_items, f"every added item is done, unlike {sorted(self._open_items)}")
        self._need(self._expected_item is None, "a committed item enters the conversation at once")
        self._need(self._timed_out is None, "a timeout is committed at once")

    # ------------------------------------------------------------------------------------------------ the frame

    def _need(self, holds: bool, rule: str) -> None:
        if not holds:
            told = {key: value for key, value in self._event.items() if key not in ("delta", "session")}
            raise OrderError(self._area, rule, f"event {self._count} was {told}")

    def _kind(self, event: Event) -> str:
        kind = event.get("type")
        self._need(isinstance(kind, str), "every event has a type")
        foreign = GA_ONLY if self.shape == "beta" else BETA_ONLY
        self._need(kind not in foreign, f"this event is not spelled in the {self.shape} shape")
        return BETA_TO_GA.get(str(kind), str(kind))

    # ------------------------------------------------------------------------------------------------ conversation

    def _item_added(self, event: Event) -> None:
        item_id, previous = event["item"]["id"], event.get("previous_item_id")
        self._need(item_id not in self._conversation, "an item enters the conversation once")
        self._need(previous is None or previous in self._conversation, "the previous item is in the conversation")
        self._conversation.insert(0 if previous is None else self._conversation.index(previous) + 1, item_id)
        self._entered.add(item_id)
        output = self._answers.output_item(item_id)
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
            if event["item"].get("type") == "mcp_list_tools":
                self._listing[item_id] = "added"
            elif output is None:
                self._expected_done = item_id

    def _item_done(self, event: Event) -> None:
        item_id = event["item"]["id"]
        self._need(item_id in self._open_items, "an item is done once, after it was added")
        self._need(event["item"].get("status") != "in_progress", "what is done is not in progress")
        self._need(self._expected_done in (None, item_id), "an item that is not an answer's is done at once")
        listed = self._listing.pop(item_id, None)
        self._need(listed in (None, "completed", "failed"), "a list of tools ends before its item is done")
        self._expected_done = None
        output: OutputItem | None = self._answers.output_item(item_id)
        self._need(output is None or output.is_finished, "output_item.done comes before conversation.item.done")
        self._open_items.discard(item_id)
        if output is not None:
            self._answers.leave(output)

    def _item_deleted(self, event: Event) -> None:
        self._need(event["item_id"] in self._conversation, "what is deleted is in the conversation")
        self._conversation.remove(event["item_id"])

    def _item_present(self, event: Event) -> None:
        item_id = event["item"]["id"] if "item" in event else event["item_id"]
        self._need(item_id in self._conversation, "the item is in the conversation")

    def _tools_listed(self, event: Event) -> None:
        item_id, state = event["item_id"], event["type"].rpartition(".")[2]
        before = "added" if state == "in_progress" else "in_progress"
        self._need(self._listing.get(item_id) == before, "a list of tools is added, in progress, and then ends")
        self._listing[item_id] = state

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

    def _timeout(self, event: Event) -> None:
        self._need(self._speaking is None, "nobody speaks when a timeout is triggered")
        self._need(event["audio_end_ms"] >= event["audio_start_ms"], "a timeout ends after it starts")
        self._timed_out = event["item_id"]

    def _committed(self, event: Event) -> None:
        previous = event.get("previous_item_id")
        self._need(previous is None or previous in self._conversation, "the previous item is in the conversation")
        self._need(event["item_id"] not in self._conversation, "an item is committed once")
        self._need(self._speaking is None, "speech stops before it is committed")
        self._need(self._timed_out in (None, event["item_id"]), "a timeout names the item that is committed")
        self._timed_out = None
        self._expected_item = event["item_id"]

    def _transcribing(self, event: Event) -> None:
        item_id, index = event["item_id"], event.get("content_index", 0)
        self._need((item_id, index) not in self._transcribed, "nothing follows the end of a transcription")
        if event["type"].endswith((".delta", ".segment")):
            return  # may come while the user still speaks, before the item is there
        self._need(item_id in self._entered, "a transcription ends after its item entered the conversation")
        self._transcribed.add((item_id, index))

    _seers: dict[str, Callable[[Order, Event], None]] = {
        "conversation.item.added": _item_added,
        "conversation.item.done": _item_done,
        "conversation.item.deleted": _item_deleted,
        "conversation.item.retrieved": _item_present,
        "conversation.item.truncated": _item_present,
        "input_audio_buffer.speech_started": _speech_started,
        "input_audio_buffer.speech_stopped": _speech_stopped,
        "input_audio_buffer.timeout_triggered": _timeout,
        "input_audio_buffer.committed": _committed,
        "conversation.item.input_audio_transcription.delta": _transcribing,
        "conversation.item.input_audio_transcription.segment": _transcribing,
        "conversation.item.input_audio_transcription.completed": _transcribing,
        "conversation.item.input_audio_transcription.failed": _transcribing,
        "mcp_list_tools.in_progress": _tools_listed,
        "mcp_list_tools.completed": _tools_listed,
        "mcp_list_tools.failed": _tools_listed,
    }


KNOWN = (
    frozenset(Order._seers)
    | Answers.KNOWN
    | {
        "error",
        "session.created",
        "session.updated",
        "conversation.created",
        "input_audio_buffer.cleared",
        "input_audio_buffer.dtmf_event_received",
        # Extensions that a client has asked for.
        "input_audio_buffer.voice_probability",
        "output_audio_buffer.ducked",
        "output_audio_buffer.restored",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
    }
)
"""The server events of a realtime or transcription session, by their GA names."""


def _session_kind(event: Event) -> str:
    if str(event["type"]).startswith("transcription_session."):
        return "transcription"
    session = event.get("session")
    kind = session.get("type") if isinstance(session, dict) else None
    return str(kind) if kind in ("transcription", "translation") else "realtime"


def _area(kind: str) -> str:
    """Return what the rules about an event are about."""
    if "transcription" in kind:
        return "transcription"
    if kind.startswith("input_audio_buffer."):
        return "input"
    if kind.startswith(("conversation.", "mcp_list_tools.")):
        return "conversation"
    if kind in ("response.created", "response.done") or ".output_item." in kind or kind == "rate_limits.updated":
        return "response"
    return "content" if kind.startswith(("response.", "output_audio_buffer.")) else "session"
