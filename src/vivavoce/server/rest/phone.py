"""Telephone calls over HTTP: an application accepts, rejects and transfers them as with OpenAI, and places its own.

Whoever has a full key of the server controls all of them; client secrets control none.  Joined with the endpoints of
`server.rest.calls`, at the same paths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...core.errors import ProtocolError
from ...core.service import Service
from ...core.settings import SessionPatch, Settings
from ...dialects import codec
from ...dialects import schema as s
from ...telephony import VOICES, Number
from ..admission import Connection, Refused
from ..hybrid import Gate
from ..phone.exchange import DECLINED, KEY_ID, CallRefused, Exchange, Order, Verdict
from ..phone.party import settings_of
from .calls import CALLS, not_found
from .desk import told
from .http import Answer, Asked, head_of, read_body, read_json, settled
from .rehearsing import rehearsed, session_of_any_kind

__all__ = ["PhoneCalls"]

_SESSION_BYTES = 1024 * 1024
"""Long instructions and many tools are a tenth of it."""
_SMALL_BYTES = 16 * 1024
_STATUSES = {
    "call_not_found": 404,
    "destination_not_allowed": 403,
    "rate_limit_exceeded": 429,
    "telephone_off": 501,
}
"""The HTTP status of each cause of which the request itself is not to blame; all others are 400."""


def _session(value: Any, path: str) -> SessionPatch:
    """Accept a session for a conversation, the only kind that a telephone has."""
    kind, patch = session_of_any_kind(_with_known_voice(value), path)
    if kind != "realtime":
        raise s.invalid_choice(s.join(path, "type"), kind, ("realtime",))
    return patch


def _with_known_voice(session: Any) -> Any:
    """Return a session whose voice is one of the protocol, where another stands in for it."""
    try:
        voice = VOICES.get(session["audio"]["output"]["voice"])
    except (KeyError, TypeError):
        return session
    if voice is None:
        return session
    audio = session["audio"]
    return session | {"audio": audio | {"output": audio["output"] | {"voice": voice}}}


_REJECTING = s.fields({"status_code": s.nullable(s.integer(400, 699))})
_REFERRING = s.fields({"target_uri": s.name}, ("target_uri",))
_PLACING = s.fields(
    {"to": s.name, "line": s.nullable(s.text), "number": s.nullable(s.text), "session": s.nullable(_session)}, ("to",)
)


class PhoneCalls:
    """The endpoints: a `server.rest.calls.Telephoned`."""

    def __init__(self, exchange: Callable[[], Exchange | None], gate: Gate, service: Callable[[], Service]) -> None:
        """Answer those whom `gate` lets in.

        Args:
            exchange: returns the telephone, or None where there is none.
            gate: knows the keys.
            service: tells what sessions are offered.
        """
        self._exchange = exchange
        self._gate = gate
        self._service = service

    async def accept(self, request: Asked) -> Answer:
        """Let a call in, with a session that begins as its number says and then as the request does."""
        connection, call_id = self._let_in(request), request.path_params["call_id"]
        body = await read_json(request, _SESSION_BYTES, self._seconds)
        patch = _checked(_session, body)
        exchange = self._exchange()
        number = None if exchange is None else exchange.pending(call_id)
        if exchange is None or number is None:
            if exchange is not None and exchange.has(call_id):
                raise Refused(
                    400, "call_already_accepted", f"Call '{call_id[:64]}' was accepted already.", param="call_id"
                )
            raise not_found(call_id)
        settings = self._settings(number, patch, param="")
        if self._gate.ledger is not None:
            self._gate.ledger.check(connection.key_id)
        if not await exchange.accept(call_id, settings, connection.key_id or KEY_ID):
            raise not_found(call_id)
        return Answer(status_code=200)

    async def reject(self, request: Asked) -> Answer:
        """Refuse a call, by the status of SIP that the request names or else 603."""
        self._let_in(request)
        body = await self._optional(request)
        status = _checked(_REJECTING, body).get("status_code") or DECLINED
        return self._settle(request, status)

    async def refer(self, request: Asked) -> Answer:
        """Connect a caller with somebody else."""
        self._let_in(request)
        target = _checked(_REFERRING, await read_json(request, _SMALL_BYTES, self._seconds))["target_uri"]
        exchange, call_id = self._exchange(), request.path_params["call_id"]
        if exchange is None:
            raise not_found(call_id)
        try:
            exchange.transfer(call_id, target)
        except CallRefused as refusal:
            raise _told(refusal, call_id) from refusal
        return Answer(status_code=200)

    async def hang_up(self, request: Asked) -> Answer | None:
        """Refuse a call that was not accepted; None for any other, which is hung up as every call is."""
        exchange = self._exchange()
        if exchange is None or exchange.pending(request.path_params["call_id"]) is None:
            return None
        self._let_in(request)
        return self._settle(request, DECLINED)

    async def place(self, request: Asked) -> Answer:
        """Place a call."""
        connection = self._gate.admit_call(head_of(request))
        if connection.secret_id:
            raise Refused(403, "insufficient_permissions", "Calls are placed with a key, not with a client secret.")
        found = _checked(_PLACING, await read_json(request, _SESSION_BYTES, self._seconds))
        exchange = self._exchange()
        if exchange is None:
            raise Refused(501, "telephone_off", "This server has no telephone.", type="server_error")
        number = _number(exchange, found.get("number"))
        patch = found.get("session")
        order = Order(
            target=found["to"],
            number=number,
            settings=self._settings(number, patch) if patch else None,
            line=found.get("line") or "",
            key_id=connection.key_id or KEY_ID,
        )
        try:
            # Whoever asked may leave meanwhile; then the call is not placed either.
            call_id = await settled(request, exchange.place(order))
        except CallRefused as refusal:
            raise _told(refusal) from refusal
        root = request.url.path.partition(CALLS)[0]
        headers = {"Location": f"{root}{CALLS}/{call_id}", "Cache-Control": "no-store"}
        return Answer(codec.encode({"id": call_id}), 201, headers, media_type="application/json")

    # ---------------------------------------------------------------------------------------------------------- inside

    def _let_in(self, request: Asked) -> Connection:
        """Let in a request about a call.

        Raises:
            Refused: it may not come in, or controls no telephone calls.
        """
        connection = self._gate.admit_control(head_of(request))
        if connection.secret_id:
            raise not_found(request.path_params["call_id"])
        return connection

    def _settle(self, request: Asked, status: int) -> Answer:
        exchange, call_id = self._exchange(), request.path_params["call_id"]
        if exchange is None or not exchange.settle(call_id, Verdict(status)):
            raise not_found(call_id)
        return Answer(status_code=200)

    async def _optional(self, request: Asked) -> dict[str, Any]:
        """Return the object in a request's body, which may be empty."""
        if request.headers.get("content-type"):
            length = request.headers.get("content-length", "")
            return {} if length == "0" else await read_json(request, _SMALL_BYTES, self._seconds)
        if await read_body(request, _SMALL_BYTES, self._seconds):
            raise Refused(415, "unsupported_media_type", "The request has to be JSON: its Content-Type is missing.")
        return {}

    def _settings(self, number: Number, patch: SessionPatch, *, param: str = "session") -> Settings:
        """Return what a session on a number begins with.

        Raises:
            Refused: no session can begin so.
        """
        settings = settings_of(number)
        if "model" in patch:
            settings = msgspec.structs.replace(settings, model=patch["model"])
        return rehearsed(settings, patch, "ga", self._service(), param=param).settings

    @property
    def _seconds(self) -> float:
        return self._gate.limits.message_seconds


def _checked(check: s.Check, body: dict[str, Any]) -> dict[str, Any]:
    """Return what a body says.

    Raises:
        Refused: it says something else than it may.
    """
    with told():
        if codec.is_too_deep(body):
            raise ProtocolError("invalid_value", f"The body is nested more than {codec.MAX_DEPTH} levels deep.")
        found: dict[str, Any] = check(body, "")
        return found


def _number(exchange: Exchange, name: str | None) -> Number:
    """Return the number of a name, or the first.

    Raises:
        Refused: there is none of that name.
    """
    numbers = exchange.telephony.numbers
    found = next((number for number in numbers if name in (None, "", number.name)), None)
    if found is None:
        shown = (name or "")[:64]
        raise Refused(400, "invalid_value", f"This server's telephone has no number '{shown}'.", param="number")
    return found


def _told(refusal: CallRefused, call_id: str = "") -> Refused:
    """Return what a client is told of a call that is not placed or transferred."""
    if refusal.code == "call_not_found":
        return not_found(call_id)
    status = _STATUSES.get(refusal.code, 400)
    kind = {429: "rate_limit_error", 501: "server_error"}.get(status, "invalid_request_error")
    headers = {"Retry-After": "5"} if status == 429 else {}
    return Refused(status, refusal.code, str(refusal), type=kind, param=refusal.param, headers=headers)
