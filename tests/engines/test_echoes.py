"""What a microphone hears of a loudspeaker is told from what is said into it."""

from __future__ import annotations

import numpy as np
import pytest

from syllables import pcm, talk
from vivavoce.audio import bands
from vivavoce.core.formats import PCM_24K, PCMU, AudioFormat
from vivavoce.engines.echoes import Output, likeness

MS = 48


def heard(sound: np.ndarray, at_ms: int) -> bands.Levels:
    return bands.levels(pcm(sound[(at_ms - 460) * 24 : at_ms * 24]), 24_000)


def played(sound: np.ndarray, at_ms: int, format_: AudioFormat = PCM_24K) -> bands.Levels:
    output = Output()
    output.add(pcm(sound), format_, 0)
    return output.levels((at_ms - 460 - 600) * MS, at_ms * MS)


@pytest.mark.parametrize("delay_ms", [0, 20, 150, 390, 590])
def test_an_echo_is_recognised_however_late_and_soft(delay_ms: int) -> None:
    answer = talk(1)
    echo = np.concatenate([np.zeros(delay_ms * 24), 0.05 * answer])
    found, row = likeness(heard(echo, 2000), played(answer, 2000))
    assert found > 0.95
    assert abs(row * 10 - (600 - delay_ms)) <= 10


def test_it_does_not_matter_in_what_pieces_the_output_came() -> None:
    answer = pcm(talk(1))
    output = Output()
    for at in range(0, len(answer), 4800):
        output.add(answer[at : at + 4800], PCM_24K, at)
    assert np.array_equal(output.levels((2000 - 1060) * MS, 2000 * MS), played(talk(1), 2000))


def test_another_voice_is_no_echo() -> None:
    found = [likeness(heard(talk(seed), 2000), played(talk(1), 2000))[0] for seed in range(2, 12)]
    assert max(found) < 0.7


def test_a_voice_over_the_echo_is_no_echo() -> None:
    answer, other = talk(1), talk(2)
    both = 0.1 * answer + other
    assert likeness(heard(both, 2000), played(answer, 2000))[0] < 0.7


def test_silence_is_like_nothing() -> None:
    silence = np.full((40, bands.COUNT), bands.FLOOR_DB, np.float32)
    assert likeness(silence, played(talk(1), 2000))[0] == 0.0
    assert likeness(heard(talk(1), 2000), np.full((80, bands.COUNT), bands.FLOOR_DB, np.float32))[0] == 0.0


def test_too_little_is_not_compared() -> None:
    rows = played(talk(1), 2000)
    assert likeness(rows[:7], rows) == (0.0, 0)
    assert likeness(rows, rows[:20]) == (0.0, 0)


def test_output_is_known_where_it_plays_and_silent_elsewhere() -> None:
    output = Output()
    tone = pcm(0.5 * np.sin(2 * np.pi * 1000 * np.arange(2400) / 24_000))
    output.add(tone, PCM_24K, 500 * MS)
    output.add(tone, PCM_24K, 600 * MS)
    rows = output.levels(400 * MS, 800 * MS)
    loud = np.flatnonzero(rows.max(axis=1) > -20)
    assert (loud[0], loud[-1]) == (10, 28)
    assert output.end > 700 * MS, "what was played is heard for a while"
    output.forget(600 * MS)
    assert output.levels(300 * MS, 500 * MS).max() == bands.FLOOR_DB, "of what is forgotten nothing is worked out anew"


def test_an_answer_that_was_given_up_is_not_waited_for() -> None:
    output = Output()
    tone = pcm(0.5 * np.sin(2 * np.pi * 1000 * np.arange(12_000) / 24_000))
    for at in (500, 1000, 1500):
        output.add(tone, PCM_24K, at * MS)
    output.add(tone, PCM_24K, 700 * MS)
    rows = output.levels(400 * MS, 2000 * MS)
    assert np.flatnonzero(rows.max(axis=1) > -20)[-1] == 78
    assert output.end == (1200 + 600 + 400) * MS


def test_telephone_output_is_compared_too() -> None:
    output = Output()
    output.add(b"\xff" * 800, PCMU, 0)
    assert output.levels(0, 100 * MS).shape == (10, bands.COUNT)
