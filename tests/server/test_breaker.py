from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vivavoce.server.breaker import Breaker, Rules, State

RULES = Rules()


def opened(at: float = 0.0, chance: float = 1.0) -> Breaker:
    breaker = Breaker(RULES)
    for _ in range(3):
        breaker.failed("connect", at, chance)
    return breaker


def test_three_connections_that_fail_in_a_row_open_it() -> None:
    breaker = Breaker(RULES)
    states = []
    for now in (1.0, 2.0, 3.0):
        breaker.failed("connect", now, 1.0)
        states.append(breaker.state)
    assert states == [State.CLOSED, State.CLOSED, State.OPEN]
    assert breaker.failed_at == 3.0


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(RULES)
    for now in range(7):
        breaker.failed("connect", now, 1.0)
        breaker.failed("connect", now, 1.0)
        breaker.succeeded("connect", 0.1, now, 1.0)
        breaker.succeeded("connect", 0.1, now, 1.0)
        breaker.succeeded("connect", 0.1, now, 1.0)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize(("failures", "state"), [(3, State.CLOSED), (4, State.OPEN)])
def test_half_of_eight_answers_that_fail_open_it(failures: int, state: State) -> None:
    breaker = Breaker(RULES)
    for n in range(8):
        if n >= 8 - failures:
            breaker.failed("answer", 0.0, 1.0)
        else:
            breaker.succeeded("answer", 0.1, 0.0, 1.0)
    assert breaker.state is state


def test_failures_count_for_as_long_as_the_window() -> None:
    breaker = Breaker(RULES)
    for now in range(0, 20 * 60, 60):
        breaker.failed("answer", now + 0.0, 1.0)
        breaker.succeeded("answer", 0.1, now + 1.0, 1.0)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize(("slow", "state"), [(1, State.CLOSED), (2, State.OPEN)])
def test_two_slow_connections_of_twenty_open_it(slow: int, state: State) -> None:
    breaker = Breaker(RULES)
    for n in range(20):
        breaker.succeeded("connect", 5.1 if n < slow else 0.1, 0.0, 1.0)
    assert breaker.state is state


def test_what_surely_fails_again_opens_it_at_once() -> None:
    breaker = Breaker(RULES)
    breaker.failed("answer", 0.0, 1.0, is_final=True)
    assert breaker.state is State.OPEN


def test_it_stays_open_for_a_time_by_chance_and_then_lets_one_through() -> None:
    breaker = opened(at=10.0, chance=0.5)
    assert (breaker.allows(11.4), breaker.allows(11.5)) == (False, True)
    breaker.begin(11.5)
    assert breaker.state is State.HALF_OPEN
    assert not breaker.allows(12.0)


def test_a_trial_that_succeeds_closes_it() -> None:
    breaker = opened()
    breaker.begin(2.0)
    breaker.succeeded("connect", 0.1, 2.1, 1.0)
    assert breaker.state is State.CLOSED


@pytest.mark.parametrize("seconds", [None, 6.0])
def test_a_trial_that_fails_or_is_slow_opens_it_for_twice_as_long(seconds: float | None) -> None:
    breaker = opened()
    breaker.begin(2.0)
    if seconds is None:
        breaker.failed("connect", 2.0, 1.0)
    else:
        breaker.succeeded("connect", seconds, 2.0, 1.0)
    assert (breaker.state, breaker.allows(5.9), breaker.allows(6.0)) == (State.OPEN, False, True)


def test_a_trial_of_which_nothing_is_heard_makes_room_for_another() -> None:
    breaker = opened()
    breaker.begin(2.0)
    assert (breaker.allows(31.9), breaker.allows(32.0)) == (False, True)


def test_the_wait_grows_up_to_its_bound_and_begins_anew_after_a_good_time() -> None:
    breaker = opened()
    now, waits = 0.0, []
    for _ in range(9):
        start = now
        while not breaker.allows(now):
            now += 1.0
        waits.append(now - start)
        breaker.begin(now)
        breaker.failed("connect", now, 1.0)
    assert waits == [2, 4, 8, 16, 32, 64, 120, 120, 120]
    breaker.begin(now + 120)
    breaker.succeeded("connect", 0.1, now + 120, 1.0)
    later = now + 120 + 60
    for _ in range(3):
        breaker.failed("connect", later, 1.0)
    assert (breaker.allows(later + 1.9), breaker.allows(later + 2.0)) == (False, True)


def test_one_that_fails_soon_after_it_was_closed_waits_longer() -> None:
    breaker = opened()
    breaker.begin(2.0)
    breaker.succeeded("connect", 0.1, 2.0, 1.0)
    for _ in range(3):
        breaker.failed("connect", 3.0, 1.0)
    assert (breaker.allows(6.9), breaker.allows(7.0)) == (False, True)


def test_a_connection_does_not_close_what_answers_have_opened() -> None:
    breaker = Breaker(RULES)
    breaker.failed("answer", 0.0, 1.0, is_final=True)
    breaker.begin(2.0)
    breaker.succeeded("connect", 0.1, 2.1, 1.0)
    assert breaker.state is State.HALF_OPEN
    breaker.succeeded("answer", 0.1, 3.0, 1.0)
    assert breaker.state is State.CLOSED


def test_an_answer_of_an_old_session_closes_it_only_when_the_wait_is_over() -> None:
    breaker = Breaker(RULES)
    breaker.failed("answer", 0.0, 1.0, is_final=True)
    breaker.succeeded("answer", 0.1, 1.9, 1.0)
    assert breaker.state is State.OPEN
    breaker.succeeded("answer", 0.1, 2.0, 1.0)
    assert breaker.state is State.CLOSED


def test_whoever_tries_all_the_same_and_is_connected_closes_it() -> None:
    breaker = opened()
    breaker.begin(0.5)
    assert breaker.state is State.OPEN
    breaker.succeeded("connect", 0.1, 0.6, 1.0)
    assert breaker.state is State.CLOSED


WAYS = st.sampled_from(["connect", "answer"])
CHANCE = st.floats(0.0, 0.999)


class BreakerMachine(RuleBasedStateMachine):
    """Whatever happens, it opens when it must, lets one at a time through, and never stays open for longer."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(RULES)
        self.now = 0.0
        self.in_a_row = 0
        self.opened_at: float | None = None
        self.trial_at: float | None = None

    def note(self, before: State) -> None:
        after = self.breaker.state
        if after is State.OPEN and before is not State.OPEN:
            self.opened_at, self.trial_at = self.now, None
        elif after is State.CLOSED:
            self.opened_at = self.trial_at = None
            if before is not State.CLOSED:
                self.in_a_row = 0

    @rule(seconds=st.sampled_from([0.01, 0.5, 3.0, 31.0, 130.0, 1000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(way=WAYS, seconds=st.sampled_from([0.1, 4.9, 11.0]), chance=CHANCE)
    def success(self, way: str, seconds: float, chance: float) -> None:
        before = self.breaker.state
        self.breaker.succeeded(way, seconds, self.now, chance)  # type: ignore[arg-type]
        if way == "connect":
            self.in_a_row = 0
        if before is State.HALF_OPEN and seconds < 5.0:
            assert self.breaker.state in (State.CLOSED, State.HALF_OPEN)
        self.note(before)

    @rule(way=WAYS, chance=CHANCE)
    def failure(self, way: str, chance: float) -> None:
        before = self.breaker.state
        self.breaker.failed(way, self.now, chance)  # type: ignore[arg-type]
        assert self.breaker.failed_at == self.now
        if way == "connect" and before is State.CLOSED:
            self.in_a_row += 1
            if self.in_a_row >= RULES.failures_in_a_row:
                assert self.breaker.state is State.OPEN
        if before is State.HALF_OPEN:
            assert self.breaker.state is State.OPEN
        self.note(before)

    @precondition(lambda self: self.breaker.allows(self.now))
    @rule()
    def somebody_tries(self) -> None:
        before = self.breaker.state
        self.breaker.begin(self.now)
        if before is not State.CLOSED:
            assert self.breaker.state is State.HALF_OPEN
            assert not self.breaker.allows(self.now)
            self.trial_at = self.now

    @precondition(lambda self: not self.breaker.allows(self.now))
    @rule()
    def somebody_tries_all_the_same(self) -> None:
        before = self.breaker.state
        self.breaker.begin(self.now)
        assert self.breaker.state is before

    @invariant()
    def it_is_closed_to_others_for_a_bounded_time_alone(self) -> None:
        match self.breaker.state:
            case State.CLOSED:
                assert self.breaker.allows(self.now)
            case State.OPEN:
                assert self.opened_at is not None
                assert self.breaker.allows(self.opened_at + RULES.most_wait_seconds)
                assert not self.breaker.allows(self.opened_at + RULES.first_wait_seconds * 0.49)
            case State.HALF_OPEN:
                assert self.trial_at is not None
                assert self.breaker.allows(self.trial_at + RULES.trial_seconds)


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
