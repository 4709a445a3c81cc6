from __future__ import annotations

from typing import Any

import msgspec
import pytest

from vivavoce.config import Access, Secret
from vivavoce.core.errors import ConfigError
from vivavoce.server.admission import Admission, Refused, Request, check_exposure, is_loopback

KEYS = (Secret("sk-first_0123456789abcdef"), Secret("sk-second"))


def request(path: str = "/v1/realtime", query: dict[str, str] | None = None, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(path, query or {}, named, "127.0.0.1:5000")


def refusal(access: Access, asked: Request, sessions: int = 0) -> Refused:
    with pytest.raises(Refused) as raised:
        Admission(access, 10).admit(asked, sessions)
    return raised.value


def error_of(refused: Refused) -> Any:
    return msgspec.json.decode(refused.body)["error"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer anything"}, {"authorization": "Basic xyz"}])
def test_without_keys_any_key_or_none_will_do(headers: dict[str, str]) -> None:
    connection = Admission(Access(), 10).admit(request(**headers), 0)
    assert bool(connection.key_id) == (headers.get("authorization") == "Bearer anything")


def test_key_ids_tell_keys_apart_and_give_none_away() -> None:
    admission = Admission(Access(api_keys=KEYS), 10)
    ids = [admission.authenticate(request(authorization=f"Bearer {key.value}")) for key in KEYS]
    assert len(set(ids)) == 2
    assert all(len(key_id) == 8 and int(key_id, 16) >= 0 for key_id in ids)


def test_the_header_wins_over_other_places() -> None:
    asked = request(query={"api-key": "sk-second"}, authorization="Bearer wrong")
    assert refusal(Access(api_keys=KEYS), asked).status == 401


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk-short", "Incorrect API key provided: ***."),
        ("sk-0123456789abcdefWXYZ", "Incorrect API key provided: sk-***WXYZ."),
        ("ü" * 30, "Incorrect API key provided: ***."),
    ],
)
def test_wrong_keys_are_shown_masked(key: str, shown: str) -> None:
    refused = refusal(Access(api_keys=KEYS), request(authorization=f"Bearer {key}"))
    assert error_of(refused) == {
        "message": shown,
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }


def test_keys_that_are_no_text_are_wrong() -> None:
    assert refusal(Access(api_keys=KEYS), request(authorization="Bearer \udcff\udc80")).status == 401


@pytest.mark.parametrize(
    "origin",
    ["http://localhost", "http://localhost:5173", "https://127.0.0.1:8443", "http://[::1]:3000", "http://a.localhost"],
)
def test_without_keys_pages_of_this_machine_may_connect(origin: str) -> None:
    Admission(Access(), 10).admit(request(origin=origin, host="localhost:8000"), 0)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "file://",
        "http://[",
    ],
)
def test_without_keys_other_pages_may_not(origin: str) -> None:
    refused = refusal(Access(), request(origin=origin, host="localhost:8000"))
    assert (refused.status, error_of(refused)["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", ""]
)
def test_without_keys_local_names_are_answered(host: str) -> None:
    Admission(Access(), 10).admit(request(host=host), 0)


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "192.168.1.5", "[fe80::1]", "localhost@evil.example", "a:b:c", "0.0.0.0"]
)
def test_without_keys_other_names_are_not_answered(host: str) -> None:
    refused = refusal(Access(), request(host=host))
    assert (refused.status, error_of(refused)["code"]) == (403, "host_not_allowed")
    assert "VIVAVOCE_API_KEYS" in error_of(refused)["message"]


def test_with_keys_pages_from_anywhere_may_connect_unless_a_list_says_otherwise() -> None:
    asked = request(origin="https://a.example", host="voice.example", authorization="Bearer sk-second")
    Admission(Access(api_keys=KEYS), 10).admit(asked, 0)
    Admission(Access(api_keys=KEYS, allowed_origins=("https://a.example",)), 10).admit(asked, 0)
    Admission(Access(api_keys=KEYS, allowed_origins=("*",)), 10).admit(asked, 0)
    assert refusal(Access(api_keys=KEYS, allowed_origins=("https://b.example",)), asked).status == 403


def test_allowed_origins_are_allowed_as_hosts_too() -> None:
    access = Access(allowed_origins=("https://voice.example",))
    asked = request(origin="https://voice.example", host="voice.example")
    Admission(access, 10).admit(asked, 0)
    assert refusal(access, request(origin="http://localhost:5173", host="localhost")).status == 403


def test_a_full_server_refuses() -> None:
    admission = Admission(Access(), 2)
    admission.admit(request(), 1)
    with pytest.raises(Refused) as raised:
        admission.admit(request(), 2)
    assert raised.value.status == 503
    assert raised.value.headers == {"Retry-After": "5"}
    assert error_of(raised.value)["type"] == "server_error"


def test_wrong_keys_learn_nothing_about_room() -> None:
    assert refusal(Access(api_keys=KEYS), request(authorization="Bearer wrong"), sessions=10).status == 401


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        (request(), ""),
        (request(openai_beta="realtime=v1"), "beta"),
        (request(openai_beta="assistants=v2, realtime=v1"), "beta"),
        (request(openai_beta="assistants=v2"), ""),
        (request(sec_websocket_protocol="realtime, openai-beta.realtime-v1"), "beta"),
        (request(sec_websocket_protocol="realtime, openai-agents-sdk.0.20.0"), ""),
        (request("/openai/realtime", {"api-version": "2024-10-01-preview", "deployment": "x"}), "beta"),
        (request("/openai/realtime/", {"api-version": "2024-10-01-preview"}), "beta"),
        (request("/openai/realtime"), ""),
        (request("/openai/v1/realtime", {"api-version": "preview"}), ""),
    ],
)
def test_the_beta_shape_is_recognised(asked: Request, hint: str) -> None:
    assert Admission(Access(), 10).admit(asked, 0).dialect_hint == hint


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_server_without_keys_listens_on_loopback_only() -> None:
    check_exposure(["127.0.0.1", "::1"], Access())
    check_exposure(["0.0.0.0"], Access(api_keys=KEYS))
    with pytest.raises(ConfigError, match="VIVAVOCE_API_KEYS"):
        check_exposure(["127.0.0.1", "192.168.1.5"], Access())
