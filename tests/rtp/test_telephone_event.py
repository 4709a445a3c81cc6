import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.rtp.packet import Packet
from vivavoce.rtp.telephone_event import KEYS, Event, Keys, build, parse, press


def packets(events, timestamp, *, sequence=0, ssrc=1, payload_type=101):
    return [
        Packet(payload_type, n == 0, sequence + n & 0xFFFF, timestamp & 0xFFFF_FFFF, ssrc, build(event))
        for n, event in enumerate(events)
    ]


def told(keys, stream):
    return [key for packet in stream if (key := keys.receive(packet)) is not None]


@given(st.builds(Event, st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 0xFFFF)))
def test_what_is_built_is_read_again(event):
    assert parse(build(event)) == event


def test_a_short_payload_is_no_event():
    assert [parse(b""), parse(b"\x01\x80\x00")] == [None, None]
    assert Keys(8000).receive(Packet(101, True, 1, 1, 1, b"\x01")) is None


def test_pressing_a_key_tells_its_growing_duration_and_its_end_three_times():
    assert press("#", 8000, duration_ms=60) == [
        Event(11, False, 10, 160),
        Event(11, False, 10, 320),
        Event(11, True, 10, 480),
        Event(11, True, 10, 480),
        Event(11, True, 10, 480),
    ]
    assert press("a", 16_000, duration_ms=20)[0] == Event(12, True, 10, 320)


@pytest.mark.parametrize("key", ["", "E", "12", "é", " "])
def test_there_are_no_other_keys(key):
    with pytest.raises(ValueError, match="no key"):
        press(key, 8000)


@pytest.mark.parametrize("duration_ms", [0, -20, 9000])
def test_a_key_is_pressed_for_a_time_that_can_be_told(duration_ms):
    with pytest.raises(ValueError, match="pressed for"):
        press("1", 8000, duration_ms=duration_ms)


@pytest.mark.parametrize("timestamp", [0, 2**32 - 3000])
@pytest.mark.parametrize(("clock_hz", "payload_type"), [(8000, 101), (16_000, 96), (48_000, 126)])
def test_every_key_is_told_once(timestamp, clock_hz, payload_type):
    keys, stream = Keys(clock_hz), []
    for n, key in enumerate(KEYS + "11#"):
        stream += packets(press(key, clock_hz), timestamp + n * clock_hz // 2, payload_type=payload_type)
    assert told(keys, stream) == list(KEYS + "11#")


@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=8), st.randoms(), st.floats(0, 0.9))
def test_however_much_is_lost_no_key_is_told_twice_and_any_packet_tells_it(pressed, chance, loss):
    stream, expected = [], []
    for n, key in enumerate(pressed):
        came = [packet for packet in packets(press(key, 8000), n * 4000) if chance.random() >= loss]
        came += [packet for packet in came if chance.random() < 0.2]
        chance.shuffle(came)
        stream += came
        expected += [key] if came else []
    assert told(Keys(8000), stream) == expected


def test_what_comes_after_the_next_key_is_the_old_one():
    first, second = packets(press("1", 8000), 1000), packets(press("2", 8000), 5000)
    assert told(Keys(8000), [*first[:3], *second[:2], *first[3:], *second[2:]]) == ["1", "2"]


def test_a_key_held_for_minutes_is_one_key():
    stream = []
    for n in range(20):  # each segment is as long as an event can tell
        stream += [Packet(101, n == 0, 0, 70 + n * 0xFFFF, 1, build(Event(5, False, 10, 0xFFFF)))]
    stream.append(Packet(101, False, 0, 70 + 20 * 0xFFFF, 1, build(Event(5, True, 10, 800))))
    assert told(Keys(8000), stream) == ["5"]


def test_a_sender_that_moves_the_timestamp_with_each_packet_presses_one_key():
    events = press("7", 8000)
    stream = [Packet(101, n == 0, n, 1000 + 160 * n, 1, build(event)) for n, event in enumerate(events[:-2])]
    again = [Packet(101, n == 0, n, 9000 + 160 * n, 1, build(event)) for n, event in enumerate(events[:-2])]
    assert told(Keys(8000), [*stream, *again]) == ["7", "7"]


def test_the_same_key_again_is_told_again_even_if_its_release_was_lost():
    first, second = packets(press("7", 8000), 1000)[:3], packets(press("7", 8000), 1600)
    assert told(Keys(8000), [*first, *second]) == ["7", "7"]


def test_another_source_presses_keys_of_its_own():
    assert told(Keys(8000), [*packets(press("1", 8000), 9000), *packets(press("1", 8000), 100, ssrc=2)]) == ["1", "1"]


def test_what_is_no_key_is_not_told():
    assert told(Keys(8000), packets([Event(16, False, 10, 160), Event(16, True, 10, 320)], 0)) == []
