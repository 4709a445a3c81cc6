"""A server that speaks only the beta shape, before a GA client."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oddities
from vivavoce.relay import names
from vivavoce.relay.beta_upstream import BetaUpstream

Event = dict[str, Any]
PCM = {"type": "audio/pcm", "rate": 24000}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
SHOP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example"}


def bridge(kind: str = "realtime") -> BetaUpstream:
    numbers = itertools.count(1)
    return BetaUpstream(kind, lambda prefix: f"ours_{next(numbers)}")


def began(id_: str = "resp_1", **fields: Any) -> Event:
    shown = {"object": "realtime.response", "id": id_, "status": "in_progress", "output": [], **fields}
    return {"type": "response.created", "event_id": "e", "response": shown}


def ended(id_: str = "resp_1", status: str = "completed", output: Any = (), **fields: Any) -> Event:
    shown = {"object": "realtime.response", "id": id_, "status": status, "output": list(output), **fields}
    return {"type": "response.done", "event_id": "e", "response": shown}


def message(id_: str, role: str = "assistant", status: str = "in_progress", *content: Event) -> Event:
    shown = {"id": id_, "object": "realtime.item", "type": "message", "status": status, "role": role}
    return shown | {"content": list(content)}


def made(what: str, item: Event, response_id: str = "resp_1") -> Event:
    return {"type": f"response.output_item.{what}", "event_id": "e", "response_id": response_id, "item": item}


def entered(item: Event, **fields: Any) -> Event:
    return {"type": "conversation.item.created", "event_id": "e", "item": item, **fields}


def part(item_id: str, what: str = "added", **fields: Any) -> Event:
    event = {"type": f"response.content_part.{what}", "event_id": "e", "response_id": "resp_1", "item_id": item_id}
    return event | {"part": {"type": "audio", **fields}}


def heard(server: BetaUpstream, *events: Event) -> list[str]:
    """What the client hears of these events, as types, items and what stands before them."""
    out: list[str] = []
    for event in itertools.chain.from_iterable(map(server.to_ga, events)):
        id_ = event["item"]["id"] if "item" in event else event.get("item_id", "")
        after = f"after {event['previous_item_id']}" if event["type"].startswith("conversation.item.") else ""
        out.append(" ".join(word for word in (event["type"], id_, after) if word))
    return out


# ------------------------------------------------------------------------------------------------ what the client says


def test_an_update_is_flat_and_without_what_the_beta_does_not_know() -> None:
    session = {
        "type": "realtime", "id": "sess_1", "model": "m", "output_modalities": ["audio"], "instructions": "x",
        "truncation": "auto", "reasoning": {"effort": "low"}, "parallel_tool_calls": True, "max_output_tokens": 5,
        "tools": [FUNCTION, SHOP], "tool_choice": {"type": "mcp", "server_label": "shop"}, "tracing": "auto",
        "audio": {
            "input": {
                "format": PCM, "noise_reduction": {"type": "near_field", "strength": 0.5},
                "transcription": {"model": "m", "language": "de", "keywords": ["x"], "delay": "low", "languages": []},
                "turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000, "threshold": 0.5},
            },
            "output": {"voice": "ash", "speed": 1.1, "format": {"type": "audio/pcmu"}},
        },
        "x_vendor": {"y": 1},
    }  # fmt: skip
    assert bridge().from_ga({"type": "session.update", "event_id": "c1", "session": session}) == [
        {
            "type": "session.update",
            "event_id": "c1",
            "session": {
                "model": "m", "modalities": ["audio", "text"], "instructions": "x", "max_response_output_tokens": 5,
                "tools": [FUNCTION], "tracing": "auto", "input_audio_format": "pcm16",
                "input_audio_noise_reduction": {"type": "near_field"},
                "input_audio_transcription": {"model": "m", "language": "de"},
                "turn_detection": {"type": "server_vad", "threshold": 0.5}, "voice": "ash", "speed": 1.1,
                "output_audio_format": "g711_ulaw", "x_vendor": {"y": 1},
            },
        }
    ]  # fmt: skip


def test_an_update_of_what_only_ga_has_is_still_confirmed_by_the_server() -> None:
    for only in ({"truncation": "disabled"}, {"include": ["item.input_audio_transcription.logprobs"]}):
        event = {"type": "session.update", "session": {"type": "realtime", **only}}
        assert bridge().from_ga(event) == [{"type": "session.update", "session": {}}]


def test_a_transcription_session_is_updated_by_its_own_event() -> None:
    session = {"type": "transcription", "audio": {"input": {"transcription": None, "turn_detection": None}}}
    assert bridge("transcription").from_ga({"type": "session.update", "session": session}) == [
        {
            "type": "transcription_session.update",
            "session": {"input_audio_transcription": None, "turn_detection": None},
        }
    ]


def test_a_response_is_asked_for_as_beta_clients_ask() -> None:
    asked = {
        "conversation": "none", "instructions": None, "output_modalities": ["text"], "max_output_tokens": 5,
        "tools": [SHOP], "prompt": {"id": "p"}, "audio": {"output": {"voice": "ash"}},
        "input": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}],
    }  # fmt: skip
    assert bridge().from_ga({"type": "response.create", "response": asked}) == [
        {
            "type": "response.create",
            "response": {
                "conversation": "none", "modalities": ["text"], "max_response_output_tokens": 5, "tools": [],
                "voice": "ash",
                "input": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "x"}]}],
            },
        }
    ]  # fmt: skip


def test_items_are_made_as_beta_clients_make_them_and_remote_ones_not_at_all() -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
    event = {"type": "conversation.item.create", "item": item}
    assert bridge().from_ga(event) == [event | {"item": item | {"content": [{"type": "text", "text": "x"}]}}]
    approval = {"type": "mcp_approval_response", "approval_request_id": "m", "approve": True}
    assert bridge().from_ga(event | {"item": approval}) == []


@pytest.mark.parametrize("event", [{"type": "x.unknown", "item": {"role": None}}, {"type": "response.create"}, {}])
def test_what_is_unknown_passes(event: Event) -> None:
    assert bridge().from_ga(event) == [event]
    assert bridge().to_ga(event | {"event_id": "e"}) == [event | {"event_id": "e"}]


# ------------------------------------------------------------------------------------------------------- the session


def test_a_session_is_shown_nested_with_what_is_in_force() -> None:
    server = bridge()
    server.from_ga({"type": "session.update", "session": {"type": "realtime", "truncation": "disabled"}})
    flat = {
        "object": "realtime.session", "id": "sess_1", "modalities": ["audio", "text"], "temperature": 0.8,
        "input_audio_format": "pcm16", "turn_detection": None, "client_secret": None, "voice": "ash",
        "max_response_output_tokens": "inf", "tools": [], "include": None,
    }  # fmt: skip
    assert server.to_ga({"type": "session.updated", "event_id": "e", "session": flat}) == [
        {
            "type": "session.updated",
            "event_id": "e",
            "session": {
                "type": "realtime", "object": "realtime.session", "id": "sess_1", "output_modalities": ["audio"],
                "audio": {"input": {"format": PCM, "turn_detection": None}, "output": {"voice": "ash"}},
                "max_output_tokens": "inf", "tools": [], "include": None,
            },
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "object_"),
    [
        ("transcription", "transcription_session.created", "realtime.transcription_session"),
        ("realtime", "transcription_session.created", None),
        ("transcription", "session.created", None),
        ("realtime", "session.created", "realtime.transcription_session"),
    ],
)
def test_a_transcription_session_is_known_by_any_sign(kind: str, name: str, object_: str | None) -> None:
    flat = {"object": object_, "modalities": ["text"], "input_audio_format": "g711_alaw"}
    (event,) = bridge(kind).to_ga({"type": name, "event_id": "e", "session": flat})
    assert event["type"] == "session.created"
    assert event["session"] == {
        "type": "transcription", "object": object_, "audio": {"input": {"format": {"type": "audio/pcma"}}},
    }  # fmt: skip


def test_the_conversation_goes_without_saying() -> None:
    assert bridge().to_ga({"type": "conversation.created", "event_id": "e", "conversation": {"id": "c"}}) == []


def test_an_event_without_an_id_gets_one() -> None:
    (event,) = bridge().to_ga({"type": "error", "error": {"message": "x"}})
    assert event["event_id"] == "ours_1"


# ------------------------------------------------------------------------------------------------------------- items


@pytest.mark.parametrize(
    "item",
    [
        message("a", "user", "completed"),
        message("a", "user", "in_progress"),
        message("a", "system", "completed"),
        message("a", "assistant", "completed"),
        {"id": "a", "type": "function_call", "status": "completed", "name": "f", "arguments": "{}"},
        {"id": "a", "type": "function_call_output", "call_id": "c", "output": "42"},
    ],
)
def test_an_item_that_is_not_being_made_is_done_at_once(item: Event) -> None:
    assert heard(bridge(), entered(item, previous_item_id="z")) == [
        "conversation.item.added a after z",
        "conversation.item.done a after z",
    ]


def test_a_spoken_answer_is_told_in_the_order_of_ga() -> None:
    spoken = {"type": "audio", "transcript": "Hi."}
    limits = {"type": "rate_limits.updated", "event_id": "e", "rate_limits": []}
    assert heard(
        bridge(),
        entered(message("u", "user", "completed"), previous_item_id=None),
        began(conversation_id="conv_1"),
        limits,
        made("added", message("a")),
        entered(message("a"), previous_item_id="u"),
        part("a", transcript=""),
        part("a", "done", transcript="Hi."),
        made("done", message("a", "assistant", "completed", spoken)),
        ended(),
    ) == [
        "conversation.item.added u after None",
        "conversation.item.done u after None",
        "response.created",
        "response.output_item.added a",
        "conversation.item.added a after u",
        "response.content_part.added a",
        "response.content_part.done a",
        "response.output_item.done a",
        "conversation.item.done a after u",
        "response.done",
        "rate_limits.updated",
    ]


def test_an_item_is_final_as_its_output_was() -> None:
    server = bridge()
    for event in (began(conversation_id="c"), made("added", message("a")), entered(message("a"))):
        server.to_ga(event)
    output, done = server.to_ga(made("done", message("a", "assistant", "completed", {"type": "text", "text": "Hi."})))
    assert output["item"] == done["item"]
    assert done["item"]["content"] == [{"type": "output_text", "text": "Hi."}]
    assert done["item"]["status"] == "completed"
    assert "object" not in done["item"]


def test_an_item_is_added_once_however_often_the_server_says_so() -> None:
    server = bridge()
    once = entered(message("a", "user", "completed"))
    assert len(heard(server, once)) == 2
    assert heard(server, once) == []
    heard(server, began(conversation_id="c"), made("added", message("b")), entered(message("b")))
    assert heard(server, entered(message("b"))) == []
    server.to_ga({"type": "conversation.item.deleted", "event_id": "e", "item_id": "a"})
    assert len(heard(server, once)) == 2


def test_what_stands_before_an_item_is_told_as_it_is_when_the_item_is_done() -> None:
    server = bridge()
    deleted = {"type": "conversation.item.deleted", "event_id": "e", "item_id": "b"}
    heard(server, entered(message("a", "user", "completed"), previous_item_id=None))
    heard(server, entered(message("b", "user", "completed"), previous_item_id="a"))
    heard(server, began(conversation_id="c"), made("added", message("d")), entered(message("d"), previous_item_id="b"))
    server.to_ga(deleted)
    assert heard(server, made("done", message("d", "assistant", "completed"))) == [
        "response.output_item.done d",
        "conversation.item.done d after a",
    ]


def test_an_item_deleted_while_it_is_made_still_gets_its_end() -> None:
    server = bridge()
    heard(server, began(conversation_id="c"), made("added", message("a")), entered(message("a"), previous_item_id=None))
    server.to_ga({"type": "conversation.item.deleted", "event_id": "e", "item_id": "a"})
    assert heard(server, part("a")) == ["response.content_part.added a"]
    assert heard(server, made("done", message("a", "assistant", "completed"))) == [
        "response.output_item.done a",
        "conversation.item.done a after None",
    ]


def test_items_have_no_nulls_over_which_typed_clients_stumble() -> None:
    call = {
        "id": "a", "type": "function_call", "status": None, "role": None, "content": None, "name": "f", "call_id": None,
        "arguments": None, "object": "realtime.item",
    }  # fmt: skip
    (event,) = bridge().to_ga(made("added", call))
    assert event["item"] == {"id": "a", "type": "function_call", "name": "f", "arguments": ""}
    spoken = message("b", "user", "completed", {"type": "input_audio"}, {"type": "input_text", "text": "x"})
    added, _ = bridge().to_ga(entered(spoken))
    assert added["item"]["content"] == [
        {"type": "input_audio", "transcript": None},
        {"type": "input_text", "text": "x"},
    ]


# ------------------------------------------------------------------------------------ servers that leave things out


def test_output_that_no_item_was_created_for_enters_the_conversation_before_its_parts() -> None:
    server = bridge()
    heard(server, entered(message("u", "user", "completed"), previous_item_id=None), began(conversation_id="c"))
    assert heard(
        server,
        made("added", message("a")),
        part("a"),
        made("done", message("a", "assistant", "completed")),
        ended(),
    ) == [
        "response.output_item.added a",
        "conversation.item.added a after u",
        "response.content_part.added a",
        "response.output_item.done a",
        "conversation.item.done a after u",
        "response.done",
    ]


def test_without_parts_it_enters_at_the_latest_when_it_is_done() -> None:
    server = bridge()
    assert heard(server, began(), made("added", message("a")), made("done", message("a"))) == [
        "response.created",
        "response.output_item.added a",
        "conversation.item.added a after None",
        "response.output_item.done a",
        "conversation.item.done a after None",
    ]
    assert heard(server, made("done", message("b"))) == [
        "conversation.item.added b after a",
        "response.output_item.done b",
        "conversation.item.done b after a",
    ]


def test_a_call_enters_before_its_arguments_and_they_name_it() -> None:
    server = bridge()
    call = {"id": "a", "type": "function_call", "status": "in_progress", "name": "f", "call_id": "call_1"}
    heard(server, began(conversation_id="c"), made("added", call))
    about = {"event_id": "e", "response_id": "resp_1", "item_id": "a"}
    added, delta = server.to_ga({"type": "response.function_call_arguments.delta", **about, "delta": "{}"})
    assert added["type"] == "conversation.item.added"
    assert (added["item"]["name"], added["item"]["arguments"]) == ("f", "")
    assert (delta["call_id"], delta.get("name")) == ("call_1", None)
    (done,) = server.to_ga({"type": "response.function_call_arguments.done", **about, "arguments": "{}"})
    assert (done["call_id"], done["name"]) == ("call_1", "f")
    known = {"call_id": "call_9", "name": "g"}
    (kept,) = server.to_ga({"type": "response.function_call_arguments.done", **about, "arguments": "{}", **known})
    assert (kept["call_id"], kept["name"]) == ("call_9", "g")


@pytest.mark.parametrize(
    ("asked", "shown"), [({}, {"conversation_id": None}), ({"conversation": "none"}, {})], ids=["told", "asked"]
)
def test_output_out_of_band_does_not_enter_the_conversation(asked: Any, shown: Any) -> None:
    server = bridge()
    server.from_ga({"type": "response.create", "response": asked})
    assert heard(
        server, began(**shown), made("added", message("a")), part("a"), made("done", message("a")), ended()
    ) == [
        "response.created",
        "response.output_item.added a",
        "response.content_part.added a",
        "response.output_item.done a",
        "response.done",
    ]
    assert "conversation.item.added b after None" in heard(
        server, began("resp_2"), made("done", message("b"), "resp_2")
    )


def test_items_whose_end_is_not_told_end_with_their_response() -> None:
    server = bridge()
    heard(server, began(conversation_id="c"), made("added", message("a")), entered(message("a"), previous_item_id=None))
    done, response = server.to_ga(ended(status="cancelled"))
    assert (done["type"], done["item"]["id"], done["item"]["status"]) == ("conversation.item.done", "a", "incomplete")
    assert response["type"] == "response.done"

    heard(server, began("resp_2", conversation_id="c"), entered(message("b"), previous_item_id="a"))
    final = message("b", "assistant", "completed", {"type": "text", "text": "Hi."})
    done, response = server.to_ga(ended("resp_2", output=[final]))
    assert done["item"] == response["response"]["output"][0]
    assert done["item"]["content"] == [{"type": "output_text", "text": "Hi."}]
    assert heard(server, ended("resp_3")) == ["response.done"]


def test_a_server_that_speaks_some_of_both_shapes_is_not_repeated() -> None:
    nested = {"event_id": "e", "previous_item_id": None, "item": message("a")}
    assert heard(
        bridge(),
        began(),
        made("added", message("a")),
        {"type": "conversation.item.added", **nested},
        entered(message("a")),
        part("a"),
        made("done", message("a")),
        {"type": "conversation.item.done", **nested},
    ) == [
        "response.created",
        "response.output_item.added a",
        "conversation.item.added a after None",
        "response.content_part.added a",
        "response.output_item.done a",
        "conversation.item.done a after None",
    ]


def test_parts_have_the_types_and_texts_of_part_events() -> None:
    (event,) = bridge().to_ga(part("a", type="output_audio"))
    assert event["part"] == {"type": "audio", "transcript": ""}


def test_a_transcription_has_a_usage_and_a_place() -> None:
    event = {
        "type": "conversation.item.input_audio_transcription.completed", "event_id": "e", "item_id": "i",
        "transcript": "Hi.",
    }  # fmt: skip
    unmeasured = {"content_index": 0, "usage": {"type": "duration", "seconds": 0.0}}
    assert bridge().to_ga(event) == [event | unmeasured]
    told = event | {"content_index": 1, "usage": {"type": "tokens", "total_tokens": 5}}
    assert bridge().to_ga(told) == [told]


def test_a_failed_transcription_has_no_nulls() -> None:
    event = {"type": "conversation.item.input_audio_transcription.failed", "event_id": "e", "item_id": "i"}
    error = {"type": "server_error", "code": None, "message": "Broken.", "param": None}
    assert bridge().to_ga(event | {"error": error}) == [
        event | {"content_index": 0, "error": {"type": "server_error", "message": "Broken."}}
    ]


# --------------------------------------------------------------------------------------------------- responses, errors


def test_rate_limits_come_with_the_end_of_the_response_that_they_came_with() -> None:
    server = bridge()
    limits = [{"type": "rate_limits.updated", "event_id": f"l{n}", "rate_limits": [n]} for n in range(3)]
    assert server.to_ga(limits[0]) == [limits[0]]
    for number in (1, 2):
        server.to_ga(began(f"resp_{number}"))
        assert server.to_ga(limits[number]) == []
    assert server.to_ga(ended("resp_2"))[1:] == [limits[2]]
    assert server.to_ga(ended("resp_1"))[1:] == [limits[1]]
    assert len(server.to_ga(ended("resp_1"))) == 1


def test_a_response_is_shown_nested() -> None:
    shown = {"modalities": ["text"], "voice": "ash", "output_audio_format": "pcm16", "temperature": 0.8}
    done = ended(output=[message("a", "assistant", "completed", {"type": "text", "text": "Hi."})], **shown)
    (event,) = bridge().to_ga(done)
    assert event["response"] == {
        "object": "realtime.response", "id": "resp_1", "status": "completed", "output_modalities": ["text"],
        "audio": {"output": {"voice": "ash", "format": PCM}},
        "output": [{"id": "a", "type": "message", "status": "completed", "role": "assistant",
                    "content": [{"type": "output_text", "text": "Hi."}]}],
    }  # fmt: skip


@pytest.mark.parametrize(("name", "theirs"), names.BETA_NAMES.items())
def test_deltas_change_their_names_alone(name: str, theirs: str) -> None:
    event = {"type": theirs, "event_id": "e", "delta": "AAAA"}
    assert bridge().to_ga(event) == [event | {"type": name}]


def test_an_error_names_the_nested_field() -> None:
    error = {"type": "invalid_request_error", "code": "invalid_value", "param": "session.speed"}
    (event,) = bridge().to_ga({"type": "error", "event_id": "e", "error": error})
    assert event["error"] == error | {"param": "session.audio.output.speed"}


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), oddities.kinds, oddities.fields), max_size=8))
def test_nothing_that_either_side_says_breaks_the_bridge(said: list[tuple[bool, str, Event]]) -> None:
    server = bridge()
    for is_client, kind, fields in said:
        out = (server.from_ga if is_client else server.to_ga)({**fields, "type": kind})
        assert all(isinstance(event["type"], str) for event in out)
