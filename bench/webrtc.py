"""What a call by WebRTC costs, and how late its echo is: ours beside stock aiortc, each a process of its own.

    python bench/webrtc.py [--quick] [--calls 10,30,50] [--stock-calls 10,20] [--seconds 8]

All callers speak without a pause; the server speaks 40 % of the time and tells four events a second over the data
channel (`full`: all the time, and ten).  The callers run our own path turned round, so that they need little.
The echo goes through a stock aiortc peer at the caller's end in both cases: from the moment at which a sound was spoken
to the moment at which it is handed to the ear, its own jitter buffer included.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import json
import os
import time
from collections.abc import Sequence

import aiortc
import av
import numpy as np
import uvloop
from load.processes import Server, cores, load_average, machine
from load.tables import median, percentile, shown, table
from load.webrtc_calling import Caller, encoded, ports
from load.webrtc_serving import speech

SETTLE_SECONDS = 2.0
HOSTS = {"ours": "127.0.0.1", "stock": "0.0.0.0"}
"""Where callers bind: stock aiortc does not talk with the loopback address."""
CALLS_AT_A_TIME = 5
"""How many callers connect at once."""


class Signalling:
    """Offers go to the server under test, and come back answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Signalling:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def answer(self, offer: str) -> str:
        async with self._lock:
            self._writer.write(json.dumps({"sdp": offer}).encode() + b"\n")
            return str(json.loads(await self._reader.readline())["sdp"])


async def cost(server: Server, host: str, payloads: list[bytes], calls: int, seconds: float) -> list[str]:
    """Return what so many calls cost: the cells of a row."""
    async with Signalling(server.port) as signalling:
        # The first call pays for what is loaded then, which is the process's and not the call's.
        own_ports = await ports(calls + 1, host)
        first = Caller(own_ports.pop(), payloads)
        first.accept(await signalling.answer(first.offer()))
        await asyncio.wait_for(first.opened, 10)
        first.close()
        await asyncio.sleep(1)
        before_kb = server.resident_kb()

        async def call() -> Caller:
            caller = Caller(own_ports.pop(), payloads)
            caller.accept(await signalling.answer(caller.offer()))
            await asyncio.wait_for(caller.opened, 15)
            return caller

        callers: list[Caller] = []
        while len(callers) < calls:
            callers += await asyncio.gather(*(call() for _ in range(min(CALLS_AT_A_TIME, calls - len(callers)))))
        await asyncio.sleep(SETTLE_SECONDS)
        packets = [caller.packets for caller in callers]
        began, began_ms, own = time.monotonic(), server.cpu_ms(), time.process_time()
        await asyncio.sleep(seconds)
        took, used_ms = time.monotonic() - began, server.cpu_ms() - began_ms
        own = time.process_time() - own
        pace = min(caller.packets - count for caller, count in zip(callers, packets, strict=True)) / took
        memory_kb = (server.resident_kb() - before_kb) / calls
        connected = [1000 * caller.connected.result() for caller in callers]
        opened = [1000 * caller.opened.result() for caller in callers]
        for caller in callers:
            caller.close()
        await asyncio.sleep(1)
    return [
        shown(used_ms / took / calls, 1),
        f"{used_ms / took / 10:.0f} %",
        shown(pace, 1),
        shown(memory_kb / 1024, 2),
        shown(median(connected)),
        shown(median(opened)),
        shown(percentile(opened, 0.95)),
        shown(own / took / calls * 1000, 1),
        load_average(),
    ]


class Mouth(aiortc.MediaStreamTrack):
    """Says a short tone once a second, and notes when."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.spoken: list[float] = []
        self._at = 0
        self._began = 0.0

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        # A frame is there when its last sample has been spoken.
        await asyncio.sleep(max(0.0, self._began + (self._at + 960) / 48_000 - loop.time()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        is_tone = self._at // 960 % 50 in (0, 1, 2)
        if self._at // 960 % 50 == 0:
            self.spoken.append(self._began + self._at / 48_000)
        at = np.arange(self._at, self._at + 960)
        sound = 12_000 * np.sin(2 * np.pi * 1000 * at / 48_000) if is_tone else np.zeros(960)
        frame.planes[0].update(sound.astype("<i2").tobytes())
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._at, fractions.Fraction(1, 48_000)
        self._at += 960
        return frame


async def echo(server: Server, seconds: float) -> list[float]:
    """Return the delays of one call's tones from mouth to ear, in milliseconds."""
    loop = asyncio.get_running_loop()
    bundle = aiortc.RTCBundlePolicy.MAX_BUNDLE
    connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[], bundlePolicy=bundle))
    mouth = Mouth()
    connection.addTrack(mouth)
    connection.createDataChannel("oai-events")
    ears: asyncio.Future[aiortc.MediaStreamTrack] = loop.create_future()
    connection.on("track", ears.set_result)
    async with Signalling(server.port) as signalling:
        await connection.setLocalDescription(await connection.createOffer())
        answer = await signalling.answer(connection.localDescription.sdp)
        await connection.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))
        track = await asyncio.wait_for(ears, 10)
        heard: list[float] = []
        quiet_since = 0.0
        end = loop.time() + seconds
        while loop.time() < end:
            frame = await asyncio.wait_for(track.recv(), 10)
            now = loop.time()
            assert isinstance(frame, av.AudioFrame)
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
            loud = np.flatnonzero(np.abs(samples.astype(int)) > 2000)
            if loud.size:
                if now - quiet_since > 0.3:
                    heard.append(now + loud[0] / frame.sample_rate)
                quiet_since = now
        await connection.close()
    delays = []
    for at in heard:
        before = [spoken for spoken in mouth.spoken if spoken < at]
        if before:
            delays.append(1000 * (at - before[-1]))
    return delays[2:]


async def measure(options: argparse.Namespace) -> None:
    print(machine())
    mine, theirs = cores()
    if theirs is not None:
        os.sched_setaffinity(0, theirs)
    payloads = encoded(speech())
    rows = []
    settings = [("ours", calls, "") for calls in options.calls] + [
        ("stock", calls, "") for calls in options.stock_calls
    ]
    settings += [(path, 10, " full") for path in ("ours", "stock")] if not options.quick else []
    for path, calls, full in settings:
        load = ["--talk", "1.0", "--events", "10"] if full else ["--talk", "0.4", "--events", "4"]
        with Server("webrtc_serving.py", "--path", path, *load, cores=mine) as server:
            try:
                cells = await cost(server, HOSTS[path], payloads, calls, options.seconds)
            except TimeoutError:
                cells = ["overrun", *["-"] * 8]
        rows.append([f"{path}, {calls}{full}", *cells])
        print(*rows[-1], flush=True)
    head = ["path, calls", "ms/call-s", "of a core", "packets/s", "MB/call"]
    head += ["secured ms", "channel ms", "p95", "caller ms", "load"]
    print(table("processor time, memory, set-up", head, rows))
    rows = []
    for path in ("ours", "stock"):
        with Server(
            "webrtc_serving.py", "--path", path, "--talk", "0", "--events", "0", "--echo", cores=mine
        ) as server:
            # How the grids of 20 ms of both sides meet is chance, and stays so for a call.
            calls = [await echo(server, options.echo_seconds) for _ in range(options.echo_calls)]
            delays = [delay for call in calls for delay in call]
        rows.append([path, str(len(delays)), shown(median(delays)), shown(min(delays)), shown(max(delays))])
    print(table("echo, mouth to ear, ms", ["path", "sounds", "median", "least", "most"], rows))


def numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",") if each]


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer calls, shorter: half a minute")
    parser.add_argument("--calls", type=numbers, default=[10, 30, 50])
    parser.add_argument("--stock-calls", type=numbers, default=[10, 20])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--echo-seconds", type=float, default=5.0)
    parser.add_argument("--echo-calls", type=int, default=6)
    options = parser.parse_args(arguments)
    if options.quick:
        options.calls, options.stock_calls, options.seconds, options.echo_calls = [10], [5], 4.0, 2
    return options


if __name__ == "__main__":
    uvloop.run(measure(parsed()))
