"""Smart Turn v3 as an audio turn model: whether a pause sounds like the end of a turn.

The model is a file of the user's (ONNX, 8.7 MB, BSD-2-Clause, by Daily; it is in the wheel of pipecat-ai too).  It
hears the last eight seconds as Whisper does: logarithms of the power in 80 mel bands, every 10 ms.  The only file that
names onnxruntime, which the extra `turn` installs.  Called on a thread of `engines.turn_sound`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.errors import ConfigError, EngineError

_Floats = npt.NDArray[np.float64]

RATE_HZ = 16_000
SECONDS = 8
"""What the model hears at once: the end of what was said, with silence before it where that is shorter."""
BANDS = 80
FRAMES = 800
_SAMPLES = SECONDS * RATE_HZ
_WINDOW = 400
_HOP = 160
_INPUT = "input_features"

# Slaney's mel scale: linear up to 1 kHz, then logarithmic.
_LINEAR_HZ = 1_000.0
_MELS_PER_HZ = 3.0 / 200.0
_LINEAR_MELS = _LINEAR_HZ * _MELS_PER_HZ
_MELS_PER_E = 27.0 / np.log(6.4)

_LEAST_POWER = 1e-10
_RANGE = 8.0
"""Powers of ten below the loudest band that are told apart."""


class SmartTurn:
    """The model, an `AudioTurnModel`."""

    def __init__(self, path: Path, session: Any = None) -> None:
        """Load it (0.1 s).

        Args:
            path: of the ONNX file.
            session: runs the model instead of onnxruntime.

        Raises:
            ConfigError: there is no such file, it is another model, or onnxruntime is not installed.
        """
        self._session = _loaded(path) if session is None else session
        inputs = {each.name: list(each.shape) for each in self._session.get_inputs()}
        if inputs.get(_INPUT, [])[1:] != [BANDS, FRAMES]:
            raise ConfigError(
                f"{path} is no Smart Turn model of version 3, whose input is {_INPUT} of {BANDS} x {FRAMES}"
            )
        self._bands = _mel_bands()
        self._taper = np.hanning(_WINDOW + 1)[:_WINDOW]

    def turn_over(self, pcm: bytes) -> float:
        """Return how likely the turn is over, 0 to 1: s16le mono 16 kHz, which ends in the pause (40 ms of work).

        Raises:
            EngineError: the model does not answer with a probability.
        """
        features = self.features(pcm)[None]
        found = np.asarray(self._session.run(None, {_INPUT: features})[0], np.float64).ravel()
        if len(found) != 1 or not 0.0 <= found[0] <= 1.0:
            raise EngineError(f"the turn model answered {found.tolist()}, which is no probability")
        return float(found[0])

    def features(self, pcm: bytes) -> npt.NDArray[np.float32]:
        """Return what the model hears of audio: 80 bands by 800 frames."""
        samples = np.frombuffer(pcm[-2 * _SAMPLES :], "<i2").astype(np.float64) / 32_768
        samples = np.concatenate((np.zeros(_SAMPLES - len(samples)), samples))
        samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        padded = np.pad(samples, _WINDOW // 2, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:FRAMES]
        spectra = np.fft.rfft(windows * self._taper)
        power = (spectra.real**2 + spectra.imag**2) @ self._bands
        logs = np.log10(np.maximum(power, _LEAST_POWER)).T
        logs = np.maximum(logs, logs.max() - _RANGE)
        features: npt.NDArray[np.float32] = ((logs + 4.0) / 4.0).astype(np.float32)
        return features


def _loaded(path: Path) -> Any:
    """Return a session of onnxruntime for a file."""
    if not path.is_file():
        raise ConfigError(f"--turn-model (VIVAVOCE_TURN_MODEL) names {path}, which is no file")
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"--turn-model (VIVAVOCE_TURN_MODEL) needs onnxruntime: pip install 'vivavoce[turn]' ({error})"
        ) from error
    options = onnxruntime.SessionOptions()
    # More threads would spin on the processors that the decoders need.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library has an error of its own for every kind of bad file
        raise ConfigError(
            f"--turn-model (VIVAVOCE_TURN_MODEL) names {path}, which is no ONNX model: {error}"
        ) from error


def _mel_bands() -> _Floats:
    """Return the weights of each frequency in each band, (201, 80): triangles of equal area."""
    edges = _hertz(np.linspace(0.0, _mels(RATE_HZ / 2), BANDS + 2))
    hz = np.linspace(0.0, RATE_HZ / 2, _WINDOW // 2 + 1)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hz - low) / (middle - low), (high - hz) / (high - middle)
    weights: _Floats = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (high - low))
    return weights


def _mels(hz: float) -> float:
    """Return a frequency above 1 kHz in mels."""
    return float(_LINEAR_MELS + np.log(hz / _LINEAR_HZ) * _MELS_PER_E)


def _hertz(mels: _Floats) -> _Floats:
    """Return frequencies of mels."""
    above = _LINEAR_HZ * np.exp((np.maximum(mels, _LINEAR_MELS) - _LINEAR_MELS) / _MELS_PER_E)
    return np.where(mels < _LINEAR_MELS, mels / _MELS_PER_HZ, above)
