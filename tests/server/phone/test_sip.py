"""Telephone calls by SIP, where what they need fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from exchanges import StringExchange
from vivavoce.core.errors import EngineError
from vivavoce.server.phone.exchange import CallRefused, Order
from vivavoce.server.phone.sip import SipRoad
from vivavoce.sip import effects as sip
from vivavoce.sip.message import Headers
from vivavoce.telephony import Number, Sip, Telephony

NUMBER = Number(name="bakery", matches=("100",))


class StringMedia:
    """The sound of a call, and the process that it goes through."""

    port = 4000
    call = 1

    def __init__(self) -> None:
        self.hung_up: list[str] = []
        self.opened = 0

    async def open(self, *_: Any) -> StringMedia:
        self.opened += 1
        return self

    def hang_up(self, reason: str) -> None:
        self.hung_up.append(reason)


class StringAgent:
    """Writes down what is asked of it, and stands for what carries it too."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: self.asked.append((name, *given)) or []

    def now(self) -> float:
        return 0.0


class NoLines:
    """What a server has that registers nowhere."""

    def came_by(self, event: sip.Invited) -> str:
        return ""

    def outward(self, name: str) -> None: ...

    def find(self, name: str) -> None: ...

    def address(self, target: str, line: None) -> str:
        raise CallRefused("invalid_value", "A number needs a line to be called by.", "to")


class Road(SipRoad):
    """SIP without a network."""

    def __init__(self, hall: StringExchange) -> None:
        super().__init__(Sip(), hall.exchange, server_tls=None, client_tls=None)
        self.agent, self.media = StringAgent(), StringMedia()
        self._agent = self._signalling = self.agent  # type: ignore[assignment]
        self._lines = NoLines()  # type: ignore[assignment]
        self._media = self.media  # type: ignore[assignment]

    async def invited(self) -> list[Any]:
        """The statuses by which an invitation is refused."""
        hop = sip.Hop("udp", "192.0.2.1", 5060)
        self.happened(sip.Invited("c1", "sip:100@x", "<sip:a@x>", "<sip:100@x>", Headers(), None, hop, None))
        await asyncio.gather(*self._tasks)
        return [given[2] for given in self.agent.asked if given[0] == "reject"]


@pytest.fixture
async def road() -> AsyncIterator[Road]:
    hall = StringExchange(Telephony(numbers=(NUMBER,)))
    yield Road(hall)
    await hall.close()


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), EngineError("no media")])
async def test_a_call_that_cannot_be_taken_is_refused(
    road: Road, failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> Any:
        raise failure

    monkeypatch.setattr(road.media, "open", fail)
    assert await road.invited() == [500]
    assert str(failure) in caplog.text


async def test_a_call_that_cannot_go_out_leaves_no_media_behind(road: Road) -> None:
    with pytest.raises(CallRefused, match="needs a line"):
        await road.dial(Order(target="100", number=NUMBER), "rtc_1")
    assert (road.media.opened, road.media.hung_up) == (1, ["not placed"])
