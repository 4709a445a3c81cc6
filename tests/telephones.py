"""Telephones for tests of the media engine: sockets without a network, and the packets of one party."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np

from vivavoce.audio.g711 import pcm_to_ulaw, ulaw_to_pcm
from vivavoce.legs.phone import wire
from vivavoce.legs.phone.engine import Engine
from vivavoce.rtp.packet import header, parse

PARTY = ("192.0.2.7", 4000)
_numbers = itertools.count(1000)


class FakeSocket:
    """A socket whose datagrams are put in and taken out by hand."""

    def __init__(self, port):
        self.port = port
        self.number = next(_numbers)
        self.inbox = deque()
        self.sent = []
        self.is_closed = False

    def fileno(self):
        return self.number

    def getsockname(self):
        return ("127.0.0.1", self.port)

    def recvfrom(self, size):
        if not self.inbox:
            raise BlockingIOError
        data = self.inbox.popleft()
        if isinstance(data, OSError):
            raise data
        return data[0][:size], data[1]

    def recv(self, size):
        return self.recvfrom(size)[0]

    def sendto(self, data, address):
        assert not self.is_closed
        self.sent.append((data, address))

    def close(self):
        self.is_closed = True


class FakePoll:
    """A poll that knows which of the sockets have something."""

    def __init__(self):
        self.sockets = {}
        self.watched = set()

    def register(self, fd, eventmask):
        self.watched.add(fd)

    def unregister(self, fd):
        self.watched.remove(fd)

    def poll(self, timeout):
        assert timeout == 0
        return [(fd, 1) for fd in sorted(self.watched) if self.sockets[fd].inbox]


class Exchange:
    """An engine with a clock of its own, and one telephone for each call."""

    def __init__(self, calls=8):
        self.poll = FakePoll()
        self.pairs = {}
        self._port = itertools.count(20_000, 2)
        self._chance = itertools.cycle([0.5, 0.25, 0.75, 0.1])
        self.engine = Engine(self.poll, lambda: next(self._chance), calls, self._take)
        self.now = 100.0
        self.last = None

    def _take(self, host, ports, chance):
        port = next(self._port)
        pair = FakeSocket(port), FakeSocket(port + 1)
        self._latest = pair
        for each in pair:
            self.poll.sockets[each.number] = each
        return pair

    def order(self, *orders):
        for order in orders:
            self.engine.obey(order, self.now)

    def open(self, call=1, **terms):
        self.order(wire.Open(call, "127.0.0.1", (20_000, 29_999)))
        phone = Telephone(self, call, self._latest)
        phone.direct(**terms)
        return phone

    def tick(self, passed=1):
        """Let 20 ms pass, of which the engine hears at their end."""
        self.now += 0.02 * passed
        self.last = self.engine.tick(self.now, passed)
        return self.last

    def ticks(self, count):
        return [self.tick() for _ in range(count)]


class Telephone:
    """The party of one call."""

    def __init__(self, exchange, call, pair):
        self.exchange = exchange
        self.call = call
        self.sound, self.reports = pair
        self.sequence, self.timestamp, self.ssrc = 10, 5000, 77
        self.at = PARTY

    def direct(self, **terms):
        agreed = {
            "host": PARTY[0],
            "port": PARTY[1],
            "codec": "pcmu",
            "payload_type": 0,
            "keys_type": 101,
            "keys_clock_hz": 8000,
            "noise_type": 13,
            "sends": True,
            "receives": True,
            "rtcp_port": PARTY[1] + 1,
            "sending": None,
            "receiving": None,
            "timeout_seconds": 30.0,
        }
        self.exchange.order(wire.Direct(self.call, **{**agreed, **terms}))

    def say(self, payload, *, payload_type=0, ticks=160, source=None, protect=lambda data: data):
        """Send one packet."""
        data = header(payload_type, False, self.sequence, self.timestamp, self.ssrc) + payload
        self.sequence += 1
        self.timestamp += ticks
        self.sound.inbox.append((protect(data), source or self.at))

    def say_pcm(self, pcm, **options):
        self.say(pcm_to_ulaw(pcm), **options)

    def heard(self):
        """The packets that were sent to it since the last time, but reports."""
        packets = [parse(data) for data, _ in self.sound.sent]
        self.sound.sent.clear()
        return packets

    def heard_pcm(self):
        return b"".join(ulaw_to_pcm(packet.payload) for packet in self.heard() if packet.payload_type == 0)


def tone(hz, rate_hz, seconds, amplitude=8000):
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.rint(amplitude * np.sin(2 * np.pi * hz * t)).astype("<i2")


def level(pcm):
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.sqrt((samples**2).mean())) if len(samples) else 0.0


def frequency(pcm, rate_hz):
    """The loudest frequency in Hz."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return float(np.argmax(np.abs(np.fft.rfft(samples * np.hanning(len(samples))))) * rate_hz / len(samples))
