from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from sockets import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, ClockLoop, FakeTransport, frame, run, settle
from vivavoce.config import Limits
from vivavoce.legs.websocket import WebSocketLeg

LIMITS = Limits(max_frame_bytes=70_000)
CODES = {1000, 1001, 1002, 1003, 1007, 1009, 1011, *range(3000, 5000)}


class Owner:
    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.endings: list[int] = []

    def receive_frame(self, data: bytes) -> None:
        self.messages.append(data)

    def leg_closed(self, code: int, reason: str) -> None:
        self.endings.append(code)


def deliver(pieces: list[bytes]) -> tuple[Owner, FakeTransport]:
    """Feed the pieces to a new leg, one after another, and return what came of it."""
    owner, transport = Owner(), FakeTransport()

    async def test(loop: ClockLoop) -> None:
        leg = WebSocketLeg(transport, LIMITS, lambda _leg: None)
        leg.attach(owner)
        for piece in pieces:
            transport.feed(piece)
        await settle()

    run(test)
    return owner, transport


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in itertools.pairwise(ends)]


texts = st.text(max_size=300) | st.integers(0, 69_999).map(lambda length: "x" * length)
places = st.lists(st.integers(0, 1 << 20), max_size=20)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(texts, st.lists(st.integers(0, 300), max_size=4)), max_size=6), places)
def test_however_a_stream_is_cut_its_messages_are_the_same(
    parts: list[tuple[str, list[int]]], segments: list[int]
) -> None:
    stream = b""
    for text, fragments in parts:
        pieces = cut(text.encode(), fragments) or [b""]
        for index, piece in enumerate(pieces):
            stream += frame(TEXT if index == 0 else CONTINUATION, piece, fin=index == len(pieces) - 1)
            stream += frame(PING, b"p") if len(piece) % 3 == 0 else b""
    owner, transport = deliver(cut(stream, segments))
    assert owner.messages == [text.encode() for text, _ in parts]
    assert all(kind == PONG for kind, _ in transport.frames())


kinds = st.sampled_from([TEXT, CONTINUATION, BINARY, CLOSE, PING, PONG, 3, 11])
frames = st.builds(
    frame,
    kinds,
    st.binary(max_size=200),
    fin=st.booleans(),
    masked=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 0, 4]),
    said=st.sampled_from([-1, -1, -1, -1, 0, 126, 1 << 17, 1 << 63]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(frames | st.binary(max_size=40), max_size=8), places)
def test_whatever_is_sent_ends_in_silence_or_in_one_lawful_close(pieces: list[bytes], segments: list[int]) -> None:
    owner, transport = deliver(cut(b"".join(pieces), segments))
    closes = [payload for kind, payload in transport.frames() if kind == CLOSE]
    assert len(closes) <= 1
    assert len(owner.endings) == len(closes)
    assert all(int.from_bytes(payload[:2]) in CODES for payload in closes)
    for message in owner.messages:
        message.decode()
