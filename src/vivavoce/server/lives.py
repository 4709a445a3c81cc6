"""All live calls of a process: parties by WebRTC or telephone, found by their ids by whoever controls them.

Full keys of the server control every call, as its operator gave them all; a client secret controls the calls that were
made with it and no others.  Held by `server.switchboard`; `server.rest.calls` answers offers by it and hangs up.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import msgspec

from ..core.errors import VivavoceError
from ..dialects.speaking import Speaking
from ..legs import Leg, LegOwner
from ..legs.line import LineError
from ..legs.media import AudioOwner, Media
from ..legs.webrtc.peer import TooManyCalls
from .admission import Connection
from .ids import Ids, new_call_id, new_seed
from .live import Channel, LiveCall
from .metrics import Metrics

__all__ = ["Accept", "Answered", "Busy", "Controlled", "Entry", "Lines", "Lives", "NoWebrtc", "Party", "Quality"]

_log = logging.getLogger("vivavoce.calls")

WEBRTC = "webrtc"
"""The road by which browsers call."""
_FAREWELL_SECONDS = 5.0
"""How long the end of a server waits for its calls to end."""


class Quality(Protocol):
    """How well audio passed between a party and us."""

    @property
    def loss_ratio(self) -> float | None:
        """The share of the party's packets that were lost; None where none came."""
        ...

    @property
    def jitter_ms(self) -> float | None:
        """Their jitter by RFC 3550; None where none came."""
        ...

    @property
    def round_trip_ms(self) -> float | None:
        """The latest round trip; None where none was measured."""
        ...


class Party(Media, Channel, Protocol):
    """Our end of a browser's connection: `legs.webrtc.peer.Peer`."""

    async def answer(self, offer_sdp: str) -> str:
        """Return the answer to an offer.

        A later offer of the same browser changes the call that there is.

        Raises:
            TooManyCalls: it may be tried again later.
            VivavoceError: it cannot be answered; the message says why.
        """
        ...

    def add_candidate(self, candidate: str) -> None:
        """Learn of an address of the browser."""
        ...

    def quality(self) -> Quality:
        """Return how well audio has passed by now."""
        ...


class Controlled(Protocol):
    """A call as its controllers see it."""

    def attach(self, leg: Leg) -> LegOwner | None:
        """Have a controller join; None where there are too many already."""
        ...

    def hang_up(self, reason: str) -> Awaitable[None] | None:
        """Begin to end it; what is returned, if anything, is to be awaited, and raises LineError where it goes on."""
        ...


Accept = Callable[[Connection, Leg], LegOwner]
"""Returns the session's call of a leg, already at work."""


class Entry(msgspec.Struct):
    """A call that is live."""

    call: Controlled
    """What is controlled."""
    secret_id: str
    """What tells the client secret that it was made with from others; empty where none was used."""
    left: Callable[[], None]
    """Called when it is over."""
    road: str = WEBRTC
    """How its party came here."""
    began: float = 0.0
    """When, by the clock of the registry."""
    party: Party | None = None
    """Our end of its browser's connection; None for other roads."""
    is_connected: bool = False
    """Whether audio has passed."""
    alias: tuple[str, str] | None = None
    """Another name that it is called by, and by whom: see `Lives.answer`."""


class Answered(msgspec.Struct, frozen=True):
    """What whoever offers a call is told."""

    call_id: str
    sdp: str
    """The answer."""


class NoWebrtc(VivavoceError):
    """Calls by WebRTC are not taken here."""


class Busy(VivavoceError):
    """A call cannot be answered at the moment, and may be in the next one."""


class Lines(Protocol):
    """What answers offers and knows the calls that are live: `Lives`, or `server.passing.Offers` before it."""

    async def answer(self, connection: Connection, offer: str, alias: str = "") -> Answered:
        """Return the answer to an offer.

        Raises:
            NoWebrtc, Busy, VivavoceError: it cannot be answered; see `Lives.answer`.
        """
        ...

    def is_answered_elsewhere(self, connection: Connection) -> bool:
        """Return whether another server answers such calls, whose abilities are its own."""
        ...

    async def renew(self, call_id: str, connection: Connection, offer: str) -> str | None:
        """Return the answer to a later offer for a call; None where there is none that a connection may control.

        Raises:
            VivavoceError: it cannot be answered.
        """
        ...

    def find(self, call_id: str, connection: Connection) -> Controlled | None:
        """Return a call that a connection may control; None where there is none."""
        ...

    def named(self, alias: str, connection: Connection) -> Party | None:
        """Return the browser of the call that the same key and secret gave this name; None where there is none."""
        ...


class Lives:
    """The live calls."""

    def __init__(self, accept: Accept, metrics: Metrics, now: Callable[[], float] = time.monotonic) -> None:
        """Begin without any.

        Args:
            accept: begins the session of a call whose audio can pass.
            metrics: where calls are counted.
            now: a clock in seconds that never goes back.
        """
        self._accept = accept
        self._metrics = metrics
        self._now = now
        self._entries: dict[str, Entry] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        self._is_empty = asyncio.Event()
        self.open_party: Callable[[LiveCall], Party] | None = None
        """Makes our end of a browser's connection; None where no UDP port is open."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._entries)

    async def answer(self, connection: Connection, offer: str, alias: str = "") -> Answered:
        """Return the answer to a browser's offer; its session begins when audio can pass.

        Args:
            connection: how it was let in, and what it asks for.
            offer: SDP.
            alias: a name by which `named` finds the call for the same key and secret; empty for none.

        Raises:
            NoWebrtc: there is no UDP port.
            Busy: it may be tried again later.
            VivavoceError: the offer cannot be answered.
        """
        if self.open_party is None:
            raise NoWebrtc("Calls by WebRTC are switched off on this server.")
        call_id, ids = new_call_id(), Ids(new_seed())
        begin = functools.partial(self._begin, connection)
        ended = functools.partial(self._ended, call_id)
        call = LiveCall(call_id, connection.peer, Speaking(ids), ids, begin, ended=ended)
        party = self.open_party(call)
        call.media = call.channel = party
        self.enter(call_id, call, secret_id=connection.secret_id, party=party, alias=_named(connection, alias))
        try:
            answer = await party.answer(offer)
        except BaseException as error:
            party.hang_up("its offer was not answered")
            self._ended(call_id, "its offer was not answered")
            if isinstance(error, TooManyCalls):
                raise Busy(str(error)) from error
            raise
        _log.info("call %s of key %s was answered", call_id, connection.key_id or "none")
        return Answered(call_id, answer)

    def enter(
        self,
        call_id: str,
        call: Controlled,
        *,
        secret_id: str = "",
        road: str = WEBRTC,
        party: Party | None = None,
        alias: tuple[str, str] | None = None,
    ) -> None:
        """Take a call in, until `leave`."""
        left = self._metrics.call_began(road)
        self._entries[call_id] = Entry(call, secret_id, left, road, self._now(), party, alias=alias)
        self._is_empty.clear()
        if alias is not None:
            self._aliases[alias] = call_id

    def leave(self, call_id: str) -> Entry | None:
        """Forget a call that is over; None where it was forgotten already."""
        entry = self._entries.pop(call_id, None)
        if entry is None:
            return None
        if entry.alias is not None and self._aliases.get(entry.alias) == call_id:
            del self._aliases[entry.alias]
        entry.left()
        if not self._entries:
            self._is_empty.set()
        return entry

    def find(self, call_id: str, connection: Connection) -> Controlled | None:
        """Return a call that a connection may control; None where there is none."""
        entry = self._entries.get(call_id)
        return entry.call if entry is not None and connection.secret_id in ("", entry.secret_id) else None

    def is_answered_elsewhere(self, connection: Connection) -> bool:
        """Return whether another server answers such calls: as far as is known here, none does."""
        return False

    async def renew(self, call_id: str, connection: Connection, offer: str) -> str | None:
        """Return the answer to a later offer for a call: a new way to it (ICE restart), or what is heard and sent.

        None where there is no call by WebRTC that the connection may control.

        Raises:
            VivavoceError: it cannot be answered; the call goes on as it was.
        """
        entry = self._entries.get(call_id)
        if entry is None or entry.party is None or self.find(call_id, connection) is None:
            return None
        return await entry.party.answer(offer)

    def named(self, alias: str, connection: Connection) -> Party | None:
        """Return the browser of the call that the same key and secret gave this name; None where there is none."""
        place = _named(connection, alias)
        entry = self._entries.get(self._aliases.get(place, "")) if place is not None else None
        return None if entry is None else entry.party

    async def close(self) -> None:
        """Hang up all calls, and return when they are over or have had time to be."""
        endings = [entry.call.hang_up("the server is stopping") for entry in tuple(self._entries.values())]
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                waits = [_without_error(ending) for ending in endings if ending is not None]
                await asyncio.gather(*waits)
                if self._entries:
                    await self._is_empty.wait()
        except TimeoutError:
            _log.warning("%d calls did not end in time", len(self._entries))

    def _begin(self, connection: Connection, call: LiveCall) -> AudioOwner:
        entry = self._entries.get(call.id)
        if entry is not None:
            entry.is_connected = True
            self._metrics.call_connected(entry.road, self._now() - entry.began)
        # Whoever answers a leg takes audio as well as frames.
        return cast("AudioOwner", self._accept(connection, call))

    def _ended(self, call_id: str, reason: str) -> None:
        entry = self.leave(call_id)
        if entry is None:
            return
        _log.info("call %s ended after %.1f seconds: %s", call_id, self._now() - entry.began, reason)
        if not entry.is_connected:
            self._metrics.call_unconnected(entry.road)
        elif entry.party is not None:
            found = entry.party.quality()
            loss, jitter, trip = found.loss_ratio, found.jitter_ms, found.round_trip_ms
            self._metrics.call_measured(entry.road, loss, _seconds(jitter), _seconds(trip))


async def _without_error(ending: Awaitable[None]) -> None:
    try:
        await ending
    except LineError as error:
        _log.warning("a call could not be ended at its upstream: %s", error)


def _named(connection: Connection, alias: str) -> tuple[str, str] | None:
    return (f"{connection.key_id} {connection.secret_id}", alias) if alias else None


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
