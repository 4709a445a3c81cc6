"""Client secrets over HTTP: GA's `client_secrets`, that of translations, and the beta's `sessions` of two kinds.

The session is rehearsed (`rehearsing`), so what is accepted here is what a session begins with.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ...core.errors import ProtocolError
from ...core.service import Service
from ...core.settings import SessionPatch, Settings
from ...dialects import beta, codec, transcription, translation
from ...dialects import schema as s
from ..admission import TRANSLATIONS, Admission, Refused, safety_identifier
from ..client_secrets import ClientSecret, ClientSecrets, Grant, TooManySecrets
from ..hybrid import ROOTS
from .desk import Desk, told
from .http import Answer, Asked, Router, key_id_of, read_json, router_of
from .rehearsing import rehearsed, session_of_any_kind

_BODY_BYTES = 1024 * 1024
"""Long instructions and many tools are a tenth of it."""
_GA_SECONDS = 600
_BETA_SECONDS = 60
_AZURE_PREVIEW = "/openai/realtimeapi"


class Order(msgspec.Struct, frozen=True):
    """A secret that is asked for."""

    seconds: int
    """How long it is wanted for."""
    kind: str = "realtime"
    """The kind of its sessions."""
    patch: SessionPatch = {}
    """What they begin with besides what is usual."""


class Form(msgspec.Struct, frozen=True):
    """One way of asking for a secret."""

    shape: str
    """That of the session in the request and in the answer."""
    read: Callable[[dict[str, Any]], Order]
    """Checks a body; raises ProtocolError."""


# ------------------------------------------------------------------------------------------------------------ forms

_EXPIRY = s.nullable(s.fields({"anchor": s.choice("created_at"), "seconds": s.nullable(s.integer(10, 7200))}))


def _translation(value: Any, path: str) -> tuple[str, SessionPatch]:
    """Accept a translation session, whose kind goes without saying and whose model does not."""
    patch = translation.session_patch(value, path)
    if "model" not in patch:
        raise s.missing(s.join(path, "model"))
    return "translation", patch


_GA = s.fields({"expires_after": _EXPIRY, "session": s.nullable(session_of_any_kind)})
_TRANSLATION = s.fields({"expires_after": _EXPIRY, "session": _translation}, ("session",))


def read_ga(check: s.Check, body: dict[str, Any]) -> Order:
    """Return what a request for a GA secret asks for.

    Raises:
        ProtocolError: it cannot be had.
    """
    found = check(body, "")
    seconds = (found.get("expires_after") or {}).get("seconds") or _GA_SECONDS
    return Order(seconds, *(found.get("session") or ()))


# SDKs write the first for conversations and the second for transcriptions.
_WANTED = s.nullable(s.fields({"expires_after": _EXPIRY, "expires_at": _EXPIRY}))


def read_beta(kind: str, read: Callable[[Any, str], SessionPatch], body: dict[str, Any]) -> Order:
    """Return what a flat session of some kind asks for.

    Raises:
        ProtocolError: it cannot be had.
    """
    wanted = _WANTED(body.get("client_secret"), "client_secret") or {}
    seconds = [found["seconds"] for found in wanted.values() if found and found.get("seconds")]
    return Order(seconds[0] if seconds else _BETA_SECONDS, kind, read(body, ""))


_FORMS = {
    "/client_secrets": Form("ga", functools.partial(read_ga, _GA)),
    f"{TRANSLATIONS}/client_secrets": Form("ga", functools.partial(read_ga, _TRANSLATION)),
    "/sessions": Form("beta", functools.partial(read_beta, "realtime", beta.session_patch)),
    "/transcription_sessions": Form(
        "beta", functools.partial(read_beta, "transcription", transcription.flat_session_patch)
    ),
}


def _rehearsed(order: Order, shape: str, service: Service) -> tuple[Settings, dict[str, Any]]:
    """Return what sessions begin with, and the session that clients of a shape are shown.

    Raises:
        Refused: no session can begin so.
    """
    model = {"model": order.patch["model"]} if "model" in order.patch else {}
    begun = Settings(kind=order.kind, **model)
    rehearsal = rehearsed(begun, order.patch, shape, service, param="" if shape == "beta" else "session")
    # No session has this id: a secret may start several, each with one of its own, at a time yet to come.
    return rehearsal.settings, rehearsal.session | {"expires_at": 0}


def _shown(shape: str, secret: ClientSecret, session: dict[str, Any]) -> dict[str, Any]:
    """Return the object that a request is answered with."""
    told = {"value": secret.value, "expires_at": secret.expires_at}
    return session | {"client_secret": told} if shape == "beta" else told | {"session": session}


# ------------------------------------------------------------------------------------------------------ endpoints


def client_secrets_router(
    secrets: ClientSecrets, admission: Admission, desk: Desk, service: Callable[[], Service]
) -> Router:
    """Return the endpoints at which `secrets` are created.

    Args:
        secrets: those of the process.
        admission: knows the keys that may create them.
        desk: has room for requests, and knows when the engines are ready.
        service: tells what sessions are offered.
    """

    async def create(form: Form, request: Asked) -> Answer:
        ticket = desk.take()
        try:
            order = await _order(form, request, desk.limits.message_seconds)
        finally:
            ticket.give_back()
        settings, session = _rehearsed(order, form.shape, service())
        grant = Grant(
            settings,
            "model" in order.patch,
            # GA clients need no hint, and those of other shapes say so.
            "beta" if form.shape == "beta" else None,
            key_id_of(request),
            safety_identifier(request.headers),
        )
        try:
            secret = secrets.issue(grant, order.seconds)
        except TooManySecrets as full:
            raise Refused(
                429,
                "rate_limit_exceeded",
                f"This key has as many client secrets in force as it may; the first of them expires in "
                f"{full.retry_seconds} seconds.",
                type="rate_limit_error",
                headers={"Retry-After": str(full.retry_seconds)},
            ) from full
        shown = codec.encode(_shown(form.shape, secret, session))
        return Answer(shown, media_type="application/json", headers={"Cache-Control": "no-store"})

    return router_of(admission, {path: functools.partial(create, form) for path, form in _paths().items()})


def _paths() -> Mapping[str, Form]:
    """Return the form at each path: OpenAI's, that of clients given a bare host, and Azure's."""
    found = {f"{root}{name}": form for root in ROOTS for name, form in _FORMS.items()}
    return found | {_AZURE_PREVIEW + name: _FORMS[name] for name in ("/sessions", "/transcription_sessions")}


async def _order(form: Form, request: Asked, body_seconds: float) -> Order:
    """Return what a request asks for; an empty body asks for everything as it is usual.

    Raises:
        Refused: it cannot be had.
    """
    has_body = request.headers.get("content-length", "") != "0" and (
        "content-length" in request.headers or "transfer-encoding" in request.headers
    )
    body = await read_json(request, _BODY_BYTES, body_seconds) if has_body else {}
    with told():
        if codec.is_too_deep(body):
            raise ProtocolError("invalid_value", f"The body is nested more than {codec.MAX_DEPTH} levels deep.")
        return form.read(body)
