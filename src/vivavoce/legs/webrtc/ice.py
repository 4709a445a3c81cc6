"""ICE (RFC 8445) for one call: which of a browser's addresses is talked to, and whether it still wants to be.

The server has one port and tells its addresses; the browser checks them and nominates one of its own, which is learned
from its checks, so its candidates are not needed (pages send offers without any).  Only a party that says it is lite
has to be called at the candidates of its offer.  Consent is asked for all along (RFC 7675).  No socket and no clock:
datagrams leave by the path they came on, and `now` is an argument.  Called by `peer`.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Hashable
from typing import Protocol

import msgspec

from . import stun

__all__ = ["Credentials", "Ice", "Path"]

_CHECK_EVERY_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Waits between the checks of a path that has not answered yet; after the last it waits for a request."""
_CONSENT_S = 30.0
"""How long an answer is consent to send (RFC 7675 section 5.1)."""
_CONSENT_EVERY_S = 5.0
_QUIET_S = 2.0
"""A party of which nothing came for so long is asked each second whether it is there."""
_QUIET_EVERY_S = 1.0
_NOMINATION_S = 2.0
"""A nomination that was not renewed for so long gives way to one of lower priority."""
_MOST_PATHS = 32
_MOST_TRANSACTIONS = 128
_MOST_REQUESTS_PER_S = 100
_PRFLX_PRIORITY = (110 << 24) | (65535 << 8) | 255
_ROLE_CONFLICT = b"\0\0\x04\x57Role Conflict"


class Path(Protocol, Hashable):
    """A way to one address of the party: a socket here and an address there."""

    @property
    def host(self) -> str:
        """The party's IP address, without a scope."""
        ...

    @property
    def port(self) -> int:
        """The party's UDP port."""
        ...

    def send(self, data: bytes) -> None:
        """Send a datagram; it may get lost."""
        ...


class Credentials(msgspec.Struct, frozen=True):
    """What one side's checks are signed with."""

    ufrag: str
    """The user name fragment: who is meant."""
    password: str
    """The password, at least 22 characters."""


class _Pair(msgspec.Struct):
    """What is known of a path."""

    priority: int = 0
    """As the party sees it; the higher, the better."""
    nominated_at: float | None = None
    """When the party nominated it last."""
    is_valid: bool = False
    """It answered a check, so that it is no forged address."""
    tries: int = 0
    check_at: float | None = None
    """When the next check is due; None if none is."""


class _Check(msgspec.Struct, frozen=True):
    """A check under way."""

    path: Path
    sent_at: float
    nominates: bool


class Ice:
    """The paths of one call."""

    def __init__(self, tag: bytes, now: float) -> None:
        """Begin without a path; `tag` is how the ids of all transactions begin, so that answers find this call."""
        self.local = _new_credentials()
        """What the party signs its checks with."""
        self.former: Credentials | None = None
        """What it signed them with before a restart, until the new ones have found a path."""
        self.remote = Credentials("", "")
        """What is signed with here; empty until an offer told."""
        self.selected: Path | None = None
        """Where to send."""
        self.heard_at = now
        """When something that can only be the party's came last."""
        self.consent_until = now + _CONSENT_S
        """Until when the party is known to want what it is sent."""
        self.round_trip_s: float | None = None
        """The last measured, smoothed."""
        self.is_controlling = False
        """Whether this side nominates: towards parties that are lite."""
        self._tag = tag
        self._tie_breaker = secrets.randbits(64)
        self._pairs: dict[Path, _Pair] = {}
        self._checks: dict[bytes, _Check] = {}
        self._consent_at = now
        self._requests = 0
        self._requests_since = now

    @property
    def paths(self) -> list[Path]:
        """All paths on which the party was heard."""
        return list(self._pairs)

    def is_valid(self, path: Path) -> bool:
        """Return whether a path has answered."""
        return path in self._pairs and self._pairs[path].is_valid

    def restart(self, remote: Credentials) -> None:
        """Take new credentials of the party and make new ones; media goes on as it went until a new path is found."""
        if self.remote.ufrag:
            self.former, self.local = self.local, _new_credentials()
        self.remote = remote
        for pair in self._pairs.values():
            pair.is_valid, pair.nominated_at, pair.check_at = False, None, None
        self._checks.clear()

    def call(self, path: Path, now: float) -> None:
        """Check a path that the party told: for one that is lite and so does not check itself."""
        self._check(path, self._pair(path), now)

    def receive(self, message: stun.Message, path: Path, now: float) -> bool:
        """Take a binding message; return whether it was the party's, proven by its signature."""
        if message.kind == stun.REQUEST:
            return self._receive_request(message, path, now)
        return self._receive_answer(message, path, now)

    def receive_time(self, now: float) -> None:
        """Send the checks that are due."""
        for path, pair in list(self._pairs.items()):
            if pair.check_at is not None and now >= pair.check_at:
                self._check(path, pair, now)
        if self.selected is not None and now >= self._consent_at:
            self._send_check(self.selected, now)
            is_quiet = now - self.heard_at >= _QUIET_S
            self._consent_at = now + (_QUIET_EVERY_S if is_quiet else _CONSENT_EVERY_S * random.uniform(0.8, 1.2))
        elif self._consent_at - now > _QUIET_EVERY_S and now - self.heard_at >= _QUIET_S:
            self._consent_at = now

    def _receive_request(self, message: stun.Message, path: Path, now: float) -> bool:
        is_former = False
        ufrag, _, theirs = message.username.partition(":")
        if self.former is not None and ufrag == self.former.ufrag:
            is_former = True
        elif ufrag != self.local.ufrag or theirs != self.remote.ufrag:
            return False
        own = self.former if is_former and self.former is not None else self.local
        if not message.is_signed_with(own.password.encode()):
            return False
        if now - self._requests_since >= 1:
            self._requests, self._requests_since = 0, now
        self._requests += 1
        if self._requests > _MOST_REQUESTS_PER_S:
            return True
        if not self._settle_roles(message):
            path.send(self._signed(stun.ERROR, message, [(stun.ERROR_CODE, _ROLE_CONFLICT)], own))
            return True
        self.heard_at = now
        mapped = stun.pack_address(path.host, path.port, message.transaction_id)
        path.send(self._signed(stun.RESPONSE, message, [(stun.XOR_MAPPED_ADDRESS, mapped)], own))
        if is_former:
            return True
        pair = self._pair(path)
        pair.priority = message.number(stun.PRIORITY) or 0
        if stun.USE_CANDIDATE in message.attributes and not self.is_controlling:
            pair.nominated_at = now
        if pair.is_valid:
            self._consider(path, pair, now)
        elif pair.check_at is None:
            pair.tries = 0
            self._check(path, pair, now)
        return True

    def _receive_answer(self, message: stun.Message, path: Path, now: float) -> bool:
        check = self._checks.get(message.transaction_id)
        if check is None or check.path != path or not message.is_signed_with(self.remote.password.encode()):
            return False
        del self._checks[message.transaction_id]
        self.heard_at = now
        pair = self._pair(path)
        if message.kind == stun.ERROR:
            if message.attributes.get(stun.ERROR_CODE, b"")[2:4] == _ROLE_CONFLICT[2:4]:
                self.is_controlling = not self.is_controlling
                pair.check_at = now
            return True
        pair.is_valid, pair.check_at = True, None
        self.consent_until = now + _CONSENT_S
        took = now - check.sent_at
        self.round_trip_s = took if self.round_trip_s is None else 0.75 * self.round_trip_s + 0.25 * took
        if check.nominates:
            pair.nominated_at = now
        self._consider(path, pair, now)
        return True

    def _settle_roles(self, message: stun.Message) -> bool:
        """Return False if both want the same part and the other has to give way (RFC 8445 section 7.3.1.1)."""
        attribute = stun.ICE_CONTROLLING if self.is_controlling else stun.ICE_CONTROLLED
        theirs = message.number(attribute)
        if theirs is None:
            return True
        if (self._tie_breaker >= theirs) == self.is_controlling:
            return False
        self.is_controlling = not self.is_controlling
        return True

    def _consider(self, path: Path, pair: _Pair, now: float) -> None:
        """Send by a path from now on if it is the nominated one, or the first.

        Some parties nominate once and renew it, others nominate all their paths and take the best: so one of higher
        priority wins at once, any other only when the nomination in force is not renewed.
        """
        if path == self.selected and self.former is None:
            return
        current = None if self.selected is None else self._pairs.get(self.selected)
        if pair.nominated_at is None:
            if self.selected is None:
                self._select(path, now)  # any path that answers may be used so far (RFC 8445 section 12.1)
            return
        if current is not None and current is not pair and current.is_valid and current.nominated_at is not None:
            is_better = pair.priority > current.priority and pair.nominated_at >= current.nominated_at
            if not is_better and now - current.nominated_at < _NOMINATION_S:
                return
        self._select(path, now)
        self.former = None

    def _select(self, path: Path, now: float) -> None:
        self.selected = path
        self._consent_at = now + _CONSENT_EVERY_S

    def _pair(self, path: Path) -> _Pair:
        pair = self._pairs.get(path)
        if pair is None:
            if len(self._pairs) >= _MOST_PATHS:
                del self._pairs[next(other for other in self._pairs if other != self.selected)]
            pair = self._pairs[path] = _Pair()
        return pair

    def _check(self, path: Path, pair: _Pair, now: float) -> None:
        if pair.tries >= len(_CHECK_EVERY_S):
            pair.check_at = None
            return
        pair.check_at = now + _CHECK_EVERY_S[pair.tries]
        pair.tries += 1
        self._send_check(path, now)

    def _send_check(self, path: Path, now: float) -> None:
        role = stun.ICE_CONTROLLING if self.is_controlling else stun.ICE_CONTROLLED
        attributes = [
            (stun.USERNAME, f"{self.remote.ufrag}:{self.local.ufrag}".encode()),
            (stun.PRIORITY, _PRFLX_PRIORITY.to_bytes(4, "big")),
            (role, self._tie_breaker.to_bytes(8, "big")),
        ]
        if self.is_controlling:
            attributes.append((stun.USE_CANDIDATE, b""))
        transaction_id = self._tag + secrets.token_bytes(12 - len(self._tag))
        if len(self._checks) >= _MOST_TRANSACTIONS:
            del self._checks[next(iter(self._checks))]
        self._checks[transaction_id] = _Check(path, now, self.is_controlling)
        path.send(stun.build(stun.REQUEST, transaction_id, attributes, self.remote.password.encode()))

    def _signed(self, kind: int, to: stun.Message, attributes: list[tuple[int, bytes]], own: Credentials) -> bytes:
        return stun.build(kind, to.transaction_id, attributes, own.password.encode())


def _new_credentials() -> Credentials:
    return Credentials(secrets.token_hex(4), secrets.token_hex(16))
