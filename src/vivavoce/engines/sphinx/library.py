"""The C interface of pocketsphinx, found in the wheel's own extension module.

The manylinux and macOS wheels export the whole C API.  Called through `ctypes` it lets go of the interpreter lock while
it decodes, and it offers what the Python class does not: language models mixed at run time.  The Windows wheel exports
nothing; there the constructor says so.  The only file that names pocketsphinx; `decoder` and `prepare` call it.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int16, c_int32, c_size_t, c_void_p
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...core.errors import EngineError

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "err_set_loglevel_str": (c_char_p, (c_char_p,)),
    "ps_config_init": (c_void_p, (c_void_p,)),
    "ps_config_set_str": (c_void_p, (c_void_p, c_char_p, c_char_p)),
    "ps_config_free": (c_int, (c_void_p,)),
    "ps_init": (c_void_p, (c_void_p,)),
    "ps_free": (c_int, (c_void_p,)),
    "ps_get_logmath": (c_void_p, (c_void_p,)),
    "logmath_init": (c_void_p, (c_double, c_int, c_int)),
    "logmath_exp": (c_double, (c_void_p, c_int)),
    "logmath_free": (c_int, (c_void_p,)),
    "ps_set_cmn": (c_int, (c_void_p, c_char_p)),
    "ps_get_config": (c_void_p, (c_void_p,)),
    "ps_start_stream": (c_int, (c_void_p,)),
    "ps_start_utt": (c_int, (c_void_p,)),
    "ps_process_raw": (c_int, (c_void_p, POINTER(c_int16), c_size_t, c_int, c_int)),
    "ps_end_utt": (c_int, (c_void_p,)),
    "ps_get_hyp": (c_char_p, (c_void_p, POINTER(c_int32))),
    "ps_seg_iter": (c_void_p, (c_void_p,)),
    "ps_seg_next": (c_void_p, (c_void_p,)),
    "ps_seg_word": (c_char_p, (c_void_p,)),
    "ps_seg_frames": (None, (c_void_p, POINTER(c_int), POINTER(c_int))),
    "ps_seg_prob": (c_int32, (c_void_p, POINTER(c_int32), POINTER(c_int32), POINTER(c_int32))),
    "ps_add_word": (c_int, (c_void_p, c_char_p, c_char_p, c_int)),
    "ps_add_lm": (c_int, (c_void_p, c_char_p, c_void_p)),
    "ps_activate_search": (c_int, (c_void_p, c_char_p)),
    "ps_remove_search": (c_int, (c_void_p, c_char_p)),
    "fe_init_auto_r": (c_void_p, (c_void_p,)),
    "fe_start_utt": (c_int, (c_void_p,)),
    "fe_process_frames": (c_int, (c_void_p, POINTER(c_void_p), POINTER(c_size_t), c_void_p, POINTER(c_int32))),
    "fe_free": (c_int, (c_void_p,)),
    "ngram_model_read": (c_void_p, (c_void_p, c_char_p, c_int, c_void_p)),
    "ngram_model_free": (c_int, (c_void_p,)),
    "ngram_model_set_init": (c_void_p, (c_void_p, POINTER(c_void_p), POINTER(c_char_p), POINTER(c_float), c_int32)),
    "ngram_prob": (c_int32, (c_void_p, POINTER(c_char_p), c_int32)),
}


class Library:
    """The loaded library and where its models are."""

    def __init__(self) -> None:
        """Load it.

        Raises:
            EngineError: pocketsphinx is not installed, or its module does not export the C interface.
        """
        try:
            import pocketsphinx
            from pocketsphinx import _pocketsphinx as extension
        except ImportError as error:
            raise EngineError(f"speech recognition cannot be loaded: {error}") from error
        self.path = Path(extension.__file__)
        self.models = Path(pocketsphinx.get_model_path()) / "en-us"
        try:
            self.c: Any = ctypes.CDLL(str(self.path))
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(self.c, name)
                function.restype, function.argtypes = result, arguments
        except (OSError, AttributeError) as error:
            raise EngineError(
                "speech recognition needs the C interface of pocketsphinx, which this platform's wheel does not "
                f"export ({error}); name another recogniser, or run under Linux or macOS"
            ) from error
        self.c.err_set_loglevel_str(b"FATAL")

    @property
    def acoustic_model(self) -> Path:
        """Folder of the acoustic model."""
        return self.models / "en-us"

    @property
    def language_model(self) -> Path:
        """File of the general language model."""
        return self.models / "en-us.lm.bin"

    @property
    def dictionary(self) -> Path:
        """File of the whole pronouncing dictionary."""
        return self.models / "cmudict-en-us.dict"

    @property
    def version(self) -> str:
        """The version of the installed wheel."""
        from importlib.metadata import version

        return version("pocketsphinx")


@lru_cache(maxsize=1)
def library() -> Library:
    """Return the library, loaded once a process.

    Raises:
        EngineError: see `Library`.
    """
    return Library()
