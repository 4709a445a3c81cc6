from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.relay.answers import Answers, key_of, replayed
from vivavoce.relay.effects import Place

PLACE = Place(upstream="openai", model="gpt-realtime-2.1")
SETTINGS = {
    "instructions": "Be kind.",
    "audio": {"input": {"turn_detection": None}, "output": {"voice": "marin", "format": {"type": "audio/pcmu"}}},
    "tools": [{"type": "function", "name": "wave"}],
}
REQUEST = {"instructions": "Greet the caller."}
SYSTEM = {"id": "item_s", "type": "message", "role": "system", "content": [{"type": "input_text", "text": "It rains."}]}
USAGE = {"total_tokens": 30, "input_token_details": {"text_tokens": 10, "cached_tokens": 0}, "note": None}
AUDIO = "cmVzcF9B" * 50 + "aXRlbV9B"


def response(status: str = "in_progress", output: tuple[dict[str, Any], ...] = (), **fields: Any) -> dict[str, Any]:
    made = {"object": "realtime.response", "id": "resp_A", "status": status, "output": list(output)}
    return made | {"conversation_id": "conv_A", "metadata": {"old": "1"}, "usage": None} | fields


def item(status: str, transcript: str = "", **fields: Any) -> dict[str, Any]:
    content = [{"type": "output_audio", "transcript": transcript}] if transcript else []
    message = {"id": "item_A", "object": "realtime.item", "type": "message", "role": "assistant"}
    return message | {"status": status, "content": content} | fields


def told(status: str = "completed", spaces: bool = False, **fields: Any) -> list[bytes]:
    """What an upstream tells of a response."""
    part = {"response_id": "resp_A", "item_id": "item_A", "output_index": 0, "content_index": 0}
    new, full = item("in_progress"), item("completed", "Say item_A to resp_A.", **fields)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response()},
        {"type": "response.output_item.added", "response_id": "resp_A", "output_index": 0, "item": new | fields},
        {"type": "conversation.item.added", "previous_item_id": "item_before", "item": new | fields},
        {"type": "response.content_part.added", **part, "part": {"type": "audio", "transcript": ""}},
        {"type": "response.output_audio_transcript.delta", **part, "delta": "item_A"},
        {"type": "response.output_audio.delta", **part, "delta": AUDIO},
        {"type": "response.output_item.done", "response_id": "resp_A", "output_index": 0, "item": full},
        {"type": "conversation.item.done", "previous_item_id": None, "item": full},
        {"type": "response.done", "response": response(status, (full,), usage=USAGE)},
    ]
    separators = (", ", ": ") if spaces else (",", ":")
    numbered = [{"type": event["type"], "event_id": f"event_{n}"} | event for n, event in enumerate(events)]
    return [json.dumps(event, separators=separators).encode() for event in numbered]


def counting() -> Any:
    number = itertools.count(1)
    return lambda kind: f"{kind}_new{next(number)}"


def kept(frames: list[bytes]) -> Any:
    answers = Answers(100_000)
    assert answers.store(b"k", frames)
    answer = answers.find(b"k")
    assert answer is not None
    return answer


@pytest.mark.parametrize("spaces", [False, True])
def test_an_answer_is_told_again_with_ids_of_its_own(spaces: bool) -> None:
    frames = replayed(
        kept(told(spaces=spaces)),
        counting(),
        conversation_id="conv_B",
        previous_item_id="item_s",
        metadata={"mine": "2"},
    )
    events = [json.loads(frame) for frame in frames]
    before = [json.loads(frame) for frame in told()]
    assert [event["type"] for event in events] == [event["type"] for event in before]
    assert len({event["event_id"] for event in events}) == len(events)
    assert all(event["event_id"].startswith("event_new") for event in events)
    part = {"response_id": "resp_new1", "item_id": "item_new2", "output_index": 0, "content_index": 0}
    named = {"id": "item_new2"}
    full = item("completed", "Say item_A to resp_A.") | named
    marked = {
        "id": "resp_new1",
        "conversation_id": "conv_B",
        "metadata": {"mine": "2", "vivavoce.cache": "hit"},
    }
    nothing = {"total_tokens": 0, "input_token_details": {"text_tokens": 0, "cached_tokens": 0}, "note": None}
    assert [{name: value for name, value in event.items() if name not in ("type", "event_id")} for event in events] == [
        {"response": response() | marked},
        {"response_id": "resp_new1", "output_index": 0, "item": item("in_progress") | named},
        {"previous_item_id": "item_s", "item": item("in_progress") | named},
        {**part, "part": {"type": "audio", "transcript": ""}},
        {**part, "delta": "item_A"},
        {**part, "delta": AUDIO},
        {"response_id": "resp_new1", "output_index": 0, "item": full},
        {"previous_item_id": "item_s", "item": full},
        {"response": response("completed", (full,)) | marked | {"usage": nothing}},
    ]


def test_what_is_no_id_stays_byte_for_byte() -> None:
    frames = told(spaces=True)
    again = replayed(kept(frames), counting(), conversation_id="conv_B")
    old, new = frames[5], again[5]
    for was, now in ((b"event_5", b"event_new8"), (b"resp_A", b"resp_new1"), (b"item_A", b"item_new2")):
        old = old.replace(b'"%b"' % was, b'"%b"' % now)
    assert new == old


def test_out_of_band_there_is_no_conversation() -> None:
    frames = [frame for frame in told() if b"conversation.item" not in frame]
    frames[0] = frames[0].replace(b'"conv_A"', b"null")
    again = [json.loads(frame) for frame in replayed(kept(frames), counting(), conversation_id="conv_B")]
    assert again[0]["response"]["conversation_id"] is None
    assert len(again) == 7


def test_a_conversation_that_has_shown_no_id_gets_one() -> None:
    again = [json.loads(frame) for frame in replayed(kept(told()), counting())]
    assert again[0]["response"]["conversation_id"] == again[-1]["response"]["conversation_id"] == "conv_new3"


def test_the_first_item_of_a_conversation_follows_none() -> None:
    again = [json.loads(frame) for frame in replayed(kept(told()), counting())]
    assert again[2]["previous_item_id"] is None


def test_a_second_item_follows_the_first() -> None:
    frames = told()
    second = [frame.replace(b"item_A", b"item_B").replace(b'"item_before"', b'"item_A"') for frame in frames[1:3]]
    again = [json.loads(frame) for frame in replayed(kept(frames[:-1] + second + frames[-1:]), counting())]
    assert [event["item"]["id"] for event in again if "item" in event][-2:] == ["item_new3", "item_new3"]
    assert again[-2]["previous_item_id"] == "item_new2"


def test_what_belongs_to_others_is_left_out() -> None:
    frames = told()
    foreign = [
        b'{"type":"rate_limits.updated","event_id":"event_r","rate_limits":[]}',
        b'{"type":"response.output_audio.delta","event_id":"event_x","response_id":"resp_X","item_id":"item_X"}',
        b'{"type":"response.created","event_id":"event_x","response":{"id":"resp_X"}}',
        b'{"type":"response.done","event_id":"event_x","response":{"id":"resp_X","status":"completed","output":[]}}',
        b'{"type":"conversation.item.added","event_id":"event_x","item":{"id":"item_X","type":"message"}}',
        b'{"type":"input_audio_buffer.speech_started","event_id":"event_x","item_id":"item_X"}',
    ]
    mixed = [frames[0], *itertools.chain.from_iterable(zip(foreign, frames[1:], strict=False)), *frames[7:], foreign[0]]
    assert replayed(kept(mixed), counting()) == replayed(kept(frames), counting())


@pytest.mark.parametrize(
    "frames",
    [
        [],
        told()[1:],
        told()[:-1],
        told("incomplete"),
        told("cancelled"),
        told("failed"),
        told(type="function_call"),
        [b"{}", *told()],
        [b"not json", *told()],
        [told()[0].replace(b"resp_A", b"resp \\u0041"), *told()[1:]],
        [frame.replace(b"item_A", b'it\\"em') for frame in told()],
    ],
)
def test_what_is_no_complete_answer_of_words_is_not_kept(frames: list[bytes]) -> None:
    answers = Answers(100_000)
    assert not answers.store(b"k", frames)
    assert (len(answers), answers.size_bytes, answers.find(b"k")) == (0, 0, None)


def test_those_that_were_not_wanted_for_the_longest_give_way() -> None:
    size = kept(told()).size_bytes
    answers = Answers(size * 4)
    for name in (b"a", b"b", b"c", b"d"):
        assert answers.store(name, told())
    answers.find(b"a")
    answers.store(b"c", told())
    answers.store(b"e", told())
    assert [answers.find(name) is not None for name in (b"a", b"b", b"c", b"d", b"e")] == [
        True,
        False,
        True,
        True,
        True,
    ]
    assert (len(answers), answers.size_bytes) == (4, size * 4)


def test_one_that_is_too_long_to_be_a_greeting_is_not_kept() -> None:
    size = kept(told()).size_bytes
    assert not Answers(size * 4 - 1).store(b"k", told())


def test_the_key_is_the_same_for_the_same_words_voice_and_settings() -> None:
    key = key_of(PLACE, SETTINGS, REQUEST, [SYSTEM])
    assert key is not None
    reordered = dict(reversed(SETTINGS.items()))
    other = SETTINGS | {"audio": SETTINGS["audio"] | {"input": {"turn_detection": {"type": "semantic_vad"}}}}  # type: ignore[operator]
    assert key_of(PLACE, reordered, REQUEST, [SYSTEM | {"id": "other", "status": "completed"}]) == key
    assert key_of(PLACE, other | {"tracing": "auto"}, REQUEST | {"metadata": {"a": "b"}}, [SYSTEM]) == key


@pytest.mark.parametrize(
    ("place", "settings", "request_", "items"),
    [
        (Place(upstream="azure", model="gpt-realtime-2.1"), SETTINGS, REQUEST, [SYSTEM]),
        (Place(upstream="openai", model="gpt-realtime"), SETTINGS, REQUEST, [SYSTEM]),
        (PLACE, SETTINGS | {"instructions": "Be rude."}, REQUEST, [SYSTEM]),
        (PLACE, SETTINGS | {"audio": {"output": {"voice": "cedar"}}}, REQUEST, [SYSTEM]),
        (PLACE, SETTINGS | {"tools": []}, REQUEST, [SYSTEM]),
        (PLACE, SETTINGS | {"of_tomorrow": 1}, REQUEST, [SYSTEM]),
        (PLACE, SETTINGS, {}, [SYSTEM]),
        (PLACE, SETTINGS, REQUEST | {"input": []}, [SYSTEM]),
        (PLACE, SETTINGS, REQUEST, []),
        (PLACE, SETTINGS, REQUEST, [SYSTEM, SYSTEM]),
        (PLACE, SETTINGS, REQUEST, [SYSTEM | {"content": [{"type": "input_text", "text": "It shines."}]}]),
    ],
)
def test_the_key_is_another_where_the_answer_might_be(
    place: Place, settings: dict[str, Any], request_: dict[str, Any], items: list[dict[str, Any]]
) -> None:
    key = key_of(place, settings, request_, items)
    assert key is not None
    assert key != key_of(PLACE, SETTINGS, REQUEST, [SYSTEM])


USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}


@pytest.mark.parametrize(
    "said",
    [
        USER,
        SYSTEM | {"content": [{"type": "input_audio", "transcript": "Hello?"}]},
        SYSTEM | {"content": None},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]},
        {"type": "function_call_output", "call_id": "call_1", "output": "3"},
    ],
)
def test_a_conversation_that_somebody_has_taken_part_in_has_no_key(said: dict[str, Any]) -> None:
    assert key_of(PLACE, SETTINGS, REQUEST, [said]) is None


def test_an_application_may_ask_with_texts_of_its_own() -> None:
    first = key_of(PLACE, SETTINGS, {"conversation": "none", "input": [USER]}, [])
    other = {"conversation": "none", "input": [USER | {"content": [{"type": "input_text", "text": "Bye."}]}]}
    assert first is not None
    assert first != key_of(PLACE, SETTINGS, other, [])


@pytest.mark.parametrize(
    "given_",
    [
        [{"type": "item_reference", "id": "item_1"}],
        [{"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAA"}]}],
        ["text"],
        "text",
        3,
    ],
)
def test_what_is_asked_otherwise_has_no_key(given_: Any) -> None:
    assert key_of(PLACE, SETTINGS, {"input": given_}, []) is None


TEXT = st.text(max_size=30) | st.sampled_from(['"id":"item_A"', '\\"event_id\\": null', "item_A", "resp_A"])


@given(TEXT, TEXT)
def test_no_words_are_mistaken_for_ids(delta: str, transcript: str) -> None:
    frames = told()
    frames[4] = json.dumps(json.loads(frames[4]) | {"delta": delta}).encode()
    frames[6] = json.dumps(json.loads(frames[6]) | {"note": [transcript, {"text": transcript}]}).encode()
    again = [json.loads(frame) for frame in replayed(kept(frames), counting())]
    assert again[4]["delta"] == delta
    assert again[6]["note"] == [transcript, {"text": transcript}]
