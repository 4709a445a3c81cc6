"""Who answers an offer: this server, or an upstream that a route passes it on to, so that the sound goes there alone.

What is passed on is the offer and the session that it is for; the upstream is called with the operator's key, which no
browser sees.  Where no upstream of the route can take a call so, it is held here.  Held by `server.switchboard`, and
asked by `server.rest.calls`.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from ..legs.line import LineError
from ..legs.posting import Posted, form
from ..legs.posting import post as post_to
from ..legs.refusals import refused
from ..legs.upstream import trust
from ..relay.effects import Used
from ..routing import LOCAL, Route, Upstream
from .admission import TRANSLATIONS, Connection, Refused
from .asked import model_of, settings_of
from .costs import Bill
from .ids import new_call_id
from .linking import Asked, address_of
from .lives import Answered, Controlled, Lives, Party
from .passed import Far, PassedCall, Wire
from .relays import given
from .routes import Chooser

__all__ = ["Offers", "Post", "Way", "way_to"]

_log = logging.getLogger("vivavoce.calls")

PASSED = "passed"
"""The road of calls whose sound does not come here."""
CALLS = "/calls"
_DAY_SECONDS = 86_400.0
_OF_THE_REQUEST = frozenset({400, 413, 415, 422})
"""Statuses by which an upstream finds fault with the offer or the session; the client is told them as they are."""
_GONE = 404


Post = Callable[[Upstream, str, Mapping[str, str], bytes], Awaitable[Posted]]
"""Sends a request to an upstream at an address.  Raises LineError."""
Dial = Callable[[Upstream, str, dict[str, str]], Awaitable[Wire]]
"""Opens a socket to an upstream at an address.  Raises LineError."""


class Relayed(Protocol):
    """What is known of upstreams: `server.relays.Relays`."""

    chooser: Chooser
    """Which upstream is tried first."""

    def route_for(self, connection: Connection, model: str, kind: str) -> Route | None:
        """Return the route of a connection; None where the engines of this process answer it."""
        ...

    def bill(self, key_id: str) -> Bill:
        """Return a bill of what one session costs, charged to a key."""
        ...

    def enter(self, key_id: str, told: Callable[[str], object]) -> Callable[[], None]:
        """Have somebody told when the money of a key is used up; call what is returned when nobody need be told."""
        ...


class Way(msgspec.Struct, frozen=True):
    """Where an upstream takes calls."""

    calls: str
    """The `http` or `https` URL of its calls."""
    sockets: str
    """The `ws` or `wss` URL of its sessions, without a model."""
    headers: dict[str, str]
    """What it is asked with; its key among them."""


async def post(upstream: Upstream, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
    """Send a request to an upstream.

    Raises:
        LineError: it cannot be reached.
    """
    tls = trust(insecure=upstream.insecure) if address.startswith("https:") else None
    return await post_to(address, headers, body, tls=tls, seconds=upstream.connect_seconds)


def way_to(upstream: Upstream, asked: Asked) -> Way:
    """Return where an upstream takes calls of a kind.

    Raises:
        LineError: its URL or key cannot be used.
    """
    address, headers = address_of(upstream, asked)
    parts = urlsplit(address)
    root = parts.path.removesuffix("/").removesuffix(TRANSLATIONS)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in ("model", "deployment", "intent")]
    scheme = {"ws": "http", "wss": "https"}[parts.scheme]
    place = TRANSLATIONS if asked.kind == "translation" else ""
    calls = urlunsplit((scheme, parts.netloc, f"{root}{place}{CALLS}", urlencode(kept), ""))
    return Way(calls, urlunsplit((parts.scheme, parts.netloc, root, urlencode(kept), "")), headers)


class Offers:
    """Answers every offer of a browser, and knows the calls that came of them."""

    def __init__(self, lives: Lives, relays: Relayed | None, dial: Dial, post: Post = post) -> None:
        """Answer here, or as routes say.

        Args:
            lives: holds calls here, and those that were passed on too.
            relays: knows routes and upstreams; None where there are none.
            dial: opens sockets to upstreams.
            post: sends them requests.
        """
        self._lives = lives
        self._relays = relays
        self._dial = dial
        self._post = post

    async def answer(self, connection: Connection, offer: str, alias: str = "") -> Answered:
        """Return the answer to an offer.

        Raises:
            Refused: an upstream refuses it.
            VivavoceError: it cannot be answered; see `Lives.answer`.
        """
        relays, route = self._relays, self._route_of(connection)
        if relays is not None and route is not None and route.webrtc == "pass" and connection.dialect_hint != "beta":
            passed = await self._pass(connection, relays, route, offer)
            if passed is not None:
                return passed
        return await self._lives.answer(connection, offer, alias)

    def is_answered_elsewhere(self, connection: Connection) -> bool:
        """Return whether another server may answer such calls, whose abilities are its own."""
        route = self._route_of(connection)
        return route is not None and route.names != (LOCAL,)

    def _route_of(self, connection: Connection) -> Route | None:
        if self._relays is None:
            return None
        return self._relays.route_for(connection, model_of(connection), settings_of(connection).kind)

    async def renew(self, call_id: str, connection: Connection, offer: str) -> str | None:
        """Return the answer to a later offer; see `Lives.renew`."""
        return await self._lives.renew(call_id, connection, offer)

    def find(self, call_id: str, connection: Connection) -> Controlled | None:
        """Return a call that a connection may control; None where there is none."""
        return self._lives.find(call_id, connection)

    def named(self, alias: str, connection: Connection) -> Party | None:
        """Return the browser of the call that has this name; None where there is none."""
        return self._lives.named(alias, connection)

    async def _pass(self, connection: Connection, relays: Relayed, route: Route, offer: str) -> Answered | None:
        """Return the answer of the first upstream that can be had; None where the call had better be held here."""
        settings = settings_of(connection)
        asked = Asked(model_of(connection), settings.kind, connection.safety_identifier, connection.key_id)
        failure: LineError | None = None
        for upstream in relays.chooser.pick(route):
            if upstream.is_local or upstream.shape == "beta":
                return None
            release = relays.chooser.hold(upstream.name)
            began = asyncio.get_running_loop().time()
            try:
                way = way_to(upstream, asked)
                found = await self._ask(upstream, way, offer, _session(connection, upstream))
            except LineError as error:
                release()
                failure = error
                relays.chooser.failed(upstream.name, error)
                _log.warning("an offer could not be passed on to %s: %s", upstream.name, error)
            except Refused:
                release()
                relays.chooser.refused(upstream.name)
                raise
            except BaseException:
                release()
                raise
            else:
                relays.chooser.opened(upstream.name, asyncio.get_running_loop().time() - began)
                return self._take(connection, relays, upstream, way, found, release)
        text = "No upstream can take this call at the moment."
        again = {"Retry-After": "5"} if failure is None or failure.again else {}
        raise Refused(503, "upstream_unavailable", text, type="server_error", headers=again)

    async def _ask(self, upstream: Upstream, way: Way, offer: str, session: Mapping[str, Any]) -> Posted:
        """Return how an upstream answered an offer.

        Raises:
            LineError: it cannot be had.
            Refused: it finds fault with what the client asked for.
        """
        parts = {
            "sdp": ("application/sdp", offer.encode()),
            "session": ("application/json", msgspec.json.encode(session)),
        }
        kind, body = form(parts)
        found = await self._post(upstream, way.calls, way.headers | {"Content-Type": kind}, body)
        if found.status in (200, 201):
            return found
        error = refused(upstream.host, found.status, found.phrase, found.body)
        if found.status in _OF_THE_REQUEST:
            raise _told(found, upstream.key.value)
        raise error

    def _take(
        self,
        connection: Connection,
        relays: Relayed,
        upstream: Upstream,
        way: Way,
        found: Posted,
        release: Callable[[], None],
    ) -> Answered:
        """Take in a call that an upstream has answered."""
        call_id = new_call_id()
        far_id = urlsplit(found.headers.get("location", "")).path.rstrip("/").rpartition("/")[2]
        bill = relays.bill(connection.key_id)
        call: PassedCall

        def used(what: Used) -> None:
            bill.add(what)
            if bill.is_used_up:
                call.abandon("its budget is used up")

        def ended(reason: str) -> None:
            release()
            leave()
            self._lives.leave(call_id)
            _log.info("call %s at %s ended: %s; %.6f USD", call_id, upstream.name, reason, bill.usd)

        model = upstream.model_for(model_of(connection))
        far = Far(
            upstream.name,
            model,
            functools.partial(self._reach, upstream, way, far_id),
            functools.partial(self._hang_up, upstream, way, far_id),
            upstream.session_seconds or _DAY_SECONDS,
        )
        call = PassedCall(call_id, far, used=used, ended=ended)
        leave = relays.enter(connection.key_id, call.abandon)
        self._lives.enter(call_id, call, secret_id=connection.secret_id, road=PASSED)
        _log.info("call %s of key %s was passed on to %s", call_id, connection.key_id or "none", upstream.name)
        return Answered(call_id, found.body.decode("utf-8", "replace"))

    async def _reach(self, upstream: Upstream, way: Way, far_id: str) -> Wire:
        if not far_id:
            raise LineError(f"{upstream.name} did not say where the call is", again=False)
        query = urlsplit(way.sockets).query
        address = f"{way.sockets}{'&' if query else '?'}{urlencode({'call_id': far_id})}"
        return await self._dial(upstream, address, dict(way.headers))

    async def _hang_up(self, upstream: Upstream, way: Way, far_id: str) -> None:
        if not far_id:
            raise LineError(f"{upstream.name} did not say where the call is", again=False)
        parts = urlsplit(way.calls)
        path = f"{parts.path.removesuffix(CALLS).removesuffix(TRANSLATIONS)}{CALLS}/{far_id}/hangup"
        found = await self._post(upstream, urlunsplit(parts._replace(path=path)), way.headers, b"")
        if found.status not in (200, 202, 204, _GONE):
            raise refused(upstream.host, found.status, found.phrase, found.body)


def _session(connection: Connection, upstream: Upstream) -> dict[str, Any]:
    """Return the session that an upstream is asked for."""
    settings = settings_of(connection)
    session: dict[str, Any] = {} if connection.grant is None else given(settings)
    session.pop("type", None)
    session.pop("model", None)
    model = upstream.model_for(model_of(connection))
    head = {} if settings.kind == "translation" else {"type": settings.kind}
    return head | ({"model": model} if model and settings.kind != "transcription" else {}) | session


def _told(found: Posted, key: str) -> Refused:
    """Return the refusal by which an upstream finds fault with a request, without what it may say of the key."""
    try:
        error = msgspec.json.decode(found.body)["error"]
        message, code = str(error["message"]), error.get("code")
        param, kind = error.get("param"), str(error.get("type") or "invalid_request_error")
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        message, code, param, kind = f"The upstream refused the call (HTTP {found.status}).", None, None, ""
    message = message.replace(key, "***") if key else message
    return Refused(
        found.status,
        code if isinstance(code, str) else None,
        message,
        type=kind or "invalid_request_error",
        param=param if isinstance(param, str) else None,
    )
