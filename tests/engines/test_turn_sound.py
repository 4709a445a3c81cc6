"""Pauses are judged one after another, those that are still wanted."""

from __future__ import annotations

import queue
import threading

import pytest

from vivavoce.engines.turn_sound import Pause, PauseJudge


class LengthModel:
    """Takes the number of bytes for percent; fails at none."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def turn_over(self, pcm: bytes) -> float:
        self.gate.wait(10)
        if not pcm:
            raise RuntimeError("broken")
        return len(pcm) / 100


def test_a_judgement_is_told_of_wanted_pauses_alone() -> None:
    model, told = LengthModel(), queue.SimpleQueue[float]()
    judge = PauseJudge(model)
    for length, is_wanted in ((30, True), (40, False), (50, True)):
        judge.judge(Pause(bytes(length), lambda is_wanted=is_wanted: is_wanted, told.put))
    model.gate.set()
    assert [told.get(timeout=10), told.get(timeout=10)] == [0.3, 0.5]
    judge.close()
    assert told.empty()


def test_a_model_that_fails_leaves_the_words_to_decide(caplog: pytest.LogCaptureFixture) -> None:
    model, told = LengthModel(), queue.SimpleQueue[float]()
    model.gate.set()
    judge = PauseJudge(model)
    judge.judge(Pause(b"", lambda: True, told.put))
    assert told.get(timeout=10) == 1.0
    judge.judge(Pause(bytes(20), lambda: True, told.put))
    assert told.get(timeout=10) == 0.2
    judge.close()
    assert "the words alone decide" in caplog.text
