from __future__ import annotations

from typing import Any

import msgspec
import pytest

from vivavoce.config import Access, Secret
from vivavoce.core.errors import ConfigError
from vivavoce.core.settings import Settings
from vivavoce.server.admission import Admission, Refused, Request, check_exposure, is_loopback
from vivavoce.server.client_secrets import Grant, SecretRefused

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


@pytest.mark.parametrize("place", ["voice.example", "voice.example:8443", "192.0.2.7:8000", "[2001:db8::1]:8000"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_servers_own_page_is_always_allowed_where_there_are_keys(scheme: str, place: str) -> None:
    access = Access(api_keys=KEYS, allowed_origins=("https://a.example",))
    own = {"origin": f"{scheme}://{place}", "authorization": "Bearer sk-second"}
    Admission(access, 10).admit(request(host=place, **own), 0)
    Admission(access, 10).authenticate(request(host=f" {place.upper()}", **own))
    assert refusal(access, request(host="other.example", **own)).status == 403
    assert refusal(access, request(**own)).status == 403


def test_the_servers_own_page_is_allowed_without_keys_where_its_host_is_known() -> None:
    access = Access(allowed_origins=("https://voice.example",))
    Admission(access, 10).admit(request(origin="http://localhost:8000", host="localhost:8000"), 0)
    Admission(access, 10).admit(request(origin="https://voice.example:8443", host="voice.example:8443"), 0)
    # Whose name was given this machine's address.
    rebound = refusal(access, request(origin="http://evil.example:8000", host="evil.example:8000"))
    assert (rebound.status, error_of(rebound)["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "origin", ["null", "file://", "://voice.example", "voice.example", "https://", "https://voice.example/"]
)
def test_what_is_no_origin_of_this_server_is_not_taken_for_its_own(origin: str) -> None:
    access = Access(api_keys=KEYS, allowed_origins=("https://a.example",))
    for host in ("voice.example", ""):
        assert refusal(access, request(origin=origin, host=host, authorization="Bearer sk-second")).status == 403


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


# -------------------------------------------------------------------------------------------------- client secrets

FIRST_ID = Admission(Access(api_keys=KEYS), 10).authenticate(request(authorization="Bearer sk-first_0123456789abcdef"))
GRANT = Grant(Settings(instructions="Be kind."), key_id=FIRST_ID)
OFFERED = "realtime, openai-insecure-api-key."


def redeem(value: str) -> Grant | None:
    """What a server does that issued these."""
    if value == "ek_old":
        raise SecretRefused("client_secret_expired", "This client secret has expired.")
    named = {
        "ek_good": GRANT,
        "ek_beta": msgspec.structs.replace(GRANT, shape="beta", safety_identifier="of the secret"),
        "ek_revoked": msgspec.structs.replace(GRANT, key_id="00000000"),
    }
    return named.get(value)


def admit(asked: Request, access: Access | None = None) -> Any:
    return Admission(access or Access(api_keys=KEYS), 10, redeem).admit(asked, 0)


def refused(asked: Request, access: Access | None = None) -> tuple[int, str, str]:
    with pytest.raises(Refused) as raised:
        admit(asked, access)
    assert raised.value.headers == {"WWW-Authenticate": "Bearer"}
    error = error_of(raised.value)
    return raised.value.status, error["code"], error["message"]


@pytest.mark.parametrize(
    "asked",
    [
        request(authorization="Bearer ek_good"),
        request(api_key="ek_good"),
        request(query={"api-key": "ek_good"}),
        request(sec_websocket_protocol=OFFERED + "ek_good"),
    ],
)
@pytest.mark.parametrize("access", [Access(api_keys=KEYS), Access()])
def test_a_client_secret_opens_a_session_from_any_place(asked: Request, access: Access) -> None:
    connection = admit(asked, access)
    assert (connection.grant, connection.key_id) == (GRANT, FIRST_ID)
    assert "ek_good" not in repr(connection)


def test_connections_of_one_client_secret_are_told_from_those_of_another() -> None:
    ids = [admit(request(authorization=f"Bearer {key}")).secret_id for key in ("ek_good", "ek_good", "ek_beta")]
    assert ids[0] == ids[1] != ids[2]
    assert len(ids[0]) == 16


def test_a_key_binds_a_session_to_nothing() -> None:
    assert admit(request(authorization="Bearer sk-second")).grant is None
    assert admit(request(authorization="Bearer sk-second")).secret_id == ""
    assert admit(request(authorization="Bearer ek_other"), Access()).grant is None


@pytest.mark.parametrize("key", ["sk-first_0123456789abcdef", "sk-wrong", "x"])
def test_a_browser_has_to_bring_a_client_secret(key: str) -> None:
    status, code, message = refused(request(sec_websocket_protocol=OFFERED + key))
    assert (status, code) == (401, "invalid_api_key")
    assert "POST /v1/realtime/client_secrets" in message
    assert admit(request(sec_websocket_protocol=OFFERED + key), Access()).grant is None


@pytest.mark.parametrize(
    ("secret", "code", "told"),
    [
        ("ek_old", "client_secret_expired", "has expired"),
        ("ek_revoked", "client_secret_revoked", "not accepted any more"),
        ("ek_garbled", "invalid_api_key", "Incorrect API key provided: ***."),
    ],
)
def test_client_secrets_that_open_nothing_are_told_why(secret: str, code: str, told: str) -> None:
    for asked in (
        request(authorization=f"Bearer {secret}"),
        request(sec_websocket_protocol=OFFERED + secret),
    ):
        status, found, message = refused(asked)
        assert (status, found) == (401, code)
        assert told in message


def test_an_expired_secret_is_refused_where_no_key_is_needed_too() -> None:
    assert refused(request(authorization="Bearer ek_old"), Access())[:2] == (401, "client_secret_expired")


@pytest.mark.parametrize("access", [Access(api_keys=KEYS), Access()])
def test_a_client_secret_opens_nothing_but_sessions(access: Access) -> None:
    with pytest.raises(Refused) as raised:
        Admission(access, 10, redeem).authenticate(request("/v1/models", authorization="Bearer ek_good"))
    assert (raised.value.status, error_of(raised.value)["code"]) == (403, "insufficient_permissions")


def test_pages_that_may_not_ask_may_not_with_a_client_secret_either() -> None:
    access = Access(api_keys=KEYS, allowed_origins=("https://a.example",))
    headers = {"sec_websocket_protocol": OFFERED + "ek_good"}
    assert admit(request(origin="https://a.example", **headers), access).grant == GRANT
    with pytest.raises(Refused) as raised:
        admit(request(origin="https://b.example", **headers), access)
    assert error_of(raised.value)["code"] == "origin_not_allowed"


def test_a_secret_made_for_beta_clients_means_beta_unless_the_client_says_otherwise() -> None:
    assert admit(request(authorization="Bearer ek_beta")).dialect_hint == "beta"
    assert admit(request(authorization="Bearer ek_good")).dialect_hint == ""
    assert admit(request(authorization="Bearer ek_good", openai_beta="realtime=v1")).dialect_hint == "beta"


def test_the_safety_identifier_is_kept_and_that_of_the_secret_wins() -> None:
    named = {"openai_safety_identifier": "of the client"}
    with_key = admit(request(authorization="Bearer sk-second", **named))
    assert with_key.safety_identifier == "of the client"
    assert "of the client" not in repr(with_key.headers)
    assert admit(request(authorization="Bearer ek_good", **named)).safety_identifier == "of the client"
    assert admit(request(authorization="Bearer ek_beta", **named)).safety_identifier == "of the secret"
    assert admit(request(authorization="Bearer sk-second")).safety_identifier == ""


def test_a_safety_identifier_that_is_no_hash_is_refused() -> None:
    refusal_ = refusal(Access(), request(openai_safety_identifier="x" * 257))
    assert (refusal_.status, error_of(refusal_)["code"]) == (400, "invalid_value")
    assert "OpenAI-Safety-Identifier" in error_of(refusal_)["message"]
