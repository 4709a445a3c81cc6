"""Prices of models applied to what was used."""

from __future__ import annotations

import pytest

from vivavoce.core.money import FREE, listed_rate, of_response, of_speech, of_time, of_transcription, rate_of
from vivavoce.core.service import Rate
from vivavoce.core.states import TranscriptionTokens, Usage

FULL, MINI, OLD = Rate(text_in=1.0), Rate(text_in=2.0), Rate(text_in=3.0)
RATES = {"gpt-realtime": FULL, "gpt-realtime-mini": MINI, "gpt-realtime-2025-08-28": OLD}


@pytest.mark.parametrize(
    ("model", "rate"),
    [
        ("gpt-realtime", FULL),
        ("gpt-realtime-mini", MINI),
        ("gpt-realtime-mini-2025-12-15", MINI),
        ("gpt-realtime-2025-08-28", OLD),
        ("gpt-realtime-2025-08-29", FULL),
        ("gpt-realtime:latest", FULL),
        ("gpt-realtime@beta", FULL),
        ("gpt-realtimeish", FREE),
        ("gpt-realtim", FREE),
        ("vivavoce", FREE),
        ("", FREE),
    ],
)
def test_a_model_costs_what_its_longest_listed_name_does(model: str, rate: Rate) -> None:
    assert rate_of(model, RATES) is rate


def test_an_empty_name_in_the_list_is_the_price_of_no_other() -> None:
    assert rate_of("anything", {"": FULL}) is FREE


def test_every_kind_of_token_has_its_price_and_cached_ones_theirs() -> None:
    rate = Rate(
        text_in=4.0, text_cached=0.4, text_out=24.0, audio_in=32.0, audio_cached=0.4, audio_out=64.0,
        image_in=5.0, image_cached=0.5, minute=99.0,
    )  # fmt: skip
    usage = Usage(
        input_text_tokens=1000, input_audio_tokens=600, input_image_tokens=765, cached_text_tokens=400,
        cached_audio_tokens=100, cached_image_tokens=65, output_text_tokens=200, output_audio_tokens=1200,
    )  # fmt: skip
    expected = 600 * 4 + 400 * 0.4 + 500 * 32 + 100 * 0.4 + 700 * 5 + 65 * 0.5 + 200 * 24 + 1200 * 64
    assert of_response(usage, rate) == pytest.approx(expected / 1e6)


def test_a_minute_of_audio_each_way_costs_what_the_list_says() -> None:
    rate = Rate(audio_in=32.0, audio_out=64.0)
    assert of_response(Usage(input_audio_tokens=600), rate) == pytest.approx(0.0192)
    assert of_response(Usage(output_audio_tokens=1200), rate) == pytest.approx(0.0768)


def test_transcripts_cost_by_time_or_by_tokens() -> None:
    tokens = TranscriptionTokens(600, 10, 150)
    assert of_time(90, Rate(minute=0.017)) == pytest.approx(0.0255)
    assert of_transcription(90, None, Rate(minute=0.017, text_out=10.0)) == pytest.approx(0.0255)
    assert of_transcription(60, tokens, Rate(audio_in=6.0, text_in=2.5, text_out=10.0)) == pytest.approx(0.005125)
    assert of_transcription(60, tokens, Rate(minute=0.006)) == pytest.approx(0.006)


def test_a_model_that_is_listed_as_free_is_told_from_one_that_is_not_listed() -> None:
    assert listed_rate("mine-2", {"mine": Rate()}) == Rate()
    assert listed_rate("other", {"mine": Rate()}) is None


def test_speech_costs_by_its_text_by_time_and_by_tokens() -> None:
    usage = Usage(input_text_tokens=1_000_000, output_audio_tokens=500_000)
    assert of_speech(2000, 90, usage, Rate(characters=15.0)) == pytest.approx(0.03)
    assert of_speech(2000, 90, usage, Rate(minute=0.5)) == pytest.approx(0.75)
    assert of_speech(2000, 90, usage, Rate(text_in=0.6, audio_out=12.0)) == pytest.approx(6.6)
