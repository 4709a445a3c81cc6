"""One call on a media stream, from its first message to its end."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from callers import settle
from exchanges import StringExchange
from vivavoce.legs.streams.asterisk import AsteriskWebSocket
from vivavoce.legs.streams.json_streams import Twilio
from vivavoce.legs.ticker import Ticker
from vivavoce.server.phone import stream_calls as module
from vivavoce.server.phone.exchange import Verdict
from vivavoce.server.phone.party import PhoneCall
from vivavoce.server.phone.stream_calls import Connection, StreamCall
from vivavoce.telephony import Number, Recording, Telephony

NUMBERS = (Number(name="bakery", matches=("100",)), Number(name="asking", matches=("200",), asks_webhook=True))
PARAMETERS = {"token": "right", "from": "alice", "to": "100"}
MEDIA = {"event": "media", "media": {"payload": base64.b64encode(b"\x00" * 160).decode()}}


def only(folder: Path, pattern: str) -> bytes:
    """What the one file of a pattern holds."""
    (found,) = folder.glob(pattern)
    return found.read_bytes()


def start(**parameters: str) -> dict[str, Any]:
    return {"event": "start", "streamSid": "MZ1", "start": {"callSid": "CA1", "customParameters": parameters}}


class Line:
    """A connection, and the call on it."""

    def __init__(self, hall: StringExchange, spelling: Any = None, **how: Any) -> None:
        self.hall = hall
        self.sent: list[Any] = []
        self.closed: tuple[int, str] | None = None
        self.ended = 0
        self.waiting = 0
        ticker = Ticker(asyncio.get_running_loop())
        self.call = StreamCall(
            hall.exchange,
            spelling or Twilio(),
            ticker,
            Connection("192.0.2.1:5", self.send, self.close),
            ended=self._ended,
            **how,
        )

    def send(self, message: Any) -> int:
        self.sent.append(message)
        return self.waiting

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)

    def _ended(self, call: StreamCall) -> None:
        self.ended += 1

    async def say(self, *messages: Any) -> None:
        for message in messages:
            self.call.receive(message if isinstance(message, bytes | str) else json.dumps(message))
        await settle()


@asynccontextmanager
async def opened(folder: Path | None = None) -> AsyncIterator[StringExchange]:
    hall = StringExchange(Telephony(numbers=NUMBERS), folder, has_application=True)
    try:
        yield hall
    finally:
        await hall.close()


async def test_a_call_is_answered_by_its_number_and_written_down(tmp_path: Path) -> None:
    async with opened(tmp_path) as hall:
        line = Line(hall)
        await line.say({"event": "connected"}, start(**PARAMETERS))
        await line.say(MEDIA, {"event": "dtmf", "dtmf": {"digit": "5"}})
        assert line.call.has_begun
        assert len(hall.accepted) == 1
        await line.say({"event": "stop"})
        assert (line.closed, line.ended) == ((1000, "the call has ended"), 1)
    record = json.loads(only(tmp_path, "calls-*.jsonl"))
    assert {name: record[name] for name in ("road", "caller", "called", "number", "codec", "digits", "reason")} == {
        "road": "twilio", "caller": "alice", "called": "100", "number": "bakery", "codec": "ulaw/8000",
        "digits": 1, "reason": "the caller hung up",
    }  # fmt: skip


async def test_a_call_that_cannot_be_taken_because_of_a_bug_ends_and_the_bug_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened() as hall:

        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError("a bug")

        monkeypatch.setattr(hall.exchange, "open", fail)
        line = Line(hall)
        await line.say(start(**PARAMETERS))
        assert (line.closed, line.ended) == ((1011, "internal error"), 1)
        assert "a bug" in caplog.text


async def test_a_call_whose_sound_fails_ends_and_the_bug_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened() as hall:
        line = Line(hall)
        await line.say(start(**PARAMETERS))

        def fail(*_: Any) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(PhoneCall, "receive_audio", fail)
        await line.say(MEDIA)
        assert (line.closed, line.ended) == ((1000, "the call has ended"), 1)
        assert "a bug" in caplog.text


async def test_a_call_is_recorded(tmp_path: Path) -> None:
    async with opened(tmp_path) as hall:
        hall.exchange.telephony = Telephony(
            numbers=(Number(name="r", recording=Recording(is_on=True, consent="none")),)
        )
        line = Line(hall)
        await line.say(start())
        await line.say(*[MEDIA] * 50, {"event": "stop"})
    assert len(only(tmp_path, "*.wav")) == 44 + 24_000 * 4


async def test_the_first_start_counts() -> None:
    async with opened() as hall:
        line = Line(hall)
        await line.say(start(**PARAMETERS), start(**PARAMETERS))
        assert len(hall.accepted) == 1


@pytest.mark.parametrize(
    ("messages", "closed"),
    [
        (["nonsense"], (1003, "a message is not a JSON object")),
        ([b"\0\0"], (1003, "this stream has text messages only")),
        (["x" * 300_000], (1009, "a message is longer than 262144 bytes")),
        ([start(**PARAMETERS | {"token": "wrong"})], (1008, "the token is wrong or missing")),
        ([start(**PARAMETERS | {"token": "r\u00efght"})], (1008, "the token is wrong or missing")),
        ([start(**PARAMETERS | {"to": "300"})], (1008, "nobody answers that number")),
        ([{"event": "stop"}], (1000, "the caller hung up")),
    ],
)
async def test_what_is_no_call(messages: list[Any], closed: tuple[int, str]) -> None:
    async with opened() as hall:
        line = Line(hall, token="right")
        await line.say(*messages)
        assert (line.closed, line.ended, hall.accepted) == (closed, 1, [])
        await line.say(start(**PARAMETERS))
        assert hall.accepted == []


async def test_a_stream_that_is_refused_is_hung_up() -> None:
    async with opened() as hall:
        line = Line(hall, AsteriskWebSocket(), called="300")
        await line.say("MEDIA_START connection_id:c1 format:ulaw")
        assert line.sent == ["HANGUP"]


async def test_a_stream_that_never_begins_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEGIN_SECONDS", 0.0)
    async with opened() as hall:
        line = Line(hall)
        await settle()
        assert line.closed == (1008, "the stream did not begin in time")


async def test_a_stream_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.0)
    async with opened() as hall:
        line = Line(hall)
        await line.say(start(**PARAMETERS))
        await settle()
        assert (line.ended, len(hall.lives)) == (1, 0)


async def test_a_connection_that_takes_nothing_ends_the_call() -> None:
    async with opened() as hall:
        line = Line(hall)
        await line.say(start(**PARAMETERS))
        line.waiting = 2 << 20
        assert line.call._stream is not None
        line.call._stream.tick(0.0)
        await settle()
        assert line.closed == (1000, "the call has ended")


async def test_an_application_decides_over_streams_too() -> None:
    async with opened() as hall:
        line = Line(hall)
        await line.say(start(**PARAMETERS | {"to": "200"}), MEDIA)
        data = hall.application.told[0]["data"]
        assert [(one["name"], one["value"]) for one in data["sip_headers"]] == [
            ("From", "alice"), ("To", "200"), ("X-Call-ID", "CA1"),
        ]  # fmt: skip
        assert hall.exchange.settle(data["call_id"], Verdict(603))
        await settle()
        assert line.closed == (1000, "the call was refused (603)")


async def test_a_caller_who_leaves_while_it_is_decided_is_gone() -> None:
    async with opened() as hall:
        line = Line(hall)
        await line.say(start(**PARAMETERS | {"to": "200"}))
        call_id = hall.application.told[0]["data"]["call_id"]
        line.call.lose("the connection was lost")
        await settle()
        assert hall.exchange.pending(call_id) is None
        assert line.ended == 1


async def test_streams_are_not_transferred() -> None:
    async with opened() as hall:
        assert not Line(hall).call.transfer("+39061234567")
