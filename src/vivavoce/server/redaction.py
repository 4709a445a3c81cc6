"""Secrets taken out of what is written down, so that it can still be run again and takes the same course.

Each secret is replaced by a word that stands for it in one journal alone: what was alike stays alike, and nothing leads
back.  Called by `server.journal`.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any

import msgspec

from ..core.service import Service
from ..core.settings import McpServer, Settings
from ..dialects import codec
from ..dialects.mcp import is_header_value

_KEYS = ("authorization", "headers")
"""Fields of a client's events that hold secrets."""
_OTHERS = ("parameters", "input_schema", "metadata", "variables")
"""Objects of the client's own, in which such words mean something else."""
_MARKS = (b'"authorization', b'"headers', b"\\u")
"""Without one of these a frame has no such field."""
UNREADABLE = b"(a frame that is no JSON and may hold a secret)"
HIDDEN = "(hidden)"


class Redaction:
    """What takes the secrets out of one journal."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)

    def frame(self, data: bytes) -> bytes:
        """Return a client's frame without secrets."""
        if not any(mark in data for mark in _MARKS):
            return data
        try:
            value = msgspec.json.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return UNREADABLE
        found = self._redact(value)
        return codec.encode(value) if found or any(mark in data for mark in _MARKS[:2]) else data

    def settings(self, settings: Settings) -> Settings:
        """Return settings without secrets."""
        return msgspec.structs.replace(settings, mcp_servers=self._servers(settings.mcp_servers))

    def service(self, service: Service) -> Service:
        """Return the terms of a service without the secrets of its stored prompts."""
        prompts = {
            id_: msgspec.structs.replace(prompt, settings=self._patch(prompt.settings))
            for id_, prompt in service.prompts.items()
        }
        return msgspec.structs.replace(service, prompts=prompts)

    def _patch(self, patch: dict[str, Any]) -> dict[str, Any]:
        return patch | {"mcp_servers": self._servers(patch["mcp_servers"])} if "mcp_servers" in patch else patch

    def _servers(self, servers: tuple[McpServer, ...]) -> tuple[McpServer, ...]:
        return tuple(
            msgspec.structs.replace(
                server,
                authorization=self._word(server.authorization),
                headers={name: self._word(value) for name, value in server.headers.items()},
            )
            for server in servers
        )

    def _redact(self, value: Any) -> bool:
        """Replace the secrets in a frame's value; return whether there were any."""
        found = False
        stack: list[tuple[Any, bool]] = [(value, False)]
        while stack:
            node, is_secret = stack.pop()
            entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
            for key, element in tuple(entries):
                secret = is_secret or key in _KEYS
                if isinstance(element, str) and secret:
                    found = True
                    node[key] = self._word(element)
                elif key not in _OTHERS or secret:
                    stack.append((element, secret))
        return found

    def _word(self, secret: str) -> str:
        """Return what stands for a secret: nothing for nothing, and what is no header value for what is none."""
        if not secret:
            return ""
        digest = hmac.digest(self._key, secret.encode("utf-8", "surrogatepass"), "sha256").hex()[:16]
        return f"redacted-{digest}" if is_header_value(secret) else f"redacted-{digest}\n"


def without_secrets(server: McpServer) -> McpServer:
    """Return a server as an effect is shown with it: that there are secrets, and not which."""
    return msgspec.structs.replace(
        server, authorization=HIDDEN if server.authorization else "", headers=dict.fromkeys(server.headers, HIDDEN)
    )
