"""Events that are not what the protocol says: they are passed on, and harm nobody."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.stage import Stage, added, answer_begins, answer_ends, append, message, session_object
from vivavoce.relay.effects import Place, ToClient, ToUpstream

CLIENT: list[dict[str, Any]] = [
    append(20),
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
    {"type": "session.update", "session": {"modalities": ["text"], "turn_detection": {"type": "server_vad"}}},
    {"type": "conversation.item.create", "item": message("item_1")},
    {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 10},
    {"type": "conversation.item.delete", "item_id": "item_1"},
    {"type": "input_audio_buffer.commit"},
    {"type": "response.create", "response": {"metadata": {"a": "b"}, "input": [], "conversation": "none"}},
    {"type": "response.cancel"},
]
UPSTREAM: list[dict[str, Any]] = [
    {"type": "session.updated", "session": session_object()},
    *added(message("item_1"), None),
    *answer_begins(),
    *answer_ends(),
    {"type": "input_audio_buffer.speech_started", "audio_start_ms": 1, "item_id": "item_x"},
    {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 2, "item_id": "item_x"},
    {"type": "input_audio_buffer.committed", "previous_item_id": None, "item_id": "item_x"},
    {"type": "conversation.item.truncated", "item_id": "item_a", "content_index": 0, "audio_end_ms": 10},
    {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "item_x",
        "transcript": "x",
        "usage": {},
    },
    {"type": "error", "error": {"type": "invalid_request_error", "code": None, "message": "x", "event_id": None}},
    {"type": "rate_limits.updated", "rate_limits": [{"name": "tokens"}]},
]
JUNK: list[Any] = [None, True, -1, 1.5, 10**400, "", "root", "item_a", [], [1], {}, {"id": 1}, {"type": "message"}]


def mutated(events: list[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """One of the events with a few of its values, at any depth, replaced or left out."""

    @st.composite
    def mutate(draw: st.DrawFn) -> dict[str, Any]:
        event = copy.deepcopy(draw(st.sampled_from(events)))
        for _ in range(draw(st.integers(0, 3))):
            node: Any = event
            while True:
                keys = list(node) if isinstance(node, dict) else list(range(len(node)))
                if not keys:
                    break
                key = draw(st.sampled_from(keys))
                if isinstance(node[key], dict | list) and node[key] and draw(st.booleans()):
                    node = node[key]
                    continue
                if draw(st.booleans()) or isinstance(node, list):
                    node[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
                else:
                    del node[key]
                break
        return event

    return mutate()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("client"), mutated(CLIENT)),
        st.tuples(st.just("upstream"), mutated(UPSTREAM)),
        st.tuples(st.sampled_from(["lost", "opened", "renewed", "time"]), st.just({})),
    ),
    max_size=30,
)


@pytest.mark.parametrize("shape", ["ga", "beta", None])
@pytest.mark.parametrize("theirs", ["ga", "beta"])
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_no_event_of_either_side_is_a_bug_of_ours(shape: Any, theirs: Any, steps: list[tuple[str, Any]]) -> None:
    stage = Stage(Place(upstream="a", shape=theirs), shape=shape)
    stage.opens()
    link = 1
    for step, event in steps:
        match step:
            case "client":
                stage.client(event)
            case "upstream":
                stage.upstream(event, link=link)
            case "lost":
                stage.loses(link)
                link += 1
            case "opened":
                stage.opens(link)
            case "renewed":
                stage._did(stage.session.leave(stage.now))
            case "time":
                stage.now += 1.0
                stage._did(stage.session.receive_time(stage.now))
        if stage.session.is_closed:
            break


def test_what_is_unsound_is_passed_on_as_it_came() -> None:
    stage = Stage().live()
    frame = b'{"type":"conversation.item.create","item":"no item"}'
    assert stage.session.receive_client(frame, 1.0) == [ToUpstream(1, frame)]
    frame = b'{"type":"response.done","response":[]}'
    assert stage.session.receive_upstream(1, frame, 1.0) == [ToClient(frame)]


def test_numbers_that_no_clock_has_are_unsound() -> None:
    stage = Stage().live()
    frame = json.dumps({"type": "conversation.item.truncate", "item_id": "i", "audio_end_ms": 10**300}).encode()
    assert stage.session.receive_client(frame, 1.0) == [ToUpstream(1, frame)]
