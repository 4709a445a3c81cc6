"""What all roads of telephone calls share: who answers, who decides, and which calls may go out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callers import StringLeg, settle
from exchanges import StringExchange, StringRoad
from vivavoce.core.settings import Settings
from vivavoce.server.admission import Connection
from vivavoce.server.phone.exchange import ECHO, CallRefused, Order, Verdict
from vivavoce.server.phone.webhooks import Undelivered
from vivavoce.telephony import Dialling, Number, Sip, Telephony

NUMBER = Number(name="bakery", instructions="Sell bread.", voice="nova")
ASKING = Number(name="asking", asks_webhook=True)
OUT = Dialling(allow=("+39*", "sip:*@pbx.example.com"), max_calls=2, calls_per_minute=3)
HEADERS = (("From", "<sip:alice@example.com>"), ("Authorization", "Digest secret"), ("To", "<sip:100@example.com>"))


@asynccontextmanager
async def opened(telephony: Telephony | None = None, **how: Any) -> AsyncIterator[StringExchange]:
    hall = StringExchange(telephony or Telephony(numbers=(NUMBER,), dialling=OUT), **how)
    try:
        yield hall
    finally:
        await hall.close()


async def test_a_call_begins_a_session_as_its_number_says() -> None:
    async with opened() as hall:
        hall.open(NUMBER, "rtc_1")
        connection, settings = hall.accepted[0]
        assert (settings.instructions, settings.voice, settings.model) == ("Sell bread.", "coral", "vivavoce")
        assert (connection.key_id, connection.dialect_hint, connection.peer) == ("telephone", "ga", "alice")
        assert hall.exchange.has("rtc_1")
        assert len(hall.lives) == 1


async def test_a_call_is_forgotten_when_it_ends() -> None:
    async with opened() as hall:
        road = hall.open(NUMBER, "rtc_1")
        road.hang_up("the caller hung up")
        assert not hall.exchange.has("rtc_1")
        assert len(hall.lives) == 0


async def test_an_echo_says_what_it_hears_after_a_little() -> None:
    async with opened() as hall:
        road = hall.open(Number(name="echo", model=ECHO), "rtc_1")
        assert road.phone is not None
        road.phone.receive_audio(b"\1\0" * 480)
        assert road.said == [(ECHO, bytes(48 * 60)), (ECHO, b"\1\0" * 480)]
        assert hall.accepted == []


async def test_calls_are_answered_at_once_where_nobody_wants_to_decide() -> None:
    async with opened(has_application=True) as hall:
        assert await hall.exchange.decide(NUMBER, "rtc_1") == Verdict()
        assert hall.application.told == []


async def test_an_application_is_told_all_but_passwords_and_accepts() -> None:
    async with opened(has_application=True) as hall:
        taking = asyncio.create_task(hall.take(ASKING, "rtc_1", HEADERS))
        await hall.application.was_told.wait()
        data = hall.application.told[0]["data"]
        assert data == {
            "call_id": "rtc_1",
            "sip_headers": [
                {"name": "From", "value": "<sip:alice@example.com>"},
                {"name": "To", "value": "<sip:100@example.com>"},
            ],
            "sip_media_security": "rtp",
        }
        assert hall.exchange.pending("rtc_1") is ASKING
        assert not hall.exchange.has("rtc_1")
        assert await hall.exchange.accept("rtc_1", Settings(instructions="Be kind."), "key1")
        # Whoever accepted finds the call at once.
        assert hall.exchange.has("rtc_1")
        assert len(hall.lives) == 1
        connection, settings = hall.accepted[0]
        assert (connection.key_id, settings.instructions) == ("key1", "Be kind.")
        assert isinstance(await taking, StringRoad)
        assert hall.exchange.pending("rtc_1") is None
        assert not await hall.exchange.accept("rtc_1", Settings(), "key1")


async def test_a_caller_who_goes_before_the_call_stands_is_not_accepted() -> None:
    async with opened(has_application=True) as hall:

        async def take() -> None:
            await hall.exchange.decide(ASKING, "rtc_1")  # and the caller is gone

        taking = asyncio.create_task(take())
        await hall.application.was_told.wait()
        assert not await hall.exchange.accept("rtc_1", Settings(), "key1")
        await taking
        assert not hall.exchange.has("rtc_1")


async def test_a_caller_who_hangs_up_while_it_is_decided_is_not_pending_any_more() -> None:
    async with opened(has_application=True) as hall:
        taking = asyncio.create_task(hall.take(ASKING, "rtc_1"))
        await hall.application.was_told.wait()
        taking.cancel()
        await settle()
        assert hall.exchange.pending("rtc_1") is None
        assert not hall.exchange.settle("rtc_1", Verdict(603))


async def test_an_application_rejects_once() -> None:
    async with opened(has_application=True) as hall:
        taking = asyncio.create_task(hall.take(ASKING, "rtc_1"))
        await hall.application.was_told.wait()
        assert hall.exchange.settle("rtc_1", Verdict(603))
        assert not hall.exchange.settle("rtc_1", Verdict(486))
        assert await taking == 603


async def test_an_application_that_cannot_be_told_is_not_there() -> None:
    async with opened(has_application=True) as hall:
        hall.application.failure = Undelivered("The webhook was not delivered: it answered 500.")
        assert await hall.take(ASKING, "rtc_1") == 480


async def test_an_application_that_says_nothing_is_not_waited_for() -> None:
    async with opened(has_application=True) as hall:
        hall.application.wait_seconds = 0.01
        assert await hall.take(ASKING, "rtc_1") == 480


async def test_calls_that_wait_are_refused_when_the_server_stops() -> None:
    async with opened(has_application=True) as hall:
        taking = asyncio.create_task(hall.take(ASKING, "rtc_1"))
        await hall.application.was_told.wait()
        road = hall.open(NUMBER, "rtc_2")
        await hall.exchange.close()
        assert await taking == 503
        assert road.hung_up == ["the server is stopping"]
        assert hall.application.is_closed


async def test_there_are_so_many_calls_at_a_time() -> None:
    async with opened(Telephony(sip=Sip(max_calls=1), numbers=(NUMBER,))) as hall:
        assert not hall.exchange.is_full
        road = hall.open(NUMBER, "rtc_1")
        assert hall.exchange.is_full
        road.hang_up("over")
        assert not hall.exchange.is_full


# ---------------------------------------------------------------------------------------------------------- transfers


async def test_a_caller_is_transferred_to_whom_may_be_called() -> None:
    async with opened() as hall:
        road = hall.open(NUMBER, "rtc_1")
        hall.exchange.transfer("rtc_1", "tel:+39061234567")
        assert road.transferred == ["tel:+39061234567"]


@pytest.mark.parametrize(
    ("call_id", "target", "code", "param"),
    [
        ("rtc_2", "tel:+39061234567", "call_not_found", None),
        ("rtc_1", "tel:+15550100", "destination_not_allowed", "target_uri"),
        ("rtc_1", "sip:a@pbx.example.com?Replaces=x", "destination_not_allowed", "target_uri"),
        ("rtc_1", "+39061234567", "invalid_request", None),
    ],
)
async def test_what_is_not_transferred(call_id: str, target: str, code: str, param: str | None) -> None:
    async with opened() as hall:
        hall.open(NUMBER, "rtc_1", can_transfer=False)
        with pytest.raises(CallRefused) as refusal:
            hall.exchange.transfer(call_id, target)
        assert (refusal.value.code, refusal.value.param) == (code, param)


# ------------------------------------------------------------------------------------------------- calls that go out


async def test_a_call_is_placed_by_the_road_that_can() -> None:
    async with opened() as hall:
        hall.exchange.dial = hall.dial
        order = Order(target="+39061234567", number=NUMBER, key_id="key1")
        call_id = await hall.exchange.place(order)
        assert hall.dialled == [(order, call_id)]
        assert hall.accepted[0][0].key_id == "key1"


@pytest.mark.parametrize(
    ("target", "code", "param"),
    [("+15550100", "destination_not_allowed", "to"), ("nobody at all", "destination_not_allowed", "to")],
)
async def test_nobody_else_is_called(target: str, code: str, param: str) -> None:
    async with opened() as hall:
        hall.exchange.dial = hall.dial
        with pytest.raises(CallRefused) as refusal:
            await hall.exchange.place(Order(target=target, number=NUMBER))
        assert (refusal.value.code, refusal.value.param) == (code, param)
        assert hall.dialled == []


async def test_no_call_goes_out_without_a_road() -> None:
    async with opened() as hall:
        with pytest.raises(CallRefused) as refusal:
            await hall.exchange.place(Order(target="+39061234567", number=NUMBER))
        assert refusal.value.code == "telephone_off"


async def test_calls_that_go_out_are_bounded_at_a_time_and_a_minute() -> None:
    async with opened() as hall:
        hall.exchange.dial = hall.dial
        order = Order(target="+39061234567", number=NUMBER)
        first, _ = await hall.exchange.place(order), await hall.exchange.place(order)
        with pytest.raises(CallRefused, match="under way"):
            await hall.exchange.place(order)
        live = hall.lives.find(first, hall.accepted[0][0])
        assert live is not None
        live.hang_up("over")
        await hall.exchange.place(order)
        for one in list(hall.dialled)[1:]:
            found = hall.lives.find(one[1], hall.accepted[0][0])
            assert found is not None
            found.hang_up("over")
        with pytest.raises(CallRefused, match="a minute"):
            await hall.exchange.place(order)
        hall.now = 20.0
        await hall.exchange.place(order)


async def test_a_call_that_cannot_be_placed_takes_no_room() -> None:
    async with opened() as hall:
        hall.exchange.dial = hall.dial
        hall.dial_failure = CallRefused("invalid_value", "A number needs a line.", "to")
        order = Order(target="+39061234567", number=NUMBER)
        for _ in range(2):
            with pytest.raises(CallRefused):
                await hall.exchange.place(order)
        hall.dial_failure = None
        await hall.exchange.place(order)


@pytest.mark.parametrize(("direction", "reasons"), [("out", ["the call was ended by its rules"]), ("in", [])])
async def test_calls_of_ours_last_no_longer_than_they_may(direction: str, reasons: list[str]) -> None:
    telephony = Telephony(numbers=(NUMBER,), dialling=Dialling(max_seconds=0.02))
    async with opened(telephony) as hall:
        road = hall.open(NUMBER, "rtc_1", direction=direction)
        if reasons:
            await asyncio.wait_for(road.is_hung_up.wait(), 10)
        await settle()
        assert road.hung_up == reasons


@pytest.mark.parametrize(("road_name", "pressed"), [("sip", ["12#"]), ("twilio", [])])
async def test_an_application_presses_keys_on_roads_that_have_them(road_name: str, pressed: list[str]) -> None:
    async with opened() as hall:
        road = hall.open(NUMBER, "rtc_1", road_name=road_name)
        controller = StringLeg()
        owner = hall.lives.find("rtc_1", Connection("", {}, {}, (), "", "", "")).attach(controller)  # type: ignore[union-attr]
        assert owner is not None
        owner.receive_frame(b'{"type":"output_audio_buffer.dtmf_send","digits":"12#"}')
        assert road.pressed == pressed
        assert ("error" in controller.types()) is not bool(pressed)
