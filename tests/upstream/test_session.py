"""The stand-in keeps the protocol, and sees who does not."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from upstream import Rule, StandIn, Terms, sounds
from upstream.client import Talk, words
from vivavoce.check import order

KEYS = {"Authorization": "Bearer sk-upstream"}
NO_TURNS = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
SPEECH = sounds.word(5, 600, "audio/pcm")
SILENCE = bytes(48 * 400)
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
async def upstream() -> AsyncIterator[StandIn]:
    async with StandIn(Terms(rules=(Rule(r"weather in (\w+)", r'call get_weather {"city": "\1"}'),))) as stand_in:
        yield stand_in
    assert stand_in.tally.crashes == []


@pytest.fixture
async def talk(upstream: StandIn) -> AsyncIterator[Talk]:
    async with Talk(upstream.url) as client:
        yield client


async def test_a_written_question_is_answered_in_the_only_legal_order(talk: Talk, upstream: StandIn) -> None:
    response = await talk.ask("Hello you")
    await talk.until("rate_limits.updated")
    assert (response["status"], words(response)) == ("completed", "You said: Hello you.")
    assert talk.types() == [
        "session.created",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        *4 * ["response.output_audio_transcript.delta", "response.output_audio.delta"],
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
        "rate_limits.updated",
    ]
    order.check(talk.events, "ga")
    assert upstream.tally.violations == []


async def test_text_alone_costs_no_audio(talk: Talk) -> None:
    response = await talk.ask("Hi", output_modalities=["text"], metadata={"a": "b"})
    order.check(talk.events, "ga", complete=False)
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "You said: Hi."}]
    assert response["metadata"] == {"a": "b"}
    assert response["usage"]["output_token_details"] == {"text_tokens": 4, "audio_tokens": 0}


async def test_what_was_read_before_is_cached(talk: Talk) -> None:
    first = (await talk.ask("Hi"))["usage"]
    second = (await talk.ask("Again"))["usage"]
    assert first["input_token_details"]["cached_tokens"] == 0
    assert second["input_token_details"]["cached_tokens"] == first["input_tokens"]


async def test_every_item_is_remembered(talk: Talk) -> None:
    await talk.say("Hello", id="mine")
    await talk.ask("Hi")
    told = words(await talk.ask("What do you know?", output_modalities=["text"]))
    head, _, known = told.partition(": ")
    assert head == "I know 4 items"
    assert [entry[1:] for entry in json.loads(known)] == [
        ["user", "Hello"],
        ["user", "Hi"],
        ["assistant", "You said: Hi."],
        ["user", "What do you know?"],
    ]
    assert json.loads(known)[0][0] == "mine"


async def test_functions_are_called_and_their_outputs_told(talk: Talk) -> None:
    await talk.send("session.update", session={**NO_TURNS, "tools": [WEATHER]})
    response = await talk.ask("What is the weather in Paris?")
    (call,) = response["output"]
    assert (call["name"], call["arguments"]) == ("get_weather", '{"city": "Paris"}')
    await talk.send(
        "conversation.item.create",
        item={"type": "function_call_output", "call_id": call["call_id"], "output": "rain"},
    )
    await talk.send("response.create")
    assert words((await talk.until("response.done"))["response"]) == "The result is rain."
    two = await talk.ask('call get_weather {"a": 1} and call get_weather {"b": 2}')
    assert [item["arguments"] for item in two["output"]] == ['{"a": 1}', '{"b": 2}']
    assert words(await talk.ask("call other {}")) == "I have no tool other."
    order.check(talk.events, "ga", complete=False)


async def test_a_spoken_turn_is_cut_out_committed_written_down_and_answered(talk: Talk) -> None:
    session = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    await talk.send("session.update", session=session)
    await talk.speak(bytes(48 * 1000) + SPEECH + SILENCE)
    completed = await talk.until("conversation.item.input_audio_transcription.completed")
    # 600 ms of speech, 200 of silence after it and 300 before.
    assert completed["transcript"] == "1.1 seconds of speech"
    assert completed["usage"] == {"type": "duration", "seconds": 2}
    await talk.until("response.done")
    started, stopped = (event for event in talk.events if ".speech_" in event["type"])
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (700, 1800)
    assert started["item_id"] == stopped["item_id"] == completed["item_id"]
    order.check(talk.events, "ga", complete=False)


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
async def test_telephone_audio_is_heard_and_spoken(talk: Talk, kind: str) -> None:
    audio = {"input": {"format": {"type": kind}}, "output": {"format": {"type": kind}}}
    await talk.send("session.update", session={"type": "realtime", "audio": audio})
    quiet = (b"\xff" if kind == "audio/pcmu" else b"\xd5") * 8 * 400
    await talk.speak(quiet + sounds.word(5, 600, kind) + quiet, chunk_bytes=160)
    response = (await talk.until("response.done"))["response"]
    sent = [base64.b64decode(e["delta"]) for e in talk.events if e["type"] == "response.output_audio.delta"]
    assert len(b"".join(sent)) == 8 * 300 * len(words(response).split())


async def test_speech_interrupts_an_answer(upstream: StandIn) -> None:
    async with StandIn(Terms(pace=20.0)) as slow, Talk(slow.url) as talk:
        await talk.say("count to 40")
        await talk.send("response.create")
        item_id = (await talk.until("response.output_audio.delta"))["item_id"]
        await talk.speak(SPEECH + SILENCE)
        cut = (await talk.until("response.done"))["response"]
        assert cut["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert cut["output"][0]["status"] == "incomplete"
        await talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
        await talk.until("conversation.item.truncated")
        await talk.send("conversation.item.retrieve", item_id=item_id)
        kept = (await talk.until("conversation.item.retrieved"))["item"]
        assert kept["content"][0]["transcript"] == ""
        assert len(base64.b64decode(kept["content"][0]["audio"])) == 4800
        await talk.until("rate_limits.updated")
        order.check(talk.events, "ga", complete=False)


async def test_an_answer_may_be_out_of_band_and_made_of_other_items(talk: Talk) -> None:
    await talk.say("Hello", id="kept")
    given = [
        {"type": "item_reference", "id": "kept"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What do you know?"}]},
    ]
    await talk.send("response.create", response={"conversation": "none", "input": given, "output_modalities": ["text"]})
    response = (await talk.until("response.done"))["response"]
    assert response["conversation_id"] is None
    assert words(response).startswith('I know 2 items: [["kept", "user", "Hello"]')
    assert talk.types().count("conversation.item.added") == 1


async def test_settings_are_merged_and_shown_in_full(talk: Talk) -> None:
    await talk.until("session.created")
    heard = {"transcription": {"model": "gpt-live-transcribe", "languages": ["en"], "delay": "low"}}
    heard["turn_detection"] = None
    await talk.send("session.update", session={"type": "realtime", "instructions": "A", "audio": {"input": heard}})
    first = (await talk.until("session.updated"))["session"]
    assert first["audio"]["input"]["transcription"] == {
        "model": "gpt-live-transcribe",
        "language": None,
        "prompt": None,
        "languages": ["en"],
    }
    detection = {"type": "semantic_vad", "eagerness": "high"}
    update = {"type": "realtime", "audio": {"input": {"turn_detection": detection, "transcription": None}}}
    await talk.send("session.update", session=update)
    second = (await talk.until("session.updated"))["session"]
    assert second["instructions"] == "A"
    responds = {"create_response": True, "interrupt_response": True}
    assert second["audio"]["input"]["turn_detection"] == {**detection, **responds}
    assert words(await talk.ask("What were you told?")) == "A"


TOO_LONG = "i" * 33
MISTAKES: list[tuple[dict[str, Any], str, str | None]] = [
    ({"type": "session.explode"}, "invalid_value", "type"),
    ({"no": "type"}, "invalid_event", None),
    ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
    ({"type": "session.update", "session": {"type": "realtime", "voice": "ash"}}, "unknown_parameter", "session.voice"),
    ({"type": "session.update", "session": {"type": "transcription"}}, "invalid_parameter", "session.type"),
    (
        {"type": "session.update", "session": {"type": "realtime", "instructions": None}},
        "invalid_type",
        "session.instructions",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "bob"}}}},
        "invalid_value",
        "session.audio.output.voice",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "model": "gpt-4o-realtime-preview"}},
        "invalid_value",
        "session.model",
    ),
    ({"type": "input_audio_buffer.append", "audio": "*"}, "invalid_value", "audio.audio"),
    ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    ({"type": "response.cancel"}, "response_cancel_not_active", None),
    ({"type": "conversation.item.retrieve", "item_id": "x"}, "item_retrieve_invalid_item_id", None),
    ({"type": "conversation.item.delete", "item_id": "x"}, "item_delete_invalid_item_id", None),
    ({"type": "conversation.item.delete"}, "missing_required_parameter", "item_id"),
    (
        {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1},
        "item_truncate_invalid_item_id",
        None,
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {
                "id": TOO_LONG,
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "a"}],
            },
        },
        "string_above_max_length",
        "item.id",
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_audio", "audio": "", "transcript": "a"}],
            },
        },
        "missing_required_parameter",
        "item.content[0].text",
    ),
    (
        {
            "type": "conversation.item.create",
            "previous_item_id": "nobody",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
        },
        "item_create_invalid_previous_item_id",
        None,
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "nobody", "output": "a"},
        },
        "invalid_tool_call_id",
        None,
    ),
    ({"type": "transcription_session.update", "session": {}}, "invalid_value", "type"),
    ({"type": "output_audio_buffer.clear"}, "invalid_value", "type"),
    ({"type": "response.create", "response": {"modalities": ["text"]}}, "unknown_parameter", "response.modalities"),
    ({"type": "response.create", "response": {"temperature": 0.8}}, "unknown_parameter", "response.temperature"),
]


@pytest.mark.parametrize(
    ("event", "code", "param"), MISTAKES, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_a_mistake_is_told_and_noted(
    talk: Talk, upstream: StandIn, event: dict[str, Any], code: str, param: str | None
) -> None:
    await talk.socket.send(json.dumps({**event, "event_id": "mine"}))
    error = await talk.error()
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "mine")
    (violation,) = upstream.tally.violations
    assert (violation.code, violation.event_id, violation.type) == (code, "mine", event.get("type"))
    assert (await talk.ask("Hi"))["status"] == "completed"


async def test_an_id_is_used_once(talk: Talk) -> None:
    await talk.say("A", id="mine")
    await talk.say("B", id="mine")
    assert (await talk.error())["code"] == "item_create_duplicate_item_id"


async def test_truncation_is_strict_about_its_length(talk: Talk) -> None:
    (item,) = (await talk.ask("Hi"))["output"]
    await talk.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=901)
    assert (await talk.error())["message"] == "Audio content of 900ms is already shorter than 901ms"
    (text,) = (await talk.ask("Hi", output_modalities=["text"]))["output"]
    await talk.send("conversation.item.truncate", item_id=text["id"], content_index=0, audio_end_ms=1)
    assert (await talk.error())["code"] == "unsupported_content_type"


async def test_a_voice_stays_once_it_has_spoken(talk: Talk) -> None:
    def voice(name: str) -> dict[str, Any]:
        return {"type": "realtime", "audio": {"output": {"voice": name}}}

    await talk.send("session.update", session=voice("ash"))
    await talk.until("session.updated")
    await talk.ask("Hi")
    await talk.send("session.update", session=voice("ash"))
    await talk.until("session.updated")
    await talk.send("session.update", session=voice("echo"))
    assert (await talk.error())["code"] == "cannot_update_voice"


async def test_one_answer_at_a_time(talk: Talk, upstream: StandIn) -> None:
    await talk.send("response.create")
    await talk.send("response.create")
    error = await talk.error()
    assert error["code"] == "conversation_already_has_active_response"
    await talk.until("response.done")
    assert upstream.tally.responses == {"completed": 1}


async def test_items_go_where_they_are_told(talk: Talk) -> None:
    await talk.say("B", id="b")
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}
    await talk.send("conversation.item.create", item={**message, "id": "a"}, previous_item_id="root")
    await talk.send("conversation.item.create", item={**message, "id": "c"}, previous_item_id="a")
    added = [await talk.until("conversation.item.added") for _ in range(3)]
    assert [(event["item"]["id"], event["previous_item_id"]) for event in added] == [
        ("b", None),
        ("a", None),
        ("c", "a"),
    ]
    await talk.send("conversation.item.delete", item_id="a")
    await talk.until("conversation.item.deleted")
    assert words(await talk.ask("what do you know", output_modalities=["text"])).startswith(
        'I know 3 items: [["c", "user", "a"], ["b", "user", "B"]'
    )


async def test_audio_is_committed_by_hand_where_nobody_listens_for_turns(talk: Talk) -> None:
    await talk.send("session.update", session=NO_TURNS)
    await talk.speak(SPEECH)
    await talk.send("input_audio_buffer.commit")
    item = (await talk.until("conversation.item.done"))["item"]
    assert item["content"] == [{"type": "input_audio", "transcript": None}]
    await talk.send("input_audio_buffer.commit")
    assert "0.00ms" in (await talk.error())["message"]
    await talk.send("conversation.item.retrieve", item_id=item["id"])
    retrieved = (await talk.until("conversation.item.retrieved"))["item"]
    assert base64.b64decode(retrieved["content"][0]["audio"]) == SPEECH


async def test_a_transcription_session_only_listens(upstream: StandIn) -> None:
    async with Talk(upstream.url, query="intent=transcription") as talk:
        assert (await talk.until("session.created"))["session"]["type"] == "transcription"
        heard = {"transcription": {"model": "gpt-4o-transcribe"}, "turn_detection": None}
        await talk.send("session.update", session={"type": "transcription", "audio": {"input": heard}})
        await talk.speak(SPEECH)
        await talk.send("input_audio_buffer.commit")
        completed = await talk.until("conversation.item.input_audio_transcription.completed")
        assert completed["usage"]["input_tokens"] == 6
        await talk.send("response.create")
        assert (await talk.error())["code"] == "invalid_value"


async def test_an_idle_user_is_spoken_to() -> None:
    async with StandIn(Terms(word_ms=1)) as upstream, Talk(upstream.url) as talk:
        await talk.until("session.created")
        (session,) = upstream.sessions
        await talk.ask("Hi")
        # Shorter than a client may ask for.
        session.settings["audio"]["input"]["turn_detection"]["idle_timeout_ms"] = 20
        await talk.ask("Hi")
        await talk.until("input_audio_buffer.timeout_triggered")
        session.settings["audio"]["input"]["turn_detection"]["idle_timeout_ms"] = None
        await talk.until("response.done")
        await talk.until("rate_limits.updated")
        order.check(talk.events, "ga")
