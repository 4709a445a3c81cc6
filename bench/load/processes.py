"""Servers as child processes, and what they cost by the kernel's own account (Linux)."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

FOLDER = Path(__file__).parent
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Server:
    """A program that prints its `ws://` address when it is ready, running until the block ends."""

    def __init__(self, program: str | Path, *arguments: str, cores: set[int] | None = None) -> None:
        """Prepare to run a script of this folder, or a program of another, on `cores` alone where given."""
        script = [sys.executable, str(FOLDER / program)] if isinstance(program, str) else [str(program)]
        self._command = [*script, *arguments]
        self._cores = cores
        self.port = 0

    def __enter__(self) -> Self:
        if sys.platform != "linux":
            sys.exit("what a server costs is read from /proc, which this system does not have")
        self._complaints = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            preexec_fn=self._settle,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"ws://[^:/]+:(\d+)", line):
                self.port = int(found[1])
                return self
        self._process.wait()
        self._complaints.seek(0)
        sys.exit(f"{' '.join(self._command)} did not start:\n{self._complaints.read().decode()[-2000:]}")

    def _settle(self) -> None:
        """Run in the child before its program: keep to the cores, and end when the benchmark is killed."""
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if self._cores is not None:
            os.sched_setaffinity(0, self._cores)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.seek(0)
        if complaints := self._complaints.read().decode(errors="replace").strip():
            print(f"! {' '.join(self._command[1:])}: {complaints[-2000:]}", file=sys.stderr)
        self._complaints.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_ms(self) -> float:
        """Processor time so far of all its threads and of its child processes."""
        return sum(_cpu_ns(pid) for pid in self._pids()) / 1e6

    def resident_kb(self) -> int:
        """What it holds in memory, without its child processes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def _pids(self) -> list[int]:
        found = [self.pid]
        for pid in found:
            for listing in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, listing.read_text().split())
        return found


def _cpu_ns(pid: int) -> int:
    """Return the processor time of a process; by the scheduler's nanoseconds, which counts no thread that has ended."""
    total = 0
    for account in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(account.read_text().split()[0])
        except (OSError, IndexError):  # the thread ended meanwhile
            continue
    return total


def cores() -> tuple[set[int] | None, set[int] | None]:
    """Return the cores for the server and those for the load: apart, where there is more than one."""
    usable = sorted(os.sched_getaffinity(0))
    return (None, None) if len(usable) < 2 else (set(usable[:1]), set(usable[1:2]))


def compiled(folder: Path, name: str = "load") -> Path:
    """Return the load generator, or another program of this folder, compiled into `folder`."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        sys.exit("the load generator is written in C, and there is no compiler (cc, gcc or clang)")
    program = folder / name
    subprocess.run([compiler, "-O2", "-o", str(program), str(FOLDER / f"{name}.c")], check=True)
    return program


def machine() -> str:
    """Return what the figures were measured on, in a line."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    name = model[1] if model else "unknown processor"
    return f"{name}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, Linux {os.uname().release}"


def load_average() -> str:
    """Return how many processes wanted to run during the last minute."""
    return f"{os.getloadavg()[0]:.2f}"
