"""Opening links for relay sessions: the upstreams of a route one after the other, until one can be had."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from ..config import OutboundLimits
from ..core.errors import ConfigError, VivavoceError
from ..legs import LegOwner
from ..legs.line import LineError
from ..legs.outbound import OutboundLeg, open_outbound
from ..legs.upstream import Upstream as Address
from ..legs.upstream import trust
from ..relay.effects import Dial, Place
from ..routing import Route, Upstream
from .local_link import LocalLink
from .routes import Chooser, place_of

__all__ = ["Asked", "Dialler", "Linker", "Opened", "Unavailable", "Wire", "dial"]


_OF_THE_REQUEST = frozenset({400, 403, 404})
"""Statuses that are told of a model which is not there, or not for this key, as any client can ask for one."""


class Wire(Protocol):
    """A connection to an upstream, of whatever kind."""

    @property
    def opened_at(self) -> float:
        """When it was opened, by the clock of the event loop."""
        ...

    def attach(self, owner: LegOwner) -> None:
        """Deliver what comes, and has come, to `owner`."""
        ...

    def send(self, data: bytes) -> None:
        """Send one message without waiting."""
        ...

    def allow(self, burst_bytes: int) -> None:
        """Learn that so much is sent at once, which is no sign that the upstream does not read."""
        ...

    def pause_reading(self) -> None:
        """Listen no more for now."""
        ...

    def resume_reading(self) -> None:
        """Listen again."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        ...


class Opened(msgspec.Struct, frozen=True):
    """A link that leads somewhere."""

    wire: Wire
    place: Place
    release: Callable[[], None]
    """Called when it is needed no longer: the upstream has room again."""


class Unavailable(VivavoceError):
    """No upstream of a route can be had just now."""

    def __init__(self, message: str, *, again: bool, told: str = "") -> None:
        super().__init__(message)
        self.again = again
        """Whether that may change."""
        self.told = told
        """As much of the message as clients may know; empty for nothing."""


class Asked(msgspec.Struct, frozen=True):
    """What a client asked for, as far as its upstreams have to know."""

    model: str
    """By the client's name."""
    kind: str = "realtime"
    """Of its session."""
    safety_identifier: str = ""
    """What the application calls its user by."""
    key_id: str = ""
    """What tells the key that pays from others."""


Dialler = Callable[[Upstream, str, dict[str, str]], Awaitable[Wire]]
"""Opens a connection to an upstream at an address, with headers.  Raises LineError."""


class Linker:
    """The links of one session."""

    def __init__(
        self,
        asked: Asked,
        route: Route,
        chooser: Chooser,
        dial: Dialler,
        open_local: Callable[[Asked], Awaitable[LocalLink]],
        now: Callable[[], float],
    ) -> None:
        """Open links as a route says.

        Args:
            asked: what for.
            route: which upstreams there are.
            chooser: which of them to try first.
            dial: opens connections to those elsewhere.
            open_local: begins a call with the engines of this process.
            now: a clock in seconds.
        """
        self._asked = asked
        self._route = route
        self._chooser = chooser
        self._dial = dial
        self._open_local = open_local
        self._now = now

    async def open(self, dial: Dial, prefer: str = "") -> Opened:
        """Return a link to the first upstream that can be had.

        Raises:
            Unavailable: none can.
        """
        message, again, told = "no upstream of the route has room", True, ""
        for upstream in self._chooser.pick(self._route, dial.avoid, prefer):
            release = self._chooser.hold(upstream.name)
            began = self._now()
            try:
                wire = await self._reach(upstream)
            except LineError as error:
                release()
                message, again = f"{upstream.name}: {error}", error.again
                if error.status in _OF_THE_REQUEST:
                    told = str(error)
                    self._chooser.refused(upstream.name)
                else:
                    self._chooser.failed(upstream.name, error)
            except BaseException:
                release()
                raise
            else:
                self._chooser.opened(upstream.name, self._now() - began)
                return Opened(wire, self._place(upstream, wire), release)
        raise Unavailable(message, again=again, told=told)

    def _place(self, upstream: Upstream, wire: Wire) -> Place:
        place = place_of(upstream, self._asked.model)
        if upstream.is_local:
            # How long a conversation may last is the relay session's own to say.
            return msgspec.structs.replace(place, session_seconds=0.0)
        if not place.session_seconds:
            return place
        # What was opened ahead of need has lived for a while already.
        age = max(0.0, self._now() - wire.opened_at)
        return msgspec.structs.replace(place, session_seconds=max(1.0, place.session_seconds - age))

    async def _reach(self, upstream: Upstream) -> Wire:
        if upstream.is_local:
            return await self._open_local(self._asked)
        address, headers = address_of(upstream, self._asked)
        try:
            async with asyncio.timeout(upstream.connect_seconds):
                return await self._dial(upstream, address, headers)
        except TimeoutError:
            raise LineError(f"no answer within {upstream.connect_seconds:g} s", again=True) from None


def address_of(upstream: Upstream, asked: Asked) -> tuple[str, dict[str, str]]:
    """Return where an upstream is dialled for a session, and with which headers.

    Raises:
        LineError: its URL or key cannot be used.
    """
    where = upstream.url
    if asked.kind == "transcription":
        where += ("&" if urlsplit(where).query else "?") + "intent=transcription"
    try:
        address = Address(where, upstream.key.value, upstream.model_for(asked.model), upstream.shape, upstream.insecure)
        url, headers = address.address, address.headers
    except ConfigError as error:
        raise LineError(str(error), again=False) from error
    # What no header may hold is the client's mistake, and not to be laid to the upstream's charge.
    if asked.safety_identifier.isascii() and asked.safety_identifier.isprintable() and asked.safety_identifier:
        headers["OpenAI-Safety-Identifier"] = asked.safety_identifier
    return url, headers


def _without_key(error: LineError, key: str) -> LineError:
    """Return an error in which a server may have quoted the key, without it."""
    if not key or key not in str(error):
        return error
    return LineError(str(error).replace(key, "***"), again=error.again, status=error.status)


async def dial(
    upstream: Upstream,
    address: str,
    headers: dict[str, str],
    lost: Callable[[OutboundLeg], None] | None = None,
) -> OutboundLeg:
    """Open a connection to an upstream; `lost` is called when it is gone.

    Raises:
        LineError: it cannot be reached, or does not let us in.
    """
    tls = trust(insecure=upstream.insecure) if address.startswith("wss:") else None
    limits = OutboundLimits(open_seconds=upstream.connect_seconds)
    try:
        return await open_outbound(address, headers, tls=tls, owner=None, limits=limits, lost=lost)
    except LineError as error:
        raise _without_key(error, upstream.key.value) from error
