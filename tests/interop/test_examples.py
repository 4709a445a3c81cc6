"""The examples do what they say, against a real server."""

from __future__ import annotations

import os
import subprocess
import wave
from pathlib import Path

import pytest

from interop import environments, servers

pytestmark = pytest.mark.interop

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, server: servers.Server, folder: Path, *arguments: str) -> str:
    environment = os.environ | {"OPENAI_BASE_URL": server.http_url, "OPENAI_API_KEY": servers.KEY}
    command = [str(environments.python("openai")), str(EXAMPLES / name), *arguments]
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_written_question_is_answered_into_a_wav_file(plain_server: servers.Server, tmp_path: Path) -> None:
    assert "96" in run("written_question.py", plain_server, tmp_path)
    with wave.open(str(tmp_path / "answer.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        assert file.getnframes() > 12_000


def test_a_function_is_called_and_spoken_of(plain_server: servers.Server, tmp_path: Path) -> None:
    told = run("function_call.py", plain_server, tmp_path, "Turn off the lights in the bedroom, please.")
    call, answer = told.strip().splitlines()
    assert call.startswith("set_lights(")
    assert "bedroom" in call
    assert "off" in call
    assert "bedroom" in answer
