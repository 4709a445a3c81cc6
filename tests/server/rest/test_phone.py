"""Telephone calls over HTTP: accepted, rejected, transferred, hung up and placed, by whoever may."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from desks import KEY, error_of
from exchanges import StringExchange, StringRoad
from vivavoce.config import Access, Limits, Secret, Webrtc
from vivavoce.core.service import Abilities, Service
from vivavoce.core.settings import Settings
from vivavoce.server.admission import Admission
from vivavoce.server.app import create_app
from vivavoce.server.client_secrets import ClientSecrets, Grant
from vivavoce.server.hybrid import Gate
from vivavoce.server.keyring import Keyring
from vivavoce.server.phone.exchange import CallRefused
from vivavoce.server.rest.calls import Calls, calls_router
from vivavoce.server.rest.phone import PhoneCalls
from vivavoce.telephony import Dialling, Number, Telephony

CALLS = "/v1/realtime/calls"
KEY_ID = hashlib.sha256(KEY.encode()).hexdigest()[:8]
NUMBER = Number(name="bakery", instructions="Sell bread.", asks_webhook=True, silence_duration_ms=900)
OTHER = Number(name="florist", instructions="Sell flowers.")
SESSION = {"type": "realtime", "model": "gpt-realtime"}


class Server:
    """An application with a telephone whose calls the test makes."""

    def __init__(self) -> None:
        telephony = Telephony(numbers=(NUMBER, OTHER), dialling=Dialling(allow=("+39*",), calls_per_minute=2))
        self.hall = StringExchange(telephony, has_application=True)
        self.hall.exchange.dial = self.hall.dial
        self.has_telephone = True
        access = Access(api_keys=(Secret(KEY),))
        self.secrets = ClientSecrets(
            Keyring([b"k" * 32]), 10, unix_now=lambda: 1e9, new_bytes=lambda count: b"1" * count
        )
        admission = Admission(access, 9, self.secrets.redeem)
        gate = Gate(admission, Limits(), lambda connection, leg: None, lambda: True)  # type: ignore[arg-type,return-value]
        service = Service(abilities=Abilities(languages=("en",)))
        phone = PhoneCalls(lambda: self.hall.exchange if self.has_telephone else None, gate, lambda: service)
        self.app = create_app(access, admission, lambda: ())
        self.app.include_router(calls_router(Calls(self.hall.lives, gate, Webrtc(), lambda: service), phone))

    @property
    def secret(self) -> str:
        return self.secrets.issue(Grant(Settings(), True, None, KEY_ID), 600).value

    async def ask(self, path: str, *, key: str = KEY, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} | request.pop("headers", {})
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            return await client.post(path, headers=headers, **request)

    async def ring(self, call_id: str = "rtc_1") -> asyncio.Task[StringRoad | int]:
        """Have somebody call."""
        taking = asyncio.create_task(self.hall.take(NUMBER, call_id))
        await self.hall.application.was_told.wait()
        return taking


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        await server.hall.close()


def refused(answer: httpx.Response) -> tuple[int, str, str | None]:
    error = error_of(answer)
    return answer.status_code, error["code"], error["param"]


# ------------------------------------------------------------------------------------------------------------ accept


async def test_an_accepted_call_begins_as_its_number_and_then_the_request_says() -> None:
    async with serving() as server:
        taking = await server.ring()
        session = SESSION | {"audio": {"output": {"voice": "onyx"}}}
        answer = await server.ask(f"{CALLS}/rtc_1/accept", json=session)
        assert (answer.status_code, answer.content) == (200, b"")
        assert isinstance(await taking, StringRoad)
        connection, settings = server.hall.accepted[0]
        assert (settings.model, settings.instructions, settings.voice) == ("gpt-realtime", "Sell bread.", "ash")
        assert settings.turn_detection.silence_duration_ms == 900  # type: ignore[union-attr]
        assert connection.key_id not in ("", "telephone")
        again = await server.ask(f"{CALLS}/rtc_1/accept", json=session)
        assert refused(again) == (400, "call_already_accepted", "call_id")


async def test_a_call_is_accepted_with_a_turn_detection_of_its_own() -> None:
    async with serving() as server:
        await server.ring()
        detection = {"type": "server_vad", "threshold": 0.7, "prefix_padding_ms": 100, "silence_duration_ms": 400}
        session = SESSION | {"instructions": "Be kind.", "audio": {"input": {"turn_detection": detection}}}
        assert (await server.ask(f"{CALLS}/rtc_1/accept", json=session)).status_code == 200
        settings = server.hall.accepted[0][1]
        assert settings.instructions == "Be kind."
        assert (settings.turn_detection.threshold, settings.turn_detection.silence_duration_ms) == (0.7, 400)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({}, "missing_required_parameter", "type"),
        ({"type": "transcription"}, "invalid_value", "type"),
        (SESSION | {"voice": "alloy"}, "unknown_parameter", "voice"),
        (SESSION | {"audio": {"output": {"voice": "stentor"}}}, "invalid_value", "audio.output.voice"),
        (SESSION | {"tool_choice": {"type": "function", "name": "nothing"}}, "invalid_value", "tool_choice"),
    ],
)
async def test_a_session_that_cannot_be_leaves_the_call_waiting(session: Any, code: str, param: str) -> None:
    async with serving() as server:
        await server.ring()
        answer = await server.ask(f"{CALLS}/rtc_1/accept", json=session)
        assert refused(answer) == (400, code, param)
        assert server.hall.exchange.pending("rtc_1") is NUMBER


@pytest.mark.parametrize(
    ("what", "body"),
    [("accept", SESSION), ("reject", {}), ("refer", {"target_uri": "tel:+39061234567"}), ("hangup", None)],
)
async def test_calls_that_are_not_there_are_not_found(what: str, body: Any) -> None:
    async with serving() as server:
        await server.ring()
        answer = await server.ask(f"{CALLS}/rtc_2/{what}", json=body)
        assert refused(answer) == (404, "call_id_not_found", "call_id")
        # A client secret controls none of them, as if none were there.
        answer = await server.ask(f"{CALLS}/rtc_1/{what}", json=body, key=server.secret)
        assert refused(answer) == (404, "call_id_not_found", "call_id")
        assert (await server.ask(f"{CALLS}/rtc_1/{what}", json=body, key="sk-wrong")).status_code == 401
        assert server.hall.exchange.pending("rtc_1") is NUMBER
        server.has_telephone = False
        assert (await server.ask(f"{CALLS}/rtc_1/{what}", json=body)).status_code == 404


# ---------------------------------------------------------------------------------------------- reject, refer, hang up


@pytest.mark.parametrize(
    ("request_", "status"),
    [({}, 603), ({"json": {}}, 603), ({"json": {"status_code": 486}}, 486), ({"json": {"status_code": None}}, 603)],
)
async def test_a_call_is_rejected(request_: Any, status: int) -> None:
    async with serving() as server:
        taking = await server.ring()
        assert (await server.ask(f"{CALLS}/rtc_1/reject", **request_)).status_code == 200
        assert await taking == status
        assert (await server.ask(f"{CALLS}/rtc_1/reject")).status_code == 404


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"status_code": 200}, "invalid_value", "status_code"),
        ({"status_code": "busy"}, "invalid_type", "status_code"),
        ({"status": 486}, "unknown_parameter", "status"),
    ],
)
async def test_a_call_is_not_rejected_by_what_is_no_refusal(body: Any, code: str, param: str) -> None:
    async with serving() as server:
        await server.ring()
        assert refused(await server.ask(f"{CALLS}/rtc_1/reject", json=body)) == (400, code, param)
        assert server.hall.exchange.pending("rtc_1") is NUMBER


async def test_a_caller_is_referred_to_whom_may_be_called() -> None:
    async with serving() as server:
        road = server.hall.open(OTHER, "rtc_1")
        answer = await server.ask(f"{CALLS}/rtc_1/refer", json={"target_uri": "tel:+39061234567"})
        assert (answer.status_code, road.transferred) == (200, ["tel:+39061234567"])
        answer = await server.ask(f"{CALLS}/rtc_1/refer", json={"target_uri": "tel:+15550100"})
        assert refused(answer) == (403, "destination_not_allowed", "target_uri")
        answer = await server.ask(f"{CALLS}/rtc_1/refer", json={})
        assert refused(answer) == (400, "missing_required_parameter", "target_uri")
        road.can_transfer = False
        answer = await server.ask(f"{CALLS}/rtc_1/refer", json={"target_uri": "tel:+39061234567"})
        assert refused(answer) == (400, "invalid_request", None)


async def test_calls_are_hung_up_whether_they_were_accepted_or_not() -> None:
    async with serving() as server:
        taking = await server.ring()
        assert (await server.ask(f"{CALLS}/rtc_1/hangup")).status_code == 200
        assert await taking == 603
        road = server.hall.open(OTHER, "rtc_2")
        assert (await server.ask(f"{CALLS}/rtc_2/hangup")).status_code == 200
        assert road.hung_up == ["a controller hung up"]


# ------------------------------------------------------------------------------------------------------- calls placed


async def test_a_call_is_placed() -> None:
    async with serving() as server:
        answer = await server.ask(CALLS, json={"to": "+39061234567"})
        order, call_id = server.hall.dialled[0]
        assert (answer.status_code, answer.json()) == (201, {"id": call_id})
        assert answer.headers["location"] == f"{CALLS}/{call_id}"
        assert (order.target, order.number, order.line, order.settings) == ("+39061234567", NUMBER, "", None)
        assert server.hall.accepted[0][0].key_id == order.key_id != "telephone"


async def test_a_call_is_placed_with_its_own_number_line_and_session() -> None:
    async with serving() as server:
        session = {"type": "realtime", "instructions": "Say hello."}
        body = {"to": "tel:+39061234567", "line": "trunk", "number": "florist", "session": session}
        assert (await server.ask("/realtime/calls", json=body)).headers["location"].startswith("/realtime/calls/rtc_")
        order = server.hall.dialled[0][0]
        assert (order.number, order.line) == (OTHER, "trunk")
        assert order.settings is not None
        assert order.settings.instructions == "Say hello."


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, (400, "missing_required_parameter", "to")),
        ({"to": ""}, (400, "invalid_value", "to")),
        ({"to": 39}, (400, "invalid_type", "to")),
        ({"to": "+15550100"}, (403, "destination_not_allowed", "to")),
        ({"to": "+39061234567", "number": "butcher"}, (400, "invalid_value", "number")),
        ({"to": "+39061234567", "from": "me"}, (400, "unknown_parameter", "from")),
        ({"to": "+39061234567", "session": {"type": "x"}}, (400, "invalid_value", "session.type")),
        (
            {"to": "+39061234567", "session": {"type": "realtime", "speed": 1}},
            (400, "unknown_parameter", "session.speed"),
        ),
    ],
)
async def test_calls_that_are_not_placed(body: Any, found: tuple[int, str, str]) -> None:
    async with serving() as server:
        assert refused(await server.ask(CALLS, json=body)) == found
        assert server.hall.dialled == []


async def test_calls_are_placed_with_keys_and_where_there_is_a_telephone() -> None:
    async with serving() as server:
        answer = await server.ask(CALLS, json={"to": "+39061234567"}, key=server.secret)
        assert refused(answer) == (403, "insufficient_permissions", None)
        server.hall.dial_failure = CallRefused("invalid_value", "There is no line 'x'.", "line")
        answer = await server.ask(CALLS, json={"to": "+39061234567", "line": "x"})
        assert refused(answer) == (400, "invalid_value", "line")
        server.hall.dial_failure = None
        assert (await server.ask(CALLS, json={"to": "+39061234567"})).status_code == 201
        answer = await server.ask(CALLS, json={"to": "+39061234567"})
        assert refused(answer) == (429, "rate_limit_exceeded", None)
        assert "retry-after" in answer.headers
        server.has_telephone = False
        answer = await server.ask(CALLS, json={"to": "+39061234567"})
        assert refused(answer) == (501, "telephone_off", None)
