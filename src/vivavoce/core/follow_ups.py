"""Answers that a client asks for although it has them.

A response goes on after its remote calls, in the same breath.  With OpenAI it ends there, and clients ask for the next
one, some SDKs of their own accord; here that would say everything twice.  So a client that asks for no more than an
answer, right after one that followed upon remote calls, gets a response with nothing in it.  Called by
`core.answering`.
"""

from __future__ import annotations

from . import events as ev
from .conversation import Conversation
from .effects import Effect, Send
from .items import McpCall, Message
from .response import NewId, Response
from .settings import Settings, for_response
from .states import Usage

LATEST_SECONDS = 5.0
"""How long after a response a client may be taken to ask for what it had: more than any round trip."""


class FollowUps:
    """What became of the remote calls of the last response."""

    def __init__(self, conversation: Conversation, new_id: NewId) -> None:
        """Begin with nothing told.

        Args:
            conversation: whose answers these are.
            new_id: makes ids.
        """
        self._conversation = conversation
        self._new_id = new_id
        self._told: tuple[str, float] | None = None
        """The message that followed upon remote calls, and until when a client may ask for it."""

    def note(self, response: Response, now: float) -> None:
        """Take note of a response that is complete."""
        output = response.output
        has_calls = any(isinstance(item, McpCall) for item in output)
        is_told = has_calls and response.conversation is not None and isinstance(output[-1], Message)
        self._told = (output[-1].id, now + LATEST_SECONDS) if is_told else None

    def forget(self) -> None:
        """Take every request for an answer as it is."""
        self._told = None

    def take(self, event: ev.ResponseCreate, now: float) -> bool:
        """Return whether a client asks for what it was told just now; it is taken to do so once."""
        told, self._told = self._told, None
        if told is None or event.response or event.input is not None or event.conversation == "none":
            return False
        item_id, until = told
        return now <= until and self._conversation.last_id == item_id

    def empty(self, event: ev.ResponseCreate, settings: Settings) -> list[Effect]:
        """Return a response with nothing in it."""
        chosen = for_response(settings, {})
        response = Response(self._new_id("resp"), chosen, self._conversation, event.metadata, self._new_id)
        return [Send(response.created()), *map(Send, response.finish("completed", None, lambda _output: Usage()))]
