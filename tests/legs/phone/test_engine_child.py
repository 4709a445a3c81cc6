import socket

import pytest

from vivavoce.legs.phone import engine_child, wire
from vivavoce.legs.phone.engine_child import Channel


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    yield Channel(ours), theirs
    ours.close()
    theirs.close()


def tick(size, call=1):
    return wire.Tick([(call, bytes(size))], [], [wire.Pressed(call, "1")])


def told(connection, inbox):
    """Everything that can be read just now."""
    connection.setblocking(False)
    messages = []
    while True:
        try:
            messages += [wire.decode_tick(message) for message in inbox.receive(connection.recv(1 << 20))]
        except BlockingIOError:
            return messages


def test_orders_are_read_whole_and_the_end_of_the_other_side_is_noticed(ends):
    channel, theirs = ends
    assert channel.read() == []
    data = wire.encode(wire.Close(1)) + wire.encode(wire.Duck(2, 0.5))
    theirs.send(data[:7])
    assert channel.read() == []
    theirs.send(data[7:])
    assert [wire.decode_order(message) for message in channel.read()] == [wire.Close(1), wire.Duck(2, 0.5)]
    theirs.send(wire.encode(wire.Close(3)))
    theirs.close()
    assert [wire.decode_order(message) for message in channel.read()] == [wire.Close(3)]
    assert channel.read() is None


def test_a_tick_without_news_is_not_told(ends):
    channel, theirs = ends
    channel.tell(wire.Tick([], [], []))
    assert told(theirs, wire.Inbox()) == []


def test_what_a_busy_process_does_not_read_waits_in_its_order(ends):
    channel, theirs = ends
    for call in range(100):
        channel.tell(tick(20_000, call))
    inbox, messages = wire.Inbox(), []
    for _ in range(200):
        messages += told(theirs, inbox)
        channel.tell(wire.Tick([], [], []))
    assert [message.heard[0][0] for message in messages] == list(range(100))


def test_beyond_a_bound_sound_is_dropped_but_nothing_else(ends, monkeypatch):
    monkeypatch.setattr(engine_child, "_MOST_BACKLOG_BYTES", 1_000_000)
    channel, theirs = ends
    for _ in range(100):
        channel.tell(tick(100_000))
    inbox, messages = wire.Inbox(), []
    for _ in range(200):
        messages += told(theirs, inbox)
        channel.tell(wire.Tick([], [], []))
    assert len(messages) == 100
    assert 10 < sum(bool(message.heard) for message in messages) < 30
    assert all(message.happenings for message in messages)
