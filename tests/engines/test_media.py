"""Real files, written and read by real processes: each takes about a fifth of a second."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncGenerator
from pathlib import Path

import av
import numpy as np
import pytest

from vivavoce.audio.pcm import level_dbfs
from vivavoce.audio.wav import WavWriter
from vivavoce.core.errors import EngineError
from vivavoce.engines import media_child
from vivavoce.engines.media import ENCODED, RATE_HZ, Media, MediaError

SECONDS = 2


def tone(rate_hz: int = RATE_HZ, seconds: float = SECONDS) -> bytes:
    """A tone of 440 Hz at -12 dBFS."""
    at = np.arange(int(rate_hz * seconds)) / rate_hz
    return (np.sin(2 * math.pi * 440 * at) * 0.35 * 32_767).astype("<i2").tobytes()


async def pieces(pcm: bytes, size: int = 7_681) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(pcm), size):
        yield pcm[start : start + size]


async def written(media: Media, kind: str, pcm: bytes) -> bytes:
    return b"".join([piece async for piece in media.encode(kind, pieces(pcm))])


async def read(media: Media, path: Path, rate_hz: int = 16_000) -> bytes:
    with path.open("rb") as file:
        return b"".join([piece async for piece in media.decode(file, rate_hz)])


@pytest.mark.parametrize("kind", ENCODED)
async def test_what_was_written_is_read_again(kind: str, tmp_path: Path) -> None:
    media = Media()
    path = tmp_path / "file"
    path.write_bytes(await written(media, kind, tone()))
    pcm = await read(media, path)
    await media.close()
    # Codecs add up to 100 ms of their own; nothing else may be missing or be too much.
    assert SECONDS * 32_000 <= len(pcm) < (SECONDS + 0.1) * 32_000
    middle = pcm[32_000 : 32_000 + 16_000]
    assert abs(level_dbfs(middle) - level_dbfs(tone(16_000, 0.5))) < 1


async def test_no_sound_at_all_makes_a_file_too() -> None:
    media = Media()
    assert (await written(media, "flac", b"")).startswith(b"fLaC")
    await media.close()


async def test_a_small_wav_file_takes_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Media, "_start", None)
    path = tmp_path / "a.wav"
    with WavWriter(path, 8_000) as wav:
        wav.write(tone(8_000))
    assert len(await read(Media(), path)) == SECONDS * 32_000


async def test_a_large_wav_file_is_streamed_by_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivavoce.engines.media._PLAIN_BYTES", 1000)
    path = tmp_path / "a.wav"
    with WavWriter(path, 44_100) as wav:
        wav.write(tone(44_100))
    assert abs(len(await read(Media(), path)) - SECONDS * 32_000) <= 2


STREAMED_RIFF = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 0x11, 1, 8000, 4000, 256, 4)
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{other}\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile {other}\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 5000, b"RIFF", STREAMED_RIFF, b"OggS" + b"\0" * 500, b"ID3\x04" + b"\0" * 500, b"\x1aE\xdf\xa3" * 99],
    ids=["empty", "zeros", "riff", "riff-without-data", "ogg", "id3", "matroska"],
)
async def test_what_is_no_sound_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(MediaError):
        await read(Media(), path)


@pytest.mark.parametrize("playlist", [HLS, CONCAT], ids=["hls", "concat"])
@pytest.mark.parametrize("scheme", ["", "file://"])
async def test_a_playlist_opens_no_other_file(playlist: bytes, scheme: str, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    with WavWriter(other) as wav:
        wav.write(tone())
    path = tmp_path / "list"
    path.write_bytes(playlist.replace(b"{other}", f"{scheme}{other}".encode()))
    with pytest.raises(MediaError):
        await read(Media(), path)


async def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    media = Media()
    data = await written(media, "mp3", tone())
    await media.close()
    path = tmp_path / "cut.mp3"
    path.write_bytes(data[: len(data) // 2])
    assert 0.8 * 32_000 < len(await read(media, path)) < 1.2 * 32_000


async def test_a_file_with_damage_in_it_is_read_around_it(tmp_path: Path) -> None:
    media = Media()
    data = bytearray(await written(media, "mp3", tone()))
    await media.close()
    data[8000:9000] = bytes(1000)
    path = tmp_path / "damaged.mp3"
    path.write_bytes(data)
    assert 1.5 * 32_000 < len(await read(media, path)) < 2.2 * 32_000


async def test_whoever_stops_taking_ends_the_process() -> None:
    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            yield bytes(4800)
            await asyncio.sleep(0)

    media = Media()
    file = media.encode("mp3", endless())
    await anext(file)
    await file.aclose()
    assert len(media._processes) <= 1  # the spare one alone
    await media.close()
    assert not media._processes


async def test_sound_that_fails_fails_the_file() -> None:
    async def failing() -> AsyncGenerator[bytes, None]:
        yield tone()
        raise ValueError("no more voice")

    media = Media()
    with pytest.raises(ValueError, match="no more voice"):
        async for _ in media.encode("opus", failing()):
            pass
    await media.close()


@pytest.mark.parametrize("end", ["import os; os.abort()", "raise MemoryError"])
async def test_a_decoder_that_crashes_was_given_a_bad_file(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "crashing.py"
    program.write_text(end)
    monkeypatch.setattr(media_child, "__file__", str(program))
    path = tmp_path / "file"
    path.write_bytes(b"OggS")
    with pytest.raises(MediaError, match="damaged"):
        await read(Media(), path)


async def test_a_process_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "hanging.py"
    program.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(media_child, "__file__", str(program))
    path = tmp_path / "file"
    path.write_bytes(b"OggS")
    media = Media(stall_seconds=0.05)
    with pytest.raises(MediaError, match="too long"):
        await read(media, path)
    assert not media._processes


async def test_a_process_sees_nothing_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVAVOCE_API_KEYS", "sk-secret")
    program = tmp_path / "telling.py"
    program.write_text(
        "import os, sys; print('seen:', *os.environ.keys() - {'LC_CTYPE'}, file=sys.stderr); sys.exit(65)"
    )
    monkeypatch.setattr(media_child, "__file__", str(program))
    path = tmp_path / "file"
    path.write_bytes(b"OggS")
    with pytest.raises(MediaError) as caught:
        await read(Media(), path)
    assert str(caught.value) == "seen: PYTHONPATH"


PROGRAM = Path(media_child.__file__).read_text(encoding="utf-8")


async def test_without_pyav_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bare.py"
    program.write_text(PROGRAM.replace("import av\n", "import no_such_av\n"))
    monkeypatch.setattr(media_child, "__file__", str(program))
    path = tmp_path / "file"
    path.write_bytes(b"OggS")
    with pytest.raises(EngineError, match="without PyAV: No module named 'no_such_av'") as caught:
        await read(Media(), path)
    assert not isinstance(caught.value, MediaError)


def made(path: Path, container: str, codec: str, rate_hz: int, *, has_video: bool = False) -> None:
    """Write a file of stereo sound as phones, browsers and editors do."""
    with av.open(str(path), "w", format=container) as file:
        sound = file.add_stream(codec, rate=rate_hz, layout="stereo")
        sound.codec_context.options = {"strict": "experimental"}  # as FFmpeg calls its own Vorbis encoder
        sound.codec_context.open()
        if has_video:
            pictures = file.add_stream("vp8" if container == "webm" else "mpeg4", rate=10)
            pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
            for number in range(20):
                picture = av.VideoFrame(64, 64, "yuv420p")
                picture.pts = number
                file.mux(pictures.encode(picture))
            file.mux(pictures.encode(None))
        coder = sound.codec_context
        resampler = av.AudioResampler(
            format=coder.format.name, layout="stereo", rate=rate_hz, frame_size=coder.frame_size or None
        )
        both = np.repeat(np.frombuffer(tone(), "<i2"), 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(coder.encode(piece))
        file.mux(coder.encode(None))


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz", "has_video"),
    [
        ("ipod", "aac", 44_100, False),
        ("mp4", "aac", 44_100, True),
        ("webm", "libopus", 48_000, True),
        ("ogg", "vorbis", 48_000, False),
        ("mpeg", "mp2", 44_100, True),
        ("matroska", "flac", 96_000, False),
        ("mov", "alac", 48_000, False),
        ("aiff", "pcm_s16be", 22_050, False),
    ],
)
async def test_what_phones_browsers_and_editors_write_is_read(
    container: str, codec: str, rate_hz: int, has_video: bool, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    made(path, container, codec, rate_hz, has_video=has_video)
    pcm = await read(Media(), path)
    assert (SECONDS - 0.1) * 32_000 <= len(pcm) < (SECONDS + 0.2) * 32_000
    assert abs(level_dbfs(pcm[32_000 : 32_000 + 16_000]) - level_dbfs(tone(16_000, 0.5))) < 1
