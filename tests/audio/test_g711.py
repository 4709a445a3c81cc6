"""G.711 against an independent sample-by-sample rendering of the compression in ITU-T G.191."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.g711 import alaw_to_pcm, pcm_to_alaw, pcm_to_ulaw, ulaw_to_pcm

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = range(-32_768, 32_768)


def to_pcm(samples):
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


def to_samples(pcm):
    return [int.from_bytes(pcm[i : i + 2], "little", signed=True) for i in range(0, len(pcm), 2)]


def ulaw_code(sample):
    magnitude = min((~sample if sample < 0 else sample) // 4 + 33, 0x1FFF)
    segment = max(magnitude.bit_length() - 5, 1)
    code = (8 - segment) << 4 | 15 - (magnitude >> segment & 15)
    return code | (0x80 if sample >= 0 else 0)


def alaw_code(sample):
    magnitude = (~sample if sample < 0 else sample) // 16
    segment = 0
    if magnitude > 15:
        segment = 1
        while magnitude > 31:
            magnitude //= 2
            segment += 1
        magnitude -= 16
    return (magnitude | segment << 4 | (0x80 if sample >= 0 else 0)) ^ 0x55


def test_every_sample_gets_the_u_law_code_of_the_standard():
    assert pcm_to_ulaw(to_pcm(EVERY_SAMPLE)) == bytes(map(ulaw_code, EVERY_SAMPLE))


def test_every_sample_gets_the_a_law_code_of_the_standard():
    assert pcm_to_alaw(to_pcm(EVERY_SAMPLE)) == bytes(map(alaw_code, EVERY_SAMPLE))


def test_known_codes_decode_to_the_values_of_the_tables():
    assert to_samples(ulaw_to_pcm(b"\x00\x80\x7f\xff\xfe\x8f")) == [-32124, 32124, 0, 0, 8, 16764]
    assert to_samples(alaw_to_pcm(b"\x2a\xaa\x55\xd5\x54\xd4")) == [-32256, 32256, -8, 8, -24, 24]


@pytest.mark.parametrize(("decode", "encode"), [(ulaw_to_pcm, pcm_to_ulaw), (alaw_to_pcm, pcm_to_alaw)])
def test_a_code_survives_decoding_and_encoding(decode, encode):
    again = encode(decode(EVERY_CODE))

    assert decode(again) == decode(EVERY_CODE)
    # u-law has two zeros, which are one in PCM; every other code comes back as itself.
    assert sum(a != b for a, b in zip(again, EVERY_CODE, strict=True)) == (encode is pcm_to_ulaw)


@pytest.mark.parametrize(("decode", "encode"), [(ulaw_to_pcm, pcm_to_ulaw), (alaw_to_pcm, pcm_to_alaw)])
def test_a_sample_comes_back_within_half_a_step_of_its_segment(decode, encode):
    for sample, value in zip(EVERY_SAMPLE, to_samples(decode(encode(to_pcm(EVERY_SAMPLE)))), strict=True):
        assert abs(sample - value) <= abs(sample) // 32 + 16


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_chunks_decode_as_the_whole_does(data):
    cut = len(data) // 3
    assert ulaw_to_pcm(data[:cut]) + ulaw_to_pcm(data[cut:]) == ulaw_to_pcm(data)
    assert alaw_to_pcm(data[:cut]) + alaw_to_pcm(data[cut:]) == alaw_to_pcm(data)


@pytest.mark.parametrize("encode", [pcm_to_ulaw, pcm_to_alaw])
def test_half_a_sample_is_refused(encode):
    with pytest.raises(ValueError, match="multiple"):
        encode(b"\x00\x00\x00")
    assert encode(b"") == b""
