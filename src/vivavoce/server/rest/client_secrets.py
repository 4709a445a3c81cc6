"""Client secrets over HTTP: GA's `client_secrets`, and the beta's two ways of creating a session beforehand.

A session is checked by the same readers as on a socket and shown by the same words, so that what is accepted here is
what a session then begins with.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ...core.errors import ProtocolError
from ...core.settings import SessionPatch, Settings, merge
from ...core.states import SessionState
from ...core.tooling import check_tool_choice
from ...dialects import beta, codec, ga, transcription
from ...dialects import schema as s
from ..admission import Admission, Refused, safety_identifier
from ..client_secrets import ClientSecret, ClientSecrets, Grant, TooManySecrets
from ..ids import Ids, new_seed
from .desk import told
from .http import Answer, Asked, Router, key_id_of, read_json, router_of

_BODY_BYTES = 1024 * 1024
"""Long instructions and many tools are a tenth of it."""
_GA_SECONDS = 600
_BETA_SECONDS = 60
_ROOTS = ("/v1/realtime", "/realtime", "/openai/realtime", "/openai/v1/realtime")
_AZURE_PREVIEW = "/openai/realtimeapi"


class Order(msgspec.Struct, frozen=True):
    """A secret that is asked for."""

    seconds: int
    """How long it is wanted for."""
    settings: Settings
    """What its sessions begin with."""
    names_model: bool
    """Whether the model was asked for."""


class Form(msgspec.Struct, frozen=True):
    """One way of asking for a secret."""

    read: Callable[[dict[str, Any]], Order]
    """Checks a body; raises ProtocolError."""
    render: Callable[[ClientSecret, SessionState], dict[str, Any]]
    """Returns the answer's object."""
    shape: str | None = None
    """The shape that the asker's clients speak, where this way says so."""


# ------------------------------------------------------------------------------------------------------------- GA


_EXPIRY = s.nullable(s.fields({"anchor": s.choice("created_at"), "seconds": s.nullable(s.integer(10, 7200))}))

_KINDS: dict[str, tuple[Callable[[Any, str], SessionPatch], Settings]] = {
    "realtime": (ga.session_patch, Settings()),
    "transcription": (transcription.session_patch, Settings(kind="transcription")),
}


def _session(value: Any, path: str) -> tuple[Settings, bool]:
    """Accept a session of either kind, and return it with whether it names its model."""
    kind = s.mapping(value, path).get("type")
    if kind is None:
        raise s.missing(s.join(path, "type"))
    read, settings = _KINDS[s.choice(*_KINDS)(kind, s.join(path, "type"))]
    return _merged(settings, read(value, path), f"{path}.tool_choice")


def _merged(settings: Settings, patch: SessionPatch, path: str) -> tuple[Settings, bool]:
    merged = merge(settings, patch)
    check_tool_choice(merged, path)
    return merged, "model" in patch


_GA = s.fields({"expires_after": _EXPIRY, "session": s.nullable(_session)})


def read_ga(body: dict[str, Any]) -> Order:
    """Return what a request for a GA secret asks for.

    Raises:
        ProtocolError: it cannot be had.
    """
    found = _GA(body, "")
    seconds = (found.get("expires_after") or {}).get("seconds") or _GA_SECONDS
    settings, names_model = found.get("session") or (Settings(), False)
    return Order(seconds, settings, names_model)


def _render_ga(secret: ClientSecret, state: SessionState) -> dict[str, Any]:
    render = transcription.render_session if state.settings.kind == "transcription" else ga.render_session
    return {"value": secret.value, "expires_at": secret.expires_at, "session": render(state)}


# ----------------------------------------------------------------------------------------------------------- beta

# SDKs write the first for conversations and the second for transcriptions.
_WANTED = s.nullable(s.fields({"expires_after": _EXPIRY, "expires_at": _EXPIRY}))


def read_beta(settings: Settings, read: Callable[[Any, str], SessionPatch], body: dict[str, Any]) -> Order:
    """Return what a flat session asks for, whose settings without its own are these.

    Raises:
        ProtocolError: it cannot be had.
    """
    wanted = _WANTED(body.get("client_secret"), "client_secret") or {}
    seconds = [found["seconds"] for found in wanted.values() if found and found.get("seconds")]
    return Order(seconds[0] if seconds else _BETA_SECONDS, *_merged(settings, read(body, ""), "tool_choice"))


def _render_beta(
    render: Callable[[SessionState], dict[str, Any]], secret: ClientSecret, state: SessionState
) -> dict[str, Any]:
    return render(state) | {"client_secret": {"value": secret.value, "expires_at": secret.expires_at}}


_FORMS = {
    "client_secrets": Form(read_ga, _render_ga),
    "sessions": Form(
        functools.partial(read_beta, Settings(), beta.session_patch),
        functools.partial(_render_beta, beta.render_session),
        "beta",
    ),
    "transcription_sessions": Form(
        functools.partial(read_beta, Settings(kind="transcription"), transcription.flat_session_patch),
        functools.partial(_render_beta, transcription.render_flat_session),
        "beta",
    ),
}

# ------------------------------------------------------------------------------------------------------ endpoints


def client_secrets_router(secrets: ClientSecrets, admission: Admission, body_seconds: float) -> Router:
    """Return the endpoints at which `secrets` are created.

    Args:
        secrets: those of the process.
        admission: knows the keys that may create them.
        body_seconds: how long a body may take to arrive.
    """

    async def create(form: Form, request: Asked) -> Answer:
        order = await _order(form, request, body_seconds)
        grant = Grant(
            order.settings,
            order.names_model,
            form.shape,
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
        # No session has this id: a secret may start several, each with one of its own, at a time yet to come.
        state = SessionState(Ids(new_seed())("sess"), 0, order.settings)
        shown = codec.encode(form.render(secret, state))
        return Answer(shown, media_type="application/json", headers={"Cache-Control": "no-store"})

    return router_of(admission, {path: functools.partial(create, form) for path, form in _paths().items()})


def _paths() -> Mapping[str, Form]:
    """Return the form at each path: OpenAI's, that of clients given a bare host, and Azure's."""
    found = {f"{root}/{name}": form for root in _ROOTS for name, form in _FORMS.items()}
    return found | {f"{_AZURE_PREVIEW}/{name}": _FORMS[name] for name in ("sessions", "transcription_sessions")}


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
