"""The client's side of a WebSocket upgrade: one HTTP request, and what the server answers.

Follows RFC 6455 section 4.1.  Asks for no extension and no subprotocol, follows no redirect and uses no proxy.  Called
by `legs.outbound`, which decides what a refusal means.
"""

from __future__ import annotations

import asyncio
import errno
import http.client
import io
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

from .. import __version__
from ..core.errors import VivavoceError
from .framing import accept_of

__all__ = ["NotUpgraded", "Recorded", "TurnedAway", "Upgrade", "body_of", "read_answer", "request_of"]

_DEFAULT_PORTS = {"ws": ":80", "wss": ":443"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What the name of a header may be (RFC 9110 section 5.6.2)."""
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What a header's value must not hold, lest it become two."""
_PATH_CHARACTERS = "/%:@!$&'()*+,;=-._~"
"""What may stand in a path as it is (RFC 3986 section 3.3), and percent signs, which belong to what is quoted."""


class NotUpgraded(Exception):
    """The server answers as none of WebSockets does."""


class TurnedAway(Exception):
    """The server answers that it opens no WebSocket."""

    def __init__(self, status: int, phrase: str, body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        """The status of HTTP."""
        self.phrase = phrase
        """The words beside the status."""
        self.body = body
        """What the answer says, as far as it came."""


def request_of(address: str, headers: Mapping[str, str], key: bytes) -> bytes:
    """Return the request that asks for a WebSocket.

    Args:
        address: a complete `ws` or `wss` URL.
        headers: what is sent besides, or instead of, the usual ones.
        key: 16 random bytes.

    Raises:
        VivavoceError: a header cannot be sent.
    """
    parts = urlsplit(address)
    place = parts.netloc.rpartition("@")[2]
    default = _DEFAULT_PORTS[parts.scheme]
    path = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    query = f"?{quote(parts.query, safe=_PATH_CHARACTERS + '?')}" if parts.query else ""
    own = {"Host": place.removesuffix(default), "User-Agent": f"vivavoce/{__version__}"}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        own["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    given = {name.lower() for name in headers}
    own = {name: value for name, value in own.items() if name.lower() not in given}
    lines = [f"GET {path}{query} HTTP/1.1"]
    for name, value in (own | dict(headers)).items():
        if not _TOKEN.fullmatch(name) or _UNSAFE.search(value) or not _is_latin(value):
            raise VivavoceError(f"the header {name[:60]!r} cannot be sent: its name or value holds what no header may")
        lines.append(f"{name}: {value}")
    lines += [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {b64encode(key).decode()}",
        "\r\n",
    ]
    return "\r\n".join(lines).encode("latin-1")


class Upgrade(asyncio.Protocol):
    """A connection from the request to the end of its answer."""

    def __init__(
        self, request: bytes, key: bytes, max_bytes: int, agreed: Callable[[asyncio.Transport, bytes], Any]
    ) -> None:
        """Send `request` as soon as there is a connection.

        Args:
            request: what `request_of` made.
            key: the key that is in it.
            max_bytes: what an answer may come to.
            agreed: takes the transport over, with what came behind the answer; it is called before anything more is
                read, and what it returns is the result of `answered`.
        """
        self._request = request
        self._key = key
        self._max_bytes = max_bytes
        self._agreed = agreed
        self._received = bytearray()
        self._transport: asyncio.Transport
        self.answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        """Done when the server has answered; fails with `TurnedAway`, `NotUpgraded` or `OSError`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read what has come of the answer."""
        self._received += data
        self._read(is_all=len(self._received) > self._max_bytes)

    def eof_received(self) -> None:
        """Take what came for the answer, and let the transport close itself."""
        self._read(is_all=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take what came for the answer, if the connection was merely closed."""
        if exc is None:
            self._read(is_all=True)
        elif not self.answered.done():
            self.answered.set_exception(exc if isinstance(exc, OSError) else NotUpgraded(str(exc)))

    def _read(self, *, is_all: bool) -> None:
        if self.answered.done():
            return
        if is_all and not self._received:
            # As servers do that are about to stop: nothing is wrong with the address.
            self.answered.set_exception(ConnectionResetError(errno.ECONNRESET, "it closed the connection at once"))
            return
        try:
            rest = read_answer(bytes(self._received), self._key, is_all=is_all)
        except (NotUpgraded, TurnedAway) as exc:
            self.answered.set_exception(exc)
            self._transport.close()
            return
        if rest is not None:
            self.answered.set_result(self._agreed(self._transport, rest))


def read_answer(data: bytes, key: bytes, *, is_all: bool) -> bytes | None:
    """Return what came behind an answer by which the server agrees, or None if more of the answer is to come.

    Args:
        data: what came so far.
        key: the key of the request.
        is_all: whether no more is to come.

    Raises:
        NotUpgraded: this is no answer, or a wrong one.
        TurnedAway: the server does not agree.
    """
    if not b"HTTP/1.".startswith(data[:7]):
        raise NotUpgraded("what it says is not HTTP/1.1")
    if b"\r\n\r\n" not in data:
        if is_all:
            raise NotUpgraded("its answer ended too early")
        return None
    stream = io.BytesIO(data)
    response = http.client.HTTPResponse(Recorded(stream), method="GET")  # type: ignore[arg-type]
    try:
        response.begin()
        if response.status != 101:
            body = body_of(response, is_all=is_all)
            if body is None:
                return None
            raise TurnedAway(response.status, response.reason, body)
    except (http.client.HTTPException, ValueError) as exc:
        raise NotUpgraded(f"its answer is not HTTP/1.1: {exc}") from exc
    _check(response, key)
    return stream.read()


def body_of(response: http.client.HTTPResponse, *, is_all: bool) -> bytes | None:
    """Return the body of a response, or None if more of it is to come."""
    has_end = response.chunked or response.length is not None
    try:
        body = response.read()
    except http.client.IncompleteRead as exc:
        return exc.partial if is_all else None
    return body if has_end or is_all else None


def _check(response: http.client.HTTPResponse, key: bytes) -> None:
    """Check that a server which agrees means what was asked.

    Raises:
        NotUpgraded: it does not.
    """
    connection = (response.getheader("Connection") or "").lower()
    if (response.getheader("Upgrade") or "").lower() != "websocket" or "upgrade" not in connection:
        raise NotUpgraded("it upgrades to something else")
    if response.getheader("Sec-WebSocket-Accept") != accept_of(b64encode(key)).decode():
        raise NotUpgraded("its Sec-WebSocket-Accept is wrong")
    if response.getheader("Sec-WebSocket-Extensions"):
        raise NotUpgraded("it uses an extension that was not asked for")


def _is_latin(value: str) -> bool:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


class Recorded:
    """A socket of which only what was received is left, for the standard library's reader of responses."""

    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> io.BytesIO:
        """Return what was received."""
        return self._stream
