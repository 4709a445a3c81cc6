from __future__ import annotations

import pytest

from vivavoce.cli.prices import add_usage, cost_usd, price_of


@pytest.mark.parametrize(
    ("model", "audio_out"),
    [
        ("gpt-realtime", 64.0),
        ("gpt-realtime-2025-08-28", 64.0),
        ("gpt-realtime-2.1", 64.0),
        ("gpt-realtime-2.1-mini", 20.0),
        ("gpt-realtime-mini-2025-12-15", 20.0),
    ],
)
def test_a_dated_model_costs_what_the_model_costs(model: str, audio_out: float) -> None:
    price = price_of("api.openai.com", model)
    assert price is not None
    assert price.audio_out == audio_out


@pytest.mark.parametrize(
    ("host", "model"),
    [
        ("", "gpt-realtime"),
        ("localhost", "gpt-realtime"),
        ("evilopenai.com", "gpt-realtime"),
        ("api.openai.com", "gpt-realtime-9"),
        ("api.openai.com", ""),
    ],
)
def test_an_unknown_price_is_not_guessed(host: str, model: str) -> None:
    assert price_of(host, model) is None


def test_cached_tokens_cost_less() -> None:
    price = price_of("api.openai.com", "gpt-realtime")
    assert price is not None
    details = {
        "text_tokens": 1000,
        "audio_tokens": 500,
        "cached_tokens": 700,
        "cached_tokens_details": {"text_tokens": 600, "audio_tokens": 100},
    }
    usage = {"input_token_details": details, "output_token_details": {"text_tokens": 10, "audio_tokens": 100}}
    expected = 400 * 4 + 600 * 0.4 + 400 * 32 + 100 * 0.4 + 10 * 16 + 100 * 64
    assert cost_usd(usage, price) == pytest.approx(expected / 1e6)


def test_cached_tokens_of_unknown_kind_are_taken_for_text() -> None:
    price = price_of("api.openai.com", "gpt-realtime")
    assert price is not None
    usage = {"input_token_details": {"text_tokens": 100, "cached_tokens": 60}}
    assert cost_usd(usage, price) == pytest.approx((40 * 4 + 60 * 0.4) / 1e6)


def test_usages_are_added_field_by_field() -> None:
    one = {"total_tokens": 3, "input_token_details": {"text_tokens": 1}}
    other = {"total_tokens": 4, "input_token_details": {"text_tokens": 2, "cached_tokens": 5}, "note": "x"}
    assert add_usage(add_usage({}, one), other) == {
        "total_tokens": 7,
        "input_token_details": {"text_tokens": 3, "cached_tokens": 5},
    }
