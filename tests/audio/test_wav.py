import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.g711 import pcm_to_alaw, pcm_to_ulaw
from vivavoce.audio.wav import WavError, WavWriter, read_wav

RAMP = np.arange(-32_768, 32_767, 97).astype("<i2")
PCM = RAMP.tobytes()


def chunk(name, body, size=None, pad=True):
    size = len(body) if size is None else size
    return name + struct.pack("<I", size) + body + b"\0" * (pad and len(body) % 2)


def riff(*chunks, sign=b"RIFF"):
    body = b"WAVE" + b"".join(chunks)
    return sign + struct.pack("<I", len(body)) + body


def fmt(coding, bits, channels=1, rate_hz=16_000, tail=b""):
    block = channels * -(-bits // 8)
    return chunk(b"fmt ", struct.pack("<HHIIHH", coding, channels, rate_hz, rate_hz * block, block, bits) + tail)


def extensible(coding, bits, channels):
    guid = struct.pack("<H", coding) + bytes.fromhex("000000001000800000aa00389b71")
    return fmt(0xFFFE, bits, channels, tail=struct.pack("<HHI", 22, bits, 3) + guid)


class Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self):
        self.written = b""

    def writable(self):
        return True

    def write(self, data):
        self.written += data
        return len(data)


def test_what_is_written_is_read_back_by_another_reader(tmp_path):
    path = tmp_path / "a.wav"
    with WavWriter(path, 22_050) as writer:
        writer.write(PCM)
        writer.write(b"")
        writer.write(PCM)
        assert writer.duration_ms == 2 * len(RAMP) * 1000 // 22_050

    with wave.open(str(path)) as other:
        assert other.getparams()[:4] == (1, 2, 22_050, 2 * len(RAMP))
        assert other.readframes(1_000_000) == PCM + PCM


def test_the_file_is_whole_after_every_write(tmp_path):
    path = tmp_path / "a.wav"
    writer = WavWriter(path)
    for count in range(4):
        with wave.open(str(path)) as other:
            assert other.readframes(other.getnframes()) == PCM * count
        assert path.stat().st_size == 44 + len(PCM) * count
        writer.write(PCM)
    writer.close()
    writer.close()


def test_a_pipe_gets_the_sizes_of_streaming():
    pipe = Pipe()
    with WavWriter(pipe) as writer:
        writer.write(PCM)

    assert pipe.written[4:8] == pipe.written[40:44] == b"\xff" * 4
    assert read_wav(pipe.written).pcm == PCM
    assert not pipe.closed


def test_a_file_may_begin_inside_a_stream():
    stream = io.BytesIO()
    stream.write(b"before")
    writer = WavWriter(stream)
    writer.write(PCM)
    writer.write(PCM)

    assert stream.getvalue()[:6] == b"before"
    assert read_wav(stream.getvalue()[6:]).pcm == PCM + PCM


def test_more_than_the_header_can_say_is_said_to_be_unknown():
    class Endless(io.BytesIO):
        def seek(self, at, whence=0):
            return super().seek(at, whence) if at == 0 else at  # nobody has 4 GB for a test

    stream = Endless()
    writer = WavWriter(stream)
    writer.data_bytes = 0xFFFFFFFF - 37 - 2
    writer.write(b"\1\0")
    assert stream.getvalue()[40:44] == struct.pack("<I", 0xFFFFFFFF - 37)
    writer.write(b"\1\0")
    assert stream.getvalue()[40:44] == b"\xff" * 4


def test_a_full_disk_is_reported_and_what_was_written_stays_whole(tmp_path):
    class FullDisk(io.BytesIO):
        def write(self, data):
            if self.tell() > 1000:
                raise OSError(28, "No space left on device")
            return super().write(data)

    disk = FullDisk()
    writer = WavWriter(disk)
    writer.write(PCM)
    with pytest.raises(OSError, match="No space"):
        writer.write(PCM)
    assert read_wav(disk.getvalue()).pcm == PCM


def test_half_a_sample_is_not_written():
    stream = io.BytesIO()
    with pytest.raises(ValueError, match="odd"):
        WavWriter(stream).write(b"\0")
    assert len(stream.getvalue()) == 44


WHOLE = RAMP.astype(np.int64)
SAMPLES = {
    "8 bit": (fmt(1, 8), (WHOLE // 256 + 128).astype(np.uint8).tobytes(), 256),
    "16 bit": (fmt(1, 16), PCM, 0),
    "24 bit": (fmt(1, 24), b"".join(int(x * 256).to_bytes(3, "little", signed=True) for x in WHOLE), 0),
    "32 bit": (fmt(1, 32), (WHOLE * 65_536).astype("<i4").tobytes(), 0),
    "32 bit float": (fmt(3, 32), (WHOLE / 32_768).astype("<f4").tobytes(), 0),
    "64 bit float": (fmt(3, 64), (WHOLE / 32_768).astype("<f8").tobytes(), 0),
    "20 bit in 24": (fmt(1, 20), b"".join(int(x * 256).to_bytes(3, "little", signed=True) for x in WHOLE), 0),
    "u-law": (fmt(7, 8), pcm_to_ulaw(PCM), 700),
    "A-law": (fmt(6, 8, tail=b"\0\0"), pcm_to_alaw(PCM), 700),
    "extensible": (extensible(1, 16, 1), PCM, 0),
    "extensible float": (extensible(3, 32, 1), (WHOLE / 32_768).astype("<f4").tobytes(), 0),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_coding_reads_as_the_same_samples(kind):
    form, data, tolerance = SAMPLES[kind]
    wav = read_wav(riff(form, chunk(b"data", data)))

    assert wav.rate_hz == 16_000
    assert np.abs(np.frombuffer(wav.pcm, "<i2").astype(int) - WHOLE).max() <= tolerance


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(channels):
    frames = np.stack([RAMP] + [np.zeros_like(RAMP)] * (channels - 1), 1)
    wav = read_wav(riff(extensible(1, 16, channels), chunk(b"data", frames.tobytes())))

    assert np.abs(np.frombuffer(wav.pcm, "<i2") - RAMP / channels).max() <= 0.5


def test_float_beyond_full_scale_is_clipped_and_what_is_no_number_is_silent():
    data = np.array([2, -2, np.inf, -np.inf, np.nan], "<f4").tobytes()
    pcm = read_wav(riff(fmt(3, 32), chunk(b"data", data))).pcm

    assert np.frombuffer(pcm, "<i2").tolist() == [32_767, -32_768, 32_767, -32_768, 0]


def test_other_chunks_are_passed_over_whether_padded_or_not():
    for pad in (True, False):
        odd = chunk(b"LIST", b"INFOxyz", pad=pad)
        assert read_wav(riff(odd, fmt(1, 16), chunk(b"fact", b"abc", pad=pad), chunk(b"data", PCM), odd)).pcm == PCM


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000])
def test_sizes_that_were_never_filled_in_mean_to_the_end(size):
    assert read_wav(riff(fmt(1, 16), chunk(b"data", PCM, size))).pcm == PCM


def test_empty_data_before_another_chunk_is_empty():
    assert read_wav(riff(fmt(1, 16), chunk(b"data", b""), chunk(b"LIST", b"INFO"))).pcm == b""


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes():
    whole = riff(fmt(1, 16), chunk(b"data", PCM))
    assert read_wav(whole[: 44 + 101]).pcm == PCM[:100]


def test_a_64_bit_riff_is_read():
    sizes = struct.pack("<QQQI", 0, len(PCM), len(RAMP), 0)
    assert read_wav(riff(chunk(b"ds64", sizes), fmt(1, 16), chunk(b"data", PCM, 0xFFFFFFFF), sign=b"RF64")).pcm == PCM


def test_a_path_is_read(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(riff(fmt(1, 16), chunk(b"data", PCM)))
    assert read_wav(path).pcm == read_wav(str(path)).pcm == PCM
    with pytest.raises(FileNotFoundError):
        read_wav(tmp_path / "none.wav")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello there, this is text", "does not begin with RIFF"),
        (b"OggS\0\0\0\0", "Ogg"),
        (b"ID3\4\0\0\0", "MP3"),
        (b"fLaC\0\0\0\0", "FLAC"),
        (b"RIFF\0\0\0\0AVI LIST", "RIFF of another kind"),
        (b"RIFF\0\0\0\0WAVE", "no format and no data"),
        (riff(fmt(1, 16)), "no data"),
        (riff(chunk(b"data", PCM)), "before its format"),
        (riff(chunk(b"fmt ", b"\1\0\1\0")), "cut off"),
        (riff(fmt(1, 16, channels=0), chunk(b"data", PCM)), "0 channels"),
        (riff(fmt(1, 16, rate_hz=0), chunk(b"data", PCM)), "0 Hz"),
        (riff(fmt(0x55, 16), chunk(b"data", PCM)), "MP3"),
        (riff(fmt(0x1234, 16), chunk(b"data", PCM)), "0x1234"),
        (riff(fmt(1, 64), chunk(b"data", PCM)), "64 bits"),
        (riff(fmt(3, 16), chunk(b"data", PCM)), "16 bits"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(data, reason):
    with pytest.raises(WavError, match=reason):
        read_wav(data)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(data):
    form, body, _ = SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))]
    damaged = bytearray(riff(form, chunk(b"data", body[:40])))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        wav = read_wav(cut)
    except WavError:
        return
    assert len(wav.pcm) % 2 == 0
    assert wav.rate_hz > 0
