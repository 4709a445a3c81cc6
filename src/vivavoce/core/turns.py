"""Turns: when the user began and stopped speaking, from voice probabilities and the words so far.

States: quiet -> (enough frames of speech) -> speaking -> (enough silence) -> quiet.  `Turns` is the policy alone; it
sees no audio and no clock, only positions on the session's audio clock.
"""

from __future__ import annotations

import msgspec

from .formats import TICKS_PER_MS
from .reports import Heard, Overheard
from .settings import SemanticVad, ServerVad, TurnDetection

ONSET_FRAMES = 3
"""Frames in a row that make a start.  One may be a click; three (96 ms) had no false start in 19 kinds of noise."""
HYSTERESIS = 0.15
"""A frame counts as silence only this far below the threshold, so that a soft syllable does not end a turn; but at
half the threshold in any case, so that low ones end too."""
SEMANTIC_THRESHOLD = 0.5
SEMANTIC_PREFIX_MS = 300
SEMANTIC_ASK_MS = 250
"""Silence after which the words are asked whether the turn is over; shorter pauses lie inside of phrases."""
EAGERNESS_MS = {"low": 8000, "medium": 4000, "auto": 4000, "high": 2000}
"""The longest that an unfinished turn is waited for, by the protocol's documentation."""


class Started(msgspec.Struct, frozen=True):
    """The user began to speak."""

    start: int
    """Tick, prefix padding included."""


class Stopped(msgspec.Struct, frozen=True):
    """The user stopped speaking."""

    end: int
    """Tick, the silence that decided it included."""


class Turns:
    """The endpointing policy of one session."""

    def __init__(self, detection: TurnDetection) -> None:
        self.configure(detection)
        self._speaking = False
        self._onset: int | None = None
        self._onset_frames = 0
        self._silence_from: int | None = None
        self._last_at = 0
        self._not_before = 0
        self._turn_over: float | None = None

    @property
    def is_speaking(self) -> bool:
        """Whether a turn has started and not stopped."""
        return self._speaking

    def configure(self, detection: TurnDetection) -> None:
        """Go on with other settings; a turn that is under way stays under way."""
        self._detection = detection
        if isinstance(detection, ServerVad):
            self._threshold, prefix_ms = detection.threshold, detection.prefix_padding_ms
        else:
            self._threshold, prefix_ms = SEMANTIC_THRESHOLD, SEMANTIC_PREFIX_MS
        self.prefix_ticks = prefix_ms * TICKS_PER_MS
        """How much audio from before a voice belongs to its turn."""

    def reset(self, at: int) -> None:
        """Be quiet, and take no notice of audio before `at`."""
        self._speaking = False
        self._onset = None
        self._onset_frames = 0
        self._silence_from = None
        self._not_before = at
        self._turn_over = None

    def receive_words(self, words: Overheard) -> None:
        """Take in how finished the words of the present turn sound."""
        self._turn_over = words.turn_over

    def receive_frame(self, heard: Heard) -> Started | Stopped | None:
        """Take in one judged frame and return what it decided."""
        begin, self._last_at = max(self._last_at, self._not_before), heard.at
        if heard.at <= self._not_before:
            return None
        if self._speaking:
            return self._while_speaking(heard, begin)
        return self._while_quiet(heard, begin)

    def _while_quiet(self, heard: Heard, begin: int) -> Started | None:
        if heard.probability < self._threshold:
            self._onset = None
            self._onset_frames = 0
            return None
        if self._onset is None:
            self._onset = begin
        self._onset_frames += 1
        if self._onset_frames < ONSET_FRAMES:
            return None
        start = max(self._not_before, self._onset - self.prefix_ticks, 0)
        self.reset(start)
        self._speaking = True
        return Started(start)

    def _while_speaking(self, heard: Heard, begin: int) -> Stopped | None:
        if heard.probability >= self._threshold:
            self._silence_from = None
            return None
        if self._silence_from is None:
            if heard.probability >= max(self._threshold - HYSTERESIS, self._threshold / 2):
                return None
            self._silence_from = begin
        if (heard.at - self._silence_from) < self._patience_ms * TICKS_PER_MS:
            return None
        self.reset(heard.at)
        return Stopped(heard.at)

    @property
    def _patience_ms(self) -> int:
        if isinstance(self._detection, SemanticVad):
            over = self._turn_over is not None and self._turn_over >= 0.5
            return SEMANTIC_ASK_MS if over else EAGERNESS_MS[self._detection.eagerness]
        return self._detection.silence_duration_ms
