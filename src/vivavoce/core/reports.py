"""Reports: what the world tells a session besides client events.

Ears report what was heard, a brain what is to be said, a leg what was played.  Positions are ticks of the session's
audio clock (`core.formats`), so a late report cannot move a boundary.
"""

from __future__ import annotations

import msgspec

from .items import McpFault, McpTool, WordMark


class Heard(msgspec.Struct, frozen=True):
    """A frame of audio was judged by the voice activity detector."""

    at: int
    """Tick at which the judged frame ends."""
    probability: float
    """How likely it is that someone speaks, 0 to 1."""
    echo: float = 0.0
    """How like the sound is to what was played shortly before (`core.effects.ExpectEcho`), 0 to 1."""
    claim: float | None = None
    """How much the sound so far is like that of somebody who takes the turn rather than assents, coughs or laughs, 0 to
    1; None where no answer is being played, or nobody speaks."""


class Word(msgspec.Struct, frozen=True):
    """One recognised word."""

    text: str
    start_ms: int
    """Milliseconds from the start of the utterance."""
    end_ms: int
    confidence: float
    """Posterior probability, 0 to 1."""


class Overheard(msgspec.Struct, frozen=True):
    """The text of an utterance so far, while it is still being spoken."""

    item_id: str
    text: str
    """Everything recognised so far; later reports may rewrite it."""
    stable: str
    """The leading words of `text` that are not expected to change any more."""
    turn_over: float
    """How likely the words so far are a finished turn, 0 to 1."""


class Transcribed(msgspec.Struct, frozen=True):
    """An utterance was recognised for good."""

    item_id: str
    text: str
    """Empty when no word was recognised."""
    words: tuple[Word, ...] = ()
    confidence: float = 0.0
    """Mean of the words' confidences; 0 without words."""


class TranscriptionFailed(msgspec.Struct, frozen=True):
    """An utterance could not be recognised."""

    item_id: str
    code: str
    message: str


class Deafened(msgspec.Struct, frozen=True):
    """The ears failed for good: nothing more will be heard in this session."""

    message: str


class Said(msgspec.Struct, frozen=True):
    """The brain says something more.

    Both fields may be given at once.  In a spoken answer `text` is the transcript of the audio that begins with this
    report; in a written one there is no audio.
    """

    response_id: str
    text: str = ""
    audio: bytes = b""
    """In the prompt's output format; whole samples."""
    words: tuple[WordMark, ...] = ()
    """Ends of words that fell into this audio; counted from the start of the answer's current message."""


class Called(msgspec.Struct, frozen=True):
    """The brain begins a call of a function; its arguments follow.  A message after it is a new one."""

    response_id: str
    name: str
    call_id: str = ""
    """The brain's own id of the call; empty to have one made."""


class Argued(msgspec.Struct, frozen=True):
    """More of the arguments of the call that was begun last."""

    response_id: str
    delta: str


class Spent(msgspec.Struct, frozen=True):
    """What an engine itself counted for one answer, in tokens."""

    input_text_tokens: int = 0
    output_text_tokens: int = 0
    cached_tokens: int | None = None
    """Of the input; None where the engine does not tell."""


class Answered(msgspec.Struct, frozen=True):
    """The answer is complete."""

    response_id: str
    reason: str = "stop"
    """`stop`, `max_output_tokens` or `content_filter`."""
    spent: Spent | None = None
    """The engine's own count; None to have it estimated."""


class Broke(msgspec.Struct, frozen=True):
    """The answer failed in the engine."""

    response_id: str
    code: str
    message: str


class Played(msgspec.Struct, frozen=True):
    """A leg that plays audio itself tells how much of a message was heard."""

    item_id: str
    audio_ms: int


class ToolsListed(msgspec.Struct, frozen=True):
    """A remote MCP server has these tools."""

    item_id: str
    tools: tuple[McpTool, ...]


class ToolsUnavailable(msgspec.Struct, frozen=True):
    """A remote MCP server's tools cannot be had."""

    item_id: str
    fault: McpFault


class ToolReturned(msgspec.Struct, frozen=True):
    """A remote tool returned."""

    item_id: str
    output: str


class ToolFailed(msgspec.Struct, frozen=True):
    """A remote tool could not be called, or failed."""

    item_id: str
    fault: McpFault


class Exhausted(msgspec.Struct, frozen=True):
    """The budget of the key that opened the session is used up."""

    message: str
    """One sentence for the developer of the client."""


Report = (
    Heard
    | Overheard
    | Transcribed
    | TranscriptionFailed
    | Deafened
    | Said
    | Called
    | Argued
    | Answered
    | Broke
    | Played
    | ToolsListed
    | ToolsUnavailable
    | ToolReturned
    | ToolFailed
    | Exhausted
)
BrainReport = Said | Called | Argued | Answered | Broke
