"""The one port of all calls, and what strangers can do to it."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import tracemalloc
from collections.abc import AsyncIterator
from struct import pack
from typing import Any

import msgspec
import pytest

from browsers import LOOPBACK, Owner, called, until
from offers import CHROMIUM
from vivavoce.legs.webrtc import stun
from vivavoce.legs.webrtc.peer import Peer
from vivavoce.legs.webrtc.port import Advertised, Port
from vivavoce.rtp.packet import header


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    port = await Port.open(LOOPBACK)
    yield port
    port.close()


@pytest.fixture
def stranger() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.setblocking(False)
        yield found


async def settled(port: Port) -> None:
    """Return when everything that was sent has been read."""
    for _ in range(20):
        await asyncio.sleep(0)


def check(ufrag: str, password: str = "guess") -> bytes:
    return stun.build(stun.REQUEST, os.urandom(12), [(stun.USERNAME, f"{ufrag}:4ZcD".encode())], password.encode())


async def test_addresses_are_those_that_were_bound_or_are_advertised() -> None:
    settings = msgspec.structs.replace(LOOPBACK, advertise=(("203.0.113.7", None), ("2001:db8::7", 50_000)))
    port = await Port.open(settings)
    assert port.advertised == (Advertised("203.0.113.7", port.number), Advertised("2001:db8::7", 50_000))
    port.close()
    port = await Port.open(LOOPBACK)
    assert port.advertised == (Advertised("127.0.0.1", port.number),)
    port.close()
    port = await Port.open(msgspec.structs.replace(LOOPBACK, hosts=("0.0.0.0",)))
    assert port.advertised[-1] == Advertised("127.0.0.1", port.number)
    port.close()


async def test_ipv6_is_bound_on_the_same_number() -> None:
    try:
        port = await Port.open(msgspec.structs.replace(LOOPBACK, hosts=("127.0.0.1", "::1")))
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert port.advertised == (Advertised("127.0.0.1", port.number), Advertised("::1", port.number))
    owner = Owner()
    peer = Peer(port, owner, port.settings)
    port._advertised = port.advertised[1:]
    from browsers import SILENCE, Caller

    caller = Caller(await Port.open(msgspec.structs.replace(LOOPBACK, hosts=("::1",))), SILENCE)
    caller.accept(await peer.answer(caller.offer()))
    await asyncio.wait_for(caller.opened, 5)
    assert peer.peer.startswith("::1:")
    peer.hang_up("done")
    port.close()


async def test_a_taken_port_is_an_error_and_leaves_nothing_open(port: Port) -> None:
    with pytest.raises(OSError, match=r"in use|already"):
        await Port.open(msgspec.structs.replace(LOOPBACK, port=port.number))


async def test_strangers_get_no_answer(port: Port, stranger: socket.socket) -> None:
    await Peer(port, Owner(), port.settings).answer(CHROMIUM)
    for data in (b"\x80" * 40, b"\x16\xfe\xff" + bytes(60), check("nobody"), b"\0\1" + bytes(18), b"\1\1" + bytes(30)):
        stranger.sendto(data, ("127.0.0.1", port.number))
    await settled(port)
    assert (port.counts.strangers, port.counts.unknown) == (2, 3)
    with pytest.raises(BlockingIOError):
        stranger.recv(2000)


async def test_guesses_are_limited_for_each_address(port: Port, stranger: socket.socket) -> None:
    peer = Peer(port, Owner(), port.settings)
    await peer.answer(CHROMIUM)
    ufrag = peer._ice.local.ufrag
    for _ in range(300):
        stranger.sendto(check(ufrag), ("127.0.0.1", port.number))
        await asyncio.sleep(0)
    await until(lambda: port.counts.refused + port.counts.limited == 300)
    assert 200 <= port.counts.refused < 260
    assert port.counts.limited == 300 - port.counts.refused
    assert peer._ice.paths == []
    with pytest.raises(BlockingIOError):
        stranger.recv(2000)


async def test_an_address_is_led_to_another_call_only_when_it_has_answered_that_call(port: Port) -> None:
    first, second = Peer(port, Owner(), port.settings), Peer(port, Owner(), port.settings)
    await called(first)
    (route,) = first._routes
    await second.answer(CHROMIUM)
    # Whoever knows the second call's password can write the first one's address on a datagram, but not answer.
    forged = stun.parse(check(second._ice.local.ufrag, second._ice.local.password))
    assert forged is not None
    assert second.receive_check(forged, route, port.now)
    assert route.socket.sinks[route.address] is first
    first.hang_up("done")
    second.hang_up("done")
    assert route.socket.sinks == {}


async def test_a_call_has_only_so_many_addresses(port: Port) -> None:
    peer = Peer(port, Owner(), port.settings)
    await peer.answer(CHROMIUM)
    own = check(peer._ice.local.ufrag, peer._ice.local.password)
    strangers = []
    for _ in range(50):
        strangers.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        strangers[-1].sendto(own, ("127.0.0.1", port.number))
    await until(lambda: len(peer._routes) == 32)
    await settled(port)
    assert sum(len(each.sinks) for each in port._sockets) == 32
    peer.hang_up("done")
    assert sum(len(each.sinks) for each in port._sockets) == 0
    for each in strangers:
        each.close()


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Return a datagram with some bytes turned, cut, doubled or added."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                changed[at:at] = chance.randbytes(chance.randint(1, 9))
            case 2:
                del changed[at : at + chance.randint(1, 9)]
            case _:
                changed[at : at + 2] = pack("!H", chance.choice((0, 1, 0x7FFF, 0xFFFF)))
    return bytes(changed)


async def test_ten_thousand_damaged_datagrams_harm_no_call(port: Port, stranger: socket.socket) -> None:
    """Some come from the address of a call itself: that call may end, the other must not notice."""
    chance = random.Random(6)
    good_owner, bad_owner = Owner(), Owner()
    good, bad = Peer(port, good_owner, port.settings), Peer(port, bad_owner, port.settings)
    good_caller, bad_caller = await called(good), await called(bad)
    waiting = Peer(port, Owner(), port.settings)
    await waiting.answer(CHROMIUM)
    seen: list[bytes] = []
    send = bad_caller._send
    assert bad_caller._dtls is not None
    bad_caller._send = bad_caller._dtls._send = lambda data: (seen.append(data), send(data))
    bad_caller.channel.send("hello")
    await until(lambda: len(seen) > 10 and any(data[0] < 64 for data in seen))
    own = check(waiting._ice.local.ufrag, waiting._ice.local.password)
    samples = [*seen, own, own, check(bad._ice.local.ufrag, bad._ice.local.password), b"\x16\xfe\xfd" + bytes(70)]
    before = len(good_owner.heard)
    target = ("127.0.0.1", port.number)
    for number in range(10_000):
        data = mutated(chance, chance.choice(samples))
        if data and number % 2:
            stranger.sendto(data, target)
        elif data:
            send(data)
        if number % 20 == 0:
            await asyncio.sleep(0)
    await until(lambda: len(good_owner.heard) > before + 9600)
    good_caller.channel.send("still here")
    await until(lambda: good_owner.frames)
    assert not good_owner.closed.is_set()
    assert bad_owner.reason != "internal error"
    for peer in (good, bad, waiting):
        peer.hang_up("done")


async def test_damaged_messages_of_a_party_end_at_most_its_own_call(port: Port) -> None:
    """What the party itself secures is trusted by DTLS, and may still be nonsense."""
    chance = random.Random(7)
    good_owner = Owner()
    good = Peer(port, good_owner, port.settings)
    await called(good)
    for _ in range(6):
        owner = Owner()
        peer = Peer(port, owner, port.settings)
        found = await called(peer)
        dtls = found._dtls
        assert dtls is not None
        seen: list[bytes] = []
        send = dtls.send
        found._association._sctp.transport._send = lambda data, seen=seen, send=send: (seen.append(data), send(data))
        found.channel.send("hello")
        await until(lambda seen=seen: seen)
        for _ in range(100):
            send(mutated(chance, chance.choice(seen)))
            found._sequence += chance.choice((1, 1, 1, 90))
            packet = header(111, False, found._sequence, chance.getrandbits(32), found._ssrc)
            found._send(dtls.srtp.protect(packet + chance.randbytes(chance.randrange(300))))
            reports = pack("!BBHI", 0x80 | chance.randrange(32), 200 + chance.randrange(8), chance.randrange(9), 7)
            found._send(dtls.srtp.protect_rtcp(reports + chance.randbytes(4 * chance.randrange(12))))
        await asyncio.sleep(0.02)
        peer.hang_up("done")
        found.close()
    assert not good_owner.closed.is_set()
    good.hang_up("done")


async def churned(port: Port, count: int) -> None:
    for _ in range(count):
        owner = Owner()
        peer = Peer(port, owner, port.settings)
        found = await called(peer)
        found.close()
        peer.hang_up("done")
        await owner.closed.wait()


@pytest.mark.slow
async def test_five_hundred_calls_leave_nothing_behind(port: Port) -> None:
    await churned(port, 50)
    tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    tracemalloc.start()
    begin = tracemalloc.get_traced_memory()[0]
    await churned(port, 450)
    await asyncio.sleep(0.1)
    gc.collect()  # the callers refer to themselves
    grown = tracemalloc.get_traced_memory()[0] - begin
    tracemalloc.stop()
    assert len(asyncio.all_tasks()) <= tasks
    assert len(os.listdir("/proc/self/fd")) <= files
    assert (len(port.ticker), port.setups, port._by_ufrag, port._by_tag) == (0, 0, {}, {})
    assert all(not each.sinks for each in port._sockets)
    assert grown < 450 * 1024
