from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import httpx
import pytest

from desks import KEY, error_of
from vivavoce.config import Access, Limits, Secret, Turn, Webrtc
from vivavoce.core.errors import VivavoceError
from vivavoce.core.service import Abilities, Service
from vivavoce.core.settings import Settings
from vivavoce.server.admission import Admission, Connection
from vivavoce.server.app import create_app
from vivavoce.server.arrivals import Arrivals
from vivavoce.server.asked import settings_of
from vivavoce.server.client_secrets import ClientSecrets, Grant
from vivavoce.server.hybrid import Gate
from vivavoce.server.keyring import Keyring
from vivavoce.server.ledger import Ledger
from vivavoce.server.lives import Answered, Busy, NoWebrtc
from vivavoce.server.rest.calls import Calls, calls_router

NOON = 1_800_000_000
KEY_ID = hashlib.sha256(KEY.encode()).hexdigest()[:8]
OFFER = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"
CALLS = "/v1/realtime/calls"
SDP = {"Content-Type": "application/sdp"}
KIND = Settings(instructions="Be kind.", model="gpt-realtime-mini")
SESSION = {"type": "realtime", "model": "gpt-realtime", "instructions": "Be kind."}


class Line:
    """A call, and the browser that made it."""

    def __init__(self) -> None:
        self.candidates: list[str] = []
        self.hung_up = ""

    def attach(self, leg: Any) -> None: ...

    def hang_up(self, reason: str) -> None:
        self.hung_up = reason

    def add_candidate(self, candidate: str) -> None:
        self.candidates.append(candidate)


class Exchange:
    """An application whose calls are answered by the test."""

    def __init__(
        self,
        *,
        open_calls: int = 0,
        access: Access | None = None,
        is_ready: bool = True,
        webrtc: Webrtc | None = None,
        per_minute: int = 0,
        translates: bool = True,
    ) -> None:
        self.answered: list[tuple[Connection, str, str]] = []
        self.failure: VivavoceError | None = None
        self.line = Line()
        self.now = 0.0
        numbers = itertools.count(1)
        self.secrets = ClientSecrets(
            Keyring([b"k" * 32]), 10, unix_now=lambda: NOON, new_bytes=lambda count: next(numbers).to_bytes(count)
        )
        access = access or Access(api_keys=(Secret(KEY), Secret("sk-two")))
        self.admission = Admission(access, 2, self.secrets.redeem)
        self.ledger = Ledger(1.0, lambda: NOON)
        gate = Gate(
            self.admission,
            Limits(),
            lambda connection, leg: None,  # type: ignore[arg-type,return-value]
            lambda: is_ready,
            ledger=self.ledger,
            calls=lambda: open_calls,
            call_arrivals=Arrivals(per_minute, lambda: self.now),
        )
        service = Service(abilities=Abilities(languages=("en",), translates=translates))
        self.is_elsewhere = False
        calls = Calls(self, gate, webrtc or Webrtc(), lambda: service, lambda: NOON)  # type: ignore[arg-type]
        self.app = create_app(access, self.admission, lambda: ())
        self.app.include_router(calls_router(calls))

    async def answer(self, connection: Connection, offer: str, alias: str = "") -> Answered:
        self.answered.append((connection, offer, alias))
        if self.failure is not None:
            raise self.failure
        return Answered("rtc_u1_1", "v=0 answer")

    def is_answered_elsewhere(self, connection: Connection) -> bool:
        return self.is_elsewhere

    def find(self, call_id: str, connection: Connection) -> Any:
        return self.line if (call_id, connection.secret_id) == ("rtc_u1_1", "") else None

    async def renew(self, call_id: str, connection: Connection, offer: str) -> str | None:
        if self.failure is not None:
            raise self.failure
        return f"v=0 answer to {len(offer)}" if self.find(call_id, connection) else None

    def named(self, alias: str, connection: Connection) -> Any:
        return self.line if alias == "sess_1" else None

    def secret(self, settings: Settings = KIND, *, names_model: bool = True, shape: str | None = None) -> str:
        return self.secrets.issue(Grant(settings, names_model, shape, KEY_ID), 600).value

    @property
    def settings(self) -> Settings:
        """What the session of the latest call begins with."""
        return settings_of(self.answered[-1][0])

    async def ask(self, path: str, *, key: str = KEY, method: str = "POST", **request: Any) -> httpx.Response:
        headers = ({"Authorization": f"Bearer {key}"} if key else {}) | request.pop("headers", {})
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            return await client.request(method, path, headers=headers, **request)

    async def offer(self, path: str = CALLS, **request: Any) -> httpx.Response:
        return await self.ask(path, content=request.pop("content", OFFER), headers=SDP, **request)


def form(*parts: tuple[str, str | bytes, str | None], as_files: bool = False) -> dict[str, Any]:
    """A form as its parts' names, contents and types say."""
    names = {name: "blob" if as_files else None for name, _, _ in parts}
    return {"files": [(name, (names[name], text, *([kind] if kind else []))) for name, text, kind in parts]}


# ---------------------------------------------------------------------------------------------------------- the forms


async def test_an_offer_is_answered_with_sdp_and_the_place_of_the_call() -> None:
    exchange = Exchange()
    answer = await exchange.offer(CALLS + "?model=gpt-realtime")
    assert (answer.status_code, answer.text) == (201, "v=0 answer")
    assert answer.headers["content-type"] == "application/sdp"
    assert answer.headers["location"] == "/v1/realtime/calls/rtc_u1_1"
    [(connection, offer, _)] = exchange.answered
    assert (offer, connection.dialect_hint, connection.kind) == (OFFER, "ga", "")
    assert exchange.settings == Settings(model="gpt-realtime")


@pytest.mark.parametrize("kind", ["application/sdp; charset=utf-8", "text/plain;charset=UTF-8", ""])
async def test_pages_that_call_their_offer_something_else_are_understood(kind: str) -> None:
    exchange = Exchange()
    answer = await exchange.ask(CALLS, content=OFFER, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == 201
    assert exchange.answered[0][1] == OFFER


@pytest.mark.parametrize("as_files", [False, True], ids=["fields", "files"])
@pytest.mark.parametrize("types", [(None, None), ("application/sdp", "application/json"), ("text/plain", "text/plain")])
async def test_a_form_brings_the_session_too(types: tuple[str | None, str | None], as_files: bool) -> None:
    exchange = Exchange()
    parts = form(("sdp", OFFER, types[0]), ("session", json.dumps(SESSION), types[1]), as_files=as_files)
    answer = await exchange.ask(CALLS, **parts)
    assert (answer.status_code, answer.text) == (201, "v=0 answer")
    assert exchange.answered[0][1] == OFFER
    assert exchange.settings == Settings(model="gpt-realtime", instructions="Be kind.")


async def test_a_form_without_a_session_is_an_offer_alone() -> None:
    exchange = Exchange()
    assert (await exchange.ask(CALLS, **form(("sdp", OFFER, None)))).status_code == 201
    assert exchange.settings == Settings(model="vivavoce")


async def test_a_form_may_ask_for_a_transcription() -> None:
    exchange = Exchange()
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    answer = await exchange.ask(
        CALLS + "?model=gpt-realtime", **form(("sdp", OFFER, None), ("session", json.dumps(session), None))
    )
    assert answer.status_code == 201
    assert exchange.settings.kind == "transcription"
    assert exchange.settings.transcription is not None
    assert exchange.settings.transcription.model == "whisper-1"


async def test_a_translation_has_a_path_of_its_own() -> None:
    exchange = Exchange()
    session = {"model": "gpt-realtime-translate", "audio": {"output": {"language": "fr"}}}
    parts = form(("sdp", OFFER, None), ("session", json.dumps(session), None))
    answer = await exchange.ask("/v1/realtime/translations/calls", **parts)
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/realtime/calls/rtc_u1_1")
    assert (exchange.settings.kind, exchange.settings.model) == ("translation", "gpt-realtime-translate")


async def test_nobody_is_called_for_a_translation_that_cannot_be_had() -> None:
    exchange = Exchange(translates=False)
    session = {"model": "gpt-realtime-translate", "audio": {"output": {"language": "fr"}}}
    path, parts = "/v1/realtime/translations/calls", form(("sdp", OFFER, None), ("session", json.dumps(session), None))
    for answer in (await exchange.offer(path), await exchange.ask(path, **parts)):
        assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_model")
    assert exchange.answered == []
    exchange.is_elsewhere = True
    for answer in (await exchange.offer(path), await exchange.ask(path, **parts)):
        assert answer.status_code == 201


@pytest.mark.parametrize(
    "path", ["/v1/realtime?model=gpt-4o-realtime-preview", "/v1/realtimertc?model=gpt-4o-realtime-preview"]
)
async def test_the_beta_takes_offers_where_its_sockets_are(path: str) -> None:
    exchange = Exchange()
    answer = await exchange.offer(path)
    assert (answer.status_code, answer.text) == (201, "v=0 answer")
    assert answer.headers["location"] == "/v1/realtime/calls/rtc_u1_1"
    assert exchange.answered[0][0].dialect_hint == "beta"
    assert exchange.settings.model == "gpt-4o-realtime-preview"


@pytest.mark.parametrize("root", ["/realtime", "/openai/realtime", "/openai/v1/realtime"])
async def test_calls_are_answered_below_every_root(root: str) -> None:
    exchange = Exchange()
    answer = await exchange.offer(f"{root}/calls")
    assert (answer.status_code, answer.headers["location"]) == (201, f"{root}/calls/rtc_u1_1")


async def test_an_offer_cannot_name_a_call_that_is_live() -> None:
    exchange = Exchange()
    await exchange.offer(CALLS + "?call_id=rtc_u1_9")
    assert exchange.answered[0][0].query == {}


# ------------------------------------------------------------------------------------------------------ client secrets


async def test_a_call_by_a_client_secret_begins_with_what_the_secret_is_bound_to() -> None:
    exchange = Exchange()
    secret = exchange.secret()
    assert (await exchange.offer(CALLS + "?model=other", key=secret)).status_code == 201
    [(connection, _, _)] = exchange.answered
    assert exchange.settings == KIND
    assert connection.secret_id
    assert secret not in repr(connection)


async def test_a_form_adds_to_what_a_secret_is_bound_to_and_leaves_its_model() -> None:
    exchange = Exchange()
    session = {"type": "realtime", "model": "gpt-realtime", "audio": {"output": {"voice": "cedar"}}}
    parts = form(("sdp", OFFER, None), ("session", json.dumps(session), None))
    assert (await exchange.ask(CALLS, key=exchange.secret(), **parts)).status_code == 201
    told = exchange.settings
    assert (told.instructions, told.voice, told.model) == ("Be kind.", "cedar", "gpt-realtime-mini")


async def test_a_secret_of_the_beta_is_addressed_so() -> None:
    exchange = Exchange()
    await exchange.offer(key=exchange.secret(shape="beta"))
    assert exchange.answered[0][0].dialect_hint == "beta"


async def test_a_secret_opens_no_other_kind_of_call() -> None:
    exchange = Exchange()
    answer = await exchange.offer("/v1/realtime/translations/calls", key=exchange.secret())
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_value")
    session = {"type": "transcription"}
    parts = form(("sdp", OFFER, None), ("session", json.dumps(session), None))
    answer = await exchange.ask(CALLS, key=exchange.secret(), **parts)
    assert (answer.status_code, error_of(answer)["param"]) == (400, "session.type")
    assert exchange.answered == []


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("content", "told"),
    [("", "It is empty."), ("hello", "It does not begin with 'v=0'."), (b"v=0\xff", "It is no UTF-8.")],
)
async def test_what_is_no_sdp_is_an_invalid_offer(content: str | bytes, told: str) -> None:
    exchange = Exchange()
    answer = await exchange.offer(content=content)
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["type"]) == (400, "invalid_offer", "invalid_request_error")
    assert error["message"] == f"Invalid SDP offer. Please try again with a WHIP-compliant offer. {told}"
    assert exchange.answered == []


async def test_an_offer_that_cannot_be_answered_is_invalid_and_says_why() -> None:
    exchange = Exchange()
    exchange.failure = VivavoceError("there is no audio in it")
    answer = await exchange.offer()
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_offer")
    assert error_of(answer)["message"].endswith("offer. There is no audio in it.")


async def test_without_webrtc_an_offer_is_told_so() -> None:
    exchange = Exchange()
    exchange.failure = NoWebrtc("Calls by WebRTC are switched off on this server.")
    answer = await exchange.offer()
    assert (answer.status_code, error_of(answer)["code"]) == (501, "not_supported")


async def test_a_server_at_which_too_many_calls_begin_says_when_to_come_again() -> None:
    exchange = Exchange()
    exchange.failure = Busy("7 calls are being connected already")
    answer = await exchange.offer()
    assert (answer.status_code, error_of(answer)["code"], answer.headers["retry-after"]) == (503, "server_busy", "1")


async def test_an_offer_of_any_other_type_is_told_what_to_send() -> None:
    answer = await Exchange().ask(CALLS, json={"sdp": OFFER})
    assert (answer.status_code, error_of(answer)["code"]) == (415, "unsupported_media_type")
    assert "application/sdp" in error_of(answer)["message"]


async def test_an_offer_has_a_largest_size() -> None:
    exchange = Exchange(webrtc=Webrtc(max_offer_bytes=1000))
    answer = await exchange.offer(content=OFFER + "a" * 1000)
    assert (answer.status_code, error_of(answer)["code"]) == (413, "content_too_large")


@pytest.mark.parametrize("key", ["", "sk-wrong", "ek_wrong"])
async def test_nobody_calls_without_a_key(key: str) -> None:
    answer = await Exchange().offer(key=key)
    assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_full_server_says_when_to_come_again() -> None:
    answer = await Exchange(open_calls=2).offer()
    assert (answer.status_code, error_of(answer)["code"]) == (503, "server_at_capacity")
    assert answer.headers["retry-after"] == "5"


async def test_a_server_that_is_starting_says_when_to_come_again() -> None:
    answer = await Exchange(is_ready=False).offer()
    assert (answer.status_code, error_of(answer)["code"], answer.headers["retry-after"]) == (503, "not_ready", "1")


async def test_a_key_without_money_cannot_call() -> None:
    exchange = Exchange(access=Access())
    exchange.ledger.charge("", 2.0)
    answer = await exchange.offer(key="")
    assert (answer.status_code, error_of(answer)["code"]) == (429, "insufficient_quota")


async def test_calls_that_begin_too_fast_are_told_to_wait() -> None:
    exchange = Exchange(per_minute=2)
    statuses = [(await exchange.offer()).status_code for _ in range(3)]
    assert statuses == [201, 201, 429]
    exchange.now += 30
    assert (await exchange.offer()).status_code == 201


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ("not json", "invalid_json", "session"),
        ("[]", "invalid_json", "session"),
        ("{}", "missing_required_parameter", "session.type"),
        ('{"type": "realtime", "voice": 1}', "unknown_parameter", "session.voice"),
        ('{"type": "realtime", "a": ' + "[" * 200 + "]" * 200 + "}", "invalid_value", "session"),
    ],
    ids=["no-json", "no-object", "no-type", "unknown-field", "too-deep"],
)
async def test_mistakes_in_the_session_of_a_form_name_the_field(session: str, code: str, param: str) -> None:
    exchange = Exchange()
    answer = await exchange.ask(CALLS, **form(("sdp", OFFER, None), ("session", session, None)))
    assert (answer.status_code, error_of(answer)["code"], error_of(answer)["param"]) == (400, code, param)
    assert exchange.answered == []


@pytest.mark.parametrize(
    ("parts", "code", "param"),
    [
        (form(("session", "{}", None)), "missing_required_parameter", "sdp"),
        (form(("sdp", OFFER, None), ("offer", "x", None)), "unknown_parameter", "offer"),
    ],
)
async def test_parts_that_are_missing_or_unknown_are_named(parts: dict[str, Any], code: str, param: str) -> None:
    answer = await Exchange().ask(CALLS, **parts)
    assert (answer.status_code, error_of(answer)["code"], error_of(answer)["param"]) == (400, code, param)


# ---------------------------------------------------------------------------------------------------------- web pages


async def test_pages_elsewhere_are_let_in_by_their_origin_and_may_read_where_the_call_is() -> None:
    exchange = Exchange(access=Access(api_keys=(Secret(KEY),), allowed_origins=("https://app.example",)))
    wanted = "authorization,content-type,x-openai-agents-sdk,openai-beta,openai-safety-identifier"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": wanted}
    for origin, status in [("https://app.example", 200), ("https://evil.example", 400)]:
        answer = await exchange.ask(CALLS, key="", method="OPTIONS", headers=asked | {"Origin": origin})
        assert answer.status_code == status
        assert answer.headers.get("access-control-allow-origin") == (origin if status == 200 else None)
    allowed = (
        await exchange.ask(CALLS, key="", method="OPTIONS", headers=asked | {"Origin": "https://app.example"})
    ).headers
    assert set(allowed["access-control-allow-headers"].lower().replace(" ", "").split(",")) >= set(wanted.split(","))
    answer = await exchange.ask(CALLS, content=OFFER, headers=SDP | {"Origin": "https://app.example"})
    assert answer.status_code == 201
    assert "Location" in answer.headers["access-control-expose-headers"]
    refused = await exchange.ask(CALLS, content="", headers=SDP | {"Origin": "https://app.example"})
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


# ------------------------------------------------------------------------------------------------- older pages' forms


async def test_older_pages_put_their_offer_into_json_and_name_the_session() -> None:
    exchange = Exchange()
    body = {"sdp": OFFER, "modalities": ["text"], "type": "offer"}
    answer = await exchange.ask(
        "/v1/realtime/sessions/sess_1/webrtc/sdp-offer", key=exchange.secret(shape="beta"), json=body
    )
    assert (answer.status_code, answer.json()) == (200, {"sdp": "v=0 answer"})
    [(connection, offer, alias)] = exchange.answered
    assert (offer, alias, connection.dialect_hint) == (OFFER, "sess_1", "beta")
    assert (exchange.settings.instructions, exchange.settings.output_modalities) == ("Be kind.", ("text",))


@pytest.mark.parametrize(
    ("body", "param"), [({}, "sdp"), ({"sdp": 1}, "sdp"), ({"sdp": OFFER, "modalities": ["smell"]}, "modalities")]
)
async def test_mistakes_in_such_an_offer_name_the_field(body: Any, param: str) -> None:
    answer = await Exchange().ask("/v1/realtime/sessions/sess_1/webrtc/sdp-offer", json=body)
    assert answer.status_code == 400
    assert error_of(answer)["param"].startswith(param)


@pytest.mark.parametrize(
    "body", [{"candidate": "candidate:1"}, {"candidate": {"candidate": "candidate:1", "sdpMid": "0"}}]
)
async def test_addresses_of_a_browser_are_passed_on(body: Any) -> None:
    exchange = Exchange()
    answer = await exchange.ask("/v1/realtime/sessions/sess_1/webrtc/ice-candidate", key=exchange.secret(), json=body)
    assert (answer.status_code, answer.json()) == (200, {})
    assert exchange.line.candidates == ["candidate:1"]


async def test_addresses_that_come_before_their_call_and_the_last_one_are_no_mistake() -> None:
    exchange = Exchange()
    for session, body in [("sess_2", {"candidate": "candidate:1"}), ("sess_1", {"candidate": None}), ("sess_1", {})]:
        path = f"/v1/realtime/sessions/{session}/webrtc/ice-candidate"
        assert (await exchange.ask(path, key=exchange.secret(), json=body)).status_code == 200
    assert exchange.line.candidates == []
    path = "/v1/realtime/sessions/sess_1/webrtc/ice-candidate"
    assert (await exchange.ask(path, json={"candidate": 7})).status_code == 400
    assert (await exchange.ask(path, key="", json={"candidate": "candidate:1"})).status_code == 401


# ------------------------------------------------------------------------------------------------------------ control


@pytest.mark.parametrize("key", [KEY, "sk-two"])
async def test_every_key_of_the_server_may_hang_up(key: str) -> None:
    exchange = Exchange(open_calls=2)
    answer = await exchange.ask(f"{CALLS}/rtc_u1_1/hangup", key=key)
    assert (answer.status_code, answer.content) == (200, b"")
    assert exchange.line.hung_up == "a controller hung up"


async def test_calls_that_are_not_there_or_not_ones_own_are_not_found() -> None:
    exchange = Exchange()
    for call_id, key in [("rtc_u1_2", KEY), ("rtc_u1_1", exchange.secret())]:
        answer = await exchange.ask(f"{CALLS}/{call_id}/hangup", key=key)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "call_id_not_found")
    assert (await exchange.ask(f"{CALLS}/rtc_u1_1/hangup", key="")).status_code == 401
    assert not exchange.line.hung_up


async def test_a_later_offer_for_a_call_is_answered_in_its_place() -> None:
    exchange = Exchange(open_calls=2)
    answer = await exchange.offer(f"{CALLS}/rtc_u1_1/offer")
    assert (answer.status_code, answer.text) == (200, f"v=0 answer to {len(OFFER)}")
    assert answer.headers["content-type"] == "application/sdp"
    for path, key, status in [("rtc_u1_2", KEY, 404), ("rtc_u1_1", exchange.secret(), 404), ("rtc_u1_1", "", 401)]:
        assert (await exchange.offer(f"{CALLS}/{path}/offer", key=key)).status_code == status
    exchange.failure = VivavoceError("the codec of a call cannot change")
    answer = await exchange.offer(f"{CALLS}/rtc_u1_1/offer")
    assert (answer.status_code, error_of(answer)["code"]) == (400, "invalid_offer")


async def test_browsers_are_told_of_the_servers_around_them() -> None:
    turn = Turn(urls=("turn:turn.example.com",), secret=Secret("north"), seconds=60)
    exchange = Exchange(webrtc=Webrtc(turn=turn))
    for key in (KEY, exchange.secret()):
        answer = await exchange.ask("/v1/realtime/ice", key=key, method="GET")
        assert answer.status_code == 200
        [server] = answer.json()["iceServers"]
        assert server["username"].startswith(f"{NOON + 60}:")
        assert answer.headers["cache-control"] == "no-store"
    assert (await exchange.ask("/v1/realtime/ice", key="", method="GET")).status_code == 401
