"""Drives one translation session by hand; like `playbook`, but nobody there has items or responses."""

from __future__ import annotations

from typing import Any

import msgspec

import playbook
from playbook import FRAME_TICKS, CountedIds, b64
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.errors import ProtocolError
from vivavoce.core.limits import DEFAULT_LIMITS, Limits
from vivavoce.core.service import Abilities, Service
from vivavoce.core.settings import Settings
from vivavoce.core.translating import TranslationSession
from vivavoce.dialects.choose import choose

TRANSLATOR = Service(abilities=Abilities(translates=True))


class Interpreter:
    """One started translation session, whose effects are shown as short lines."""

    def __init__(
        self,
        language: str = "es",
        *,
        transcribes: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        service: Service = TRANSLATOR,
        settings: Settings | None = None,
    ) -> None:
        self.dialect = choose(None, "translation")
        settings = settings or Settings(kind="translation", model="gpt-realtime-translate")
        self.session = TranslationSession(
            settings, new_id=CountedIds(), created_unix=1e9, limits=limits, service=service
        )
        self.now = 0.0
        self.heard_to = 0
        self.last: list[ef.Effect] = []
        self.started = self.take(self.session.start(0.0))
        if language:
            transcription = {"model": "whisper-1"} if transcribes else None
            self.update(input={"transcription": transcription}, output={"language": language})

    def take(self, effects: list[ef.Effect]) -> list[str]:
        self.last = effects
        return [line(effect) for effect in effects]

    def client(self, kind: str, /, **fields: Any) -> list[str]:
        try:
            event = self.dialect.decode(msgspec.json.encode({"type": kind, **fields}))
        except ProtocolError as mistake:
            return self.take(self.session.receive_mistake(mistake, self.now))
        return self.take(self.session.receive_event(event, self.now))

    def report(self, report: rp.Report) -> list[str]:
        return self.take(self.session.receive_report(report, self.now))

    def time(self, now: float) -> list[str]:
        self.now = now
        return self.take(self.session.receive_time(now))

    def update(self, **audio: Any) -> list[str]:
        return self.client("session.update", session={"audio": audio})

    def append(self, ms: int) -> list[str]:
        return self.client("session.input_audio_buffer.append", audio=b64(bytes(48 * ms)))

    def hear(self, probability: float, frames: int = 1) -> list[str]:
        """Have frames of 32 ms appended and judged; all effects but the listening."""
        lines: list[str] = []
        for _ in range(frames):
            self.append(32)
            lines += self.judge(probability)
        return lines

    def judge(self, probability: float, frames: int = 1) -> list[str]:
        """Report frames of what was appended before."""
        lines: list[str] = []
        for _ in range(frames):
            self.heard_to += FRAME_TICKS
            lines += self.report(rp.Heard(self.heard_to, probability))
        return lines

    def speak(self, frames: int = 30) -> list[str]:
        """Have somebody speak for about a second, and be silent until that is an utterance."""
        return self.hear(0.9, frames) + self.hear(0.0, 16)

    def understood(self, number: int, text: str) -> list[str]:
        return self.report(rp.Transcribed(f"item_{number}", text))

    def said(self, number: int, text: str, audio: bytes = b"") -> list[str]:
        return self.report(rp.Said(f"resp_{number}", text, audio))

    def answered(self, number: int) -> list[str]:
        return self.report(rp.Answered(f"resp_{number}"))

    @property
    def prompt(self) -> ef.Prompt:
        (prompt,) = (effect.prompt for effect in self.last if isinstance(effect, ef.Answer))
        return prompt

    def messages(self) -> list[dict[str, Any]]:
        """The last effects' events as they go over the wire."""
        frames = [f for e in self.last if isinstance(e, ef.Send) for f in self.dialect.encode(e.event)]
        return [msgspec.json.decode(frame) for frame in frames]


def line(effect: ef.Effect) -> str:
    """An effect as one line."""
    match effect:
        case ef.Send(ev.InputTranscriptDelta() as event):
            return f"input {event.delta!r} {event.elapsed_ms}"
        case ef.Send(ev.OutputTranscriptDelta() as event):
            return f"output {event.delta!r} {event.elapsed_ms}"
        case ef.Send(ev.OutputAudioDelta() as event):
            return f"audio {len(event.delta)} {event.elapsed_ms}"
        case ef.Send(ev.SessionClosed()):
            return "session.closed"
        case ef.Denoise():
            return f"Denoise {effect.mode} {effect.strength}"
        case _:
            return playbook.line(effect)
