"""What is heard while an answer plays: nothing when none does, its echo, and who claims the turn."""

from __future__ import annotations

import numpy as np

from syllables import pcm, talk
from vivavoce.core.formats import PCM_16K
from vivavoce.engines.attention import Attention
from vivavoce.engines.claims import LAST_FRAME

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


def test_a_sound_is_judged_from_its_third_frame_on_and_into_the_pause_after_it() -> None:
    attention = Attention()
    attention.expect_echo(bytes(3 * 32_000), PCM_16K, 0)
    audio = pcm(talk(2, 2.0, 16_000))
    claims = []
    for number, probability in enumerate([0.1] * 3 + [0.9] * 6 + [0.1] * 6):
        at = number * FRAME
        claims.append(attention.judge(audio[at : at + FRAME], (number + 1) * FRAME_TICKS, probability)[1])
    assert [claim is not None for claim in claims] == [False] * 5 + [True] * 8 + [False] * 2


def test_what_has_been_judged_for_long_is_not_judged_any_further() -> None:
    attention = Attention()
    attention.expect_echo(bytes(4 * 32_000), PCM_16K, 0)
    claims = [claim for _, claim in judged(attention, pcm(talk(2, 2.0, 16_000)))]
    assert len(set(claims[2:LAST_FRAME])) > 5
    assert len(set(claims[LAST_FRAME - 1 :])) == 1


def test_what_was_heard_before_anybody_spoke_is_known_however_long_ago_that_began() -> None:
    audio = pcm(talk(2, 4.0, 16_000))
    found = []
    for first in (0, 60 * FRAME):
        attention = Attention()
        attention.expect_echo(bytes(5 * 32_000), PCM_16K, 0)
        for at in range(first, 100 * FRAME, FRAME):
            probability = 0.9 if at >= 95 * FRAME else 0.1
            last = attention.judge(audio[at : at + FRAME], (at // FRAME + 1) * FRAME_TICKS, probability)
        found.append(last)
    assert found[0][1] is not None
    assert found[0] == found[1]
