"""The utterances of the package are speech between silence, in every format."""

from __future__ import annotations

from pathlib import Path

import pytest

import vivavoce.check
from vivavoce.audio.g711 import ulaw_to_pcm
from vivavoce.audio.pcm import level_dbfs
from vivavoce.check.recordings import WORDS, quiet, utterance


@pytest.mark.parametrize("name", WORDS)
def test_an_utterance_is_loud_where_it_says_so_and_silent_around(name: str) -> None:
    said = utterance(name, before_ms=500, after_ms=700)  # type: ignore[arg-type]
    assert len(said.audio) == said.duration_ms * 48
    assert 500 <= said.starts_ms < said.ends_ms <= said.duration_ms - 700
    assert level_dbfs(said.audio[: 500 * 48]) < -90
    assert level_dbfs(said.audio[-700 * 48 :]) < -90
    assert level_dbfs(said.audio[said.starts_ms * 48 : said.ends_ms * 48]) > -30


def test_in_g711_it_has_eight_bytes_a_millisecond_and_sounds_the_same() -> None:
    said = utterance("timer", "ulaw")
    assert len(said.audio) == said.duration_ms * 8
    assert level_dbfs(ulaw_to_pcm(said.audio)) == pytest.approx(level_dbfs(utterance("timer").audio), abs=1.0)


def test_silence_is_silent_in_every_format() -> None:
    assert quiet(100) == bytes(4800)
    assert quiet(100, "ulaw") == b"\xff" * 800
    assert len(quiet(100, "alaw")) == 800


def test_the_package_stays_small() -> None:
    folder = Path(vivavoce.check.__file__).parent / "speech"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 150_000
