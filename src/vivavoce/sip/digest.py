"""Digest authentication, both sides: who may call, and who we are to a trunk.  RFC 3261 section 22, 7616 and 8760.

A server keeps nothing of those who have not shown who they are: its nonces are signed and carry their own time.  A
client tells nothing to anybody but the hosts and realms that its account names.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec

from .errors import MalformedMessage
from .lexing import quote, split_list, unquote
from .message import REASONS, Headers, Request, Response, is_token
from .uri import SipUri, parse_uri

__all__ = [
    "ALGORITHMS", "Account", "Authenticated", "Challenge", "Credentials", "DigestClient", "DigestServer",
    "Unauthenticated",
]  # fmt: skip

ALGORITHMS = ("SHA-256", "SHA-256-sess", "MD5", "MD5-sess")
"""What is spoken here, the strongest first."""

_MAX_ATTEMPTS = 3
"""How often one request is made again: for a proxy, for the server behind it, and for a nonce that grew old."""

_MAX_REMEMBERED = 20_000
"""Of how many nonces the greatest count is kept; one that is forgotten counts as old."""

_MAX_KNOWN = 32
"""How many challenges a client remembers."""

_HEX_DIGITS = frozenset("0123456789abcdef")

_REQUESTED = {"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}


def _parse_auth(text: str) -> dict[str, str] | None:
    """Read `Digest name=value, name="value"`, or return None where the scheme is another."""
    scheme, _, rest = text.strip(" \t").replace("\t", " ").partition(" ")
    if scheme.lower() != "digest":
        return None
    found: dict[str, str] = {}
    for item in split_list(rest.strip(" ")):
        name, equals, value = item.partition("=")
        name = name.rstrip(" \t").lower()
        if not equals or not is_token(name) or name in found:
            raise MalformedMessage("a parameter is none or stands there twice")
        found[name] = unquote(value.strip(" \t"))
    if not all(is_token(found.get(name, "x")) for name in ("algorithm", "response")):
        raise MalformedMessage("an algorithm or a response is no word")
    return found


class Challenge(msgspec.Struct, frozen=True):
    """What a server asks for (RFC 3261 sections 20.44 and 20.27)."""

    realm: str
    """For which password."""
    nonce: str
    """What has to go into the answer."""
    algorithm: str = "MD5"
    """One of `ALGORITHMS`, or one that is not spoken here."""
    qop: tuple[str, ...] = ()
    """What may be protected: `auth`, `auth-int`; none with servers of before 1999."""
    opaque: str | None = None
    """What the answer has to repeat."""
    stale: bool = False
    """Whether only the nonce was too old."""

    @classmethod
    def parse(cls, text: str) -> Challenge | None:
        """Read a challenge, None where it is of another scheme."""
        found = _parse_auth(text)
        if found is None:
            return None
        if "realm" not in found or not found.get("nonce"):
            raise MalformedMessage("a challenge has no realm or nonce")
        return cls(
            found["realm"],
            found["nonce"],
            _spelled(found.get("algorithm", "MD5")),
            tuple(
                [option for each in found.get("qop", "").split(",") if is_token(option := each.strip(" \t").lower())]
            ),
            found.get("opaque"),
            found.get("stale", "").lower() == "true",
        )

    def __str__(self) -> str:
        text = f"Digest realm={quote(self.realm)}, nonce={quote(self.nonce)}, algorithm={self.algorithm}"
        text += f', qop="{",".join(self.qop)}"' if self.qop else ""
        text += "" if self.opaque is None else f", opaque={quote(self.opaque)}"
        return text + (", stale=true" if self.stale else "")


class Credentials(msgspec.Struct, frozen=True):
    """What a client shows (RFC 3261 sections 20.7 and 20.28)."""

    username: str
    """Who it is."""
    realm: str
    """For which password."""
    nonce: str
    """The nonce of the challenge."""
    uri: str
    """The address it asks for, as in its request line."""
    response: str
    """What only one who knows the password can have computed, in hexadecimal digits."""
    algorithm: str = "MD5"
    """One of `ALGORITHMS`, or one that is not spoken here."""
    cnonce: str = ""
    """The client's own part, empty without `qop`."""
    nc: str = ""
    """How often it used the nonce, as eight hexadecimal digits; empty without `qop`."""
    qop: str = ""
    """What is protected: `auth`, `auth-int`, or nothing said."""
    opaque: str | None = None
    """What the challenge asked to repeat."""

    @classmethod
    def parse(cls, text: str) -> Credentials | None:
        """Read credentials, None where they are of another scheme."""
        found = _parse_auth(text)
        if found is None:
            return None
        missing = [name for name in ("username", "realm", "nonce", "uri", "response") if name not in found]
        if missing or (found.get("qop") and not (found.get("cnonce") and found.get("nc"))):
            raise MalformedMessage("the credentials are not complete")
        nc = found.get("nc", "").lower()
        if nc and (len(nc) != 8 or not set(nc) <= _HEX_DIGITS):
            raise MalformedMessage("the count of a nonce is not eight digits")
        return cls(
            found["username"],
            found["realm"],
            found["nonce"],
            found["uri"],
            found["response"].lower(),
            _spelled(found.get("algorithm", "MD5")),
            found.get("cnonce", ""),
            nc if found.get("qop") else "",
            found.get("qop", "").lower(),
            found.get("opaque"),
        )

    def __str__(self) -> str:
        text = f"Digest username={quote(self.username)}, realm={quote(self.realm)}, nonce={quote(self.nonce)}"
        text += f", uri={quote(self.uri)}, response={quote(self.response)}, algorithm={self.algorithm}"
        text += f", cnonce={quote(self.cnonce)}" if self.cnonce else ""
        text += f", nc={self.nc}, qop={self.qop}" if self.qop else ""
        return text + ("" if self.opaque is None else f", opaque={quote(self.opaque)}")

    def expected(self, password: str, method: str, body: bytes) -> str:
        """Return what `response` has to be with a password."""
        hashed = _hash(self.algorithm)
        secret = hashed(f"{self.username}:{self.realm}:{password}".encode())
        if self.algorithm.endswith("-sess"):
            secret = hashed(f"{secret}:{self.nonce}:{self.cnonce}".encode())
        asked = f"{method}:{self.uri}" + (f":{hashed(body)}" if self.qop == "auth-int" else "")
        middle = f"{self.nc}:{self.cnonce}:{self.qop}:" if self.qop else ""
        return hashed(f"{secret}:{self.nonce}:{middle}{hashed(asked.encode())}".encode())


def _spelled(algorithm: str) -> str:
    """Return an algorithm's name as `ALGORITHMS` spells it."""
    return next((known for known in ALGORITHMS if known.lower() == algorithm.lower()), algorithm)


def _hash(algorithm: str) -> Callable[[bytes], str]:
    """Return what makes the hexadecimal digits of an algorithm."""
    if algorithm.startswith("SHA-256"):
        return lambda data: hashlib.sha256(data).hexdigest()
    return lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest()


class Account(msgspec.Struct, frozen=True):
    """A name and password, and to whom they may be shown."""

    username: str
    """The name, which telephone systems call the authentication user."""
    password: str
    """The password."""
    hosts: frozenset[str] = frozenset()
    """The hosts whose challenges are answered: the domain of a registrar or trunk, and its proxies; in lower case."""
    realms: frozenset[str] | None = None
    """The realms that are answered for, None for whatever realm those hosts have."""

    def __repr__(self) -> str:
        return f"Account(username={self.username!r}, hosts={sorted(self.hosts)}, realms={self.realms})"

    def answers(self, host: str, realm: str) -> bool:
        """Tell whether a challenge may be answered that came from a host, for a realm."""
        return host.lower() in self.hosts and (self.realms is None or realm in self.realms)


class DigestClient:
    """Answers challenges with accounts, and counts how often each nonce was used.

    One lives as long as its trunk or registration, so that later requests carry credentials at once.
    """

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._accounts = tuple(accounts)
        self._known: dict[tuple[str, str, str], tuple[Account, Challenge, int]] = {}
        """By host, header and realm: what was last answered, and how often."""

    def authorize(self, request: Request, host: str, cnonce: str) -> Request:
        """Return a request to a host with credentials for all that it has asked for before."""
        for (known_host, header, realm), (account, challenge, count) in list(self._known.items()):
            if known_host == host.lower():
                self._known[known_host, header, realm] = (account, challenge, count + 1)
                request = _with(request, header, _answer(account, challenge, request, count + 1, cnonce))
        return request

    def answer(self, request: Request, response: Response, host: str, cnonce: str, attempt: int = 1) -> Request | None:
        """Return a refused request with credentials, or None where none would help or may be shown.

        `host` is where the request was sent, `attempt` how often it has been sent so far.  The caller gives it a new
        branch and CSeq.
        """
        if response.status not in (401, 407) or attempt > _MAX_ATTEMPTS:
            return None
        again: Request | None = None
        for realm, found in self._by_realm(response, host).items():
            header, account, challenge = found
            if _was_answered_afresh(request, header, challenge):
                return None
            self._known[host.lower(), header, realm] = (account, challenge, 1)
            if len(self._known) > _MAX_KNOWN:
                del self._known[next(iter(self._known))]
            again = _with(again or request, header, _answer(account, challenge, request, 1, cnonce))
        return again

    def _by_realm(self, response: Response, host: str) -> dict[str, tuple[str, Account, Challenge]]:
        """Return the strongest challenge of each realm that may be answered, with the header that does it."""
        best: dict[str, tuple[str, Account, Challenge]] = {}
        for name, header in _REQUESTED.items():
            for challenge in _challenges(response.headers.all(name)):
                account = next((one for one in self._accounts if one.answers(host, challenge.realm)), None)
                if account is None:
                    continue
                other = best.get(challenge.realm)
                if other is None or _rank(challenge) < _rank(other[2]):
                    best[challenge.realm] = (header, account, challenge)
        return best


def _challenges(values: Sequence[str]) -> list[Challenge]:
    """Return the challenges that can be read and answered."""
    found: list[Challenge] = []
    for value in values:
        try:
            challenge = Challenge.parse(value)
        except MalformedMessage:
            continue
        if challenge is None or challenge.algorithm not in ALGORITHMS:
            continue
        if not challenge.qop or {"auth", "auth-int"} & set(challenge.qop):
            found.append(challenge)
    return found


def _rank(challenge: Challenge) -> int:
    """Return an algorithm's place, 0 for the strongest."""
    return ALGORITHMS.index(challenge.algorithm)


def _was_answered_afresh(request: Request, header: str, challenge: Challenge) -> bool:
    """Tell whether the request had new credentials for the realm already: then the password is wrong."""
    for value in request.headers.all(header):
        shown = Credentials.parse(value)
        if shown is not None and shown.realm == challenge.realm:
            return not challenge.stale and shown.nc in ("", "00000001")
    return False


def _answer(account: Account, challenge: Challenge, request: Request, count: int, cnonce: str) -> Credentials:
    """Return the credentials for one request."""
    # `auth` is preferred: what a border controller changes in the body would make `auth-int` fail.
    qop = "auth" if "auth" in challenge.qop else "auth-int" if challenge.qop else ""
    plain = Credentials(
        account.username,
        challenge.realm,
        challenge.nonce,
        request.uri,
        "",
        challenge.algorithm,
        cnonce if qop or challenge.algorithm.endswith("-sess") else "",
        f"{count:08x}" if qop else "",
        qop,
        challenge.opaque,
    )
    response = plain.expected(account.password, request.method, request.body)
    return msgspec.structs.replace(plain, response=response)


def _with(request: Request, header: str, credentials: Credentials) -> Request:
    """Return a request with credentials in place of those that it had for the realm."""
    others = [value for value in request.headers.all(header) if not _is_for(value, credentials.realm)]
    return msgspec.structs.replace(request, headers=request.headers.replaced(header, *others, str(credentials)))


def _is_for(value: str, realm: str) -> bool:
    """Tell whether credentials of ours are for a realm."""
    shown = Credentials.parse(value)
    return shown is not None and shown.realm == realm


class Authenticated(msgspec.Struct, frozen=True):
    """A request shows who sent it."""

    username: str
    """Who that is."""


class Unauthenticated(msgspec.Struct, frozen=True):
    """A request does not show who sent it, and has to be challenged."""

    is_stale: bool = False
    """Whether the password was right and only the nonce was used up."""


Verdict: TypeAlias = Authenticated | Unauthenticated


class DigestServer:
    """Challenges requests and judges the answers.

    Somebody unknown gets the same answer as somebody with a wrong password, after the same work.
    """

    def __init__(
        self,
        realm: str,
        secret: bytes,
        *,
        algorithms: Sequence[Literal["SHA-256", "MD5"]] = ("SHA-256", "MD5"),
        qop: Sequence[Literal["auth", "auth-int"]] = ("auth",),
        lifetime: float = 300.0,
    ) -> None:
        self._realm = realm
        self._secret = secret
        self._algorithms = tuple(algorithms)
        self._qop = tuple(qop)
        self._lifetime = lifetime
        self._counts: dict[str, int] = {}
        """The greatest count of each nonce that was used with a right password, in the order of first use."""

    def challenge(self, salt: bytes, now: float, *, is_proxy: bool = False, is_stale: bool = False) -> Response:
        """Return a 401 or 407 with challenges and no other headers; `salt` is 8 random bytes or more."""
        name = "Proxy-Authenticate" if is_proxy else "WWW-Authenticate"
        nonce = self._nonce(salt, now)
        values = [
            str(Challenge(self._realm, nonce, algorithm, self._qop, stale=is_stale)) for algorithm in self._algorithms
        ]
        status = 407 if is_proxy else 401
        return Response(status, REASONS[status], Headers().added(name, *values))

    def judge(
        self, request: Request, password_of: Callable[[str], str | None], now: float, *, is_proxy: bool = False
    ) -> Verdict:
        """Judge the credentials of a request.

        Raises:
            MalformedMessage: where they cannot be read, or are for another request (400).
        """
        name = "Proxy-Authorization" if is_proxy else "Authorization"
        for value in request.headers.all(name):
            try:
                shown = Credentials.parse(value)
            except MalformedMessage as error:
                raise MalformedMessage(error.message, header=name) from None
            if shown is not None and shown.realm == self._realm:
                if not _is_same_target(shown.uri, request.uri):
                    raise MalformedMessage("is for another address", header=name)
                return self._judge(shown, request, password_of(shown.username), now)
        return Unauthenticated()

    def _judge(self, shown: Credentials, request: Request, password: str | None, now: float) -> Verdict:
        """Judge credentials for this realm."""
        if shown.algorithm.removesuffix("-sess") not in self._algorithms or shown.qop not in ("", *self._qop):
            return Unauthenticated()
        issued = self._issued(shown.nonce)
        expected = shown.expected(password or "", request.method, request.body)
        is_right = hmac.compare_digest(expected.encode(), shown.response.encode()) and password is not None
        if not is_right or issued is None:
            return Unauthenticated()
        # Without `qop` nothing counts, and a nonce may be used once.
        count = int(shown.nc, 16) if shown.qop else 1
        if not issued <= now <= issued + self._lifetime or count <= self._counts.get(shown.nonce, 0):
            return Unauthenticated(is_stale=True)
        self._remember(shown.nonce, count, now)
        return Authenticated(shown.username)

    def _remember(self, nonce: str, count: int, now: float) -> None:
        """Keep how often a nonce was used, and forget those that are too old to be used again."""
        self._counts[nonce] = count
        for old in list(self._counts)[:2]:
            issued = self._issued(old)
            if issued is None or issued + self._lifetime < now or len(self._counts) > _MAX_REMEMBERED:
                del self._counts[old]

    def _nonce(self, salt: bytes, now: float) -> str:
        """Return a nonce that carries its time and is signed."""
        body = int(now * 1000).to_bytes(8, "big") + salt[:16]
        return base64.b64encode(body + self._signature(body)).decode()

    def _signature(self, body: bytes) -> bytes:
        """Return what only this server can have made."""
        return hmac.digest(self._secret, body + self._realm.encode(), "sha256")[:16]

    def _issued(self, nonce: str) -> float | None:
        """Return when a nonce was made, or None where it is not one of ours."""
        try:
            data = base64.b64decode(nonce.encode(), validate=True)
        except binascii.Error:
            return None
        body, signature = data[:-16], data[-16:]
        if len(body) < 8 or not hmac.compare_digest(signature, self._signature(body)):
            return None
        return int.from_bytes(body[:8], "big") / 1000


def _is_same_target(shown: str, asked: str) -> bool:
    """Tell whether credentials are for the address that is asked for, but for what proxies on the way may change."""
    if shown == asked:
        return True
    try:
        one, other = parse_uri(shown), parse_uri(asked)
    except MalformedMessage:
        return False
    if isinstance(one, SipUri) and isinstance(other, SipUri):
        return (one.user, one.host) == (other.user, other.host)
    return one == other
