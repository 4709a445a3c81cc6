"""A conversation that is typed: each line is a turn, and its answer is read, and recorded where that is asked for."""

from __future__ import annotations

import asyncio
from typing import Any, TextIO

from ..legs.line import Line
from .captions import Captions
from .player import HastyPlayer, Recording
from .talking import Conversation
from .together import within


class Typing:
    """The user's side of a conversation, typed."""

    def __init__(self, line: Line, captions: Captions, recording: Recording, timeout: float) -> None:
        self._line = line
        self._timeout = timeout
        self._conversation = Conversation(HastyPlayer(recording), captions)

    async def begin(self, settings: dict[str, Any]) -> None:
        """Tell the server the settings.

        Raises:
            Failure: it does not accept them.
            LineError: the line broke.
        """
        await self._conversation.begin(self._line, settings, self._timeout)

    async def hold(self, stream: TextIO) -> None:
        """Have each line answered, until there are no more.

        Raises:
            LineError: the line broke.
        """
        while typed := await self._typed(stream):
            if typed.strip():
                await self._ask(typed.strip())

    async def _typed(self, stream: TextIO) -> str:
        """Return the next line, empty at the end."""
        if stream.isatty():
            print("you: ", end="", flush=True)
            return await asyncio.get_running_loop().run_in_executor(None, stream.readline)
        return stream.readline()

    async def _ask(self, text: str) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self._line.send({"type": "conversation.item.create", "item": item})
        await self._line.send({"type": "response.create"})
        while True:
            event = await within(self._timeout, anext(self._line), "an answer")
            self._conversation.take(event)
            if event["type"] in ("response.done", "error"):
                return
