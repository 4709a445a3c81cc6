"""The audio that a client has written, and the turns in it."""

from __future__ import annotations

import dataclasses
from typing import Any

from . import sounds

FRAME_MS = 20
"""How much audio is judged at once."""
ONSET_FRAMES = 3
"""Loud frames that begin speech."""
SEMANTIC_SILENCE_MS = 500
"""The silence that ends a turn where the client leaves it to the server."""


@dataclasses.dataclass(frozen=True)
class SpeechStarted:
    """Somebody began to speak."""

    start_ms: int


@dataclasses.dataclass(frozen=True)
class SpeechStopped:
    """The turn is over."""

    end_ms: int
    audio: bytes
    """The turn, with what came directly before it."""


class Buffer:
    """One stream of audio; positions are milliseconds of all that was ever written."""

    def __init__(self) -> None:
        self.kind = "audio/pcm"
        """The format of what is written from now on."""
        self._heard_ms = 0.0
        self._waiting = bytearray()
        self._kept = bytearray()
        self._kept_from_ms = 0.0
        self._loud = 0
        self._quiet_ms = 0
        self.is_speech = False
        """Whether somebody is speaking."""

    @property
    def position_ms(self) -> int:
        """How much was written so far."""
        return int(self._heard_ms + len(self._waiting) / sounds.FORMATS[self.kind])

    @property
    def uncommitted(self) -> bytes:
        """What was written and is not committed, as far as it is kept."""
        return bytes(self._kept + self._waiting)

    def change(self, kind: str) -> None:
        """Take audio in another format from now on."""
        if kind != self.kind:
            self.clear()
            self.kind = kind

    def write(self, audio: bytes, detection: dict[str, Any] | None) -> list[SpeechStarted | SpeechStopped]:
        """Take audio; returns what was found in it."""
        self._waiting += audio
        if detection is None:
            if self.is_speech:  # what was being said stays in the buffer
                self.is_speech = False
            return []
        found: list[SpeechStarted | SpeechStopped] = []
        size = FRAME_MS * sounds.FORMATS[self.kind]
        while len(self._waiting) >= size:
            frame = bytes(self._waiting[:size])
            del self._waiting[:size]
            self._kept += frame
            self._heard_ms += FRAME_MS
            found += self._judge(sounds.is_loud(frame, self.kind), detection)
        return found

    def take(self) -> bytes:
        """Commit what is there."""
        audio = self.uncommitted
        self.clear()
        return audio

    def clear(self) -> None:
        """Forget what is not committed; the clock goes on."""
        self._heard_ms += len(self._waiting) / sounds.FORMATS[self.kind]
        self._waiting.clear()
        self._kept.clear()
        self._kept_from_ms = self._heard_ms
        self._loud = self._quiet_ms = 0
        self.is_speech = False

    def _judge(self, is_loud: bool, detection: dict[str, Any]) -> list[SpeechStarted | SpeechStopped]:
        if self.is_speech:
            self._quiet_ms = 0 if is_loud else self._quiet_ms + FRAME_MS
            if self._quiet_ms < detection.get("silence_duration_ms", SEMANTIC_SILENCE_MS):
                return []
            stopped = SpeechStopped(int(self._heard_ms), bytes(self._kept))
            waiting = bytes(self._waiting)
            self._waiting.clear()
            self.clear()
            self._waiting += waiting
            return [stopped]
        self._loud = self._loud + 1 if is_loud else 0
        self._forget(detection.get("prefix_padding_ms", 300) + ONSET_FRAMES * FRAME_MS)
        if self._loud < ONSET_FRAMES:
            return []
        self.is_speech, self._quiet_ms, self._loud = True, 0, 0
        return [SpeechStarted(int(self._kept_from_ms))]

    def _forget(self, keep_ms: int) -> None:
        """Drop what is too old to belong to a turn that begins now."""
        excess_ms = int(self._heard_ms - self._kept_from_ms) - keep_ms
        if excess_ms > 0:
            del self._kept[: excess_ms * sounds.FORMATS[self.kind]]
            self._kept_from_ms += excess_ms
