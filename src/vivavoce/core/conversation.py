"""The conversation: an ordered list of items that can be inserted into, deleted from and truncated.

It also bounds the memory that a long session takes: audio of the oldest items is let go first, their text stays.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .errors import ProtocolError
from .formats import AudioFormat
from .items import FunctionCall, FunctionCallOutput, InputAudio, Item, Message, OutputAudio, Part

TRUNCATE_TOLERANCE_MS = 50
"""A client that measures playback by a wall clock may overshoot by about one frame of its sound card."""


class Entry(msgspec.Struct, frozen=True):
    """An item and when it came."""

    item: Item
    said_at: float
    """Session time in seconds."""


class Conversation:
    """The items of a session, in order."""

    def __init__(self, id: str, *, max_items: int, max_audio_bytes: int) -> None:  # noqa: A002 - the wire name
        self.id = id
        self.max_items = max_items
        self.max_audio_bytes = max_audio_bytes
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []
        self._audio_bytes = 0
        self._has_spoken = False

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._entries

    def __len__(self) -> int:
        return len(self._order)

    @property
    def last_id(self) -> str | None:
        """The id of the last item, None when there is none."""
        return self._order[-1] if self._order else None

    @property
    def has_spoken(self) -> bool:
        """Whether the assistant ever produced audio, after which its voice is fixed."""
        return self._has_spoken

    @property
    def is_full(self) -> bool:
        """Whether no further item may enter."""
        return len(self._order) >= self.max_items

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all items in order."""
        return tuple(self._order)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries in order."""
        return tuple(self._entries[id_] for id_ in self._order)

    def find(self, item_id: str) -> Item | None:
        """Return the item of that id, or None."""
        entry = self._entries.get(item_id)
        return None if entry is None else entry.item

    def previous_id(self, item_id: str) -> str | None:
        """Return the id of the item before that one; None for the first one and for one that is gone."""
        if item_id not in self._entries:
            return None
        index = self._order.index(item_id)
        return self._order[index - 1] if index else None

    def entry(self, item_id: str) -> Entry | None:
        """Return the entry of that id, or None."""
        return self._entries.get(item_id)

    def has_call(self, call_id: str) -> bool:
        """Return whether a function call of that `call_id` is part of the conversation."""
        return any(isinstance(e.item, FunctionCall) and e.item.call_id == call_id for e in self._entries.values())

    # ------------------------------------------------------------------------------------------------- changes

    def check_insert(self, item: Item, previous_item_id: str | None) -> None:
        """Raise `ProtocolError` when the item cannot be inserted there."""
        if item.id in self._entries:
            raise duplicate(item.id)
        if previous_item_id and previous_item_id != "root" and previous_item_id not in self._entries:
            raise ProtocolError(
                "item_create_invalid_previous_item_id",
                f"Error adding item: the previous item with id '{previous_item_id}' does not exist.",
            )
        if isinstance(item, FunctionCallOutput) and not self.has_call(item.call_id):
            raise ProtocolError("invalid_tool_call_id", f"Tool call ID '{item.call_id}' not found in conversation.")

    def insert(self, item: Item, now: float, previous_item_id: str | None = None) -> str | None:
        """Insert a checked item and return the id of the item before it: None at the front.

        A conversation that is full lets its oldest item go.
        """
        if self.is_full:
            oldest = next(id_ for id_ in self._order if id_ != previous_item_id)
            self.delete(oldest)
        if previous_item_id == "root":
            index = 0
        elif previous_item_id:
            index = self._order.index(previous_item_id) + 1
        else:
            index = len(self._order)
        self._order.insert(index, item.id)
        self._store(Entry(item, now))
        return self._order[index - 1] if index else None

    def replace(self, item: Item) -> bool:
        """Put a new state of an item in place of its old one; return False when it was deleted meanwhile."""
        entry = self._entries.get(item.id)
        if entry is None:
            return False
        self._audio_bytes -= _audio_bytes(entry.item)
        self._store(Entry(item, entry.said_at))
        return True

    def delete(self, item_id: str) -> None:
        """Remove an item.

        Raises:
            ProtocolError: there is none of that id.
        """
        entry = self._entries.pop(item_id, None)
        if entry is None:
            raise ProtocolError(
                "item_delete_invalid_item_id",
                f"Error deleting item: the item with id '{item_id}' does not exist.",
            )
        self._audio_bytes -= _audio_bytes(entry.item)
        self._order.remove(item_id)

    def retrieve(self, item_id: str) -> Item:
        """Return an item.

        Raises:
            ProtocolError: there is none of that id.
        """
        entry = self._entries.get(item_id)
        if entry is None:
            raise ProtocolError(
                "item_retrieve_invalid_item_id",
                f"Error retrieving item: the item with id '{item_id}' does not exist.",
            )
        return entry.item

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> Item:
        """Cut a spoken message to what was heard and return it.

        Raises:
            ProtocolError: there is no such audio, or it is shorter than that already.
        """
        entry = self._entries.get(item_id)
        if entry is None:
            raise ProtocolError(
                "item_truncate_invalid_item_id",
                f"Error truncating item: the item with id '{item_id}' does not exist.",
            )
        item = entry.item
        if not isinstance(item, Message) or item.role != "assistant":
            raise not_audio()
        check_content_index(content_index, len(item.content))
        part = item.content[content_index]
        if not isinstance(part, OutputAudio):
            raise not_audio()
        check_audio_end(audio_end_ms, part.audio_ms)
        content = list(item.content)
        content[content_index] = truncated(part, audio_end_ms)
        cut = msgspec.structs.replace(item, content=tuple(content))
        self.replace(cut)
        return cut

    def hear(self, item_id: str, heard_ms: int) -> None:
        """Note that the user heard only so much of a spoken message, unless somebody knew better before."""
        item = self.find(item_id)
        if isinstance(item, Message):
            content = tuple(
                msgspec.structs.replace(part, heard_ms=heard_ms)
                if isinstance(part, OutputAudio) and part.heard_ms is None
                else part
                for part in item.content
            )
            self.replace(msgspec.structs.replace(item, content=content))

    def _store(self, entry: Entry) -> None:
        item = entry.item
        self._entries[item.id] = entry
        self._audio_bytes += _audio_bytes(item)
        if isinstance(item, Message) and any(isinstance(p, OutputAudio) and p.audio_ms for p in item.content):
            self._has_spoken = True
        if self._audio_bytes > self.max_audio_bytes:
            self._release_audio(keep=item.id)

    def _release_audio(self, keep: str) -> None:
        for id_ in self._order:
            if self._audio_bytes <= self.max_audio_bytes:
                return
            entry = self._entries[id_]
            size = _audio_bytes(entry.item)
            if size and id_ != keep and isinstance(entry.item, Message):
                self._audio_bytes -= size
                content = tuple(_without_audio(p) for p in entry.item.content)
                self._entries[id_] = Entry(msgspec.structs.replace(entry.item, content=content), entry.said_at)


def in_format(item: Item, format_: AudioFormat) -> Item:
    """Return an item whose audio, if it has any, is read in the session's input format."""
    if not isinstance(item, Message) or not any(isinstance(part, InputAudio) for part in item.content):
        return item
    content = tuple(
        InputAudio(
            part.audio[: len(part.audio) // format_.bytes_per_sample * format_.bytes_per_sample],
            format_,
            part.transcript,
            part.transcript,
        )
        if isinstance(part, InputAudio)
        else part
        for part in item.content
    )
    return msgspec.structs.replace(item, content=content)


def duplicate(item_id: str) -> ProtocolError:
    """Return the error for creating an item whose id is taken."""
    return ProtocolError(
        "item_create_duplicate_item_id", f"Error adding item: an item with id '{item_id}' already exists."
    )


def unused(make_id: Callable[[str], str], conversation: Conversation) -> Callable[[str], str]:
    """Return `make_id`, but for ids of items that a client has already given to one of its own."""

    def new_id(kind: str) -> str:
        new = make_id(kind)
        if kind == "item":
            while new in conversation:
                new = make_id(kind)
        return new

    return new_id


def full(items: int, event_id: str | None) -> ProtocolError:
    """Return the error for creating an item in a conversation that holds all it may."""
    text = f"The conversation holds {items} items, which is the most it may."
    return ProtocolError("conversation_full", text, event_id=event_id)


def not_audio() -> ProtocolError:
    """Return the error for truncating what is no audio of the assistant."""
    return ProtocolError("unsupported_content_type", "Only model output audio messages can be truncated")


def check_content_index(content_index: int, parts: int) -> None:
    """Raise `ProtocolError` unless a message has that part."""
    if content_index >= parts:
        raise ProtocolError(
            "invalid_value", f"Error truncating item: it has no content part {content_index}.", "content_index"
        )


def check_audio_end(audio_end_ms: int, audio_ms: int) -> None:
    """Raise `ProtocolError` when a part's audio ends clearly before the place where it is to be cut."""
    if audio_end_ms > audio_ms + TRUNCATE_TOLERANCE_MS:
        raise ProtocolError("invalid_value", f"Audio content of {audio_ms}ms is already shorter than {audio_end_ms}ms")


def cut_audio(part: OutputAudio, audio_end_ms: int) -> OutputAudio:
    """Return the part as it was heard up to `audio_end_ms`: the audio, and the words that had ended by then.

    Without known word ends no text is kept, so that the text never runs ahead of the sound.
    """
    if audio_end_ms >= part.audio_ms:
        return part
    words = tuple(word for word in part.words if word.end_ms <= audio_end_ms)
    return OutputAudio(
        transcript=part.transcript[: words[-1].text_end] if words else "",
        audio=part.audio[: audio_end_ms * part.format.bytes_per_ms],
        format=part.format,
        audio_ms=audio_end_ms,
        words=words,
    )


def truncated(part: OutputAudio, audio_end_ms: int) -> OutputAudio:
    """Return the part as the client that played it says it was heard, which no estimate changes any more."""
    cut = cut_audio(part, audio_end_ms)
    return msgspec.structs.replace(cut, heard_ms=cut.audio_ms)


def as_heard(item: Item) -> Item:
    """Return an item with no more of its speech than the user heard."""
    if not isinstance(item, Message) or not any(_is_unheard(part) for part in item.content):
        return item
    return msgspec.structs.replace(item, content=tuple(_heard(part) for part in item.content))


def _is_unheard(part: Part) -> bool:
    """Return whether the user heard less of a part than there is."""
    if not isinstance(part, OutputAudio) or part.heard_ms is None:
        return False
    # Text of which no sound was sent yet was not heard either.
    return part.heard_ms < part.audio_ms or (not part.audio_ms and bool(part.transcript))


def _heard(part: Part) -> Part:
    if not isinstance(part, OutputAudio) or part.heard_ms is None or not _is_unheard(part):
        return part
    return cut_audio(part, part.heard_ms) if part.audio_ms else msgspec.structs.replace(part, transcript="")


def unheard_parts(item: Item) -> list[tuple[int, InputAudio]]:
    """Return the audio of a message that came without words, with its places in the message."""
    content = item.content if isinstance(item, Message) else ()
    return [
        (index, part)
        for index, part in enumerate(content)
        if isinstance(part, InputAudio) and part.audio and part.heard is None
    ]


def understood(entry: Entry, place: int, text: str) -> Entry:
    """Return a message with the words of its audio at a place."""
    assert isinstance(entry.item, Message)
    content = tuple(
        msgspec.structs.replace(part, heard=text) if isinstance(part, InputAudio) and index == place else part
        for index, part in enumerate(entry.item.content)
    )
    return Entry(msgspec.structs.replace(entry.item, content=content), entry.said_at)


def _audio_bytes(item: Item) -> int:
    if not isinstance(item, Message):
        return 0
    return sum(len(part.audio) for part in item.content if isinstance(part, InputAudio | OutputAudio))


def _without_audio(part: Part) -> Part:
    if isinstance(part, InputAudio):
        return msgspec.structs.replace(part, audio=b"", dropped_ms=part.audio_ms)
    return msgspec.structs.replace(part, audio=b"") if isinstance(part, OutputAudio) else part
