"""What a stand-in serves.  Frozen; given when it is made."""

from __future__ import annotations

import dataclasses
from typing import Literal

VOICES = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
"""The voices of the protocol."""
TRANSCRIBERS = (
    "whisper-1", "gpt-transcribe", "gpt-live-transcribe", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize",
    "gpt-4o-mini-transcribe", "gpt-4o-mini-transcribe-2025-12-15", "gpt-realtime-whisper",
)  # fmt: skip
"""Models that write down what was said."""
LIVE_TRANSCRIBERS = ("gpt-live-transcribe", "gpt-realtime-whisper")
"""Those that know no turns."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """An answer to what a pattern matches."""

    pattern: str
    """A regular expression, searched for in what was asked, whatever the case."""
    reply: str
    """What is answered, with `\\1` for groups; `call NAME {json}` calls a function."""


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a stand-in serves, and how it speaks when all is well."""

    shape: Literal["ga", "beta"] = "ga"
    """How it spells events; a client of the other shape is turned away."""
    keys: tuple[str, ...] = ("sk-upstream",)
    """Keys that it knows, besides the client secrets that it made."""
    azure: bool = False
    """Whether the key may come in the header or the query as `api-key`, as with Azure."""
    models: tuple[str, ...] = (
        "gpt-realtime", "gpt-realtime-1.5", "gpt-realtime-2", "gpt-realtime-2.1", "gpt-realtime-2.1-mini",
        "gpt-realtime-mini",
    )  # fmt: skip
    """Models that it serves."""
    unknown_model: Literal["close", "404"] = "close"
    """Whether another model is refused after or before the connection is upgraded."""
    session_seconds: float = 3600.0
    """How long a session lives."""
    heard: str = "{seconds:.1f} seconds of speech"
    """What is understood of any audio, with its length as `seconds`."""
    rules: tuple[Rule, ...] = ()
    """Answers that come before those of the script."""
    thinking_seconds: float = 0.0
    """How long it is until an answer begins."""
    transcribing_seconds: float = 0.0
    """How long it is until the words of a turn are known."""
    pace: float = 0.0
    """Seconds of audio that are sent in a second; 0 sends an answer at once."""
    word_ms: int = 300
    """How long a word takes to say."""
    delta_ms: int = 300
    """The most audio of one event."""
    max_connections: int = 0
    """How many sessions there may be at a time, others being answered 429; 0 for as many as will."""
    seed: int = 0
    """What random drops are drawn from."""

    @property
    def default_model(self) -> str:
        """The model of a session that names none."""
        return self.models[0]
