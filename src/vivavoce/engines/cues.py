"""Subtitles: SRT and WebVTT from segments of speech.  Pure; called by the command line and by `server.rest`."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

_LINE_CHARACTERS = 42
"""The usual width of a line of subtitles."""
_CUE_CHARACTERS = 2 * _LINE_CHARACTERS
"""Two lines are as much as is read at a glance."""
_SHORTEST_MS = 300


class Segment(Protocol):
    """A stretch of speech."""

    @property
    def start_ms(self) -> int | None:
        """From the beginning of the recording; None when it is not known."""
        ...

    @property
    def end_ms(self) -> int | None:
        """From the beginning of the recording; None when it is not known."""
        ...

    @property
    def text(self) -> str:
        """Its words; empty when there are none."""
        ...


class Cue(msgspec.Struct, frozen=True):
    """Text that is shown for a while."""

    start_ms: int
    end_ms: int
    text: str


def cues_of(segments: Iterable[Segment]) -> Iterator[Cue]:
    """Yield the cues of segments that have words; a long one is shown piece by piece, by the share of its letters."""
    earliest = 0
    for segment in segments:
        if not segment.text:
            continue
        start = max(earliest, segment.start_ms if segment.start_ms is not None else earliest)
        end = max(start + _SHORTEST_MS, segment.end_ms or 0)
        pieces = _pieces(segment.text)
        letters, total = 0, sum(len(piece) for piece in pieces)
        for piece in pieces:
            begin = start + (end - start) * letters // total
            letters += len(piece)
            yield Cue(begin, start + (end - start) * letters // total, piece)
        earliest = end


def _pieces(text: str) -> list[str]:
    """Return `text` in as few cues as it fits into, of about the same length."""
    fewest = len(_wrapped(text, _CUE_CHARACTERS))
    narrowest = max(1, len(text) // fewest)
    return next(
        pieces
        for width in range(min(narrowest, _CUE_CHARACTERS), _CUE_CHARACTERS + 1)
        if len(pieces := _wrapped(text, width)) == fewest
    )


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def srt(segments: Iterable[Segment]) -> str:
    """Return segments as SubRip subtitles."""
    blocks = [
        f"{number}\n{_time(cue.start_ms, ',')} --> {_time(cue.end_ms, ',')}\n{_lines(cue.text)}\n"
        for number, cue in enumerate(cues_of(segments), 1)
    ]
    return "\n".join(blocks)


def vtt(segments: Iterable[Segment]) -> str:
    """Return segments as WebVTT subtitles."""
    blocks = [
        f"{_time(cue.start_ms, '.')} --> {_time(cue.end_ms, '.')}\n{html.escape(_lines(cue.text), quote=False)}\n"
        for cue in cues_of(segments)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _lines(text: str) -> str:
    return "\n".join(_wrapped(text, _LINE_CHARACTERS))


def _time(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{point}{ms:03}"
