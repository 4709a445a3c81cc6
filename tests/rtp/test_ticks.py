import pytest

from vivavoce.legs.opus import Encoder, OpusError, duration_samples
from vivavoce.rtp.ticks import octet_ticks, opus_ticks


def test_every_head_of_opus_lasts_as_long_as_libopus_says():
    for first in range(256):
        for second in range(256):
            payload = bytes([first, second]) + bytes(40)
            try:
                expected = duration_samples(payload, 48_000)
            except OpusError:
                expected = 0
            assert opus_ticks(payload) == expected, payload[:2]


@pytest.mark.parametrize("duration_ms", [2.5, 5, 10, 20, 40, 60])
def test_what_an_encoder_makes_lasts_as_long_as_its_frame(duration_ms):
    assert opus_ticks(Encoder().encode(bytes(int(48 * duration_ms)))) == 48 * duration_ms


def test_nothing_lasts_no_time():
    assert [opus_ticks(b""), opus_ticks(b"\x03"), octet_ticks(b""), octet_ticks(bytes(160))] == [0, 0, 0, 160]
