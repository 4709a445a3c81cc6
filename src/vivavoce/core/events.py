"""Events of the Realtime protocol, in GA spelling, frozen; audio inside is `bytes`.

A dialect reads `ClientEvent`s and writes `ServerEvent`s; nothing here knows JSON.  Every server event has the
`event_id` that the session gave it; a client event has the client's own, or None.
"""

from __future__ import annotations

import msgspec

from .client_events import *  # noqa: F403 - one name for all events
from .items import Item, Part
from .states import LogProb, ResponseState, SessionState, TranscriptionTokens
from .translation_events import *  # noqa: F403
from .translation_events import TranslationEvent


class _Server(msgspec.Struct, frozen=True):
    event_id: str


class Error(_Server, frozen=True):
    """Something the client did was refused, or the session fails."""

    type: str
    code: str | None
    message: str
    param: str | None = None
    client_event_id: str | None = None


class SessionCreated(_Server, frozen=True):
    """The first event of a session."""

    session: SessionState


class SessionUpdated(_Server, frozen=True):
    """The settings were changed."""

    session: SessionState


class ConversationCreated(_Server, frozen=True):
    """The session has a conversation; told in the beta shape only."""

    conversation_id: str


class ItemAdded(_Server, frozen=True):
    """An item entered the conversation."""

    previous_item_id: str | None
    item: Item


class ItemDone(_Server, frozen=True):
    """An item of the conversation is final."""

    previous_item_id: str | None
    item: Item


class ItemRetrieved(_Server, frozen=True):
    """An item with its audio."""

    item: Item


class ItemDeleted(_Server, frozen=True):
    """An item was removed."""

    item_id: str


class ItemTruncated(_Server, frozen=True):
    """A spoken message was cut to what was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


class TranscriptionDelta(_Server, frozen=True):
    """More of what the user said."""

    item_id: str
    content_index: int
    delta: str
    logprobs: tuple[LogProb, ...] | None = None


class TranscriptionCompleted(_Server, frozen=True):
    """What the user said."""

    item_id: str
    content_index: int
    transcript: str
    seconds: float
    """Length of the audio, for the usage."""
    logprobs: tuple[LogProb, ...] | None = None
    tokens: TranscriptionTokens | None = None
    """The usage of models that count tokens; None of those that count seconds."""
    languages: tuple[str, ...] | None = None
    """Codes of the languages that were spoken; None unless the client asked by languages."""


class TranscriptionSegment(_Server, frozen=True):
    """A stretch of what the user said, with its place in time and its speaker."""

    item_id: str
    content_index: int
    id: str
    text: str
    speaker: str
    start: float
    """Seconds from the start of the item's audio."""
    end: float


class TranscriptionFailedEvent(_Server, frozen=True):
    """What the user said could not be recognised."""

    item_id: str
    content_index: int
    code: str
    message: str


class BufferCommitted(_Server, frozen=True):
    """Buffered audio became an item."""

    previous_item_id: str | None
    item_id: str


class BufferCleared(_Server, frozen=True):
    """The buffered audio was forgotten."""


class SpeechStarted(_Server, frozen=True):
    """The user began to speak."""

    audio_start_ms: int
    item_id: str


class SpeechStopped(_Server, frozen=True):
    """The user stopped speaking."""

    audio_end_ms: int
    item_id: str


class VoiceProbability(_Server, frozen=True):
    """How likely it is that somebody speaks, frame by frame.  An extension, told to clients that ask for it."""

    audio_end_ms: int
    """Where the last of the frames ends."""
    frame_ms: int
    """What each probability is about; the frames follow upon each other."""
    probabilities: tuple[float, ...]
    """0 to 1 each."""
    threshold: float
    """From where on a frame counts as speech."""


class TimeoutTriggered(_Server, frozen=True):
    """Nothing was said for so long after an answer that the server speaks again."""

    audio_start_ms: int
    audio_end_ms: int
    item_id: str


class OutputDucked(_Server, frozen=True):
    """The user makes a sound: the client may lower its volume.  An extension, told to clients that ask for it."""

    item_id: str
    """The assistant's message that is being played."""


class OutputRestored(_Server, frozen=True):
    """That sound was no interruption: the client may raise its volume again.  An extension like `OutputDucked`."""

    item_id: str


class OutputBufferStarted(_Server, frozen=True):
    """The server began to play a response; never on a WebSocket."""

    response_id: str


class OutputBufferStopped(_Server, frozen=True):
    """The server played a response to its end; never on a WebSocket."""

    response_id: str


class OutputBufferCleared(_Server, frozen=True):
    """The server stopped playing a response; never on a WebSocket."""

    response_id: str


class ResponseCreated(_Server, frozen=True):
    """An answer begins."""

    response: ResponseState


class ResponseDone(_Server, frozen=True):
    """An answer ended, however it ended."""

    response: ResponseState


class OutputItemAdded(_Server, frozen=True):
    """An answer's next item begins."""

    response_id: str
    output_index: int
    item: Item


class OutputItemDone(_Server, frozen=True):
    """An answer's item is final."""

    response_id: str
    output_index: int
    item: Item


class PartAdded(_Server, frozen=True):
    """A part of a message begins."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    part: Part


class PartDone(_Server, frozen=True):
    """A part of a message is final."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    part: Part


class TextDelta(_Server, frozen=True):
    """More written text."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: str


class TextDone(_Server, frozen=True):
    """All the written text."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    text: str


class TranscriptDelta(_Server, frozen=True):
    """More words of the audio."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: str


class TranscriptDone(_Server, frozen=True):
    """All the words of the audio."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    transcript: str


class AudioDelta(_Server, frozen=True):
    """More audio, in the response's output format."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: bytes


class AudioDone(_Server, frozen=True):
    """The audio is complete."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int


class ArgumentsDelta(_Server, frozen=True):
    """More of a function call's arguments."""

    response_id: str
    item_id: str
    output_index: int
    call_id: str
    delta: str


class ArgumentsDone(_Server, frozen=True):
    """A function call's arguments are complete."""

    response_id: str
    item_id: str
    output_index: int
    call_id: str
    name: str
    arguments: str


class McpArgumentsDelta(_Server, frozen=True):
    """More of the arguments of a remote tool's call."""

    response_id: str
    item_id: str
    output_index: int
    delta: str


class McpArgumentsDone(_Server, frozen=True):
    """The arguments of a remote tool's call are complete."""

    response_id: str
    item_id: str
    output_index: int
    arguments: str


class McpCallInProgress(_Server, frozen=True):
    """A remote tool is being called."""

    item_id: str
    output_index: int


class McpCallCompleted(_Server, frozen=True):
    """A remote tool returned."""

    item_id: str
    output_index: int


class McpCallFailed(_Server, frozen=True):
    """A remote tool could not be called, or failed."""

    item_id: str
    output_index: int


class McpListToolsInProgress(_Server, frozen=True):
    """A remote server is asked for its tools."""

    item_id: str


class McpListToolsCompleted(_Server, frozen=True):
    """A remote server's tools are known."""

    item_id: str


class McpListToolsFailed(_Server, frozen=True):
    """A remote server's tools cannot be had."""

    item_id: str


class RateLimits(_Server, frozen=True):
    """What the client may still use; generous and constant here."""

    is_early: bool
    """True for the one right after `response.created`, which the beta shape has; the GA shape has the other."""
    limit_tokens: int
    remaining_tokens: int


ServerEvent = (
    Error
    | SessionCreated
    | SessionUpdated
    | ConversationCreated
    | ItemAdded
    | ItemDone
    | ItemRetrieved
    | ItemDeleted
    | ItemTruncated
    | TranscriptionDelta
    | TranscriptionCompleted
    | TranscriptionSegment
    | TranscriptionFailedEvent
    | BufferCommitted
    | BufferCleared
    | SpeechStarted
    | SpeechStopped
    | VoiceProbability
    | TimeoutTriggered
    | OutputDucked
    | OutputRestored
    | OutputBufferStarted
    | OutputBufferStopped
    | OutputBufferCleared
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | PartAdded
    | PartDone
    | TextDelta
    | TextDone
    | TranscriptDelta
    | TranscriptDone
    | AudioDelta
    | AudioDone
    | ArgumentsDelta
    | ArgumentsDone
    | McpArgumentsDelta
    | McpArgumentsDone
    | McpCallInProgress
    | McpCallCompleted
    | McpCallFailed
    | McpListToolsInProgress
    | McpListToolsCompleted
    | McpListToolsFailed
    | RateLimits
    | TranslationEvent
)
