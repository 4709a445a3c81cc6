"""What clients say: events of the Realtime protocol in GA spelling, frozen; audio inside is `bytes`.

Dialects read them; those that know the protocol use them through `core.events`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .items import Item, ItemReference

__all__ = [
    "ClientEvent",
    "ConversationItemCreate",
    "ConversationItemDelete",
    "ConversationItemRetrieve",
    "ConversationItemTruncate",
    "InputAudioBufferAppend",
    "InputAudioBufferClear",
    "InputAudioBufferCommit",
    "OutputAudioBufferClear",
    "ResponseCancel",
    "ResponseCreate",
    "SessionClose",
    "SessionUpdate",
]


class _Client(msgspec.Struct, frozen=True, kw_only=True):
    event_id: str | None = None


class SessionUpdate(_Client, frozen=True, kw_only=True):
    """Change the settings: a deep partial merge."""

    session: dict[str, Any]
    """A checked change, keyed as `core.settings.SessionPatch` says."""


class SessionClose(_Client, frozen=True, kw_only=True):
    """Translate what has been said, and then end the session: for translation sessions alone."""


class InputAudioBufferAppend(_Client, frozen=True, kw_only=True):
    """More audio from the user."""

    audio: bytes
    """In the session's input format."""


class InputAudioBufferCommit(_Client, frozen=True, kw_only=True):
    """The buffered audio is the user's message."""


class InputAudioBufferClear(_Client, frozen=True, kw_only=True):
    """Forget the buffered audio."""


class OutputAudioBufferClear(_Client, frozen=True, kw_only=True):
    """Stop playing: for legs whose audio the server plays."""


class ConversationItemCreate(_Client, frozen=True, kw_only=True):
    """Insert an item."""

    item: Item
    """With an empty id when the client gave none."""
    previous_item_id: str | None = None
    """None appends, `root` puts it first, otherwise the item to insert after."""


class ConversationItemRetrieve(_Client, frozen=True, kw_only=True):
    """Ask for an item with its audio."""

    item_id: str


class ConversationItemDelete(_Client, frozen=True, kw_only=True):
    """Remove an item."""

    item_id: str


class ConversationItemTruncate(_Client, frozen=True, kw_only=True):
    """Tell how much of a spoken message was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ResponseCreate(_Client, frozen=True, kw_only=True):
    """Ask for an answer."""

    response: dict[str, Any]
    """Checked overrides, keyed as `core.settings.ResponsePatch` says."""
    conversation: str = "auto"
    """`auto` or `none`."""
    metadata: dict[str, str] | None = None
    input: tuple[Item | ItemReference, ...] | None = None
    """Context that replaces the conversation; None to use the conversation."""


class ResponseCancel(_Client, frozen=True, kw_only=True):
    """Stop an answer."""

    response_id: str | None = None


ClientEvent = (
    SessionUpdate
    | SessionClose
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemRetrieve
    | ConversationItemDelete
    | ConversationItemTruncate
    | ResponseCreate
    | ResponseCancel
)
