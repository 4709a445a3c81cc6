"""Where a conversation stands: its chronicle, what is unanswered, who speaks, what is being answered.

Reads the events of the live upstream, in GA spelling, and says of each what the client is to see: the event as it is,
another in its place, or nothing, where the client has seen it already.  Called by `relay.session`.
"""

from __future__ import annotations

from typing import Any

from . import blame, outbox, peek, sound
from .chronicle import Chronicle, merge
from .effects import Effect, Noted, Used
from .links import Link
from .outbox import CLEAR, COMMIT, CREATE, CREATE_RESPONSE, DELETE, TRUNCATE, UPDATE, Entry, Outbox
from .overheard import Overheard
from .terms import Object
from .unfinished import NewId, Unfinished, is_apart

ANSWERED_FOR = frozenset((UPDATE, CREATE, DELETE, TRUNCATE, COMMIT, CLEAR, CREATE_RESPONSE))
"""What a client sends that a server has to answer for; everything else is sent once and forgotten."""
_UNANSWERED_SECONDS = 120.0
"""What was not answered for by an upstream that speaks so much later never will be: its words may be late themselves,
because the client is slow to read."""
_OWED_SECONDS = 30.0
"""An answer that did not begin so long after its turn is no answer to it."""
OURS = "vivavoce_"
"""What the event ids of our own events begin with, to an upstream."""


class Standing:
    """What is known of one conversation."""

    def __init__(self, chronicle: Chronicle, outbox_bytes: int, new_id: NewId, *, has_answers: bool = True) -> None:
        """Begin with what a chronicle tells, nothing unanswered.

        Args:
            chronicle: what the conversation has come to.
            outbox_bytes: most that is kept of what no upstream has answered for.
            new_id: makes ids of a kind.
            has_answers: whether somebody answers in sessions of its kind.
        """
        self._has_answers = has_answers
        self.chronicle = chronicle
        self.outbox = Outbox(outbox_bytes)
        self.responses: dict[str, Unfinished] = {}
        """Responses under way, by id."""
        self.speaking: str | None = None
        """The item that will be made of what the user is saying."""
        self.is_stopped = False
        """Whether the client was told that the user has stopped."""
        self.stopped_ms = 0.0
        self.is_due = False
        """Whether the server owes an answer to a turn that it has made."""
        self.restarted: str | None = None
        """The item whose beginning the client knows, where a new upstream hears it from its beginning."""
        self._turn = ""
        """The latest item that the server made of what the user said."""
        self._turned_at = 0.0
        """When it made it."""
        self.unheard: list[str] = []
        """Items of the user whose words the server is to write down."""
        self._conversation_id: str | None = None
        """What the first server called the conversation, which is what the client calls it."""
        self._transcribes = False
        self._overheard = Overheard()
        self.detection: Object | None = None
        """The turn detection in force."""
        self.output_bytes_per_ms = 48
        self.answered_at = 0.0
        """When the latest response ended."""
        self._shown: Object = {}
        """The `audio` of the session as it was shown last."""
        self._entered: dict[str, str | None] = {}
        """Items that the client knows and has not been told to be final, with what stood before each."""
        self._new_id = new_id

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, so that another server can take over unnoticed."""
        is_silent = self.speaking is None and not self.is_due and not self.unheard
        return is_silent and not self.responses and self.outbox.is_quiet

    # -------------------------------------------------------------------------------------------- what the client says

    def append(self, frame: bytes, now: float) -> None:
        """Take audio of the client."""
        is_quiet = self.speaking is None and self.restarted is None
        self.outbox.append(frame, now, lead_only=self.detection is not None and is_quiet)

    def expect(self, kind: bytes, frame: bytes, event: Object, now: float, *, is_ours: bool = False) -> Entry:
        """Take an event that will be answered for."""
        entry = self.outbox.add(kind, frame, event, now, is_ours=is_ours)
        if kind == UPDATE:
            self._measure()
        return entry

    def format_asked(self, side: str) -> Any:
        """Return the format that the client asked for on a side of its session, and got; None where it asked for none.

        Args:
            side: `input` or `output`.
        """
        return peek.at(self.chronicle.settings, ("audio", side, "format"))

    @property
    def format_heard(self) -> Any:
        """The format of the audio that the client sends: it counts from when it is asked for, since audio follows."""
        found = self.format_asked("input")
        for entry in self.outbox:
            if entry.kind == UPDATE:
                found = peek.at(entry.event, ("session", "audio", "input", "format")) or found
        return found

    # ------------------------------------------------------------------------------------------ what the upstream says

    def speak(self, frame: bytes) -> None:
        """Take an audio delta."""
        self.chronicle.speak(peek.item_id(frame), peek.base64_bytes(frame, peek.DELTA))

    def see(self, link: Link, event: Object, now: float, effects: list[Effect]) -> Object | None:
        """Take an event; return what the client is to see in its place, None for nothing."""
        kind: str = event.get("type", "")
        if kind.startswith("response."):
            return self._see_response(link, kind, event, now, effects)
        if kind.startswith("input_audio_buffer."):
            return self._see_buffer(link, kind, event, now)
        if kind.startswith("conversation.item."):
            return self._see_item(link, kind, event, effects)
        if kind == "error":
            return self._see_error(link, event, effects)
        if event.get("item_id") in link.echoes:
            return None  # what becomes of remote tools that are listed anew
        return event

    def configured(self, session: Object) -> None:
        """Take note of the settings in force, in the client's formats."""
        self._shown = session.get("audio") or {}
        found = self._shown.get("input") or {}
        if "transcription" in found:
            self._transcribes = found["transcription"] is not None
        if "turn_detection" in found:
            self.detection = found["turn_detection"]
        self._measure()

    def begun(self, session: Object) -> None:
        """Take note of the session of a new link, which is told the client's settings next."""
        found: Object = peek.parse(peek.written({"audio": session.get("audio") or {}})) or {}
        merge(found, {"audio": self.chronicle.settings.get("audio") or {}})
        self.configured(found)

    def updated(self, link: Link) -> bool:
        """Take note that settings were accepted; return whether they were the client's own idea."""
        if link.updates:
            link.updates -= 1
            return False
        if (entry := self.outbox.pending(UPDATE)) is not None:
            self.outbox.settle(entry)
            self.chronicle.update((entry.event or {}).get("session") or {})
        return True

    def break_off(self, code: str, message: str) -> list[Object]:
        """End all responses as failed and return the events that say so; their items stay as far as they were said."""
        broken = [
            event for response in self.responses.values() for event in response.broken(self._new_id, code, message)
        ]
        for event in broken:
            if event["type"] == "conversation.item.done":
                self._entered.pop(event["item"]["id"], None)
                self.chronicle.settle(event["item"])
        self.responses = {}
        return self.finished() + broken

    def finished(self) -> list[Object]:
        """Return what ends the items whose own end will not come any more, because their server is gone."""
        entered, self._entered = self._entered, {}
        return [
            {
                "type": "conversation.item.done",
                "event_id": self._new_id("event"),
                "previous_item_id": previous,
                "item": self.chronicle.item(item_id),
            }
            for item_id, previous in entered.items()
            if item_id in self.chronicle
        ]

    def expire(self, heard_at: float) -> None:
        """Wait no longer for what was to come of things long before the upstream last spoke: not all do everything."""
        self.outbox.expire(heard_at - _UNANSWERED_SECONDS)
        if self._turned_at < heard_at - _OWED_SECONDS and not self.responses:
            self.is_due = False
            self.unheard.clear()

    def can_hear_again(self, item_id: str) -> bool:
        """Return whether another server can write down a turn: where it makes none itself, and the audio is here."""
        return not self._has_answers and self.detection is None and bool(self.chronicle.heard(item_id))

    def begin_again(self) -> None:
        """Prepare for an upstream that hears the unfinished turn from its beginning."""
        self.restarted, self.speaking = self.speaking or self.restarted, None

    # -------------------------------------------------------------------------------------------------------- internals

    def _measure(self) -> None:
        """Take note of how much room audio takes: by what the client asked for, or else by what it was shown."""
        heard = self.format_heard or peek.at(self._shown, ("input", "format"))
        spoken = self.format_asked("output") or peek.at(self._shown, ("output", "format"))
        self.outbox.measure(sound.bytes_per_ms(heard))
        self.output_bytes_per_ms = sound.bytes_per_ms(spoken)

    def _format_of_answer(self, asking: Entry | None) -> Any:
        wish = peek.at(asking.event, ("response", "audio", "output", "format")) if asking is not None else None
        return wish or self.format_asked("output")

    def _see_response(self, link: Link, kind: str, event: Object, now: float, effects: list[Effect]) -> Object | None:
        if kind == "response.created":
            # What the server owes to a turn is in the conversation.
            was_due = self.is_due and not is_apart(event.get("response") or {})
            pending = None if was_due else self.outbox.pending(CREATE_RESPONSE)
            if link.sound is not None:
                event = link.sound.begun(event, self._format_of_answer(pending))
            event = self._in_conversation(event)
            response = Unfinished(event.get("response") or {})
            self.responses[response.id] = response
            if pending is not None:
                self.outbox.settle(pending)
                seconds = round(now - pending.sent_at, 3)
                effects.append(Noted("answered", {"upstream": link.place.upstream, "seconds": seconds}))
            self.is_due = self.is_due and not was_due
        elif kind == "response.done":
            if link.sound is not None:
                event = link.sound.ended(event)
            event = self._in_conversation(event)
            self.answered_at = now
            self._end_response(link, event.get("response") or {}, effects)
        elif (known := self.responses.get(event.get("response_id", ""))) is not None:
            known.see(kind, event)
        return event

    def _in_conversation(self, event: Object) -> Object:
        """Return an event of a response with the id that the conversation had at first."""
        response = event.get("response") or {}
        found = response.get("conversation_id")
        if not isinstance(found, str):
            return event
        self._conversation_id = first = self._conversation_id or found
        return event if found == first else event | {"response": response | {"conversation_id": first}}

    def _end_response(self, link: Link, response: Object, effects: list[Effect]) -> None:
        self.responses.pop(response.get("id", ""), None)
        if isinstance(usage := response.get("usage"), dict):
            effects.append(Used(link.place.upstream, link.place.model, "response", usage))
        if response.get("status") == "failed":
            error = (response.get("status_details") or {}).get("error") or {}
            fields = {"upstream": link.place.upstream, "code": error.get("code"), "type": error.get("type")}
            effects.append(Noted("response_failed", fields))

    def _see_buffer(self, link: Link, kind: str, event: Object, now: float) -> Object | None:
        match kind:
            case "input_audio_buffer.speech_started":
                return self._see_speech(link, event)
            case "input_audio_buffer.speech_stopped":
                event = _shifted(event, link.offset_ms)
                self.stopped_ms = event.get("audio_end_ms", 0)
                was_told, self.is_stopped = self.is_stopped, True
                return None if was_told else event
            case "input_audio_buffer.timeout_triggered":
                event = _shifted(event, link.offset_ms)
                self.stopped_ms = event.get("audio_end_ms", 0)
            case "input_audio_buffer.voice_probability":
                event = _shifted(event, link.offset_ms)
            case "input_audio_buffer.committed" if link.is_recommitted(event.get("item_id", "")):
                return None
            case "input_audio_buffer.committed":
                event = self._called(link, event) if self.restarted is not None else event
                self._commit(event, now)
            case "input_audio_buffer.cleared":
                if (entry := self.outbox.pending(CLEAR)) is not None:
                    self.outbox.committed(entry, 0.0)
                self.speaking = self.restarted = None
            case _:
                pass
        return event

    def _see_speech(self, link: Link, event: Object) -> Object | None:
        if self.restarted is not None:
            self._called(link, event)
            return None
        self.speaking, self.is_stopped, self.is_due = event.get("item_id", ""), False, False
        return _shifted(event, link.offset_ms)

    def _called(self, link: Link, event: Object) -> Object:
        """Return an event about the turn whose beginning the client knows, with the id that the client has for it."""
        theirs, ours = event.get("item_id", ""), self.restarted or ""
        self.speaking, self.restarted = ours, None
        if theirs == ours:
            return event
        link.ids.add(theirs, ours)
        return event | {"item_id": ours}

    def _overhear(self, link: Link, event: Object) -> Object | None:
        """Take words that are told before a turn is over, or soon after."""
        item_id = event.get("item_id", "")
        if item_id not in self.chronicle and item_id != self._turn:
            if self.restarted is not None:
                event = self._called(link, event)
            elif self.speaking is None:
                # Where the client says when a turn is over, nothing else tells that one has begun.
                self.speaking = item_id
        return self._overheard.see(link, event.get("item_id", ""), event)

    def _commit(self, event: Object, now: float) -> None:
        # A turn that the server makes has been told to be over by then.
        by_client = None if self.is_stopped else self.outbox.pending(COMMIT)
        if by_client is None:
            detection = self.detection if self._has_answers else None
            self.is_due = detection is not None and bool(detection.get("create_response", True))
            self.is_due = self.is_due and all(response.is_apart for response in self.responses.values())
        frames = self.outbox.committed(by_client, self.stopped_ms)
        self._turn, self._turned_at = event.get("item_id", ""), now
        self.chronicle.hear(self._turn, frames)
        if self._transcribes:
            self.unheard.append(self._turn)
        self.speaking = self.restarted = None
        self.is_stopped = False

    def _see_item(self, link: Link, kind: str, event: Object, effects: list[Effect]) -> Object | None:
        item = event.get("item") or {}
        item_id = item.get("id") or event.get("item_id") or ""
        match kind.removeprefix("conversation.item."):
            case "added" | "created":
                return self._add(link, item, event)
            case "done":
                if link.echoed(item_id):
                    return None
                self._entered.pop(item_id, None)
                self.chronicle.settle(item)
            case "deleted":
                if link.removed(item_id):
                    return None
                if (entry := self.outbox.pending(DELETE)) is not None:
                    self.outbox.settle(entry)
                self.chronicle.delete(item_id)
                self._heard(item_id)
            case "truncated":
                if (entry := self.outbox.pending(TRUNCATE)) is not None:
                    self.outbox.settle(entry)
                self.truncate(item_id, event.get("content_index", 0), event.get("audio_end_ms", 0))
            case "input_audio_transcription.delta":
                return self._overhear(link, event)
            case "input_audio_transcription.failed":
                self._heard(item_id)
            case "input_audio_transcription.completed":
                self._heard(item_id)
                self.chronicle.transcribe(item_id, event.get("content_index", 0), event.get("transcript") or "")
                if isinstance(usage := event.get("usage"), dict):
                    model = self.chronicle.transcriber or link.place.model
                    effects.append(Used(link.place.upstream, model, "transcription", usage))
            case _:
                pass
        return event

    def _heard(self, item_id: str) -> None:
        self._overheard.end(item_id)
        if item_id in self.unheard:
            self.unheard.remove(item_id)

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Keep of an answer what had been played."""
        self.chronicle.truncate(item_id, content_index, audio_end_ms, self.output_bytes_per_ms)

    def _add(self, link: Link, item: Object, event: Object) -> Object | None:
        item_id = item.get("id", "")
        if item_id in link.echoes:
            link.echoing(item_id)
            return None
        if item.get("type") == "mcp_list_tools" and link.listed(item.get("server_label")):
            link.echoes[item_id] += 1  # tools that our own settings name: the client has its own list
            return None
        entry = self._creation(item_id)
        if entry is None and link.awaited and not self._is_made_there(item_id):
            # A server that gives ids of its own: it echoes in order.
            ours = link.awaited.popleft()
            link.ids.add(item_id, ours)
            return None if ours in link.echoes else event
        created: Object = {}
        if entry is not None:
            self.outbox.settle(entry)
            created = (entry.event or {}).get("item") or {}
        previous = event.get("previous_item_id")
        at_front = (entry.event or {}).get("previous_item_id") == "root" if entry is not None else False
        shown = {**item, "content": created["content"]} if item.get("role") == "user" and "content" in created else item
        self.chronicle.add(shown, previous, at_front=at_front)
        self._entered[item_id] = previous
        self.chronicle.hear_created(created | {"id": item_id})
        for response in self.responses.values():
            response.enter(item_id, previous)
        return event

    def _creation(self, item_id: str) -> Entry | None:
        """Return the client's event that made an item."""
        nameless: Entry | None = None
        for entry in self.outbox:
            if entry.kind == CREATE and not entry.is_ours:
                asked = ((entry.event or {}).get("item") or {}).get("id")
                if asked == item_id:
                    return entry
                if not asked and nameless is None:
                    nameless = entry
        return None if self._is_made_there(item_id) else nameless

    def _is_made_there(self, item_id: str) -> bool:
        """Return whether the server itself made an item: of what the user said, or as an answer."""
        return item_id == self._turn or any(response.has_item(item_id) for response in self.responses.values())

    def _see_error(self, link: Link, event: Object, effects: list[Effect]) -> Object | None:
        error = event.get("error") or {}
        event_id = error.get("event_id") or ""
        if event_id.startswith(OURS):
            effects.append(Noted("item_lost", {"code": error.get("code"), "message": error.get("message")}))
            entry = self.outbox.identified(event_id)
            if entry is not None:
                self.outbox.dropped(entry)
            return None
        entry = self.outbox.identified(event_id) if event_id else self._blamed(error)
        if entry is not None:
            self.outbox.dropped(entry)
            if entry.kind == UPDATE:
                self._measure()
                if link.sound is not None:
                    link.sound.hear(self.format_heard)
        return event

    def _blamed(self, error: Object) -> Entry | None:
        """Return the event that an error is about which names none: by what it says, or else the oldest."""
        about = blame.about(error)
        if about != blame.ANYTHING:
            return self.outbox.pending(about)
        return next((entry for entry in self.outbox if entry.kind is not outbox.APPEND), None)


def _shifted(event: Object, offset_ms: float) -> Object:
    """Return an event of the input buffer with its times on the client's clock."""
    if not offset_ms:
        return event
    times = {key: round(event[key] + offset_ms) for key in ("audio_start_ms", "audio_end_ms") if key in event}
    return event | times
