"""The client's end of a Realtime conversation: events out, events in, in GA spelling whatever the server speaks.

A `Line` stands on a `Wire`, which carries whole messages and knows nothing of their content: `upstream.SocketWire` is a
WebSocket to another server, `local.MemoryWire` a session in this process.  Called by the commands of `vivavoce.cli`;
the server's end is the other legs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Literal, Protocol, Self

import msgspec

from ..core.errors import VivavoceError
from .beta import BetaSpelling

Shape = Literal["ga", "beta"]

_RECOVERABLE = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 1015})
"""Close codes after which the public SDKs dial again: the server went away, restarted or was full."""


class LineError(VivavoceError):
    """A line cannot be opened, broke, or was closed by the server; the message is one line that names the cause."""

    def __init__(self, message: str, *, again: bool, status: int | None = None) -> None:
        super().__init__(" ".join(message.split()))
        self.again = again
        """Whether a new line to the same place may do better, so that dialling again makes sense."""
        self.status = status
        """The HTTP status by which the server would not let us in; None where it did not come to that."""

    @classmethod
    def closed(cls, code: int | None, reason: str) -> Self:
        """Return the error of a line that the server closed with a WebSocket close code and reason."""
        if code is None or code == 1006:
            return cls("the connection to the server was lost", again=True)
        said = f": {reason}" if reason else ""
        return cls(f"the server closed the connection (code {code}){said}", again=code in _RECOVERABLE)


class Wire(Protocol):
    """Carries whole messages, in order, both ways."""

    async def send(self, message: bytes) -> None:
        """Send one message, waiting while the other side is too slow.

        Raises:
            LineError: the wire is closed.
        """
        ...

    async def receive(self) -> bytes:
        """Return the next message.

        Raises:
            LineError: the wire was closed by the other side, or broke.
        """
        ...

    async def settle(self) -> None:
        """Return when the other side has taken in everything that was sent, as far as that can be known.

        Raises:
            LineError: the wire was closed by the other side, or broke.
        """
        ...

    async def close(self) -> None:
        """Hang up; `receive` then raises."""
        ...


class Line:
    """One open session of a Realtime server; iterate it for the server's events.

    Events are the JSON objects of the protocol as dicts, spelled as in its GA shape; audio inside stays base64.
    """

    def __init__(self, wire: Wire, shape: Shape) -> None:
        self.shape: Shape = shape
        """How the server spells its events."""
        self.session: dict[str, Any] = {}
        """The session as the server told it last."""
        self._wire = wire
        self._beta = BetaSpelling()
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder()
        self._pending: deque[dict[str, Any]] = deque()
        self._closed = False

    @classmethod
    async def open(cls, wire: Wire, shape: Shape | None, timeout: float = 30.0) -> Self:
        """Wait for the server's first event, at most `timeout` seconds, and return the line that begins with it.

        A `shape` of None is decided by that event: a flat session is of the beta shape.

        Raises:
            LineError: the server refused the session, or said nothing.
        """
        line = cls(wire, shape or "ga")
        try:
            async with asyncio.timeout(timeout):
                first = line._read(await wire.receive())
        except TimeoutError:
            await wire.close()
            raise LineError(f"the server did not begin a session within {timeout:g} s", again=True) from None
        except LineError:
            await wire.close()
            raise
        session = first.get("session")
        if shape is None and isinstance(session, dict) and "audio" not in session and "modalities" in session:
            line.shape = "beta"
        line._take(first)
        if first.get("type") == "error":
            await wire.close()
            raise LineError(f"the server refused the session: {error_text(first)}", again=False)
        return line

    async def send(self, event: dict[str, Any]) -> None:
        """Send a client event.

        Raises:
            LineError: the line is closed.
        """
        spelled = self._beta.outgoing(event) if self.shape == "beta" else _without_temperature(event)
        await self._wire.send(self._encoder.encode(spelled))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        """Return the server's next event; iteration ends when this side has closed the line.

        Raises:
            LineError: the server closed the line, or it broke.
        """
        while not self._pending:
            if self._closed:
                raise StopAsyncIteration
            try:
                message = await self._wire.receive()
            except LineError:
                if self._closed:
                    raise StopAsyncIteration from None
                raise
            self._take(self._read(message))
        return self._pending.popleft()

    async def settle(self) -> None:
        """Return when the server has taken in everything that was sent, as far as that can be known.

        Raises:
            LineError: the line is closed.
        """
        await self._wire.settle()

    async def close(self) -> None:
        """Hang up."""
        self._closed = True
        await self._wire.close()

    def _read(self, message: bytes) -> dict[str, Any]:
        try:
            event = self._decoder.decode(message)
        except msgspec.DecodeError as exc:
            raise LineError(f"the server sent something that is not JSON ({exc})", again=False) from exc
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            raise LineError("the server sent something that is not a Realtime event", again=False)
        return event

    def _take(self, event: dict[str, Any]) -> None:
        events = self._beta.incoming(event) if self.shape == "beta" else [event]
        for each in events:
            if each["type"] in ("session.created", "session.updated") and isinstance(each.get("session"), dict):
                self.session = each["session"]
        self._pending.extend(events)


def error_text(event: dict[str, Any]) -> str:
    """Return what an `error` event says, in one line."""
    error = event.get("error")
    error = error if isinstance(error, dict) else {}
    return str(error.get("message") or error.get("code") or error.get("type") or "an error without a message")


def _without_temperature(event: dict[str, Any]) -> dict[str, Any]:
    """Return `event` without the one setting that commands may use and the GA shape does not know."""
    for name in ("session", "response"):
        settings = event.get(name)
        if isinstance(settings, dict) and "temperature" in settings:
            kept = {key: value for key, value in settings.items() if key != "temperature"}
            event = {**event, name: kept}
    return event
