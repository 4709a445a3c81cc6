"""The telephone's media engine: what a call costs, how evenly it is sent to, and how late an echo comes back.

    python bench/telephone_media.py [--calls 1,10,100,200] [--seconds 12] [--codec pcmu|pcma|opus|g722] [--srtp]
                                    [--busy 0.5] [--silent] [--fifo]

A process of its own plays the callers: it sends each call a packet every 20 ms and notes, by the kernel's clock, when
packets come.  The session process here does nothing but say what each caller says, so that all sound goes through both
processes, through both resamplers and back.

    cpu        milliseconds of processor time for a second of a call, in the media process and in the session process;
               the floor is a Python process that takes the same packets and sends others, and does nothing else
    deviation  of the time between two packets from 20 ms, in milliseconds: median, 99 of 100, most
    echo       milliseconds from a click's being sent to its coming back, median and most: of that one packet is
               filled before it is sent, and up to two ticks pass in the media process
    lost       packets that were not answered
    memory     of the media process for each call, in kB

`--fifo` lets the media process and the callers go before all other processes, as far as the system allows it, which
shows what they do by themselves on a machine that others use.  `--busy` keeps the session process busy for this share
of the time, in stretches of 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vivavoce.audio.g711 import pcm_to_alaw, pcm_to_ulaw, ulaw_to_pcm
from vivavoce.legs.phone import wire
from vivavoce.legs.phone.coding import CODECS
from vivavoce.legs.phone.engine_child import Metronome
from vivavoce.legs.phone.media import PhoneMedia
from vivavoce.legs.phone.process import MediaProcess
from vivavoce.legs.phone.secrecy import Secrecy
from vivavoce.rtp.packet import header

HOST = "127.0.0.1"
PORTS = (30_000, 39_999)
TICK = 0.02
CLICK_EVERY = 50
"""Packets between two clicks."""
CUSHION_FRAMES = 1
"""Frames of silence before an echo, so that it never runs dry."""
SO_TIMESTAMPNS = 35
KEY = wire.Secret("AES_CM_128_HMAC_SHA1_80", bytes(range(30)))


class Figures(NamedTuple):
    """What was measured with so many calls."""

    calls: int
    media_cpu: float
    session_cpu: float
    deviation: tuple[float, float, float]
    echo: tuple[float, float]
    lost: int
    memory_kb: float
    floor_cpu: float


# --------------------------------------------------------------------------------------------------- the session's side


class Echo:
    """Says what the caller says."""

    def __init__(self) -> None:
        self.media: PhoneMedia | None = None
        self.heard = 0
        self.is_silent = False
        self.is_connected = False

    def receive_audio(self, pcm: bytes) -> None:
        assert self.media is not None
        if self.is_silent or not self.is_connected:  # the silence before the call is not to be echoed
            return
        if not self.heard:
            self.media.play("echo", bytes(wire.FRAME_BYTES * CUSHION_FRAMES))
        self.heard += len(pcm)
        self.media.play("echo", pcm)

    def item_started(self, item_id: str) -> None: ...

    def item_played(self, item_id: str) -> None: ...

    def receive_digit(self, digit: str) -> None: ...

    def media_connected(self) -> None:
        self.is_connected = True

    def media_closed(self, reason: str) -> None: ...

    def clip_ended(self, clip: str) -> None: ...

    def receive_playback(self, pcm: bytes) -> None: ...


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, with the threads it has."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


async def keep_busy(share: float) -> None:
    """Keep this process busy, as decoding, encoding and dialogue would."""
    while True:
        until = time.perf_counter() + 0.05 * share
        while time.perf_counter() < until:
            json.loads(json.dumps(list(range(200))))
        await asyncio.sleep(0.05 * (1 - share))


async def called(ports: list[int], arguments: argparse.Namespace) -> tuple[asyncio.subprocess.Process, list[int]]:
    """Start the callers of some ports, who wait for a line, and return them and their own ports."""
    plan = {"ports": ports, "seconds": arguments.seconds, "codec": arguments.codec, "srtp": arguments.srtp}
    generator = await started("--generate", plan)
    if arguments.fifo:
        os.sched_setscheduler(generator.pid, os.SCHED_FIFO, os.sched_param(5))
    assert generator.stdout is not None
    return generator, json.loads(await generator.stdout.readline())


async def started(work: str, plan: object) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 26
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan).encode() + b"\n")
    return process


async def floor_cpu(calls: int, arguments: argparse.Namespace) -> float:
    """Return the processor time of a process that only takes packets and sends others."""
    floor = await started("--floor", calls)
    assert floor.stdin is not None
    assert floor.stdout is not None
    generator, theirs = await called(json.loads(await floor.stdout.readline()), arguments)
    assert generator.stdin is not None
    floor.stdin.write(json.dumps(theirs).encode() + b"\n")
    generator.stdin.write(b"go\n")
    await asyncio.sleep(2.0)
    cpu, began = cpu_seconds(floor.pid), time.monotonic()
    await asyncio.sleep(arguments.seconds - 3.0)
    cpu = cpu_seconds(floor.pid) - cpu
    seconds = time.monotonic() - began
    await generator.communicate()
    floor.kill()
    await floor.wait()
    return 1000 * cpu / seconds / calls


async def measured(calls: int, arguments: argparse.Namespace) -> Figures:
    process = MediaProcess()
    echoes = [Echo() for _ in range(calls)]
    first = await process.open(echoes[0], HOST, PORTS)
    first.hang_up("only to start the process")
    assert process._link is not None
    assert process._link.process is not None
    pid = process._link.process.pid
    before_kb = memory_kb(pid)
    for echo in echoes:
        echo.is_silent = arguments.silent
        echo.media = await process.open(echo, HOST, PORTS)
    if arguments.fifo:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(10))
    ports = [echo.media.port for echo in echoes if echo.media]
    generator, theirs = await called(ports, arguments)
    assert generator.stdin is not None
    assert generator.stdout is not None
    secret = KEY if arguments.srtp else None
    for echo, port in zip(echoes, theirs, strict=True):
        assert echo.media is not None
        echo.media.direct(
            wire.Direct(
                echo.media.call, HOST, port, arguments.codec, 0, 101, 8000, None, True, True, port, secret, secret, 0.0
            )
        )
    busy = asyncio.create_task(keep_busy(arguments.busy)) if arguments.busy else None
    generator.stdin.write(b"go\n")
    await asyncio.sleep(2.0)  # the beginning is not counted
    media_began, own_began, began = cpu_seconds(pid), cpu_seconds(os.getpid()), time.monotonic()
    await asyncio.sleep(arguments.seconds - 3.0)
    media_cpu, own_cpu = cpu_seconds(pid) - media_began, cpu_seconds(os.getpid()) - own_began
    call_seconds = calls * (time.monotonic() - began)
    used_kb = memory_kb(pid) - before_kb
    found: dict[str, Any] = json.loads(await generator.stdout.readline())
    await generator.wait()
    if busy is not None:
        busy.cancel()
    await process.close()
    return Figures(
        calls,
        1000 * media_cpu / call_seconds,
        1000 * own_cpu / call_seconds,
        tuple(found["deviation"]),
        tuple(found["echo"]),
        found["lost"],
        used_kb / calls,
        await floor_cpu(calls, arguments),
    )


# --------------------------------------------------------------------------------------------------- the callers' side


class Caller:
    """One call as a telephone holds it."""

    def __init__(self, port: int, number: int, plan: dict[str, Any], payloads: tuple[bytes, bytes]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        self._to = (HOST, port)
        self._number = number
        self._quiet, self._click = payloads
        self._secrecy = Secrecy(KEY, sends=True) if plan["srtp"] else None
        self._step = 960 if plan["codec"] == "opus" else 160
        self.sent = 0
        self.clicks: list[float] = []
        self.arrivals: list[tuple[float, bytes]] = []

    def send(self) -> None:
        is_click = self.sent % CLICK_EVERY == 10
        self.sent += 1
        data = header(0, self.sent == 1, self.sent, self.sent * self._step, self._number + 1)
        data += self._click if is_click else self._quiet
        if self._secrecy is not None:
            data = self._secrecy.protect(data)
        if is_click:
            self.clicks.append(time.time())
        self.socket.sendto(data, self._to)

    def receive(self) -> None:
        while True:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if not 192 <= data[1] <= 223:
                seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2])
                self.arrivals.append((seconds + nanoseconds / 1e9, data))


def payloads_of(codec: str) -> tuple[bytes, bytes]:
    """Return a quiet packet and one with a click."""
    name: Any = codec
    rate = CODECS[name].rate_hz
    quiet = np.random.default_rng(1).normal(0, 30, rate // 50).astype("<i2").tobytes()
    click = np.zeros(rate // 50, "<i2")
    click[: rate // 200] = 20_000 * np.sin(2 * np.pi * 1000 * np.arange(rate // 200) / rate)
    if codec == "pcmu":
        return pcm_to_ulaw(quiet), pcm_to_ulaw(click.tobytes())
    if codec == "pcma":
        return pcm_to_alaw(quiet), pcm_to_alaw(click.tobytes())
    from vivavoce.legs.phone.coding import encoding

    encoder = encoding(name)
    assert encoder is not None
    for _ in range(5):
        silent = encoder.encode(quiet)
    return silent, encoder.encode(click.tobytes())


def generate() -> None:
    plan = json.loads(sys.stdin.readline())
    payloads = payloads_of(plan["codec"])
    callers = [Caller(port, number, plan, payloads) for number, port in enumerate(plan["ports"])]
    print(json.dumps([caller.socket.getsockname()[1] for caller in callers]), flush=True)
    sys.stdin.readline()
    chance = random.Random(1)
    began = time.monotonic() + 0.1
    # Every call has its own millisecond of the 20.
    due = sorted((began + chance.randrange(20) / 1000, number) for number in range(len(callers)))
    for tick in range(int(plan["seconds"] / TICK)):
        for at, number in due:
            wait = at + tick * TICK - time.monotonic()
            if wait > 0.0005:
                time.sleep(wait)
            callers[number].send()
        for caller in callers:
            caller.receive()
    time.sleep(0.1)
    deviations, echoes, lost = [], [], 0
    reveal = Secrecy(KEY, sends=False).reveal if plan["srtp"] else None
    for caller in callers:
        caller.receive()
        arrivals = caller.arrivals
        times = np.array([at for at, _ in arrivals])[50:]
        deviations += list(np.abs(np.diff(times) - TICK) * 1000)
        lost += max(0, caller.sent - 10 - len(arrivals))
        if plan["codec"] == "pcmu":
            loud = []
            for at, data in arrivals:
                payload = (reveal(data) if reveal else data)[12:]
                if np.abs(np.frombuffer(ulaw_to_pcm(payload), "<i2").astype(int)).max() > 5000:
                    loud.append(at)
            for click in caller.clicks[2:]:
                after = [at for at in loud if at > click]
                if after:
                    echoes.append(1000 * (after[0] - click) + 1000 * TICK)  # a packet is sent when it is full
    figures = {
        "deviation": [float(np.percentile(deviations, q)) for q in (50, 99, 100)],
        "echo": [float(np.median(echoes)), float(max(echoes))] if echoes else [float("nan")] * 2,
        "lost": lost,
    }
    print(json.dumps(figures), flush=True)


def floor() -> None:
    """Take and send packets, and nothing else."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(json.loads(sys.stdin.readline()))]
    poll, by_fd = select.poll(), {each.fileno(): each for each in sockets}
    for each in sockets:
        each.bind((HOST, 0))
        poll.register(each, select.POLLIN)
    print(json.dumps([each.getsockname()[1] for each in sockets]), flush=True)
    targets = [(HOST, port) for port in json.loads(sys.stdin.readline())]
    metronome, data = Metronome(), header(0, False, 1, 1, 1) + bytes(160)
    while True:
        metronome.wait()
        for each, target in zip(sockets, targets, strict=True):
            each.sendto(data, target)
        while ready := poll.poll(0):
            for fd, _ in ready:
                by_fd[fd].recvfrom(2048)


def main() -> None:
    if "--generate" in sys.argv:
        generate()
        return
    if "--floor" in sys.argv:
        floor()
        return
    parser = argparse.ArgumentParser(description="What the telephone's media engine costs and how even it is.")
    parser.add_argument("--calls", default="1,10,100,200")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--codec", choices=sorted(CODECS), default="pcmu")
    parser.add_argument("--srtp", action="store_true")
    parser.add_argument("--busy", type=float, default=0.0, help="share of the time the session process is busy")
    parser.add_argument("--silent", action="store_true", help="say nothing to the callers")
    parser.add_argument("--fifo", action="store_true", help="put the media process and the callers first")
    arguments = parser.parse_args()
    kind = arguments.codec + (" srtp" if arguments.srtp else "") + (" silent" if arguments.silent else "")
    print(f"{kind}, session process busy {arguments.busy:.0%}, load {os.getloadavg()[0]:.1f}\n")
    print(
        f"{'calls':>5} {'cpu media / session / floor':>28} {'deviation':>22} {'echo':>12} {'lost':>5} {'kB a call':>10}"
    )
    for calls in map(int, arguments.calls.split(",")):
        f = asyncio.run(measured(calls, arguments))
        deviation = " / ".join(f"{each:.2f}" for each in f.deviation)
        echo = f"{f.echo[0]:.0f} / {f.echo[1]:.0f}"
        cpu = f"{f.media_cpu:.2f} / {f.session_cpu:.2f} / {f.floor_cpu:.2f}"
        print(f"{f.calls:5} {cpu:>28} {deviation:>22} {echo:>12} {f.lost:5} {f.memory_kb:10.0f}", flush=True)


if __name__ == "__main__":
    main()
