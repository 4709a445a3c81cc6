"""How much of a conversation a model is told: its oldest items are left out where its context is too small for all.

They stay in the conversation and nobody is told.  Instructions and tools are never left out, a call goes together with
what it returned, and the newest item stays whatever its size.  How, the client's `truncation` says:

- `auto` leaves out no more than it must;
- `retention_ratio` leaves out so much at once that a fraction of the room is taken, and what was left out stays out:
  so the beginning of many prompts in a row is the same, and can be cached;
- `disabled` makes the response fail instead.

Sizes are tokens by the protocol's accounting, or by the text where that is more.  Called by `core.prompting`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .effects import Prompt
from .errors import ProtocolError
from .items import FunctionCall, FunctionCallOutput, InputAudio, Item, Message, OutputAudio
from .usage import head_tokens, item_tokens, text_tokens

TOO_LONG = "context_length_exceeded"
"""The error code of a prompt that is longer than the model's context, ours and that of chat endpoints."""
OUTPUT_TOKENS = 4096
"""Kept free for an answer that is not limited: as much as the protocol's own models ever say in one."""
MESSAGE_TOKENS = 4
"""What chat models take for each message besides its text: who speaks, where it begins and ends."""


class Window:
    """What one session's prompts may hold."""

    def __init__(self, context_tokens: int) -> None:
        """Begin with nothing left out; a prompt and its answer may take `context_tokens` together."""
        self._context_tokens = context_tokens
        self._most: int | None = None
        """Tokens of a prompt that the model is known to refuse no longer; None until it refused one."""
        self._left_out: set[str] = set()
        """Ids of items of the conversation that are left out for good."""

    def fit(
        self, prompt: Prompt, truncation: str | Mapping[str, Any], *, is_whole: bool, was_refused: bool = False
    ) -> Prompt:
        """Return the prompt with as much as the model takes.

        Args:
            prompt: with everything.
            truncation: the session's setting.
            is_whole: whether it is made of the conversation, and not of items chosen for it alone.
            was_refused: whether the model refused what was returned for it before; half as much is tried then.

        Raises:
            ProtocolError: it is too long and may not be shortened, or not any more.
        """
        fixed = head_tokens(prompt)
        limit = self._limit(prompt)
        if truncation == "disabled":
            return _checked(prompt, fixed + sum(map(_size, prompt.items)), limit)
        ratio, room = 1.0, limit - fixed
        if isinstance(truncation, Mapping):
            ratio = truncation["retention_ratio"]
            room = min(room, (truncation.get("token_limits") or {}).get("post_instructions", room))
        if not is_whole:
            return self._again(_without(prompt, _surplus(prompt.items, room, ratio)), fixed, was_refused)
        present = {item.id for item in prompt.items}
        self._left_out = self._left_out & present if ratio < 1.0 else set()
        kept = _without(prompt, self._left_out)
        surplus = _surplus(kept.items, room, ratio)
        self._left_out |= surplus
        return self._again(_without(kept, surplus), fixed, was_refused)

    def _limit(self, prompt: Prompt) -> int:
        """Return the most tokens that a prompt may have."""
        if self._most is not None:
            return self._most
        wanted = prompt.max_output_tokens
        # Small models have contexts that the protocol's usual answer would fill.
        reserved = min(OUTPUT_TOKENS, self._context_tokens // 4) if wanted is None else wanted
        return self._context_tokens - min(reserved, self._context_tokens // 2)

    def _again(self, prompt: Prompt, fixed: int, was_refused: bool) -> Prompt:
        """Return a prompt, or half of it where the model refused it."""
        if not was_refused:
            return prompt
        size = fixed + sum(map(_size, prompt.items))
        self._most = max(1, size // 2)
        shorter = _without(prompt, _surplus(prompt.items, self._most - fixed, 1.0))
        if len(shorter.items) == len(prompt.items):
            raise ProtocolError(TOO_LONG, f"The newest item alone is more than the model takes: about {size} tokens.")
        return shorter


def _checked(prompt: Prompt, size: int, limit: int) -> Prompt:
    if size > limit:
        raise ProtocolError(
            TOO_LONG,
            f"The input of about {size} tokens is longer than the {limit} tokens that the model takes beside its "
            "answer, and truncation is disabled. Delete items, or set 'truncation' to 'auto'.",
        )
    return prompt


def _size(item: Item) -> int:
    """Return the tokens of an item."""
    written = 0
    if isinstance(item, Message):
        # A model that reads what was said is given its words, whatever the sound costs.
        spoken = (
            part.words if isinstance(part, InputAudio) else part.transcript
            for part in item.content
            if isinstance(part, InputAudio | OutputAudio)
        )
        written = sum(map(text_tokens, spoken))
    text, audio, image = item_tokens(item)
    return text + image + max(audio, written) + MESSAGE_TOKENS


def _surplus(items: Sequence[Item], room: int, ratio: float) -> set[str]:
    """Return the ids of the oldest items that do not fit into the room; of a room that is left, a share is used."""
    sizes = {item.id: _size(item) for item in items}
    used = sum(sizes.values())
    if used <= room:
        return set()
    together: dict[str, set[str]] = {}
    for item in items:
        if isinstance(item, FunctionCall | FunctionCallOutput):
            together.setdefault(item.call_id, set()).add(item.id)
    groups = [
        together[item.call_id] if isinstance(item, FunctionCall | FunctionCallOutput) else {item.id} for item in items
    ]
    newest = groups[-1] if groups else set()
    out: set[str] = set()
    for group in groups:
        if used <= room * ratio:
            break
        if group is not newest and not group <= out:
            out |= group
            used -= sum(sizes[id_] for id_ in group)
    return out


def _without(prompt: Prompt, ids: set[str]) -> Prompt:
    """Return a prompt without some of its items."""
    if not ids:
        return prompt
    kept = [(item, at) for item, at in zip(prompt.items, prompt.said_at, strict=True) if item.id not in ids]
    return msgspec.structs.replace(prompt, items=tuple(item for item, _ in kept), said_at=tuple(at for _, at in kept))
