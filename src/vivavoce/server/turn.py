"""The STUN and TURN servers that browsers are told of, with credentials that expire by themselves.

Credentials are made as coturn's `use-auth-secret` checks them: the name is the time of expiry and whose it is, the
password an HMAC of that name with a secret that the TURN server has too.  Pure; called by `server.rest.calls`.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from typing import Any

from ..config import Turn

__all__ = ["ice_configuration"]


def ice_configuration(turn: Turn, who: str, unix_now: int) -> dict[str, Any]:
    """Return the servers as a browser's `RTCPeerConnection` takes them, and when their credentials expire.

    Args:
        turn: what the operator set.
        who: what tells the key that asks from others; empty for none.
        unix_now: the time of day, in unix seconds.
    """
    relays = [url for url in turn.urls if url.startswith("turn")]
    servers: list[dict[str, Any]] = [{"urls": [url]} for url in turn.urls if url not in relays]
    if not relays:
        return {"iceServers": servers, "expires_at": None}
    if not turn.secret:
        account = {"username": turn.username, "credential": turn.password.value}
        return {"iceServers": [*servers, {"urls": relays} | account], "expires_at": None}
    expires_at = unix_now + int(turn.seconds)
    username = f"{expires_at}:{who or 'anyone'}"
    # SHA-1 is what coturn takes here; as an HMAC of a random secret it is as good as it ever was.
    digest = hmac.digest(turn.secret.value.encode(), username.encode(), hashlib.sha1)
    account = {"username": username, "credential": b64encode(digest).decode()}
    return {"iceServers": [*servers, {"urls": relays} | account], "expires_at": expires_at}
