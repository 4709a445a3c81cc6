from __future__ import annotations

import argparse
from collections.abc import Mapping

import pytest

from vivavoce.cli.failure import Misuse
from vivavoce.cli.line import Place, add_place_arguments, place_of, transcription_model
from vivavoce.core.errors import ConfigError


def place(*arguments: str, environ: Mapping[str, str] | None = None) -> Place:
    parser = argparse.ArgumentParser()
    add_place_arguments(parser)
    return place_of(parser.parse_args(arguments), environ or {})


def test_without_a_url_the_place_is_this_process() -> None:
    here = place("--model", "m", environ={"OPENAI_API_KEY": "k", "VIVAVOCE_LLM_URL": "http://127.0.0.1:1/v1"})
    assert here.upstream is None
    assert (here.name, here.host, here.model) == ("local", "", "m")
    assert here.config.engines.llm.url == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("wss://api.openai.com", "openai"),
        ("ws://localhost:8000", "own"),
        ("wss://notopenai.com", "own"),
    ],
)
def test_a_key_is_sent_to_the_host_that_it_is_for(url: str, key: str) -> None:
    there = place("--url", url, environ={"OPENAI_API_KEY": "openai", "VIVAVOCE_API_KEY": "own"})
    assert there.upstream is not None
    assert there.upstream.key == key


def test_one_key_serves_everywhere() -> None:
    for name in ("OPENAI_API_KEY", "VIVAVOCE_API_KEY"):
        there = place("--url", "ws://localhost", environ={name: "k", "VIVAVOCE_LLM_MODEL": ""})
        assert there.upstream is not None
        assert there.upstream.key == "k"


def test_the_shape_is_whatever_there_is_unless_one_is_asked_for() -> None:
    assert place("--url", "ws://h").shape is None
    there = place("--url", "ws://h", "--shape", "beta")
    assert there.upstream is not None
    assert there.shape == there.upstream.shape == "beta"


def test_a_model_is_asked_for_where_there_is_no_default() -> None:
    assert place("--url", "wss://api.openai.com").model == "gpt-realtime-2.1"
    assert place("--url", "wss://api.openai.com", "--model", "x").model == "x"
    assert place("--url", "ws://localhost").model == ""


def test_speech_is_understood_by_a_model_that_the_place_has() -> None:
    assert transcription_model(place()) == "vivavoce"
    assert transcription_model(place("--url", "wss://api.openai.com")) == "gpt-4o-transcribe"
    assert transcription_model(place("--url", "ws://localhost:1")) == "whisper-1"


def test_what_cannot_be_used_is_refused_at_once() -> None:
    with pytest.raises(Misuse, match="--insecure"):
        place("--insecure")
    with pytest.raises(ConfigError, match="ftp"):
        place("--url", "ftp://h")
    with pytest.raises(ConfigError, match="key"):
        place("--url", "ws://h", environ={"VIVAVOCE_API_KEY": "ä"})
    with pytest.raises(ConfigError, match="VIVAVOCE_LLM_URL"):
        place(environ={"VIVAVOCE_LLM_URL": "nonsense"})
