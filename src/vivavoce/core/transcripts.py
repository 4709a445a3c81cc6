"""Transcripts: the words of a session's utterances, from the first that are certain to the usage at the end.

It keeps what is awaited, puts the words into the conversation, and tells the client what it asked to be told, as the
transcription model that it named would.  When an utterance begins and ends is `core.listening`'s business.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from . import events as ev
from .conversation import Conversation
from .effects import Discard, Effect, Recognise, Send, Vocabulary
from .errors import ProtocolError
from .formats import TICKS_PER_MS, TICKS_PER_SECOND
from .items import InputAudio, Message
from .reports import Overheard, Transcribed, TranscriptionFailed, Word
from .response import NewId
from .segments import segments
from .settings import Settings, Transcription
from .states import LogProb, TranscriptionTokens
from .usage import USER_AUDIO_MS, text_tokens

LIVE_MODELS = ("vivavoce", "gpt-live-transcribe", "gpt-realtime-whisper")
"""Transcription models whose deltas come while the user speaks; those of others come after the commit, as clients
written for them expect."""
SECOND_MODELS = ("gpt-live-transcribe", "gpt-realtime-whisper")
"""Models whose usage is told in whole seconds, rounded up."""
TOKEN_MODELS = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""Models whose usage is told in tokens; that of all others is a duration."""
DIARISING = "diarize"
"""What the names of models that tell speakers apart have in them."""
SPEAKER = "A"
"""The one speaker that is known here: nothing tells voices apart."""
LOGPROBS = "item.input_audio_transcription.logprobs"
"""What a client includes to be told how certain the words are."""
LEAST_CONFIDENCE = 1e-10
"""Stands for no confidence at all, whose logarithm no number is."""


class _Awaited(msgspec.Struct):
    """An utterance whose words are awaited."""

    item_id: str
    content_index: int
    ticks: int = 0
    """Length of its audio."""
    is_told: bool = False
    """Whether the client wants the transcript."""
    sent: str = ""
    """Text that went out in deltas."""


class Transcripts:
    """The words of one session."""

    def __init__(
        self, settings: Settings, conversation: Conversation, new_id: NewId, languages: tuple[str, ...] = ()
    ) -> None:
        """Begin with nothing awaited.

        Args:
            settings: those of the session.
            conversation: where words go.
            new_id: makes ids.
            languages: codes of the languages that are understood; empty where there is no telling.
        """
        self._settings = settings
        self._conversation = conversation
        self._new_id = new_id
        self._languages = languages
        self._awaited: dict[str, _Awaited] = {}

    @property
    def awaited(self) -> tuple[str, ...]:
        """The ids of all utterances whose words are awaited; that of an item of one utterance is the item's."""
        return tuple(self._awaited)

    def is_awaited(self, item_id: str) -> bool:
        """Return whether words of an item of the conversation are still awaited."""
        return item_id in self._conversation and any(found.item_id == item_id for found in self._awaited.values())

    # -------------------------------------------------------------------------------------------------- utterances

    def configure(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings

    def begin(self, item_id: str) -> None:
        """Await the words of an utterance that begins and will be an item."""
        self._awaited[item_id] = _Awaited(item_id, 0)

    def commit(self, item_id: str, ticks: int) -> None:
        """Know how long an utterance was that has ended, and whether its words are to be told."""
        found = self._awaited[item_id]
        found.ticks = ticks
        found.is_told = self._settings.transcription is not None

    def recognise(self, item: Message, vocabulary: Vocabulary) -> list[Effect]:
        """Have all audio of an item that a client created understood, where it came without words."""
        out: list[Effect] = []
        for index, part in enumerate(item.content):
            if isinstance(part, InputAudio) and part.audio and part.transcript is None:
                utterance = self._new_id("item") if out else item.id
                self._awaited[utterance] = _Awaited(item.id, index, part.format.ticks(len(part.audio)))
                out.append(Recognise(utterance, part.audio, part.format, vocabulary))
        return out

    def forget(self, item_id: str) -> list[Effect]:
        """Take no more interest in the words of an item."""
        gone = [utterance for utterance, found in self._awaited.items() if found.item_id == item_id]
        for utterance in gone:
            del self._awaited[utterance]
        return [Discard(utterance) for utterance in gone]

    def forget_all(self) -> list[Effect]:
        """Take no more interest in anything."""
        gone = tuple(self._awaited)
        self._awaited.clear()
        return [Discard(utterance) for utterance in gone]

    # ------------------------------------------------------------------------------------------------------- words

    def receive_words(self, words: Overheard) -> list[Effect]:
        """Take in the text so far of an utterance that is being spoken."""
        found = self._awaited.get(words.item_id)
        transcription = self._settings.transcription
        if found is None or transcription is None or not transcription.model.startswith(LIVE_MODELS):
            return []
        delta = unsaid(found.sent, words.stable)
        if not delta:
            return []
        found.sent += delta
        return [Send(ev.TranscriptionDelta(self._event(), found.item_id, found.content_index, delta))]

    def receive_text(self, report: Transcribed | TranscriptionFailed) -> list[Effect]:
        """Take in the words of an utterance that is over, or why there are none."""
        found = self._awaited.pop(report.item_id, None)
        item = None if found is None else self._conversation.find(found.item_id)
        if found is None or not isinstance(item, Message):
            return []
        if isinstance(report, TranscriptionFailed):
            self._understood(item, found, "", None)
            failed = ev.TranscriptionFailedEvent(
                self._event(), item.id, found.content_index, report.code, report.message
            )
            return [Send(failed)] if found.is_told else []
        self._understood(item, found, report.text, report.text)
        return self._tell(report, found) if found.is_told else []

    def _understood(self, item: Message, found: _Awaited, heard: str, told: str | None) -> None:
        content = list(item.content)
        part = content[found.content_index]
        assert isinstance(part, InputAudio)
        transcript = told if found.is_told else part.transcript
        content[found.content_index] = msgspec.structs.replace(part, heard=heard, transcript=transcript)
        self._conversation.replace(msgspec.structs.replace(item, content=tuple(content)))

    def _tell(self, report: Transcribed, found: _Awaited) -> list[Effect]:
        """Return the deltas that are still missing, the segments where they are wanted, and the transcript."""
        transcription = self._settings.transcription or Transcription()
        wants_logprobs = LOGPROBS in (self._settings.include or ())
        where = (found.item_id, found.content_index)
        out: list[Effect] = []
        if delta := unsaid(found.sent, report.text):
            left = logprobs(report.words, len(found.sent.split())) if wants_logprobs else None
            out.append(Send(ev.TranscriptionDelta(self._event(), *where, delta, left)))
        if DIARISING in transcription.model:
            out += [Send(event) for event in self._segments(report, found)]
        seconds = found.ticks / TICKS_PER_SECOND
        completed = ev.TranscriptionCompleted(
            self._event(),
            *where,
            report.text,
            seconds=math.ceil(seconds) if transcription.model.startswith(SECOND_MODELS) else seconds,
            logprobs=logprobs(report.words) if wants_logprobs else None,
            tokens=_tokens(transcription, report.text, found.ticks),
            languages=_understood_of(transcription.languages, self._languages),
        )
        return [*out, Send(completed)]

    def _segments(self, report: Transcribed, found: _Awaited) -> list[ev.TranscriptionSegment]:
        return [
            ev.TranscriptionSegment(
                self._event(),
                found.item_id,
                found.content_index,
                self._new_id("seg"),
                segment.text,
                SPEAKER,
                segment.start_ms / 1000,
                segment.end_ms / 1000,
            )
            for segment in segments(report.words)
        ]

    def _event(self) -> str:
        return self._new_id("event")


def unsaid(told: str, text: str) -> str:
    """Return what of a text is left to tell of somebody who was told the beginning, perhaps otherwise.

    Deltas cannot be taken back.  Where a recogniser changed its mind, as many words as were told are taken for told: a
    caption then goes on, with a wrong word in it, until the whole transcript sets it right.
    """
    if text.startswith(told):
        return text[len(told) :]
    left = text.split()[len(told.split()) :]
    return " " + " ".join(left) if left else ""


def logprobs(words: Iterable[Word], start: int = 0) -> tuple[LogProb, ...]:
    """Return the words from one on as tokens of the transcript, as certain as the recogniser was of them."""
    return tuple(
        LogProb(("" if index == 0 else " ") + word.text, math.log(max(word.confidence, LEAST_CONFIDENCE)))
        for index, word in enumerate(words)
        if index >= start
    )


def _tokens(transcription: Transcription, text: str, ticks: int) -> TranscriptionTokens | None:
    """Return what a model that counts tokens would have counted; None for the others."""
    if not transcription.model.startswith(TOKEN_MODELS):
        return None
    audio = -(-ticks // (USER_AUDIO_MS * TICKS_PER_MS))
    return TranscriptionTokens(audio, text_tokens(transcription.prompt or ""), text_tokens(text))


# ------------------------------------------------------------------------------------------------------- languages


def check_languages(transcription: Transcription | None, known: tuple[str, ...]) -> None:
    """Raise `ProtocolError` when the user is said to speak what is not understood.

    Args:
        transcription: what the client asks for.
        known: codes of the languages that are understood; empty where there is no telling.
    """
    if transcription is None or not known:
        return
    path = "session.audio.input.transcription.language"
    if transcription.language and _primary(transcription.language) not in known:
        raise _not_understood(transcription.language, known, path)
    if transcription.languages and not any(_primary(code) in known for code in transcription.languages):
        raise _not_understood(transcription.languages[0], known, f"{path}s[0]")


def _not_understood(code: str, known: tuple[str, ...], path: str) -> ProtocolError:
    listed = ", ".join(f"'{language}'" for language in known)
    return ProtocolError(
        "invalid_value",
        f"Invalid value: '{code[:100]}'. This server's recogniser does not understand that language; supported values "
        f"are: {listed}.",
        path,
    )


def _understood_of(asked: tuple[str, ...] | None, known: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return those of the languages that a client expects in which it can have been understood; None for no telling."""
    if asked is None or not known:
        return None
    return tuple(code for code in asked if _primary(code) in known)


def _primary(code: str) -> str:
    """Return the language of a code that may name a region too."""
    return code.replace("_", "-").split("-")[0].lower()
