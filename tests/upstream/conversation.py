"""The items of a conversation."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from . import sounds
from .schema import Json, Refused

Hear = Callable[[float], str]
"""What is understood of so many seconds of audio."""


@dataclasses.dataclass
class Item:
    """One item."""

    shown: Json
    """As events show it."""
    audio: dict[int, bytearray] = dataclasses.field(default_factory=dict)
    """Audio of its parts by their index."""
    kind: str = "audio/pcm"
    """The format of its audio."""
    is_cut: bool = False
    """Whether it was truncated."""

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.shown["id"])

    def audio_ms(self, index: int) -> int:
        """How long the audio of a part is."""
        return len(self.audio.get(index, b"")) // sounds.FORMATS[self.kind]

    @property
    def total_audio_ms(self) -> int:
        """How long all of its audio is."""
        return sum(self.audio_ms(index) for index in self.audio)

    def text(self, hear: Hear) -> str:
        """Return its words as the model knows them."""
        if self.shown["type"] == "function_call":
            return f"{self.shown['name']}({self.shown['arguments']})"
        if self.shown["type"] == "function_call_output":
            return str(self.shown["output"])
        return " ".join(self._words(hear))

    def retrieved(self) -> Json:
        """Return it with its audio."""
        item = dict(self.shown)
        if "content" in item:
            item["content"] = [self._with_audio(index, part) for index, part in enumerate(item["content"])]
        return item

    def _with_audio(self, index: int, part: Json) -> Json:
        audio = self.audio.get(index)
        return part if audio is None else {**part, "audio": base64.b64encode(audio).decode()}

    def _words(self, hear: Hear) -> Iterator[str]:
        for index, part in enumerate(self.shown.get("content", ())):
            told = part.get("text") or part.get("transcript")
            if told is None and part["type"] == "input_audio" and self.audio.get(index):
                told = hear(self.audio_ms(index) / 1000)
            if told:
                yield told


class Conversation:
    """Items in their order."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        """Its id."""
        self.items: list[Item] = []
        """The items."""
        self._given: set[str] = set()

    def find(self, item_id: str) -> Item | None:
        """Return the item of an id."""
        return next((item for item in self.items if item.id == item_id), None)

    @property
    def last_id(self) -> str | None:
        """The id of the last item."""
        return self.items[-1].id if self.items else None

    def place(self, previous: str | None) -> int:
        """Return where an item goes that is to follow another one.

        Raises:
            Refused: there is no such item.

        """
        if not previous:
            return len(self.items)
        if previous == "root":
            return 0
        for index, item in enumerate(self.items):
            if item.id == previous:
                return index + 1
        told = f"Error adding item: the previous item with id '{previous}' does not exist."
        raise Refused("item_create_invalid_previous_item_id", told)

    def add(self, item: Item, place: int | None = None) -> str | None:
        """Let an item enter; returns the id of the one before it.

        Raises:
            Refused: there is one of that id already.

        """
        if item.id in self._given and self.find(item.id) is not None:
            told = f"Error adding item: an item with id '{item.id}' already exists."
            raise Refused("item_create_duplicate_item_id", told)
        place = len(self.items) if place is None else place
        self._given.add(item.id)
        self.items.insert(place, item)
        return self.items[place - 1].id if place else None

    def before(self, item: Item) -> str | None:
        """Return the id of the item before one."""
        place = self.items.index(item) if item in self.items else 0
        return self.items[place - 1].id if place else None

    def delete(self, item_id: str) -> None:
        """Take an item out.

        Raises:
            Refused: there is none of that id.

        """
        if (item := self.find(item_id)) is None:
            told = f"Error deleting item: the item with id '{item_id}' does not exist."
            raise Refused("item_delete_invalid_item_id", told)
        self.items.remove(item)

    def retrieve(self, item_id: str) -> Json:
        """Return an item with its audio.

        Raises:
            Refused: there is none of that id.

        """
        if (item := self.find(item_id)) is None:
            told = f"Error retrieving item: the item with id '{item_id}' does not exist."
            raise Refused("item_retrieve_invalid_item_id", told)
        return item.retrieved()

    def truncate(self, item_id: str, index: int, end_ms: int) -> None:
        """Cut the audio of an answer, and drop its words: nobody can tell which of them were heard.

        Raises:
            Refused: there is no such item, it has no audio, or less than that.

        """
        if (item := self.find(item_id)) is None:
            told = f"Error truncating item: the item with id '{item_id}' does not exist."
            raise Refused("item_truncate_invalid_item_id", told)
        if item.shown.get("role") != "assistant" or index not in item.audio:
            raise Refused("unsupported_content_type", "Only model output audio messages can be truncated")
        length_ms = item.audio_ms(index)
        if end_ms > length_ms:
            told = f"Audio content of {length_ms}ms is already shorter than {end_ms}ms"
            raise Refused("invalid_value", told)
        item.audio[index] = item.audio[index][: end_ms * sounds.FORMATS[item.kind]]
        item.is_cut = True
        content = item.shown["content"]
        if index < len(content):
            content[index] = {**content[index], "transcript": ""}

    def has_call(self, call_id: str) -> bool:
        """Return whether a function was called by that id."""
        return any(one.shown["type"] == "function_call" and one.shown.get("call_id") == call_id for one in self.items)

    @property
    def has_assistant_audio(self) -> bool:
        """Whether the model has spoken."""
        return any(item.shown.get("role") == "assistant" and item.audio for item in self.items)


def created(given: Json, new_id: Callable[[str], str], kind: str) -> Item:
    """Return the item that a client asks for; what it says of its state is not heeded."""
    shown: dict[str, Any] = {key: value for key, value in given.items() if value is not None and key != "object"}
    shown = {"id": shown.pop("id", "") or new_id("item"), **shown}
    item = Item(shown, kind=kind)
    if not shown["type"].startswith("mcp_"):
        shown["status"] = "completed"
    if shown["type"] == "function_call":
        shown.setdefault("call_id", new_id("call"))
    if "content" in shown:
        parts = []
        for index, part in enumerate(shown["content"]):
            part = dict(part)
            if part["type"] == "input_audio":
                if (audio := part.pop("audio", None)) is not None:
                    item.audio[index] = bytearray(base64.b64decode(audio))
                part.setdefault("transcript", None)
            parts.append(part)
        shown["content"] = parts
    return item
