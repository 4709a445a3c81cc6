"""All that may come over the wire, taken by an agent: nothing crashes it, and what is valid is not called bad."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from signallers import ANSWER, HELD, OFFER, Peer
from vivavoce.sip import effects as ef
from vivavoce.sip.message import Request, Response, encode
from vivavoce.sip.offers import CallStateError
from vivavoce.sip.parsing import parse_message
from vivavoce.sip.terms import Terms

MESSAGES = Path(__file__).parents[1] / "data" / "rfc4475"
VALID = (
    "dblreq", "esc01", "esc02", "escnull", "intmeth", "longreq", "lwsdisp", "mpart01", "noreason", "semiuri",
    "transports", "unreason", "wsinv", "bext01", "cparam01", "cparam02", "inv2543", "invut", "novelsc", "regaut01",
    "regescrt", "sdp01", "unkscm", "unksm2", "zeromf",
)  # fmt: skip


@pytest.mark.parametrize("path", sorted(MESSAGES.glob("*.dat")), ids=lambda path: path.stem)
def test_torture_messages_are_taken(path: Path) -> None:
    peer = Peer()
    effects = peer.agent.receive_datagram(path.read_bytes(), peer.source, 0.0)
    statuses = [int(effect.data.split()[1]) for effect in effects if isinstance(effect, ef.Send)]
    if path.stem in VALID:
        assert not set(statuses) & {400, 500}
    else:
        assert all(status >= 200 for status in statuses)
    assert sum(isinstance(effect, ef.Send) for effect in effects) <= 1


def a_whole_call(peer: Peer) -> list[bytes]:
    """Have a call with all that may happen in it; return what the peer said."""
    said: list[bytes] = []
    raw = peer.raw

    def remember(data: bytes) -> list[str]:
        said.append(data)
        return raw(data)

    peer.raw = remember  # type: ignore[method-assign]
    call = peer.invite("Supported: 100rel, timer", "Require: 100rel", "Session-Expires: 90;refresher=uac")
    peer.do("ring", call, status=183, sdp=ANSWER)
    peer.learn_tag()
    rseq = peer.messages[-1].headers.get("RSeq")
    peer.request("PRACK", f"RAck: {rseq} 1 INVITE")
    peer.do("accept", call, ANSWER)
    peer.request("ACK", number=1)
    peer.request("INFO", body=b"Signal=5", kind="application/dtmf-relay")
    peer.request("UPDATE", "Session-Expires: 90;refresher=uac", "Supported: timer")
    peer.request("REFER", "Refer-To: <sip:other@10.0.0.7?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>")
    peer.do("follow", call, peer.me.last(ef.TransferRequested).transfer)
    peer.respond(200)
    peer.do("refer", call, "sip:third@10.0.0.8")
    peer.respond(202)
    fields = ("Event: refer", "Subscription-State: terminated;reason=noresource")
    peer.request("NOTIFY", *fields, body=b"SIP/2.0 200 OK", kind="message/sipfrag")
    peer.do("offer", call, OFFER)
    peer.respond(200, "Session-Expires: 90;refresher=uas", body=HELD)
    peer.request("OPTIONS")
    peer.request("BYE", 'Reason: Q.850;cause=16;text="bye"')
    return said


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return a message with some of it changed, left out, doubled or put elsewhere."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(out)), chance.randint(1, 20)
        match chance.randrange(5):
            case 0:
                out[at] = chance.randrange(256)
            case 1:
                del out[at : at + length]
            case 2:
                out[at:at] = out[at : at + length]
            case 3:
                out[at:at] = chance.choice((b";", b",", b"<", b'"', b"\r\n", b" ", b"%", b"=", b"9" * 20, b"tag=x"))
            case _:
                lines = bytes(out).split(b"\r\n")
                chance.shuffle(lines)
                out = bytearray(b"\r\n".join(lines))
        if not out:
            out = bytearray(b"x")
    return bytes(out)


def hear(peer: Peer, data: bytes) -> None:
    """Let the agent take bytes; a refusal repeats what it refuses, so that it cannot always be read."""
    for effect in peer.agent.receive_datagram(data, peer.source, peer.wire.now):
        if not isinstance(effect, ef.Send):
            peer.me.events.append(effect)
        elif not effect.data.startswith((b"SIP/2.0 4", b"SIP/2.0 5")):
            peer.messages.append(parse_message(effect.data))


@pytest.mark.parametrize("seed", range(4))
def test_mutated_messages_never_raise(seed: int) -> None:
    chance = random.Random(seed)
    said = a_whole_call(Peer(terms=Terms()))
    for _ in range(12):
        peer = Peer(terms=Terms())
        call = ""
        for data in said:
            for _ in range(chance.randint(0, 2)):
                hear(peer, mutated(data, chance))
            if chance.random() < 0.9:
                hear(peer, data)
            try:
                if data.startswith(b"INVITE") and not call:
                    call = peer.me.last(ef.Invited).call
                    peer.do("accept", call, ANSWER)
                    peer.learn_tag()
                elif chance.random() < 0.2:
                    peer.do("offer", call, OFFER)
            except (CallStateError, StopIteration):
                pass
            peer.wait(chance.random())
        peer.wait(3600)
        assert peer.agent.deadline is None or peer.agent.calls


def test_mutated_responses_never_raise() -> None:
    chance = random.Random(1)
    for seed in range(60):
        peer = Peer(terms=Terms())
        peer.dial()
        invite = peer.messages[0]
        assert isinstance(invite, Request)
        for status in (100, 183, 401, 422, 200, 200, 302, 503):
            headers = invite.headers.only("Via", "From", "To", "Call-ID", "CSeq").replaced("To", "<sip:p@x>;tag=p")
            headers = headers.added("Contact", "<sip:p@10.0.0.9>").added("Require", "100rel").added("RSeq", "1")
            headers = headers.added("Session-Expires", "90;refresher=uac").added("Record-Route", "<sip:p;lr>")
            headers = headers.added("WWW-Authenticate", 'Digest realm="a", nonce="b"').added("Min-SE", "100")
            hear(peer, mutated(encode(Response(status, "x", headers, b"sdp")), chance))
        peer.wait(seed)
        peer.wait(3600)


def test_the_whole_call_is_whole() -> None:
    peer = Peer(terms=Terms())
    assert len(a_whole_call(peer)) == 12
    assert isinstance(peer.me.events[-1], ef.CallEnded)
    peer.wait(100)
    assert peer.agent.deadline is None
