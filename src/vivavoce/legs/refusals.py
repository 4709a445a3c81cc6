"""Why a Realtime server could not be had, in one line for people, and whether it is worth dialling again.

Called by whoever dials: `legs.upstream` for the commands and `legs.outbound` for the relay.
"""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

import msgspec

from .line import LineError

__all__ = ["refused", "unreachable"]

_MEANINGS = {401: "the key was refused", 403: "access was refused", 404: "there is no such endpoint or model"}
_PASSING = frozenset({408, 425, 429})
"""Statuses below 500 that say nothing about the next attempt."""
_SHOWN_CHARACTERS = 200
"""Of a body that is not the API's JSON."""


def unreachable(address: str, exc: Exception, *, seconds: float, trust: str) -> LineError:
    """Return why no connection to a server came about.

    Args:
        address: the server's `ws` or `wss` URL; no password of it is shown.
        exc: what was raised on the way.
        seconds: how long was waited, for a `TimeoutError`.
        trust: what makes a certificate that nobody vouches for acceptable, as a clause.
    """
    parts = urlsplit(address)
    place = parts.netloc.rpartition("@")[2]
    cause, again = f"{exc}" or type(exc).__name__, True
    match exc:
        case TimeoutError():
            cause = f"no answer within {seconds:g} s"
        case socket.gaierror():
            cause = f"the host name {parts.hostname} cannot be resolved"
        case ssl.SSLCertVerificationError():
            cause, again = f"its certificate is not trusted ({exc.verify_message}); {trust}", False
        case ssl.SSLError():
            cause, again = f"TLS failed ({exc.args[-1]}); is it ws:// rather than wss://?", False
        case ConnectionRefusedError():
            cause = "connection refused; is the server running?"
        case OSError() if exc.errno is None and _is_refusal_of_several(str(exc)):
            cause = "connection refused; is the server running?"
        case ConnectionResetError() if not exc.strerror:
            cause = "it closed the connection at once"
        case OSError():
            cause = exc.strerror or cause
        case _:
            hint = "; is it wss:// rather than ws://?" if parts.scheme == "ws" else ""
            cause, again = f"it does not answer as a WebSocket server ({cause}){hint}", False
    return LineError(f"cannot reach {place}: {cause}", again=again)


def refused(host: str, status: int, phrase: str, body: bytes) -> LineError:
    """Return what a server said that answered the request for a WebSocket by another status than 101."""
    cause = _MEANINGS.get(status, "the session was refused")
    said = _message(body) or phrase
    return LineError(
        f"{host}: {cause} (HTTP {status}): {said}", again=status in _PASSING or status >= 500, status=status
    )


def _is_refusal_of_several(text: str) -> bool:
    """Return whether a connection was refused on each of several addresses, as asyncio or uvloop puts it."""
    return text.startswith("Multiple exceptions") and ("Connect call failed" in text or "Connection refused" in text)


def _message(body: bytes) -> str:
    """Return what the body of an HTTP error says: its message if it is the API's JSON, else its first words."""
    try:
        error = msgspec.json.decode(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (msgspec.DecodeError, KeyError, TypeError):
        return " ".join(body.decode("utf-8", "replace").split())[:_SHOWN_CHARACTERS]
