"""The doors by which providers and PBXs bring calls: WebSockets at addresses with a token, and Asterisk's AudioSocket.

What they have in common is here: who may come in, how many at a time and how often, and connections that end clean.
Made by `opening`; `server.rest.http` gives the sockets.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import cast

from ...core.errors import ConfigError
from ...legs.streams.asterisk import AsteriskWebSocket, AudioSocket, AudioSocketReader
from ...legs.streams.json_streams import FreeSwitch, Plivo, Telnyx, Twilio
from ...legs.streams.spelling import Message, Spelling, StreamError
from ...legs.ticker import Ticker
from ...telephony import Doors as Settings
from ..admission import Refused
from ..arrivals import place_of
from ..buckets import Buckets
from ..proxies import Proxies
from ..rest.http import Router, Socket, accepted, closed, denied, head_of, next_message, sent, socket_router
from .exchange import Exchange
from .stream_calls import Connection, StreamCall

__all__ = ["DOOR_PATHS", "Doors", "doors_router"]

_log = logging.getLogger("vivavoce.calls")

PATH = "/telephone"
DOOR_PATHS = (f"{PATH}/{{door}}", f"{PATH}/{{door}}/{{token}}")
"""The addresses of the doors."""
_MOST_WAITING = 64
"""Connections of which it is not known yet which call they are of."""
_PER_SECOND = 5.0
_BURST = 50
"""How often one address may come; guesses of a token count, too."""
_CLOSE_SECONDS = 5.0
"""How long what was sent last may take to leave."""


def _rate(query: Mapping[str, str]) -> int:
    text = query.get("rate", "8000")
    if not text.isdecimal() or len(text) > 6:
        raise StreamError("'rate' has to be 8000, 16000 or 24000")
    return int(text)


_SPELLINGS: Mapping[str, Callable[[Mapping[str, str]], Spelling]] = {
    "twilio": lambda query: Twilio(),
    "telnyx": lambda query: Telnyx(),
    "plivo": lambda query: Plivo(),
    "asterisk": lambda query: AsteriskWebSocket(),
    "freeswitch": lambda query: FreeSwitch(_rate(query)),
}


def doors_router(enter: Callable[[Socket], Awaitable[None]]) -> Router:
    """Return the addresses of the doors: with the token, and without where the stream itself brings it."""
    return socket_router(DOOR_PATHS, enter)


class Doors:
    """The doors of a process."""

    def __init__(
        self, settings: Settings, exchange: Exchange, proxies: Proxies, now: Callable[[], float] | None = None
    ) -> None:
        """Open none yet, on the running loop.

        Args:
            settings: what the operator wants.
            exchange: the telephone.
            proxies: tells who comes through them.
            now: a clock in seconds that never goes back; None for the loop's.
        """
        self._settings = settings
        self._exchange = exchange
        self._proxies = proxies
        loop = asyncio.get_running_loop()
        self._arrivals = Buckets(_PER_SECOND, _BURST, now or loop.time)
        self._ticker = Ticker(loop)
        self._calls: set[StreamCall] = set()
        self._networks = tuple(map(ip_network, settings.audiosocket_sources))
        self._server: asyncio.Server | None = None

    # --------------------------------------------------------------------------------------------- beginning and end

    async def start(self) -> None:
        """Listen for AudioSockets, where that is wanted.

        Raises:
            ConfigError: the port cannot be had.
        """
        if not self._settings.audiosocket:
            return
        host, _, port = self._settings.audiosocket.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _AudioSocket(self), host.strip("[]"), int(port))
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(
                f"[doors]: 'audiosocket': {self._settings.audiosocket} cannot be listened on: {reason}"
            ) from error

    @property
    def audiosocket_port(self) -> int | None:
        """The port for AudioSockets; None where there is none."""
        return None if self._server is None else int(self._server.sockets[0].getsockname()[1])

    def describe(self) -> str:
        """Return which there are, for people; empty for none."""
        ways = [f"{PATH}/{{{','.join(_SPELLINGS)}}}/TOKEN"] if self._settings.token else []
        if self._server is not None:
            ways.append(f"AudioSocket {self._settings.audiosocket.rpartition(':')[0]}:{self.audiosocket_port}")
        return ", ".join(ways)

    async def close(self) -> None:
        """End all calls, and shut the doors."""
        for call in tuple(self._calls):
            call.lose("the server is stopping")
        await asyncio.sleep(0)  # what calls tell of their end has to be written down
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    # -------------------------------------------------------------------------------------------------- who comes in

    def admit(self, peer: str) -> None:
        """Let another connection in.

        Raises:
            Refused: there are too many, or too many from there.
        """
        if self._arrivals.take(place_of(peer)):
            raise Refused(429, "rate_limit_exceeded", "Too many streams came from this address.")
        waiting = sum(not call.has_begun for call in self._calls)
        if len(self._calls) >= self._settings.max_calls or waiting >= _MOST_WAITING or self._exchange.is_full:
            raise Refused(503, "server_busy", "There are as many calls as there may be.", type="server_error")

    def is_source(self, peer: str) -> bool:
        """Return whether an address may use the AudioSocket."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def call(self, spelling: Spelling, connection: Connection, *, token: str = "", called: str = "") -> StreamCall:
        """Return a call that waits for its stream to begin."""
        call = StreamCall(
            self._exchange,
            spelling,
            self._ticker,
            connection,
            token=token,
            called=called,
            ended=self._calls.discard,
        )
        self._calls.add(call)
        return call

    # ----------------------------------------------------------------------------------------------------- WebSockets

    async def enter(self, socket: Socket) -> None:
        """Serve one WebSocket until it is closed."""
        head = self._proxies.seen_through(head_of(socket))
        try:
            spelling, token = self._let_in(socket, head.peer)
        except Refused as refusal:
            await denied(socket, refusal)
            return
        await accepted(socket)
        wire = _Wire(socket)
        called = socket.query_params.get("called", "")
        call = self.call(spelling, Connection(head.peer, wire.send, wire.close), token=token, called=called)
        sending = asyncio.create_task(wire.run(), name="what goes to a stream")
        hearing = asyncio.create_task(_hear(socket, call), name="what comes from a stream")
        try:
            await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
            call.lose("the connection was lost")
            await asyncio.wait((sending, hearing), timeout=_CLOSE_SECONDS)
        finally:
            call.lose("the connection was lost")
            for task in (sending, hearing):
                task.cancel()
            await asyncio.gather(sending, hearing, return_exceptions=True)

    def _let_in(self, socket: Socket, peer: str) -> tuple[Spelling, str]:
        """Return how a stream is spelt, and the token that it still has to bring.

        Raises:
            Refused: it may not come in.
        """
        door, given = socket.path_params["door"], socket.path_params.get("token")
        wanted = self._settings.token.value
        make = _SPELLINGS.get(door)
        if make is None or not wanted:
            raise Refused(404, "unknown_url", "There is no such door.")
        self.admit(peer)
        if given is not None and not hmac.compare_digest(given.encode(), wanted.encode()):
            _log.warning("a stream (%s) from %s was refused: its token is wrong", door, peer)
            raise Refused(403, "invalid_token", "The token of this address is wrong.")
        try:
            return make(socket.query_params), wanted if given is None else ""
        except StreamError as error:
            raise Refused(400, "invalid_value", f"The stream cannot be taken: {error}.", param="rate") from error


async def _hear(socket: Socket, call: StreamCall) -> None:
    while (message := await next_message(socket)) is not None:
        call.receive(message)


class _Wire:
    """Sends over a WebSocket without waiting, in order, as fast as the network takes it."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._closing: tuple[int, str] | None = None
        self._wake = asyncio.Event()

    def send(self, message: Message) -> int:
        """Send a message; return how many bytes wait."""
        if self._closing is None:
            self._waiting.append(message)
            self._bytes += len(message)
            self._wake.set()
        return self._bytes

    def close(self, code: int, reason: str) -> None:
        """Close the socket when all has left."""
        self._closing = self._closing or (code, reason)
        self._wake.set()

    async def run(self) -> None:
        """Send until it is closed, or nobody is there any more."""
        while self._closing is None:
            await self._wake.wait()
            self._wake.clear()
            if not await self._flush():
                return
        code, reason = self._closing
        async with asyncio.timeout(_CLOSE_SECONDS):
            if await self._flush():
                await closed(self._socket, code, reason)

    async def _flush(self) -> bool:
        while self._waiting:
            message = self._waiting.popleft()
            if not await sent(self._socket, message):
                return False
            self._bytes -= len(message)
        return True


# --------------------------------------------------------------------------------------------------------- AudioSocket


class _AudioSocket(asyncio.Protocol):
    """One connection of Asterisk's `AudioSocket` application or channel."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._reader = AudioSocketReader()
        self._transport: asyncio.Transport | None = None
        self._call: StreamCall | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or not."""
        # uvloop's are none of asyncio's own kind.
        self._transport = transport = cast("asyncio.Transport", transport)
        host, port, *_ = transport.get_extra_info("peername") or ("unknown", 0)
        peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if not self._doors.is_source(host):
            _log.warning("an AudioSocket from %s was refused: it is in none of 'audiosocket_sources'", peer)
            transport.abort()
            return
        try:
            self._doors.admit(peer)
        except Refused as refusal:
            _log.warning("an AudioSocket from %s was refused: %s", peer, refusal)
            transport.abort()
            return
        self._call = self._doors.call(AudioSocket(), Connection(peer, self._send, self._close))

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        for message in self._reader.push(data):
            if self._call is not None:
                self._call.receive(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call."""
        if self._call is not None:
            self._call.lose("the connection was lost" if exc is not None else "the caller hung up")
        self._transport = None

    def _send(self, message: Message) -> int:
        transport = self._transport
        if transport is None or transport.is_closing():
            return 0
        transport.write(message.encode() if isinstance(message, str) else message)
        return transport.get_write_buffer_size()

    def _close(self, code: int, reason: str) -> None:
        if self._transport is not None:
            self._transport.close()
            asyncio.get_running_loop().call_later(_CLOSE_SECONDS, self._transport.abort)
