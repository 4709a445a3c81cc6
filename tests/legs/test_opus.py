import gc
import sys

import numpy as np
import pytest

from vivavoce.legs import opus
from vivavoce.legs.opus import Decoder, Encoder, OpusError, duration_samples, has_copy, is_silence

RATE = 24_000
FRAME = 480


def voice(seconds, rate=RATE, seed=5):
    """A hum of several partials that comes and goes, as speech does, with a little noise."""
    t = np.arange(int(seconds * rate)) / rate
    hum = sum(np.sin(2 * np.pi * 140 * n * t) / n for n in range(1, 12))
    loudness = 0.5 + 0.5 * np.sin(2 * np.pi * 2.3 * t)
    noise = np.random.default_rng(seed).normal(0, 0.01, len(t))
    return ((hum * loudness + noise) * 6000).astype("<i2")


def frames(samples, length=FRAME):
    return [samples[i : i + length].tobytes() for i in range(0, len(samples), length)]


def envelope(pcm):
    """Loudness of every 10 ms."""
    samples = np.frombuffer(pcm, "<i2").astype(float)
    return np.sqrt((samples[: len(samples) // 240 * 240].reshape(-1, 240) ** 2).mean(1))


def likeness(a, b):
    """Correlation of two loudness curves, the better of those shifted by the codec's delay of up to 20 ms."""
    return max(np.corrcoef(a[: len(a) - shift], b[shift:])[0, 1] for shift in range(3))


@pytest.mark.parametrize("application", ["voip", "audio", "lowdelay"])
def test_what_is_encoded_is_decoded_again_as_long_and_as_loud(application):
    encoder, decoder = Encoder(application=application), Decoder()
    pcm = voice(1)
    out = b"".join(decoder.decode(encoder.encode(frame)) for frame in frames(pcm))
    assert len(out) == 2 * len(pcm)
    assert likeness(envelope(pcm.tobytes()), envelope(out)) > 0.98


@pytest.mark.parametrize("duration_ms", [2.5, 5, 10, 20, 40, 60])
def test_frames_of_every_length_of_opus_pass(duration_ms):
    samples = int(duration_ms * RATE / 1000)
    payload = Encoder().encode(bytes(2 * samples))
    assert duration_samples(payload, RATE) == samples
    assert duration_samples(payload, 48_000) == 2 * samples
    assert len(Decoder().decode(payload)) == 2 * samples


def test_a_stream_of_another_rate_is_decoded_at_the_rate_that_is_asked_for():
    encoder = Encoder(48_000)
    assert len(Decoder(RATE).decode(encoder.encode(bytes(2 * 960)))) == 2 * FRAME
    assert len(Decoder(8_000).decode(encoder.encode(bytes(2 * 960)))) == 2 * 160


def test_a_lost_packet_is_recovered_from_the_copy_in_the_next_one():
    encoder = Encoder(expected_loss_percent=20)
    whole, holed = Decoder(), Decoder()
    payloads = [encoder.encode(frame) for frame in frames(voice(1))]
    lost = next(at for at in range(20, 40) if has_copy(payloads[at + 1]))
    expected = [whole.decode(payload) for payload in payloads]
    for payload in payloads[:lost]:
        holed.decode(payload)
    recovered = holed.recover(payloads[lost + 1], FRAME)
    assert len(recovered) == 2 * FRAME
    error = np.frombuffer(recovered, "<i2").astype(float) - np.frombuffer(expected[lost], "<i2")
    assert (error**2).mean() < 0.2 * (np.frombuffer(expected[lost], "<i2").astype(float) ** 2).mean()
    assert len(holed.decode(payloads[lost + 1])) == 2 * FRAME


def test_without_a_copy_or_beyond_its_reach_the_time_is_concealed():
    encoder = Encoder(application="lowdelay")
    payloads = [encoder.encode(frame) for frame in frames(voice(0.2))]
    assert not any(map(has_copy, payloads))
    decoder = Decoder()
    decoder.decode(payloads[0])
    assert len(decoder.recover(payloads[2], FRAME)) == 2 * FRAME
    copying = Encoder(expected_loss_percent=20)
    copies = [copying.encode(frame) for frame in frames(voice(0.4))]
    assert has_copy(copies[-1])
    assert len(Decoder().recover(copies[-1], 3 * FRAME)) == 2 * 3 * FRAME


def test_what_is_concealed_goes_on_from_what_was_heard_and_fades():
    encoder, decoder = Encoder(), Decoder()
    for frame in frames(voice(0.5)):
        heard = decoder.decode(encoder.encode(frame))
    begin = envelope(decoder.conceal(FRAME))
    rest = envelope(decoder.conceal(50 * FRAME))
    assert begin[0] > 0.3 * envelope(heard)[-1]
    assert rest[-1] < 0.1 * begin[0]


@pytest.mark.parametrize("samples", [0, 1, 59, 60, 61, 480, 2881, 24_000])
def test_any_time_can_be_concealed(samples):
    assert len(Decoder().conceal(samples)) == 2 * samples


def test_silence_need_not_be_sent_with_discontinuous_transmission():
    quiet, loud = Encoder(dtx=True), Encoder(dtx=False)
    payloads = [quiet.encode(bytes(2 * FRAME)) for _ in range(50)]
    assert is_silence(payloads[-1])
    assert not is_silence(loud.encode(voice(0.02).tobytes()))
    decoder = Decoder()
    assert [len(decoder.decode(payload)) for payload in payloads] == [2 * FRAME] * 50


@pytest.mark.parametrize(
    "settings",
    [
        {"rate_hz": 44_100},
        {"bitrate_bps": -5},
        {"complexity": 11},
        {"expected_loss_percent": 101},
        {"application": "music"},
    ],
)
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(OpusError, match=str(next(iter(settings.values())))):
        Encoder(**settings)


@pytest.mark.parametrize("payload", [b"", b"\xff\xff\xff", b"\x03"])
def test_a_damaged_packet_is_an_error_and_the_decoder_goes_on(payload):
    decoder = Decoder()
    with pytest.raises(OpusError, match="refuses a packet"):
        decoder.decode(payload)
    assert len(decoder.decode(Encoder().encode(bytes(2 * FRAME)))) == 2 * FRAME


def test_random_bytes_are_sound_or_an_error_and_nothing_worse():
    chance = np.random.default_rng(3)
    decoder = Decoder()
    for _ in range(2000):
        payload = chance.bytes(int(chance.integers(1, 60)))
        for work in (decoder.decode, lambda payload: decoder.recover(payload, FRAME)):
            try:
                assert len(work(payload)) % 2 == 0
            except OpusError:
                assert len(decoder.conceal(FRAME)) == 2 * FRAME


@pytest.mark.parametrize("length", [0, 1, 958, 961, 962])
def test_a_frame_of_an_odd_length_is_refused(length):
    with pytest.raises(OpusError, match="frame"):
        Encoder().encode(bytes(length))


def test_without_libopus_the_error_says_so(monkeypatch):
    monkeypatch.setattr(opus, "_paths", lambda: ["/nowhere/libopus.so"])
    opus._library.cache_clear()
    try:
        with pytest.raises(OpusError, match="without libopus: /nowhere/libopus") as caught:
            Encoder()
        assert caught.value.code == "opus_missing"
    finally:
        opus._library.cache_clear()


def test_states_are_freed_with_their_objects(monkeypatch):
    freed = []
    library = opus._library()

    class Counting:
        def __getattr__(self, name):
            if name.endswith("_destroy"):
                return lambda state: (freed.append(name), getattr(library, name)(state))
            return getattr(library, name)

    monkeypatch.setattr(opus, "_library", Counting)
    gc.disable()
    try:
        encoder, decoder = Encoder(), Decoder()
        assert sys.getrefcount(encoder) == sys.getrefcount(decoder)
        del encoder, decoder
    finally:
        gc.enable()
    assert freed == ["opus_encoder_destroy", "opus_decoder_destroy"]
