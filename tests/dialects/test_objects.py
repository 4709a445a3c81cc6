"""Objects from one shape to the other: each field, nothing invented, nothing lost, and back again."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.dialects import objects

PCM = {"type": "audio/pcm", "rate": 24000}
FUNCTION = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
SERVER_VAD = {
    "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500,
    "create_response": True, "interrupt_response": False,
}  # fmt: skip

# ------------------------------------------------------------------------------------------------------- sessions


@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        ({}, {}),
        ({"modalities": ["audio", "text"]}, {"output_modalities": ["audio"]}),
        ({"modalities": ["text"]}, {"output_modalities": ["text"]}),
        ({"instructions": "x"}, {"instructions": "x"}),
        ({"voice": "marin"}, {"audio": {"output": {"voice": "marin"}}}),
        ({"voice": {"id": "voice_1"}}, {"audio": {"output": {"voice": {"id": "voice_1"}}}}),
        ({"speed": 1.25}, {"audio": {"output": {"speed": 1.25}}}),
        ({"input_audio_format": "pcm16"}, {"audio": {"input": {"format": PCM}}}),
        ({"input_audio_format": "g711_ulaw"}, {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}),
        ({"output_audio_format": "g711_alaw"}, {"audio": {"output": {"format": {"type": "audio/pcma"}}}}),
        ({"output_audio_format": "mp3"}, {"audio": {"output": {"format": {"type": "mp3"}}}}),
        ({"input_audio_transcription": None}, {"audio": {"input": {"transcription": None}}}),
        (
            {"input_audio_transcription": {"model": "whisper-1", "language": "de"}},
            {"audio": {"input": {"transcription": {"model": "whisper-1", "language": "de"}}}},
        ),
        ({"input_audio_noise_reduction": None}, {"audio": {"input": {"noise_reduction": None}}}),
        (
            {"input_audio_noise_reduction": {"type": "far_field"}},
            {"audio": {"input": {"noise_reduction": {"type": "far_field"}}}},
        ),
        ({"turn_detection": None}, {"audio": {"input": {"turn_detection": None}}}),
        ({"turn_detection": SERVER_VAD}, {"audio": {"input": {"turn_detection": SERVER_VAD}}}),
        (
            {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}},
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}},
        ),
        (
            {"turn_detection": {"type": "azure_semantic_vad", "threshold": 0.3, "remove_filler_words": True}},
            {"audio": {"input": {"turn_detection": {
                "type": "azure_semantic_vad", "threshold": 0.3, "remove_filler_words": True}}}},
        ),
        ({"tools": []}, {"tools": []}),
        ({"tools": [FUNCTION]}, {"tools": [FUNCTION]}),
        ({"tool_choice": "none"}, {"tool_choice": "none"}),
        ({"tool_choice": {"type": "function", "name": "f"}}, {"tool_choice": {"type": "function", "name": "f"}}),
        ({"max_response_output_tokens": "inf"}, {"max_output_tokens": "inf"}),
        ({"max_response_output_tokens": 7}, {"max_output_tokens": 7}),
        ({"tracing": "auto"}, {"tracing": "auto"}),
        ({"tracing": None}, {"tracing": None}),
        ({"prompt": {"id": "p"}}, {"prompt": {"id": "p"}}),
        ({"include": None}, {"include": None}),
        ({"model": "m", "id": "sess_1", "expires_at": 5}, {"model": "m", "id": "sess_1", "expires_at": 5}),
        ({"x_vendor": {"a": [1]}, "a.b": 2}, {"x_vendor": {"a": [1]}, "a.b": 2}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
def test_each_field_of_a_session_has_its_place_in_both_shapes(flat: Any, nested: Any) -> None:
    assert objects.session_to_ga(flat) == {"type": "realtime"} | nested
    assert objects.session_to_beta({"type": "realtime"} | nested) == flat


@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        ({"modalities": ["text", "audio"]}, {"output_modalities": ["audio"]}),
        ({"modalities": ["audio"]}, {"output_modalities": ["audio"]}),
        ({"modalities": ["video"]}, {"output_modalities": ["video"]}),
        ({"modalities": 5}, {"output_modalities": 5}),
        ({"input_audio_format": None}, {"audio": {"input": {"format": None}}}),
        ({"turn_detection": {"type": "none"}}, {"audio": {"input": {"turn_detection": None}}}),
        (
            {"turn_detection": SERVER_VAD | {"eagerness": "low"}},
            {"audio": {"input": {"turn_detection": SERVER_VAD}}},
        ),
        (
            {"turn_detection": SERVER_VAD | {"type": "semantic_vad", "eagerness": None}},
            {"audio": {"input": {"turn_detection": {
                "type": "semantic_vad", "create_response": True, "interrupt_response": False}}}},
        ),
        ({"turn_detection": {"threshold": 0.9}}, {"audio": {"input": {"turn_detection": {"threshold": 0.9}}}}),
        ({"turn_detection": {"type": ["odd"]}}, {"audio": {"input": {"turn_detection": {"type": ["odd"]}}}}),
        ({"turn_detection": "off"}, {"audio": {"input": {"turn_detection": "off"}}}),
        ({"tools": [{"name": "f"}, "odd"]}, {"tools": [{"type": "function", "name": "f"}, "odd"]}),
        ({"tools": None}, {"tools": None}),
        ({"temperature": 0.7}, {}),
        ({"client_secret": {"expires_after": {"anchor": "created_at"}}}, {}),
        ({"audio": {"output": {"pitch": 2}}, "voice": "ash"}, {"audio": {"output": {"pitch": 2, "voice": "ash"}}}),
    ],
)  # fmt: skip
def test_odd_sessions_become_what_a_ga_server_can_judge(flat: Any, nested: Any) -> None:
    assert objects.session_to_ga(flat) == {"type": "realtime"} | nested


@pytest.mark.parametrize(
    ("nested", "flat"),
    [
        ({"truncation": "auto", "reasoning": {"effort": "low"}, "parallel_tool_calls": True}, {}),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}}, {"input_audio_format": "pcm16"}),
        (
            {"audio": {"input": {"turn_detection": SERVER_VAD | {"idle_timeout_ms": None}}}},
            {"turn_detection": SERVER_VAD},
        ),
        ({"audio": {"input": None, "output": {}}}, {}),
        ({"audio": None}, {}),
        ({"audio": {"output": {"pitch": 2, "voice": "ash"}}}, {"audio": {"output": {"pitch": 2}}, "voice": "ash"}),
    ],
)
def test_what_the_beta_has_no_word_for_is_left_out(nested: Any, flat: Any) -> None:
    assert objects.session_to_beta(nested) == flat


def test_a_transcription_session_has_a_kind_and_no_modalities() -> None:
    flat = {"modalities": ["text"], "input_audio_format": "pcm16"}
    nested = {"type": "transcription", "audio": {"input": {"format": PCM}}}
    assert objects.session_to_ga(flat, "transcription") == nested
    assert objects.session_to_beta(nested) == {"input_audio_format": "pcm16"}


def test_a_session_shows_the_temperature_it_is_given() -> None:
    assert objects.session_to_beta({"type": "realtime"}, 0.7) == {"temperature": 0.7}


# ------------------------------------------------------------------------------------------------------ responses

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
SPOKEN = {"id": "item_1", "type": "message", "role": "assistant", "status": "completed"}


def test_what_is_asked_of_a_response_has_its_place_in_both_shapes() -> None:
    flat = {
        "modalities": ["audio", "text"], "instructions": "x", "voice": "ash", "output_audio_format": "g711_ulaw",
        "tools": [FUNCTION], "tool_choice": "required", "max_response_output_tokens": 9, "conversation": "none",
        "metadata": {"a": "b"}, "x_vendor": 1,
        "input": [USER, {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi."}]},
                  {"type": "item_reference", "id": "item_1"}],
    }  # fmt: skip
    nested = {
        "output_modalities": ["audio"], "instructions": "x",
        "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcmu"}}},
        "tools": [FUNCTION], "tool_choice": "required", "max_output_tokens": 9, "conversation": "none",
        "metadata": {"a": "b"}, "x_vendor": 1,
        "input": [USER, {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]},
                  {"type": "item_reference", "id": "item_1"}],
    }  # fmt: skip
    assert objects.response_to_ga(flat | {"temperature": 0.7}) == nested
    assert objects.request_to_beta(nested) == flat


def test_both_names_of_the_limit_of_a_response_are_known() -> None:
    for name in ("max_response_output_tokens", "max_output_tokens"):
        assert objects.response_to_ga({name: 5}) == {"max_output_tokens": 5}


def test_a_request_keeps_what_only_ga_has_to_itself() -> None:
    remote = {"type": "mcp_call", "id": "m", "name": "look"}
    nested = {"parallel_tool_calls": True, "reasoning": {"effort": "low"}, "prompt": {"id": "p"}, "input": [remote]}
    assert objects.request_to_beta(nested) == {"input": []}


def test_a_response_as_it_is_shown_has_its_place_in_both_shapes() -> None:
    usage = {"total_tokens": 3, "input_token_details": {"cached_tokens_details": {"text_tokens": 0}}}
    same = {
        "object": "realtime.response", "id": "resp_1", "status": "completed", "status_details": None,
        "conversation_id": "conv_1", "usage": usage, "metadata": None, "max_output_tokens": "inf",
    }  # fmt: skip
    flat = same | {
        "modalities": ["audio", "text"], "voice": "ash", "output_audio_format": "pcm16",
        "output": [SPOKEN | {"object": "realtime.item", "content": [{"type": "audio", "transcript": "Hi."}]}],
    }  # fmt: skip
    nested = same | {
        "output_modalities": ["audio"], "audio": {"output": {"voice": "ash", "format": PCM}},
        "output": [SPOKEN | {"content": [{"type": "output_audio", "transcript": "Hi."}]}],
    }  # fmt: skip
    assert objects.response_to_ga(flat | {"temperature": 0.7}) == nested
    assert objects.response_to_beta(nested, 0.7) == flat | {"temperature": 0.7}
    assert objects.response_to_beta(nested) == flat


def test_odd_lists_of_items_are_for_the_server_to_refuse() -> None:
    for odd in ({"input": "x"}, {"input": None}, {"input": [5, None]}):
        assert objects.response_to_ga(odd) == odd
        assert objects.request_to_beta(odd) == odd


def test_remote_calls_are_left_out_of_what_a_beta_client_is_shown() -> None:
    remote = {"type": "mcp_call", "id": "m", "name": "look"}
    assert objects.response_to_beta({"output": [remote, SPOKEN]})["output"] == [SPOKEN | {"object": "realtime.item"}]


# ---------------------------------------------------------------------------------------------------------- items


@pytest.mark.parametrize(
    ("role", "beta", "ga"),
    [
        ("user", "input_text", "input_text"),
        ("user", "input_audio", "input_audio"),
        ("user", "input_image", "input_image"),
        ("system", "input_text", "input_text"),
        ("assistant", "text", "output_text"),
        ("assistant", "audio", "output_audio"),
        ("assistant", "x_video", "x_video"),
    ],
)
def test_parts_are_named_by_whose_they_are(role: str, beta: str, ga: str) -> None:
    item = {"id": "i", "type": "message", "role": role, "status": "in_progress"}
    flat = item | {"object": "realtime.item", "content": [{"type": beta, "x": 1}]}
    nested = item | {"content": [{"type": ga, "x": 1}]}
    assert objects.item_to_ga(flat) == nested
    assert objects.item_to_beta(nested) == flat


@pytest.mark.parametrize("role", ["user", "system"])
def test_text_that_is_no_answer_is_input(role: str) -> None:
    item = {"type": "message", "role": role, "content": [{"type": "text", "text": "x"}]}
    assert objects.item_to_ga(item)["content"] == [{"type": "input_text", "text": "x"}]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "function_call", "id": "i", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "id": "i", "call_id": "c", "output": "42"},
    ],
)
def test_calls_are_alike_in_both_shapes(item: Any) -> None:
    assert objects.item_to_beta(item) == item | {"object": "realtime.item"}
    assert objects.item_to_ga(item | {"object": "realtime.item"}) == item


@pytest.mark.parametrize(
    "item",
    [
        {"type": "x_note", "object": "x.note", "content": "odd"},
        {"type": "item_reference", "id": "i"},
        {"content": [None, 5, {"type": ["odd"]}]},
        {},
    ],
)
def test_unknown_items_and_parts_pass_as_they_stand(item: Any) -> None:
    assert objects.item_to_ga(item) == item
    assert objects.item_to_beta(item) == item


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ({"type": "audio", "transcript": "Hi."}, {"type": "audio", "transcript": "Hi."}),
        ({"type": "audio"}, {"type": "audio", "transcript": ""}),
        ({"type": "output_audio", "transcript": None}, {"type": "audio", "transcript": ""}),
        ({"type": "text"}, {"type": "text", "text": ""}),
        ({"type": "x_video"}, {"type": "x_video"}),
        ("odd", "odd"),
    ],
)
def test_a_part_in_progress_always_has_its_text(part: Any, shown: Any) -> None:
    assert objects.part_to_ga(part) == shown


# --------------------------------------------------------------------------------------------------------- errors


def test_an_error_names_the_field_as_each_shape_knows_it() -> None:
    nested = {
        "type": "invalid_request_error", "code": "invalid_type", "event_id": "e", "x": 1,
        "param": "session.audio.input.turn_detection.threshold",
        "message": "Invalid type for 'session.audio.input.turn_detection.threshold': expected a number.",
    }  # fmt: skip
    flat = nested | {
        "param": "session.turn_detection.threshold",
        "message": "Invalid type for 'session.turn_detection.threshold': expected a number.",
    }
    assert objects.error_to_beta(nested) == flat
    assert objects.error_to_ga(flat) == nested


def test_an_error_about_a_format_names_the_formats_of_its_shape() -> None:
    nested = {
        "param": "session.audio.output.format.type",
        "message": "Invalid value: 'mp3'. Supported values are: 'audio/pcm', 'audio/pcmu', and 'audio/pcma'.",
    }
    flat = {
        "param": "session.output_audio_format",
        "message": "Invalid value: 'mp3'. Supported values are: 'pcm16', 'g711_ulaw', and 'g711_alaw'.",
    }
    assert objects.error_to_beta(nested) == flat
    assert objects.error_to_ga(flat) == nested | {"param": "session.audio.output.format"}


@pytest.mark.parametrize("error", [{}, {"param": None, "message": None}, {"message": "Busy.", "param": 5}])
def test_an_error_that_names_nothing_stays_as_it_is(error: Any) -> None:
    assert objects.error_to_beta(error) == error
    assert objects.error_to_ga(error) == error


# --------------------------------------------------------------------------------------------------- there and back

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 2) | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
unknown = st.dictionaries(st.text(max_size=5).map("x_".__add__), values, max_size=3)
formats = st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw", "mp3"])
detections = st.none() | st.fixed_dictionaries(
    {"type": st.just("server_vad")},
    optional={"threshold": st.floats(0, 1), "x": st.integers(0, 9), "interrupt_response": st.booleans()},
) | st.fixed_dictionaries(
    {"type": st.just("semantic_vad")}, optional={"eagerness": st.sampled_from(["low", "high"]), "x_new": scalars}
)  # fmt: skip
tools = st.lists(st.fixed_dictionaries({"type": st.just("function"), "name": st.text(max_size=5)}), max_size=2)
shared = {
    "modalities": st.sampled_from([["audio", "text"], ["text"]]),
    "instructions": st.text(max_size=9),
    "voice": st.sampled_from(["alloy", "marin"]) | st.fixed_dictionaries({"id": st.text(max_size=5)}),
    "output_audio_format": formats,
    "tools": tools,
    "tool_choice": st.sampled_from(["auto", "none"]),
}
sessions = st.builds(
    lambda known, more: known | more,
    st.fixed_dictionaries(
        {},
        optional=shared
        | {
            "input_audio_format": formats,
            "input_audio_transcription": st.none() | st.fixed_dictionaries({"model": st.text(max_size=5)}),
            "input_audio_noise_reduction": st.none() | st.fixed_dictionaries({"type": st.just("near_field")}),
            "turn_detection": detections,
            "max_response_output_tokens": st.just("inf") | st.integers(1, 4096),
            "speed": st.floats(0.25, 1.5),
            "tracing": st.none() | st.just("auto"),
            "prompt": st.none() | st.fixed_dictionaries({"id": st.text(max_size=5)}),
            "include": st.none() | st.lists(st.text(max_size=5), max_size=1),
            "model": st.text(max_size=5),
        },
    ),
    unknown,
)
contents = {
    "user": ["input_text", "input_audio", "input_image", "x_new"],
    "system": ["input_text"],
    "assistant": ["text", "audio", "x_new"],
}
messages = st.sampled_from(sorted(contents)).flatmap(
    lambda role: st.fixed_dictionaries(
        {
            "object": st.just("realtime.item"),
            "type": st.just("message"),
            "role": st.just(role),
            "content": st.lists(
                st.builds(
                    lambda kind, more: {"type": kind} | more,
                    st.sampled_from(contents[role]),
                    st.dictionaries(st.sampled_from(["text", "transcript", "audio", "x_new"]), scalars),
                ),
                max_size=3,
            ),
        },
        optional={"id": st.text(max_size=5), "status": st.sampled_from(["completed", "in_progress"])},
    )
)
items = messages | st.fixed_dictionaries(
    {"object": st.just("realtime.item"), "type": st.just("function_call"), "name": st.text(max_size=5)}
)
responses = st.builds(
    lambda known, more: known | more,
    st.fixed_dictionaries(
        {"object": st.just("realtime.response"), "output": st.lists(items, max_size=2)},
        optional=shared | {"max_output_tokens": st.just("inf") | st.integers(1, 99), "usage": values},
    ),
    unknown,
)


@given(sessions)
def test_a_flat_session_comes_back_from_ga_as_it_was(flat: Any) -> None:
    given_ = copy.deepcopy(flat)
    nested = objects.session_to_ga(flat)
    kept = copy.deepcopy(nested)
    assert objects.session_to_beta(nested) == flat
    assert flat == given_, "what is given is not changed"
    assert nested == kept


@given(items)
def test_an_item_comes_back_from_ga_as_it_was(item: Any) -> None:
    kept = copy.deepcopy(item)
    assert objects.item_to_beta(objects.item_to_ga(item)) == item == kept


@given(responses, st.none() | st.floats(0, 2))
def test_a_response_comes_back_from_ga_as_it_was(flat: Any, temperature: float | None) -> None:
    shown = flat if temperature is None else flat | {"temperature": temperature}
    kept = copy.deepcopy(shown)
    assert objects.response_to_beta(objects.response_to_ga(shown), temperature) == shown == kept
