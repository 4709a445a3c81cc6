"""When turns start and stop: onset, padding, silence, hysteresis, and words that sound finished."""

from __future__ import annotations

import pytest

from vivavoce.core.reports import Heard, Overheard
from vivavoce.core.settings import SemanticVad, ServerVad, TurnDetection
from vivavoce.core.turns import Started, Stopped, Turns

FRAME = 1536
MS = 48


class Listener:
    """Feeds frames of 32 ms."""

    def __init__(self, detection: TurnDetection) -> None:
        self.turns = Turns(detection)
        self.at = 0

    def hear(self, *probabilities: float) -> list[Started | Stopped]:
        decided = []
        for probability in probabilities:
            self.at += FRAME
            found = self.turns.receive_frame(Heard(self.at, probability))
            if found is not None:
                decided.append(found)
        return decided


def test_three_frames_of_speech_start_a_turn_at_the_first_of_them_less_the_padding() -> None:
    listener = Listener(ServerVad(prefix_padding_ms=100))
    assert listener.hear(*[0.0] * 10, 0.9, 0.9) == []
    assert listener.hear(0.9) == [Started(10 * FRAME - 100 * MS)]
    assert listener.turns.is_speaking


def test_clicks_start_nothing() -> None:
    listener = Listener(ServerVad())
    assert listener.hear(*[0.9, 0.9, 0.1] * 10) == []


def test_the_padding_does_not_reach_before_the_session() -> None:
    assert Listener(ServerVad(prefix_padding_ms=300)).hear(0.0, 0.9, 0.9, 0.9) == [Started(0)]


def test_the_padding_does_not_reach_into_the_turn_before() -> None:
    listener = Listener(ServerVad(silence_duration_ms=64, prefix_padding_ms=5000))
    listener.hear(0.9, 0.9, 0.9)
    assert listener.hear(0.0, 0.0) == [Stopped(5 * FRAME)]
    assert listener.hear(0.9, 0.9, 0.9) == [Started(5 * FRAME)]


def test_a_turn_stops_after_the_silence_that_the_settings_name() -> None:
    listener = Listener(ServerVad(silence_duration_ms=500))
    listener.hear(*[0.9] * 5)
    assert listener.hear(*[0.0] * 15) == []
    assert listener.hear(0.0) == [Stopped(21 * FRAME)]
    assert not listener.turns.is_speaking


def test_speech_within_the_silence_keeps_the_turn() -> None:
    listener = Listener(ServerVad(silence_duration_ms=320))
    listener.hear(*[0.9] * 5)
    assert listener.hear(*[0.0] * 9, 0.9, *[0.0] * 9) == []
    assert len(listener.hear(0.0)) == 1


def test_a_soft_syllable_neither_begins_a_silence_nor_ends_one() -> None:
    listener = Listener(ServerVad(threshold=0.5, silence_duration_ms=64))
    listener.hear(*[0.9] * 5)
    assert listener.hear(*[0.4] * 10) == []
    assert listener.hear(0.3, 0.4) == [Stopped(17 * FRAME)]


@pytest.mark.parametrize("threshold", [0.02, 0.1, 0.15, 0.3, 0.9, 1.0])
def test_turns_start_and_end_under_every_threshold(threshold: float) -> None:
    listener = Listener(ServerVad(threshold=threshold, silence_duration_ms=64))
    assert len(listener.hear(threshold, threshold, threshold)) == 1
    assert len(listener.hear(threshold / 3, threshold / 3)) == 1


def test_without_silence_to_wait_for_the_first_quiet_frame_ends_the_turn() -> None:
    listener = Listener(ServerVad(silence_duration_ms=0))
    listener.hear(0.9, 0.9, 0.9)
    assert listener.hear(0.0) == [Stopped(4 * FRAME)]


def test_new_settings_hold_for_the_turn_under_way() -> None:
    listener = Listener(ServerVad(silence_duration_ms=5000))
    listener.hear(0.9, 0.9, 0.9)
    listener.turns.configure(ServerVad(silence_duration_ms=64))
    assert listener.hear(0.0, 0.0) == [Stopped(5 * FRAME)]


def test_frames_from_before_a_reset_are_not_counted() -> None:
    listener = Listener(ServerVad(prefix_padding_ms=5000))
    listener.hear(0.9, 0.9)
    listener.turns.reset(4 * FRAME)
    assert listener.hear(0.9, 0.9) == []
    assert listener.hear(0.9, 0.9, 0.9) == [Started(4 * FRAME)]


def test_a_reset_ends_a_turn_silently() -> None:
    listener = Listener(ServerVad(silence_duration_ms=64))
    listener.hear(0.9, 0.9, 0.9)
    listener.turns.reset(3 * FRAME)
    assert not listener.turns.is_speaking
    assert listener.hear(*[0.0] * 10) == []


@pytest.mark.parametrize(("eagerness", "seconds"), [("low", 8), ("medium", 4), ("auto", 4), ("high", 2)])
def test_an_unfinished_turn_is_waited_for_as_long_as_the_eagerness_says(eagerness: str, seconds: int) -> None:
    listener = Listener(SemanticVad(eagerness=eagerness))
    listener.hear(0.9, 0.9, 0.9)
    frames = -(-seconds * 1000 // 32)
    assert listener.hear(*[0.0] * (frames - 1)) == []
    assert listener.hear(0.0) == [Stopped((3 + frames) * FRAME)]


def test_words_that_sound_finished_end_a_turn_soon() -> None:
    listener = Listener(SemanticVad())
    listener.hear(0.9, 0.9, 0.9)
    listener.turns.receive_words(Overheard("item", "turn it off", "turn it off", 0.4))
    assert listener.hear(*[0.0] * 20) == []
    listener.turns.receive_words(Overheard("item", "turn it off please", "", 0.9))
    assert listener.hear(0.0) == [Stopped(24 * FRAME)]


def test_the_words_of_one_turn_do_not_end_the_next() -> None:
    listener = Listener(SemanticVad(eagerness="high"))
    listener.hear(0.9, 0.9, 0.9)
    listener.turns.receive_words(Overheard("item", "yes", "yes", 1.0))
    assert len(listener.hear(*[0.0] * 8)) == 1
    listener.hear(0.9, 0.9, 0.9)
    assert listener.hear(*[0.0] * 20) == []
