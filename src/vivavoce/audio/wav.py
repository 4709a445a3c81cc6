"""WAV files: RIFF with s16le mono written as it arrives, and nearly every kind of WAV read.

Called by the command line and by the file leg.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
import numpy as np
import numpy.typing as npt

from .g711 import alaw_to_pcm, ulaw_to_pcm

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_UNKNOWN_SIZE = 0xFFFFFFFF
"""The size of what has no end yet, by the convention of streaming programs."""
_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_OTHER_CODINGS = {0x02: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3", 0xFF: "AAC"}
_OTHER_FILES = {b"OggS": "Ogg", b"fLaC": "FLAC", b"ID3": "MP3", b"\xff\xfb": "MP3", b"FORM": "AIFF", b"RIFX": "RIFX"}


class WavError(ValueError):
    """What was read is not a WAV file that can be understood; the message says why."""


class Wav(msgspec.Struct, frozen=True):
    """The sound of a WAV file."""

    pcm: bytes
    """s16le mono: other codings converted, channels averaged."""
    rate_hz: int
    """Samples a second."""


def _header(rate_hz: int, data_bytes: int | None) -> bytes:
    """Return the 44 bytes before `data_bytes` of s16le mono; None: how many is not known."""
    known = data_bytes is not None and data_bytes <= _UNKNOWN_SIZE - 37
    size = data_bytes if known and data_bytes is not None else _UNKNOWN_SIZE
    riff_size = size + 36 if known else _UNKNOWN_SIZE
    return _HEADER.pack(
        *(b"RIFF", riff_size, b"WAVE", b"fmt ", 16, _PCM, 1, rate_hz, 2 * rate_hz, 2, 16), *(b"data", size)
    )


def stereo_header(rate_hz: int, data_bytes: int) -> bytes:
    """Return the 44 bytes before so many bytes of s16le with two channels."""
    size = min(data_bytes, _UNKNOWN_SIZE - 37)
    return _HEADER.pack(
        *(b"RIFF", size + 36, b"WAVE", b"fmt ", 16, _PCM, 2, rate_hz, 4 * rate_hz, 4, 16), *(b"data", size)
    )


def stream_header(rate_hz: int) -> bytes:
    """Return what a WAV file of s16le mono begins with while nobody knows yet how long it will be."""
    return _header(rate_hz, None)


class WavWriter:
    """A WAV file being written, whole at every moment.

    Each `write` adds the audio and then makes the header say so, so that a program that dies leaves a file which any
    player plays.  A stream that cannot seek (a pipe) gets the sizes that streaming programs use instead.
    """

    def __init__(self, target: BinaryIO | str | os.PathLike[str], rate_hz: int = 24_000) -> None:
        """Begin a file at a path, which is replaced, or on an open binary stream, which `close` leaves open.

        Raises:
            OSError: it cannot be written.
        """
        self.rate_hz = rate_hz
        """Samples a second."""
        self.data_bytes = 0
        """Bytes of audio written."""
        self._owns_stream = isinstance(target, str | os.PathLike)
        self._stream: BinaryIO = open(target, "wb") if isinstance(target, str | os.PathLike) else target  # noqa: SIM115
        self._start = self._stream.tell() if self._stream.seekable() else None
        self._stream.write(_header(rate_hz, None if self._start is None else 0))
        self._stream.flush()

    @property
    def duration_ms(self) -> int:
        """How long the audio written lasts, rounded down."""
        return self.data_bytes // 2 * 1000 // self.rate_hz

    def write(self, pcm: bytes) -> None:
        """Add s16le mono audio.

        Raises:
            OSError: it cannot be written; the file stays whole up to the last write that worked.
            ValueError: `pcm` is not whole samples.
        """
        if len(pcm) % 2:
            raise ValueError("PCM of 16 bits has an odd number of bytes")
        if not pcm:
            return
        self._stream.write(pcm)
        self._stream.flush()  # the audio first: a header that promises too little is still right
        self.data_bytes += len(pcm)
        if self._start is not None:
            self._stream.seek(self._start)
            self._stream.write(_header(self.rate_hz, self.data_bytes))
            self._stream.flush()
            self._stream.seek(self._start + _HEADER.size + self.data_bytes)

    def close(self) -> None:
        """Finish; more than once does nothing.

        Raises:
            OSError: it cannot be written.
        """
        if self._owns_stream:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Format(msgspec.Struct, frozen=True):
    """What the `fmt ` chunk says."""

    coding: int
    channels: int
    rate_hz: int
    sample_bytes: int
    """Of one channel."""


def read_wav(source: bytes | str | os.PathLike[str]) -> Wav:
    """Read a WAV file, or the bytes of one, as s16le mono at its own rate.

    PCM of 8 to 32 bits, float, u-law and A-law, any number of channels.  A file that was cut off is read as far as it
    goes, and sizes that a streaming program did not fill in mean "to the end".

    Raises:
        WavError: it is not a WAV file, or one of a kind that is not known.
        OSError: the file cannot be read.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    _check_kind(data)
    form: _Format | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"fmt ":
            form = _read_format(data[at : at + size])
        elif name == b"data":
            if form is None:
                raise WavError("the WAV file has its data before its format")
            end = len(data) if _is_open_ended(data, at, size) else at + size
            return Wav(_to_mono(data[at:end], form), form.rate_hz)
        at += size
        at += size % 2 and data[at : at + 1] == b"\0"  # chunks are padded to even sizes, but not by every program
    raise WavError("the WAV file has no data" if form else "the WAV file has no format and no data")


def _check_kind(data: bytes) -> None:
    """Raise an error unless `data` begins as a WAV file does."""
    if data[:4] in (b"RIFF", b"RF64", b"BW64") and data[8:12] == b"WAVE":
        return
    if not data:
        raise WavError("the file is empty")
    if data[:4] == b"RIFF":
        raise WavError("not a WAV file, but RIFF of another kind")
    for sign, name in _OTHER_FILES.items():
        if data.startswith(sign):
            raise WavError(f"not a WAV file, but {name}")
    raise WavError("not a WAV file: it does not begin with RIFF")


def _is_open_ended(data: bytes, at: int, size: int) -> bool:
    """Tell whether the data chunk of `size` at `at` really goes on to the end of the file."""
    if at + size > len(data):
        return True
    # A size of 0 was never filled in, unless another chunk follows.
    return size == 0 and not data[at : at + 4].rstrip().isalnum()


def _read_format(chunk: bytes) -> _Format:
    """Return what the `fmt ` chunk says, if it can be read."""
    if len(chunk) < 16:
        raise WavError("the WAV file's format is cut off")
    coding, channels, rate_hz, _, block_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    if coding == _EXTENSIBLE and len(chunk) >= 26:
        coding = int.from_bytes(chunk[24:26], "little")  # the sub-format's identifier begins with the plain code
    if not channels or not rate_hz:
        raise WavError(f"the WAV file claims {channels} channels at {rate_hz} Hz")
    sample_bytes = -(-bits // 8) or block_bytes // channels
    sizes = {_PCM: (1, 2, 3, 4), _FLOAT: (4, 8), _ALAW: (1,), _ULAW: (1,)}
    if coding not in sizes:
        raise WavError(f"the WAV file's coding {_OTHER_CODINGS.get(coding, hex(coding))} is not supported")
    if sample_bytes not in sizes[coding]:
        raise WavError(f"the WAV file has samples of {bits} bits, which its coding does not know")
    return _Format(coding, channels, rate_hz, sample_bytes)


def _to_mono(data: bytes, form: _Format) -> bytes:
    """Return the audio as s16le, its channels averaged; half a sample at the end is dropped."""
    block_bytes = form.channels * form.sample_bytes
    data = data[: len(data) // block_bytes * block_bytes]
    if form.coding == _PCM and block_bytes == 2:
        return data
    samples = _samples(data, form)
    if form.channels > 1:
        samples = samples.reshape(-1, form.channels).mean(axis=1)
    return np.clip(np.rint(samples), -32_768, 32_767).astype("<i2").tobytes()


def _samples(data: bytes, form: _Format) -> npt.NDArray[np.float32 | np.float64 | np.int16]:
    """Return all samples on the scale of 16 bits."""
    match form.coding, form.sample_bytes:
        case (1, 1):
            return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) * 256
        case (1, 2):
            return np.frombuffer(data, "<i2")
        case (1, 3):
            raw = np.frombuffer(data, np.uint8).reshape(-1, 3)
            return raw[:, 2].astype(np.int8).astype(np.float32) * 256 + raw[:, 1] + raw[:, 0] / np.float32(256)
        case (1, _):
            return np.frombuffer(data, "<i4").astype(np.float64) / 65_536
        case (3, size):
            values = np.frombuffer(data, f"<f{size}")
            scaled: npt.NDArray[np.float64] = np.nan_to_num(np.clip(values, -1, 1), nan=0.0) * 32_768.0
            return scaled
        case (6, _):
            return np.frombuffer(alaw_to_pcm(data), "<i2")
        case _:
            return np.frombuffer(ulaw_to_pcm(data), "<i2")
