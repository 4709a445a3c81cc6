"""A response with what it is asked with and what it takes: all that `core.answering` keeps of one."""

from __future__ import annotations

import msgspec

from .conversation import Entry, understood, unheard_parts
from .effects import Effect, Recognise, Vocabulary
from .remote import RemoteCalls
from .reports import Spent
from .response import NewId, Response
from .states import Usage
from .tooling import Offer


class Reply(msgspec.Struct):
    """A response and what it is asked with."""

    response: Response
    context: tuple[Entry | str, ...]
    """What it is to know: items that came with it, and ids of items of the conversation."""
    calls: RemoteCalls
    """What it calls of remote tools."""
    is_whole: bool = False
    """Whether its context is the whole conversation."""
    unheard: dict[str, tuple[int, int]] = {}
    """Where audio is that came with it and is still being recognised, by the id of its utterance: its item's place in
    the context and its own in the item."""
    asked: tuple[Usage, ...] = ()
    """What each of its prompts takes; none until the brain was asked.  Counted then, for its end must not wait."""
    spent: tuple[Spent | None, ...] = ()
    """What the engine counted for each round that ended."""
    offer: Offer = Offer()
    """What the brain may call."""
    was_refused: bool = False
    """Whether the model has found a prompt of it too long."""

    def recognise(self, new_id: NewId, vocabulary: Vocabulary) -> list[Effect]:
        """Have audio that came with it understood."""
        out: list[Effect] = []
        for place, known in enumerate(self.context):
            for index, part in unheard_parts(known.item) if isinstance(known, Entry) else ():
                utterance = new_id("item")
                self.unheard[utterance] = (place, index)
                out.append(Recognise(utterance, part.audio, part.format, vocabulary))
        return out

    def understand(self, utterance: str, text: str) -> None:
        """Take in the words of such audio, if it is that."""
        if (place := self.unheard.pop(utterance, None)) is not None:
            self.context = tuple(
                understood(known, place[1], text) if index == place[0] and isinstance(known, Entry) else known
                for index, known in enumerate(self.context)
            )
