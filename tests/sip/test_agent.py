"""Two agents call each other over a wire in memory."""

from __future__ import annotations

from signallers import ANSWER, HELD, HOLD, OFFER, Wire
from vivavoce.sip import effects as ef


def test_a_call_is_made_answered_and_ended() -> None:
    wire = Wire()
    alice, bob = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    call = alice.dial("sip:bob@10.0.0.2")
    wire.run(0.05)
    theirs = bob.last(ef.Invited).call
    bob.do("ring", theirs)
    wire.run(1)
    bob.do("accept", theirs, ANSWER)
    wire.run(1)
    alice.do("hang_up", call)
    wire.run(40)
    assert wire.log == [
        "1>2 INVITE 1 [offer]", "2>1 180 INVITE 1", "2>1 200 INVITE 1 [answer]", "1>2 ACK 1", "1>2 BYE 2",
        "2>1 200 BYE 2",
    ]  # fmt: skip
    assert alice.news == ["Progressed 180", "Answered answer", "CallEnded ended here"]
    assert bob.news == ["Invited sip:bob@10.0.0.2 offer", "Answered", "CallEnded hung up"]
    assert not alice.agent.calls
    assert not bob.agent.calls
    assert alice.agent.deadline is None
    assert bob.agent.deadline is None


def test_hold_and_resume() -> None:
    wire = Wire()
    alice, bob = wire.agent("10.0.0.1"), wire.agent("10.0.0.2")
    call = alice.dial("sip:bob@10.0.0.2", OFFER)
    wire.run(0.05)
    theirs = bob.last(ef.Invited).call
    bob.do("accept", theirs, ANSWER)
    wire.run(0.1)
    alice.do("offer", call, HOLD)
    wire.run(0.1)
    bob.do("answer", theirs, HELD)
    wire.run(0.1)
    assert wire.log[3:] == ["1>2 INVITE 2 [hold]", "2>1 200 INVITE 2 [held]", "1>2 ACK 2"]
    assert alice.news[-1] == "AnswerReceived held"
    assert bob.news[-1] == "OfferReceived hold"
