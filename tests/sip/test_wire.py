"""Calls over a wire that loses, delays, doubles and reorders: they are made once, ended once, and nothing is left."""

from __future__ import annotations

import gc
import random
import weakref

import pytest

from signallers import ANSWER, HELD, HOLD, Telephone, Wire
from vivavoce.sip import effects as ef
from vivavoce.sip.message import Message, Request


def obliging(phone: Telephone) -> None:
    """Let a telephone ring and answer by itself, and take every offer."""

    def react(event: ef.Event) -> None:
        if isinstance(event, ef.Invited):
            phone.do("ring", event.call)
            phone.do("accept", event.call, ANSWER)
        elif isinstance(event, ef.OfferReceived):
            phone.do("answer", event.call, HELD)

    phone.on_news = react


@pytest.mark.parametrize("seed", range(40))
def test_a_call_survives_a_bad_wire(seed: int) -> None:
    chance = random.Random(seed)
    wire = Wire()
    wire.loses = lambda sender, message: chance.random() < 0.25
    wire.copies = lambda: [chance.random() * 0.3 for _ in range(chance.choice((1, 1, 1, 2)))]
    alice = wire.agent("10.0.0.1", chance=chance.random)
    bob = wire.agent("10.0.0.2", chance=chance.random)
    obliging(bob)
    obliging(alice)
    call = alice.dial("sip:bob@10.0.0.2")
    wire.run(40)
    assert [line for line in bob.news if line.startswith("Invited")] == ["Invited sip:bob@10.0.0.2 offer"]
    assert [line for line in alice.news if line.startswith("Answered")] == ["Answered answer"]
    alice.do("offer", call, HOLD)
    wire.run(20)
    assert alice.news.count("AnswerReceived held") == 1
    bob.do("hang_up", bob.events[0].call)
    wire.run(100)
    assert alice.news[-1] == "CallEnded hung up"
    assert [line for line in bob.news if line.startswith("CallEnded")] == ["CallEnded ended here"]
    for phone in (alice, bob):
        assert phone.agent.calls == ()
        assert phone.agent.deadline is None


@pytest.mark.parametrize("seed", range(20))
def test_calls_that_are_given_up_on_a_bad_wire_leave_nothing(seed: int) -> None:
    chance = random.Random(seed)
    wire = Wire()
    wire.loses = lambda sender, message: chance.random() < 0.3
    wire.copies = lambda: [chance.random() * 0.2 for _ in range(chance.choice((1, 2)))]
    alice, bob = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    if seed % 2:
        obliging(bob)
    call = alice.dial("sip:bob@10.0.0.2")
    wire.run(chance.random() * 2)
    alice.do("hang_up", call)
    wire.run(300)
    assert [line for line in alice.news if line.startswith("CallEnded")] == ["CallEnded ended here"]
    assert len([line for line in bob.news if line.startswith("CallEnded")]) == len(
        [line for line in bob.news if line.startswith("Invited")]
    )
    for phone in (alice, bob):
        assert phone.agent.calls == ()
        assert phone.agent.deadline is None


def test_a_lost_ack_is_sent_again() -> None:
    wire = Wire()
    alice, bob = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    obliging(bob)
    lost: list[Message] = []

    def lose(sender: str, message: Message) -> bool:
        is_first = isinstance(message, Request) and message.method == "ACK" and not lost
        lost.extend([message] if is_first else [])
        return is_first

    wire.loses = lose
    alice.dial("sip:bob@10.0.0.2")
    wire.run(5)
    assert bob.count("200 INVITE 1 [answer]") == 2
    assert alice.count("ACK 1") == 2
    assert bob.news[-1] == "Answered"


def test_thirty_calls_do_not_meet() -> None:
    wire = Wire()
    alice, bob = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    obliging(bob)
    calls = [alice.dial("sip:bob@10.0.0.2") for _ in range(30)]
    wire.run(1)
    assert alice.news.count("Answered answer") == 30
    for call in calls:
        alice.do("hang_up", call)
    wire.run(60)
    assert bob.news.count("CallEnded hung up") == 30
    assert (alice.agent.deadline, bob.agent.deadline) == (None, None)


def test_everything_of_a_call_is_freed() -> None:
    wire = Wire()
    alice, bob = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    obliging(bob)
    call = alice.dial("sip:bob@10.0.0.2")
    wire.run(1)
    alice.do("hang_up", call)
    wire.run(60)
    for phone in (alice, bob):
        agent = phone.agent
        left = [agent._calls, agent._by_tag, agent._tags, agent._by_key, agent._transfers]
        transactions = agent._transactions
        left += [transactions._servers, transactions._merged, transactions._clients, transactions._errands]
        left += [transactions._invites, transactions._parked, transactions._acks]
        assert [each for each in left if each] == []


def test_a_call_is_freed_at_once_without_the_garbage_collector() -> None:
    wire = Wire()
    alice, bob = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    obliging(bob)
    call = alice.dial("sip:bob@10.0.0.2")
    wire.run(1)
    gc.disable()
    try:
        found = [weakref.ref(each) for phone in (alice, bob) for each in phone.agent._calls.values()]
        assert len(found) == 2
        alice.do("hang_up", call)
        wire.run(60)
        assert [each() for each in found] == [None, None]
    finally:
        gc.enable()
