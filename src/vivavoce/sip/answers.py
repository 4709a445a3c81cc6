"""Answers without state: what is said to a request before, or instead of, remembering anything of it (RFC 3261 8.2.7).

The same request gets the same To tag each time, so that the same answer goes out when it comes again.
"""

from __future__ import annotations

import hashlib

from .dialogs import Field
from .effects import Hop, Send
from .errors import MalformedMessage
from .headers import read_call_id, read_via
from .matching import answer_headers
from .message import REASONS, Headers, Request, Response, encode
from .routing import reply_hops

__all__ = ["answer_at_once", "answer_malformed"]


def answer_at_once(
    request: Request, source: Hop, status: int, *fields: Field, secret: bytes, reason: str = "", body: bytes = b""
) -> list[Send]:
    """Answer a request and forget it; an ACK is never answered."""
    if request.method == "ACK":
        return []
    via = read_via(request.headers)
    text = f"{via.branch}|{via.sent_by}|{read_call_id(request.headers)}"
    tag = hashlib.blake2s(text.encode(), key=secret[:32], digest_size=8).hexdigest()
    headers = Headers(answer_headers(request, tag).fields + Headers.of(*fields).fields)
    hop, fallback = reply_hops(via, source)
    return [Send(encode(Response(status, reason or REASONS.get(status, ""), headers, body)), hop, fallback)]


def answer_malformed(error: MalformedMessage, source: Hop) -> list[Send]:
    """Say what is wrong with a message, where its sender can and may be told."""
    if not error.is_answerable or error.request is None or error.status is None:
        return []
    headers = error.request.headers.only("Via", "From", "To", "Call-ID", "CSeq")
    try:
        hop, fallback = reply_hops(read_via(headers), source)
    except MalformedMessage:
        hop, fallback = source, None
    return [Send(encode(Response(error.status, error.reason, headers)), hop, fallback)]
