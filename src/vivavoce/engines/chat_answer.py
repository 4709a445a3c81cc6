"""The chunks of a streamed chat completion read as thoughts.

The first call is passed on as it is written; later ones, whose pieces a server may mix, wait until the end, because
thoughts of calls do not overlap.  Pure; used by `engines.chat` alone, one for each answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..core.reports import Spent
from .api import CallArgued, CallBegan, Stopped, Thought, Wrote
from .reasoning import ReasoningFilter

Json = dict[str, Any]

_REASONS = {"length": "max_output_tokens", "max_tokens": "max_output_tokens", "content_filter": "content_filter"}


class _Call:
    """A call as far as it was written."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.name = ""
        self.held = ""
        """Arguments that were not yet passed on."""
        self.has_arguments = False
        self.has_begun = False

    def advance(self) -> Iterator[Thought]:
        """Yield what was not yet passed on; arguments show that the name is complete."""
        if not self.has_begun and self.name:
            self.has_begun = True
            yield CallBegan(self.name, self.call_id)
        if self.has_begun and self.held:
            yield CallArgued(self.held)
            self.held = ""

    def finish(self) -> Iterator[Thought]:
        if not self.has_arguments:
            self.held = "{}"
        yield from self.advance()


class ChatAnswer:
    """One answer being received."""

    def __init__(self) -> None:
        self.is_done = False
        """Whether the server said that the answer is complete."""
        self._filter = ReasoningFilter()
        self._calls: list[tuple[object, _Call]] = []
        self._late_text = ""
        self._reason = "stop"
        self._spent: Spent | None = None

    def chunk(self, chunk: Json) -> Iterator[Thought]:
        """Yield the thoughts of one chunk of a stream."""
        self._count(chunk.get("usage"))
        choice = _first(chunk.get("choices"))
        delta = choice.get("delta") or choice.get("message") or {}
        yield from self._read(delta)
        self._note_reason(choice.get("finish_reason"))

    def whole(self, body: Json) -> Iterator[Thought]:
        """Yield the thoughts of a completion that came in one piece."""
        yield from self.chunk(body)
        yield from self.finish()

    def finish(self) -> Iterator[Thought]:
        """Yield what was held back, and the end."""
        yield from _wrote(self._filter.flush() if not self._calls else "")
        for _, call in self._calls:
            yield from call.finish()
        if self._calls:
            yield from _wrote(self._late_text + self._filter.flush())
        yield Stopped(self._reason, self._spent)

    def _read(self, delta: Json) -> Iterator[Thought]:
        if text := self._filter.push(_content(delta.get("content")) or _content(delta.get("refusal"))):
            if self._calls:
                self._late_text += text
            else:
                yield Wrote(text)
        calls = delta.get("tool_calls") or ()
        if calls and not self._calls:
            yield from _wrote(self._filter.flush())
        for index, piece in enumerate(calls):
            yield from self._read_call(piece, index)

    def _read_call(self, piece: Json, index: int) -> Iterator[Thought]:
        function = piece.get("function") or {}
        call = self._call(piece.get("index", index), piece.get("id") or "", function.get("name") or "")
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            # Some servers give the arguments as an object rather than as text.
            arguments = json.dumps(arguments)
        if arguments:
            call.held += arguments
            call.has_arguments = True
            if call is self._calls[0][1]:
                yield from call.advance()

    def _call(self, index: object, call_id: str, name: str) -> _Call:
        """Return the call that a piece belongs to; some servers number every call 0 and tell them by id alone."""
        for known, call in reversed(self._calls):
            if known == index and (not call_id or call_id == call.call_id or not name):
                call.name += name if not call.has_arguments and name != call.name else ""
                return call
        call = _Call(call_id)
        call.name = name
        self._calls.append((index, call))
        return call

    def _note_reason(self, reason: object) -> None:
        if isinstance(reason, str) and reason:
            self.is_done = True
            self._reason = _REASONS.get(reason, "stop")

    def _count(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        self._spent = Spent(
            _number(usage.get("prompt_tokens")),
            _number(usage.get("completion_tokens")),
            None if cached is None else _number(cached),
        )


def _wrote(text: str) -> Iterator[Thought]:
    if text:
        yield Wrote(text)


def _first(choices: object) -> Json:
    choice = choices[0] if isinstance(choices, list) and choices else {}
    return choice if isinstance(choice, dict) else {}


def _content(content: object) -> str:
    """Return the text of a delta, which may also come as a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
