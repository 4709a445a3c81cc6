"""Random walks of what is agreed on: a telephone that holds and comes back, and a server that answers, in bad weather.

Whatever is lost or overtaken, both ends agree at last on who speaks, in which codec, where to and with which keys.
"""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from signallers import OPEN, Telephone, Wire
from vivavoce.sip import effects as ef
from vivavoce.sip.codecs import ALL, G722, PCMA, PCMU
from vivavoce.sip.direction import mirrored
from vivavoce.sip.errors import OfferRefused
from vivavoce.sip.negotiation import MediaTerms, Negotiation, Place, Security
from vivavoce.sip.offers import CallStateError
from weather import TIMED, Weather

PHONE, SERVER = "10.0.0.1", "10.0.0.2"


class End:
    """One end of a call: an agent and what it negotiates."""

    def __init__(self, telephone: Telephone, terms: MediaTerms, chance: random.Random) -> None:
        self.telephone = telephone
        self.machine = Negotiation(terms, Place(telephone.host, 20_000), 7, lambda: chance.randbytes(30))
        self.call: str | None = None
        telephone.on_news = self.note

    def note(self, event: Any) -> None:
        match event:
            case ef.Invited(call=call, offer=offer):
                self.call = call
                answer = self.machine.offer() if offer is None else self.machine.answer(offer)[0]
                self.telephone.do("accept", call, answer)
            case ef.Progressed(answer=answer) | ef.Answered(sdp=answer) | ef.AnswerReceived(answer=answer):
                if answer is not None:
                    self.machine.receive_answer(answer)
            case ef.OfferReceived(call=call, offer=offer):
                self.asked(call, offer)
            case ef.OfferDeclined():
                self.machine.withdraw()
            case ef.CallEnded():
                self.call = None

    def asked(self, call: str, offer: bytes | None) -> None:
        try:
            answer = self.machine.offer() if offer is None else self.machine.answer(offer)[0]
        except OfferRefused as refusal:
            self.telephone.do("refuse", call, status=refusal.status)
        else:
            self.telephone.do("answer", call, answer)


class MediaWalk(RuleBasedStateMachine):
    """A call between two ends, one of which changes its mind."""

    @initialize(
        seed=st.integers(0, 2**32),
        security=st.sampled_from(["never", "allow", "require"]),
        codecs=st.sampled_from([ALL, (PCMA,), (G722, PCMU)]),
    )
    def begin(self, seed: int, security: Security, codecs: Any) -> None:
        self.wire = Wire()
        self.weather = Weather(seed)
        self.wire.loses, self.wire.copies = self.weather.loses, self.weather.copies
        chance = random.Random(seed)
        self.phone = End(self.wire.agent(PHONE, TIMED, OPEN), MediaTerms(codecs=codecs, security=security), chance)
        server = MediaTerms(security="never" if security == "never" else "allow")
        self.server = End(self.wire.agent(SERVER, TIMED, OPEN), server, chance)
        self.phone.call = self.phone.telephone.dial(f"sip:you@{SERVER}", self.phone.machine.offer())

    @rule(loss=st.sampled_from([0, 0.3, 0.7]), doubling=st.sampled_from([0, 0.5]), delay=st.sampled_from([0, 0.3, 2]))
    def change_the_weather(self, loss: float, doubling: float, delay: float) -> None:
        self.weather.loss, self.weather.doubling, self.weather.delay = loss, doubling, delay

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.0, 50.0]))
    def wait(self, seconds: float) -> None:
        self.wire.run(seconds)

    @rule(way=st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]))
    def change_direction(self, way: Any) -> None:
        self.phone.machine.direction = way
        self.offer()

    def offer(self) -> None:
        """Offer what the phone wants now, unless it waits for an answer still."""
        if self.phone.call is None or self.phone.machine.stream is None or self.phone.machine.is_offering:
            return
        sdp = self.phone.machine.offer()
        try:
            self.phone.telephone.do("offer", self.phone.call, sdp)
        except CallStateError:
            self.phone.machine.withdraw()

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        self.wire.run(60)
        self.offer()
        self.wire.run(60)
        ours, theirs = self.server.machine.stream, self.phone.machine.stream
        if self.phone.call is None or self.server.call is None:
            assert self.phone.call is self.server.call is None
            return
        assert ours is not None
        assert theirs is not None
        assert (ours.address, ours.port, theirs.address, theirs.port) == (PHONE, 20_000, SERVER, 20_000)
        assert theirs.direction == self.phone.machine.direction
        assert ours.direction == mirrored(theirs.direction)
        assert (ours.format.codec, ours.format.payload_type) == (theirs.format.codec, theirs.format.payload_type)
        assert ours.format.payload_type in {each.payload_type for each in theirs.formats}
        assert (ours.keys, ours.keys_in) == (theirs.keys_in, theirs.keys)
        assert (ours.local_key, ours.remote_key) == (theirs.remote_key, theirs.local_key)


TestMediaWalk = MediaWalk.TestCase
TestMediaWalk.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
