"""A client's own request to a chat completions endpoint, as it is passed on.  Pure; called by `engines.chat`."""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]


class RelayHead(msgspec.Struct, frozen=True):
    """The head of a response that is passed on."""

    status: int
    """The HTTP status."""
    headers: dict[str, str]
    """Those that concern the client, names in lower case."""
    model: str = ""
    """What the endpoint was told to answer with."""
    adds_usage: bool = False
    """Whether the stream ends with usage that its client has not asked for."""


class Scrubber:
    """Takes a secret out of bytes that come in pieces, holding back only what may be the beginning of it."""

    def __init__(self, secret: str) -> None:
        """Prepare; an empty secret changes nothing."""
        self._secret = secret.encode()
        self._held = b""

    def push(self, data: bytes) -> bytes:
        """Return what can be told of `data` and of what was held back."""
        if not self._secret:
            return data
        data = (self._held + data).replace(self._secret, b"(key)")
        lengths = range(min(len(self._secret) - 1, len(data)), 0, -1)
        held = next((n for n in lengths if data.endswith(self._secret[:n])), 0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def flush(self) -> bytes:
        """Return the rest."""
        held, self._held = self._held, b""
        return held


def with_usage(body: Json) -> Json | None:
    """Return a request whose stream ends with usage; None where nothing has to be added, or nothing can be."""
    options = body.get("stream_options")
    if body.get("stream") is not True or not isinstance(options, dict | None):
        return None
    if options is not None and options.get("include_usage") is True:
        return None
    return {**body, "stream_options": {**(options or {}), "include_usage": True}}
