from __future__ import annotations

import base64
from typing import Any

import pytest

from desks import WORD_MS, Office, error_of, events_of
from vivavoce.audio.wav import read_wav
from vivavoce.config import Limits
from vivavoce.core.service import Rate
from vivavoce.server.rest.speech import SPEECH_VOICES, TYPES

PATH = "/v1/audio/speech"
ASKED = {"model": "gpt-4o-mini-tts", "input": "one two three.", "voice": "ash"}
SPOKEN_BYTES = 3 * WORD_MS * 48


async def test_raw_speech_is_sent_as_it_is() -> None:
    office = Office()
    answer = await office.ask(PATH, ASKED | {"response_format": "pcm"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/pcm")
    assert answer.content == b"\x00\x10" * (SPOKEN_BYTES // 2)
    assert office.tts.told == [("one two three.", "ash", 1.0)]
    assert office.desk.jobs == 0


async def test_a_wav_file_of_unknown_length_can_be_read() -> None:
    answer = await Office().ask(PATH, ASKED | {"response_format": "wav"})
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.content[40:44] == b"\xff\xff\xff\xff"
    wav = read_wav(answer.content)
    assert (wav.rate_hz, len(wav.pcm)) == (24_000, SPOKEN_BYTES)


async def test_without_a_format_it_is_mp3() -> None:
    office = Office()
    answer = await office.ask(PATH, ASKED)
    await office.desk.close()
    assert answer.headers["content-type"] == TYPES["mp3"] == "audio/mpeg"
    assert answer.content.startswith(b"ID3")


async def test_a_text_with_nothing_to_say_is_an_empty_file() -> None:
    answer = await Office().ask(PATH, ASKED | {"input": "***", "response_format": "wav"})
    assert (answer.status_code, len(read_wav(answer.content).pcm)) == (200, 0)
    answer = await Office().ask(PATH, ASKED | {"input": "***", "response_format": "pcm"})
    assert (answer.status_code, answer.content) == (200, b"")


async def test_the_first_sound_leaves_before_the_last_is_made() -> None:
    office = Office()
    visit = office.visit(PATH, ASKED | {"input": "one two wait three.", "response_format": "pcm"})
    await visit.until(lambda: bool(visit.body))
    assert (visit.status, visit.is_complete) == (200, False)
    assert (visit.headers["cache-control"], visit.headers["x-accel-buffering"]) == ("no-cache", "no")
    assert "content-length" not in visit.headers
    office.tts.go_on.set()
    await visit.until(lambda: visit.is_complete)
    assert len(visit.body) == SPOKEN_BYTES + WORD_MS * 48
    await visit.leave()


@pytest.mark.parametrize("kind", ["pcm", "wav", "mp3"])
async def test_a_client_that_leaves_stops_the_voice(kind: str) -> None:
    office = Office()
    visit = office.visit(PATH, ASKED | {"input": "one two wait three.", "response_format": kind})
    await visit.until(lambda: bool(visit.body))
    assert (office.tts.speaking, office.desk.jobs) == (1, 1)
    await visit.leave()
    assert (office.tts.speaking, office.desk.jobs, visit.is_complete) == (0, 0, False)
    await office.desk.close()


async def test_a_client_that_leaves_before_anything_was_made_stops_the_voice() -> None:
    office = Office()
    visit = office.visit(PATH, ASKED | {"input": "wait one", "response_format": "pcm"})
    await visit.until(lambda: office.tts.speaking == 1)
    await visit.leave()
    assert (office.tts.speaking, office.desk.jobs) == (0, 0)


async def test_a_client_that_takes_nothing_is_let_go() -> None:
    office = Office(limits=Limits(message_seconds=0.01))
    visit = office.visit(PATH, ASKED | {"input": "one two wait three.", "response_format": "pcm"})
    await visit.until(lambda: bool(visit.body))
    visit.may_send.clear()
    office.tts.go_on.set()
    await visit.until(visit.running.done)
    assert (office.tts.speaking, office.desk.jobs, visit.is_complete) == (0, 0, False)


async def test_events_carry_the_file_and_at_the_end_what_it_took() -> None:
    asked = ASKED | {"response_format": "pcm", "stream_format": "sse", "instructions": "calm"}
    answer = await Office().ask(PATH, asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done, last = events_of(answer.content)
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert sum(len(base64.b64decode(delta["audio"])) for delta in deltas) == SPOKEN_BYTES
    assert done == {"type": "speech.audio.done", "usage": {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}}
    assert last == "[DONE]"


@pytest.mark.parametrize(("voice", "spoken_by"), [*SPEECH_VOICES.items(), ({"id": "voice_7"}, "voice_7")])
async def test_voices_of_this_endpoint_alone_are_known(voice: Any, spoken_by: str) -> None:
    office = Office()
    await office.ask(PATH, ASKED | {"voice": voice, "speed": 4, "response_format": "pcm"})
    assert office.tts.told == [("one two three.", spoken_by, 4.0)]


async def test_long_texts_are_spoken_sentence_by_sentence() -> None:
    office = Office()
    text = "A sentence of six words is. " * 400
    answer = await office.ask(PATH, ASKED | {"input": text, "response_format": "pcm"})
    assert len(office.tts.told) == 400
    assert len(answer.content) > 2400 * WORD_MS * 48


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"input": ""}, "input", "invalid_value"),
        ({"input": 7}, "input", "invalid_type"),
        ({"input": "x" * 101}, "input", "string_above_max_length"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"voice": "bob"}, "voice", "invalid_value"),
        ({"voice": {"id": ""}}, "voice.id", "invalid_value"),
        ({"voice": None}, "voice", "missing_required_parameter"),
        ({"model": None}, "model", "missing_required_parameter"),
        ({"speed": 0.2}, "speed", "invalid_value"),
        ({"speed": 4.1}, "speed", "invalid_value"),
        ({"speed": float("1e99")}, "speed", "invalid_value"),
        ({"response_format": "ogg"}, "response_format", "invalid_value"),
        ({"stream_format": "websocket"}, "stream_format", "invalid_value"),
        ({"pitch": 3}, "pitch", "unknown_parameter"),
    ],
)
async def test_what_cannot_be_had_is_named(change: dict[str, Any], param: str, code: str) -> None:
    office = Office(limits=Limits(max_input_characters=100))
    answer = await office.ask(PATH, ASKED | change)
    assert answer.status_code == 400
    assert (error_of(answer)["param"], error_of(answer)["code"]) == (param, code)
    assert (office.tts.told, office.desk.jobs) == ([], 0)


async def test_a_voice_that_fails_at_once_is_an_error_of_the_server() -> None:
    answer = await Office().ask(PATH, ASKED | {"input": "break", "response_format": "pcm"})
    assert answer.status_code == 500
    assert (error_of(answer)["type"], error_of(answer)["message"]) == ("server_error", "the voice broke")


async def test_a_voice_that_fails_later_cuts_the_file_off() -> None:
    visit = Office().visit(PATH, ASKED | {"input": "one two break", "response_format": "pcm"})
    await visit.until(visit.running.done)
    assert (visit.status, visit.is_complete) == (200, False)


async def test_a_voice_that_fails_later_is_told_in_events() -> None:
    asked = ASKED | {"input": "one two break", "response_format": "pcm", "stream_format": "sse"}
    answer = await Office().ask(PATH, asked)
    *_, last = events_of(answer.content)
    assert last["error"]["message"] == "the voice broke"
    assert b"event: error\n" in answer.content


# ------------------------------------------------------------------------------------------------------ money

BY_TEXT, BY_TIME, BY_TOKENS = Rate(characters=1e6), Rate(minute=60.0), Rate(text_in=1e6, audio_out=1e3)


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
@pytest.mark.parametrize("kind", ["pcm", "wav", "mp3"])
@pytest.mark.parametrize(
    ("rate", "usd"), [(BY_TEXT, 14), (BY_TIME, 3 * WORD_MS / 1000), (BY_TOKENS, 4 + 6 / 1000), (Rate(), None)]
)
async def test_speech_is_charged_by_what_its_model_costs(
    rate: Rate, usd: float | None, kind: str, stream_format: str
) -> None:
    office = Office(rates={"gpt-4o-mini-tts": rate})
    answer = await office.ask(PATH, ASKED | {"response_format": kind, "stream_format": stream_format})
    await office.desk.close()
    assert answer.status_code == 200
    assert office.charges == ([] if usd is None else [pytest.approx(usd)])


async def test_a_model_without_a_price_costs_nothing() -> None:
    office = Office(rates={"tts-1": BY_TEXT})
    await office.ask(PATH, ASKED | {"model": "vivavoce", "response_format": "pcm"})
    assert office.charges == []


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
@pytest.mark.parametrize("words", ["break", "one two break", "one. two. break."])
async def test_a_voice_that_fails_costs_nothing(words: str, stream_format: str) -> None:
    office = Office(rates={"gpt-4o-mini-tts": BY_TEXT})
    asked = ASKED | {"input": words, "response_format": "pcm", "stream_format": stream_format}
    visit = office.visit(PATH, asked)
    await visit.until(visit.running.done)
    assert office.charges == []


async def test_what_cannot_be_had_costs_nothing() -> None:
    office = Office(rates={"gpt-4o-mini-tts": BY_TEXT})
    await office.ask(PATH, ASKED | {"voice": "bob"})
    assert office.charges == []


@pytest.mark.parametrize(("words", "seconds"), [("one two wait three.", [0.2]), ("wait one.", [])])
async def test_who_leaves_is_charged_for_what_was_spoken(words: str, seconds: list[float]) -> None:
    office = Office(rates={"gpt-4o-mini-tts": BY_TIME})
    visit = office.visit(PATH, ASKED | {"input": words, "response_format": "pcm"})
    await visit.until(lambda: office.tts.speaking == 1 and len(visit.body) == int(sum(seconds) * 48_000))
    await visit.leave()
    assert office.charges == [pytest.approx(each) for each in seconds]
