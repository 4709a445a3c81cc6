"""What a relay costs, and by how much it is late: processor time, added latency and memory by the number of sessions.

    python bench/relay.py [--quick] [--sessions 50,200] [--frames 20,100] [--variants direct,relay] [--repeats 3]

Each session sends audio in real time, a frame of 20 or 100 ms in each event, and is sent as much, through the relay and
a quick server behind it (`upstream.c`) that shares its core with the load.  `relay` is ours between two ends of the GA
shape, `beta` with clients of the beta shape; `forwarder` is both legs of ours with nothing between, the least that ours
can cost.  They stand against `direct`, no relay; `haproxy`, which knows bytes alone; and `plain`, a relay of FastAPI,
the websockets library and `json`.  Relay and load run on cores of their own where there are two.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from load.generator import Load
from load.processes import Server, compiled, cores, load_average, machine
from load.said import write_said
from load.tables import median, shown, table

VARIANTS = {
    "direct": "",
    "haproxy": "tcp.py",
    "plain": "plain_relay.py",
    "forwarder": "forwarder.py",
    "relay": "relaying.py",
    "beta": "relaying.py",
}
"""What stands between the load and the server, and its script."""
PATH = "/v1/realtime?model=gpt-realtime"
BETA_HEADER = "OpenAI-Beta: realtime=v1"
SETTLE_SECONDS = 0.7
BYTES_PER_SECOND = 48_000
PERCENTILES = ("up-p50", "up-p99", "down-p50", "down-p99")
GA_SETTINGS = {
    "type": "realtime",
    "instructions": "Be brief.",
    "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 500}}},
}
BETA_SETTINGS = {
    "instructions": "Be brief.",
    "modalities": ["audio", "text"],
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
}


@dataclass(frozen=True)
class Setting:
    """What is measured: a variant under a load."""

    variant: str
    sessions: int
    frame_ms: int


@dataclass
class Run:
    """What one run showed."""

    ms: float
    """Processor milliseconds of the relay for a session and second."""
    delivered: float
    """Frames that came back for each that was due."""
    up: dict[str, float] | None
    down: dict[str, float] | None
    idle_kb: float
    """Memory of the relay for a session that is connected and says nothing."""
    active_kb: float
    """The same at work."""


@dataclass
class Measured:
    """All runs of a setting."""

    setting: Setting
    runs: list[Run] = field(default_factory=list)

    def of(self, name: str) -> float | None:
        return median([getattr(run, name) for run in self.runs])

    def latency(self, name: str) -> float | None:
        way, _, share = name.partition("-")
        return median([getattr(run, way)[share] for run in self.runs if getattr(run, way)])


class Bench:
    """The load, ready to be put on one variant after another."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._program = compiled(folder)
        self._upstream = compiled(folder, "upstream")
        self._said = write_said(folder / "said.jsonl")
        self._seconds = seconds
        self._audio = folder / "silence.pcm"
        self._audio.write_bytes(bytes(BYTES_PER_SECOND))
        self._setups = {"ga": folder / "ga.jsonl", "beta": folder / "beta.jsonl"}
        for shape, settings in (("ga", GA_SETTINGS), ("beta", BETA_SETTINGS)):
            messages = ({"type": "session.update", "session": settings}, {"type": "response.create"})
            self._setups[shape].write_text("".join(json.dumps(message) + "\n" for message in messages))

    def run(self, setting: Setting) -> Run:
        """Measure once, in fresh processes."""
        cores_of_relay, cores_of_load = cores()
        said = ("--said", str(self._said), "--frame-ms", str(setting.frame_ms))
        with Server(self._upstream, *said, cores=cores_of_load) as upstream:
            script = VARIANTS[setting.variant]
            if not script:
                return self._measure(setting, upstream)
            to = f"127.0.0.1:{upstream.port}"
            to = to if script == "tcp.py" else f"ws://{to}/v1/realtime"
            with Server(script, "--to", to, cores=cores_of_relay) as relay:
                return self._measure(setting, relay)

    def _load(self, setting: Setting, port: int, sessions: int, seconds: float) -> Load:
        is_beta = setting.variant == "beta"
        return Load(
            self._program,
            port,
            sessions,
            seconds,
            setup=self._setups["beta" if is_beta else "ga"],
            audio=self._audio,
            is_stamped=True,
            frame_ms=setting.frame_ms,
            path=PATH,
            header=BETA_HEADER if is_beta else "",
        )

    def _measure(self, setting: Setting, server: Server) -> Run:
        self._load(setting, server.port, 4, 0.5).run()
        time.sleep(SETTLE_SECONDS)
        before = server.resident_kb()
        load = self._load(setting, server.port, setting.sessions, self._seconds)
        load.wait_for("open")
        time.sleep(SETTLE_SECONDS)
        idle = server.resident_kb()
        load.start()
        load.wait_for("measuring")
        began, cpu = time.monotonic(), server.cpu_ms()
        load.wait_for("measured")
        took, cpu = time.monotonic() - began, server.cpu_ms() - cpu
        active = server.resident_kb()
        found = json.loads(load.wait_for(""))
        load.stop()
        due = setting.sessions * found["seconds"] * 1000 / setting.frame_ms
        return Run(
            ms=cpu / took / setting.sessions,
            delivered=found["received"] / due,
            up=found["up"],
            down=found["down"],
            idle_kb=(idle - before) / setting.sessions,
            active_kb=(active - before) / setting.sessions,
        )


def show(measured: list[Measured]) -> None:
    """Print what each setting came to, beside HAProxy and the direct way under the same load."""
    by_setting = {each.setting: each for each in measured}

    def beside(each: Measured, variant: str) -> Measured | None:
        return by_setting.get(Setting(variant, each.setting.sessions, each.setting.frame_ms))

    def times(each: Measured) -> str:
        haproxy = beside(each, "haproxy")
        base = haproxy.of("ms") if haproxy else None
        return shown((each.of("ms") or 0) / base, 2) if base and each.setting.variant != "direct" else "-"

    def added(each: Measured, name: str) -> str:
        direct, own = beside(each, "direct"), each.latency(name)
        base = direct.latency(name) if direct else None
        return "-" if own is None or base is None or each is direct else shown(own - base)

    rows = [
        (
            each.setting.variant,
            str(each.setting.frame_ms),
            str(each.setting.sessions),
            "-" if each.setting.variant == "direct" else shown(each.of("ms"), 2),
            times(each),
            *(shown(each.latency(name)) for name in PERCENTILES),
            *(added(each, name) for name in PERCENTILES),
            f"{100 * (each.of('delivered') or 0):.1f}%",
            *("-" if each.setting.variant == "direct" else shown(each.of(name)) for name in ("idle_kb", "active_kb")),
        )
        for each in measured
    ]
    title = "Processor time of the relay, latency in microseconds (all of it, then beyond the direct way), memory in kB"
    head = ("relay", "frame", "sessions", "ms/s-s", "x haproxy", *PERCENTILES, *("+" + name for name in PERCENTILES))
    print(table(title, (*head, "delivered", "idle", "active"), rows))
    print("ms/s-s: processor milliseconds (user and system) for a session and second; medians over the repeats")


def main() -> None:
    parser = argparse.ArgumentParser(description="processor time, added latency and memory of a relay under load")
    parser.add_argument("--quick", action="store_true", help="a minute: 50 sessions, frames of 20 ms, short, once")
    parser.add_argument("--sessions", help="numbers of sessions (default 50,200)")
    parser.add_argument("--frames", help="milliseconds of audio in an event (default 20,100)")
    parser.add_argument("--variants", help=f"of {','.join(VARIANTS)} (default all)")
    parser.add_argument("--repeats", type=int, help="runs of each, in turn (default 3)")
    parser.add_argument("--seconds", type=float, help="of each run (default 5)")
    chosen = parser.parse_args()
    counts = [int(n) for n in (chosen.sessions or ("50" if chosen.quick else "50,200")).split(",")]
    frames = [int(n) for n in (chosen.frames or ("20" if chosen.quick else "20,100")).split(",")]
    variants = (chosen.variants or ",".join(VARIANTS)).split(",")
    if "haproxy" in variants and shutil.which("haproxy") is None:
        print("haproxy is not installed, so nothing is measured against it (Debian: apt install haproxy)")
        variants.remove("haproxy")
    print(f"{machine()}; load average {load_average()}")
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), chosen.seconds or (3.0 if chosen.quick else 5.0))
        measured = [
            Measured(Setting(variant, count, frame_ms))
            for frame_ms in frames
            for count in counts
            for variant in variants
        ]
        for _ in range(chosen.repeats or (1 if chosen.quick else 3)):
            for each in measured:
                each.runs.append(bench.run(each.setting))
                if sys.stderr.isatty():
                    print(f"\r{each.setting}: {each.runs[-1].ms:.2f} ms   ", end="", file=sys.stderr)
    show(measured)
    print(f"load average at the end {load_average()}")


if __name__ == "__main__":
    main()
