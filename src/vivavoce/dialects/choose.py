"""Which dialect a client speaks.

A header or a subprotocol says so where the client's maker thought of it.  Most GA clients give no sign at all, and
neither do some old ones: those are addressed in GA, and the shape of their first `session.update` decides.  Which kind
of session it is was decided before, by the address of the connection or by the client secret that opened it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..core import events as ev
from ..core.errors import ProtocolError
from . import codec, conversation, transcription
from .beta import Beta
from .ga import Ga
from .translation import Translation

BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
_GA_KEYS = frozenset(("type", "audio", "output_modalities", "max_output_tokens", "truncation", "reasoning"))


class Dialect(Protocol):
    """How events are written on one wire."""

    @property
    def name(self) -> str:
        """`ga` or `beta`, by the shape of its events."""
        ...

    def decode(self, data: bytes | str) -> ev.ClientEvent:
        """Return the client event of a frame.

        Raises:
            ProtocolError: it is none.
        """
        ...

    def encode(self, event: ev.ServerEvent) -> list[bytes]:
        """Return the frames of an event."""
        ...


class Undecided:
    """GA until the first update proves to be a beta one: by its name, or by lacking `type` and all that GA has."""

    def __init__(self, kind: str = "realtime") -> None:
        self._kind = kind
        self._chosen = choose("ga", kind)
        self._is_decided = False

    @property
    def name(self) -> str:
        """The shape that is spoken now."""
        return self._chosen.name

    def decode(self, data: bytes | str) -> ev.ClientEvent:
        """Return the client event of a frame.

        Raises:
            ProtocolError: it is none.
        """
        if not self._is_decided:
            self._decide(data)
        return self._chosen.decode(data)

    def encode(self, event: ev.ServerEvent) -> list[bytes]:
        """Return the frames of an event."""
        return self._chosen.encode(event)

    def _decide(self, data: bytes | str) -> None:
        marker = b"session.update" if isinstance(data, bytes) else "session.update"
        if marker not in data:  # type: ignore[operator]
            return
        try:
            update = codec.parse(data)
        except ProtocolError:
            return  # the chosen dialect says so
        shape = shape_of_update(update)
        if shape is not None:
            self._is_decided = True
        if shape == "beta":
            self._chosen = choose("beta", self._kind)


def shape_of_update(event: Mapping[str, Any]) -> str | None:
    """Return the shape that an event is of if it is the update of a session's settings; None for any other."""
    name, session = event.get("type"), event.get("session")
    if not isinstance(session, dict) or name not in ("session.update", "transcription_session.update"):
        return None
    return "beta" if name != "session.update" or (session and not _GA_KEYS & session.keys()) else "ga"


def choose(shape: str | None, kind: str = "realtime") -> Dialect:
    """Return the dialect of a connection.

    Args:
        shape: `ga`, `beta`, `conversation` for what a bridge speaks, or None where it gave no sign.
        kind: that of its session, as in `core.settings.Settings`.
    """
    match shape, kind:
        case _, "translation":
            return Translation()
        case conversation.SHAPE, _:
            return Ga(conversation.READERS)
        case "ga", "transcription":
            return Ga(transcription.GA_READERS, transcription.GA_WORDS)
        case "beta", "transcription":
            return Beta(transcription.BETA_READERS, transcription.BETA_WORDS)
        case "ga", _:
            return Ga()
        case "beta", _:
            return Beta()
        case _:
            return Undecided(kind)


def shape_of(headers: Mapping[str, str], subprotocols: tuple[str, ...]) -> str | None:
    """Return the shape that a connection asks for by its headers or subprotocols, or None.

    Args:
        headers: lower-cased names.
        subprotocols: those the client offered.
    """
    tokens = [token.strip() for token in headers.get("openai-beta", "").split(",")]
    if "realtime=v1" in tokens or BETA_SUBPROTOCOL in subprotocols:
        return "beta"
    return None
