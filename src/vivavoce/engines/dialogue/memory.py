"""What is known of a conversation: rebuilt from its items for every answer and never kept.

So deleted, inserted and replayed items need no care of their own.  Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from .moments import say_duration
from .words import Ranking, hear, terms


class Note(msgspec.Struct, frozen=True):
    """Something that the user said is so."""

    text: str
    digits: str = ""
    """The figures in it, when a number is what it is about."""

    @property
    def told(self) -> str:
        """The note as it is told back to the user."""
        if self.digits and (match := re.match(r"(.*?\b(?:is|was|are)\b)", self.text, re.IGNORECASE)):
            return f"{turned(match[1])} {' '.join(self.digits)}"
        return turned(self.text)


class Timer(msgspec.Struct, frozen=True):
    """A timer that the user set."""

    ends: float
    """Session time in seconds."""
    seconds: int
    """How long it was set for."""


@dataclass
class Memory:
    """The state of one conversation at one moment."""

    name: str = ""
    things: list[str] = field(default_factory=list)
    """The items of the user's list."""
    notes: list[Note] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    last_said: str = ""
    """What the assistant said last, as far as it was heard."""
    last_heard: str = ""
    """What the user said before the current message."""
    expecting: str = ""
    """The intent whose missing value was just asked for; empty when nothing was."""

    quizzed: int = 0
    """How many questions of the quiz were asked."""
    judged: int = 0
    """How many of them were answered."""
    guessed: int = 0
    """How many of them were answered rightly."""

    def recall(self, question: str) -> Note | None:
        """Return the newest note that answers `question`."""
        wanted = terms(hear(question).words)
        index, share = Ranking(note.text for note in self.notes).best(wanted)
        return self.notes[index] if index >= 0 and share >= 0.5 else None

    def running(self, now: float) -> list[Timer]:
        """Return the timers that have not ended, the next to end first."""
        return sorted((timer for timer in self.timers if timer.ends > now), key=lambda timer: timer.ends)

    def tell_timers(self, now: float) -> str:
        """Return one sentence on the timers."""
        running = self.running(now)
        if running:
            left = [say_duration(max(1.0, timer.ends - now)) for timer in running]
            if len(left) == 1:
                return f"There {_is(left[0])} {left[0]} left on your timer."
            named = [f"{a} left on the one for {say_duration(t.seconds)}" for a, t in zip(left, running, strict=True)]
            return f"You have {len(left)} timers: {', and '.join(named)}."
        if self.timers:
            ago = now - max(timer.ends for timer in self.timers)
            return f"Your timer ended {say_duration(ago)} ago." if ago >= 1 else "Your timer has just ended."
        return "There is no timer running."


def _is(amount: str) -> str:
    return "is" if re.fullmatch(r"1 \w+", amount) else "are"


_TURNS = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "am": "are", "myself": "yourself", "our": "your",
    "ours": "yours", "us": "you", "we": "you", "i'm": "you are", "i've": "you have", "i'll": "you will",
}  # fmt: skip


def turned(text: str) -> str:
    """Return what the user said of themselves as it is said to them."""
    text = re.sub(r"\bI was\b", "you were", text, flags=re.IGNORECASE)
    return re.sub(r"[A-Za-z]+(?:'[a-z]+)?", lambda match: _TURNS.get(match[0].lower(), match[0]), text)


def sentence(text: str) -> str:
    """Return `text` beginning with a capital letter and ending with a mark."""
    text = text.strip()
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in '.!?\u2026"\u201d' else text.rstrip(",;:") + "."
