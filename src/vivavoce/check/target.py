"""What is checked: a server as something that can be dialled and posted to, however it is reached.

`network.Network` reaches one over sockets; tests put what spoils its messages around that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from .order import Shape


class Dial(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection is asked for."""

    shape: Shape = "ga"
    """The spelling to ask for."""
    path: str = ""
    """What follows the path of the Realtime endpoint, such as `/translations`."""
    query: Mapping[str, str] = {}
    """Parameters besides those of the URL."""
    has_model: bool = True
    """Whether the parameters that name a model are sent."""
    key: str | None = None
    """The key; None for the one that the user gave, an empty text for none."""
    key_in_subprotocol: bool = False
    """Whether the key goes into a subprotocol, as browsers send it, rather than into a header."""
    subprotocols: tuple[str, ...] = ()
    """The other subprotocols that are offered."""
    headers: Mapping[str, str] = {}
    """Further headers; they replace those of the same name."""


class Answer(msgspec.Struct, frozen=True):
    """What an HTTP request was answered."""

    status: int
    """The HTTP status."""
    body: bytes
    """The body, whole."""

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            return None


class Wire(Protocol):
    """One open connection."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that the server chose; None for none."""
        ...

    async def send(self, message: str | bytes | list[str]) -> None:
        """Send a text message, a binary one, or a text message in fragments.

        Raises:
            HungUp: the connection is closed.
        """
        ...

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            HungUp: the connection is closed.
        """
        ...

    async def ping(self) -> None:
        """Return when a ping was answered.

        Raises:
            HungUp: the connection is closed.
        """
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


class Target(Protocol):
    """A server under test."""

    @property
    def has_key(self) -> bool:
        """Whether the user gave a key."""
        ...

    @property
    def model(self) -> str:
        """The model that is asked for; empty where none is."""
        ...

    def redacted(self, text: str) -> str:
        """Return a text without the user's key, and without secrets that begin with `ek_`."""
        ...

    async def open(self, dial: Dial) -> Wire:
        """Open a connection.

        Raises:
            TurnedAway: the server answered with an HTTP error.
            Unreachable: there is no server.
        """
        ...

    async def post(self, path: str, body: Any, *, key: str | None = None) -> Answer:
        """Post JSON to a path below that of the Realtime endpoint, with the user's key or another.

        Raises:
            Unreachable: there is no server.
        """
        ...
