import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.legs.phone import wire

ORDERS = (
    wire.Prepare(("opus", "pcmu")),
    wire.Open(1, "::1", (20_000, 29_999)),
    wire.Direct(
        1, "192.0.2.1", 4000, "opus", 96, 101, 8000, None, True, False, 4001, None, wire.Secret("S", b"k" * 30), 30.0
    ),
    wire.PlayFrames(1, bytes(wire.FRAME_BYTES)),
    wire.Clear(1, 3),
    wire.Duck(1, 0.25),
    wire.LoadClip("greeting", b"\x01\x02"),
    wire.PlayClip(1, "greeting", False),
    wire.StopClip(1),
    wire.Press(1, "1#", 160),
    wire.Monitor(1, False),
    wire.Close(1),
)
TICK = wire.Tick(
    [(1, b"\0\1"), (2, b"")],
    [(1, 0, 7)],
    [
        wire.Opened(1, 20_000),
        wire.Failed(2, "no"),
        wire.Connected(1),
        wire.Pressed(1, "#"),
        wire.ClipEnded(1, "greeting"),
        wire.Closed(1, "gone"),
        wire.Measured(1, 1, 2, 3, 4.0, 5.0, 6, None, None, None, 4.4),
    ],
    [(1, b"\2\3")],
)


@given(st.lists(st.integers(1, 400), max_size=20))
def test_messages_arrive_whole_however_they_are_cut(cuts):
    data = b"".join(map(wire.encode, ORDERS)) + wire.encode(TICK)
    inbox, messages, at = wire.Inbox(), [], 0
    for cut in [*cuts, len(data)]:
        messages += inbox.receive(data[at : at + cut])
        at += cut
    assert tuple(map(wire.decode_order, messages[:-1])) == ORDERS
    assert wire.decode_tick(messages[-1]) == TICK


def test_what_is_no_message_is_refused():
    with pytest.raises(ValueError, match="longer than any"):
        list(wire.Inbox().receive(b"\xff" * 8))
    with pytest.raises(msgspec.MsgspecError):
        wire.decode_order(b"\x91\xa3Fly")
    with pytest.raises(msgspec.MsgspecError):
        wire.decode_tick(b"\x90")
