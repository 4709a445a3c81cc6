from __future__ import annotations

import pytest

from vivavoce import __version__
from vivavoce.relay.effects import Noted
from vivavoce.server.breaker import State
from vivavoce.server.metrics import Metrics


def told(metrics: Metrics) -> dict[str, float]:
    """What is told, by name and labels."""
    lines = [line for line in metrics.text().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_every_series_is_there_from_the_start() -> None:
    figures = told(Metrics(["a"]))
    for name in (
        'vivavoce_sessions_open{kind="realtime"}',
        'vivavoce_sessions_total{kind="translation"}',
        'vivavoce_calls_open{road="webrtc"}',
        'vivavoce_calls_total{road="passed"}',
        'vivavoce_calls_unconnected_total{road="webrtc"}',
        'vivavoce_call_round_trip_seconds_count{road="webrtc"}',
        'vivavoce_relay_links_open{upstream="a"}',
        'vivavoce_relay_open_seconds_count{upstream="a"}',
        'vivavoce_relay_unavailable_total{upstream="a"}',
        'vivavoce_relay_lost_total{upstream="a"}',
        'vivavoce_relay_renewed_total{upstream="a"}',
        'vivavoce_relay_answer_seconds_count{upstream="a"}',
        'vivavoce_relay_responses_failed_total{upstream="a"}',
        'vivavoce_relay_pooled{upstream="a"}',
        'vivavoce_relay_breaker{state="open",upstream="a"}',
        'vivavoce_cost_usd_total{upstream="a"}',
        "vivavoce_relay_gap_seconds_count",
        "vivavoce_relay_resumed_total",
        "vivavoce_relay_items_lost_total",
        "vivavoce_relay_cached_answers_total",
    ):
        assert figures[name] == 0.0
    assert figures[f'vivavoce_info{{version="{__version__}"}}'] == 1.0
    assert figures["process_resident_memory_bytes"] > 0


def test_when_a_figure_was_first_needed_is_not_told() -> None:
    assert not [name for name in told(Metrics(["a"])) if "_created" in name]


def test_sessions_are_counted_while_they_last() -> None:
    metrics = Metrics()
    first, _ = metrics.session_began("realtime"), metrics.session_began("transcription")
    first()
    figures = told(metrics)
    assert figures['vivavoce_sessions_open{kind="realtime"}'] == 0.0
    assert figures['vivavoce_sessions_open{kind="transcription"}'] == 1.0
    assert figures['vivavoce_sessions_total{kind="realtime"}'] == 1.0


def test_calls_are_counted_while_they_last_and_measured_at_their_end() -> None:
    metrics = Metrics()
    ended = metrics.call_began("webrtc")
    metrics.call_connected("webrtc", 0.25)
    metrics.call_measured("webrtc", 0.5, 0.004, None)
    figures = told(metrics)
    names = ("s_open", "s_total", "_setup_seconds_sum", "_loss_ratio_sum", "_jitter_seconds_sum")
    assert [figures[f'vivavoce_call{name}{{road="webrtc"}}'] for name in names] == [1, 1, 0.25, 0.5, 0.004]
    assert figures['vivavoce_call_round_trip_seconds_count{road="webrtc"}'] == 0
    ended()
    metrics.call_unconnected("webrtc")
    figures = told(metrics)
    assert [figures[f'vivavoce_calls_{name}{{road="webrtc"}}'] for name in ("open", "unconnected_total")] == [0, 1]


def test_a_server_counts_its_own() -> None:
    one, other = Metrics(["a"]), Metrics(["a"])
    one.relay_lost("a")
    assert told(other)['vivavoce_relay_lost_total{upstream="a"}'] == 0.0


def test_what_upstreams_do_is_counted_by_upstream() -> None:
    metrics = Metrics(["a", "b"])
    released, _ = metrics.relay_held("a"), metrics.relay_held("a")
    released()
    metrics.relay_opened("a", 0.25)
    metrics.relay_unavailable("b")
    metrics.relay_answered("a", 0.7)
    metrics.relay_response_failed("b")
    metrics.charged("a", 0.5)
    metrics.charged("a", 0.25)
    metrics.breaker_changed("b", State.OPEN)
    metrics.breaker_changed("b", State.HALF_OPEN)
    metrics.pooled("a", 2)
    metrics.pool_counted("a", "used")
    figures = {
        name: value for name, value in told(metrics).items() if "upstream=" in name and value and "le=" not in name
    }
    assert figures == {
        'vivavoce_relay_links_open{upstream="a"}': 1.0,
        'vivavoce_relay_open_seconds_count{upstream="a"}': 1.0,
        'vivavoce_relay_open_seconds_sum{upstream="a"}': 0.25,
        'vivavoce_relay_unavailable_total{upstream="b"}': 1.0,
        'vivavoce_relay_answer_seconds_count{upstream="a"}': 1.0,
        'vivavoce_relay_answer_seconds_sum{upstream="a"}': 0.7,
        'vivavoce_relay_responses_failed_total{upstream="b"}': 1.0,
        'vivavoce_cost_usd_total{upstream="a"}': 0.75,
        'vivavoce_relay_breaker{state="closed",upstream="a"}': 1.0,
        'vivavoce_relay_breaker{state="half_open",upstream="b"}': 1.0,
        'vivavoce_relay_pooled{upstream="a"}': 2.0,
        'vivavoce_relay_pool_total{fate="used",upstream="a"}': 1.0,
    }


@pytest.mark.parametrize(
    ("noted", "name"),
    [
        (Noted("lost", {"upstream": "a", "code": 1006}), 'vivavoce_relay_lost_total{upstream="a"}'),
        (Noted("renewed", {"upstream": "a", "before": "b"}), 'vivavoce_relay_renewed_total{upstream="a"}'),
        (Noted("recovered", {"upstream": "a", "seconds": 0.124}), 'vivavoce_relay_gap_seconds_bucket{le="0.2"}'),
        (Noted("item_lost", {"code": "invalid_value"}), "vivavoce_relay_items_lost_total"),
        (Noted("resumed", {}), "vivavoce_relay_resumed_total"),
        (Noted("cached", {}), "vivavoce_relay_cached_answers_total"),
    ],
)
def test_what_a_relay_session_notes_is_counted(noted: Noted, name: str) -> None:
    metrics = Metrics(["a"])
    metrics.relay_noted(noted)
    assert told(metrics)[name] == 1.0


@pytest.mark.parametrize(
    "noted",
    [
        Noted("answered", {"upstream": "a", "seconds": 1.0}),
        Noted("response_failed", {"upstream": "a", "code": None}),
        Noted("opened", {"upstream": "a", "seconds": 0.0}),
        Noted("unavailable", {"reason": "start", "message": "refused"}),
    ],
)
def test_what_is_reported_of_upstreams_is_not_counted_twice(noted: Noted) -> None:
    metrics = Metrics(["a"])
    before = {name: value for name, value in told(metrics).items() if name.startswith("vivavoce")}
    metrics.relay_noted(noted)
    assert {name: value for name, value in told(metrics).items() if name.startswith("vivavoce")} == before
