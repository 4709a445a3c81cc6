"""Transcripts in the forms that clients ask for.  Pure; called by `transcriptions`."""

from __future__ import annotations

import math
import zlib
from typing import Any

import msgspec

from ...core.states import TranscriptionTokens
from ...core.usage import USER_AUDIO_MS, text_tokens
from ...engines.cues import srt, vtt
from ...engines.recording import Stretch
from .wanted import Wanted

_LANGUAGES = {"en": "english"}
"""What Whisper calls the languages."""
_LEAST_PROBABILITY = 1e-10
"""Whose logarithm is still a number."""


class Written(msgspec.Struct, frozen=True):
    """A recording that was written down."""

    stretches: tuple[Stretch, ...]
    duration_ms: int

    @property
    def text(self) -> str:
        """All that was said."""
        return " ".join(stretch.text for stretch in self.stretches)


def body_of(written: Written, wanted: Wanted, task: str) -> tuple[bytes, str]:
    """Return the body of a response and its media type."""
    match wanted.format:
        case "text":
            return (written.text + "\n").encode(), "text/plain; charset=utf-8"
        case "srt":
            return srt(written.stretches).encode(), "text/plain; charset=utf-8"
        case "vtt":
            return vtt(written.stretches).encode(), "text/vtt; charset=utf-8"
        case "verbose_json":
            found = _verbose(written, wanted, task)
        case _:
            found = {"text": written.text}
            if wanted.has_logprobs:
                found["logprobs"] = logprobs(written.stretches)
            found["usage"] = usage(written, wanted)
    return msgspec.json.encode(found), "application/json"


def logprobs(stretches: tuple[Stretch, ...], *, is_first: bool = True) -> list[dict[str, Any]]:
    """Return the words of a text with the logarithms of their probabilities; all but the first with their space."""
    words = [word for stretch in stretches for word in stretch.words]
    tokens = [word.text if is_first and not index else f" {word.text}" for index, word in enumerate(words)]
    return [
        {"token": token, "logprob": _log(word.confidence), "bytes": list(token.encode())}
        for token, word in zip(tokens, words, strict=True)
    ]


def usage(written: Written, wanted: Wanted) -> dict[str, Any]:
    """Return what a recording took: seconds, or tokens by the protocol's accounting."""
    if not wanted.counts_tokens:
        return {"type": "duration", "seconds": math.ceil(written.duration_ms / 1000)}
    tokens = tokens_of(written, wanted)
    given = tokens.audio_tokens + tokens.text_tokens
    return {
        "type": "tokens",
        "input_tokens": given,
        "input_token_details": {"audio_tokens": tokens.audio_tokens, "text_tokens": tokens.text_tokens},
        "output_tokens": tokens.output_tokens,
        "total_tokens": given + tokens.output_tokens,
    }


def tokens_of(written: Written, wanted: Wanted) -> TranscriptionTokens:
    """Return what a recording took in tokens, by the protocol's accounting."""
    audio = -(-written.duration_ms // USER_AUDIO_MS)
    return TranscriptionTokens(audio, text_tokens(wanted.prompt), text_tokens(written.text))


def _log(probability: float) -> float:
    return math.log(max(probability, _LEAST_PROBABILITY))


def _verbose(written: Written, wanted: Wanted, task: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": task,
        "language": _LANGUAGES.get(wanted.language, wanted.language),
        "duration": written.duration_ms / 1000,
        "text": written.text,
    }
    if "word" in wanted.granularities:
        found["words"] = [
            {
                "word": word.text,
                "start": word.start_ms / 1000,
                "end": word.end_ms / 1000,
                # An extension, under the name by which Whisper's own program tells it.
                "probability": round(word.confidence, 4),
            }
            for stretch in written.stretches
            for word in stretch.words
        ]
    if "segment" in wanted.granularities:
        found["segments"] = [
            _segment(number, stretch, wanted.temperature) for number, stretch in enumerate(written.stretches)
        ]
    found["usage"] = usage(written, wanted)
    return found


def _segment(number: int, stretch: Stretch, temperature: float) -> dict[str, Any]:
    """Return a segment with all the fields of Whisper's; it has no tokens, because the recogniser has none."""
    text = f" {stretch.text}"
    return {
        "id": number,
        "seek": stretch.start_ms // 10,
        "start": stretch.start_ms / 1000,
        "end": stretch.end_ms / 1000,
        "text": text,
        "tokens": [],
        "temperature": temperature,
        "avg_logprob": sum(_log(word.confidence) for word in stretch.words) / len(stretch.words),
        "compression_ratio": len(text.encode()) / len(zlib.compress(text.encode())),
        "no_speech_prob": 1 - stretch.voice,
    }
