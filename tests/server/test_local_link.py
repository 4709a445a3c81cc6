"""The engines of this process as an upstream."""

from __future__ import annotations

from typing import Any

from callers import settle
from vivavoce.server.local_link import LocalLink


class Party:
    """Whoever is at one end, and what it heard."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def receive_frame(self, data: bytes) -> None:
        self.heard.append(data)

    def leg_closed(self, code: int, reason: str) -> None:
        self.heard.append((code, reason))


async def _linked() -> tuple[LocalLink, Party, Party]:
    link, call, relay = LocalLink(), Party(), Party()
    link.call = call
    link.end.send(b"early")
    link.attach(relay)
    await settle()
    return link, call, relay


async def test_what_the_call_said_before_anybody_listened_is_heard() -> None:
    _, _, relay = await _linked()
    assert relay.heard == [b"early"]


async def test_the_call_is_heard_soon_but_never_at_once() -> None:
    link, call, relay = await _linked()
    link.send(b"to the call")
    link.end.send(b"one")
    link.end.send(b"two")
    assert call.heard == [b"to the call"]
    assert relay.heard == [b"early"]
    await settle()
    assert relay.heard == [b"early", b"one", b"two"]


async def test_a_call_that_ends_is_heard_to_its_last_word() -> None:
    link, _, relay = await _linked()
    link.end.send(b"last")
    link.end.close(1001, "over")
    link.end.send(b"too late")
    await settle()
    assert relay.heard == [b"early", b"last", (1001, "over")]


async def test_a_relay_that_hangs_up_ends_the_call_once() -> None:
    link, call, relay = await _linked()
    link.close(1000, "")
    link.close(1000, "")
    link.send(b"nobody there")
    await settle()
    assert call.heard == [(1000, "")]
    assert relay.heard == [b"early"]


async def test_the_call_waits_while_nobody_listens() -> None:
    import asyncio

    link, _, _ = await _linked()
    link.pause_reading()
    waiting = asyncio.ensure_future(link.end.drain())
    await settle()
    assert not waiting.done()
    link.resume_reading()
    await waiting
