"""Answers given again in one conversation: looked for when the client asks for one, kept when the upstream gave it.

`relay.answers` keeps them for all conversations.  Called by `relay.session`, where the route keeps answers at all.
"""

from __future__ import annotations

from . import peek
from .answers import Answers, key_of, replayed
from .clientele import Client
from .effects import Effect, Noted, ToClient, Used
from .links import Link
from .retelling import created_there
from .standing import Standing
from .terms import Object
from .unfinished import NewId

_MOST_FRAMES = 5000
"""No greeting is told in more."""


class Greetings:
    """The first answers of one conversation."""

    def __init__(self, answers: Answers, standing: Standing, client: Client, new_id: NewId) -> None:
        """Look for answers among those of all conversations."""
        self._answers = answers
        self._standing = standing
        self._client = client
        self._new_id = new_id
        self._key: bytes | None = None
        self._frames: list[bytes] = []

    @property
    def is_recording(self) -> bool:
        """Whether an answer is being made that may be kept."""
        return self._key is not None

    def answer(self, link: Link, event: Object, now: float) -> list[Effect] | None:
        """Return what gives the client an answer that was kept, and tells the upstream of it; None where there is none.

        Args:
            link: the live one.
            event: the client's `response.create`.
            now: session time.
        """
        self._key = None
        standing = self._standing
        request = event.get("response") or {}
        if not standing.is_idle or link.is_beta or not isinstance(request, dict):
            return None
        if link.sound is not None and "audio" in request:
            return None  # a format of its own, of which nothing would be known when the answer is given again
        key = key_of(link.place, standing.chronicle.settings, request, standing.chronicle.items)
        if key is None:
            return None
        found = self._answers.find(key)
        if found is None:
            self._key, self._frames = key, []
            return None
        metadata = request.get("metadata")
        last = standing.chronicle.last_id
        effects: list[Effect] = [Noted("cached", {"upstream": link.place.upstream})]
        for frame in replayed(found, self._new_id, previous_item_id=last, metadata=metadata):
            effects += self._told(link, frame, now)
        for item in standing.chronicle.retold():
            if item["id"] not in link.told and item.get("role") == "assistant":
                effects += created_there(link, item, self._new_id)
        return effects

    def record(self, kind: bytes, frame: bytes) -> None:
        """Take a frame of the upstream while an answer is being made; keep the answer at its end."""
        if not self._frames and kind != b"response.created":
            return
        self._frames.append(frame)
        if kind == b"response.done" and self._key is not None:
            self._answers.store(self._key, self._frames)
        if kind == b"response.done" or len(self._frames) > _MOST_FRAMES:
            self._key, self._frames = None, []

    def _told(self, link: Link, frame: bytes, now: float) -> list[Effect]:
        """Return what tells the client one event, of which the conversation takes note as of any other."""
        kind = peek.kind(frame)
        if kind == b"response.output_audio.delta":
            self._standing.speak(frame)
            return [ToClient(peek.renamed(frame, self._client.delta_name(kind)))]
        event = peek.parse(frame)
        seen: list[Effect] = []
        shown = self._standing.see(link, event, now, seen) if event is not None else None
        if shown is None:
            return []
        return [effect for effect in seen if not isinstance(effect, Used)] + self._client.tell(shown)
