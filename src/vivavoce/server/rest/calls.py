"""Calls over HTTP: offers of browsers in every form that pages send, and what is said about a call that is live.

An offer is SDP, alone or in a form beside the session that it is for; the answer is SDP, and `Location` names the call.
Below one path each: OpenAI's present form, that of its beta, that of translations, and that of older pages, which put
SDP into JSON and send their addresses one by one.  Made by `server.serve`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from ...config import Webrtc
from ...core.errors import ProtocolError, VivavoceError
from ...core.service import Service
from ...core.settings import SessionPatch
from ...dialects import beta, codec, translation
from ...dialects import schema as s
from ...legs.line import LineError
from ..admission import TRANSLATIONS, Connection, Refused
from ..asked import model_of, refusal_of, settings_of
from ..client_secrets import Grant
from ..hybrid import ROOTS, Gate
from ..lives import Answered, Busy, Controlled, Lines, NoWebrtc
from ..turn import ice_configuration
from .desk import told
from .http import Answer, Asked, Router, head_of, json_object, open_router, read_body, read_json, read_parts, settled
from .rehearsing import rehearsed, session_of_any_kind

__all__ = ["Calls", "Telephoned", "calls_router", "not_found"]

CALLS = "/calls"
_AZURE_PREVIEW = "/v1/realtimertc"
"""Where the preview of Azure takes the offers of the beta."""
_SESSION_BYTES = 1024 * 1024
"""Long instructions and many tools are a tenth of it."""
_CANDIDATE_BYTES = 16 * 1024
_OFFER = "Invalid SDP offer. Please try again with a WHIP-compliant offer."
_SDP_TYPES = frozenset({"", "application/sdp", "text/plain"})
"""What an offer may be called that is the whole body: pages that name no type send plain text."""


class Calls:
    """The endpoints."""

    def __init__(
        self,
        lines: Lines,
        gate: Gate,
        settings: Webrtc,
        service: Callable[[], Service],
        unix_now: Callable[[], float] = time.time,
    ) -> None:
        """Answer by `lines` those whom `gate` lets in.

        Args:
            lines: answers offers.
            gate: knows keys, client secrets and how much room there is.
            settings: bounds, and the servers that browsers are told of.
            service: tells what sessions are offered.
            unix_now: the time of day, in unix seconds.
        """
        self._lines = lines
        self._gate = gate
        self._settings = settings
        self._service = service
        self._unix_now = unix_now

    # ---------------------------------------------------------------------------------------------------------- offers

    async def offer(self, root: str, shape: str, request: Asked) -> Answer:
        """Answer an offer: SDP, or a form with SDP and a session.

        Args:
            root: the path of sessions of its kind.
            shape: `beta`, or empty for GA unless the client says otherwise.
            request: holds it.
        """
        connection = self._let_in(request, root, shape)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            offer, session = await self._parts(request)
        elif kind in _SDP_TYPES:
            offer, session = bytes(await read_body(request, self._settings.max_offer_bytes, self._seconds)), None
        else:
            raise Refused(
                415,
                "unsupported_media_type",
                "An offer is either SDP (Content-Type application/sdp) or a form (multipart/form-data) with the parts "
                f"'sdp' and 'session', not {kind[:100]}.",
            )
        if session is not None:
            connection = self._with_session(connection, session)
        answered = await self._answer(request, connection, _sdp(offer))
        return Answer(answered.sdp, 201, self._location(root, answered), media_type="application/sdp")

    async def offer_in_json(self, root: str, request: Asked) -> Answer:
        """Answer an offer as older pages make it, for a session that was created before."""
        connection = self._let_in(request, root, "beta")
        body = await read_json(request, self._settings.max_offer_bytes * 2, self._seconds)
        with told():
            if body.get("sdp") is None:
                raise s.missing("sdp")
            offer = s.text(body["sdp"], "sdp")
            modalities = {} if body.get("modalities") is None else {"modalities": body["modalities"]}
            patch = beta.session_patch(modalities, "")
        if patch:
            connection = self._with_patch(connection, patch, param="")
        alias = request.path_params["session_id"]
        answered = await self._answer(request, connection, _sdp(offer.encode(errors="replace")), alias)
        return Answer(
            codec.encode({"sdp": answered.sdp}), 200, self._location(root, answered), media_type="application/json"
        )

    async def candidate(self, root: str, request: Asked) -> Answer:
        """Take an address of a browser, as older pages send them one by one.

        It may come before the offer that it belongs to has been answered, and the call does without it then: which
        addresses are a browser's is learned from its checks.
        """
        connection = self._gate.admit_control(head_of(request))
        body = await read_json(request, _CANDIDATE_BYTES, self._seconds)
        candidate = body.get("candidate")
        if isinstance(candidate, dict):
            candidate = candidate.get("candidate")
        if not isinstance(candidate, str | None):
            raise Refused(400, "invalid_type", "Invalid type for 'candidate': expected a string.", param="candidate")
        party = self._lines.named(request.path_params["session_id"], connection)
        if candidate and party is not None:
            party.add_candidate(candidate)
        return Answer(b"{}", media_type="application/json")

    async def _parts(self, request: Asked) -> tuple[bytes, bytes | None]:
        parts = await read_parts(request, self._settings.max_offer_bytes + _SESSION_BYTES, self._seconds)
        if "sdp" not in parts:
            raise Refused(400, "missing_required_parameter", "Missing required parameter: 'sdp'.", param="sdp")
        unknown = sorted(parts.keys() - {"sdp", "session"})
        if unknown:
            name = unknown[0][:100]
            raise Refused(400, "unknown_parameter", f"Unknown parameter: '{name}'.", param=name)
        return parts["sdp"], parts.get("session")

    def _let_in(self, request: Asked, root: str, shape: str) -> Connection:
        """Let an offer in as the socket of such a session would be.

        Raises:
            Refused: it may not come in, or asks for a session that it cannot have.
        """
        connection = self._gate.admit_call(head_of(request))
        query = {name: value for name, value in connection.query.items() if name != "call_id"}
        hint = shape or connection.dialect_hint or "ga"
        connection = msgspec.structs.replace(connection, path=root, query=query, dialect_hint=hint)
        refusal = refusal_of(connection)
        if refusal is not None:
            raise Refused(400, refusal.code, refusal.message, param=refusal.param)
        return connection

    def _with_session(self, connection: Connection, data: bytes) -> Connection:
        """Return a connection whose session begins with what the request says of it."""
        session = json_object(data, "The part 'session'", "session")
        with told():
            if codec.is_too_deep(session):
                text = f"The session is nested more than {codec.MAX_DEPTH} levels deep."
                raise ProtocolError("invalid_value", text, "session")
            if connection.kind == "translation":
                kind, patch = "translation", translation.session_patch(session, "session")
            elif connection.dialect_hint == "beta":
                kind, patch = "realtime", beta.session_patch(session, "session")
            else:
                kind, patch = session_of_any_kind(session, "session")
            settings = settings_of(connection)
            if connection.grant is None and kind != settings.kind:
                connection = msgspec.structs.replace(connection, query={**connection.query, "intent": kind})
            elif kind != settings.kind:
                text = f"This client secret was created for {settings.kind} sessions and opens no others."
                raise ProtocolError("invalid_value", text, "session.type")
        return self._with_patch(connection, patch)

    def _with_patch(self, connection: Connection, patch: SessionPatch, *, param: str = "session") -> Connection:
        """Return a connection whose session begins with some settings besides its own."""
        grant, settings = connection.grant, settings_of(connection)
        is_named = grant is not None and grant.names_model
        if "model" in patch and not is_named and settings.kind != "transcription":
            settings = msgspec.structs.replace(settings, model=patch["model"])
            is_named = True
        settings = rehearsed(
            settings, patch, connection.dialect_hint, self._service_for(connection), param=param
        ).settings
        granted = Grant(settings, is_named or bool(model_of(connection)), connection.dialect_hint, connection.key_id)
        return msgspec.structs.replace(connection, grant=granted)

    def _service_for(self, connection: Connection) -> Service:
        """Return what sessions of a connection are offered; what servers elsewhere can do they say themselves."""
        service = self._service()
        if not self._lines.is_answered_elsewhere(connection):
            return service
        return msgspec.structs.replace(service, abilities=msgspec.structs.replace(service.abilities, translates=True))

    async def _answer(self, request: Asked, connection: Connection, offer: str, alias: str = "") -> Answered:
        settings = settings_of(connection)
        if settings.kind == "translation":
            # Of all sessions these alone may end at once, when there is no channel yet that could tell why.
            rehearsed(settings, {}, "ga", self._service_for(connection))
        with _told_of_offers():
            return await settled(request, self._lines.answer(connection, offer, alias))

    @staticmethod
    def _location(root: str, answered: Answered) -> dict[str, str]:
        return {"Location": f"{root.removesuffix(TRANSLATIONS)}{CALLS}/{answered.call_id}", "Cache-Control": "no-store"}

    # --------------------------------------------------------------------------------------------------------- control

    async def hang_up(self, request: Asked) -> Answer:
        """End a call."""
        ending = self._call(request).hang_up("a controller hung up")
        if ending is not None:
            try:
                await ending
            except LineError as error:
                text = "The upstream of this call did not end it. Try again."
                raise Refused(502, "upstream_unavailable", text, type="server_error") from error
        return Answer(status_code=200)

    def _call(self, request: Asked) -> Controlled:
        """Return the call that a request is about.

        Raises:
            Refused: there is none that it may control.
        """
        connection = self._gate.admit_control(head_of(request))
        call_id = request.path_params["call_id"]
        call = self._lines.find(call_id, connection)
        if call is None:
            raise not_found(call_id)
        return call

    async def renew(self, request: Asked) -> Answer:
        """Answer a later offer of a browser for its call, as after an ICE restart."""
        connection = self._gate.admit_control(head_of(request))
        call_id = request.path_params["call_id"]
        offer = _sdp(bytes(await read_body(request, self._settings.max_offer_bytes, self._seconds)))
        with _told_of_offers():
            answer = await self._lines.renew(call_id, connection, offer)
        if answer is None:
            raise not_found(call_id)
        return Answer(answer, media_type="application/sdp", headers={"Cache-Control": "no-store"})

    async def ice(self, request: Asked) -> Answer:
        """Tell a browser of STUN and TURN servers, as `RTCPeerConnection` takes them."""
        connection = self._gate.admit_control(head_of(request))
        shown = ice_configuration(self._settings.turn, connection.key_id, int(self._unix_now()))
        return Answer(codec.encode(shown), media_type="application/json", headers={"Cache-Control": "no-store"})

    @property
    def _seconds(self) -> float:
        return self._gate.limits.message_seconds


Endpoint = Callable[[Asked], Awaitable[Answer]]


class Telephoned(Protocol):
    """What is asked of telephone calls: `server.rest.phone`."""

    async def place(self, request: Asked) -> Answer:
        """Place a call."""
        ...

    async def accept(self, request: Asked) -> Answer:
        """Let a call in."""
        ...

    async def reject(self, request: Asked) -> Answer:
        """Refuse a call."""
        ...

    async def refer(self, request: Asked) -> Answer:
        """Connect a caller with somebody else."""
        ...

    async def hang_up(self, request: Asked) -> Answer | None:
        """Refuse a call that was not accepted; None for any other."""
        ...


def calls_router(calls: Calls, phone: Telephoned | None = None) -> Router:
    """Return the endpoints at their paths: OpenAI's, those of clients given a bare host, and Azure's.

    Args:
        calls: answers what is asked of calls by WebRTC.
        phone: answers what is asked of telephone calls; None where there are none.
    """

    async def create(root: str, request: Asked) -> Answer:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if phone is not None and kind == "application/json":
            return await phone.place(request)
        return await calls.offer(root, "", request)

    async def hang_up(request: Asked) -> Answer:
        refused = await phone.hang_up(request) if phone is not None else None
        return refused or await calls.hang_up(request)

    found: dict[tuple[str, str], Endpoint] = {}
    for root in ROOTS:
        session = f"{root}/sessions/{{session_id}}/webrtc"
        found |= {
            ("POST", root): functools.partial(calls.offer, root, "beta"),
            ("POST", root + CALLS): functools.partial(create, root),
            ("POST", root + TRANSLATIONS + CALLS): functools.partial(calls.offer, root + TRANSLATIONS, ""),
            ("POST", f"{session}/sdp-offer"): functools.partial(calls.offer_in_json, root),
            ("POST", f"{session}/ice-candidate"): functools.partial(calls.candidate, root),
            ("POST", f"{root}{CALLS}/{{call_id}}/hangup"): hang_up,
            ("POST", f"{root}{CALLS}/{{call_id}}/offer"): calls.renew,
            ("GET", f"{root}/ice"): calls.ice,
        }
        if phone is not None:
            found |= {
                ("POST", f"{root}{CALLS}/{{call_id}}/{name}"): answer
                for name, answer in (("accept", phone.accept), ("reject", phone.reject), ("refer", phone.refer))
            }
    found["POST", _AZURE_PREVIEW] = functools.partial(calls.offer, "/v1/realtime", "beta")
    return open_router(found)


def not_found(call_id: str) -> Refused:
    """Return the refusal of a request about a call that is not there."""
    return Refused(404, "call_id_not_found", f"Call '{call_id[:64]}' not found.", param="call_id")


@contextmanager
def _told_of_offers() -> Iterator[None]:
    """Turn what is wrong with offers into refusals."""
    try:
        yield
    except Refused:
        raise
    except NoWebrtc as off:
        raise Refused(501, "not_supported", str(off), type="server_error") from off
    except Busy as busy:
        headers = {"Retry-After": "1"}
        raise Refused(503, "server_busy", _sentence(busy), type="server_error", headers=headers) from busy
    except VivavoceError as error:
        raise Refused(400, "invalid_offer", f"{_OFFER} {_sentence(error)}", param="sdp") from error


def _sdp(offer: bytes) -> str:
    """Return an offer as text.

    Raises:
        Refused: it is none.
    """
    try:
        text = offer.decode()
    except UnicodeDecodeError as error:
        raise Refused(400, "invalid_offer", f"{_OFFER} It is no UTF-8.", param="sdp") from error
    if not text.lstrip().startswith("v=0"):
        what = "It is empty." if not text.strip() else "It does not begin with 'v=0'."
        raise Refused(400, "invalid_offer", f"{_OFFER} {what}", param="sdp")
    return text.lstrip()


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
