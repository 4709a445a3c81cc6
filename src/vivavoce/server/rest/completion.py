"""One completion on its way from thoughts to chunks, or to one whole.  Pure; called by `completions`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.effects import Prompt
from ...core.items import FunctionCall, Item, Message, OutputText
from ...core.reports import Spent
from ...core.states import Usage
from ...core.usage import of_prompt, with_output
from ...engines.api import CallArgued, CallBegan, Stopped, Thought, Wrote

Json = dict[str, Any]

_REASONS = {"stop": "stop", "max_output_tokens": "length", "content_filter": "content_filter"}


class Completion:
    """The answer to one request; `take` its thoughts, then tell it as a `whole` if it was not streamed."""

    def __init__(
        self, completion_id: str, created_unix: int, model: str, stops: tuple[str, ...], *, counts_usage: bool
    ) -> None:
        """Begin.

        Args:
            completion_id: its id.
            created_unix: when it was asked for.
            model: what the client calls the model.
            stops: texts that end it.
            counts_usage: whether a stream is to end with its usage.
        """
        self._id = completion_id
        self._created_unix = created_unix
        self._model = model
        self._stops = stops
        self._counts_usage = counts_usage
        self._text = ""
        self._held = ""
        """Text that may be the beginning of a stop."""
        self._calls: list[FunctionCall] = []
        self._reason = "stop"
        self._spent: Spent | None = None
        """What the engine itself counted."""
        self._usage: Json = {}
        self.is_over = False
        """Whether nothing more is wanted: it ended, or a stop was written."""

    def begin(self) -> Json:
        """Return the first chunk of a stream."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def take(self, thought: Thought) -> Iterator[Json]:
        """Yield the deltas that a thought makes, as chunks of a stream."""
        match thought:
            case Wrote(text):
                yield from self._write(text, is_last=False)
            case CallBegan():
                yield from self._write("", is_last=True)
                call = FunctionCall("", thought.call_id or f"call_{self._id[9:]}{len(self._calls)}", thought.name)
                self._calls.append(call)
                function = {"name": call.name, "arguments": ""}
                yield self._called({"id": call.call_id, "type": "function", "function": function})
            case CallArgued(delta):
                last = self._calls[-1]
                self._calls[-1] = FunctionCall("", last.call_id, last.name, last.arguments + delta)
                yield self._called({"function": {"arguments": delta}})
            case Stopped(reason, spent):
                self._spent = spent
                yield from self._write("", is_last=True)
                self.is_over = True
                self._reason = "tool_calls" if self._calls and reason == "stop" else _REASONS[reason]

    def taken(self, prompt: Prompt) -> Usage:
        """Return what it took so far, of which the prompt was asked."""
        output: list[Item] = [Message("", "assistant", (OutputText(self._text),)), *self._calls]
        return with_output(of_prompt(prompt), tuple(output), self._spent)

    def end(self, prompt: Prompt) -> Iterator[Json]:
        """Yield the last chunks: why it ended, and where it is wanted what it took."""
        usage = self.taken(prompt)
        given = usage.input_text_tokens + usage.input_audio_tokens + usage.input_image_tokens
        made = usage.output_text_tokens + usage.output_audio_tokens
        self._usage = {
            "prompt_tokens": given,
            "completion_tokens": made,
            "total_tokens": given + made,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": usage.input_audio_tokens},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": usage.output_audio_tokens},
        }
        yield self._chunk({}, self._reason)
        if self._counts_usage:
            yield {**self._chunk({}), "choices": [], "usage": self._usage}

    def whole(self) -> Json:
        """Return the completion in one piece."""
        message: Json = {"role": "assistant", "content": self._text or (None if self._calls else "")}
        message |= {"refusal": None, "annotations": []}
        if self._calls:
            message["tool_calls"] = [
                {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self._calls
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._reason}
        return self._head("chat.completion") | {"choices": [choice], "usage": self._usage}

    def _write(self, text: str, *, is_last: bool) -> Iterator[Json]:
        """Yield what can be told of `text` and of what was held back; a stop ends it all."""
        text = self._held + text
        ends = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if ends:
            text, self._held, self.is_over = text[: min(ends)], "", True
        else:
            held = 0 if is_last else _begun(text, self._stops)
            text, self._held = text[: len(text) - held], text[len(text) - held :]
        if text:
            self._text += text
            yield self._chunk({"content": text})

    def _called(self, delta: Json) -> Json:
        return self._chunk({"tool_calls": [{"index": len(self._calls) - 1, **delta}]})

    def _chunk(self, delta: Json, reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        chunk = self._head("chat.completion.chunk") | {"choices": [choice]}
        return chunk | {"usage": None} if self._counts_usage else chunk

    def _head(self, kind: str) -> Json:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created_unix,
            "model": self._model,
            "service_tier": "default",
            "system_fingerprint": None,
        }


def _begun(text: str, stops: tuple[str, ...]) -> int:
    """Return how many characters at the end of `text` may be the beginning of a stop."""
    lengths = range(max((len(stop) for stop in stops), default=1) - 1, 0, -1)
    return next((n for n in lengths if n <= len(text) and any(stop.startswith(text[-n:]) for stop in stops)), 0)
