"""One request of HTTP to a Realtime server, beside the sockets that lead there: an offer of a call, or its end.

As `legs.upgrade`, it follows no redirect, uses no proxy and keeps no connection.  Called by `server.passing`.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import secrets
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from .. import __version__
from .line import LineError
from .refusals import unreachable
from .upgrade import Recorded, body_of

__all__ = ["Posted", "form", "post"]

_PORTS = {"http": 80, "https": 443}
_TRUST = "`insecure` in its settings accepts it all the same"
_PIECE_BYTES = 64 * 1024


class Posted(msgspec.Struct, frozen=True):
    """What a server answered."""

    status: int
    phrase: str
    """The words beside the status."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def form(parts: Mapping[str, tuple[str, bytes]]) -> tuple[str, bytes]:
    """Return the type and the bytes of a form of texts, each with its media type."""
    boundary = secrets.token_hex(16)
    body = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\nContent-Type: %b\r\n\r\n%b\r\n'
        % (boundary.encode(), name.encode(), kind.encode(), text)
        for name, (kind, text) in parts.items()
    )
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


async def post(
    address: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tls: ssl.SSLContext | None,
    seconds: float,
    most_bytes: int = 1 << 20,
) -> Posted:
    """Send a request and return the answer, whatever its status.

    Args:
        address: a complete `http` or `https` URL.
        headers: what is sent besides the usual; names and values that headers may hold.
        body: what is sent.
        tls: how an `https` server is to be trusted; None for `http`.
        seconds: how long all of it may take.
        most_bytes: what the answer may come to.

    Raises:
        LineError: the server cannot be reached, or what it answers is no answer.
    """
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=tls, server_hostname=host if tls is not None else None
            )
            try:
                writer.write(_head(address, headers, len(body)) + body)
                await writer.drain()
                return await _answer(reader, host, most_bytes)
            finally:
                writer.transport.abort()
    except OSError as exc:
        raise unreachable(address, exc, seconds=seconds, trust=_TRUST) from exc


def _head(address: str, headers: Mapping[str, str], length: int) -> bytes:
    parts = urlsplit(address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    usual = {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": f"vivavoce/{__version__}",
        "Content-Length": str(length),
        "Connection": "close",
    }
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**usual, **headers}.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _answer(reader: asyncio.StreamReader, host: str, most_bytes: int) -> Posted:
    received = bytearray()
    while True:
        piece = await reader.read(_PIECE_BYTES)
        received += piece
        if len(received) > most_bytes:
            raise LineError(f"{host}: its answer has more than {most_bytes} bytes", again=False)
        try:
            found = _read(bytes(received), is_all=not piece)
        except (http.client.HTTPException, ValueError) as exc:
            raise LineError(
                f"{host}: what it answers is not HTTP/1.1: {exc or type(exc).__name__}", again=True
            ) from exc
        if found is not None:
            return found


def _read(received: bytes, *, is_all: bool) -> Posted | None:
    """Return an answer as soon as all of it is there; None until then."""
    if b"\r\n\r\n" not in received and not is_all:
        return None
    response = http.client.HTTPResponse(Recorded(io.BytesIO(received)), method="POST")  # type: ignore[arg-type]
    response.begin()
    body = body_of(response, is_all=is_all)
    if body is None:
        return None
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Posted(response.status, response.reason, headers, body)
