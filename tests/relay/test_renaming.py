"""Items that an upstream calls otherwise than the client."""

from __future__ import annotations

import pytest

from relay.stage import Stage, added, message
from vivavoce.relay.renaming import Renaming, is_taken_everywhere


def renaming(**names: str) -> Renaming:
    made = Renaming()
    for theirs, ours in names.items():
        made.add(theirs, ours)
    return made


def test_names_stand_in_the_place_of_ids_alone() -> None:
    names = renaming(a="item_1")
    theirs = (
        b'{"id":"a","item_id": "a","previous_item_id" : "a","call_id":"a","text":"a","delta":"aaaa","x":"\\"id\\":a"}'
    )
    ours = (
        b'{"id":"item_1","item_id": "item_1","previous_item_id" : "item_1",'
        b'"call_id":"a","text":"a","delta":"aaaa","x":"\\"id\\":a"}'
    )
    assert names.inward(theirs) == ours
    assert names.outward(ours) == theirs


def test_a_server_that_counts_its_items_does_not_spoil_what_is_said() -> None:
    stage = Stage().live()
    stage.says("item_1", "one")
    stage.says("item_2", "two")
    stage.loses()
    stage.opens(2)
    stage.upstream(*added(message("1", text="one"), None), *added(message("2", text="two"), "1"), link=2)
    assert stage.to_client == []
    where = {"event_id": "e1", "response_id": "r2", "item_id": "9", "output_index": 0, "content_index": 0}
    delta = {"type": "response.output_audio.delta", **where, "delta": "1212121212121212"}
    assert stage.upstream(delta, link=2) == [delta]
    deleted = stage.client({"type": "conversation.item.delete", "item_id": "item_2"})
    assert [event["item_id"] for event in deleted] == ["2"]
    assert stage.upstream({"type": "conversation.item.deleted", "event_id": "e", "item_id": "2"}, link=2) == [
        {"type": "conversation.item.deleted", "event_id": "e", "item_id": "item_2"}
    ]


def test_an_item_with_a_long_name_is_told_by_a_short_one() -> None:
    long_id = "item_" + 40 * "a"
    stage = Stage().live()
    stage.says(long_id)
    stage.loses()
    stage.opens(2)
    (told,) = stage.to_link(2)
    short_id = told["item"]["id"]
    assert is_taken_everywhere(short_id)
    assert stage.upstream(*added(message(short_id), None), link=2) == []
    (deleted,) = stage.client({"type": "conversation.item.delete", "item_id": long_id})
    assert deleted["item_id"] == short_id


@pytest.mark.parametrize("item_id", ["", 33 * "a", "a b", "item/1", "é"])
def test_what_openai_would_not_take_is_known(item_id: str) -> None:
    assert not is_taken_everywhere(item_id)
