"""Has the real model judge recordings: smart_turn.py WHEEL FOLDER RECORDING..., a line of JSON for each.

WHEEL is pipecat-ai's, of which the model and its own computation of the features are taken into FOLDER.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from vivavoce.audio.resample import resample
from vivavoce.engines.smart_turn import SmartTurn

PLACE = "pipecat/audio/turn/smart_turn/"
MODEL = PLACE + "data/smart-turn-v3.2-cpu.onnx"
FEATURES = PLACE + "_whisper_features.py"


def reference(path: Path) -> Any:
    """Return the module that computes features as the model's authors do."""
    spec = importlib.util.spec_from_file_location("whisper_features", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    wheel, folder, *recordings = (Path(argument) for argument in sys.argv[1:])
    with zipfile.ZipFile(wheel) as archive:
        model = SmartTurn(Path(archive.extract(MODEL, folder)))
        theirs = reference(Path(archive.extract(FEATURES, folder)))
    for recording in recordings:
        with wave.open(str(recording)) as file:
            pcm = resample(file.readframes(file.getnframes()), file.getframerate(), 16_000) + bytes(6_400)
        samples = np.frombuffer(pcm[-256_000:], "<i2").astype(np.float32) / 32_768
        samples = np.pad(samples, (128_000 - len(samples), 0))
        apart = np.abs(model.features(pcm) - theirs.compute_whisper_log_mel_features(samples)).max()
        print(json.dumps({"name": recording.stem, "apart": float(apart), "over": model.turn_over(pcm)}))


if __name__ == "__main__":
    main()
