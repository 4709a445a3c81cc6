"""Reading a text aloud: clauses with pauses between them, as an answer is spoken, but with nobody writing it.

Called by `server.rest`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from ..core.effects import Prompt
from ..core.formats import PCM_24K
from .api import Tts
from .clauses import Clause, ClauseCutter
from .voiceover import Voiceover

_SLICE_CHARACTERS = 2_000
"""How much of a long text is cut into clauses at a time: it takes a millisecond, and the loop goes on between two."""


async def read_aloud(tts: Tts, text: str, voice: str, speed: float) -> AsyncGenerator[bytes, None]:
    """Yield `text` spoken, as it is made: s16le mono at 24 kHz; closing the iterator stops the synthesis.

    Raises:
        EngineError: the synthesiser failed.
    """
    manner = Prompt("", "", "", "", (), (), 0.0, voice=voice, speed=speed, output_format=PCM_24K)
    voiceover = Voiceover(tts, manner)
    for clause in _clauses(text):
        async with aclosing(voiceover.speak(clause)) as said:
            async for piece in said:
                if piece.audio:
                    yield piece.audio


def _clauses(text: str) -> Iterator[Clause]:
    cutter = ClauseCutter()
    for start in range(0, len(text), _SLICE_CHARACTERS):
        yield from cutter.push(text[start : start + _SLICE_CHARACTERS])
    yield from cutter.flush()
