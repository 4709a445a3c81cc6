from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.service import Rate
from vivavoce.core.states import Usage
from vivavoce.relay.effects import Used
from vivavoce.routing import Upstream, local_upstream
from vivavoce.server.costs import Costs, tokens_of
from vivavoce.server.prices import usual_rates

UPSTREAMS = {
    "openai": Upstream(name="openai", url="wss://api.openai.com/v1"),
    "azure": Upstream(
        name="azure",
        url="wss://mine.openai.azure.com",
        models={"gpt-realtime-2.1-mini": "small", "gpt-realtime-2.1*": "prod-voice", "*": "anything"},
    ),
    "local": local_upstream(60.0),
}
RESPONSE = {
    "total_tokens": 3000,
    "input_tokens": 2000,
    "output_tokens": 1000,
    "input_token_details": {
        "text_tokens": 700,
        "audio_tokens": 1200,
        "image_tokens": 100,
        "cached_tokens": 900,
        "cached_tokens_details": {"text_tokens": 500, "audio_tokens": 380, "image_tokens": 20},
    },
    "output_token_details": {"text_tokens": 200, "audio_tokens": 800},
}


def costs(**options: Any) -> Costs:
    return Costs(usual_rates(), UPSTREAMS, **options)


def used(usage: dict[str, Any], model: str = "gpt-realtime-2.1", upstream: str = "openai") -> Used:
    return Used(upstream, model, "response", usage)


def test_a_response_costs_its_tokens_of_every_kind() -> None:
    text = 200 * 4.00 + 500 * 0.40 + 200 * 24.00
    audio = 820 * 32.00 + 380 * 0.40 + 800 * 64.00
    image = 80 * 5.00 + 20 * 0.50
    assert costs().price(used(RESPONSE)) == pytest.approx((text + audio + image) / 1e6)


def test_a_transcript_costs_its_seconds() -> None:
    spent = Used("openai", "whisper-1", "transcription", {"type": "duration", "seconds": 90})
    assert costs().price(spent) == pytest.approx(0.009)


def test_a_transcript_that_is_told_by_tokens_and_listed_by_time_costs_the_time_of_its_audio() -> None:
    usage = {
        "type": "tokens",
        "total_tokens": 650,
        "input_tokens": 610,
        "input_token_details": {"text_tokens": 10, "audio_tokens": 600},
        "output_tokens": 40,
    }
    spent = Used("openai", "gpt-4o-transcribe", "transcription", usage)
    assert costs().price(spent) == pytest.approx(0.006)


def test_a_transcript_costs_its_tokens_where_they_have_a_price() -> None:
    rates = {"scribe": Rate(text_in=2.0, audio_in=6.0, text_out=10.0, minute=0.5)}
    usage = {
        "type": "tokens",
        "input_tokens": 610,
        "input_token_details": {"text_tokens": 10, "audio_tokens": 600},
        "output_tokens": 40,
    }
    spent = Used("openai", "scribe", "transcription", usage)
    assert Costs(rates, UPSTREAMS).price(spent) == pytest.approx((10 * 2 + 600 * 6 + 40 * 10) / 1e6)


@pytest.mark.parametrize(
    ("model", "upstream"),
    [
        ("gpt-realtime-2.1-2026-08-01", "openai"),
        ("gpt-4o-realtime-preview", "openai"),
        ("gpt-4o-realtime-preview-2024-12-17", "openai"),
        ("prod-voice", "azure"),
    ],
)
def test_a_model_without_a_price_costs_what_it_stands_for(model: str, upstream: str) -> None:
    assert costs().price(used(RESPONSE, model, upstream)) == costs().price(used(RESPONSE))


def test_an_upstreams_own_name_costs_what_just_its_clients_ask_for() -> None:
    assert costs().price(used(RESPONSE, "small", "azure")) == costs().price(used(RESPONSE, "gpt-realtime-2.1-mini"))


def test_a_model_without_any_price_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    table = costs()
    with caplog.at_level(logging.WARNING):
        prices = [table.price(used(RESPONSE, "anything", "azure")) for _ in range(3)]
    assert prices == [0.0, 0.0, 0.0]
    assert [record.getMessage() for record in caplog.records] == [
        "there is no price for the model 'anything' of upstream azure, so it costs nothing here; --prices adds one"
    ]


def test_the_engines_of_this_process_may_do_without_a_price(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert costs().price(used(RESPONSE, "vivavoce", "local")) == 0.0
    assert not caplog.records


def test_a_model_that_is_listed_as_free_needs_no_other_price(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert Costs({"mine": Rate()}, UPSTREAMS).price(used(RESPONSE, "mine")) == 0.0
    assert not caplog.records


def test_charges_add_up_by_session_key_and_upstream() -> None:
    by_key: list[float] = []
    charged: list[tuple[str, float]] = []
    table = costs(charged=lambda upstream, usd: charged.append((upstream, usd)))
    first, second = table.bill(by_key.append, budget_usd=0.15), table.bill(by_key.append)
    one = first.add(used(RESPONSE))
    other = second.add(used(RESPONSE, "gpt-realtime-2.1-mini"))
    free = second.add(used(RESPONSE, "vivavoce", "local"))
    assert (first.usd, second.usd, free) == (one, other, 0.0)
    assert by_key == [one, other]
    assert charged == [("openai", one), ("openai", other)]
    assert table.totals_usd == {"openai": one + other, "local": 0.0}
    assert (first.is_used_up, second.is_used_up) == (False, False)
    first.add(used(RESPONSE))
    assert first.is_used_up
    assert first.message == "The budget of this session, $0.15, is used up."


def test_input_without_details_is_text() -> None:
    assert tokens_of({"input_tokens": 30, "output_tokens": 5}) == Usage(input_text_tokens=30, output_text_tokens=5)


def test_cached_tokens_without_details_are_shared_out() -> None:
    usage = {"input_token_details": {"text_tokens": 100, "audio_tokens": 300, "cached_tokens": 200}}
    assert tokens_of(usage) == Usage(
        input_text_tokens=100, input_audio_tokens=300, cached_text_tokens=50, cached_audio_tokens=150
    )


NUMBERS = st.one_of(st.none(), st.integers(-5, 10**6), st.floats(allow_nan=True), st.text(max_size=2), st.booleans())
DETAILS = st.dictionaries(
    st.sampled_from(["text_tokens", "audio_tokens", "image_tokens", "cached_tokens", "cached_tokens_details"]),
    st.one_of(NUMBERS, st.dictionaries(st.sampled_from(["text_tokens", "audio_tokens"]), NUMBERS)),
)


@given(
    st.dictionaries(
        st.sampled_from(["input_tokens", "output_tokens", "input_token_details", "output_token_details", "seconds"]),
        st.one_of(NUMBERS, DETAILS),
    )
)
def test_whatever_a_server_tells_has_a_price_and_no_more_is_cached_than_was_read(usage: dict[str, Any]) -> None:
    assert 0.0 <= costs().price(used(usage)) < 1e9
    tokens = tokens_of(usage)
    assert tokens.cached_text_tokens <= tokens.input_text_tokens
    assert tokens.cached_audio_tokens <= tokens.input_audio_tokens
    assert tokens.cached_image_tokens <= tokens.input_image_tokens
