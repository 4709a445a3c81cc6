import pytest

from networks import delayed, speech
from vivavoce.rtp.reception import Reception
from vivavoce.rtp.reporting import Quality, Reporting, opinion_score
from vivavoce.rtp.rtcp import Description, Goodbye, ReceiverReport, SenderReport, parse
from vivavoce.rtp.ticks import octet_ticks

SSRC = 0x1234_5678


def reporting(ssrc=SSRC, chance=0.5):
    return Reporting(ssrc, 8000, "a@b", lambda: chance)


def heard(loss=0.0, jitter=0.0, count=1000):
    reception = Reception(8000, octet_ticks)
    for at, packet in sorted(delayed(speech(count), 1, loss=loss, jitter=jitter), key=lambda arrival: arrival[0]):
        reception.receive(packet, at)
    return reception


def silent():
    return Reception(8000, octet_ticks)


def test_one_who_sends_reports_as_a_sender_and_one_who_does_not_as_a_receiver():
    party = reporting()
    assert parse(party.report(silent(), 1.0)) == (ReceiverReport(SSRC), Description(SSRC, "a@b"))
    party.sent(10, 1600, 5000, 2.0)
    sender = parse(party.report(silent(), 2.5))[0]
    assert sender == SenderReport(SSRC, int(2.5 * 2**32), 5000 + 4000, 10, 1600)
    assert isinstance(parse(party.report(silent(), 7.5))[0], ReceiverReport)


def test_whoever_leaves_says_so():
    assert parse(reporting().report(silent(), 1.0, leaves=True))[-1] == Goodbye((SSRC,))


def test_reports_are_due_every_five_seconds_give_or_take_half():
    party = reporting(chance=1.0)
    assert [party.is_due(now) for now in (0.0, 2.4, 2.5)] == [False, False, True]
    party.report(silent(), 2.5)
    assert [party.is_due(now) for now in (9.9, 10.0)] == [False, True]


def test_what_was_lost_since_the_last_report_and_in_all_is_told():
    reception = heard(loss=0.1)
    party = reporting(ssrc=7)
    block = parse(party.report(reception, 20.0))[0].blocks[0]
    lost = reception.statistics.expected - reception.statistics.received
    assert 60 < lost < 140
    assert (block.ssrc, block.lost, block.highest_sequence) == (SSRC, lost, 1099)
    assert block.fraction_lost == pytest.approx(256 * lost / 1000, abs=1)
    again = parse(party.report(reception, 25.0))[0].blocks[0]
    assert (again.fraction_lost, again.lost) == (0, lost)


def test_jitter_is_told_in_ticks():
    reception = heard(jitter=0.03)
    block = parse(reporting(ssrc=7).report(reception, 20.0))[0].blocks[0]
    assert block.jitter_ticks == pytest.approx(reception.statistics.jitter_ms * 8, abs=1)


@pytest.mark.parametrize("start", [5.0, 65_530.0, 4_294_967_290.0])
def test_two_parties_learn_the_way_there_and_back_between_them(start):
    one, other = reporting(SSRC), reporting(7)
    one.sent(100, 16_000, 1, start)
    other.receive(parse(one.report(silent(), start)), start + 0.08)
    reception = heard(loss=0.05)
    one.receive(parse(other.report(reception, start + 4.08)), start + 4.2)
    assert one.quality.round_trip_ms == pytest.approx(200, abs=1)
    assert one.quality.loss == pytest.approx(0.05, abs=0.02)
    assert other.quality == Quality()
    assert one.peer_name == "a@b"


def test_blocks_about_others_and_times_that_cannot_be_teach_nothing():
    one, other = reporting(1), reporting(7)
    other.receive((SenderReport(1, 99 << 48, 0, 1, 1),), 3.0)
    one.receive(parse(other.report(heard(), 4.0)), 5.0)
    assert one.quality == Quality()
    same = reporting(SSRC)
    same.receive(parse(other.report(heard(), 4.0)), 5.0)
    assert same.quality.round_trip_ms is None
    assert same.quality.jitter_ms is not None


def test_a_party_that_leaves_is_noticed():
    one = reporting()
    one.receive((Goodbye((7,)),), 1.0)
    assert one.peer_left


def test_opinions_fall_with_loss_and_with_delay():
    assert opinion_score(0, 0) == pytest.approx(4.41, abs=0.01)
    assert opinion_score(0, 150) > opinion_score(0, 400) > opinion_score(0, 1000)
    assert opinion_score(0.01, 50) > opinion_score(0.05, 50) > opinion_score(0.3, 50) >= 1
    assert opinion_score(1, 5000) == 1
