from __future__ import annotations

import json
import math
from typing import Any

import pytest

from vivavoce.core.reports import Word
from vivavoce.engines.recording import Stretch
from vivavoce.server.rest.transcripts import Written, body_of, logprobs, usage
from vivavoce.server.rest.wanted import Wanted, wanted_of

FIRST = Stretch(990, 1500, "good day", (Word("good", 990, 1200, 0.5), Word("day", 1200, 1500, 1.0)), 0.75)
SECOND = Stretch(3_599_900, 3_601_234, "again", (Word("again", 3_599_900, 3_601_234, 0.0),), 0.5)
WRITTEN = Written((FIRST, SECOND), 3_602_050)
NOTHING = Written((), 990)


def wanted(**fields: str) -> Wanted:
    return wanted_of([("model", "whisper-1"), *fields.items()], ("en",))


def told(written: Written, task: str = "transcribe", **fields: str) -> Any:
    body, _ = body_of(written, wanted(**fields), task)
    return json.loads(body)


@pytest.mark.parametrize(
    ("form", "media_type", "body"),
    [
        ("text", "text/plain; charset=utf-8", "good day again\n"),
        (
            "srt",
            "text/plain; charset=utf-8",
            "1\n00:00:00,990 --> 00:00:01,500\ngood day\n\n2\n00:59:59,900 --> 01:00:01,234\nagain\n",
        ),
        (
            "vtt",
            "text/vtt; charset=utf-8",
            "WEBVTT\n\n00:00:00.990 --> 00:00:01.500\ngood day\n\n00:59:59.900 --> 01:00:01.234\nagain\n",
        ),
    ],
)
def test_texts_and_subtitles(form: str, media_type: str, body: str) -> None:
    assert body_of(WRITTEN, wanted(response_format=form), "transcribe") == (body.encode(), media_type)


def test_verbose_json_has_the_fields_of_whispers_segments() -> None:
    verbose = told(WRITTEN, "translate", response_format="verbose_json", temperature="0.3")
    first, second = verbose.pop("segments")
    assert verbose == {
        "task": "translate",
        "language": "english",
        "duration": 3602.05,
        "text": "good day again",
        "usage": {"type": "duration", "seconds": 3603},
    }
    assert first == {
        "id": 0,
        "seek": 99,
        "start": 0.99,
        "end": 1.5,
        "text": " good day",
        "tokens": [],
        "temperature": 0.3,
        "avg_logprob": math.log(0.5) / 2,
        "compression_ratio": first["compression_ratio"],
        "no_speech_prob": 0.25,
    }
    assert 0 < first["compression_ratio"] < 1
    assert (second["id"], second["avg_logprob"]) == (1, math.log(1e-10))


def test_words_have_times_and_how_sure_they_are() -> None:
    form = [("model", "whisper-1"), ("response_format", "verbose_json"), ("timestamp_granularities[]", "word")]
    body, _ = body_of(WRITTEN, wanted_of(form, ("en",)), "transcribe")
    assert json.loads(body)["words"] == [
        {"word": "good", "start": 0.99, "end": 1.2, "probability": 0.5},
        {"word": "day", "start": 1.2, "end": 1.5, "probability": 1.0},
        {"word": "again", "start": 3599.9, "end": 3601.234, "probability": 0.0},
    ]


def test_nothing_said_is_told_in_every_form() -> None:
    assert told(NOTHING) == {"text": "", "usage": {"type": "duration", "seconds": 1}}
    assert told(NOTHING, response_format="verbose_json")["segments"] == []
    for form, body in (("text", b"\n"), ("srt", b""), ("vtt", b"WEBVTT\n")):
        assert body_of(NOTHING, wanted(response_format=form), "transcribe")[0] == body


def test_probabilities_go_with_the_words_and_their_spaces() -> None:
    tokens = [(entry["token"], entry["logprob"], bytes(entry["bytes"])) for entry in logprobs((FIRST,))]
    assert tokens == [("good", math.log(0.5), b"good"), (" day", 0.0, b" day")]
    assert [entry["token"] for entry in logprobs((FIRST,), is_first=False)] == [" good", " day"]
    assert told(WRITTEN, **{"include[]": "logprobs"})["logprobs"] == logprobs((FIRST, SECOND))


def test_tokens_are_counted_by_duration_and_letters() -> None:
    found = usage(WRITTEN, wanted(model="gpt-4o-transcribe", prompt="Kumquats"))
    assert found == {
        "type": "tokens",
        "input_tokens": 36_023,
        "input_token_details": {"audio_tokens": 36_021, "text_tokens": 2},
        "output_tokens": 4,
        "total_tokens": 36_027,
    }
