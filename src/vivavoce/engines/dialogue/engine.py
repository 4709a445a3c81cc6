"""The dialogue engine as a language model: a prompt in, thoughts out.

Stateless: whatever it knows of a conversation it reads from the prompt.  Deterministic but for the wall clock, which
is given to it.  Called by `engines.cascade`.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable
from datetime import datetime

from ...core.effects import Prompt
from ...core.service import Abilities
from ..api import CallArgued, CallBegan, Stopped, Thought, Wrote
from .conversation import Conversation

_CHARACTERS_PER_TOKEN = 4
"""About what the tokens of English text hold."""
_PIECE = re.compile(r"\S+\s*|\s+")


def _local_time() -> datetime:
    return datetime.now().astimezone()


class DialogueLlm:
    """Answers by rules; needs no model, no network and next to no time."""

    def __init__(self, clock: Callable[[], datetime] = _local_time) -> None:
        self._clock = clock

    @property
    def abilities(self) -> Abilities:
        """It reads English text, and no more."""
        return Abilities()

    async def ready(self) -> None:
        """Return at once."""

    async def close(self) -> None:
        """Nothing is held."""

    async def answer(self, prompt: Prompt) -> AsyncGenerator[Thought, None]:
        """Yield the answer to `prompt`, in words as a model would write it."""
        answer = Conversation(prompt, self._clock()).answer()
        left = (prompt.max_output_tokens or 1 << 30) * _CHARACTERS_PER_TOKEN
        if isinstance(answer, str):
            for piece in _PIECE.findall(answer):
                if len(piece.rstrip()) > left:
                    yield Stopped("max_output_tokens")
                    return
                left -= len(piece)
                yield Wrote(piece)
        else:
            for call in answer:
                arguments = json.dumps(call.arguments, ensure_ascii=False)
                yield CallBegan(call.name)
                yield CallArgued(arguments[:left])
                left -= len(arguments)
                if left < 0:
                    yield Stopped("max_output_tokens")
                    return
        yield Stopped()
