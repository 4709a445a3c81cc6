from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from desks import LoudHearing, Office, error_of, events_of, wav_of
from vivavoce.config import Limits
from vivavoce.core.service import Rate

PATH = "/v1/audio/transcriptions"
TWICE = wav_of(992, 192, 1000, 96, 720)
"""Two stretches of speech in three seconds."""
TEXT = "w1a w1b w2a w2b"
BOUND = "multipart/form-data; boundary=x"
LOG_HALF = math.log(0.5)


def office_of(**settings: Any) -> Office:
    settings.setdefault("hearing", LoudHearing())
    return Office(**settings)


async def test_without_a_format_it_is_json_with_the_tokens_that_it_took() -> None:
    answer = await office_of().upload(PATH, TWICE, prompt="some words")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "text": TEXT,
        "usage": {
            "type": "tokens",
            "input_tokens": 33,
            "input_token_details": {"audio_tokens": 30, "text_tokens": 3},
            "output_tokens": 4,
            "total_tokens": 37,
        },
    }


async def test_whisper_is_paid_by_the_second() -> None:
    answer = await office_of().upload(PATH, wav_of(1001), model="whisper-1")
    assert answer.json() == {"text": "", "usage": {"type": "duration", "seconds": 2}}


@pytest.mark.parametrize(
    ("form", "type_", "body"),
    [
        ("text", "text/plain; charset=utf-8", f"{TEXT}\n"),
        (
            "srt",
            "text/plain; charset=utf-8",
            "1\n00:00:00,992 --> 00:00:01,292\nw1a w1b\n\n2\n00:00:02,184 --> 00:00:02,484\nw2a w2b\n",
        ),
        (
            "vtt",
            "text/vtt; charset=utf-8",
            "WEBVTT\n\n00:00:00.992 --> 00:00:01.292\nw1a w1b\n\n00:00:02.184 --> 00:00:02.484\nw2a w2b\n",
        ),
    ],
)
async def test_texts_and_subtitles(form: str, type_: str, body: str) -> None:
    answer = await office_of().upload(PATH, TWICE, response_format=form)
    assert answer.headers["content-type"] == type_
    assert [line for line in answer.text.splitlines() if "-->" not in line] == [
        line for line in body.splitlines() if "-->" not in line
    ]


async def test_verbose_json_has_all_fields_of_whispers() -> None:
    fields = {"model": "whisper-1", "response_format": "verbose_json", "temperature": 0.4}
    both = {"timestamp_granularities[]": ["word", "segment"]}
    answer = (await office_of().upload(PATH, TWICE, **fields, **both)).json()
    segments, words = answer.pop("segments"), answer.pop("words")
    assert answer == {
        "task": "transcribe",
        "language": "english",
        "duration": 3.0,
        "text": TEXT,
        "usage": {"type": "duration", "seconds": 3},
    }
    assert [word["word"] for word in words] == TEXT.split()
    assert all(word["start"] < word["end"] for word in words)
    first, second = segments
    assert (first["id"], second["id"], first["text"], second["text"]) == (0, 1, " w1a w1b", " w2a w2b")
    assert (first["start"], first["end"]) == (words[0]["start"], words[1]["end"])
    assert first["seek"] == int(first["start"] * 100)
    assert (first["tokens"], first["temperature"], first["avg_logprob"]) == ([], 0.4, LOG_HALF)
    assert 0 < first["no_speech_prob"] < 1
    assert 0 < first["compression_ratio"] < 1
    assert set(first) == {
        *("id", "seek", "start", "end", "text", "tokens", "temperature"),
        *("avg_logprob", "compression_ratio", "no_speech_prob"),
    }


@pytest.mark.parametrize(
    ("granularities", "present"),
    [
        (None, {"segments"}),
        (["word"], {"words"}),
        (["segment"], {"segments"}),
        (["word", "segment"], {"words", "segments"}),
    ],
)
async def test_times_are_told_of_what_was_asked(granularities: list[str] | None, present: set[str]) -> None:
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": granularities}
    answer = (await office_of().upload(PATH, TWICE, **fields)).json()
    assert {"words", "segments"} & set(answer) == present


async def test_probabilities_are_told_word_by_word() -> None:
    answer = (await office_of().upload(PATH, TWICE, **{"include[]": "logprobs"})).json()
    assert [entry["token"] for entry in answer["logprobs"]] == ["w1a", " w1b", " w2a", " w2b"]
    assert answer["logprobs"][1] == {"token": " w1b", "logprob": LOG_HALF, "bytes": list(b" w1b")}


async def test_a_stream_tells_each_stretch_and_then_all() -> None:
    answer = await office_of().upload(PATH, TWICE, stream="true")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done, last = events_of(answer.content)
    assert deltas == [
        {"type": "transcript.text.delta", "delta": "w1a w1b"},
        {"type": "transcript.text.delta", "delta": " w2a w2b"},
    ]
    assert (done["type"], done["text"], done["usage"]["input_tokens"]) == ("transcript.text.done", TEXT, 30)
    assert "logprobs" not in done
    assert last == "[DONE]"


async def test_a_stream_has_probabilities_where_they_are_wanted() -> None:
    answer = await office_of().upload(PATH, TWICE, stream="true", **{"include[]": "logprobs"})
    first, second, done, _ = events_of(answer.content)
    assert [entry["token"] for entry in first["logprobs"] + second["logprobs"]] == ["w1a", " w1b", " w2a", " w2b"]
    assert done["logprobs"] == first["logprobs"] + second["logprobs"]


async def test_a_stream_that_fails_half_way_says_so() -> None:
    answer = await office_of(hearing=LoudHearing(fails_at=2)).upload(PATH, TWICE, stream="true")
    *_, last = events_of(answer.content)
    assert (answer.status_code, last["error"]["message"]) == (200, "the recogniser broke")


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_a_recogniser_that_fails_is_an_error_of_the_server(stream: str) -> None:
    office = office_of(hearing=LoudHearing(fails_at=1))
    answer = await office.upload(PATH, TWICE, stream=stream)
    assert (answer.status_code, error_of(answer)["type"]) == (500, "server_error")
    assert office.desk.jobs == 0


async def test_pauses_may_be_chosen() -> None:
    hearing = LoudHearing()
    whole = {"chunking_strategy[type]": "server_vad", "chunking_strategy[silence_duration_ms]": "2000"}
    await office_of(hearing=hearing).upload(PATH, TWICE, **whole)
    assert len(hearing.recognised) == 1
    json_form = '{"type": "server_vad", "silence_duration_ms": 2000}'
    await office_of(hearing=hearing).upload(PATH, TWICE, chunking_strategy=json_form)
    assert len(hearing.recognised) == 2
    await office_of(hearing=hearing).upload(PATH, TWICE, chunking_strategy="auto")
    assert len(hearing.recognised) == 4


async def test_the_prompt_is_expected_by_the_recogniser() -> None:
    hearing = LoudHearing()
    await office_of(hearing=hearing).upload(PATH, TWICE, prompt="Kumquat", language="en-GB")
    assert [(words.texts, words.language) for _, words in hearing.recognised] == [(("Kumquat",), "en")] * 2


async def test_what_cannot_be_had_is_named_before_anything_is_heard() -> None:
    hearing = LoudHearing()
    office = office_of(hearing=hearing)
    answer = await office.upload(PATH, TWICE, language="de")
    assert answer.status_code == 400
    assert (error_of(answer)["param"], error_of(answer)["code"]) == ("language", "unsupported_value")
    assert (hearing.heard_bytes, office.desk.jobs) == (0, 0)


async def test_a_file_that_is_no_recording_is_named() -> None:
    office = office_of()
    for data in (b"", b"hello", b"RIFF\0\0\0\0WAVE"):
        answer = await office.upload(PATH, data)
        assert (answer.status_code, error_of(answer)["param"]) == (400, "file")
    answer = await office.upload(PATH, None)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "missing_required_parameter")


async def test_a_compressed_file_is_understood() -> None:
    office = office_of()

    async def sound() -> AsyncGenerator[bytes, None]:
        yield bytes(48_000) + b"\x00\x20" * 12_000 + bytes(48_000)

    flac = b"".join([piece async for piece in office.desk.media.encode("flac", sound())])
    answer = await office.upload(PATH, flac, model="whisper-1")
    await office.desk.close()
    assert answer.json()["text"].startswith("w1a w1b w1c w1d w1e")
    assert answer.json()["usage"] == {"type": "duration", "seconds": 3}


async def test_a_file_that_is_too_large_is_not_read_to_its_end() -> None:
    office = office_of(limits=Limits(max_upload_bytes=50_000))
    answer = await office.upload(PATH, TWICE)
    assert (answer.status_code, error_of(answer)["code"]) == (413, "content_too_large")
    sent = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            sent += 65_536
            yield bytes(65_536)

    headers = {"Content-Type": BOUND}
    answer = await office.ask(PATH, content=endless(), headers=headers)
    assert (answer.status_code, office.desk.jobs) == (413, 0)
    assert sent < 2_000_000


async def test_a_recording_that_is_too_long_is_refused() -> None:
    answer = await office_of(limits=Limits(max_recording_seconds=2.9)).upload(PATH, TWICE)
    assert (answer.status_code, error_of(answer)["code"], error_of(answer)["param"]) == (400, "audio_too_long", "file")
    assert (await office_of(limits=Limits(max_recording_seconds=3.0)).upload(PATH, TWICE)).status_code == 200


@pytest.mark.parametrize(
    ("type_", "content", "status", "code"),
    [
        ("application/json", b"{}", 415, "unsupported_media_type"),
        ("multipart/form-data", b"", 400, "invalid_form"),
        (BOUND, b"nonsense", 400, "invalid_form"),
        (
            BOUND,
            b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--",
            400,
            "invalid_form",
        ),
        (BOUND, b"--x--\r\n", 400, "missing_required_parameter"),
    ],
)
async def test_a_body_that_is_no_form_is_refused(type_: str, content: bytes, status: int, code: str) -> None:
    answer = await office_of().ask(PATH, content=content, headers={"Content-Type": type_})
    assert (answer.status_code, error_of(answer)["code"]) == (status, code)


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_a_client_that_leaves_stops_the_ears(stream: str) -> None:
    class Silent(LoudHearing):
        def open(self, report):  # type: ignore[no-untyped-def]
            return super().open(lambda _: None)  # which never hear

    hearing = Silent()
    office = office_of(hearing=hearing)
    parts = [("model", b"whisper-1"), ("stream", stream.encode()), ('file"; filename="a.wav', TWICE)]
    body = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value + b"\r\n"
        for name, value in parts
    )
    visit = office.visit(PATH, content=body + b"--x--\r\n", type_=BOUND)
    await visit.until(lambda: bool(hearing.heard_bytes))
    assert (hearing.open_ears, office.desk.jobs) == (1, 1)
    await visit.leave()
    assert (hearing.open_ears, office.desk.jobs) == (0, 0)


async def test_a_translation_of_english_is_a_transcript() -> None:
    path = "/v1/audio/translations"
    answer = await office_of().upload(path, TWICE, response_format="verbose_json", model="whisper-1")
    assert (answer.json()["task"], answer.json()["text"]) == ("translate", TEXT)
    refused = await office_of().upload(path, TWICE, language="fr")
    assert error_of(refused)["param"] == "language"


# ------------------------------------------------------------------------------------------------------ money


@pytest.mark.parametrize("stream", [None, "true"])
@pytest.mark.parametrize(
    ("model", "rate", "usd"),
    [
        ("whisper-1", Rate(minute=60.0), 3.0),
        ("gpt-4o-transcribe", Rate(minute=60.0), 3.0),
        ("gpt-4o-transcribe", Rate(text_in=1e6, audio_in=1e3, text_out=10e6), 3 + 0.03 + 40),
        ("whisper-1", Rate(text_in=1e6), None),
    ],
)
async def test_a_transcript_is_charged_by_length_or_by_tokens(
    model: str, rate: Rate, usd: float | None, stream: str | None
) -> None:
    office = office_of(rates={model: rate})
    answer = await office.upload(PATH, TWICE, model=model, prompt="some words", stream=stream)
    assert answer.status_code == 200
    assert office.charges == ([] if usd is None else [pytest.approx(usd)])


async def test_a_translation_is_charged_too() -> None:
    office = office_of(rates={"whisper-1": Rate(minute=60.0)})
    await office.upload("/v1/audio/translations", TWICE, model="whisper-1")
    assert office.charges == [pytest.approx(3.0)]


async def test_silence_is_charged_by_its_length() -> None:
    office = office_of(rates={"whisper-1": Rate(minute=60.0)})
    assert (await office.upload(PATH, wav_of(2000), model="whisper-1")).json()["text"] == ""
    assert office.charges == [pytest.approx(2.0)]


@pytest.mark.parametrize("stream", [None, "true"])
@pytest.mark.parametrize("fails_at", [1, 2])
async def test_a_recogniser_that_fails_costs_nothing(fails_at: int, stream: str | None) -> None:
    office = office_of(hearing=LoudHearing(fails_at=fails_at), rates={"whisper-1": Rate(minute=60.0)})
    await office.upload(PATH, TWICE, model="whisper-1", stream=stream)
    assert office.charges == []


async def test_a_file_that_cannot_be_read_costs_nothing() -> None:
    office = office_of(rates={"whisper-1": Rate(minute=60.0)})
    assert (await office.upload(PATH, b"no sound", model="whisper-1")).status_code == 400
    assert office.charges == []
