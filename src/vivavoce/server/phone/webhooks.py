"""Telling an application of a call that comes in, so that it may accept it: `realtime.call.incoming`, as OpenAI does.

Signed as Standard Webhooks are, so that `client.webhooks.unwrap()` of OpenAI's SDKs takes it.  What is delivered is
delivered in time for the caller, or not at all: an application that answers late finds the call gone.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ...core.errors import VivavoceError
from ...telephony import Webhook

__all__ = ["INCOMING", "Undelivered", "Webhooks", "incoming", "key_of", "signature"]

INCOMING = "realtime.call.incoming"
_PREFIX = "whsec_"
_SHORTEST_KEY = 16
_ATTEMPT_SECONDS = 5.0
"""How long one attempt may take; a caller is waiting."""
_PAUSES_SECONDS = (0.2, 0.6, 1.5, 3.0)
"""Between attempts."""


class Undelivered(VivavoceError):
    """The application could not be told."""


def key_of(secret: str) -> bytes:
    """Return the key of a webhook's secret.

    Raises:
        ValueError: it is none.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < _SHORTEST_KEY:
        raise ValueError(f"{_PREFIX} and at least {_SHORTEST_KEY} random bytes in base64")
    return key


def signature(key: bytes, id: str, at_unix: int, body: bytes) -> str:  # noqa: A002 - the header's name
    """Return what a message is signed with: version 1, HMAC-SHA256 of id, time and body."""
    mac = hmac.digest(key, b"%b.%d.%b" % (id.encode(), at_unix, body), hashlib.sha256)
    return "v1," + base64.b64encode(mac).decode()


def incoming(id: str, at_unix: int, call_id: str, headers: Sequence[tuple[str, str]], *, has_srtp: bool) -> bytes:  # noqa: A002
    """Return the body that tells of a call.

    Args:
        id: of the event.
        at_unix: when it came, in unix seconds.
        call_id: by which it is accepted.
        headers: the SIP headers of its INVITE, which are the caller's word and nobody else's.
        has_srtp: whether its sound is encrypted.
    """
    data: dict[str, Any] = {
        "call_id": call_id,
        "sip_headers": [{"name": name, "value": value} for name, value in headers],
        "sip_media_security": "srtp" if has_srtp else "rtp",
    }
    event = {"object": "event", "id": id, "type": INCOMING, "created_at": at_unix, "data": data}
    return msgspec.json.encode(event)


class Webhooks:
    """The application that is told."""

    def __init__(self, webhook: Webhook, unix_now: Callable[[], float]) -> None:
        """Tell the application of `webhook`.

        Raises:
            ValueError: its secret is none; the message tells what is one.
        """
        import httpx

        self._key = key_of(webhook.secret.value)
        self._webhook = webhook
        self._unix_now = unix_now
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=8)
        # The operator chose the place; what the environment says of proxies is about other things.
        self._client = httpx.AsyncClient(timeout=_ATTEMPT_SECONDS, limits=limits, trust_env=False)

    @property
    def wait_seconds(self) -> float:
        """How long the application's decision is waited for."""
        return self._webhook.wait_seconds

    async def deliver(self, id: str, body: bytes) -> None:  # noqa: A002 - the header's name
        """Tell of an event, several times if need be, each time under the same id.

        Raises:
            Undelivered: it could not be told in the time that there is; the message says why.
        """
        problem = ""
        try:
            async with asyncio.timeout(self.wait_seconds):
                for pause in (*_PAUSES_SECONDS, None):
                    problem, again = await self._attempt(id, body)
                    if not problem:
                        return
                    if pause is None or not again:
                        break
                    await asyncio.sleep(pause)
        except TimeoutError:
            problem = problem or "it did not answer in time"
        raise Undelivered(f"The webhook was not delivered: {problem}.")

    async def _attempt(self, id: str, body: bytes) -> tuple[str, bool]:  # noqa: A002
        """Return what went wrong, empty for nothing, and whether it may go better another time."""
        import httpx

        at_unix = int(self._unix_now())
        headers = {
            "content-type": "application/json",
            "user-agent": "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)",
            "webhook-id": id,
            "webhook-timestamp": str(at_unix),
            "webhook-signature": signature(self._key, id, at_unix, body),
        }
        try:
            async with self._client.stream("POST", self._webhook.url, content=body, headers=headers) as response:
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}", True
        if 200 <= status < 300:
            return "", False
        # What is not there, not allowed or no webhook will not become one while a caller waits.
        return f"it answered {status}", status >= 500 or status in (408, 409, 425, 429)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()
