"""Which link holds the conversation, and what becomes of it when one goes."""

from __future__ import annotations

from relay.stage import Stage, added, answer_begins, answer_ends, kinds, message
from vivavoce.relay.effects import Dial, HangUp, Noted, Place

PLACE = Place(upstream="a", model="theirs", session_seconds=60.0, connect_seconds=5.0)


def test_an_upstream_that_begins_no_session_is_left_for_another() -> None:
    stage = Stage(upstreams=2)
    stage.session.opened(1, PLACE, 0.0)
    assert stage.waits(4.9) == []
    assert stage.waits(5.0) == [
        Noted("rejected", {"upstream": "a", "code": "no_session_began"}),
        HangUp(1),
        Dial(2, "lost", frozenset(("a",))),
    ]
    assert kinds(stage.opens(2)) == ["session.created"]


def test_a_successor_that_begins_no_session_is_tried_again() -> None:
    stage = Stage().live()
    stage.waits(55.2)
    stage.session.opened(2, PLACE, 55.2)
    stage.waits(61.0)
    assert stage.hung_up == [2]
    assert [dial.link for dial in stage.dials] == [3]


def test_an_answer_that_has_to_wait_for_another_is_no_reason_to_leave() -> None:
    stage = Stage(patience_seconds=5.0).live()
    stage.client({"type": "response.create"})
    stage.upstream(*answer_begins())
    stage.client({"type": "response.create"})
    assert stage.waits(30.0) == []
    stage.upstream(*answer_ends())
    assert stage.waits(34.9) == []
    assert [type(effect) for effect in stage.waits(35.0)] == [Noted, HangUp, Dial]


def test_two_upstreams_lost_one_after_the_other_leave_nothing_out() -> None:
    stage = Stage().live()
    stage.says("item_1")
    stage.client({"type": "conversation.item.create", "item": message("item_2")}, {"type": "response.create"})
    stage.loses(1)
    stage.opens(2)
    stage.upstream(*added(message("item_1"), None), link=2)
    stage.loses(2)
    stage.opens(3)
    told = stage.to_link(3)
    assert kinds(told) == ["conversation.item.create", "conversation.item.create", "response.create"]
    assert [event["item"]["id"] for event in told[:2]] == ["item_1", "item_2"]


def test_a_translation_that_was_closed_is_over_however_its_connection_ends() -> None:
    stage = Stage(kind="translation").live()
    assert stage.client({"type": "session.close"}) == [{"type": "session.close"}]
    closed = {"type": "session.closed", "event_id": "e"}
    assert stage.upstream(closed) == [closed]
    assert stage.loses(code=1006) == []
    assert stage.closes == [(1000, "")]


def test_a_translation_that_was_to_be_closed_is_when_its_upstream_is_lost() -> None:
    stage = Stage(kind="translation").live()
    stage.client({"type": "session.close"})
    assert kinds(stage.loses()) == ["session.closed"]
    assert stage.closes == [(1000, "")]


def test_a_translation_goes_on_where_its_upstream_only_ends_a_connection() -> None:
    stage = Stage(kind="translation").live()
    stage.client({"type": "session.update", "session": {"audio": {"output": {"language": "fr"}}}})
    stage.upstream({"type": "session.updated", "event_id": "e", "session": {"audio": {"output": {"language": "fr"}}}})
    stage.loses(code=1000)
    assert stage.closes == []
    stage.opens(2)
    (told,) = stage.to_link(2)
    assert told["session"] == {"audio": {"output": {"language": "fr"}}}


def test_what_a_server_says_of_the_key_is_no_business_of_clients() -> None:
    stage = Stage(tells_relay=True)
    stage.session.opened(1, PLACE, 0.0)
    fault = {"type": "invalid_request_error", "code": "invalid_api_key", "message": "Incorrect: sk-secret."}
    stage.upstream({"type": "error", "event_id": "e", "error": fault})
    (told,) = stage.loses()
    assert (told["error"]["code"], "sk-secret" in told["error"]["message"]) == ("upstream_refused", False)


def test_why_an_upstream_cannot_be_had_is_told_to_the_operator_alone() -> None:
    stage = Stage(tells_relay=True).live()
    stage.loses()
    told = stage.unavailable(2)
    assert stage.noted == ["unavailable"]
    assert [set(event) - {"type", "event_id", "at"} for event in told] == [{"what", "reason"}]
    assert Stage().unavailable(1, again=False)[0]["error"]["message"] == "The upstream server cannot be used."


def test_a_client_is_told_of_its_session_though_nothing_is_heard_of_its_settings() -> None:
    stage = Stage(PLACE, settings={"instructions": "Be brief."})
    assert stage.opens() == []
    stage.waits(5.0)
    assert kinds(stage.to_client) == ["session.created"]


def test_an_upstream_whose_clock_is_wrong_is_not_renewed_without_end() -> None:
    stage = Stage(created_unix=1000.0)
    stage.opens(expires_at=1001)
    assert stage.waits(55.0) == []
