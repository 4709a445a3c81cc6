"""Speech recognition by pocketsphinx: the `Asr` and its `Decoder`s.

Every decoder mixes three language models at run time: the general one, the domain's and the session's own.  What it
hears depends on the audio and the vocabulary alone: the front end's estimates begin anew with each utterance, the
cepstral mean is taken from its own first second, and session words carry marked names.  One thread per decoder.
"""

from __future__ import annotations

import ctypes
import shutil
import weakref
from collections.abc import Container
from pathlib import Path
from threading import Lock

from ...core.effects import Vocabulary
from ...core.errors import EngineError
from ...core.reports import Word
from ..api import Decoder, Transcript
from .band import BandFiller
from .engine import Engine, Searches
from .grammar import MARK, Grammars
from .library import Library, library
from .prepare import Prepared, default_cache, prepared

RATE_HZ = 16_000
_BLOCK_SAMPLES = RATE_HZ // 10
"""Audio is decoded in blocks of 100 ms counted from the start, so that how it arrives changes nothing."""
_HELD_SAMPLES = RATE_HZ * 8 // 10
"""Audio that is gathered before decoding begins, to know the cepstral mean: it catches up ten times as fast."""
_SPLIT_AFTER = 20 * RATE_HZ
_SPLIT_AT_LAST = 30 * RATE_HZ
"""Where a long utterance is cut in two for the search, at a pause if there is one: its cost grows with length."""
_FRAME_MS = 10
_SILENCES = frozenset(
    {"<s>", "</s>", "<sil>", "[NOISE]", "[SPEECH]", "[COUGH]", "[SMACK]", "[UM]", "[UH]", "++NOISE++"}
)


class SphinxAsr:
    """The recogniser of a process; an `Asr`.

    `cache` is the folder for the prepared files (the user's cache folder by default, a temporary one where that cannot
    be written).  Sentences in `exclude` are left out of the domain's model, so that it can be measured honestly.
    """

    languages: tuple[str, ...] = ("en",)
    """What its acoustic model was trained on."""

    def __init__(self, cache: Path | None = None, exclude: Container[str] = ()) -> None:
        self._cache = cache if cache is not None else default_cache()
        self._exclude = exclude
        self._lock = Lock()
        self._shared: tuple[Prepared, Grammars] | None = None

    def open(self) -> Decoder:
        """Return a new decoder (0.1 s; the first time ever a second more, for the prepared files).

        Raises:
            EngineError: it cannot be loaded.
        """
        lib = library()
        files, grammars = self._prepared(lib)
        return SphinxDecoder(lib, files, grammars)

    def _prepared(self, lib: Library) -> tuple[Prepared, Grammars]:
        with self._lock:
            if self._shared is None:
                files, is_ours = prepared(lib, self._cache, self._exclude)
                if is_ours:
                    weakref.finalize(self, shutil.rmtree, files.folder, ignore_errors=True)
                self._shared = files, Grammars(files)
            return self._shared


class SphinxDecoder:
    """One recogniser at work; a `Decoder`.  About 90 MB, and 25 MB for each vocabulary it keeps ready."""

    def __init__(self, lib: Library, files: Prepared, grammars: Grammars) -> None:
        self._c = lib.c
        self._searches = Searches(lib, files, grammars)
        self._band = BandFiller()
        self._held = bytearray()
        self._is_open = self._is_begun = False
        self._segment_samples = self._past_samples = self._known_samples = 0
        self._past: list[Word] = []

    @property
    def _engine(self) -> Engine:
        return self._searches.engine

    def prepare(self, vocabulary: Vocabulary) -> None:
        """Make ready for a vocabulary: 0.12 s for an unknown one, nothing for one of the last few."""
        self._abandon()
        self._searches.prepare(vocabulary)

    def start(self, vocabulary: Vocabulary) -> None:
        """Begin an utterance; one that was not finished is forgotten."""
        self._abandon()
        self._searches.activate(vocabulary)
        self._held.clear()
        self._past.clear()
        self._segment_samples = self._past_samples = 0
        self._engine.mean.begin()
        self._is_open, self._is_begun = True, False

    def feed(self, pcm: bytes) -> None:
        """Hear more: s16le mono 16 kHz, any number of whole samples."""
        if self._is_begun:
            self._decode(self._band.push(pcm))
            return
        self._held += pcm
        if len(self._held) >= 2 * _HELD_SAMPLES:
            self._begin()

    def partial(self) -> str:
        """Return the text so far."""
        now = self._text() if self._is_begun else ""
        return " ".join((*(word.text for word in self._past), now)).strip()

    def finish(self) -> Transcript:
        """End the utterance and return what it was."""
        if not self._is_open:
            return Transcript("")
        if self._held:
            self._begin()
        if self._is_begun:
            self._decode(self._band.flush())
            self._end_segment()
        self._is_open = False
        words = tuple(self._past)
        confidence = sum(word.confidence for word in words) / len(words) if words else 0.0
        return Transcript(" ".join(word.text for word in words), words, confidence)

    def close(self) -> None:
        """Free everything."""
        self._abandon()
        self._engine.close()

    def _begin(self) -> None:
        """Start the search: the first audio is there, and its mean can be told."""
        held = bytes(self._held)
        self._held.clear()
        first = held[: 2 * _HELD_SAMPLES]
        self._band.begin(first)
        first = self._band.push(first)
        self._engine.mean.hear(first)
        self._known_samples = len(first) // 2
        self._c.ps_start_stream(self._engine.handle)
        self._start_segment()
        self._is_begun = True
        self._decode(first)
        self._decode(self._band.push(held[2 * _HELD_SAMPLES :]))

    def _start_segment(self) -> None:
        if self._c.ps_start_utt(self._engine.handle) < 0:
            raise EngineError("the recogniser does not begin")

    def _decode(self, pcm: bytes) -> None:
        """Search on, block by block."""
        view = memoryview(pcm)
        while view:
            into_block = self._segment_samples % _BLOCK_SAMPLES
            if not into_block:
                self._begin_block()
            piece = view[: 2 * (_BLOCK_SAMPLES - into_block)]
            view = view[len(piece) :]
            if self._past_samples + self._segment_samples >= self._known_samples:
                self._engine.mean.hear(bytes(piece))
            samples = len(piece) // 2
            buffer = (ctypes.c_int16 * samples).from_buffer_copy(piece)
            if self._c.ps_process_raw(self._engine.handle, buffer, samples, 0, 0) < 0:
                raise EngineError("the recogniser failed on this audio")
            self._segment_samples += samples

    def _begin_block(self) -> None:
        """Cut the utterance in two where it has grown too long, and tell the mean so far."""
        length = self._segment_samples
        if length >= _SPLIT_AT_LAST or (length >= _SPLIT_AFTER and self._engine.mean.is_pause):
            self._end_segment()
            self._start_segment()
        self._c.ps_set_cmn(self._engine.handle, self._engine.mean.estimate)

    def _end_segment(self) -> None:
        if self._c.ps_end_utt(self._engine.handle) < 0:
            raise EngineError("the recogniser does not end")
        self._past += self._words()
        self._past_samples += self._segment_samples
        self._segment_samples = 0

    def _abandon(self) -> None:
        if self._is_open and self._is_begun:
            self._c.ps_end_utt(self._engine.handle)
        self._is_open = self._is_begun = False
        self._held.clear()

    def _text(self) -> str:
        hypothesis = self._c.ps_get_hyp(self._engine.handle, ctypes.byref(ctypes.c_int32()))
        return hypothesis.decode().replace(MARK, "") if hypothesis else ""

    def _words(self) -> list[Word]:
        """Return the words of the segment that just ended."""
        c, offset = self._c, self._past_samples * 1000 // RATE_HZ
        first, last, unused = ctypes.c_int(), ctypes.c_int(), ctypes.byref(ctypes.c_int32())
        words = []
        segment = c.ps_seg_iter(self._engine.handle)
        while segment:
            name = c.ps_seg_word(segment).decode()
            c.ps_seg_frames(segment, ctypes.byref(first), ctypes.byref(last))
            posterior = c.logmath_exp(self._engine.logmath, c.ps_seg_prob(segment, unused, unused, unused))
            if name not in _SILENCES:
                start, end = first.value * _FRAME_MS, (last.value + 1) * _FRAME_MS
                words.append(Word(_plain(name), offset + start, offset + end, min(1.0, max(0.0, posterior))))
            segment = c.ps_seg_next(segment)
        return words


def _plain(name: str) -> str:
    """Return a dictionary name as a word: without the number of its pronunciation and without the mark."""
    return name.partition("(")[0].replace(MARK, "")
