from __future__ import annotations

import itertools
import json
from typing import Any

import httpx
import pytest

from desks import KEY, Office, error_of
from vivavoce.config import Access, Limits, Secret
from vivavoce.core.service import Abilities, Service, StoredPrompt
from vivavoce.core.settings import SemanticVad, ServerVad, Transcription
from vivavoce.server.admission import Admission, Connection, Request
from vivavoce.server.app import create_app
from vivavoce.server.client_secrets import ClientSecrets, Grant
from vivavoce.server.keyring import Keyring
from vivavoce.server.rest.client_secrets import client_secrets_router
from vivavoce.server.rest.desk import Desk

NOON = 1_800_000_000
SERVICE = Service(
    abilities=Abilities(languages=("en",), translates=True), prompts={"greet": StoredPrompt("Greet {{name}}.")}
)
OTHER_KEY = "sk-two"
GA, TRANSLATION = "/v1/realtime/client_secrets", "/v1/realtime/translations/client_secrets"
BETA, BETA_TRANSCRIPTION = "/v1/realtime/sessions", "/v1/realtime/transcription_sessions"


class Counter:
    """An application that creates client secrets at noon, for two keys."""

    def __init__(
        self, *, most: int = 10, access: Access | None = None, jobs: int = 10, missing: tuple[str, ...] = ()
    ) -> None:
        numbers = itertools.count(1)
        self.secrets = ClientSecrets(
            Keyring([b"k" * 32]), most, unix_now=lambda: NOON, new_bytes=lambda count: next(numbers).to_bytes(count)
        )
        access = access or Access(api_keys=(Secret(KEY), Secret(OTHER_KEY)))
        self.admission = Admission(access, 10, self.secrets.redeem)
        desk = Desk(Office().desk.engines, Limits(max_jobs=jobs), lambda: missing)
        self.app = create_app(access, self.admission, lambda: ())
        self.app.include_router(client_secrets_router(self.secrets, self.admission, desk, lambda: SERVICE))

    async def ask(
        self, path: str, body: Any = None, *, key: str = KEY, method: str = "POST", **more: Any
    ) -> httpx.Response:
        """The answer to a request with a key."""
        if body is not None:
            more["json"] = body
        headers = {"Authorization": f"Bearer {key}"} | more.pop("headers", {})
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            return await client.request(method, path, headers=headers, **more)

    async def created(self, path: str, body: Any = None, **more: Any) -> Any:
        """The object that a request was answered with."""
        answer = await self.ask(path, body, **more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    def grant(self, value: str) -> Grant:
        """What a secret is bound to."""
        grant = self.secrets.redeem(value)
        assert grant is not None
        return grant


async def test_a_secret_comes_with_the_session_that_it_opens() -> None:
    counter = Counter()
    session = {
        "type": "realtime",
        "model": "gpt-realtime",
        "instructions": "Be kind.",
        "tools": [{"type": "function", "name": "wave", "parameters": {"type": "object"}}],
        "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}, "output": {"voice": "cedar"}},
    }
    created = await counter.created(GA, {"session": session})
    assert set(created) == {"value", "expires_at", "session"}
    assert created["expires_at"] == NOON + 600
    shown = created["session"]
    assert shown["id"].startswith("sess_")
    assert (shown["object"], shown["type"], shown["expires_at"]) == ("realtime.session", "realtime", 0)
    assert (shown["model"], shown["instructions"]) == ("gpt-realtime", "Be kind.")
    assert [tool["name"] for tool in shown["tools"]] == ["wave"]
    assert shown["audio"]["output"]["voice"] == "cedar"
    grant = counter.grant(created["value"])
    assert (grant.names_model, grant.shape) == (True, None)
    assert grant.settings.instructions == "Be kind."
    assert grant.settings.turn_detection == SemanticVad()


async def test_a_transcription_secret_comes_with_a_transcription_session() -> None:
    counter = Counter()
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}}}
    created = await counter.created(GA, {"session": session})
    shown = created["session"]
    assert (shown["object"], shown["type"]) == ("realtime.transcription_session", "transcription")
    assert shown["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": "en", "prompt": None}
    grant = counter.grant(created["value"])
    assert grant.settings.kind == "transcription"
    assert grant.settings.transcription == Transcription("whisper-1", "en")


async def test_a_translation_secret_comes_with_a_translation_session() -> None:
    counter = Counter()
    session = {"model": "gpt-realtime-translate", "audio": {"output": {"language": "fr"}}}
    created = await counter.created(TRANSLATION, {"session": session, "expires_after": {"seconds": 30}})
    assert created["expires_at"] == NOON + 30
    shown = created["session"]
    assert (shown["type"], shown["model"], shown["expires_at"]) == ("translation", "gpt-realtime-translate", 0)
    assert shown["audio"]["output"] == {"language": "fr"}
    grant = counter.grant(created["value"])
    assert (grant.settings.kind, grant.settings.output_language, grant.names_model) == ("translation", "fr", True)


async def test_a_stored_prompt_is_filled_in_when_the_secret_is_created() -> None:
    counter = Counter()
    prompt = {"id": "greet", "variables": {"name": "Ann"}}
    created = await counter.created(GA, {"session": {"type": "realtime", "prompt": prompt}})
    assert created["session"]["instructions"] == "Greet Ann."
    assert counter.grant(created["value"]).settings.instructions == "Greet Ann."
    answer = await counter.ask(GA, {"session": {"type": "realtime", "prompt": {"id": "part"}}})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "session.prompt.id")


async def test_a_server_that_cannot_translate_creates_no_secrets_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SERVICE", Service())
    answer = await Counter().ask(TRANSLATION, {"session": {"model": "gpt-realtime-translate"}})
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_model")


async def test_nothing_is_promised_before_the_engines_are_loaded_nor_to_too_many_at_a_time() -> None:
    waiting = await Counter(missing=("espeak-ng",)).ask(GA, {})
    assert (waiting.status_code, error_of(waiting)["code"]) == (503, "server_starting")
    full = await Counter(jobs=0).ask(GA, {})
    assert (full.status_code, error_of(full)["code"]) == (429, "rate_limit_exceeded")
    counter = Counter(jobs=1)
    assert [(await counter.ask(GA, body)).status_code for body in ({"x": 1}, {}, {})] == [400, 200, 200]


@pytest.mark.parametrize(
    "body", [None, {}, {"session": None}, {"expires_after": None}, {"session": {"type": "realtime"}}]
)
async def test_whatever_is_not_told_is_as_usual(body: Any) -> None:
    counter = Counter()
    created = await counter.created(GA, body)
    assert created["expires_at"] == NOON + 600
    assert created["session"]["model"] == "vivavoce"
    assert not counter.grant(created["value"]).names_model


async def test_an_empty_body_of_unknown_length_is_no_mistake() -> None:
    async def nothing() -> Any:
        return
        yield b""

    created = await Counter().created(BETA, headers={"Content-Length": "0"})
    assert created["client_secret"]["expires_at"] == NOON + 60
    answer = await Counter().ask(GA, content=nothing())
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("expiry", "seconds"),
    [
        ({"anchor": "created_at", "seconds": 10}, 10),
        ({"anchor": "created_at", "seconds": 7200}, 7200),
        ({"seconds": 30}, 30),
        ({"anchor": "created_at"}, 600),
        ({}, 600),
    ],
)
async def test_a_secret_expires_when_it_was_asked_to(expiry: Any, seconds: int) -> None:
    created = await Counter().created(GA, {"expires_after": expiry})
    assert created["expires_at"] == NOON + seconds


async def test_a_beta_session_is_flat_and_holds_its_secret() -> None:
    counter = Counter()
    body = {
        "model": "gpt-4o-realtime-preview",
        "modalities": ["text"],
        "voice": "sage",
        "temperature": 0.6,
        "turn_detection": {"type": "server_vad", "threshold": 0.9},
        "input_audio_transcription": None,
    }
    created = await counter.created(BETA, body, headers={"OpenAI-Beta": "assistants=v2"})
    assert created["object"] == "realtime.session"
    assert (created["model"], created["modalities"], created["voice"]) == ("gpt-4o-realtime-preview", ["text"], "sage")
    assert created["client_secret"]["expires_at"] == NOON + 60
    grant = counter.grant(created["client_secret"]["value"])
    assert (grant.names_model, grant.shape) == (True, "beta")
    assert grant.settings.temperature == 0.6
    assert grant.settings.turn_detection == ServerVad(threshold=0.9)


async def test_a_beta_transcription_session_is_flat_and_holds_its_secret() -> None:
    counter = Counter()
    body = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "gpt-4o-transcribe"}}
    created = await counter.created(BETA_TRANSCRIPTION, body)
    assert created["object"] == "realtime.transcription_session"
    assert created["input_audio_format"] == "g711_ulaw"
    assert created["client_secret"]["expires_at"] == NOON + 60
    grant = counter.grant(created["client_secret"]["value"])
    assert (grant.settings.kind, grant.shape) == ("transcription", "beta")


@pytest.mark.parametrize("name", ["expires_after", "expires_at"])
@pytest.mark.parametrize("path", [BETA, BETA_TRANSCRIPTION])
async def test_beta_secrets_expire_when_they_were_asked_to(path: str, name: str) -> None:
    body = {"client_secret": {name: {"anchor": "created_at", "seconds": 300}}}
    assert (await Counter().created(path, body))["client_secret"]["expires_at"] == NOON + 300


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        (GA, {"sessions": {}}, "unknown_parameter", "sessions"),
        (GA, {"session": []}, "invalid_type", "session"),
        (GA, {"session": {}}, "missing_required_parameter", "session.type"),
        (GA, {"session": {"type": None}}, "missing_required_parameter", "session.type"),
        (GA, {"session": {"type": "translation"}}, "invalid_value", "session.type"),
        (GA, {"session": {"type": "realtime", "voice": "ash"}}, "unknown_parameter", "session.voice"),
        (
            GA,
            {"session": {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "vad"}}}}},
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            GA,
            {"session": {"type": "realtime", "tool_choice": {"type": "function", "name": "wave"}}},
            "invalid_value",
            "session.tool_choice",
        ),
        (GA, {"session": {"type": "transcription", "instructions": "x"}}, "unknown_parameter", "session.instructions"),
        (GA, {"expires_after": {"seconds": 9}}, "invalid_value", "expires_after.seconds"),
        (GA, {"expires_after": {"seconds": 7201}}, "invalid_value", "expires_after.seconds"),
        (GA, {"expires_after": {"seconds": "10"}}, "invalid_type", "expires_after.seconds"),
        (GA, {"expires_after": {"anchor": "now"}}, "invalid_value", "expires_after.anchor"),
        (BETA, {"turn_detection": {"threshold": 2}}, "invalid_value", "turn_detection.threshold"),
        (BETA, {"audio": {}}, "unknown_parameter", "audio"),
        (BETA, {"client_secret": {"expires_at": {"seconds": 5}}}, "invalid_value", "client_secret.expires_at.seconds"),
        (BETA, {"tool_choice": {"type": "function", "name": "wave"}}, "invalid_value", "tool_choice"),
        (BETA_TRANSCRIPTION, {"voice": "ash"}, "unknown_parameter", "voice"),
        (TRANSLATION, {}, "missing_required_parameter", "session"),
        (TRANSLATION, {"session": {}}, "missing_required_parameter", "session.model"),
        (TRANSLATION, {"session": {"model": "m", "instructions": "x"}}, "unknown_parameter", "session.instructions"),
        (
            TRANSLATION,
            {"session": {"model": "m", "audio": {"output": {"language": "tlh"}}}},
            "invalid_value",
            "session.audio.output.language",
        ),
        (
            GA,
            {"session": {"type": "realtime", "audio": {"input": {"transcription": {"language": "fr"}}}}},
            "invalid_value",
            "session.audio.input.transcription.language",
        ),
        (
            BETA_TRANSCRIPTION,
            {"input_audio_transcription": {"language": "fr"}},
            "invalid_value",
            "input_audio_transcription.language",
        ),
    ],
)  # fmt: skip
async def test_mistakes_are_told_by_the_name_of_their_field(path: str, body: Any, code: str, param: str) -> None:
    counter = Counter()
    answer = await counter.ask(path, body)
    error = error_of(answer)
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert (error["code"], error["param"]) == (code, param)
    assert len(counter.secrets) == 0


@pytest.mark.parametrize("content", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
async def test_bodies_that_are_no_json_objects_are_refused(content: bytes) -> None:
    answer = await Counter().ask(GA, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_json")


async def test_bodies_are_bounded_in_size_and_depth() -> None:
    large = {"session": {"type": "realtime", "instructions": "x" * (1 << 20)}}
    answer = await Counter().ask(GA, large)
    assert (answer.status_code, error_of(answer)["code"]) == (413, "content_too_large")
    deep: Any = {}
    for _ in range(65):
        deep = {"items": deep}
    tool = {"type": "function", "name": "wave", "parameters": deep}
    answer = await Counter().ask(GA, {"session": {"type": "realtime", "tools": [tool]}})
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_value")


@pytest.mark.parametrize(
    ("headers", "code", "named"),
    [
        ({"Content-Type": "application/sdp"}, "unsupported_media_type", "application/sdp"),
        ({"Content-Type": "text/plain;charset=UTF-8"}, "unsupported_media_type", "text/plain"),
        ({"Content-Encoding": "gzip"}, "unsupported_content_encoding", "gzip"),
    ],
)
async def test_bodies_of_other_kinds_are_refused_by_name(headers: dict[str, str], code: str, named: str) -> None:
    answer = await Counter().ask(GA, content=b"{}", headers=headers)
    assert (answer.status_code, error_of(answer)["code"]) == (415, code)
    assert named in error_of(answer)["message"]


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", None]
)
async def test_json_goes_by_several_names(kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert (await Counter().ask(GA, content=b"{}", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("path", "secret_of"),
    [
        *((f"{root}/client_secrets", "value") for root in ("/realtime", "/openai/realtime", "/openai/v1/realtime")),
        ("/openai/realtimeapi/sessions?api-version=2025-04-01-preview", "client_secret"),
        ("/openai/realtimeapi/transcription_sessions", "client_secret"),
        ("/openai/v1/realtime/sessions", "client_secret"),
        ("/openai/v1/realtime/transcription_sessions", "client_secret"),
    ],
)
async def test_clients_of_azure_and_of_bare_hosts_are_answered_too(path: str, secret_of: str) -> None:
    assert secret_of in await Counter().created(path, {})


async def test_secrets_are_created_with_keys_alone() -> None:
    counter = Counter()
    value = (await counter.created(GA))["value"]
    with_secret = await counter.ask(GA, {}, key=value)
    assert (with_secret.status_code, error_of(with_secret)["code"]) == (403, "insufficient_permissions")
    for key in ("sk-wrong", value[:-1] + ("A" if value[-1] != "A" else "B")):
        refused = await counter.ask(GA, {}, key=key)
        assert (refused.status_code, error_of(refused)["code"]) == (401, "invalid_api_key")
        assert value not in refused.text


async def test_a_secret_belongs_to_the_key_that_created_it() -> None:
    counter = Counter(most=2)
    secrets = [(await counter.created(GA, {}, key=key))["value"] for key in (KEY, KEY, OTHER_KEY)]
    ids = [counter.grant(value).key_id for value in secrets]
    assert ids[0] == ids[1] != ids[2]
    full = await counter.ask(GA, {})
    assert (full.status_code, full.headers["retry-after"]) == (429, "600")
    assert error_of(full)["type"] == "rate_limit_error"


async def test_organisation_project_and_safety_identifier_are_taken() -> None:
    counter = Counter()
    headers = {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj_1", "OpenAI-Safety-Identifier": "hash-of-ann"}
    created = await counter.created(GA, {}, headers=headers)
    assert counter.grant(created["value"]).safety_identifier == "hash-of-ann"
    assert "hash-of-ann" not in json.dumps(created)
    answer = await counter.ask(GA, {}, headers={"OpenAI-Safety-Identifier": "x" * 257})
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_value")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
async def test_other_methods_are_told_which_one_is_meant(method: str) -> None:
    answer = await Counter().ask(GA, method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_pages_that_may_ask_are_told_so_beforehand() -> None:
    access = Access(api_keys=(Secret(KEY),), allowed_origins=("https://voice.example",))
    headers = {
        "Origin": "https://voice.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,openai-safety-identifier",
    }
    answer = await Counter(access=access).ask(GA, method="OPTIONS", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://voice.example"
    assert "openai-safety-identifier" in answer.headers["access-control-allow-headers"]


async def test_a_created_secret_opens_a_session() -> None:
    counter = Counter()
    created = await counter.created(BETA, {"instructions": "Be kind."}, headers={"OpenAI-Safety-Identifier": "ann"})
    value = created["client_secret"]["value"]
    offered = {"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{value}"}
    connection: Connection = counter.admission.admit(Request("/v1/realtime", {}, offered, "192.0.2.1:1"), 0)
    assert connection.grant is not None
    assert connection.grant.settings.instructions == "Be kind."
    assert (connection.dialect_hint, connection.safety_identifier) == ("beta", "ann")
    assert value not in repr(connection)
