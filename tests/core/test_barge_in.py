"""One sound under judgement: how it sounds, how long it is, what its words are."""

from __future__ import annotations

import pytest

from vivavoce.core.barge_in import FRAME_TICKS, Hold, Verdict
from vivavoce.core.reports import Heard


class Listener:
    """Feeds a hold frames of 32 ms, beginning where turn detection noticed the sound."""

    def __init__(self, *, is_awaited: bool = False, suspected: int | None = None) -> None:
        self.hold = Hold(0, is_awaited=is_awaited, suspected=suspected)
        self.at = 3 * FRAME_TICKS

    def hear(
        self, frames: int, claim: float | None = None, *, probability: float = 0.9, echo: float = 0.0,
        has_answer: bool = True,
    ) -> int | None:  # fmt: skip
        """Return after how many frames there was a verdict of `taken`; None for none."""
        for number in range(frames):
            self.at += FRAME_TICKS
            verdict = self.hold.receive_frame(Heard(self.at, probability, echo, claim), has_answer=has_answer)
            if verdict is not None:
                assert verdict is Verdict.TAKEN
                return number + 1
        return None

    def pause(self, frames: int) -> Verdict | None:
        for _ in range(frames):
            self.at += FRAME_TICKS
            verdict = self.hold.receive_frame(Heard(self.at, 0.01), has_answer=True)
            if verdict is not None:
                return verdict
        return None

    def read(self, text: str) -> Verdict | None:
        return self.hold.receive_words(text, has_answer=True)


@pytest.mark.parametrize(("claim", "after_ms"), [(0.9, 160), (0.7, 192), (0.5, 256)])
def test_the_surer_a_claim_is_the_sooner_it_is_believed(claim: float, after_ms: int) -> None:
    frames = Listener().hear(20, claim)
    assert frames is not None
    assert 96 + frames * 32 == after_ms


@pytest.mark.parametrize(("suspected_frames", "after_frames"), [(0, 5), (2, 3), (4, 1), (9, 1)])
def test_a_sound_that_was_noticed_late_is_believed_as_soon_as_any(suspected_frames: int, after_frames: int) -> None:
    assert Listener(suspected=-suspected_frames * FRAME_TICKS).hear(20, 0.5) == after_frames


def test_no_sound_is_too_long_for_an_assent_because_it_was_noticed_late() -> None:
    listener = Listener(suspected=-1000 * FRAME_TICKS)
    assert listener.hear(24, 0.4) is None
    assert listener.hear(4, 0.4) is not None


def test_a_sound_never_begins_after_it_was_noticed() -> None:
    assert Listener(suspected=5 * FRAME_TICKS).hear(20, 0.5) == 5


def test_what_does_not_sound_like_a_claim_is_none_for_most_of_a_second() -> None:
    listener = Listener()
    assert listener.hear(24, 0.4) is None
    assert listener.hear(4, 0.4) is not None


def test_one_frame_that_sounds_like_a_claim_is_none() -> None:
    listener = Listener()
    listener.hear(6, 0.1)
    assert listener.hear(1, 1.0) is None
    assert listener.hear(3, 0.1) is None


def test_a_claim_that_ends_at_once_is_believed_in_the_pause_after_it() -> None:
    listener = Listener()
    listener.hear(3, 0.2)
    listener.at += FRAME_TICKS
    verdicts = [
        listener.hold.receive_frame(Heard(listener.at + n * FRAME_TICKS, 0.01, 0.0, 0.9), has_answer=True)
        for n in range(3)
    ]
    assert verdicts[:2] == [None, Verdict.TAKEN]


def test_words_of_assent_are_believed_rather_than_their_sound() -> None:
    listener = Listener()
    listener.hear(8, 0.3)
    assert listener.read("right") is None
    assert listener.hear(4, 0.8) is None
    assert listener.read("right but") is Verdict.TAKEN


def test_what_sounds_like_no_voice_has_no_words() -> None:
    listener = Listener()
    listener.hear(8, 0.01)
    assert listener.read("no no") is None
    assert listener.pause(30) is Verdict.DISMISSED


def test_words_count_where_nothing_judges_the_sound() -> None:
    listener = Listener()
    listener.hear(8)
    assert listener.read("stop") is Verdict.TAKEN


@pytest.mark.parametrize("text", ["stop", "wait", "no no", "yeah but i wanted", "hold on"])
def test_commands_are_turns_as_soon_as_they_are_read(text: str) -> None:
    listener = Listener()
    listener.hear(8, 0.1)
    assert listener.read(text) is Verdict.TAKEN


@pytest.mark.parametrize("text", ["yeah", "mm hm", "right okay", "up up up", ""])
def test_assents_laughter_and_nothing_are_dismissed_once_no_word_can_follow(text: str) -> None:
    listener = Listener()
    listener.hear(8, 0.1)
    assert listener.pause(6) is None
    assert listener.read(text) is None
    assert listener.pause(20) is Verdict.DISMISSED


def test_other_words_are_believed_if_they_sounded_like_words() -> None:
    sure, unsure = Listener(), Listener()
    sure.hear(8, 0.45)
    unsure.hear(8, 0.1)
    assert sure.read("tomorrow") is Verdict.TAKEN
    assert unsure.read("tomorrow") is None
    assert unsure.pause(30) is Verdict.DISMISSED


def test_whoever_was_asked_is_believed_any_word() -> None:
    listener = Listener(is_awaited=True)
    listener.hear(8, 0.1)
    assert listener.read("yes") is None, "it may go on"
    assert listener.pause(8) is Verdict.TAKEN


def test_speech_without_an_answer_to_interrupt_is_a_turn() -> None:
    assert Listener().hear(1, 0.1, has_answer=False) == 1


def test_an_echo_is_dismissed_whatever_it_claims() -> None:
    hold = Hold(0, is_awaited=True)
    echoes = [Heard((3 + n) * FRAME_TICKS, 0.9, 0.9, 1.0) for n in range(1, 5)]
    verdicts = [hold.receive_frame(echo, has_answer=True) for echo in echoes]
    assert Verdict.TAKEN not in verdicts
    assert verdicts[-1] is Verdict.DISMISSED


def test_a_voice_over_an_echo_is_heard() -> None:
    listener = Listener()
    listener.hear(1, 0.9, echo=0.9)
    assert listener.hear(8, 0.9) is not None


def test_a_sound_that_cannot_be_heard_on_is_judged_by_what_is_known() -> None:
    made, assented, spoke = Listener(), Listener(), Listener()
    for listener, claim in ((made, 0.3), (assented, 0.3), (spoke, 0.5)):
        listener.hear(3, claim)
    assented.read("yeah")
    assert made.hold.give_up() is Verdict.DISMISSED
    assert spoke.hold.give_up() is Verdict.TAKEN
    assert assented.hold.give_up() is Verdict.DISMISSED
    awaited = Listener(is_awaited=True)
    awaited.hear(3, 0.1)
    awaited.read("yes")
    assert awaited.hold.give_up() is Verdict.TAKEN
