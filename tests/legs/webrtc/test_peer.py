"""Calls by WebRTC from a stock peer on this machine."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import msgspec
import numpy as np
import pytest

from browsers import LOOPBACK, Browser, Owner, called, caller, pitch, until
from offers import CHROMIUM
from vivavoce.legs.webrtc.offer import OfferError
from vivavoce.legs.webrtc.peer import Peer, TooManyCalls
from vivavoce.legs.webrtc.port import Port
from vivavoce.legs.webrtc.settings import WebrtcSettings
from vivavoce.rtp.packet import header
from vivavoce.rtp.telephone_event import build as build_event
from vivavoce.rtp.telephone_event import press


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    """A port on all addresses: stock aiortc does not talk with the loopback address."""
    port = await Port.open(WebrtcSettings())
    yield port
    port.close()


@pytest.fixture
async def near() -> AsyncIterator[Port]:
    """A port on the loopback address."""
    port = await Port.open(LOOPBACK)
    yield port
    port.close()


def with_settings(port: Port, **settings: object) -> WebrtcSettings:
    port.settings = msgspec.structs.replace(port.settings, **settings)
    return port.settings


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


async def test_only_the_channel_of_the_protocol_counts_or_else_the_first(port: Port) -> None:
    browser, owner = Browser(label="chat"), Owner()
    events = browser.open_channel("oai-events")
    peer = await connected(port, browser, owner)
    await until(lambda: events.readyState == "open" and browser.channel.readyState == "open")
    await until(lambda: len([each for each in owner.told if each[0] == "opened"]) == 2)
    browser.channel.send("to the wrong one")
    events.send("to the right one")
    await until(lambda: owner.frames)
    assert owner.frames == [b"to the right one"]
    peer.hang_up("done")
    await browser.close()


async def test_a_channel_may_be_opened_late(port: Port) -> None:
    browser, owner = Browser(label="first"), Owner()
    peer = await connected(port, browser, owner)
    peer.send(b"one")
    await until(lambda: browser.messages)
    browser.channel.close()
    await until(lambda: browser.channel.readyState == "closed")
    peer.send(b"two")
    browser.open_channel("second")
    await until(lambda: len(browser.messages) == 2)
    assert browser.messages == ["one", "two"]
    peer.hang_up("done")
    await browser.close()


async def test_a_browser_without_a_data_channel_is_heard(port: Port) -> None:
    browser, owner = Browser(label=None), Owner()
    peer = await connected(port, browser, owner)
    peer.send(b"nobody reads this")
    await until(lambda: len(owner.heard) > 4800)
    peer.hang_up("done")
    await browser.close()


async def test_a_browser_that_only_listens_hears(port: Port) -> None:
    browser, owner = Browser(direction="recvonly"), Owner()
    peer = await connected(port, browser, owner)
    await until(lambda: browser.track is not None)
    peer.play("item_1", tone(0.6))
    heard = await browser.hear(25)
    assert pitch(heard[-12_000:], 48_000) == pytest.approx(660, abs=10)
    peer.hang_up("done")
    await browser.close()


async def test_a_browser_without_opus_talks_g711(port: Port) -> None:
    browser, owner = Browser(), Owner()
    peer = Peer(port, owner, port.settings)
    offer = (await browser.offer()).replace("opus/48000/2", "nothing/48000/2")
    answer = await peer.answer(offer)
    assert "PCMU/8000" in answer
    await browser.accept(answer)
    await until(lambda: len(owner.heard) > 36_000)
    assert pitch(np.frombuffer(bytes(owner.heard[-24_000:]), "<i2"), 24_000) == pytest.approx(440, abs=10)
    peer.play("item_1", tone(1.5))
    heard = await browser.hear(75)  # with what has come before
    # A browser plays it at the codec's own 8 kHz.
    assert pitch(heard[-2000:], 8000) == pytest.approx(660, abs=10)
    peer.hang_up("done")
    await browser.close()


async def test_a_camera_is_refused_and_the_rest_works(port: Port) -> None:
    browser, owner = Browser(), Owner()
    browser.connection.addTransceiver("video", direction="recvonly")
    peer = Peer(port, owner, port.settings)
    answer = await peer.answer(await browser.offer())
    assert "m=video 0 " in answer
    peer.hang_up("done")
    await browser.close()


async def test_clearing_tells_what_was_sent(near: Port) -> None:
    owner = Owner()
    peer = Peer(near, owner, near.settings)
    await called(peer)
    peer.play("item_1", tone(2.0))
    await until(lambda: ("started", "item_1") in owner.told)
    before = peer.queued_ms
    (heard,) = peer.clear()
    assert (heard.item_id, heard.pushed_ms) == ("item_1", 2000)
    assert heard.heard_ms == 2000 - before
    assert peer.queued_ms == 0
    peer.hang_up("done")


async def test_keys_are_told(near: Port) -> None:
    owner = Owner()
    peer = Peer(near, owner, near.settings)
    found = await caller()
    offer = found.offer().replace("SAVPF 111", "SAVPF 111 110")
    found.accept(await peer.answer(offer.replace("a=rtpmap:111", "a=rtpmap:110 telephone-event/48000\na=rtpmap:111")))
    await asyncio.wait_for(found.connected, 5)
    await owner.connected.wait()
    for number, event in enumerate(press("5", 48_000)):
        packet = header(110, number == 0, found._sequence, found._timestamp, found._ssrc) + build_event(event)
        found._sequence += 1
        found._send(found._dtls.srtp.protect(packet))
    await until(lambda: ("digit", "5") in owner.told)
    assert [each for each in owner.told if each[0] == "digit"] == [("digit", "5")]
    peer.hang_up("done")


async def test_both_sides_learn_how_well_they_are_heard(port: Port) -> None:
    browser, owner = Browser(), Owner()
    peer = await connected(port, browser, owner)
    await until(lambda: peer.quality().remote_jitter_ms is not None, 8)
    quality = peer.quality()
    assert (quality.loss_ratio, quality.remote_loss_ratio) == (0.0, 0.0)
    assert quality.round_trip_ms is not None
    assert quality.round_trip_ms < 500
    assert quality.packets_received > 20
    assert quality.packets_sent > 20
    peer.hang_up("done")
    await browser.close()


async def test_a_party_that_dies_is_gone_soon(near: Port) -> None:
    settings = with_settings(near, idle_timeout_s=1.0)
    owner = Owner()
    found = await called(Peer(near, owner, settings))
    found._port.close()  # no goodbye: nothing is sent any more
    found._port.ticker.leave(found)
    async with asyncio.timeout(3):
        await owner.closed.wait()
    assert owner.reason == "nothing came for 1 seconds"


@pytest.mark.slow
async def test_a_party_that_only_answers_checks_stays(near: Port) -> None:
    settings = with_settings(near, idle_timeout_s=3.5)
    owner = Owner()
    peer = Peer(near, owner, settings)
    found = await called(peer)
    found._port.ticker.leave(found)
    await asyncio.sleep(8)
    assert not owner.closed.is_set()
    peer.hang_up("done")


async def test_a_browser_that_never_comes_is_given_up(near: Port) -> None:
    settings = with_settings(near, setup_timeout_s=0.1)
    owner = Owner()
    await Peer(near, owner, settings).answer(CHROMIUM)
    assert near.setups == 1
    await asyncio.wait_for(owner.closed.wait(), 2)
    assert (owner.reason, near.setups) == ("no connection was made in 0.1 seconds", 0)


async def test_only_so_many_calls_may_be_connecting(near: Port) -> None:
    settings = with_settings(near, most_setups=1)
    first = Peer(near, Owner(), settings)
    await first.answer(CHROMIUM)
    with pytest.raises(TooManyCalls):
        await Peer(near, Owner(), settings).answer(CHROMIUM)
    first.hang_up("done")
    await Peer(near, Owner(), settings).answer(CHROMIUM)


async def test_another_certificate_than_that_of_the_offer_is_refused(near: Port) -> None:
    owner = Owner()
    peer = Peer(near, owner, near.settings)
    found = await caller()
    own = found._port.identity.fingerprint
    found.accept(await peer.answer(found.offer().replace(own, "00" + own[2:] if own[:2] != "00" else "01" + own[2:])))
    await asyncio.wait_for(owner.closed.wait(), 5)
    assert owner.reason == "the party's certificate is not the one of its offer"
    assert not owner.connected.is_set()


async def test_a_restart_moves_a_call_to_another_address(near: Port) -> None:
    owner = Owner()
    peer = Peer(near, owner, near.settings)
    found = await called(peer)
    before = peer.peer
    offer = found.offer()
    # The caller gets another network: a new socket, and new credentials.
    elsewhere = await caller()
    moved = offer.replace(found._ice.local.ufrag, elsewhere._ice.local.ufrag)
    moved = moved.replace(found._ice.local.password, elsewhere._ice.local.password)
    answer = await peer.renegotiate(moved)
    assert answer.splitlines()[1].split()[2] == "2"
    elsewhere._dtls = found._dtls
    elsewhere.accept(answer)
    await until(lambda: peer.peer != before)
    assert not owner.closed.is_set()
    peer.hang_up("done")


async def test_a_party_that_restarts_again_and_again_takes_no_more_room(near: Port) -> None:
    peer = Peer(near, Owner(), near.settings)
    found = await called(peer)
    offer = found.offer()
    answers = [
        await peer.renegotiate(offer.replace(found._ice.local.ufrag, f"{number:08x}")) for number in range(1, 50)
    ]
    assert len(peer._ufrags) == len(near._by_ufrag) == 4
    assert f"a=ice-ufrag:{peer._ufrags[-1]}" in answers[-1]
    peer.hang_up("done")
    assert near._by_ufrag == {}


async def test_a_later_offer_may_hold_the_call_but_not_change_who_calls(near: Port) -> None:
    owner = Owner()
    peer = Peer(near, owner, near.settings)
    found = await called(peer)
    assert "a=inactive" in await peer.renegotiate(found.offer().replace("a=sendrecv", "a=inactive"))
    count = found.packets
    await asyncio.sleep(0.1)
    assert found.packets <= count + 1
    assert "a=sendrecv" in await peer.renegotiate(found.offer())
    await until(lambda: found.packets > count + 5)
    with pytest.raises(OfferError, match="certificate"):
        await peer.renegotiate(CHROMIUM)
    peer.hang_up("done")


async def test_a_party_that_lets_too_much_wait_is_cut_off(near: Port) -> None:
    settings = with_settings(near, max_queued_bytes=1000)
    owner = Owner()
    peer = Peer(near, owner, settings)
    await peer.answer(CHROMIUM)
    for _ in range(11):
        peer.send(b"x" * 100)
    await asyncio.wait_for(owner.closed.wait(), 1)
    assert owner.reason == "the party is too slow in taking what it is sent"
    peer.send(b"after the end")
    await peer.drain()


async def test_a_message_that_is_too_long_ends_the_call(near: Port) -> None:
    settings = with_settings(near, max_message_bytes=10_000)
    owner = Owner()
    found = await called(Peer(near, owner, settings))
    found.channel.send("x" * 9000)
    await until(lambda: owner.frames)
    found.channel.send("x" * 12_000)
    await asyncio.wait_for(owner.closed.wait(), 2)
    assert owner.reason == "a message is longer than 10000 bytes"
    assert len(owner.frames) == 1


async def test_an_owner_that_raises_ends_its_own_call_alone(near: Port) -> None:
    bad, good = Owner(), Owner()
    bad.on_audio = lambda pcm: 1 / 0
    await called(Peer(near, bad, near.settings))
    peer = Peer(near, good, near.settings)
    await called(peer)
    await asyncio.wait_for(bad.closed.wait(), 2)
    assert bad.reason == "internal error"
    heard = len(good.heard)
    await until(lambda: len(good.heard) > heard)
    peer.hang_up("done")


async def test_a_call_ends_even_where_its_end_cannot_be_told(near: Port) -> None:
    bad, good = Owner(), Owner()
    peer, other = Peer(near, bad, near.settings), Peer(near, good, near.settings)
    await called(peer)
    await called(other)
    peer._channel.close = lambda: 1 / 0
    peer._voice.next_packet = lambda owner: 1 / 0
    await asyncio.wait_for(bad.closed.wait(), 2)
    assert bad.reason == "internal error"
    assert len(near.ticker) == 1
    heard = len(good.heard)
    await until(lambda: len(good.heard) > heard)
    other.hang_up("done")


async def test_a_call_that_ended_is_freed_without_the_collector(near: Port) -> None:
    gc.collect()
    gc.disable()
    try:
        owner = Owner()
        peer = Peer(near, owner, near.settings)
        found = await called(peer)
        parts = [weakref.ref(each) for each in (peer, owner, peer._voice, peer._ice, peer._dtls, peer._channel)]
        peer.hang_up("done")
        await owner.closed.wait()
        del peer, owner
        found.close()
        await asyncio.sleep(0)
        assert [part() for part in parts] == [None] * 6
    finally:
        gc.enable()


async def test_a_party_that_begins_dtls_itself_is_waited_for(near: Port) -> None:
    owner = Owner()
    peer = Peer(near, owner, near.settings)
    found = await caller()
    answer = await peer.answer(found.offer().replace("a=setup:actpass", "a=setup:active"))
    assert "a=setup:passive" in answer
    found.accept(answer)
    await asyncio.wait_for(found.opened, 5)
    peer.hang_up("done")


async def test_a_lite_party_is_called_at_its_candidates(near: Port) -> None:
    owner = Owner()
    peer = Peer(near, owner, near.settings)
    found = await caller()
    where = f"a=candidate:1 1 udp 1 127.0.0.1 {found._port.number} typ host"
    offer = found.offer().replace("t=0 0", "t=0 0\na=ice-lite").replace("a=mid:0", f"{where}\na=mid:0")
    found._ice.is_controlling = False
    found._ice.call = lambda route, now: None  # lite: it answers checks and makes none
    found.accept(await peer.answer(offer))
    await asyncio.wait_for(found.opened, 5)
    peer.hang_up("done")


@pytest.mark.slow
async def test_a_handshake_outlives_a_lost_flight(near: Port) -> None:
    owner = Owner()
    peer = Peer(near, owner, near.settings)
    found = await caller()
    lost: list[bytes] = []
    receive = found.receive

    def lossy(data: bytes, now: float) -> None:
        if data[0] < 64 and len(lost) < 1:
            lost.append(data)
        else:
            receive(data, now)

    found.receive = lossy
    found.accept(await peer.answer(found.offer()))
    await asyncio.wait_for(found.opened, 5)
    assert len(lost) == 1
    peer.hang_up("done")
