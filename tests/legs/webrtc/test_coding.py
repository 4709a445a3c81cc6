"""The codecs, both ways."""

from __future__ import annotations

import numpy as np
import pytest

from browsers import pitch
from vivavoce.legs.opus import has_copy
from vivavoce.legs.webrtc.coding import Decoding, Encoding, decoding, encoding
from vivavoce.legs.webrtc.offer import Codec
from vivavoce.legs.webrtc.settings import WebrtcSettings

CODECS = {
    "opus": Codec(111, "opus", 48_000),
    "pcmu": Codec(0, "pcmu", 8000),
    "pcma": Codec(8, "pcma", 8000),
}
SPOKEN = (8000 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)).astype("<i2").tobytes()
FRAMES = [SPOKEN[at : at + 960] for at in range(0, len(SPOKEN), 960)]


def made(name: str) -> tuple[Encoding, Decoding]:
    return encoding(CODECS[name], WebrtcSettings()), decoding(CODECS[name])


@pytest.mark.parametrize("name", CODECS)
def test_what_was_said_is_heard(name: str) -> None:
    encoder, decoder = made(name)
    payloads = [encoder.encode(frame) for frame in FRAMES]
    assert {decoder.ticks(payload) for payload in payloads} == {encoder.clock_ticks}
    heard = np.frombuffer(b"".join(map(decoder.decode, payloads)), "<i2")
    assert len(heard) == pytest.approx(24_000, abs=500)
    assert pitch(heard[-12_000:], 24_000) == pytest.approx(440, abs=4)


@pytest.mark.parametrize("name", CODECS)
def test_the_quiet_payload_is_quiet_and_short_where_it_can_be(name: str) -> None:
    encoder, decoder = made(name)
    heard = np.frombuffer(b"".join(decoder.decode(encoder.quiet) for _ in range(10)), "<i2")
    assert np.abs(heard.astype(int)).max() <= 16  # the least that A-law can tell is 8
    assert len(encoder.quiet) <= (10 if name == "opus" else 160)


@pytest.mark.parametrize("name", CODECS)
def test_what_is_missing_is_filled_in_and_fades(name: str) -> None:
    encoder, decoder = made(name)
    payloads = [encoder.encode(frame) for frame in FRAMES[:20]]
    for payload in payloads[:-1]:
        decoder.decode(payload)
    ticks = encoder.clock_ticks
    gap = np.frombuffer(b"".join(decoder.conceal(ticks) for _ in range(10)), "<i2").astype(float)
    assert len(gap) == pytest.approx(4800, abs=3)
    first, last = np.sqrt((gap[:480] ** 2).mean()), np.sqrt((gap[-480:] ** 2).mean())
    assert first > 1000
    assert last < first / 3
    assert len(decoder.recover(payloads[-1], ticks)) == pytest.approx(960, abs=4)
    assert len(decoder.silence(ticks)) == pytest.approx(960, abs=4)


def test_a_damaged_payload_sounds_as_long_as_it_says() -> None:
    _, decoder = made("opus")
    decoder.decode(encoding(CODECS["opus"], WebrtcSettings()).encode(FRAMES[0]))
    damaged = b"\xff\x41" + bytes(3)
    assert len(decoder.decode(damaged)) == decoder.ticks(damaged) // 2 * 2


def test_packets_carry_copies_where_loss_is_expected() -> None:
    expecting = WebrtcSettings(opus_application="voip", opus_expected_loss_percent=20, opus_bitrate_bps=32_000)
    for settings, carries in ((expecting, True), (WebrtcSettings(opus_application="voip"), False)):
        encoder = encoding(CODECS["opus"], settings)
        assert any(has_copy(encoder.encode(frame)) for frame in FRAMES) == carries


def test_the_settings_reach_the_encoder() -> None:
    sizes = []
    for rate in (16_000, 64_000):
        encoder = encoding(CODECS["opus"], WebrtcSettings(opus_bitrate_bps=rate))
        sizes.append(sum(len(encoder.encode(frame)) for frame in FRAMES))
    assert sizes[0] < sizes[1] / 2
