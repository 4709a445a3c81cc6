"""A brain made of a language model and a synthesiser: it speaks while the model is still writing.

The model's text is cut into clauses, each clause is synthesised and leaves as pieces of audio together with the words
that begin in them.  Not a pacer: pieces leave as fast as they are made and taken.  Called by `server.call`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import TypeVar

import msgspec

from ..core.effects import Prompt
from ..core.errors import EngineError
from ..core.reports import Answered, Argued, BrainReport, Called, Said
from ..core.service import Abilities
from .api import CallArgued, CallBegan, Llm, Stopped, Thought, Tts, Wrote
from .clauses import Clause, ClauseCutter
from .voiceover import Voiceover

T = TypeVar("T")

_AHEAD = 256
"""Thoughts (about as many tokens) that the model may be ahead of the voice before it has to wait."""


class Cascade:
    """Answers with what `llm` writes, spoken by `tts`."""

    def __init__(self, llm: Llm, tts: Tts) -> None:
        self._llm = llm
        self._tts = tts

    @property
    def abilities(self) -> Abilities:
        """What the language model can do."""
        return self._llm.abilities

    async def ready(self) -> None:
        """Return when both engines are.

        Raises:
            EngineError: one of them cannot be used.
        """
        await self._llm.ready()
        await self._tts.ready()

    async def close(self) -> None:
        """Free both engines."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._llm.close)
            stack.push_async_callback(self._tts.close)

    async def answer(self, prompt: Prompt) -> AsyncGenerator[BrainReport, None]:
        """Yield the answer to `prompt`, ending with `Answered`; closing the iterator stops model and voice at once.

        Raises:
            EngineError: the model or the synthesiser failed.
        """
        if prompt.translate_to and prompt.modality == "audio":
            # What cannot be read aloud is of no use to somebody who listens.
            prompt = msgspec.structs.replace(prompt, instructions=self._tts.scripts.get(prompt.translate_to, ""))
        script = _Script(prompt, self._tts)
        source = _recited(prompt.verbatim) if prompt.verbatim else self._llm.answer(prompt)
        async with aclosing(source) as thoughts, aclosing(_read_ahead(thoughts)) as ahead:
            async for thought in ahead:
                async with aclosing(script.perform(thought)) as reports:
                    async for report in reports:
                        yield report
                if isinstance(thought, Stopped):
                    return
        raise EngineError("The language model ended without finishing its answer.", "llm_cut_off")


async def _recited(text: str) -> AsyncGenerator[Thought, None]:
    """Think of nothing but a given text."""
    yield Wrote(text)
    yield Stopped()


class _Script:
    """One answer on its way from thoughts to reports."""

    def __init__(self, prompt: Prompt, tts: Tts) -> None:
        self._prompt = prompt
        self._tts = tts
        self._begin_message()

    def _begin_message(self) -> None:
        self._cutter = ClauseCutter(self._prompt.language)
        self._voice = Voiceover(self._tts, self._prompt)

    async def perform(self, thought: Thought) -> AsyncGenerator[BrainReport, None]:
        """Yield what one thought makes the brain report."""
        response_id = self._prompt.response_id
        match thought:
            case Wrote(text):
                if self._prompt.modality == "text":
                    if text:
                        yield Said(response_id, text)
                    return
                async with aclosing(self._speak(self._cutter.push(text))) as said:
                    async for report in said:
                        yield report
            case CallArgued(delta):
                yield Argued(response_id, delta)
            case CallBegan() | Stopped():
                async with aclosing(self._speak(self._cutter.flush())) as said:
                    async for report in said:
                        yield report
                self._begin_message()
                if isinstance(thought, CallBegan):
                    yield Called(response_id, thought.name, thought.call_id)
                else:
                    yield Answered(response_id, thought.reason, thought.spent)

    async def _speak(self, clauses: list[Clause]) -> AsyncGenerator[Said, None]:
        for clause in clauses:
            async with aclosing(self._voice.speak(clause)) as said:
                async for report in said:
                    yield report


async def _read_ahead(source: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Yield what `source` yields, and let it go on meanwhile, at most `_AHEAD` things ahead."""
    queue: asyncio.Queue[tuple[T] | None] = asyncio.Queue()
    room = asyncio.Semaphore(_AHEAD)

    async def fill() -> None:
        async for thing in source:
            await room.acquire()
            queue.put_nowait((thing,))

    filling = asyncio.create_task(fill(), name="model writing ahead")
    filling.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (entry := await queue.get()) is not None:
            room.release()
            yield entry[0]
        await filling
    finally:
        filling.cancel()
        await asyncio.wait((filling,))
        if not filling.cancelled():
            # Its failure was raised above, or came too late to matter to anyone.
            filling.exception()
