"""The real turn model takes our features for those that it was trained on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from interop import environments

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[2]
RECORDINGS = sorted((ROOT / "tests" / "data").glob("*-*.wav"))


def wheel(folder: Path) -> Path:
    """Return the wheel that the model comes in."""
    lock = environments.HERE / "requirements" / "smart-turn-model.txt"
    options = ["--disable-pip-version-check", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(lock), "-d", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if ran.returncode:
        pytest.skip(f"the model could not be fetched: {(ran.stderr.strip().splitlines() or ['no reason'])[-1]}")
    return next(folder.glob("*.whl"))


def test_features_are_those_of_the_models_authors_and_whole_sentences_are_over(tmp_path: Path) -> None:
    command = [str(environments.python("smart-turn")), str(environments.HERE / "python" / "smart_turn.py")]
    command += [str(wheel(tmp_path)), str(tmp_path), *map(str, RECORDINGS)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    judged = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [each["name"] for each in judged] == [path.stem for path in RECORDINGS]
    assert max(each["apart"] for each in judged) < 1e-4
    # Synthetic voices are none that the model knows well: most of them, and not each.
    assert sum(each["over"] > 0.5 for each in judged) >= len(judged) - 1
