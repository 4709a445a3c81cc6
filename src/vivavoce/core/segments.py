"""Segments: stretches of recognised speech with their places in time, cut at the pauses between words.

Pure; called by `core.transcripts` for models that tell speakers apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .reports import Word

PAUSE_MS = 600
"""A pause that ends a segment: people pause for so long between sentences, and rarely inside of one."""
LONG_MS = 15_000
"""A segment longer than this is cut at the longest of its pauses, and its parts again."""


class Segment(msgspec.Struct, frozen=True):
    """One stretch of speech."""

    text: str
    start_ms: int
    """Milliseconds from the start of the utterance."""
    end_ms: int


def segments(words: Sequence[Word]) -> list[Segment]:
    """Return the stretches that words in their order fall into."""
    found: list[Segment] = []
    first = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or _pause(words, index) >= PAUSE_MS or words[index - 1].text.endswith((".", "!", "?")):
            found += _short(words[first:index])
            first = index
    return found


def _pause(words: Sequence[Word], index: int) -> int:
    """Return the silence before a word."""
    return words[index].start_ms - words[index - 1].end_ms


def _short(words: Sequence[Word]) -> list[Segment]:
    """Return the words as one segment, or as several that are not too long."""
    if not words:
        return []
    if len(words) > 1 and words[-1].end_ms - words[0].start_ms > LONG_MS:
        cut = max(range(1, len(words)), key=lambda index: (_pause(words, index), -abs(2 * index - len(words))))
        return _short(words[:cut]) + _short(words[cut:])
    return [Segment(" ".join(word.text for word in words), words[0].start_ms, words[-1].end_ms)]
