"""Prices that come with the package, and an operator's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivavoce.core.errors import ConfigError
from vivavoce.core.money import FREE, rate_of
from vivavoce.core.service import Rate
from vivavoce.server.prices import load_rates, usual_rates


def written(folder: Path, text: str) -> str:
    file = folder / "prices.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("model", "rate"),
    [
        ("gpt-realtime-2.1", Rate(4.0, 0.4, 24.0, 32.0, 0.4, 64.0, 5.0, 0.5)),
        ("gpt-realtime-2", Rate(4.0, 0.4, 24.0, 32.0, 0.4, 64.0, 5.0, 0.5)),
        ("gpt-realtime", Rate(4.0, 0.4, 16.0, 32.0, 0.4, 64.0, 5.0, 0.5)),
        ("gpt-realtime-2025-08-28", Rate(4.0, 0.4, 16.0, 32.0, 0.4, 64.0, 5.0, 0.5)),
        ("gpt-realtime-2.1-mini", Rate(0.6, 0.06, 2.4, 10.0, 0.3, 20.0, 0.8, 0.08)),
        ("gpt-4o-mini-realtime-preview-2024-12-17", Rate(0.6, 0.3, 2.4, 10.0, 0.3, 20.0)),
        ("gpt-realtime-translate", Rate(minute=0.034)),
        ("gpt-realtime-whisper", Rate(minute=0.017)),
        ("gpt-4o-mini-transcribe-2025-12-15", Rate(minute=0.003)),
        ("gpt-4o-mini-tts-2025-12-15", Rate(text_in=0.6, audio_out=12.0)),
        ("tts-1-1106", Rate(characters=15.0)),
        ("tts-1-hd-1106", Rate(characters=30.0)),
        ("vivavoce", FREE),
    ],
)
def test_the_usual_prices_are_those_that_are_listed(model: str, rate: Rate) -> None:
    assert rate_of(model, load_rates("")) == rate


def test_an_operators_prices_are_added_and_replace_the_usual_ones(tmp_path: Path) -> None:
    rates = load_rates(written(tmp_path, '[mine]\ntext_in = 1\n["gpt-realtime"]\nminute = 0.5\n'))
    assert rates == usual_rates() | {"mine": Rate(text_in=1.0), "gpt-realtime": Rate(minute=0.5)}


def test_the_usual_ones_can_be_left_out(tmp_path: Path) -> None:
    assert load_rates(written(tmp_path, "usual = false\n[mine]\ntext_in = 1.5\n")) == {"mine": Rate(text_in=1.5)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mine]\ntext_inn = 1\n", "model 'mine': there is no field 'text_inn'; there are text_in, text_cached"),
        (
            "[mine]\ntext_in = 'much'\n",
            "model 'mine': 'text_in' has to be a number of US dollars from 0 on, not 'much'",
        ),
        ("[mine]\naudio_out = -1\n", "model 'mine': 'audio_out' has to be a number"),
        ("[mine]\naudio_out = true\n", "model 'mine': 'audio_out' has to be a number"),
        ("[mine]\naudio_out = nan\n", "model 'mine': 'audio_out' has to be a number"),
        ("mine = 5\n", "model 'mine' has to be a table"),
        ("[gpt-realtime-2.1]\ntext_in = 1\n", 'a name with dots needs quotes, as in ["gpt-realtime-2.1"]'),
        ("usual = 1\n", "'usual' has to be true or false"),
        ("[mine\n", "is not TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_rates(written(tmp_path, text))
    assert str(caught.value).startswith("--prices (VIVAVOCE_PRICES): ")
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--prices \(VIVAVOCE_PRICES\): cannot read .*nowhere"):
        load_rates(str(tmp_path / "nowhere"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_rates(str(tmp_path / "bytes"))
