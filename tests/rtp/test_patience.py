import pytest

from vivavoce.rtp.patience import Patience


def test_without_experience_a_hole_waits_for_two_packets():
    assert Patience().seconds(5.0) == pytest.approx(0.04)


def test_it_waits_a_quarter_longer_than_the_latest_packet_and_forgets_in_time():
    patience = Patience()
    patience.learn(0.1, 1.0)
    patience.learn(0.05, 1.0)
    waits = [patience.seconds(now) for now in (1.0, 6.0, 11.0, 60.0)]
    assert waits == [
        pytest.approx(0.125),
        pytest.approx(0.0758, abs=1e-4),
        pytest.approx(0.046, abs=1e-3),
        pytest.approx(0.04),
    ]


def test_it_never_waits_longer_than_200_ms_and_ignores_what_was_later():
    patience = Patience()
    patience.learn(0.19, 0.0)
    assert patience.seconds(0.0) == pytest.approx(0.2)
    impatient = Patience()
    impatient.learn(0.21, 0.0)
    assert impatient.seconds(0.0) == pytest.approx(0.04)


def test_it_learns_from_packets_that_had_been_given_up():
    patience = Patience()
    patience.give_up(10, 12, since=1.0)
    patience.learn_late(12, 1.08)
    assert patience.seconds(1.1) == pytest.approx(0.04)
    patience.learn_late(11, 1.08)
    assert patience.seconds(1.08) == pytest.approx(0.1)
