"""The program that reads and writes compressed audio, run by `media` as a process of its own.

FFmpeg, in the wheel of PyAV, is loaded here alone.  What is read comes from strangers, so a decoder that crashes, hangs
or swells takes nothing with it but this process; and the wheel links x264 and x265, which are GPL, so it is kept out of
vivavoce's own process.  Imports nothing of the package.  Started as `python -P media_child.py decode` with the file as
standard input, or `... encode` with the kind on the first line of standard input and s16le mono after it.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

RATE_HZ = 24_000
"""Samples a second of what is encoded."""
HEAD = struct.Struct("<I")
"""What decoding begins with: samples a second of the s16le mono that follows."""
UNREADABLE, MISSING = 65, 69
"""Exit statuses: the file cannot be read, as the last line of standard error tells; PyAV is not installed."""

_FORMATS = "wav,w64,aiff,au,mp3,aac,flac,ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mpeg,mpegts,amr,caf,asf"
"""Demuxers that read nothing but the file itself: playlists and the like would open others."""
_CODECS = (
    "mp3,mp3float,mp2,mp2float,mp1,mp1float,aac,aac_latm,flac,opus,libopus,vorbis,alac,ac3,eac3,amrnb,amrwb,wmav1,"
    "wmav2,gsm,gsm_ms,g722,g726,adpcm_ima_wav,adpcm_ms,adpcm_ima_qt,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,"
    "pcm_s32be,pcm_u8,pcm_s8,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw"
)
"""Decoders of sound alone: the pictures of a video are never looked at."""
_KINDS: dict[str, tuple[str, str, int | None, dict[str, str]]] = {
    # Container, codec, bits a second, options.  The pages of Ogg are short so that sound leaves soon.
    "mp3": ("mp3", "libmp3lame", 96_000, {"write_xing": "0"}),
    "opus": ("ogg", "libopus", 48_000, {"page_duration": "100000"}),
    "aac": ("adts", "aac", 96_000, {}),
    "flac": ("flac", "flac", None, {}),
}
_MEMORY_BYTES = 1 << 30
_PROCESSOR_SECONDS = 600
_OPEN_FILES = 32


class _Unreadable(Exception):
    """The file cannot be read; the text says why, of the file as `it`."""


def _library() -> Any:
    try:
        import av
        import av.error
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(MISSING)
    av.logging.set_level(None)
    return av


def _confine() -> None:
    """Take away what reading a file needs none of."""
    import resource

    limits = {
        resource.RLIMIT_AS: _MEMORY_BYTES,
        resource.RLIMIT_CPU: _PROCESSOR_SECONDS,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        with contextlib.suppress(OSError, ValueError):  # not every system knows them all
            resource.setrlimit(kind, (most, most))


class _Sink:
    """A pipe that is written to at once."""

    def __init__(self, stream: int) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        """Write all of it."""
        view = memoryview(bytes(data))
        while view:
            view = view[os.write(self._stream, view) :]
        return len(data)


def decode(source: BinaryIO, sink: _Sink) -> None:
    """Write the rate and then the first sound of a file.

    Raises:
        _Unreadable: there is none, or it cannot be read.
    """
    av = _library()
    _confine()
    source.seek(0)  # the parent, which shares the position, may have looked at the file
    options = {"format_whitelist": _FORMATS, "codec_whitelist": _CODECS, "protocol_whitelist": "none"}
    try:
        container = av.open(source, "r", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise _Unreadable("it is damaged, or of a kind that is not known") from error
    streams = container.streams.audio
    if not streams:
        raise _Unreadable("it has no sound")
    if streams[0].codec_context is None:
        raise _Unreadable("its sound is coded in a way that is not known")
    written, rate_hz, resampler = 0, 0, None
    for frame in _frames(av, container, streams[0]):
        if not rate_hz:
            rate_hz = frame.sample_rate
            sink.write(HEAD.pack(rate_hz))
        try:
            pieces = resampler.resample(frame) if resampler is not None else None
        except ValueError:
            pieces = None
        if pieces is None:
            # The first one, or the coding changed on the way, as in files that were joined.
            resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
            pieces = resampler.resample(frame)
        for piece in pieces:
            data = bytes(piece.planes[0])[: 2 * piece.samples]
            written += len(data)
            sink.write(data)
    if not written:
        raise _Unreadable("nothing of its sound can be decoded")


def _frames(av: Any, container: Any, stream: Any) -> Iterator[Any]:
    """Yield the frames that can be decoded; damaged ones are passed over, as players do."""
    stream.codec_context.thread_count = 1
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                continue
    except av.error.FFmpegError:
        return


def encode(kind: str, source: BinaryIO, sink: _Sink) -> None:
    """Write a file of `kind` with the sound that comes, as it comes."""
    av = _library()
    container_name, codec, bits, options = _KINDS[kind]
    container = av.open(sink, "w", format=container_name, options={**options, "flush_packets": "1"})
    stream = container.add_stream(codec, rate=RATE_HZ, layout="mono")
    if bits is not None:
        stream.bit_rate = bits
    encoder = stream.codec_context
    encoder.open()
    resampler = av.AudioResampler(
        format=encoder.format.name, layout="mono", rate=RATE_HZ, frame_size=encoder.frame_size or None
    )
    position = 0
    held = b""
    while data := os.read(source.fileno(), 1 << 16):
        data = held + data
        held = data[len(data) // 2 * 2 :]
        samples = len(data) // 2
        if samples:
            frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
            frame.planes[0].update(data[: 2 * samples] + bytes(frame.planes[0].buffer_size - 2 * samples))
            frame.sample_rate, frame.pts = RATE_HZ, position
            position += samples
            for piece in resampler.resample(frame):
                container.mux(encoder.encode(piece))
    if position:
        for piece in resampler.resample(None):
            container.mux(encoder.encode(piece))
    container.mux(encoder.encode(None))
    container.close()


def _head(source: BinaryIO) -> str:
    """Return the first line, and read nothing beyond it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(source.fileno(), 1)
        if not byte:
            sys.exit(0)  # nobody wanted anything of this process
        line += byte
    return line.decode().strip()


def main() -> int:
    """Do what the arguments say and return the exit status."""
    sink = _Sink(1)
    source = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - it is this process's own for good
    try:
        if sys.argv[1] == "decode":
            decode(source, sink)
        else:
            _library()  # while nobody waits for it
            encode(_head(source), source, sink)
    except _Unreadable as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    except BrokenPipeError:
        return 0  # whoever wanted it is gone
    return 0


if __name__ == "__main__":
    sys.exit(main())
