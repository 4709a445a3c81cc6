"""What the audio of an utterance goes through before a recogniser hears it: a judgement, noise reduction, and a gate.

A recogniser finds words in anything.  So each frame is judged for voice, on the audio as it came, and the gate lets
through what is speech and what lies close to it; of an utterance in which nobody speaks nothing is left.  Pauses inside
of speech pass whole, so a turn as turn detection cuts it is heard as it is.  What passes is cleaned, where that is
wanted.  Works on whole frames, so that the result does not depend on how audio arrives.

Called by `engines.decoding`, on a decoder's thread.
"""

from __future__ import annotations

import enum
from collections import deque

import msgspec

from ..core.reports import Word
from .api import VadStream
from .canal import FRAME_BYTES, FRAME_SAMPLES
from .denoise import Denoiser, Denoising
from .pcm import RATE_HZ

SPEECH = 0.3
"""Probability from which a frame may begin speech."""
ONSET_FRAMES = 2
"""Such frames in a row that do.  Of 22 kinds of noise, none had two; of 240 words alone, whispered, soft, over the
telephone or in noise, two whispered ones had not."""
NOT_SPEECH = 0.15
"""Probability below which a frame is no speech, once there was some: ends of words are judged low."""
MARGIN_FRAMES = 15
"""What passes on either side of speech (480 ms): soft sounds at the edges, and the pause that the language model takes
for the end of a sentence."""
PAUSE_FRAMES = 47
"""Frames without speech (1.5 s) after which they are no pause inside of speech any more."""
SILENT = 0.35
"""Probability below which a frame is part of a pause to turn detection."""
RECENT_FRAMES = 250
"""Frames that are kept for a turn model (8 s)."""


class _Gate(enum.Enum):
    """What happens to audio: shut -> speech -> open -> a long pause -> shut, or -> the end."""

    SHUT = enum.auto()
    """Nobody speaks."""
    OPEN = enum.auto()
    """Somebody speaks, or pauses."""
    UNDECIDED = enum.auto()
    """Somebody is said to speak, and was not heard yet: everything passes."""


class Intake:
    """The way of one utterance's audio (s16le mono 16 kHz) to its recogniser."""

    def __init__(self, judge: VadStream, denoising: Denoising, *, is_speech: bool, keep_recent: bool = False) -> None:
        """Begin an utterance.

        Args:
            judge: a stream of voice activity detection that has heard nothing yet.
            denoising: how to clean what passes.
            is_speech: whether it is known that somebody speaks.
            keep_recent: whether `recent` will be asked for.
        """
        self._judge = judge
        self._denoiser = None if denoising.is_off else Denoiser(denoising)
        self._gate = _Gate.UNDECIDED if is_speech else _Gate.SHUT
        self._frame = bytearray()
        """What is less than a frame, as it came."""
        self._judged = 0
        """Samples that were judged."""
        self._onset = 0
        """Frames in a row that may begin speech."""
        self._speech_end = 0
        """Sample after the last frame of speech."""
        self.silent_frames = 0
        """Frames in a row that are a pause to turn detection."""
        self._held = bytearray()
        """Clean audio of which it is not decided whether it passes."""
        self._held_at = 0
        """Sample where that begins."""
        self._passed = 0
        """Samples that have passed."""
        self._joints: list[tuple[int, int]] = []
        """Where what passed was put together: samples that had passed, sample of the utterance that followed."""
        self._recent: deque[bytes] | None = deque(maxlen=RECENT_FRAMES) if keep_recent else None

    @property
    def has_speech(self) -> bool:
        """Whether anything has passed."""
        return bool(self._joints)

    @property
    def recent(self) -> bytes:
        """The last frames as they came, for a turn model."""
        return b"".join(self._recent or ())

    def learn(self, pcm: bytes) -> None:
        """Take audio from before the utterance, to know its noise."""
        if self._denoiser is not None:
            self._denoiser.learn(pcm)

    def denoise(self, denoising: Denoising) -> None:
        """Clean otherwise from here on."""
        if self._denoiser is not None:
            self._held += self._denoiser.configure(denoising)
        elif not denoising.is_off:
            self._denoiser = Denoiser(denoising)

    def push(self, pcm: bytes) -> bytes:
        """Take any number of samples; return those that the recogniser is to hear."""
        self._frame += pcm
        out = []
        taken = 0
        while len(self._frame) - taken >= FRAME_BYTES:
            out.append(self._through(bytes(self._frame[taken : taken + FRAME_BYTES])))
            taken += FRAME_BYTES
        del self._frame[:taken]
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the last samples that the recogniser is to hear."""
        out = b""
        if self._frame:
            rest = bytes(self._frame)
            self._frame.clear()
            out = self._through(rest)
        if self._denoiser is not None:
            self._held += self._denoiser.flush()
        return out + self._released()

    def placed(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """Return words, timed by what passed, with their times in the utterance."""
        return tuple(
            msgspec.structs.replace(word, start_ms=self._placed_ms(word.start_ms), end_ms=self._placed_ms(word.end_ms))
            for word in words
        )

    def _placed_ms(self, ms: int) -> int:
        sample = ms * RATE_HZ // 1000
        passed, at = next((joint for joint in reversed(self._joints) if joint[0] <= sample), (0, 0))
        return ms + (at - passed) * 1000 // RATE_HZ

    def _through(self, frame: bytes) -> bytes:
        """Judge a frame, or the piece of one that ends the utterance; return what passes now."""
        probability = self._judge.probability(frame.ljust(FRAME_BYTES, b"\0"))
        self._judged += len(frame) // 2
        self._decide(probability)
        if self._recent is not None:
            self._recent.append(frame)
        if self._denoiser is None:
            self._held += frame
        else:
            self._held += self._denoiser.push(frame)
        return self._released()

    def _decide(self, probability: float) -> None:
        self.silent_frames = self.silent_frames + 1 if probability < SILENT else 0
        self._onset = self._onset + 1 if probability >= SPEECH else 0
        if self._gate is not _Gate.OPEN:
            if self._onset >= ONSET_FRAMES:
                self._gate = _Gate.OPEN
                self._speech_end = self._judged
        elif probability >= NOT_SPEECH:
            self._speech_end = self._judged
        elif self._judged - self._speech_end > PAUSE_FRAMES * FRAME_SAMPLES:
            self._gate = _Gate.SHUT

    def _released(self) -> bytes:
        """Return what is certain to pass, and forget what is certain not to."""
        held = len(self._held) // 2
        if self._gate is _Gate.SHUT:
            first = self._judged - (MARGIN_FRAMES + ONSET_FRAMES - 1) * FRAME_SAMPLES
            drop = min(held, max(0, first - self._held_at))
            del self._held[: 2 * drop]
            self._held_at += drop
            return b""
        if self._gate is _Gate.OPEN:
            held = min(held, self._speech_end + MARGIN_FRAMES * FRAME_SAMPLES - self._held_at)
        if held <= 0:
            return b""
        if not self._joints or self._held_at - self._passed != self._joints[-1][1] - self._joints[-1][0]:
            self._joints.append((self._passed, self._held_at))
        out = bytes(self._held[: 2 * held])
        del self._held[: 2 * held]
        self._held_at += held
        self._passed += held
        return out
