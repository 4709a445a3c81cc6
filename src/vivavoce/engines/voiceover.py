"""One message spoken: clauses in, pieces of audio out, each with the words that begin in it.

It changes the synthesiser's sample rate and encoding to the client's, keeps the count of characters and milliseconds,
and puts pauses between the clauses.  Used by `engines.cascade`, one for each message of an answer.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from ..audio.g711 import pcm_to_alaw, pcm_to_ulaw
from ..audio.resample import Resampler
from ..core.effects import Prompt
from ..core.items import WordMark
from ..core.reports import Said
from .api import Tts
from .clauses import Clause

_PIECES_MS = (20, 60, 120)
"""Lengths of the first pieces of a message: the first is small so that it leaves at once."""
_PIECE_MS = 160
"""Length of the later pieces."""
_SILENT_AFTER_MS = 600
"""A synthesiser that has named no word after so much speech names none at all."""
_QUIET = 200
"""Samples below this (-44 dBFS) count as silence between clauses."""
_TAIL_MS = 400
"""The longest silence that is looked for at the end of a clause."""
_RECENT_MS = 2_000
"""The longest silence that is looked for before a word: a pause within a clause, spoken slowly."""
_MOST_MERGED = 4
"""So many words may be spoken as one ("would have to"); a gap with more of them is one that tells nothing."""

_WORD = re.compile(
    r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7af\uf900-\uffef]+"
)
"""A word of the transcript: a run without white space, or one character of a script that writes none."""


class Voiceover:
    """The voice of one message."""

    def __init__(self, tts: Tts, prompt: Prompt) -> None:
        self._tts = tts
        self._prompt = prompt
        self._format = prompt.output_format
        self._resampler = Resampler(tts.rate_hz, self._format.rate, trim_start=True)
        self._pcm = b""
        """Speech at the client's rate that was not yet given."""
        self._given_samples = 0
        self._pieces = 0
        self._characters = 0
        """Characters of the transcript given so far."""
        self._tail = _Tail(tts.rate_hz)
        """The end of the last clause's speech."""

    async def speak(self, clause: Clause) -> AsyncGenerator[Said, None]:
        """Yield the speech of a clause, its whole text spread over it.

        Raises:
            EngineError: the synthesiser failed.
        """
        if not clause.spoken:
            yield self._said(clause.text)
            return
        self._pause(clause.pause_ms)
        tail = self._tail = _Tail(self._tts.rate_hz)
        words = _Words(clause, start_ms=self._made_ms, characters=self._characters)
        speech = self._tts.speak(clause.spoken, self._prompt.voice, self._prompt.speed, self._prompt.language)
        async with aclosing(speech) as pieces:
            async for piece in pieces:
                tail.add(piece.pcm)
                words.hear((character, at_ms, tail.quiet_ms(at_ms)) for character, at_ms in piece.words)
                self._pcm += self._resampler.push(piece.pcm)
                while len(self._pcm) >= self._piece_bytes:
                    yield self._piece(words, self._piece_bytes)
        self._pcm += self._resampler.flush()
        words.finish(self._made_ms - tail.quiet_ms())
        yield self._piece(words, len(self._pcm))

    @property
    def _made_ms(self) -> int:
        return round((self._given_samples + len(self._pcm) // 2) * 1000 / self._format.rate)

    @property
    def _piece_bytes(self) -> int:
        length_ms = _PIECES_MS[self._pieces] if self._pieces < len(_PIECES_MS) else _PIECE_MS
        return length_ms * self._format.rate // 1000 * 2

    def _pause(self, pause_ms: int) -> None:
        """Make silence before a clause, less what the synthesiser left at the end of the one before."""
        missing_ms = pause_ms / self._prompt.speed - min(self._tail.quiet_ms(), _TAIL_MS)
        if self._tail and missing_ms > 0:
            self._pcm += bytes(round(missing_ms * self._format.rate / 1000) * 2)

    def _piece(self, words: _Words, n_bytes: int) -> Said:
        pcm, self._pcm = self._pcm[:n_bytes], self._pcm[n_bytes:]
        self._given_samples += len(pcm) // 2
        self._pieces += bool(pcm)
        text, marks = words.begun_by(self._given_samples * 1000 / self._format.rate)
        match self._format.type:
            case "audio/pcmu":
                audio = pcm_to_ulaw(pcm)
            case "audio/pcma":
                audio = pcm_to_alaw(pcm)
            case _:
                audio = pcm
        return self._said(text, audio, marks)

    def _said(self, text: str, audio: bytes = b"", marks: tuple[WordMark, ...] = ()) -> Said:
        self._characters += len(text)
        return Said(self._prompt.response_id, text, audio, marks)


class _Words:
    """Which words of a clause have begun and ended at a given time."""

    def __init__(self, clause: Clause, start_ms: int, characters: int) -> None:
        self._clause = clause
        self._start_ms = start_ms
        self._before = characters
        self._spans = [match.span() for match in _WORD.finditer(clause.text)]
        self._begins = [begin for begin, _ in self._spans]
        self._starts: list[tuple[int, float, float]] = [(0, start_ms, start_ms)]
        """(index of a word, when it begins, when the word before it ended) of the words whose time is known."""
        self._text_given = 0
        self._ended = 0
        """How many of the known starts have had the mark of the word before them given."""
        self._end_ms: int | None = None
        self._named = False

    def hear(self, words: Iterable[tuple[int, int, int]]) -> None:
        """Take note of words that the synthesiser places in the speech of this clause.

        They are told as (first character, when it begins, how long it was quiet before that).
        """
        for character, at_ms, quiet_ms in words:
            self._named = True
            offsets = self._clause.offsets
            written = offsets[min(max(character, 0), len(offsets) - 1)]
            word = max(0, bisect_right(self._begins, written) - 1)
            last, last_ms, _ = self._starts[-1]
            if word > last:
                begin_ms = max(last_ms, self._start_ms + at_ms)
                self._starts.append((word, begin_ms, max(last_ms, begin_ms - quiet_ms)))

    def finish(self, end_ms: int) -> None:
        """Take note that the speech of the clause is complete, and when its last word ended."""
        self._end_ms = end_ms

    def begun_by(self, now_ms: float) -> tuple[str, tuple[WordMark, ...]]:
        """Return the text that begins before `now_ms` and the marks of words that have ended by then.

        Nothing is returned twice; of a finished clause everything that is left.
        """
        marks: list[WordMark] = []
        text_end = self._text_given
        for index in range(self._ended, len(self._starts)):
            word, at_ms, ended_ms = self._starts[index]
            if at_ms > now_ms and self._end_ms is None:
                break
            if index:
                marks += self._ends(index - 1, word, ended_ms)
            following = word + 1
            text_end = self._begins[following] if following < len(self._begins) else len(self._clause.text)
            self._ended = index + 1
        is_silent = not self._named and now_ms - self._start_ms > _SILENT_AFTER_MS
        if is_silent or self._end_ms is not None:
            text_end = len(self._clause.text)
        if self._end_ms is not None:
            marks += self._ends(len(self._starts) - 1, len(self._spans), self._end_ms)
        text, self._text_given = self._clause.text[self._text_given : text_end], max(text_end, self._text_given)
        return text, tuple(marks)

    def _ends(self, index: int, end: int, ended_ms: float) -> list[WordMark]:
        """Return the ends of the words from the `index`th known start to the word before `end`, which is at `ended_ms`.

        Synthesisers name some groups of short words as one.  Their time is shared by their letters: a few hundredths
        of a second off at most, where the group as a whole would be off by its words.
        """
        first, begin_ms, _ = self._starts[index]
        ended_ms = max(begin_ms, ended_ms)
        marks = []
        if self._named and end - first <= _MOST_MERGED:
            letters = [sum(map(str.isalnum, self._clause.text[a:b])) for a, b in self._spans[first:end]]
            all_letters = sum(letters) or 1
            for offset in range(end - first - 1):
                at_ms = begin_ms + (ended_ms - begin_ms) * sum(letters[: offset + 1]) / all_letters
                marks.append(WordMark(round(at_ms), self._before + self._spans[first + offset][1]))
        return [*marks, WordMark(round(ended_ms), self._before + self._spans[end - 1][1])]


class _Tail:
    """The end of a clause's speech as far as it was made."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._pcm = b""
        self._ended_samples = 0

    def __bool__(self) -> bool:
        return bool(self._pcm)

    def add(self, pcm: bytes) -> None:
        """Take in more speech."""
        self._ended_samples += len(pcm) // 2
        # Words are named with the piece that they begin in, at the latest.
        self._pcm = self._pcm[-_RECENT_MS * self._rate_hz // 1000 * 2 :] + pcm

    def quiet_ms(self, until_ms: int | None = None) -> int:
        """Return for how many whole milliseconds it has been quiet until then; None for the end."""
        samples = memoryview(self._pcm).cast("h")
        end = len(samples)
        if until_ms is not None:
            end -= min(end, max(0, self._ended_samples - until_ms * self._rate_hz // 1000))
        step = self._rate_hz // 1000
        quiet = 0
        for edge in range(end, step - 1, -step):
            window = samples[edge - step : edge].tolist()
            if max(window) > _QUIET or min(window) < -_QUIET:
                break
            quiet += 1
        return quiet
