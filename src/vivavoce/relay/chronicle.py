"""The chronicle: what a conversation has come to, in GA spelling, so that another server can be told it.

Settings are those that the client asked for, not what a server made of them: the next one has defaults of its own.
Items are kept as the protocol shows them, without audio.  A server takes audio of the user alone: what an assistant
said becomes its text, a remote call becomes a note of what it returned.  Called by `relay.session`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from . import peek
from .terms import Object

_UNHEARD = "(speech that was not transcribed)"
"""Stands for what a user said whose audio is no longer here and whose words never were."""
_UNSEEN = "(a picture that is no longer here)"
"""Stands for a picture that was let go, or that no server has shown."""
_MOST_ITEMS = 10_000
"""As many as our own sessions hold."""
_MIDWAY = frozenset(("in_progress", "incomplete"))
_NOT_MADE_BY_CLIENTS = frozenset(("mcp_list_tools", "mcp_approval_request", "mcp_approval_response"))
"""Items that follow from a server's own dealings with remote tools: the next server has its own."""
_MERGED = ("audio", "input", "output", "transcription", "noise_reduction")
"""Objects of which a change that leaves out a field keeps it."""
_READ_ONLY = ("id", "object", "expires_at", "client_secret", "model")


class Chronicle:
    """Settings and items of one conversation."""

    def __init__(self, keep_bytes: int, items_bytes: int) -> None:
        """Begin with nothing said.

        Args:
            keep_bytes: most audio, as base64, that is kept of what users said and nobody transcribed.
            items_bytes: most that the items may take besides, as JSON; beyond it the oldest pictures give way, and
                then the oldest items.
        """
        self.settings: Object = {}
        """The fields of `session` that the client has set, without those that cannot be."""
        self._items: dict[str, Object] = {}
        self._order: list[str] = []
        self._sizes: dict[str, int] = {}
        self._size_bytes = 0
        self._items_bytes = items_bytes
        self._pictures: dict[str, None] = {}
        """Items with pictures, the oldest first."""
        self._audio: dict[str, list[bytes]] = {}
        self._audio_bytes = 0
        self._keep_bytes = keep_bytes
        self._spoken_bytes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._items

    def item(self, item_id: str) -> Object:
        """Return an item that is there, as it was shown."""
        return self._items[item_id]

    @property
    def last_id(self) -> str | None:
        """The id of the last item; None where there is none."""
        return self._order[-1] if self._order else None

    @property
    def items(self) -> list[Object]:
        """The items in their order, as they were shown."""
        return [self._items[item_id] for item_id in self._order]

    @property
    def transcriber(self) -> str:
        """The model that the client asked to write down what users say; empty for none that it named."""
        found = peek.at(self.settings, ("audio", "input", "transcription", "model"))
        return found if isinstance(found, str) else ""

    # ---------------------------------------------------------------------------------------------- what has happened

    def update(self, session: Object) -> None:
        """Take over the settings of a `session.update` that was accepted."""
        merge(self.settings, {key: value for key, value in session.items() if key not in _READ_ONLY})

    def add(self, item: Object, previous_item_id: str | None, *, at_front: bool = False) -> None:
        """Put an item behind another, at the end where that is not known; what is there already is replaced."""
        item_id = item.get("id")
        if not isinstance(item_id, str) or not item_id:
            return
        if item_id not in self._items:
            if at_front:
                self._order.insert(0, item_id)
            elif previous_item_id in self._items and previous_item_id != (self._order or [""])[-1]:
                self._order.insert(self._order.index(previous_item_id) + 1, item_id)
            else:
                self._order.append(item_id)
        self._enter(item_id, _without_audio(item))

    def settle(self, item: Object) -> None:
        """Take over the final form of an item that is there; what only its earlier form told is kept."""
        item_id = item.get("id", "")
        before = self._items.get(item_id)
        if before is None:
            return
        after = _without_audio(item)
        for old, new in zip(before.get("content") or (), after.get("content") or (), strict=False):
            if new.get("type") == old.get("type"):
                # Words that came before it, or a picture that is not shown again.
                new |= {key: value for key, value in old.items() if new.get(key) is None}
        self._enter(item_id, after)

    def transcribe(self, item_id: str, content_index: int, transcript: str) -> None:
        """Learn the words of what a user said; its audio is needed no longer."""
        part = self._part(item_id, content_index)
        if part is not None:
            part["transcript"] = transcript
            self._forget_audio(item_id)

    def delete(self, item_id: str) -> None:
        """Take an item out."""
        if self._items.pop(item_id, None) is not None:
            self._order.remove(item_id)
            self._size_bytes -= self._sizes.pop(item_id)
            self._pictures.pop(item_id, None)
            self._forget_audio(item_id)
            self._spoken_bytes.pop(item_id, None)

    def hear(self, item_id: str, frames: list[bytes]) -> None:
        """Keep the appends that made an item of the user, until its words are known; the oldest give way."""
        self._forget_audio(item_id)
        if not frames:
            return
        self._audio[item_id] = frames
        self._audio_bytes += sum(map(len, frames))
        while self._audio_bytes > self._keep_bytes and self._audio:
            self._forget_audio(next(iter(self._audio)))

    def heard(self, item_id: str) -> list[bytes]:
        """Return the appends that made an item of the user, as long as they are kept."""
        return self._audio.get(item_id, [])

    def hear_created(self, item: Object) -> None:
        """Keep the audio of an item that was created with it."""
        parts = [part for part in item.get("content") or () if part.get("type") == "input_audio"]
        spoken = [part["audio"] for part in parts if part.get("audio") and not part.get("transcript")]
        if spoken:
            self.hear(item.get("id", ""), [peek.written({"audio": audio}) for audio in spoken])

    def speak(self, item_id: str, audio_bytes: int) -> None:
        """Learn how much audio of an assistant's item went to the client."""
        if item_id in self._items:
            self._spoken_bytes[item_id] = self._spoken_bytes.get(item_id, 0) + audio_bytes

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int, bytes_per_ms: int) -> None:
        """Keep of an answer the words that had been played by then, as far as can be told from its length."""
        part = self._part(item_id, content_index)
        if part is None or not part.get("transcript"):
            return
        whole_ms = self._spoken_bytes.get(item_id, 0) / bytes_per_ms
        if audio_end_ms < whole_ms:
            part["transcript"] = _cut(part["transcript"], audio_end_ms / whole_ms)
            self._spoken_bytes[item_id] = audio_end_ms * bytes_per_ms

    # ---------------------------------------------------------------------------------------------- telling it again

    def retold(self) -> Iterator[Object]:
        """Return the items as a client creates them, each with the `id` it had."""
        for item_id in self._order:
            yield from self._created(item_id, self._items[item_id])

    def snapshot(self) -> bytes:
        """Return settings and items, to be kept and given to `restored`."""
        items = [created for item_id in self._order for created in self._created(item_id, self._items[item_id])]
        return peek.written({"settings": self.settings, "items": items})

    @classmethod
    def restored(cls, snapshot: bytes, keep_bytes: int, items_bytes: int) -> Chronicle:
        """Return the chronicle that a snapshot was taken of."""
        kept: Object = msgspec.json.decode(snapshot)
        chronicle = cls(keep_bytes, items_bytes)
        chronicle.settings = kept["settings"]
        for item in kept["items"]:
            chronicle.add(item, None)
            chronicle.hear_created(item)
        return chronicle

    def _created(self, item_id: str, item: Object) -> Iterator[Object]:
        kind = item.get("type")
        if kind in _NOT_MADE_BY_CLIENTS:
            return
        created = {key: value for key, value in item.items() if key not in ("object", "status") and value is not None}
        if kind == "mcp_call":
            yield _note(item_id, item)
        elif kind == "message":
            created["content"] = list(self._content(item_id, item))
            if created["content"]:
                yield created
        elif kind == "function_call" and item.get("status") in _MIDWAY:
            return  # its arguments are cut off, and nobody will ever answer it
        else:
            yield created

    def _content(self, item_id: str, item: Object) -> Iterator[Object]:
        for part in item.get("content") or ():
            match part.get("type"):
                case "output_audio" | "audio" if item.get("role") == "assistant":
                    if part.get("transcript"):
                        yield {"type": "output_text", "text": part["transcript"]}
                case "output_text" | "text" if item.get("role") == "assistant":
                    if part.get("text"):
                        yield {"type": "output_text", "text": part["text"]}
                case "input_audio":
                    yield self._said(item_id, part)
                case "input_image" if not part.get("image_url"):
                    yield {"type": "input_text", "text": _UNSEEN}
                case _:
                    yield {key: value for key, value in part.items() if value is not None}

    def _said(self, item_id: str, part: Object) -> Object:
        """Return what a user said: its words, or else its audio."""
        if part.get("transcript"):
            return {"type": "input_text", "text": part["transcript"]}
        if frames := self._audio.get(item_id):
            return {"type": "input_audio", "audio": peek.joined(frames)}
        return {"type": "input_text", "text": _UNHEARD}

    def _enter(self, item_id: str, item: Object) -> None:
        """Keep the present form of an item; what is too much gives way."""
        self._items[item_id] = item
        size = len(peek.written(item))
        self._size_bytes += size - self._sizes.get(item_id, 0)
        self._sizes[item_id] = size
        if any(part.get("image_url") for part in item.get("content") or () if isinstance(part, dict)):
            self._pictures[item_id] = None
        while self._size_bytes > self._items_bytes and self._pictures:
            seen = next(iter(self._pictures))
            del self._pictures[seen]
            self._enter(seen, _without_pictures(self._items[seen]))
        while self._order and (self._size_bytes > self._items_bytes or len(self._order) > _MOST_ITEMS):
            self.delete(self._order[0])

    def _part(self, item_id: str, content_index: int) -> Object | None:
        content = self._items.get(item_id, {}).get("content") or []
        return content[content_index] if 0 <= content_index < len(content) else None

    def _forget_audio(self, item_id: str) -> None:
        self._audio_bytes -= sum(map(len, self._audio.pop(item_id, ())))


def merge(settings: Object, patch: Object) -> None:
    """Change settings as a server does: objects of `audio` field by field, a turn detection of the same type too."""
    for key, value in patch.items():
        old = settings.get(key)
        if key in _MERGED and isinstance(old, dict) and isinstance(value, dict):
            merge(old, value)
        elif key == "turn_detection" and isinstance(old, dict) and isinstance(value, dict):
            same = value.get("type", old.get("type")) == old.get("type")
            settings[key] = old | value if same else dict(value)
        else:
            settings[key] = dict(value) if isinstance(value, dict) else value


def _note(item_id: str, item: Object) -> Object:
    """Return a remote call as something the model can be told: only servers make such calls."""
    outcome = item.get("output")
    if outcome is None:
        error = item.get("error")
        outcome = f"failed: {error.get('message', error) if isinstance(error, dict) else error}"
    text = f"The tool {item.get('name')} was called with {item.get('arguments')} and returned: {outcome}"
    return {"id": item_id, "type": "message", "role": "system", "content": [{"type": "input_text", "text": text}]}


def _without_audio(item: Object) -> Object:
    content = item.get("content")
    if not isinstance(content, list):
        return dict(item)
    parts = [
        {key: value for key, value in part.items() if key != "audio" or part.get("type") == "input_image"}
        for part in content
        if isinstance(part, dict)
    ]
    return item | {"content": parts}


def _without_pictures(item: Object) -> Object:
    content = item.get("content") or ()
    parts = [{key: value for key, value in part.items() if key != "image_url"} for part in content]
    return item | {"content": parts}


def _cut(text: str, share: float) -> str:
    """Return the whole words within the first part of a text."""
    head = text[: int(len(text) * share)]
    if len(head) < len(text) and not text[len(head)].isspace():
        head = head.rpartition(" ")[0]
    return head.rstrip()
