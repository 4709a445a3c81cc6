from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from callers import settle
from vivavoce.core.settings import Settings
from vivavoce.legs.line import LineError
from vivavoce.legs.posting import Posted
from vivavoce.options import Secret
from vivavoce.routing import LOCAL, Route, Routes, Upstream, local_upstream
from vivavoce.server.admission import Connection, Refused
from vivavoce.server.breaker import State
from vivavoce.server.client_secrets import Grant
from vivavoce.server.costs import Bill, Costs
from vivavoce.server.linking import Asked
from vivavoce.server.lives import Answered, Lives
from vivavoce.server.metrics import Metrics
from vivavoce.server.passing import Offers, way_to
from vivavoce.server.routes import Chooser

KEY = "sk-back"
BACK = Upstream(name="back", url="wss://back.example/v1", key=Secret(KEY), models={"gpt-*": "theirs"})
OTHER = Upstream(name="other", url="wss://other.example/v1", key=Secret(KEY))
OLD = Upstream(name="old", url="wss://old.example/v1", key=Secret(KEY), shape="beta")
ANSWER = Posted(201, "Created", {"location": "/v1/realtime/calls/rtc_far"}, b"v=0 far")


def asked(grant: Grant | None = None, **changes: Any) -> Connection:
    fields: dict[str, Any] = {
        "path": "/v1/realtime",
        "query": {"model": "gpt-realtime"},
        "headers": {},
        "subprotocols": (),
        "key_id": "12345678",
        "peer": "192.0.2.1:1",
        "dialect_hint": "ga",
        "safety_identifier": "ab12",
    }
    return Connection(**(fields | changes), grant=grant)


class Here(Lives):
    """Calls that are held here; only that they are is known."""

    def __init__(self) -> None:
        super().__init__(lambda connection, leg: leg, Metrics())  # type: ignore[arg-type,return-value]
        self.held: list[str] = []

    async def answer(self, connection: Connection, offer: str, alias: str = "") -> Answered:
        self.held.append(offer)
        return Answered("rtc_here", "v=0 here")


class Wire:
    closed: tuple[int, str] | None = None
    owner: Any = None

    def attach(self, owner: Any) -> None:
        self.owner = owner

    def send(self, data: bytes) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Exchange:
    """Upstreams that answer as tests say, and what they are asked."""

    def __init__(self, *ranks: str, answers: Mapping[str, Posted | LineError] | None = None, **route: Any) -> None:
        upstreams = {each.name: each for each in (BACK, OTHER, OLD, local_upstream(3600.0))}
        names = tuple((name,) for name in ranks or ("back",))
        self.route = Route(name="main", models=("gpt-*",), upstreams=names, **({"webrtc": "pass"} | route))
        self.chooser = Chooser(
            Routes(upstreams=upstreams, routes=(self.route,)),
            now=lambda: 0.0,
            chance=lambda: 0.5,
            told=lambda name, state: None,
        )
        self.answers = {"back": ANSWER, **(answers or {})}
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        self.dialled: list[tuple[str, dict[str, str]]] = []
        self.wire = Wire()
        self.told: list[Callable[[str], object]] = []
        self.budget_usd: float | None = None
        self.lives = Here()
        self.offers = Offers(self.lives, self, self._dial, self._post)

    def route_for(self, connection: Connection, model: str, kind: str) -> Route | None:
        return self.route if model.startswith("gpt-") else None

    def bill(self, key_id: str) -> Bill:
        return Costs({}, {}, lambda upstream, usd: None).bill(lambda usd: None, self.budget_usd)

    def enter(self, key_id: str, told: Callable[[str], object]) -> Callable[[], None]:
        self.told.append(told)
        return lambda: self.told.remove(told)

    async def _post(self, upstream: Upstream, address: str, headers: Mapping[str, str], body: bytes) -> Posted:
        self.posted.append((address, dict(headers), body))
        answer = self.answers.get(upstream.name, Posted(500, "Internal Server Error", {}, b""))
        if isinstance(answer, LineError):
            raise answer
        return Posted(200, "OK", {}, b"") if address.endswith("/hangup") else answer

    async def _dial(self, upstream: Upstream, address: str, headers: dict[str, str]) -> Wire:
        self.dialled.append((address, headers))
        return self.wire

    def session(self) -> dict[str, Any]:
        """The session that the latest offer was passed on with."""
        found = re.search(rb'name="session"\r\n.*?\r\n\r\n(.*?)\r\n--', self.posted[-1][2], re.DOTALL)
        assert found is not None
        session: dict[str, Any] = json.loads(found[1])
        return session


async def test_an_offer_is_passed_on_with_the_operators_key_and_the_upstreams_model() -> None:
    exchange = Exchange()
    answered = await exchange.offers.answer(asked(), "v=0 offer")
    await settle()
    assert answered.sdp == "v=0 far"
    assert re.fullmatch("rtc_u1_[0-9a-f]{32}", answered.call_id)
    [(address, headers, body)] = exchange.posted
    assert address == "https://back.example/v1/realtime/calls"
    assert (headers["Authorization"], headers["OpenAI-Safety-Identifier"]) == (f"Bearer {KEY}", "ab12")
    assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b"\r\n\r\nv=0 offer\r\n" in body
    assert exchange.session() == {"type": "realtime", "model": "theirs"}
    [(sideband, _)] = exchange.dialled
    assert sideband == "wss://back.example/v1/realtime?call_id=rtc_far"
    assert exchange.lives.find(answered.call_id, asked()) is not None
    assert exchange.chooser.sessions("back") == 1


async def test_the_session_that_a_secret_is_bound_to_goes_with_the_offer() -> None:
    exchange = Exchange()
    grant = Grant(Settings(model="gpt-realtime-mini", instructions="Be kind."), names_model=True)
    await exchange.offers.answer(asked(grant), "v=0")
    assert exchange.session() == {"type": "realtime", "model": "theirs", "instructions": "Be kind."}


async def test_a_call_that_is_hung_up_here_is_hung_up_there() -> None:
    exchange = Exchange()
    answered = await exchange.offers.answer(asked(), "v=0")
    await settle()
    call = exchange.offers.find(answered.call_id, asked())
    assert call is not None
    ending = call.hang_up("a controller hung up")
    assert ending is not None
    await ending
    assert exchange.posted[-1][0] == "https://back.example/v1/realtime/calls/rtc_far/hangup"
    assert exchange.posted[-1][1]["Authorization"] == f"Bearer {KEY}"
    assert exchange.offers.find(answered.call_id, asked()) is None
    assert (exchange.chooser.sessions("back"), exchange.told) == (0, [])


async def test_a_call_ends_when_its_key_has_no_money_left() -> None:
    exchange = Exchange()
    answered = await exchange.offers.answer(asked(), "v=0")
    await settle()
    exchange.told[0]("The key has no money left.")
    await settle()
    assert exchange.posted[-1][0].endswith("/hangup")
    assert exchange.offers.find(answered.call_id, asked()) is None


async def test_what_a_call_costs_is_counted_and_may_end_it() -> None:
    exchange = Exchange()
    exchange.budget_usd = 0.0
    answered = await exchange.offers.answer(asked(), "v=0")
    await settle()
    exchange.wire.owner.receive_frame(b'{"type":"response.done","response":{"usage":{"input_tokens":1}}}')
    await settle()
    assert exchange.offers.find(answered.call_id, asked()) is None


async def test_a_client_secret_controls_the_passed_calls_that_it_made_and_no_others() -> None:
    exchange = Exchange()
    answered = await exchange.offers.answer(asked(secret_id="aa"), "v=0")
    found = {who: exchange.offers.find(answered.call_id, asked(secret_id=who)) is not None for who in ("", "aa", "bb")}
    assert found == {"": True, "aa": True, "bb": False}


@pytest.mark.parametrize(
    ("exchange", "connection"),
    [
        (Exchange(webrtc="hold"), asked()),
        (Exchange(), asked(query={"model": "vivavoce"})),
        (Exchange(), asked(dialect_hint="beta")),
        (Exchange("old"), asked()),
        (Exchange(LOCAL), asked()),
        (Exchange("back", LOCAL, answers={"back": LineError("down", again=True)}), asked()),
    ],
    ids=["hold", "no-route", "beta-page", "beta-upstream", "local", "fallback"],
)
async def test_other_calls_are_held_here(exchange: Exchange, connection: Connection) -> None:
    assert await exchange.offers.answer(connection, "v=0") == Answered("rtc_here", "v=0 here")
    assert len(exchange.lives) == 0
    assert exchange.chooser.sessions("back") == 0


def test_what_another_server_can_do_is_its_own_to_say() -> None:
    for exchange, model, is_elsewhere in [
        (Exchange(), "gpt-realtime", True),
        (Exchange(), "vivavoce", False),
        (Exchange(LOCAL), "gpt-realtime", False),
    ]:
        assert exchange.offers.is_answered_elsewhere(asked(query={"model": model})) is is_elsewhere


async def test_an_upstream_that_is_not_well_is_followed_by_the_next() -> None:
    exchange = Exchange("back", "other", answers={"back": LineError("down", again=True), "other": ANSWER})
    assert (await exchange.offers.answer(asked(), "v=0")).sdp == "v=0 far"
    assert [address for address, _, _ in exchange.posted] == [
        "https://back.example/v1/realtime/calls",
        "https://other.example/v1/realtime/calls",
    ]
    assert exchange.session() == {"type": "realtime", "model": "gpt-realtime"}
    assert (exchange.chooser.sessions("back"), exchange.chooser.sessions("other")) == (0, 1)


async def test_without_any_upstream_a_call_may_be_tried_again() -> None:
    exchange = Exchange(answers={"back": Posted(500, "Internal Server Error", {}, b"")})
    with pytest.raises(Refused) as raised:
        await exchange.offers.answer(asked(), "v=0")
    assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "5"})
    assert b"upstream_unavailable" in raised.value.body


async def test_a_key_that_the_upstream_refuses_is_no_business_of_the_clients() -> None:
    told = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}}).encode()
    exchange = Exchange(answers={"back": Posted(401, "Unauthorized", {}, told)})
    with pytest.raises(Refused) as raised:
        await exchange.offers.answer(asked(), "v=0")
    assert (raised.value.status, raised.value.headers) == (503, {})
    assert KEY.encode() not in raised.value.body


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (
            f'{{"error":{{"message":"Invalid offer with {KEY}","code":"invalid_offer"}}}}',
            "Invalid offer with ***",
            "invalid_offer",
        ),
        ("oops", "The upstream refused the call (HTTP 400).", None),
        ('{"error":"oops"}', "The upstream refused the call (HTTP 400).", None),
    ],
)
async def test_what_an_upstream_finds_wrong_with_an_offer_is_told(body: str, message: str, code: str | None) -> None:
    exchange = Exchange("back", "other", answers={"back": Posted(400, "Bad Request", {}, body.encode())})
    with pytest.raises(Refused) as raised:
        await exchange.offers.answer(asked(), "v=0")
    error = json.loads(raised.value.body)["error"]
    assert (raised.value.status, error["message"], error["code"]) == (400, message, code)
    assert len(exchange.posted) == 1
    assert exchange.chooser.state("back") is State.CLOSED


async def test_an_answer_without_a_place_is_a_call_that_nobody_here_can_end() -> None:
    exchange = Exchange(answers={"back": Posted(201, "Created", {}, b"v=0 far")})
    answered = await exchange.offers.answer(asked(), "v=0")
    await settle()
    assert exchange.dialled == []
    call = exchange.offers.find(answered.call_id, asked())
    assert call is not None
    ending = call.hang_up("a controller hung up")
    assert ending is not None
    with pytest.raises(LineError, match="did not say where the call is"):
        await ending


@pytest.mark.parametrize(
    ("url", "kind", "calls", "sockets"),
    [
        ("ws://h:1", "realtime", "http://h:1/v1/realtime/calls", "ws://h:1/v1/realtime"),
        ("https://h/v1", "transcription", "https://h/v1/realtime/calls", "wss://h/v1/realtime"),
        (
            "https://my.openai.azure.com?x=1",
            "realtime",
            "https://my.openai.azure.com/openai/v1/realtime/calls?x=1",
            "wss://my.openai.azure.com/openai/v1/realtime?x=1",
        ),
        ("wss://h/v1", "translation", "https://h/v1/realtime/translations/calls", "wss://h/v1/realtime"),
    ],
)
def test_calls_are_below_the_sockets_of_an_upstream(url: str, kind: str, calls: str, sockets: str) -> None:
    way = way_to(Upstream(name="a", url=url, key=Secret(KEY)), Asked("gpt-realtime", kind))
    assert (way.calls, way.sockets) == (calls, sockets)
