"""Where continuous speech is cut."""

from __future__ import annotations

from interpreter import Interpreter


def concluded(lines: list[str]) -> list[int]:
    """The ticks at which utterances ended, in frames of 32 ms."""
    return [int(line.rsplit(" ", 1)[1]) // 1536 for line in lines if line.startswith("Conclude")]


def test_a_sentence_ends_with_half_a_second_of_silence() -> None:
    play = Interpreter()
    assert concluded(play.hear(0.9, 60) + play.hear(0.0, 15) + play.hear(0.9, 10)) == []
    assert concluded(play.hear(0.0, 16)) == [101]


def test_who_has_spoken_for_eight_seconds_need_not_pause_for_as_long() -> None:
    play = Interpreter()
    assert concluded(play.hear(0.9, 260) + play.hear(0.0, 6)) == []
    assert concluded(play.hear(0.0, 1)) == [267]


def test_the_next_sentence_may_take_its_time_again() -> None:
    play = Interpreter()
    play.hear(0.9, 260)
    play.hear(0.0, 7)
    play.hear(0.9, 60)
    assert concluded(play.hear(0.0, 15)) == []


def test_who_never_pauses_is_cut_after_twenty_seconds_and_goes_on_without_a_gap() -> None:
    play = Interpreter()
    lines = play.hear(0.9, 630)
    assert lines == ["Transcribe item_1 from 0", "Conclude item_1 at 960000", "Transcribe item_2 from 960000"]


def test_an_utterance_begins_a_little_before_its_first_sound_but_not_in_the_one_before() -> None:
    play = Interpreter()
    play.hear(0.0, 20)
    assert play.hear(0.9, 5) == [f"Transcribe item_1 from {20 * 1536 - 300 * 48}"]
    play.hear(0.0, 16)
    assert play.hear(0.9, 5) == [f"Transcribe item_2 from {41 * 1536}"]


def test_no_audio_is_kept() -> None:
    play = Interpreter()
    for _ in range(100):
        play.append(1000)
    assert not play.session._utterances._buffer._chunks


def test_half_a_sample_waits_for_its_other_half() -> None:
    play = Interpreter()
    append = "session.input_audio_buffer.append"
    assert play.client(append, audio="AAAA") == ["Listen 0+2 detect"]
    assert play.client(append, audio="AA==") == ["Listen 2+2 detect"]
