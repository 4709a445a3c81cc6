"""Who speaks and who listens: every pair of directions, from both sides."""

from __future__ import annotations

import pytest

from vivavoce.sip.direction import Direction, both, direction_of, mirrored, spoken_direction
from vivavoce.sip.sdp import Description, MediaSection, Origin

WAYS: dict[Direction, tuple[bool, bool]] = {
    "sendrecv": (True, True), "sendonly": (True, False), "recvonly": (False, True), "inactive": (False, False),
}  # fmt: skip
"""Whether each sends and receives."""


@pytest.mark.parametrize("one", WAYS)
@pytest.mark.parametrize("other", WAYS)
def test_two_directions_have_in_common_what_both_do(one: Direction, other: Direction) -> None:
    (sends, receives), (other_sends, other_receives) = WAYS[one], WAYS[other]
    assert WAYS[both(one, other)] == (sends and other_sends, receives and other_receives)


@pytest.mark.parametrize("way", WAYS)
def test_what_one_side_sends_the_other_receives(way: Direction) -> None:
    assert WAYS[mirrored(way)] == WAYS[way][::-1]


def test_the_first_word_counts_and_none_is_both_ways() -> None:
    assert direction_of((("ptime", "20"), ("recvonly", "")), (("sendonly", ""),)) == "recvonly"
    assert direction_of((), (("sendonly", ""),)) == "sendonly"
    assert direction_of((), ()) == "sendrecv"


@pytest.mark.parametrize(("address", "way"), [("0.0.0.0", "sendonly"), ("::", "sendonly"), ("192.0.2.1", "sendrecv")])
def test_nowhere_is_a_place_to_send_nothing_to(address: str, way: Direction) -> None:
    section = MediaSection("audio", 4000, "RTP/AVP", ("0",), address)
    assert spoken_direction(Description(Origin()), section) == way
