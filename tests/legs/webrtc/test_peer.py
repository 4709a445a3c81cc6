"""Calls by WebRTC from a stock peer on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from browsers import Browser, Owner, pitch, until
from vivavoce.legs.webrtc.peer import Peer
from vivavoce.legs.webrtc.port import Port
from vivavoce.legs.webrtc.settings import WebrtcSettings


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    port = await Port.open(WebrtcSettings())
    yield port
    port.close()


def tone(seconds: float, hz: float = 660.0) -> bytes:
    at = np.arange(int(24_000 * seconds))
    return (8000 * np.sin(2 * np.pi * hz * at / 24_000)).astype("<i2").tobytes()


async def connected(port: Port, browser: Browser, owner: Owner) -> Peer:
    peer = Peer(port, owner, port.settings)
    await browser.call(peer)
    async with asyncio.timeout(5):
        await owner.connected.wait()
    return peer


async def test_what_the_browser_says_is_heard(port: Port) -> None:
    browser, owner = Browser(hz=440), Owner()
    peer = await connected(port, browser, owner)
    await until(lambda: len(owner.heard) > 48_000)
    assert pitch(np.frombuffer(bytes(owner.heard[-24_000:]), "<i2"), 24_000) == pytest.approx(440, abs=5)
    peer.hang_up("done")
    await browser.close()
    await owner.closed.wait()
    assert owner.reason == "done"


async def test_what_is_played_is_heard_by_the_browser_and_told(port: Port) -> None:
    browser, owner = Browser(), Owner()
    peer = await connected(port, browser, owner)
    await until(lambda: browser.track is not None)
    peer.play("item_1", tone(1.0))
    peer.end_item("item_1")
    heard = await browser.hear(50)
    assert pitch(heard[-24_000:], 48_000) == pytest.approx(660, abs=5)
    await until(lambda: ("played", "item_1") in owner.told)
    assert owner.told.index(("started", "item_1")) < owner.told.index(("played", "item_1"))
    peer.hang_up("done")
    await browser.close()


async def test_frames_pass_both_ways_and_early_ones_wait_for_the_channel(port: Port) -> None:
    browser, owner = Browser(), Owner()
    peer = Peer(port, owner, port.settings)
    peer.send(b'{"type":"session.created"}')
    await browser.call(peer)
    await until(lambda: browser.messages)
    assert browser.messages == ['{"type":"session.created"}']
    assert browser.channel is not None
    browser.channel.send('{"type":"response.create"}')
    await until(lambda: owner.frames)
    assert owner.frames == [b'{"type":"response.create"}']
    peer.hang_up("done")
    await browser.close()


async def test_a_browser_that_hangs_up_is_gone_at_once(port: Port) -> None:
    browser, owner = Browser(), Owner()
    await connected(port, browser, owner)
    await browser.close()
    async with asyncio.timeout(2):
        await owner.closed.wait()
    assert owner.reason == "the party has ended the connection"
    assert len(port.ticker) == 0
