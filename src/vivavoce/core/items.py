"""Items: the messages, function calls and outputs that a conversation is a list of.

All are frozen; a changed item is a new one.  Spelled as in the GA protocol; the beta names are a dialect's business.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .formats import PCM_24K, AudioFormat

ItemStatus = Literal["in_progress", "completed", "incomplete"]
Role = Literal["system", "user", "assistant"]


class InputText(msgspec.Struct, frozen=True, tag_field="type", tag="input_text"):
    """Text that the user or the application wrote."""

    text: str


class InputAudio(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio"):
    """Audio that the user spoke, and what was understood of it."""

    audio: bytes = b""
    """The audio as it was received; empty when it was dropped to save memory or never given."""
    format: AudioFormat = PCM_24K
    """How `audio` is to be read."""
    transcript: str | None = None
    """The text as the client is shown it; None until it is known, or when the client did not ask for it."""
    heard: str | None = None
    """The text as the brain is given it; None until it is known."""
    is_silence: bool = False
    """Whether it stands for the user having been silent for too long."""
    dropped_ms: int = 0
    """How much audio there was before it was dropped."""

    @property
    def audio_ms(self) -> int:
        """How much audio the part has or had, in whole milliseconds."""
        return len(self.audio) // self.format.bytes_per_ms or self.dropped_ms

    @property
    def words(self) -> str:
        """What was understood so far, for a brain."""
        return (self.heard if self.heard is not None else self.transcript) or ""


class InputImage(msgspec.Struct, frozen=True, tag_field="type", tag="input_image"):
    """An image that the user shows."""

    image_url: str
    """A `data:` URI of a PNG or JPEG file."""
    detail: str = "auto"
    """`auto`, `low` or `high`."""


class OutputText(msgspec.Struct, frozen=True, tag_field="type", tag="output_text"):
    """Text that the assistant wrote."""

    text: str


class WordMark(msgspec.Struct, frozen=True):
    """A place where the words and the sound of a spoken part are known to coincide."""

    end_ms: int
    """Milliseconds from the start of the part's audio to the end of the word."""
    text_end: int
    """Characters of the part's transcript up to and including the word."""


class OutputAudio(msgspec.Struct, frozen=True, tag_field="type", tag="output_audio"):
    """Audio that the assistant spoke, with its transcript."""

    transcript: str = ""
    audio: bytes = b""
    """The audio as it was sent; empty when it was dropped to save memory."""
    format: AudioFormat = PCM_24K
    """How `audio` is to be read."""
    audio_ms: int = 0
    """How much audio the part has, also when `audio` is gone."""
    words: tuple[WordMark, ...] = ()
    """Ends of words, ascending; empty when the synthesiser gives none."""
    heard_ms: int | None = None
    """How much of it the user heard, as far as it was played by an interruption; None while it was not interrupted.
    Clients are shown the whole part all the same, until they truncate it; prompts hold what was heard."""


Part = InputText | InputAudio | InputImage | OutputText | OutputAudio


class Message(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    """One message of a conversation."""

    id: str
    role: Role
    content: tuple[Part, ...] = ()
    status: ItemStatus = "completed"


class FunctionCall(msgspec.Struct, frozen=True, tag_field="type", tag="function_call"):
    """The assistant's wish to have one of the session's functions called."""

    id: str
    call_id: str
    name: str
    arguments: str = ""
    """A JSON object as text, growing while the call is in progress."""
    status: ItemStatus = "completed"


class FunctionCallOutput(msgspec.Struct, frozen=True, tag_field="type", tag="function_call_output"):
    """What a called function returned, as the application tells it."""

    id: str
    call_id: str
    output: str
    status: ItemStatus = "completed"


class McpTool(msgspec.Struct, frozen=True):
    """A tool of a remote MCP server, as the server describes it."""

    name: str
    input_schema: dict[str, Any] = {}
    """JSON schema of the arguments."""
    description: str = ""
    annotations: dict[str, Any] | None = None


class McpListTools(msgspec.Struct, frozen=True, tag_field="type", tag="mcp_list_tools"):
    """The tools that a remote MCP server was found to have."""

    id: str
    server_label: str
    tools: tuple[McpTool, ...] = ()
    status: ItemStatus = "completed"
    """Not on the wire."""


class McpFault(msgspec.Struct, frozen=True):
    """Why a call of a remote tool failed."""

    type: str
    """`protocol_error`, `tool_execution_error` or `http_error`."""
    message: str
    code: int | None = None
    """That of JSON-RPC or HTTP; None for an error of the tool's own."""


class McpCall(msgspec.Struct, frozen=True, tag_field="type", tag="mcp_call"):
    """A call of a remote tool, with what came of it."""

    id: str
    server_label: str
    name: str
    arguments: str = ""
    approval_request_id: str | None = None
    output: str | None = None
    """What the tool returned; None until it did."""
    error: McpFault | None = None
    status: ItemStatus = "completed"
    """Not on the wire."""


class McpApprovalRequest(msgspec.Struct, frozen=True, tag_field="type", tag="mcp_approval_request"):
    """The brain's wish to call a remote tool, which the application has to approve."""

    id: str
    server_label: str
    name: str
    arguments: str = ""
    status: ItemStatus = "completed"
    """Not on the wire."""


class McpApprovalResponse(msgspec.Struct, frozen=True, tag_field="type", tag="mcp_approval_response"):
    """The application's decision on an approval request."""

    id: str
    approval_request_id: str
    approve: bool
    reason: str | None = None
    status: ItemStatus = "completed"
    """Not on the wire."""


McpItem = McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse
Item = Message | FunctionCall | FunctionCallOutput | McpItem


class ItemReference(msgspec.Struct, frozen=True, tag_field="type", tag="item_reference"):
    """Stands for an item of the conversation in the `input` of a response."""

    id: str
