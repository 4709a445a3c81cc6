from __future__ import annotations

import re

from vivavoce.server.ids import Ids, new_call_id, new_seed


def test_ids_are_of_the_protocols_shape() -> None:
    ids = Ids(new_seed())
    for kind in ("event", "item", "resp", "sess", "conv", "call"):
        assert re.fullmatch(rf"{kind}_[0-9A-Za-z]{{21}}", ids(kind))


def test_the_id_of_a_call_cannot_be_guessed() -> None:
    made = {new_call_id() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"rtc_u1_[0-9a-f]{32}", one) for one in made)


def test_no_two_ids_are_alike() -> None:
    ids = Ids(new_seed())
    assert len({ids("event") for _ in range(10_000)}) == 10_000
    assert len({new_seed() for _ in range(1000)}) == 1000


def test_a_seed_gives_the_same_ids_again() -> None:
    first, second = Ids("0123456789abc"), Ids("0123456789abc")
    assert [first(kind) for kind in ("a", "b", "a")] == [second(kind) for kind in ("a", "b", "a")]
    assert Ids("0123456789abc")("item") == "item_0123456789abc00000001"
