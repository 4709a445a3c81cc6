"""Environments of the clients, each with the exact libraries of its lock file, made when first needed and kept.

They lie in `.venv-interop/` beside the project's own environment.  Node comes from a Python wheel, so that the suite
needs no program of the system.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".venv-interop"
NODE_PROJECT = HERE / "node"


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold others off that would make the same at the same time."""
    HOME.mkdir(exist_ok=True)
    with (HOME / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def python(name: str) -> Path:
    """Return the Python of the environment that `requirements/NAME.txt` describes."""
    lock = HERE / "requirements" / f"{name}.txt"
    home = HOME / name
    program = home / "bin" / "python"
    stamp = _stamp(str(home), sys.version, lock.read_text(encoding="utf-8"))
    with _alone(name):
        if not _is_made(home, stamp):
            shutil.rmtree(home, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(home)])
            options = ["--disable-pip-version-check", "--quiet", "--require-hashes", "--only-binary", ":all:"]
            _run([str(program), "-m", "pip", "install", *options, "-r", str(lock)])
            (home / "made-of").write_text(stamp, encoding="utf-8")
    return program


def node() -> Path:
    """Return a Node for which the libraries of `node/package-lock.json` are installed."""
    program = python("node").with_name("node")
    modules = NODE_PROJECT / "node_modules"
    lock = (NODE_PROJECT / "package-lock.json").read_text(encoding="utf-8")
    stamp = _stamp(str(modules), str(program), lock)
    with _alone("node-modules"):
        if not _is_made(modules, stamp):
            npm = str(program.with_name("npm"))
            _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=NODE_PROJECT)
            (modules / "made-of").write_text(stamp, encoding="utf-8")
    return program


def _stamp(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _is_made(home: Path, stamp: str) -> bool:
    made_of = home / "made-of"
    return made_of.is_file() and made_of.read_text(encoding="utf-8") == stamp


def _run(command: list[str], cwd: Path | None = None) -> None:
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    if ran.returncode:
        last = (ran.stderr or ran.stdout).strip().splitlines()[-1:] or ["no reason was given"]
        pytest.skip(f"the client's environment could not be made ({' '.join(command[:4])} ...): {last[0]}")
