"""Barge-in: whether a sound that the user makes while an answer plays takes the turn, or is only made.

    listening to a sound -> (it takes the turn)                       -> TAKEN
                         -> (it was an assent, a noise or an echo)    -> DISMISSED

People say "mm-hmm", cough, laugh and knock at things while they listen, and microphones hear loudspeakers.  A `Hold` is
the judgement of one such sound.  It hears what the ears made of each frame, the words so far, and whether there is
still an answer to be interrupted; it sees no audio and no clock.  `core.floor` is the only caller.
"""

from __future__ import annotations

import enum

from .formats import TICKS_PER_MS
from .reports import Heard
from .turns import ONSET_FRAMES

FRAME_TICKS = 32 * TICKS_PER_MS
VOICED = 0.5
"""Probability from which a frame counts as speech here, whatever the client's threshold."""
ECHO = 0.78
"""Likeness to the output from which a frame is its echo."""
ECHO_FRAMES = 4
"""Frames that are more like the output than not, from which a sound is its echo (128 ms)."""
CLAIMS = ((130, 0.8), (190, 0.6), (250, 0.45))
"""Milliseconds of sound from which the mean of the last claims takes the turn, and that mean: the less was heard, the
surer it has to be.  `bench/interruptions.py --curve` shows what other thresholds would do."""
CLAIM_FRAMES = 3
"""Claims that are averaged."""
LONG_MS = 900
"""No assent is spoken for so long without a pause, unless it sounds like one all the time."""
LONGEST_MS = 1600
"""Nor is anything else but laughter and humming."""
PAUSE_MS = 160
"""Silence after which a sound is over; less lies between the syllables of "uh-huh"."""
WORDS_MS = 450
"""How long after its end the words of a sound are waited for: they come about 600 ms after its beginning."""
NOISE_CLAIM = 0.05
"""Mean claim below which a sound is a noise, whatever a recogniser reads in it: "no" and "but" in laughter."""
MIXED_CLAIM = 0.4
"""Mean claim from which words that are neither an assent nor a command are believed."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ASSENTS = _set(
    "yeah yes yep yup ya right okay ok alright sure mhm mm-hmm uh-huh aha exactly absolutely indeed true wow nice good "
    "great cool fine i see got it understood really perfect lovely excellent interesting wonderful amazing of course"
)
"""Words that one says while one listens."""
NOISES = _set("m h mm mmm hm hmm uh um ah eh er ha haha huh op up oh")
"""What a recogniser makes of humming and laughter."""
COMMANDS = _set("stop wait hold hang pause quiet silence no nope sorry excuse cancel enough but")
"""Words of people who want to speak, wherever they stand."""


class Verdict(enum.Enum):
    """What came of a sound."""

    TAKEN = "taken"
    """The user takes the turn."""
    DISMISSED = "dismissed"
    """It meant nothing."""


class Hold:
    """A sound under judgement."""

    def __init__(self, onset: int, *, is_awaited: bool, suspected: int | None = None) -> None:
        """Begin with a sound that was noticed just now.

        Args:
            onset: tick at which it began.
            is_awaited: whether the user was asked something, or the answer is as good as over, so that any word counts.
            suspected: tick from which it was like speech, though not yet enough to be noticed; claims are of all that.
        """
        self._began = onset if suspected is None else min(onset, suspected)
        self._is_awaited = is_awaited
        self._text = ""
        self._read_at = onset
        self._claims: list[float] = []
        self._echoes = 0
        self._frames = 0
        self._heard_to = onset
        self._silent_from: int | None = None
        self._voiced_from: int | None = onset

    @property
    def is_over(self) -> bool:
        """Whether the sound has ended, as far as was heard."""
        return self._silent_from is not None and self._heard_to - self._silent_from >= PAUSE_MS * TICKS_PER_MS

    def receive_frame(self, heard: Heard, *, has_answer: bool) -> Verdict | None:
        """Take in a judged frame; `has_answer` tells whether an answer is still being made or played."""
        begin, self._heard_to = self._heard_to, heard.at
        is_echo = heard.echo >= ECHO
        if heard.claim is not None and not is_echo:
            self._claims.append(heard.claim)
        if heard.probability >= VOICED and not is_echo:
            self._frames += 1
            self._silent_from = None
            if self._voiced_from is None:
                self._voiced_from = begin
        else:
            self._echoes += is_echo and heard.probability >= VOICED
            if self._silent_from is None:
                self._silent_from = begin
            elif self.is_over:
                self._voiced_from = None
        return self._judge(has_answer)

    def receive_words(self, text: str, *, has_answer: bool) -> Verdict | None:
        """Take in everything that was recognised so far."""
        self._text, self._read_at = text, self._heard_to
        return self._judge(has_answer)

    def give_up(self) -> Verdict:
        """Return the verdict when nothing more will be known."""
        return self._by_words(is_last=True) or Verdict.DISMISSED

    def _judge(self, has_answer: bool) -> Verdict | None:
        if self._is_mostly_echo:
            return Verdict.DISMISSED if self.is_over or self._echoes >= ECHO_FRAMES else None
        if self.is_over:
            assert self._silent_from is not None
            waited_ms = (self._heard_to - self._silent_from) // TICKS_PER_MS
            return self._by_words(is_last=waited_ms >= WORDS_MS)
        if self._silent_from is None and not has_answer:
            return Verdict.TAKEN
        if self._voiced_from is None or self._heard_to - self._voiced_from < ONSET_FRAMES * FRAME_TICKS:
            # After a pause a sound begins anew, like any.
            return None
        kind = self._kind
        length_ms = (self._heard_to - self._began) // TICKS_PER_MS
        claim = self._claim
        # What was read before a pause says nothing of what follows it.
        is_assent = kind == "assent" and self._read_at > self._voiced_from
        if not is_assent and any(length_ms >= least_ms and claim >= least for least_ms, least in CLAIMS):
            return Verdict.TAKEN
        if self._silent_from is not None:
            return None
        if (kind == "command" and self._is_voice) or (kind == "other" and claim >= MIXED_CLAIM):
            return Verdict.TAKEN
        run_ms = (self._heard_to - self._voiced_from) // TICKS_PER_MS
        if run_ms >= LONGEST_MS or (run_ms >= LONG_MS and claim >= MIXED_CLAIM and kind != "assent"):
            return Verdict.TAKEN
        return None

    def _by_words(self, *, is_last: bool) -> Verdict | None:
        """Return what the words say of a sound that is over; None while they may still change that."""
        kind = self._kind
        if (kind == "command" and self._is_voice) or (self._is_awaited and kind in ("assent", "other")):
            return Verdict.TAKEN
        if kind == "other" and self._claim_overall >= MIXED_CLAIM:
            return Verdict.TAKEN
        if not is_last:
            # The last word is recognised only after it has ended, and may make another sentence of it.
            return None
        return Verdict.TAKEN if kind == "nothing" and self._claim_overall >= CLAIMS[-1][1] else Verdict.DISMISSED

    @property
    def _is_mostly_echo(self) -> bool:
        return self._echoes > self._frames

    @property
    def _claim(self) -> float:
        last = self._claims[-CLAIM_FRAMES:]
        return sum(last) / len(last) if last else 0.0

    @property
    def _claim_overall(self) -> float:
        return sum(self._claims) / len(self._claims) if self._claims else 0.0

    @property
    def _is_voice(self) -> bool:
        """Return whether it can be words at all, as far as that was judged."""
        return not self._claims or self._claim_overall >= NOISE_CLAIM

    @property
    def _kind(self) -> str:
        """Return what the words so far are: `nothing`, `assent`, `command` or `other`."""
        words = [word for word in self._text.lower().split() if word not in NOISES]
        if not words:
            return "nothing"
        if any(word in COMMANDS for word in words):
            return "command"
        return "assent" if all(word in ASSENTS for word in words) else "other"
