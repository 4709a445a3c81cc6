"""What responses and transcriptions cost, in tokens, by the protocol's accounting."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

from .conversation import Hear, Item
from .schema import Json

DURATION_MODELS = ("whisper-1", "gpt-realtime-whisper", "gpt-live-transcribe", "gpt-transcribe")
"""Transcription models that are paid by time."""
Usage = Callable[[list[Item]], Json]
"""Tells the usage of a response by the items that it made."""
USER_MS, ASSISTANT_MS = 100, 50
"""Audio in a token, by who speaks."""


def text_tokens(text: str) -> int:
    """Return about how many tokens a text is."""
    return math.ceil(len(text) / 4)


class Meter:
    """Counts the tokens of one session, and which of them were seen before."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._seen: list[tuple[str, int, int]] = []

    def response(self, context: Sequence[Item], instructions: str, tools: Sequence[Json]) -> Usage:
        """Return what tells the usage of a response with this context, once its items are known."""
        head = text_tokens(instructions) + (text_tokens(json.dumps(tools)) if tools else 0)
        parts = [(f"head {instructions} {json.dumps(tools)}", head, 0)]
        parts += [(item.id, *self._tokens(item)) for item in context]
        cached = 0
        while cached < min(len(parts), len(self._seen)) and parts[cached] == self._seen[cached]:
            cached += 1
        self._seen = parts
        read, known = _sums(parts), _sums(parts[:cached])

        def usage(output: list[Item]) -> Json:
            said = _sums([(item.id, *self._tokens(item)) for item in output])
            return {
                "total_tokens": sum(read) + sum(said),
                "input_tokens": sum(read),
                "output_tokens": sum(said),
                "input_token_details": {
                    "text_tokens": read[0],
                    "audio_tokens": read[1],
                    "image_tokens": 0,
                    "cached_tokens": sum(known),
                    "cached_tokens_details": {"text_tokens": known[0], "audio_tokens": known[1], "image_tokens": 0},
                },
                "output_token_details": {"text_tokens": said[0], "audio_tokens": said[1]},
            }

        return usage

    def transcription(self, model: str, audio_ms: int, words: str) -> Json:
        """Return the usage of a transcription."""
        if model in DURATION_MODELS:
            return {"type": "duration", "seconds": math.ceil(audio_ms / 1000)}
        heard, written = audio_ms // USER_MS, text_tokens(words)
        details = {"text_tokens": 0, "audio_tokens": heard}
        tokens = {"input_tokens": heard, "output_tokens": written, "total_tokens": heard + written}
        return {"type": "tokens", **tokens, "input_token_details": details}

    def _tokens(self, item: Item) -> tuple[int, int]:
        is_user = item.shown.get("role") == "user"
        audio = item.total_audio_ms // (USER_MS if is_user else ASSISTANT_MS)
        return (0 if is_user and audio else text_tokens(item.text(self._hear))), audio


def _sums(parts: Sequence[tuple[str, int, int]]) -> tuple[int, int]:
    return sum(part[1] for part in parts), sum(part[2] for part in parts)
