"""Opus (RFC 6716) by libopus: 16-bit mono PCM to packets and back, with what was lost concealed or recovered.

libopus comes with PyAV, which codes with it but has no way to conceal a lost packet or to read the copy of it that the
next one carries; so it is called directly.  Where PyAV's own is not to be found, the system's is taken.  It resamples
by itself: a stream that others send at 48 kHz stereo is decoded to 24 kHz mono, and costs less so.  Called by legs.
"""

from __future__ import annotations

import ctypes as c
from ctypes.util import find_library
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ..core.errors import EngineError

__all__ = ["Application", "Decoder", "Encoder", "OpusError", "duration_samples", "has_copy", "is_silence", "version"]

Application = Literal["voip", "audio", "lowdelay"]
"""What an encoder is tuned for: speech, with copies against loss; any sound; any sound with least delay and work."""

_APPLICATIONS: dict[Application, int] = {"voip": 2048, "audio": 2049, "lowdelay": 2051}
_SET_BITRATE, _SET_COMPLEXITY, _SET_COPIES, _SET_LOSS, _SET_DTX, _SET_SIGNAL = 4002, 4010, 4012, 4014, 4016, 4024
_SIGNAL_VOICE = 3001
_LONGEST_PACKET_BYTES = 1275
"""The most that 20 ms may take (RFC 6716 section 3.4); more is never needed for a voice."""
_LONGEST_PACKET_MS = 120
_STEPS_PER_SECOND = 400
"""Durations are multiples of 2.5 ms."""
_SILENT_BYTES = 2
"""A packet of at most so many bytes carries no sound: it says that silence goes on."""


class OpusError(EngineError):
    """libopus is missing or refuses what it is given."""

    def __init__(self, message: str, code: str = "opus_error") -> None:
        super().__init__(message, code)


def _paths() -> list[str]:
    """Return where libopus may be, the likeliest first."""
    found = []
    if (package := find_spec("av")) is not None and package.origin is not None:
        site = Path(package.origin).parents[1]
        for pattern in ("av.libs/libopus-*", "av/.dylibs/libopus*", "av.libs/*opus*.dll"):
            found += sorted(str(path) for path in site.glob(pattern))
    if (path := find_library("opus")) is not None:
        found.append(path)
    return found


@lru_cache(maxsize=1)
def _library() -> c.CDLL:
    """Return libopus with the types of what is used of it.

    Raises:
        OpusError: there is none.
    """
    problems = []
    for path in _paths():
        try:
            library = c.CDLL(path)
        except OSError as error:
            problems.append(f"{path}: {error}")
            continue
        state, size, number = c.c_void_p, c.c_int32, c.c_int
        library.opus_get_version_string.restype = c.c_char_p
        library.opus_strerror.restype = c.c_char_p
        library.opus_encoder_create.restype = library.opus_decoder_create.restype = state
        library.opus_encoder_create.argtypes = [size, number, number, c.POINTER(number)]
        library.opus_decoder_create.argtypes = [size, number, c.POINTER(number)]
        library.opus_encoder_destroy.argtypes = library.opus_decoder_destroy.argtypes = [state]
        library.opus_encode.argtypes = [state, c.c_char_p, number, state, size]
        library.opus_decode.argtypes = [state, c.c_char_p, size, state, number, number]
        library.opus_packet_get_nb_samples.argtypes = [c.c_char_p, size, size]
        library.opus_packet_has_lbrr.argtypes = [c.c_char_p, size]
        return library
    tried = "; ".join(problems) or "neither PyAV nor the system has it"
    raise OpusError(f"Opus cannot be used without libopus: {tried}", "opus_missing")


def _checked(result: int, doing: str) -> int:
    """Return what libopus returned, unless that is an error."""
    if result < 0:
        reason = _library().opus_strerror(result).decode(errors="replace")
        raise OpusError(f"libopus refuses {doing}: {reason}")
    return result


def version() -> str:
    """Return what libopus calls itself.

    Raises:
        OpusError: there is none.
    """
    return str(_library().opus_get_version_string().decode(errors="replace"))


def duration_samples(payload: bytes, rate_hz: int) -> int:
    """Return how long the sound of a packet lasts, in samples of `rate_hz`.

    Raises:
        OpusError: it is no packet of Opus.
    """
    return _checked(_library().opus_packet_get_nb_samples(payload, len(payload), rate_hz), "a packet")


def has_copy(payload: bytes) -> bool:
    """Return whether a packet carries a copy of the one before it (in-band FEC)."""
    return bool(payload) and _library().opus_packet_has_lbrr(payload, len(payload)) > 0


def is_silence(payload: bytes) -> bool:
    """Return whether a packet only says that silence goes on (DTX), so that it need not be sent."""
    return len(payload) <= _SILENT_BYTES


class Encoder:
    """One stream of s16le mono PCM on its way to packets."""

    def __init__(
        self,
        rate_hz: int = 24_000,
        application: Application = "voip",
        *,
        bitrate_bps: int = 32_000,
        complexity: int = 5,
        fec: bool = True,
        expected_loss_percent: int = 5,
        dtx: bool = False,
    ) -> None:
        """Begin a stream.

        `rate_hz` is 8000, 12,000, 16,000, 24,000 or 48,000; `complexity` goes from 0 to 10.  `fec` has every packet
        carry a copy of the one before, as good as `expected_loss_percent` makes worth while; `lowdelay` has no copies.
        With `dtx` silence is told by packets that `is_silence`.

        Raises:
            OpusError: libopus is missing, or a setting is out of its range.
        """
        self._state: int | None = None
        self._library = _library()
        if application not in _APPLICATIONS:
            raise OpusError(f"an Opus encoder's application is one of {', '.join(_APPLICATIONS)}, not {application}")
        error = c.c_int()
        state = self._library.opus_encoder_create(rate_hz, 1, _APPLICATIONS[application], c.byref(error))
        _checked(error.value, f"an encoder at {rate_hz} Hz")
        self._state = state
        self._set(_SET_BITRATE, bitrate_bps, f"{bitrate_bps} bit/s")
        self._set(_SET_COMPLEXITY, complexity, f"a complexity of {complexity}")
        self._set(_SET_COPIES, int(fec), "copies of packets")
        self._set(_SET_DTX, int(dtx), "discontinuous transmission")
        self._set(_SET_SIGNAL, _SIGNAL_VOICE, "a voice")
        self.expect_loss(expected_loss_percent)
        self._packet = c.create_string_buffer(_LONGEST_PACKET_BYTES)
        self._address = c.addressof(self._packet)

    def _set(self, request: int, value: int, doing: str) -> None:
        _checked(self._library.opus_encoder_ctl(c.c_void_p(self._state), c.c_int(request), c.c_int32(value)), doing)

    def expect_loss(self, percent: int) -> None:
        """Spend as much on copies as so many lost packets in a hundred are worth, from the next frame on.

        Raises:
            OpusError: `percent` is not 0 to 100.
        """
        self._set(_SET_LOSS, percent, f"an expected loss of {percent} percent")

    def encode(self, pcm: bytes) -> bytes:
        """Return the packet of one frame of 2.5, 5, 10, 20, 40 or 60 ms.

        Raises:
            OpusError: the frame has another length.
        """
        samples = -1 if len(pcm) % 2 else len(pcm) // 2
        length = self._library.opus_encode(self._state, pcm, samples, self._address, _LONGEST_PACKET_BYTES)
        return c.string_at(self._address, _checked(length, f"a frame of {len(pcm)} bytes"))

    def __del__(self) -> None:
        if self._state:
            self._library.opus_encoder_destroy(self._state)
            self._state = None


class Decoder:
    """One stream of packets on its way to s16le mono PCM; packets are given in their order, each once."""

    def __init__(self, rate_hz: int = 24_000) -> None:
        """Begin a stream at 8000, 12,000, 16,000, 24,000 or 48,000 Hz.

        Raises:
            OpusError: libopus is missing, or the rate is another one.
        """
        self._state: int | None = None
        self._library = _library()
        error = c.c_int()
        state = self._library.opus_decoder_create(rate_hz, 1, c.byref(error))
        _checked(error.value, f"a decoder at {rate_hz} Hz")
        self._state = state
        self._step = rate_hz // _STEPS_PER_SECOND
        self._longest = rate_hz * _LONGEST_PACKET_MS // 1000
        self._pcm = c.create_string_buffer(2 * self._longest)
        self._address = c.addressof(self._pcm)

    def decode(self, payload: bytes) -> bytes:
        """Return the sound of a packet.

        Raises:
            OpusError: it is damaged; whoever plays it conceals its time.
        """
        if not payload:  # libopus would take it for a request to conceal
            raise OpusError("libopus refuses a packet: it is empty")
        return self._decoded(payload, self._longest, 0)

    def conceal(self, samples: int) -> bytes:
        """Return sound that goes on from what was decoded last, fading out, in place of so many lost samples."""
        whole = samples // self._step * self._step
        pieces = [self._decoded(None, min(self._longest, whole - at), 0) for at in range(0, whole, self._longest)]
        return b"".join(pieces).ljust(2 * samples, b"\0")

    def recover(self, next_payload: bytes, samples: int) -> bytes:
        """Return the sound of so many samples that were lost before a packet, from the copy in it if there is one.

        The packet itself is decoded afterwards, as any other.  What the copy does not reach back to is concealed.

        Raises:
            OpusError: the packet is damaged.
        """
        copied = duration_samples(next_payload, self._step * _STEPS_PER_SECOND) if next_payload else 0
        reach = min(samples // self._step * self._step, copied)
        if not reach or not has_copy(next_payload):
            return self.conceal(samples)
        before = self.conceal(samples - reach) if samples > reach else b""
        return before + self._decoded(next_payload, reach, 1)

    def _decoded(self, payload: bytes | None, samples: int, fec: int) -> bytes:
        length = 0 if payload is None else len(payload)
        count = self._library.opus_decode(self._state, payload, length, self._address, samples, fec)
        return c.string_at(self._address, 2 * _checked(count, "a packet"))

    def __del__(self) -> None:
        if self._state:
            self._library.opus_decoder_destroy(self._state)
            self._state = None
