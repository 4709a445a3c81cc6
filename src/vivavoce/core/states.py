"""What clients are shown of a session and of a response: snapshots inside server events."""

from __future__ import annotations

import msgspec

from .items import Item
from .settings import ResponseSettings, Settings


class SessionState(msgspec.Struct, frozen=True):
    """The effective session as clients are shown it."""

    id: str
    expires_at: int
    """Unix seconds."""
    settings: Settings


class Cost(msgspec.Struct, frozen=True):
    """What something cost, in US dollars."""

    usd: float
    """This alone."""
    session_usd: float
    """Everything in the session so far."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one response, by the protocol's accounting."""

    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    cached_text_tokens: int = 0
    """Those of the input tokens that were read before and cost less."""
    cached_audio_tokens: int = 0
    cached_image_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0
    cost: Cost | None = None
    """What it cost; None for a client that did not ask."""

    @property
    def input_tokens(self) -> int:
        """All that was read."""
        return self.input_text_tokens + self.input_audio_tokens + self.input_image_tokens

    @property
    def cached_tokens(self) -> int:
        """All that was read and had been read before."""
        return self.cached_text_tokens + self.cached_audio_tokens + self.cached_image_tokens

    @property
    def output_tokens(self) -> int:
        """All that was made."""
        return self.output_text_tokens + self.output_audio_tokens


class StatusDetails(msgspec.Struct, frozen=True):
    """Why a response ended other than complete."""

    type: str
    """`cancelled`, `incomplete` or `failed`."""
    reason: str | None = None
    """`turn_detected`, `client_cancelled`, `max_output_tokens` or `content_filter`."""
    error_type: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class ResponseState(msgspec.Struct, frozen=True):
    """A response as clients are shown it."""

    id: str
    status: str
    """`in_progress`, `completed`, `cancelled`, `incomplete` or `failed`."""
    settings: ResponseSettings
    conversation_id: str | None
    """None out of band."""
    output: tuple[Item, ...] = ()
    status_details: StatusDetails | None = None
    usage: Usage | None = None
    metadata: dict[str, str] | None = None


class LogProb(msgspec.Struct, frozen=True):
    """One token of a transcript and the natural logarithm of its probability."""

    token: str
    logprob: float


class TranscriptionTokens(msgspec.Struct, frozen=True):
    """What the transcription of one utterance took, for models that count tokens."""

    audio_tokens: int
    text_tokens: int
    """Of the prompt."""
    output_tokens: int
