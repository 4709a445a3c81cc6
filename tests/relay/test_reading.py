"""What a frame of an upstream means, and what the client is sent for it."""

from __future__ import annotations

from typing import Any

import pytest

from relay.stage import Stage, added, kinds, message, session_object

UPDATED = {"type": "session.updated", "event_id": "e", "session": session_object()}


def error(event_id: str | None = None, **fields: Any) -> dict[str, Any]:
    told = {"type": "invalid_request_error", "code": "invalid_value", "message": "No.", "param": None} | fields
    return {"type": "error", "event_id": "event_x", "error": told | {"event_id": event_id}}


def with_settings(session: dict[str, Any]) -> Stage:
    """Return a stage whose client made settings, and whose second upstream was told them."""
    stage = Stage().live()
    stage.client({"type": "session.update", "session": {"type": "realtime"} | session})
    stage.upstream(UPDATED)
    stage.loses()
    stage.opens(2)
    return stage


@pytest.mark.parametrize("names_its_event", [True, False])
def test_an_upstream_that_lacks_a_voice_is_told_the_other_settings(names_its_event: bool) -> None:
    stage = with_settings({"instructions": "Be brief.", "audio": {"output": {"voice": "cedar", "speed": 1.2}}})
    (told,) = stage.to_link(2)
    event_id = told["event_id"] if names_its_event else None
    assert stage.upstream(error(event_id, param="session.audio.output.voice"), link=2) == []
    assert stage.noted == ["setting_lost"]
    (again,) = stage.to_link(2)
    expected = {"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"speed": 1.2}}}
    assert again["session"] == expected
    assert stage.upstream(UPDATED, link=2) == []
    (asked,) = stage.client({"type": "session.update", "session": {"type": "realtime", "instructions": "Be kind."}})
    assert asked["session"]["instructions"] == "Be kind."
    assert kinds(stage.upstream(UPDATED, link=2)) == ["session.updated"]


def test_settings_that_are_refused_altogether_are_not_waited_for() -> None:
    stage = with_settings({"instructions": "Be brief."})
    stage.upstream(error(stage.to_link(2)[0]["event_id"]), link=2)
    assert (stage.to_client, stage.to_link(2), stage.noted) == ([], [], ["setting_lost"])
    stage.client({"type": "session.update", "session": {"type": "realtime", "instructions": "Be kind."}})
    assert kinds(stage.upstream(UPDATED, link=2)) == ["session.updated"]


def test_a_new_session_begins_without_the_settings_that_its_upstream_refuses() -> None:
    stage = Stage(settings={"instructions": "Be brief."})
    assert stage.opens() == []
    assert kinds(stage.upstream(error(param="session.instructions"))) == ["session.created"]


@pytest.mark.parametrize("names_its_event", [True, False])
def test_an_item_that_is_refused_is_not_taken_for_the_next(names_its_event: bool) -> None:
    stage = Stage().live()
    stage.says("item_1")
    stage.says("item_2")
    stage.loses()
    stage.opens(2)
    event_id = stage.to_link(2)[0]["event_id"] if names_its_event else None
    assert stage.upstream(error(event_id, param="item.content"), link=2) == []
    assert stage.noted == ["item_lost"]
    assert stage.upstream(*added(message("item_2"), None), link=2) == []
    made_there = message("item_3", "assistant")
    assert stage.upstream(*added(made_there, "item_2"), link=2) == added(made_there, "item_2")


def test_an_error_about_what_the_client_said_is_the_clients() -> None:
    stage = Stage().live()
    stage.says("item_1")
    stage.loses()
    stage.opens(2)
    stage.upstream(*added(message("item_1"), None), link=2)
    stage.client({"type": "conversation.item.create", "item": message("item_2")})
    assert stage.upstream(error(param="item.id"), link=2) == [error(param="item.id")]


def test_tools_that_are_listed_anew_are_not_told_again() -> None:
    tools = [{"type": "mcp", "server_label": "shop", "server_url": "https://shop.example"}]
    stage = with_settings({"tools": tools})
    listed = {"id": "mcpl_2", "type": "mcp_list_tools", "server_label": "shop", "tools": []}
    progress = {"type": "mcp_list_tools.completed", "event_id": "e", "item_id": "mcpl_2"}
    begun, done = added(listed, None)
    assert stage.upstream(UPDATED, begun, progress, done, link=2) == []
    later = added(listed | {"id": "mcpl_3"}, None)
    assert stage.upstream(*later, link=2) == later
