"""A beta client before a GA server."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oddities
from vivavoce.relay import names
from vivavoce.relay.beta_client import BetaClient

Event = dict[str, Any]
PCM = {"type": "audio/pcm", "rate": 24000}
LIMITS = [{"name": "tokens", "limit": 100, "remaining": 90, "reset_seconds": 1.0}]


def bridge(kind: str = "realtime") -> BetaClient:
    numbers = itertools.count(1)
    return BetaClient(kind, lambda prefix: f"{prefix}_{next(numbers)}")


def created(**session: Any) -> Event:
    shown = {"type": "realtime", "object": "realtime.session", "id": "sess_1", **session}
    return {"type": "session.created", "event_id": "e1", "session": shown}


def response(kind: str, id_: str = "resp_1", **fields: Any) -> Event:
    shown = {"object": "realtime.response", "id": id_, "conversation_id": "conv_theirs", "output": [], **fields}
    return {"type": f"response.{kind}", "event_id": "e", "response": shown}


def item(kind: str, id_: str, previous: str | None = None, **fields: Any) -> Event:
    shown = {"id": id_, "type": "message", "role": "user", "content": [], **fields}
    return {"type": f"conversation.item.{kind}", "event_id": "e", "previous_item_id": previous, "item": shown}


def told(events: list[Event]) -> list[tuple[Any, ...]]:
    """Events about items: their types, items and what stands before."""
    return [(e["type"], e["item"]["id"] if "item" in e else e["item_id"], e.get("previous_item_id")) for e in events]


def kinds(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]


# ------------------------------------------------------------------------------------------------ what the client says


def test_an_update_names_its_kind_and_only_what_the_client_named() -> None:
    event = {"type": "session.update", "event_id": "c1", "session": {"turn_detection": None, "voice": "ash"}}
    assert bridge().to_ga(event) == [
        {
            "type": "session.update",
            "event_id": "c1",
            "session": {
                "type": "realtime",
                "audio": {"input": {"turn_detection": None}, "output": {"voice": "ash"}},
            },
        }
    ]


def test_an_empty_update_is_still_an_update() -> None:
    assert bridge().to_ga({"type": "session.update", "session": {}}) == [
        {"type": "session.update", "session": {"type": "realtime"}}
    ]


def test_nulls_that_mean_unset_are_not_passed_on() -> None:
    session = {"voice": None, "instructions": None, "temperature": None, "input_audio_transcription": None}
    (event,) = bridge().to_ga({"type": "session.update", "session": session})
    assert event["session"] == {"type": "realtime", "audio": {"input": {"transcription": None}}}


def test_a_session_that_was_read_can_be_sent_back() -> None:
    client = bridge()
    (shown, _) = client.from_ga(created(model="m", expires_at=5, output_modalities=["audio"], tools=[]))
    (event,) = client.to_ga({"type": "session.update", "session": shown["session"]})
    assert event["session"] == {"type": "realtime", "model": "m", "output_modalities": ["audio"], "tools": []}


def test_a_transcription_update_is_an_update_of_another_kind() -> None:
    client = bridge("transcription")
    session = {"input_audio_format": "pcm16", "modalities": ["text"], "client_secret": None}
    assert client.to_ga({"type": "transcription_session.update", "session": session}) == [
        {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {"format": PCM}}}}
    ]


@pytest.mark.parametrize("session", [None, 5, [], "x"])
def test_an_update_of_nothing_is_for_the_server_to_refuse(session: Any) -> None:
    for name in ("session.update", "transcription_session.update"):
        assert bridge().to_ga({"type": name, "session": session}) == [{"type": "session.update", "session": session}]


@pytest.mark.parametrize(
    ("in_force", "changed", "sent"),
    [
        (None, {"threshold": 0.9}, {"type": "server_vad", "threshold": 0.9}),
        ({"type": "server_vad"}, {"threshold": 0.9}, {"type": "server_vad", "threshold": 0.9}),
        ({"type": "semantic_vad"}, {"eagerness": "low"}, {"type": "semantic_vad", "eagerness": "low"}),
        ({"type": "semantic_vad"}, {"type": None, "threshold": 0.9}, {"type": "semantic_vad"}),
        ({"type": "semantic_vad"}, {"type": "server_vad"}, {"type": "server_vad"}),
    ],
)
def test_a_turn_detection_without_a_type_changes_the_one_in_force(in_force: Any, changed: Any, sent: Any) -> None:
    client = bridge()
    client.from_ga(created(audio={"input": {"turn_detection": in_force}}))
    (event,) = client.to_ga({"type": "session.update", "session": {"turn_detection": changed}})
    assert event["session"]["audio"]["input"]["turn_detection"] == sent


def test_an_item_is_named_as_ga_names_it() -> None:
    content = [{"type": "text", "text": "Hi."}]
    event = {
        "type": "conversation.item.create",
        "previous_item_id": "root",
        "item": {"object": "realtime.item", "type": "message", "role": "assistant", "content": content},
    }
    assert bridge().to_ga(event) == [
        event | {"item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]}}
    ]


def test_a_response_is_asked_for_as_ga_asks() -> None:
    asked = {"modalities": ["text"], "temperature": 0.6, "max_response_output_tokens": "inf", "instructions": None}
    assert bridge().to_ga({"type": "response.create", "event_id": "c1", "response": asked}) == [
        {
            "type": "response.create",
            "event_id": "c1",
            "response": {"output_modalities": ["text"], "max_output_tokens": "inf"},
        }
    ]
    for bare in ({"type": "response.create"}, {"type": "response.create", "response": None}):
        assert bridge().to_ga(bare) == [bare]


def test_a_response_in_the_conversation_by_its_id_goes_to_the_servers_own() -> None:
    client = bridge()
    (_, conversation) = client.from_ga(created())
    asked = {"conversation": conversation["conversation"]["id"]}
    (event,) = client.to_ga({"type": "response.create", "response": asked})
    assert event["response"] == {"conversation": "auto"}


@pytest.mark.parametrize("event", [{"type": "x.unknown", "session": {"voice": 1}}, {"type": 5}, {}])
def test_what_is_unknown_passes(event: Event) -> None:
    assert bridge().to_ga(event) == [event]
    assert bridge().from_ga(event) == [event]


# ------------------------------------------------------------------------------------------------------- the session


def test_a_session_is_shown_flat_and_its_conversation_after_it() -> None:
    client = bridge()
    session, conversation = client.from_ga(
        created(audio={"input": {"format": PCM, "turn_detection": None}}, truncation="auto")
    )
    assert session == {
        "type": "session.created",
        "event_id": "e1",
        "session": {
            "object": "realtime.session",
            "id": "sess_1",
            "input_audio_format": "pcm16",
            "turn_detection": None,
            "temperature": 0.8,
            "client_secret": None,
        },
    }
    assert conversation == {
        "type": "conversation.created",
        "event_id": "event_2",
        "conversation": {"id": "conv_1", "object": "realtime.conversation"},
    }


def test_the_conversation_is_told_once_whatever_the_server_says() -> None:
    client = bridge()
    theirs = {"type": "conversation.created", "event_id": "e", "conversation": {"id": "conv_theirs"}}
    assert kinds(client.from_ga(created())) == ["session.created", "conversation.created"]
    assert client.from_ga(theirs) == []
    assert kinds(client.from_ga(created())) == ["session.created"]
    assert kinds(client.from_ga(created() | {"type": "session.updated"})) == ["session.updated"]


def test_a_transcription_session_has_names_of_its_own_and_shows_the_modalities_it_was_given() -> None:
    client = bridge("transcription")
    shown = created(type="transcription", object="realtime.transcription_session", audio={"input": {"format": PCM}})
    flat = {
        "object": "realtime.transcription_session", "id": "sess_1", "input_audio_format": "pcm16",
        "modalities": ["audio", "text"], "client_secret": None,
    }  # fmt: skip
    assert client.from_ga(shown) == [shown | {"type": "transcription_session.created", "session": flat}]
    client.to_ga({"type": "transcription_session.update", "session": {"modalities": ["text"]}})
    (updated,) = client.from_ga(shown | {"type": "session.updated"})
    assert updated["type"] == "transcription_session.updated"
    assert updated["session"]["modalities"] == ["text"]


@pytest.mark.parametrize("audio", [None, 5, {"input": None}, {"input": {"turn_detection": "on"}}])
def test_odd_sessions_are_shown_as_far_as_they_go(audio: Any) -> None:
    session, _ = bridge().from_ga(created(audio=audio))
    assert session["session"]["id"] == "sess_1"


# ---------------------------------------------------------------------------------------------------- the temperature


def update(client: BetaClient, temperature: Any) -> None:
    client.to_ga({"type": "session.update", "session": {"temperature": temperature}})


def ask(client: BetaClient, temperature: Any, event_id: str | None = None) -> None:
    event = {"type": "response.create", "response": {"temperature": temperature}}
    client.to_ga(event if event_id is None else event | {"event_id": event_id})


def shown_temperature(client: BetaClient, event: Event) -> Any:
    found = client.from_ga(event)[0]
    return (found.get("session") or found["response"])["temperature"]


@pytest.mark.parametrize("odd", ["hot", True, [], {}])
def test_the_temperature_of_a_session_is_remembered_if_it_is_one(odd: Any) -> None:
    client = bridge()
    update(client, 0.6)
    assert shown_temperature(client, created()) == 0.6
    update(client, odd)
    assert shown_temperature(client, created()) == 0.6
    assert shown_temperature(client, response("created")) == 0.6


@pytest.mark.parametrize(("refused", "left"), [("c1", 0.8), ("c9", 0.6), (None, 0.6)])
def test_an_update_that_was_refused_changes_no_temperature(refused: str | None, left: float) -> None:
    client = bridge()
    session = {"temperature": 0.6, "voice": "nobody"}
    client.to_ga({"type": "session.update", "event_id": None if refused is None else "c1", "session": session})
    client.from_ga({"type": "error", "event_id": "e", "error": {"code": "invalid_value", "event_id": refused}})
    assert client.temperature == left
    assert shown_temperature(client, created()) == left


def test_a_response_shows_the_temperature_it_was_asked_with_to_its_end() -> None:
    client = bridge()
    ask(client, 1.1)
    assert shown_temperature(client, response("created")) == 1.1
    assert shown_temperature(client, response("created", "resp_2")) == 0.8
    assert shown_temperature(client, response("done")) == 1.1
    assert shown_temperature(client, response("done", "resp_2")) == 0.8


@pytest.mark.parametrize(
    ("error", "left"),
    [
        ({"code": "invalid_value", "event_id": "c1"}, 0.8),
        ({"code": "conversation_already_has_active_response", "event_id": None}, 0.8),
        ({"code": "invalid_value", "event_id": "another"}, 1.1),
        ({"code": "invalid_value", "event_id": None}, 1.1),
    ],
)
def test_a_response_that_was_refused_leaves_its_temperature_to_none(error: Any, left: float) -> None:
    client = bridge()
    ask(client, 1.1, "c1")
    client.from_ga({"type": "error", "event_id": "e", "error": error})
    assert shown_temperature(client, response("created")) == left


# ------------------------------------------------------------------------------------------------------------- items


def test_an_item_is_told_once() -> None:
    client = bridge()
    assert told(client.from_ga(item("added", "a"))) == [("conversation.item.created", "a", None)]
    assert client.from_ga(item("created", "a")) == []
    assert client.from_ga(item("done", "a")) == []
    assert told(client.from_ga(item("added", "b", "a"))) == [("conversation.item.created", "b", "a")]


def test_an_item_that_was_never_said_to_be_added_is_told_when_it_is_done() -> None:
    assert told(bridge().from_ga(item("done", "a"))) == [("conversation.item.created", "a", None)]


def test_an_item_deleted_while_it_is_made_is_not_told_again() -> None:
    client = bridge()
    client.from_ga(item("added", "a"))
    client.from_ga({"type": "conversation.item.deleted", "event_id": "e", "item_id": "a"})
    assert client.from_ga(item("done", "a")) == []


@pytest.mark.parametrize("kind", ["conversation.item.retrieved", "response.output_item.added"])
def test_an_item_is_shown_as_beta_clients_know_it(kind: str) -> None:
    content = [{"type": "output_audio", "transcript": "Hi.", "audio": "AAAA"}]
    event = {"type": kind, "event_id": "e", "item": {"id": "a", "type": "message", "content": content}}
    shown = {"id": "a", "object": "realtime.item", "type": "message", "content": [content[0] | {"type": "audio"}]}
    assert bridge().from_ga(event) == [event | {"item": shown}]


def test_remote_items_are_not_told_and_nothing_is_said_to_stand_behind_them() -> None:
    client = bridge()
    client.from_ga(item("added", "a"))
    assert client.from_ga(item("added", "m1", "a", type="mcp_list_tools")) == []
    assert client.from_ga(item("added", "m2", "m1", type="mcp_call")) == []
    assert client.from_ga(item("done", "m1", "a", type="mcp_list_tools")) == []
    assert told(client.from_ga(item("added", "b", "m2"))) == [("conversation.item.created", "b", "a")]
    committed = {"type": "input_audio_buffer.committed", "event_id": "e", "item_id": "c", "previous_item_id": "m2"}
    assert told(client.from_ga(committed)) == [("input_audio_buffer.committed", "c", "a")]
    assert client.from_ga({"type": "conversation.item.deleted", "event_id": "e", "item_id": "m1"}) == []
    assert told(client.from_ga(item("added", "d", "m2"))) == [("conversation.item.created", "d", "a")]
    for kind in ("response.output_item.added", "response.output_item.done", "conversation.item.retrieved"):
        assert client.from_ga({"type": kind, "item": {"id": "m2", "type": "mcp_call"}}) == []


def test_remote_items_that_stand_in_a_circle_do_not_catch_us() -> None:
    client = bridge()
    client.from_ga(item("added", "m1", "m2", type="mcp_call"))
    client.from_ga(item("added", "m2", "m1", type="mcp_call"))
    assert kinds(client.from_ga(item("added", "a", "m1"))) == ["conversation.item.created"]


@pytest.mark.parametrize("kind", sorted(names.UNKNOWN_TO_BETA - {"conversation.item.done"}))
def test_what_the_beta_has_no_word_for_is_not_told(kind: str) -> None:
    assert bridge().from_ga({"type": kind, "event_id": "e", "item_id": "i"}) == []


# --------------------------------------------------------------------------------------------------- responses, errors


def test_a_response_is_shown_flat_and_in_the_conversation_that_was_told() -> None:
    client = bridge()
    client.from_ga(created())
    shown = response("created", output_modalities=["audio"], audio={"output": {"voice": "ash", "format": PCM}})
    (event,) = client.from_ga(shown)
    assert event["response"] == {
        "object": "realtime.response", "id": "resp_1", "conversation_id": "conv_1", "output": [],
        "modalities": ["audio", "text"], "voice": "ash", "output_audio_format": "pcm16", "temperature": 0.8,
    }  # fmt: skip
    (apart,) = client.from_ga(response("created", "resp_2", conversation_id=None))
    assert apart["response"]["conversation_id"] is None


def test_rate_limits_are_told_right_after_a_response_began_and_nowhere_else() -> None:
    client = bridge()
    limits = {"type": "rate_limits.updated", "event_id": "e9", "rate_limits": LIMITS}
    assert kinds(client.from_ga(response("created"))) == ["response.created"]
    assert kinds(client.from_ga(response("done"))) == ["response.done"]
    assert client.from_ga(limits) == []
    began = client.from_ga(response("created", "resp_2"))
    assert kinds(began) == ["response.created", "rate_limits.updated"]
    assert began[1]["rate_limits"] == LIMITS
    assert began[1]["event_id"] not in ("e9", began[0]["event_id"])


def test_languages_of_a_transcription_are_not_told() -> None:
    event = {
        "type": "conversation.item.input_audio_transcription.completed", "event_id": "e", "item_id": "i",
        "content_index": 0, "transcript": "Hallo.", "usage": {"type": "duration", "seconds": 1}, "logprobs": [],
    }  # fmt: skip
    assert bridge().from_ga(event | {"languages": [{"code": "de"}]}) == [event]


@pytest.mark.parametrize(("name", "theirs"), names.BETA_NAMES.items())
def test_deltas_change_their_names_alone(name: str, theirs: str) -> None:
    event = {"type": name, "event_id": "e", "delta": "AAAA", "obfuscation": "x"}
    assert bridge().from_ga(event) == [event | {"type": theirs}]


def test_an_error_names_the_flat_field() -> None:
    error = {"type": "invalid_request_error", "code": "invalid_value", "param": "session.audio.output.speed"}
    (event,) = bridge().from_ga({"type": "error", "event_id": "e", "error": error})
    assert event["error"] == error | {"param": "session.speed"}


# ------------------------------------------------------------------------------------------------------------ anything


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), oddities.kinds, oddities.fields), max_size=8))
def test_nothing_that_either_side_says_breaks_the_bridge(said: list[tuple[bool, str, Event]]) -> None:
    client = bridge()
    for is_client, kind, fields in said:
        out = (client.to_ga if is_client else client.from_ga)({**fields, "type": kind})
        assert all(isinstance(event["type"], str) for event in out)
