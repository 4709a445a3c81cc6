"""What a translation session says besides errors and its own state: three streams of deltas, and that it is over.

Those that know the protocol use them through `core.events`.
"""

from __future__ import annotations

import msgspec

__all__ = ["InputTranscriptDelta", "OutputAudioDelta", "OutputTranscriptDelta", "SessionClosed", "TranslationEvent"]


class InputTranscriptDelta(msgspec.Struct, frozen=True):
    """More of what was said, in the language in which it was said."""

    event_id: str
    delta: str
    elapsed_ms: int
    """How far into the input the words reach."""


class OutputTranscriptDelta(msgspec.Struct, frozen=True):
    """More of what was said, in the session's language."""

    event_id: str
    delta: str
    elapsed_ms: int
    """How far into the input the speech reaches that these words translate."""


class OutputAudioDelta(msgspec.Struct, frozen=True):
    """More of what was said, spoken in the session's language."""

    event_id: str
    delta: bytes
    """PCM at 24 kHz."""
    elapsed_ms: int
    """As of the words that it speaks."""


class SessionClosed(msgspec.Struct, frozen=True):
    """Everything that was said has been translated, and nothing more will be."""

    event_id: str


TranslationEvent = InputTranscriptDelta | OutputTranscriptDelta | OutputAudioDelta | SessionClosed
