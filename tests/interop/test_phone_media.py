"""The media process as it is: a process, real sockets, and telephones that speak RTP on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time

import pytest

from telephones import frequency, level, tone
from vivavoce.audio.g711 import pcm_to_ulaw, ulaw_to_pcm
from vivavoce.core.errors import EngineError
from vivavoce.legs.phone import wire
from vivavoce.legs.phone.process import MediaProcess
from vivavoce.rtp.packet import header, is_rtcp

pytestmark = pytest.mark.interop
HOST, PORTS = "127.0.0.1", (40_000, 44_999)


class Owner:
    def __init__(self):
        self.pcm = b""
        self.told = []
        self.played = b""
        self.closed = asyncio.Event()

    def receive_audio(self, pcm):
        self.pcm += pcm

    def item_started(self, item_id):
        self.told.append(("started", item_id))

    def item_played(self, item_id):
        self.told.append(("played", item_id))

    def receive_digit(self, digit):
        self.told.append(("digit", digit))

    def media_connected(self):
        self.told.append("connected")

    def media_closed(self, reason):
        self.told.append(("closed", reason))
        self.closed.set()

    def receive_playback(self, pcm):
        self.played += pcm

    def clip_ended(self, name):
        self.told.append(("clip", name))


class Phone:
    """A telephone that says nothing by itself."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.to = (HOST, port)
        self.number = 0
        self.arrivals = []

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def say(self, pcm):
        data = header(0, False, self.number, self.number * 160, 5) + pcm_to_ulaw(pcm)
        self.number += 1
        self.socket.sendto(data, self.to)

    def read(self):
        """Note what came."""
        while True:
            try:
                data = self.socket.recv(2000)
            except BlockingIOError:
                return
            if not is_rtcp(data):
                self.arrivals.append(data)

    @property
    def pcm(self):
        return b"".join(ulaw_to_pcm(data[12:]) for data in self.arrivals)


async def called(process, timeout=0.0):
    owner = Owner()
    media = await process.open(owner, HOST, PORTS)
    phone = Phone(media.port)
    media.direct(
        wire.Direct(
            media.call, HOST, phone.port, "pcmu", 0, 101, 8000, None, True, True, phone.port, None, None, timeout
        )
    )
    return media, owner, phone


async def test_two_calls_speak_and_hear():
    process = MediaProcess()
    try:
        calls = [await called(process) for _ in range(2)]
        for (media, _, _), hz in zip(calls, (500, 900), strict=True):
            assert media.port % 2 == 0
            media.play("a", tone(hz, 24_000, 1.0).tobytes())
            media.end_item("a")
        speech = [tone(hz, 8000, 1.0) for hz in (1100, 1300)]
        for n in range(50):
            for (_, _, phone), said in zip(calls, speech, strict=True):
                phone.say(said[160 * n :][:160].tobytes())
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        for (_, owner, phone), played, said in zip(calls, (500, 900), (1100, 1300), strict=True):
            phone.read()
            assert sorted(map(str, owner.told)) == ["('played', 'a')", "('started', 'a')", "connected"]
            loud = phone.pcm[4000:14_000]
            assert frequency(loud, 8000) == pytest.approx(played, abs=5)
            heard = owner.pcm
            assert frequency(heard[len(heard) // 3 : 2 * len(heard) // 3], 24_000) == pytest.approx(said, abs=5)
    finally:
        await process.close()


async def test_a_greeting_plays_evenly_while_this_process_is_busy():
    process = MediaProcess()
    try:
        process.load_clip("greeting", tone(600, 24_000, 2.0).tobytes())
        media, owner, phone = await called(process)
        media.play("a", tone(400, 24_000, 1.0).tobytes())
        media.play_clip("greeting")
        await asyncio.sleep(0.1)
        phone.read()
        before = len(phone.arrivals)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:  # nothing else runs here
            phone.read()
        assert len(phone.arrivals) - before >= 60  # of 75, if others leave this machine to it
        assert frequency(phone.pcm[-16_000:], 8000) == pytest.approx(600, abs=5)
        await asyncio.sleep(1.0)
        assert owner.told[:2] == [("clip", "greeting"), ("started", "a")]
    finally:
        await process.close()


async def test_when_the_process_dies_its_calls_end_and_the_next_one_gets_another():
    process = MediaProcess()
    try:
        process.load_clip("greeting", tone(600, 24_000, 0.5).tobytes())
        _, owner, _ = await called(process)
        os.kill(process._link.process.pid, signal.SIGKILL)
        await asyncio.wait_for(owner.closed.wait(), 5)
        assert owner.told == [("closed", "the media process ended")]
        media, _, phone = await called(process)
        media.play_clip("greeting")
        await asyncio.sleep(0.6)
        phone.read()
        assert level(phone.pcm[1600:4800]) > 3000
    finally:
        await process.close()


async def test_what_cannot_be_had_is_an_error_and_the_process_goes_on():
    process = MediaProcess()
    try:
        with pytest.raises(EngineError, match="192\\.0\\.2\\.1 cannot be used"):
            await process.open(Owner(), "192.0.2.1", PORTS)
        taken, _, _ = await called(process)
        with pytest.raises(EngineError, match="none of the UDP ports"):
            await process.open(Owner(), HOST, (taken.port, taken.port + 1))
        assert (await called(process))[0].port
    finally:
        await process.close()


async def test_a_phone_that_is_gone_is_noticed_and_nothing_is_left():
    process = MediaProcess()
    try:
        _, owner, _ = await called(process, timeout=0.5)
        await asyncio.wait_for(owner.closed.wait(), 5)
        assert owner.told == [("closed", "no sound came for 0.5 seconds")]
        pid = process._link.process.pid
    finally:
        await process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
