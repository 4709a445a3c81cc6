from __future__ import annotations

import pytest

from vivavoce.core.errors import ProtocolError
from vivavoce.core.settings import ServerVad
from vivavoce.server.rest.wanted import Wanted, wanted_of


def wanted(*fields: tuple[str, str], languages: tuple[str, ...] = ("en",)) -> Wanted:
    return wanted_of([("model", "gpt-4o-transcribe"), *fields], languages)


def test_little_needs_to_be_said() -> None:
    assert wanted() == Wanted(
        model="gpt-4o-transcribe",
        language="en",
        prompt="",
        format="json",
        granularities=("segment",),
        has_logprobs=False,
        is_streamed=False,
        temperature=0.0,
        detection=ServerVad(),
    )


def test_everything_may_be_said() -> None:
    everything = wanted(
        ("language", "en"),
        ("prompt", "Kumquat"),
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
        ("temperature", "0.5"),
        ("stream", "False"),
        ("chunking_strategy[type]", "server_vad"),
        ("chunking_strategy[threshold]", "0.7"),
        ("chunking_strategy[prefix_padding_ms]", "100"),
        ("chunking_strategy[silence_duration_ms]", "900"),
    )
    assert everything == Wanted(
        model="gpt-4o-transcribe",
        language="en",
        prompt="Kumquat",
        format="verbose_json",
        granularities=("word", "segment"),
        has_logprobs=False,
        is_streamed=False,
        temperature=0.5,
        detection=ServerVad(threshold=0.7, prefix_padding_ms=100, silence_duration_ms=900),
    )


@pytest.mark.parametrize(("model", "counts"), [("whisper-1", False), ("gpt-4o-transcribe", True), ("vivavoce", True)])
def test_whisper_alone_is_paid_by_the_second(model: str, counts: bool) -> None:
    assert wanted(("model", model)).counts_tokens is counts


def test_the_object_may_be_written_as_json() -> None:
    found = wanted(("chunking_strategy", '{"type": "server_vad", "silence_duration_ms": 900}'))
    assert found.detection == ServerVad(silence_duration_ms=900)
    assert wanted(("chunking_strategy", "auto")).detection == ServerVad()


@pytest.mark.parametrize("language", ["en", "EN", "english", "en-US", "en_gb", ""])
def test_english_has_many_names(language: str) -> None:
    assert wanted(("language", language)).language == "en"


def test_a_recogniser_may_know_other_languages() -> None:
    assert wanted(("language", "de-AT"), languages=("en", "de")).language == "de"
    with pytest.raises(ProtocolError, match="understands 'en', 'de' alone"):
        wanted(("language", "fr"), languages=("en", "de"))


def test_a_recogniser_that_does_not_tell_its_languages_is_asked_for_any() -> None:
    assert wanted(("language", "fr"), languages=()).language == "fr"
    assert wanted(languages=()).language == ""


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"language": "de"}, "language", "unsupported_value"),
        ({"response_format": "xml"}, "response_format", "invalid_value"),
        ({"response_format": "diarized_json"}, "response_format", "unsupported_value"),
        ({"known_speaker_names[]": "Ann"}, "known_speaker_names", "unsupported_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": "nan"}, "temperature", "invalid_value"),
        ({"temperature": "1.5"}, "temperature", "invalid_value"),
        ({"stream": "maybe"}, "stream", "invalid_type"),
        ({"stream": "true", "response_format": "srt"}, "stream", "invalid_value"),
        ({"include[]": "logprobs", "response_format": "text"}, "include", "invalid_value"),
        ({"include[]": "lyrics"}, "include[0]", "invalid_value"),
        ({"timestamp_granularities[]": "word"}, "timestamp_granularities", "invalid_value"),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities[0]", "invalid_value"),
        ({"timestamp_granularities": "word"}, "timestamp_granularities", "invalid_type"),
        ({"chunking_strategy": "none"}, "chunking_strategy", "invalid_value"),
        ({"chunking_strategy[threshold]": "0.5"}, "chunking_strategy.type", "missing_required_parameter"),
        (
            {"chunking_strategy[type]": "server_vad", "chunking_strategy[threshold]": "2"},
            "chunking_strategy.threshold",
            "invalid_value",
        ),
        ({"speed": "2"}, "speed", "unknown_parameter"),
    ],
)
def test_what_cannot_be_had_is_named(fields: dict[str, str], param: str, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        wanted(*fields.items())
    assert (caught.value.param, caught.value.code) == (param, code)


def test_a_model_has_to_be_named() -> None:
    with pytest.raises(ProtocolError, match="'model'"):
        wanted_of([], ("en",))
