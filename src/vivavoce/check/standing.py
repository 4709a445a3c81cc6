"""The rules that every connection must keep whatever is asked on it, and the ledger of those that were broken.

No case asks for them: each message of every connection is judged, and each rule is reported once a shape.
"""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from typing import Any

import msgspec

from .fields import problems
from .order import BETA_ONLY, GA_ONLY, KNOWN, TRANSLATION, Event, Order, OrderError, Shape
from .spelling import BYTES_PER_MS, Spelling

RULES = {
    "always.json": "Every message is a text frame that holds one JSON object with a type.",
    "always.frame-size": "No message is longer than 1 MiB, which is what older clients accept.",
    "always.event-id": "Every event has an event_id of its own.",
    "always.vocabulary": "Every event is one of those that the shape has.",
    "always.fields": "Every event has its required fields, of the right types, and null nowhere but where it may be.",
    "always.no-playback-events": "Over a WebSocket, where the client plays, no output_audio_buffer event is sent.",
    "always.usage": "The token counts of a response add up: input and output to the total, and their details to each.",
    "always.audio": "Audio deltas hold whole samples of the response's output format.",
    "always.order.session": "session.created comes first and once (in the beta conversation.created second), and "
        "nothing is told out of the session's kind.",
    "always.order.conversation": "An item is added once, after an item that is there, and is done once after that; "
        "only items that are there are deleted, retrieved or truncated.",
    "always.order.input": "speech_started, speech_stopped, committed and the item's entry follow each other under one "
        "item id.",
    "always.order.transcription": "A transcription ends once, after its item entered the conversation, and nothing of "
        "it follows.",
    "always.order.response": "A response is created, its items follow one after another, each added and done, and "
        "response.done shows them and comes last.",
    "always.order.content": "Within an item each part is added, told in deltas that add up to its end, and done.",
}  # fmt: skip
"""The standing rules by name, each in one sentence."""

MOST_BYTES = 1 << 20
"""The longest message that clients with the defaults of older libraries accept."""
_KEPT = 3
"""How many breaches of one rule are kept; the rest are counted."""


class Ledger:
    """What was broken of the standing rules by all connections of one shape."""

    def __init__(self) -> None:
        self.heard = 0
        """How many messages were judged."""
        self._breaches: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()

    def note(self, rule: str, why: str) -> None:
        """Take down that a rule was broken."""
        self._counts[rule] += 1
        kept = self._breaches.setdefault(rule, [])
        if len(kept) < _KEPT and why not in kept:
            kept.append(why)

    def told(self, rule: str) -> str:
        """Return how a rule was broken, in one line; nothing if it was kept."""
        if rule not in self._breaches:
            return ""
        kept, count = self._breaches[rule], self._counts[rule]
        return "; ".join(kept) + (f" (and {count - len(kept)} more)" if count > len(kept) else "")


class Watch:
    """Judges the messages of one connection by the standing rules."""

    def __init__(self, shape: Shape, ledger: Ledger, who: str) -> None:
        self._spelling = Spelling(shape)
        self._shape: Shape = shape
        self._ledger = ledger
        self._who = who
        self._ids: set[str] = set()
        self._order: Order | None = Order(shape)
        self._formats: dict[str, str] = {}
        self._held: Counter[tuple[str, str]] = Counter()
        self._is_translation = False

    def see(self, message: str | bytes) -> Event | None:
        """Judge a message and return its event; None where it holds none."""
        self._ledger.heard += 1
        event = self._parsed(message)
        if event is None:
            return None
        if len(message) >= MOST_BYTES:
            self._note("always.frame-size", f"{event['type']} of {len(message)} bytes")
        session = event.get("session")
        if isinstance(session, dict) and session.get("type") == "translation":
            self._is_translation = True
        self._see_frame(event)
        found = problems(event, self._shape)
        for problem in found:
            self._note("always.fields", f"{event['type']}: {problem}")
        if not found:
            self._see_numbers(event)
        self._see_order(event, is_whole=not found)
        return event

    def _note(self, rule: str, why: str) -> None:
        self._ledger.note(rule, f"{self._who}: {why}")

    def _parsed(self, message: str | bytes) -> dict[str, Any] | None:
        if isinstance(message, bytes):
            self._note("always.json", f"a binary frame of {len(message)} bytes")
            return None
        try:
            event = msgspec.json.decode(message.encode())
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            self._note("always.json", f"{message[:40]!r} is not JSON ({error})")
            return None
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            self._note("always.json", f"{message[:40]!r} has no type")
            return None
        return event

    def _see_frame(self, event: Event) -> None:
        name, event_id = event["type"], event.get("event_id")
        if not isinstance(event_id, str) or event_id in self._ids:
            self._note("always.event-id", f"{name} has the event_id {event_id!r}")
        else:
            self._ids.add(event_id)
        foreign = GA_ONLY if self._shape == "beta" else BETA_ONLY
        known = TRANSLATION if self._is_translation else KNOWN
        if name in foreign or self._spelling.kind(name) not in known:
            self._note("always.vocabulary", name)
        if name.startswith("output_audio_buffer."):
            self._note("always.no-playback-events", name)

    def _see_order(self, event: Event, *, is_whole: bool) -> None:
        if len(self._ids) == 1 and event["type"] == "error":
            self._order = None  # a session that is refused begins, and ends, with the reason
        if self._order is None:
            return
        if not is_whole or self._spelling.kind(event["type"]) not in KNOWN | TRANSLATION:
            # What else an event is judged by cannot be relied on; the ledger has it already.
            self._order = None
            return
        try:
            self._order.see(event)
        except OrderError as error:
            if error.rule != "event ids are unique":
                self._note(f"always.order.{error.area}", str(error)[:300])
            self._order = None

    def _see_numbers(self, event: Event) -> None:
        kind = self._spelling.kind(event["type"])
        if kind in ("response.created", "response.done"):
            response = event["response"]
            self._formats[response["id"]] = self._spelling.read(response, "output_format") or "pcm"
            if kind == "response.done":
                for problem in usage_problems(response["usage"]):
                    self._note("always.usage", problem)
        elif kind == "response.output_audio.delta":
            audio = b64decode(event["delta"])
            width = 2 if BYTES_PER_MS[self._formats.get(event["response_id"], "pcm")] == 48 else 1
            if not audio or len(audio) % width:
                self._note("always.audio", f"a delta of {len(audio)} bytes")


def usage_problems(usage: dict[str, Any] | None) -> list[str]:
    """Return what does not add up in the usage of a response."""
    if usage is None:
        return []
    problems = []
    if usage["input_tokens"] + usage["output_tokens"] != usage["total_tokens"]:
        problems.append(f"{usage['input_tokens']} + {usage['output_tokens']} is not {usage['total_tokens']}")
    for side in ("input", "output"):
        details = usage[f"{side}_token_details"]
        parts = [details.get(f"{kind}_tokens") or 0 for kind in ("text", "audio", "image")]
        if sum(parts) != usage[f"{side}_tokens"]:
            problems.append(f"the {side} details {parts} are not {usage[f'{side}_tokens']}")
    cached = usage["input_token_details"]["cached_tokens"]
    if not 0 <= cached <= usage["input_tokens"]:
        problems.append(f"{cached} cached tokens of {usage['input_tokens']}")
    return problems
