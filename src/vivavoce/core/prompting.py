"""What a brain is asked for one answer: a snapshot of all that the answer depends on.

Called by `core.answering`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .context import Window
from .conversation import Conversation, Entry, as_heard
from .effects import Prompt
from .errors import ProtocolError
from .items import Item, ItemReference
from .reply import Reply
from .response import Response
from .settings import Settings
from .states import Usage
from .tooling import Offer, as_told
from .usage import Prefix


class Prompting:
    """Makes the prompts of one session, and counts them."""

    def __init__(self, session_id: str, conversation: Conversation, context_tokens: int) -> None:
        self._session_id = session_id
        self._conversation = conversation
        self._window = Window(context_tokens)
        self._prefix = Prefix()

    def context(self, given: tuple[Item | ItemReference, ...] | None, now: float) -> tuple[Entry | str, ...]:
        """Return what a response is to know: items that came with it, and ids of items of the conversation.

        Raises:
            ProtocolError: an item that is referred to is not there.
        """
        if given is None:
            return self._conversation.ids
        context: list[Entry | str] = []
        for index, item in enumerate(given):
            if not isinstance(item, ItemReference):
                context.append(Entry(item, now))
            elif item.id in self._conversation:
                context.append(item.id)
            else:
                raise ProtocolError(
                    "invalid_value", f"Item with item_id not found: {item.id}", f"response.input[{index}].id"
                )
        return tuple(context)

    def prompt(self, reply: Reply, settings: Settings, now: float) -> tuple[Prompt, Usage]:
        """Return the prompt of a response, or of its next round once it has made something, and what it takes.

        Raises:
            ProtocolError: it is too long for the model.
        """
        response = reply.response
        made = [Entry(item, now) for item in response.output]
        entries = as_told([*self._entries(reply.context), *made], reply.offer.targets)
        whole = prompt_of(response, self._session_id, settings.model, entries, reply.offer, now)
        prompt = self._window.fit(whole, settings.truncation, is_whole=reply.is_whole, was_refused=reply.was_refused)
        return prompt, self._prefix.count(prompt, is_kept=reply.is_whole)

    def verbatim(self, response: Response, words: str, settings: Settings, now: float) -> Prompt:
        """Return the prompt of a response that is to say just these words."""
        prompt = prompt_of(response, self._session_id, settings.model, (), Offer(choice="none"), now)
        return msgspec.structs.replace(prompt, verbatim=words)

    def _entries(self, context: tuple[Entry | str, ...]) -> list[Entry]:
        """Return what is there of a context: no item that is gone, and none that is not finished."""
        found = (self._conversation.entry(known) if isinstance(known, str) else known for known in context)
        return [entry for entry in found if entry is not None and entry.item.status != "in_progress"]


def prompt_of(
    response: Response, session_id: str, model: str, entries: Sequence[Entry], offer: Offer, now: float
) -> Prompt:
    """Return the prompt of a response, or of its next round once it has made something."""
    chosen = response.settings
    return Prompt(
        response_id=response.id,
        session_id=session_id,
        model=model,
        instructions=chosen.instructions,
        items=tuple(as_heard(entry.item) for entry in entries),
        said_at=tuple(entry.said_at for entry in entries),
        now=now,
        tools=offer.tools,
        # What was demanded is done once something was called: to demand it again would never end.
        tool_choice="auto" if response.output and offer.choice != "none" else offer.choice,
        parallel_tool_calls=chosen.parallel_tool_calls is not False,
        modality="audio" if "audio" in chosen.output_modalities else "text",
        voice=chosen.voice,
        speed=chosen.speed,
        output_format=chosen.output_format,
        temperature=chosen.temperature,
        max_output_tokens=chosen.max_output_tokens,
        reasoning_effort=(chosen.reasoning or {}).get("effort"),
    )
