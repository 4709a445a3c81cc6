from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callers import StringLeg
from vivavoce.core.errors import VivavoceError
from vivavoce.legs.webrtc.peer import TooManyCalls
from vivavoce.server.admission import Connection
from vivavoce.server.live import LiveCall
from vivavoce.server.lives import Busy, Lives, NoWebrtc
from vivavoce.server.metrics import Metrics

ASKED = Connection(
    path="/v1/realtime", query={}, headers={}, subprotocols=(), key_id="12345678", peer="192.0.2.1:1", dialect_hint="ga"
)


def of_secret(secret_id: str) -> Connection:
    return Connection(
        path="/v1/realtime",
        query={},
        headers={},
        subprotocols=(),
        key_id="12345678",
        peer="192.0.2.1:1",
        dialect_hint="ga",
        secret_id=secret_id,
    )


class Quality:
    loss_ratio: float | None = 0.25
    jitter_ms: float | None = 8.0
    round_trip_ms: float | None = None


class StringParty:
    """A browser's connection that tests pull the strings of."""

    queued_bytes = 0
    queued_ms = 0
    max_message_bytes = 65_536

    def __init__(self, owner: LiveCall) -> None:
        self.owner = owner
        self.sent: list[bytes] = []
        self.candidates: list[str] = []
        self.hung_up = ""
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_stubborn = False

    async def answer(self, offer_sdp: str) -> str:
        await self.may_answer.wait()
        if offer_sdp == "busy":
            raise TooManyCalls("too many")
        if not offer_sdp.startswith("v=0"):
            raise VivavoceError("the offer has no audio")
        return f"answer to {offer_sdp}"

    def add_candidate(self, candidate: str) -> None:
        self.candidates.append(candidate)

    def quality(self) -> Quality:
        return Quality()

    def hang_up(self, reason: str) -> None:
        self.hung_up = self.hung_up or reason
        if not self.is_stubborn:
            asyncio.get_running_loop().call_soon(self.owner.media_closed, reason)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def drain(self) -> None: ...

    def play(self, item_id: str, pcm: bytes) -> None: ...

    def end_item(self, item_id: str) -> None: ...

    def clear(self) -> tuple[Any, ...]:
        return ()

    def duck(self) -> None: ...

    def restore(self) -> None: ...


class Session:
    """The session's call of a leg."""

    def __init__(self, connection: Connection, leg: Any) -> None:
        self.connection = connection
        self.leg = leg
        self.closed: tuple[int, str] | None = None

    def receive_frame(self, data: bytes) -> None: ...

    def receive_audio(self, audio: bytes) -> None: ...

    spent_usd = 0.0

    def leg_closed(self, code: int, reason: str) -> None:
        self.closed = (code, reason)


class Exchange:
    """Live calls whose parties and sessions are known."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.parties: list[StringParty] = []
        self.metrics = Metrics()
        self.now = 100.0
        self.lives = Lives(self._accept, self.metrics, lambda: self.now)
        self.lives.open_party = self._open

    def _accept(self, connection: Connection, leg: Any) -> Session:
        self.sessions.append(Session(connection, leg))
        return self.sessions[-1]

    def _open(self, call: LiveCall) -> StringParty:
        self.parties.append(StringParty(call))
        return self.parties[-1]

    def figures(self) -> dict[str, float]:
        """What was counted of calls."""
        lines = self.metrics.text().decode().splitlines()
        counted = (line for line in lines if line.startswith("vivavoce_call"))
        pairs = (line.removeprefix("vivavoce_call").replace('{road="webrtc"}', "").split() for line in counted)
        return {
            name.removeprefix("vivavoce_call").replace('{road="webrtc"}', ""): float(value) for name, value in pairs
        }


async def test_the_session_of_a_call_begins_when_audio_can_pass() -> None:
    exchange = Exchange()
    answered = await exchange.lives.answer(ASKED, "v=0")
    assert answered.sdp == "answer to v=0"
    assert answered.call_id.startswith("rtc_u1_")
    assert len(answered.call_id) == 39
    assert exchange.sessions == []
    exchange.now += 2
    exchange.parties[0].owner.media_connected()
    [session] = exchange.sessions
    assert (session.connection, session.leg) == (ASKED, exchange.parties[0].owner)
    assert exchange.figures()["_setup_seconds_sum"] == 2


async def test_a_call_that_ended_is_forgotten_and_measured() -> None:
    exchange = Exchange()
    answered = await exchange.lives.answer(ASKED, "v=0", "sess_1")
    party = exchange.parties[0]
    party.owner.media_connected()
    party.owner.media_closed("gone")
    assert exchange.sessions[0].closed == (1000, "gone")
    assert exchange.lives.find(answered.call_id, ASKED) is None
    assert exchange.lives.named("sess_1", ASKED) is None
    assert len(exchange.lives) == 0
    figures = exchange.figures()
    assert (figures["s_open"], figures["s_total"]) == (0, 1)
    assert (figures["_loss_ratio_sum"], figures["_jitter_seconds_sum"]) == (0.25, 0.008)
    assert (figures["_loss_ratio_count"], figures["_round_trip_seconds_count"]) == (1, 0)


async def test_a_call_that_never_connected_is_counted_as_such() -> None:
    exchange = Exchange()
    await exchange.lives.answer(ASKED, "v=0")
    exchange.parties[0].owner.media_closed("nothing came")
    figures = exchange.figures()
    assert (figures["s_open"], figures["s_unconnected_total"]) == (0, 1)
    assert figures["_loss_ratio_count"] == 0
    assert exchange.sessions == []


async def test_an_offer_that_cannot_be_answered_leaves_nothing_behind() -> None:
    exchange = Exchange()
    with pytest.raises(VivavoceError, match="the offer has no audio"):
        await exchange.lives.answer(ASKED, "v=1")
    assert exchange.parties[0].hung_up
    assert len(exchange.lives) == 0


async def test_too_many_calls_on_their_way_are_no_fault_of_the_offer() -> None:
    exchange = Exchange()
    with pytest.raises(Busy, match="too many"):
        await exchange.lives.answer(ASKED, "busy")
    assert len(exchange.lives) == 0


async def test_a_later_offer_goes_to_the_browser_of_the_call() -> None:
    exchange = Exchange()
    answered = await exchange.lives.answer(of_secret("aa"), "v=0")
    assert await exchange.lives.renew(answered.call_id, ASKED, "v=0 more") == "answer to v=0 more"
    assert await exchange.lives.renew(answered.call_id, of_secret("bb"), "v=0 more") is None
    with pytest.raises(VivavoceError):
        await exchange.lives.renew(answered.call_id, ASKED, "v=1")
    assert len(exchange.lives) == 1


async def test_a_place_is_taken_before_the_answer_is_there_and_given_back_when_nobody_waits_for_it() -> None:
    exchange = Exchange()
    opened = exchange.lives.open_party
    assert opened is not None

    def slow(call: LiveCall) -> Any:
        party = opened(call)
        party.may_answer.clear()  # type: ignore[attr-defined]
        return party

    exchange.lives.open_party = slow
    answering = asyncio.create_task(exchange.lives.answer(ASKED, "v=0"))
    await asyncio.sleep(0)
    assert len(exchange.lives) == 1
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
    assert len(exchange.lives) == 0
    assert exchange.parties[0].hung_up


async def test_without_a_port_no_call_is_answered() -> None:
    exchange = Exchange()
    exchange.lives.open_party = None
    with pytest.raises(NoWebrtc):
        await exchange.lives.answer(ASKED, "v=0")


async def test_keys_control_every_call_and_client_secrets_their_own() -> None:
    exchange = Exchange()
    by_key = await exchange.lives.answer(ASKED, "v=0")
    by_secret = await exchange.lives.answer(of_secret("aa"), "v=0")
    controlled = {
        who.secret_id: [exchange.lives.find(call.call_id, who) is not None for call in (by_key, by_secret)]
        for who in (ASKED, of_secret("aa"), of_secret("bb"))
    }
    assert controlled == {"": [True, True], "aa": [False, True], "bb": [False, False]}


async def test_a_name_leads_only_those_to_a_call_who_gave_it() -> None:
    exchange = Exchange()
    await exchange.lives.answer(of_secret("aa"), "v=0", "sess_1")
    assert exchange.lives.named("sess_1", of_secret("aa")) is exchange.parties[0]
    assert exchange.lives.named("sess_1", of_secret("bb")) is None
    assert exchange.lives.named("sess_2", of_secret("aa")) is None
    await exchange.lives.answer(of_secret("aa"), "v=0", "sess_1")
    exchange.parties[0].owner.media_closed("called again")
    assert exchange.lives.named("sess_1", of_secret("aa")) is exchange.parties[1]


async def test_the_end_of_the_server_hangs_up_and_tells_controllers() -> None:
    exchange = Exchange()
    answered = await exchange.lives.answer(ASKED, "v=0")
    exchange.parties[0].owner.media_connected()
    leg = StringLeg()
    call = exchange.lives.find(answered.call_id, ASKED)
    assert call is not None
    call.attach(leg)
    await exchange.lives.close()
    assert exchange.parties[0].hung_up == "the server is stopping"
    assert leg.closed == (1000, "the call has ended")
    assert len(exchange.lives) == 0
