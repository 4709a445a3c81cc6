"""A pause is judged by what Whisper would hear of its last eight seconds, and a wrong file is named at once."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vivavoce.core.errors import ConfigError, EngineError
from vivavoce.engines.smart_turn import BANDS, FRAMES, RATE_HZ, SmartTurn

FILE = Path("model.onnx")


class FakeSession:
    """Runs as a session of onnxruntime does."""

    def __init__(self, answer: Any = ((0.7,),), shape: tuple[Any, ...] = ("batch", BANDS, FRAMES)) -> None:
        self.answer = answer
        self.shape = shape
        self.heard: list[np.ndarray[Any, Any]] = []

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="input_features", shape=list(self.shape))]

    def run(self, outputs: None, inputs: dict[str, np.ndarray[Any, Any]]) -> list[Any]:
        self.heard.append(inputs["input_features"])
        return [np.array(self.answer, np.float32)]


def tone(seconds: float, hz: float) -> bytes:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (8_000 * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()


def test_the_model_is_given_one_batch_of_features_and_its_probability_is_the_judgement() -> None:
    session = FakeSession()
    assert SmartTurn(FILE, session).turn_over(tone(1.0, 440.0)) == pytest.approx(0.7)
    (heard,) = session.heard
    assert (heard.shape, heard.dtype) == ((1, BANDS, FRAMES), np.float32)


@pytest.mark.parametrize(("hz", "mels"), [(200.0, 3.0), (1_000.0, 15.0), (6_400.0, 42.0)])
def test_a_tone_stands_in_the_band_of_its_pitch(hz: float, mels: float) -> None:
    features = SmartTurn(FILE, FakeSession()).features(tone(8.0, hz))
    top = 15 + 27 * np.log(8.0) / np.log(6.4)
    assert abs(features[:, 400].argmax() - (mels / top * (BANDS + 1) - 1)) <= 0.6


def test_only_the_last_eight_seconds_count() -> None:
    model = SmartTurn(FILE, FakeSession())
    late = tone(8.0, 300.0)
    assert (model.features(tone(3.0, 2_000.0) + late) == model.features(late)).all()


def test_shorter_audio_stands_at_the_end_behind_silence() -> None:
    features = SmartTurn(FILE, FakeSession()).features(tone(2.0, 1_000.0))
    loud = features.max(0) > features.max() - 0.5
    assert not loud[: FRAMES - 205].any()
    assert loud[FRAMES - 195 :].all()


def test_how_loud_it_was_does_not_matter() -> None:
    model = SmartTurn(FILE, FakeSession())
    loud = np.frombuffer(tone(3.0, 500.0), "<i2")
    quiet = (loud // 10).astype("<i2").tobytes()
    close = np.abs(model.features(loud.tobytes()) - model.features(quiet))[15:25, FRAMES - 250 :]
    assert close.max() < 0.05


def test_the_features_span_two_units_below_the_loudest() -> None:
    features = SmartTurn(FILE, FakeSession()).features(tone(1.0, 440.0))
    assert features.max() - features.min() == pytest.approx(2.0)


@pytest.mark.parametrize("pcm", [b"", bytes(320_000)])
def test_silence_is_judged_too(pcm: bytes) -> None:
    session = FakeSession()
    SmartTurn(FILE, session).turn_over(pcm)
    assert np.isfinite(session.heard[0]).all()


@pytest.mark.parametrize("answer", [((1.5,),), ((float("nan"),),), ((0.2, 0.8),), ()])
def test_an_answer_that_is_no_probability_is_an_error(answer: Any) -> None:
    with pytest.raises(EngineError, match="no probability"):
        SmartTurn(FILE, FakeSession(answer)).turn_over(tone(1.0, 440.0))


def test_another_model_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.onnx is no Smart Turn model of version 3"):
        SmartTurn(FILE, FakeSession(shape=("batch", 40, 100)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"--turn-model \(VIVAVOCE_TURN_MODEL\) names .*absent\.onnx, which is no file"
    ):
        SmartTurn(tmp_path / "absent.onnx")


def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "model.onnx"
    file.touch()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install 'vivavoce\[turn\]'"):
        SmartTurn(file)


def test_a_file_that_is_no_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "notes.txt"
    file.touch()

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("INVALID_PROTOBUF")

    library = ModuleType("onnxruntime")
    library.SessionOptions = SimpleNamespace  # type: ignore[attr-defined]
    library.InferenceSession = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime", library)
    with pytest.raises(ConfigError, match=r"notes\.txt, which is no ONNX model: INVALID_PROTOBUF"):
        SmartTurn(file)
