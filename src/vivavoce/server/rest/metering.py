"""What a chat takes that is answered elsewhere: read from the answer while it goes by.

Usage is what the endpoint tells, in the body or in a chunk of the stream.  Where it tells none, or the client leaves
before, texts and images are counted as in sessions (`core.usage`); recordings are not.  Pure; called by `completions`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ...core.pictures import image_tokens
from ...core.states import Usage

Json = dict[str, Any]

_END_OF_EVENT = re.compile(rb"\r?\n\r?\n|\r\r")
_BYTES_A_TOKEN = 4
_MOST_EVENT_BYTES = 1 << 20
"""An event of a stream that is longer is no usage."""
_MOST_BODY_BYTES = 8 << 20
"""A whole answer that is longer is counted by its length."""


class Meter:
    """Counts one answer: `push` its pieces, then `flush`, and tell what of it the client is to get."""

    def __init__(self, asked: Json, *, is_stream: bool, hides_usage: bool) -> None:
        """Begin.

        Args:
            asked: the body of the request.
            is_stream: whether the answer comes in events.
            hides_usage: whether the client did not ask for the chunk that tells usage alone, and so does not get it.
        """
        self._asked = asked
        self._is_stream = is_stream
        self._hides_usage = hides_usage
        self._held = bytearray()
        """An event that is not complete, or the answer so far."""
        self._body_bytes = 0
        self._told: Json = {}
        """The usage that was told last."""
        self._made_bytes = 0
        """The texts that were made so far."""
        self.has_failed = False
        """Whether the answer tells of an error, in spite of its status."""

    def push(self, data: bytes) -> bytes:
        """Take a piece of the answer; return what can be passed on."""
        if not self._is_stream:
            self._body_bytes += len(data)
            if self._body_bytes <= _MOST_BODY_BYTES:
                self._held += data
            return data
        self._held += data
        passed = self._events()
        if len(self._held) > _MOST_EVENT_BYTES:
            passed += self._held
            self._held.clear()
        return bytes(passed) if self._hides_usage else data

    def flush(self) -> bytes:
        """Take the end; return the rest that can be passed on."""
        rest, self._held = bytes(self._held), bytearray()
        if self._is_stream:
            is_hidden = self._read_event(rest)
            return b"" if is_hidden or not self._hides_usage else rest
        if self._body_bytes > _MOST_BODY_BYTES:
            self._made_bytes = self._body_bytes
        else:
            self._read(rest)
        return b""

    @property
    def usage(self) -> Usage:
        """What the answer has taken so far."""
        given, made = _count(self._told.get("prompt_tokens")), _count(self._told.get("completion_tokens"))
        if not given and not made:
            text, image = given_tokens(self._asked)
            made = _tokens(self._made_bytes)
            return Usage(input_text_tokens=text, input_image_tokens=image, output_text_tokens=made)
        inputs, outputs = (_object(self._told.get(f"{kind}_tokens_details")) for kind in ("prompt", "completion"))
        audio = min(given, _count(inputs.get("audio_tokens")))
        image = min(given - audio, _count(inputs.get("image_tokens")))
        text = given - audio - image
        spoken = min(made, _count(outputs.get("audio_tokens")))
        return Usage(
            input_text_tokens=text,
            input_audio_tokens=audio,
            input_image_tokens=image,
            cached_text_tokens=min(text, _count(inputs.get("cached_tokens"))),
            output_text_tokens=made - spoken,
            output_audio_tokens=spoken,
        )

    def _events(self) -> bytearray:
        """Read the events that are complete; return those that the client gets."""
        passed, at = bytearray(), 0
        for end in _END_OF_EVENT.finditer(self._held):
            event = bytes(self._held[at : end.end()])
            at = end.end()
            if not self._read_event(event):
                passed += event
        del self._held[:at]
        return passed

    def _read_event(self, event: bytes) -> bool:
        """Read an event; return whether it tells usage alone."""
        lines = [line[5:] for line in event.splitlines() if line.startswith(b"data:")]
        return self._read(b"\n".join(lines))

    def _read(self, data: bytes) -> bool:
        """Read a chunk, or a whole answer; return whether it tells usage alone."""
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False  # the end of a stream, a comment, or nothing that is known here
        chunk = _object(value)
        self.has_failed |= bool(chunk.get("error"))
        usage, choices = _object(chunk.get("usage")), _array(chunk.get("choices"))
        self._told = usage or self._told
        for choice in map(_object, choices):
            self._made_bytes += _size(_object(choice.get("delta") or choice.get("message")))
        return bool(usage) and not choices


def given_tokens(asked: Json) -> tuple[int, int]:
    """Return about how many tokens of text and of images a request takes."""
    image = 0
    n_bytes = sum(_size(_object(tool)) for tool in _array(asked.get("tools")))
    for message in map(_object, _array(asked.get("messages"))):
        n_bytes += _size(message)
        for part in map(_object, _array(message.get("content"))):
            picture = _object(part.get("image_url"))
            if isinstance(url := picture.get("url"), str):
                image += image_tokens(url, str(picture.get("detail", "auto")))
    return _tokens(n_bytes), image


_TEXTS = ("content", "text", "refusal", "name", "description", "arguments")
_REASONING = ("reasoning_content", "reasoning")
"""Where messages, their parts, calls and tools have what is read or written; reasoning under the one or the other."""


def _size(value: Json) -> int:
    """Return the bytes of the texts in a message, a tool or a piece of an answer."""
    size, stack = 0, [value]
    while stack:
        node = stack.pop()
        reasoning = next((node[key] for key in _REASONING if node.get(key)), "")
        texts = [*(node.get(key) for key in _TEXTS), reasoning]
        size += sum(len(text.encode("utf-8", "surrogatepass")) for text in texts if isinstance(text, str))
        if isinstance(node.get("parameters"), dict):
            size += len(msgspec.json.encode(node["parameters"]))
        inner = [*_array(node.get("content")), *_array(node.get("tool_calls")), node.get("function")]
        stack += [each for each in inner if isinstance(each, dict)]
    return size


def _tokens(n_bytes: int) -> int:
    return -(-n_bytes // _BYTES_A_TOKEN)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
