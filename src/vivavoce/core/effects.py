"""Effects: what a session asks of the world, in the order in which it is to be done.

A session returns them and does nothing itself; `server.call` performs them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .events import ServerEvent
from .formats import PCM_24K, AudioFormat
from .items import Item
from .settings import McpServer, Tool


class Vocabulary(msgspec.Struct, frozen=True):
    """What a session's own words are, so that a recogniser can expect them."""

    texts: tuple[str, ...] = ()
    """Free texts whose phrases are likely: instructions, descriptions, transcription prompt."""
    phrases: tuple[str, ...] = ()
    """Words and phrases that are likely by themselves: names of functions, values of enums, keywords."""
    language: str = ""
    """ISO 639-1 code the user speaks, empty when not told."""


class Prompt(msgspec.Struct, frozen=True):
    """Everything a brain needs for one answer: an unchanging snapshot."""

    response_id: str
    session_id: str
    model: str
    instructions: str
    items: tuple[Item, ...]
    """The context, oldest first; audio items carry their transcript where one is known."""
    said_at: tuple[float, ...]
    """For each item the session time at which it was made, in seconds."""
    now: float
    """The session time of this prompt, in seconds."""
    tools: tuple[Tool, ...] = ()
    tool_choice: str | dict[str, Any] = "auto"
    """`auto`, `none`, `required`, or `{"type": "function", "name": ...}`."""
    parallel_tool_calls: bool = True
    modality: str = "audio"
    """`audio` (with transcript) or `text`."""
    voice: str = "alloy"
    speed: float = 1.0
    """Factor of the speaking rate, 0.25 to 1.5."""
    output_format: AudioFormat = PCM_24K
    """What the audio of `Said` reports must be in."""
    temperature: float = 0.8
    max_output_tokens: int | None = None
    """None when unlimited."""
    reasoning_effort: str | None = None
    """`minimal` to `xhigh`; None for the model's own choice."""
    verbatim: str = ""
    """Where given, the answer is this text, and no language model is asked."""
    translate_to: str = ""
    """ISO 639-1 code: the answer is the last user message in that language, and nothing else."""
    language: str = ""
    """ISO 639-1 code of the language to speak in; empty for the synthesiser's own."""


class Send(msgspec.Struct, frozen=True):
    """Send an event to the legs."""

    event: ServerEvent


class Listen(msgspec.Struct, frozen=True):
    """Hear this audio; with `detect`, answer with `Heard` reports."""

    audio: bytes
    """Whole samples."""
    format: AudioFormat
    at: int
    """Tick of the first sample."""
    detect: bool
    """Whether voice activity is wanted."""


class Denoise(msgspec.Struct, frozen=True):
    """From here on, clean the audio that is recognised."""

    mode: str | None
    """`near_field`, `far_field`, or None to leave it as it is."""
    strength: float
    """From 0, which changes nothing, to 1."""


class Transcribe(msgspec.Struct, frozen=True):
    """Begin to recognise an utterance: the audio listened to from `start` on belongs to it."""

    item_id: str
    start: int
    """Tick; may lie up to a few seconds in the past."""
    vocabulary: Vocabulary
    delay: str = ""
    """How long words have to stay as they are before they count as stable: `minimal`, `low`, `medium`, `high` or
    `xhigh`; empty for the recogniser's own choice."""
    is_speech: bool = True
    """Whether voice activity began it; False where a client decides, who may send no speech at all."""
    asks_turn: bool = False
    """Whether what is said ends the turn, so that `Overheard.turn_over` should be as good as it can be."""


class Conclude(msgspec.Struct, frozen=True):
    """The utterance ends here; answer with `Transcribed` or `TranscriptionFailed`."""

    item_id: str
    end: int
    """Tick after its last sample."""


class Discard(msgspec.Struct, frozen=True):
    """Forget an utterance that was begun; nothing more is to be reported of it."""

    item_id: str


class Recognise(msgspec.Struct, frozen=True):
    """Recognise audio that came whole, in an item; answer as to `Conclude`."""

    item_id: str
    audio: bytes
    format: AudioFormat
    vocabulary: Vocabulary


class Expect(msgspec.Struct, frozen=True):
    """The session's own vocabulary is now this; a recogniser may prepare for it."""

    vocabulary: Vocabulary


class Answer(msgspec.Struct, frozen=True):
    """Ask the brain; answer with reports that carry the prompt's response id."""

    prompt: Prompt


class Abandon(msgspec.Struct, frozen=True):
    """Stop answering; whatever still comes for this response is ignored."""

    response_id: str


class ExpectEcho(msgspec.Struct, frozen=True):
    """The user is played this: tell in `Heard` how like it what is heard is, and whether somebody claims the turn."""

    audio: bytes
    """Whole samples."""
    format: AudioFormat
    at: int
    """Tick of the audio clock at which its first sample is played, as far as can be told."""


class Duck(msgspec.Struct, frozen=True):
    """Play on at a low volume until `Restore` or `ClearPlayout`, on legs that play audio: the user makes a sound."""


class Restore(msgspec.Struct, frozen=True):
    """Play at full volume again."""


class ListTools(msgspec.Struct, frozen=True):
    """Ask a remote MCP server for its tools; answer with `ToolsListed` or `ToolsUnavailable`."""

    item_id: str
    server: McpServer


class CallTool(msgspec.Struct, frozen=True):
    """Call a remote tool; answer with `ToolReturned` or `ToolFailed`."""

    item_id: str
    server: McpServer
    name: str
    arguments: str
    """A JSON object as text."""


class DropTool(msgspec.Struct, frozen=True):
    """Stop waiting for a remote server; whatever still comes for this item is ignored."""

    item_id: str


class Charge(msgspec.Struct, frozen=True):
    """Something was used that costs money."""

    usd: float


class ClearPlayout(msgspec.Struct, frozen=True):
    """Stop playing, on legs that play audio themselves."""


class Close(msgspec.Struct, frozen=True):
    """End the session and close its legs."""

    code: int
    """A WebSocket close code."""
    reason: str


Effect = (
    Send
    | Listen
    | Denoise
    | Transcribe
    | Conclude
    | Discard
    | Recognise
    | Expect
    | Answer
    | Abandon
    | ExpectEcho
    | Duck
    | Restore
    | ClearPlayout
    | ListTools
    | CallTool
    | DropTool
    | Charge
    | Close
)
