"""The HTTP routes: the page, health, readiness, metrics, models, and errors in OpenAI's shape.

Realtime sockets never come here (`server.hybrid` takes them); what comes to their paths without an upgrade does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request as HttpRequest
from fastapi.responses import Response
from fastapi.routing import APIWebSocketRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from .. import __version__
from ..config import Access
from . import page
from .admission import Admission, Refused, Request
from .hybrid import REALTIME_PATHS
from .metrics import Metrics

__all__ = ["MODELS", "create_app", "socket_paths"]

MODELS = (
    "vivavoce",
    "gpt-realtime",
    "gpt-realtime-mini",
    "gpt-realtime-1.5",
    "gpt-realtime-2.1",
    "gpt-realtime-2.1-mini",
    "gpt-4o-realtime-preview",
    "gpt-4o-mini-realtime-preview",
)
"""The product's own model, and the names by which clients ask for a realtime model without being told of it."""

# The list tells when a model was made; all of them are this program.
_CREATED_UNIX = 1_767_225_600
_LOCAL_PAGES = r"https?://(localhost|[a-z0-9-]+\.localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?"


def create_app(
    access: Access,
    admission: Admission,
    missing: Callable[[], tuple[str, ...]],
    metrics: Metrics | None = None,
    engines: Callable[[], tuple[str, ...]] = tuple,
    routed: Sequence[str] = (),
) -> FastAPI:
    """Return the application.

    Args:
        access: which web pages may read its answers.
        admission: checks the keys of requests below `/v1` and for the metrics.
        missing: names what a session still lacks; nothing when the server is ready.
        metrics: what is told at `/metrics`; None to tell nothing there.
        engines: names all that sessions need.
        routed: names of models that upstreams answer to, besides the usual ones.
    """
    app = FastAPI(title="vivavoce", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    _add_probes(app, missing)
    _add_page(app, page.load())
    _add_health(app, missing, engines)
    authenticated = _authentication(admission)
    _add_models(app, authenticated, tuple(dict.fromkeys((*MODELS, *routed))))
    if metrics is not None:
        _add_metrics(app, metrics, authenticated)
    _add_realtime_hints(app)
    _add_errors(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=access.allowed_origins,
        allow_origin_regex=None if access.allowed_origins else _LOCAL_PAGES,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["Location"],
    )
    return app


def socket_paths(app: FastAPI) -> frozenset[str]:
    """Return the paths at which the application itself answers WebSockets."""
    return frozenset(route.path for route in app.routes if isinstance(route, APIWebSocketRoute))


def _add_probes(app: FastAPI, missing: Callable[[], tuple[str, ...]]) -> None:
    @app.head("/healthz")
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.head("/readyz")
    @app.get("/readyz")
    async def readyz(response: Response) -> dict[str, Any]:
        lacking = missing()
        if lacking:
            response.status_code = 503
        return {"status": "starting" if lacking else "ready", "missing": lacking}


def _add_health(app: FastAPI, missing: Callable[[], tuple[str, ...]], engines: Callable[[], tuple[str, ...]]) -> None:
    @app.head("/health")
    @app.get("/health")
    async def health(response: Response) -> dict[str, Any]:
        """Tell pages, which need both, what `/healthz` and `/readyz` tell those who look after servers."""
        lacking = missing()
        if lacking:
            response.status_code = 503
        return {
            "status": "starting" if lacking else "healthy",
            "version": __version__,
            "engines": [{"name": name, "ready": name not in lacking} for name in engines()],
        }


def _add_page(app: FastAPI, files: Mapping[str, page.File]) -> None:
    async def send(request: HttpRequest) -> Response:
        sent = files[request.url.path].answer(request.headers)
        return Response(sent.body, sent.status, sent.headers)

    for path in files:
        app.add_api_route(path, send, methods=["GET", "HEAD"])


def _authentication(admission: Admission) -> Callable[[HttpRequest], Awaitable[None]]:
    """Return what lets requests with a key pass."""

    async def authenticated(request: HttpRequest) -> None:
        peer = f"{request.client.host}:{request.client.port}" if request.client else "unknown"
        admission.authenticate(Request(request.url.path, request.query_params, request.headers, peer))

    return authenticated


def _add_metrics(app: FastAPI, metrics: Metrics, authenticated: Callable[[HttpRequest], Awaitable[None]]) -> None:
    # They tell what upstreams are called and what they cost, which is not for everybody.
    @app.get("/metrics", dependencies=[Depends(authenticated)])
    async def tell() -> Response:
        return Response(metrics.text(), headers={"Content-Type": metrics.content_type})


def _add_models(app: FastAPI, authenticated: Callable[[HttpRequest], Awaitable[None]], names: tuple[str, ...]) -> None:
    @app.get("/v1/models", dependencies=[Depends(authenticated)])
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model(name) for name in names]}

    @app.get("/v1/models/{name}", dependencies=[Depends(authenticated)])
    async def model(name: str) -> dict[str, Any]:
        if name not in names:
            raise Refused(404, "model_not_found", f"The model '{name[:200]}' does not exist.", param="model")
        return _model(name)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED_UNIX, "owned_by": "vivavoce"}


def _add_realtime_hints(app: FastAPI) -> None:
    async def upgrade_required() -> None:
        raise Refused(
            426,
            "upgrade_required",
            "This is the address of a WebSocket; open it with ws:// or wss://.",
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )

    for path in sorted(REALTIME_PATHS):
        app.add_api_route(path, upgrade_required, methods=["GET", "HEAD"])


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_request: HttpRequest, error: Refused) -> Response:
        return _response(error)

    @app.exception_handler(HTTPException)
    async def http_error(request: HttpRequest, error: HTTPException) -> Response:
        return _response(_of_status(error.status_code, request, error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: HttpRequest, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:]) or None
        return _response(Refused(422, "invalid_value", f"Invalid value: {first['msg']}.", param=where))

    @app.exception_handler(Exception)
    async def failed(_request: HttpRequest, _error: Exception) -> Response:
        return _response(Refused(500, None, "The server failed while it handled this request.", type="server_error"))


def _of_status(status: int, request: HttpRequest, headers: Mapping[str, str]) -> Refused:
    path = request.url.path[:200]
    if status == 404:
        return Refused(404, "unknown_url", f"There is nothing at {path}.", headers=headers)
    if status == 405:
        return Refused(405, "method_not_allowed", f"{request.method} is not allowed on {path}.", headers=headers)
    return Refused(status, None, f"The request to {path} was refused.", headers=headers)


def _response(refusal: Refused) -> Response:
    return Response(refusal.body, refusal.status, refusal.headers, media_type="application/json")
