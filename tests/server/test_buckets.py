from __future__ import annotations

import pytest

from vivavoce.server.buckets import Bucket, Buckets


def test_a_bucket_gives_what_it_holds_and_then_what_comes_back() -> None:
    bucket = Bucket(2.0, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert bucket.take(0.25) == 0.25
    assert bucket.take(0.5) == 0.0
    assert bucket.take(0.5) == 0.5


def test_a_bucket_holds_no_more_than_its_size_however_long_it_was_left() -> None:
    bucket = Bucket(2.0, 3, 0.0)
    assert [bucket.take(1e6) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_bucket_is_full_again_in_time() -> None:
    bucket = Bucket(2.0, 3, 0.0)
    bucket.take(0.0)
    assert not bucket.is_full(0.4)
    assert bucket.is_full(0.5)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_everybody_has_a_bucket_of_their_own() -> None:
    buckets = Buckets(1.0, 1, Clock())
    assert [buckets.take(who) for who in ("ann", "bob", "ann", "bob")] == [0.0, 0.0, 1.0, 1.0]


def test_whoever_was_long_away_is_forgotten_which_changes_nothing() -> None:
    clock = Clock()
    buckets = Buckets(1.0, 1, clock)
    for number in range(100):
        assert buckets.take(number) == 0.0
    clock.now = 2.0
    for number in range(100, 200):
        assert buckets.take(number) == 0.0
    assert len(buckets) == 100
    assert buckets.take(0) == 0.0


@pytest.mark.parametrize("most", [1, 10])
def test_no_more_are_remembered_than_there_is_room_for(most: int) -> None:
    buckets = Buckets(1.0, 1, Clock(), most=most)
    for number in range(100):
        buckets.take(number)
    assert len(buckets) == most
    assert buckets.take(99) == 1.0
    assert buckets.take(0) == 0.0
