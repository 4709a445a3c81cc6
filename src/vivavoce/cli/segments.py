"""What was said in a recording, gathered from a session's events: one segment for each stretch of speech."""

from __future__ import annotations

from math import exp
from typing import Any

import msgspec


class Word(msgspec.Struct, frozen=True):
    """A recognised word."""

    text: str
    confidence: float
    """0 to 1."""


class Segment(msgspec.Struct, kw_only=True):
    """One stretch of speech."""

    item_id: str
    start_ms: int | None = None
    """From the beginning of the recording; None when the server did not tell."""
    end_ms: int | None = None
    text: str = ""
    words: tuple[Word, ...] = ()
    """With confidences; empty when the server told none."""
    confidence: float | None = None
    """Mean of the words' confidences."""
    is_final: bool = False
    """Whether `text` will not change any more."""
    problem: str = ""
    """Why it was not understood, empty when it was."""


class Segments:
    """The segments of one recording, in the order in which they were spoken."""

    def __init__(self, duration_ms: int) -> None:
        self._duration_ms = duration_ms
        self.all: list[Segment] = []
        self._by_item: dict[str, Segment] = {}
        self._open: set[str] = set()
        self._awaited: set[str] = set()

    @property
    def is_settled(self) -> bool:
        """Whether nobody speaks and no words are awaited."""
        return not self._open and not self._awaited

    def take(self, event: dict[str, Any]) -> Segment | None:
        """Take in an event; return the segment that it changed, None when it is about something else."""
        kind, item_id = event["type"], str(event.get("item_id"))
        match kind:
            case "input_audio_buffer.speech_started":
                self._open.add(item_id)
                segment = self._of(item_id)
                segment.start_ms = event.get("audio_start_ms")
            case "input_audio_buffer.speech_stopped":
                self._open.discard(item_id)
                segment = self._of(item_id)
                # A turn ends with silence, some of which may be what was sent after the recording.
                segment.end_ms = min(int(event.get("audio_end_ms") or 0), self._duration_ms)
            case "input_audio_buffer.committed":
                self._open.discard(item_id)
                segment = self._of(item_id)
                if not segment.is_final:
                    self._awaited.add(item_id)
            case "conversation.item.input_audio_transcription.delta":
                segment = self._of(item_id)
                segment.text += str(event.get("delta") or "")
            case "conversation.item.input_audio_transcription.completed":
                segment = self._finished(item_id)
                segment.text = str(event.get("transcript") or "").strip()
                segment.words = words_of(segment.text, event.get("logprobs") or [])
                if segment.words:
                    segment.confidence = sum(word.confidence for word in segment.words) / len(segment.words)
            case "conversation.item.input_audio_transcription.failed":
                segment = self._finished(item_id)
                error = event.get("error") or {}
                segment.text, segment.problem = "", str(error.get("message") or error.get("code") or "not understood")
            case _:
                return None
        return segment

    def _of(self, item_id: str) -> Segment:
        if item_id not in self._by_item:
            self._by_item[item_id] = Segment(item_id=item_id)
            self.all.append(self._by_item[item_id])
        return self._by_item[item_id]

    def _finished(self, item_id: str) -> Segment:
        self._awaited.discard(item_id)
        segment = self._of(item_id)
        segment.is_final = True
        return segment


def words_of(text: str, tokens: list[Any]) -> tuple[Word, ...]:
    """Return the words of `text` with their confidences, from tokens with the logarithms of their probabilities.

    A token may be a word, a piece of one, or a mark; a word is as likely as all its tokens together.  Tokens that are
    not found in the text, in order, are passed over, and so are words without a token.
    """
    found: dict[int, float] = {}
    bounds = _bounds(text)
    at = which = 0
    for token in tokens:
        if not isinstance(token, dict) or not isinstance(token.get("logprob"), int | float):
            continue
        piece = str(token.get("token") or "").strip()
        place = text.find(piece, at) if piece else -1
        if place < 0:
            continue
        at = place + len(piece)
        while which < len(bounds) and bounds[which][1] <= place:
            which += 1
        if which < len(bounds):
            found[which] = found.get(which, 0.0) + min(0.0, token["logprob"])
    return tuple(Word(text[begin:end], exp(found[n])) for n, (begin, end) in enumerate(bounds) if n in found)


def _bounds(text: str) -> list[tuple[int, int]]:
    """Return where each word of `text` begins and ends."""
    bounds, at = [], 0
    for word in text.split():
        begin = text.index(word, at)
        at = begin + len(word)
        bounds.append((begin, at))
    return bounds
