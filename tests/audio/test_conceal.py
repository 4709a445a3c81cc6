import itertools

import numpy as np
import pytest

from vivavoce.audio.conceal import Concealment

RATE = 8000


def hum(hz, seconds, rate=RATE, begin=0.0):
    t = begin + np.arange(int(seconds * rate)) / rate
    partials = sum(np.cos(2 * np.pi * hz * n * t) / n for n in range(1, int(3000 / hz)))
    return np.rint(4000 * partials).astype("<i2")


def samples(pcm):
    return np.frombuffer(pcm, "<i2").astype(float)


def level(pcm):
    return np.sqrt((samples(pcm) ** 2).mean())


@pytest.mark.parametrize("rate", [8000, 16_000])
@pytest.mark.parametrize("hz", [80, 115, 173, 240, 330])
def test_a_voice_goes_on_at_its_pitch(hz, rate):
    heard, lost = hum(hz, 0.2, rate), samples(hum(hz, 0.01, rate, begin=0.2).tobytes())
    concealment = Concealment(rate)
    concealment.hear(heard.tobytes())
    concealed = samples(concealment.conceal(rate // 100))
    likeness = concealed @ lost / np.sqrt((concealed @ concealed) * (lost @ lost))
    assert likeness > 0.85  # a period is whole samples, of which there are few at 8 kHz


def test_what_is_concealed_fades_in_60_ms_and_stays_silent():
    concealment = Concealment(RATE)
    concealment.hear(hum(120, 0.2).tobytes())
    pieces = [concealment.conceal(80) for _ in range(12)]
    levels = [level(piece) for piece in pieces]
    assert levels[0] > 0.8 * level(hum(120, 0.2).tobytes())
    assert all(later <= sooner * 1.1 for sooner, later in itertools.pairwise(levels))
    assert levels[5] < 0.2 * levels[0]
    assert pieces[6:] == [bytes(160)] * 6


def test_there_is_no_click_at_either_end_of_a_hole():
    whole = hum(140, 0.4)
    ordinary = np.abs(np.diff(whole.astype(float))).max()
    for lost in range(800, 900, 7):
        concealment = Concealment(RATE)
        out = concealment.hear(whole[:lost].tobytes())
        out += concealment.conceal(160)
        out += concealment.hear(whole[lost + 160 :].tobytes())
        steps = np.abs(np.diff(samples(out)))[lost - 5 : lost + 260]
        assert steps.max() < 1.3 * ordinary
        assert len(out) == 2 * len(whole)


def test_without_loss_nothing_is_changed():
    concealment = Concealment(RATE)
    pcm = hum(100, 1).tobytes()
    cuts = [0, 2, 4, 700, 900, 5000, len(pcm)]
    assert b"".join(concealment.hear(pcm[a:b]) for a, b in itertools.pairwise(cuts)) == pcm


def test_after_a_hole_sound_is_untouched_from_10_ms_on():
    whole = hum(140, 0.4)
    concealment = Concealment(RATE)
    concealment.hear(whole[:1600].tobytes())
    concealment.conceal(800)
    assert concealment.hear(whole[2400:].tobytes())[2 * 80 :] == whole[2480:].tobytes()


def test_noise_is_lent_no_pitch():
    noise = np.random.default_rng(2).normal(0, 3000, 4000).astype("<i2")
    concealment = Concealment(RATE)
    concealment.hear(noise.tobytes())
    concealed = samples(concealment.conceal(120))
    lags = range(RATE // 400, 110)
    likeness = [np.corrcoef(concealed[lag:], concealed[:-lag])[0, 1] for lag in lags if len(concealed) - lag > 40]
    assert max(likeness) < 0.6


@pytest.mark.parametrize("count", [0, 1, 7, 160, 5000])
def test_any_time_can_be_concealed_even_before_anything_was_heard(count):
    concealment = Concealment(RATE)
    assert concealment.conceal(count) == bytes(2 * count)
    loud = Concealment(RATE)
    loud.hear(np.full(400, 32_767, "<i2").tobytes())
    assert len(loud.conceal(count)) == 2 * count


def test_half_a_sample_is_refused():
    with pytest.raises(ValueError, match="odd"):
        Concealment(RATE).hear(b"abc")
