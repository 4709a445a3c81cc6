from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from vivavoce import __version__
from vivavoce.config import Access, Secret
from vivavoce.server.admission import Admission
from vivavoce.server.app import MODELS, create_app
from vivavoce.server.metrics import Metrics

KEYED = Access(api_keys=(Secret("sk-one"),))
AUTHORIZED = {"Authorization": "Bearer sk-one"}


def app_of(access: Access | None = None, missing: tuple[str, ...] = ()) -> FastAPI:
    access = access or Access()
    app = create_app(access, Admission(access, 10), lambda: missing, Metrics(["a"]), lambda: ("ears", "voice"))

    @app.get("/v1/test/{number}")
    async def number(number: int) -> int:
        return 1 // number

    return app


def ask(app: FastAPI, method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(call())


def error_of(response: httpx.Response) -> Any:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_a_living_server_is_healthy_even_while_it_loads() -> None:
    response = ask(app_of(missing=("ears",)), "GET", "/healthz")
    assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_readiness_names_what_is_missing() -> None:
    waiting = ask(app_of(missing=("ears", "voice")), "GET", "/readyz")
    assert (waiting.status_code, waiting.json()) == (503, {"status": "starting", "missing": ["ears", "voice"]})
    ready = ask(app_of(), "GET", "/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "missing": []})


def test_pages_are_told_whether_the_server_is_healthy_and_each_of_its_engines_ready() -> None:
    healthy = ask(app_of(), "GET", "/health")
    assert (healthy.status_code, healthy.json()) == (
        200,
        {
            "status": "healthy",
            "version": __version__,
            "engines": [{"name": "ears", "ready": True}, {"name": "voice", "ready": True}],
        },
    )
    starting = ask(app_of(missing=("ears",)), "GET", "/health")
    assert (starting.status_code, starting.json()["status"]) == (503, "starting")
    assert starting.json()["engines"] == [{"name": "ears", "ready": False}, {"name": "voice", "ready": True}]


def test_pages_elsewhere_may_read_it_where_they_are_allowed() -> None:
    origin = "https://voice.example.com"
    response = ask(app_of(Access(allowed_origins=(origin,))), "GET", "/health", {"Origin": origin})
    assert response.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-origin" not in ask(app_of(), "GET", "/health", {"Origin": origin}).headers


def test_metrics_are_told_in_the_text_format() -> None:
    response = ask(app_of(), "GET", "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert 'vivavoce_relay_lost_total{upstream="a"} 0.0' in response.text.splitlines()


def test_metrics_are_told_to_keys_only_where_there_are_keys() -> None:
    refused = ask(app_of(KEYED), "GET", "/metrics")
    assert (refused.status_code, error_of(refused)["code"]) == (401, "invalid_api_key")
    assert ask(app_of(KEYED), "GET", "/metrics", AUTHORIZED).status_code == 200


def test_without_metrics_there_is_nothing_at_their_place() -> None:
    app = create_app(Access(), Admission(Access(), 10), lambda: ())
    assert ask(app, "GET", "/metrics").status_code == 404


def test_models_are_listed_as_by_openai() -> None:
    listed = ask(app_of(), "GET", "/v1/models").json()
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == list(MODELS)
    for model in listed["data"]:
        assert model == ask(app_of(), "GET", f"/v1/models/{model['id']}").json()
        assert set(model) == {"id", "object", "created", "owned_by"}
        assert model["object"] == "model"


def test_models_that_upstreams_answer_to_are_listed_too() -> None:
    app = create_app(Access(), Admission(Access(), 10), lambda: (), routed=("gpt-realtime", "house-model"))
    listed = ask(app, "GET", "/v1/models").json()
    assert [model["id"] for model in listed["data"]] == [*MODELS, "house-model"]
    assert ask(app, "GET", "/v1/models/house-model").status_code == 200


def test_unknown_models_are_not_found() -> None:
    response = ask(app_of(), "GET", "/v1/models/gpt-9")
    assert response.status_code == 404
    assert (error_of(response)["code"], error_of(response)["param"]) == ("model_not_found", "model")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/vivavoce"])
def test_models_are_told_to_keys_only(path: str) -> None:
    refused = ask(app_of(KEYED), "GET", path, {"Authorization": "Bearer sk-two"})
    assert (refused.status_code, error_of(refused)["code"]) == (401, "invalid_api_key")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert ask(app_of(KEYED), "GET", path, AUTHORIZED).status_code == 200
    assert ask(app_of(KEYED), "GET", f"{path}?api-key=sk-one").status_code == 200


@pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz"])
def test_probes_need_no_key(path: str) -> None:
    assert ask(app_of(KEYED), "GET", path).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/healthz", "/readyz"])
def test_probes_may_ask_for_the_head_alone(path: str) -> None:
    response = ask(app_of(), "HEAD", path)
    assert (response.status_code, response.content) == (200, b"")
    assert ask(app_of(missing=("ears",)), "HEAD", "/readyz").status_code == 503


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "unknown_url"),
        ("GET", "/v1/live", 404, "unknown_url"),
        ("GET", "/docs", 404, "unknown_url"),
        ("GET", "/openapi.json", 404, "unknown_url"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/realtime", 426, "upgrade_required"),
        ("HEAD", "/openai/v1/realtime", 426, "upgrade_required"),
        ("POST", "/realtime", 405, "method_not_allowed"),
        ("GET", "/v1/test/abc", 422, "invalid_value"),
        ("GET", "/v1/test/0", 500, None),
    ],
)
def test_errors_have_openais_shape(method: str, path: str, status: int, code: str | None) -> None:
    response = ask(app_of(), method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    if method != "HEAD":
        assert error_of(response)["code"] == code
        assert "Traceback" not in response.text
    if status == 405:
        assert response.headers["allow"]


def test_a_wrong_value_is_named() -> None:
    assert error_of(ask(app_of(), "GET", "/v1/test/abc"))["param"] == "number"


@pytest.mark.parametrize(
    ("allowed", "origin", "granted"),
    [
        ((), "http://localhost:5173", True),
        ((), "http://[::1]:80", True),
        ((), "https://evil.example", False),
        ((), "http://localhost.evil.example", False),
        (("https://voice.example",), "https://voice.example", True),
        (("https://voice.example",), "http://localhost:5173", False),
        (("*",), "https://any.example", True),
    ],
)
def test_pages_that_may_connect_may_read_answers(allowed: tuple[str, ...], origin: str, granted: bool) -> None:
    app = app_of(Access(allowed_origins=allowed))
    preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,openai-organization,x-openai-agents-sdk",
    }
    response = ask(app, "OPTIONS", "/v1/models", preflight)
    assert (response.headers.get("access-control-allow-origin") in (origin, "*")) is granted
    if granted:
        assert response.status_code == 200
        assert "openai-organization" in response.headers["access-control-allow-headers"]
        assert ask(app, "GET", "/healthz", {"Origin": origin}).headers["access-control-expose-headers"] == "Location"
