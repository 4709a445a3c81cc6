"""Reception: what is made of a request that belongs to no call yet, before anything is remembered of it.

Refusals go out without state.  Called by `agent`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from .admission import Admission
from .answers import answer_at_once
from .dialogs import Dialog, Field, Line
from .digest import Authenticated, DigestServer
from .effects import Effect, Hop, Invited, Transport
from .extensions import Replaces, read_content_type
from .headers import read_max_forwards, read_one, read_options
from .incoming import IncomingCall
from .message import Request
from .offers import sdp_of
from .outgoing import OutgoingCall
from .routing import DEFAULT_PORTS, Local, stamped
from .session_timers import SessionTimer
from .terms import ALLOW, SUPPORTED, Chance, NewId, Terms
from .uri import OpaqueUri, SipUri, parse_uri
from .usage import Usage

__all__ = ["Admitted", "Door", "Reception"]

_KNOWN_METHODS = frozenset(ALLOW.split(", ")) | {"REGISTER", "MESSAGE", "SUBSCRIBE", "PUBLISH"}
_KNOWN_OPTIONS = frozenset(SUPPORTED.split(", "))


class Door(msgspec.Struct, frozen=True):
    """How those are asked for passwords who have to show one."""

    realm: str
    """For which passwords."""
    secret: bytes
    """What challenges are signed with."""
    password_of: Callable[[str], str | None]
    """The password of a user, None where there is no such user."""


class Admitted(msgspec.Struct, frozen=True):
    """An INVITE of which a call is to be made."""

    user: str
    """Whom it is for, as this end's Contact has it."""
    identity: str | None
    """Who was proved to call; None when nobody was asked."""
    replaces: Replaces | None
    """The dialog whose place it wants to take."""


class Reception:
    """The way in."""

    def __init__(self, terms: Terms, admission: Admission, door: Door, new_id: NewId) -> None:
        """Begin; it remembers nothing but how often nonces were used."""
        self._terms = terms
        self._admission = admission
        self._door = door
        self._digest = DigestServer(door.realm, door.secret, algorithms=terms.digests)
        self._new_id = new_id

    def stamp(self, request: Request, source: Hop) -> Request:
        """Return a request with what is known of where it came from."""
        return stamped(request, source)

    def refuse(self, request: Request, source: Hop, status: int, *fields: Field, reason: str = "") -> list[Effect]:
        """Answer a request without remembering it."""
        return [*answer_at_once(request, source, status, *fields, secret=self._door.secret, reason=reason)]

    def unsupported(self, request: Request, source: Hop) -> list[Effect]:
        """Refuse a request that requires what is not understood here; nothing for all others."""
        strange = sorted(read_options(request.headers, "Require") - _KNOWN_OPTIONS)
        return self.refuse(request, source, 420, ("Unsupported", ", ".join(strange))) if strange else []

    def judge(self, request: Request, source: Hop, calls: int, is_merged: bool, now: float) -> Admitted | list[Effect]:
        """Decide what is made of a request outside dialogs: a call, or an answer, or nothing at all."""
        standing = self._admission.standing(source.host)
        if standing == "unknown" or request.method == "ACK":
            return []
        if read_max_forwards(request.headers) == 0 and request.method != "OPTIONS":
            return self.refuse(request, source, 483)
        identity: str | None = None
        if standing == "challenged":
            verdict = self._digest.judge(request, self._door.password_of, now)
            if not isinstance(verdict, Authenticated):
                return self._challenge(request, source, verdict.is_stale, now)
            identity = verdict.username
        if is_merged:
            return self.refuse(request, source, 482)
        if request.method not in _KNOWN_METHODS:
            return self.refuse(request, source, 501, ("Allow", ALLOW))
        if isinstance(parse_uri(request.uri), OpaqueUri):
            return self.refuse(request, source, 416)
        bad = self.unsupported(request, source)
        if bad:
            return bad
        match request.method:
            case "INVITE":
                return self._judge_invite(request, source, calls, identity, now)
            case "OPTIONS":
                fields = (("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", SUPPORTED))
                return self.refuse(request, source, 200, *fields)
            case "BYE" | "CANCEL" | "PRACK" | "UPDATE" | "INFO" | "NOTIFY":
                return self.refuse(request, source, 481)
            case _:
                return self.refuse(request, source, 405, ("Allow", ALLOW))

    def _judge_invite(
        self, request: Request, source: Hop, calls: int, identity: str | None, now: float
    ) -> Admitted | list[Effect]:
        kind = read_content_type(request.headers)
        is_readable = kind is None or kind.media_type in ("application/sdp", "multipart/mixed", "multipart/alternative")
        if request.body and not is_readable:
            return self.refuse(request, source, 415, ("Accept", "application/sdp"))
        least = SessionTimer(self._terms).too_brief(request)
        if least is not None:
            return self.refuse(request, source, 422, ("Min-SE", str(least)))
        replaces = read_one(request.headers, "Replaces", Replaces.parse)
        if not self._admission.may_call(calls, now):
            return self.refuse(request, source, 503, ("Retry-After", str(self._admission.retry_after_seconds)))
        target = parse_uri(request.uri)
        user = target.user if isinstance(target, SipUri) else None
        return Admitted(user or "vivavoce", identity, replaces)

    def _challenge(self, request: Request, source: Hop, is_stale: bool, now: float) -> list[Effect]:
        challenge = self._digest.challenge(self._new_id("nonce").encode(), now, is_stale=is_stale)
        return self.refuse(request, source, 401, *challenge.headers.fields)

    # ------------------------------------------------------------------------------------------------ new calls

    def usage(self, call: str, line: Line, request: Request, source: Hop, tag: str, chance: Chance) -> Usage:
        """Make what a call goes on in."""
        return Usage(call, Dialog.of_invite(line, request, source, tag), self._terms, self._new_id, chance)

    def invited(self, call: str, request: Request, source: Hop, identity: str | None, replaces: str | None) -> Invited:
        """Return the news of a call."""
        headers = request.headers
        sender, to = headers.get("From") or "", headers.get("To") or ""
        return Invited(call, request.uri, sender, to, headers, sdp_of(request), source, identity, replaces)

    def may_replace(self, call: IncomingCall | OutgoingCall, replaces: Replaces) -> bool:
        """Tell whether a call is the one that another wants to replace, and may be replaced (RFC 3891 3)."""
        if isinstance(call, OutgoingCall) and not call.is_up:
            return False
        usage = call.usage
        own = (usage.dialog.call_id, usage.dialog.local_tag, usage.dialog.remote_tag)
        is_it = own == (replaces.call_id, replaces.to_tag, replaces.from_tag)
        return is_it and usage.state == "up" and not replaces.early_only

    @staticmethod
    def contact(local: Mapping[Transport, Local], transport: Transport, user: str) -> str:
        """Return where this agent is to be found by a transport, or by the one that it has."""
        known = transport if transport in local else next(iter(local))
        place = local[known]
        params = () if known == "udp" else (("transport", known),)
        port = None if place.port == DEFAULT_PORTS[known] and known != "tls" else place.port
        return str(SipUri(place.host, user, port=port, params=params))
