"""What a frame of the upstream that holds the conversation means, and what the client is sent for it.

A frame that both sides spell alike is sent on as it came, whether or not it was read.  Called by `relay.session`.
"""

from __future__ import annotations

from . import blame, peek, sound, wishes
from .clientele import Client
from .effects import Effect, Noted, ToClient
from .links import Link, Ours
from .outbox import UPDATE
from .retelling import settings_told
from .soundness import is_sound
from .standing import Standing
from .terms import Object
from .unfinished import NewId

AUDIO_DELTAS = frozenset((b"response.output_audio.delta", b"response.audio.delta"))
"""What comes fifty times a second, and is never parsed."""
_TELLING = (
    *(b"response.", b"input_audio_buffer.", b"conversation.item.", b"mcp_list_tools.", b"error"),
    *(b"session.", b"transcription_session."),
)
_TELLING_NOTHING = frozenset((b"conversation.item.retrieved", b"conversation.created"))
"""What begins like an event that tells where the conversation stands, and does not."""


def tells(kind: bytes) -> bool:
    """Return whether an event of a type tells something of where the conversation stands."""
    return kind.startswith(_TELLING) and kind not in _TELLING_NOTHING


class Reading:
    """Between a link and the client."""

    def __init__(self, standing: Standing, client: Client, kind: str, new_id: NewId) -> None:
        """Read for a client with a kind of session, and note where the conversation stands."""
        self._standing = standing
        self._client = client
        self._kind = kind
        self._new_id = new_id
        self.first: Object = {}
        """What the latest upstream said of its session at first."""

    def spoken(self, link: Link, kind: bytes, frame: bytes) -> Effect:
        """Send on an audio delta, under the name that the client knows."""
        self._standing.speak(frame)
        if link.is_beta == self._client.is_beta:
            return ToClient(frame)
        name = link.bridge.renamed_to_ga.get(kind, kind) if link.bridge is not None else kind
        return ToClient(peek.renamed(frame, self._client.delta_name(name)))

    def passed(self, link: Link, kind: bytes, frame: bytes) -> list[Effect]:
        """Send on a frame that says nothing of where the conversation stands."""
        if kind == b"conversation.created" and self._client.is_beta:
            return []  # told when the session was, with an id of ours, whichever links come after
        if link.is_beta == self._client.is_beta:
            return [ToClient(frame)]
        if kind in link.bridge.same if link.bridge is not None else self._client.knows(kind):
            return [ToClient(frame)]
        event = peek.parse(frame)
        if event is None:
            return [ToClient(frame)]
        events = link.bridge.to_ga(event) if link.bridge is not None else [event]
        return [effect for each in events for effect in self._client.tell(each)]

    def read(self, link: Link, frame: bytes, now: float) -> list[Effect]:
        """Take in a frame that tells where the conversation stands, and send on what the client is to see of it."""
        event = peek.parse(frame)
        if event is None:
            return [ToClient(frame)]
        effects: list[Effect] = []
        shown: list[Object] = []
        is_same = True
        for each in link.bridge.to_ga(event) if link.bridge is not None else [event]:
            seen = self._see(link, each, now, effects) if is_sound(each) else each
            is_same = is_same and seen is each
            if seen is not None:
                shown.append(seen)
        if is_same and link.is_beta == self._client.is_beta:
            for each in shown:
                self._client.follow(each)
            return [*effects, ToClient(frame)]
        return effects + [effect for each in shown for effect in self._client.tell(each)]

    def _see(self, link: Link, event: Object, now: float, effects: list[Effect]) -> Object | None:
        kind = event.get("type", "")
        if kind == "session.updated":
            return self._see_updated(link, event, effects)
        if kind == "session.created":
            return None
        if kind == "error":
            error = event.get("error") or {}
            if error.get("code") == "session_expired":
                link.fault = error
                return None  # the connection ends next, and the conversation goes on elsewhere
            if (refused := link.refused(error.get("event_id") or "", blame.about(error))) is not None:
                effects += self._refused(link, refused, error)
                return None
        return self._standing.see(link, event, now, effects)

    def _refused(self, link: Link, refused: Ours, error: Object) -> list[Effect]:
        """Go on without what an upstream would not be told."""
        fields = {"upstream": link.place.upstream, "code": error.get("code"), "message": error.get("message")}
        if refused.kind != UPDATE:
            return [Noted("item_lost", fields)]
        effects: list[Effect] = [Noted("setting_lost", fields | {"param": error.get("param")})]
        # Each time there is less of them, so this ends.
        if left := wishes.without(link.settings, error.get("param")):
            return effects + list(settings_told(link, left, self._kind, self._new_id))
        if not self._client.is_told and not link.updates:
            # The client learns which settings it has.
            effects += self._client.created(self.first, len(self._standing.chronicle))
        return effects

    def _see_updated(self, link: Link, event: Object, effects: list[Effect]) -> Object | None:
        was_asked = self._standing.updated(link)
        session = sound.shown(link.place, event.get("session") or {}, self._standing.format_asked)
        self._standing.configured(session)
        if not self._client.is_told and not link.updates:
            effects += self._client.created(session, len(self._standing.chronicle))
            return None
        return event | {"session": self._client.shown(session)} if was_asked else None
