"""What a decoder's thread does: it hears one utterance after another and tells what was said.

Called by `engines.decoding`, which owns the threads and lends them.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from ..audio.resample import Resampler
from ..core.effects import Vocabulary
from ..core.errors import EngineError
from ..core.formats import AudioFormat
from ..core.reports import Overheard, Transcribed, TranscriptionFailed
from .api import Asr, AudioTurnModel, Decoder, TurnModel, Vad
from .denoise import Denoising
from .intake import Intake
from .pcm import RATE_HZ, to_pcm
from .turn_sound import Pause, PauseJudge

if TYPE_CHECKING:
    from .decoding import DecoderThread

_log = logging.getLogger("vivavoce.ears")

BYTES_PER_MS = 32
"""Of s16le mono at 16 kHz."""
PARTIAL_BYTES = 100 * BYTES_PER_MS
"""Audio between two looks at the text so far."""
READ_MS = 200
"""Of a recording, between two looks whether anybody still wants it."""
STABLE_LOOKS = 4
"""Looks that a word has to survive to count as stable.  Of 120 synthesised commands the final text contradicted a
stable word in 27 % with three looks, 13 % with four and 11 % with five, each of which costs 100 ms."""
LOOKS_BY_DELAY = {"minimal": 1, "low": 2, "medium": STABLE_LOOKS, "high": 6, "xhigh": 10}
"""Looks where the client says how much delay it takes for words that stay as they are."""
PAUSE_FRAMES = 6
"""Silence (192 ms) after which a pause is asked what it sounds like: the answer is there when turn detection asks."""

Deliver = Callable[[Overheard | Transcribed | TranscriptionFailed], None]


class RecognitionEngines(msgspec.Struct, frozen=True):
    """What decoders work with."""

    asr: Asr
    """Opens them."""
    vad: Vad
    """Judges where in an utterance anybody speaks."""
    words: TurnModel
    """Judges whether words so far are a finished turn."""
    sound: AudioTurnModel | None = None
    """Judges whether a pause sounds like the end of a turn, where there is such a model."""


class Utterance:
    """What one utterance needs of a decoder.  Belongs to the event loop, but for `is_wanted`, which is just read."""

    def __init__(
        self,
        item_id: str,
        vocabulary: Vocabulary,
        deliver: Deliver,
        *,
        is_live: bool = True,
        delay: str = "",
        is_speech: bool = False,
        asks_turn: bool = False,
        denoising: Denoising = Denoising(),  # noqa: B008 - a frozen value
    ) -> None:
        self.item_id = item_id
        self.vocabulary = vocabulary
        self.deliver = deliver
        """Called on the event loop with each report."""
        self.is_live = is_live
        """Whether it is being spoken, rather than a recording that came whole."""
        self.stable_looks = LOOKS_BY_DELAY.get(delay, STABLE_LOOKS)
        """Looks that its words have to survive to count as stable."""
        self.is_speech = is_speech
        """Whether it is known that somebody speaks."""
        self.asks_turn = asks_turn
        """Whether its pauses are asked if the turn is over."""
        self.denoising = denoising
        """How its audio is cleaned at the beginning."""
        self.is_wanted = True
        """False once nobody waits for the result any more."""
        self.is_over = False
        """Whether its last audio was given."""
        self.given_bytes = 0
        """Audio that it was given so far."""
        self.thread: DecoderThread | None = None
        self.waiting: list[Callable[[Recognition], None]] = []
        """What is to be done as soon as a decoder is free."""


class _Pause:
    """A pause of an utterance, judged or being judged."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        """How long it has lasted."""
        self.over = 0.0
        """How likely it ends the turn by its sound; 0 while that is not known."""


class Recognition:
    """The work of one decoder's thread; touched by that thread alone."""

    def __init__(
        self,
        engines: RecognitionEngines,
        pauses: PauseJudge | None,
        post: Callable[[Callable[[], None]], None],
        put: Callable[[Callable[[Recognition], None]], None],
        returned: Callable[[], None],
    ) -> None:
        self.is_stopping = False
        self._engines = engines
        self._pauses = pauses
        self._post = post
        self._put = put
        self._returned = returned
        self._decoder: Decoder | None = None
        self._utterance: Utterance | None = None
        self._intake: Intake | None = None
        self._has_failed = False
        self._unseen_bytes = 0
        self._pause: _Pause | None = None
        self._looks: deque[list[str]] = deque(maxlen=STABLE_LOOKS)
        self._told = ("", "", 0.0)

    def load(self, done: Callable[[Exception | None], None]) -> None:
        """Load the decoder and tell the outcome."""
        try:
            self._open()
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for it
            failure = error
            self._post(lambda: done(failure))
        else:
            self._post(lambda: done(None))

    def prepare(self, vocabulary: Vocabulary, is_wanted: Callable[[], bool]) -> None:
        """Make ready for a vocabulary that is still wanted."""
        if is_wanted():
            self._guarded(lambda: self._open().prepare(vocabulary))

    def begin(self, utterance: Utterance) -> None:
        """Begin an utterance."""
        self._utterance = utterance
        self._has_failed = False
        self._unseen_bytes = 0
        self._pause = None
        self._looks = deque(maxlen=utterance.stable_looks)
        self._told = ("", "", 0.0)
        self._intake = None
        self._guarded(lambda: self._start(utterance))

    def learn(self, pcm: bytes) -> None:
        """Take audio from before the utterance."""
        if self._intake is not None:
            self._intake.learn(pcm)

    def denoise(self, denoising: Denoising) -> None:
        """Clean what follows otherwise."""
        if self._intake is not None:
            self._intake.denoise(denoising)

    def feed(self, pcm: bytes) -> None:
        """Hear more of the utterance, and look at its text now and then."""
        utterance = self._utterance
        if utterance is None or not utterance.is_wanted or self._has_failed:
            return
        self._guarded(lambda: self._hear(utterance, pcm))

    def read(self, audio: bytes, format: AudioFormat) -> None:  # noqa: A002
        """Hear a recording, as long as anybody wants it."""
        resampler = Resampler(format.rate, RATE_HZ, trim_start=True)
        step = READ_MS * format.bytes_per_ms
        for i in range(0, len(audio), step):
            if self.is_stopping or self._utterance is None or not self._utterance.is_wanted:
                return
            self.feed(resampler.push(to_pcm(audio[i : i + step], format)))
        self.feed(resampler.flush())

    def finish(self) -> None:
        """End the utterance, tell what it was and return the decoder."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None and not self._has_failed:
            self._guarded(lambda: self._conclude(utterance), utterance)
        self._post(self._returned)

    def drop(self) -> None:
        """Free the decoder."""
        if self._decoder is not None:
            decoder, self._decoder = self._decoder, None
            decoder.close()

    def _open(self) -> Decoder:
        if self._decoder is None:
            self._decoder = self._engines.asr.open()
        return self._decoder

    def _start(self, utterance: Utterance) -> None:
        judge = self._engines.vad.open()
        keep_recent = self._pauses is not None and utterance.asks_turn
        self._intake = Intake(judge, utterance.denoising, is_speech=utterance.is_speech, keep_recent=keep_recent)
        self._open().start(utterance.vocabulary)

    def _hear(self, utterance: Utterance, pcm: bytes) -> None:
        assert self._intake is not None
        passed = self._intake.push(pcm)
        if passed:
            self._open().feed(passed)
        if self._pauses is not None and utterance.asks_turn:
            self._watch_pause(utterance, self._intake, self._pauses)
        self._unseen_bytes += len(passed)
        if self._unseen_bytes >= PARTIAL_BYTES:
            self._unseen_bytes %= PARTIAL_BYTES
            self._look(utterance)

    def _watch_pause(self, utterance: Utterance, intake: Intake, pauses: PauseJudge) -> None:
        """Have each pause judged once; what follows is another one."""
        pause = self._pause
        if pause is not None and intake.silent_frames < pause.frames:
            pause = self._pause = None
        if pause is not None:
            pause.frames = intake.silent_frames
        elif intake.silent_frames >= PAUSE_FRAMES and intake.has_speech:
            pause = self._pause = _Pause(intake.silent_frames)
            judged = partial(self._post_judgement, utterance, pause)
            pauses.judge(Pause(intake.recent, partial(self._is_paused, pause), judged))

    def _is_paused(self, pause: _Pause) -> bool:
        return self._pause is pause and not self.is_stopping

    def _post_judgement(self, utterance: Utterance, pause: _Pause, probability: float) -> None:
        """Take a judgement back to this thread; called on that of the turn model."""
        self._put(lambda work: work.judged(utterance, pause, probability))

    def judged(self, utterance: Utterance, pause: _Pause, probability: float) -> None:
        """Learn what a pause sounds like, and tell it if it lasts."""
        if self._pause is pause and self._utterance is utterance and utterance.is_wanted and not self._has_failed:
            pause.over = probability
            self._guarded(lambda: self._look(utterance))

    def _look(self, utterance: Utterance) -> None:
        text = self._open().partial()
        self._looks.append(text.split())
        stable = " ".join(_common(self._looks)) if len(self._looks) == utterance.stable_looks else ""
        over = self._engines.words.turn_over(text)
        if self._pauses is not None and utterance.asks_turn:
            # Until the pause was judged nobody knows.
            over = min(over, 0.0 if self._pause is None else self._pause.over)
        if (text, stable, over) != self._told:
            self._told = (text, stable, over)
            report = Overheard(utterance.item_id, text, stable, over)
            self._post(lambda: utterance.deliver(report))

    def _conclude(self, utterance: Utterance) -> None:
        assert self._intake is not None
        if utterance.is_wanted and (rest := self._intake.finish()):
            self._open().feed(rest)
        found = self._open().finish()
        if utterance.is_wanted:
            words = self._intake.placed(found.words)
            report = Transcribed(utterance.item_id, found.text, words, found.confidence)
            self._post(lambda: utterance.deliver(report))

    def _guarded(self, step: Callable[[], None], utterance: Utterance | None = None) -> None:
        """Do a step of decoding; should it fail, tell the utterance and take a new decoder for the next."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the thread must live on for other utterances
            self._has_failed = True
            self._discard_decoder()
            if not isinstance(error, EngineError):
                _log.exception("recognition failed")
            utterance = utterance or self._utterance
            if utterance is not None:
                code = error.code if isinstance(error, EngineError) else "engine_error"
                report = TranscriptionFailed(utterance.item_id, code, f"The recogniser failed: {error}")
                told = utterance
                self._post(lambda: told.deliver(report))

    def _discard_decoder(self) -> None:
        try:
            self.drop()
        except Exception:  # noqa: BLE001 - it is broken already
            _log.exception("a failed recogniser could not be freed")


def _common(looks: deque[list[str]]) -> list[str]:
    """Return the leading words that all looks share."""
    out: list[str] = []
    for words in zip(*looks, strict=False):
        if len(set(words)) != 1:
            break
        out.append(words[0])
    return out
