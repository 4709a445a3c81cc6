"""Who may come in: keys, web pages and room, decided before any upgrade.

Pure decisions on what a request says; `server.hybrid` asks for Realtime sockets and `server.app` for HTTP routes.

Without keys a server listens on loopback only.  That alone does not keep out a web page that the user visits: its
scripts run on the same machine.  So then the page's `Origin` has to be local or allowed, and so has the `Host` that the
request was sent to, or else a page could give its own name this machine's address (DNS rebinding).

A page that comes from where it asks is the server's own, whatever origins are allowed.  With keys its host may have any
name: rebinding wins a page nothing, because no browser sends a key of its own accord.

A client secret (`server.client_secrets`) opens the sessions that it was made for and nothing else.  It is the only key
that a browser may put into a subprotocol, where a server has keys: whatever a page holds, its visitors can read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

from ..config import Access
from ..core.errors import ConfigError, VivavoceError
from ..dialects.choose import shape_of
from .client_secrets import PREFIX, Grant, SecretRefused

__all__ = ["Admission", "Connection", "Refused", "Request", "check_exposure", "is_loopback", "safety_identifier"]

TRANSLATIONS = "/translations"
"""What follows the path of Realtime sessions where translation sessions are."""
CONVERSATION = "/ws/conversation"
"""Where the small protocol is spoken: `dialects.conversation`."""
KEY_SUBPROTOCOL = "openai-insecure-api-key."
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "api-key", "cookie", "sec-websocket-protocol"})
_SECRET_PARAMETERS = frozenset({"api-key"})
_SAFETY_HEADER = "openai-safety-identifier"
# A hash by contract, of which the longest usual one has 128 digits.
_MAX_SAFETY_IDENTIFIER = 256
_RETRY_SECONDS = "5"
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Request(msgspec.Struct, frozen=True):
    """The head of an HTTP request."""

    path: str
    """The path, percent-decoded."""
    query: Mapping[str, str]
    """The parameters, decoded; of repeated ones the last."""
    headers: Mapping[str, str]
    """Names in lower case; repeated ones joined by commas."""
    peer: str
    """Address of the client."""

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """The WebSocket subprotocols that are offered, most wanted first."""
        names = self.headers.get("sec-websocket-protocol", "").split(",")
        return tuple(name.strip() for name in names if name.strip())


class Connection(msgspec.Struct, frozen=True):
    """A connection that was let in, without anything secret, so that it may be logged and written to a journal."""

    path: str
    """The path, percent-decoded."""
    query: Mapping[str, str]
    """The parameters, without keys."""
    headers: Mapping[str, str]
    """Names in lower case; without keys, cookies and the safety identifier."""
    subprotocols: tuple[str, ...]
    """The subprotocols that were offered, without keys."""
    key_id: str
    """Eight hexadecimal digits that tell keys apart without giving them away; empty when none was given."""
    peer: str
    """Address of the client."""
    dialect_hint: str
    """`beta` where the client asks for that shape; empty where nothing says, which means GA unless its first message
    shows otherwise."""
    safety_identifier: str = ""
    """What the application calls its user by, as it was given: a hash, by the protocol; empty for nothing."""
    grant: Grant | None = None
    """What the client secret is bound to that opened it; None where an ordinary key did, or none was needed."""
    secret_id: str = ""
    """Sixteen hexadecimal digits that tell client secrets apart and give none away; empty where none opened it."""
    recovery_seconds: float = 60.0
    """How long its conversation may be without an upstream."""

    @property
    def kind(self) -> str:
        """The kind of session that its address asks for; empty where it does not say."""
        if self.is_conversation:
            return "realtime"
        return "translation" if self.path.rstrip("/").endswith(TRANSLATIONS) else self.query.get("intent", "")

    @property
    def is_conversation(self) -> bool:
        """Whether it speaks the small protocol."""
        return self.path.rstrip("/") == CONVERSATION

    @property
    def is_sideband(self) -> bool:
        """Whether it attends to a call that is live, and wants no session of its own."""
        return "call_id" in self.query and not self.is_conversation


class Refused(VivavoceError):
    """A request is turned away with an HTTP status and an error body in OpenAI's shape."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002 - the wire name
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status."""
        self.headers = dict(headers or {})
        """Headers of the response besides those of its body."""
        error = {"message": message, "type": type, "param": param, "code": code}
        self.body = msgspec.json.encode({"error": error})
        """The response's JSON."""


class Admission:
    """The rules of one server."""

    def __init__(
        self, access: Access, max_sessions: int, redeem: Callable[[str], Grant | None] = lambda _secret: None
    ) -> None:
        """Take the rules.

        Args:
            access: keys and origins.
            max_sessions: how many sessions there may be at a time.
            redeem: returns what a client secret is bound to, or None for what is none; raises SecretRefused.
        """
        # Digests are of one length, so that a comparison tells nothing of a key's length either.
        self._digests = tuple(_digest(key.value) for key in access.api_keys)
        self._origins = frozenset(access.allowed_origins)
        self._hosts = frozenset(filter(None, map(_host_of, self._origins)))
        self._max_sessions = max_sessions
        self._redeem = redeem
        self._key_ids = frozenset(map(_key_id, self._digests))

    def admit(self, request: Request, sessions: int) -> Connection:
        """Let a Realtime socket in, where `sessions` are open already.

        Raises:
            Refused: it may not come in.
        """
        self._check_page(request)
        grant = self._grant_of(request)
        key_id = self._check_key(request) if grant is None else grant.key_id
        if sessions >= self._max_sessions:
            raise Refused(
                503,
                "server_at_capacity",
                f"This server holds {self._max_sessions} sessions, which is the most it may. Try again later.",
                type="server_error",
                headers={"Retry-After": _RETRY_SECONDS},
            )
        return Connection(
            path=request.path,
            query={name: value for name, value in request.query.items() if name not in _SECRET_PARAMETERS},
            headers={
                name: value
                for name, value in request.headers.items()
                if name not in _SECRET_HEADERS and name != _SAFETY_HEADER
            },
            subprotocols=tuple(name for name in request.subprotocols if not name.startswith(KEY_SUBPROTOCOL)),
            key_id=key_id,
            peer=request.peer,
            dialect_hint=_dialect_hint(request) or (grant.shape if grant else None) or "",
            # The one of the secret is the application's word, the other may be its user's.
            safety_identifier=(grant.safety_identifier if grant else "") or safety_identifier(request.headers),
            grant=grant,
            secret_id="" if grant is None else _digest(_key_of(request)[0]).hex()[:16],
        )

    def authenticate(self, request: Request) -> str:
        """Return the id of the key of a request other than for a session; an empty text where it needs and has none.

        Raises:
            Refused: the key is wrong or missing, or the request comes from a web page that may not ask.
        """
        self._check_page(request)
        if self._grant_of(request) is not None:
            raise Refused(
                403,
                "insufficient_permissions",
                "A client secret opens Realtime sessions and nothing else; this request needs an API key.",
            )
        return self._check_key(request)

    def _check_key(self, request: Request) -> str:
        """Return the id of a request's key.

        Raises:
            Refused: it is wrong or missing.
        """
        key, place = _key_of(request)
        if self._digests:
            if place == "sec-websocket-protocol":
                raise _wrong_key(key) if key.startswith(PREFIX) else _exposed_key()
            digest = _digest(key)
            # Every key is compared, so that the time taken does not tell which one nearly matched.
            if not sum(hmac.compare_digest(digest, known) for known in self._digests):
                raise _wrong_key(key)
        return _key_id(_digest(key)) if key else ""

    def _grant_of(self, request: Request) -> Grant | None:
        """Return what a request's client secret is bound to; None where its key is none.

        Raises:
            Refused: it opens nothing any more.
        """
        key, _ = _key_of(request)
        if not key.startswith(PREFIX):
            return None
        try:
            grant = self._redeem(key)
        except SecretRefused as refusal:
            raise Refused(401, refusal.code, str(refusal), headers=_CHALLENGE) from refusal
        if grant is not None and self._key_ids and grant.key_id not in self._key_ids:
            raise Refused(
                401,
                "client_secret_revoked",
                "The API key that this client secret was created with is not accepted any more.",
                headers=_CHALLENGE,
            )
        return grant

    def _check_page(self, request: Request) -> None:
        if "*" in self._origins:
            return
        origin = request.headers.get("origin", "").lower()
        keyless = not self._digests
        asked = request.headers.get("host", "").strip().lower()
        # Browsers leave the usual ports out of both, so that one is the end of the other.
        is_own = bool(asked) and origin in (f"http://{asked}", f"https://{asked}")
        if origin and (keyless or self._origins) and not is_own and not self._may_ask(origin):
            raise Refused(
                403,
                "origin_not_allowed",
                f"Web pages from {origin[:200]} may not use this server; its operator can allow them by "
                "VIVAVOCE_ALLOWED_ORIGINS.",
            )
        host = _hostname(asked)
        if keyless and host and not is_loopback(host) and host not in self._hosts:
            raise Refused(
                403,
                "host_not_allowed",
                f"This server has no API keys and answers to local names only, not to {host[:200]}; its operator can "
                "set VIVAVOCE_API_KEYS, or allow the name by VIVAVOCE_ALLOWED_ORIGINS.",
            )

    def _may_ask(self, origin: str) -> bool:
        return origin in self._origins or (not self._origins and is_loopback(_host_of(origin)))


def check_exposure(addresses: Iterable[str], access: Access) -> None:
    """Make sure that a server without keys can be reached from this machine alone.

    Args:
        addresses: the IP addresses that it listens on.
        access: its keys.

    Raises:
        ConfigError: it could be reached from elsewhere.
    """
    open_ones = [address for address in addresses if not is_loopback(address)]
    if open_ones and not access.api_keys:
        raise ConfigError(
            f"without API keys the server listens on loopback only, not on {open_ones[0]}: set VIVAVOCE_API_KEYS or "
            "VIVAVOCE_API_KEYS_FILE, or use --host 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Return whether a name or address without port and brackets can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    """Return what stands before the port of a `Host` header, without brackets."""
    match = re.fullmatch(r"(\[([^\]]*)\]|([^:]*))(:[0-9]*)?", host.strip().lower())
    # Whatever is no host is returned as it is: it matches nothing.
    return (match[2] or match[3] or "").rstrip(".") if match else host


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _key_of(request: Request) -> tuple[str, str]:
    """Return a request's key and the place it stands at; of several the one that is hardest to come by."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip(), "authorization"
    if key := request.headers.get("api-key", "").strip():
        return key, "api-key"
    offered = [name[len(KEY_SUBPROTOCOL) :] for name in request.subprotocols if name.startswith(KEY_SUBPROTOCOL)]
    if offered and offered[0]:
        return offered[0], "sec-websocket-protocol"
    return request.query.get("api-key", ""), "query"


def safety_identifier(headers: Mapping[str, str]) -> str:
    """Return what the application calls its user by; empty for nothing.

    Raises:
        Refused: it is longer than any hash.
    """
    found = headers.get(_SAFETY_HEADER, "").strip()
    if len(found) > _MAX_SAFETY_IDENTIFIER:
        raise Refused(
            400,
            "invalid_value",
            f"The OpenAI-Safety-Identifier header has more than {_MAX_SAFETY_IDENTIFIER} characters.",
        )
    return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def _key_id(digest: bytes) -> str:
    return digest.hex()[:8]


def _wrong_key(key: str) -> Refused:
    if not key:
        text = "No API key was given. Send one in an Authorization header: Bearer YOUR_KEY."
    else:
        # Enough to recognise one's own key by, of a key that is long enough to stay secret.
        shown = f"{key[:3]}***{key[-4:]}" if len(key) >= 20 and key.isascii() else "***"
        text = f"Incorrect API key provided: {shown}."
    return Refused(401, "invalid_api_key", text, headers=_CHALLENGE)


def _exposed_key() -> Refused:
    return Refused(
        401,
        "invalid_api_key",
        "Only client secrets are accepted in a WebSocket subprotocol, as anybody can read what a web page holds. "
        "Create one by POST /v1/realtime/client_secrets, or send the key in an Authorization header.",
        headers=_CHALLENGE,
    )


def _dialect_hint(request: Request) -> str:
    is_azure_preview = request.path.rstrip("/") == "/openai/realtime" and "api-version" in request.query
    return "beta" if is_azure_preview else shape_of(request.headers, request.subprotocols) or ""
