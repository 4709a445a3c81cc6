"""Bytes into messages: one datagram, or the stream of a TCP or TLS connection; RFC 3261 sections 7, 18.3 and 21.4.

Whatever may come, the only error is `MalformedMessage`, which says how the sender may be answered, and the work grows
no faster than the message.  What every message must have is read here, so that whoever gets one can rely on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from .errors import MalformedMessage
from .extensions import ContentType, Replaces, SessionExpires, parse_min_se
from .headers import (
    parse_tokens,
    read_call_id,
    read_cseq,
    read_first_contact,
    read_from,
    read_max_forwards,
    read_number,
    read_to,
    read_value,
    read_via,
)
from .lexing import number
from .message import Headers, Message, Request, Response, canonical_name, is_known, is_token
from .uri import SipUri, parse_uri

__all__ = [
    "MAX_BODY_BYTES", "MAX_HEADERS", "MAX_HEADER_BYTES", "MAX_MESSAGE_BYTES", "Ping", "StreamReader", "parse_message",
]  # fmt: skip

MAX_MESSAGE_BYTES = 65_536
"""How long a message may be, which is what one datagram holds."""

MAX_HEADERS = 256
"""How many headers a message may have."""

MAX_HEADER_BYTES = 8192
"""How long one header may be, with the lines it is continued on."""

MAX_BODY_BYTES = 32_768
"""How long a body may be; a session description may have half of that, and others may stand beside it."""

_ONCE = frozenset({
    "Call-ID", "CSeq", "Content-Length", "Content-Type", "Event", "Expires", "From", "Max-Forwards", "Min-SE", "RAck",
    "RSeq", "Refer-To", "Replaces", "Session-Expires", "To",
})  # fmt: skip

_REPEATED: Final = ("Via", "From", "To", "Call-ID", "CSeq", "Timestamp")
"""What a response repeats of its request."""

_MAX_LINES = 2 * MAX_HEADERS
"""How many lines a head may have, those counted that only go on."""

_MAX_CONTROLS = 64
"""How many control characters a head may have, all of them behind a backslash."""

_PLAIN = bytes([code for code in range(256) if code >= 0x20 and code != 0x7F]) + b"\t\r\n"
_READ_LATER: Final[dict[str, Callable[[str], object]]] = {
    "Allow": parse_tokens,
    "Content-Type": ContentType.parse,
    "Min-SE": parse_min_se,
    "Replaces": Replaces.parse,
    "Require": parse_tokens,
    "Session-Expires": SessionExpires.parse,
    "Supported": parse_tokens,
}
"""What is read of a request when it is too late to refuse it: as its call is answered."""

# In a quoted string even a NUL may stand behind a backslash, but a line break may not stand anywhere.
_STRAY = re.compile(r"[\r\n]|(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_VERSION = re.compile(r"SIP/[0-9]{1,9}\.[0-9]{1,9}\Z", re.IGNORECASE)


_SPACES = frozenset(" \t")


class Ping(msgspec.Struct, frozen=True):
    """A peer asks on a stream whether anybody is there; the answer is one line break (RFC 5626 section 4.4.1)."""


class _Head(msgspec.Struct, frozen=True):
    """What stands before a body, taken apart but not yet judged."""

    start: str
    headers: Headers
    fault: MalformedMessage | None


def parse_message(data: bytes) -> Message:
    """Read the message that one datagram holds; what follows its body is left out.

    Raises:
        MalformedMessage: where it is none; `is_answerable` tells whether its sender may learn that.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessage("the message is too long", status=None)
    # A message without a body that lacks its empty line is still whole.
    head, _, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    found = _parse_head(head.removesuffix(b"\r\n"))
    try:
        length = _content_length(found.headers)
        if length is not None and length > len(body):
            raise MalformedMessage("promises more than there is", header="Content-Length")
    except MalformedMessage as error:
        raise _refusal(found, found.fault or error) from None
    return _judge(found, body if length is None else body[:length])


def _parse_head(head: bytes) -> _Head:
    """Take the first line and the headers apart; a line that is no header is left out and remembered as a fault."""
    controls = _controls(head)
    try:
        lines = head.decode().split("\r\n", _MAX_LINES)
    except UnicodeDecodeError:
        lines = [_decode(line) for line in head.split(b"\r\n", _MAX_LINES)]
    fault: MalformedMessage | None = None
    if len(lines) > _MAX_LINES or len(controls) > _MAX_CONTROLS:
        fault = MalformedMessage("there are too many lines or control characters", status=513)
        del lines[MAX_HEADERS:]
        controls = controls[:_MAX_CONTROLS]
    suspects = frozenset(controls)
    fields: list[tuple[str, str]] = []
    at = 1
    while at < len(lines):
        first = at
        at += 1
        while at < len(lines) and lines[at][:1] in _SPACES:
            at += 1
        try:
            fields.append(_parse_field(lines[first:at], suspects))
        except MalformedMessage as error:
            fault = fault or error
        if len(fields) > MAX_HEADERS:
            fault = fault or MalformedMessage("there are too many headers", status=513)
            break
    return _Head(lines[0], Headers(tuple(fields)), fault)


def _controls(head: bytes) -> str:
    """Return the control characters of a head, but for the line ends between its lines."""
    found = head.translate(None, _PLAIN)
    are_paired = head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n")
    return found.decode() if are_paired else found.decode() + "\r\n"


def _decode(line: bytes) -> str:
    """Return a line's text; old telephones write names in Latin-1."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _parse_field(lines: list[str], suspects: frozenset[str]) -> tuple[str, str]:
    """Read a header from its line and those that it goes on in."""
    name, colon, value = lines[0].partition(":")
    name = canonical_name(name.rstrip(" \t"))
    if not colon or not (is_known(name) or is_token(name)):
        raise MalformedMessage("a line is no header")
    value = value.strip(" \t")
    if len(lines) > 1:
        value = " ".join([value, *[line.strip(" \t") for line in lines[1:]]]).strip(" ")
    if len(value) > MAX_HEADER_BYTES:
        raise MalformedMessage("is too long", header=name, status=513)
    if any(control in value for control in suspects) and _STRAY.search(value):
        raise MalformedMessage("holds a control character", header=name)
    return name, value


def _content_length(headers: Headers) -> int | None:
    """Return how long the body is said to be, None where nothing says so."""
    return read_number(headers, "Content-Length")


def _judge(head: _Head, body: bytes) -> Message:
    """Make a message of its parts, or refuse it."""
    try:
        if head.fault is not None:
            raise head.fault
        if len(body) > MAX_BODY_BYTES:
            raise MalformedMessage("the body is too long", status=413)
        if _is_response(head.start):
            return _response(head, body)
        return _request(head, body)
    except MalformedMessage as error:
        raise _refusal(head, error) from None


def _is_response(start: str) -> bool:
    """Tell a status line from a request line."""
    return start[:4].upper() == "SIP/"


def _refusal(head: _Head, error: MalformedMessage) -> MalformedMessage:
    """Return the error with what is needed to answer it, or with the word that nothing must be answered."""
    start = head.start
    # What names no version of SIP at the end of its first line is something else, or a scan of ports.
    if _is_response(start) or "SIP/" not in start.upper() or "Via" not in head.headers:
        return MalformedMessage(error.message, header=error.header, status=None)
    method, _, rest = start.partition(" ")
    seen: set[str] = set()
    fields: list[tuple[str, str]] = []
    for name, value in head.headers.fields:
        if name in _REPEATED and (name == "Via" or name not in seen):
            seen.add(name)
            fields.append((name, value))
    request = Request(method, rest.strip(" ").partition(" ")[0], Headers(tuple(fields)))
    return MalformedMessage(error.message, header=error.header, status=error.status, request=request)


def _response(head: _Head, body: bytes) -> Response:
    """Make a response, which may lack its phrase and, at some peers, the space before it."""
    version, _, rest = head.start.partition(" ")
    code, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(code) != 3 or not 100 <= number(code) <= 699:
        raise MalformedMessage("the status line is none")
    if _STRAY.search(reason):
        raise MalformedMessage("the reason phrase holds a control character")
    _check(head.headers)
    return Response(int(code), reason, head.headers, body)


def _request(head: _Head, body: bytes) -> Request:
    """Make a request."""
    parts = head.start.split(" ", 3)
    if len(parts) != 3 or not is_token(parts[0]):
        raise MalformedMessage("the request line is not a method, an address and a version")
    method, uri, version = parts
    if version.upper() != "SIP/2.0":
        known = _VERSION.match(version)
        raise MalformedMessage(
            "the version is not 2.0" if known else "there is no version", status=505 if known else 400
        )
    _check_target(uri)
    headers = head.headers
    if _check(headers) != method:
        raise MalformedMessage("is of another method", header="CSeq")
    read_max_forwards(headers)
    for name, value in headers.fields:
        if (parse := _READ_LATER.get(name)) is not None:
            read_value(name, value, parse)
    return Request(method, uri, headers, body)


def _check_target(uri: str) -> None:
    """Check a Request-URI."""
    if len(uri) > MAX_HEADER_BYTES:
        raise MalformedMessage("the address is too long", status=414)
    target = parse_uri(uri)
    # RFC 3261 section 19.1.1: only an address that a request is made of may ask for headers.
    if isinstance(target, SipUri) and target.headers:
        raise MalformedMessage("the address asks for headers")


def _check(headers: Headers) -> str:
    """Check what every message must have, and return the method of its CSeq.

    Of lists only the first element is read here, for nobody else's hops are anybody's business.
    """
    names = [name for name, _ in headers.fields if name in _ONCE]
    if len(names) != len(set(names)):
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedMessage("stands there more than once", header=twice)
    read_via(headers)
    read_from(headers)
    read_to(headers)
    read_call_id(headers)
    read_first_contact(headers)
    date = headers.get("Date")
    # RFC 3261 section 20.17: a date is always of Greenwich.
    if date is not None and not date.upper().endswith(" GMT"):
        raise MalformedMessage("is not in GMT", header="Date")
    return read_cseq(headers).method


class StreamReader:
    """Takes messages out of a TCP or TLS connection, whatever pieces it arrives in."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._searched = 0
        """How much of the data is known not to hold the end of a head."""
        self._head: _Head | None = None
        """The head whose body is still arriving."""
        self._body_bytes = 0
        """How long that body is."""
        self._is_broken = False

    @property
    def is_broken(self) -> bool:
        """Tell whether nobody can know where the next message begins, so that the connection has to be closed."""
        return self._is_broken

    @property
    def is_midway(self) -> bool:
        """Tell whether a message has begun and not ended; whoever keeps that up for long is not to be waited for."""
        return bool(self._data) or self._head is not None

    def receive_data(self, data: bytes) -> list[Message | MalformedMessage | Ping]:
        """Take what arrived and return the messages that are now whole, refused ones as the error that says why."""
        found: list[Message | MalformedMessage | Ping] = []
        if self._is_broken:
            return found
        self._data += data
        while not self._is_broken:
            try:
                if self._head is None and not self._read_head(found):
                    break
                if self._head is None or len(self._data) < self._body_bytes:
                    break
                head, body = self._head, bytes(self._data[: self._body_bytes])
                del self._data[: self._body_bytes]
                self._head = None
                found.append(_judge(head, body))
            except MalformedMessage as error:
                found.append(error)
        if self._is_broken:
            self._data.clear()
        return found

    def _read_head(self, found: list[Message | MalformedMessage | Ping]) -> bool:
        """Read the next message's head, after the line breaks before it; tell whether it is there."""
        # What arrives byte by byte must not be copied as often.
        is_blank = self._data.startswith((b"\r", b"\n"))
        blanks = len(self._data) - len(self._data.lstrip(b"\r\n")) if is_blank else 0
        if blanks == len(self._data) and blanks % 4:
            # Half a question: the rest of it may be on its way.
            blanks -= blanks % 4
        if blanks:
            # However many questions lie here, one answer says it.
            if blanks >= 4 and Ping() not in found:
                found.append(Ping())
            del self._data[:blanks]
            self._searched = 0
        end = self._data.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0 or end > MAX_MESSAGE_BYTES:
            self._searched = len(self._data)
            if len(self._data) > MAX_MESSAGE_BYTES:
                self._break(MalformedMessage("the message is too long", status=None))
            return False
        head = _parse_head(bytes(self._data[:end]))
        del self._data[: end + 4]
        self._searched = 0
        self._await_body(head)
        return True

    def _await_body(self, head: _Head) -> None:
        """Learn how long the body is; without that there is no next message."""
        try:
            if "SIP/" not in head.start.upper():
                raise MalformedMessage("the first line is not of SIP")
            if len(head.headers.all("Content-Length")) > 1:
                raise MalformedMessage("stands there more than once", header="Content-Length")
            length = _content_length(head.headers)
            if length is None:
                raise MalformedMessage("is missing", header="Content-Length")
            if length > MAX_BODY_BYTES:
                raise MalformedMessage("the body is too long", status=413)
        except MalformedMessage as error:
            self._break(_refusal(head, error))
        self._head, self._body_bytes = head, length

    def _break(self, error: MalformedMessage) -> NoReturn:
        """Give the connection up."""
        self._is_broken = True
        raise error
