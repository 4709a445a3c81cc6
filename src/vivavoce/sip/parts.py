"""Bodies of several parts: a session description may come with what telephone networks say to each other; RFC 5621."""

from __future__ import annotations

from .errors import MalformedMessage
from .extensions import ContentType
from .headers import read_one
from .lexing import param
from .message import Message

__all__ = ["body_of"]

_MAX_PARTS = 16
"""How many parts are looked at; those that come have two or three."""

_MAX_DEPTH = 2
"""How deep parts may hold parts."""


def body_of(message: Message, media_type: str) -> bytes | None:
    """Return the body of a message, or the first part of it, that is of a type; None where there is none.

    A body that says nothing of its type is a session description, as at some old telephones.
    """
    if not message.body:
        return None
    try:
        found = read_one(message.headers, "Content-Type", ContentType.parse)
    except MalformedMessage:
        return None
    return _find(found or ContentType("application/sdp"), message.body, media_type, 0)


def _find(content_type: ContentType, body: bytes, media_type: str, depth: int) -> bytes | None:
    """Return a body, or the first of its parts, that is of a type."""
    if content_type.media_type == media_type:
        return body
    boundary = param(content_type.params, "boundary")
    if not content_type.media_type.startswith("multipart/") or not boundary or depth >= _MAX_DEPTH:
        return None
    # The line break before a boundary belongs to it, and the first boundary may begin the body.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode(), _MAX_PARTS)[1:]:
        if part.startswith(b"--"):
            return None
        head, blank, content = part.partition(b"\r\n\r\n")
        found = _find(_type_of(head), content, media_type, depth + 1) if blank else None
        if found is not None:
            return found
    return None


def _type_of(head: bytes) -> ContentType:
    """Return what a part says that it is, plain text where it says nothing (RFC 2046 section 5.2)."""
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-type", "c"):
            try:
                return ContentType.parse(value.strip())
            except MalformedMessage:
                break
    return ContentType("text/plain")
