"""The stand-in's beta flavour speaks the flat shape, and no other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from websockets.exceptions import InvalidStatus

from upstream import StandIn, Terms, sounds
from upstream.client import Talk
from vivavoce.check import order

BETA = {"OpenAI-Beta": "realtime=v1"}


@pytest.fixture
async def upstream() -> AsyncIterator[StandIn]:
    terms = Terms(shape="beta", models=("gpt-4o-realtime-preview",))
    async with StandIn(terms) as stand_in:
        yield stand_in
    assert stand_in.tally.crashes == []


@pytest.fixture
async def talk(upstream: StandIn) -> AsyncIterator[Talk]:
    async with Talk(upstream.url, query="model=gpt-4o-realtime-preview", headers=BETA) as client:
        yield client


async def test_clients_must_say_that_they_speak_it(upstream: StandIn) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with Talk(upstream.url, query="model=gpt-4o-realtime-preview"):
            pass
    assert refused.value.response.status_code == 400


async def test_an_answer_comes_in_the_betas_order(talk: Talk, upstream: StandIn) -> None:
    response = await talk.ask("Hi")
    order.check(talk.events, "beta")
    assert talk.types()[:6] == [
        "session.created",
        "conversation.created",
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
    ]
    (item,) = response["output"]
    assert (item["object"], item["content"]) == ("realtime.item", [{"type": "audio", "transcript": "You said: Hi."}])
    assert (response["modalities"], response["voice"], response["temperature"]) == (["audio", "text"], "marin", 0.8)
    assert upstream.tally.violations == []


async def test_flat_settings_are_taken_and_shown(talk: Talk) -> None:
    await talk.until("conversation.created")
    session = {
        "modalities": ["text"],
        "voice": "ash",
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
        "temperature": 0.9,
        "max_response_output_tokens": 100,
    }
    await talk.send("session.update", session=session)
    shown = (await talk.until("session.updated"))["session"]
    assert {name: shown[name] for name in session if name not in ("input_audio_transcription", "turn_detection")} == {
        name: value for name, value in session.items() if name not in ("input_audio_transcription", "turn_detection")
    }
    assert shown["input_audio_transcription"]["model"] == "whisper-1"
    assert shown["turn_detection"]["silence_duration_ms"] == 300
    assert "type" not in shown
    silence = b"\xff" * 8 * 400
    await talk.speak(silence + sounds.word(5, 600, "audio/pcmu") + silence)
    response = (await talk.until("response.done"))["response"]
    assert response["output"][0]["content"][0]["type"] == "text"
    assert response["temperature"] == 0.9


async def test_the_other_shape_is_refused(talk: Talk, upstream: StandIn) -> None:
    await talk.send("session.update", session={"type": "realtime", "instructions": "A"})
    assert (await talk.error())["param"] == "session.type"
    part = {"type": "output_text", "text": "A"}
    await talk.send("conversation.item.create", item={"type": "message", "role": "assistant", "content": [part]})
    assert (await talk.error())["code"] == "invalid_value"
    part["type"] = "text"
    await talk.send("conversation.item.create", item={"type": "message", "role": "assistant", "content": [part]})
    item = (await talk.until("conversation.item.created"))["item"]
    assert item["content"] == [{"type": "text", "text": "A"}]
    assert len(upstream.tally.violations) == 2


async def test_a_transcription_session_has_its_own_events(upstream: StandIn) -> None:
    async with Talk(upstream.url, query="intent=transcription", headers=BETA) as talk:
        assert (await talk.until("transcription_session.created"))["session"]["client_secret"] is None
        session = {"input_audio_transcription": {"model": "whisper-1"}, "turn_detection": None}
        await talk.send("transcription_session.update", session=session)
        shown = (await talk.until("transcription_session.updated"))["session"]
        assert shown["turn_detection"] is None
        await talk.speak(sounds.word(5, 600, "audio/pcm"))
        await talk.send("input_audio_buffer.commit")
        done = await talk.until("conversation.item.input_audio_transcription.completed")
        assert json.dumps(done["usage"]) == '{"type": "duration", "seconds": 1}'
