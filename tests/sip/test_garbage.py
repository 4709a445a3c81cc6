"""Garbage: mutated descriptions, headers and whole messages; nothing but the documented errors comes of them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mutations import mutated
from signallers import ANSWER, HELD, HOLD, OFFER, Telephone, Wire
from vivavoce.sip import effects as ef
from vivavoce.sip import extensions, headers
from vivavoce.sip.admission import Rules
from vivavoce.sip.digest import Challenge, Credentials
from vivavoce.sip.effects import Hop
from vivavoce.sip.errors import MalformedMessage, OfferRefused
from vivavoce.sip.negotiation import MediaTerms, Negotiation, Place
from vivavoce.sip.offers import CallStateError
from vivavoce.sip.terms import Terms

SIGNS = [
    b"\r\n", b":", b";", b",", b'"', b"<", b">", b"%", b"\0", b"\xff", b"9" * 20, b"-1", b" ", b"\t", b"=", b"@", b"[",
    b"::1", b"\\", b"?", b"/", b"|", b"a=", b"m=audio 0 RTP/AVP 0\r\n", b"inline:", b";transport=tcp",
    b";transport=sctp", b"\r\nRecord-Route: <tel:1>", b"\r\nRecord-Route: <sip:10.0.0.9>",
    b"\r\nRequire: 100rel\r\nRSeq: 1",
]  # fmt: skip

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
DESCRIPTIONS = [
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 96 9 0 101 13\r\n"
    b"a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1; stereo=0\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + KEY.encode() + b"|2^20\r\na=rtcp:4001 IN IP4 192.0.2.9\r\n"
    b"a=rtcp-mux\r\na=sendonly\r\nm=video 4002 RTP/AVP 31\r\na=inactive\r\n",
    b"v=0\no=x 1 1 IN IP6 2001:db8::9\nc=IN IP6 2001:db8::9\nm=audio 4000 RTP/AVP 8\na=maxptime:10\n",
]

READERS: list[tuple[Callable[[str], object], str]] = [
    (headers.Via.parse, 'SIP/2.0/UDP pc.example.com:5060;branch=z9hG4bK1;rport;received=[2001:db8::1];x="a;b"'),
    (headers.Address.parse, '"A \\"B\\", C" <sip:a%41@b.example:5060;lr?Replaces=1%40x>;tag=12;q=0.5;note="x,y"'),
    (headers.CSeq.parse, "314159 INVITE"),
    (extensions.Event.parse, "refer;id=1"),
    (extensions.SubscriptionState.parse, "active;expires=60;reason=x"),
    (extensions.Replaces.parse, "a@b;to-tag=1;from-tag=2;early-only"),
    (extensions.SessionExpires.parse, "1800;refresher=uac"),
    (extensions.RAck.parse, "1 314159 INVITE"),
    (extensions.Reason.parse, 'Q.850;cause=16;text="over, and out"'),
    (extensions.SipWarning.parse, '399 example.com "words"'),
    (extensions.RetryAfter.parse, "120 (a comment);duration=60"),
    (extensions.ContentType.parse, 'multipart/mixed;boundary="a b"'),
    (Challenge.parse, 'Digest realm="a, b", nonce="n", qop="auth,auth-int", algorithm=SHA-256, stale=FALSE'),
    (Credentials.parse, 'Digest username="a", realm="b", nonce="n", uri="sip:a", response="00", qop=auth, nc=00000001, '
     'cnonce="c"'),
]  # fmt: skip


def negotiate(count: int) -> int:
    """Answer mutated offers and take mutated answers; return how many were accepted."""
    chance = random.Random(3264)
    accepted = 0
    for number in range(count):
        terms = MediaTerms(security="require" if number % 4 == 1 else "allow")
        call = Negotiation(terms, Place("192.0.2.1", 20_000), 1, lambda: bytes(30))
        data = mutated(chance, DESCRIPTIONS, SIGNS)
        try:
            if number % 2:
                call.offer()
                stream = call.receive_answer(data)
            else:
                _, stream = call.answer(data)
            accepted += 1
            assert stream.format.payload_type in {each.payload_type for each in stream.formats}
            # Whatever was agreed on, a further offer of it can be read by the other side.
            other = Negotiation(MediaTerms(security="allow"), Place("::1", 2), 1, lambda: bytes(30))
            other.answer(call.offer())
        except (MalformedMessage, OfferRefused):
            continue
    return accepted


def read(count: int) -> int:
    """Read mutated headers and write what could be read; return how many could."""
    chance = random.Random(3261)
    good = 0
    for number in range(count):
        parse, text = READERS[number % len(READERS)]
        data = mutated(chance, [text.encode()], SIGNS).decode("latin-1").replace("\r", "").replace("\n", "")
        try:
            value = parse(data)
        except MalformedMessage:
            continue
        good += 1
        # What was read can be written, and then says the same.
        if value is not None:
            assert parse(str(value)) == value
    return good


RULES = Rules(
    known=("10.0.0.2/32", "10.0.0.7/32"), challenged=("10.0.0.8/32",), messages_per_second=1e9, messages_burst=1e9,
    invites_per_second=1e9, invites_burst=1e9, max_calls=40,
)  # fmt: skip


def conversation(rules: Rules) -> tuple[Wire, Telephone, list[bytes]]:
    """A telephone in the middle of a call, and all that went over the wire in a longer one before."""
    wire = Wire()
    alice, bob = wire.agent("10.0.0.1", Terms(), rules, passwords={"a": "b"}), wire.agent("10.0.0.2", Terms())
    said: list[bytes] = []
    carry = wire.carry

    def overhear(sender: Telephone, effect: ef.Send) -> None:
        said.append(effect.data)
        carry(sender, effect)

    wire.carry = overhear  # type: ignore[method-assign]
    for _ in range(2):
        call = alice.dial("sip:bob@10.0.0.2", OFFER)
        wire.run(0.05)
        theirs = bob.last(ef.Invited).call
        bob.do("ring", theirs, status=183, sdp=ANSWER)
        wire.run(1)
        bob.do("accept", theirs, ANSWER)
        wire.run(1)
        alice.do("offer", call, HOLD)
        wire.run(0.5)
        bob.do("answer", theirs, HELD)
        wire.run(0.5)
        bob.do("refer", theirs, "sip:x@10.0.0.3")
        wire.run(0.5)
        transfer = alice.last(ef.TransferRequested).transfer
        alice.do("follow", call, transfer)
        alice.do("report", call, transfer, 200)
        alice.do("inform", call, "application/dtmf-relay", b"Signal=5\r\n")
        wire.run(1000 - wire.now % 1000)
        if not alice.agent.calls[1:]:
            bob.dial("sip:alice@10.0.0.1", OFFER)
            wire.run(1)
    return wire, alice, said


def hear(count: int) -> int:
    """Let a telephone hear mutated messages in the middle of its calls; return how much it answered."""
    chance = random.Random(6026)
    answered = 0
    for number in range(count):
        if number % 500 == 0:
            wire, alice, said = conversation(RULES)
        data = mutated(chance, said, SIGNS) if chance.random() < 0.8 else chance.choice(said)
        source = Hop("udp", chance.choice(["10.0.0.2", "10.0.0.7", "10.0.0.8", "10.0.0.9"]), 5060)
        wire.now += chance.choice([0.0, 0.0, 0.01, 1.0])
        effects = alice.agent.receive_datagram(data, source, wire.now)
        due = alice.agent.deadline
        if due is not None and due <= wire.now:
            effects += alice.agent.receive_time(wire.now)
        answered += any(isinstance(effect, ef.Send) for effect in effects)
        for effect in effects:
            react(alice, effect, chance, wire.now)
    return answered


def react(telephone: Telephone, effect: ef.Effect, chance: random.Random, now: float) -> None:
    """Do what a person might; calls that are over by then refuse it."""
    agent = telephone.agent
    try:
        match effect:
            case ef.Invited(call=call):
                choice = chance.randrange(3)
                if choice:
                    agent.accept(call, ANSWER, now) if choice == 1 else agent.reject(call, 486, now)
            case ef.OfferReceived(call=call):
                agent.answer(call, HELD, now)
            case ef.TransferRequested(call=call, transfer=transfer):
                agent.follow(call, transfer, now)
            case ef.DigitPressed(call=call):
                agent.hang_up(call, now)
            case _:
                return
    except CallStateError:
        return


def test_mutated_descriptions_are_agreed_on_or_refused() -> None:
    assert negotiate(4_000) > 400


def test_mutated_headers_are_read_or_refused_and_what_is_read_can_be_written() -> None:
    assert read(8_000) > 1_000


def test_a_telephone_hears_garbage_and_goes_on() -> None:
    assert hear(2_500) > 500


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_pieces_of_garbage_do_no_harm() -> None:
    assert negotiate(100_000) > 10_000
    assert read(100_000) > 10_000
    assert hear(100_000) > 20_000
