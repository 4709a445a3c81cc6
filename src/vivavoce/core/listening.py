"""The input side of a session: the buffer, the turns, and the utterances that come of them.

An utterance gets its item id when it begins: at `speech_started` where turns are detected, at the first audio after a
commit where they are not.  It is recognised while it is spoken, and becomes an item when it is committed.
"""

from __future__ import annotations

from . import events as ev
from .buffer import InputBuffer
from .conversation import Conversation
from .effects import Conclude, Denoise, Effect, Expect, Listen, Send, Transcribe, Vocabulary
from .errors import ProtocolError
from .formats import TICKS_PER_MS
from .items import InputAudio, Message
from .reports import Heard, Overheard, Transcribed, TranscriptionFailed
from .response import NewId
from .settings import SemanticVad, Settings
from .transcripts import Transcripts
from .turns import ONSET_FRAMES, Started, Stopped, Turns
from .vocabulary import vocabulary_of

COMMIT_MIN_MS = 100
"""The least audio that a client may commit, by the protocol."""
ONSET_TICKS = (ONSET_FRAMES + 1) * 32 * TICKS_PER_MS
"""Audio that may have to be reached back for when a start is decided, besides the prefix padding."""


class Listening:
    """What one session hears."""

    def __init__(
        self,
        settings: Settings,
        conversation: Conversation,
        new_id: NewId,
        buffer_bytes: int,
        languages: tuple[str, ...] = (),
    ) -> None:
        self.buffer = InputBuffer(settings.input_format, buffer_bytes)
        self._settings = settings
        self.vocabulary = vocabulary_of(settings)
        """What is likely to be said."""
        self._conversation = conversation
        self._new_id = new_id
        self._turns = None if settings.turn_detection is None else Turns(settings.turn_detection)
        self._utterance: tuple[str, int] | None = None
        """Item id and first tick of the utterance under way."""
        self._transcripts = Transcripts(settings, conversation, new_id, languages)
        self._early: Transcribed | TranscriptionFailed | None = None
        """The result of the utterance under way, should it come before its commit."""
        self._is_held = False
        """Whether the client is not told of the utterance under way, which may be none."""
        self._held_end: int | None = None
        """Where the turn that is held ended; None while it goes on, or while there is none."""

    @property
    def is_hearing(self) -> bool:
        """Whether the user is speaking, as far as turns are detected."""
        return self._turns is not None and self._turns.is_speaking

    def is_pending(self, item_id: str) -> bool:
        """Return whether the words of an item of the conversation are still awaited."""
        return self._transcripts.is_awaited(item_id)

    def is_promised(self, item_id: str) -> bool:
        """Return whether an item of that id will come of the utterance under way."""
        return self._utterance is not None and self._utterance[0] == item_id

    # ----------------------------------------------------------------------------------------------- the client

    def start(self) -> list[Effect]:
        """Begin to hear."""
        # Ears take audio as it is unless they are told otherwise.
        return [] if self._settings.noise_reduction is None else [self._denoise()]

    def configure(self, settings: Settings) -> list[Effect]:
        """Go on with other settings."""
        before, self._settings = self._settings, settings
        self._transcripts.configure(settings)
        self.buffer.switch(settings.input_format)
        out: list[Effect] = [] if settings.noise_reduction == before.noise_reduction else [self._denoise()]
        detection, turns = settings.turn_detection, self._turns
        if detection is None:
            return out if turns is None else out + self._end_detection(turns)
        if turns is not None:
            turns.configure(detection)
            return out
        self._turns = Turns(detection)
        self._turns.reset(self.buffer.end)
        return out + self._drop_utterance()

    def _denoise(self) -> Effect:
        reduction = self._settings.noise_reduction
        return Denoise(None, 0.0) if reduction is None else Denoise(reduction.type, reduction.strength)

    def expect(self, vocabulary: Vocabulary) -> list[Effect]:
        """Go on with other words that are likely to be said."""
        if vocabulary == self.vocabulary:
            return []
        self.vocabulary = vocabulary
        return [Expect(vocabulary)]

    def append(self, audio: bytes) -> list[Effect]:
        """Hear more; the caller has checked that there is room."""
        buffer = self.buffer
        at = buffer.end
        audio = buffer.append(audio)
        if not audio:
            return []
        heard = Listen(audio, buffer.format, at, self._turns is not None)
        if self._turns is None and self._utterance is None:
            return [self._begin(self._new_id("item"), at, is_speech=False), heard]
        return [heard]

    def commit(self, now: float) -> list[Effect]:
        """Make the buffered audio an item.

        Raises:
            ProtocolError: there is too little.
        """
        self.check_commit()
        end = self.buffer.end
        out: list[Effect] = []
        if self._utterance is None:
            out.append(self._begin(self._new_id("item"), self.buffer.start, is_speech=False))
        elif self._turns is not None and self._turns.is_speaking:
            out.append(Send(ev.SpeechStopped(self._event(), end // TICKS_PER_MS, self._utterance[0])))
        if self._turns is not None:
            self._turns.reset(end)
        return out + self._end(end, now)

    def check_commit(self) -> None:
        """Raise `ProtocolError` when there is too little to be committed."""
        if self.buffer.pending_ms < COMMIT_MIN_MS:
            raise ProtocolError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{COMMIT_MIN_MS}ms of audio, but buffer only has {self.buffer.pending_ms:.2f}ms of audio.",
            )

    def clear(self) -> list[Effect]:
        """Forget the buffered audio and the turn under way."""
        out: list[Effect] = []
        if self._turns is not None:
            if self._turns.is_speaking and self._utterance is not None:
                stopped = self.buffer.end // TICKS_PER_MS
                out.append(Send(ev.SpeechStopped(self._event(), stopped, self._utterance[0])))
            self._turns.reset(self.buffer.end)
        self.buffer.clear()
        out += self._drop_utterance()
        out.append(Send(ev.BufferCleared(self._event())))
        return out

    def recognise(self, item: Message) -> list[Effect]:
        """Have the audio of an item that a client created understood, where it came without words."""
        return self._transcripts.recognise(item, self.vocabulary)

    def forget(self, item_id: str) -> list[Effect]:
        """Take no more interest in the words of an item that was deleted."""
        return self._transcripts.forget(item_id)

    def discard_all(self) -> list[Effect]:
        """Take no more interest in anything."""
        if self._early is not None:
            self._transcripts.forget(self._early.item_id)
        return self._transcripts.forget_all()

    # -------------------------------------------------------------------------------------------------- reports

    def receive_frame(self, heard: Heard, now: float, *, holds: bool = False) -> list[Effect]:
        """Take in a judged frame, which may begin or end a turn; with `holds`, one that begins is not told yet."""
        turns = self._turns
        if turns is None:
            return []
        match turns.receive_frame(heard):
            case Started() if self._is_held:
                self._held_end = None
                return []
            case Stopped(end) if self._is_held:
                self._held_end = end
                return []
            case Started(start) if holds:
                self._is_held = True
                return [self._begin(self._new_id("item"), max(start, self.buffer.start), is_speech=True)]
            case Started(start):
                start = max(start, self.buffer.start)
                item_id = self._new_id("item")
                begin = self._begin(item_id, start, is_speech=True)
                return [Send(ev.SpeechStarted(self._event(), start // TICKS_PER_MS, item_id)), begin]
            case Stopped(end) if self._utterance is not None:
                stopped = ev.SpeechStopped(self._event(), end // TICKS_PER_MS, self._utterance[0])
                return [Send(stopped), *self._end(end, now)]
        if not turns.is_speaking and not self._is_held:
            self.buffer.trim(heard.at - turns.prefix_ticks - ONSET_TICKS)
        return []

    def receive_words(self, words: Overheard) -> list[Effect]:
        """Take in the text so far of the utterance under way."""
        if self._utterance is None or words.item_id != self._utterance[0]:
            return []
        if self._turns is not None:
            self._turns.receive_words(words)
        if self._is_held:
            return []
        return self._transcripts.receive_words(words)

    def receive_text(self, report: Transcribed | TranscriptionFailed) -> list[Effect]:
        """Take in the words of an utterance."""
        if self._utterance is not None and report.item_id == self._utterance[0]:
            self._early = report
            return []
        return self._transcripts.receive_text(report)

    # ---------------------------------------------------------------------------------------- what is held back

    @property
    def is_held(self) -> bool:
        """Whether there is a turn under way that the client is not told of."""
        return self._is_held

    def is_held_as(self, item_id: str) -> bool:
        """Return whether that is the id of the turn held back."""
        return self._is_held and self.is_promised(item_id)

    def take_held(self, now: float, *, commits: bool = True) -> list[Effect]:
        """Tell of the turn that was held back: it is one; without `commits` it stays in the buffer, though it ended."""
        assert self._utterance is not None
        item_id, start = self._utterance
        end, self._held_end, self._is_held = self._held_end, None, False
        out: list[Effect] = [Send(ev.SpeechStarted(self._event(), start // TICKS_PER_MS, item_id))]
        if end is not None:
            out.append(Send(ev.SpeechStopped(self._event(), end // TICKS_PER_MS, item_id)))
            if commits:
                out += self._end(end, now)
        return out

    def drop_held(self, at: int) -> list[Effect]:
        """Forget the turn that was held back, and what was heard of it up to `at`: it is none."""
        self._held_end, self._is_held = None, False
        if self._turns is not None:
            self._turns.reset(at)
        return self._drop_utterance()

    def time_out(self, began_ms: int, now: float) -> list[Effect]:
        """Make the user's silence since then an item without audio."""
        item = Message(self._new_id("item"), "user", (InputAudio(b"", self.buffer.format, heard="", is_silence=True),))
        triggered = ev.TimeoutTriggered(self._event(), began_ms, self.buffer.end // TICKS_PER_MS, item.id)
        return [Send(triggered), *self._committed(item, now)]

    # ------------------------------------------------------------------------------------------------ internals

    def _event(self) -> str:
        return self._new_id("event")

    def _committed(self, item: Message, now: float) -> list[Effect]:
        """Put a turn into the conversation and tell the client, without the audio that it sent itself."""
        previous = self._conversation.insert(item, now)
        (part,) = item.content
        assert isinstance(part, InputAudio)
        shown = Message(item.id, "user", (InputAudio(b"", part.format),))
        return [
            Send(ev.BufferCommitted(self._event(), previous, item.id)),
            Send(ev.ItemAdded(self._event(), previous, shown)),
            Send(ev.ItemDone(self._event(), previous, shown)),
        ]

    def _begin(self, item_id: str, start: int, *, is_speech: bool) -> Transcribe:
        self._utterance = (item_id, start)
        self._transcripts.begin(item_id)
        transcription = self._settings.transcription
        delay = None if transcription is None else transcription.delay
        asks_turn = is_speech and isinstance(self._settings.turn_detection, SemanticVad)
        return Transcribe(item_id, start, self.vocabulary, delay or "", is_speech, asks_turn)

    def _end(self, end: int, now: float) -> list[Effect]:
        """Turn the utterance under way into an item."""
        assert self._utterance is not None
        (item_id, start), self._utterance = self._utterance, None
        audio, format_ = self.buffer.take(start, end)
        out = self._committed(Message(item_id, "user", (InputAudio(audio, format_),)), now)
        self._transcripts.commit(item_id, end - start)
        early, self._early = self._early, None
        if early is None:
            return [*out, Conclude(item_id, end)]
        return out + self.receive_text(early)

    def _end_detection(self, turns: Turns) -> list[Effect]:
        """Stop detecting turns; a turn under way stays in the buffer for the client to commit."""
        self._turns = None
        if turns.is_speaking and self._utterance is not None:
            return [Send(ev.SpeechStopped(self._event(), self.buffer.end // TICKS_PER_MS, self._utterance[0]))]
        self.buffer.clear()
        return []

    def _drop_utterance(self) -> list[Effect]:
        if self._utterance is None:
            return []
        item_id, _ = self._utterance
        self._utterance = None
        is_over, self._early = self._early is not None, None
        discard = self._transcripts.forget(item_id)
        return [] if is_over else discard
