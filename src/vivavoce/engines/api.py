"""What an engine must offer.  Nothing here names a library.

`Vad` and `Asr` engines are blocking and are driven by the ears on worker threads; `Tts` and `Llm` engines are
asynchronous.  A `Brain` turns a prompt into reports; `engines.cascade` is one, made of an `Llm` and a `Tts`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol

import msgspec

from ..core.effects import Prompt, Vocabulary
from ..core.formats import AudioFormat
from ..core.reports import BrainReport, Report, Spent, ToolFailed, ToolReturned, ToolsListed, ToolsUnavailable, Word
from ..core.service import Abilities
from ..core.settings import McpServer


class VadStream(Protocol):
    """Voice activity detection of one stream of audio; used by one thread at a time."""

    def probability(self, frame: bytes) -> float:
        """Return how likely `frame` is speech, 0 to 1: 512 samples, s16le mono 16 kHz, following the last frame."""
        ...


class Vad(Protocol):
    """A voice activity detector."""

    def open(self) -> VadStream:
        """Return a stream that has heard nothing yet."""
        ...


class Transcript(msgspec.Struct, frozen=True):
    """What was recognised in one utterance."""

    text: str
    words: tuple[Word, ...] = ()
    confidence: float = 0.0
    """Mean of the words' confidences; 0 without words."""


class Decoder(Protocol):
    """One recogniser at work; used by one thread at a time, for one utterance after another.

    What an utterance is recognised as depends on its audio and its vocabulary alone, never on earlier ones.
    """

    def prepare(self, vocabulary: Vocabulary) -> None:
        """Make ready for a vocabulary (slow, may be skipped: `start` does it if it was not done)."""
        ...

    def start(self, vocabulary: Vocabulary) -> None:
        """Begin an utterance."""
        ...

    def feed(self, pcm: bytes) -> None:
        """Hear more: s16le mono 16 kHz, any number of whole samples."""
        ...

    def partial(self) -> str:
        """Return the text so far."""
        ...

    def finish(self) -> Transcript:
        """End the utterance and return what it was."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


class Asr(Protocol):
    """A speech recogniser."""

    languages: tuple[str, ...]
    """ISO 639-1 codes of the languages that it understands; empty where there is no telling."""

    def open(self) -> Decoder:
        """Return a new decoder (slow: loads its models).

        Raises:
            EngineError: it cannot be loaded.
        """
        ...


class Ears(Protocol):
    """The hearing of one session: resampling, voice activity and recognition of its audio.

    All methods return at once; the work is done elsewhere, in order, and its results are passed as reports
    (`Heard`, `Overheard`, `Transcribed`, `TranscriptionFailed`) to the callable given when the ears were opened,
    always on the event loop's thread.  The arguments are those of the effects of the same names.
    """

    def expect(self, vocabulary: Vocabulary) -> None:
        """Prepare for a vocabulary."""
        ...

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002
        """Hear more audio."""
        ...

    def expect_echo(self, audio: bytes, format: AudioFormat, at: int) -> None:  # noqa: A002
        """Judge what is heard from here on by what is played, too."""
        ...

    def denoise(self, mode: str | None, strength: float) -> None:
        """From here on, clean the audio that is recognised."""
        ...

    def transcribe(
        self,
        item_id: str,
        start: int,
        vocabulary: Vocabulary,
        delay: str = "",
        is_speech: bool = True,
        asks_turn: bool = False,
    ) -> None:
        """Begin an utterance."""
        ...

    def conclude(self, item_id: str, end: int) -> None:
        """End an utterance."""
        ...

    def discard(self, item_id: str) -> None:
        """Forget an utterance."""
        ...

    def recognise(self, item_id: str, audio: bytes, format: AudioFormat, vocabulary: Vocabulary) -> None:  # noqa: A002
        """Recognise audio that came whole."""
        ...

    def close(self) -> None:
        """Stop; no report follows."""
        ...


class Hearing(Protocol):
    """The hearing of a whole process: it opens ears, which share its threads and decoders."""

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes of the languages that are understood; empty where there is no telling."""
        ...

    def open(self, report: Callable[[Report], None]) -> Ears:
        """Return the ears of a new session, whose reports go to the callable."""
        ...

    async def ready(self) -> None:
        """Return when the models are loaded.

        Raises:
            EngineError: they cannot be.
        """
        ...

    async def close(self) -> None:
        """Free everything."""
        ...


class Speech(msgspec.Struct, frozen=True):
    """A piece of synthesised speech."""

    pcm: bytes
    """s16le mono at the synthesiser's `rate_hz`; may be empty."""
    words: tuple[tuple[int, int], ...] = ()
    """Words that begin in this piece or before: (first character in the text, milliseconds from the start of the
    whole utterance)."""


class Tts(Protocol):
    """A speech synthesiser."""

    rate_hz: int
    """Samples a second of the speech it makes."""

    scripts: Mapping[str, str]
    """By ISO 639-1 code, how a text in a language has to be written for this synthesiser to read it, as half a sentence
    for a language model; languages that it reads as they are always written are not there."""

    def speak(self, text: str, voice: str, speed: float, language: str = "") -> AsyncGenerator[Speech, None]:
        """Yield the speech of `text` as it is made; closing the iterator stops the synthesis at once.

        Args:
            text: what is said.
            voice: who says it.
            speed: factor of the speaking rate.
            language: ISO 639-1 code of the text's language; empty for the voice's own.

        Raises:
            EngineError: it cannot be spoken.
        """
        ...

    async def ready(self) -> None:
        """Return when it can be used.

        Raises:
            EngineError: it cannot.
        """
        ...

    async def close(self) -> None:
        """Free everything."""
        ...


class Wrote(msgspec.Struct, frozen=True):
    """More text of the answer."""

    text: str


class CallBegan(msgspec.Struct, frozen=True):
    """A call of a function begins; calls do not overlap."""

    name: str
    call_id: str = ""


class CallArgued(msgspec.Struct, frozen=True):
    """More of the arguments of the call that began last."""

    delta: str


class Stopped(msgspec.Struct, frozen=True):
    """The answer is complete; always last."""

    reason: str = "stop"
    """`stop`, `max_output_tokens` or `content_filter`."""
    spent: Spent | None = None


Thought = Wrote | CallBegan | CallArgued | Stopped


class Llm(Protocol):
    """A language model, or something that answers like one."""

    @property
    def abilities(self) -> Abilities:
        """What it can do, as far as is known by now."""
        ...

    def answer(self, prompt: Prompt) -> AsyncGenerator[Thought, None]:
        """Yield the answer as it is made; closing the iterator stops the work.

        Raises:
            EngineError: no answer, with a cause that the user may be shown.
        """
        ...

    async def ready(self) -> None:
        """Return when it can be used.

        Raises:
            EngineError: it cannot.
        """
        ...

    async def close(self) -> None:
        """Free everything."""
        ...


class Brain(Protocol):
    """Whatever answers: a prompt in, reports out."""

    @property
    def abilities(self) -> Abilities:
        """What it can do, as far as is known by now."""
        ...

    def answer(self, prompt: Prompt) -> AsyncGenerator[BrainReport, None]:
        """Yield reports that carry the prompt's response id, the last one `Answered`.

        Closing the iterator stops the work at once.

        Raises:
            EngineError: the answer failed.
        """
        ...

    async def ready(self) -> None:
        """Return when it can be used.

        Raises:
            EngineError: it cannot.
        """
        ...

    async def close(self) -> None:
        """Free everything."""
        ...


class Toolbox(Protocol):
    """Remote MCP servers, as one session reaches them.

    The first two methods return the report that answers the effect of the same name, and never raise for what a
    server does.
    """

    async def list_tools(self, item_id: str, server: McpServer) -> ToolsListed | ToolsUnavailable:
        """Ask a server for its tools."""
        ...

    async def call_tool(self, item_id: str, server: McpServer, name: str, arguments: str) -> ToolReturned | ToolFailed:
        """Call a tool; being cancelled tells the server so."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class AudioTurnModel(Protocol):
    """Judges whether a pause sounds like the end of a turn; used by one thread at a time."""

    def turn_over(self, pcm: bytes) -> float:
        """Return how likely the turn is over, 0 to 1: s16le mono 16 kHz, which ends in the pause."""
        ...


class TurnModel(Protocol):
    """Judges whether words sound like a finished turn."""

    def turn_over(self, text: str) -> float:
        """Return how likely the turn is over, 0 to 1."""
        ...
