"""Frames through a whole server: processor time, added latency and memory by the number of sessions.

    python bench/server.py [--quick] [--sessions 1,20,50,200] [--variants stub,bare] [--repeats 3] [--seconds 5]

Each session sends a frame of 20 ms (960 bytes of PCM, in JSON and base64) 50 times a second and is sent one as often.
Of the server's own work `stub` is all but hearing, `bare` is all of it, models alone left out; `silence` and `speech`
have the real voice model and recogniser hear.  These stand against `fastapi`, a plain endpoint with json and base64
that has no sessions, and `floor`, the least that the frames themselves cost on this machine (sockets and WebSocket
frames).  Server and load run on cores of their own where there are two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from load.generator import Load
from load.processes import Server, compiled, cores, load_average, machine
from load.tables import median, shown, table

VARIANTS = {
    "floor": ("floor.py",),
    "fastapi": ("baseline.py",),
    "stub": ("serving.py", "--ears", "stub"),
    "bare": ("serving.py", "--ears", "bare"),
    "silence": ("serving.py", "--ears", "real"),
    "speech": ("serving.py", "--ears", "real"),
}
STRANGERS = ("floor", "fastapi")
"""Servers that are not ours, which know no sessions."""
STAMPED = (*STRANGERS, "stub", "bare")
"""Variants in which no model runs: their audio can carry stamps."""
SETTLE_SECONDS = 0.7
PERCENTILES = ("up-p50", "up-p99", "down-p50", "down-p99")
FRAME_BYTES = 960
SETUP = (
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "audio": {
                "input": {
                    "turn_detection": {"type": "server_vad", "create_response": False, "interrupt_response": False}
                }
            },
        },
    },
    {"type": "response.create"},
)
"""Turns are detected as usual, but the answer under way goes on, whatever is heard."""


@dataclass
class Run:
    """What one run of one variant showed."""

    ms: float
    """Processor milliseconds of the server for a session and second."""
    delivered: float
    """Frames that came back for each that was due."""
    up: dict[str, float] | None
    down: dict[str, float] | None
    load_ms: float
    idle_kb: float
    """Memory for a session that is connected and says nothing."""
    active_kb: float
    """Memory for a session at work, the audio that the protocol has it keep left out."""
    kept_kb: float


@dataclass
class Measured:
    """All runs of a variant with a number of sessions."""

    variant: str
    sessions: int
    runs: list[Run] = field(default_factory=list)

    def of(self, name: str) -> float | None:
        return median([getattr(run, name) for run in self.runs])

    def latency(self, way: str, share: str) -> float | None:
        return median([getattr(run, way)[share] for run in self.runs if getattr(run, way)])


def loaded(program: Path, folder: Path, variant: str, port: int, sessions: int, seconds: float) -> Load:
    """Return the load of a variant, connected."""
    setup = folder / "setup.jsonl"
    setup.write_text("".join(json.dumps(message) + "\n" for message in SETUP) if variant not in STRANGERS else "")
    audio = folder / ("speech.pcm" if variant == "speech" else "silence.pcm")
    return Load(program, port, sessions, seconds, setup=setup, audio=audio, is_stamped=variant in STAMPED)


def run(program: Path, folder: Path, variant: str, sessions: int, seconds: float) -> Run:
    """Run a variant once, in a fresh process."""
    script, *arguments = VARIANTS[variant]
    # Real engines have threads, which would have to share one core with everything else.
    own_core = cores()[0] if variant in STAMPED else None
    with Server(script, *arguments, cores=own_core) as server:
        loaded(program, folder, variant, server.port, 4, 0.5).run()
        time.sleep(SETTLE_SECONDS)
        before = server.resident_kb()
        load = loaded(program, folder, variant, server.port, sessions, seconds)
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
    due = sessions * found["seconds"] * 50
    kept_kb = 0 if variant in STRANGERS else (seconds + 1) * 50 * FRAME_BYTES / 1024
    return Run(
        ms=cpu / took / sessions,
        delivered=found["received"] / due,
        up=found["up"],
        down=found["down"],
        load_ms=found["cpu_ms"] / found["seconds"] / sessions,
        idle_kb=(idle - before) / sessions,
        active_kb=(active - before) / sessions - kept_kb,
        kept_kb=kept_kb,
    )


def write_audio(folder: Path) -> None:
    """Write what the sessions say: silence, and a sentence of the embedded voice with pauses."""
    from vivavoce.audio.resample import resample
    from vivavoce.engines.espeak import EspeakTts

    async def sentence() -> bytes:
        tts = EspeakTts(processes=1)
        pcm = b"".join(
            [piece.pcm async for piece in tts.speak("What is the weather like in Boston today?", "alloy", 1)]
        )
        await tts.close()
        return resample(pcm, tts.rate_hz, 24_000)

    (folder / "silence.pcm").write_bytes(bytes(FRAME_BYTES * 50))
    spoken = asyncio.run(sentence()) + bytes(48_000)
    (folder / "speech.pcm").write_bytes(spoken[: len(spoken) // FRAME_BYTES * FRAME_BYTES])


def show(measured: list[Measured], seconds: float) -> None:
    print(
        table(
            "Processor time and added latency (medians over the repeats; latency in microseconds)",
            ("server", "sessions", "ms/s-s", "core%", *PERCENTILES, "delivered", "load-ms/s-s"),
            [
                (
                    m.variant,
                    str(m.sessions),
                    shown(m.of("ms"), 2),
                    shown((m.of("ms") or 0) * m.sessions / 10),
                    *(shown(m.latency(way, share)) for way in ("up", "down") for share in ("p50", "p99")),
                    f"{100 * (m.of('delivered') or 0):.1f}%",
                    shown(m.of("load_ms"), 2),
                )
                for m in measured
            ],
        )
    )
    print("ms/s-s: processor milliseconds (user and system) for a session and second")
    largest = max(m.sessions for m in measured)
    if largest < 20:
        return
    print(
        table(
            "Memory for a session, in kB (resident; many sessions, compared with none)",
            ("server", "sessions", "idle", "active", "audio kept"),
            [
                (m.variant, str(m.sessions), *(shown(m.of(name), 0) for name in ("idle_kb", "active_kb", "kept_kb")))
                for m in measured
                if m.sessions >= 20
            ],
        )
    )
    print(f"active: after {seconds + 1:g} s of speech both ways, without the assistant's audio, which the protocol")
    print("has kept for `conversation.item.retrieve` (48 kB a second, at most 64 MB a session)")


def main() -> None:
    parser = argparse.ArgumentParser(description="processor time, added latency and memory of a server under load")
    parser.add_argument("--quick", action="store_true", help="a minute: fewer sessions, short, once")
    parser.add_argument("--sessions", help="numbers of sessions (default 1,20,50,200)")
    parser.add_argument("--variants", help=f"of {','.join(VARIANTS)} (default all but the last two)")
    parser.add_argument("--repeats", type=int, help="runs of each, in turn (default 3)")
    parser.add_argument("--seconds", type=float, help="of each run (default 5)")
    chosen = parser.parse_args()
    counts = [int(n) for n in (chosen.sessions or ("1,50" if chosen.quick else "1,20,50,200")).split(",")]
    variants = (chosen.variants or ",".join(STAMPED)).split(",")
    repeats = chosen.repeats or (1 if chosen.quick else 3)
    seconds = chosen.seconds or (3.0 if chosen.quick else 5.0)
    print(f"{machine()}; load average {load_average()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = compiled(folder)
        write_audio(folder)
        measured = [Measured(variant, count) for count in counts for variant in variants]
        for _ in range(repeats):
            for each in measured:
                each.runs.append(run(program, folder, each.variant, each.sessions, seconds))
                if sys.stderr.isatty():
                    print(f"\r{each.variant} {each.sessions}: {each.runs[-1].ms:.2f} ms   ", end="", file=sys.stderr)
    show(measured, seconds)
    print(f"load average at the end {load_average()}")


if __name__ == "__main__":
    main()
