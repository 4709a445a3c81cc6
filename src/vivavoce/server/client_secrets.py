"""Client secrets: short-lived keys for browsers and phones, each bound to the settings of the sessions it may open.

A secret is `ek_` and 48 characters that fit a header, a query and a WebSocket subprotocol: in base64url an id, the time
at which it expires, and a signature of both.  What it is bound to stays here, in memory, under that id.  Sealed into
the secret instead it would survive a restart, but instructions and tools of 100 kB are common, and proxies cut headers
off at 8 kB or less; a secret lives for minutes, and a client asks for another one as it does when it has expired.  The
signature tells what was issued from what was made up, even after a restart, without anything being kept for it.

Made by `server.serve`; `server.admission` redeems and `server.rest.client_secrets` issues.
"""

from __future__ import annotations

import heapq
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable

import msgspec

from ..core.errors import VivavoceError
from ..core.settings import Settings
from .keyring import ID_BYTES, MAC_BYTES, Keyring

__all__ = ["PREFIX", "ClientSecret", "ClientSecrets", "Grant", "SecretRefused", "TooManySecrets"]

PREFIX = "ek_"
"""What every client secret begins with."""

_NAME_BYTES = 12
_CLAIMS = struct.Struct(f">{ID_BYTES}s{_NAME_BYTES}sI")
_LENGTH = len(PREFIX) + 4 * (_CLAIMS.size + MAC_BYTES) // 3
# Bound into each signature, so that the keys can sign other things too.
_PURPOSE = b"client secret 1:"
_MOST_BYTES = 64 * 1024 * 1024
"""What all grants may take together, as JSON."""
_GRANT_BYTES = 1024
"""What a grant takes at least, with its place in the tables."""


class Grant(msgspec.Struct, frozen=True):
    """What a client secret is bound to."""

    settings: Settings
    """What its sessions begin with, and of which kind they are; clients may change the rest as in any session."""
    names_model: bool = False
    """Whether the model was asked for; otherwise a connection may name it."""
    shape: str | None = None
    """`beta` where it was made for clients of that shape; they are addressed so unless they say otherwise."""
    key_id: str = ""
    """The id of the key that issued it, which ends with it; empty where no key was given."""
    safety_identifier: str = ""
    """What the application calls its user by, as it was given; empty for nothing."""


class ClientSecret(msgspec.Struct, frozen=True):
    """A secret as it is handed out."""

    value: str
    expires_at: int
    """Unix seconds from which it opens nothing."""

    def __repr__(self) -> str:
        return f"ClientSecret(..., {self.expires_at})"


class SecretRefused(VivavoceError):
    """A client secret that was issued here opens nothing any more; the message tells why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        """What went wrong, in a word."""


class TooManySecrets(VivavoceError):
    """There is no room for another secret."""

    def __init__(self, retry_seconds: int) -> None:
        super().__init__("too many client secrets are in force")
        self.retry_seconds = retry_seconds
        """Seconds until the first of them expires."""


class _Kept(msgspec.Struct, frozen=True):
    """A grant in its smallest form: clients' JSON is many times larger as objects."""

    grant: bytes
    key_id: str
    expires_at: int

    @property
    def size_bytes(self) -> int:
        """What it counts for."""
        return len(self.grant) + _GRANT_BYTES


class ClientSecrets:
    """All secrets of a process that have not expired."""

    def __init__(
        self,
        keyring: Keyring,
        most_for_a_key: int,
        *,
        unix_now: Callable[[], float],
        new_bytes: Callable[[int], bytes],
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        """Begin without any.

        Args:
            keyring: signs them.
            most_for_a_key: how many that one key issued may be in force at a time.
            unix_now: the time of day, in unix seconds.
            new_bytes: makes random bytes, a number of them.
            most_bytes: what all of them may take together.
        """
        self._keyring = keyring
        self._most_for_a_key = most_for_a_key
        self._most_bytes = most_bytes
        self._unix_now = unix_now
        self._new_bytes = new_bytes
        self._kept: dict[bytes, _Kept] = {}
        self._by_expiry: list[tuple[int, bytes]] = []
        self._by_key: Counter[str] = Counter()
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many are in force."""
        self._drop_expired()
        return len(self._kept)

    def issue(self, grant: Grant, seconds: int) -> ClientSecret:
        """Return a new secret that expires after some seconds.

        Raises:
            TooManySecrets: there is no room for it.
        """
        self._drop_expired()
        kept = _Kept(msgspec.json.encode(grant), grant.key_id, int(self._unix_now()) + seconds)
        if self._by_key[grant.key_id] >= self._most_for_a_key:
            raise TooManySecrets(self._seconds_to_the_first(grant.key_id))
        if self._bytes + kept.size_bytes > self._most_bytes:
            raise TooManySecrets(self._seconds_to_the_first(None))
        name = self._new_bytes(_NAME_BYTES)
        self._kept[name] = kept
        heapq.heappush(self._by_expiry, (kept.expires_at, name))
        self._by_key[grant.key_id] += 1
        self._bytes += kept.size_bytes
        claims = _CLAIMS.pack(self._keyring.newest, name, kept.expires_at)
        sealed = claims + self._keyring.sign(_PURPOSE + claims)
        return ClientSecret(PREFIX + urlsafe_b64encode(sealed).decode(), kept.expires_at)

    def redeem(self, value: str) -> Grant | None:
        """Return what a secret is bound to, as often as it is asked; None for a text that was never issued.

        Raises:
            SecretRefused: it was issued, and opens nothing any more.
        """
        sealed = _sealed(value)
        if sealed is None:
            return None
        claims, mac = sealed[: _CLAIMS.size], sealed[_CLAIMS.size :]
        key_id, name, expires_at = _CLAIMS.unpack(claims)
        if not self._keyring.is_signed(key_id, _PURPOSE + claims, mac):
            return None
        if self._unix_now() >= expires_at:
            raise SecretRefused(
                "client_secret_expired", "This client secret has expired. Create a new one to start a session."
            )
        kept = self._kept.get(name)
        if kept is None:
            raise SecretRefused(
                "client_secret_unknown",
                "This client secret is not known here: it is from before the server was started again, or of another "
                "server. Create a new one to start a session.",
            )
        return msgspec.json.decode(kept.grant, type=Grant)

    def _drop_expired(self) -> None:
        now = self._unix_now()
        while self._by_expiry and self._by_expiry[0][0] <= now:
            _, name = heapq.heappop(self._by_expiry)
            kept = self._kept.pop(name)
            self._bytes -= kept.size_bytes
            self._by_key[kept.key_id] -= 1
            if not self._by_key[kept.key_id]:
                del self._by_key[kept.key_id]

    def _seconds_to_the_first(self, key_id: str | None) -> int:
        """Return the seconds until the first secret of a key, or of any, expires."""
        times = [kept.expires_at for kept in self._kept.values() if key_id in (None, kept.key_id)]
        return max(1, min(times, default=0) - int(self._unix_now()))


def _sealed(value: str) -> bytes | None:
    """Return the bytes of a secret; None for a text that is not of this form."""
    text = value.removeprefix(PREFIX)
    if not value.startswith(PREFIX) or len(value) != _LENGTH or not text.isascii():
        return None
    sealed = urlsafe_b64decode(text) if text.replace("-", "").replace("_", "").isalnum() else b""
    return sealed if len(sealed) == _CLAIMS.size + MAC_BYTES else None
