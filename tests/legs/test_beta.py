from __future__ import annotations

import pytest

from vivavoce.legs.beta import BetaSpelling


def test_a_session_is_flattened_on_the_way_out() -> None:
    session = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "Be brief.",
        "max_output_tokens": 500,
        "temperature": 0.7,
        "truncation": "auto",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": {"model": "m"},
                "noise_reduction": None,
                "turn_detection": None,
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash", "speed": 1.1},
        },
    }
    assert BetaSpelling().outgoing({"type": "session.update", "event_id": "e", "session": session}) == {
        "type": "session.update",
        "event_id": "e",
        "session": {
            "modalities": ["audio", "text"],
            "instructions": "Be brief.",
            "max_response_output_tokens": 500,
            "temperature": 0.7,
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "m"},
            "input_audio_noise_reduction": None,
            "turn_detection": None,
            "output_audio_format": "pcm16",
            "voice": "ash",
            "speed": 1.1,
        },
    }


def test_a_session_comes_back_as_it_was_sent() -> None:
    session = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "Be brief.",
        "max_output_tokens": "inf",
        "audio": {
            "input": {"format": {"type": "audio/pcma"}, "turn_detection": {"type": "server_vad"}},
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash", "speed": 1.0},
        },
    }
    beta = BetaSpelling()
    flat = beta.outgoing({"type": "session.update", "session": session})["session"]
    assert beta.incoming({"type": "session.updated", "session": flat}) == [
        {"type": "session.updated", "session": session}
    ]


def test_a_response_is_flattened_with_its_input() -> None:
    event = {
        "type": "response.create",
        "response": {
            "conversation": "none",
            "metadata": {"part": "1"},
            "output_modalities": ["text"],
            "max_output_tokens": 10,
            "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcm", "rate": 24000}}},
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]},
                {"type": "item_reference", "id": "item_1"},
            ],
        },
    }
    assert BetaSpelling().outgoing(event)["response"] == {
        "conversation": "none",
        "metadata": {"part": "1"},
        "modalities": ["text"],
        "max_response_output_tokens": 10,
        "voice": "ash",
        "output_audio_format": "pcm16",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
            {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi."}]},
            {"type": "item_reference", "id": "item_1"},
        ],
    }


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.create"},
        {"type": "response.cancel", "response_id": "r"},
        {"type": "input_audio_buffer.append", "audio": "AAAA"},
    ],
)
def test_events_that_both_shapes_spell_alike_go_out_untouched(event: dict[str, str]) -> None:
    assert BetaSpelling().outgoing(event) == event


def test_deltas_get_their_ga_names() -> None:
    beta = BetaSpelling()
    names = ["response.audio.delta", "response.audio_transcript.done", "response.text.delta", "error"]
    assert [beta.incoming({"type": name})[0]["type"] for name in names] == [
        "response.output_audio.delta",
        "response.output_audio_transcript.done",
        "response.output_text.delta",
        "error",
    ]


def test_a_finished_item_is_added_and_done_at_once() -> None:
    item = {"id": "i", "object": "realtime.item", "type": "message", "role": "user", "status": "completed"}
    content = [{"type": "input_audio", "transcript": None}]
    events = BetaSpelling().incoming(
        {"type": "conversation.item.created", "previous_item_id": None, "item": {**item, "content": content}}
    )
    assert [event["type"] for event in events] == ["conversation.item.added", "conversation.item.done"]
    assert all(event["item"]["content"] == content and "object" not in event["item"] for event in events)


def test_an_output_item_is_done_when_its_output_is() -> None:
    beta = BetaSpelling()
    item = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    created = {"type": "conversation.item.created", "previous_item_id": "p", "item": item}
    assert [event["type"] for event in beta.incoming(created)] == ["conversation.item.added"]
    done = {**item, "status": "completed", "content": [{"type": "audio", "transcript": "Hi."}]}
    events = beta.incoming({"type": "response.output_item.done", "event_id": "e", "item": done})
    assert [event["type"] for event in events] == ["response.output_item.done", "conversation.item.done"]
    assert events[1]["previous_item_id"] == "p"
    assert [event["item"]["content"][0]["type"] for event in events] == ["output_audio", "output_audio"]


def test_an_item_out_of_band_does_not_enter_the_conversation() -> None:
    item = {"id": "i", "type": "message", "role": "assistant", "status": "completed", "content": []}
    events = BetaSpelling().incoming({"type": "response.output_item.done", "item": item})
    assert [event["type"] for event in events] == ["response.output_item.done"]


def test_a_response_is_nested_with_its_output() -> None:
    output = [{"id": "i", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi."}]}]
    response = {"id": "r", "status": "completed", "modalities": ["text"], "voice": "ash", "output": output}
    (event,) = BetaSpelling().incoming({"type": "response.done", "response": response})
    assert event["response"] == {
        "id": "r",
        "status": "completed",
        "output_modalities": ["text"],
        "audio": {"output": {"voice": "ash"}},
        "output": [
            {"id": "i", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]}
        ],
    }
