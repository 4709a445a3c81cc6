"""SIP messages as values: a request or a response, its headers in their order, and how they are written.

Nothing is understood here but the names of headers; `headers` reads what is in them and `parsing` makes messages of
bytes.  RFC 3261 section 7.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from .errors import UnwritableMessage

__all__ = [
    "REASONS",
    "TOKEN",
    "Headers",
    "Message",
    "Request",
    "Response",
    "canonical_name",
    "encode",
    "is_known",
    "is_token",
]

_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject",
    "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip

_WELL_KNOWN = (
    "Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Authentication-Info", "Authorization",
    "CSeq", "Call-Info", "Content-Disposition", "Content-Language", "Date", "Diversion", "Error-Info", "Expires",
    "History-Info", "In-Reply-To", "Info-Package", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE",
    "Organization", "P-Asserted-Identity", "P-Preferred-Identity", "Path", "Priority", "Privacy",
    "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "RSeq", "Reason", "Record-Route",
    "Recv-Info", "Refer-Sub", "Remote-Party-ID", "Replaces", "Reply-To", "Require", "Retry-After", "Route",
    "SIP-ETag", "SIP-If-Match", "Server", "Service-Route", "Subscription-State", "Timestamp", "Unsupported",
    "User-Agent", "WWW-Authenticate", "Warning",
)  # fmt: skip

_CANONICAL = {name.lower(): name for name in (*_WELL_KNOWN, *_COMPACT.values())} | _COMPACT

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted", 204: "No Notification", 300: "Multiple Choices", 301: "Moved Permanently",
    302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized",
    402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 412: "Conditional Request Failed",
    413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
    423: "Interval Too Brief", 429: "Provide Referrer Identity", 433: "Anonymity Disallowed",
    469: "Bad Info Package", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
    493: "Undecipherable", 494: "Security Agreement Required", 500: "Server Internal Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
    513: "Message Too Large", 580: "Precondition Failure", 600: "Busy Everywhere", 603: "Decline",
    604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}  # fmt: skip
"""Reason phrases by status."""


# Quoted strings of others, which answers repeat, may hold one behind a backslash.
_BARE_NUL = re.compile(r"(?<!\\)\x00")

_NAMES = frozenset(_CANONICAL.values())

TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")
"""The characters of a token (RFC 3261 section 25.1)."""


def is_token(text: str) -> bool:
    """Tell whether a text is a token, as methods, names of headers, tags and branches are."""
    return bool(text) and TOKEN.issuperset(text)


def canonical_name(name: str) -> str:
    """Return a header's full name as RFCs spell it; names that nobody has registered stay as they are."""
    return name if name in _NAMES else _CANONICAL.get(name.lower(), name)


def is_known(name: str) -> bool:
    """Tell whether a canonical name is one that RFCs have registered."""
    return name in _NAMES


class Headers(msgspec.Struct, frozen=True):
    """The headers of a message in their order, by full names of any case; a value is what stood on one line.

    Made by `Headers.of`, or by the reader of messages, which both spell names canonically.  One value may hold several
    of a list, as in `Via: a, b`; `headers.split_list` takes it apart.
    """

    fields: tuple[tuple[str, str], ...] = ()
    """Name and value of each, the name canonical, the value unfolded and without white space around it."""

    @classmethod
    def of(cls, *fields: tuple[str, str]) -> Headers:
        """Make headers of names, compact or of any case, and values."""
        return cls(tuple([(canonical_name(name), value) for name, value in fields]))

    def get(self, name: str) -> str | None:
        """Return the first value under a name, or None."""
        wanted = canonical_name(name)
        if wanted in _NAMES:
            for field, value in self.fields:
                if field == wanted:
                    return value
            return None
        wanted = wanted.lower()
        return next((value for field, value in self.fields if field.lower() == wanted), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values under a name, one for each line that had it."""
        wanted = canonical_name(name)
        if wanted in _NAMES:
            return tuple([value for field, value in self.fields if field == wanted])
        wanted = wanted.lower()
        return tuple([value for field, value in self.fields if field.lower() == wanted])

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def added(self, name: str, *values: str) -> Headers:
        """Return these headers and further ones of a name after them."""
        spelled = canonical_name(name)
        return Headers(self.fields + tuple([(spelled, value) for value in values]))

    def prepended(self, name: str, *values: str) -> Headers:
        """Return these headers with others of a name before them, as a Via is put on top."""
        spelled = canonical_name(name)
        return Headers(tuple([(spelled, value) for value in values]) + self.fields)

    def replaced(self, name: str, *values: str) -> Headers:
        """Return these headers with other values of a name, where its first stood or else at the end."""
        spelled = canonical_name(name)
        wanted = spelled.lower()
        kept: list[tuple[str, str]] = []
        new = [(spelled, value) for value in values]
        for field in self.fields:
            if field[0].lower() != wanted:
                kept.append(field)
            else:
                kept.extend(new)
                new = []
        return Headers(tuple(kept + new))

    def without(self, *names: str) -> Headers:
        """Return these headers but those of some names."""
        unwanted = {canonical_name(name).lower() for name in names}
        return Headers(tuple([field for field in self.fields if field[0].lower() not in unwanted]))

    def only(self, *names: str) -> Headers:
        """Return those of these headers that have one of some names, in their order."""
        wanted = {canonical_name(name).lower() for name in names}
        return Headers(tuple([field for field in self.fields if field[0].lower() in wanted]))


class Request(msgspec.Struct, frozen=True):
    """A request; `Content-Length` need not be among its headers, for it is written by the body."""

    method: str
    """The method, in its own case."""
    uri: str
    """The Request-URI as it is written, which `uri.parse_uri` reads."""
    headers: Headers = Headers()
    """The headers, in their order."""
    body: bytes = b""
    """The body, empty where there is none."""


class Response(msgspec.Struct, frozen=True):
    """A response; `Content-Length` need not be among its headers, for it is written by the body."""

    status: int
    """The status code, 100 to 699."""
    reason: str = ""
    """The reason phrase, which nobody may depend on; empty where there is none."""
    headers: Headers = Headers()
    """The headers, in their order."""
    body: bytes = b""
    """The body, empty where there is none."""


Message: TypeAlias = Request | Response


def encode(message: Message) -> bytes:
    """Write a message, with the `Content-Length` of its body as the last header.

    Raises:
        UnwritableMessage: where something in it would end a line early, or is no name of a method or header.
    """
    if isinstance(message, Request):
        lines = [f"{message.method} {message.uri} SIP/2.0"]
        sound = is_token(message.method) and bool(message.uri) and not {" ", "\t"} & set(message.uri)
    else:
        lines = [f"SIP/2.0 {message.status:03d} {message.reason}"]
        sound = 100 <= message.status <= 699
    for name, value in message.headers.fields:
        if name != "Content-Length":
            lines.append(f"{name}: {value}")
            sound = sound and (name in _NAMES or is_token(name))
    lines.append(f"Content-Length: {len(message.body)}")
    text = "\n".join(lines)
    if not sound or text.count("\n") != len(lines) - 1 or "\r" in text or _BARE_NUL.search(text):
        raise UnwritableMessage("a method, address, reason or header holds a line break or what its place forbids")
    try:
        return text.replace("\n", "\r\n").encode() + b"\r\n\r\n" + message.body
    except UnicodeEncodeError:
        raise UnwritableMessage("a header holds half a character") from None
