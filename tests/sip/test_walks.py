"""Random walks: two agents call each other over a wire that loses, doubles, delays and reorders what it carries.

Whatever happens, no call is there twice, both ends come to the same state by themselves, and nothing is left over.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from signallers import ANSWER, HELD, HOLD, OFFER, OPEN, PLAIN, Telephone, Wire
from vivavoce.sip import effects as ef
from vivavoce.sip.incoming import IncomingCall
from vivavoce.sip.offers import CallStateError
from vivavoce.sip.outgoing import OutgoingCall
from weather import TIMED, Weather

HOSTS = ("10.0.0.1", "10.0.0.2")
LONGEST = 400.0
"""Longer than anything that anybody here waits for."""


class Observer:
    """Holds what an agent tells to what may be told."""

    def __init__(self, telephone: Telephone) -> None:
        self.telephone = telephone
        self.live: set[str] = set()
        self.ended: set[str] = set()
        self.answered: set[str] = set()
        self.asked: dict[str, bool] = {}
        """Calls with an offer that waits for an answer, and whether it has one."""
        self.transfers: dict[str, str] = {}
        self.invited: list[str] = []
        """The Call-IDs of calls that came."""
        telephone.on_news = self.note

    def note(self, event: Any) -> None:
        if isinstance(event, ef.Invited):
            assert event.call not in self.live | self.ended
            self.live.add(event.call)
            self.invited.append(event.headers.get("Call-ID") or "")
            return
        call = getattr(event, "call", None)
        if call is None:
            return
        assert call not in self.ended, f"{type(event).__name__} after the end of {call}"
        assert call in self.live
        if isinstance(event, ef.CallEnded):
            self.live.discard(call)
            self.ended.add(call)
            self.asked.pop(call, None)
            self.transfers.pop(call, None)
        elif isinstance(event, ef.Answered):
            assert call not in self.answered
            self.answered.add(call)
        elif isinstance(event, ef.OfferReceived):
            self.asked[call] = event.offer is not None
        elif isinstance(event, ef.TransferRequested):
            self.transfers[call] = event.transfer


def is_up(call: IncomingCall | OutgoingCall) -> bool:
    """Tell whether two people talk."""
    return not (isinstance(call, OutgoingCall) and not call.is_up) and call.usage.state == "up"


class Walk(RuleBasedStateMachine):
    """Everything that two parties and the network between them may do."""

    terms = PLAIN

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.wire = Wire()
        self.weather = Weather(seed)
        chance = random.Random(seed)
        self.telephones = [self.wire.agent(host, self.terms, OPEN, chance=chance.random) for host in HOSTS]
        self.observers = [Observer(telephone) for telephone in self.telephones]
        self.wire.loses = self.weather.loses
        self.wire.copies = self.weather.copies

    def do(self, side: int, name: str, *arguments: Any, **more: Any) -> None:
        """Command an agent; what the call's state forbids is refused and changes nothing."""
        before = len(self.telephones[side].events)
        try:
            self.telephones[side].do(name, *arguments, **more)
        except CallStateError:
            assert len(self.telephones[side].events) == before

    def pick(self, side: int, number: int) -> str | None:
        live = sorted(self.observers[side].live)
        return live[number % len(live)] if live else None

    @rule(loss=st.sampled_from([0, 0.2, 0.6]), doubling=st.sampled_from([0, 0.5]), delay=st.sampled_from([0, 0.3, 2]))
    def change_the_weather(self, loss: float, doubling: float, delay: float) -> None:
        self.weather.loss, self.weather.doubling, self.weather.delay = loss, doubling, delay

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.3, 1.0, 5.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.wire.run(seconds)

    @rule(side=st.integers(0, 1), has_offer=st.booleans())
    def dial(self, side: int, has_offer: bool) -> None:
        if len(self.observers[side].live) < 4:
            telephone = self.telephones[side]
            # The effects of dialling itself tell nothing of the call yet.
            self.observers[side].live.add(telephone.dial(f"sip:you@{HOSTS[1 - side]}", OFFER if has_offer else b""))

    @rule(side=st.integers(0, 1), number=st.integers(0, 3), early=st.booleans())
    def ring(self, side: int, number: int, early: bool) -> None:
        if (call := self.incoming(side, number)) is not None:
            self.do(side, "ring", call, status=183 if early else 180, sdp=ANSWER if early else None)

    @rule(side=st.integers(0, 1), number=st.integers(0, 3))
    def accept(self, side: int, number: int) -> None:
        if (call := self.incoming(side, number)) is not None:
            self.do(side, "accept", call, ANSWER)

    @rule(side=st.integers(0, 1), number=st.integers(0, 3))
    def reject(self, side: int, number: int) -> None:
        if (call := self.incoming(side, number)) is not None:
            self.do(side, "reject", call, 486)

    def incoming(self, side: int, number: int) -> str | None:
        """Return a call that came and rings."""
        calls = self.telephones[side].agent._calls
        found = [call for call, each in calls.items() if isinstance(each, IncomingCall) and each.usage.state == "early"]
        return found[number % len(found)] if found else None

    def running(self, side: int, number: int) -> str | None:
        """Return a call that is up, now and then one that is not."""
        calls = self.telephones[side].agent._calls
        live = sorted(self.observers[side].live & calls.keys())
        found = [call for call in live if is_up(calls[call])] if number else live
        return found[number % len(found)] if found else None

    @rule(side=st.integers(0, 1), early=st.booleans(), seconds=st.sampled_from([0.0, 0.02, 1.0]))
    def call_and_answer(self, side: int, early: bool, seconds: float) -> None:
        self.dial(side, True)
        self.wire.run(1)
        if early:
            self.ring(1 - side, 0, True)
            self.wire.run(0.5)
        self.accept(1 - side, 0)
        self.wire.run(seconds)

    @rule(side=st.integers(0, 1), number=st.integers(0, 3))
    def hang_up(self, side: int, number: int) -> None:
        if (call := self.pick(side, number)) is not None:
            self.do(side, "hang_up", call)

    @rule(side=st.integers(0, 1), number=st.integers(0, 3))
    def hold(self, side: int, number: int) -> None:
        if (call := self.running(side, number)) is not None:
            self.do(side, "offer", call, HOLD)

    @rule(side=st.integers(0, 1), number=st.integers(0, 3), agrees=st.booleans())
    def settle_an_offer(self, side: int, number: int, agrees: bool) -> None:
        asked = sorted(self.observers[side].asked)
        if asked:
            call = asked[number % len(asked)]
            del self.observers[side].asked[call]
            self.do(side, *(("answer", call, HELD) if agrees else ("refuse", call)))

    @rule(side=st.integers(0, 1), number=st.integers(0, 3))
    def press_a_key(self, side: int, number: int) -> None:
        if (call := self.running(side, number)) is not None:
            self.do(side, "inform", call, "application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n")

    @rule(side=st.integers(0, 1), number=st.integers(0, 3))
    def transfer(self, side: int, number: int) -> None:
        if (call := self.running(side, number)) is not None:
            self.do(side, "refer", call, "sip:nobody@10.0.0.3")

    @rule(side=st.integers(0, 1), number=st.integers(0, 3), agrees=st.booleans(), status=st.sampled_from([200, 486]))
    def settle_a_transfer(self, side: int, number: int, agrees: bool, status: int) -> None:
        transfers = sorted(self.observers[side].transfers.items())
        if transfers:
            call, transfer = transfers[number % len(transfers)]
            del self.observers[side].transfers[call]
            self.do(side, "follow" if agrees else "decline", call, transfer)
            if agrees:
                self.do(side, "report", call, transfer, status)

    @invariant()
    def no_call_is_there_twice(self) -> None:
        for observer in self.observers:
            assert len(observer.invited) == len(set(observer.invited))

    def up(self, side: int) -> set[tuple[str, ...]]:
        """The dialogs that are up at one end: Call-ID, and both tags in one order for both ends."""
        found = set()
        for call in self.telephones[side].agent._calls.values():
            if is_up(call):
                dialog = call.usage.dialog
                found.add((dialog.call_id, *sorted([dialog.local_tag, dialog.remote_tag or ""])))
        return found

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        # What is owed to the other side is a person's answer; then the network has time to do its part.
        for _ in range(4):
            for side in (0, 1):
                while self.observers[side].asked:
                    self.settle_an_offer(side, 0, True)
            self.wire.run(20)
        self.wire.run(70)
        assert self.up(0) == self.up(1)
        for side in (0, 1):
            for call in sorted(self.observers[side].live):
                self.do(side, "hang_up", call)
        self.wire.run(LONGEST)
        for telephone, observer in zip(self.telephones, self.observers, strict=True):
            agent = telephone.agent
            assert observer.live == set()
            assert agent.calls == ()
            assert agent.deadline is None
            assert len(agent._transactions) == 0
            leftovers = [agent._by_tag, agent._tags, agent._by_key, agent._transfers, agent._transactions._errands]
            leftovers += [agent._transactions._invites, agent._transactions._merged, agent._transactions._parked]
            assert not any(leftovers)


class TimedWalk(Walk):
    """The same with session timers, which refresh the calls meanwhile."""

    terms = TIMED


QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
TestWalk = Walk.TestCase
QUICK = settings(max_examples=40, stateful_step_count=25, deadline=None, derandomize=True, suppress_health_check=QUIET)
TestWalk.settings = QUICK
TestTimedWalk = TimedWalk.TestCase
TestTimedWalk.settings = QUICK


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestLongWalks:
    """The same walks, more of them and longer."""

    @pytest.mark.parametrize("walk", [Walk, TimedWalk])
    def test_long_walks(self, walk: type[Walk]) -> None:
        from hypothesis.stateful import run_state_machine_as_test

        longer = settings(max_examples=200, stateful_step_count=60, deadline=None, suppress_health_check=QUIET)
        run_state_machine_as_test(walk, settings=longer)
