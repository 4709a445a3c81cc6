"""The embedded voice: espeak-ng in child processes, as a `Tts`.

The library speaks in `espeak_child`, a program of its own, which `espeak_crew` runs; here are the voices and the
cutting of text into pieces.  Called by the cascade.

A text is spoken piece by piece, a piece being whole clauses of about a dozen seconds.  Children take pieces, not
texts, so that a chapter cannot keep a short answer waiting, and the next piece is ordered when the last one has been
consumed, so that an utterance holds no more audio than one piece however slowly it is consumed.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from types import MappingProxyType

import msgspec

from ..core.errors import EngineError
from .api import Speech
from .espeak_child import PAUSE_AFTER, RATE_HZ, SETTING, TRIM_BEFORE
from .espeak_crew import Crew, Job


class EspeakVoice(msgspec.Struct, frozen=True):
    """The settings of espeak-ng that make one voice."""

    name: str
    """espeak-ng's name of language and variant."""
    pitch: int
    """0 to 99."""
    words_per_minute: int
    """At speed 1."""
    volume: int
    """Percent; chosen so that speech is at -22 dBFS, or as near as peaks below full scale allow."""


VOICES: Mapping[str, EspeakVoice] = MappingProxyType(
    {
        "alloy": EspeakVoice("en-us+klatt4", 65, 160, 57),
        "ash": EspeakVoice("en-us+klatt4", 40, 170, 64),
        "ballad": EspeakVoice("en-us+klatt", 65, 150, 145),
        "coral": EspeakVoice("en-us+f5", 60, 150, 77),
        "echo": EspeakVoice("en-us+klatt5", 50, 150, 55),
        "sage": EspeakVoice("en-us+f2", 40, 150, 69),
        "shimmer": EspeakVoice("en-us+f2", 60, 160, 63),
        "verse": EspeakVoice("en-us+klatt4", 80, 150, 54),
        "marin": EspeakVoice("en-us+f5", 50, 170, 81),
        "cedar": EspeakVoice("en-us+klatt4", 40, 150, 63),
    }
)
"""The protocol's voices: ten settings of four timbres, those that are understood best."""

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "de": "de",
        "en": "en-us",
        "es": "es",
        "fr": "fr",
        "hi": "hi",
        "id": "id",
        "it": "it",
        "ja": "ja",
        "ko": "ko",
        "pt": "pt",
        "ru": "ru",
        "vi": "vi",
        "zh": "cmn",
    }
)
"""What espeak-ng calls the languages that are spoken with the timbres of these voices."""
SCRIPTS: Mapping[str, str] = MappingProxyType({"ja": "in hiragana and katakana alone, without any kanji"})
"""espeak-ng has no readings of kanji: of each it says that it is a Chinese letter."""

_SLOWEST, _FASTEST = 80, 450
"""The words a minute that espeak-ng can do."""
_PATIENCE = 10.0
"""Seconds; a child needs some 20 ms for a piece."""


def voice_named(name: str, voices: Mapping[str, EspeakVoice]) -> EspeakVoice:
    """Return the voice called `name`, or else always the same one for the same unknown name."""
    known = voices.get(name.lower())
    if known is not None:
        return known
    names = sorted(voices)
    return voices[names[zlib.crc32(name.encode("utf-8", "surrogatepass")) % len(names)]]


def in_language(voice: EspeakVoice, language: str) -> EspeakVoice:
    """Return the voice as it is in a language, by its ISO 639-1 code; empty for the voice's own.

    Raises:
        EngineError: there are no voices of the language.
    """
    if not language:
        return voice
    if language not in LANGUAGES:
        raise EngineError(f"The synthesiser does not speak the language '{language}'.", "unsupported_language")
    _, plus, variant = voice.name.partition("+")
    return msgspec.structs.replace(voice, name=LANGUAGES[language] + plus + variant)


class Piece(msgspec.Struct, frozen=True):
    """A part of a text that is spoken in one go."""

    start: int
    """Its first character in the text."""
    text: str
    """As long as in the original, with a space for whatever espeak-ng must not see."""
    ends_clause: bool
    """A pause follows."""


_UNSPEAKABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Controls, some of which are commands to espeak-ng, and halves of characters, which have no UTF-8."""
_LONGEST = 240
"""Characters in a piece at most, and fewer if they take longer to say than letters do."""
_CUTS = (
    re.compile(r"\n\s*\n\s*"),
    # Not behind the commonest abbreviations, nor behind single letters, as in "e.g." or "J. Smith".
    re.compile(
        r"(?<!\b\w)(?<!\b[DMS]r)(?<!\bMs)(?<!\bSt)(?<!\bNo)(?<!\bvs)(?<!\bMrs)(?<!\bProf)"
        r"[.!?\u2026]+[\"')\]\u201d\u2019]*\s+|[\u3002\uff01\uff1f]"
    ),
    re.compile(r"[,;:\u2014][\"')\]\u201d\u2019]*\s+|[\u3001\uff0c]"),
)
"""Where a text may be cut with a pause, best places first."""
_BLANK = re.compile(r"\s+")


def _weight(character: str, is_native: bool) -> int:
    """Return how long a character takes to say, in letters."""
    if character.isascii():
        return 1 if character.isalpha() or character.isspace() else 2
    if character.isalpha() and character < "\u0250":
        return 1
    if not is_native:
        return 6  # they are often spelt out by their names
    return 1 if character < "\u2e80" else 3  # one character of Chinese, Japanese and Korean is a syllable


def _reach(text: str, start: int, is_native: bool) -> int:
    """Return where a piece that begins at `start` must end at the latest."""
    room = _LONGEST
    for end in range(start, min(len(text), start + _LONGEST)):
        room -= _weight(text[end], is_native)
        if room < 0:
            return end
    return min(len(text), start + _LONGEST)


def pieces(text: str, is_native: bool = False) -> Iterator[Piece]:
    """Cut a text into pieces, at ends of paragraphs, sentences, clauses or words, in that order of preference.

    `is_native` says that it is in the voice's language, whatever its script, so that no letter has to be spelt out.
    """
    start = 0
    while start < len(text):
        end, pause = _reach(text, start, is_native), True
        if end < len(text):
            window = text[start:end]
            enough = len(window) // 3
            for kind in (*_CUTS, _BLANK):
                found = [cut.end() for cut in kind.finditer(window) if cut.end() > enough]
                if found:
                    end = start + found[-1]
                    break
            pause = bool(found) and kind is not _BLANK
        yield Piece(start, _UNSPEAKABLE.sub(" ", text[start:end]), pause)
        start = end


class EspeakTts:
    """The synthesiser of the default installation."""

    rate_hz: int = RATE_HZ
    """Samples a second."""
    scripts: Mapping[str, str] = SCRIPTS
    """How languages have to be written that it cannot read otherwise."""

    def __init__(
        self, processes: int | None = None, voices: Mapping[str, EspeakVoice] = VOICES, patience: float = _PATIENCE
    ) -> None:
        """Prepare; nothing starts before `ready` or the first text.

        `processes` is how many children there may be (None: one per processor, at most two), `patience` after how
        many seconds without an answer a child that owes one is replaced.
        """
        self._crew = Crew(processes or min(2, os.cpu_count() or 1), patience)
        self._voices = voices

    async def speak(self, text: str, voice: str, speed: float, language: str = "") -> AsyncGenerator[Speech, None]:
        """Yield the speech of `text` as it is made; closing the iterator stops the synthesis at once.

        Markup is spoken, not obeyed.  A text with nothing to say in it yields no audio.  A `voice` that is not known
        is replaced, always by the same one; in another `language` it keeps its timbre.

        Raises:
            EngineError: a child died or cannot be started, the next text gets another one; or there are no voices of
                the language.
        """
        setting = in_language(voice_named(voice, self._voices), language)
        rate = max(_SLOWEST, min(_FASTEST, round(setting.words_per_minute * speed)))
        spoken_samples = 0
        for piece in pieces(text, bool(language)):
            is_first = spoken_samples == 0
            job = Job(_order(piece, setting, rate, is_first), piece.start, spoken_samples)
            child = await self._crew.borrow(is_first)
            child.begin(job)
            try:
                await self._crew.grow()
                while (speech := await job.next()) is not None:
                    spoken_samples += len(speech.pcm) // 2
                    yield speech
            finally:
                child.drop(job)

    async def ready(self) -> None:
        """Return when a child is ready to speak.

        Raises:
            EngineError: it cannot be started.
        """
        self._crew.release(await self._crew.borrow(begins=True))

    async def close(self) -> None:
        """End the children; texts that are being spoken fail."""
        await self._crew.close()


def _order(piece: Piece, voice: EspeakVoice, rate: int, is_first: bool) -> bytes:
    """Return what a child is to be told about a piece."""
    options = (PAUSE_AFTER if piece.ends_clause else 0) | (TRIM_BEFORE if is_first else 0)
    name = voice.name.encode()
    return SETTING.pack(rate, voice.pitch, voice.volume, options, len(name)) + name + piece.text.encode()
