"""The telephone as a whole: what calls cost a server, how evenly it sends, and how late an echo comes.

    python bench/telephone.py [--calls 1,10,100,200] [--seconds 10] [--held 0.5] [--setups 400] [--flood 0]
                              [--other COMMAND]

SIPp makes the calls and streams G.711 into them (apt install sip-tester); the number that is called says what it hears,
so that all sound goes through both resamplers and both processes.  SIPp does not look at what it is sent, so up to five
of the calls are made by a process of this script, which notes by the kernel's clock when packets come.

    cpu        milliseconds of processor time, of all processes of the server, for a second of a call; and what of that
               is its first process, which of ours holds the sessions and not the sound
    deviation  of the time between two packets from 20 ms, in milliseconds: median, 99 of 100, most
    echo       milliseconds from a click's being said to its being heard, median and most
    beyond     what of that is neither the server's delay line nor the packet that is filled before it is sent
    memory     of all processes of the server for each call, in kB
    set-ups    calls that begin and end at once, a second, and the processor time of each in milliseconds

`--held` stops the session process for this share of the time, 25 ms in 50: nothing is heard or said by it meanwhile.
`--flood` has somebody begin a thousand calls a second for so many seconds, while five others stand and are measured.
`--other` is another server to measure beside ours: a command that takes `--ip`, `--port` and `--delay` milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vivavoce.audio.g711 import pcm_to_ulaw, ulaw_to_pcm
from vivavoce.rtp.packet import header

SERVER = "127.0.0.1"
MOST_PROBES = 5
CLICK_EVERY, CLICK_AT = 50, 10
"""Packets between two clicks, and which of them has one."""
CLICK_SAMPLE = 80
PACKET_MS = 20.0
OWN_LINE_MS = 60.0
"""What our number that echoes keeps in stock."""
OTHER_LINE_MS = 100.0
SO_TIMESTAMPNS = 35
TICKS_HZ = os.sysconf("SC_CLK_TCK")

DESCRIPTION = """v=0
o=b 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
"""
HEAD = """{method} {uri} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:bench@[local_ip]:[local_port]>;tag=[pid]B[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>{tag}
Call-ID: [call_id]
CSeq: {number} {method}
Contact: <sip:bench@[local_ip]:[local_port]>
Max-Forwards: 70
"""


class Figures(NamedTuple):
    """What was measured with so many calls."""

    calls: int
    cpu_ms: float
    session_ms: float
    deviation: tuple[float, float, float]
    echo: tuple[float, float]
    memory_kb: float
    lost: int
    failed: int


class Server(NamedTuple):
    """A server under test."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    line_ms: float


# ------------------------------------------------------------------------------------------------------------- servers


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((SERVER, 0))
        return int(free.getsockname()[1])


def tree(pid: int) -> list[int]:
    """Return a process and all that it started."""
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [pid, *(each for child in children for each in tree(child))]


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a server."""
    return sum(cpu_of(each) for each in tree(pid))


def cpu_of(pid: int) -> float:
    """Return the processor time of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_HZ


def memory_kb(pid: int) -> int:
    """Return the memory of a server."""
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def own_server(folder: Path, rate: float) -> Server:
    port, http_port = free_port(), free_port()
    settings = folder / "telephone.toml"
    settings.write_text(
        f'[sip]\nhost = "{SERVER}"\nudp_port = {port}\ntcp_port = -1\nmax_calls = 1000\ncalls_per_second = {rate}\n'
        'codecs = ["pcmu"]\n[number.echo]\nmodel = "echo"\n'
    )
    program = Path(sys.executable).with_name("vivavoce")
    command = [str(program), "serve", "--port", str(http_port), "--telephone", str(settings)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIVAVOCE_")}
    environment["VIVAVOCE_STATE_DIR"] = str(folder / "state")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    return Server("vivavoce", process, port, OWN_LINE_MS)


def other_server(words: list[str]) -> Server:
    port = free_port()
    command = [*words, "--ip", SERVER, "--port", str(port), "--delay", str(int(OTHER_LINE_MS))]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    return Server("other", process, port, OTHER_LINE_MS)


def await_ready(server: Server) -> None:
    """Return when a call can begin."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, TimeoutError), Probe(server.port, 0) as probe:
            probe.socket.settimeout(0.5)
            probe.call()
            return
    raise SystemExit(f"{server.name} takes no calls")


async def hold_up(pid: int, share: float) -> None:
    """Stop a process for a share of the time."""
    try:
        while True:
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(0.05 * share)
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(0.05 * (1 - share))
    finally:
        os.kill(pid, signal.SIGCONT)


# ---------------------------------------------------------------------------------------------------------------- SIPp


def scenario(folder: Path, *, is_short: bool) -> Path:
    """Write what SIPp does: call, stream, hang up."""

    def said(method: str, number: int, uri: str, tag: str = "", body: str = "") -> str:
        head = HEAD.format(method=method, uri=uri, number=number, tag=tag)
        kind = "Content-Type: application/sdp\n" if body else ""
        again = "" if method == "ACK" else ' retrans="500"'
        return f"<send{again}><![CDATA[\n{head}{kind}Content-Length: [len]\n\n{body}\n]]></send>"

    speech = folder / "speech.ul"
    if not speech.exists():
        time_ = np.arange(16_000) / 8000
        wave = 6000 * np.sin(2 * np.pi * 440 * time_) * (1 + np.sin(2 * np.pi * 3 * time_)) / 2
        speech.write_bytes(pcm_to_ulaw(wave.astype("<i2").tobytes()))
    waits = "".join(f'<recv response="{status}" optional="true"/>' for status in (100, 180, 183))
    middle = "" if is_short else f'<nop><action><exec rtp_stream="{speech},-1,0,PCMU/8000"/></action></nop><pause/>'
    stop = "" if is_short else '<nop><action><exec rtp_stream="pause"/></action></nop>'
    uri = "sip:echo@[remote_ip]:[remote_port]"
    # The tag that the server gave comes back with the To of its answer.
    steps = [
        said("INVITE", 1, uri, body=DESCRIPTION), waits, '<recv response="200" rrs="true"/>',
        said("ACK", 1, "[next_url]", "[peer_tag_param]"), middle, stop,
        said("BYE", 2, "[next_url]", "[peer_tag_param]"), '<recv response="200"/>',
    ]  # fmt: skip
    path = folder / ("short.xml" if is_short else "calls.xml")
    path.write_text('<?xml version="1.0" ?>\n<scenario name="calls">\n' + "\n".join(steps) + "\n</scenario>\n")
    return path


_sources = iter(range(10, 250))


async def sipp(
    folder: Path, server: Server, calls: int, rate: int, seconds: float, *, is_short: bool = False
) -> asyncio.subprocess.Process:
    """Start SIPp, from an address of its own: a server bounds what one address may begin."""
    source = f"127.0.0.{next(_sources)}"
    return await asyncio.create_subprocess_exec(
        "sipp", f"{SERVER}:{server.port}", "-sf", str(scenario(folder, is_short=is_short)), "-i", source, "-mi", source,
        "-p", "5090", "-m", str(calls), "-l", str(calls), "-r", str(rate), "-d", str(int(seconds * 1000)),
        "-mp", "30000", "-nostdin", "-timeout", f"{int(seconds) + 30}s",
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip


def failed_calls(screen: bytes) -> int:
    """Return how many calls failed, by SIPp's last screen."""
    found = re.findall(rb"Failed call\s*\|\s*\d+\s*\|\s*(\d+)", screen)
    return int(found[-1]) if found else -1


# -------------------------------------------------------------------------------------------------------------- probes


class Probe:
    """One call of our own."""

    def __init__(self, port: int, number: int) -> None:
        self._to = (SERVER, port)
        self._name = f"probe-{os.getpid()}-{number}-{time.time_ns()}"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for each in (self.socket, self.sound):
            each.bind((SERVER, 0))
        self.socket.settimeout(10)
        self.sound.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sound.setblocking(False)
        self._sound_to = (SERVER, 0)
        self._peer = f"<sip:echo@{SERVER}>"
        self.sent = 0
        self.clicks: list[float] = []
        self.arrivals: list[tuple[float, int, bytes]] = []

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None:
        self._say("BYE", 2)
        self.socket.close()
        self.sound.close()

    def _say(self, method: str, number: int, body: str = "") -> None:
        host, port = self.socket.getsockname()
        lines = [
            f"{method} sip:echo@{SERVER}:{self._to[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{self._name}{method}", f"From: <sip:b@{host}>;tag=b",
            f"To: {self._peer}", f"Call-ID: {self._name}", f"CSeq: {number} {method}", "Max-Forwards: 70",
            f"Contact: <sip:b@{host}:{port}>", *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}", "", body,
        ]  # fmt: skip
        self.socket.sendto("\r\n".join(lines).encode(), self._to)

    def call(self) -> None:
        """Call and be answered."""
        host, port = self.sound.getsockname()
        body = f"v=0\r\no=b 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        self._say("INVITE", 1, body)
        while not (answer := self.socket.recv(8000).decode()).startswith("SIP/2.0 200"):
            if not answer.startswith("SIP/2.0 1"):
                raise SystemExit(f"a call was refused: {answer.splitlines()[0]}")
        to = next(line for line in answer.splitlines() if line.lower().startswith("to:"))
        self._peer = to.split(":", 1)[1].strip()
        self._sound_to = (SERVER, int(re.findall(r"m=audio (\d+)", answer)[0]))
        self._say("ACK", 1)

    def send(self) -> None:
        """Say 20 ms, with a click in some."""
        pcm = np.zeros(160, "<i2")
        if self.sent % CLICK_EVERY == CLICK_AT:
            pcm[CLICK_SAMPLE : CLICK_SAMPLE + 3] = (12_000, 24_000, 12_000)
            self.clicks.append(time.time())
        self.sent += 1
        packet = header(0, self.sent == 1, self.sent, self.sent * 160, 7) + pcm_to_ulaw(pcm.tobytes())
        self.sound.sendto(packet, self._sound_to)

    def receive(self) -> None:
        """Note what has come."""
        while True:
            try:
                data, ancillary, _, _ = self.sound.recvmsg(2048, 64)
            except BlockingIOError:
                return
            seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2][:16])
            if len(data) > 12 and not 64 <= data[1] & 127 < 96:
                self.arrivals.append((seconds + nanoseconds / 1e9, struct.unpack(">H", data[2:4])[0], data[12:]))

    def echoes(self) -> list[float]:
        """Return how late each click came back, in milliseconds."""
        found = []
        for at, _, payload in self.arrivals:
            pcm = np.frombuffer(ulaw_to_pcm(payload), "<i2")
            peak = int(np.argmax(pcm))
            before = [click for click in self.clicks if click < at]
            if pcm[peak] > 8000 and before:
                found.append(1000 * (at - before[-1]) + (peak - CLICK_SAMPLE - 1) / 8)
        return found


def probe(port: int, count: int, seconds: float) -> None:
    """Make calls, and print what was measured."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(Probe(port, number)) for number in range(count)]
        for each in probes:
            each.call()
        due, ends = time.monotonic(), time.monotonic() + seconds
        while due < ends:
            for each in probes:
                each.send()
            due += 0.02
            while (left := due - time.monotonic()) > 0:
                time.sleep(min(left, 0.005))
                for each in probes:
                    each.receive()
        gaps, echoes, lost = [], [], 0
        for each in probes:
            each.receive()
            kept = each.arrivals[50:]  # the beginning does not count
            gaps += [abs(1000 * (b[0] - a[0]) - 20) for a, b in itertools.pairwise(kept)]
            lost += (kept[-1][1] - kept[0][1] & 0xFFFF) + 1 - len(kept)
            echoes += each.echoes()[1:]
        deviation = (*np.percentile(gaps, (50, 99)), max(gaps))
        late = (statistics.median(echoes), max(echoes)) if echoes else (float("nan"), float("nan"))
        print(json.dumps({"deviation": deviation, "echo": late, "lost": lost}))


def flood(port: int, per_second: int, seconds: float) -> None:
    """Begin calls and take no notice of what is answered; print how many of which answer there were."""
    answers: dict[str, int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.9", 0))
        here.setblocking(False)
        name, own = f"flood-{time.time_ns()}", here.getsockname()[1]
        body = "v=0\r\no=b 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
        began = time.monotonic()
        for number in range(int(per_second * seconds)):
            lines = [
                f"INVITE sip:echo@{SERVER}:{port} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.9:{own};branch=z9hG4bK{number}",
                f"From: <sip:f@127.0.0.9>;tag={number}", f"To: <sip:echo@{SERVER}>", f"Call-ID: {name}-{number}",
                "CSeq: 1 INVITE", "Max-Forwards: 70", f"Contact: <sip:f@127.0.0.9:{own}>",
                "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", body,
            ]  # fmt: skip
            here.sendto("\r\n".join(lines).encode(), (SERVER, port))
            with contextlib.suppress(BlockingIOError):
                while True:
                    status = here.recv(4000)[8:11].decode()
                    answers[status] = answers.get(status, 0) + 1
            time.sleep(max(0.0, began + number / per_second - time.monotonic()))
    print(json.dumps(answers))


# ---------------------------------------------------------------------------------------------------------------- runs


@contextlib.asynccontextmanager
async def load(folder: Path, server: Server, calls: int, seconds: float) -> AsyncIterator[list[int]]:
    """So many calls by SIPp; what is given is a list that tells at the end how many failed."""
    failed: list[int] = []
    if not calls:
        yield failed
        return
    process = await sipp(folder, server, calls, 50, seconds)
    yield failed
    screen, _ = await process.communicate()
    failed.append(failed_calls(screen))


async def measured(folder: Path, server: Server, calls: int, seconds: float, held: float) -> Figures:
    """Measure a server with so many calls."""
    probes = min(calls, MOST_PROBES)
    before_kb = memory_kb(server.process.pid)
    ramp = (calls - probes) / 50 + 1.0
    holding = None
    async with load(folder, server, calls - probes, seconds + ramp + 4) as failed:
        await asyncio.sleep(ramp)
        if held:
            holding = asyncio.create_task(hold_up(server.process.pid, held))
        prober = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--probe", f"{server.port},{probes},{seconds + 2}", stdout=subprocess.PIPE
        )
        await asyncio.sleep(1.5)
        pid = server.process.pid
        cpu, session, began = cpu_seconds(pid), cpu_of(pid), time.monotonic()
        await asyncio.sleep(seconds)
        spent, in_session = cpu_seconds(pid) - cpu, cpu_of(pid) - session
        call_seconds = calls * (time.monotonic() - began)
        used_kb = memory_kb(server.process.pid) - before_kb
        told, _ = await prober.communicate()
        if holding is not None:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
    found = json.loads(told)
    return Figures(
        calls, 1000 * spent / call_seconds, 1000 * in_session / call_seconds,
        tuple(found["deviation"]), tuple(found["echo"]), used_kb / calls,
        found["lost"], sum(failed),
    )  # fmt: skip


async def set_ups(folder: Path, server: Server, calls: int) -> tuple[float, float, int]:
    """Return how many calls begin and end a second, the processor time of each, and how many failed."""
    cpu, began = cpu_seconds(server.process.pid), time.monotonic()
    process = await sipp(folder, server, calls, 2000, 1, is_short=True)
    screen, _ = await process.communicate()
    passed = time.monotonic() - began
    return calls / passed, 1000 * (cpu_seconds(server.process.pid) - cpu) / calls, failed_calls(screen)


async def flooded(server: Server, seconds: float) -> str:
    """Return what five calls notice of a flood."""
    command = (sys.executable, __file__)
    prober = await asyncio.create_subprocess_exec(
        *command, "--probe", f"{server.port},{MOST_PROBES},{seconds + 3}", stdout=subprocess.PIPE
    )
    await asyncio.sleep(2.0)
    cpu = cpu_seconds(server.process.pid)
    flooder = await asyncio.create_subprocess_exec(
        *command, "--flooder", f"{server.port},1000,{seconds}", stdout=subprocess.PIPE
    )
    answers, _ = await flooder.communicate()
    spent = cpu_seconds(server.process.pid) - cpu
    found = json.loads((await prober.communicate())[0])
    deviation = " / ".join(f"{each:.2f}" for each in found["deviation"])
    return (
        f"{server.name}: 1000 INVITEs a second for {seconds:.0f} s, answered {json.loads(answers)}: "
        f"deviation {deviation}, echo {found['echo'][0]:.1f} / {found['echo'][1]:.1f}, {found['lost']} lost, "
        f"{spent:.1f} s of processor time"
    )


async def compare(arguments: argparse.Namespace) -> None:
    """Measure all servers and print what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        servers = [lambda: own_server(folder, 10 if arguments.flood else 2000)]
        if arguments.other:
            servers.append(lambda: other_server(shlex.split(arguments.other)))
        print(f"load average {os.getloadavg()[0]:.1f} before, {os.cpu_count()} processors")
        columns = "calls   cpu   own  deviation p50 / p99 / most   echo median / most  beyond  memory  lost  failed"
        print(f"server       held  {columns}")
        for start in servers:
            server = start()
            try:
                await_ready(server)
                for calls in arguments.calls:
                    for held in sorted({0.0, arguments.held if server.name == "vivavoce" else 0.0}):
                        await show(folder, server, calls, held, arguments.seconds)
                if arguments.setups:
                    rate, cpu, failed = await set_ups(folder, server, arguments.setups)
                    print(f"{server.name}: {rate:.0f} set-ups a second, {cpu:.2f} ms each, {failed} failed")
                if arguments.flood and server.name == "vivavoce":
                    print(await flooded(server, arguments.flood))
            finally:
                server.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.process.wait(10)
                server.process.kill()
        print(f"load average {os.getloadavg()[0]:.1f} after")


async def show(folder: Path, server: Server, calls: int, held: float, seconds: float) -> None:
    """Measure once and print it."""
    found = await measured(folder, server, calls, seconds, held)
    beyond = found.echo[0] - server.line_ms - PACKET_MS
    deviation = " / ".join(f"{each:6.2f}" for each in found.deviation)
    print(
        f"{server.name:12} {held:4.0%} {calls:6} {found.cpu_ms:5.2f} {found.session_ms:5.2f}   {deviation}   "
        f"    {found.echo[0]:6.1f} / {found.echo[1]:5.1f}   {beyond:5.1f}  {found.memory_kb:5.0f}  "
        f"{found.lost:4}  {found.failed:4}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--calls", default="1,10,100,200", type=lambda text: [int(one) for one in text.split(",") if one]
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--held", type=float, default=0.5)
    parser.add_argument("--setups", type=int, default=400)
    parser.add_argument("--other", default="")
    parser.add_argument("--flood", type=float, default=0.0)
    parser.add_argument("--flooder", help=argparse.SUPPRESS)
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.probe:
        port, count, seconds = arguments.probe.split(",")
        probe(int(port), int(count), float(seconds))
        return 0
    if arguments.flooder:
        port, rate, seconds = arguments.flooder.split(",")
        flood(int(port), int(rate), float(seconds))
        return 0
    if shutil.which("sipp") is None:
        print("SIPp is not installed (apt install sip-tester)")
        return 1
    asyncio.run(compare(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
