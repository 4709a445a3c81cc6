from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.options import Secret
from vivavoce.routing import Route, Routes, Upstream, best_pattern, local_upstream


def routes(*patterns: tuple[str, ...]) -> Routes:
    made = [Route(name=f"r{n}", models=each, upstreams=(("local",),)) for n, each in enumerate(patterns)]
    return Routes(upstreams={"local": local_upstream(60.0)}, routes=tuple(made))


def taken(table: Routes, model: str, kind: str = "realtime") -> str | None:
    route = table.route_for(model, kind)
    return route.name if route else None


@pytest.mark.parametrize("kind", ["", "realtime", "transcription", "translation"])
def test_without_routes_everything_is_answered_here(kind: str) -> None:
    assert Routes().route_for("gpt-realtime", kind) is None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-realtime", "r2"),
        ("gpt-realtime-2.1", "r1"),
        ("gpt-4o-realtime-preview", "r0"),
        ("claude", "r3"),
        ("vivavoce", None),
        ("vivavoce-large", None),
        ("", None),
    ],
)
def test_the_closest_pattern_wins_wherever_it_stands(model: str, name: str | None) -> None:
    assert taken(routes(("gpt-*",), ("gpt-realtime*",), ("gpt-realtime",), ("*",)), model) == name


def test_a_route_may_take_the_engines_own_names() -> None:
    table = routes(("*",), ("vivavoce*",), ("",))
    assert [taken(table, model) for model in ("vivavoce", "vivavoce-2", "", "x")] == ["r1", "r1", "r2", "r0"]


def test_a_longer_name_of_the_engines_may_be_taken_alone() -> None:
    table = routes(("vivavoce-eu*",))
    assert [taken(table, model) for model in ("vivavoce", "vivavoce-eu-1")] == [None, "r0"]


def test_transcription_sessions_that_name_no_model_take_the_route_of_all() -> None:
    table = routes(("*",))
    assert (taken(table, "", "transcription"), taken(table, "", "realtime")) == ("r0", None)
    assert taken(table, "vivavoce", "transcription") is None


def test_a_session_whose_address_does_not_say_is_a_conversation() -> None:
    assert taken(routes(("*",)), "gpt-realtime", "") == "r0"


def test_translations_take_a_route_like_conversations() -> None:
    table = routes(("*",))
    assert [taken(table, model, "translation") for model in ("gpt-realtime-translate", "vivavoce", "")] == [
        "r0",
        None,
        None,
    ]


def test_a_route_takes_the_kinds_of_sessions_that_it_names() -> None:
    talk = Route(name="talk", models=("*",), upstreams=(("a",),), kinds=frozenset({"realtime"}))
    write = Route(name="write", models=("*",), upstreams=(("b",),), kinds=frozenset({"transcription"}))
    table = Routes(routes=(talk, write))
    assert table.route_for("m", "realtime") == talk
    assert table.route_for("m", "transcription") == write
    assert table.route_for("m", "translation") is None


@given(
    st.text("abc", max_size=4),
    st.lists(st.builds(str.__add__, st.text("abc", max_size=4), st.sampled_from(["", "*"])), max_size=6),
)
def test_the_best_pattern_fits_and_none_that_fits_says_more(name: str, patterns: list[str]) -> None:
    best = best_pattern(name, patterns)
    fitting = [p for p in patterns if p == name or (p[-1:] == "*" and name[: len(p) - 1] == p[:-1])]
    if name in fitting:
        assert best == name
    elif fitting:
        assert best in fitting
        assert len(best) == max(map(len, fitting))
    else:
        assert best is None


@pytest.mark.parametrize(
    ("url", "asked", "theirs"),
    [
        ("wss://api.openai.com/v1", "gpt-4o-realtime-preview", "gpt-realtime-2.1"),
        ("https://eu.api.openai.com/v1", "gpt-4o-realtime-preview-2024-12-17", "gpt-realtime-2.1"),
        ("wss://mine.openai.azure.com", "gpt-4o-mini-realtime-preview", "gpt-realtime-2.1-mini"),
        ("wss://api.openai.com/v1", "gpt-realtime", "gpt-realtime"),
        ("wss://api.openai.com/v1", "", ""),
        ("ws://localai:8080", "gpt-4o-realtime-preview", "gpt-4o-realtime-preview"),
        ("wss://notopenai.com/v1", "gpt-4o-realtime-preview", "gpt-4o-realtime-preview"),
    ],
)
def test_models_that_were_switched_off_have_present_names_at_openai_and_azure(
    url: str, asked: str, theirs: str
) -> None:
    assert Upstream(name="a", url=url).model_for(asked) == theirs


def test_the_operators_names_go_before_the_usual_ones() -> None:
    models = {"gpt-4o-realtime-preview*": "gpt-realtime", "gpt-4o-realtime-preview": "gpt-realtime-mini", "x*": "y"}
    upstream = Upstream(name="a", url="wss://api.openai.com/v1", models=models)
    asked = ["gpt-4o-realtime-preview", "gpt-4o-realtime-preview-2025-06-03", "gpt-4o-mini-realtime-preview", "xz", "z"]
    assert [upstream.model_for(name) for name in asked] == [
        "gpt-realtime-mini",
        "gpt-realtime",
        "gpt-realtime-2.1-mini",
        "y",
        "z",
    ]


def test_an_upstream_does_not_show_its_key() -> None:
    assert "hidden" not in repr(Upstream(name="a", url="wss://a", key=Secret("hidden")))


def test_the_engines_of_this_process_are_an_upstream_without_a_host() -> None:
    local = local_upstream(600.0)
    assert (local.is_local, local.host, local.model_for("gpt-4o-realtime-preview")) == (
        True,
        "",
        "gpt-4o-realtime-preview",
    )


def test_a_route_names_its_upstreams_rank_by_rank() -> None:
    assert Route(name="r", models=("*",), upstreams=(("a", "b"), ("local",))).names == ("a", "b", "local")


def test_models_that_are_named_can_be_listed() -> None:
    a = Upstream(name="a", url="wss://a", models={"old": "new", "x*": "y", "elsewhere": "z"})
    routes = Routes(
        upstreams={"a": a, "b": Upstream(name="b", url="wss://b")},
        routes=(
            Route(name="r", models=("gpt-*", "one", "old"), upstreams=(("a", "b"), ("b",))),
            Route(name="s", models=("", "*"), upstreams=(("b",),)),
        ),
    )
    assert routes.model_names == ("one", "old")
    assert routes.describe() == "gpt-*, one, old -> a or b, then b; no model, * -> b"


def test_many_routes_are_described_by_the_first() -> None:
    routes = tuple(Route(name=f"r{n}", models=(f"m{n}",), upstreams=(("a",),)) for n in range(5))
    assert Routes(routes=routes).describe() == "m0 -> a; m1 -> a; m2 -> a; and 2 more"
