"""What is heard while an answer plays: nothing when none does, its echo, and who claims the turn."""

from __future__ import annotations

import numpy as np
import pytest

from syllables import pcm, talk
from vivavoce.audio import bands
from vivavoce.core.formats import PCM_16K
from vivavoce.engines.attention import Attention
from vivavoce.engines.claims import INPUTS, claims, inputs

FRAME = 1024
FRAME_TICKS = 1536


def judged(attention: Attention, audio: bytes, probability: float = 0.9) -> list[tuple[float, float | None]]:
    return [
        attention.judge(audio[at : at + FRAME], (at // FRAME + 1) * FRAME_TICKS, probability)
        for at in range(0, len(audio) - FRAME + 1, FRAME)
    ]


def test_nothing_is_judged_while_nothing_plays() -> None:
    attention = Attention()
    assert set(judged(attention, pcm(talk(1, rate_hz=16_000)))) == {(0.0, None)}
    attention.expect_echo(bytes(3200), PCM_16K, 0)
    assert judged(attention, bytes(4 * 32_000))[-1] == (0.0, None), "a while after it ended"


def test_nothing_is_judged_while_nobody_speaks() -> None:
    attention = Attention()
    attention.expect_echo(pcm(talk(1, rate_hz=16_000)), PCM_16K, 0)
    assert set(judged(attention, pcm(talk(2, rate_hz=16_000)), 0.1)) == {(0.0, None)}


def test_an_echo_is_told_from_another_voice() -> None:
    for seed, is_echo in ((1, True), (2, False)):
        attention = Attention()
        attention.expect_echo(pcm(talk(1, rate_hz=16_000)), PCM_16K, 0)
        heard = np.concatenate([np.zeros(3200), 0.1 * talk(seed, rate_hz=16_000)])[:40_000]
        likenesses = [echo for echo, _ in judged(attention, pcm(heard))[20:]]
        assert (min(likenesses) > 0.8) if is_echo else (max(likenesses) < 0.75)


def test_a_claim_is_a_probability_and_does_not_depend_on_loudness() -> None:
    loud, soft = (bands.levels(pcm(a * talk(3, 0.48, 16_000)), 16_000) for a in (1.0, 0.2))
    found = claims().judge(loud, 300)
    assert 0.0 <= found <= 1.0
    assert claims().judge(soft, 300) == pytest.approx(found, abs=0.02)


def test_what_came_before_the_audio_counts_as_silence() -> None:
    rows = bands.levels(pcm(talk(3, 0.1, 16_000)), 16_000)
    seen = inputs(rows, 2000)
    assert seen.shape == (INPUTS,)
    assert seen[:16].max() == 0.0
    assert seen[-1] == 1.0
