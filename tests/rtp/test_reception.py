from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import SSRC, Sent, delayed, number, played, speech, through, ticks_of, total
from vivavoce.rtp.packet import Packet
from vivavoce.rtp.reception import Conceal, Play, Reception, Recover, Silence
from vivavoce.rtp.ticks import octet_ticks


def telephone(**options):
    return Reception(8000, octet_ticks, **options)


def packets(*sent):
    return [(at, packet) for at, packet in sent]


def shape(out):
    """Steps in short: the number of a payload that is played, letters and milliseconds of what is not."""
    letters = {Conceal: "c", Silence: "s", Recover: "r"}
    return [
        number(step) if isinstance(step, Play) else f"{letters[type(step)]}{step.clock_ticks // 8}" for _, step in out
    ]


def test_nothing_is_held_back_while_packets_come_in_their_order():
    sent = speech(500)
    reception = telephone()
    for at, packet in sent:
        assert reception.receive(packet, at) == [Play(packet.payload, 0)]
    statistics = reception.statistics
    assert (statistics.received, statistics.expected, statistics.lost) == (500, 500, 0)
    assert statistics.jitter_ms == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("packet_ms", [10, 20, 40, 60])
def test_packets_of_every_length_are_concealed_by_their_own_length(packet_ms):
    sent = speech(20, packet_ms=packet_ms)
    del sent[7]
    out = through(telephone(), sent)
    steps = shape([entry for entry in out if not isinstance(entry[1], Silence)])
    assert steps == [*range(7), f"c{packet_ms}", *range(8, 20)]


def test_a_hole_waits_40_ms_and_everything_behind_it_comes_at_once():
    sent = speech(10)
    del sent[4]
    out = through(telephone(), [(at, packet) for at, packet in sent], until=0.2)
    assert shape(out) == [0, 1, 2, 3, "c20", 5, 6, 7, 8, 9]
    seen = sent[4].at
    delays = {number(step): at for at, step in out if isinstance(step, Play)}
    assert delays[5] == pytest.approx(seen + 0.04, abs=0.021)
    assert delays[7] == pytest.approx(sent[6].at, abs=0.021)


def test_a_lost_packet_is_asked_of_the_next_one_where_copies_are_made():
    sent = speech(10)
    next_payload = sent[6].packet.payload
    for index in (5, 4):
        del sent[index]
    out = through(telephone(recovers=True), sent, until=0.2)
    steps = [step for _, step in out]
    assert steps[4:7] == [Conceal(160), Recover(next_payload, 160), Play(next_payload, 0)]
    assert shape(out) == [0, 1, 2, 3, "c20", "r20", 6, 7, 8, 9]


def test_what_was_overtaken_is_put_in_order_and_teaches_patience():
    sent = speech(20)
    late = Sent(sent[5].at + 0.035, sent[5].packet)
    arrivals = [*sent[:5], *sent[6:], late]
    reception = telephone()
    assert shape(through(reception, arrivals, until=0.45)) == list(range(20))
    assert reception.statistics.reordered == 1
    assert reception.statistics.wait_ms == pytest.approx(40)


def test_what_comes_after_it_was_given_up_is_dropped_and_the_next_hole_waits_longer():
    first, second = speech(100), speech(100)
    arrivals = [*first[:5], *first[6:50], Sent(first[5].at + 0.12, first[5].packet)]
    arrivals += [*second[51:], Sent(second[50].at + 0.12, second[50].packet)]
    reception = telephone()
    out = shape(through(reception, arrivals, until=2.1))
    assert out == [*range(5), "c20", *range(6, 100)]
    statistics = reception.statistics
    assert (statistics.lost, statistics.late, statistics.reordered, statistics.lost_for_good) == (1, 1, 1, 0)
    assert 110 < statistics.wait_ms < 130


def test_a_hole_never_waits_longer_than_200_ms():
    reception = telephone()
    chance = Random(4)
    sent = speech(3000)
    arrivals = delayed(sent, 4, jitter=0.5)
    del arrivals[chance.randrange(2000, 2500)]
    held = []
    for at, packet in sorted(arrivals, key=lambda arrival: arrival[0]):
        reception.receive(packet, at)
        held.append(reception.statistics.wait_ms)
    assert max(held) <= 200


def test_what_comes_twice_is_heard_once():
    sent = speech(50)
    arrivals = [arrival for at, packet in sent for arrival in ((at, packet), (at + 0.03, packet), (at + 0.3, packet))]
    reception = telephone()
    assert played(through(reception, arrivals, until=1.0)) == list(range(50))
    assert reception.statistics.lost == reception.statistics.late == 0
    assert reception.statistics.duplicates > 80


@pytest.mark.parametrize(("sequence", "timestamp"), [(65_530, 1000), (100, 2**32 - 1500), (65_500, 2**32 - 5000)])
def test_numbers_and_times_wrap_unnoticed(sequence, timestamp):
    sent = speech(100, sequence=sequence, timestamp=timestamp)
    del sent[40], sent[10]
    reception = telephone()
    out = through(reception, sent, until=2.0)
    assert shape(out) == [*range(10), "c20", *range(11, 40), "c20", *range(41, 100)]
    assert reception.extended_sequence == sequence + 99


def test_time_without_packets_and_with_consecutive_numbers_is_silence():
    sent = speech(20, gaps={10: 100})
    reception = telephone()
    assert shape(through(reception, sent, until=0.5)) == [*range(10), "s100", *range(10, 20)]
    assert reception.statistics.lost == 0


def test_silence_goes_on_while_nothing_comes_and_is_not_given_again():
    sent = speech(20, gaps={10: 1000})
    reception = telephone()
    out = through(reception, sent, until=1.4)
    silences = [(at, step.clock_ticks) for at, step in out if isinstance(step, Silence)]
    last, first = sent[9].at, sent[10].at
    assert silences[0] == (pytest.approx(last + 0.2, abs=0.021), pytest.approx(1600, abs=160))
    assert all(ticks == 160 for _, ticks in silences[1:-1])
    assert played(out) == list(range(20))
    assert total(out) == 20 * 160 + 8000
    assert silences[-1][0] < first


def test_a_stall_is_followed_by_all_that_it_held_up():
    sent = speech(200)
    arrivals = delayed(sent, 1, stalls=[(1.0, 2.0)])
    reception = telephone()
    out = through(reception, arrivals, until=4.02)
    assert played(out) == list(range(200))
    silent = total(out) - 200 * 160
    assert silent == pytest.approx(8000, abs=320)
    after = [at for at, step in out if isinstance(step, Play) and number(step) == 150]
    assert after == [pytest.approx(sent[150].at + 0.01)]
    assert reception.statistics.stalls == 1


def test_before_the_first_packet_silence_goes_on_as_well():
    reception = telephone()
    out = [sum(step.clock_ticks for step in reception.receive_time(5 + n * 0.02)) for n in range(50)]
    # From the beginning and evenly: whoever echoes it would be late for the whole call otherwise.
    assert max(out) <= 240
    assert sum(out) == pytest.approx(49 * 160, abs=80)
    assert reception.statistics.stalls == 0


def test_what_was_lost_during_a_silence_is_silence():
    sent = speech(40, gaps={20: 1000})
    del sent[20], sent[19]
    out = through(telephone(), sent, until=1.9)
    assert played(out) == [*range(19), *range(21, 40)]
    assert total(out) == 40 * 160 + 8000


def test_keys_take_numbers_but_no_time():
    sent = speech(30, gaps={15: 100})
    events = [
        Sent(sent[14].at + 0.02 * n, Packet(101, n == 1, 115 + n - 1, 1000 + 15 * 160, SSRC, bytes(4)))
        for n in range(1, 6)
    ]
    later = [
        Sent(at, Packet(0, packet.marker, packet.sequence + 5, packet.timestamp, SSRC, packet.payload))
        for at, packet in sent[15:]
    ]
    reception = telephone(silent_types={101})
    out = through(reception, [*sent[:15], *events, *later], until=0.7)
    assert shape(out) == [*range(15), "s100", *range(15, 30)]
    assert reception.statistics.lost == 0


def test_comfort_noise_tells_how_loud_the_silence_is():
    sent = speech(20, gaps={10: 400})
    noise = Packet(13, False, 110, 1000 + 10 * 160, SSRC, bytes([42, 1, 2]))
    later = [
        Sent(at, Packet(0, packet.marker, packet.sequence + 1, packet.timestamp, SSRC, packet.payload))
        for at, packet in sent[10:]
    ]
    reception = telephone(noise_type=13)
    out = through(reception, [*sent[:10], Sent(sent[9].at + 0.02, noise), *later], until=0.8)
    silences = [step for _, step in out if isinstance(step, Silence)]
    assert {step.noise_dbov for step in silences} == {-42}
    assert sum(step.clock_ticks for step in silences) == 400 * 8
    assert played(out) == list(range(20))


def test_a_new_source_begins_with_its_second_packet_and_loses_none():
    first, second = speech(10), speech(10, ssrc=99, sequence=7, timestamp=5, numbered_from=50)
    arrivals = [*first, *[Sent(at + 0.2, packet) for at, packet in second]]
    reception = telephone()
    out = through(reception, arrivals, until=0.43)
    assert shape(out) == [*range(10), *range(50, 60)]
    assert reception.ssrc == 99
    assert reception.statistics.restarts == 1


@pytest.mark.parametrize(
    ("sequence", "timestamp"), [(30_000, 10_000_000), (105, 90_000_000), (60, 3_000_000_000), (300, 100), (95, 2600)]
)
def test_a_sender_that_counts_anew_is_followed_without_a_hole_in_time(sequence, timestamp):
    first, second = speech(10), speech(30, sequence=sequence, timestamp=timestamp, numbered_from=50)
    arrivals = [*first, *[Sent(at + 0.2, packet) for at, packet in second]]
    out = through(telephone(), arrivals, until=0.8)
    heard = played(out)
    assert heard[:10] == list(range(10))
    assert heard[10:] in (list(range(50, 80)), list(range(51, 80)))
    assert total(out) <= 41 * 160


def test_strays_do_not_disturb_the_stream():
    sent = speech(200)
    chance = Random(8)
    strays = []
    for at, _ in sent:
        ssrc = chance.choice((SSRC, 5))
        stray = Packet(0, False, chance.randrange(1 << 16), chance.randrange(1 << 32), ssrc, bytes(160))
        strays.append(Sent(at + 0.005, stray))
    strays = [stray for stray in strays if not 0 <= stray.packet.sequence < 1400]
    assert played(through(telephone(), [*sent, *strays], until=4.0)) == list(range(200))


def test_timestamps_that_jump_leave_no_hole():
    sent = speech(20)
    jumped = [
        Sent(at, Packet(0, False, p.sequence, p.timestamp + 5_000_000 & 0xFFFF_FFFF, SSRC, p.payload))
        for at, p in sent[10:]
    ]
    back = [
        Sent(at + 0.2, Packet(0, False, p.sequence + 10, p.timestamp - 4000, SSRC, p.payload)) for at, p in sent[10:]
    ]
    out = through(telephone(), [*sent[:10], *jumped, *back], until=0.6)
    assert shape(out) == [*range(20), *range(10, 20)]


@pytest.mark.parametrize("payload", [b"", bytes(1601), bytes(9000)])
def test_what_cannot_be_sound_is_left_out(payload):
    sent = speech(10)
    sent[5] = Sent(sent[5].at, Packet(0, False, 105, sent[5].packet.timestamp, SSRC, payload))
    reception = telephone()
    out = shape(through(reception, sent, until=0.2))
    assert out == [*range(5), "c20" if payload else "s20", *range(6, 10)]
    assert reception.statistics.damaged == 1


def test_the_deadline_tells_when_there_is_something_to_hear():
    reception = telephone()
    assert reception.deadline is None
    sent = speech(4)
    reception.receive(sent[0].packet, 1.0)
    assert reception.deadline == pytest.approx(1.2)
    reception.receive(sent[2].packet, 1.02)
    assert reception.deadline == pytest.approx(1.06)
    assert reception.receive_time(1.05) == []
    assert reception.receive_time(reception.deadline + 1e-9) == [Conceal(160), Play(sent[2].packet.payload, 0)]
    assert reception.receive_time(reception.deadline + 1e-6) == [Silence(1600, None)]
    assert reception.deadline == pytest.approx(1.23)


networks = st.fixed_dictionaries(
    {
        "loss": st.sampled_from([0, 0, 0.01, 0.05, 0.1, 0.3]),
        "jitter": st.sampled_from([0, 0.005, 0.03, 0.1]),
        "duplicates": st.sampled_from([0, 0.1]),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    network=networks,
    seed=st.integers(0, 10**6),
    packet_ms=st.sampled_from([10, 20, 40, 60]),
    gaps=st.dictionaries(st.integers(1, 150), st.sampled_from([20, 100, 380, 1000, 5000]), max_size=5),
    stalls=st.lists(st.tuples(st.floats(0.5, 3), st.floats(0.05, 2)), max_size=2),
    start=st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)),
)
def test_on_any_network_all_that_is_in_time_is_heard_once_in_order_and_time_adds_up(
    network, seed, packet_ms, gaps, stalls, start
):
    sent = speech(160, packet_ms=packet_ms, gaps=gaps, sequence=start[0], timestamp=start[1])
    stalls = [(begin, begin + length) for begin, length in stalls]
    arrivals = sorted(delayed(sent, seed, stalls=stalls, **network), key=lambda arrival: arrival[0])
    reception = telephone()
    end = max(at for at, _ in arrivals)
    out = through(reception, arrivals, until=end + 0.25)
    heard = played(out)
    assert heard == sorted(set(heard))
    first = heard[0]
    # In time is what comes at most 40 ms after the first that overtook it.
    numbers = [(at, int.from_bytes(packet.payload[:4], "big")) for at, packet in arrivals]
    overtaken = {n: min(at for at, other in numbers if other > n or other == n) for _, n in numbers}
    in_time = {n for at, n in numbers if n >= first and at <= overtaken[n] + 0.019}
    assert in_time <= set(heard)
    statistics = reception.statistics
    came = {n for _, n in numbers if n >= first}
    # What came and was not heard came late, and is counted so.
    assert len(came) - len(heard) == statistics.late
    # Time: from the first to the last that was heard it adds up, but for stalls, in which silence went on.
    packet_ticks = 8 * packet_ms
    at_first = next(index for index, (_, step) in enumerate(out) if isinstance(step, Play))
    at_last = max(index for index, (_, step) in enumerate(out) if isinstance(step, Play))
    given = sum(ticks_of(step) for _, step in out[at_first : at_last + 1])
    by_number = {int.from_bytes(packet.payload[:4], "big"): packet for _, packet in sent}
    span = (by_number[heard[-1]].timestamp - by_number[first].timestamp & 0xFFFF_FFFF) + packet_ticks
    assert given >= span
    allowed = 8000 * sum(end - begin for begin, end in stalls) + (len(stalls) + len(gaps)) * 8000 * 0.25
    run = max([len(part) for part in "".join("x" if n in came else " " for n in range(160)).split("x")])
    assert given <= span + allowed + (8 * 200 if run * packet_ms >= 80 else 0) * (1 + statistics.stalls)


def test_delay_does_not_grow_on_a_bad_network():
    sent = speech(3000)
    out = through(telephone(), delayed(sent, 3, loss=0.05, jitter=0.1), until=61)
    delay = {number(step): at - sent[number(step)].at for at, step in out if isinstance(step, Play)}

    def mean(numbers):
        values = [delay[n] for n in numbers if n in delay]
        return sum(values) / len(values)

    assert mean(range(2000, 3000)) == pytest.approx(mean(range(1000)), abs=0.02)
    assert max(delay.values()) <= 0.01 + 0.1 + 0.2 + 0.02


def test_hostile_numbers_cost_neither_memory_nor_endless_sound():
    chance = Random(1)
    reception = telephone(silent_types={101}, noise_type=13)
    ticks, now = 0, 0.0
    sequence, timestamp = 0, 0
    for _ in range(20_000):
        now += 0.001
        sequence += chance.choice((1, 1, 2, 3, 999, -50, 5000))
        timestamp += chance.choice((0, 160, 160, 4000, 800_000, -160, 1 << 31))
        packet = Packet(
            chance.choice((0, 0, 0, 13, 101)),
            False,
            sequence & 0xFFFF,
            timestamp & 0xFFFF_FFFF,
            chance.choice((1, 1, 1, 2)),
            bytes(chance.choice((160, 80, 1600, 0))),
        )
        steps = reception.receive(packet, now)
        ticks += sum(ticks_of(step) for step in steps)
        assert len(reception._held) <= 101
    assert ticks <= 8000 * (2 + 1.25 * 20) + 1
    assert reception.statistics.excess > 0


def test_an_hour_of_a_clock_that_is_a_little_fast_or_slow_loses_nothing():
    for rate in (0.999, 1.001):
        reception = telephone()
        heard = sum(
            ticks_of(step)
            for at, packet in speech(30_000)
            for step in [*reception.receive(packet, at * rate), *reception.receive_time(at * rate)]
        )
        assert heard == 30_000 * 160
