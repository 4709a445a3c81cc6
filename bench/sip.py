"""What SIP costs as text: to read and write messages, a digest round, an offer and its answer; and the slowest reading.

    python bench/sip.py [--quick] [--repeats 9] [--count 2000] [--mutations 100000]

Each figure is the median over repeats of the mean CPU time of one, in microseconds of this machine.  The baseline does
nothing but take the same bytes apart at their line ends and colons, in the same run.  Then RFC 4475's messages and
seeded mutations of them are read one by one, and crafted ones that are as much work as the limits allow: the slowest
of each are told, by the best of five readings, so that a stall of the machine does not count.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from vivavoce.sip.digest import Account, DigestClient, DigestServer
from vivavoce.sip.errors import MalformedMessage
from vivavoce.sip.headers import read_contacts, read_route, read_vias
from vivavoce.sip.message import Request, encode
from vivavoce.sip.negotiation import MediaTerms, Negotiation, Place
from vivavoce.sip.parsing import StreamReader, parse_message
from vivavoce.sip.sdp import parse_description

TORTURE = Path(__file__).parents[1] / "tests/data/rfc4475"
SDP = (
    b"v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    b"m=audio 49170 RTP/AVP 96 9 8 0 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
    b"a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
)
INVITE = (
    b"INVITE sip:+493012345@198.51.100.20;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK1d32hash4.0;rport\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK776asdhds;received=192.0.2.7\r\n"
    b"Record-Route: <sip:203.0.113.5;lr;ftag=1928301774>\r\nMax-Forwards: 69\r\n"
    b'From: "Alice Example" <sip:+4989123@carrier.example.com;user=phone>;tag=1928301774\r\n'
    b"To: <sip:+493012345@carrier.example.com;user=phone>\r\nCall-ID: a84b4c76e66710@192.0.2.7\r\n"
    b"CSeq: 314159 INVITE\r\nContact: <sip:+4989123@192.0.2.7:5060>\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n"
    b"Supported: 100rel, timer, replaces\r\nSession-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n"
    b'P-Asserted-Identity: "Alice Example" <sip:+4989123@carrier.example.com>\r\nUser-Agent: carrier\r\n'
    b"Content-Type: application/sdp\r\nContent-Length: " + str(len(SDP)).encode() + b"\r\n\r\n" + SDP
)
RINGING = (
    b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK776asdhds\r\n"
    b"From: <sip:a@192.0.2.7>;tag=1\r\nTo: <sip:b@192.0.2.8>;tag=2\r\nCall-ID: a84b4c76e66710@192.0.2.7\r\n"
    b"CSeq: 1 INVITE\r\nContact: <sip:b@192.0.2.8:5060>\r\nContent-Length: 0\r\n\r\n"
)
ACCOUNT = Account("alice", "secret", frozenset({"198.51.100.20"}))
Run = Callable[[], object]


def baseline() -> object:
    """Only take the bytes apart."""
    head, _, body = INVITE.partition(b"\r\n\r\n")
    return [line.partition(":") for line in head.decode().split("\r\n")], body


def digest_round() -> Run:
    """Challenge a request, answer that, and judge the answer."""
    request = parse_message(INVITE)
    assert isinstance(request, Request)

    def run() -> object:
        server = DigestServer("carrier", b"key")
        challenge = server.challenge(b"saltsalt", 1000.0)
        again = DigestClient([ACCOUNT]).answer(request, challenge, "198.51.100.20", "cnonce")
        assert again is not None
        return server.judge(again, lambda name: "secret", 1001.0)

    return run


def negotiation() -> Negotiation:
    """One call's machine."""
    return Negotiation(MediaTerms(), Place("198.51.100.20", 20_000), 1, lambda: bytes(30))


def works() -> dict[str, Run]:
    """What is measured, by its name."""
    invite, ringing = parse_message(INVITE), parse_message(RINGING)
    return {
        "baseline: INVITE apart at its colons": baseline,
        "read an INVITE with SDP": lambda: parse_message(INVITE),
        "write it": lambda: encode(invite),
        "read a 180": lambda: parse_message(RINGING),
        "write it, too": lambda: encode(ringing),
        "read an INVITE from a stream": lambda: StreamReader().receive_data(INVITE),
        "read its SDP": lambda: parse_description(SDP),
        "answer its offer": lambda: negotiation().answer(SDP),
        "a whole digest round": digest_round(),
    }


def mean_us(run: Run, count: int) -> float:
    """CPU time of one."""
    begin = time.process_time()
    for _ in range(count):
        run()
    return (time.process_time() - begin) / count * 1e6


def read_all(data: bytes) -> None:
    """Read a message and every list in it, whatever comes of it."""
    try:
        message = parse_message(data)
        read_vias(message.headers)
        read_contacts(message.headers)
        read_route(message.headers)
        if b"v=0" in message.body:
            parse_description(message.body)
    except MalformedMessage:
        pass


def mutated(chance: random.Random, seeds: list[bytes]) -> bytes:
    """One of the seeds with up to three changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randint(1, 20)]
            case 2:
                data[at:at] = data[at : at + chance.randint(1, 60)] * chance.randint(1, 40)
            case _:
                data[at:at] = chance.choice([b"\r\n", b";", b",", b'"', b"<", b"\\", b"%", b"\xff", b"\r\n "])
    return bytes(data)


def heavy() -> dict[str, bytes]:
    """Messages that are as much work as the limits allow."""
    head = INVITE.partition(b"Content-Type")[0]

    def line(name: bytes, piece: bytes, size: int = 8000) -> bytes:
        return head + name + b": " + piece * (size // len(piece)) + b"\r\n\r\n"

    return {
        "64 KiB of short headers": head + b"X-A: b\r\n" * 7000 + b"\r\n",
        "256 headers of 230 characters": head + (b"X-A: " + b"b" * 225 + b"\r\n") * 235 + b"\r\n",
        "64 KiB of line ends": head + b"\r\n" * 30_000,
        "32,000 lines that go on": head + b"X-A:\r\n" + b" \r\n" * 20_000 + b"\r\n",
        "7 headers of 8 KiB, quoted": head + (b"X-A: " + b'\\"' * 4000 + b"\r\n") * 7 + b"\r\n",
        "a Contact of quotes": line(b"Contact", b'"\\"'),
        "a Contact of 8,000 quotes": line(b"Contact", b'"'),
        "a Contact of brackets": line(b"Contact", b"<"),
        "a Contact of commas": line(b"Contact", b"<sip:a@b>,"),
        "a Contact of parameters": head + b"Contact: <sip:a@b>" + b";a=b" * 2000 + b"\r\n\r\n",
        "a Via of Vias": line(b"Via", b"SIP/2.0/UDP a;branch=z9hG4bK1,"),
        "a Record-Route of routes": line(b"Record-Route", b"<sip:a;lr>,"),
        "an address of escapes": head.replace(b"sip:+493012345", b"sip:" + b"%41" * 2600, 1) + b"\r\n",
        "an address of parameters": head.replace(b";user=phone SIP", b";a" * 4000 + b" SIP", 1) + b"\r\n",
        "Latin-1": head + (b"X-A: " + b"\xe4" * 200 + b"\r\n") * 235 + b"\r\n",
        "SDP of 5,000 lines": head + b"\r\nv=0\r\n" + b"a=\r\n" * 4000,
        "SDP of 500 attributes": head + b"\r\nv=0\r\nm=audio 1 RTP/AVP 0\r\n" + b"a=rtpmap:1 a\r\n" * 500,
    }


def best_of_five_us(data: bytes) -> float:
    """The shortest of five readings."""
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        read_all(data)
        times.append(time.perf_counter() - begin)
    return min(times) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--mutations", type=int, default=100_000)
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.count, options.mutations = 3, 500, 10_000
    print(f"Python {platform.python_version()}, {options.repeats} repeats of {options.count}\n")
    print(f"{'':42}{'us':>8}{'spread':>16}")
    for name, run in works().items():
        times = sorted(mean_us(run, options.count) for _ in range(options.repeats))
        print(f"{name:42}{statistics.median(times):8.1f}{f'{times[0]:.1f} to {times[-1]:.1f}':>16}")
    print("\nthe slowest to read                             us   bytes")
    torture = {path.stem: path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))}
    for group, messages in (("RFC 4475", torture), ("crafted", heavy())):
        slowest = sorted(((best_of_five_us(data), name, len(data)) for name, data in messages.items()), reverse=True)
        for took, name, size in slowest[: 3 if group == "RFC 4475" else None]:
            print(f"{group + ': ' + name:42}{took:8.0f}{size:8}")
    chance = random.Random(4475)
    seeds = [*torture.values(), INVITE, RINGING]
    times = []
    for _ in range(options.mutations):
        data = mutated(chance, seeds)
        begin = time.perf_counter()
        read_all(data)
        took = (time.perf_counter() - begin) * 1e6
        times.append(took if took < 500 else best_of_five_us(data))
    times.sort()
    median, most = statistics.median(times), times[-1]
    print(f"\n{len(times)} mutations: median {median:.0f} us, p99 {times[len(times) * 99 // 100]:.0f}, most {most:.0f}")


if __name__ == "__main__":
    main()
